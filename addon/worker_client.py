# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker as Blender sees it: a process that runs jobs, speaks JSON lines and dies with Blender.

torch never runs in Blender's own process: a crash, or a lack of memory, is a message here and no more. Nothing in this
module waits: whoever owns a worker asks for its messages from time to time.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections import deque
from pathlib import Path
from typing import IO, Any

import styletx_core
from styletx_core.errors import WorkError

# Runs in the worker's Python. The engine is imported from the extension's packages first, so that its version is
# always that of the add-on, and by its own path alone: it is pure Python and good for every Python. The other packages
# there, compiled for Blender's Python, come after those of the worker's own environment, or not at all where the
# Pythons differ.
# Bytecode is kept beside them as Blender itself does for extensions: without it PyTorch takes half a minute to import.
BOOT = """
import runpy, sys
packages, tag = sys.argv[1:3]
sys.dont_write_bytecode = sys.implementation.cache_tag != tag
sys.argv[1:] = []
sys.path[:] = [packages] + [path for path in sys.path if path]
import styletx_core
del sys.path[0]
if sys.implementation.cache_tag == tag:
    sys.path.append(packages)
runpy.run_module("styletx_core.worker", run_name="__main__")
"""
LOG_LINES = 200


class Worker:
    """A running worker process."""

    def __init__(self, python: str) -> None:
        """Start it. Raises WorkError when that Python cannot be started."""
        packages = str(Path(styletx_core.__file__).parent.parent)
        # PYTHONPATH and the like are meant for Blender's Python, or for the shell's, not for this one
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
        own = [sys.executable, "-I"] if python == sys.executable else [python]
        # on other systems than Windows the worker steps back by itself
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
        try:
            self._process = subprocess.Popen(
                [*own, "-c", BOOT, packages, sys.implementation.cache_tag],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                cwd=tempfile.gettempdir(), env=environment, creationflags=flags,
                text=True, encoding="utf-8", errors="replace", bufsize=1,
            )
        except OSError as error:
            raise WorkError(
                f"The worker's Python '{python}' cannot be started ({error.strerror}): "
                "choose another one in the preferences of the StyleTX extension."
            ) from None
        self.python = python
        self._messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._log: deque[str] = deque(maxlen=LOG_LINES)
        self._drains = [
            threading.Thread(target=self._read, args=(self._process.stdout,), daemon=True),
            threading.Thread(target=self._drain, args=(self._process.stderr,), daemon=True),
        ]
        for thread in self._drains:
            thread.start()

    def send(self, **message: Any) -> None:
        """Send a command; a worker that has died does not mind."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except (OSError, ValueError):
            pass  # its death is found, and told, by whoever waits for the answer

    def messages(self) -> list[dict[str, Any]]:
        """What has come since the last call."""
        found = []
        while not self._messages.empty():
            found.append(self._messages.get())
        return found

    @property
    def alive(self) -> bool:
        """True while the process runs or has said something that is not read yet."""
        return self._process.poll() is None or self._drains[0].is_alive() or not self._messages.empty()

    def log(self) -> str:
        """The last lines the worker wrote to stderr."""
        if self._process.poll() is not None:
            self._drains[1].join(0.5)
        return "\n".join(self._log)

    def death(self) -> str:
        """One sentence on a worker that has died."""
        lines = [line.strip() for line in self.log().splitlines() if line.strip()]
        last = f" ({lines[-1]})" if lines else ""
        code = self._process.poll()
        if code in (-9, 137):
            return "The worker was killed, most likely for its use of memory: close other programs or render smaller."
        return f"The worker ended with code {code}{last}: press Test in the preferences of the StyleTX extension."

    def close(self) -> None:
        """End it at once. Frames on disk are whole whatever it was doing."""
        if self._process.poll() is None:
            self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        with contextlib.suppress(OSError):  # what it had not read when it died
            if self._process.stdin is not None:
                self._process.stdin.close()

    def _read(self, stream: IO[str]) -> None:
        for line in stream:
            try:
                message = json.loads(line)
            except ValueError:
                self._log.append(line.rstrip())
                continue
            if isinstance(message, dict):
                self._messages.put(message)

    def _drain(self, stream: IO[str]) -> None:
        for line in stream:
            self._log.append(line.rstrip()[:500])


_worker: Worker | None = None


def worker(python: str) -> Worker:
    """The one worker, started when there is none or when another Python is asked for."""
    global _worker
    if _worker is not None and (_worker.python != python or not _worker.alive):
        stop()
    if _worker is None:
        _worker = Worker(python)
    return _worker


def stop() -> None:
    """End the worker, if there is one."""
    global _worker
    if _worker is not None:
        _worker.close()
        _worker = None


def register() -> None:
    pass  # a worker is started when first needed, and ends by itself when Blender's end of its stdin closes


def unregister() -> None:
    stop()

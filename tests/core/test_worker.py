# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker's protocol, spoken with a real worker process."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
from conftest import Material, texture, write_exr, write_png

from styletx_core import Job, __version__, run
from styletx_core.job import Input, Output, Settings, Style

PATIENCE = 60.0  # seconds for anything to answer; torch takes a while on a busy machine


class Speaker:
    """A worker process, and the lines it wrote."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "styletx_core.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.lines: queue.Queue[dict[str, Any]] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        self.ready = self.hear()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def say(self, **values: Any) -> None:
        self.write(json.dumps(values).encode() + b"\n")

    def write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def hear(self, *events: str) -> dict[str, Any]:
        """The next line, or the next that is one of these events."""
        while True:
            line = self.lines.get(timeout=PATIENCE)
            if not events or line["event"] in events:
                return line


@pytest.fixture
def worker() -> Iterator[Speaker]:
    speaker = Speaker()
    yield speaker
    speaker.process.kill()
    speaker.process.wait()


def make_job(material: Material, source: Path, output: Path) -> Job:
    return Job(
        Input(str(source)),
        (Style(str(material.style)),),
        Output(str(output)),
        settings=Settings(device="cpu", weights=str(material.weights)),
    )


def frames(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.glob("shot_*.exr")}


def test_one_worker_s_day(worker: Speaker, material: Material, tmp_path: Path) -> None:
    assert worker.ready["event"] == "ready" and worker.ready["version"] == __version__

    worker.say(id="p", command="ping")
    pong = worker.hear()
    assert (pong["id"], pong["event"], pong["missing"]) == ("p", "pong", [])
    assert pong["vgg"] is True, "the development environment has it"
    assert pong["torch"] and pong["device"] and pong["device_name"] and pong["memory_gb"] > 0

    # Nonsense is answered and does no harm.
    for line in (b"nonsense\n", b"[1]\n", b'{"command": "dance"}\n', b"\xff\xfe\n", b"[" * 100_000 + b"\n", b"\n"):
        worker.write(line)
    for _ in range(5):
        error = worker.hear()
        assert (error["event"], error["kind"]) == ("error", "input") and error["message"].endswith(".")

    # A job that cannot be.
    job = make_job(material, material.exr, tmp_path / "out").to_dict()
    worker.say(id="1", command="run", job={**job, "motion": "magic"})
    error = worker.hear()
    assert (error["id"], error["event"], error["kind"]) == ("1", "error", "input")
    assert "magic" in error["message"] and "\n" not in error["message"]
    assert "InputError" in error["log"]
    worker.say(id="2", command="run", job=None)
    assert worker.hear()["kind"] == "input"

    # One that can.
    worker.say(id="3", command="run", job=job)
    heard = [worker.hear()]
    while heard[-1]["event"] not in ("finished", "error", "cancelled"):
        heard.append(worker.hear())
    assert {line["id"] for line in heard} == {"3"}
    assert heard[0]["event"] == "started" and heard[-1]["event"] == "finished"
    assert [line["frame"] for line in heard if line["event"] == "frame"] == [1, 2, 3, 4, 5, 6]
    list(run(make_job(material, material.exr, tmp_path / "here")))
    assert frames(tmp_path / "out") == frames(tmp_path / "here")

    # The next may follow at once.
    for number in range(10):
        worker.say(id=number, command="run", job=job)
        last = worker.hear("finished", "error", "pong")
        assert (last["id"], last["event"], last["kept"]) == (number, "finished", 6)

    # Cancel with nothing to cancel, then the end.
    worker.say(command="cancel")
    worker.say(command="shutdown")
    assert worker.process.wait(5) == 0


def test_busy_cancelled_and_used_again(worker: Speaker, material: Material, tmp_path: Path) -> None:
    source = write_exr(tmp_path / "in", 200)
    job = make_job(material, source, tmp_path / "out").to_dict()
    worker.say(id="1", command="run", job=job)
    worker.hear("frame")
    worker.say(id="2", command="run", job=job)
    busy = worker.hear("error")
    assert busy["id"] == "2" and "busy" in busy["message"]
    worker.say(id="3", command="ping")
    assert worker.hear("pong")["id"] == "3"
    worker.say(command="cancel")
    before = time.monotonic()
    assert worker.hear("cancelled", "finished") == {"id": "1", "event": "cancelled"}
    assert time.monotonic() - before < 1
    done = len(frames(tmp_path / "out"))
    assert 0 < done < 200
    worker.say(id="4", command="run", job=job)
    assert worker.hear("started")["kept"] == done
    assert worker.hear("finished")["kept"] == done


def test_cancel_within_a_large_frame(worker: Speaker, material: Material, tmp_path: Path) -> None:
    photo = write_png(tmp_path / "big.png", cv2.resize(texture(1), (2400, 1800)))
    worker.say(id="1", command="run", job=make_job(material, photo, tmp_path / "out").to_dict())
    worker.hear("started")
    worker.say(id="1", command="cancel")
    assert worker.hear("cancelled", "finished", "frame")["event"] == "cancelled"


def test_cancel_right_after_run(worker: Speaker, material: Material, tmp_path: Path) -> None:
    worker.say(id="1", command="run", job=make_job(material, material.exr, tmp_path / "out").to_dict())
    worker.say(command="cancel")
    assert worker.hear("cancelled", "finished", "frame")["event"] == "cancelled"
    assert not frames(tmp_path / "out")


def test_the_worker_ends_with_its_stdin(worker: Speaker, material: Material, tmp_path: Path) -> None:
    source = write_exr(tmp_path / "in", 200)
    worker.say(id="1", command="run", job=make_job(material, source, tmp_path / "out").to_dict())
    worker.hear("frame")
    assert worker.process.stdin is not None
    worker.process.stdin.close()
    assert worker.process.wait(1) == 0
    assert len(frames(tmp_path / "out")) < 200


def test_killed_and_started_again(worker: Speaker, material: Material, tmp_path: Path) -> None:
    source = write_exr(tmp_path / "in", 60)
    job = make_job(material, source, tmp_path / "out")
    worker.say(id="1", command="run", job=job.to_dict())
    while worker.hear("frame")["index"] < 10:
        pass
    worker.process.send_signal(signal.SIGKILL)
    worker.process.wait()
    left = frames(tmp_path / "out")
    list(run(make_job(material, source, tmp_path / "whole")))
    expected = frames(tmp_path / "whole")
    assert 10 <= len(left) < 60
    assert left.items() <= expected.items()  # only whole frames, and the right ones

    again = Speaker()
    again.say(id="1", command="run", job=job.to_dict())
    assert again.hear("finished", "error")["event"] == "finished"
    again.say(command="shutdown")
    again.process.wait(10)
    assert frames(tmp_path / "out") == expected
    assert not list((tmp_path / "out").glob(".*tmp-*"))


def test_prints_do_not_reach_the_protocol(material: Material, tmp_path: Path) -> None:
    """Python's and a C library's: both end up in stderr."""
    code = (
        "import os, runpy, sys, threading\n"
        "threading.Timer(0.5, lambda: (print('stray', flush=True), os.write(1, b'raw\\n'))).start()\n"
        "runpy.run_module('styletx_core.worker', run_name='__main__')\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    time.sleep(1.5)
    process.stdin.write(b'{"command": "shutdown"}\n')
    out, err = process.communicate(timeout=20)
    assert [json.loads(line)["event"] for line in out.splitlines()] == ["ready"]
    assert b"stray" in err and b"raw" in err

# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole job with its stages: how long each thread is busy with what, and how much of the processor that takes.

Threads that share cores wait for each other, so what a stage takes by the clock holds time of all the others. What it
costs is told by a second run in which every stage has one thread: that one's own processor time is all there is.
"""

from __future__ import annotations

import inspect
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import torch

from benchmarks.material import STYLE
from styletx_core import engine, painting, temporal
from styletx_core.events import FrameDone, Started
from styletx_core.job import Input, Job, Output, Settings, Style
from styletx_core.methods.base import Method
from styletx_core.motion import MotionSource
from styletx_core.output import FrameWriter
from styletx_core.results import Results
from styletx_core.shot.sequence import SequenceShot

STAGES = ("decode", "color", "motion", "network", "temporal", "encode", "state", "rest")


class Clock:
    """Seconds of each stage, over all threads. What a stage calls of another counts for that one.

    now: the time in seconds, by the clock or of the calling thread on the processor.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self.now = now
        self.seconds: dict[str, float] = defaultdict(float)
        self._lock = threading.Lock()
        self._own = threading.local()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        outer: list[float] | None = getattr(self._own, "inner", None)
        inner = self._own.inner = [0.0]
        began = self.now()
        try:
            yield
        finally:
            spent = self.now() - began
            self._own.inner = outer
            if outer is not None:
                outer[0] += spent
            with self._lock:
                self.seconds[name] += spent - inner[0]

    def timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            with self.stage(name):
                return function(*args, **kwargs)

        return call

    def steps(self, function: Callable[..., Generator[Any, None, Any]]) -> Callable[..., Generator[Any, None, Any]]:
        """The network's stage of a method that is a generator."""

        def call(*args: Any, **kwargs: Any) -> Generator[Any, None, Any]:
            work = function(*args, **kwargs)
            while True:
                with self.stage("network"):
                    try:
                        step = next(work)
                    except StopIteration as end:
                        return end.value
                yield step

        return call


def end_to_end(shot: Path, output: Path, device: str) -> dict[str, Any]:
    """Stylize an EXR shot to EXR; returns frames a second, and the seconds a frame of each stage.

    stages: by the clock. cpu: of the processor, "rest" beside the stages. outside_network: the share of the processor's
    time (on a graphics card what the network's thread does there) that is not the network's.
    Counted from the moment the job begins; two frames are made before, so that nothing waits for libraries.
    """
    job = Job(Input(str(shot)), (Style(str(STYLE)),), Output(str(output / "all")), settings=Settings(device=device))
    for _ in engine.run(replace(job, input=Input(str(shot), (1, 2)), output=Output(str(output / "warm")))):
        pass
    count, wall, spent = _timed(job, time.perf_counter, time.perf_counter)
    threads = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    try:
        job = replace(job, output=Output(str(output / "cpu")))
        _, total, cpu = _timed(job, time.thread_time, time.process_time)
    finally:
        cv2.setNumThreads(threads[0])
        torch.set_num_threads(threads[1])
    return {
        "frames_a_second": count / wall,
        "seconds_a_frame": wall / count,
        "stages": {stage: seconds / count for stage, seconds in spent.items()},
        "cpu": {stage: seconds / count for stage, seconds in cpu.items()},
        "outside_network": 1 - min(cpu["network"] / total, 1),
    }


def _timed(
    job: Job, of_thread: Callable[[], float], of_all: Callable[[], float]
) -> tuple[int, float, dict[str, float]]:
    """How many frames the job made, the time that all of it took, and that of each stage."""
    clock = Clock(of_thread)
    with ExitStack() as patched:
        patched.enter_context(mock.patch.object(Method, "steps", clock.steps(Method.steps)))
        for owner, name, stage in _places():
            patched.enter_context(mock.patch.object(owner, name, clock.timed(stage, getattr(owner, name))))
        count, began = 0, 0.0
        for event in engine.run(job):
            if isinstance(event, Started):
                began = of_all()
                clock.seconds.clear()
            count += isinstance(event, FrameDone)
        total = of_all() - began
    spent = {stage: clock.seconds[stage] for stage in STAGES[:-1]}
    return count, total, spent | {"rest": max(total - sum(spent.values()), 0.0)}


def _places() -> list[tuple[Any, str, str]]:
    """The functions that are timed: where they are, their names, and their stages."""
    places: list[tuple[Any, str, str]] = [
        (SequenceShot, "read", "decode"), (painting, "to_picture", "color"), (painting, "put_back", "color"),
        (MotionSource, "between", "motion"), (FrameWriter, "write", "encode"), (Results, "save", "state"),
    ]  # fmt: skip
    for name, found in [*vars(temporal).items(), *vars(painting).items()]:
        if getattr(found, "__module__", "") != temporal.__name__:
            continue
        if isinstance(found, type):
            places += [(found, inner, "temporal") for inner, method in vars(found).items()
                       if inspect.isfunction(method) and not inner.startswith("_")]  # fmt: skip
        elif inspect.isfunction(found) and found is vars(painting).get(name):
            places.append((painting, name, "temporal"))
    return list(dict.fromkeys(places))

# SPDX-License-Identifier: GPL-3.0-or-later
"""What `tune` reports. Plain values only, as in `styletx_core.events`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ..events import Event


@dataclass(frozen=True)
class Figures:
    """Measures of the shot stylized frame by frame, as docs/measures.md defines them; the mean over the styles."""

    temporal: float  # temporal error, mean over the measured pairs of frames
    held_out: float | None  # the same of the pairs that were not learned from; None where there are none
    style: float
    gram: float
    content: float
    sharpness: float
    contrast: float


@dataclass(frozen=True)
class TuneStarted(Event):
    """The input is valid and the start is measured. Pairs of frames: learned from, and measured only."""

    name: ClassVar[str] = "tune_started"
    pairs: int
    held_out: int
    width: int
    height: int
    device: str
    motion: str  # "vectors" or "flow"
    steps: int | None  # None where the time is given instead
    before: Figures


@dataclass(frozen=True)
class TuneStep(Event):
    """A step is done. ``done``: share of the work, 0..1."""

    name: ClassVar[str] = "tune_step"
    step: int
    done: float
    loss: float
    seconds: float  # a step, smoothed over the last ones
    eta: float  # seconds until the last step


@dataclass(frozen=True)
class TuneMeasured(Event):
    """The shot was measured in between. ``best``: steadier than everything before with nothing lost."""

    name: ClassVar[str] = "tune_measured"
    step: int
    figures: Figures
    best: bool


@dataclass(frozen=True)
class TuneFinished(Event):
    """``path``: the weights, None where nothing was gained and nothing written; ``after`` are their figures."""

    name: ClassVar[str] = "tune_finished"
    path: str | None
    step: int  # at which the best was found
    stopped: bool  # before all steps were done
    before: Figures
    after: Figures | None
    seconds: float

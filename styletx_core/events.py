# SPDX-License-Identifier: GPL-3.0-or-later
"""What a running job reports. Plain values only, so that every event travels as one line of JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar


@dataclass(frozen=True)
class Event:
    """Base of all events."""

    name: ClassVar[str]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready values; "event" holds the event's name."""
        return {"event": self.name, **asdict(self)}


@dataclass(frozen=True)
class Started(Event):
    """The job is valid and the work begins. `kept` of the `total` frames are there from an earlier run."""

    name: ClassVar[str] = "started"
    total: int
    kept: int
    width: int
    height: int
    device: str
    motion: str  # the kind that is used: "vectors", "flow" or "none"


@dataclass(frozen=True)
class Notice(Event):
    """One sentence the user should read; the work goes on."""

    name: ClassVar[str] = "notice"
    text: str


@dataclass(frozen=True)
class StepDone(Event):
    """A step of a frame, by methods that paint in steps; the last one may come before `steps`."""

    name: ClassVar[str] = "step"
    frame: int
    step: int
    steps: int
    loss: float
    seconds: float  # since the frame was begun
    preview: str | None  # the preview's path where it was just written


@dataclass(frozen=True)
class FrameDone(Event):
    """A frame is written whole. `index` counts finished frames (kept ones too), from 1 to `total`."""

    name: ClassVar[str] = "frame"
    frame: int
    index: int
    total: int
    path: str
    seconds: float  # a frame, smoothed over the last frames
    eta: float  # seconds until the last frame
    temporal_error: float | None  # root mean square, values 0..1; None where there is no previous frame
    # the same measure had every frame been stylized alone (or, where the method uses history, without this stage)
    alone_error: float | None


@dataclass(frozen=True)
class Finished(Event):
    """All frames (and the movie, if asked for) are there."""

    name: ClassVar[str] = "finished"
    frames: int
    kept: int
    directory: str
    pattern: str  # file name with '#' for the digits of the frame number, e.g. "shot_####.png"
    first: int
    last: int
    movie: str | None
    temporal_error: float | None  # mean over the frames of the shot
    alone_error: float | None
    seconds: float


_KINDS: dict[str, type[Event]] = {kind.name: kind for kind in (Started, Notice, StepDone, FrameDone, Finished)}


def from_dict(data: Mapping[str, Any]) -> Event:
    """The event whose `to_dict` gave `data`; other keys, such as "id", are left aside.

    Raises ValueError for something that is not an event of a job.
    """
    kind = _KINDS.get(str(data.get("event")))
    if kind is None:
        raise ValueError(f"{data.get('event')!r} is not an event of a job")
    names = [field.name for field in fields(kind)]
    missing = [name for name in names if name not in data]
    if missing:
        raise ValueError(f"the event {data['event']!r} has no {', '.join(missing)}")
    return kind(**{name: data[name] for name in names})

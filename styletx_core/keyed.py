# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that may change from frame to frame: a number for all frames, or numbers by frame."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping

Keyed = float | Mapping[int, float]


def at(value: Keyed, frame: int) -> float:
    """The value in this frame: straight lines between the frames given, level before the first and after the last."""
    if not isinstance(value, Mapping):
        return float(value)
    frames = sorted(value)
    place = bisect_right(frames, frame)
    if place in (0, len(frames)):
        return float(value[frames[max(0, place - 1)]])
    before, after = frames[place - 1], frames[place]
    first, last = float(value[before]), float(value[after])
    found = first + (last - first) * (frame - before) / (after - before)
    return min(max(found, min(first, last)), max(first, last))  # rounding leads nowhere outside


def values(value: Keyed) -> list[float]:
    """Every number given."""
    return list(value.values()) if isinstance(value, Mapping) else [value]


def sampled(value: Keyed, frames: Iterable[int]) -> float | list[float]:
    """What `value` comes to in these frames, the same for every way to write it."""
    found = [at(value, frame) for frame in frames]
    return found[0] if found and all(one == found[0] for one in found) else found


def read(text: str) -> Keyed:
    """`0.8`, or `0@1,1@25`: 0 in frame 1, 1 in frame 25. Raises ValueError for anything else."""
    if "@" not in text:
        return float(text)
    found: dict[int, float] = {}
    for part in text.split(","):
        number, _, frame = part.partition("@")
        if not re.fullmatch(r"-?\d+", frame) or int(frame) in found:
            raise ValueError(f"'{part}' is not a value and a frame of its own")
        found[int(frame)] = float(number)
    return found

# SPDX-License-Identifier: GPL-3.0-or-later
"""What tuning learns from: pairs of neighboring frames of one shot with the motion between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..color import ViewTransform, to_picture
from ..errors import InputError
from ..motion import Motion, MotionSource
from ..shot import Frame, Shot
from ..spread import spread

MEMORY = 1 << 30  # bytes that pairs may take; a long or large shot is learned from fewer of them
PAIRS = 64  # pairs to learn from, at most, spread evenly over the shot
MEASURED = 6  # pairs to measure of those learned from, and of those held out, at most
HELD_OUT = 5  # of so many frames one is held out: the pairs it is in are measured and never learned from
STATISTICS = 8  # frames, from which the method's statistics are fixed
MARGIN = 16  # pixels of surroundings that the network sees around a window, as it does when it stylizes


@dataclass(frozen=True, eq=False)
class Pair:
    """Two neighboring frames: HxWx3 float16 display-referred 0..1, and the motion from ``now`` back to ``before``."""

    number: int  # of the frame ``now``
    before: np.ndarray
    now: np.ndarray
    motion: Motion


@dataclass(frozen=True)
class Windows:
    """A batch of windows of pairs. ``before`` and ``now``: (N, 3, h + 2 MARGIN, w + 2 MARGIN) in 0..1, h and w
    multiples of 8; offset: (N, 2, h, w) pixels; seen: (N, 1, h, w), 1 where the pixel is in both windows."""

    before: Tensor
    now: Tensor
    offset: Tensor
    seen: Tensor


class Pairs:
    """The pairs of a shot. ``learned`` and ``held_out`` are disjoint; ``measured`` has some of both.

    ``spread``: frames from all over the shot, HxWx3 float32, which fix the method's statistics as they do when the
    whole shot is stylized.

    Raises InputError where no two frames belong together.
    """

    def __init__(self, shot: Shot, transform: ViewTransform, motion: MotionSource) -> None:
        self.shot, self.transform, self.motion = shot, transform, motion
        count = len(shot.numbers)
        held = {i for i in range(1, count) if i % HELD_OUT == 3 or (i - 1) % HELD_OUT == 3}
        most = min(PAIRS, max(4, MEMORY // (shot.width * shot.height * 30)) - MEASURED)
        self.held_out = self._read(spread(sorted(held), MEASURED))
        self.learned = self._read(spread([i for i in range(1, count) if i not in held], max(2, most)))
        if not self.learned:
            raise InputError(f"No two neighboring frames of {shot.path} show the same scene; there is no motion "
                             "to learn from.")  # fmt: skip
        self.measured = [*spread(self.learned, MEASURED), *self.held_out]
        self.spread = [self.read(number)[1] for number in spread(shot.numbers, STATISTICS)]

    def _read(self, indices: list[int]) -> list[Pair]:
        pairs = []
        for i in indices:
            (before, before_shown), (now, now_shown) = (self.read(n) for n in self.shot.numbers[i - 1 : i + 1])
            motion = self.motion.between(before, now, before_shown, now_shown)
            if motion is not None and motion.seen.any():
                pairs.append(Pair(now.number, before_shown.astype(np.float16), now_shown.astype(np.float16), motion))
        return pairs

    def read(self, number: int) -> tuple[Frame, np.ndarray]:
        frame = self.shot.read(number)
        return frame, to_picture(frame, self.shot.encoding, self.transform)

    def draw(self, count: int, area: int, rng: np.random.Generator, device: torch.device) -> Windows:
        """Windows of random pairs, each of about ``area`` pixels in the shape of the frame, or the whole frame."""
        height, width = self.learned[0].motion.visible.shape
        scale = min(1.0, (area / (height * width)) ** 0.5)
        h, w = (max(16, int(side * scale)) // 8 * 8 for side in (height, width))
        found = []
        for index in rng.choice(len(self.learned), count, replace=len(self.learned) < count):
            y, x = int(rng.integers(height - h + 1)), int(rng.integers(width - w + 1))
            found.append(_window(self.learned[index], y, x, h, w))
        before, now, offset, seen = (
            torch.from_numpy(np.ascontiguousarray(np.stack(arrays).transpose(0, 3, 1, 2))).to(device)
            for arrays in zip(*found, strict=True)
        )
        return Windows(before, now, offset, seen)


def _window(pair: Pair, y: int, x: int, h: int, w: int) -> tuple[np.ndarray, ...]:
    def part(picture: np.ndarray) -> np.ndarray:
        rows, columns = (
            np.pad(np.arange(side), MARGIN, "reflect")[start : start + length + 2 * MARGIN]
            for side, start, length in zip(picture.shape, (y, x), (h, w), strict=False)
        )
        return picture[rows[:, None], columns].astype(np.float32)

    offset = pair.motion.offset[y : y + h, x : x + w]
    rows, columns = np.mgrid[:h, :w]
    to_x, to_y = columns + offset[..., 0], rows + offset[..., 1]
    inside = (to_x >= 0) & (to_x <= w - 1) & (to_y >= 0) & (to_y <= h - 1)
    seen = pair.motion.visible[y : y + h, x : x + w] * inside
    return part(pair.before), part(pair.now), offset, seen[..., None].astype(np.float32)

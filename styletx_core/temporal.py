# SPDX-License-Identifier: GPL-3.0-or-later
"""Time: a stage behind every method that keeps the paint on the surfaces it was laid on.

Every few frames one is an anchor, which shows what the method made of it alone. The paint of the anchors before and
after a frame is carried to it along the motion, in one step each, and one fades into the other on the way. So paint
neither wears off nor drifts however long a shot is, what comes into view has its paint from the anchor after it, and
the frames between two anchors depend on nothing else: they can be made anywhere, in any order, and again.

Where neither anchor saw a surface (Ruder et al. 2016, section 5.1), or where the input has changed since, as under a
moving shadow (the part of ReCoNet's luminance term), the frame stylized alone shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import cv2
import numpy as np

from .channels import largest, times, total
from .halves import half, single
from .motion import Motion
from .warp import places, sample, warp

EVERY = 12  # frames from one anchor to the next

_RESIDUAL = 0.012  # change of the input, 0..1, that noise and resampling make and that is no change
_LIGHT = 0.12  # broad change beyond it at which half of the paint is new
_CHANGE = 0.22  # the same of a narrow one
_LOOKED = 540  # pixels of the shorter side at which change is looked for, at most
_ROUGH = 1.0  # pixels by which the offsets of neighbors differ where two surfaces meet
_SEEN = 0.99  # share of the neighbors that an anchor has to have seen
_GLOW = 40  # of the picture's height, so wide is the glow that an outline may leave on what lies behind it
_AROUND = 7  # pixels on a side of the window of the frame alone within whose colors paint stays there ...
_MARGIN = 0.04  # ... give or take this
_WHOLE = 0.98  # of its paint that a pixel has from anchors, above which the frame before need not help
_LAST = 0.9  # what the frame before gives where no anchor does: most, but light that changes slowly is followed
_DETAIL = np.float32(1.7)  # what has to be added of it, for the Laplacian sees finer detail than is added
_TAIL = 3  # standard deviations that a blur sees: all but 1/400 of it
_GAIN = 4.0  # energy of strokes or detail is made up for by this factor at most


class Piece(NamedTuple):
    """Frames of a shot that depend on no others. own: those of them that are not in the piece before."""

    frames: Sequence[int]
    own: Sequence[int]


def pieces(numbers: Sequence[int]) -> list[Piece]:
    """A shot's frames from one anchor to the next, both included: neighbors share one, which is the same in both.

    A single frame is one piece.
    """
    last = len(numbers) - 1
    found = [numbers[a : b + 1] for a, b in pairwise([*range(0, last, EVERY), last])] or [numbers]
    return [Piece(frames, frames[1:] if index else frames) for index, frames in enumerate(found)]


@dataclass(frozen=True, eq=False)
class Way:
    """From each pixel of a frame to its place in an anchor.

    offset: HxWx2 float32, (dx, dy) in pixels, rows down. visible: HxW float32 in 0..1, 0 where the anchor did not
    show this surface.
    """

    offset: np.ndarray
    visible: np.ndarray

    @classmethod
    def none(cls, height: int, width: int) -> Way:
        """Of the anchor itself."""
        return cls(np.zeros((height, width, 2), np.float32), np.ones((height, width), np.float32))

    @classmethod
    def cut(cls, height: int, width: int) -> Way:
        """Of a frame in another scene."""
        return cls(np.zeros((height, width, 2), np.float32), np.zeros((height, width), np.float32))

    def compact(self) -> Way:
        """For keeping many, as `Motion.compact`."""
        return Way(half(self.offset), self.visible.astype(np.bool_))

    def full(self) -> Way:
        """The other way round."""
        return Way(single(self.offset), self.visible.astype(np.float32))

    def before(self, motion: Motion | None) -> Way:
        """From the frame after this one, by its motion; None at a cut."""
        if motion is None:
            return Way.cut(*self.visible.shape)
        return self._from(motion.offset, motion.visible)

    def after(self, motion: Motion | None) -> Way:
        """From the frame before this one, by the motion of this one."""
        if motion is None:
            return Way.cut(*self.visible.shape)
        return self._from(motion.ahead, motion.ahead_visible)

    @cached_property
    def spread(self) -> np.ndarray:
        """HxW: by how much the offsets of neighbors differ, in pixels."""
        return largest(cv2.morphologyEx(self.offset, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)))

    def _from(self, offset: np.ndarray, visible: np.ndarray) -> Way:
        # a mean of the offsets of two surfaces leads to neither
        rough = np.flatnonzero(warp((self.spread > _ROUGH).view(np.uint8), offset, "nearest"))
        rest = warp(self.offset, offset)
        rest.reshape(-1, 2)[rough] = sample(self.offset, places(offset, rough), "nearest")
        seen = (warp(self.visible, offset) > _SEEN) & (visible > 0)
        return Way(offset + rest, seen.astype(np.float32))


class Rest(NamedTuple):
    """Pixels that no anchor gives all of: which, where they were in the frame before, and what that gives of the rest.

    pixels: N numbers, row by row. places: Nx2 float32 (x, y). share: Nx1 in 0..1.
    """

    pixels: np.ndarray
    places: np.ndarray
    share: np.ndarray


@dataclass(frozen=True, eq=False)
class Blend:
    """How a frame between two anchors is put together: the ways to them and how much each gives, HxW in 0..1.

    What is missing to 1 comes from the frame stylized alone, steadied by the frame before.
    """

    before: Way
    after: Way
    from_before: np.ndarray
    from_after: np.ndarray
    edges: np.ndarray | None
    rest: Rest | None

    def paint(self, alone: np.ndarray, before: np.ndarray, after: np.ndarray, last: np.ndarray | None) -> np.ndarray:
        """The steady version of ``alone`` from the paint of both anchors and of the frame before.

        All of them HxWx3 float32 in 0..1. last: what this made of the frame before, or the anchor, None where there
        is none.
        """
        base = alone
        if self.rest is not None and last is not None:
            base = alone.copy()
            pixels = base.reshape(-1, 3)
            here, there = pixels[self.rest.pixels], sample(last, self.rest.places, "lanczos")
            pixels[self.rest.pixels] = here + self.rest.share * (there - here)
        if self.edges is not None:
            window = np.ones((_AROUND, _AROUND), np.uint8)
            around = cv2.erode(alone, window) - _MARGIN, cv2.dilate(alone, window) + _MARGIN
        kept = self.from_before + self.from_after
        out = times(base, 1 - kept)
        for paint, way, share in ((before, self.before, self.from_before), (after, self.after, self.from_after)):
            if share.any():
                carried = warp(paint, way.offset, "cubic")
                if self.edges is not None:
                    cv2.copyTo(np.clip(carried, *around), self.edges.view(np.uint8), carried)
                out += times(carried, share, out=carried)
        # a fade of two paintings has less contrast than either: strokes and detail get their energy back
        (height, width), sigma = alone.shape[:2], alone.shape[0] / 60
        strokes = _strokes(out)
        found, wanted = (total(np.square(s)) for s in (strokes, _strokes(alone)))
        strokes = cv2.resize(times(strokes, _more(found, wanted, sigma / 2), out=strokes), (width, height))
        out += times(strokes, kept, out=strokes)
        found, wanted = (_detail(p) for p in (out, alone))
        detail = out - _blurred(out, 0.7)
        out += times(detail, kept * _DETAIL * _more(found, wanted, sigma), out=detail)
        return np.clip(out, 0, 1, out=out)


class Anchor(NamedTuple):
    """An anchor's picture, HxWx3 float32 in 0..1 as the method sees it, and the way there."""

    picture: np.ndarray
    way: Way


def blend(
    picture: np.ndarray,
    before: Anchor,
    after: Anchor,
    share: float,
    last: np.ndarray,
    motion: Motion | None,
    stability: float,
) -> Blend:
    """Where a frame gets its paint from.

    picture: HxWx3 float32 in 0..1, the frame as the method sees it. share: 0..1, how far the frame is from the anchor
    before to the one after. last, motion: the picture of the frame before and the motion back to it, None at a cut.
    stability: 0 takes all from the frame alone, 1 as much as can be from the anchors.
    """
    shares, kept, anchors = (1 - share, share), [], (before, after)
    seen = sum(anchor.way.visible * part for anchor, part in zip(anchors, shares, strict=True))
    for anchor, part, change in zip(anchors, shares, _changes(picture, anchors), strict=True):
        # an anchor that alone saw a surface gives all of it, at any time, so that nothing jumps
        kept.append(anchor.way.visible * np.float32(part * stability) / np.maximum(seen, 1e-6) * np.exp2(-(change**2)))
    rest = None
    if motion is not None and stability > 0:
        rest = _rest(picture, last, motion, np.flatnonzero(kept[0] + kept[1] < _WHOLE * stability), stability)
    edges = _edges(before.way, after.way)
    return Blend(before.way, after.way, kept[0], kept[1], edges if edges.any() else None, rest)


def _edges(*ways: Way) -> np.ndarray:
    """HxW bool: where an outline may have left its glow, which moves against what lies behind it."""
    spread = np.maximum(*(way.spread for way in ways))
    found, step = np.zeros(spread.shape, bool), _ROUGH
    while (moves := spread > step).any():
        # the anchor had the outline as far away as the offsets on both sides of it differ
        side = 2 * round(2 * step + spread.shape[0] / _GLOW) + 1
        found |= cv2.dilate(moves.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
        step *= 2
    return found


def _rest(picture: np.ndarray, last: np.ndarray, motion: Motion, pixels: np.ndarray, stability: float) -> Rest | None:
    pixels = pixels[motion.visible.ravel()[pixels] > 0]
    if not len(pixels):
        return None
    there = places(motion.offset, pixels)
    change = largest(np.abs(picture.reshape(-1, 3)[pixels] - sample(last, there)))[:, None]
    share = np.exp2(-np.square((change - _RESIDUAL).clip(min=0) / _CHANGE))
    return Rest(pixels, there, share * np.float32(_LAST * stability))


def _changes(picture: np.ndarray, anchors: Sequence[Anchor]) -> Iterator[np.ndarray]:
    """HxW: `_change` from each anchor to the picture. Large frames are looked at smaller, so that it means the same."""
    height, width = picture.shape[:2]
    scale = min(1.0, _LOOKED / min(height, width))
    size = round(width * scale), round(height * scale)
    seen, window = cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.ones((3, 3), np.uint8)
    around = cv2.erode(seen, window), cv2.dilate(seen, window)
    for anchor in anchors:
        was, visible = (cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in (anchor.picture, anchor.way.visible))
        offset = cv2.resize(anchor.way.offset, size, interpolation=cv2.INTER_NEAREST) * np.float32(scale)
        change = _change(seen, around, warp(was, offset), visible)
        yield np.asarray(cv2.resize(change, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def _change(
    picture: np.ndarray, around: tuple[np.ndarray, np.ndarray], laid: np.ndarray, visible: np.ndarray
) -> np.ndarray:
    """HxW: how much the input differs from what the paint was laid for, 1 where half of the paint is to be new.

    around: the least and the most of the picture in the 3x3 around each pixel.

    Blurred with its sign, so that noise and the half-pixel of a texture cancel and light does not. And unblurred
    with a coarser measure, so that an outline left behind, one pixel wide, is seen too: by how far it lies outside
    the colors around (as temporal antialiasing clamps its history), which a half-pixel does not.
    """
    weight = cv2.GaussianBlur(visible, (0, 0), 2)
    wide = cv2.GaussianBlur(times(picture - laid, visible), (0, 0), 2)
    narrow = largest(cv2.GaussianBlur(np.maximum(laid - around[1], around[0] - laid), (0, 0), 0.7))
    broad = largest(np.abs(wide)) / np.maximum(weight, 1e-3)
    return np.maximum((broad - _RESIDUAL) / _LIGHT, narrow / _CHANGE).clip(min=0)


def _strokes(picture: np.ndarray) -> np.ndarray:
    """The frequencies of strokes, at half the size, which they fit in: above those of the forms, below the finest."""
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (-(-width // 2), -(-height // 2)), interpolation=cv2.INTER_AREA)
    return _blurred(small, 0.35) - _blurred(small, 1.4)


def _blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    side = 2 * round(_TAIL * sigma) + 1  # OpenCV by itself takes a third more
    return np.asarray(cv2.GaussianBlur(picture, (side, side), sigma), np.float32)


def _detail(picture: np.ndarray) -> np.ndarray:
    """HxW: energy of the finest detail, as the Laplacian of the gray picture measures it."""
    return np.square(cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_32F))


def _more(found: np.ndarray, wanted: np.ndarray, sigma: float) -> np.ndarray:
    """HxW: what part of a band is to be added to it, so that its energy around becomes the wanted one."""
    height, width = found.shape
    step = max(1, int(sigma / 3))  # so wide a blur needs no more places than these
    around, wanted_around = (
        cv2.GaussianBlur(cv2.resize(energy, (-(-width // step), -(-height // step)), interpolation=cv2.INTER_AREA),
                         (0, 0), sigma / step) for energy in (found, wanted)
    )  # fmt: skip
    gain = np.sqrt(np.clip((wanted_around + 1e-6) / (around + 1e-6), 1 / _GAIN, _GAIN)) - 1
    return np.asarray(cv2.resize(gain, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def temporal_error(now: np.ndarray, before: np.ndarray, motion: Motion) -> float | None:
    """Root mean square of ``now`` minus ``before`` carried along the motion (bilinear), over pixels seen in both.

    now, before: HxWx3 float32 in 0..1. None where no pixel was seen in both. Of large frames some of the pixels tell.
    """
    step = max(1, min(motion.seen.shape) // _LOOKED)
    seen = motion.seen[::step, ::step].astype(np.uint8)
    if not seen.any():
        return None
    gap = cv2.norm(now[::step, ::step], warp(before, motion.offset, step=step), cv2.NORM_L2, seen)
    return float(gap / np.sqrt(3 * np.count_nonzero(seen)))

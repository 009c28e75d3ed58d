# SPDX-License-Identifier: GPL-3.0-or-later
"""Stroke size: a network's strokes are some pixels wide, so painting at another size changes their share."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from ..channels import largest
from ..tiles import cut, enlarge

OCTAVE = 0.5  # the largest step from one size to the next
DETAIL = 0.03  # of a frame, in 0..1, beside which strokes of its own size do not show
AROUND = 1.5  # pixels around that are looked at for it (standard deviation)


def sized(
    paint: Callable[[np.ndarray], np.ndarray],
    frame: np.ndarray,
    side: float,
    grid: int = 1,
    wrap: bool = False,
    calm: float = 0.0,
) -> np.ndarray:
    """The frame with strokes as large as if it were painted with its shorter side `side` pixels long.

    paint: paints a picture HxWx3 at its own size. Where `side` is shorter than the frame's, forms come from the
    smaller picture, octave by octave, and what is finer from the frame's own size; where it is longer, the frame is
    painted enlarged. The result changes smoothly with `side`, and may leave 0..1. grid: sides of the pictures that are
    painted are multiples of it. wrap: the frame is a texture whose borders meet. calm: how much (0..1) of what is finer
    goes where the frame itself has no detail, for that is small strokes between large ones, as grain.
    """
    height, width = frame.shape[:2]
    if side > min(height, width):
        large = enlarge(frame, *scaled((height, width), side / min(height, width), grid), wrap)
        return cv2.resize(paint(large), (width, height), interpolation=cv2.INTER_AREA)
    out = paint(frame)
    scale = max(OCTAVE, side / min(height, width))
    small = resized(frame, scale, grid)
    if small.shape != frame.shape:
        forms = sized(paint, small, min(side, min(small.shape[:2])), grid, wrap, calm)
        if calm > 0:
            finer = out - enlarge(resized(out, scale, grid), height, width, wrap)
            return enlarge(forms, height, width, wrap) + (1 - calm + calm * _detailed(frame, wrap)) * finer
        out += enlarge(forms - resized(out, scale, grid), height, width, wrap)
    return out


def calmed(size: float) -> float:
    """How much of the small strokes to leave out for strokes of this size; none up to 1, all from 2 on."""
    return float(np.clip(np.log2(size), 0, 1))


def _detailed(frame: np.ndarray, wrap: bool) -> np.ndarray:
    """HxWx1 in 0..1: where the frame has edges or texture of its own."""
    height, width = frame.shape[:2]
    margin = min(8, height - 1, width - 1)
    around = cut(frame, (-margin, height + margin), (-margin, width + margin), wrap)
    edges = largest(np.abs(around - cv2.GaussianBlur(around, (0, 0), AROUND)))
    edges = cv2.GaussianBlur(edges, (0, 0), AROUND)[margin : margin + height, margin : margin + width]
    return np.asarray(np.clip(edges / DETAIL, 0, 1)[..., None], np.float32)


def resized(picture: np.ndarray, scale: float, grid: int = 1) -> np.ndarray:
    """The picture at another scale. grid: the new sides are multiples of it."""
    height, width = scaled((picture.shape[0], picture.shape[1]), scale, grid)
    if picture.shape[:2] == (height, width):
        return picture
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def scaled(size: tuple[int, int], scale: float, grid: int = 1) -> tuple[int, int]:
    """Height and width at another scale, as multiples of the grid."""
    height, width = (max(1, round(side * scale / grid)) * grid for side in size)
    return height, width

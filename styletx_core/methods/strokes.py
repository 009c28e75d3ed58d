# SPDX-License-Identifier: GPL-3.0-or-later
"""Stroke size: a network's strokes are some pixels wide, so painting at another size changes their share."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from ..tiles import enlarge

_OCTAVE = 0.5  # the largest step from one size to the next


def sized(
    paint: Callable[[np.ndarray], np.ndarray], frame: np.ndarray, side: float, grid: int = 1, wrap: bool = False
) -> np.ndarray:
    """The frame with strokes as large as if it were painted with its shorter side `side` pixels long.

    paint: paints a picture HxWx3 at its own size. Where `side` is shorter than the frame's, forms come from the
    smaller picture, octave by octave, and what is finer from the frame's own size; where it is longer, the frame is
    painted enlarged. The result changes smoothly with `side`, and may leave 0..1. grid: sides of the pictures that are
    painted are multiples of it. wrap: the frame is a texture whose borders meet.
    """
    height, width = frame.shape[:2]
    if side > min(height, width):
        large = enlarge(frame, *_size(frame, side / min(height, width), grid), wrap)
        return cv2.resize(paint(large), (width, height), interpolation=cv2.INTER_AREA)
    out = paint(frame)
    scale = max(_OCTAVE, side / min(height, width))
    small = resized(frame, scale, grid)
    if small.shape != frame.shape:
        forms = sized(paint, small, min(side, min(small.shape[:2])), grid, wrap) - resized(out, scale, grid)
        out += enlarge(forms, height, width, wrap)
    return out


def resized(picture: np.ndarray, scale: float, grid: int = 1) -> np.ndarray:
    """The picture at another scale. grid: the new sides are multiples of it."""
    height, width = _size(picture, scale, grid)
    if picture.shape[:2] == (height, width):
        return picture
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _size(picture: np.ndarray, scale: float, grid: int) -> tuple[int, int]:
    height, width = (max(1, round(side * scale / grid)) * grid for side in picture.shape[:2])
    return height, width

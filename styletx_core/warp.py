# SPDX-License-Identifier: GPL-3.0-or-later
"""Sampling pictures along a motion. All arrays are float32; offsets are HxWx2 (dx, dy) in pixels, rows down."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import cv2
import numpy as np

Kernel = Literal["nearest", "linear", "cubic", "lanczos"]
_FLAGS = {
    "nearest": cv2.INTER_NEAREST,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "lanczos": cv2.INTER_LANCZOS4,  # the sharpest, at three times the time of cubic
}


@lru_cache(maxsize=2)
def grid(height: int, width: int) -> np.ndarray:
    """HxWx2: each pixel's own x and y."""
    ys, xs = np.mgrid[:height, :width].astype(np.float32)
    own = np.dstack((xs, ys))
    own.flags.writeable = False  # it is shared
    return own


def warp(picture: np.ndarray, offset: np.ndarray, kernel: Kernel = "linear", step: int = 1) -> np.ndarray:
    """The picture (HxW or HxWxC) as seen at each pixel's place plus its offset; outside, the border is repeated.

    step: gives every so many rows and columns only.
    """
    if kernel in ("cubic", "lanczos") and step == 1:
        # 255 where nothing moves: these kernels give the very pixel there
        still = cv2.inRange(offset, (0, 0), (0, 0))  # type: ignore[call-overload]
        if 4 * cv2.countNonZero(still) > still.size:
            out, moving = picture.copy(), np.flatnonzero(still == 0)
            out.reshape(-1, picture.shape[2])[moving] = sample(picture, places(offset, moving), kernel)
            return out
    at = grid(*offset.shape[:2])[::step, ::step] + offset[::step, ::step]
    out = cv2.remap(picture, at, None, _FLAGS[kernel], borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    return np.asarray(out, np.float32)


def places(offset: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Nx2 (x, y): where the offset leads from N pixels, given by their numbers, row by row."""
    own = grid(*offset.shape[:2]).reshape(-1, 2)
    return np.asarray(own[pixels] + offset.reshape(-1, 2)[pixels], np.float32)


def sample(picture: np.ndarray, at: np.ndarray, kernel: Kernel = "linear") -> np.ndarray:
    """NxC: the picture (HxWxC) at N places, Nx2 (x, y) in pixels."""
    if not len(at):
        return np.empty((0, picture.shape[2]), np.float32)
    side = 1024  # OpenCV takes no map that is longer than 32766
    rows = np.concatenate((at, np.zeros((-len(at) % side, 2), np.float32))).reshape(-1, side, 2)
    out = cv2.remap(picture, rows, None, _FLAGS[kernel], borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
    return np.asarray(out.reshape(-1, picture.shape[2])[: len(at)], np.float32)


def inside(offset: np.ndarray) -> np.ndarray:
    """HxW bool: does the offset lead to a place in the picture?"""
    height, width = offset.shape[:2]
    at = grid(height, width) + offset
    return (at[..., 0] >= 0) & (at[..., 0] <= width - 1) & (at[..., 1] >= 0) & (at[..., 1] <= height - 1)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Large pictures in tiles: what one run over the whole picture gives, in the memory of a tile.

A network of convolutions sees no further than its reach, so a tile that is cut out with that much of its surroundings
is painted as it would be within the whole. What does see the whole picture, the statistics that instance normalization
divides by, has to be fixed from a thumbnail beforehand (Chen et al. 2022, section 3.2); then no seam is left at all.

Pictures are HxWxC float32. Rows and columns may lie outside the picture: its borders are mirrored, or go on with the
opposite border where the picture is a tileable texture (``wrap``).
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

BAND = 512  # rows that are enlarged at a time


def in_tiles(
    paint: Callable[[np.ndarray], np.ndarray], picture: np.ndarray, side: int, reach: int, margin: int, grid: int,
    wrap: bool = False,
) -> np.ndarray:  # fmt: skip
    """``picture`` painted in tiles of about ``side`` pixels, HxWxC float32 like it.

    paint: gets a tile with its surroundings, whose sides are multiples of ``grid``, and returns it painted, the same
    size. reach: how many pixels around a pixel its result depends on, a multiple of ``grid``. margin: how much of the
    mirrored picture is painted around the whole, a multiple of ``grid``; a texture that wraps gets its whole reach.
    """
    height, width = picture.shape[:2]
    out = np.empty_like(picture)
    rows, columns = _edges(height, side, grid), _edges(width, side, grid)
    for top, bottom in zip(rows, rows[1:], strict=False):
        for left, right in zip(columns, columns[1:], strict=False):
            y0, y1 = around(top, bottom, height, reach, margin, grid, wrap)
            x0, x1 = around(left, right, width, reach, margin, grid, wrap)
            painted = paint(cut(picture, (y0, y1), (x0, x1), wrap))
            out[top:bottom, left:right] = painted[top - y0 : bottom - y0, left - x0 : right - x0]
    return out


def cut(picture: np.ndarray, rows: tuple[int, int], columns: tuple[int, int], wrap: bool) -> np.ndarray:
    """Rows and columns from the first up to the last, which is left out; they may reach beyond the borders.

    Without ``wrap`` they have to reach further into the picture than beyond it.
    """
    if wrap:
        return picture.take(range(*rows), 0, mode="wrap").take(range(*columns), 1, mode="wrap")
    height, width = picture.shape[:2]
    inside = picture[max(rows[0], 0) : min(rows[1], height), max(columns[0], 0) : min(columns[1], width)]
    beyond = (max(-rows[0], 0), max(rows[1] - height, 0), max(-columns[0], 0), max(columns[1] - width, 0))
    return cv2.copyMakeBorder(inside, *beyond, cv2.BORDER_REFLECT_101)


def enlarge(picture: np.ndarray, height: int, width: int, wrap: bool = False) -> np.ndarray:
    """The picture at a larger size, by cubic interpolation."""
    if not wrap:
        return cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC)
    out = np.empty((height, width, picture.shape[2]), np.float32)
    xs = ((np.arange(width) + 0.5) * picture.shape[1] / width - 0.5).astype(np.float32)
    for top in range(0, height, BAND):  # OpenCV wants the place of every pixel, which takes two thirds of a picture
        ys = ((np.arange(top, min(top + BAND, height)) + 0.5) * picture.shape[0] / height - 0.5).astype(np.float32)
        x, y = np.meshgrid(xs, ys)
        out[top : top + BAND] = cv2.remap(picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_WRAP)
    return out


def _edges(length: int, side: int, grid: int) -> list[int]:
    """Where tiles begin and end: as even as the grid allows, so that none is a sliver."""
    count = -(-length // max(side, grid))
    return [*(round(length * i / count / grid) * grid for i in range(count)), length]


def around(
    first: int, last: int, length: int, reach: int, margin: int, grid: int, wrap: bool
) -> tuple[int, int]:  # fmt: skip
    """What a tile has to see on one axis."""
    end = last + -last % grid
    if wrap:
        return first - reach, end + reach
    return max(first - reach, -margin), min(end + reach, length + -length % grid + margin)

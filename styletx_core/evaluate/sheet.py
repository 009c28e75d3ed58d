# SPDX-License-Identifier: GPL-3.0-or-later
"""A contact sheet: what the figures cannot tell."""

from __future__ import annotations

import cv2
import numpy as np

CELL = 240, 180  # pixels of a picture on the sheet: the largest width and height
GAP = 4


def thumbnail(picture: np.ndarray) -> np.ndarray:
    """HxWx3 float32 RGB in 0..1, made to fit a cell: uint8 BGR."""
    scale = min(CELL[0] / picture.shape[1], CELL[1] / picture.shape[0])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return np.asarray(np.clip(small[..., ::-1] * 255 + 0.5, 0, 255), np.uint8)


def sheet(rows: list[list[np.ndarray]]) -> np.ndarray:
    """All thumbnails in their rows, on white: uint8 BGR."""
    width, height = CELL
    columns = max(len(row) for row in rows)
    out = np.full((len(rows) * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3), 255, np.uint8)
    for r, row in enumerate(rows):
        for c, small in enumerate(row):
            y, x = (
                r * (height + GAP) + (height - small.shape[0]) // 2,
                c * (width + GAP) + (width - small.shape[1]) // 2,
            )
            out[y : y + small.shape[0], x : x + small.shape[1]] = small
    return out

# SPDX-License-Identifier: GPL-3.0-or-later
"""Halo: how far an object's edge bleeds over the surface behind it, told from plain texture.

Outlines come from the render's object ids and depth. In each cell of the picture the mean of result minus input
1 to 6 pixels outside the outline is compared with that 14 to 24 pixels outside; the same cell laid on places of the
same surface without an outline says how much of the difference is texture.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from ..motion import WORLD_DEPTH
from ..shot import Frame
from .distances import luminance

NEAR, FAR = (1.0, 6.0), (14.0, 24.0)  # pixels; the first pixel outside is antialiased and holds the object's color
CELL = 48  # pixels on a side: holds both rings
ENOUGH = 48  # pixels of each ring that a cell needs
PLACES = 8  # at most, on which a cell is laid for comparison
IN_FRONT = 0.95  # the object's depth over that of the surface behind it, at most


@dataclass(frozen=True, eq=False)
class Cell:
    """Rows and columns of a cell's pixels in the two rings, (2, n) each, and the shifts to its empty places."""

    near: np.ndarray
    far: np.ndarray
    places: np.ndarray  # (k, 2)


def find_cells(frame: Frame) -> list[Cell]:
    """The cells of a frame that has depth and ids (or a world behind it) and empty places to compare with."""
    labels = _surfaces(frame)
    if labels is None or frame.depth is None:
        return []
    depth = np.fmin(frame.depth, np.float32(1e10))  # NaN, too, is far away
    cells: list[Cell] = []
    for label, area in enumerate(np.bincount(labels.ravel())):
        mine = labels == label
        if area < CELL * CELL or mine.all():
            continue
        away, nearest = cv2.distanceTransformWithLabels(
            mine.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
        )
        of_other = np.zeros(int(nearest.max()) + 1, np.float32)
        of_other[nearest[~mine]] = depth[~mine]
        behind = mine & (of_other[nearest] < depth * IN_FRONT)
        near, far = (behind & (away > low) & (away <= high) for low, high in (NEAR, FAR))
        cells += _cells(near, far, away > FAR[1])
    return cells


def halo(result: np.ndarray, picture: np.ndarray, cells: list[Cell]) -> np.ndarray:
    """(len(cells),): |near - far| of a cell less its mean at the empty places, of luminance 0..1.

    result, picture: HxWx3, the stylized frame and its input.
    """
    change = luminance(result) - luminance(picture)
    found = []
    for cell in cells:
        shifts = cell.places[:, :, None]
        texture = np.abs(_mean(change, cell.near[None] + shifts) - _mean(change, cell.far[None] + shifts)).mean()
        found.append(np.abs(_mean(change, cell.near[None]) - _mean(change, cell.far[None]))[0] - texture)
    return np.array(found, np.float64)


def _surfaces(frame: Frame) -> np.ndarray | None:
    """HxW int: which surface a pixel shows; None where the frame cannot tell."""
    ids: np.ndarray
    if frame.crypto is not None:
        ids = frame.crypto.view(np.uint32)
    elif frame.index is not None:
        ids = frame.index
    elif frame.depth is not None:
        ids = frame.depth > WORLD_DEPTH
    else:
        return None
    return np.unique(ids, return_inverse=True)[1].reshape(ids.shape)


def _cells(near: np.ndarray, far: np.ndarray, empty: np.ndarray) -> list[Cell]:
    space = empty.astype(np.float32)
    cells = []
    for top in range(0, near.shape[0] - CELL + 1, CELL):
        for left in range(0, near.shape[1] - CELL + 1, CELL):
            window = slice(top, top + CELL), slice(left, left + CELL)
            if near[window].sum() < ENOUGH or far[window].sum() < ENOUGH:
                continue
            rings = (near[window] | far[window]).astype(np.float32)
            fits = cv2.matchTemplate(space, rings, cv2.TM_CCORR) > rings.sum() - 0.5
            places = np.argwhere(fits)
            if len(places):
                chosen = places[np.linspace(0, len(places) - 1, min(PLACES, len(places))).round().astype(int)]
                corner = np.array([[top], [left]])
                inside, outside = (np.argwhere(ring[window]).T + corner for ring in (near, far))
                cells.append(Cell(inside, outside, chosen - (top, left)))
    return cells


def _mean(picture: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(k,): mean of the picture over (k, 2, n) rows and columns."""
    return picture[at[:, 0], at[:, 1]].mean(1, dtype=np.float64)

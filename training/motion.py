# SPDX-License-Identifier: GPL-3.0-or-later
"""Exact motion for the temporal losses: pairs of frames cut from one still by a known movement.

A camera movement (pan, zoom, roll) carries the whole picture and a layer with a soft blob's outline moves on its
own in front of it, so that occlusion is known exactly too.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np


class Pair(NamedTuple):
    first: np.ndarray  # (S, S, 3) float32 0..1
    second: np.ndarray  # (S, S, 3) float32 0..1
    offset: np.ndarray  # (2, S, S) float32: from a pixel of the second to its place in the first
    seen: np.ndarray  # (1, S, S) float32: 1 where that place shows the same surface


def _movement(rng: np.random.Generator, size: int, pan: float) -> np.ndarray:
    """A 2x3 matrix: where a pixel of the second frame was in the first."""
    zoom, roll = np.exp(rng.normal(0, 0.015)), rng.normal(0, 0.012)
    cos, sin, center = zoom * np.cos(roll), zoom * np.sin(roll), (size - 1) / 2
    shift = rng.normal(0, pan, 2)
    return np.array([[cos, -sin, center - cos * center + sin * center + shift[0]],
                     [sin, cos, center - sin * center - cos * center + shift[1]]])  # fmt: skip


def _blob(rng: np.random.Generator, size: int) -> np.ndarray:
    noise = cv2.GaussianBlur(rng.normal(0, 1, (size, size)).astype(np.float32), (0, 0), size / 7)
    return (noise > np.quantile(noise, 0.7)).astype(np.float32)


def _at(matrix: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    ys, xs = np.mgrid[:size, :size].astype(np.float32)
    return (
        (matrix[0, 0] * xs + matrix[0, 1] * ys + matrix[0, 2]).astype(np.float32),
        (matrix[1, 0] * xs + matrix[1, 1] * ys + matrix[1, 2]).astype(np.float32),
    )


def make_pair(still: np.ndarray, sprite: np.ndarray, size: int, rng: np.random.Generator) -> Pair:
    """Two frames of ``size`` pixels from ``still``, with a part of ``sprite`` moving in front half of the time.

    ``still`` and ``sprite``: (>=size+16, >=size+16, 3) uint8. The second frame gets a little noise and a small
    change of light, as renders have.
    """
    margin = 8
    big = still[: size + 2 * margin, : size + 2 * margin].astype(np.float32) / 255
    first: np.ndarray = big[margin:-margin, margin:-margin].copy()
    x, y = _at(_movement(rng, size, 2.5), size)
    second: np.ndarray = cv2.remap(big, x + margin, y + margin, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    seen = ((x >= 0) & (x <= size - 1) & (y >= 0) & (y <= size - 1)).astype(np.float32)
    grid_y, grid_x = np.mgrid[:size, :size].astype(np.float32)
    offset = np.stack((x - grid_x, y - grid_y))
    if rng.random() < 0.5:
        mask = _blob(rng, size)
        front = sprite[:size, :size].astype(np.float32) / 255
        fx, fy = _at(_movement(rng, size, 4.0), size)
        soft = cv2.GaussianBlur(mask, (0, 0), 0.7)
        first = first * (1 - soft[..., None]) + front * soft[..., None]
        moved = cv2.remap(soft, fx, fy, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        now_front = np.asarray(moved > 0.5)
        drawn = cv2.remap(front, fx, fy, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
        second = second * (1 - moved[..., None]) + drawn * moved[..., None]
        inside = (fx >= 0) & (fx <= size - 1) & (fy >= 0) & (fy <= size - 1)
        covered = cv2.remap(mask, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        seen = np.where(now_front, inside.astype(np.float32), seen * (covered < 0.01))
        offset = np.where(now_front, np.stack((fx - grid_x, fy - grid_y)), offset)
        edge = cv2.dilate(now_front.astype(np.uint8), np.ones((3, 3), np.uint8)) - cv2.erode(
            now_front.astype(np.uint8), np.ones((3, 3), np.uint8)
        )
        seen *= edge == 0
    second = second * (1 + rng.normal(0, 0.02)) + rng.normal(0, 0.01)
    noise = rng.uniform(0, 0.02)
    first = first + rng.normal(0, 1, first.shape).astype(np.float32) * noise
    second = second + rng.normal(0, 1, second.shape).astype(np.float32) * noise
    return Pair(
        np.clip(first, 0, 1).astype(np.float32), np.clip(second, 0, 1).astype(np.float32),
        offset.astype(np.float32), seen[None].astype(np.float32),
    )  # fmt: skip

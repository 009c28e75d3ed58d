# SPDX-License-Identifier: GPL-3.0-or-later
"""What moves in synthetic shots: outlines of many kinds, and calm skies for them to stand against.

Drawing is fast (a millisecond or two at 176 pixels), for every pair of frames in training gets new ones: what is
smooth is made small and enlarged.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from cv2.typing import MatLike

WHITE = (255.0,)


def outline(size: int, rng: np.random.Generator) -> np.ndarray:
    """The coverage of one object or of several of a kind: (size, size) float32 0..1, edges antialiased.

    One in five is out of focus: its edge is some pixels wide.
    """
    draw = _KINDS[int(rng.choice(len(_KINDS), p=_CHANCES))]
    # drawn at twice the size and averaged: that is how a renderer's edges look
    large = draw(2 * size, rng)
    mask: MatLike = cv2.resize(large, (size, size), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    if rng.random() < 0.2:
        width = 2 * int(rng.integers(1, max(2, size // 40))) + 1
        mask = cv2.blur(cv2.blur(mask, (width, width)), (width, width))
    return np.asarray(np.clip(mask, 0, 1), np.float32)


def smooth(height: int, width: int, cells: int, rng: np.random.Generator) -> np.ndarray:
    """Smooth noise, (height, width) float32 with mean 0 and deviation 1, with about ``cells`` blobs a side."""
    # one cell more than is shown at each end: an enlarged grid is flat along its border
    small = cv2.resize(rng.standard_normal((cells + 2, cells + 2), dtype=np.float32),
                       None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)[8:-8, 8:-8]  # fmt: skip
    small = (small - small.mean()) / max(float(small.std()), 1e-6)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def sky(size: int, rng: np.random.Generator) -> np.ndarray:
    """A calm background, (size, size, 3) float32 0..1: a gradient between two or three colors, at times clouded."""
    first = rng.uniform(0.05, 1.0, 3) if rng.random() < 0.4 else _SKIES[int(rng.integers(len(_SKIES)))]
    colors = np.clip(first + np.outer((0.0, 0.5, 1.0), rng.normal(0, 0.25, 3)) + rng.normal(0, 0.05, (3, 3)), 0, 1)
    strip = cv2.resize(colors.astype(np.float32)[:, None], (1, size), interpolation=cv2.INTER_LINEAR)
    angle, middle = rng.choice((0.0, rng.normal(0, 0.5), rng.uniform(-np.pi, np.pi))), size / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), float(np.degrees(angle)), 1.0)
    # the strip is one pixel wide: stretched over the picture, then turned
    wide = cv2.repeat(strip, 1, size)
    picture = cv2.warpAffine(wide, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if rng.random() < 0.35:
        much = np.float32(rng.uniform(0.1, 0.5))
        clouds = np.clip(smooth(size, size, int(rng.integers(2, 7)), rng) * much, 0, 1)
        white = np.full_like(picture, rng.uniform(0.6, 1.0))
        picture = cv2.blendLinear(picture, white, 1 - clouds, clouds)
    return np.asarray(picture, np.float32)


# fmt: off
_SKIES = np.array([(0.35, 0.55, 0.85), (0.75, 0.85, 0.95), (0.95, 0.75, 0.55), (0.85, 0.85, 0.85), (0.97, 0.97, 0.97),
                   (0.50, 0.50, 0.50), (0.10, 0.12, 0.25), (0.03, 0.03, 0.04), (0.55, 0.35, 0.55), (0.60, 0.75, 0.65)])
# fmt: on


def _blobs(size: int, rng: np.random.Generator) -> np.ndarray:
    small = size // 4
    field = smooth(small, small, int(rng.integers(2, 7)), rng)
    share = np.quantile(field[::4, ::4], rng.uniform(0.55, 0.85))
    # enlarged before the threshold: the outline stays smooth
    field = cv2.resize(field, (size, size), interpolation=cv2.INTER_LINEAR).astype(np.float32, copy=False)
    return (field > np.float32(share)).astype(np.uint8) * np.uint8(255)


def _polygons(size: int, rng: np.random.Generator) -> np.ndarray:
    """Circles, boxes, stars and rocks, one to four."""
    mask = np.zeros((size, size), np.uint8)
    for _ in range(int(rng.integers(1, 5))):
        corners = int(rng.choice((3, 4, 5, 8, 12, 40)))
        radius, jag = rng.uniform(0.08, 0.33) * size, rng.choice((0.0, 0.12, 0.35))
        far = radius * (1 + jag * rng.uniform(-1, 1, corners))
        if rng.random() < 0.2:
            far[::2] *= 0.5  # a star
        angle = rng.uniform(0, 2 * np.pi) + np.arange(corners) * (2 * np.pi / corners)
        stretch = rng.uniform(0.4, 1.0)
        center = rng.uniform(0.1, 0.9, 2) * size
        points = np.stack((np.cos(angle) * far, np.sin(angle) * far * stretch), 1) @ _turn(rng) + center
        cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], WHITE, shift=4)
    return mask


def _bars(size: int, rng: np.random.Generator) -> np.ndarray:
    """Posts, wires, fences: 0.4 to 6% of the side wide."""
    mask = np.zeros((size, size), np.uint8)
    count, common = int(rng.integers(1, 9)), rng.uniform(0, np.pi)
    spread = rng.choice((0.03, 0.3, 3.0))
    for _ in range(count):
        angle = common + rng.normal(0, spread)
        way = np.array([np.cos(angle), np.sin(angle)])
        middle, half = rng.uniform(0, 1, 2) * size, rng.uniform(0.2, 1.2) * size
        thick = max(1, round(float(np.exp(rng.uniform(np.log(0.004), np.log(0.06)))) * size))
        cv2.line(mask, _point(middle - half * way), _point(middle + half * way), WHITE, thick, shift=4)
    return mask


def _branches(size: int, rng: np.random.Generator) -> np.ndarray:
    """A bare tree or a bush, that may have leaves."""
    mask = np.zeros((size, size), np.uint8)
    leaves, spread = rng.uniform(0.01, 0.03) * size * (rng.random() < 0.6), rng.uniform(0.3, 0.7)
    trunk = rng.uniform(0.2, 0.34) * size
    todo = [(np.array([rng.uniform(0.2, 0.8), 1.0]) * size, rng.normal(-np.pi / 2, 0.15), trunk, trunk * 0.12, 0)]
    while todo:
        foot, angle, length, thick, depth = todo.pop()
        top = foot + length * np.array([np.cos(angle), np.sin(angle)])
        cv2.line(mask, _point(foot), _point(top), WHITE, max(1, round(float(thick))), shift=4)
        if depth < 5:
            for side in (-1, 1):
                turned = angle + side * spread * rng.uniform(0.4, 1.3)
                todo.append((top, turned, length * rng.uniform(0.6, 0.85), thick * 0.62, depth + 1))
        elif leaves:
            cv2.circle(mask, _point(top), int(leaves * 16), WHITE, -1, shift=4)
    return mask


def _skyline(size: int, rng: np.random.Generator) -> np.ndarray:
    """Everything below a line of hills, rocks or houses."""
    level, rough = rng.uniform(0.3, 0.9), rng.uniform(0.05, 0.2)
    steps = int(rng.integers(4, 24))
    heights = (level + rough * rng.normal(0, 1, steps)) * size
    if rng.random() < 0.4:  # houses
        x = np.repeat(np.linspace(0, size, steps + 1), 2)[1:-1]
        y = np.repeat(heights, 2)
    else:
        x, y = np.linspace(0, size, steps), heights
    points = np.stack((np.r_[x, size, 0], np.r_[y, size, size]), 1)
    mask = np.zeros((size, size), np.uint8)
    cv2.fillPoly(mask, [np.rint(points * 16).astype(np.int32)], WHITE, shift=4)
    return mask


def _letters(size: int, rng: np.random.Generator) -> np.ndarray:
    mask = np.zeros((size, size), np.uint8)
    word = "".join(rng.choice(list("ABCDEFGHKMNOPRSTUVWXYZ0123456789&?"), int(rng.integers(1, 5))))
    scale = rng.uniform(0.25, 0.6) * size / 22 / max(1.0, len(word) * 0.6)
    place = (int(rng.uniform(0, 0.4) * size), int(rng.uniform(0.5, 0.95) * size))
    font = int(rng.choice((cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_SCRIPT_COMPLEX)))
    cv2.putText(mask, word, place, font, scale, WHITE, max(2, round(scale * rng.uniform(2, 6))))
    return mask


def _point(place: np.ndarray) -> tuple[int, int]:
    """In sixteenths of a pixel, as OpenCV draws with shift=4."""
    return round(float(place[0]) * 16), round(float(place[1]) * 16)


def _turn(rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])


_KINDS: tuple[Callable[[int, np.random.Generator], np.ndarray], ...] = (
    _blobs, _polygons, _bars, _branches, _skyline, _letters
)  # fmt: skip
_CHANCES = (0.3, 0.25, 0.15, 0.12, 0.12, 0.06)

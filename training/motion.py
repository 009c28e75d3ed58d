# SPDX-License-Identifier: GPL-3.0-or-later
"""Exact motion for the temporal losses: pairs of frames made of stills by a known movement.

A camera pans, zooms and rolls over a background with up to two layers in front of it, which move more the nearer
they are, and on their own besides. Every layer's movement is a similarity, so where a pixel was and what hid it are
known exactly. Between the frames the light changes and noise comes anew, as in renders.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np

from .sprites import outline, sky, smooth

WHOLE = 0.97  # share of a pixel that one layer must hold for its motion to be the pixel's


class Pair(NamedTuple):
    """Two frames, display-referred sRGB, and the motion between them."""

    first: np.ndarray  # (S, S, 3) float32 0..1
    second: np.ndarray  # (S, S, 3) float32 0..1
    offset: np.ndarray  # (2, S, S) float32: from a pixel of the second to its place in the first; x right, y down
    seen: np.ndarray  # (1, S, S) float32: 1 where that place shows the same surface, else 0
    mask: np.ndarray  # (1, S, S) float32 0..1: how much of the second's pixel lies in front of the background


class _Layer(NamedTuple):
    picture: np.ndarray  # (M, M, 3) float32
    alpha: np.ndarray | None  # (M, M) float32, None: covers everything
    places: tuple[np.ndarray, np.ndarray]  # 3x3: from a pixel of the first, of the second frame into the picture
    kernel: int = cv2.INTER_CUBIC


class _Movement(NamedTuple):
    """From the second frame to the first: a shift in pixels, the logarithm of a zoom, a roll in radians."""

    shift: np.ndarray
    zoom: float
    roll: float

    def matrix(self, part: float, size: int) -> np.ndarray:
        """3x3, this ``part`` of the movement about the frame's center."""
        zoom, middle = np.exp(self.zoom * part), (size - 1) / 2
        cos, sin = zoom * np.cos(self.roll * part), zoom * np.sin(self.roll * part)
        x, y = self.shift * part + middle
        return np.array([[cos, -sin, x - middle * (cos - sin)], [sin, cos, y - middle * (sin + cos)], [0, 0, 1]])


def make_pair(still: np.ndarray, sprite: np.ndarray, size: int, rng: np.random.Generator) -> Pair:
    """Two frames of ``size`` pixels, background of ``still`` or a calm sky, layers in front of ``sprite``.

    ``still`` and ``sprite``: (>=size+16, >=size+16, 3) uint8; what they have beyond ``size`` is the room to move in.
    """
    side = min(*still.shape[:2], *sprite.shape[:2])
    to_picture = np.eye(3)
    to_picture[:2, 2] = (side - size) / 2  # the frame lies in the middle of the picture
    camera = _camera(rng, size)
    kind = rng.random()
    if kind < 0.18:
        background = sky(side, rng)
    elif kind < 0.3:  # out of focus
        cells = int(rng.integers(3, 14))
        few = cv2.resize(still[:side, :side], (cells, cells), interpolation=cv2.INTER_AREA)
        wide = cv2.resize(few.astype(np.float32) / 255, (side, side), interpolation=cv2.INTER_CUBIC)
        background = np.asarray(wide, np.float32)
    else:
        background = still[:side, :side].astype(np.float32) / 255
    # what is smooth needs no more than the fast kernel
    kernel = cv2.INTER_LINEAR if kind < 0.3 else cv2.INTER_CUBIC
    layers = [_Layer(background, None, _frames(to_picture, camera, size), kernel)]
    front = sprite[:side, :side].astype(np.float32) / 255
    near = 1.0
    # against the calm backgrounds something always stands: that is where halos show
    for _ in range(int(rng.choice((1, 2) if kind < 0.3 else (0, 1, 1, 2)))):
        near *= rng.uniform(1.1, 2.2)
        movement = _Movement(camera.shift * near, camera.zoom * near, camera.roll)
        if rng.random() < 0.6:
            movement = _Movement(movement.shift + rng.normal(0, 0.016 * size, 2),
                                 movement.zoom + rng.normal(0, 0.01), movement.roll + rng.normal(0, 0.02))  # fmt: skip
        layers.append(_Layer(_surface(front, rng), outline(side, rng), _frames(to_picture, movement, size)))
        front = np.ascontiguousarray(front[::-1, ::-1])  # the next one looks different
    first, first_shares = _draw(layers, 0, size)
    second, second_shares = _draw(layers, 1, size)
    offset, seen = _motion(layers, first_shares, second_shares, size)
    first, second = _noise(_light(first, second, rng), rng)
    return Pair(first, second, offset, seen, 1 - second_shares[0][None])


def _camera(rng: np.random.Generator, size: int) -> _Movement:
    """One in eight stands still; the others move by 1.2% of the frame on average and seldom by more than 5%."""
    if rng.random() < 0.125:
        return _Movement(np.zeros(2), 0.0, 0.0)
    angle, far = rng.uniform(0, 2 * np.pi), size * np.exp(rng.normal(np.log(0.012), 0.8))
    pace = np.exp(rng.normal(0, 0.5))
    return _Movement(np.array([np.cos(angle), np.sin(angle)]) * min(far, 0.1 * size),
                     rng.normal(0, 0.013) * pace, rng.normal(0, 0.01) * pace)  # fmt: skip


def _frames(to_picture: np.ndarray, movement: _Movement, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Half of the movement to either side: both frames are resampled alike, and both use the room there is."""
    return to_picture @ movement.matrix(-0.5, size), to_picture @ movement.matrix(0.5, size)


def _surface(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What a layer in front looks like: the picture, the picture tinted, or nearly one color in soft light."""
    kind = rng.random()
    if kind < 0.45:
        return picture
    color = rng.uniform(0, 1, 3)
    if kind < 0.7:
        return _scaled(picture, 0.4 + color)
    side, texture = picture.shape[0], rng.uniform(0, 0.25)
    shade = 1 + np.float32(rng.uniform(0.05, 0.3)) * smooth(side, side, int(rng.integers(1, 4)), rng)
    plain = _scaled(cv2.merge((shade, shade, shade)), color)
    return np.asarray(cv2.addWeighted(plain, 1 - texture, picture, texture, 0), np.float32)


def _draw(layers: list[_Layer], number: int, size: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Frame 0 or 1 (S, S, 3), and what share of each pixel (S, S) each layer has, from back to front."""
    frame = np.zeros((size, size, 3), np.float32)
    shares: list[np.ndarray] = []
    for picture, alpha, places, kernel in layers:
        color = _sample(picture, places[number], size, kernel, cv2.BORDER_REFLECT_101)
        if alpha is None:
            frame, shares = color, [np.ones((size, size), np.float32)]
            continue
        cover = _sample(alpha, places[number], size, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
        rest = 1 - cover
        # ten times as fast as NumPy's broadcasting
        frame = np.asarray(cv2.blendLinear(frame, color, rest, cover), np.float32)
        shares = [*(share * rest for share in shares), cover]
    return frame, shares


def _sample(picture: np.ndarray, matrix: np.ndarray, size: int, kernel: int, border: int) -> np.ndarray:
    flags = kernel | cv2.WARP_INVERSE_MAP
    return np.asarray(cv2.warpAffine(picture, matrix[:2], (size, size), flags=flags, borderMode=border), np.float32)


def _motion(
    layers: list[_Layer], first: list[np.ndarray], second: list[np.ndarray], size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Offset (2, S, S) of the layer that holds most of each pixel; seen (1, S, S) where it holds the whole pixel in
    the second frame and at that place in the first."""
    xs, ys = np.arange(size, dtype=np.float32)[None], np.arange(size, dtype=np.float32)[:, None]
    offset, seen = np.zeros((2, size, size), np.float32), np.zeros((size, size), np.float32)
    for layer, before, now in zip(layers, first, second, strict=True):
        back = np.linalg.inv(layer.places[0]) @ layer.places[1]
        part = now >= 0.5
        for axis in range(2):
            moved = np.float32(back[axis, 0]) * xs + np.float32(back[axis, 1]) * ys + np.float32(back[axis, 2])
            np.copyto(offset[axis], moved - (xs, ys)[axis], where=part)
        # outside the first frame there is 0 of every layer
        was = _sample(before, back, size, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
        seen[(now > WHOLE) & (was > WHOLE)] = 1
    return offset, seen[None]


def _light(first: np.ndarray, second: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Exposure and contrast of both, and between the frames: gain, gamma, tint, a shadow or light that moves."""
    gain, gamma = np.exp(rng.normal(0, 0.12)), np.exp(rng.normal(0, 0.12))
    later = gain * np.exp(rng.normal(0, 0.025)) * np.exp(rng.normal(0, 0.006, 3))
    later_gamma = gamma * np.exp(rng.normal(0, 0.015)) if rng.random() < 0.5 else gamma
    first, second = _curve(first, np.full(3, gain), gamma), _curve(second, later, later_gamma)
    if rng.random() < 0.4:
        size, cells = first.shape[0], 24
        field = smooth(2 * cells, 2 * cells, int(rng.integers(2, 6)), rng)
        if rng.random() < 0.5:
            field = np.tanh(field * rng.uniform(2, 8))  # the edge of a shadow rather than a gradient
        strength, way = rng.uniform(-0.35, 0.2), rng.normal(0, 0.6, 2)
        for frame, part in ((first, -0.5), (second, 0.5)):
            place = np.array([[1, 0, cells / 2 + way[0] * part], [0, 1, cells / 2 + way[1] * part]])
            patch = cv2.warpAffine(field, place, (cells, cells), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
            light = cv2.resize(patch, (size, size), interpolation=cv2.INTER_LINEAR)
            light = np.exp(np.float32(strength) * light.clip(-1, 1))
            frame *= cv2.merge((light, light, light))
    return first, second


def _curve(picture: np.ndarray, gain: np.ndarray, gamma: float) -> np.ndarray:
    return np.asarray(cv2.pow(_scaled(np.clip(picture, 0, 1), gain), gamma), np.float32)


def _scaled(picture: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Each channel times its own number."""
    return np.asarray(cv2.multiply(picture, np.array([*gain, 1.0])), np.float32)


def _noise(frames: tuple[np.ndarray, np.ndarray], rng: np.random.Generator) -> list[np.ndarray]:
    """Clipped to 0..1, two pairs in three with noise of one kind and strength that comes anew in each frame: a
    renderer's, or the blotches that a denoiser leaves; now and then fireflies."""
    kind, size = rng.random(), frames[0].shape[0]
    amount = np.float32(0.03 * rng.random() ** 2)
    side = size // int(rng.integers(2, 5)) if kind >= 0.4 else size
    noisy = []
    for picture in frames:
        if kind < 0.65:
            grain = rng.standard_normal((side, side, 3), dtype=np.float32)
            grain = np.asarray(cv2.resize(grain, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)
            picture = picture + amount * grain
        if kind < 0.04:
            count = int(rng.integers(1, 9))
            picture[rng.integers(size, size=count), rng.integers(size, size=count)] = 1
        noisy.append(np.asarray(np.clip(picture, 0, 1), np.float32))
    return noisy

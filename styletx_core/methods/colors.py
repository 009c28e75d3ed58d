# SPDX-License-Identifier: GPL-3.0-or-later
"""Color, kept apart from style (Gatys et al. 2016, "Preserving Color in Neural Artistic Style Transfer").

Pictures are HxWx3 float32, display-referred sRGB in 0..1. Luminance is luma (Rec. 709 weights on those values).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import cv2
import numpy as np

from ..perceptual.losses import LUMA

_LUMA = np.array(LUMA, np.float32)
_SIDE = 256  # colors are measured on a picture of about this size


class Colors(NamedTuple):
    """Mean (3,) and covariance (3, 3) of a picture's pixels."""

    mean: np.ndarray
    covariance: np.ndarray


def measure(pictures: Iterable[np.ndarray]) -> Colors:
    """The colors of all these pictures together."""
    pixels = np.concatenate([_small(picture).reshape(-1, 3) for picture in pictures]).astype(np.float64)
    return Colors(pixels.mean(0), np.cov(pixels.T))


def luma(picture: np.ndarray) -> np.ndarray:
    """HxWx1."""
    return np.asarray((picture @ _LUMA)[..., None], np.float32)


def gray_picture(picture: np.ndarray) -> np.ndarray:
    """The picture's luminance in three equal channels."""
    return np.repeat(luma(picture), 3, axis=2)


def matched(style: np.ndarray, colors: Colors) -> np.ndarray:
    """The style in these colors: same mean and covariance (section 4.1 there, by the symmetric roots)."""
    own = measure([style])
    change = _root(colors.covariance) @ _root(own.covariance, inverse=True)
    return np.asarray(np.clip((style - own.mean) @ change.T + colors.mean, 0, 1), np.float32)


def gray(style: np.ndarray, colors: Colors) -> np.ndarray:
    """The style's luminance, with the mean and contrast of these colors' (section 4.2 there); three equal channels."""
    y = luma(style)
    contrast = float(np.sqrt(_LUMA @ colors.covariance @ _LUMA)) / max(float(y.std()), 1e-3)
    return np.repeat(np.clip((y - y.mean()) * contrast + float(_LUMA @ colors.mean), 0, 1), 3, axis=2).astype(
        np.float32
    )


def with_chroma(y: np.ndarray, frame: np.ndarray) -> np.ndarray:
    """The luminance `y` (HxWx1) in the frame's chroma, which stays as it is: where a color would leave 0..1, the
    luminance gives way."""
    chroma = frame - luma(frame)
    return np.asarray(np.clip(chroma + np.clip(y, -_least(chroma), 1 + _least(-chroma)), 0, 1), np.float32)


def recolored(style: np.ndarray, colors: Colors, keep: str) -> np.ndarray:
    """The style as it is to be painted where the frame's colors are kept. keep: luminance or match."""
    return gray(style, colors) if keep == "luminance" else matched(style, colors)


def _small(picture: np.ndarray) -> np.ndarray:
    scale = _SIDE / max(picture.shape[:2])
    if scale >= 1:
        return picture
    size = [max(1, round(side * scale)) for side in picture.shape[1::-1]]
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA))


def _root(matrix: np.ndarray, inverse: bool = False) -> np.ndarray:
    values, vectors = np.linalg.eigh(matrix)
    # a picture of one hue has no spread across it; its noise is not to be blown up
    values = np.sqrt(np.maximum(values, 1e-5))
    return np.asarray((vectors * (1 / values if inverse else values)) @ vectors.T)


def _least(chroma: np.ndarray) -> np.ndarray:
    return np.minimum(np.minimum(chroma[..., :1], chroma[..., 1:2]), chroma[..., 2:])

# SPDX-License-Identifier: GPL-3.0-or-later
"""Arithmetic on pictures that NumPy is slow at: over a last axis of two to four it takes an order of magnitude longer.

The results are NumPy's to the last bit.
"""

from __future__ import annotations

from functools import reduce

import cv2
import numpy as np


def largest(picture: np.ndarray) -> np.ndarray:
    """HxW: the largest channel of HxWxC."""
    return reduce(np.maximum, np.moveaxis(picture, -1, 0))


def total(picture: np.ndarray) -> np.ndarray:
    """HxW: the sum of the channels of HxWxC."""
    return reduce(np.add, np.moveaxis(picture, -1, 0))


def each(values: np.ndarray, channels: int) -> np.ndarray:
    """HxWxC: HxW values, the same for each channel."""
    if channels == 1:
        return values[..., None]
    if values.dtype == np.bool_:
        return cv2.merge([values.view(np.uint8)] * channels).view(np.bool_)
    return cv2.merge([values] * channels)


def times(picture: np.ndarray, values: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """HxWxC: the picture times HxW values, both float32. out: where to, which may be the picture."""
    return np.multiply(picture, each(values, picture.shape[2]), out=out)


def where(mask: np.ndarray, picture: np.ndarray, other: np.ndarray | np.float32) -> np.ndarray:
    """HxWxC: the picture where the HxW mask is true, the other elsewhere."""
    return np.where(each(mask, picture.shape[2]), picture, other)

# SPDX-License-Identifier: GPL-3.0-or-later
"""A picture of nothing with as much of every scale as photographs have."""

from __future__ import annotations

import cv2
import numpy as np


def clouds(width: int, height: int, random: np.random.Generator | np.random.RandomState) -> np.ndarray:
    """Noise at every scale, HxWx3 float32 in 0..1."""
    found = np.full((height, width, 3), 0.5, np.float32)
    cells = 2
    while cells < max(width, height):
        noise = random.normal(0, 0.08, (cells, cells, 3)).astype(np.float32)
        found += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        cells *= 2
    return np.clip(found, 0, 1, out=found)

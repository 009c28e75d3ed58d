# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures on their way into a network and back, and thumbnails of a shot."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor

from ..tiles import cut
from .base import Picture
from .strokes import resized

MARGIN = 16  # pixels of mirrored picture around the frame, so that the frame's border shows no seam
_THUMBNAIL = 640  # frames are shrunk to this longer side to measure their statistics
_FLAT = 1e-3  # standard deviation below which frames show nothing that could be measured


def to_tensor(picture: Picture, device: torch.device) -> Tensor:
    """(1, 3, H, W) float32, channels last."""
    # torch warns of arrays that cannot be written
    tensor = torch.from_numpy(np.require(picture, requirements=("C", "W"))).permute(2, 0, 1)[None]
    return tensor.to(device).contiguous(memory_format=torch.channels_last)


def to_picture(x: Tensor) -> np.ndarray:
    """The first picture of a batch, (H, W, 3) float32."""
    return x[0].float().permute(1, 2, 0).cpu().numpy()


def padded(picture: Picture, grid: int) -> Picture:
    """With MARGIN mirrored pixels around it, and more at right and bottom until its sides are multiples of ``grid``."""
    bottom, right = (side + -side % grid + MARGIN for side in picture.shape[:2])
    return cut(picture, (-MARGIN, bottom), (-MARGIN, right), wrap=False)


def thumbnail(frame: Picture) -> Picture:
    """Small enough to measure several of a shot together."""
    return resized(frame, min(1.0, _THUMBNAIL / max(frame.shape[:2])))


def together(thumbnails: Sequence[Picture], device: torch.device, grid: int) -> Tensor:
    """Thumbnails of a shot as one batch, padded; in place of a shot of one color something that can be measured."""
    batch = torch.cat([to_tensor(padded(picture, grid), device) for picture in thumbnails])
    if float(batch.std((0, 2, 3)).max()) < _FLAT:
        return to_tensor(_clouds(*batch.shape[2:]), device)
    return batch


def _clouds(height: int, width: int) -> Picture:
    """What is measured in place of a shot of one color, whose network's features would be divided by nothing.

    Noise with as much of every scale as photos have (their amplitude falls as 1/f), always the same.
    """
    rng, cells, picture = np.random.default_rng(0), 1, np.full((height, width, 3), 0.5, np.float32)
    while cells <= max(height, width):
        noise = rng.normal(0, 0.08, (cells, cells, 3)).astype(np.float32)
        picture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        cells *= 2
    return picture.clip(0, 1)

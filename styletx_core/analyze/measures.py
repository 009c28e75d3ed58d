# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gram matrix is like: spectrum, rank, sparsity, entropy; and how many peaks the features have."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from ..methods.base import find_device
from ..perceptual.vgg import ALL_LAYERS, VGG19
from .dip import dip

ZERO = 0.05
MEASURES = {
    "hoyer": "Hoyer sparsity of the off-diagonal entries: 0 all alike, 1 a single one",
    "near_zero": f"share of channel pairs whose cosine is below {ZERO:g}",
    "entropy": "entropy of the off-diagonal entries, over that of even ones",
    "rank": "effective rank: exp of the entropy of the eigenvalues' shares",
    "dip": "mean dip of the features along their 6 main axes",
    "peaks": "share of these axes along which one peak is ruled out (5%)",
}
AXES = 6  # main axes of the features along which peaks are counted
SAMPLE = 128  # positions looked at, evenly spread: the dip of a sample depends on its size
# 95% of samples of an even distribution, which of all with one peak dips most, have a dip * sqrt(n) below this
_CRITICAL = 0.51
SPECTRUM = 24  # eigenvalues kept


class Layer(NamedTuple):
    """What was found in one layer. spectrum: the largest eigenvalues over the gram's trace."""

    measures: dict[str, float]
    spectrum: list[float]


class Grams:
    """VGG-19 on a device."""

    def __init__(self, device: str) -> None:
        self.device = find_device(device)
        self.vgg = _vgg(self.device)

    @torch.inference_mode()
    def features(self, picture: np.ndarray) -> dict[str, Tensor]:
        """(C, H, W) by layer."""
        tensor = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].to(self.device)
        return {name: found[0] for name, found in self.vgg(tensor, ALL_LAYERS).items()}


@cache
def _vgg(device: torch.device) -> VGG19:
    return VGG19("relu5_1").to(device)  # unpacking the weights takes seconds


def flat(features: Tensor, where: np.ndarray | None = None) -> Tensor:
    """(positions, C): all, or where the picture's mask (HxW bool) covers half of what a position stands for."""
    rows = features.flatten(1).T
    if where is None:
        return rows
    size = (features.shape[2], features.shape[1])
    covered = cv2.resize(where.astype(np.float32), size, interpolation=cv2.INTER_AREA).reshape(-1)
    places = np.flatnonzero(covered > 0.5)
    if len(places) < 2:  # an empty sheet
        return rows
    return rows[torch.from_numpy(places).to(rows.device)]


def gram(rows: Tensor) -> Tensor:
    """F F^T / positions, (C, C)."""
    return rows.T @ rows / len(rows)


def measure(rows: Tensor) -> Layer:
    """All measures of one layer's features, (positions, C)."""
    matrix = gram(rows)
    # the gram of the positions has the same eigenvalues, and there may be fewer of them
    smaller = matrix if len(rows) >= len(matrix) else rows @ rows.T / len(rows)
    shares = torch.linalg.eigvalsh(smaller).flip(0).clamp(min=0).double().cpu().numpy()
    shares /= max(float(shares.sum()), 1e-12)
    off = matrix[~torch.eye(len(matrix), dtype=torch.bool, device=matrix.device)].double().abs()
    root = off.numel() ** 0.5
    hoyer = (root - float(off.sum() / off.norm().clamp(min=1e-12))) / (root - 1)
    mass = off / off.sum().clamp(min=1e-12)
    lengths = matrix.diagonal().sqrt()
    # a channel that never fires goes with none
    cosine = matrix / (lengths[:, None] * lengths[None]).clamp(min=1e-12)
    zeros = float(((cosine < ZERO).sum() - (cosine.diagonal() < ZERO).sum()) / off.numel())
    dips = _dips(rows)
    return Layer(
        {
            "hoyer": hoyer,
            "near_zero": zeros,
            "entropy": float(-(mass * (mass + 1e-30).log()).sum()) / float(np.log(off.numel())),
            "rank": float(np.exp(-(shares * np.log(shares + 1e-30)).sum())),
            "dip": float(np.mean(dips)),
            "peaks": float(np.mean([d * SAMPLE**0.5 > _CRITICAL for d in dips])),
        },
        [float(share) for share in shares[:SPECTRUM]],
    )


def _dips(rows: Tensor) -> list[float]:
    """The dip along each main axis of the features."""
    centered = rows - rows.mean(0)
    if len(rows) >= rows.shape[1]:
        axes = torch.linalg.eigh(centered.T @ centered)[1][:, -AXES:]
        along = centered @ axes
    else:
        values, vectors = torch.linalg.eigh(centered @ centered.T)
        along = vectors[:, -AXES:] * values[-AXES:].clamp(min=0).sqrt()
    places = np.linspace(0, len(along) - 1, SAMPLE).round().astype(int)
    sample = along.cpu().numpy()[places]
    return [dip(sample[:, axis]) for axis in range(sample.shape[1])]

# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures of one picture. Pictures are HxWx3 float32, display-referred sRGB in 0..1."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from ..methods.base import check_picture, find_device
from ..perceptual import losses
from ..perceptual.pictures import read_picture
from ..perceptual.vgg import ALL_LAYERS, VGG19

SIDE = 512  # pixels of the longer side of photos and styles


def read_still(path: Path) -> np.ndarray:
    """A photo or a style picture as it is measured. Raises InputError for what is none."""
    picture = read_picture(path, SIDE).astype(np.float32) / 255
    check_picture(picture, str(path))
    return picture


class Seen(NamedTuple):
    """What VGG-19 sees of a picture: all that its distances to others are made of."""

    statistics: list[losses.Target]  # of relu1_1 .. relu5_1
    content: Tensor  # (1, 512, H / 8, W / 8), relu4_1


class Eye:
    """VGG-19 on a device ("auto", "cpu", "cuda", ...). Raises InputError where it is not installed."""

    def __init__(self, device: str = "auto") -> None:
        self.device = find_device(device)
        self.vgg = _vgg(self.device)

    @torch.no_grad()
    def see(self, picture: np.ndarray) -> Seen:
        tensor = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].to(self.device)
        features = self.vgg(tensor, ALL_LAYERS)
        return Seen([losses.statistics(features[name]) for name in ALL_LAYERS], features["relu4_1"])


@cache
def _vgg(device: torch.device) -> VGG19:
    return VGG19("relu5_1").to(device)  # unpacking the weights takes seconds


def distances(result: Seen, photo: Seen, style: Seen, layers: bool = False) -> dict[str, float]:
    """Style, gram and content distance of a result. layers: the first two also at each layer ("style_relu1_1")."""
    pairs = list(zip(result.statistics, style.statistics, strict=True))
    found: dict[str, float] = {}
    for name, distance in (("style", losses.style_distance), ("gram", losses.gram_distance)):
        each = [float(distance(*pair)) for pair in pairs]
        found[name] = float(np.mean(each))
        if layers:
            found |= {f"{name}_{layer}": value for layer, value in zip(ALL_LAYERS, each, strict=True)}
    return found | {"content": float(losses.content_distance(result.content, photo.content))}


def luminance(picture: np.ndarray) -> np.ndarray:
    """HxW: Rec. 709 weights on the display-referred values."""
    return picture @ np.array(losses.LUMA, np.float32)


def contrast(picture: np.ndarray) -> float:
    """RMS contrast: standard deviation of the luminance."""
    return float(luminance(picture).std(dtype=np.float64))


def sharpness(picture: np.ndarray) -> float:
    """Variance of the Laplacian of the gray picture."""
    return float(cv2.Laplacian(gray(picture), cv2.CV_32F).var(dtype=np.float64))


def gray(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(np.asarray(picture, np.float32), cv2.COLOR_RGB2GRAY)


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Structural similarity of two gray pictures in 0..1 (Wang et al. 2004: 11x11 Gaussian, sigma 1.5)."""

    def blur(picture: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(picture.astype(np.float64), (11, 11), 1.5)[5:-5, 5:-5]

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b, both = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2, blur(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    top, bottom = (2 * mean_a * mean_b + c1) * (2 * both + c2), (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    return float((top / bottom).mean())

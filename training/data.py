# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures for training: contents, and a pool of styles whose VGG statistics are cached."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from styletx_core.files import atomic_path
from styletx_core.methods.adain_reconet import STYLE_SIDE
from styletx_core.perceptual.losses import Target, statistics
from styletx_core.perceptual.pictures import list_pictures, read_picture
from styletx_core.perceptual.vgg import STYLE_LAYERS, VGG19


class Picture(NamedTuple):
    name: str  # tells it from every other, and from itself after a change
    rgb: np.ndarray  # (H, W, 3) uint8


def read_pictures(folders: list[Path], held_out: bool) -> list[Picture]:
    """The pictures below ``folders`` on one side of the split, their longer side 512 at most."""
    return [Picture(f"{p}{p.stat().st_size}", read_picture(p, 512)) for p in list_pictures(folders, held_out)]


def to_tensor(picture: np.ndarray) -> Tensor:
    """(H, W, 3) uint8 or float32 0..1 to (1, 3, H, W) float32 0..1."""
    tensor = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]
    return tensor.float() / 255 if tensor.dtype == torch.uint8 else tensor


class Contents:
    """Random crops of photos, each at a random scale."""

    def __init__(self, pictures: list[Picture]) -> None:
        self.pictures = [p.rgb for p in pictures]

    def crop(self, size: int, rng: np.random.Generator) -> np.ndarray:
        """(size, size, 3) uint8, mirrored half of the time."""
        picture = self.pictures[rng.integers(len(self.pictures))]
        shortest = min(picture.shape[:2])
        scale = max(size / shortest, rng.uniform(0.55, 1.0) if shortest > size else 1.0)
        height, width = (max(size, round(side * scale)) for side in picture.shape[:2])
        picture = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        y, x = rng.integers(height - size + 1), rng.integers(width - size + 1)
        crop = picture[y : y + size, x : x + size]
        return crop[:, ::-1] if rng.random() < 0.5 else crop


class Style(NamedTuple):
    picture: Tensor  # (1, 3, h, w) 0..1: what the style encoder sees, shorter side 256
    targets: list[Target]  # a layer of STYLE_LAYERS each, of the whole picture at its full size, bfloat16


class Styles:
    """Style pictures in several remade versions; the VGG statistics of each are computed once.

    Pictures are drawn by how much color and texture they have, for most paintings in museums are dark and smooth.
    """

    def __init__(self, pictures: list[Picture], vgg: VGG19, versions: int = 2, folder: Path | None = None) -> None:
        self.names, self.pictures = [p.name for p in pictures], [p.rgb for p in pictures]
        self.vgg, self.versions, self.folder = vgg, versions, folder
        self.made: dict[tuple[int, int], Style] = {}
        weight = np.array([_liveliness(p) for p in self.pictures]).argsort().argsort() / len(pictures)
        self.chance = (0.25 + weight) / (0.25 + weight).sum()

    def pick(self, rng: np.random.Generator) -> tuple[int, int]:
        """Number and version of a style."""
        version = int(rng.integers(1, self.versions)) if self.versions > 1 and rng.random() < 0.4 else 0
        return int(rng.choice(len(self.pictures), p=self.chance)), version

    def __getitem__(self, key: tuple[int, int]) -> Style:
        """A style, on VGG's device."""
        if key not in self.made:
            device = self.vgg.mean.device
            picture, targets = self._read_or_compute(*key)
            picture = picture.to(device).contiguous(memory_format=torch.channels_last)
            self.made[key] = Style(picture, [Target(*(t.to(device) for t in target)) for target in targets])
        return self.made[key]

    def _read_or_compute(self, index: int, version: int) -> Style:
        """Read from the folder that keeps them from one training to the next, if there is one."""
        if self.folder is None:
            return self._compute(index, version)
        file = self.folder / f"{zlib.crc32(f'{self.names[index]}{version}'.encode()):08x}.safetensors"
        if file.exists():
            kept = load_file(file)
            targets = [Target(kept[f"mean{i}"], kept[f"std{i}"], kept[f"gram{i}"]) for i in range(len(STYLE_LAYERS))]
            return Style(kept["picture"].float() / 255, targets)
        style = self._compute(index, version)
        kept = {"picture": (style.picture * 255).round().byte().contiguous()}
        for i, target in enumerate(style.targets):
            kept |= {f"{k}{i}": v.contiguous() for k, v in target._asdict().items()}
        with atomic_path(file) as aside:
            save_file(kept, aside)
        return style

    @torch.no_grad()
    def _compute(self, index: int, version: int) -> Style:
        picture = self.pictures[index]
        if version:
            picture = remake(picture, np.random.default_rng((index, version)))
        features = self.vgg(to_tensor(picture).to(self.vgg.mean.device), STYLE_LAYERS)
        targets = [Target(*(t[0].bfloat16() for t in statistics(features[name]))) for name in STYLE_LAYERS]
        return Style(to_tensor(for_encoder(picture)), targets)


def for_encoder(picture: np.ndarray) -> np.ndarray:
    """A style picture (uint8) as the style encoder sees it: shorter side 256."""
    scale = STYLE_SIDE / min(picture.shape[:2])
    size = round(picture.shape[1] * scale), round(picture.shape[0] * scale)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def _liveliness(picture: np.ndarray) -> float:
    small = cv2.resize(picture, (128, 128), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    color = (small.max(2) - small.min(2)).mean() + small.std((0, 1)).mean()
    gray = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32) / 255
    return float(color + 2 * np.abs(cv2.Laplacian(gray, cv2.CV_32F)).mean())


def remake(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Another style made of ``picture`` (uint8): a part of it, turned, its colors remapped."""
    height, width = picture.shape[:2]
    scale = rng.uniform(0.5, 1.0)
    h, w = max(128, int(height * scale)), max(128, int(width * scale))
    y, x = rng.integers(max(1, height - h + 1)), rng.integers(max(1, width - w + 1))
    picture = picture[y : y + h, x : x + w]
    if rng.random() < 0.5:
        picture = np.rot90(picture, rng.integers(4))
    picture = cv2.resize(picture, None, fx=(s := 512 / max(picture.shape[:2])), fy=s, interpolation=cv2.INTER_CUBIC)
    kind = rng.random()
    if kind < 0.4:
        hsv = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV_FULL).astype(np.float32)
        hsv[..., 0] = (hsv[..., 0] + rng.uniform(0, 255)) % 256
        hsv[..., 1] = np.clip(hsv[..., 1] * rng.uniform(0.7, 1.8), 0, 255)
        picture = cv2.cvtColor(hsv.astype(np.uint8), cv2.COLOR_HSV2RGB_FULL)
    elif kind < 0.6:
        picture = picture[..., rng.permutation(3)]
    elif kind < 0.7:
        picture = 255 - picture
    levels = np.clip(np.linspace(0, 1, 256) ** rng.uniform(0.6, 1.4) * 255, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(levels[picture])

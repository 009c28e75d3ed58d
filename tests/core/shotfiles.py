# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenEXR files with the part and channel names that Blender gives them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR

ALL_PASSES = ("Vector", "Depth", "IndexOB", "CryptoObject00")


def header() -> dict[str, object]:
    """A new one each time, as the OpenEXR package writes the size into it."""
    return {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}


def passes(width: int = 24, height: int = 18, seed: int = 0) -> dict[str, np.ndarray]:
    """Random passes by Blender 4's names: Combined HxWx4 half, the others float."""
    rng = np.random.default_rng(seed)
    alpha = rng.random((height, width, 1))
    color = np.concatenate([np.exp2(rng.uniform(-6, 3, (height, width, 3))) * alpha, alpha], axis=2)
    return {
        "Combined": color.astype(np.float16),
        "Vector": rng.normal(0, 5, (height, width, 4)).astype(np.float32),
        "Depth": rng.uniform(1, 100, (height, width, 1)).astype(np.float32),
        "IndexOB": rng.integers(0, 5, (height, width, 1)).astype(np.float32),
        # Ids are hashes: any bit pattern that is a finite float.
        "CryptoObject00": rng.integers(0, 2**30, (height, width, 4), np.uint32).view(np.float32),
    }


LETTERS = {"Combined": "RGBA", "Vector": "XYZW", "Depth": "Z", "IndexOB": "X", "CryptoObject00": "rgba"}


def channels_of(name: str, pixels: np.ndarray, prefix: str) -> dict[str, np.ndarray]:
    return {
        f"{prefix}.{letter}": np.ascontiguousarray(pixels[..., index]) for index, letter in enumerate(LETTERS[name])
    }


def write_single_part(
    path: Path, content: dict[str, np.ndarray], layers: tuple[str, ...] = ("ViewLayer",), **extra: object
) -> Path:
    """One part, as Blender 4.x writes it."""
    channels = {}
    for layer in layers:
        for name, pixels in content.items():
            channels |= channels_of(name, pixels, f"{layer}.{name}")
    path.parent.mkdir(parents=True, exist_ok=True)
    OpenEXR.File(header() | extra, channels).write(str(path))
    return path


def write_multi_part(path: Path, content: dict[str, np.ndarray], layers: tuple[str, ...] = ("ViewLayer",)) -> Path:
    """A part for each pass, as Blender 5.x writes it."""
    parts = []
    for layer in layers:
        for name, pixels in content.items():
            full = f"{layer}.{'Object Index' if name == 'IndexOB' else name}"
            parts.append(OpenEXR.Part(header(), channels_of(name, pixels, full), full))
    path.parent.mkdir(parents=True, exist_ok=True)
    OpenEXR.File(parts).write(str(path))
    return path


LAYOUTS = {"single": write_single_part, "multi": write_multi_part}

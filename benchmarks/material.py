# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures to measure with, made on the spot: clouds and noise that pan, as EXR with the passes Blender writes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import OpenEXR

from styletx_core.clouds import clouds

STYLE = Path(__file__).resolve().parent.parent / "styletx_core" / "assets" / "styles" / "oil.png"
SPEED = 3  # pixels a frame


def picture(width: int, height: int, seed: int = 0) -> np.ndarray:
    """HxWx3 float32 in 0..1, with as much of every scale as photos have."""
    return clouds(width, height, np.random.default_rng(seed))


def write_still(path: Path, width: int, height: int) -> Path:
    """A PNG of 8 bits."""
    pixels = np.round(picture(width, height) * 255).astype(np.uint8)
    if not cv2.imwrite(str(path), pixels):
        raise SystemExit(f"{path} cannot be written.")
    return path


def write_exr_shot(directory: Path, frames: int, width: int, height: int) -> Path:
    """A shot that pans: Combined in half precision, Vector and Depth in full, compressed by ZIP as Blender does."""
    directory.mkdir(parents=True, exist_ok=True)
    wide = picture(width + SPEED * frames, height) ** np.float32(2.2)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    depth = (5 + y / height + 0.1 * np.sin(x / 90)).astype(np.float32)
    for number in range(1, frames + 1):
        shown = wide[:, SPEED * number :][:, :width]
        channels = {f"ViewLayer.Combined.{letter}": np.ascontiguousarray(shown[..., i], np.float16)
                    for i, letter in enumerate("RGB")}  # fmt: skip
        channels["ViewLayer.Combined.A"] = np.ones((height, width), np.float16)
        # what is at x now was at x + SPEED one frame ago, and Z, W point back from the next frame
        vectors = {"X": SPEED if number > 1 else 0, "Y": 0, "Z": SPEED, "W": 0}
        for letter, value in vectors.items():
            channels[f"ViewLayer.Vector.{letter}"] = np.full((height, width), value, np.float32)
        channels["ViewLayer.Depth.Z"] = depth
        header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
        OpenEXR.File(header, channels).write(str(directory / f"shot_{number:04d}.exr"))
    return directory

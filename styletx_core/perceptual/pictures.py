# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders of photos and style pictures, and the split that keeps a tenth of them away from training."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ..errors import InputError

HELD_OUT = 10  # one file in so many is never trained on
TYPES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp")


def list_pictures(folders: Sequence[Path], held_out: bool | None = None) -> list[Path]:
    """Picture files below ``folders``; ``held_out`` picks one side of the fixed split, None both.

    The split depends on the file's name alone, so it stays when pictures are added.
    """
    files = [p for folder in folders for p in sorted(folder.rglob("*")) if p.suffix.lower() in TYPES]
    if held_out is None:
        return files
    return [p for p in files if is_held_out(p.name) == held_out]


def is_held_out(name: str) -> bool:
    """Whether a file of this name (``forest.jpg``) is kept away from training."""
    return zlib.crc32(name.encode()) % HELD_OUT == 0


def read_picture(path: Path, longest: int | None = None) -> np.ndarray:
    """(H, W, 3) uint8 sRGB, shrunk so that its longer side has at most ``longest`` pixels. Raises InputError."""
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise InputError(f"{path} cannot be read as a picture; remove it or save it again.")
    return resize_longest(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), longest)


def resize_longest(picture: np.ndarray, longest: int | None) -> np.ndarray:
    """Shrink so that the longer side has at most ``longest`` pixels; smaller pictures and None leave it as it is."""
    height, width = picture.shape[:2]
    if longest is None or max(height, width) <= longest:
        return picture
    scale = longest / max(height, width)
    return cv2.resize(picture, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_AREA)

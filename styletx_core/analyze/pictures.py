# SPDX-License-Identifier: GPL-3.0-or-later
"""Style pictures in their groups, and what of them is not style: color, blank paper, contrast, sharpness.

Pictures are HxWx3 float32, display-referred sRGB in 0..1.
"""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from ..errors import InputError
from ..evaluate.distances import contrast, luminance, sharpness
from ..methods.base import check_picture
from ..perceptual.pictures import list_pictures, read_picture

SIDE = 256  # pictures are analyzed with as many pixels as a square of this side
_WINDOW = 1 / 32  # of the side: paper is blank where nothing changes within so much, and ...
_BLANK = 0.02  # ... nothing is a standard deviation of luminance below this


class Found(NamedTuple):
    """A picture of a group. source: its file's name without the number at the end, as series of files are named."""

    path: Path
    group: str
    source: str


def gather(pattern: str, group: str) -> list[Found]:
    """The pictures that a path, a folder or a pattern with * names; raises InputError where there is none."""
    path = Path(pattern)
    if path.is_dir():
        files = list_pictures([path])
    elif path.is_file():
        files = [path]
    else:
        files = [Path(name) for name in sorted(glob.glob(pattern)) if Path(name).is_file()]
    if not files:
        raise InputError(f"There is no style picture '{pattern}'; give a picture, a folder of them or a pattern.")
    return [Found(file, group, _source(file)) for file in files]


def _source(file: Path) -> str:
    return re.sub(r"[\W_]*\d+$", "", file.stem) or file.stem


def read(path: Path, side: int) -> np.ndarray:
    """A style picture with about side * side pixels, larger or smaller than its file. Raises InputError."""
    picture = read_picture(path)
    scale = side / (picture.shape[0] * picture.shape[1]) ** 0.5
    size = [max(16, round(length * scale)) for length in picture.shape[1::-1]]
    picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
    found = picture.astype(np.float32) / 255
    check_picture(found, str(path))
    return found


def gray(picture: np.ndarray) -> np.ndarray:
    """Its luminance in three equal channels."""
    return np.repeat(luminance(picture)[..., None], 3, 2)


def marks(picture: np.ndarray) -> np.ndarray:
    """HxW bool: where something is drawn; the rest is blank paper, or as even as that."""
    y = luminance(picture)
    size = max(3, round(_WINDOW * (y.shape[0] * y.shape[1]) ** 0.5))
    mean = cv2.blur(y, (size, size), borderType=cv2.BORDER_REFLECT)
    square = cv2.blur(y * y, (size, size), borderType=cv2.BORDER_REFLECT)
    return np.asarray(square - mean * mean > _BLANK**2)


def traits(picture: np.ndarray, pixels: int) -> dict[str, float]:
    """What groups of pictures differ by beside their style. pixels: the file's own number."""
    chroma = picture - luminance(picture)[..., None]
    return {
        "chroma": float(np.sqrt(np.square(chroma).mean(dtype=np.float64))),
        "blank": 1 - float(marks(picture).mean()),
        "contrast": contrast(picture),
        "sharpness": float(np.log(sharpness(picture) + 1e-6)),
        "pixels": float(np.log(pixels)),
    }

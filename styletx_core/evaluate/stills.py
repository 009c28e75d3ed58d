# SPDX-License-Identifier: GPL-3.0-or-later
"""Every photo in every style: style, gram and content distance, SSIM, contrast, time, and likeness across sizes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from ..errors import InputError
from ..methods.base import Method
from ..perceptual.pictures import TYPES, read_picture
from .distances import Eye, contrast, distances, gray, read_still, ssim
from .sheet import thumbnail

SIZES = 540, 1080  # pixels of the shorter side, for the consistency

Values = dict[str, float]


@dataclass
class Stills:
    """What was found, by style and photo, and the pictures for the contact sheet."""

    pairs: list[tuple[str, str, Values]] = field(default_factory=list)  # style, photo, values
    inputs: list[Values] = field(default_factory=list)  # the photos themselves, over the same pairs
    rows: list[list[np.ndarray]] = field(default_factory=list)  # of the sheet: a style and its results, as thumbnails


class Painter:
    """A method that runs: gives a style's results one after the other, and how long each took."""

    def __init__(self, method: Method) -> None:
        self.method = method

    def paint(
        self, style: Path, picture: np.ndarray, photos: list[tuple[Path, np.ndarray]]
    ) -> Iterator[tuple[np.ndarray, Values]]:
        # the picture of a style that was trained for bears its name
        self.method.set_style(style.stem if self.method.info.styles == "fixed" else picture)
        for number, (_, photo) in enumerate(photos):
            if number == 0:
                self.method.stylize(photo)  # what comes first also sets things up
            began = time.perf_counter()
            result = self.method.stylize(photo)
            yield result, {"seconds": time.perf_counter() - began}

    def consistency(self, photo: np.ndarray) -> float:
        """SSIM of the photo's results at the two SIZES, the larger brought down to the smaller."""
        scale = SIZES[1] / min(photo.shape[:2])
        large = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC).clip(0, 1)
        width, height = (round(side * SIZES[0] / SIZES[1]) for side in large.shape[1::-1])
        small = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
        of_large = cv2.resize(self.method.stylize(large), (width, height), interpolation=cv2.INTER_AREA)
        return ssim(gray(of_large), gray(self.method.stylize(small)))


class Folder:
    """Results that are there already: FOLDER/STYLE/PHOTO.png, named by the stems of the two files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def paint(
        self, style: Path, picture: np.ndarray, photos: list[tuple[Path, np.ndarray]]
    ) -> Iterator[tuple[np.ndarray, Values]]:
        for path, photo in photos:
            yield self._read(self.folder / style.stem / path.stem, photo.shape), {}

    def _read(self, stem: Path, shape: tuple[int, ...]) -> np.ndarray:
        # not with_suffix: a dot in the photo's name begins no suffix here
        file = next((f for f in (stem.parent / f"{stem.name}{t}" for t in TYPES) if f.is_file()), None)
        if file is None:
            raise InputError(f"There is no result {stem}.png (or {', '.join(TYPES[1:])}); results are named "
                             "STYLE/PHOTO, as the style picture and the photo are.")  # fmt: skip
        result = read_picture(file)
        (height, width), (rows, columns) = shape[:2], result.shape[:2]
        if abs(rows * width / (columns * height) - 1) > 0.03:
            raise InputError(f"{file} is {columns}x{rows}, but its photo is measured at {width}x{height}; "
                             "give results of the photo's shape.")  # fmt: skip
        if (rows, columns) != (height, width):
            result = cv2.resize(result, (width, height), interpolation=cv2.INTER_AREA)
        return result.astype(np.float32) / 255


def evaluate_stills(
    painter: Painter | Folder, photos: list[Path], styles: list[Path], eye: Eye, consistency: bool,
    say: Callable[[str], None],
) -> Stills:  # fmt: skip
    """Measure each photo in each style. consistency: also across sizes; needs a Painter."""
    pictures = [(path, read_still(path)) for path in photos]
    say("Looking at the photos")
    seen = [eye.see(photo) for _, photo in pictures]
    found = Stills(rows=[[np.full((1, 1, 3), 255, np.uint8), *(thumbnail(photo) for _, photo in pictures)]])
    for number, style in enumerate(styles, 1):
        say(f"Style {number} of {len(styles)}: {style.stem}, {len(photos)} photos")
        picture = read_still(style)
        wanted = eye.see(picture)
        row = [thumbnail(picture)]
        for (path, photo), of_photo, (result, values) in zip(
            pictures, seen, painter.paint(style, picture, pictures), strict=True
        ):
            of_input = distances(of_photo, of_photo, wanted)
            found.inputs.append({**of_input, "ssim": 1.0, "contrast": contrast(photo)})
            values = distances(eye.see(result), of_photo, wanted, layers=True) | {
                "ssim": ssim(gray(result), gray(photo)), "contrast": contrast(result), **values,
            }  # fmt: skip
            if consistency and isinstance(painter, Painter):
                values["consistency"] = painter.consistency(photo)
            found.pairs.append((style.stem, path.stem, values))
            row.append(thumbnail(result))
        found.rows.append(row)
    return found

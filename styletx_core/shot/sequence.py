# SPDX-License-Identifier: GPL-3.0-or-later
"""Shots that are pictures: one, or a numbered sequence of OpenEXR, PNG, JPEG or TIFF files."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from . import cryptomatte, exr, picture
from .camera import CameraTrack
from .frame import Frame, Shot, select_numbers

SUFFIXES = (".exr", *picture.SUFFIXES)
MOVIE_SUFFIXES = (".mp4", ".mov", ".mkv", ".avi", ".m4v", ".webm")
NUMBER = re.compile(r"(?P<head>.*?)(?P<digits>\d+)(?P<tail>\D*)", re.DOTALL)


@dataclass(frozen=True, order=True)
class _Name:
    """What the files of one sequence have in common."""

    head: str
    tail: str
    suffix: str

    def __str__(self) -> str:
        return f"{self.head}####{self.tail}{self.suffix}"


class SequenceShot(Shot):
    """Numbered pictures of one size and kind. Opening it reads all headers, `read` reads pixels."""

    def __init__(self, path: Path, files: dict[int, Path], stem: str, digits: int, layer: str | None,
                 camera: CameraTrack | None) -> None:
        super().__init__()
        self.path, self.stem, self.digits, self.camera = path, stem, digits, camera
        self.numbers = sorted(files)
        self._files = files
        self._headers: dict[int, exr.ExrHeader] = {}
        self._pictures: dict[int, picture.PictureHeader] = {}
        self._mattes: set[str] = set()
        if len(self.numbers) > 1:
            self.frame_step = self.numbers[1] - self.numbers[0]
        if camera is not None:
            self.fps = camera.fps
        if files[self.numbers[0]].suffix.lower() == ".exr":
            self._open_exr(layer)
        elif layer is not None:
            raise InputError(f"{files[self.numbers[0]]} has no view layers, so '{layer}' cannot be chosen; "
                             "leave the layer out or give OpenEXR MultiLayer files.")
        else:
            self._open_pictures()
        self._check_size()

    def file(self, number: int) -> Path:
        self._check_number(number)
        return self._files[number]

    def read(self, number: int) -> Frame:
        self._check_number(number)
        if number in self._pictures:
            rgb, alpha = picture.read_pixels(self._pictures[number])
            if rgb.shape[:2] != (self.height, self.width):
                raise self._other_size(number, rgb.shape[1], rgb.shape[0])
            return Frame(number, rgb, alpha)
        passes = exr.read_pixels(self._headers[number], self.layer or "", self._mattes)
        if self.encoding == "display" and "alpha" in passes:
            # OpenEXR is premultiplied whatever its encoding is; display color is straight here.
            alpha = passes["alpha"][..., None]
            passes["rgb"] = np.where(alpha > 0, passes["rgb"] / np.maximum(alpha, 1e-6), 0).clip(0, 1)
        return Frame(number, **passes)

    def require_matte(self, kind: str, names: Sequence[str]) -> frozenset[int]:
        layer, there = self.layer or "", dict[str, int]()
        for number in self.numbers:
            header = self._headers.get(number)
            if header is None or not header.matte(layer, kind):
                return super().require_matte(kind, names)
            there |= header.names(layer, kind)
        found = cryptomatte.find(names, there, kind, str(self.path))
        self._mattes.add(kind)
        return found

    def _open_exr(self, layer: str | None) -> None:
        headers = {number: exr.read_header(self._files[number]) for number in self.numbers}
        first = headers[self.numbers[0]]
        name = first.choose_layer(layer)
        self._headers = headers
        self.layer, self.layers = name or None, tuple(layer for layer in first.layers if layer)
        self.width, self.height = first.width, first.height
        self.encoding = "display" if first.display_encoded() else "linear"
        self.bit_depth = "half" if first.half(name) else "float"
        self.has_alpha = "A" in (first.color(name) or {})
        passes = {kind: first.extra(name, kind) is not None for kind in exr.PASSES}
        self.has_vector, self.has_depth = passes["vector"], passes["depth"]
        self.has_index, self.has_crypto = passes["index"], passes["crypto"]
        if layer is None and len(self.layers) > 1:
            others = ", ".join(f"'{other}'" for other in self.layers if other != name)
            self.notices.append(f"Of several view layers '{name}' is used; there are also {others}.")
        for number, header in headers.items():
            if (header.width, header.height) != (self.width, self.height):
                raise self._other_size(number, header.width, header.height)
            if header.color(name) is None:
                header.choose_layer(name)  # says which layers are there
                raise InputError(f"{header.path} has no color channels, but the frames before it have; "
                                 "render it again.")
            for kind, there in passes.items():
                if there and header.extra(name, kind) is None:
                    raise InputError(f"{header.path} lacks the {exr.PASSES[kind][0]} pass that frames before "
                                     "it have; render it again with the same passes.")

    def _open_pictures(self) -> None:
        headers = {number: picture.read_header(self._files[number]) for number in self.numbers}
        first = headers[self.numbers[0]]
        for number, header in headers.items():
            if (header.width, header.height) != (first.width, first.height):
                self.width, self.height = first.width, first.height
                raise self._other_size(number, header.width, header.height)
        self._pictures = headers
        self.encoding = "display"
        self.bit_depth = "16" if first.bits == 16 else "8"
        rgb, alpha = picture.read_pixels(first)  # the size after EXIF rotation; a palette's alpha
        self.height, self.width = rgb.shape[:2]
        self.has_alpha = alpha is not None

    def _other_size(self, number: int, width: int, height: int) -> InputError:
        return InputError(f"{self._files[number]} is {width}x{height}, but the shot's first frame is "
                          f"{self.width}x{self.height}; render all frames at one size.")


def open_sequence(path: Path, frames: tuple[int, int] | None, layer: str | None,
                  camera: Path | None) -> SequenceShot:
    """Open one picture, a directory of frames or a pattern of numbered names."""
    directory = path if path.is_dir() else path.parent
    if camera is None and (directory / "shot.json").is_file():
        camera = directory / "shot.json"
    track = CameraTrack.load(camera) if camera else None
    if path.is_file():
        number, stem, digits = _single(path)
        numbers = select_numbers(path, [number], frames)
        return SequenceShot(path, {numbers[0]: path}, stem, digits, layer, track)
    if path.is_dir():
        name, found = _directory(path)
    else:
        name, found = _pattern(path)
    numbers = select_numbers(path, sorted(found), frames)
    _check_gaps(path, name, numbers, sorted(found), frames, track.frame_step if track else None)
    digits = min(len(_split(file)[1]) for file in found.values())
    files = {number: found[number] for number in numbers}
    return SequenceShot(path, files, name.head + name.tail, digits, layer, track)


def _single(path: Path) -> tuple[int, str, int]:
    """Number, stem and digits of one picture; the number counts only where it ends the name."""
    name, digits = _split(path)
    if name is None or name.tail:
        return 1, path.stem, 0
    return int(digits), name.head, len(digits)


def _split(path: Path) -> tuple[_Name | None, str]:
    """The sequence a file belongs to and its number's digits: the last ones before the extension."""
    match = NUMBER.fullmatch(path.stem)
    if match is None:
        return None, ""
    return _Name(match["head"], match["tail"], path.suffix), match["digits"]


def _directory(path: Path) -> tuple[_Name, dict[int, Path]]:
    entries = sorted(entry for entry in path.iterdir() if entry.is_file() and not entry.name.startswith("."))
    pictures = [entry for entry in entries if entry.suffix.lower() in SUFFIXES]
    if not pictures:
        movies = [entry.name for entry in entries if entry.suffix.lower() in MOVIE_SUFFIXES]
        if movies:
            raise InputError(f"{path} holds no frames but the movie {movies[0]}; give the movie itself.")
        raise InputError(f"{path} holds no frames (EXR, PNG, JPEG or TIFF); give the directory they are in.")
    return _only_sequence(path, pictures)


def _pattern(path: Path) -> tuple[_Name, dict[int, Path]]:
    """Files that match the pattern, where only the numbers' places are open."""
    expression, position = "", 0
    for match in re.finditer(r"#+|%0?\d*d", path.name):
        expression += re.escape(path.name[position:match.start()]) + r"\d+"
        position = match.end()
    if position:
        expression += re.escape(path.name[position:])
    elif any(character in path.name for character in "*?["):
        expression = fnmatch.translate(path.name)
    else:
        raise InputError(f"{path} does not exist; check the path.")
    if not path.parent.is_dir():
        raise InputError(f"{path.parent} is not a directory; check the path.")
    found = sorted(entry for entry in path.parent.iterdir()
                   if entry.is_file() and re.fullmatch(expression, entry.name))
    if not found:
        raise InputError(f"No file matches {path}; check the pattern.")
    for entry in found:
        if entry.suffix.lower() not in SUFFIXES:
            raise unsupported(entry)
    return _only_sequence(path, found)


def unsupported(path: Path) -> InputError:
    return InputError(f"{path} is of a type StyleTX does not read; give EXR, PNG, JPEG or TIFF pictures, "
                      "or a movie (mp4, mov, mkv, avi).")


def _only_sequence(path: Path, pictures: list[Path]) -> tuple[_Name, dict[int, Path]]:
    """The one sequence these pictures are; raises InputError where there are several, or a number twice."""
    groups: dict[_Name, list[tuple[int, Path]]] = {}
    unnumbered = []
    for file in pictures:
        name, digits = _split(file)
        if name is None:
            unnumbered.append(file)
        else:
            groups.setdefault(name, []).append((int(digits), file))
    if len(groups) > 1 or (groups and unnumbered):
        kinds = [f"{name} ({_frames(len(files))})" for name, files in sorted(groups.items())]
        kinds += [file.name for file in unnumbered]
        shown = ", ".join(kinds[:4]) + (", ..." if len(kinds) > 4 else "")
        raise InputError(f"{path} holds several sequences: {shown}; give one of them as a pattern.")
    if not groups:
        if len(unnumbered) == 1:
            return _Name(unnumbered[0].stem, "", unnumbered[0].suffix), {1: unnumbered[0]}
        raise InputError(f"{path} holds {len(unnumbered)} pictures without numbers, such as "
                         f"{unnumbered[0].name}; give one of them, or number them.")
    (name, files), = groups.items()
    found: dict[int, Path] = {}
    for number, file in files:
        if number in found:
            raise InputError(f"{found[number]} and {file.name} are both frame {number}; remove one of them.")
        found[number] = file
    return name, found


def _check_gaps(path: Path, name: _Name, numbers: list[int], present: list[int],
                frames: tuple[int, int] | None, step: int | None) -> None:
    """Raise InputError where frames are missing between the first and the last.

    A render with a frame step leaves evenly spaced numbers: that is no gap where shot.json says so, or where
    at least three frames are spaced alike.
    """
    if step is None:
        steps = {after - before for before, after in zip(present, present[1:], strict=False)}
        step = steps.pop() if len(steps) == 1 and len(present) > 2 else 1
    first, last = numbers[0], numbers[-1]
    if frames is not None and step == 1:
        first, last = frames
    there = set(numbers)
    missing = [number for number in range(first, last + 1, step) if number not in there]
    if missing:
        raise InputError(f"{path} lacks frame{'s' * (len(missing) > 1)} {_ranges(missing)} of {name} "
                         f"({first}-{last}); render what is missing or choose a range without it.")


def _frames(count: int) -> str:
    return "1 frame" if count == 1 else f"{count} frames"


def _ranges(numbers: list[int]) -> str:
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    text = ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs[:5])
    return text + (", ..." if len(runs) > 5 else "")

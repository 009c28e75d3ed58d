# SPDX-License-Identifier: GPL-3.0-or-later
"""What a shot is: numbered frames of one size, each with its color and the passes rendered beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Literal

import numpy as np

from ..errors import InputError
from .camera import CameraTrack
from .cryptomatte import Matte

Encoding = Literal["linear", "display"]
BitDepth = Literal["8", "16", "half", "float"]
SMALLEST = 16  # pixels; the networks need at least this many on each side


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame as its file holds it, rows from the top.

    rgb: HxWx3 float32; of a "linear" shot premultiplied and unbounded, of a "display" shot straight and 0..1.
    alpha: HxW float32 0..1, None where the file has none.
    vector: HxWx4 float32, Blender's Vector pass X, Y, Z, W: pixels, Y up, X/Y to the previous frame.
    depth: HxW float32. index: HxW float32, object index.
    crypto: HxW float32, id of the first Cryptomatte rank with its bit pattern kept.
    mattes: the Cryptomattes that `Shot.require_matte` asked for, by kind.
    """

    number: int
    rgb: np.ndarray
    alpha: np.ndarray | None = None
    vector: np.ndarray | None = None
    depth: np.ndarray | None = None
    index: np.ndarray | None = None
    crypto: np.ndarray | None = None
    mattes: Mapping[str, Matte] = field(default_factory=dict)


class Shot:
    """Frames that are read by number. Close it, or use it in a `with` block.

    `stem` and `digits` are what results are named by; digits is 0 where the input carries no number.
    `frame_step` is the difference between neighboring numbers. `layer` is the view layer that is read,
    `layers` are all that have color (empty for files without layers). `notices` are things the user should
    be told.
    """

    path: Path
    numbers: list[int]
    width: int
    height: int
    fps: Fraction | float | None = None
    encoding: Encoding = "display"
    bit_depth: BitDepth = "8"
    has_alpha: bool = False
    has_vector: bool = False
    has_depth: bool = False
    has_index: bool = False
    has_crypto: bool = False
    camera: CameraTrack | None = None
    stem: str
    digits: int
    frame_step: int = 1
    layer: str | None = None
    layers: tuple[str, ...] = ()

    def __init__(self) -> None:
        self.notices: list[str] = []

    def read(self, number: int) -> Frame:
        """Read the frame of this number; raises InputError where it is damaged or not in the shot."""
        raise NotImplementedError

    def file(self, number: int) -> Path:
        """The file that holds this frame: its own, or the movie."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of open files."""

    def require(self, *passes: str) -> None:
        """Raise InputError unless the shot has these passes: "vector", "depth", "index", "crypto"."""
        missing = [name for name in passes if not getattr(self, f"has_{name}")]
        if missing:
            names = " and ".join({"vector": "Vector", "depth": "Depth (Z)", "index": "Object Index",
                                  "crypto": "Cryptomatte Object"}[name] for name in missing)
            where = f" in view layer '{self.layer}'" if self.layer else ""
            raise InputError(f"{self.file(self.numbers[0])} has no {names} pass{where}; switch it on in the "
                             "view layer's passes and render to OpenEXR MultiLayer.")

    def require_matte(self, kind: str, names: Sequence[str]) -> frozenset[int]:
        """Read a Cryptomatte with each frame from now on; returns the ids of these names.

        kind: "object" or "material". names: *, ? and [] stand for any letters. Raises InputError where the shot
        has no such pass, or no such name in any of its frames.
        """
        raise InputError(f"{self.file(self.numbers[0])} has no Cryptomatte {kind.capitalize()} pass; switch it on in "
                         "the view layer's passes and render to OpenEXR MultiLayer, or give a mask.")

    def _check_size(self) -> None:
        if min(self.width, self.height) < SMALLEST:
            raise InputError(f"{self.file(self.numbers[0])} is {self.width}x{self.height}; "
                             f"give pictures of at least {SMALLEST}x{SMALLEST} pixels.")

    def _check_number(self, number: int) -> None:
        if number not in self.numbers:
            raise InputError(f"{self.path} has no frame {number}; its frames are "
                             f"{self.numbers[0]}-{self.numbers[-1]}.")

    def __enter__(self) -> Shot:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()


def select_numbers(path: Path, present: list[int], frames: tuple[int, int] | None) -> list[int]:
    """The numbers in `present` (sorted) that lie in the range `frames` (both ends included).

    Raises InputError where the range is upside down or leaves nothing.
    """
    if frames is None:
        return present
    first, last = frames
    if first > last:
        raise InputError(f"The frame range {first}-{last} ends before it starts; give the first frame first.")
    numbers = [number for number in present if first <= number <= last]
    if not numbers:
        raise InputError(f"{path} has no frame in {first}-{last}; its frames are {present[0]}-{present[-1]}.")
    return numbers

# SPDX-License-Identifier: GPL-3.0-or-later
"""What the methods have in common that paint in one go: stroke size, large pictures, tiles, tileable textures."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

import numpy as np
import torch

from ..errors import InputError
from ..memory import tile_side
from ..tiles import in_tiles
from .base import SMALLEST, Method, Picture
from .frames import MARGIN
from .strokes import calmed, sized

_PAINTED_SIDE = 540  # pictures whose shorter side is longer are painted at this size first
_SAME_SIZE = 0.8  # a picture that would shrink by less is painted at its own size alone


class FeedForward(Method):
    """A network of convolutions, whose statistics can be fixed.

    Subclasses give `grid`, what the sides of pictures have to be multiples of, and `reach`, how far a pixel of the
    result sees, a multiple of it. `_fix_statistics` keeps something in `_thumbnails` while they are fixed, and `_full`
    paints by `_in_octaves`.
    """

    grid: int
    _thumbnails: torch.Tensor | None = None

    @property
    @abstractmethod
    def reach(self) -> int: ...

    @abstractmethod
    def _fix_statistics(self, frames: Sequence[Picture] | None) -> None: ...

    @abstractmethod
    def _full(self, frame: Picture, strength: float, size: float) -> np.ndarray:
        """The frame painted; may leave 0..1."""

    @torch.inference_mode()
    def _sized(self, frame: Picture, strength: float, size: float) -> Picture:
        height, width = frame.shape[:2]
        if self.tiling.wrap and (height % self.grid or width % self.grid):
            raise InputError(f"The texture is {width}x{height}; give sides that are multiples of {self.grid}, as "
                             "others cannot stay tileable.")  # fmt: skip
        enlarged = max(1.0, _painted_side(frame, size) / min(height, width))
        if self._thumbnails is None and self._tile(height * enlarged, width * enlarged) < max(height, width) * enlarged:
            # tiles have no statistics in common but those that are fixed
            self._fix_statistics([frame])
            try:
                return self._sized(frame, strength, size)
            finally:
                self._fix_statistics(None)
        return np.ascontiguousarray(np.clip(self._full(frame, strength, size), 0, 1), dtype=np.float32)

    def _in_octaves(self, paint: Callable[[Picture, Picture], np.ndarray], frame: Picture, size: float) -> np.ndarray:
        """The frame painted with strokes of the same share of its height, whatever its size; may leave 0..1.

        paint: gets a tile, whose sides are multiples of `grid`, and the whole picture that it is from.
        """

        def whole(picture: Picture) -> np.ndarray:
            return in_tiles(lambda tile: paint(tile, picture), picture, self._tile(*picture.shape[:2]), self.reach,
                            MARGIN, self.grid, self.tiling.wrap)  # fmt: skip

        wrap = self.tiling.wrap
        return sized(whole, frame, _painted_side(frame, size), self.grid if wrap else 1, wrap, calmed(size))

    def _tile(self, height: float, width: float) -> int:
        """The side of the tiles of a picture of this size."""
        return tile_side(round(width), round(height), self.info.name, self.tiling.side)


def _painted_side(frame: Picture, size: float) -> float:
    """How long the shorter side of a picture is whose strokes are as large as the frame's are to be."""
    side = float(min(frame.shape[:2]))
    if side * _SAME_SIZE > _PAINTED_SIDE:
        side = _PAINTED_SIDE
    return max(SMALLEST, side / size)

# SPDX-License-Identifier: GPL-3.0-or-later
"""What the methods have in common that paint in one go: stroke size, large pictures, tiles, tileable textures."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..memory import tile_side
from ..tiles import in_tiles
from . import on_device
from .base import SMALLEST, Method, Picture
from .frames import MARGIN, to_picture, to_tensor
from .strokes import calmed, sized

_PAINTED_SIDE = 540  # pictures whose shorter side is longer are painted at this size first
_SAME_SIZE = 0.8  # a picture that would shrink by less is painted at its own size alone

Frame = TypeVar("Frame", np.ndarray, Tensor)  # HxWx3, or (1, 3, H, W) on the device; float32


class FeedForward(Method):
    """A network of convolutions, whose statistics can be fixed.

    Subclasses give `grid`, what the sides of pictures have to be multiples of, and `reach`, how far a pixel of the
    result sees, a multiple of it. `_fix_statistics` keeps something in `_thumbnails` while they are fixed, and `_full`
    paints by `_in_octaves`.
    """

    grid: int
    clipped = True
    _thumbnails: torch.Tensor | None = None

    @property
    @abstractmethod
    def reach(self) -> int: ...

    @abstractmethod
    def _fix_statistics(self, frames: Sequence[Picture] | None) -> None: ...

    @abstractmethod
    def _full(self, frame: Frame, strength: float, size: float) -> Frame:
        """The frame painted; may leave 0..1. The result is the method's own no more."""

    @property
    def resident(self) -> bool:
        """Whether a frame stays on the device until it is painted. On the processor OpenCV does better."""
        return self.device.type != "cpu"

    @torch.inference_mode()
    def _sized(self, frame: Picture, strength: float, size: float) -> Picture:
        height, width = frame.shape[:2]
        if self.tiling.wrap and (height % self.grid or width % self.grid):
            raise InputError(f"The texture is {width}x{height}; give sides that are multiples of {self.grid}, as "
                             "others cannot stay tileable.")  # fmt: skip
        enlarged = max(1.0, _painted_side((height, width), size) / min(height, width))
        tiled = self._tile(height * enlarged, width * enlarged) < max(height, width) * enlarged
        if self._thumbnails is None and tiled:
            # tiles have no statistics in common but those that are fixed
            self._fix_statistics([frame])
            try:
                return self._sized(frame, strength, size)
            finally:
                self._fix_statistics(None)
        if self.resident and not tiled:  # what needs tiles may be too large for a card as a whole
            return on_device.download(self._full(on_device.upload(frame, self.device), strength, size).clamp(0, 1))
        out = self._full(frame, strength, size)
        return np.clip(out, 0, 1, out=out)

    def _in_octaves(
        self, paint: Callable[[Tensor, np.ndarray | Tensor], Tensor], frame: Frame, size: float
    ) -> Frame:  # fmt: skip
        """The frame painted with strokes of the same share of its height, whatever its size; may leave 0..1.

        paint: gets a tile, (1, 3, H, W) float32 with sides that are multiples of `grid`, and the whole picture that it
        is from, of the frame's kind.
        """
        wrap = self.tiling.wrap
        how = self.grid if wrap else 1, wrap, calmed(size)
        if isinstance(frame, Tensor):

            def painted(picture: Tensor) -> Tensor:
                return on_device.whole(lambda tile: paint(tile, picture), picture, self.reach, MARGIN, self.grid, wrap)

            return on_device.sized(painted, frame, _painted_side(frame.shape[2:], size), *how)

        def whole(picture: Picture) -> np.ndarray:
            return in_tiles(lambda tile: to_picture(paint(to_tensor(tile, self.device), picture)), picture,
                            self._tile(*picture.shape[:2]), self.reach, MARGIN, self.grid, wrap)  # fmt: skip

        return sized(whole, frame, _painted_side(frame.shape[:2], size), *how)

    def _tile(self, height: float, width: float) -> int:
        """The side of the tiles of a picture of this size."""
        return tile_side(round(width), round(height), self.info.name, self.tiling.side)


def _painted_side(sides: Sequence[int], size: float) -> float:
    """How long the shorter side of a picture is whose strokes are as large as a frame's with these sides are to be."""
    side = float(min(sides))
    if side * _SAME_SIZE > _PAINTED_SIDE:
        side = _PAINTED_SIDE
    return max(SMALLEST, side / size)

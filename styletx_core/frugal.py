# SPDX-License-Identifier: GPL-3.0-or-later
"""A method that goes on in less memory where it runs out of it: in smaller tiles, at last on the processor."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Sequence

import numpy as np
import torch

from .memory import SIDES, tile_side
from .methods.base import Guide, Method, Picture, Step, Tiling

SMALL_SIDES = (*SIDES, 512, 256)
"""Tiles to try, the largest first: below the smallest the surroundings of a tile outweigh it."""


class Frugal:
    """Paints like the method that `load` makes for a device; tells in a sentence whenever it has to give way.

    A tile is painted as it would be within the whole picture, so smaller ones change nothing but the time; the
    processor paints in full precision what a graphics card paints in half. Either lasts as long as this object.
    """

    def __init__(
        self,
        load: Callable[[str], Method],
        device: str,
        tiling: Tiling,
        styles: list[tuple[Picture, float]],
        keep_colors: str,
    ) -> None:
        self._load, self._tiling, self._styles, self._keep_colors = load, tiling, styles, keep_colors
        self._frames: Sequence[Picture] | None = None
        self.told: list[str] = []
        self.method = self._made(device)

    def _made(self, device: str) -> Method:
        made = self._load(device)
        made.tiling = self._tiling
        made.set_style(self._styles, self._keep_colors)
        return made

    def fix_statistics(self, frames: Sequence[Picture] | None) -> None:
        """As the method's; kept for the processor, should it have to take over."""
        self._frames = frames
        size = frames[0].shape[:2] if frames else (0, 0)
        while True:
            try:
                return self.method.fix_statistics(frames)
            except Exception as error:
                if not is_out_of_memory(error) or not self._can_give_way(size):
                    raise
            self._give_way(size)

    def stylize(self, frame: Picture, strength: float = 1.0, guide: Guide | None = None) -> Picture:
        """As the method's."""
        work = self.steps(frame, strength, guide)
        while True:
            try:
                next(work)
            except StopIteration as end:
                result: np.ndarray = end.value
                return result

    def steps(
        self, frame: Picture, strength: float = 1.0, guide: Guide | None = None
    ) -> Generator[Step, None, Picture]:
        """As the method's; begins the frame again where it gives way."""
        size = (frame.shape[0], frame.shape[1])
        while True:
            try:
                return (yield from self.method.steps(frame, strength, guide))
            except Exception as error:
                if not is_out_of_memory(error) or not self._can_give_way(size):
                    raise
            # out here the error is gone, and with it the tensors that its traceback held
            self._give_way(size)

    def _smaller(self, size: tuple[int, int]) -> int:
        """The next smaller tile for a frame of this height and width; 0 where there is none."""
        if not self.method.info.tiles:
            return 0
        now = min(tile_side(size[1], size[0], self.method.info.name, self.method.tiling.side), max(size))
        return next((side for side in SMALL_SIDES if side < now), 0)

    def _can_give_way(self, size: tuple[int, int]) -> bool:
        return bool(self._smaller(size)) or self.method.device.type != "cpu"

    def _give_way(self, size: tuple[int, int]) -> None:
        device, side = self.method.device, self._smaller(size)
        if side:
            self.method.tiling = self._tiling = Tiling(side, self._tiling.wrap)
            self.told.append(f"The memory of {device} was full: painting goes on in tiles of {side} pixels.")
        else:
            del self.method  # before another is made
            _release(device)
            self.method = self._made("cpu")
            self.method.fix_statistics(self._frames)
            self.told.append(f"The memory of {device} is too small: painting goes on, slower, on the processor.")
        _release(device)


def _release(device: torch.device) -> None:
    """Give memory that nothing uses any more back to the device."""
    gc.collect()
    if device.type in ("cuda", "xpu", "mps"):
        getattr(torch, device.type).empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """True for a lack of memory, of a graphics card's or of the machine's."""
    # torch and OpenCV have classes of their own for this, and on the CPU torch raises a plain RuntimeError.
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or any(
            words in text
            for words in (
                "out of memory",
                "can't allocate memory",
                "not enough memory",
                "insufficient memory",
                "failed to allocate",
            )
        )
    )

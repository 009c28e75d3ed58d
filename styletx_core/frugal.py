# SPDX-License-Identifier: GPL-3.0-or-later
"""A method that goes on in less memory where it runs out of it: in smaller tiles, at last on the processor."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator, Sequence

import numpy as np
import torch

from .allocator import give_back
from .memory import SIDES, tile_side
from .methods.base import Guide, Method, Picture, Step, Style, Tiling
from .registry import MethodInfo

SMALL_SIDES = (*SIDES, 512, 256)
"""Tiles to try, the largest first: below the smallest the surroundings of a tile outweigh it."""
TOO_SMALL = "The memory of {device} is too small: painting goes on, slower, on the processor."


class Frugal:
    """Paints like the method that `load` makes for a device; tells in a sentence whenever it has to give way.

    A tile is painted as it would be within the whole picture, so smaller ones change nothing but the time; the
    processor paints in full precision what a graphics card paints in half. Either lasts as long as this object.
    """

    def __init__(
        self,
        load: Callable[[str], Method],  # for the name of a device
        device: str,
        tiling: Tiling,
        styles: Sequence[tuple[Style, float]],
        keep_colors: str,
    ) -> None:
        self._load, self._tiling, self._styles, self._keep_colors = load, tiling, styles, keep_colors
        self._frames: Sequence[Picture] | None = None
        self.told: list[str] = []
        try:
            self._method = self._made(device)
        except Exception as error:
            if not is_out_of_memory(error) or device == "cpu":
                raise
            self.told.append(TOO_SMALL.format(device="the graphics card"))
        if self.told:
            gc.collect()
            self._method = self._made("cpu")

    @property
    def info(self) -> MethodInfo:
        """The method's entry in the registry."""
        return self._method.info

    @property
    def device(self) -> torch.device:
        """What it paints on now. Safe to ask from another thread than that which paints."""
        method: Method | None = vars(self).get("_method")
        return method.device if method is not None else self._left

    def _made(self, device: str) -> Method:
        made = self._load(device)
        made.tiling = self._tiling
        made.set_style(self._styles, self._keep_colors)
        return made

    def fix_statistics(self, frames: Sequence[Picture] | None) -> None:
        """As the method's; kept for the processor, should it have to take over."""
        self._frames = frames
        while True:
            try:
                return self._method.fix_statistics(frames)
            except Exception as error:
                # measured on thumbnails, which no tile makes smaller
                if not is_out_of_memory(error) or self.device.type == "cpu":
                    raise
            self._give_way(0)

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
                return (yield from self._method.steps(frame, strength, guide))
            except Exception as error:
                side = self._smaller(size)
                if not is_out_of_memory(error) or not (side or self.device.type != "cpu"):
                    raise
            # out here the error is gone, and with it the tensors that its traceback held
            self._give_way(side)

    def _smaller(self, size: tuple[int, int]) -> int:
        """The next smaller tile for a frame of this height and width; 0 where there is none."""
        if not self._method.info.tiles:
            return 0
        now = min(tile_side(size[1], size[0], self._method.info.name, self._method.tiling.side), max(size))
        return next((side for side in SMALL_SIDES if side < now), 0)

    def _give_way(self, side: int) -> None:
        """Take tiles of that side; where it is 0, the processor."""
        device = self.device
        if side:
            self._method.tiling = self._tiling = Tiling(side, self._tiling.wrap)
            self.told.append(f"The memory of {device} was full: painting goes on in tiles of {side} pixels.")
        else:
            self._left = device
            del self._method  # before another is made
            _release(device)
            self._method = self._made("cpu")
            self._method.fix_statistics(self._frames)
            self.told.append(TOO_SMALL.format(device=device))
        _release(device)


def _release(device: torch.device) -> None:
    """Give memory that nothing uses any more back to the device."""
    gc.collect()
    give_back()
    if device.type in ("cuda", "xpu", "mps"):
        getattr(torch, device.type).empty_cache()


def is_out_of_memory(error: BaseException) -> bool:
    """True for a lack of memory, of a graphics card's or of the machine's."""
    # torch and OpenCV have classes of their own for this, and on the CPU torch raises a plain RuntimeError.
    text = str(error).lower()
    # OpenCV may return a picture that could not be made, which Python takes for a fault of its own
    within = error.__cause__ or error.__context__ if isinstance(error, SystemError) else None
    return (
        isinstance(error, MemoryError)
        or (within is not None and is_out_of_memory(within))
        or type(error).__name__ == "OutOfMemoryError"
        or any(
            words in text
            for words in (
                "out of memory",
                "can't allocate memory",
                "cannot allocate memory",  # of the system, for a file that is mapped
                "the numpy array of typenum",  # of OpenCV, for one that "can not be created"
                "could not create a primitive",  # of oneDNN, which gives no reason
                "not enough memory",
                "insufficient memory",
                "resource temporarily unavailable",  # of the system, for a thread that has no room
                "failed to allocate",
            )
        )
    )

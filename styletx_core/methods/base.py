# SPDX-License-Identifier: GPL-3.0-or-later
"""What every method has in common: one door, checked arrays, a device."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch

from ..errors import InputError
from ..job import KEEP_COLORS, SIZES
from ..registry import MethodInfo
from . import colors as color
from .strokes import calmed, sized

SMALLEST = 16
Picture = np.ndarray  # HxWx3 float32, display-referred sRGB, 0..1
Style = Picture | str  # a picture, or the name of a style that a method was trained for


@dataclass(frozen=True, eq=False)
class Guide:
    """What a method may know of a frame beyond its pixels.

    previous: the result of the frame before, carried along the motion to this frame, and visible: HxW float32 in
    0..1, where it shows the same surface; for methods that use history, the others leave it aside.
    masks: for each style of `set_style`, in its order, HxW float32 in 0..1, 1 where the style shows, or None for
    everywhere; for methods that use masks. weights: of the styles in this frame, None for those of `set_style`.
    size: of the strokes; 2 paints them twice as large, 1 as the method does by itself.
    """

    previous: Picture | None = None
    visible: np.ndarray | None = None
    masks: Sequence[np.ndarray | None] = ()
    weights: tuple[float, ...] | None = None
    size: float = 1.0


@dataclass(frozen=True)
class Tiling:
    """How pictures are cut for methods that can paint tiles.

    side: of the tiles, in pixels; 0 chooses by the memory that a picture takes. wrap: pictures are textures whose
    borders meet, and stay so.
    """

    side: int = 0
    wrap: bool = False


@dataclass(frozen=True, eq=False)
class Step:
    """A step of a method that paints in steps. picture: makes the picture as it is now, as `stylize` would."""

    step: int  # from 1 ...
    steps: int  # ... to this at most; it may end sooner
    loss: float
    picture: Callable[[], Picture]


class Method(ABC):
    """A way of stylizing pictures: `set_style` once, then `stylize` as often as wanted.

    Pictures are HxWx3 float32 arrays of display-referred sRGB in 0..1, of any size from 16x16 up. A method is
    memoryless: the same frame and guide give the same result whatever came before.

    info and options: its entry in the registry, and the value of every option there; `load` gives both.
    device: "auto" (the first of CUDA or ROCm, XPU, MPS, CPU that is there), "cpu", "cuda", "cuda:1", "xpu", "mps".
    precision: "auto" (half on CUDA, full elsewhere), "float32", "float16".
    tiling: may be set at any time; the default paints very large pictures in tiles.
    """

    clipped = False  # whether what `_sized` gives is within 0..1 and nobody else's

    def __init__(
        self,
        device: str,
        precision: str,
        weights: str | Path | None,
        info: MethodInfo,
        options: Mapping[str, Any],
    ) -> None:
        self.info, self.options = info, options
        self._given: list[Style] = []
        self._weights: tuple[float, ...] = ()
        self._keep_colors = "none"
        self._shot_colors: color.Colors | None = None
        self._kept_styles: tuple[color.Colors, list[Style]] | None = None  # the styles in the frame's colors
        self._in_use: tuple[list[Style], tuple[float, ...], color.Colors | None] | None = None
        self.device = find_device(device)
        self.dtype = _find_dtype(precision, self.device)
        self.tiling = Tiling()
        self._load(weights)

    @abstractmethod
    def _load(self, weights: str | Path | None) -> None:
        """Load this file of weights, or those that ship with the package."""

    @property
    def styles(self) -> tuple[str, ...]:
        """The names of the styles it was trained for; empty where any picture is a style."""
        return ()

    def set_style(self, style: Style | Sequence[tuple[Style, float]], keep_colors: str = "none") -> None:
        """Take a style, or several with their weights (only their ratios count).

        A style is a picture, or for methods of fixed styles one of the names in `styles`; none is needed where they
        have only one.
        keep_colors: "luminance" paints the luminance alone and leaves the frame's chroma as it is, "match" gives the
        style the frame's mean color and covariance first (Gatys et al. 2016, "Preserving Color", sections 4.2, 4.1).
        Raises InputError for a style of another kind, or weights that are negative or all zero.
        """
        pairs: list[tuple[Style, float]] = [(style, 1.0)] if isinstance(style, (np.ndarray, str)) else list(style)
        if any(not isinstance(pair, tuple) or len(pair) != 2 for pair in pairs):
            raise InputError("The styles are not pairs; give one style, or a list of (style, weight).")
        if not pairs and len(self.styles) == 1:
            pairs = [(self.styles[0], 1.0)]
        if not pairs:
            known = f"; choose one of: {', '.join(self.styles)}" if self.styles else " picture; give at least one"
            raise InputError(f"There is no style{known}.")
        for one, _ in pairs:
            self._check_style(one)
        if keep_colors not in KEEP_COLORS:
            raise InputError(f"keep_colors is '{keep_colors}'; give one of {', '.join(KEEP_COLORS)}.")
        if keep_colors == "match" and self.info.styles == "fixed":
            raise InputError(f"The styles of '{self.info.name}' have their own colors; keep_colors can be luminance.")
        self._given, self._weights = [one for one, _ in pairs], normalized([weight for _, weight in pairs])
        self._keep_colors, self._kept_styles = keep_colors, None
        # several for a method that shows one at a time: each frame says which
        if keep_colors == "none" and (self.info.blends or len(pairs) == 1):
            self._use(self._weights, None)

    def _check_style(self, style: Style) -> None:
        if self.info.styles == "any":
            if isinstance(style, str):
                raise InputError(f"The style '{style}' is a name, but '{self.info.name}' paints in the style of any "
                                 "picture; give an array of height x width x 3.")  # fmt: skip
            check_picture(style, "The style picture")
        elif not isinstance(style, str) or style not in self.styles:
            given = f"'{style}'" if isinstance(style, str) else "a picture"
            raise InputError(f"The method '{self.info.name}' has no style {given}; choose one of: "
                             f"{', '.join(self.styles)}.")  # fmt: skip

    def _use(self, weights: tuple[float, ...], colors: color.Colors | None) -> None:
        """Set the styles in these shares and in these colors, unless they are."""
        if self._in_use is not None:
            given, same, before = self._in_use
            if given is self._given and same == weights and before is colors:
                return
        shown = self._given
        if colors is not None:
            if self._kept_styles is None or self._kept_styles[0] is not colors:
                self._kept_styles = colors, [
                    one if isinstance(one, str) else color.recolored(one, colors, self._keep_colors)
                    for one in self._given
                ]
            shown = self._kept_styles[1]
        pairs = [pair for pair in zip(shown, weights, strict=True) if pair[1] > 0]
        if len(pairs) > 1 and not self.info.blends:
            raise InputError(f"The method '{self.info.name}' shows one style at a time; leave out the others.")
        self._set_style(pairs)
        self._in_use = self._given, weights, colors

    @abstractmethod
    def _set_style(self, styles: list[tuple[Any, float]]) -> None:
        """Take checked styles whose weights add up to 1: pictures, or names where the styles are fixed. Where weights
        change from frame to frame it is called with the very same arrays again, so what costs time may be kept by
        array."""

    def fix_statistics(self, frames: Sequence[Picture] | None) -> None:
        """Measure on these frames of a shot what must not change from one frame to the next; None lets go of it.

        What a method normalizes by (AdaIN's content statistics) then no longer depends on the single frame, so
        nothing pumps when something walks in; nor do the colors that are kept.
        """
        self._shot_colors = None
        if frames and self._keep_colors != "none":
            self._shot_colors = color.measure(frames)
        self._fix_statistics(_Gray(frames) if frames and self._keep_colors == "luminance" else frames)

    def _fix_statistics(self, frames: Sequence[Picture] | None) -> None:  # noqa: B027 - most methods measure nothing
        """What `fix_statistics` says, for a method's own statistics."""

    def stylize(
        self,
        frame: Picture,
        strength: float = 1.0,
        guide: Guide | None = None,
        on_step: Callable[[Step], None] | None = None,
    ) -> Picture:
        """The frame in the style, same shape. strength: 0 is the frame itself, 1 the full style.

        on_step: called after each step by methods that paint in steps.
        Raises InputError for an array that is no picture or a strength outside 0..1, RuntimeError before any style.
        """
        work = self.steps(frame, strength, guide)
        while True:
            try:
                step = next(work)
            except StopIteration as end:
                result: Picture = end.value
                return result
            if on_step is not None:
                on_step(step)

    def steps(
        self, frame: Picture, strength: float = 1.0, guide: Guide | None = None
    ) -> Generator[Step, None, Picture]:
        """The same as `stylize` as a generator: yields the steps and returns the result. Closing it stops the work."""
        check_picture(frame, "The frame")
        if not 0 <= strength <= 1:
            raise InputError(f"Strength is {strength}; give a value from 0 to 1.")
        if not self._given:
            raise RuntimeError("set_style comes before stylize")
        guide, weights = self._checked(guide or Guide(), (frame.shape[0], frame.shape[1]))
        if strength == 0:
            return frame.copy()
        if self._keep_colors == "none":
            self._use(weights, None)
        else:
            self._use(weights, self._shot_colors or color.measure([frame]))
        seen = frame
        if self._keep_colors == "luminance":
            seen = color.gray_picture(frame)
            if guide.previous is not None:
                guide = replace(guide, previous=color.gray_picture(guide.previous))

        def finished(out: Picture) -> Picture:
            made = out
            if self._keep_colors == "luminance":
                out = color.with_chroma(color.luma(out), frame)
            if guide.masks and all(mask is not None for mask in guide.masks):
                cover = np.minimum(sum(_unique(guide.masks)), 1)[..., None]
                out = frame + cover * (out - frame)
            if self.clipped and out is made:
                return out
            return np.ascontiguousarray(np.clip(out, 0, 1), dtype=np.float32)

        with closing(self._steps(seen, strength, guide)) as work:
            while True:
                try:
                    step = next(work)
                except StopIteration as end:
                    return finished(end.value)
                yield replace(step, picture=_then(step.picture, finished))

    def _checked(self, guide: Guide, size: tuple[int, int]) -> tuple[Guide, tuple[float, ...]]:
        """The guide with the masks of the styles that have a weight, and the weights, which add up to 1."""
        weights = self._weights
        if guide.weights is not None:
            if len(guide.weights) != len(weights):
                raise InputError(
                    f"There are {len(guide.weights)} weights for {len(weights)} styles; give one for each."
                )
            weights = normalized(guide.weights)
        if not SIZES[0] <= guide.size <= SIZES[1]:
            raise InputError(f"The size is {guide.size}; give a value from {SIZES[0]:g} to {SIZES[1]:g}.")
        if guide.previous is not None:
            check_picture(guide.previous, "The previous result")
            if guide.previous.shape[:2] != size or guide.visible is None or guide.visible.shape != size:
                raise InputError("The previous result does not fit the frame; give both, and where it is visible, in "
                                 "the frame's size.")  # fmt: skip
        if not guide.masks:
            return guide, weights
        if not self.info.uses_masks:
            raise InputError(f"The method '{self.info.name}' shows its styles everywhere; leave the masks out.")
        if len(guide.masks) != len(weights):
            raise InputError(f"There are {len(guide.masks)} masks for {len(weights)} styles; give one for each.")
        for mask in guide.masks:
            if mask is not None and (mask.shape != size or mask.dtype != np.float32):
                raise InputError(f"A mask is {mask.shape} {mask.dtype}; give float32 of the frame's {size}.")
            if mask is not None and not (mask.min() >= 0 and mask.max() <= 1):
                raise InputError("A mask has values outside 0..1; give 1 where the style shows and 0 where not.")
        masks = [mask for mask, weight in zip(guide.masks, weights, strict=True) if weight > 0]
        return replace(guide, masks=masks), weights

    def _steps(self, frame: Picture, strength: float, guide: Guide) -> Generator[Step, None, Picture]:
        """Stylize a checked frame with a strength above 0. Methods override this, or `_sized`, or `_stylize`."""
        yield from ()
        return self._sized(frame, strength, guide.size)

    def _sized(self, frame: Picture, strength: float, size: float) -> Picture:
        """In one go, with strokes of another size. Methods that know of sizes themselves override this."""
        height, width = frame.shape[:2]
        side = max(SMALLEST, min(height, width) / size)
        return sized(partial(self._stylize, strength=strength), frame, side, calm=calmed(size))

    def _stylize(self, frame: Picture, strength: float) -> Picture:
        """Stylize a checked frame with a strength above 0, in one go."""
        raise NotImplementedError


class _Gray(Sequence[Picture]):
    """Pictures without their chroma, made gray as they are asked for."""

    def __init__(self, pictures: Sequence[Picture]) -> None:
        self.pictures = pictures

    def __len__(self) -> int:
        return len(self.pictures)

    @overload
    def __getitem__(self, index: int) -> Picture: ...
    @overload
    def __getitem__(self, index: slice) -> _Gray: ...
    def __getitem__(self, index: int | slice) -> Picture | _Gray:
        if isinstance(index, slice):
            return _Gray(self.pictures[index])
        return color.gray_picture(self.pictures[index])


def normalized(weights: Sequence[float]) -> tuple[float, ...]:
    """The weights' shares, which add up to 1; raises InputError for weights that have none."""
    for weight in weights:
        if not np.isfinite(weight) or weight < 0:
            raise InputError(f"A style's weight is {weight}; give zero or more.")
    total = sum(weights)
    if total <= 0:
        raise InputError("The weights of the styles are all zero; give at least one above zero.")
    return tuple(weight / total for weight in weights)


def _then(picture: Callable[[], Picture], finished: Callable[[Picture], Picture]) -> Callable[[], Picture]:
    return lambda: finished(picture())


def _unique(masks: Sequence[np.ndarray | None]) -> list[np.ndarray]:
    """The masks, those that several styles share once."""
    return list({id(mask): mask for mask in masks if mask is not None}.values())


def check_picture(picture: Picture, what: str) -> None:
    """Raise InputError unless this is HxWx3 float32, finite, in 0..1 and at least 16x16."""
    if not isinstance(picture, np.ndarray) or picture.ndim != 3 or picture.shape[2] != 3:
        shape = getattr(picture, "shape", type(picture).__name__)
        raise InputError(f"{what} has the shape {shape}; give an array of height x width x 3.")
    if picture.dtype != np.float32:
        raise InputError(f"{what} is of {picture.dtype}; give float32 in 0..1.")
    if min(picture.shape[:2]) < SMALLEST:
        raise InputError(f"{what} is {picture.shape[1]}x{picture.shape[0]}; "
                         f"give at least {SMALLEST}x{SMALLEST} pixels.")  # fmt: skip
    low, high = float(picture.min()), float(picture.max())
    if not (low >= -1e-4 and high <= 1 + 1e-4):  # written so that NaN fails too
        raise InputError(f"{what} has values from {low:g} to {high:g}; give display-referred sRGB in 0..1.")


def find_device(name: str) -> torch.device:
    """The device of this name; raises InputError when this machine does not have it."""
    if name == "auto":
        found = {"cuda": torch.cuda.is_available(), "xpu": torch.xpu.is_available(),
                 "mps": torch.backends.mps.is_available()}  # fmt: skip
        return torch.device(next((kind for kind, is_there in found.items() if is_there), "cpu"))
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"There is no device called '{name}'; give auto, cpu, cuda, cuda:1, xpu or mps.") from None
    there = {"cpu": 1, "cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()),
             "xpu": torch.xpu.device_count()}  # fmt: skip
    if (device.index or 0) >= there.get(device.type, 0):
        raise InputError(f"This machine's PyTorch {torch.__version__} has no device '{name}'; use auto or cpu.")
    return device


def _find_dtype(precision: str, device: torch.device) -> torch.dtype:
    if precision == "auto":
        return torch.float16 if device.type == "cuda" else torch.float32
    if precision not in ("float32", "float16"):
        raise InputError(f"There is no precision called '{precision}'; give auto, float32 or float16.")
    if precision == "float16" and device.type == "cpu":
        raise InputError("Half precision is slow and coarse on a CPU; give float32 or auto.")
    return torch.float16 if precision == "float16" else torch.float32

# SPDX-License-Identifier: GPL-3.0-or-later
"""``gatys``: paints by optimization, as the field began (Gatys, Ecker and Bethge 2015; CVPR 2016).

No network is trained. The picture itself is changed step by step until VGG-19 sees the frame's content (relu4_2) in
it and the style's gram matrices (relu1_1 to relu5_1). Minutes a frame on a CPU, and what the fast methods are
measured against. In a shot each frame starts from the previous result carried along the motion and is held to it
(Ruder, Dosovitskiy and Brox 2016).
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from ..errors import InputError
from ..perceptual.vgg import VGG19
from ..registry import MethodInfo
from .base import SMALLEST, Guide, Method, Picture, Step
from .colors import luma
from .components import recolored
from .gatys_descent import LBFGS, Adam, Descent
from .gatys_loss import Grams, Objective, Region, observe

_CONTENT = 0.01  # weight of the content loss, and ...
_STYLE = 10.0  # ... of a style layer's, which is over its channels to the fourth
_SMOOTH = 10.0  # of the squared differences of neighbors, and ...
_TEMPORAL = 1000.0  # ... to the frame before, in values 0..255
_LAYERS = {
    layer: channels**-4.0
    for layer, channels in {"relu1_1": 64, "relu2_1": 128, "relu3_1": 256, "relu4_1": 512, "relu5_1": 512}.items()
}
_COMPONENT = {"relu1_1": "texture", "relu2_1": "texture", "relu3_1": "stroke", "relu4_1": "form", "relu5_1": "form"}
_INSIST = {"stroke": 30}  # weighs so many times more by its slider's way from 1: its neighbors would hold it in place
_COARSEST = 128  # pixels of the coarsest level's shorter side, at least
_COARSE = 0.2  # of the steps, for all coarser levels together
_FLAT = 10  # steps over which the loss has to fall by the tolerance
_GRAIN = 0.15  # standard deviation of the noise to start from
_HISTORY = 20  # pairs of pictures that L-BFGS remembers
_KEPT = 16  # style pictures whose grams are kept
_RATE = 0.02  # of Adam, of the values' range


@lru_cache(maxsize=1)
def _network(device: torch.device) -> VGG19:
    """Unpacking the weights takes seconds, and nothing changes them."""
    return VGG19().to(device)


class Gatys(Method):
    """Image style transfer using convolutional neural networks (Gatys et al. 2016)."""

    _styles: list[tuple[Picture, float]] | None = None
    _grams: dict[tuple[int, tuple[int, int], float], Grams]  # by style, the level's size and that of the strokes
    _held: dict[int, Picture]  # the styles of `_grams` by their id, which lasts as long as they are held

    def __init__(
        self, device: str, precision: str, weights: str | Path | None, info: MethodInfo, options: Mapping[str, Any]
    ) -> None:
        if precision == "float16":
            raise InputError("The method 'gatys' follows slopes that half precision cannot hold; give float32 or auto.")
        super().__init__(device, "float32", weights, info, options)

    def _load(self, weights: str | Path | None) -> None:
        self._vgg = _network(self.device)
        self._grams, self._held = {}, {}

    def _set_style(self, styles: list[tuple[Picture, float]]) -> None:
        self._styles = styles
        if len(self._held) > _KEPT or len(self._grams) > 8 * _KEPT:
            self._grams, self._held = {}, {}
        self._held.update((id(picture), picture) for picture, _ in styles)

    def _steps(self, frame: Picture, strength: float, guide: Guide) -> Generator[Step, None, Picture]:
        content, previous = frame, guide.previous
        start = previous if self.options["init"] == "previous" else None
        height, width = frame.shape[:2]
        sizes = [(height, width)] if start is not None else self._sizes(height, width)
        counts = self._counts(len(sizes))
        x, done = self._first(content, start, guide.visible, sizes[0]), 0
        for level, (size, count) in enumerate(zip(sizes, counts, strict=True)):
            if level:
                x = self._finer(x, content, size)
            wanted = self._wanted(content, size, strength, guide)
            if previous is not None and guide.visible is not None:
                # where color is not 1 its chroma is not the one that was painted
                held = previous if self.options["color"] == 1 else luma(previous)[..., 0]
                wanted.previous = _tensor(_resized(held, size), x.device)
                wanted.visible = _tensor(_resized(guide.visible, size), x.device)
            for number, loss, best in self._descend(x, wanted, count):
                x = best

                def look(x: Tensor = x) -> Picture:
                    return self._colored(_resized(_picture(x), (height, width)), frame)

                yield Step(done + number, sum(counts), loss, look)
            done += count
        return self._colored(_picture(x), frame)

    def _colored(self, picture: Picture, frame: Picture) -> Picture:
        """With as much of its chroma as the slider says; its luminance stays as it was painted."""
        amount = float(self.options["color"])
        return picture if amount == 1 else recolored(luma(picture)[..., 0], picture, frame, amount)

    def _sizes(self, height: int, width: int) -> list[tuple[int, int]]:
        """Of the levels, coarsest first."""
        levels = int(self.options["levels"])
        if levels == 0:
            levels = 1
            while min(height, width) >> levels >= _COARSEST:
                levels += 1
        return [(max(SMALLEST, height >> i), max(SMALLEST, width >> i)) for i in reversed(range(levels))]

    def _counts(self, levels: int) -> list[int]:
        """Steps of each level, coarsest first; as many as the option says altogether, most of them on the finest."""
        steps, coarser = int(self.options["steps"]), levels - 1
        if not coarser:
            return [steps]
        each = round(_COARSE * steps / coarser)
        return [each] * coarser + [steps - each * coarser]

    def _first(
        self, content: Picture, start: Picture | None, visible: np.ndarray | None, size: tuple[int, int]
    ) -> Tensor:
        if self.options["init"] == "noise":
            rng = np.random.default_rng(int(self.options["seed"]))
            grain = rng.normal(0.5, _GRAIN, (*size, 3)).clip(0, 1)
            return _tensor(grain.astype(np.float32), self.device)
        if start is not None and visible is not None:
            content = content + visible[..., None] * (start - content)
        return _tensor(_resized(content, size), self.device)

    def _finer(self, x: Tensor, content: Picture, size: tuple[int, int]) -> Tensor:
        """The next level's start: enlarged, with the detail of the frame that the coarser level could not hold."""
        picture = _picture(x)
        coarse = (picture.shape[0], picture.shape[1])
        if self.options["init"] != "noise":
            content = _resized(content, size)
            detail = content - _resized(_resized(content, coarse), size)
            return _tensor(np.clip(_resized(picture, size) + detail, 0, 1), self.device)
        return _tensor(_resized(picture, size).clip(0, 1), self.device)

    def _wanted(self, content: Picture, size: tuple[int, int], strength: float, guide: Guide) -> Objective:
        assert self._styles is not None
        masks = [None if mask is None else _resized(mask, size) for mask in guide.masks or [None] * len(self._styles)]
        guides = _unique(masks)
        tensors = [None if g is None else _tensor(g, self.device) for g in guides]
        own, features = observe(self._vgg, _tensor(_resized(content, size), self.device), tensors)
        regions = [Region(tensor, []) for tensor in tensors]
        amounts = {layer: float(self.options[component]) for layer, component in _COMPONENT.items()}
        for index, share in enumerate(_shares(masks, [weight for _, weight in self._styles])):
            at = next(i for i, g in enumerate(guides) if g is masks[index])
            grams = {
                layer: torch.lerp(own[at][layer], gram, strength * amounts[layer])
                for layer, gram in self._style_grams(index, size, guide.size).items()
            }
            regions[at].wanted.append((share, grams))
        layers = {
            layer: weight * (1 + _INSIST.get(_COMPONENT[layer], 0) * abs(amounts[layer] - 1))
            for layer, weight in _LAYERS.items()
        }
        return Objective(
            self._vgg,
            features,
            regions,
            layers,
            content_weight=_CONTENT * float(self.options["content_weight"]),
            style_weight=_STYLE * float(self.options["style_weight"]),
            smooth_weight=_SMOOTH * float(self.options["smooth"]),
            temporal_weight=_TEMPORAL * float(self.options["temporal"]),
        )

    def _style_grams(self, index: int, size: tuple[int, int], strokes: float) -> Grams:
        assert self._styles is not None
        style = self._styles[index][0]
        key = id(style), size, strokes
        if key not in self._grams:
            # as many pixels as the frame: a stroke then takes the same part of the picture at every size
            scale = strokes * (size[0] * size[1] / (style.shape[0] * style.shape[1])) ** 0.5
            fitting = (max(SMALLEST, round(style.shape[0] * scale)), max(SMALLEST, round(style.shape[1] * scale)))
            self._grams[key] = observe(self._vgg, _tensor(_resized(style, fitting), self.device), [None])[0][0]
        return self._grams[key]

    def _descend(self, x: Tensor, wanted: Objective, count: int) -> Iterator[tuple[int, float, Tensor]]:
        """(step, the lowest loss so far, its picture) after each step; ends early where the loss is flat."""
        descent: Descent = Adam(_RATE) if self.options["optimizer"] == "adam" else LBFGS(_HISTORY)
        losses: list[float] = []
        lowest, best = float("inf"), x
        for number in range(1, count + 1):
            loss, gradient = wanted(x)
            if loss < lowest:
                lowest, best = loss, x
            losses.append(lowest)
            yield number, lowest, best
            if len(losses) > _FLAT and losses[-1 - _FLAT] - lowest < float(self.options["tolerance"]) * _FLAT * lowest:
                return
            if number < count:
                x = descent.step(x, loss, gradient)


def _shares(masks: Sequence[np.ndarray | None], weights: Sequence[float]) -> list[float]:
    """Each style's part of the style loss: by weight where styles meet, by area where each has its own."""
    if all(mask is None for mask in masks):
        return list(weights)
    shape = next(mask.shape for mask in masks if mask is not None)
    full = [np.ones(shape, np.float32) if mask is None else mask for mask in masks]
    total = sum(weight * mask for weight, mask in zip(weights, full, strict=True))
    cover = np.maximum.reduce(full) / np.maximum(total, 1e-6)
    return [float((weight * mask * cover).mean()) for weight, mask in zip(weights, full, strict=True)]


def _unique(masks: Sequence[np.ndarray | None]) -> list[np.ndarray | None]:
    found: list[np.ndarray | None] = []
    for mask in masks:
        if not any(mask is other for other in found):
            found.append(mask)
    return found


def _resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """HxW or HxWxC at another height and width."""
    if picture.shape[:2] == size:
        return picture
    smaller = size[0] * size[1] < picture.shape[0] * picture.shape[1]
    way = cv2.INTER_AREA if smaller else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size[::-1], interpolation=way).clip(0, 1), np.float32)


def _tensor(picture: np.ndarray, device: torch.device) -> Tensor:
    """HxW or HxWxC as (1, C, H, W)."""
    if picture.ndim == 2:
        picture = picture[..., None]
    return torch.from_numpy(np.require(picture, requirements=("C", "W"))).permute(2, 0, 1)[None].contiguous().to(device)


def _picture(x: Tensor) -> Picture:
    return np.ascontiguousarray(x[0].permute(1, 2, 0).cpu().numpy())

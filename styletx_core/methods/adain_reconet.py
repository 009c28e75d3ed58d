# SPDX-License-Identifier: GPL-3.0-or-later
"""``adain_reconet``: any style by AdaIN at every depth of a small ReCoNet-like network, trained to be steady."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from .. import weights as files
from . import components
from .adain_reconet_net import REDUCTION, Layer, Layers, Network, Statistics, fold, run, run_folded
from .base import SMALLEST, Picture
from .feedforward import FeedForward, Frame
from .floors import floors, statistics
from .frames import thumbnail, to_picture, to_tensor, together
from .knots import knots
from .strokes import resized

STYLE_SIDE = 256  # the style encoder sees the style picture with its shorter side this long
_LONGEST_STYLE = 2048  # its longer side, at most
_KEPT_CODES = 16  # style pictures whose codes are kept
_KEPT_PATHS = 8  # mixes whose content paths are kept, 11 MB each
_KNOTS = 8  # statistics are measured at mixes of so many parts
_OWN = 0  # stands for the shot's own code where styles stand by their id


class AdaINReCoNet(FeedForward):
    """The headline method: AdaIN (Huang and Belongie 2017) combined with ReCoNet (Gao et al. 2018)."""

    grid = REDUCTION
    _codes: dict[int, tuple[Picture, Tensor]]  # of style pictures, by the array's id; held, so that ids last
    _mix: tuple[tuple[int, float], ...] = ()  # ids of the styles in use, and their shares
    _own: Tensor | None = None  # the shot's own, where its statistics are fixed
    _paths: dict[tuple[tuple[int, float], ...], Layers]  # content paths ready to run, by mix
    _knots: dict[tuple[tuple[int, float], ...], Sequence[Statistics]]  # the shot's statistics, by mix

    @property
    def reach(self) -> int:
        return self._network.reach

    def _load(self, weights: str | Path | None) -> None:
        path = Path(weights) if weights is not None else self.info.weights_file()
        assert path is not None
        # styles are encoded and filters mixed in full precision: it happens once a style
        self._network = files.load(Network, path, "adain_reconet").to(self.device)
        self._codes, self._paths, self._knots = {}, {}, {}

    @torch.inference_mode()
    def _set_style(self, styles: list[tuple[Picture, float]]) -> None:
        if len(self._codes) > _KEPT_CODES:
            self._codes, self._paths, self._knots = {}, {}, {}
        for picture, _ in styles:
            if id(picture) not in self._codes:
                self._codes[id(picture)] = picture, self._encode(picture)
        self._mix = tuple((id(picture), weight) for picture, weight in styles)

    @property
    def _code(self) -> Tensor:
        """The code of the styles in use, (CODE,)."""
        return torch.stack([self._codes[key][1] * weight for key, weight in self._mix]).sum(0)

    @torch.inference_mode()
    def _fix_statistics(self, frames: Sequence[Picture] | None) -> None:
        self._thumbnails = self._own = None
        self._paths, self._knots = {}, {}
        if frames:
            thumbnails, codes = [], []
            for frame in frames:  # once only: a shot's frames may be read from disk as they are asked for
                small = thumbnail(frame)
                thumbnails.append(small)
                codes.append(self._encode(small))
            self._thumbnails = together(thumbnails, self.device, REDUCTION)
            self._own = torch.stack(codes).mean(0)

    def _full(self, frame: Frame, strength: float, size: float) -> Frame:
        if components.plain(self.options):
            return self._styled(frame, strength, size)
        found = components.painted(lambda amount: _array(self._styled(frame, amount, size)), _array(frame),
                                   strength, self.options, self.tiling.wrap)  # fmt: skip
        return to_tensor(found, self.device) if isinstance(frame, Tensor) else found

    def _styled(self, frame: Frame, amount: float, size: float) -> Frame:
        """The frame with so much of the style; may leave 0..1."""
        out = self._paint(frame, amount, size)
        if amount < 1:
            # what the network misses of the frame in the frame's own style is given back in full at strength 0, so
            # that the result goes to the very frame without the double exposure of a cross-fade
            out = out + float(1 - amount) * (frame - self._paint(frame, 0.0, size))
        return out

    def _paint(self, frame: Frame, amount: float, size: float) -> Frame:
        """The frame painted in one strength; may leave 0..1."""
        return self._in_octaves(lambda tile, whole: self._run(tile, whole, amount), frame, size)

    def _run(self, x: Tensor, frame: Picture | Tensor, amount: float) -> Tensor:
        if self._thumbnails is not None and self._own is not None:
            parts = {key: weight * amount for key, weight in self._mix} if amount > 0 else {}
            parts |= {_OWN: 1 - amount} if amount < 1 else {}
            key = tuple(parts.items())
            if key not in self._paths:
                if len(self._paths) > _KEPT_PATHS:  # what is keyed has a path of its own on every frame
                    self._paths.clear()
                layers = self._network.assemble(self._mixed(parts))
                self._paths[key] = fold(layers, self._measured(parts)).map(self._cast)
            return run_folded(x.to(self.dtype), self._paths[key])
        code = self._code
        if amount < 1:
            code = code * amount + self._encode(_array(frame)) * (1 - amount)
        layers = self._network.assemble(code)
        return run(x, layers, floors=floors(layers))[0]

    def _mixed(self, parts: Mapping[int, float]) -> Tensor:
        """The code of styles, and of the shot's own, in these parts."""
        assert self._own is not None
        return torch.stack([(self._own if k == _OWN else self._codes[k][1]) * part for k, part in parts.items()]).sum(0)

    def _measured(self, parts: Mapping[int, float]) -> list[Statistics]:
        """The shot's statistics when it is painted with this mix.

        To measure them takes as long as to paint every thumbnail, which what is keyed would do on each frame; they
        change evenly with the mix, so they are measured at evenly spaced mixes and interpolated.
        """
        assert self._thumbnails is not None
        found: list[tuple[float, Sequence[Statistics]]] = []
        for share, knot in knots(list(parts.values()), _KNOTS):
            mix = {key: count / _KNOTS for key, count in zip(parts, knot, strict=True) if count}
            key = tuple(sorted(mix.items()))
            if key not in self._knots:
                layers = self._network.assemble(self._mixed(mix))
                self._knots[key] = statistics(self._thumbnails.float(), layers)
            found.append((share, self._knots[key]))
        shares = [share for share, _ in found]
        same = zip(*(of_knot for _, of_knot in found), strict=True)  # of each layer
        return [Statistics(*(_weighed(shares, one) for one in zip(*layer, strict=True))) for layer in same]

    def _cast(self, layer: Layer) -> Layer:
        weight = layer.weight.to(self.dtype).contiguous(memory_format=torch.channels_last)
        return Layer(weight, None, layer.shift.to(self.dtype))

    def _encode(self, picture: Picture) -> Tensor:
        height, width = picture.shape[:2]
        scale = STYLE_SIDE / min(height, width)
        if max(height, width) * scale > _LONGEST_STYLE:  # a strip: its shorter side is seen smaller
            scale = _LONGEST_STYLE / max(height, width)
        picture = resized(picture, scale)
        if min(picture.shape[:2]) < SMALLEST:
            picture = cv2.resize(picture, np.maximum(picture.shape[1::-1], SMALLEST).tolist())
        return self._network.style(to_tensor(picture, self.device))


def _array(frame: Picture | Tensor) -> Picture:
    """What only the processor does is done with arrays: parting components, encoding."""
    return to_picture(frame) if isinstance(frame, Tensor) else frame


def _weighed(shares: Sequence[float], tensors: Sequence[Tensor]) -> Tensor:
    if len(shares) == 1:
        return tensors[0]
    return torch.stack([tensor * share for share, tensor in zip(shares, tensors, strict=True)]).sum(0)

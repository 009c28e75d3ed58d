# SPDX-License-Identifier: GPL-3.0-or-later
"""What the methods have in common whose weights know their styles by name: ``johnson``, ``dumoulin``, ``reconet``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from .. import weights as files
from ..errors import InputError
from .base import Picture
from .feedforward import FeedForward, Frame
from .frames import thumbnail, together
from .knots import knots
from .transform_net import REDUCTION, TransformNet

_KNOTS = 8  # a shot's statistics are measured at mixes of so many parts


class _Opened(NamedTuple):
    """A file of weights."""

    network: TransformNet
    names: tuple[str, ...]  # of its styles, in the network's order


class FixedStyles(FeedForward):
    """Paints in the styles that a file of weights was trained for; each shipped file has one style or several.

    Strength mixes the frame and its painted picture, for these networks know no style in between.
    """

    grid = REDUCTION
    _now: tuple[Path, tuple[float, ...]] | None = None  # the file and the shares of its styles in use
    _statistics: dict[tuple[Path, tuple[int, ...]], list[Tensor]]  # of the thumbnails, by file and mix

    def _load(self, weights: str | Path | None) -> None:
        self._opened: dict[Path, _Opened] = {}
        self._statistics = {}
        if weights is None:
            self.info.weights_file()  # says so where none ship
            self._files = self.info.shipped
        else:
            self._files = dict.fromkeys(self._open(Path(weights)).names, Path(weights))

    def _open(self, path: Path) -> _Opened:
        if path not in self._opened:
            network = files.load(TransformNet, path, self.info.name)
            names = files.style_names(path)
            if not names or len(names) != network.config["styles"] or len(set(names)) != len(names):
                raise files.unfit(path, self.info.name)
            self._opened[path] = _Opened(network.to(self.device, self.dtype), names)
        return self._opened[path]

    @property
    def styles(self) -> tuple[str, ...]:
        return tuple(self._files)

    @property
    def reach(self) -> int:
        assert self._now is not None
        return self._open(self._now[0]).network.reach

    def _set_style(self, styles: list[tuple[str, float]]) -> None:
        path = self._files[styles[0][0]]
        other = next((name for name, _ in styles if self._files[name] != path), None)
        if other is not None:
            raise InputError(f"The styles '{styles[0][0]}' and '{other}' are in different files of weights, which "
                             "cannot be mixed; choose styles of one.")  # fmt: skip
        shares = (sum(weight for name, weight in styles if name == one) for one in self._open(path).names)
        self._now = path, tuple(shares)

    @torch.inference_mode()
    def _fix_statistics(self, frames: Sequence[Picture] | None) -> None:
        self._thumbnails, self._statistics = None, {}
        if frames:
            self._thumbnails = together([thumbnail(frame) for frame in frames], self.device, REDUCTION).to(self.dtype)

    def _full(self, frame: Frame, strength: float, size: float) -> Frame:
        assert self._now is not None
        path, shares = self._now
        network = self._open(path).network
        mix = torch.tensor([shares], device=self.device, dtype=self.dtype)
        network.fix(None)
        if self._thumbnails is not None:
            # they change evenly with the mix, so a keyed one need not be measured anew on every frame
            found = []
            for share, knot in knots(shares, _KNOTS):
                if (path, knot) not in self._statistics:
                    whole = torch.tensor([knot], device=self.device, dtype=self.dtype) / _KNOTS
                    self._statistics[path, knot] = network.measure(self._thumbnails, whole)
                found.append([share * one for one in self._statistics[path, knot]])
            network.fix([torch.stack(layer).sum(0) for layer in zip(*found, strict=True)])

        def paint(tile: Tensor, whole: Picture | Tensor) -> Tensor:
            painted: Tensor = network(tile.to(self.dtype), mix)[0]
            return painted

        return frame + float(strength) * (self._in_octaves(paint, frame, size) - frame)

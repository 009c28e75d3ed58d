# SPDX-License-Identifier: GPL-3.0-or-later
"""``adain_reconet``: any style by AdaIN at every depth of a small ReCoNet-like network, trained to be steady."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from ..errors import InputError
from ..memory import tile_side
from ..registry import method_info
from ..tiles import cut, in_tiles
from . import components
from .adain_reconet_net import REDUCTION, Layer, Layers, Network, Statistics, fold, run, run_folded
from .base import SMALLEST, Method, Picture
from .knots import knots
from .strokes import calmed, resized, sized

STYLE_SIDE = 256  # the style encoder sees the style picture with its shorter side this long
_LONGEST_STYLE = 2048  # its longer side, at most
PAINTED_SIDE = 540  # pictures whose shorter side is longer are painted at this size first
THUMBNAIL = 640  # frames are shrunk to this longer side to measure their statistics
_SAME_SIZE = 0.8  # a picture that would shrink by less is painted at its own size alone
_FLAT = 1e-3  # standard deviation below which frames show nothing that could be measured
_KEPT_CODES = 16  # style pictures whose codes are kept
_KEPT_PATHS = 8  # mixes whose content paths are kept, 11 MB each
_KNOTS = 8  # statistics are measured at mixes of so many parts
_OWN = 0  # stands for the shot's own code where styles stand by their id
_MARGIN = 16  # pixels of mirrored picture around the frame, so that the frame's border shows no seam


class AdaINReCoNet(Method):
    """The headline method: AdaIN (Huang and Belongie 2017) combined with ReCoNet (Gao et al. 2018)."""

    _codes: dict[int, tuple[Picture, torch.Tensor]]  # of style pictures, by the array's id; held, so that ids last
    _mix: tuple[tuple[int, float], ...] = ()  # ids of the styles in use, and their shares
    _own: torch.Tensor | None = None  # the shot's own, where its statistics are fixed
    _thumbnails: torch.Tensor | None = None
    _paths: dict[tuple[tuple[int, float], ...], Layers]  # content paths ready to run, by mix
    _knots: dict[tuple[tuple[int, float], ...], list[Statistics]]  # the shot's statistics, by mix

    def _load(self, weights: str | Path | None) -> None:
        path = Path(weights) if weights is not None else method_info("adain_reconet").weights
        try:
            with safe_open(str(path), "pt") as file:
                meta = file.metadata() or {}
                tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise InputError(f"The weights {path} cannot be read ({error}); give a safetensors file that "
                             "training.train_adain_reconet wrote.") from error  # fmt: skip
        if meta.get("method") != "adain_reconet":
            raise InputError(f"The weights {path} are for the method '{meta.get('method', 'unknown')}', not for "
                             "'adain_reconet'; choose that method or other weights.")  # fmt: skip
        try:
            network = Network(**json.loads(meta["config"]))
            network.load_state_dict(tensors)
        except (RuntimeError, KeyError, ValueError, TypeError) as error:
            raise InputError(f"The weights {path} do not fit this version of 'adain_reconet'; train them again or "
                             "use the version of StyleTX that made them.") from error  # fmt: skip
        # styles are encoded and filters mixed in full precision: it happens once a style
        self._network = network.eval().requires_grad_(False).to(self.device)
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
    def _code(self) -> torch.Tensor:
        """The code of the styles in use, (CODE,)."""
        return torch.stack([self._codes[key][1] * weight for key, weight in self._mix]).sum(0)

    @torch.inference_mode()
    def _fix_statistics(self, frames: Sequence[Picture] | None) -> None:
        self._thumbnails = self._own = None
        self._paths, self._knots = {}, {}
        if frames:
            thumbnails, codes = [], []
            for frame in frames:  # once only: a shot's frames may be read from disk as they are asked for
                thumbnail = resized(frame, min(1.0, THUMBNAIL / max(frame.shape[:2])))
                height, width = thumbnail.shape[:2]
                bottom, right = (side + -side % REDUCTION + _MARGIN for side in (height, width))
                thumbnails.append(self._tensor(cut(thumbnail, (-_MARGIN, bottom), (-_MARGIN, right), wrap=False)))
                codes.append(self._encode(thumbnail))
            self._thumbnails, self._own = torch.cat(thumbnails), torch.stack(codes).mean(0)
            if float(self._thumbnails.std((0, 2, 3)).max()) < _FLAT:
                self._thumbnails = self._tensor(_clouds(*self._thumbnails.shape[2:]))

    @torch.inference_mode()
    def _sized(self, frame: Picture, strength: float, size: float) -> Picture:
        height, width = frame.shape[:2]
        if self.tiling.wrap and (height % REDUCTION or width % REDUCTION):
            raise InputError(f"The texture is {width}x{height}; give sides that are multiples of {REDUCTION}, as "
                             "others cannot stay tileable.")  # fmt: skip
        enlarged = max(1.0, self._painted_side(frame, size) / min(height, width))
        if self._thumbnails is None and self._tile(height * enlarged, width * enlarged) < max(height, width) * enlarged:
            # tiles have no statistics in common but those that are fixed
            self._fix_statistics([frame])
            try:
                return self._sized(frame, strength, size)
            finally:
                self._fix_statistics(None)
        out = components.painted(
            lambda amount: self._styled(frame, amount, size), frame, strength, self.options, self.tiling.wrap
        )
        return np.ascontiguousarray(np.clip(out, 0, 1), dtype=np.float32)

    def _styled(self, frame: Picture, amount: float, size: float) -> np.ndarray:
        """The frame with so much of the style; may leave 0..1."""
        out = self._paint(frame, amount, size)
        if amount < 1:
            # what the network misses of the frame in the frame's own style is given back in full at strength 0, so
            # that the result goes to the very frame without the double exposure of a cross-fade
            out = out + np.float32(1 - amount) * (frame - self._paint(frame, 0.0, size))
        return out

    def _paint(self, frame: Picture, amount: float, size: float) -> np.ndarray:
        """The frame painted with strokes of the same share of its height, whatever its size; may leave 0..1."""
        wrap = self.tiling.wrap
        return sized(lambda picture: self._whole(picture, amount), frame, self._painted_side(frame, size),
                     REDUCTION if wrap else 1, wrap, calmed(size))  # fmt: skip

    @staticmethod
    def _painted_side(frame: Picture, size: float) -> float:
        """How long the shorter side of a picture is whose strokes are as large as the frame's are to be."""
        side = float(min(frame.shape[:2]))
        if side * _SAME_SIZE > PAINTED_SIDE:
            side = PAINTED_SIDE
        return max(SMALLEST, side / size)

    def _whole(self, frame: Picture, amount: float) -> np.ndarray:
        """The frame painted at its own size, in tiles where it is too large."""
        return in_tiles(
            lambda tile: self._run(self._tensor(tile), frame, amount)[0].float().permute(1, 2, 0).cpu().numpy(),
            frame, self._tile(*frame.shape[:2]), self._network.reach, _MARGIN, REDUCTION, self.tiling.wrap,
        )  # fmt: skip

    def _tile(self, height: float, width: float) -> int:
        """The side of the tiles of a picture of this size."""
        return tile_side(round(width), round(height), self.info.name, self.tiling.side)

    def _run(self, x: torch.Tensor, frame: Picture, amount: float) -> torch.Tensor:
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
            code = code * amount + self._encode(frame) * (1 - amount)
        return run(x, self._network.assemble(code))[0]

    def _mixed(self, parts: Mapping[int, float]) -> torch.Tensor:
        """The code of styles, and of the shot's own, in these parts."""
        assert self._own is not None
        return torch.stack([(self._own if k == _OWN else self._codes[k][1]) * part for k, part in parts.items()]).sum(0)

    def _measured(self, parts: Mapping[int, float]) -> list[Statistics]:
        """The shot's statistics when it is painted with this mix.

        To measure them takes as long as to paint every thumbnail, which what is keyed would do on each frame; they
        change evenly with the mix, so they are measured at evenly spaced mixes and interpolated.
        """
        assert self._thumbnails is not None
        found: list[tuple[float, list[Statistics]]] = []
        for share, knot in knots(list(parts.values()), _KNOTS):
            mix = {key: count / _KNOTS for key, count in zip(parts, knot, strict=True) if count}
            key = tuple(sorted(mix.items()))
            if key not in self._knots:
                statistics: list[Statistics] = []
                run(self._thumbnails.float(), self._network.assemble(self._mixed(mix)), statistics)
                self._knots[key] = statistics
            found.append((share, self._knots[key]))
        layers = zip(*(statistics for _, statistics in found), strict=True)
        shares = [share for share, _ in found]
        return [Statistics(*(_weighed(shares, one) for one in zip(*layer, strict=True))) for layer in layers]

    def _cast(self, layer: Layer) -> Layer:
        weight = layer.weight.to(self.dtype).contiguous(memory_format=torch.channels_last)
        return Layer(weight, None, layer.shift.to(self.dtype))

    def _encode(self, picture: Picture) -> torch.Tensor:
        height, width = picture.shape[:2]
        scale = STYLE_SIDE / min(height, width)
        if max(height, width) * scale > _LONGEST_STYLE:  # a strip: its shorter side is seen smaller
            scale = _LONGEST_STYLE / max(height, width)
        picture = resized(picture, scale)
        if min(picture.shape[:2]) < SMALLEST:
            picture = cv2.resize(picture, np.maximum(picture.shape[1::-1], SMALLEST).tolist())
        return self._network.style(self._tensor(picture))

    def _tensor(self, picture: Picture) -> torch.Tensor:
        # torch warns of arrays that cannot be written
        tensor = torch.from_numpy(np.require(picture, requirements=("C", "W"))).permute(2, 0, 1)[None]
        return tensor.to(self.device).contiguous(memory_format=torch.channels_last)


def _weighed(shares: Sequence[float], tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    if len(shares) == 1:
        return tensors[0]
    return torch.stack([tensor * share for share, tensor in zip(shares, tensors, strict=True)]).sum(0)


def _clouds(height: int, width: int) -> Picture:
    """What is measured in place of a shot of one color, whose network's features would be divided by nothing.

    Noise with as much of every scale as photos have (their amplitude falls as 1/f), always the same.
    """
    rng, cells, picture = np.random.default_rng(0), 1, np.full((height, width, 3), 0.5, np.float32)
    while cells <= max(height, width):
        noise = rng.normal(0, 0.08, (cells, cells, 3)).astype(np.float32)
        picture += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
        cells *= 2
    return picture.clip(0, 1)

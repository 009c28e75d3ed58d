# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of the method ``adain_reconet``.

A small encoder-decoder in ReCoNet's form (Gao et al. 2018: convolutions down, residual blocks, resize-convolutions
up) whose every instance normalization is an AdaIN (Huang and Belongie 2017): a style encoder of its own reads the
style picture once, and its code gives each layer the mean and the standard deviation to take. As those alone tend
to collapse to an average style, the code also mixes each layer's filters from a few bases. Filters are mixed once
a style, so they cost nothing a frame.

Most of the work is done at 1/8 of the resolution, which is both cheap (9.6 kMAC a pixel) and wide: strokes need
reach.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .. import weights

CODE = 256  # length of a style code
REDUCTION = 8  # the picture's sides are padded to multiples of this
_EPS = 1e-5


class Layer(NamedTuple):
    """One convolution ready to run for one style: filters and what its normalization is to give."""

    weight: Tensor  # (out, in, 3, 3), or (4 out, in, 3, 3) for a layer that enlarges by a pixel shuffle
    scale: Tensor | None  # (out,) the style's standard deviation; None where the layer is not normalized
    shift: Tensor  # (out,) the style's mean, or the bias


class Layers(NamedTuple):
    """The content path, in the order in which it runs."""

    stem: Layer
    down: Layer
    blocks: tuple[Layer, ...]  # two a residual block
    up: Layer
    refine: tuple[Layer, ...]  # two a residual block
    expand: Layer
    last: Layer

    def map(self, change: Callable[[Layer], Layer]) -> Layers:
        """The path with every layer changed, in order."""
        return Layers(
            change(self.stem), change(self.down), tuple(change(layer) for layer in self.blocks), change(self.up),
            tuple(change(layer) for layer in self.refine), change(self.expand), change(self.last),
        )  # fmt: skip


class Statistics(NamedTuple):
    """What one layer's instance normalization takes off, measured on thumbnails: two tensors of shape (out,)."""

    mean: Tensor
    std: Tensor


class StyledConv(nn.Module):
    """3x3 convolution whose filters and AdaIN statistics come from a style code.

    With ``upsample`` it is a resize-convolution (Odena et al. 2016: the picture is enlarged twofold by its nearest
    pixels, then filtered), which makes no checkerboard, in the guise of a pixel shuffle, which is faster.
    """

    def __init__(self, c_in: int, c_out: int, bases: int, normalized: bool = True, upsample: bool = False) -> None:
        super().__init__()
        self.normalized, self.upsample = normalized, upsample
        bound = (2.0 / (c_in * 9)) ** 0.5
        # filters are matrices, as the optimizer of the training wants them
        self.weight = nn.Parameter(torch.randn(c_out, c_in * 9) * bound)
        self.bases = nn.Parameter(torch.randn(c_out, bases * c_in * 9) * bound * 0.5) if bases else None
        self.mix = nn.Linear(CODE, bases) if bases else None
        self.affine = nn.Linear(CODE, c_out * (2 if normalized else 1))
        nn.init.normal_(self.affine.weight, std=0.01)
        nn.init.zeros_(self.affine.bias)
        self.seen: Tensor
        if upsample:  # a buffer: making it from numbers each time would stop a GPU to copy them
            self.register_buffer("seen", torch.tensor(_SEEN), persistent=False)

    def assemble(self, code: Tensor) -> Layer:
        """The layer for one style code of shape (CODE,)."""
        weight: Tensor = self.weight
        if self.bases is not None and self.mix is not None:
            amounts = torch.tanh(self.mix(code))
            weight = weight + torch.einsum("obk,b->ok", self.bases.unflatten(1, (len(amounts), -1)), amounts)
        weight = weight.unflatten(1, (-1, 3, 3))
        if self.upsample:
            weight = _shuffled(weight, self.seen)
        affine = self.affine(code)
        if not self.normalized:
            return Layer(weight, None, affine)
        scale, shift = affine.chunk(2)
        return Layer(weight, 1 + scale, shift)


# An even output row sees the low-resolution rows (-1, 0, 0), an odd one (0, 0, 1); columns alike.
_SEEN = [[[1.0, 0, 0], [0, 1, 1], [0, 0, 0]], [[0, 0, 0], [1, 1, 0], [0, 0, 1]]]


def _shuffled(weight: Tensor, seen: Tensor) -> Tensor:
    """Filters (out, in, 3, 3) for a twofold nearest enlargement to the same for its pixel shuffle, (4 out, in, 3, 3).

    seen: `_SEEN`, (2, 3, 3): phase, low-resolution row, filter row.
    """
    out = torch.einsum("oiyx,ply,qmx->opqilm", weight, seen, seen)
    return out.reshape(4 * weight.shape[0], weight.shape[1], 3, 3)


class StyleEncoder(nn.Module):
    """A style picture to a style code: statistics of its colors and of its own features at four depths."""

    widths = (32, 64, 96, 128)

    def __init__(self) -> None:
        super().__init__()
        sizes = (3, *self.widths)
        self.convs = nn.ModuleList(nn.Conv2d(a, b, 4, 2, 1) for a, b in zip(sizes, sizes[1:], strict=False))
        self.squeeze = nn.ModuleList(nn.Conv2d(w, 24, 1) for w in self.widths)
        grams = len(self.widths) * 24 * 25 // 2
        self.head = nn.Sequential(
            nn.LayerNorm(9 + 2 * sum(self.widths) + grams), nn.Linear(9 + 2 * sum(self.widths) + grams, 512),
            nn.GELU(), nn.Linear(512, CODE), nn.LayerNorm(CODE),
        )  # fmt: skip
        # what is plain to see goes straight to the code too: the way through the head costs precision
        self.colors = nn.Linear(9, CODE, bias=False)
        self.plain = nn.Linear(9 + 2 * sum(self.widths) + grams, CODE, bias=False)
        nn.init.zeros_(self.colors.weight)
        nn.init.zeros_(self.plain.weight)

    def forward(self, style: Tensor) -> Tensor:
        """(1, 3, H, W) in 0..1 to a code of shape (CODE,)."""
        x = style.flatten(2)[0]
        mean = x.mean(1)
        found = [mean * 4 - 2, _upper(torch.cov(x)) * 16]
        y = style * 2 - 1
        for conv, squeeze in zip(self.convs, self.squeeze, strict=True):
            y = F.leaky_relu(conv(y), 0.1)
            flat = y.flatten(2)[0]
            found += [flat.mean(1), (flat.var(1) + _EPS).sqrt()]
            small = squeeze(y).flatten(2)[0]
            found.append(_upper(small @ small.T / small.shape[1]))
        colors, seen = torch.cat(found[:2]), torch.cat(found)
        code: Tensor = self.head(seen) + self.colors(colors) + self.plain(F.layer_norm(seen, seen.shape))
        return code


def _upper(matrix: Tensor) -> Tensor:
    rows, cols = torch.triu_indices(*matrix.shape, device=matrix.device)
    return matrix[rows, cols]


class Network(nn.Module):
    """Style encoder and content path; the content path is a function of the picture and of assembled layers."""

    def __init__(
        self, width: int = 64, thin: int = 32, blocks: int = 4, thin_blocks: int = 1, out: int = 16, bases: int = 6
    ) -> None:
        super().__init__()
        self.config = {"width": width, "thin": thin, "blocks": blocks, "thin_blocks": thin_blocks, "out": out,
                       "bases": bases}  # fmt: skip
        self.style = StyleEncoder()
        self.stem = StyledConv(48, thin, 0)
        self.down = StyledConv(thin, width, 0)
        self.blocks = nn.ModuleList(StyledConv(width, width, bases) for _ in range(2 * blocks))
        self.up = StyledConv(width, thin, bases, upsample=True)
        self.refine = nn.ModuleList(StyledConv(thin, thin, bases) for _ in range(2 * thin_blocks))
        self.expand = StyledConv(thin, out, bases, upsample=True)
        self.last = StyledConv(out, 3, 0, normalized=False, upsample=True)

    @property
    def reach(self) -> int:
        """How far a pixel of the stylized picture sees, in pixels: what each convolution adds at its resolution.

        Pixels from one multiple of 8 to the next see the same, hence the sum is one too.
        """
        quarter, eighth = 3 + len(self.refine), 1 + len(self.blocks)  # stem, down and expand; up
        half = 4  # the last one's 2, rounded up to whole pixels at a quarter
        reach = half + 4 * quarter + 8 * eighth
        return reach + -reach % REDUCTION

    def assemble(self, code: Tensor) -> Layers:
        """The content path's layers for one style code."""

        def each(convs: nn.ModuleList) -> tuple[Layer, ...]:
            return tuple(conv.assemble(code) for conv in convs if isinstance(conv, StyledConv))

        return Layers(
            self.stem.assemble(code), self.down.assemble(code), each(self.blocks), self.up.assemble(code),
            each(self.refine), self.expand.assemble(code), self.last.assemble(code),
        )  # fmt: skip

    def forward(self, picture: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        """Stylize (N, 3, H, W) in 0..1, sides multiples of 8, with one code; also gives the bottleneck features."""
        return run(picture, self.assemble(code))


def save_weights(network: Network, path: Path, **about: str) -> None:
    """Write weights as they ship, whole or not at all: half precision. ``about``: more to say in the file."""
    weights.write(network, path, "adain_reconet", **about)


def run(
    picture: Tensor, layers: Layers, collect: list[Statistics] | None = None, floors: Sequence[Tensor] = ()
) -> tuple[Tensor, Tensor]:
    """The content path.

    ``picture``: (N, 3, H, W) in 0..1, H and W multiples of 8. Each picture is normalized by its own statistics,
    unless ``collect`` is a list: then by the statistics of the whole batch, which are appended to it. ``floors``: the
    least deviation of each normalized layer (see `floors`), (channels,). Returns the stylized picture, (N, 3, H, W) in
    0..1, and the features after the residual blocks, (N, width, H/8, W/8).
    """
    least = iter(floors)

    def conv(layer: Layer, x: Tensor, stride: int = 1, upsample: bool = False) -> Tensor:
        x = F.conv2d(_pad(x), layer.weight, None, stride)
        if upsample:
            x = F.pixel_shuffle(x, 2)
        shift = layer.shift.view(1, -1, 1, 1)
        if layer.scale is None:
            return x + shift
        dims = (2, 3) if collect is None else (0, 2, 3)
        var, mean = torch.var_mean(x, dims, correction=0, keepdim=True)
        std = (var + _EPS).sqrt()
        if floors:
            std = torch.maximum(std, next(least).view(1, -1, 1, 1))
        if collect is not None:
            collect.append(Statistics(mean.flatten(), std.flatten()))
        scale = layer.scale.view(1, -1, 1, 1) / std
        return x * scale + (shift - mean * scale)

    return _path(picture, layers, conv)


def run_folded(picture: Tensor, layers: Layers) -> Tensor:
    """The content path of layers that `fold` has rid of their normalization: plain convolutions."""

    def conv(layer: Layer, x: Tensor, stride: int = 1, upsample: bool = False) -> Tensor:
        x = F.conv2d(_pad(x), layer.weight, layer.shift, stride)
        if not upsample:
            return x
        # on a graphics card a shuffle forgets that channels come last, and all that follows would be copied
        last = x.is_contiguous(memory_format=torch.channels_last)
        return F.pixel_shuffle(x, 2).contiguous(
            memory_format=torch.channels_last if last else torch.contiguous_format
        )  # fmt: skip

    return _path(picture, layers, conv)[0]


def fold(layers: Layers, statistics: Sequence[Statistics]) -> Layers:
    """Layers whose normalization by fixed statistics is folded into their filters."""
    pending = iter(statistics)

    def folded(layer: Layer) -> Layer:
        weight, shift = layer.weight, layer.shift
        phases = len(weight) // len(shift)  # 4 where the layer enlarges
        if layer.scale is not None:
            fixed = next(pending)
            scale = layer.scale / fixed.std
            weight = weight * scale.repeat_interleave(phases).view(-1, 1, 1, 1)
            shift = shift - fixed.mean * scale
        return Layer(weight, None, shift.repeat_interleave(phases))

    return layers.map(folded)


def _pad(x: Tensor) -> Tensor:
    return F.pad(x, (1, 1, 1, 1), mode="replicate")


def _path(picture: Tensor, layers: Layers, conv: Callable[..., Tensor]) -> tuple[Tensor, Tensor]:
    skip = F.relu(conv(layers.stem, F.pixel_unshuffle(picture * 2 - 1, 4)))
    x = F.relu(conv(layers.down, skip, 2))
    for first, second in _pairs(layers.blocks):
        x = x + conv(second, F.relu(conv(first, x)))
    features = x
    x = F.relu(conv(layers.up, x, upsample=True) + skip)
    for first, second in _pairs(layers.refine):
        x = x + conv(second, F.relu(conv(first, x)))
    x = F.relu(conv(layers.expand, x, upsample=True))
    return torch.sigmoid(conv(layers.last, x, upsample=True)), features


def _pairs(layers: Sequence[Layer]) -> Iterable[tuple[Layer, Layer]]:
    """The layers of residual blocks, two by two."""
    return zip(layers[::2], layers[1::2], strict=True)

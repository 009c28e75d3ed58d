# SPDX-License-Identifier: GPL-3.0-or-later
"""Losses, in the very form in which they are measured (docs/measures.md), so that numbers can be compared.

All take features (float32, or bfloat16 to be fast) or pictures of shape (N, C, H, W) and give a float32 scalar
tensor, the mean over the batch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable


class Target(NamedTuple):
    """One layer's statistics of a style picture."""

    mean: Tensor  # (C,)
    std: Tensor  # (C,)
    gram: Tensor  # (C, C)


def statistics(features: Tensor) -> Target:
    """Mean, standard deviation and gram matrix over positions; a batch dimension stays in front.

    The gram is F F^T / positions (Gatys et al. 2015, section 2, with the size taken out).
    """
    mean, matrix = _Moments.apply(features)
    # the gram's diagonal is the mean square; a channel that never fires has no deviation, and the root's slope
    # there would be infinite
    variance = matrix.diagonal(dim1=1, dim2=2) - mean.square()
    return Target(mean, (variance.clamp(min=0) + 1e-6).sqrt(), matrix)


class _Moments(torch.autograd.Function):
    """Mean (N, C) and gram (N, C, C), float32, of features (N, C, H, W).

    The way back writes the features' slope in one product: the operations one by one would each fill a tensor as large
    as the features, and take two thirds of the time of VGG-19 forth and back.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> tuple[Tensor, Tensor]:
        flat = features.permute(0, 2, 3, 1).flatten(1, 2)  # no copy where channels come last
        ctx.save_for_backward(flat)
        ctx.sides = features.shape[2:]
        return flat.mean(1, dtype=torch.float32), torch.bmm(flat.transpose(1, 2), flat).float() / flat.shape[1]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, mean: Tensor, gram: Tensor) -> Tensor:
        (flat,) = ctx.saved_tensors
        mean, gram = (slope.div(flat.shape[1]).to(flat.dtype) for slope in (mean, gram + gram.transpose(1, 2)))
        return torch.baddbmm(mean[:, None], flat, gram).unflatten(1, ctx.sides).permute(0, 3, 1, 2)


def style_distance(found: Target, wanted: Target) -> Tensor:
    """(|mean_o - mean_s|^2 + |std_o - std_s|^2) / (|mean_s|^2 + |std_s|^2), AdaIN's style loss made scale-free."""
    over = (found.mean - wanted.mean).square().sum(-1) + (found.std - wanted.std).square().sum(-1)
    return (over / (wanted.mean.square().sum(-1) + wanted.std.square().sum(-1))).mean()


def gram_distance(found: Target, wanted: Target) -> Tensor:
    """|G_o - G_s|^2 / |G_s|^2."""
    return ((found.gram - wanted.gram).square().sum((-1, -2)) / wanted.gram.square().sum((-1, -2))).mean()


def content_distance(found: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared difference of instance-normalized features."""
    return F.mse_loss(F.instance_norm(found.float()), F.instance_norm(wanted.float()))


def total_variation(picture: Tensor) -> Tensor:
    """Mean squared difference of neighbors (Johnson et al. 2016, section 3.2)."""
    return (picture[..., 1:, :] - picture[..., :-1, :]).square().mean() + (
        picture[..., :, 1:] - picture[..., :, :-1]
    ).square().mean()


LUMA = (0.2126, 0.7152, 0.0722)  # Rec. 709


def luminance(picture: Tensor) -> Tensor:
    # numbers, not a tensor of them: that would have to be copied to a GPU, which waits for it
    red, green, blue = picture.split(1, 1)
    return red * LUMA[0] + green * LUMA[1] + blue * LUMA[2]


def output_temporal(out: Tensor, warped: Tensor, inp: Tensor, warped_inp: Tensor, seen: Tensor) -> Tensor:
    """ReCoNet's luminance-aware output loss (Gao et al. 2018, section 3.4).

    The output may change from ``warped`` (the previous output along the motion) only by as much luminance as the
    input does. ``seen``: (N, 1, H, W), 1 where the pixel was visible in both frames.
    """
    change = (out - warped) - (luminance(inp) - luminance(warped_inp))
    return (seen * change.square()).sum() / (3 * seen.sum()).clamp(min=1)


def feature_temporal(features: Tensor, warped: Tensor, seen: Tensor) -> Tensor:
    """ReCoNet's feature-map loss (section 3.4), relative to the features' energy so that they cannot just shrink."""
    over = (seen * (features - warped).square()).sum()
    return over / ((seen * features.detach().square()).sum() + 1e-6)


_CELL, _RINGS = 32, ((1, 6), (14, 24))  # pixels: side of a cell, distances of the two rings from the outline


def halo(out: Tensor, inp: Tensor, mask: Tensor) -> Tensor:
    """Mean squared glow around outlines: how much brighter or darker the background gets close to an object.

    In every cell that has both, the change of luminance 1 to 6 pixels outside the object is compared with that 14 to
    24 pixels outside (docs/measures.md). ``mask``: (N, 1, H, W) in 0..1, the object's coverage.
    """

    def grown(pixels: int) -> Tensor:
        rows = F.max_pool2d(mask, (1, 2 * pixels + 1), 1, (0, pixels))
        return F.max_pool2d(rows, (2 * pixels + 1, 1), 1, (pixels, 0))

    def of_cells(picture: Tensor) -> Tensor:
        return F.avg_pool2d(picture, _CELL, _CELL // 2)

    change = luminance(out) - luminance(inp)
    means, valid = [], torch.ones_like(of_cells(mask))
    for near, far in _RINGS:
        ring = (grown(far) > 0).float() * (grown(near) == 0)
        share = of_cells(ring)
        means.append(of_cells(change * ring) / share.clamp(min=1e-3))
        valid = valid * (share > 0.03)
    return (valid * (means[0] - means[1]).square()).sum() / valid.sum().clamp(min=1)


_AROUND = 5  # cells on a side of the window in which a pattern that repeats is looked for
_FLAT = 0.02  # deviation of luminance in it above which a picture is not flat


def weave(out: Tensor, inp: Tensor, cell: int) -> Tensor:
    """Mean square of the pattern that repeats from cell to cell where the input is flat.

    A network of convolutions that works on cells of pixels can make texture of nothing in no other way, and gram
    matrices ask for texture everywhere. Sides are multiples of ``cell``.
    """

    def around(x: Tensor, side: int) -> Tensor:
        return F.avg_pool2d(x, side, 1, side // 2, count_include_pad=False)

    y, seen = luminance(out), luminance(inp)
    fine = y - around(y, 2 * cell + 1)
    repeated = around(F.pixel_unshuffle(fine, cell), _AROUND)
    means = F.avg_pool2d(seen, cell), F.avg_pool2d(seen.square(), cell)
    mean, square = (around(m, _AROUND) for m in means)
    flat = torch.exp2(-(square - mean.square()) / _FLAT**2)
    over = (flat * repeated.var(1, correction=0, keepdim=True)).sum((1, 2, 3))
    return (over / flat.sum((1, 2, 3)).clamp(min=1)).mean()


def warp(picture: Tensor, offset: Tensor, mode: str = "bilinear") -> Tensor:
    """Sample ``picture`` (N, C, H, W) at each pixel plus ``offset`` (N, 2, H, W: dx, dy in pixels)."""
    height, width = picture.shape[-2:]
    ys, xs = torch.meshgrid(
        torch.arange(height, device=picture.device, dtype=picture.dtype),
        torch.arange(width, device=picture.device, dtype=picture.dtype), indexing="ij",
    )  # fmt: skip
    grid = torch.stack(((xs + offset[:, 0] + 0.5) * 2 / width - 1, (ys + offset[:, 1] + 0.5) * 2 / height - 1), -1)
    return F.grid_sample(picture, grid, mode=mode, padding_mode="border", align_corners=False)

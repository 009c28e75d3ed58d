# SPDX-License-Identifier: GPL-3.0-or-later
"""What is done around a network on a graphics card: a frame goes there once, is painted at all sizes, and comes back.

The twin of `strokes.sized`, `tiles.cut` and `tiles.enlarge` in plain PyTorch, which gives what they give but for
rounding. On the processor OpenCV does the same in less time. Pictures are (1, 3, H, W) float32 in 0..1, on any device.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..tiles import around
from .strokes import AROUND, DETAIL, OCTAVE, scaled

_CUBIC = -0.75  # OpenCV's and PyTorch's cubic kernel
_STEPS = 32  # OpenCV samples a texture at places so fine between two pixels
_EDGE = 8  # pixels around a picture that its detail is looked for with
_TAIL = 4  # standard deviations that a blur sees, as OpenCV's


def upload(picture: np.ndarray, device: torch.device) -> Tensor:
    """HxWx3 to (1, 3, H, W), by way of memory that stays in place, from which a card copies by itself."""
    x = torch.from_numpy(np.require(picture, requirements=("C", "W")))  # torch warns of arrays that cannot be written
    x = x.pin_memory() if device.type == "cuda" else x
    return x.to(device, non_blocking=device.type == "cuda").permute(2, 0, 1)[None]


def download(x: Tensor) -> np.ndarray:
    """(1, 3, H, W) to HxWx3 float32."""
    x = x[0].permute(1, 2, 0).contiguous()
    if x.device.type != "cuda":
        return np.asarray(x.cpu().numpy())
    staging = torch.empty(x.shape, dtype=x.dtype, pin_memory=True)
    staging.copy_(x, non_blocking=True)
    torch.cuda.current_stream(x.device).synchronize()
    return staging.numpy().copy()  # a shot's frames may wait for long, and memory that stays in place is scarce


def whole(
    paint: Callable[[Tensor], Tensor], picture: Tensor, reach: int, margin: int, grid: int, wrap: bool
) -> Tensor:  # fmt: skip
    """``picture`` painted in one piece, as `tiles.in_tiles` does, whose arguments these are."""
    height, width = picture.shape[2:]
    y0, y1 = around(0, height, height, reach, margin, grid, wrap)
    x0, x1 = around(0, width, width, reach, margin, grid, wrap)
    seen = cut(picture, (y0, y1), (x0, x1), wrap).contiguous(memory_format=torch.channels_last)
    return paint(seen).float()[..., -y0 : height - y0, -x0 : width - x0]


def sized(
    paint: Callable[[Tensor], Tensor], frame: Tensor, side: float, grid: int = 1, wrap: bool = False, calm: float = 0.0
) -> Tensor:
    """The twin of `strokes.sized`."""
    size = (frame.shape[2], frame.shape[3])
    if side > min(size):
        return shrunk(paint(enlarged(frame, scaled(size, side / min(size), grid), wrap)), size)
    out = paint(frame)
    below = scaled(size, max(OCTAVE, side / min(size)), grid)
    if below == size:
        return out
    forms = sized(paint, shrunk(frame, below), min(side, min(below)), grid, wrap, calm)
    if calm > 0:
        finer = out - enlarged(shrunk(out, below), size, wrap)
        return enlarged(forms, size, wrap) + (1 - calm + calm * _detailed(frame, wrap)) * finer
    return out + enlarged(forms - shrunk(out, below), size, wrap)


def cut(x: Tensor, rows: tuple[int, int], columns: tuple[int, int], wrap: bool) -> Tensor:
    """The twin of `tiles.cut`: rows and columns from the first up to the last, also beyond the borders."""
    for axis, span in ((2, rows), (3, columns)):
        x = x.index_select(axis, _places(span, x.shape[axis], wrap, x.device))
    return x


def _places(span: tuple[int, int], length: int, wrap: bool, device: torch.device) -> Tensor:
    places = torch.arange(*span, device=device)
    if wrap:
        return places % length
    places = places.abs() % max(2 * length - 2, 1)
    return torch.minimum(places, 2 * length - 2 - places)


def shrunk(x: Tensor, size: tuple[int, int]) -> Tensor:
    """The picture at a smaller size: the mean of what each pixel covers, of some of it in part."""
    height, width = x.shape[2:]
    if height % size[0] == 0 and width % size[1] == 0:
        return F.avg_pool2d(x, (height // size[0], width // size[1]))
    return _shares(height, size[0], x.device) @ x @ _shares(width, size[1], x.device).T


def enlarged(x: Tensor, size: tuple[int, int], wrap: bool = False) -> Tensor:
    """The picture at a larger size, by cubic interpolation."""
    if not wrap:
        return F.interpolate(x, size, mode="bicubic", align_corners=False)
    return _between(x.shape[2], size[0], x.device) @ x @ _between(x.shape[3], size[1], x.device).T


@lru_cache(maxsize=4)
def _shares(length: int, new: int, device: torch.device) -> Tensor:
    """(new, length): how much of each pixel on a side lies in each new one, of fewer."""
    edges = torch.arange(new + 1, device=device, dtype=torch.float64) * (length / new)
    pixels = torch.arange(length, device=device, dtype=torch.float64)
    overlap = torch.minimum(edges[1:, None], pixels + 1) - torch.maximum(edges[:-1, None], pixels)
    return (overlap.clamp(min=0) * (new / length)).float()


@lru_cache(maxsize=4)
def _between(length: int, new: int, device: torch.device) -> Tensor:
    """(new, length): the cubic kernel's weights of the pixels on a side of a texture, for each new one of more."""
    at = (torch.arange(new, device=device, dtype=torch.float32) + 0.5) * length / new - 0.5
    at = torch.round(at * _STEPS) / _STEPS
    weights = torch.zeros(new, length, device=device)
    for tap in range(-1, 3):
        away = (at.floor() + tap - at).abs()
        near = ((_CUBIC + 2) * away - (_CUBIC + 3)) * away**2 + 1
        far = ((away - 5) * away + 8) * away * _CUBIC - 4 * _CUBIC
        place = (at.floor().long() + tap) % length
        weights.scatter_add_(1, place[:, None], torch.where(away <= 1, near, far)[:, None])
    return weights


def _detailed(frame: Tensor, wrap: bool) -> Tensor:
    """(1, 1, H, W) in 0..1: the twin of `strokes._detailed`."""
    height, width = frame.shape[2:]
    margin = min(_EDGE, height - 1, width - 1)
    seen = cut(frame, (-margin, height + margin), (-margin, width + margin), wrap)
    edges = _blurred((seen - _blurred(seen)).abs().amax(1, keepdim=True))
    return (edges[..., margin : margin + height, margin : margin + width] / DETAIL).clamp(0, 1)


def _blurred(x: Tensor) -> Tensor:
    """Gaussian, with mirrored borders."""
    reach = round(_TAIL * AROUND)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=x.device) / AROUND) ** 2)
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    height, width = x.shape[2:]
    seen = cut(x, (-reach, height + reach), (-reach, width + reach), wrap=False).transpose(0, 1)
    return F.conv2d(F.conv2d(seen, kernel), kernel.transpose(2, 3)).transpose(0, 1)

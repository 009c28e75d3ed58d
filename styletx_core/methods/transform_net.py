# SPDX-License-Identifier: GPL-3.0-or-later
"""The image transformation network of ``johnson``, ``dumoulin`` and ``reconet``, which knows its styles by heart.

The form of Johnson et al. 2016 (supplementary material) with what the field has corrected since: instance instead of
batch normalization (Ulyanov et al. 2016), mirrored borders instead of zeros, nearest enlargement and a convolution
instead of a transposed one (Odena et al. 2016), and a sigmoid, which ends at black and white, instead of a scaled
tanh. Each normalization has a row of scales and shifts for each style (Dumoulin et al. 2016, section 2.2); with one
row it is the plain one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

REDUCTION = 4  # the picture's sides are multiples of this
_EPS = 1e-5

Kind = Literal["instance", "response"]


class Norm(nn.Module):
    """Normalizes each channel over the positions, then gives it the styles' own scale and shift, and an activation.

    kind: "instance" takes off the mean and divides by the standard deviation; "response" divides by the root mean
    square alone and activates by a learned threshold (filter response normalization, Singh and Krishnan 2020).
    `fixed`: a mean and a mean square (or variance) to use in place of the picture's own, (2, channels).
    """

    def __init__(self, channels: int, styles: int, kind: Kind, activated: bool) -> None:
        super().__init__()
        self.kind, self.activated = kind, activated
        self.scale = nn.Parameter(torch.ones(styles, channels))
        self.shift = nn.Parameter(torch.zeros(styles, channels))
        self.threshold = nn.Parameter(torch.zeros(channels)) if kind == "response" and activated else None
        self.fixed: Tensor | None = None
        self.measuring = False

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        """x: (N, C, H, W). mix: shares of the styles, (N, styles), or (1, styles) for all pictures."""
        # not as a matrix product, which autocast would take out of float32
        scale, shift = ((mix[..., None] * rows).sum(1)[..., None, None] for rows in (self.scale, self.shift))
        fixed = self.fixed
        if self.measuring:
            fixed = self.fixed = self._statistics(x)
        if fixed is not None:
            mean, square = fixed[:, :, None, None]
            scale = scale * (square + _EPS).rsqrt()
            shift = shift - mean * scale
        elif self.kind == "instance":
            x = F.instance_norm(x, eps=_EPS)
        else:
            square = x.float().square().mean((2, 3), keepdim=True)  # half precision would overflow
            scale = scale * (square + _EPS).rsqrt()
        x = x * scale.to(x.dtype) + shift.to(x.dtype)
        if not self.activated:
            return x
        return F.relu(x) if self.threshold is None else torch.maximum(x, self.threshold[:, None, None])

    def _statistics(self, x: Tensor) -> Tensor:
        """Of all pictures together."""
        if self.kind == "instance":
            variance, mean = torch.var_mean(x.float(), (0, 2, 3), correction=0)
            return torch.stack((mean, variance))
        square = x.float().square().mean((0, 2, 3))
        return torch.stack((torch.zeros_like(square), square))


class Filters(nn.Module):
    """A convolution with mirrored borders; its filters are a matrix, as the optimizer of the training wants them."""

    def __init__(self, c_in: int, c_out: int, side: int, stride: int = 1) -> None:
        super().__init__()
        self.side, self.stride = side, stride
        self.weight = nn.Parameter(torch.randn(c_out, c_in * side * side) * (2.0 / (c_in * side * side)) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        margin = self.side // 2
        x = F.pad(x, (margin, margin, margin, margin), mode="reflect")
        return F.conv2d(x, self.weight.unflatten(1, (-1, self.side, self.side)), None, self.stride)


class Layer(nn.Module):
    """Filters, then their normalization; with ``upsample`` the picture is enlarged twofold before."""

    def __init__(
        self, c_in: int, c_out: int, side: int, norm: tuple[int, Kind], stride: int = 1, activated: bool = True,
        upsample: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.upsample = upsample
        self.filters = Filters(c_in, c_out, side, stride)
        self.norm = Norm(c_out, *norm, activated)

    def forward(self, x: Tensor, mix: Tensor) -> Tensor:
        if self.upsample:
            x = F.interpolate(x, scale_factor=2, mode="nearest")
        out: Tensor = self.norm(self.filters(x), mix)
        return out


class TransformNet(nn.Module):
    """Stylizes pictures in the styles it was trained for.

    width: channels at full size; twice as many at half, four times at a quarter of the size. blocks: residual blocks.
    styles: how many it knows. norm: see `Norm`.
    """

    def __init__(self, width: int = 32, blocks: int = 5, styles: int = 1, norm: Kind = "instance") -> None:
        super().__init__()
        self.config = {"width": width, "blocks": blocks, "styles": styles, "norm": norm}
        by = styles, norm
        self.stem = Layer(3, width, 9, by)
        self.down = nn.ModuleList(
            (Layer(width, 2 * width, 3, by, stride=2), Layer(2 * width, 4 * width, 3, by, stride=2))
        )
        self.blocks = nn.ModuleList(  # two layers a residual block
            Layer(4 * width, 4 * width, 3, by, activated=i % 2 == 0) for i in range(2 * blocks)
        )
        self.up = nn.ModuleList(
            (Layer(4 * width, 2 * width, 3, by, upsample=True), Layer(2 * width, width, 3, by, upsample=True))
        )
        self.last = Filters(width, 3, 9)
        self.last.weight.data *= 0.3  # begins in gray, where the sigmoid's slope is steep
        self.bias = nn.Parameter(torch.zeros(3))

    def forward(self, picture: Tensor, mix: Tensor) -> tuple[Tensor, Tensor]:
        """(N, 3, H, W) in 0..1, sides multiples of 4, in a mix of styles (N or 1, styles) whose shares add up to 1.

        Gives the stylized picture, and the features before the last residual block, (N, 4 width, H/4, W/4): those
        that ReCoNet holds steady.
        """
        x = self.stem(picture * 2 - 1, mix)
        for layer in self.down:
            x = layer(x, mix)
        features = x
        for first, second in zip(self.blocks[::2], self.blocks[1::2], strict=True):
            features = x
            x = x + second(first(x, mix), mix)
        for layer in self.up:
            x = layer(x, mix)
        return torch.sigmoid(self.last(x) + self.bias[:, None, None]), features

    @property
    def reach(self) -> int:
        """How far a pixel of the stylized picture sees, in pixels, a multiple of 4.

        Each convolution adds its margin at its resolution, each enlargement the pixels that become one.
        """
        full, half, quarter = (
            4 + 1 + 1 + 4,
            1 + 1,
            len(self.blocks),
        )  # stem, first down, second up, last; then their kin
        reach = full + 2 * half + 4 * quarter + 2 + 4
        return reach + -reach % REDUCTION

    def norms(self) -> Iterator[Norm]:
        return (module for module in self.modules() if isinstance(module, Norm))

    @torch.no_grad()
    def measure(self, pictures: Tensor, mix: Tensor) -> list[Tensor]:
        """The statistics of all pictures together, for `fix`."""
        for norm in self.norms():
            norm.fixed, norm.measuring = None, True
        self(pictures, mix)
        for norm in self.norms():
            norm.measuring = False
        return [norm.fixed for norm in self.norms() if norm.fixed is not None]

    def fix(self, statistics: list[Tensor] | None) -> None:
        """Normalize by these statistics from now on; None: by each picture's own again."""
        for number, norm in enumerate(self.norms()):
            norm.fixed = None if statistics is None else statistics[number]

    @torch.no_grad()
    def add_styles(self, count: int) -> TransformNet:
        """The same network with ``count`` more styles, which begin as the mean of those it knows."""
        more = TransformNet(**{**self.config, "styles": self.config["styles"] + count})  # type: ignore[arg-type,operator]
        state = self.state_dict()
        for name, rows in state.items():
            if name.endswith((".scale", ".shift")):
                state[name] = torch.cat((rows, rows.mean(0, keepdim=True).expand(count, -1)))
        more.load_state_dict(state)
        return more.to(next(self.parameters()).device)


def is_filter(name: str) -> bool:
    """Whether a parameter is filters, which are matrices; the others are scales, shifts and thresholds."""
    return name.endswith("weight")

# SPDX-License-Identifier: GPL-3.0-or-later
"""The optimizer Muon (Jordan et al. 2024), all matrices of one shape at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable
from itertools import groupby

import torch
from torch import Tensor, nn

_QUINTIC = (3.4445, -4.7750, 2.0315)  # a x + b x^3 + c x^5 takes singular values of 0..1 near 1 in few rounds
_ROUNDS = 5


class Muon(torch.optim.Optimizer):
    """Steps of momentum whose matrices are made orthogonal, as large as Adam's (Liu et al. 2025, section 2.2).

    The same as `torch.optim.Muon` with ``adjust_lr_fn="match_rms_adamw"`` and no weight decay. A network of many small
    matrices spends most of that one's time on starting operations, and old versions of PyTorch have none.

    matrices: parameters of two dimensions. lr: the learning rate. momentum: share of the past in each step, 0..1.
    """

    def __init__(self, matrices: Iterable[nn.Parameter], lr: float, momentum: float = 0.95) -> None:
        super().__init__(sorted(matrices, key=lambda p: tuple(p.shape)), {"lr": lr, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every matrix that has a gradient."""
        for group in self.param_groups:
            momentum = group["momentum"]
            moving = [p for p in group["params"] if p.grad is not None]
            for shape, same in groupby(moving, lambda p: tuple(p.shape)):
                parameters = list(same)
                for p in parameters:
                    if not self.state[p]:
                        self.state[p]["momentum"] = torch.zeros_like(p)
                past = [self.state[p]["momentum"] for p in parameters]
                gradients = [p.grad for p in parameters]
                torch._foreach_lerp_(past, gradients, 1 - momentum)
                steps = torch._foreach_lerp(gradients, past, momentum)  # Nesterov's look ahead
                ways = orthogonal(torch.stack(steps)).to(parameters[0].dtype)
                rate = group["lr"] * 0.2 * math.sqrt(max(shape))
                torch._foreach_add_(parameters, list(ways.unbind()), alpha=-rate)


def orthogonal(matrices: Tensor) -> Tensor:
    """The nearest (half-)orthogonal matrices to ``matrices`` (N, R, C), roughly: bfloat16, by Newton and Schulz."""
    x = matrices.bfloat16()
    if tall := x.shape[1] > x.shape[2]:
        x = x.transpose(1, 2)
    x = x / x.flatten(1).norm(dim=1).clamp(min=1e-7)[:, None, None]
    a, b, c = _QUINTIC
    for _ in range(_ROUNDS):
        square = x @ x.transpose(1, 2)
        x = torch.baddbmm(x, torch.baddbmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return x.transpose(1, 2) if tall else x

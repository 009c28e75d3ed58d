# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways down a slope for pictures, whose values stay in 0..1 all the way: `step` gives the next picture."""

from __future__ import annotations

from collections import deque
from typing import Protocol

import torch
from torch import Tensor

_SHORTER = 0.25  # of a step after which the loss had risen
_BROADEST = 64  # pixels of a wave beyond which broader ones are not favored more


class Descent(Protocol):
    def step(self, x: Tensor, loss: float, gradient: Tensor) -> Tensor:
        """The next picture, from this one's loss and gradient. Keeps `x`; may use up the gradient."""


class Adam:
    """Kingma and Ba 2015. rate: the change of a value in a step, about."""

    def __init__(self, rate: float, momentum: float = 0.9, memory: float = 0.99) -> None:
        self.rate, self.momentum, self.memory = rate, momentum, memory
        self._first: Tensor | None = None
        self._second: Tensor | None = None
        self._steps = 0

    def step(self, x: Tensor, loss: float, gradient: Tensor) -> Tensor:
        if self._first is None or self._second is None:
            self._first, self._second = torch.zeros_like(x), torch.zeros_like(x)
        self._steps += 1
        self._first.lerp_(gradient, 1 - self.momentum)
        self._second.lerp_(gradient.square_(), 1 - self.memory)
        mean = self._first / (1 - self.momentum**self._steps)
        spread = (self._second / (1 - self.memory**self._steps)).sqrt_().add_(1e-12)
        return (x - self.rate * mean.div_(spread)).clamp_(0, 1)


class LBFGS:
    """Limited-memory BFGS (Liu and Nocedal 1989) with one evaluation a step, within the bounds 0 and 1.

    Where nothing is known yet of the curvature, the step favors broad changes over fine ones, as pictures do: by the
    inverse of the spatial frequency. Without this a good part of the first hundred steps goes into laying out colors
    as grain. Values at a bound that the slope would push out stay out of the step (Bertsekas 1982). There is no line
    search: where the loss rose, the next step is a shorter one from the better picture, and what was learned is kept.

    history: pairs of pictures that are remembered. first: root mean square change of the first step.
    """

    def __init__(self, history: int = 20, first: float = 0.01) -> None:
        self._pairs: deque[tuple[Tensor, Tensor, float]] = deque(maxlen=history)
        self._first = first
        self._last: tuple[Tensor, Tensor] | None = None
        self._best: tuple[float, Tensor, Tensor] | None = None
        self._filter: Tensor | None = None

    def step(self, x: Tensor, loss: float, gradient: Tensor) -> Tensor:
        if self._last is not None:
            self._remember(x - self._last[0], gradient - self._last[1])
        self._last = x, gradient
        if self._best is not None and not loss <= self._best[0]:
            better = self._best[1]
            return better + _SHORTER * (x - better)
        self._best = loss, x, gradient
        free = ~(((x <= 0) & (gradient > 0)) | ((x >= 1) & (gradient < 0)))
        direction = self._direction(gradient * free).mul_(free)
        return direction.add_(x).clamp_(0, 1)

    def _remember(self, step: Tensor, change: Tensor) -> None:
        product = _dot(step, change)
        if product > 0:  # else the slope does not curve up along this step, and no minimum is to be read from it
            self._pairs.append((step, change, 1 / product))

    def _direction(self, slope: Tensor) -> Tensor:
        """The two loops of Nocedal 1980 over the remembered pairs."""
        if not self._pairs:
            broad = self._broad(slope)
            return broad.mul_(-self._first / float(broad.square().mean().sqrt().clamp(min=1e-20)))
        q, factors = slope.clone(), []
        for step, change, over in reversed(self._pairs):
            factors.append(over * _dot(step, q))
            q.sub_(change, alpha=factors[-1])
        step, change, over = self._pairs[-1]
        q = self._broad(q).mul_(1 / (over * _dot(change, self._broad(change))))
        for (step, change, over), factor in zip(self._pairs, reversed(factors), strict=True):
            q.add_(step, alpha=factor - over * _dot(change, q))
        return q.neg_()

    def _broad(self, slope: Tensor) -> Tensor:
        """Times the inverse frequency: what a step is while no curvature is known."""
        size = slope.shape[-2:]
        if self._filter is None:
            y, x = (torch.fft.fftfreq(side, device=slope.device) for side in size)
            frequency = (y[:, None].square() + x[None, : size[1] // 2 + 1].square() + 1 / _BROADEST**2).sqrt()
            self._filter = 1 / frequency
        return torch.fft.irfft2(torch.fft.rfft2(slope) * self._filter, s=size)


def _dot(a: Tensor, b: Tensor) -> float:
    return float(torch.dot(a.flatten(), b.flatten()))

# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool of training items: pairs of frames and what VGG sees in them, each made once and used several times."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from styletx_core.perceptual.vgg import VGG19
from training.data import Contents, to_tensor
from training.motion import make_pair


class Item(NamedTuple):
    """Two frames of the same photo, with a batch dimension of 1."""

    first: Tensor  # (1, 3, S, S) 0..1
    second: Tensor  # (1, 3, S, S) 0..1
    offset: Tensor  # (1, 2, S, S): from a pixel of the second to its place in the first
    seen: Tensor  # (1, 1, S, S): 1 where that place shows the same surface
    wanted: Tensor  # (1, 512, S/8, S/8): relu4_1 of the first frame


class Items:
    """Item number n is always the same, whatever was drawn before: a training that is taken up goes on alike."""

    def __init__(self, contents: Contents, vgg: VGG19, size: int, seed: int, most: int, device: torch.device) -> None:
        self.contents, self.vgg, self.size, self.seed, self.most, self.device = contents, vgg, size, seed, most, device
        self.made: dict[int, Item] = {}

    def draw(self, count: int, step: int, rng: np.random.Generator) -> list[Item]:
        """``count`` items of those that step number ``step`` knows: the pool grows by a fresh one a step."""
        return [self[int(n)] for n in rng.integers(min(self.most, 16 + step), size=count)]

    @torch.no_grad()
    def __getitem__(self, number: int) -> Item:
        if number not in self.made:
            rng = np.random.default_rng((self.seed, number))
            still, sprite = (self.contents.crop(self.size + 16, rng) for _ in range(2))
            pair = make_pair(still, sprite, self.size, rng)
            first = to_tensor(pair.first).to(self.device)
            wanted = self.vgg(first, ("relu4_1",))["relu4_1"]
            rest = (to_tensor(pair.second), torch.from_numpy(pair.offset)[None], torch.from_numpy(pair.seen)[None])
            second, offset, seen = (t.to(self.device).half() for t in rest)
            self.made[number] = Item(first.half(), second, offset, seen, wanted.bfloat16())
        return self.made[number]

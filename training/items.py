# SPDX-License-Identifier: GPL-3.0-or-later
"""A pool of training items: pairs of frames and what VGG sees in them, each made once and used several times."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from styletx_core.perceptual.vgg import VGG19
from training.data import Contents
from training.motion import Pair, make_pair

if TYPE_CHECKING:
    from training.shots import Shots  # needs OpenEXR

START = 16  # items that the first step chooses from
CHUNK = 8  # items a worker process hands over at a time
ROOM = 16  # pixels around a crop for the movement


class Item(NamedTuple):
    """Two frames of the same photo or shot, with a batch dimension of 1; half precision on the training's device."""

    first: Tensor  # (1, 3, S, S) 0..1
    second: Tensor  # (1, 3, S, S) 0..1
    offset: Tensor  # (1, 2, S, S): from a pixel of the second to its place in the first
    seen: Tensor  # (1, 1, S, S): 1 where that place shows the same surface
    mask: Tensor  # (1, 1, S, S) 0..1: how much of the second's pixel lies in front of the background
    wanted: Tensor  # (1, 512, S/8, S/8) bfloat16: relu4_1 of the first frame


class Pairs(Dataset[list[Tensor]]):
    """Pairs of frames by number: number n is always the same, whatever was made before."""

    def __init__(
        self, contents: Contents, size: int, seed: int, shots: Shots | None = None, share: float = 0.0
    ) -> None:
        """``share`` of the pairs come from ``shots``, the others from photos."""
        self.contents, self.size, self.seed, self.shots, self.share = contents, size, seed, shots, share

    def __getitem__(self, number: int) -> list[Tensor]:
        """The five pictures of an item before VGG has seen it, (C, S, S), half precision."""
        pair = self.make(np.random.default_rng((self.seed, number)))
        first, second = (frame.transpose(2, 0, 1) for frame in (pair.first, pair.second))
        return [torch.from_numpy(a.astype(np.float16)) for a in (first, second, pair.offset, pair.seen, pair.mask)]

    def make(self, rng: np.random.Generator) -> Pair:
        if self.shots is not None and rng.random() < self.share:
            return self.shots.pair(self.size, rng)
        still, sprite = (self.contents.crop(self.size + ROOM, rng) for _ in range(2))
        return make_pair(still, sprite, self.size, rng)


class Items:
    """The items that a step may draw from are known by its number alone: a training that is taken up goes on alike.

    A fresh item a step joins until there are ``most`` (or ``fresh`` of them); from then on ``renew`` a step replace
    the oldest. With ``workers`` processes that many make items ahead of the training; with none an item is made when
    it is first drawn.
    """

    def __init__(self, pairs: Pairs, vgg: VGG19, most: int, fresh: int = 1, renew: int = 0, workers: int = 0) -> None:
        self.pairs, self.vgg, self.device = pairs, vgg, vgg.mean.device
        self.most, self.fresh, self.renew, self.workers = most, fresh, renew, workers
        self.made: dict[int, Item] = {}
        self.ahead: Iterator[list[Tensor]] | None = None
        self.ready = 0  # items up to this number have come from the workers

    def known(self, step: int) -> range:
        """Numbers of the items that this step of the pool may draw."""
        grown = START + self.fresh * step
        if grown > self.most:
            grown = self.most + self.renew * (step - max(0, self.most - START) // self.fresh)
        return range(max(0, grown - self.most), grown)

    def pick(self, count: int, step: int, rng: np.random.Generator) -> list[int]:
        known = self.known(step)
        return [int(n) for n in rng.integers(known.start, known.stop, size=count)]

    def prepare(self, step: int) -> None:
        """Forget the items that this step no longer knows; take those that it knows from the workers."""
        known = self.known(step)
        for number in [n for n in self.made if n < known.start]:
            del self.made[number]
        if not self.workers:
            return
        if self.ahead is None:
            self.ready = known.start // CHUNK * CHUNK
            self.ahead = iter(DataLoader(
                self.pairs, CHUNK, sampler=itertools.count(self.ready), num_workers=self.workers,
                prefetch_factor=4, pin_memory=self.device.type == "cuda", worker_init_fn=_one_thread))  # fmt: skip
        while self.ready < known.stop:
            for item in self._finish(next(self.ahead)):
                self.made[self.ready] = item
                self.ready += 1

    def __getitem__(self, number: int) -> Item:
        if number not in self.made:
            (self.made[number],) = self._finish([part[None] for part in self.pairs[number]])
        return self.made[number]

    @torch.no_grad()
    def _finish(self, parts: list[Tensor]) -> list[Item]:
        """Items of pictures (N, C, S, S): to the device, and VGG's look at them."""
        moved = [part.to(self.device, non_blocking=True) for part in parts]
        wanted = self.vgg(moved[0].float(), ("relu4_1",))["relu4_1"].bfloat16()
        return [Item(*(part[i : i + 1] for part in (*moved, wanted))) for i in range(len(wanted))]


def _one_thread(worker: int) -> None:
    cv2.setNumThreads(0)  # the workers share the cores among themselves

# SPDX-License-Identifier: GPL-3.0-or-later
"""Two groups of pictures: by how much do they differ, how sure is it, and is it something else they differ by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

PERMUTATIONS = 4999
_RESAMPLES = 500
_ENOUGH = 5  # pictures for every trait, before what it explains is taken off


class Effect(NamedTuple):
    """A difference of two groups.

    delta: Cliff's delta, the share of pairs in which the first group's value is larger less that in which it is
    smaller, -1..1. low, high: its 95% interval. p: of a permutation test, two-sided. adjusted: delta of what the
    traits do not explain; None where there are too few pictures to tell.
    """

    delta: float
    low: float
    high: float
    p: float
    adjusted: float | None


class Design:
    """Two groups of pictures, how they are resampled and what else they differ by; made once for many values.

    sources: of each picture of either group; the interval resamples sources first and pictures within them, for the
    pictures of one book or painter are not independent. traits: (n + m, k) what else the pictures differ by.
    """

    def __init__(self, sources: Sequence[Sequence[str]], traits: np.ndarray, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.count, total = len(sources[0]), len(sources[0]) + len(sources[1])
        self.dealt = np.zeros((PERMUTATIONS, total), np.float32)  # 1 where a picture is dealt to the first group
        for row in self.dealt:
            row[rng.permutation(total)[: self.count]] = 1
        self.resampled = [tuple(_resampled(side, rng) for side in sources) for _ in range(_RESAMPLES)]
        group = np.zeros(total)
        group[: self.count] = 1
        columns = [_ranks(column) for column in traits.T if np.ptp(column) > 0]
        # with the groups in the model, so that what they differ by is not given to the traits
        self.model = np.stack((np.ones(total), group, *columns), 1)

    def compare(self, first: np.ndarray, second: np.ndarray) -> Effect:
        """The effect between the groups' values, (n,) and (m,)."""
        ranks = _ranks(np.concatenate((first, second)))
        middle = self.count * ranks.mean()
        beyond = (np.abs(self.dealt @ ranks - middle) >= abs(ranks[: self.count].sum() - middle) - 1e-3).sum()
        low, high = np.quantile([cliff(first[a], second[b]) for a, b in self.resampled], (0.025, 0.975))
        adjusted = None
        if len(ranks) >= _ENOUGH * self.model.shape[1]:
            weights = np.linalg.lstsq(self.model, ranks, rcond=None)[0]
            rest = ranks - self.model[:, 2:] @ weights[2:]
            rest = rest.round(6)  # what is explained in full is all alike
            adjusted = cliff(rest[: self.count], rest[self.count :])
        p = float((beyond + 1) / (PERMUTATIONS + 1))
        return Effect(cliff(first, second), float(low), float(high), p, adjusted)


def cliff(first: np.ndarray, second: np.ndarray) -> float:
    """Cliff's delta (1993)."""
    ordered = np.sort(second)
    below, not_above = np.searchsorted(ordered, first, "left"), np.searchsorted(ordered, first, "right")
    return float((below + not_above).mean() / len(second) - 1)


def holm(values: Sequence[float]) -> list[float]:
    """p-values corrected for their number (Holm 1979)."""
    order = np.argsort(values)
    found, highest = np.zeros(len(values)), 0.0
    for place, index in enumerate(order):
        highest = max(highest, min(1.0, values[index] * (len(values) - place)))
        found[index] = highest
    return [float(value) for value in found]


def _ranks(values: np.ndarray) -> np.ndarray:
    """1..n, ties share their mean."""
    unique, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[inverse])


def _resampled(sources: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """Places of pictures: as many sources as there are, with repetition, and of each as many pictures."""
    names = np.asarray(sources)
    places = [np.flatnonzero(names == name) for name in dict.fromkeys(sources)]
    chosen = [places[i] for i in rng.integers(len(places), size=len(places))]
    return np.concatenate([rng.choice(place, len(place)) for place in chosen])

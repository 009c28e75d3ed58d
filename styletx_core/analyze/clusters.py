# SPDX-License-Identifier: GPL-3.0-or-later
"""Which styles are alike: average linkage on gram distances."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Merge(NamedTuple):
    """Two clusters become one. Numbers below n are pictures, n is the first merge's cluster, n + 1 the next one's."""

    first: int
    second: int
    distance: float
    size: int


def distances(grams: Sequence[Sequence[Tensor]]) -> np.ndarray:
    """(n, n): mean over layers of |G_a - G_b|^2 / (|G_a| |G_b|). grams: of each picture, layer by layer."""
    total = np.zeros((len(grams), len(grams)))
    for layer in range(len(grams[0])):
        rows = torch.stack([picture[layer].flatten() for picture in grams]).float()
        inner = (rows @ rows.T).double().numpy()
        norms = np.sqrt(inner.diagonal()).clip(1e-12)
        total += (inner.diagonal()[:, None] + inner.diagonal()[None] - 2 * inner) / (norms[:, None] * norms[None])
    total = total.clip(0) / len(grams[0])
    np.fill_diagonal(total, 0)
    return total


def linkage(distance: np.ndarray) -> list[Merge]:
    """Average linkage (Sokal and Michener 1958) of (n, n) distances, the nearest first."""
    count = len(distance)
    work = distance.astype(np.float64).copy()
    np.fill_diagonal(work, np.inf)
    names, sizes = list(range(count)), np.ones(count)
    merges = []
    for step in range(count - 1):
        a, b = sorted(map(int, np.unravel_index(work.argmin(), work.shape)))
        size = sizes[a] + sizes[b]
        merges.append(Merge(names[a], names[b], float(work[a, b]), int(size)))
        row = (sizes[a] * work[a] + sizes[b] * work[b]) / size
        work[a], work[:, a] = row, row
        work[a, a] = np.inf
        work[b], work[:, b] = np.inf, np.inf
        names[a], sizes[a] = count + step, size
    return merges


def order(merges: Sequence[Merge], count: int) -> list[int]:
    """The pictures as they stand below the tree."""
    members: dict[int, list[int]] = {i: [i] for i in range(count)}
    for step, merge in enumerate(merges):
        members[count + step] = members.pop(merge.first) + members.pop(merge.second)
    return [place for part in members.values() for place in part]


def cut(merges: Sequence[Merge], count: int, clusters: int) -> list[int]:
    """The cluster of each picture, 0 upward, where the tree is cut into so many."""
    members: dict[int, list[int]] = {i: [i] for i in range(count)}
    for step, merge in enumerate(merges[: max(0, count - clusters)]):
        members[count + step] = members.pop(merge.first) + members.pop(merge.second)
    found = [0] * count
    for number, places in enumerate(sorted(members.values(), key=min)):
        for place in places:
            found[place] = number
    return found


def nearest_agree(distance: np.ndarray, groups: Sequence[str]) -> float:
    """How often a picture's nearest neighbor is of its own group: the mean over the groups."""
    work = distance.copy()
    np.fill_diagonal(work, np.inf)
    names = np.asarray(groups)
    same = names[work.argmin(1)] == names
    return float(np.mean([same[names == name].mean() for name in dict.fromkeys(groups)]))


def chance(distance: np.ndarray, groups: Sequence[str], times: int = 999, seed: int = 0) -> float:
    """p of `nearest_agree` when the groups' names are dealt out anew."""
    rng = np.random.default_rng(seed)
    found = nearest_agree(distance, groups)
    beyond = sum(nearest_agree(distance, list(rng.permutation(np.asarray(groups)))) >= found for _ in range(times))
    return (beyond + 1) / (times + 1)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The dip statistic: how far a sample is from having a single peak (Hartigan and Hartigan 1985)."""

from __future__ import annotations

import numpy as np


def dip(sample: np.ndarray) -> float:
    """The largest distance between the sample's distribution and the nearest one with a single peak.

    sample: (n,) numbers. 1 / (2 n) at least, 0.25 for two far heaps of one value each, 0 where all are the same.
    """
    values, counts = np.unique(np.asarray(sample, np.float64), return_counts=True)
    if len(values) == 1:
        return 0.0
    above = np.cumsum(counts) / counts.sum()  # the distribution just after each value, and ...
    below = above - counts / counts.sum()  # ... just before it
    first, last, found = 0, len(values) - 1, 1 / counts.sum()
    # the interval of the peak shrinks: left of it the distribution has to be convex, right of it concave
    while True:
        part = slice(first, last + 1)
        convex, low_knots = _minorant(values[part], below[part])
        concave, high_knots = _majorant(values[part], above[part])
        gap = concave - convex
        # where it is as wide between two knots as at them, rounding must not choose a place between
        knots = np.union1d(low_knots, high_knots)
        widest = int(knots[gap[knots].argmax()])
        if gap[widest] <= found:
            break
        if widest in low_knots:
            left, right = widest, int(high_knots[high_knots >= widest][0])
        else:
            left, right = int(low_knots[low_knots <= widest][-1]), widest
        # the knots themselves are on the curves, but for a heap of equal values, which the peak may be
        before, after = (above[part] - convex)[:left], (concave - below[part])[right + 1 :]
        found = max(found, before.max(initial=0.0), after.max(initial=0.0))
        if left == right or (left == 0 and right == last - first):
            break
        first, last = first + left, first + right
    return float(found) / 2


def _minorant(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The greatest convex function below the points, at each x, and the places of its knots."""
    knots: list[int] = []
    for i in range(len(x)):
        while len(knots) > 1:
            a, b = knots[-2], knots[-1]
            if (y[b] - y[a]) * (x[i] - x[a]) < (y[i] - y[a]) * (x[b] - x[a]):
                break
            knots.pop()
        knots.append(i)
    at = np.array(knots)
    return np.interp(x, x[at], y[at]), at


def _majorant(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The least concave function above the points."""
    values, knots = _minorant(x, -y)
    return -values, knots

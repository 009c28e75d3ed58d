# SPDX-License-Identifier: GPL-3.0-or-later
"""Interpolation over mixes: shares that add up to 1, of any number of things."""

from __future__ import annotations

from collections.abc import Sequence


def knots(shares: Sequence[float], parts: int) -> list[tuple[float, tuple[int, ...]]]:
    """The mixes of whole parts around a mix, and how much of each makes it up: linear between neighbors, without a gap.

    shares: zero or more each, adding up to 1. parts: how many parts a mix of whole parts has. Returns pairs of a weight
    above 0 and the counts of parts, one for each share; at most as many pairs as shares. The cells are the simplices of
    Freudenthal's triangulation (1942): cumulative sums turn mixes into ordered coordinates, in which a point's cell
    follows from the order of their fractions.
    """
    place, left = [], float(parts)
    for share in shares[:-1]:
        left -= share * parts
        place.append(round(min(max(left, 0.0), float(parts)), 9))  # what rounding left over makes no knot of its own
    corner = [int(one) for one in place]
    fractions = [one - whole for one, whole in zip(place, corner, strict=True)]
    order = sorted(range(len(place)), key=lambda i: (-fractions[i], i))
    steps = [1.0, *(fractions[i] for i in order), 0.0]
    found = []
    for number, (above, below) in enumerate(zip(steps, steps[1:], strict=False)):
        if number:
            corner[order[number - 1]] += 1
        if above > below:
            sums = [parts, *corner, 0]
            found.append((above - below, tuple(a - b for a, b in zip(sums, sums[1:], strict=False))))
    return found

# SPDX-License-Identifier: GPL-3.0-or-later
"""Interpolation over mixes."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from styletx_core.methods.knots import knots

MIXES = st.lists(st.floats(0, 1), min_size=1, max_size=5).filter(lambda s: sum(s) > 0.01)


@given(MIXES, st.integers(1, 12))
def test_knots_are_mixes_that_make_up_the_mix(shares: list[float], parts: int) -> None:
    mix = np.array(shares) / sum(shares)
    found = knots(list(mix), parts)
    assert 1 <= len(found) <= len(mix)
    assert all(weight > 0 for weight, _ in found) and abs(sum(weight for weight, _ in found) - 1) < 1e-6
    assert all(sum(counts) == parts and min(counts) >= 0 for _, counts in found)
    together = sum(weight * np.array(counts) / parts for weight, counts in found)
    np.testing.assert_allclose(together, mix, atol=1e-6)
    # they are neighbors: no count differs by more than one between any two
    assert np.ptp([counts for _, counts in found], axis=0).max() <= 1


@given(st.lists(st.integers(0, 5), min_size=1, max_size=5).filter(any))
def test_a_mix_of_whole_parts_is_its_own_knot(counts: list[int]) -> None:
    parts = sum(counts)
    assert knots([count / parts for count in counts], parts) == [(1.0, tuple(counts))]


def test_what_leaves_a_mix_has_no_knots() -> None:
    assert all(counts[1] == 0 for _, counts in knots([0.3, 0.0, 0.7], 8))

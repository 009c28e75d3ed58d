# SPDX-License-Identifier: GPL-3.0-or-later
"""The loss against the weave sees a pattern that repeats with the network's cells, on flat places, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from styletx_core.perceptual import losses

CELL, CELLS = 8, 18
SIZE = CELL * CELLS


def gray(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels.astype(np.float32)).expand(1, 3, *pixels.shape).contiguous()


def repeated(seed: int, period: int) -> np.ndarray:
    """A pattern of zero mean that repeats, SIZE x SIZE."""
    pattern = np.random.default_rng(seed).normal(0, 0.02, (period, period))
    times = -(-SIZE // period)
    return np.tile(pattern - pattern.mean(), (times, times))[:SIZE, :SIZE]


def ramp(slope: float) -> np.ndarray:
    return np.broadcast_to(0.4 + slope * np.arange(SIZE) / SIZE, (SIZE, SIZE))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999), st.floats(-0.2, 0.2))
def test_what_repeats_with_the_cells_counts_as_its_variance(seed: int, slope: float) -> None:
    """On a sky that grows brighter, too, where the pattern follows what is below."""
    pattern, sky = repeated(seed, CELL), ramp(slope)
    # the mean of the 17x17 around that is taken off holds four whole cells and an edge of a fifth
    assert float(losses.weave(gray(sky + pattern), gray(sky), CELL)) == pytest.approx(pattern.var(), rel=0.2)
    assert float(losses.weave(gray(sky), gray(sky), CELL)) < 1e-3 * pattern.var()


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999), st.sampled_from((5, 7, 9, 11)))
def test_other_periods_and_noise_count_little(seed: int, period: int) -> None:
    sky = ramp(0.1)
    noise = np.random.default_rng(seed).normal(0, 0.02, (SIZE, SIZE))
    for texture in (repeated(seed, period), noise):
        assert float(losses.weave(gray(sky + texture), gray(sky), CELL)) < 0.15 * texture.var()


def test_a_photo_that_is_not_flat_may_have_any_texture() -> None:
    pattern = repeated(1, CELL)
    busy = 0.5 + np.random.default_rng(2).normal(0, 0.15, (SIZE, SIZE))
    assert float(losses.weave(gray(busy + pattern), gray(busy), CELL)) < 1e-3 * pattern.var()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Arithmetic on pictures: NumPy's results to the last bit, whatever is faster."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from styletx_core import channels, halves
from styletx_core.warp import Kernel, places, sample, warp

KERNELS: list[Kernel] = ["nearest", "linear", "cubic", "lanczos"]
single = st.floats(width=32, allow_nan=False)
shapes = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4))


@given(st.data(), shapes)
def test_a_picture_times_values_and_where_a_mask_is(data: st.DataObject, shape: tuple[int, int, int]) -> None:
    moderate = st.floats(-(2.0**60), 2.0**60, width=32)
    picture, other = (data.draw(arrays(np.float32, shape, elements=moderate)) for _ in range(2))
    values = data.draw(arrays(np.float32, shape[:2], elements=moderate))
    mask = data.draw(arrays(np.bool_, shape[:2]))
    assert np.array_equal(channels.times(picture, values), picture * values[..., None])
    assert np.array_equal(channels.where(mask, picture, other), np.where(mask[..., None], picture, other))
    assert np.array_equal(channels.largest(picture), picture.max(2))


@given(arrays(np.float32, st.tuples(st.integers(1, 40), st.integers(1, 3)), elements=single))
def test_half_precision_rounds_as_numpy_does(values: np.ndarray) -> None:
    with np.errstate(over="ignore"):
        expected = values.astype(np.float16)
    found = halves.half(values.copy())
    assert found.dtype == np.float16
    assert np.array_equal(found, expected)
    assert np.array_equal(halves.single(found), expected.astype(np.float32))


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(2, 40), st.sampled_from(KERNELS))
def test_single_pixels_are_sampled_as_in_the_whole_picture(seed: int, height: int, width: int, kernel: Kernel) -> None:
    rng = np.random.default_rng(seed)
    picture = rng.random((height, width, 2), np.float32)
    offset = rng.normal(0, 5, (height, width, 2)).astype(np.float32)
    some = np.flatnonzero(rng.random(height * width) < 0.5)
    whole = warp(picture, offset, kernel)
    found = sample(picture, places(offset, some), kernel)
    assert np.array_equal(found, whole.reshape(-1, 2)[some])

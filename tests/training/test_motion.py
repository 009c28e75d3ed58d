# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic motion is exact where it says it is, and says so only where it is."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from styletx_core.perceptual import losses
from training.motion import Pair, make_pair
from training.painters import paint

SIZE = 96
SEEDS = st.integers(0, 2**32 - 1)
PICTURES = [(paint(name, 160, 160, 3) * 255).astype(np.uint8) for name in ("watercolor", "mosaic", "poster")]


def plain(*color: int) -> np.ndarray:
    return np.full((SIZE + 16, SIZE + 16, 3), color, np.uint8)


def along(pair: Pair) -> np.ndarray:
    """The first frame as the offset brings it to the second."""
    first = torch.from_numpy(pair.first).permute(2, 0, 1)[None]
    return losses.warp(first, torch.from_numpy(pair.offset)[None])[0].permute(1, 2, 0).numpy()


@settings(max_examples=40, deadline=None)
@given(SEEDS, st.integers(33, 130), st.sampled_from((16, 17, 30)))
def test_a_pair_is_whole_and_the_same_for_the_same_seed(seed: int, size: int, room: int) -> None:
    still, sprite = (picture[: size + room, : size + room][:, ::-1] for picture in PICTURES[:2])  # mirrored views
    pair = make_pair(still, sprite, size, np.random.default_rng(seed))
    assert pair.first.shape == pair.second.shape == (size, size, 3)
    assert pair.offset.shape == (2, size, size) and pair.seen.shape == pair.mask.shape == (1, size, size)
    for field in pair:
        assert field.dtype == np.float32 and np.isfinite(field).all()
    for field in (pair.first, pair.second, pair.seen, pair.mask):
        assert field.min() >= 0 and field.max() <= 1
    assert set(np.unique(pair.seen)) <= {0, 1}
    again = make_pair(still, sprite, size, np.random.default_rng(seed))
    assert all((a == b).all() for a, b in zip(pair, again, strict=True))


def test_the_first_frame_moved_is_the_second() -> None:
    moved, unmoved, seen, masks = [], [], [], []
    for seed in range(60):
        still, sprite = PICTURES[seed % 2], PICTURES[2]
        pair = make_pair(still, sprite, 128, np.random.default_rng(seed))
        keep = pair.seen[0] > 0
        # light changes between the frames: take each channel's mean difference off
        gap, still_gap = ((pair.second - other)[keep] for other in (along(pair), pair.first))
        gap, still_gap = gap - gap.mean(0), still_gap - still_gap.mean(0)
        assert np.median(np.abs(gap)) < 0.05, seed
        moved.append(np.abs(gap).mean())
        unmoved.append(np.abs(still_gap).mean())
        seen.append(pair.seen.mean())
        masks.append(pair.mask.mean())
    # noise and moving shadows are all that is left; some pairs stand still
    assert np.mean(moved) < 0.45 * np.mean(unmoved)
    assert np.mean(seen) > 0.75 and np.mean(np.array(seen) > 0.5) > 0.85
    assert 0.2 < np.mean(np.array(masks) == 0) + 0.1 < 0.6, "some pairs are backgrounds alone, most are not"


def test_what_was_hidden_is_never_seen() -> None:
    """Blue behind, red in front: by their hue, whatever the light is, pixels tell which layer they are of."""
    checked = 0
    for seed in range(200):
        pair = make_pair(plain(0, 0, 255), plain(255, 0, 0), SIZE, np.random.default_rng(seed))
        before, now = along(pair), pair.second
        fireflies = (before[..., 1] > 0.2) | (now[..., 1] > 0.2)
        red_before, red_now = (f[..., 0] / (f[..., 0] + f[..., 2]).clip(0.1) for f in (before, now))
        seen = (pair.seen[0] > 0) & ~fireflies
        behind, front = seen & (pair.mask[0] < 0.5), seen & (pair.mask[0] > 0.5)
        if not front.any() or (red_now[behind] > 0.25).any() or (red_now[front] < 0.75).any():
            continue  # nothing in front, or a sky or an object in a color of its own
        checked += 1
        assert (red_before[behind] < 0.25).all(), f"covered in the first frame, seed {seed}"
        assert (red_before[front] > 0.75).all(), f"an object's pixel comes from the background, seed {seed}"
        place = pair.offset + np.mgrid[:SIZE, :SIZE][::-1]
        assert place[:, seen].min() > -0.05 and place[:, seen].max() < SIZE - 0.95
    assert checked >= 60


def test_the_mask_is_what_stands_in_front() -> None:
    """Where the background is pure blue the mask is the share of what is not."""
    checked = 0
    for seed in range(40):
        pair = make_pair(plain(0, 0, 255), plain(255, 0, 0), SIZE, np.random.default_rng(seed))
        red, green, blue = np.moveaxis(pair.second, 2, 0)
        fireflies = green > 0.5
        front, behind = (pair.mask[0] > 0.99) & ~fireflies, (pair.mask[0] < 0.01) & ~fireflies
        if green.mean() > 0.05 or not 0.1 < front.mean() < 0.9:
            continue
        checked += 1
        assert (red - blue)[front].min() > 0.2 and (blue - red)[behind].min() > 0.2
    assert checked >= 5

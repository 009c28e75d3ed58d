# SPDX-License-Identifier: GPL-3.0-or-later
"""The temporal stage on motion that is known exactly."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from styletx_core.motion import Motion
from styletx_core.temporal import EVERY, Anchor, Way, blend, pieces, temporal_error
from styletx_core.warp import Kernel, grid, inside, warp

SIZE = 96


def texture(seed: int, size: int = SIZE) -> np.ndarray:
    """HxWx3 in 0.1..0.9 with detail at every scale, as paint has."""
    rng = np.random.default_rng(seed)
    noise = [cv2.GaussianBlur(rng.normal(0, 1, (size, size, 3)), (0, 0), s) * s for s in (0.8, 3, 9)]
    return (0.5 + 0.4 * np.tanh(np.sum(noise, 0))).astype(np.float32)


def along(back: np.ndarray, ahead: np.ndarray) -> Motion:
    seen = inside(back)
    return Motion(back, seen.astype(np.float32), seen, ahead, inside(ahead).astype(np.float32))


def shift(dx: float, dy: float) -> Motion:
    offset = np.empty((SIZE, SIZE, 2), np.float32)
    offset[:] = dx, dy
    return along(offset, -offset)


def steady(
    pictures: list[np.ndarray], paints: list[np.ndarray], motions: list[Motion | None], stability: float = 1.0
) -> list[np.ndarray]:
    """The frames of one piece: its first and its last one are anchors. motions: from each frame to the one before."""
    last, after = len(paints) - 1, [Way.none(SIZE, SIZE)]
    for motion in reversed(motions[1:]):
        after.insert(0, after[0].after(motion))
    out, way = [paints[0]], Way.none(SIZE, SIZE)
    for i in range(1, last):
        way = way.before(motions[i - 1])
        ends = Anchor(pictures[0], way), Anchor(pictures[last], after[i - 1])
        mix = blend(pictures[i], *ends, i / last, pictures[i - 1], motions[i - 1], stability)
        out.append(mix.paint(paints[i], paints[0], paints[last], out[-1]))
    return [*out, paints[last]]


def rms(errors: list[float | None]) -> float:
    return float(np.sqrt(np.mean(np.square([e for e in errors if e is not None]))))


def sharpness(picture: np.ndarray) -> float:
    return float(cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_32F)[16:-16, 16:-16].var())


def test_flickering_paint_on_a_still_picture_stands_still() -> None:
    still, paint = texture(0), texture(1)
    flicker = [np.clip(paint + 0.1 * (texture(s + 2) - 0.5), 0, 1).astype(np.float32) for s in range(EVERY + 1)]
    out = steady([still] * len(flicker), flicker, [shift(0, 0)] * EVERY)
    ours, alone = (rms([temporal_error(b, a, shift(0, 0)) for a, b in pairwise(f)]) for f in (out, flicker))
    assert ours < alone / 3
    assert all(0.9 < sharpness(a) / sharpness(b) < 1.1 for a, b in zip(out, flicker, strict=True))


def test_half_pixel_steps_neither_blur_nor_ring_nor_slip() -> None:
    """A picture that glides by: bilinear reprojection would have lost nearly all of its detail."""
    big, big_paint = texture(3, 256), texture(4, 256)
    frames = []
    for frame in range(EVERY + 1):
        x, y = 20 + 0.43 * frame, 30 + 0.27 * frame
        cut = np.float32([[1, 0, -x], [0, 1, -y]])
        frames.append([cv2.warpAffine(p, cut, (SIZE, SIZE), flags=cv2.INTER_LANCZOS4).clip(0, 1)
                       for p in (big, big_paint)])  # fmt: skip
    pictures, paints = map(list, zip(*frames, strict=True))
    out = steady(pictures, paints, [shift(0.43, 0.27)] * EVERY)
    # cutting the frames out at half pixels makes their own sharpness breathe, hence the mean
    assert 0.9 < np.mean([sharpness(a) / sharpness(b) for a, b in zip(out, paints, strict=True)]) < 1.1
    for a, b in zip(out, paints, strict=True):
        slip, _ = cv2.phaseCorrelate(*(p.mean(2)[16:-16, 16:-16].astype(np.float64) for p in (a, b)))
        assert np.abs(slip).max() < 0.15  # OpenCV's cubic kernel itself leans by up to 0.05 pixels


def test_what_no_anchor_saw_shows_the_frame_alone() -> None:
    """A surface that comes into view and is hidden again between two anchors."""
    first, other = texture(5), texture(6)
    paints = [np.clip(first + 0.3 * (other - 0.5) * (i % 2), 0, 1).astype(np.float32) for i in range(5)]
    move = shift(0, 0)
    hidden = move.visible.copy()
    hidden[:, :40] = 0
    gone = Motion(move.offset, hidden, hidden > 0, move.ahead, hidden)
    out = steady([first] * 5, paints, [gone, move, move, gone])
    assert np.array_equal(out[1][:, :40], paints[1][:, :40])
    # from then on it keeps the paint of the frame before
    assert np.abs(out[2] - paints[1])[:, :36].mean() < 0.3 * np.abs(paints[2] - paints[1])[:, :36].mean()
    assert np.abs(out[1] - paints[0])[:, 50:].mean() < 0.3 * np.abs(paints[1] - paints[0])[:, 50:].mean()


def test_what_one_anchor_saw_has_its_paint_at_any_time() -> None:
    """Nothing fades in or out where only one of them can give anything."""
    black, gray = np.zeros((SIZE, SIZE, 3), np.float32), np.full((SIZE, SIZE, 3), 0.5, np.float32)
    still = shift(0, 0)
    uncovered = still.visible.copy()
    uncovered[:, :40] = 0
    behind = Motion(still.offset, uncovered, uncovered > 0, still.ahead, uncovered)
    paints = [black, gray, gray, gray, np.ones_like(black)]
    out = steady([gray] * 5, paints, [behind, still, still, still])  # the first anchor did not see the left
    assert all(np.allclose(frame[:, :30], 1, atol=0.01) for frame in out[1:])
    assert np.allclose([frame[40, 70, 0] for frame in out], [0, 0.25, 0.5, 0.75, 1], atol=0.01)


@pytest.mark.parametrize("step", [0.01, 0.03, 0.1])
def test_a_light_leaves_no_ghost_however_slowly_it_goes(step: float) -> None:
    """A shadow falls on a third of the picture: three frames after it stops its paint is the new one."""
    still, pictures, paints = texture(7) * np.float32(0.5) + np.float32(0.25), [], []
    for frame in range(EVERY + 1):
        shade = min(frame * step, 0.2)
        picture = still.copy()
        picture[:, : SIZE // 3] -= np.float32(shade)
        slide = np.zeros((SIZE, SIZE, 2), np.float32)
        slide[:, : SIZE // 3] = 10 * shade  # paint that follows the light
        pictures.append(picture)
        paints.append(warp(picture, slide))
    out = steady(pictures, paints, [shift(0, 0)] * EVERY)
    ghosts = [np.abs(a - b).mean() for a, b in zip(out, paints, strict=True)]
    assert max(ghosts[round(0.2 / step) + 3 :], default=0) <= 0.02 and np.mean(ghosts) <= 0.02


def test_paint_does_not_cross_a_cut() -> None:
    black, white = np.zeros((SIZE, SIZE, 3), np.float32), np.ones((SIZE, SIZE, 3), np.float32)
    paints = [black] * 3 + [white] * 4
    out = steady(paints, paints, [shift(0, 0)] * 2 + [None] + [shift(0, 0)] * 3)
    assert all(np.array_equal(a, b) for a, b in zip(out, paints, strict=True))


def test_no_stability_is_every_frame_alone() -> None:
    paints = [texture(seed) for seed in range(4)]
    out = steady([texture(10)] * 4, paints, [shift(1, 0)] * 3, stability=0)
    assert all(np.allclose(a, b, atol=1e-6) for a, b in zip(out, paints, strict=True))


def test_an_old_outline_is_not_left_on_the_background() -> None:
    """A disk with a bright outline glides over a flat wall: where it was the wall is bare."""
    pictures, paints, motions = [], [], []
    y, x = np.mgrid[:SIZE, :SIZE]
    for frame in range(EVERY + 1):
        away = np.hypot(x - 30 - 2 * frame, y - 48)
        pictures.append(np.repeat(np.where(away < 12, 0.9, 0.4)[..., None], 3, 2).astype(np.float32))
        paints.append(np.where((np.abs(away - 13.5) < 1.5)[..., None], np.float32(1), pictures[-1]).astype(np.float32))
        disk, before = away < 12, np.hypot(x - 30 - 2 * (frame - 1), y - 48) < 12
        back = np.where(disk[..., None], (-2, 0), (0, 0)).astype(np.float32)
        ahead = np.where(before[..., None], (2, 0), (0, 0)).astype(np.float32)
        seen, seen_ahead = disk | ~before, before | ~disk
        motions.append(Motion(back, seen.astype(np.float32), seen, ahead, seen_ahead.astype(np.float32)))
    out = steady(pictures, paints, motions[1:])
    middle = EVERY // 2
    wall = np.hypot(x - 30 - 2 * middle, y - 48) > 20
    assert np.abs(out[middle] - paints[middle])[wall].max() < 0.1


@given(
    st.floats(-0.02, 0.02), st.floats(0.98, 1.02), st.floats(-2, 2), st.floats(-2, 2), st.integers(2, EVERY)
)  # fmt: skip
@example(0.01953125, 0.98, 0, 1, 12)
@settings(deadline=None)
def test_ways_add_up(angle: float, zoom: float, dx: float, dy: float, steps: int) -> None:
    """Any camera roll, zoom and pan: the steps to an anchor lead to the same place as the one movement."""
    turn = zoom * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    middle, own = (SIZE - 1) / 2, grid(SIZE, SIZE).astype(np.float64)

    def moved(places: np.ndarray, backward: bool) -> np.ndarray:
        matrix = np.linalg.inv(turn) if backward else turn
        step = np.array([dx, dy])
        return (
            (places - middle - step) @ matrix.T + middle if backward else (places - middle) @ matrix.T + middle + step
        )

    move = along((moved(own, True) - own).astype(np.float32), (moved(own, False) - own).astype(np.float32))
    before, after, back, ahead = Way.none(SIZE, SIZE), Way.none(SIZE, SIZE), own, own
    for _ in range(steps):
        before, after = before.before(move).compact().full(), after.after(move).compact().full()
        back, ahead = moved(back, True), moved(ahead, False)
    for way, places in ((before, back), (after, ahead)):
        visible = way.visible > 0
        gap = np.abs(way.offset - (places - own))[visible]
        # each step rounds: OpenCV samples at 32nds of a pixel, and ways are kept in half precision
        assert not visible.any() or gap.max() < 0.05 + 0.005 * steps
        # what it says to be visible is, and nothing else is lost but a border that grows by a pixel a step
        assert not (visible & ((places < -0.05) | (places > SIZE - 0.95)).any(2)).any()
        near = (places >= 2 + 2 * steps).all(2) & (places <= SIZE - 3 - 2 * steps).all(2)
        assert visible[near].all()


@given(st.integers(1, 100), st.integers(-50, 1000))
def test_pieces_cover_a_shot_and_share_their_anchors(count: int, first: int) -> None:
    numbers = range(first, first + count)
    found = pieces(numbers)
    assert [number for piece in found for number in piece.own] == list(numbers)
    assert all(a.frames[-1] == b.frames[0] for a, b in pairwise(found))
    assert all((count > 1) < len(piece.frames) <= EVERY + 1 and set(piece.own) <= set(piece.frames) for piece in found)


KERNELS: dict[Kernel, int] = {"cubic": cv2.INTER_CUBIC, "lanczos": cv2.INTER_LANCZOS4}


@given(st.sampled_from(list(KERNELS)), st.integers(0, SIZE), st.integers(0, SIZE), st.floats(-5, 5), st.floats(-5, 5))
@settings(deadline=None, max_examples=20)
def test_what_stands_still_is_sampled_to_the_same_bits(
    kernel: Kernel, bottom: int, right: int, dx: float, dy: float
) -> None:
    offset, picture = np.zeros((SIZE, SIZE, 2), np.float32), texture(13)
    offset[bottom:, :right] = dx, dy
    at = grid(SIZE, SIZE) + offset
    wanted = cv2.remap(picture, at, None, KERNELS[kernel], borderMode=cv2.BORDER_REPLICATE)
    np.testing.assert_array_equal(warp(picture, offset, kernel), wanted)


def test_temporal_error_is_zero_along_the_true_motion() -> None:
    picture = cv2.GaussianBlur(texture(12), (0, 0), 4)
    moved = warp(picture, shift(2, 3).offset)
    error, unmoved = temporal_error(moved, picture, shift(2, 3)), temporal_error(moved, picture, shift(0, 0))
    assert error is not None and unmoved is not None and error < 1e-6 < unmoved / 100

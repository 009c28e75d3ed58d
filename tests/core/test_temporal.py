# SPDX-License-Identifier: GPL-3.0-or-later
"""The temporal stage on motion that is known exactly."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from styletx_core.motion import Motion
from styletx_core.temporal import Temporal, temporal_error
from styletx_core.warp import inside, warp

SIZE = 96


def texture(seed: int, size: int = SIZE) -> np.ndarray:
    """HxWx3 in 0.1..0.9 with detail at every scale, as paint has."""
    rng = np.random.default_rng(seed)
    noise = [cv2.GaussianBlur(rng.normal(0, 1, (size, size, 3)), (0, 0), s) * s for s in (0.8, 3, 9)]
    return (0.5 + 0.4 * np.tanh(np.sum(noise, 0))).astype(np.float32)


def shift(dx: float, dy: float) -> Motion:
    offset = np.empty((SIZE, SIZE, 2), np.float32)
    offset[:] = dx, dy
    seen = inside(offset)
    return Motion(offset, seen.astype(np.float32), seen)


def sharpness(picture: np.ndarray) -> float:
    return float(cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_32F)[16:-16, 16:-16].var())


def test_flickering_paint_on_a_still_picture_stands_still() -> None:
    stage, still, paint = Temporal(), texture(0), texture(1)
    for seed in range(10):
        flicker = np.clip(paint + 0.1 * (texture(seed + 2) - 0.5), 0, 1).astype(np.float32)
        out = stage.step(still, flicker, shift(0, 0))
    assert stage.error is not None and stage.alone_error is not None
    assert stage.error < stage.alone_error / 3
    assert 0.9 < sharpness(out) / sharpness(flicker) < 1.1


def test_sixty_half_pixel_steps_neither_blur_nor_ring() -> None:
    """A picture that glides by: bilinear reprojection would have lost nearly all of its detail."""
    big, big_paint = texture(3, 256), texture(4, 256)
    stage, ratios = Temporal(), []
    for frame in range(60):
        x, y = 20 + 0.43 * frame, 30 + 0.27 * frame
        cut = np.float32([[1, 0, -x], [0, 1, -y]])
        picture, paint = (
            cv2.warpAffine(p, cut, (SIZE, SIZE), flags=cv2.INTER_LANCZOS4).clip(0, 1) for p in (big, big_paint)
        )
        out = stage.step(picture, paint, shift(0.43, 0.27))
        ratios.append(sharpness(out) / sharpness(paint))
    # cutting the frames out at half pixels makes their own sharpness breathe, hence the mean over some
    assert 0.9 < np.mean(ratios[10:20]) < 1.1 and 0.9 < np.mean(ratios[-10:]) < 1.1
    (slip_x, slip_y), _ = cv2.phaseCorrelate(*(p.mean(2)[16:-16, 16:-16].astype(np.float64) for p in (out, paint)))
    assert abs(slip_x) < 0.1 and abs(slip_y) < 0.1


def test_what_was_hidden_shows_the_frame_alone() -> None:
    stage, first = Temporal(), texture(5)
    second = np.clip(first + 0.3 * (texture(6) - 0.5), 0, 1).astype(np.float32)
    stage.step(first, first, None)
    hidden = shift(0, 0)
    visible = hidden.visible.copy()
    visible[:, :40] = 0
    out = stage.step(first, second, Motion(hidden.offset, visible, visible > 0))
    assert np.array_equal(out[:, :40], second[:, :40])
    assert np.abs(out - first)[:, 50:].mean() < np.abs(out - second)[:, 50:].mean()


@pytest.mark.parametrize("step", [0.004, 0.02, 0.1])
def test_a_light_leaves_no_ghost_however_slowly_it_goes(step: float) -> None:
    """A shadow falls on a third of the picture in 50 frames or in 2: soon after it stops its paint is the new one."""
    stage, still = Temporal(), texture(7) * np.float32(0.5) + np.float32(0.25)
    shade = 0.0
    for _ in range(round(0.2 / step) + 3):
        shade = min(shade + step, 0.2)
        picture = still.copy()
        picture[:, : SIZE // 3] -= np.float32(shade)
        slide = np.zeros((SIZE, SIZE, 2), np.float32)
        slide[:, : SIZE // 3] = 10 * shade  # paint that follows the light
        stylized = warp(picture, slide)
        out = stage.step(picture, stylized, shift(0, 0))
    assert np.abs(out - stylized).mean() <= 0.02
    assert np.abs(out - stylized)[:, : SIZE // 3].mean() <= 0.04


def test_a_cut_forgets_and_a_first_frame_has_no_error() -> None:
    stage, first, second = Temporal(), texture(8), texture(9)
    assert np.array_equal(stage.step(first, first, shift(0, 0)), first) and stage.error is None
    stage.step(first, first, shift(0, 0))
    assert stage.error is not None
    assert np.array_equal(stage.step(second, second, None), second) and stage.error is None


def test_no_stability_is_every_frame_alone() -> None:
    stage = Temporal(stability=0)
    for seed in range(3):
        paint = texture(seed)
        assert np.allclose(stage.step(texture(10), paint, shift(1, 0)), paint, atol=1e-6)


def test_a_restored_stage_goes_on_bit_for_bit() -> None:
    running, saved = Temporal(), None
    frames = [(texture(20 + i) * 0.1 + texture(11) * 0.9, texture(40 + i)) for i in range(6)]
    for index, (picture, paint) in enumerate(frames):
        running.step(picture, paint, shift(0.3, -0.2))
        if index == 2:
            saved = {name: array.copy() for name, array in running.state().items()}
    resumed = Temporal()
    assert saved is not None
    resumed.restore(saved)
    for picture, paint in frames[3:]:
        out = resumed.step(picture, paint, shift(0.3, -0.2))
    for name, array in running.state().items():
        assert np.array_equal(array, resumed.state()[name])
    assert resumed.error == running.error and out.dtype == np.float32


def test_temporal_error_is_zero_along_the_true_motion() -> None:
    picture = cv2.GaussianBlur(texture(12), (0, 0), 4)
    moved = warp(picture, shift(2, 3).offset)
    error, unmoved = temporal_error(moved, picture, shift(2, 3)), temporal_error(moved, picture, shift(0, 0))
    assert error is not None and unmoved is not None and error < 1e-6 < unmoved / 100

# SPDX-License-Identifier: GPL-3.0-or-later
"""Render vectors mean what we say they mean: proven by rendering a moving scene with a turning camera in Blender."""

from __future__ import annotations

from pathlib import Path

import blenders
import numpy as np
import pytest

from styletx_core.motion import WORLD_DEPTH, Motion, make_motion
from styletx_core.shot import Frame, Shot, open_shot
from styletx_core.warp import warp

FRAMES, CUT = 4, 4
SHOT = "--frames", FRAMES, "--size", "320x180", "--samples", 32, "--speed", 8, "--cut", CUT


@pytest.fixture(scope="module", params=["4.5.15", "5.0.1"], ids=["single part", "multi part"])
def shot(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shot:
    """Frames 1 to 3 of a fast shot by one camera, frame 4 by another; in both EXR layouts."""
    directory = tmp_path_factory.mktemp("shot")
    blenders.run(request.param, "demo_scene.py", "--output", directory, *SHOT)
    return open_shot(directory)


def display(frame: Frame) -> np.ndarray:
    """Scene-linear to something even to the eye; which curve does not matter here."""
    return np.clip(frame.rgb, 0, 1) ** np.float32(1 / 2.2)


def step(shot: Shot, number: int, kind: str = "vectors") -> tuple[Frame, np.ndarray, np.ndarray, Motion | None]:
    before, now = shot.read(number - 1), shot.read(number)
    before_display, now_display = display(before), display(now)
    return now, before_display, now_display, make_motion(shot, kind).between(before, now, before_display, now_display)


def gain(before: np.ndarray, now: np.ndarray, motion: Motion, where: np.ndarray) -> float:
    """How many times smaller the mean absolute error is with our motion than without, on pixels seen twice."""
    seen = where & (motion.visible > 0.5)
    assert seen.sum() > 0.7 * where.sum(), "most pixels are seen in both frames; a small mask would prove nothing"
    still, moved = np.abs(before - now), np.abs(warp(before, motion.offset, "lanczos") - now)
    return float(still[seen].mean() / moved[seen].mean())


@pytest.mark.parametrize("number", [2, 3])
def test_warping_beats_not_warping_four_times(shot: Shot, number: int) -> None:
    now, before_display, now_display, motion = step(shot, number)
    assert motion is not None and now.depth is not None
    world = now.depth > WORLD_DEPTH
    assert gain(before_display, now_display, motion, ~world) > 4
    assert gain(before_display, now_display, motion, world) > 4


def test_the_shot_moves(shot: Shot) -> None:
    """The world turns by some pixels, and objects move against each other: nothing above is won by standing still."""
    now, _, _, motion = step(shot, 2)
    assert motion is not None and now.depth is not None and now.index is not None
    far = np.hypot(*np.moveaxis(motion.offset, 2, 0))
    assert far[now.depth > WORLD_DEPTH].mean() > 2
    assert np.percentile(far[now.index > 0], 95) > 10
    assert np.percentile(far[now.index > 0], 5) < 2


def test_a_camera_bound_by_a_marker_is_a_cut(shot: Shot) -> None:
    assert shot.camera is not None
    assert {shot.camera.pose(n).camera for n in (CUT - 1, CUT)} == {"Camera.001", "Second"}  # type: ignore[union-attr]
    for kind in ("vectors", "flow"):
        assert step(shot, CUT, kind)[3] is None


def test_the_sample_shots_are_alike() -> None:
    """What is committed under tests/data reads the same from both layouts."""
    four, five = (open_shot(Path(blenders.ROOT) / "tests" / "data" / name) for name in ("shot_4x", "shot_5x"))
    assert four.numbers == five.numbers == list(range(1, 9))
    for shot in (four, five):
        assert (shot.has_vector, shot.has_depth, shot.has_index, shot.bit_depth) == (True, True, True, "half")
        assert shot.camera is not None and (shot.width, shot.height) == (256, 144)
    a, b = four.read(5), five.read(5)
    assert np.median(np.abs(a.rgb - b.rgb)) < 0.01
    assert a.vector is not None and b.vector is not None and np.percentile(np.abs(a.vector - b.vector), 95) < 0.1
    assert np.mean(a.index != b.index) < 0.02

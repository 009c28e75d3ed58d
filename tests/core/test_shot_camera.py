# SPDX-License-Identifier: GPL-3.0-or-later
"""shot.json, the camera's way through a shot."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from test_shot_sequence import write_numbers

from styletx_core.errors import InputError
from styletx_core.shot import CameraTrack, open_shot


def content() -> dict:
    pose = {"camera": "Camera", "type": "PERSP", "world": list(range(16)), "projection": [0.5] * 16}
    return {
        "version": 1,
        "resolution": [24, 18],
        "frame_step": 2,
        "time_remap": [100, 100],
        "fps": 23.976,
        "motion_blur": False,
        "border": False,
        "frames": {"1": pose, "3": {**pose, "camera": "Other", "type": "PANO"}},
        "view": {"display": "sRGB", "view": "AgX", "look": "None", "exposure": 0.5, "gamma": 1.0},
    }


def test_found_beside_the_frames(tmp_path: Path) -> None:
    write_numbers(tmp_path, 1, 3)
    (tmp_path / "shot.json").write_text(json.dumps(content()))
    with open_shot(tmp_path) as shot:
        track = shot.camera
        assert track is not None and shot.fps == 23.976 and shot.frame_step == 2
        assert (track.resolution, track.frame_step, track.time_remap) == ((24, 18), 2, (100, 100))
        assert track.view is not None and (track.view.view, track.view.exposure) == ("AgX", 0.5)
        first, second = track.pose(1), track.pose(3)
        assert first is not None and second is not None and track.pose(2) is None
        assert (first.camera, first.type, second.camera, second.type) == ("Camera", "PERSP", "Other", "PANO")
        np.testing.assert_array_equal(first.world, np.arange(16).reshape(4, 4))


def test_given_by_hand(tmp_path: Path) -> None:
    write_numbers(tmp_path / "frames", 1, 3)
    (tmp_path / "other.json").write_text(json.dumps(content()))
    with open_shot(tmp_path / "frames", camera=tmp_path / "other.json") as shot:
        assert shot.camera is not None and shot.camera.pose(3) is not None


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "is of version 2"),
        ({"resolution": [24]}, "wrong kind"),
        ({"frames": {"1": {"camera": "C", "type": "PERSP", "world": [1] * 15, "projection": [1] * 16}}}, "16 finite"),
        ({"frames": {"1": {"camera": "C", "type": "FISH", "world": [1] * 16, "projection": [1] * 16}}}, "FISH"),
        ({"frames": {"1": {"camera": "C", "type": "PERSP", "projection": [1] * 16}}}, "no entry 'world'"),
        ({"frames": [1]}, "wrong kind"),
        ({"frame_step": 0}, "above zero"),
    ],
)
def test_bad_entries(tmp_path: Path, change: dict, words: str) -> None:
    path = tmp_path / "shot.json"
    path.write_text(json.dumps(content() | change))
    with pytest.raises(InputError, match=words) as caught:
        CameraTrack.load(path)
    assert "shot.json" in str(caught.value)


def test_bad_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.json cannot be read"):
        CameraTrack.load(tmp_path / "gone.json")
    (tmp_path / "shot.json").write_text('{"version": 1')
    with pytest.raises(InputError, match="not valid JSON"):
        CameraTrack.load(tmp_path / "shot.json")

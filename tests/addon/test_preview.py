# SPDX-License-Identifier: GPL-3.0-or-later
"""Previews, painted stills and playback in Blender's image editor, through the operators (see inside/preview.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blenders import Blender
from test_extension import pixels

from styletx_core import Job, engine
from styletx_core.events import FrameDone

SCRIPT = Path(__file__).parent / "inside" / "preview.py"


@pytest.fixture(scope="module")
def seen(blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What all cases saw."""
    output = tmp_path_factory.mktemp("preview")
    return blender.run("everything", output, SCRIPT) | {"output": output, "style": str(blender.style)}


def alike(one: str, other: str) -> bool:
    """True for pictures that differ by no more than half floats do."""
    a, b = pixels(one), pixels(other)
    return bool((np.abs(a - b) <= 1e-3 * np.maximum(1, np.abs(b))).all())


def test_the_preview_is_the_painted_frame_and_changes_nothing_else(seen: Any) -> None:
    assert seen["error"] == ""
    assert list(seen["change"]) == ["data.images"]
    assert set(seen["change"]["data.images"][1]) - set(seen["change"]["data.images"][0]) == {"StyleTX Preview"}
    case = seen["frame"]
    assert case["size"] == [96, 64] and case["shown"] and case["view"] and not case["dirty"]
    assert alike(case["path"], seen["painted"]), "not what Stylize Frame paints"
    assert seen["kept"] and all("/preview/" in path for path in seen["kept"]), "frames of the shot were touched"


def test_the_slider_parts_original_and_paint(seen: Any) -> None:
    paint, plain, half = (pixels(seen[name]["path"]) for name in ("frame", "original", "half"))
    assert alike(seen["original"]["path"], seen["plain"]), "the original is not the render"
    assert np.array_equal(half[:, :47], plain[:, :47]) and np.array_equal(half[:, 49:], paint[:, 49:])
    assert (half[:, 47:49] == 1).any(), "a line parts them"
    assert np.abs(paint - plain)[..., :3].max() > 0.05
    assert np.array_equal(pixels(seen["again"]["path"]), paint)


def test_small_first_then_the_full_size(seen: Any) -> None:
    assert seen["small error"] == "" == seen["full error"]
    assert seen["sizes"] == [[72, 48], [72, 48], [96, 64]]


def test_a_picture_of_the_editor_is_painted(seen: Any) -> None:
    case = seen["pictures"]
    assert case["photo error"] == "" and case["photo change"] == {}
    assert np.array_equal(pixels(case["photo original"]["path"]), pixels(str(seen["output"] / "photo.png")))
    job = Job.from_dict({"input": {"path": str(seen["output"] / "photo.png")}, "motion": "none",
                         "styles": [{"path": seen["style"]}],
                         "output": {"directory": str(seen["output"] / "engine")}})  # fmt: skip
    (path,) = [event.path for event in engine.run(job) if isinstance(event, FrameDone)]
    assert np.abs(pixels(case["photo"]["path"]) - pixels(path)).max() <= 1 / 255
    assert not case["photo"]["view"] and case["photo"]["space"] == "sRGB"


def test_a_still_of_the_render_result_is_painted(seen: Any) -> None:
    case = seen["pictures"]
    assert case["still error"] == "" and case["still change"] == {}
    assert case["still"]["view"] and case["still"]["space"] == "Linear Rec.709"
    paint, plain = pixels(case["still"]["path"]), pixels(case["still original"]["path"])
    assert alike(case["still original"]["path"], case["plain"])
    assert np.abs(paint - plain)[..., 3].max() < 1e-3, "alpha is lost"
    assert np.abs(paint - plain)[..., :3].max() > 0.05


def test_the_shown_frame_of_a_sequence_is_taken_and_no_movie(seen: Any) -> None:
    case = seen["moving"]
    assert case["error"] == "" and case["change"] == {}
    assert np.array_equal(pixels(case["original"]["path"]), pixels(str(seen["output"] / "gray_0002.png")))
    assert case["style error"] == "" and Path(case["style"]).name == "gray_0003.png"
    assert np.allclose(pixels(case["style"])[..., :3], 3 / 4, atol=1 / 255)
    assert "gray_0007.png" in case["no file"]
    assert all("is a movie" in error for error in case["movie"])
    assert not any("\n" in error or "unexpectedly" in error for error in (case["no file"], *case["movie"]))


def test_painted_frames_play(seen: Any) -> None:
    case = seen["play"]
    assert case["EXR error"] == "" and case["EXR"] == ["SEQUENCE", "frame_0101.exr", 101, 2, 100, True, True]
    assert case["PNG error"] == "" and case["PNG"] == ["SEQUENCE", "frame_0101.png", 101, 2, 100, True, False]
    assert case["images"] == ["StyleTX"], "the compositor's own picture is shown"
    assert case["after removal"] == "" and "Stylize Render" in case["gone"]


def test_errors_are_sentences_and_change_nothing(seen: Any) -> None:
    words = {"no pixels": "empty", "a preview": "preview", "no camera": "camera", "stereo": "Stereoscopy",
             "output": "/proc/styletx", "output of a picture": "/proc/styletx", "no style": "style"}  # fmt: skip
    assert seen["errors"].keys() == words.keys()
    for name, case in seen["errors"].items():
        assert words[name] in case["error"] and "\n" not in case["error"], (name, case["error"])
        assert "unexpectedly" not in case["error"] and case["change"] == {}, (name, case)

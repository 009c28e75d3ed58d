# SPDX-License-Identifier: GPL-3.0-or-later
"""The extension in Blender, through its operators, in every `bpy` there is (see conftest.py)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import PyOpenColorIO as ocio
from blenders import Blender

from styletx_core.shot import open_shot


def pixels(path: str) -> np.ndarray:
    """HxWx4 float32, as in the file."""
    with open_shot(path) as shot:
        frame = shot.read(shot.numbers[0])
    alpha = np.ones(frame.rgb.shape[:2], np.float32) if frame.alpha is None else frame.alpha
    return np.dstack([frame.rgb, alpha])


def numbered(pattern: str, frame: int) -> str:
    digits = pattern.count("#")
    return pattern.replace("#" * digits, f"{frame:0{digits}d}")


def test_install_leaves_blenders_python_alone(blender: Blender) -> None:
    seen: Any = blender.installed  # type: ignore[attr-defined]
    assert seen["done"] == ["FINISHED"]
    assert json.loads(seen["after"]) == seen["before"]
    assert seen["loaded"] == [], "heavy modules have no place in Blender's process"
    assert seen["tested"] == "" and seen["message"].startswith("Ready: Python 3."), seen
    assert "PyTorch" in seen["message"]


def test_button_paints_wires_and_changes_nothing_else(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("main", tmp_path)
    ours = [key for key in seen["change"] if not key.startswith("tree.nodes[StyleTX]")]
    assert sorted(ours) == ["data.images", "data.node_groups", "tree.links"], seen["change"]
    names = dict(seen["change"])
    assert set(names["data.images"][1]) - set(names["data.images"][0]) == {"StyleTX"}
    assert set(names["data.node_groups"][1]) - set(names["data.node_groups"][0]) == {"StyleTX"}
    assert {"Render Layers -> StyleTX", "StyleTX -> Exposure", "StyleTX -> Viewer"} <= set(seen["links"])
    assert not {"Render Layers -> Exposure", "Render Layers -> Viewer"} & set(seen["links"])

    for frame in (1, 2, 3):
        painted, shown = pixels(numbered(seen["path"], frame)), pixels(seen["composited"][frame - 1])
        plain = pixels(seen["plain"][frame - 1])
        assert np.abs(painted - shown)[..., :3].max() <= 2 / 255
        assert np.abs(plain - shown)[..., 3].max() <= 1 / 255
        assert np.abs(plain - shown)[..., :3].max() > 0.05, "nothing was painted"
        assert ((plain[..., 3] > 0.05) & (plain[..., 3] < 0.95)).any(), "the test needs soft edges"
    assert np.array_equal(pixels(seen["plain"][3]), pixels(seen["composited"][3])), "no paint on frame 4: the original"
    mixed = 0.75 * pixels(seen["plain"][1]) + 0.25 * pixels(seen["composited"][1])
    assert np.abs(pixels(seen["quarter"]) - mixed).max() < 1e-4
    assert 0 < seen["error"] < seen["alone"]

    assert seen["again"] == {} and seen["again_times"], "a second run has nothing to do"
    assert seen["weaker"] == {} and not seen["weaker_rendered"], "another strength needs no rendering"
    # up to white: what the view transform shows as white may be any value above, and would outweigh all the rest
    full, half, plain = (pixels(path)[..., :3].clip(0, 1) for path in
                         (seen["composited"][1], seen["weaker_composited"], seen["plain"][1]))
    assert 0.1 < np.abs(half - plain).mean() / np.abs(full - plain).mean() < 0.9

    assert seen["frame"][:2] == [2, 2]
    assert np.array_equal(pixels(seen["plain"][0]), pixels(seen["frame_composited"][0]))
    assert np.abs(pixels(numbered(seen["frame"][2], 2)) - pixels(seen["frame_composited"][1])).max() <= 2 / 255
    assert {"Render Layers -> Exposure", "Render Layers -> Viewer"} <= set(seen["removed"])
    assert "StyleTX" not in seen["removed_data"]


def test_scene_without_a_tree_gets_one(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("no_tree", tmp_path)
    last = "NodeGroupOutput" if blender.name >= "5" else "CompositorNodeComposite"
    group, viewer = "CompositorNodeGroup", "CompositorNodeViewer"
    assert seen["links"] == sorted([f"CompositorNodeRLayers -> {group}", f"{group} -> {last}", f"{group} -> {viewer}"])
    assert seen["removed"] == [f"CompositorNodeRLayers -> {last}"], "the viewer goes with the group"
    assert seen["left"] == sorted(["CompositorNodeRLayers", last])
    assert np.abs(pixels(seen["painted"]) - pixels(seen["composited"])).max() <= 2 / 255


def test_strength_zero_shows_the_render(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("color", tmp_path)
    assert len(seen) == 8
    for name, files in seen.items():
        (with_exr, with_png), (without_exr, without_png) = files["with"], files["without"]
        if name.endswith("EXR"):
            assert np.array_equal(pixels(with_exr), pixels(without_exr)), name
        shown, plain = pixels(with_png), pixels(without_png)
        assert np.abs(shown - plain)[..., 3].max() <= 1 / 255, name
        soft = (plain[..., 3] > 0.05) & (plain[..., 3] < 0.95)
        assert soft.sum() > 20, "the test needs soft edges"
        for background in (0.0, 1.0):
            over = [p[..., :3] * p[..., 3:] + background * (1 - p[..., 3:]) for p in (shown, plain)]
            close = np.abs(over[0] - over[1]).max(-1) <= 2 / 255
            assert close.mean() >= 0.999, (name, background, close.mean())
            assert close[soft].mean() >= 0.99, (name, background, close[soft].mean())


def test_png_colors_are_shown_as_painted(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("color_strong", tmp_path)
    painted, shown = pixels(seen["painted"]), pixels(seen["shown"])
    solid = painted[..., 3] > 0.99
    wanted = np.ascontiguousarray(painted[solid][:, :3])
    possible = can_show(wanted, seen["config"])
    assert possible.sum() > 200 and possible.mean() > 0.8
    difference = np.abs(painted - shown)[..., :3].max(-1)[solid][possible]
    assert (difference <= 2 / 255).mean() >= 0.985, np.quantile(difference, [0.5, 0.99, 1])


def can_show(wanted: np.ndarray, config: str) -> np.ndarray:
    """Which of these display colors (Nx3) AgX shows for some scene-linear color at all."""
    spaces = ocio.Config.CreateFromFile(config)
    back = spaces.getProcessor("AgX Base sRGB", "Linear Rec.709").getDefaultCPUProcessor()
    forth = spaces.getProcessor("Linear Rec.709", "AgX Base sRGB").getDefaultCPUProcessor()
    tried = wanted.copy()
    for _ in range(30):
        comes_out = tried.copy()
        back.applyRGB(comes_out)
        forth.applyRGB(comes_out)
        tried = np.clip(tried + wanted - comes_out, 0, 1).astype(np.float32)
    return np.abs(comes_out - wanted).max(-1) <= 1 / 255


def test_cancel_and_a_killed_worker_leave_whole_frames(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("cancel", tmp_path)
    assert seen["rendering"] == ["CANCELLED"] and seen["rendering_change"] == {}
    assert seen["rendering_files"] and not any("painted" in path for path in seen["rendering_files"])
    assert seen["painting"] == ["CANCELLED"] and seen["painting_change"] == {}
    assert seen["painting_seconds"] < 1.0
    assert 2 <= len([path for path in seen["painting_files"] if path.endswith(".exr")]) < 24
    assert "killed" in seen["killed"] and "\n" not in seen["killed"] and seen["killed_change"] == {}
    assert not [path for path in seen["killed_files"] if "tmp" in path and path.endswith(".exr") and "/" in path]
    for frame in range(1, 25):
        assert np.array_equal(pixels(numbered(seen["resumed"], frame)), pixels(numbered(seen["at_once"], frame)))
    assert not seen["worker_outlives"]


def test_errors_are_sentences_and_change_nothing(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("errors", tmp_path)
    words = {
        "no style": "style", "style gone": "/nowhere/style.png", "style broken": "not a picture.png",
        "no camera": "camera",
        "stereo": "Stereoscopy", "negative": "-3", "no layer": "view layer", "small": "9x6",
        "crop": "Crop", "look": "choose EXR", "view": "choose EXR", "curves": "choose EXR", "no sequence": "frames",
        "stereo of a sequence": "Stereoscopy", "sequence gone": "/nowhere/frames",
        "output": "/proc/styletx", "no python": "preferences",
        "python gone": "/nowhere/bin/python", "no python in it": "not a picture.png", "bare python": "pip install",
        "bare test": "pip install", "no av": "cannot import av: install it there with  pip install av",
    }
    for name, outcome in seen.items():
        assert words[name] in outcome["error"], (name, outcome["error"])
        assert "\n" not in outcome["error"] and len(outcome["error"]) < 400, outcome["error"]
        assert outcome["change"] == {}, name
    assert len(seen) >= 18


def test_out_of_date_is_told_and_frames_are_used_again(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("stale", tmp_path)
    assert set(seen["quiet"].values()) == {""}, seen["quiet"]
    assert set(seen["after"]) == {""}, seen["after"]
    assert not seen["rendered without need"]
    for name, (why, rendered) in seen["loud"].items():
        assert why and rendered, name


def test_odd_settings_get_a_word(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("odd", tmp_path)
    blur = seen["blur and border"]
    assert any("Motion blur" in text for text in blur["notices"]) and any("region" in text for text in blur["notices"])
    assert blur["motion"] == "auto" and seen["still"] == [True, True]
    assert [seen["cut"]["shot"]["frames"][str(f)]["camera"] for f in range(1, 5)] == ["Camera"] * 2 + ["Second"] * 2
    assert seen["cut"]["motion"] == "auto" and seen["cut"]["notices"] == []
    step = seen["step"]
    assert step["motion"] == "flow" and any("frame step" in text for text in step["notices"])
    assert step["shot"]["frame_step"] == 2
    assert np.array_equal(pixels(seen["step composited"][1]), pixels(seen["step plain"])), "frame 2 has no paint"
    assert seen["remap"]["motion"] == "flow" and any("remapped" in text for text in seen["remap"]["notices"])
    assert seen["panoramic"]["motion"] == "flow" and any("panoramic" in t for t in seen["panoramic"]["notices"])
    assert seen["panoramic"]["shot"]["frames"]["1"]["type"] == "PANO"


def test_rendered_sequence_gives_the_same_paint(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("sequence", tmp_path)
    for frame in (1, 2, 3):
        assert np.array_equal(pixels(numbered(seen["render"], frame)), pixels(numbered(seen["sequence"], frame)))
    assert seen["motion"] > 0



# SPDX-License-Identifier: GPL-3.0-or-later
"""Where results land in Blender: node trees, view layers, scenes, frame ranges, File Output (see inside/places.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import OpenEXR
from blenders import Blender
from test_extension import numbered, pixels

SCRIPT = Path(__file__).parent / "inside" / "places.py"


def test_a_rich_tree_is_extended_and_the_chosen_view_layer_is_painted(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("layers", tmp_path, SCRIPT)
    before = set(seen["before"])
    front, back = "Front.Image -> Reroute.Input", "Back.Image -> Muted.Color"
    assert {front, back} <= before
    for name, (taken, kept) in {"automatic": (front, back), "chosen": (back, front)}.items():
        case = seen[name]
        assert case["error"] == ""
        layer, _, target = taken.partition(".Image -> ")
        new = {f"{layer}.Image -> StyleTX.Original", f"StyleTX.Image -> {target}"}
        assert set(case["links"]) == before - {taken} | new, name
        assert kept in case["links"]
        assert set(case["change"]) == {"data.images", "data.node_groups", "tree.links"}, case["change"]
    assert seen["automatic again"]["links"] == seen["automatic"]["links"]
    fore, aft = pixels(seen["automatic"]["painted"]), pixels(seen["chosen"]["painted"])
    assert fore[..., 3].mean() < 0.5 < aft[..., 3].mean(), "the cube alone, and the plane behind it"
    assert np.array_equal(pixels(seen["automatic again"]["painted"]), fore)
    assert "'Gone'" in seen["gone"] and "\n" not in seen["gone"]
    assert seen["after"] == seen["before"] and seen["left"] == {}

    undo = seen["undo"]
    plain, painted = undo["before"], undo["painted"]
    assert plain[2] == [] and sorted(painted[2]) == ["StyleTX", "StyleTX"] and "StyleTX" in painted[1]
    assert undo["paint undone"] == plain and undo["remove undone"] == painted == undo["paint redone"]
    assert undo["removed"] == undo["remove redone"] and undo["removed"][:3] == plain[:3]
    assert undo["error"] == "" and undo["again"] == painted


def test_file_output_is_silent_for_our_renders_and_gets_the_paint_in_yours(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("file_output", tmp_path, SCRIPT)
    assert seen["error"] == "" and seen["ours"] == [], "rendering for the paint wrote files of the user's"
    assert "Render Layers.Depth -> Files.Depth" in seen["links"]
    (picture,) = [path for path in seen["files"] if "Picture" in path]
    (depth,) = [path for path in seen["files"] if "Depth" in path]
    assert len(seen["files"]) == 2, seen["files"]
    assert np.abs(pixels(picture) - pixels(seen["painted"])).max() <= 2 / 255
    with OpenEXR.File(depth, separate_channels=True) as file:  # 4.2 writes one channel, later Blenders RGBA
        channels = file.channels()
        distances = np.array(channels["R" if "R" in channels else "V"].pixels)
    assert 1 < distances.min() < 20, "the depth is not the render's"


def test_scenes_have_their_own_frames_and_begin_anywhere(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("scenes", tmp_path, SCRIPT)
    first, second = seen["Scene"], seen["Second"]
    assert first["error"] == "" == second["error"]
    assert first["changed"] == [] == second["changed"]
    assert first["range"] == [101, 101] and second["range"] == [0, 0]
    assert Path(first["path"]).parent != Path(second["path"]).parent
    assert np.abs(pixels(first["shown"][1]) - pixels(numbered(first["path"], 101))).max() <= 2 / 255
    assert np.array_equal(pixels(first["shown"][0]), pixels(first["plain"][0])), "frame 100 has no paint"
    assert np.abs(pixels(first["shown"][1]) - pixels(first["plain"][1])).max() > 0.05
    assert np.abs(pixels(second["shown"][0]) - pixels(numbered(second["path"], 0))).max() <= 2 / 255

    copy = seen["copy"]
    assert copy["error"] == "" and Path(copy["path"]).parent != Path(first["path"]).parent
    assert np.abs(pixels(copy["shown"]) - pixels(numbered(copy["path"], 101))).max() <= 2 / 255
    assert np.array_equal(pixels(copy["first"]), pixels(first["shown"][1])), "the copy took the first scene's place"
    assert np.abs(pixels(copy["shown"]) - pixels(copy["first"])).mean() > 0.01


def test_trees_without_a_render_and_linked_scenes_are_told(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("without_render", tmp_path, SCRIPT)
    assert seen["error"] == "" and any("does not use the render" in text for text in seen["notices"])
    assert seen["links"] == ["Render Layers.Image -> StyleTX.Original"]
    assert "linked from another file" in seen["linked"] and "\n" not in seen["linked"]

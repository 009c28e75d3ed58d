# SPDX-License-Identifier: GPL-3.0-or-later
"""The library of styles, blends and presets in Blender, through the operators (see inside/library.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from blenders import Blender
from test_extension import pixels

SCRIPT = Path(__file__).parent / "inside" / "library.py"


@pytest.fixture(scope="module")
def seen(blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What all cases saw."""
    output = tmp_path_factory.mktemp("library")
    return blender.run("everything", output, SCRIPT) | {"output": output, "user": blender.user}


def test_shipped_styles_are_chosen_by_their_picture(seen: Any) -> None:
    assert {"Ink", "Oil", "Stained Glass"} <= set(seen["shipped"])
    assert seen["none"] == "NONE" and seen["library"][1] == ""
    style, shown = seen["picked"]
    assert style == shown and Path(style).name == "oil.png"


def test_files_are_copied_into_the_users_folder(seen: Any) -> None:
    added, style = seen["added"]
    assert added == ["Green", "Red"]
    path = Path(style)
    assert path.name == "green.png" and path.parent.name == "styles"
    assert Path(seen["user"]) in path.parents and ".user" in path.parts, "not where extensions may write"
    assert pixels(style)[10, 10, 1] > 0.7, "the picture of another kind is not the one that was given"
    again, style = seen["added again"]
    assert again == ["Green", "Red", "Red 2"] and Path(style).name == "red_2.png", "never over one that is there"


def test_own_styles_come_and_go(seen: Any) -> None:
    library, may_remove = seen["outside"]
    assert library == str(seen["output"] / "red.png"), "a file beside the library is shown as chosen"
    assert not may_remove, "a file that is not in the library is not to be deleted"
    assert Path(seen["kept"]).name == "red_3.png"
    style, there, left = seen["removed"]
    assert style == "" and not there and left == ["Green", "Red", "Red 2"]
    assert (seen["output"] / "red.png").is_file()
    assert seen["folder"] == "From A Folder" and seen["no folder"] != "From A Folder"


def test_pictures_of_the_image_editor_become_styles_as_they_are_seen(seen: Any) -> None:
    error, path = seen["image"]
    assert error == ""
    assert np.abs(pixels(path)[10, 10, :3] - (0.2, 0.4, 0.8)).max() < 2 / 255, "a plain picture is not as it was"
    error, path = seen["seen"]
    assert error == ""
    linear = np.array([0.2, 0.4, 0.8])
    plain = 1.055 * linear ** (1 / 2.4) - 0.055
    assert np.abs(pixels(path)[10, 10, :3] - plain).max() > 0.05, "AgX shows it otherwise than the plain view"
    assert seen["scenes"] == ["Scene"]


def test_errors_are_sentences(seen: Any) -> None:
    words = {"broken": "no picture.png", "gone": "nowhere.png", "no folder": "nowhere", "no pixels": "empty"}
    assert seen["errors"].keys() == words.keys()
    for name, error in seen["errors"].items():
        assert words[name] in error and "\n" not in error and error.endswith("."), (name, error)


def test_a_file_from_another_computer_finds_the_shipped_styles(seen: Any) -> None:
    error, library = seen["elsewhere"]
    assert error == "" and Path(library).name == "ink.png" and "someone" not in library
    assert Path(seen["windows"]).name == "oil.png"


def test_weights_blend_the_styles(seen: Any) -> None:
    case = seen["blend"]
    assert case["active"] == 1, "the thumbnails choose the style that was just added"
    shown = {}
    for name in ("one", "no weight", "half", "other"):
        assert case[name + " error"] == ""
        shown[name] = pixels(case[name])[..., :3].clip(0, 1)
    assert np.array_equal(shown["one"], shown["no weight"])

    def apart(a: str, b: str) -> float:
        return float(np.abs(shown[a] - shown[b]).mean())

    assert apart("one", "other") > 0.02
    assert max(apart("half", "one"), apart("half", "other")) < apart("one", "other")
    assert min(apart("half", "one"), apart("half", "other")) > 0.2 * apart("one", "other")
    assert case["out of date"] == "" and case["weight changed"] != ""
    assert "weight" in case["no weights"] and "\n" not in case["no weights"]
    assert case["empty slots"] == 4 and not case["fifth"]
    assert case["left"] == [True, True, True]


def test_presets_keep_styles_and_settings(seen: Any) -> None:
    case = seen["presets"]
    assert case["after"] == case["before"] != case["changed"]
    assert case["gone"] and "presets" in case["folder"]

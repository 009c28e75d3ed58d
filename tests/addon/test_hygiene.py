# SPDX-License-Identifier: GPL-3.0-or-later
"""What the extension shows, and what its zip holds: texts everywhere, Blender's own validation, permissions, sizes."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from blenders import ROOT, Blender

SCRIPT = Path(__file__).parent / "inside" / "hygiene.py"
sys.path.insert(0, str(ROOT))


@pytest.fixture(scope="module")
def seen(blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return blender.run("everything", tmp_path_factory.mktemp("hygiene"), SCRIPT)


def test_everything_has_a_tooltip(seen: Any) -> None:
    assert len(seen["operators"]) > 15 and len(seen["groups"]) >= 3
    missing = [name for name, found in seen["operators"].items() if not found["description"] or not found["label"]]
    places = {name: found["properties"] for name, found in seen["operators"].items()} | seen["groups"]
    for place, properties in places.items():
        for found in properties:
            if found["hidden"]:
                continue
            if not found["description"] or found["name"] == found["id"]:
                missing.append(f"{place}.{found['id']}")
            missing += [f"{place}.{found['id']}: {name}" for name, text in found["items"] if not text]
    assert not missing


def test_texts_are_written_as_blender_does(seen: Any) -> None:
    """No full stop at the end, a capital at the beginning: Blender adds and translates the rest."""
    for place, properties in seen["groups"].items():
        for found in properties:
            if not found["hidden"]:
                text = found["description"]
                assert not text.endswith(".") and text[:1] == text[:1].upper(), (place, found["id"], text)
    for name, found in seen["operators"].items():
        assert not found["description"].endswith("."), name
        assert found["label"] == found["label"].strip() and found["label"][:1].isupper(), name


def test_what_goes_on_in_a_window_is_not_repeated(seen: Any) -> None:
    """Repeat Last calls an operator without its window: it would block until all is painted."""
    modal = {name: found["options"] for name, found in seen["operators"].items() if found["modal"]}
    assert len(modal) >= 7 and not [name for name, options in modal.items() if "REGISTER" in options]
    assert [name for name, options in modal.items() if "UNDO" not in options] == ["test_worker"]


def test_panels_are_in_one_tab(seen: Any) -> None:
    assert {found["category"] for found in seen["panels"].values()} <= {"StyleTX", ""}
    assert all(found["label"] for found in seen["panels"].values())


def test_the_zip_is_valid_and_asks_for_what_it_needs(blender: Blender) -> None:
    builder = next(blender.python.parents[1].glob(
        "lib/python3*/site-packages/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py"))  # fmt: skip
    done = subprocess.run([sys.executable, builder, "validate", blender.zip], capture_output=True, text=True)
    assert done.returncode == 0 and "Success" in done.stdout, done.stdout + done.stderr
    with zipfile.ZipFile(blender.zip) as file:
        manifest = tomllib.loads(file.read("blender_manifest.toml").decode())
        names = file.namelist()
    assert manifest["permissions"].keys() == {"files", "clipboard"}
    for reason in (*manifest["permissions"].values(), manifest["tagline"]):
        assert len(reason) <= 64 and reason[-1].isalnum(), reason
    assert sorted(f"./{name}" for name in names if name.endswith(".whl")) == manifest["wheels"]
    assert not [name for name in names if "numpy" in name.lower() or "__pycache__" in name]
    assert "LICENSE" in names


def test_the_zip_is_not_too_large(blender: Blender) -> None:
    import build

    with zipfile.ZipFile(blender.zip) as file:
        torch = any(Path(name).name.startswith("torch-") for name in file.namelist())
    limit = build.LARGEST["cpu" if torch else "none"]
    assert 5e6 < blender.zip.stat().st_size <= limit


def test_texts_can_be_translated() -> None:
    """Blender looks up texts as they stand in the code: words and values are put together by texts.py alone."""
    found = []
    for path in (ROOT / "addon").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            shown = node.value if isinstance(node, ast.keyword) and node.arg == "text" else None
            if isinstance(node, ast.Assign) and any(ast.unparse(target).endswith(".phase") for target in node.targets):
                shown = node.value
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("report") and "INFO" in ast.unparse(node):
                shown = node.args[1]
            for part in ast.walk(shown) if shown is not None else ():
                words = ast.unparse(part) if isinstance(part, ast.JoinedStr) else ""
                if re.search("[A-Za-z]{3}", re.sub("{.*?}", "", words)):
                    found.append(f"{path.name}: {words}")
    assert not found


def test_paths_of_a_scene_may_begin_at_its_file(blender: Blender, seen: Any) -> None:
    """Blender 4.5 and later show a path that begins with // in red where it is not said that it may."""
    groups = {place: found for place, found in seen["groups"].items() if place != "StyleTXPreferences"}
    paths = [(place, found) for place, properties in groups.items() for found in properties if found["path"]]
    assert len(paths) >= 5
    told = tuple(map(int, blender.name.split(".")[:2])) >= (4, 5)
    assert {found["relative"] for _, found in paths} == {True if told else None}

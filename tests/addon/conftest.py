# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the extension inside Blender: each test drives a `bpy` module that installed the built zip.

STYLETX_BPY names the Python executables (or environments) that have a `bpy`, separated by commas; "auto", the
default, takes ../venvs/bpy* and .venv-bpy*. Without any the tests are skipped. STYLETX_ZIPS names a folder with built
zips; without it they are built once for the session. Tests marked `once` take minutes and ask nothing of a Blender
that differs between versions: where STYLETX_ONCE names a version, they run in that one alone. A `bpy` whose Python
has no zip with PyTorch uses the Python that runs pytest as its worker.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from blenders import ROOT, Blender, interpreters, version


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    once = os.environ.get("STYLETX_ONCE")
    left = [item for item in items if once and item.get_closest_marker("once") and not item.name.endswith(f"{once}]")]
    if left:
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in left]


@pytest.fixture(scope="session")
def zips(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The zip for a Python tag, built by build.py when first asked for."""
    given = os.environ.get("STYLETX_ZIPS")
    folder = Path(given) if given else tmp_path_factory.mktemp("dist")
    built: dict[str, Path] = {}

    def find(tag: str) -> Path:
        if tag not in built:
            names = f"styletx-*-cp{tag.replace('.', '')}-*.zip"
            found = sorted(folder.glob(names), key=lambda path: path.stat().st_size)
            if not found:
                done = subprocess.run(
                    [sys.executable, str(ROOT / "build.py"), "--python", tag, "--output", str(folder)],
                    capture_output=True, text=True,
                )
                assert done.returncode == 0, done.stderr
                found = sorted(folder.glob(names), key=lambda path: path.stat().st_size)
            built[tag] = found[-1]
        return built[tag]

    return find


def _name(python: Path | None) -> str:
    return python.parent.parent.name if python else "none"


@pytest.fixture(scope="session", params=interpreters() or [None], ids=_name)
def blender(
    request: pytest.FixtureRequest, zips: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Blender]:
    """Each `bpy` in turn, with the extension installed."""
    if request.param is None:
        pytest.skip("no bpy: set STYLETX_BPY to the Python of an environment that has it")
    name, tag = version(request.param)
    path = zips(tag)
    worker = sys.executable if "no-torch" in path.name else ""
    style = sorted((ROOT / "styletx_core" / "assets" / "styles").glob("*.png"))[0]
    made = Blender(request.param, name, tag, tmp_path_factory.mktemp("user"), path, worker, style)
    folder = tmp_path_factory.mktemp("install")
    made.installed = made.run("install", folder)  # type: ignore[attr-defined]
    yield made
    shutil.rmtree(made.user, ignore_errors=True)  # a PyTorch each

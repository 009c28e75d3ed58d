# SPDX-License-Identifier: GPL-3.0-or-later
"""Tests of the extension inside Blender: each test drives a `bpy` module that installed the built zip.

STYLETX_BPY names the Python executables (or environments) that have a `bpy`, separated by commas; "auto", the default,
takes ../venvs/bpy* and .venv-bpy*. Without any the tests are skipped. STYLETX_ZIPS names a folder with built zips;
without it they are built once for the session. A `bpy` whose Python has no zip with PyTorch uses the Python that runs
pytest as its worker.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = Path(__file__).parent / "inside" / "scenarios.py"
SECONDS = 400


@dataclass
class Blender:
    """A `bpy` module with the extension installed in a user folder of its own."""

    python: Path
    name: str
    tag: str
    user: Path
    zip: Path
    worker: str
    style: Path

    def run(self, scenario: str, output: Path) -> Any:
        """Run a scenario in a new process and return what it saw; `output` is where its pictures go."""
        result = output / "result.json"
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "BLENDER"))}
        environment |= {
            "BLENDER_USER_RESOURCES": str(self.user), "STYLETX_TEST_OUTPUT": str(output), "STYLETX_TEST_ZIP": str(self.zip),
            "STYLETX_TEST_RESULT": str(result), "STYLETX_TEST_WORKER": self.worker, "STYLETX_TEST_STYLE": str(self.style),
        }
        with (output / "log.txt").open("w") as log:
            done = subprocess.run(
                [self.python, str(SCENARIOS), scenario], env=environment, cwd=output, stdout=log,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, timeout=SECONDS,
            )
        assert result.is_file(), f"{scenario} ended with {done.returncode}:\n{(output / 'log.txt').read_text()[-4000:]}"
        return json.loads(result.read_text("utf-8"))


def interpreters() -> list[Path]:
    """The Python executables that have a `bpy`."""
    named = os.environ.get("STYLETX_BPY", "auto")
    if named != "auto":
        paths = [Path(part.strip()) for part in named.replace(os.pathsep, ",").split(",") if part.strip()]
        return [path / "bin/python" if path.is_dir() else path for path in paths]
    found = sorted((ROOT.parent / "venvs").glob("bpy*/bin/python")) + sorted(ROOT.glob(".venv-bpy*/bin/python"))
    return found


def _version(python: Path) -> tuple[str, str]:
    """("4.5.15", "3.11") without starting Blender."""
    code = ("import importlib.metadata as m, sys; "
            "print(m.version('bpy'), '%d.%d' % sys.version_info[:2])")
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    version, tag = done.stdout.split()
    return version, tag


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


@pytest.fixture(scope="session", params=interpreters() or [None], ids=lambda python: python and python.parent.parent.name)
def blender(
    request: pytest.FixtureRequest, zips: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Blender]:
    """Each `bpy` in turn, with the extension installed."""
    if request.param is None:
        pytest.skip("no bpy: set STYLETX_BPY to the Python of an environment that has it")
    version, tag = _version(request.param)
    path = zips(tag)
    worker = sys.executable if "no-torch" in path.name else ""
    style = sorted((ROOT / "styletx_core" / "assets" / "styles").glob("*.png"))[0]
    made = Blender(request.param, version, tag, tmp_path_factory.mktemp("user"), path, worker, style)
    folder = tmp_path_factory.mktemp("install")
    made.installed = made.run("install", folder)  # type: ignore[attr-defined]
    yield made
    shutil.rmtree(made.user, ignore_errors=True)  # a PyTorch each

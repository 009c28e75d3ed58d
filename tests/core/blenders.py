# SPDX-License-Identifier: GPL-3.0-or-later
"""The Pythons with Blender as a module (`bpy`), one environment a version: `dev.py test` makes them in .venvs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCENES = ROOT / "tests" / "scenes"
ENVIRONMENTS = Path(os.environ.get("STYLETX_VENVS", ROOT / ".venvs"))


def find(version: str) -> Path:
    """The Python that has this version of bpy; the test fails where there is none."""
    python = ENVIRONMENTS / f"bpy{version}" / "bin" / "python"
    if not python.exists():
        pytest.fail(f"There is no Blender {version} at {python}: run 'python3.11 dev.py test', which sets it up.")
    return python


def run(version: str, script: str, *args: object) -> None:
    """Run a script of tests/scenes in Blender; the test fails with the end of its output where the script does."""
    command = [str(find(version)), str(SCENES / script), *map(str, args)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        pytest.fail(f"{script} failed in Blender {version}:\n{done.stdout[-3000:]}", pytrace=False)

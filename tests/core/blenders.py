# SPDX-License-Identifier: GPL-3.0-or-later
"""The Pythons with Blender as a module (`bpy`), one environment a version, named ...bpy4.5.15 and so on.

STYLETX_BPY names them (environments or executables, separated by commas), else they are .venv-bpy*, which
`dev.py test` makes, or ../venvs/bpy*.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCENES = ROOT / "tests" / "scenes"


def environments() -> list[Path]:
    named = [Path(part.strip()) for part in os.environ.get("STYLETX_BPY", "").split(",") if part.strip()]
    if named and named != [Path("auto")]:
        return [path.parents[1] if path.is_file() else path for path in named]
    return [*ROOT.glob(".venv-bpy*"), *ROOT.parent.glob("venvs/bpy*")]


def find(version: str) -> Path:
    """The Python that has this version of bpy; the test fails where there is none."""
    for environment in environments():
        if environment.name.endswith(f"bpy{version}"):
            return environment / "bin" / "python"
    pytest.fail(f"There is no environment with bpy {version}: 'python3.11 dev.py test' makes one.", pytrace=False)


def run(version: str, script: str, *args: object) -> None:
    """Run a script of tests/scenes in Blender; the test fails with the end of its output where the script does."""
    command = [str(find(version)), str(SCENES / script), *map(str, args)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        pytest.fail(f"{script} failed in Blender {version}:\n{done.stdout[-3000:]}", pytrace=False)

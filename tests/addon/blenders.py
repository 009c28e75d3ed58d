# SPDX-License-Identifier: GPL-3.0-or-later
"""The Blenders that the tests of the extension run in."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = Path(__file__).parent / "inside" / "scenarios.py"
SECONDS = 1200


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

    def run(self, scenario: str, output: Path, script: Path = SCENARIOS) -> Any:
        """Run a scenario in a new process and return what it saw; `output` is where its pictures go."""
        result = output / "result.json"
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "BLENDER"))}
        environment |= {
            "BLENDER_USER_RESOURCES": str(self.user),
            "STYLETX_TEST_OUTPUT": str(output),
            "STYLETX_TEST_ZIP": str(self.zip),
            "STYLETX_TEST_RESULT": str(result),
            "STYLETX_TEST_WORKER": self.worker,
            "STYLETX_TEST_STYLE": str(self.style),
        }
        with (output / "log.txt").open("w") as log:
            done = subprocess.run(
                [self.python, str(script), scenario], env=environment, cwd=output, stdout=log,
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


def version(python: Path) -> tuple[str, str]:
    """("4.5.15", "3.11") without starting Blender."""
    code = ("import importlib.metadata as m, sys; "
            "print(m.version('bpy'), '%d.%d' % sys.version_info[:2])")
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    version, tag = done.stdout.split()
    return version, tag

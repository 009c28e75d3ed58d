# SPDX-License-Identifier: GPL-3.0-or-later
"""`build.py --torch`: where there is no such PyTorch, one sentence says so, and nothing is built."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def build(output: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # the builder, which not every machine has, is asked for last
    command = [sys.executable, "build.py", "--output", output, "--blender-ext", "build.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("others", [[], ["torch-0.0.1-cp311-none-any.whl", "torch-2.13.0-cp39-cp39-win_amd64.whl"]])
def test_a_folder_without_the_wheel(tmp_path: Path, others: list[str]) -> None:
    for name in others:
        (tmp_path / name).touch()
    done = build(tmp_path / "out", "--torch", str(tmp_path))
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    for word in ("torch==", "Python 3.11", f"'{tmp_path}'", "--torch none"):
        assert word in done.stderr
    assert not list(tmp_path.glob("out/*"))


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    done = build(tmp_path / "out", "--torch", str(tmp_path / "nowhere"))
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert f"There is no folder '{tmp_path / 'nowhere'}'" in done.stderr

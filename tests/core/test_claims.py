# SPDX-License-Identifier: GPL-3.0-or-later
"""benchmarks/claims.py measures what the papers claim; here with small networks that nobody trained."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from conftest import write_frames, write_png
from test_components import photo
from test_fixed_styles import save

ROOT = Path(__file__).parents[2]


def test_two_networks_are_compared_on_a_shot(tmp_path: Path) -> None:
    shot, content = write_frames(tmp_path / "shot", 2), write_png(tmp_path / "content" / "photo.png", photo())
    given = []
    for name in ("johnson-oil", "reconet-oil"):
        save(tmp_path / f"{name}.safetensors", name.partition("-")[0], ("oil",))
        given += ["--weights", f"{name}={tmp_path / name}.safetensors"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.claims", "--content", content.parent, "--style", content.parent,
         "--shot", shot, "--frames", "2", "--only", "steady", *given],
        cwd=ROOT, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    table = [line.split("|") for line in done.stdout.splitlines() if line.startswith("|")]
    rows = {cells[1].strip(): cells[2:5] for cells in table}
    assert all(float(value) > 0 for value in rows["johnson-oil"])
    ratio = float(rows["reconet-oil"][0]) / float(rows["johnson-oil"][0])
    assert abs(float(rows["reconet to johnson"][0]) - ratio) < 0.02

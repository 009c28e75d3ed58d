# SPDX-License-Identifier: GPL-3.0-or-later
"""benchmarks/claims.py measures what the papers claim; here with small networks that nobody trained."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from conftest import write_frames, write_png
from test_components import photo
from test_fixed_styles import save

ROOT = Path(__file__).parents[2]


HELD_OUT = "photo_10.png"  # of this name no training sees a picture


def claims(*options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "benchmarks.claims", *map(str, options)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)


def rows(printed: str) -> dict[str, list[str]]:
    table = [[cell.strip() for cell in line.split("|")] for line in printed.splitlines() if line.startswith("|")]
    return {cells[1]: cells[2:-1] for cells in table}


def test_two_networks_are_compared_on_a_shot(tmp_path: Path) -> None:
    shot, given = write_frames(tmp_path / "shot", 2), list[str]()
    for name in ("johnson-oil", "reconet-oil"):
        save(tmp_path / f"{name}.safetensors", name.partition("-")[0], ("oil",))
        given += ["--weights", f"{name}={tmp_path / name}.safetensors"]
    done = claims("--shot", shot, "--frames", "2", "--only", "steady", *given)
    assert done.returncode == 0, done.stderr
    found = rows(done.stdout)
    assert all(float(value) > 0 for value in found["johnson-oil"])
    ratio = float(found["reconet-oil"][0]) / float(found["johnson-oil"][0])
    assert abs(float(found["reconet to johnson"][0]) - ratio) < 0.02
    verdict = next(line for line in done.stdout.splitlines() if "temporal error, to johnson's" in line)
    assert verdict.startswith("holds" if ratio <= 0.7 else "does not hold") and "at most 0.700" in verdict


def test_networks_that_nobody_trained_do_not_hold_and_the_photo_as_it_is_stands_beside_them(tmp_path: Path) -> None:
    write_png(tmp_path / "content" / HELD_OUT, photo())
    save(tmp_path / "w.safetensors", "johnson", ("oil",))
    given = ["--only", "gatys", "--content", tmp_path / "content", "--weights", f"johnson-oil={tmp_path}/w.safetensors"]
    done = claims(*given, "--check")
    assert done.returncode == 1, done.stderr
    assert "does not hold: the loss of johnson-oil" in done.stdout
    found = {name: cells for name, cells in rows(done.stdout).items() if name and not name.startswith(("-", "1 "))}
    assert list(found) == ["untouched", "johnson-oil", "reconet-oil", "gatys, 50 steps", "that loss, 50 steps"]
    assert float(found["untouched"][3]) == 0  # its content is its own
    learned = {name: float(cells[0]) for name, cells in found.items()}
    assert learned["that loss, 50 steps"] < learned["reconet-oil"] < learned["untouched"]
    assert float(found["gatys, 50 steps"][2]) < float(found["untouched"][2])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "The claim 'gatys' needs --content"),
        (("--only", "steady"), "The claim 'steady' needs --shot"),
        (("--only", "adain", "--content", "{folder}"), "The claim 'adain' needs --style"),
        (("--only", "gatys", "--content", "{folder}"), "none is held out"),
        (("--only", "steady", "--shot", "{folder}", "--weights", "foo"), "The weights 'foo' are not NAME=FILE"),
        (("--only", "steady", "--shot", "{folder}", "--weights", "oil=foo"), "The weights 'oil=foo' are not NAME=FILE"),
    ],
)
def test_what_is_missing_gets_its_sentence(tmp_path: Path, options: tuple[str, ...], words: str) -> None:
    done = claims(*(option.format(folder=tmp_path) for option in options))
    assert done.returncode == 2 and words in done.stderr and done.stderr.count("\n") == 1

# SPDX-License-Identifier: GPL-3.0-or-later
"""benchmarks/compare_methods.py: one command makes the page, its picture and the values."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
from conftest import write_frames, write_png
from test_components import photo

from styletx_core.cli import ASSETS

ROOT = Path(__file__).resolve().parents[2]


def test_the_page_is_made_by_one_command(tmp_path: Path) -> None:
    picture, shot = write_png(tmp_path / "photo.png", photo()), write_frames(tmp_path / "shot", 3)
    page, image = tmp_path / "page.md", tmp_path / "images" / "sheet.jpg"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.compare_methods", "--photo", picture, "--shot", shot, "--frames", "1-3",
         "--style", ASSETS / "styles" / "oil.png", "--method", "adain_reconet", "--method", "gatys",
         "--option", "gatys:steps=2", "--size", "64", "--output", tmp_path / "out", "--page", page, "--image", image],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "comparison.json").read_text())
    flagship, gatys = found["adain_reconet"]["mean"], found["gatys"]["mean"]
    assert flagship["error"] > 0 and "error" not in gatys  # gatys paints the photo alone
    assert gatys["memory"] > flagship["memory"] > 0.1
    assert found["adain_reconet"]["size"] > 1 and found["gatys"]["size"] > 18  # VGG-19
    assert Path(found["adain_reconet"]["styles"]["oil"]["movie"]).is_file()
    text = page.read_text()
    assert "| adain_reconet |" in text and "images/sheet.jpg" in text and "## Which method when" in text
    assert "python -m benchmarks.compare_methods --photo " in text and "--frames 1-3" in text
    assert "- gatys, the shot: it is made for single pictures" in text and "METHOD/STYLE/shot.mp4" in text
    assert cv2.imread(str(image)) is not None


def test_methods_are_compared_in_the_styles_that_all_of_them_paint(tmp_path: Path) -> None:
    picture, page = write_png(tmp_path / "photo.png", photo()), tmp_path / "page.md"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.compare_methods", "--photo", picture,
         "--style", ASSETS / "styles" / "oil.png", "--style", ASSETS / "styles" / "ink.png",
         "--method", "adain_reconet", "--method", "reconet",
         "--size", "64", "--output", tmp_path / "out", "--page", page, "--image", tmp_path / "sheet.jpg"],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "comparison.json").read_text())["adain_reconet"]
    text = page.read_text()
    first, second = text[text.index("In oil, which") :].split("Means of all")
    assert f"{found['styles']['oil']['style']:.3f}" in first and f"{found['mean']['style']:.3f}" in second
    assert "- reconet, ink: " in second
    height, width = cv2.imread(str(tmp_path / "sheet.jpg")).shape[:2]
    assert (height, width) == (3 * 136, 150 + 2 * 240)

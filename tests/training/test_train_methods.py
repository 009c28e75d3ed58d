# SPDX-License-Identifier: GPL-3.0-or-later
"""The trainings of johnson, dumoulin, reconet and adain through their command lines, a few steps each."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from safetensors.torch import load_file
from trainings import Train, read_log

import styletx_core
from styletx_core import weights
from styletx_core.cli import main
from training.painters import paint

TINY = ("--size", "64", "--size-last", "64", "--batch", "1", "--width", "8", "--log-every", "2", "--warm-up", "1",
        "--device", "cpu", "--threads", "1")  # fmt: skip


@pytest.fixture(scope="session")
def style(folders: tuple[str, ...]) -> Path:
    return Path(folders[3]) / "style_1.png"


def test_a_new_johnson_style_is_one_command_and_usable_at_once(
    folders: tuple[str, ...], style: Path, train: Train, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, out = folders[:2], tmp_path / "out"
    said = train("--style", style, *content, *TINY, "--steps", "40", "--out", out, method="johnson").stdout
    assert "Finished: step 40" in said
    log = read_log(out)
    assert log[-1]["gram"] < 0.7 * log[0]["gram"] and log[-1]["style"] < log[0]["style"]
    assert cv2.imread(str(out / "samples.jpg")).shape == (2 * 256, 6 * 256, 3)
    photo = next(Path(content[1]).iterdir())
    own = ["--method", "johnson", "--weights", str(out / "weights.safetensors"), "--device", "cpu"]
    assert main(["stylize", str(photo), "--output", str(tmp_path / "painted"), *own]) == 0
    before, after = (cv2.imread(str(p)) for p in (photo, Path(capsys.readouterr().out.strip())))
    assert after.shape == before.shape and np.abs(after.astype(float) - before).mean() > 5
    assert main(["stylize", str(photo), "--output", str(tmp_path / "x"), *own, "--style", "style_2"]) == 2
    assert "no style 'style_2'; choose one of: style_1" in capsys.readouterr().err


def test_a_johnson_training_that_stopped_goes_on_exactly(
    folders: tuple[str, ...], style: Path, train: Train, tmp_path: Path
) -> None:
    options = ["--style", style, *folders[:2], *TINY, "--steps", "6"]
    train(*options, "--out", tmp_path / "whole", method="johnson")
    train(*options, "--out", tmp_path / "broken", "--stop-after", "0.0001", method="johnson")
    assert "going on from step 2" in train(*options, "--out", tmp_path / "broken", method="johnson").stdout
    assert read_log(tmp_path / "broken") == read_log(tmp_path / "whole")
    # and its weights begin that of another style
    more = ["--style", style, "--name", "mine", "--start", tmp_path / "whole" / "weights.safetensors", *folders[:2]]
    train(*more, *TINY, "--steps", "2", "--out", tmp_path / "more", method="johnson")
    assert weights.style_names(tmp_path / "more" / "weights.safetensors") == ("mine",)


def test_dumoulin_begins_with_johnson_and_learns_another_style_without_touching_those_it_knows(
    folders: tuple[str, ...], style: Path, train: Train, tmp_path: Path
) -> None:
    content = folders[:2]
    first, second, third = (style.with_name(f"style_{i}.png") for i in (1, 2, 3))
    train("--style", first, *content, *TINY, "--steps", "2", "--out", tmp_path / "johnson", method="johnson")
    both = ["--style", first, "--style", second, "--start", tmp_path / "johnson" / "weights.safetensors"]
    train(*both, *content, *TINY, "--steps", "4", "--out", tmp_path / "two", method="dumoulin")
    known = tmp_path / "two" / "weights.safetensors"
    train("--add", third, "--start", known, *content, *TINY, "--steps", "4", "--out", tmp_path / "three",
          method="dumoulin")  # fmt: skip
    more = tmp_path / "three" / "weights.safetensors"
    assert weights.style_names(more) == ("style_1", "style_2", "style_3")
    old, new = load_file(known), load_file(more)
    for name, tensor in new.items():
        rows = name.endswith((".scale", ".shift"))
        assert (tensor[:2] if rows else tensor).equal(old[name]), name
    assert not new["stem.norm.scale"][2].equal(new["stem.norm.scale"][:2].mean(0))
    frame = paint("facets", 64, 80, 5)
    methods = [styletx_core.load("dumoulin", device="cpu", weights=file, style="style_2") for file in (known, more)]
    pictures = [method.stylize(frame) for method in methods]
    assert np.abs(pictures[0] - pictures[1]).max() < 1e-5


@pytest.mark.parametrize("norm", ["response", "instance"])
def test_reconet_learns_style_and_steadiness(
    folders: tuple[str, ...], style: Path, train: Train, tmp_path: Path, norm: str
) -> None:
    options = ["--style", style, *folders[:2], *TINY, "--norm", norm, "--steps", "48", "--out", tmp_path]
    train(*options, method="reconet")
    log = read_log(tmp_path)
    assert log[-1]["gram"] < log[0]["gram"] and log[-1]["feature"] < log[0]["feature"] and "output" in log[0]
    method = styletx_core.load("reconet", device="cpu", weights=tmp_path / "weights.safetensors", style="style_1")
    assert method.stylize(paint("facets", 64, 80, 5)).shape == (64, 80, 3)


def test_reconet_learns_from_renders_and_in_the_paper_s_width(
    folders: tuple[str, ...], style: Path, train: Train, tmp_path: Path
) -> None:
    shots = Path(__file__).resolve().parents[1] / "data" / "shot_4x"
    given = ["--style", style, *folders[:2], *TINY, "--steps", "2", "--out", tmp_path]
    train(*given, "--shots", shots, "--shots-share", "1", "--width", "48", method="reconet")
    assert load_file(tmp_path / "weights.safetensors")["stem.norm.scale"].shape == (1, 48)
    assert all(np.isfinite(line["output"]) for line in read_log(tmp_path))


def test_adain_s_decoder_learns_to_make_what_it_is_asked_for(
    folders: tuple[str, ...], train: Train, tmp_path: Path
) -> None:
    train(*folders, *TINY, "--steps", "24", "--out", tmp_path, "--cache", tmp_path / "cache", method="adain")
    log = read_log(tmp_path)
    assert log[-1]["content"] + 10 * log[-1]["style"] < log[0]["content"] + 10 * log[0]["style"]
    style, frame = paint("ink", 96, 96, 50), paint("facets", 64, 80, 5)
    method = styletx_core.load("adain", device="cpu", weights=tmp_path / "weights.safetensors", style=style)
    assert np.abs(method.stylize(frame) - frame).mean() > 0.02


@pytest.mark.parametrize(
    ("method", "options", "sentence"),
    [
        ("johnson", ("--style", "none.png", "--content", "{content}"), "There is no style picture 'none.png'"),
        ("johnson", ("--style", "{style}"), "give either --content or --pack"),
        ("dumoulin", ("--content", "{content}"), "Styles are missing or given twice"),
        ("dumoulin", ("--content", "{content}", "--add", "{style}"), "give its weights with --start"),
        ("dumoulin", ("--content", "{content}", "--style", "{style}", "--style", "{style}"), "is there twice"),
        ("reconet", ("--style", "{style}", "--content", "{content}", "--size", "66"), "multiple of 8"),
        ("adain", ("--content", "{content}"), "There are no style pictures to train on"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(
    folders: tuple[str, ...], style: Path, train: Train, tmp_path: Path, method: str, options: tuple[str, ...],
    sentence: str,
) -> None:  # fmt: skip
    given = [option.format(style=style, content=folders[1]) for option in options]
    done = train(*given, "--out", tmp_path / "out", "--device", "cpu", ok=False, method=method)
    assert done.returncode == 2 and sentence in done.stderr and "Traceback" not in done.stderr

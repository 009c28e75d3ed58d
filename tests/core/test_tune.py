# SPDX-License-Identifier: GPL-3.0-or-later
"""`styletx tune` on a tiny shot with exact vectors: what it gains, what it writes, and what stops it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Material, write_exr, write_png
from safetensors import safe_open
from safetensors.torch import load_file

from styletx_core.cli import main


def command(material: Material, shot: Path, *options: object) -> list[str]:
    common = ["--style", material.style, "--weights", material.weights, "--device", "cpu"]
    return ["tune", str(shot), *map(str, common), *map(str, options)]


def events(text: str) -> dict[str, list[dict[str, object]]]:
    found: dict[str, list[dict[str, object]]] = {}
    for line in text.splitlines():
        event = json.loads(line)
        found.setdefault(event["event"], []).append(event)
    return found


def test_it_gets_steadier_and_loses_nothing(
    material: Material, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shot = write_exr(tmp_path / "shot", 8)
    assert main(command(material, shot, "--steps", 50, "--rate", 2e-3, "--progress", "json")) == 0
    found = events(capsys.readouterr().out)
    (started,), (finished,) = found["tune_started"], found["tune_finished"]
    assert (started["motion"], started["held_out"], len(found["tune_step"])) == ("vectors", 2, 50)
    weights = tmp_path / "shot.tuned.safetensors"
    assert finished["path"] == str(weights)
    before, after = finished["before"], finished["after"]
    assert isinstance(before, dict) and isinstance(after, dict)
    assert after["temporal"] < 0.9 * before["temporal"] and after["held_out"] < before["held_out"]
    assert after["style"] <= 1.02 * before["style"] and after["gram"] <= 1.02 * before["gram"]
    assert after["sharpness"] >= 0.95 * before["sharpness"] and after["contrast"] >= 0.97 * before["contrast"]

    # the file is what stylizing says it is: the same error, by the whole engine
    def alone(name: str, file: Path) -> float:
        options = ["--style", str(material.style), "--weights", str(file), "--device", "cpu", "--progress", "json"]
        assert main(["stylize", str(shot), "--output", str(tmp_path / name), *options]) == 0
        (event,) = events(capsys.readouterr().out)["finished"]
        assert isinstance(event["alone_error"], float)
        return event["alone_error"]

    assert alone("plain", material.weights) == pytest.approx(before["temporal"], rel=0.02)
    assert alone("tuned", weights) == pytest.approx(after["temporal"], rel=0.02)

    # other styles are still told apart by the encoder they were told apart by
    old, new = load_file(material.weights), load_file(weights)
    assert old.keys() == new.keys()
    assert all(new[name].equal(old[name].half()) for name in old if name.startswith("style."))
    assert any(not new[name].equal(old[name].half()) for name in old)
    with safe_open(str(weights), "pt") as file:
        assert json.loads(file.metadata()["tuned"])["styles"] == [str(material.style)]


def test_the_same_twice_and_what_is_told(
    material: Material, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From optical flow, in words; and a seed gives the same figures again."""
    told = []
    for name in ("a", "b"):
        out = tmp_path / f"{name}.safetensors"
        assert main(command(material, material.frames, "--steps", 10, "--rate", 2e-3, "--out", out)) == 0
        shown = capsys.readouterr()
        assert (shown.out.strip() == str(out)) == out.exists()
        assert "motion: flow" in shown.err and "step 10" in shown.err and "left" in shown.err
        told.append([line for line in shown.err.splitlines() if " -> " in line or "gained" in line])
    assert told[0] == told[1] and told[0]


def test_where_nothing_is_gained_nothing_is_written(
    material: Material, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.safetensors"
    # a rate this high ruins the network at the first step
    assert main(command(material, material.frames, "--steps", 2, "--rate", 0.1, "--out", out)) == 0
    shown = capsys.readouterr()
    assert "Nothing was gained" in shown.err and shown.out == "" and not out.exists()


def test_ctrl_c_keeps_the_best_so_far(material: Material, tmp_path: Path) -> None:
    shot, out = write_exr(tmp_path / "shot", 8), tmp_path / "out.safetensors"
    options = ["--out", out, "--steps", 100000, "--rate", 1e-3, "--progress", "json"]
    process = subprocess.Popen(
        [sys.executable, "-m", "styletx_core", *command(material, shot, *options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell that starts the tests in its background has them ignore Ctrl-C, and children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        env={**os.environ, "OMP_NUM_THREADS": "2"},
    )
    assert process.stdout is not None and process.stderr is not None
    for line in process.stdout:
        if json.loads(line).get("best"):
            process.send_signal(signal.SIGINT)
            break
    last = json.loads(process.stdout.read().splitlines()[-1])
    err = process.stderr.read()
    assert process.wait(60) == 130
    assert "Stopping; the best found so far is kept" in err and "Traceback" not in err
    assert last["event"] == "tune_finished" and last["stopped"] and last["path"] == str(out)
    assert load_file(out)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["out.safetensors"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--steps", "0"], "number of steps is 0"),
        (["--minutes", "-1"], "number of minutes is -1"),
        (["--rate", "3"], "learning rate is 3"),
        (["--out", "out.pt"], "let it end in .safetensors"),
        (["--out", "there.safetensors"], "there already"),
        (["--style", "nowhere.png"], "no style picture 'nowhere.png'"),
        (["--weights", "nowhere.safetensors"], "nowhere.safetensors"),
        (["--motion", "vectors"], "Vector"),
        (["--motion", "none"], "invalid choice: 'none'"),
        (["--frames", "3"], "single frame"),
        (["--frames", "50-60"], "no frame in 50-60"),
    ],
)
def test_bad_input(
    material: Material,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.safetensors").touch()
    assert main(command(material, material.frames, "--out", "new.safetensors", *options)) == 2
    err = capsys.readouterr().err
    assert words in err and err.count("\n") == 1
    assert not Path("new.safetensors").exists()


def test_a_shot_of_cuts(material: Material, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import numpy as np

    for number in (1, 2):
        write_png(tmp_path / "cuts" / f"shot_{number:04d}.png", np.full((48, 64, 3), number - 1, np.float32))
    assert main(command(material, tmp_path / "cuts")) == 2
    assert "show the same scene" in capsys.readouterr().err

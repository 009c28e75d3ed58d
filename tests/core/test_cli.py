# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: its options, its exit codes, its one sentence, and what a kill leaves."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import FRAMES, Material, texture, write_exr, write_frames, write_png
from test_color import CONFIG

import styletx_core
from styletx_core import __version__
from styletx_core.cli import main
from styletx_core.events import Finished, FrameDone, from_dict
from styletx_core.registry import method_info
from styletx_core.shot import Frame, Shot, open_shot
from styletx_core.shot.sequence import SequenceShot

OIL = Path(styletx_core.__file__).parent / "assets" / "styles" / "oil.png"
SHOT = [f"shot_{number:04d}" for number in range(1, FRAMES + 1)]


def stylize(material: Material, source: Path, output: Path, *options: str) -> list[str]:
    common = ["--style", str(material.style), "--weights", str(material.weights), "--device", "cpu"]
    return ["stylize", str(source), "--output", str(output), *common, *options]


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("photo", ["photo.png"]),
        ("frames", [f"{name}.png" for name in SHOT]),
        ("exr", [f"{name}.exr" for name in SHOT]),
        ("movie", [f"movie_{number:04d}.png" for number in range(1, FRAMES + 1)]),
    ],
)
def test_stylize(
    material: Material, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str, names: list[str]
) -> None:
    assert main(stylize(material, getattr(material, kind), tmp_path)) == 0
    assert sorted(path.name for path in tmp_path.glob("*.*") if path.suffix != ".json") == [".styletx", *names]
    out, err = capsys.readouterr()
    path = Path(out.splitlines()[0])
    assert path.parent == tmp_path
    assert path.name == (names[0] if len(names) == 1 else names[0].replace("0001", "####"))
    assert f"{len(names)}/{len(names)}" in err


def test_one_frame_of_a_shot(material: Material, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(stylize(material, material.frames, tmp_path, "--frames", "4")) == 0
    assert Path(capsys.readouterr().out.strip()) == tmp_path / "shot_0004.png"
    assert (tmp_path / "shot_0004.png").is_file()


def test_a_colon_in_the_name_of_a_movie(material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # FFmpeg would take "film:" for a protocol
    shutil.copy(material.movie, "film:1.mp4")
    assert main(stylize(material, Path("film:1.mp4"), Path("out"), "--movie", "new:1.mp4")) == 0
    assert Path("new:1.mp4").is_file() and Path("out/film:1_0006.png").is_file()


def test_json_progress_is_the_job_s_events(
    material: Material, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(stylize(material, material.frames, tmp_path, "--frames", "2-4", "--progress", "json")) == 0
    out, err = capsys.readouterr()
    events = [from_dict(json.loads(line)) for line in out.splitlines()]
    assert [event.frame for event in events if isinstance(event, FrameDone)] == [2, 3, 4]
    assert isinstance(events[-1], Finished)
    assert err == ""


def test_a_job_file_does_the_same(material: Material, tmp_path: Path) -> None:
    assert main(stylize(material, material.frames, tmp_path / "a", "--progress", "none")) == 0
    record = json.loads((tmp_path / "a" / "styletx.json").read_text())
    record["job"]["output"]["directory"] = str(tmp_path / "b")
    (tmp_path / "job.json").write_text(json.dumps(record["job"]))
    assert main(["run", str(tmp_path / "job.json"), "--progress", "none"]) == 0
    for name in SHOT:
        assert (tmp_path / "a" / f"{name}.png").read_bytes() == (tmp_path / "b" / f"{name}.png").read_bytes()


def test_style_weights_and_colons_in_paths(material: Material, tmp_path: Path) -> None:
    colon = tmp_path / "a:b.png"
    shutil.copy(material.style, colon)
    command = stylize(material, material.photo, tmp_path / "plain")
    assert main(command) == 0
    plain = (tmp_path / "plain" / "photo.png").read_bytes()
    for number, style in enumerate([f"{colon}", f"{colon}:2.5"]):
        command = stylize(material, material.photo, tmp_path / f"out{number}")
        command[command.index("--style") + 1] = style
        assert main(command) == 0
        assert (tmp_path / f"out{number}" / "photo.png").read_bytes() == plain


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--strength", "2"], "settings.strength is 2, but has to be between 0 and 1"),
        (["--strength", "much"], "Argument --strength: 'much' is neither a number nor values"),
        (["--frames", "5-2"], "5-2 runs backward"),
        (["--frames", "one"], "'one' is not a range of frames"),
        (["--motion", "magic"], "Argument --motion: invalid choice: 'magic'"),
        (["--motion", "vectors"], "Vector"),
        (["--method", "gatys9"], "no method called 'gatys9'"),
        (["--style", "nowhere.png"], "no style picture 'nowhere.png'"),
        (["--style", "nowhere.png:0.5"], "no style picture 'nowhere.png'"),
        (["--movie", "film.gif"], "film.gif"),
        (["--view", "AgX"], "AgX"),
        (["--ocio", "nowhere.ocio"], "nowhere.ocio"),
        (["--device", "gpu"], "device 'gpu' is unknown"),
        (["--weights", "nowhere.safetensors"], "nowhere.safetensors"),
        (["--layer", "Foreground"], "layer"),
        (["--camera", "nowhere.json"], "nowhere.json"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_each_bad_option_gets_its_sentence(
    material: Material,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    words: str,
) -> None:
    monkeypatch.delenv("OCIO", raising=False)
    assert main(stylize(material, material.frames, tmp_path, *options)) == 2
    assert_one_sentence(capsys, words)


def assert_one_sentence(capsys: pytest.CaptureFixture[str], words: str) -> None:
    out, err = capsys.readouterr()
    assert words in err
    assert err.count("\n") == 1 and err.endswith((".\n", "--help'.\n"))
    assert out == "" and "Traceback" not in err


def gap(path: Path) -> str:
    (write_frames(path) / "shot_0003.png").unlink()
    return "3"


def other_size(path: Path) -> str:
    write_png(write_frames(path) / "shot_0004.png", texture(4)[:40])
    return "shot_0004.png"


def cut_short(path: Path) -> str:
    file = write_frames(path) / "shot_0002.png"
    file.write_bytes(file.read_bytes()[:300])
    return "shot_0002.png"


def cut_short_exr(path: Path) -> str:
    file = write_exr(path) / "shot_0002.exr"
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    return "shot_0002.exr"


def two_sequences(path: Path) -> str:
    write_png(write_frames(path) / "other_0001.png", texture(1))
    return "other_"


def empty(path: Path) -> str:
    path.mkdir()
    return str(path)


def missing(path: Path) -> str:
    return str(path)


def no_picture(path: Path) -> str:
    path.write_text("hello")
    return str(path)


def tiny(path: Path) -> str:
    write_png(path / "shot_0001.png", texture(1)[:10, :10])
    return "10x10"


@pytest.mark.parametrize(
    "spoil",
    [gap, other_size, cut_short, cut_short_exr, two_sequences, empty, missing, no_picture, tiny],
)
def test_each_bad_input_gets_its_sentence(
    material: Material, tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: object
) -> None:
    assert callable(spoil)
    words = spoil(tmp_path / "in")
    assert main(stylize(material, tmp_path / "in", tmp_path / "out")) == 2
    assert_one_sentence(capsys, words)


def test_a_broken_movie(material: Material, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = material.movie.read_bytes()
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    assert main(stylize(material, tmp_path / "cut.mp4", tmp_path / "out")) == 2
    assert_one_sentence(capsys, "cut.mp4")


def test_bad_commands_and_job_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "job.json").write_text('{"input": {"path": "a"}, "styles": [], "output": {"directory": "b"}}')
    for arguments, words in (
        (["paint"], "invalid choice: 'paint'"),
        ([], "COMMAND"),
        (["stylize", "a.png", "--output", "out"], "No style picture is given"),
        (["run", str(tmp_path / "none.json")], "none.json"),
        (["run", str(tmp_path / "job.json")], "No style picture"),
    ):
        assert main(arguments) == 2
        assert_one_sentence(capsys, words)


def test_methods(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods"]) == 0
    assert "adain_reconet" in capsys.readouterr().out
    assert main(["methods", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed[0]["name"] == "adain_reconet" and listed[0]["styles"] == "any"


@pytest.mark.parametrize("name", [info.name for info in styletx_core.list_methods()])
def test_every_method_paints_a_photo_and_a_rendered_shot(material: Material, tmp_path: Path, name: str) -> None:
    """With the weights that ship, in a style that all of them know."""
    options = ["--method", name, "--style", "oil" if method_info(name).styles == "fixed" else str(OIL)]
    options += ["--option", "steps=12"] * (name == "gatys") + ["--device", "cpu"]
    assert main(["stylize", str(material.photo), "--output", str(tmp_path / "photo"), *options]) == 0
    photo, painted = (cv2.imread(str(path)) for path in (material.photo, tmp_path / "photo" / "photo.png"))
    assert np.abs(painted.astype(float) - photo).mean() > 5
    shot = ["--frames", "1-3", "--motion", "vectors", "--output", str(tmp_path / "shot"), *options]
    assert main(["stylize", str(material.exr), *shot]) == 0
    with open_shot(tmp_path / "shot") as made:
        assert made.numbers == [1, 2, 3]
        assert all(np.abs(made.read(number).rgb - texture(number) ** 2.2).mean() > 0.02 for number in made.numbers)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("[enforce fail] not enough memory: you tried to")])
def test_lack_of_memory_outside_a_job_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr("styletx_core.cli.list_methods", fail)
    assert main(["methods"]) == 1
    assert_one_sentence(capsys, "memory is full")


def test_frames_are_seen_through_the_view_they_were_rendered_for(
    material: Material, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OCIO", raising=False)
    (tmp_path / "config.ocio").write_text(CONFIG)
    source = write_exr(tmp_path / "in", 2)
    rendered = {"display": "sRGB", "view": "Standard", "look": "None", "exposure": 1.0, "gamma": 1.0}
    (source / "shot.json").write_text(
        json.dumps({"version": 1, "resolution": [64, 48], "frames": {}, "view": rendered})
    )

    def used(name: str, *options: str) -> dict[str, object]:
        assert main(stylize(material, source, tmp_path / name, "--motion", "none", *options)) == 0
        return dict(json.loads((tmp_path / name / "styletx.json").read_text())["job"]["view"])

    config = ["--ocio", str(tmp_path / "config.ocio")]
    assert used("a", *config) == {**rendered, "ocio": config[1]}
    assert "were rendered for the view" not in capsys.readouterr().err
    rendered |= {"exposure": 1.5, "gamma": 2.0}
    (source / "shot.json").write_text(
        json.dumps({"version": 1, "resolution": [64, 48], "frames": {}, "view": rendered})
    )
    assert used("exposed", *config, "--exposure", "0") == {**rendered, "exposure": 0, "ocio": config[1]}
    assert used("b", *config, "--view", "Standard")["exposure"] == 0
    assert "were rendered for the view" in capsys.readouterr().err
    assert used("c")["exposure"] == 0
    assert "were rendered for the view" in capsys.readouterr().err


def test_what_libraries_print_is_not_among_the_events(
    material: Material, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def noisy(shot: Shot, number: int) -> Frame:
        print("Warning: from a library")
        return read(shot, number)

    read = SequenceShot.read
    monkeypatch.setattr(SequenceShot, "read", noisy)
    assert main(stylize(material, material.photo, tmp_path, "--progress", "json")) == 0
    out, err = capsys.readouterr()
    assert [json.loads(line)["event"] for line in out.splitlines()] == ["started", "frame", "finished"]
    assert "from a library" in err


def test_letters_that_the_pipe_cannot_show(material: Material, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "styletx_core", *stylize(material, material.photo, tmp_path / "\u00e9")]
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0 and "\\xe9" in done.stdout and "Traceback" not in done.stderr


@pytest.mark.parametrize("option", ["input", "style", "weighted style", "output", "config"])
def test_paths_the_system_does_not_take(
    material: Material, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str
) -> None:
    bad = "x" * 300  # as a directory without permission, this makes pathlib raise; root may enter any
    arguments = stylize(material, Path(bad) if option == "input" else material.photo, tmp_path)
    arguments += {
        "input": ["--ocio", str(tmp_path)],
        "style": ["--style", bad],
        "weighted style": ["--style", f"{bad}:2"],
        "output": ["--output", bad],
        "config": ["--ocio", bad],
    }[option]
    assert main(arguments) == 2
    assert_one_sentence(capsys, bad)


def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--output", str(tmp_path), "--device", "cpu"]) == 0
    paths = capsys.readouterr().out.splitlines()
    styles = sorted(path.stem for path in (Path(styletx_core.__file__).parent / "assets" / "styles").glob("*.png"))
    assert [Path(path).stem for path in paths if path.endswith(".mp4")] == styles
    for style in styles:
        assert (tmp_path / f"{style}.mp4").stat().st_size > 1000
        assert len(list((tmp_path / style).glob("shot_*.png"))) == 8


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"styletx {__version__}\n"


@pytest.mark.parametrize(("sign", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)])
def test_stopped_and_started_again(material: Material, tmp_path: Path, sign: signal.Signals, code: int) -> None:
    """Kill -9 and Ctrl-C; the second run finishes with the very files of an uninterrupted one."""
    source = write_exr(tmp_path / "in", 120)  # so many that it is still at work when the signal comes
    command = stylize(material, source, tmp_path / "out", "--progress", "json")
    process = subprocess.Popen(
        [sys.executable, "-m", "styletx_core", *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell that starts the tests in its background has them ignore Ctrl-C, and children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None and process.stderr is not None
    for line in process.stdout:
        if json.loads(line).get("index") == 5:
            process.send_signal(sign)
            break
    process.stdout.read()
    err = process.stderr.read()
    assert process.wait(20) == code
    if sign == signal.SIGINT:
        assert err.startswith("Stopped; finished frames are kept") and err.count("\n") == 1

    left = {path.name: path.read_bytes() for path in (tmp_path / "out").glob("shot_*.exr")}
    assert 5 <= len(left) < 120
    assert main(command) == 0
    assert main(stylize(material, source, tmp_path / "whole")) == 0
    expected = {path.name: path.read_bytes() for path in (tmp_path / "whole").glob("shot_*.exr")}
    assert left.items() <= expected.items()
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").glob("shot_*.exr")} == expected
    assert not list((tmp_path / "out").glob(".*tmp-*"))

# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings that change from frame to frame: what they come to, in a job, on the command line, and in the paint."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import FRAMES, Material, texture, write_png
from hypothesis import given
from hypothesis import strategies as st
from test_engine import contents, finish, make_job

from styletx_core import InputError, run
from styletx_core.cli import main
from styletx_core.events import FrameDone
from styletx_core.job import Job, Style
from styletx_core.keyed import Keyed, at, read, sampled
from styletx_core.shot import open_shot

KEYS = st.dictionaries(st.integers(-50, 50), st.floats(0, 1), min_size=1, max_size=6)


@given(KEYS, st.integers(-60, 60))
def test_between_two_frames_lie_straight_lines(keys: dict[int, float], frame: int) -> None:
    found = at(keys, frame)
    before = max((other for other in keys if other <= frame), default=min(keys))
    after = min((other for other in keys if other >= frame), default=max(keys))
    assert min(keys[before], keys[after]) <= found <= max(keys[before], keys[after])
    if frame in keys:
        assert found == keys[frame]
    elif before < frame < after:
        share = (frame - before) / (after - before)
        assert found == pytest.approx((1 - share) * keys[before] + share * keys[after])


@given(KEYS)
def test_what_is_written_is_read(keys: dict[int, float]) -> None:
    assert read(",".join(f"{value!r}@{frame}" for frame, value in keys.items())) == keys


@given(KEYS)
def test_a_value_for_each_frame_comes_to_the_same_as_a_few(keys: dict[int, float]) -> None:
    frames = range(-20, 20)
    assert sampled({frame: at(keys, frame) for frame in frames}, frames) == sampled(keys, frames)


def test_strength_is_followed_frame_by_frame(material: Material, tmp_path: Path) -> None:
    """The paint is the same as at a constant strength, for the history is kept at full strength."""
    keys = {1: 0.2, FRAMES: 1.0}
    finish(make_job(material, material.exr, tmp_path / "keyed", settings__strength=keys))
    for number in (1, 4, FRAMES):
        finish(make_job(material, material.exr, tmp_path / str(number), settings__strength=at(keys, number)))
        name = f"shot_{number:04d}.exr"
        assert contents(tmp_path / "keyed")[name] == contents(tmp_path / str(number))[name]


def test_strength_zero_is_the_input_to_the_bit_in_its_frames_only(material: Material, tmp_path: Path) -> None:
    finish(make_job(material, material.exr, tmp_path, settings__strength={1: 0, 2: 0, 4: 1, 5: 0}))
    with open_shot(material.exr) as given, open_shot(tmp_path / "shot_####.exr") as made:
        same = [np.array_equal(given.read(number).rgb, made.read(number).rgb) for number in given.numbers]
    assert same == [True, True, False, False, True, True]


def test_an_interrupted_keyed_job_ends_with_the_same_files(material: Material, tmp_path: Path) -> None:
    other = write_png(tmp_path / "other.png", np.full((40, 40, 3), (0.9, 0.2, 0.1), np.float32))
    styles = (Style(str(material.style), {1: 1, 6: 0}), Style(str(other), {1: 0, 6: 1}))
    job = make_job(material, material.exr, tmp_path / "a", styles=styles, settings__strength={1: 0, 4: 1},
                   settings__size={1: 1.5, 5: 0.75})  # fmt: skip
    finish(job)
    job = replace(job, output=replace(job.output, directory=str(tmp_path / "b")))
    for _ in range(2):
        with closing(run(job)) as events:
            done = 0
            for event in events:
                done += isinstance(event, FrameDone)
                if done == 2:
                    break
    finish(job)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize("what", ["weight", "size"])
def test_the_history_follows_what_is_keyed(material: Material, tmp_path: Path, what: str) -> None:
    """In a still shot all paint is kept; yet once the key is over, it is that of the new look."""
    for number in range(1, 5):
        write_png(tmp_path / "still" / f"shot_{number:04d}.png", texture(3))
    other = write_png(tmp_path / "other.png", np.full((40, 40, 3), (0.9, 0.2, 0.1), np.float32))

    def last(name: str, here: Keyed) -> np.ndarray:
        styles, size = (Style(str(material.style), 1.0),), 1.0
        if what == "weight":
            there = {frame: 1 - value for frame, value in here.items()} if isinstance(here, dict) else 1 - here
            styles = (Style(str(material.style), here), Style(str(other), there))
        else:
            size = {frame: 1 + value for frame, value in here.items()} if isinstance(here, dict) else 1 + here
        finish(make_job(material, tmp_path / "still", tmp_path / name, styles=styles, settings__size=size))
        return cv2.imread(str(tmp_path / name / "shot_0004.png")).astype(float)

    old, new, keyed = last("old", 1.0), last("new", 0.0), last("keyed", {2: 1.0, 4: 0.0})
    assert np.abs(old - new).mean() > 3, "they differ enough for a lag to show"
    assert np.abs(keyed - new).mean() < 0.1 * np.abs(old - new).mean()


def test_a_style_of_weight_zero_is_not_there(material: Material, tmp_path: Path) -> None:
    finish(make_job(material, material.frames, tmp_path, styles=(Style(str(material.style), {2: 1, 3: 0}),)))
    painted = []
    for number in range(1, 5):
        name = f"shot_{number:04d}.png"
        painted.append((tmp_path / name).read_bytes() != (material.frames / name).read_bytes()
                       and np.abs(cv2.imread(str(tmp_path / name)).astype(float)
                                  - cv2.imread(str(material.frames / name))).max() > 0)  # fmt: skip
    assert painted == [True, True, False, False]


def test_another_way_to_write_the_same_values_is_the_same_job(material: Material, tmp_path: Path) -> None:
    finish(make_job(material, material.frames, tmp_path, settings__strength={1: 0.0, 5: 1.0}))
    each = {frame: min(1.0, (frame - 1) / 4) for frame in range(1, 9)}
    assert finish(make_job(material, material.frames, tmp_path, settings__strength=each)).kept == FRAMES
    with pytest.raises(InputError, match="another job"):
        list(run(make_job(material, material.frames, tmp_path, settings__strength=each | {3: 0.6})))


def test_keys_on_the_command_line(material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Job] = []
    monkeypatch.setattr("styletx_core.cli._run", lambda job, progress: made.append(job) or 0)
    common = ["stylize", str(material.photo), "--output", str(tmp_path)]
    style = f"{material.style}:1@1,0.25@25"
    assert main([*common, "--style", style, "--strength", "0@1,1@25", "--size", "2@-5,0.5@9"]) == 0
    assert made[0].settings.strength == {1: 0.0, 25: 1.0}
    assert made[0].settings.size == {-5: 2.0, 9: 0.5}
    assert made[0].styles == (Style(str(material.style), {1: 1.0, 25: 0.25}),)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--strength", "0@1,1"], "'0@1,1' is neither a number nor values at frames"),
        (["--strength", "0@1,1@1"], "neither a number nor values"),
        (["--strength", "0@1,2@5"], "settings.strength in frame 5 is 2, but has to be between 0 and 1"),
        (["--size", "0.1"], "settings.size is 0.1, but has to be between 0.25 and 4"),
        (["--keep-colors", "some"], "keep-colors"),
    ],
)
def test_wrong_keys_get_their_sentence(
    material: Material, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    arguments = ["stylize", str(material.photo), "--output", str(tmp_path / "out"), "--style", str(material.style)]
    assert main([*arguments, *options]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1

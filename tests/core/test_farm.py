# SPDX-License-Identifier: GPL-3.0-or-later
"""A shot in chunks: by the engine, by processes that are killed, and by Open Job Description's own runner."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Material, write_exr
from test_engine import contents, finish, make_job

import styletx_core
from styletx_core import InputError, Job, run
from styletx_core.cli import main
from styletx_core.events import FrameDone
from styletx_core.farm import write_bundle

CHUNKS = [(1, 4), (5, 8), (9, 12)]


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_exr(tmp_path_factory.mktemp("shot") / "exr", frames=12)


@pytest.fixture(scope="module")
def whole(material: Material, shot: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What one run makes of the shot."""
    out = tmp_path_factory.mktemp("whole")
    finish(make_job(material, shot, out))
    return contents(out)


def chunk(job: Job, frames: tuple[int, int]) -> Job:
    return replace(job, input=replace(job.input, chunk=frames))


def start(job: Job, path: Path) -> subprocess.Popen[bytes]:
    job.save(path)
    return subprocess.Popen([sys.executable, "-m", "styletx_core", "run", str(path), "--progress", "none"])


def test_chunks_in_any_order_make_the_same_shot(
    material: Material, shot: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    job = make_job(material, shot, tmp_path)
    for frames in reversed(CHUNKS):
        done = finish(chunk(job, frames))
        assert (done.frames, done.kept, done.first, done.last) == (4, 0, *frames)
    assert contents(tmp_path) == whole
    assert finish(chunk(job, (5, 8))).kept == 4
    assert finish(job).kept == 12


def test_chunks_that_cross_anchors_make_the_same_shot(material: Material, tmp_path: Path) -> None:
    """Anchors are frames 1, 13, 25 and 30: chunks begin and end between them, and are made out of order."""
    shot = write_exr(tmp_path / "exr", frames=30)
    finish(make_job(material, shot, tmp_path / "whole"))
    for frames in ((10, 14), (24, 30), (1, 9), (15, 23)):
        finish(chunk(make_job(material, shot, tmp_path / "out"), frames))
    assert contents(tmp_path / "out") == contents(tmp_path / "whole")


def test_a_chunk_has_events_for_its_own_frames(material: Material, shot: Path, tmp_path: Path) -> None:
    events = list(run(chunk(make_job(material, shot, tmp_path), (5, 8))))
    frames = [event for event in events if isinstance(event, FrameDone)]
    assert [(frame.frame, frame.index, frame.total) for frame in frames] == [(n, n - 4, 4) for n in range(5, 9)]
    assert sorted(contents(tmp_path)) == [f"shot_{n:04d}.exr" for n in range(5, 9)]


def test_a_killed_chunk_is_made_again(material: Material, shot: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    job = make_job(material, shot, tmp_path / "out")
    finish(chunk(job, (1, 4)))
    process = start(chunk(job, (5, 12)), tmp_path / "job.json")
    while process.poll() is None and not (tmp_path / "out" / "shot_0005.exr").exists():
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert len(contents(tmp_path / "out")) < 12
    again = start(chunk(job, (5, 12)), tmp_path / "job.json")
    assert again.wait() == 0
    assert contents(tmp_path / "out") == whole


def test_chunks_at_the_same_time_replace_an_old_job_once(
    material: Material, shot: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    job = make_job(material, shot, tmp_path / "out")
    finish(replace(job, settings=replace(job.settings, strength=0.5)))
    job = replace(job, output=replace(job.output, overwrite=True))
    running = [start(chunk(job, frames), tmp_path / f"{frames[0]}.json") for frames in CHUNKS]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert contents(tmp_path / "out") == whole


def test_a_chunk_is_made_by_one_process_at_a_time(material: Material, shot: Path, tmp_path: Path) -> None:
    job = make_job(material, shot, tmp_path)
    events = run(chunk(job, (1, 4)))
    next(events)
    for other in (chunk(job, (1, 4)), job):
        with pytest.raises(InputError, match="Another StyleTX job"):
            next(run(other))
    next(other_chunk := run(chunk(job, (5, 8))))
    other_chunk.close()
    events.close()


def test_a_chunk_beside_the_shot_is_refused(material: Material, shot: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="chunk 20-30 has no frame of the shot, whose frames are 1-12"):
        finish(chunk(make_job(material, shot, tmp_path), (20, 30)))
    with pytest.raises(InputError, match="backward"):
        chunk(make_job(material, shot, tmp_path), (3, 2)).validate()


def test_the_movie_is_left_to_the_whole_job(material: Material, shot: Path, tmp_path: Path) -> None:
    job = make_job(material, shot, tmp_path / "out", output__movie=str(tmp_path / "shot.mp4"))
    for frames in CHUNKS:
        assert finish(chunk(job, frames)).movie is None
    assert not (tmp_path / "shot.mp4").exists()
    assert finish(job).movie == str(tmp_path / "shot.mp4")


def test_open_job_description_runs_the_shot(
    material: Material, shot: Path, whole: dict[str, bytes], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Template by the command line, checked and run by openjd, with a movie at the end."""
    bundle, out = tmp_path / "bundle", tmp_path / "out"
    arguments = ["farm-job", str(shot), "--style", str(material.style), "--output", str(out)]
    arguments += ["--weights", str(material.weights), "--device", "cpu", "--movie", str(tmp_path / "shot.mp4")]
    assert main([*arguments, "--bundle", str(bundle), "--chunk-frames", "4"]) == 0
    template = capsys.readouterr().out.strip()
    openjd = [str(Path(sys.executable).parent / "openjd")]
    checked = subprocess.run([*openjd, "check", template], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr

    command = tmp_path / "styletx"
    here = Path(styletx_core.__file__).parents[1]
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{here}" exec "{sys.executable}" -m styletx_core "$@"\n')
    command.chmod(0o755)
    parameters = ["-p", f"file://{bundle / 'parameters.json'}", "-p", f"StyleTX={command}"]
    done = subprocess.run([*openjd, "run", template, *parameters], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("openjd_progress: 100.0") >= 4  # three chunks and the movie
    assert "openjd_status: frame 12" in done.stdout
    assert contents(out) == whole
    assert (tmp_path / "shot.mp4").stat().st_size > 0

    # One task is run again after some of its frames are lost.
    for number in (5, 7):
        (out / f"shot_{number:04d}.exr").unlink()
    task = ["--step", "Stylize", "-tp", "First=5", "-tp", "Last=8"]
    done = subprocess.run([*openjd, "run", template, *parameters, *task], capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    assert contents(out) == whole


def test_a_task_that_fails_says_why(material: Material, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    job = make_job(material, tmp_path / "nowhere", tmp_path / "out")
    job.save(tmp_path / "job.json")
    assert main(["run", str(tmp_path / "job.json"), "--progress", "openjd"]) == 2
    assert "openjd_fail: " in capfd.readouterr().out


def test_a_bundle_names_what_the_job_reads_and_writes(material: Material, shot: Path, tmp_path: Path) -> None:
    job = make_job(material, Path(f"{shot}/shot_####.exr"), tmp_path / "out", input__frames=(2, 11))
    assert write_bundle(job, tmp_path / "bundle", 4) == 3
    values = json.loads((tmp_path / "bundle" / "parameters.json").read_text())
    assert values == {"Input": str(shot), "Style1": str(material.style), "Weights": str(material.weights),
                      "Output": str(tmp_path / "out")}  # fmt: skip
    listed = json.loads((tmp_path / "bundle" / "parameter_values.json").read_text())["parameterValues"]
    assert {value["name"]: value["value"] for value in listed} == values
    template = json.loads((tmp_path / "bundle" / "template.json").read_text())
    space = template["steps"][0]["parameterSpace"]["taskParameterDefinitions"]
    assert [given["range"] for given in space] == [[2, 6, 10], [5, 9, 11]]
    assert len(template["steps"]) == 1
    script = template["steps"][0]["script"]
    assert f"input.path={{{{Param.Input}}}}{os.sep}shot_####.exr" in script["actions"]["onRun"]["args"]
    assert Job.from_dict(json.loads(script["embeddedFiles"][0]["data"])).input.frames == (2, 11)


@pytest.mark.parametrize(("device", "precision"), [("cpu", "auto"), ("auto", "auto"), ("cuda", "float16")])
def test_a_bundle_asks_for_workers_that_paint_alike(
    material: Material, shot: Path, tmp_path: Path, device: str, precision: str
) -> None:
    job = make_job(material, shot, tmp_path / "out", settings__device=device, settings__precision=precision)
    write_bundle(job, tmp_path)
    checked = subprocess.run(
        [Path(sys.executable).parent / "openjd", "check", tmp_path / "template.json"], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    step = json.loads((tmp_path / "template.json").read_text())["steps"][0]
    amounts = {one["name"].removeprefix("amount.worker."): one["min"] for one in step["hostRequirements"]["amounts"]}
    assert set(amounts) == ({"memory", "gpu", "gpu.memory"} if device == "cuda" else {"memory"})
    assert amounts.get("gpu", 1) == 1 and all(value > 0 for value in amounts.values())
    given = Job.from_dict(json.loads(step["script"]["embeddedFiles"][0]["data"])).settings
    assert given == replace(job.settings, precision="float32" if precision == "auto" else precision)


def test_fields_of_a_job_file_can_be_set(material: Material, shot: Path, tmp_path: Path) -> None:
    job = make_job(material, shot, tmp_path / "unused")
    job.save(tmp_path / "job.json")
    command = ["run", str(tmp_path / "job.json"), "--progress", "none"]
    changes = ["input.frames=[3, 3]", f"output.directory={tmp_path / 'out'}", "styles.0.weight=2"]
    assert main([*command, *(part for change in changes for part in ("--set", change))]) == 0
    assert list(contents(tmp_path / "out")) == ["shot_0003.exr"]
    assert not (tmp_path / "unused").exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("settings.strength", "no value"),
        ("settings.force=1", "no field 'settings.force'"),
        ("styles.3.weight=1", "no field 'styles.3.weight'"),
        ("settings.strength=strong", "'settings.strength'"),
    ],
)
def test_fields_that_cannot_be_set(
    material: Material, shot: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, sentence: str
) -> None:
    make_job(material, shot, tmp_path / "out").save(tmp_path / "job.json")
    assert main(["run", str(tmp_path / "job.json"), "--set", change]) == 2
    assert sentence in capsys.readouterr().err

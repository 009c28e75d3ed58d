# SPDX-License-Identifier: GPL-3.0-or-later
"""Running jobs: what comes out, and that interruption, foreign files and full disks do no harm."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from conftest import FRAMES, Material, texture, write_frames, write_png
from test_color import CONFIG

from styletx_core import InputError, Job, WorkError, run
from styletx_core.events import Event, Finished, FrameDone, Started
from styletx_core.job import Input, Output, Settings, Style, ViewSettings
from styletx_core.shot import open_shot
from styletx_core.temporal import EVERY


def make_job(material: Material, source: Path, output: Path, **changes: object) -> Job:
    job = Job(
        Input(str(source)),
        (Style(str(material.style)),),
        Output(str(output)),
        settings=Settings(device="cpu", weights=str(material.weights)),
    )
    for name, value in changes.items():
        part, _, field = name.partition("__")
        job = replace(job, **{part: replace(getattr(job, part), **{field: value}) if field else value})
    return job


def finish(job: Job) -> Finished:
    last = list(run(job))[-1]
    assert isinstance(last, Finished)
    return last


def contents(directory: Path) -> dict[str, bytes]:
    """The results, by name; nothing else may lie in the directory."""
    found = {path.name: path.read_bytes() for path in directory.iterdir() if path.is_file()}
    assert found.pop("styletx.json")
    assert not [name for name in found if name.startswith(".")]
    return found


# What comes out


@pytest.mark.parametrize(
    ("kind", "suffix", "motion"),
    [
        ("photo", ".png", None),
        ("frames", ".png", "flow"),
        ("exr", ".exr", "vectors"),
        ("movie", ".png", "flow"),
    ],
)
def test_every_kind_of_input(material: Material, tmp_path: Path, kind: str, suffix: str, motion: str | None) -> None:
    source = getattr(material, kind)
    events = list(run(make_job(material, source, tmp_path / "out")))
    started, frames, finished = events[0], [e for e in events if isinstance(e, FrameDone)], events[-1]
    assert isinstance(started, Started) and isinstance(finished, Finished)
    total = 1 if kind == "photo" else FRAMES
    if motion:
        assert started.motion == motion
        assert [frame.temporal_error is None for frame in frames] == [True] + [False] * (total - 1)
        assert finished.temporal_error is not None and finished.alone_error is not None
        assert 0 < finished.temporal_error <= finished.alone_error
    assert [frame.index for frame in frames] == list(range(1, total + 1))
    assert (started.total, started.kept, finished.frames, finished.kept) == (total, 0, total, 0)
    assert frames[-1].eta == 0 and all(frame.seconds > 0 for frame in frames)
    assert sorted(contents(tmp_path / "out")) == sorted(Path(frame.path).name for frame in frames)

    given = open_shot(source)
    with open_shot(frames[-1].path) as shot:
        made = shot.read(shot.numbers[0])
        assert Path(frames[-1].path).suffix == suffix
        assert (shot.width, shot.height, shot.encoding) == (given.width, given.height, given.encoding)
        # It is stylized, and by this style.
        assert np.abs(made.rgb - given.read(given.numbers[-1]).rgb).mean() > 0.02


def test_results_keep_the_numbers_and_the_range(material: Material, tmp_path: Path) -> None:
    done = finish(make_job(material, material.frames, tmp_path, input__frames=(3, 5)))
    assert sorted(contents(tmp_path)) == ["shot_0003.png", "shot_0004.png", "shot_0005.png"]
    assert (done.pattern, done.first, done.last) == ("shot_####.png", 3, 5)


def test_strength_zero_gives_the_input_and_less_strength_less_change(material: Material, tmp_path: Path) -> None:
    changes = []
    for strength in (0.0, 0.5, 1.0):
        out = tmp_path / str(strength)
        finish(make_job(material, material.frames, out, settings__strength=strength))
        pictures = [cv2.imread(str(out / f"shot_{n:04d}.png")).astype(float) for n in range(1, FRAMES + 1)]
        given = [cv2.imread(str(material.frames / f"shot_{n:04d}.png")) for n in range(1, FRAMES + 1)]
        changes.append(np.abs(np.array(pictures) - np.array(given)).mean())
    assert changes[0] == 0
    assert 0 < changes[1] < changes[2]


def test_strength_zero_keeps_exr_to_the_bit(material: Material, tmp_path: Path) -> None:
    finish(make_job(material, material.exr, tmp_path, settings__strength=0.0))
    with open_shot(material.exr) as given, open_shot(tmp_path / "shot_####.exr") as made:
        for number in given.numbers:
            np.testing.assert_array_equal(given.read(number).rgb, made.read(number).rgb)


def test_stability_steadies(material: Material, tmp_path: Path) -> None:
    steady = finish(make_job(material, material.exr, tmp_path / "a"))
    loose = finish(make_job(material, material.exr, tmp_path / "b", settings__stability=0.0))
    assert steady.temporal_error is not None and loose.temporal_error is not None
    assert steady.temporal_error < loose.temporal_error
    assert loose.temporal_error == pytest.approx(steady.alone_error, rel=1e-3)


def test_styles_are_mixed_by_weight(material: Material, tmp_path: Path) -> None:
    other = write_png(tmp_path / "other.png", np.full((40, 40, 3), (0.9, 0.2, 0.1), np.float32))
    first, second = Style(str(material.style), 3.0), Style(str(other), 0.0)
    finish(make_job(material, material.photo, tmp_path / "a"))
    finish(make_job(material, material.photo, tmp_path / "b", styles=(first, second)))
    finish(make_job(material, material.photo, tmp_path / "c", styles=(first, replace(second, weight=3.0))))
    a, b, c = (contents(tmp_path / name)["photo.png"] for name in "abc")
    assert a == b != c


def test_a_movie_of_a_movie_keeps_its_sound(material: Material, tmp_path: Path) -> None:
    done = finish(make_job(material, material.movie, tmp_path / "out", output__movie=str(tmp_path / "new.mp4")))
    assert done.movie == str(tmp_path / "new.mp4")
    with av.open(done.movie) as container:
        assert container.streams.audio and container.streams.video[0].average_rate == 12
        assert sum(1 for _ in container.decode(video=0)) == FRAMES
    # Again: every frame is kept, and the movie is this job's own.
    again = finish(make_job(material, material.movie, tmp_path / "out", output__movie=str(tmp_path / "new.mp4")))
    assert again.kept == FRAMES


def test_a_movie_of_scene_linear_frames_looks_like_them(material: Material, tmp_path: Path) -> None:
    job = make_job(material, material.exr, tmp_path / "out", output__movie=str(tmp_path / "new.mov"))
    finish(replace(job, settings=replace(job.settings, strength=0.0)))
    with open_shot(tmp_path / "new.mov") as shot:
        shown = shot.read(1).rgb
    # texture() is raised to 2.2 in the EXR files, so that the sRGB curve brings it back.
    assert np.abs(shown - texture(1)).mean() < 0.03


# Interruption


class Killed(BaseException):
    """Stands for kill -9: nothing in the engine may catch it."""


def interrupt(job: Job, after: int) -> None:
    with closing(run(job)) as events:
        for event in events:
            if isinstance(event, FrameDone) and event.index == after:
                return


@pytest.fixture(params=["exr", "frames", "movie"])
def whole(request: pytest.FixtureRequest, material: Material, tmp_path: Path) -> tuple[Job, dict[str, bytes]]:
    """A job for tmp_path/out and the files its uninterrupted run gives."""
    job = make_job(material, getattr(material, request.param), tmp_path / "whole")
    finish(job)
    return replace(job, output=Output(str(tmp_path / "out"))), contents(tmp_path / "whole")


@pytest.mark.parametrize("after", [1, 3, FRAMES])
def test_a_closed_run_goes_on(whole: tuple[Job, dict[str, bytes]], tmp_path: Path, after: int) -> None:
    job, expected = whole
    interrupt(job, after)
    kept = len(contents(tmp_path / "out"))
    assert after <= kept <= after + 3  # one that was written and not yet told, and two on their way into a file
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("shot*")}
    done = finish(job)
    assert contents(tmp_path / "out") == expected
    assert done.kept == kept
    assert {path: path.stat().st_mtime_ns for path in times} == times


def test_killed_at_every_rename(material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file appears by a rename, so these are all the states a kill can leave behind."""
    job = make_job(material, material.exr, tmp_path / "whole", input__frames=(1, 4))
    finish(job)
    expected = contents(tmp_path / "whole")
    rename = os.replace

    def kill(at: int, before: bool) -> Iterator[Event]:
        count = 0

        def killing(source: Path, target: Path) -> None:
            nonlocal count
            count += 1
            if count == at and before:
                shutil.copy(source, str(source).replace("tmp-", "tmp-9"))  # what a kill leaves behind
                raise Killed
            rename(source, target)
            if count == at:
                raise Killed

        with monkeypatch.context() as patch:
            patch.setattr(os, "replace", killing)
            yield from run(replace(job, output=Output(str(out))))

    # styletx.json, then a frame and its state, four times.
    for at in range(1, 1 + 1 + 2 * 4):
        for before in (True, False):
            out = tmp_path / f"out{at}{before}"
            with pytest.raises(Killed):
                list(kill(at, before))
            finish(replace(job, output=Output(str(out))))
            assert contents(out) == expected
    out = tmp_path / "last"
    list(kill(1 + 2 * 4 + 1, before=True))  # there are no more renames than these
    assert contents(out) == expected


def test_lost_or_broken_state_costs_time_only(whole: tuple[Job, dict[str, bytes]], tmp_path: Path) -> None:
    job, expected = whole
    state = tmp_path / "out" / ".styletx" / "state.npz"
    interrupt(job, 3)
    state.write_bytes(state.read_bytes()[:-40])
    interrupt(job, 1)
    assert contents(tmp_path / "out").items() <= expected.items()
    state.unlink()
    finish(job)
    assert contents(tmp_path / "out") == expected


def test_a_deleted_frame_is_made_again(whole: tuple[Job, dict[str, bytes]], tmp_path: Path) -> None:
    job, expected = whole
    finish(job)
    (tmp_path / "out" / sorted(expected)[2]).unlink()
    assert finish(job).kept == FRAMES - 1
    assert contents(tmp_path / "out") == expected


def test_a_finished_job_is_not_done_again(material: Material, tmp_path: Path) -> None:
    job = make_job(material, material.exr, tmp_path)
    first = finish(job)
    events = list(run(job))
    assert not any(isinstance(event, FrameDone) for event in events)
    assert isinstance(events[-1], Finished) and events[-1].kept == FRAMES
    assert events[-1].temporal_error == first.temporal_error


def test_cancelled_within_a_frame(material: Material, tmp_path: Path) -> None:
    asked, limit = 0, 1000

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return asked > limit

    done: list[FrameDone] = []
    for event in run(make_job(material, material.frames, tmp_path), cancelled):
        assert not isinstance(event, Finished)
        if isinstance(event, FrameDone):
            done.append(event)
            limit = asked + 3 if len(done) == 2 else limit
    assert 2 <= len(done) <= 4 < FRAMES
    assert len(done) <= len(contents(tmp_path)) <= len(done) + 2


# Other people's files


def test_a_changed_job_asks_before_it_overwrites(material: Material, tmp_path: Path) -> None:
    finish(make_job(material, material.frames, tmp_path))
    before = contents(tmp_path)
    changed = make_job(material, material.frames, tmp_path, settings__strength=0.5)
    with pytest.raises(InputError, match=r"holds frames of another job .*--overwrite"):
        list(run(changed))
    assert contents(tmp_path) == before
    assert finish(replace(changed, output=replace(changed.output, overwrite=True))).kept == 0
    after = contents(tmp_path)
    assert after.keys() == before.keys() and all(after[name] != before[name] for name in after)


def test_changed_input_is_a_changed_job(material: Material, tmp_path: Path) -> None:
    source = write_frames(tmp_path / "in", 3)
    finish(make_job(material, source, tmp_path / "out"))
    write_png(source / "shot_0002.png", texture(40))
    with pytest.raises(InputError, match="another job"):
        list(run(make_job(material, source, tmp_path / "out")))


def test_an_interrupted_overwrite_never_mixes_two_jobs(material: Material, tmp_path: Path) -> None:
    out = tmp_path / "out"
    finish(make_job(material, material.frames, out))
    changed = make_job(material, material.frames, out, settings__strength=0.5, output__overwrite=True)
    interrupt(changed, 2)
    assert 2 <= len(contents(out)) < FRAMES  # nothing of the first job is left
    finish(changed)
    finish(make_job(material, material.frames, tmp_path / "clean", settings__strength=0.5))
    assert contents(out) == contents(tmp_path / "clean")


def test_foreign_files_stay(material: Material, tmp_path: Path) -> None:
    foreign = write_png(tmp_path / "shot_0004.png", texture(99))
    bytes_before = foreign.read_bytes()
    job = make_job(material, material.frames, tmp_path)
    with pytest.raises(InputError, match=r"shot_0004\.png' is there already and StyleTX did not make it"):
        list(run(job))
    assert foreign.read_bytes() == bytes_before
    finish(replace(job, output=replace(job.output, overwrite=True)))
    assert foreign.read_bytes() != bytes_before


def test_a_foreign_movie_stays(material: Material, tmp_path: Path) -> None:
    (tmp_path / "mine.mp4").write_text("holiday")
    job = make_job(material, material.frames, tmp_path / "out", output__movie=str(tmp_path / "mine.mp4"))
    with pytest.raises(InputError, match=r"mine\.mp4' is there already"):
        list(run(job))
    assert (tmp_path / "mine.mp4").read_text() == "holiday"


def test_a_foreign_record_stays(material: Material, tmp_path: Path) -> None:
    job = make_job(material, material.photo, tmp_path)
    job.save(tmp_path / "styletx.json")  # a job file may well be called so
    with pytest.raises(InputError, match=r"styletx\.json' is there already"):
        list(run(job))
    assert Job.load(tmp_path / "styletx.json") == job


def test_only_the_remains_of_a_killed_run_are_removed(material: Material, tmp_path: Path) -> None:
    job = make_job(material, material.photo, tmp_path)
    remains = [".photo.tmp-12.png", ".styletx.tmp-3.json"]
    foreign = [".photo.tmp-12.jpg", ".photo.tmp-x.png", ".other.tmp-12.png", "photo.tmp-12.png"]
    for name in remains + foreign:
        (tmp_path / name).write_text("")
    finish(job)
    assert {path.name for path in tmp_path.glob("*tmp*")} == set(foreign)


def test_a_movie_that_cannot_come_to_lie_is_noticed_before_the_work(material: Material, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.mp4").mkdir()
    for name in ("file/movie.mp4", "folder.mp4"):
        job = make_job(material, material.photo, tmp_path / "out", output__movie=str(tmp_path / name))
        with pytest.raises(InputError, match="The movie"):
            next(run(job))
    assert not (tmp_path / "out").exists()


def test_display_frames_need_no_view(material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "studio.ocio"
    config.write_text(CONFIG.replace("sRGB", "Projector"))
    monkeypatch.setenv("OCIO", str(config))
    finish(make_job(material, material.photo, tmp_path / "out"))
    for changes in ({"output__format": "exr_half"}, {"view": ViewSettings(view="AgX")}):
        with pytest.raises(InputError, match="has no display 'sRGB'"):
            list(run(make_job(material, material.photo, tmp_path / "linear", **changes)))


def test_a_config_without_its_tables(material: Material, tmp_path: Path) -> None:
    config = tmp_path / "config.ocio"
    config.write_text(CONFIG.replace("!<ExponentTransform> {value: [0.5, 0.5, 0.5, 1]}",
                                     "!<FileTransform> {src: table.spi1d}"))  # fmt: skip
    job = make_job(material, material.exr, tmp_path / "out", view=ViewSettings(ocio=str(config)))
    with pytest.raises(InputError, match="misses a file"):
        list(run(job))


def test_the_input_is_never_overwritten(material: Material, tmp_path: Path) -> None:
    source = write_frames(tmp_path / "in", 2)
    movie = shutil.copy(material.movie, tmp_path / "in.mp4")
    jobs = [
        make_job(material, source, source, output__overwrite=True),
        make_job(material, source, source, output__overwrite=True, output__format="exr_half"),
        make_job(material, source / "shot_####.png", source, output__overwrite=True),
        make_job(material, Path(movie), tmp_path, output__overwrite=True, output__movie=str(movie)),
    ]
    for job in jobs:
        with pytest.raises(InputError, match="would replace the input|both input and output"):
            list(run(job))


def test_results_of_several_photos_share_a_directory(material: Material, tmp_path: Path) -> None:
    for name in ("a", "b"):
        photo = write_png(tmp_path / f"{name}.png", texture(3))
        finish(make_job(material, photo, tmp_path / "out"))
    assert sorted(contents(tmp_path / "out")) == ["a.png", "b.png"]


def test_two_jobs_do_not_write_to_one_directory_at_once(material: Material, tmp_path: Path) -> None:
    job = make_job(material, material.frames, tmp_path)
    with closing(run(job)) as events:
        next(events)
        with pytest.raises(InputError, match="Another StyleTX job is writing"):
            list(run(job))
    finish(job)


# What fails


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"input__path": "nowhere/shot"}, "nowhere"),
        ({"styles": (Style("nowhere/style.png"),)}, "no style picture 'nowhere/style.png'"),
        ({"settings__weights": "nowhere.safetensors"}, "nowhere.safetensors"),
        ({"settings__device": "cuda:77"}, "cuda:77"),
        ({"motion": "vectors"}, "Vector"),
        ({"input__frames": (70, 80)}, "70-80"),
        ({"view": ViewSettings(view="AgX")}, "AgX"),
    ],
)
def test_bad_input_is_named_before_work_starts(
    material: Material,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, object],
    words: str,
) -> None:
    monkeypatch.delenv("OCIO", raising=False)
    events: list[Event] = []
    with pytest.raises(InputError) as caught:
        events.extend(run(make_job(material, material.frames, tmp_path / "out", **changes)))
    assert words in str(caught.value) and "\n" not in str(caught.value)
    assert not events
    assert not (tmp_path / "out").exists()


def test_a_style_that_is_no_single_picture(material: Material, tmp_path: Path) -> None:
    job = make_job(material, material.photo, tmp_path, styles=(Style(str(material.movie)),))
    with pytest.raises(InputError, match="is a movie; give a picture"):
        list(run(job))


def test_an_output_directory_that_is_a_file(material: Material, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="out' cannot be written"):
        list(run(make_job(material, material.photo, tmp_path / "out")))


@pytest.mark.parametrize("motion", ["none", "flow"])  # without and with a state to save
def test_a_full_disk(material: Material, tmp_path: Path, motion: str) -> None:
    """On a real file system of half a megabyte, in a namespace of its own."""
    out = tmp_path / "out"
    out.mkdir()
    job = make_job(material, write_frames(tmp_path / "in", 40), out, output__format="exr_float", motion=motion)
    job.save(tmp_path / "job.json")
    script = (
        f"mount -t tmpfs -o size=600k tmpfs {out} && {sys.executable} -m styletx_core run --progress none"
        f" {tmp_path / 'job.json'}; code=$?; ls -A {out}; exit $code"
    )
    done = subprocess.run(["unshare", "-Urm", "sh", "-c", script], capture_output=True, text=True)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no namespaces here: {done.stderr}")
    assert done.returncode == 1
    assert "disk is full while stylizing frame" in done.stderr and "finished frames are kept" in done.stderr
    assert "Traceback" not in done.stderr
    names = done.stdout.split()
    assert "shot_0001.exr" in names and not [name for name in names if "tmp-" in name]


def test_too_little_memory(material: Material, tmp_path: Path) -> None:
    """In a process that may take little more than it has, for a picture that needs a lot."""
    photo = write_png(tmp_path / "big.png", cv2.resize(texture(1), (3000, 3000)))
    job = make_job(material, photo, tmp_path / "out")
    job.save(tmp_path / "job.json")
    code = (
        "import resource, torch\n"
        "from styletx_core import Job, WorkError, engine\n"
        f"job = Job.load({str(tmp_path / 'job.json')!r})\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**28, used + 2**28))\n"
        "try:\n    list(engine.run(job))\n"
        "except WorkError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.startswith("The memory of cpu is full while "), done.stderr[-500:]
    assert "smaller frames" in done.stdout


def test_a_frame_that_breaks_in_the_middle(material: Material, tmp_path: Path) -> None:
    source = write_frames(tmp_path / "in", 4 * EVERY)
    job = make_job(material, source, tmp_path / "out", settings__strength=0.5)
    path = source / f"shot_{3 * EVERY + 3:04d}.png"  # which has not yet been read ahead when the first frame is done
    with pytest.raises((InputError, WorkError), match=path.name), closing(run(job)) as events:
        for event in events:
            if isinstance(event, FrameDone):
                path.write_bytes(path.read_bytes()[:200])
    # a frame is made of the anchors around it, so the last whole piece is kept
    assert sorted(contents(tmp_path / "out")) == [f"shot_{n:04d}.png" for n in range(1, 3 * EVERY + 2)]

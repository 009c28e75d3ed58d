# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs and events: strict reading, round trips, and the fingerprint."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from styletx_core.errors import InputError
from styletx_core.events import Event, Finished, FrameDone, Notice, Started, from_dict
from styletx_core.job import (
    FORMATS,
    KEEP_COLORS,
    MOTIONS,
    PRECISIONS,
    SIZES,
    Input,
    Job,
    Output,
    Region,
    Settings,
    Style,
    ViewSettings,
)

TEXT = st.text("abc/\\: .äß#%", min_size=1, max_size=12).filter(lambda text: bool(text.strip()))
NAMES = st.lists(TEXT, min_size=1, max_size=3).map(tuple)
REGIONS = st.one_of(
    st.builds(Region, object=NAMES, invert=st.booleans()),
    st.builds(Region, material=NAMES, invert=st.booleans()),
    st.builds(Region, index=st.integers(0, 999), invert=st.booleans()),
    st.builds(Region, mask=TEXT, invert=st.booleans()),
)


def keyed(low: float, high: float) -> st.SearchStrategy[Any]:
    values = st.floats(low, high)
    return values | st.dictionaries(st.integers(-99, 9999), values, min_size=1, max_size=4)


JOBS = st.builds(
    Job,
    input=st.builds(
        Input,
        path=TEXT,
        frames=st.none() | st.tuples(st.integers(0, 50), st.integers(50, 9999)),
        layer=st.none() | TEXT,
        camera=st.none() | TEXT,
    ),
    styles=st.lists(st.builds(Style, TEXT, keyed(0.01, 1000), st.none() | REGIONS), min_size=1, max_size=3).map(tuple),
    output=st.builds(
        Output,
        directory=TEXT,
        format=st.sampled_from(FORMATS),
        movie=st.none() | TEXT.map(lambda text: text + "m.mp4"),
        overwrite=st.booleans(),
    ),
    motion=st.sampled_from(MOTIONS),
    settings=st.builds(
        Settings,
        strength=keyed(0, 1),
        size=keyed(*SIZES),
        keep_colors=st.sampled_from(KEEP_COLORS),
        stability=st.floats(0, 1),
        device=st.sampled_from(["auto", "cpu", "cuda", "cuda:1", "mps"]),
        precision=st.sampled_from(PRECISIONS),
        weights=st.none() | TEXT,
    ),
    view=st.builds(
        ViewSettings,
        display=TEXT,
        view=TEXT,
        look=TEXT,
        exposure=st.floats(-32, 32),
        gamma=st.floats(0.01, 10),
        ocio=st.none() | TEXT,
    ),
)


def plain() -> dict[str, Any]:
    return {"input": {"path": "shot"}, "styles": [{"path": "style.png"}], "output": {"directory": "out"}}


@given(JOBS)
def test_a_job_survives_json(job: Job) -> None:
    assert Job.from_dict(json.loads(json.dumps(job.to_dict()))) == job


def test_a_job_survives_its_file(tmp_path: Path) -> None:
    job = Job(Input("shot", (3, 9)), (Style("a.png"), Style("b.png", 0.25)), Output("out", movie="m.MOV"))
    job.save(tmp_path / "job.json")
    assert Job.load(tmp_path / "job.json") == job
    assert [path.name for path in tmp_path.iterdir()] == ["job.json"]


def test_what_is_left_out_takes_its_default() -> None:
    job = Job.from_dict(plain())
    assert job == Job(Input("shot"), (Style("style.png", 1.0),), Output("out", "auto", None, False))
    assert (job.motion, job.settings.method, job.settings.strength) == ("auto", "adain_reconet", 1.0)
    assert job.view == ViewSettings("sRGB", "Standard", "None", 0.0, 1.0, None)


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("colour",), 1, "'colour' is unknown"),
        (("settings", "strenght"), 1, "'settings.strenght' is unknown"),
        (("styles", 0, "wieght"), 1, "'styles[0].wieght' is unknown"),
        (("settings", "strength"), "high", "'settings.strength' is \"high\", but has to be a number"),
        (("settings", "strength"), True, "'settings.strength' is true"),
        (("settings", "strength"), float("nan"), "'settings.strength' is NaN"),
        (("settings", "strength"), 1.5, "settings.strength is 1.5, but has to be between 0 and 1"),
        (("settings", "strength"), {"1": 0, "9": 1.5}, "settings.strength in frame 9 is 1.5, but has to be between"),
        (
            ("settings", "strength"),
            {"1.5": 0},
            "'settings.strength' is {\"1.5\": 0}, but has to be a number, or numbers",
        ),
        (("settings", "strength"), {}, "'settings.strength' is {}, but has to be a number, or numbers"),
        (("settings", "size"), 9, "settings.size is 9"),
        (("settings", "keep_colors"), "all", "settings.keep_colors is 'all', but has to be one of: none, luminance"),
        (
            ("styles", 0, "region"),
            {},
            "styles[0].region is given by nothing; give one of object, material, index",
        ),
        (("styles", 0, "region"), {"index": 1, "mask": "m.png"}, "styles[0].region is given by index and mask"),
        (("styles", 0, "region"), {"object": "Ball"}, "'styles[0].region.object' is \"Ball\", but has to be a list"),
        (("styles", 0, "region"), {"objects": []}, "'styles[0].region.objects' is unknown"),
        (("styles", 0, "region"), {"material": [" "]}, "styles[0].region.material is empty"),
        (("settings", "stability"), -0.1, "settings.stability is -0.1"),
        (("settings", "method"), "gatys9", "no method called 'gatys9'; choose one of: adain_reconet"),
        (("settings", "device"), "gpu", "device 'gpu' is unknown"),
        (("settings", "precision"), "double", "settings.precision is 'double'"),
        (("settings", "weights"), 3, "'settings.weights' is 3, but has to be text or null"),
        (("settings",), "fast", "'settings' has to be an object"),
        (("input",), {}, "'input.path' is missing"),
        (("input", "path"), " ", "input.path is empty"),
        (("input", "frames"), [9, 3], "9-3 runs backward"),
        (("input", "frames"), [1], "'input.frames' is [1], but has to be two whole numbers"),
        (("input", "frames"), [1.5, 2], "has to be two whole numbers"),
        (("styles",), [], "No style picture"),
        (("styles",), "a.png", "'styles' has to be a list"),
        (("styles", 0, "weight"), 0, "All style pictures have weight 0"),
        (("styles", 0, "weight"), -1, "styles[0].weight is -1"),
        (("motion",), "magic", "motion is 'magic', but has to be one of: auto, vectors, flow, none"),
        (("view", "gamma"), 0, "view.gamma is 0"),
        (("view", "exposure"), 99, "view.exposure is 99"),
        (("output", "format"), "gif", "output.format is 'gif'"),
        (("output", "movie"), "movie.gif", "'movie.gif' has to end in .mp4"),
        (("output", "overwrite"), 1, "'output.overwrite' is 1, but has to be true or false"),
        (("version",), 2, "version 2"),
    ],
)
def test_each_wrong_field_gets_its_sentence(path: tuple[str | int, ...], value: Any, words: str) -> None:
    data = plain()
    part: Any = data
    for name in path[:-1]:
        part = part[name] if isinstance(part, list) else part.setdefault(name, {})
    part[path[-1]] = value
    with pytest.raises(InputError) as caught:
        Job.from_dict(data)
    sentence = str(caught.value)
    assert words in sentence
    assert sentence.endswith(".") and "\n" not in sentence


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "is not valid JSON"), ("[]", "the job has to be an object"), (None, "no job file")],
)
def test_a_job_file_that_cannot_be_read(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / "job.json").write_text(text)
    with pytest.raises(InputError, match=words):
        Job.load(tmp_path / "job.json")


def test_the_fingerprint_changes_with_the_pixels_only(tmp_path: Path) -> None:
    for name in ("style.png", "copy.png", "f1.png", "f2.png", "weights", "shot.json", "config.ocio"):
        (tmp_path / name).write_text("x" if name == "copy.png" else name)
    (tmp_path / "copy.png").write_bytes((tmp_path / "style.png").read_bytes())
    frames = [tmp_path / "f1.png", tmp_path / "f2.png"]
    weights = tmp_path / "weights"
    job = Job(Input(str(tmp_path)), (Style(str(tmp_path / "style.png")),), Output(str(tmp_path / "out")))
    first = job.fingerprint([1, 2], frames, weights)

    same = replace(
        job,
        styles=(Style(str(tmp_path / "copy.png")),),
        settings=replace(job.settings, device="cpu", weights=str(weights)),
        output=Output("elsewhere", movie="m.mp4", overwrite=True),
    )
    assert same.fingerprint([1, 2], frames, weights) == first

    config = ViewSettings(ocio=str(tmp_path / "config.ocio"))
    others = [
        replace(job, settings=replace(job.settings, strength=0.5)).fingerprint([1, 2], frames, weights),
        replace(job, motion="flow").fingerprint([1, 2], frames, weights),
        replace(job, output=replace(job.output, format="png16")).fingerprint([1, 2], frames, weights),
        replace(job, view=ViewSettings(exposure=1)).fingerprint([1, 2], frames, weights),
        replace(job, view=config).fingerprint([1, 2], frames, weights),
        job.fingerprint([1], frames[:1], weights),
        job.fingerprint([1, 3], frames, weights),
        job.fingerprint([1, 2], frames, tmp_path / "style.png"),
        job.fingerprint([1, 2], frames, weights, tmp_path / "shot.json"),
    ]
    os.utime(frames[1], ns=(1, 1))
    others.append(job.fingerprint([1, 2], frames, weights))
    (tmp_path / "style.png").write_text("repainted")
    others.append(job.fingerprint([1, 2], frames, weights))
    assert len({first, *others}) == 1 + len(others)

    (tmp_path / "style.png").unlink()
    with pytest.raises(InputError, match=r"style\.png' cannot be read: no such file"):
        job.fingerprint([1, 2], frames, weights)


@pytest.mark.parametrize(
    "event",
    [
        Started(10, 3, 640, 360, "cpu", "vectors"),
        Notice("No config was found."),
        FrameDone(7, 4, 10, "out/f_0007.png", 0.25, 1.5, 0.02, None),
        Finished(10, 3, "out", "f_####.png", 4, 13, None, 0.02, 0.07, 2.5),
    ],
)
def test_events_survive_json(event: Event) -> None:
    data = json.loads(json.dumps({"id": "1", **event.to_dict()}))
    assert data["event"] == event.name
    assert from_dict(data) == event


@pytest.mark.parametrize("data", [{}, {"event": "pong"}, {"event": "notice"}])
def test_other_lines_are_no_events(data: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="event"):
        from_dict(data)


def test_jobs_and_methods_need_neither_torch_nor_picture_libraries() -> None:
    # Blender imports these in its own process.
    code = (
        "import sys, styletx_core, styletx_core.job, styletx_core.events, styletx_core.errors\n"
        "import styletx_core.exr_header\n"
        "assert styletx_core.list_methods()\n"
        "print([m for m in ('torch', 'cv2', 'av', 'OpenEXR', 'PyOpenColorIO', 'bpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

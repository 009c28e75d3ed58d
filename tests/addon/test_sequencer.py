# SPDX-License-Identifier: GPL-3.0-or-later
"""Strips in Blender's sequencer, painted through the operator: pixels, timing, sound, undo, cancel, errors.

All cases run in one Blender (inside/sequencer.py); here it is looked at what they saw.
"""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from blenders import ROOT, Blender
from test_extension import pixels

from styletx_core import Job, engine
from styletx_core.events import FrameDone

SCRIPT = Path(__file__).parent / "inside" / "sequencer.py"
COUNT = 12


# Media


def make_media(folder: Path) -> None:
    """Twelve frames of 64x64 that drift two pixels a frame: as PNG, as movies with sound; a picture with alpha."""
    (folder / "png").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 255, (12, 12, 3), np.uint8)
    wide = cv2.resize(noise, (96, 96), interpolation=cv2.INTER_CUBIC)
    frames = [np.ascontiguousarray(wide[:64, 2 * i : 64 + 2 * i]) for i in range(COUNT)]
    for number, frame in enumerate(frames, 1):
        cv2.imwrite(str(folder / "png" / f"pic_{number:04d}.png"), frame[..., ::-1])
    y, x = np.mgrid[:64, :64]
    alpha = np.clip(26 - np.hypot(x - 32, y - 32), 0, 10) / 10
    soft = np.dstack([frames[0][..., ::-1], (alpha * 255).astype(np.uint8)])
    cv2.imwrite(str(folder / "png" / "soft.png"), soft)
    _movie(folder / "lossless.mkv", frames, "ffv1", "bgr0", "pcm_s16le")
    _movie(folder / "lossy.mp4", frames, "libx264", "yuv420p", "aac")


def _movie(path: Path, frames: list[np.ndarray], codec: str, layout: str, sound: str) -> None:
    with av.open(str(path), "w") as file:
        video: Any = file.add_stream(codec, rate=24)
        video.width, video.height, video.pix_fmt = 64, 64, layout
        video.time_base = Fraction(1, 24)
        audio: Any = file.add_stream(sound, rate=48000)
        for frame in frames:
            file.mux(video.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        file.mux(video.encode())
        wave = (np.sin(np.arange(24000) / 48000 * 440 * 6.28) * 8000).astype(np.int16)[None]
        samples = av.AudioFrame.from_ndarray(wave, "s16", layout="mono")
        samples.rate, samples.pts = 48000, 0
        file.mux(audio.encode(samples))
        file.mux(audio.encode())


@pytest.fixture(scope="module")
def seen(blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """What all cases saw."""
    output = tmp_path_factory.mktemp("sequencer")
    make_media(output / "media")
    shutil.copytree(ROOT / "tests" / "data" / ("shot_5x" if blender.name >= "5" else "shot_4x"), output / "shot")
    found = blender.run("everything", output, SCRIPT)
    return found | {"output": output, "style": str(blender.style), "name": blender.name}


def of(seen: Any, name: str) -> Any:
    """What a case saw."""
    assert "failed" not in seen[name], seen[name]["failed"]
    return seen[name]


# Pixels

EMPTY_AROUND = ("movie_trimmed", "movie_lossy", "movie_under_agx", "pictures_plain", "still", "scene_strip", "meta",
                "speed", "retimed")  # fmt: skip


@pytest.mark.parametrize("name", [*EMPTY_AROUND, "pictures", "in_a_meta", "vectors"])
def test_strength_zero_shows_the_original_and_nothing_beyond_the_trims(seen: Any, name: str) -> None:
    case = of(seen, name)
    first, end = case["range"]
    assert [strip for strip in case["after"] if strip not in case["before"]], "nothing was added"
    for frame, plain, zero in zip(case["frames"], case["plain"], case["zero"], strict=True):
        now = pixels(zero)
        if plain is None:  # 4.2 cannot show multilayer files
            assert now[..., 3].max() == (1 if first <= frame < end else 0)
            continue
        was = pixels(plain)
        assert np.abs(over_gray(was) - over_gray(now)).max() <= 2 / 255, (name, frame)
        assert np.abs(was - now)[..., 3].max() <= 2 / 255, (name, frame)
        if first <= frame < end:
            assert was[..., :3].std() > 0.02, "the test needs a picture"
        elif name in EMPTY_AROUND:
            assert now[..., 3].max() == 0, (name, frame)


def over_gray(picture: np.ndarray) -> np.ndarray:
    """HxWx3: as seen, so that the color of what is transparent does not count."""
    return picture[..., :3] * picture[..., 3:] + 0.5 * (1 - picture[..., 3:])


@pytest.mark.parametrize("name", ["movie_trimmed", "pictures_plain", "still", "speed", "retimed", "meta"])
def test_full_strength_is_the_engines_paint_of_the_very_source_frames(seen: Any, name: str) -> None:
    case, output = of(seen, name), seen["output"]
    sources = [Path(path) for path in case["shown"]]
    if name == "still":
        sources = [output / "media" / "png" / "soft.png"]
    elif name != "meta":
        sources = [the_source(path, output / "media" / "png") for path in sources]
    if name in ("speed", "retimed"):
        assert len(set(sources)) < len(sources), "the test needs frames that are shown twice"
    painted = engine_paint(sources, output / f"engine_{name}", seen["style"])
    painted *= len(case["full"]) if name == "still" else 1
    assert len(painted) == len(case["full"])
    for number, (ours, theirs) in enumerate(zip(case["full"], painted, strict=True)):
        a, b = pixels(ours), pixels(theirs)
        assert np.abs(over_gray(a) - over_gray(b)).max() <= 2 / 255, (name, number)
        assert np.abs(over_gray(a) - over_gray(pixels(str(sources[number % len(sources)])))).mean() > 0.02


def the_source(shown: Path, folder: Path) -> Path:
    """Which of the pictures a frame of the sequencer is, exactly."""
    picture = pixels(str(shown))[..., :3]
    return next(
        path for path in sorted(folder.glob("pic_*.png")) if np.array_equal(pixels(str(path))[..., :3], picture)
    )


def engine_paint(sources: list[Path], folder: Path, style: str, motion: str = "flow") -> list[str]:
    """Paint these pictures in this order, without any Blender."""
    frames = folder / "frames"
    frames.mkdir(parents=True)
    for number, path in enumerate(sources, 1):
        shutil.copy(path, frames / f"frame_{number:04d}{path.suffix}")
    view = {"display": "sRGB", "view": "Standard"}
    return run_engine({"path": str(frames)}, folder / "out", style, motion, view)


def run_engine(given: dict[str, Any], output: Path, style: str, motion: str, view: dict[str, Any]) -> list[str]:
    job = Job.from_dict({"input": given, "motion": motion, "styles": [{"path": style}], "view": view,
                         "output": {"directory": str(output)}})  # fmt: skip
    return [event.path for event in engine.run(job) if isinstance(event, FrameDone)]


def test_animated_strength_is_followed_in_the_scenes_frames(seen: Any) -> None:
    case = of(seen, "keyed")
    assert case["frames"] == [20, 21, 22, 23]
    assert np.allclose([case["strength"][str(frame)] for frame in case["frames"]], [0, 1 / 3, 2 / 3, 1], atol=1e-5)
    apart = [np.abs(pixels(plain) - pixels(shown))[..., :3].mean()
             for plain, shown in zip(case["plain"], case["shown"], strict=True)]  # fmt: skip
    assert apart[0] < 1 / 255 and apart == sorted(apart) and apart[-1] > 0.02
    assert any("Regions" in text for text in case["notices"])


def test_a_scene_strip_is_painted_from_its_scene(seen: Any) -> None:
    case, output = of(seen, "scene_strip"), seen["output"]
    sources = [Path(path) for path in case["source"]]
    assert len(sources) == len(case["full"]) == 4
    painted = engine_paint(sources, output / "engine_scene", seen["style"])
    for ours, theirs, source in zip(case["full"], painted, sources, strict=True):
        a, b = pixels(ours), pixels(theirs)
        assert np.abs(a - b).max() <= 2 / 255
        assert np.abs(a - pixels(str(source)))[..., :3].mean() > 0.01
        assert 0 < a[..., 3].mean() < 1, "alpha is lost"


def test_vectors_of_rendered_frames_are_followed(seen: Any) -> None:
    case, output = of(seen, "vectors"), seen["output"]
    view = {"display": "sRGB", "view": "AgX", "ocio": case["config"]}
    given = {"path": str(output / "shot"), "frames": [3, 5]}
    painted = run_engine(given, output / "engine_vectors", seen["style"], "vectors", view)
    flow = run_engine(given, output / "engine_flow", seen["style"], "flow", view)
    for ours, theirs in zip(case["full"], painted, strict=True):
        a, b = pixels(ours)[..., :3], pixels(theirs)[..., :3]
        assert np.abs(a - b)[b < 1].max() <= 2 / 255
    middle = pixels(case["full"][1])[..., :3]  # the first and the last frame are anchors
    assert np.abs(middle - pixels(painted[1])[..., :3]).mean() < np.abs(middle - pixels(flow[1])[..., :3]).mean()


# Strips


def added(case: Any) -> list[Any]:
    return [strip for name, strip in case["after"].items() if name not in case["before"]]


@pytest.mark.parametrize("name", [*EMPTY_AROUND, "pictures", "in_a_meta", "vectors", "modal"])
def test_timing_mute_and_all_else(seen: Any, name: str) -> None:
    case = of(seen, name)
    (new,) = added(case)
    begins = sorted(strip["span"] for strip in case["before"].values())
    assert new["type"] == "IMAGE" and new["span"] in begins
    assert new["length"] == (1 if name == "still" else new["span"][1] - new["span"][0])
    assert new["tag"] == ("COLOR_03" if name == "pictures" else "COLOR_06")
    (called,) = [name for name in case["after"] if name not in case["before"]]
    assert called.endswith(" StyleTX")
    hidden = []
    for old, was in case["before"].items():
        now = case["after"][old]
        if now != was and now["mute"]:
            hidden.append(old)
            now = {**now, "mute": was["mute"]}
        elif now != was:
            hidden.append(old)
            assert seen["audible"]
            assert now["alpha"] == 0 and now["blend"] == "ALPHA_OVER" and name == "meta", "only where there is sound"
            now = {**now, "alpha": was["alpha"], "blend": was["blend"]}
        assert now == was, old
    assert not any(case["after"][old]["type"] == "SOUND" for old in hidden)
    assert sorted(hidden) == (
        ["Speed", "lossless.mkv"] if name == "speed" else sorted(case.get("names", ["lossless.mkv"]))
    )
    assert case.get("change", []) == [], "something else changed"


def test_a_strip_with_sound_in_it_is_heard_on(seen: Any) -> None:
    if not seen["audible"]:
        pytest.skip("this bpy was compiled without sound")
    voice = of(seen, "scene_strip")["voice"]
    assert not voice["after"]["voice"]["mute"] and voice["after"]["voice"]["alpha"] == 0
    assert not of(seen, "meta")["after"]["meta"]["mute"]
    assert of(seen, "scene_strip")["after"]["world"]["mute"], "no sound in this one"


def test_painted_again_it_is_seen_again(seen: Any) -> None:
    case = of(seen, "meta")
    again = case["again"]
    assert again["channel"] > again["muted"], "not on a channel that is muted"
    plain = dict(zip(case["frames"], case["plain"], strict=True))
    for frame, path in zip(again["frames"], again["shown"], strict=True):
        was, now = pixels(plain[frame]), pixels(path)
        assert np.abs(over_gray(was) - over_gray(now)).max() <= 2 / 255, frame


def test_looks_and_their_animation_stay(seen: Any) -> None:
    case = of(seen, "pictures")
    (new,) = added(case)
    assert new["modifiers"] == ["Contrast", "Curves"]
    assert case["curves"] == {"blend_alpha": 2, "transform.offset_y": 2}


def test_several_strips_one_undo(seen: Any) -> None:
    case = of(seen, "several")
    new = added(case)
    chosen = [strip for strip in case["before"].values() if strip["type"] in ("MOVIE", "IMAGE")]
    assert len(new) == 3 and sorted(strip["span"] for strip in new) == sorted(strip["span"] for strip in chosen)
    assert not any(strip["mute"] for strip in new)
    assert all(strip["mute"] for strip in case["after"].values() if strip["type"] == "MOVIE")
    spans = [(strip["channel"], *strip["span"]) for strip in case["after"].values()]
    for channel, first, end in spans:
        assert sum(c == channel and f < end and e > first for c, f, e in spans) == 1, "strips lie on each other"
    assert case["after"]["sound"] == case["before"]["sound"] and case["after"]["title"] == case["before"]["title"]
    assert any("'title'" in text and "left out" in text for text in case["notices"])
    assert case["undone"] == case["before"] == case["undone again"]
    assert case["redone"] == [True, case["files"]]
    assert case["again"], "the same again"


def test_cancel_leaves_the_sequencer_as_it_was(seen: Any) -> None:
    case = of(seen, "cancelled")
    for name in ("reading", "painting"):
        assert case[name] == {"result": ["CANCELLED"], "state": True, "change": []}, name
    assert 1 <= len(case["kept"]) < 48
    assert all(case["times"][name] == when for name, when in case["kept"].items()), "finished frames are used again"
    assert len(case["after"]) == 2 and case["source"] == [], "the frames that were read are deleted at the end"


def test_errors_are_sentences_and_change_nothing(seen: Any) -> None:
    words = {
        "nothing": "Select", "sound": "movie", "locked": "unlock", "no style": "style", "stereo": "Stereoscopy",
        "negative": "-20", "file": "nowhere.png", "camera": "Empty", "output": "/proc/styletx", "channel": "top",
        "broken": "broken.png",
    }  # fmt: skip
    case = dict(of(seen, "errors"))
    assert case.pop("trimmed off") == [""], "a missing file that is not shown does not matter"
    assert case.keys() == words.keys()
    for name, outcome in case.items():
        assert words[name] in outcome["error"], (name, outcome["error"])
        assert "\n" not in outcome["error"] and len(outcome["error"]) < 300
        assert "unexpectedly" not in outcome["error"]
        assert outcome["same"] and outcome["change"] == [], (name, outcome["change"])


def test_the_scene_that_the_sequencer_shows(seen: Any) -> None:
    case = of(seen, "other_scene")
    assert case["other"]
    assert len(case["shown"]) == (2 if case["modern"] else 1)


def test_a_window_takes_the_same_steps(seen: Any) -> None:
    case = of(seen, "modal")
    assert case["result"] == ["FINISHED"] and case["ticks"] > 3 and case["idle"]
    assert "Painted 12 frames" in case["reports"][-1]


def test_nothing_is_left_behind(seen: Any) -> None:
    assert seen["left"] == []

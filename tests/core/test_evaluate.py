# SPDX-License-Identifier: GPL-3.0-or-later
"""`styletx evaluate` on results whose figures are known beforehand, and with a small network."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from conftest import Material, texture, write_png
from shotfiles import write_single_part

from styletx_core.cli import main
from styletx_core.perceptual.vgg import ALL_LAYERS

WIDTH, HEIGHT, FRAMES = 192, 176, 3
GLOW = 0.1


def evaluate(tmp_path: Path, *options: object) -> dict[str, Any]:
    file = tmp_path / "found.json"
    assert main(["evaluate", "--device", "cpu", "--json", str(file), *map(str, options)]) == 0
    return dict(json.loads(file.read_text()))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photos and two styles of one size."""
    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(1)
    for number in range(2):
        write_png(root / "photos" / f"photo.{number}.png", texture(3 + number))
        style = cv2.resize(rng.random((8, 8, 3), np.float32), (64, 48), interpolation=cv2.INTER_NEAREST)
        write_png(root / "styles" / f"style_{number}.png", style)
    return root


@pytest.fixture(scope="module")
def shot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disc that stands still before a noisy wall, with ids and depth, as multilayer EXR."""
    directory = tmp_path_factory.mktemp("shots") / "disc"
    for number in range(1, FRAMES + 1):
        picture = np.where(outside()[..., None] > 0, wall(number), np.float32(0.7))
        inside = outside() <= 0
        vector = np.zeros((HEIGHT, WIDTH, 4), np.float32)
        vector[0, 0] = 1  # all zeros would look like a pass that motion blur left empty
        content = {
            "Combined": np.dstack([picture**2.2, np.ones((HEIGHT, WIDTH, 1), np.float32)]).astype(np.float32),
            "Vector": vector,
            "Depth": np.where(inside, 5, 20).astype(np.float32)[..., None],
            "IndexOB": np.where(inside, 1, 2).astype(np.float32)[..., None],
        }
        write_single_part(directory / f"shot_{number:04d}.exr", content)
    return directory


def outside() -> np.ndarray:
    """HxW: pixels to the disc's edge, below 0 in it."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.hypot(x - 56, y - 56) - 24.5


def wall(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.4, 0.02, (HEIGHT, WIDTH, 3)).astype(np.float32)


def write_results(directory: Path, pictures: list[np.ndarray]) -> None:
    for number, picture in enumerate(pictures, 1):
        directory.mkdir(parents=True, exist_ok=True)
        values = (np.clip(picture, 0, 1)[..., ::-1] * 65535 + 0.5).astype(np.uint16)
        assert cv2.imwrite(str(directory / f"shot_{number:04d}.png"), values)


def frames_of(shot: Path) -> list[np.ndarray]:
    from styletx_core.evaluate.shots import ShotPictures
    from styletx_core.shot import open_shot

    with open_shot(shot) as opened:
        return [ShotPictures(opened)[number] for number in opened.numbers]


def test_a_result_that_is_the_style_has_its_statistics(pictures: Path, tmp_path: Path) -> None:
    for style in (pictures / "styles").iterdir():
        for photo in (pictures / "photos").iterdir():
            (tmp_path / "results" / style.stem).mkdir(parents=True, exist_ok=True)
            shutil.copy(style, tmp_path / "results" / style.stem / photo.name)
    found = evaluate(tmp_path, "--content", pictures / "photos", "--style", pictures / "styles",
                     "--results", tmp_path / "results")["stills"]  # fmt: skip
    assert len(found["pairs"]) == 4 and found["styles"].keys() == {"style_0", "style_1"}
    assert found["mean"]["style"] < 1e-6 and found["mean"]["gram"] < 1e-6
    assert found["mean"]["content"] > 0.1 and found["mean"]["ssim"] < 0.5
    assert found["input"]["style"] > 0.05 and found["input"]["gram"] > 0.05


def test_a_result_that_is_the_photo_has_its_content(pictures: Path, tmp_path: Path) -> None:
    for photo in (pictures / "photos").iterdir():
        (tmp_path / "results" / "style_0").mkdir(parents=True, exist_ok=True)
        # a larger result is measured at the photo's size
        large = cv2.resize(cv2.imread(str(photo)), None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST)
        cv2.imwrite(str(tmp_path / "results" / "style_0" / photo.name), large)
    found = evaluate(tmp_path, "--content", pictures / "photos", "--style", pictures / "styles" / "style_0.png",
                     "--results", tmp_path / "results")["stills"]  # fmt: skip
    assert found["mean"]["content"] < 1e-6 and found["mean"]["ssim"] == pytest.approx(1)
    for name in ("style", "gram", "contrast"):
        assert found["mean"][name] == pytest.approx(found["input"][name], rel=1e-4)
    for name in ("style", "gram"):
        layers = [found["mean"][f"{name}_{layer}"] for layer in ALL_LAYERS]
        assert np.mean(layers) == pytest.approx(found["mean"][name]) and np.ptp(layers) > 0.01


def test_results_of_a_shot(shot: Path, pictures: Path, tmp_path: Path) -> None:
    inputs = frames_of(shot)
    glow = (GLOW * ((outside() > 0) & (outside() <= 10)))[..., None]
    seeds = np.random.default_rng(5)
    noise = [seeds.normal(0, 0.05, (HEIGHT, WIDTH, 1)) for _ in inputs]
    results = {
        "same": inputs, "flat": [np.full_like(inputs[0], 0.3)] * FRAMES,
        "still": [inputs[0]] * FRAMES, "glow": [p + glow for p in inputs],
        "noisy": [p + n for p, n in zip(inputs, noise, strict=True)],
        "brighter": [np.clip(p * 1.2 + 0.05, 0, 1) for p in inputs],
    }  # fmt: skip
    styles = []
    for name, frames in results.items():
        styles.append(tmp_path / f"{name}.png")
        shutil.copy(pictures / "styles" / "style_0.png", styles[-1])
        write_results(tmp_path / "results" / name / shot.name, frames)
    arguments = [argument for style in styles for argument in ("--style", style)]
    found = evaluate(tmp_path, "--shot", shot, *arguments, "--results", tmp_path / "results")["shot"]
    value = {name: found["styles"][name]["results"] for name in results}
    moved = found["input"]["error"]
    assert moved == pytest.approx(0.02 * np.sqrt(2), rel=0.2)  # the wall's noise changes from frame to frame
    assert value["same"]["error"] == pytest.approx(moved, rel=1e-3)
    assert value["brighter"]["error"] == pytest.approx(1.2 * moved, rel=1e-2)
    assert value["flat"]["error"] < 1e-4 and value["still"]["error"] < 1e-4
    assert value["noisy"]["error"] == pytest.approx(np.hypot(moved, 0.05 * np.sqrt(2)), rel=0.1)
    assert value["flat"]["contrast"] < 1e-4
    assert value["same"]["contrast"] == pytest.approx(found["input"]["contrast"], rel=1e-3)
    assert value["glow"]["halo"] == pytest.approx(GLOW, rel=0.02)
    assert value["same"]["halo"] == pytest.approx(0, abs=1e-4)
    assert value["noisy"]["halo"] == pytest.approx(0, abs=0.004)
    assert value["brighter"]["halo"] == pytest.approx(0, abs=0.004)
    assert value["same"]["content"] < 1e-4 < value["glow"]["content"]


@pytest.mark.parametrize(("frames", "words"), [(2, "lacks frame 3"), (3, "192x90, but the shot is 192x176")])
def test_results_that_are_not_of_the_shot(
    shot: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], frames: int, words: str
) -> None:
    write_results(tmp_path / "style_0" / shot.name, [np.zeros((90, WIDTH, 3))] * frames)
    style = pictures / "styles" / "style_0.png"
    assert main(["evaluate", "--shot", str(shot), "--style", str(style), "--results", str(tmp_path)]) == 2
    assert words in capsys.readouterr().err.splitlines()[-1]


def test_a_method_on_photos_and_shots(
    material: Material, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "sheet.png"
    found = evaluate(tmp_path, "--weights", material.weights, "--content", pictures / "photos", "--style",
                     pictures / "styles" / "style_1.png", "--shot", material.exr, "--light", material.exr,
                     "--light-stops", "1", "--sheet", sheet)  # fmt: skip
    assert len(found["stills"]["pairs"]) == 2 and found["stills"]["mean"]["seconds"] > 0
    versions = found["shot"]["styles"]["style_1"]
    assert list(versions) == ["alone", "vectors", "flow"]
    alone, vectors = versions["alone"], versions["vectors"]
    assert vectors["error"] < alone["error"]
    assert vectors["style_6_to_alone"] == pytest.approx(vectors["style_6"] / alone["style_6"])
    assert "ghost" not in alone and 0 < vectors["ghost"] < 0.2
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert [line.split()[1] for line in lines if line.startswith("style_1 ")][1:] == ["alone", "vectors", "flow"]
    assert f"{vectors['error']:.4f}" in out and f"{found['stills']['mean']['style']:.4f}" in out
    assert len({len(line) for line in lines[1:3]}) == 1  # a table: its columns end together
    picture = cv2.imread(str(sheet))
    assert picture.shape[0] > 3 * 180 and picture.shape[1] > 5 * 240 and picture.std() > 20


def test_a_still_light_leaves_no_ghost(material: Material, shot: Path, pictures: Path, tmp_path: Path) -> None:
    first = frames_of(shot)[0][:48, :64]
    for number in range(1, 6):
        write_png(tmp_path / "light" / f"light_{number:04d}.png", first)
    found = evaluate(tmp_path, "--weights", material.weights, "--style", pictures / "styles" / "style_0.png",
                     "--shot", material.frames, "--motion", "flow", "--light", tmp_path / "light",
                     "--light-stops", "2")["shot"]  # fmt: skip
    assert list(found["mean"]) == ["alone", "flow"]
    assert found["mean"]["flow"]["ghost"] < 0.005


def test_consistency_across_sizes(
    material: Material, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from styletx_core.evaluate import stills

    monkeypatch.setattr(stills, "SIZES", (54, 108))  # the real ones take long
    found = evaluate(tmp_path, "--weights", material.weights, "--content", pictures / "photos", "--photos", "1",
                     "--style", pictures / "styles" / "style_0.png", "--consistency")["stills"]  # fmt: skip
    assert 0 < found["mean"]["consistency"] <= 1


def test_folders_are_thinned_evenly_and_split_by_name(pictures: Path, tmp_path: Path) -> None:
    from styletx_core.perceptual.pictures import list_pictures

    for number in range(40):
        shutil.copy(pictures / "photos" / "photo.0.png", tmp_path / f"p_{number:02d}.png")
        (tmp_path / "results" / "style_0").mkdir(parents=True, exist_ok=True)
        shutil.copy(pictures / "photos" / "photo.0.png", tmp_path / "results" / "style_0" / f"p_{number:02d}.png")
    held = [path.stem for path in list_pictures([tmp_path], True) if path.parent == tmp_path]
    common = ["--style", pictures / "styles" / "style_0.png", "--results", tmp_path / "results"]
    photos = tmp_path / "photos"
    photos.mkdir()
    for path in tmp_path.glob("p_*.png"):
        path.rename(photos / path.name)
    found = evaluate(tmp_path, "--content", photos, "--photos", "3", *common)["stills"]["pairs"]
    assert [pair["photo"] for pair in found] == ["p_00", "p_20", "p_39"]
    assert 0 < len(held) < 20
    found = evaluate(tmp_path, "--content", photos, "--photos", "40", "--held-out", *common)["stills"]["pairs"]
    assert [pair["photo"] for pair in found] == held


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "give --content, --shot or both"),
        (["--content", "nowhere"], "no photo or folder 'nowhere'"),
        (["--content", "EMPTY"], "No photo in"),
        (["--content", "PHOTOS", "--held-out", "--style", "EMPTY"], "No style picture is held out in"),
        (["--content", "PHOTOS", "--photos", "0"], "--photos is 0"),
        (["--content", "PHOTOS", "--results", "nowhere"], "no folder nowhere"),
        (["--content", "PHOTOS", "--results", "EMPTY"], "There is no result"),
        (["--content", "PHOTOS", "--results", "EMPTY", "--consistency"], "measured as they are"),
        (["--content", "PHOTOS", "--sheet", "sheet.txt"], "end in .png or .jpg"),
        (["--content", "PHOTOS", "--light", "PHOTOS"], "give --shot as well"),
        (["--shot", "nowhere"], "nowhere"),
        (["--shot", "PHOTO"], "is one frame"),
        (["--shot", "FRAMES", "--motion", "vectors"], "give --motion flow"),
        (["--shot", "FRAMES", "--results", "EMPTY"], "There is no folder"),
        (["--shot", "FRAMES", "--motion", "flow", "--frames", "1-2", "--light", "FRAMES"], "no frame 33"),
        (["--content", "PHOTOS", "--method", "gatys9"], "no method called 'gatys9'"),
        (["--content", "PHOTOS", "--weights", "nowhere.safetensors"], "nowhere.safetensors"),
    ],
)
def test_each_mistake_gets_its_sentence(
    material: Material, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str],
    words: str,
) -> None:  # fmt: skip
    (tmp_path / "empty").mkdir()
    places = {"PHOTOS": pictures / "photos", "PHOTO": material.photo, "FRAMES": material.frames,
              "EMPTY": tmp_path / "empty"}  # fmt: skip
    given = [str(places.get(option, option)) for option in options]
    weights = [] if {"--weights", "--results"} & set(given) else ["--weights", str(material.weights)]
    style = [] if "--style" in given else ["--style", str(pictures / "styles" / "style_0.png")]
    assert main(["evaluate", "--device", "cpu", *style, *weights, *given]) == 2
    err = capsys.readouterr().err.splitlines()
    assert words in err[-1] and err[-1].endswith(".") and not any("Traceback" in line for line in err)

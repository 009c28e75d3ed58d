# SPDX-License-Identifier: GPL-3.0-or-later
"""Our view transform against the pictures that Blender itself saves, soft alpha edges included."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import blenders
import numpy as np
import pytest

from styletx_core.color import TRUSTED, ViewTransform, put_back, to_picture
from styletx_core.job import ViewSettings
from styletx_core.output import FrameWriter
from styletx_core.shot import Frame, open_shot

VERSIONS = ("4.2.23", "4.5.15", "5.0.1", "5.2.3")
VIEWS = [ViewSettings(view="Standard"), ViewSettings(view="Filmic"), ViewSettings(view="AgX"),
         ViewSettings(view="Standard", exposure=0.5, gamma=1.2),
         ViewSettings(view="Filmic", look="High Contrast", exposure=-0.5, gamma=0.8),
         ViewSettings(view="AgX", look="AgX - Punchy", exposure=0.7, gamma=1.3)]
WIDTH, HEIGHT = 64, 48


def soft_frame() -> Frame:
    """Bright and dark colors, opaque to the left and under every alpha to the right."""
    rng = np.random.default_rng(0)
    straight = np.exp2(rng.uniform(-8, 4, (HEIGHT, WIDTH, 3)))
    alpha = np.ones((HEIGHT, WIDTH))
    alpha[:, WIDTH // 2:] = rng.uniform(0, 1, (HEIGHT, WIDTH // 2))
    alpha[:4, -8:] = 0
    return Frame(1, (straight * alpha[..., None]).astype(np.float32), alpha.astype(np.float32))


def config_of(version: str) -> str:
    library = blenders.find(version).parents[1] / "lib"
    return str(next(library.glob("python3*/site-packages/bpy/*/datafiles/colormanagement/config.ocio")))


def paint(picture: np.ndarray) -> np.ndarray:
    """Another picture: three quarters of it nudged toward broad strokes in colors that every view can show."""
    rng = np.random.default_rng(1)
    strokes = np.repeat(rng.uniform(0.25, 0.55, (HEIGHT, WIDTH // 8, 3)), 8, axis=1)
    painted = np.where(rng.random((HEIGHT, WIDTH, 1)) < 0.75, strokes, picture)
    return painted.astype(np.float32)


@pytest.fixture(scope="module", params=VERSIONS)
def blender(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """Version and directory of what it made: <view>.png of the frame, <view>_painted.png, render.exr and .png."""
    version, directory = request.param, tmp_path_factory.mktemp(f"blender{request.param}")
    frame = soft_frame()

    def wanted(view: ViewSettings, name: str) -> dict:
        return asdict(view) | {"png": str(directory / f"{name}.png")}

    def written(name: str, rgb: np.ndarray) -> str:
        return str(FrameWriter(directory, name, 0, "exr_float").write(1, rgb, frame.alpha))

    original = written("original", frame.rgb)
    work = [{"picture": original, "views": [wanted(view, str(index)) for index, view in enumerate(VIEWS)]}]
    for index, view in enumerate(VIEWS):
        transform = ViewTransform(ViewSettings(**(asdict(view) | {"ocio": config_of(version)})))
        picture = to_picture(frame, "linear", transform)
        painted, _ = put_back(frame, "linear", picture, paint(picture), transform, "linear")
        work.append({"picture": written(f"{index}_painted", painted), "views": [wanted(view, f"{index}_painted")]})
    render = {"exr": str(directory / "render.exr"), "view": wanted(VIEWS[2], "render")}
    (directory / "work.json").write_text(json.dumps({"show": work, "render": render}))
    blenders.run(version, str(Path(__file__).with_name("show_in_blender.py")), directory / "work.json")
    return version, directory


def seen(path: Path) -> Frame:
    with open_shot(path) as shot:
        return shot.read(shot.numbers[0])


@pytest.mark.parametrize("index", range(len(VIEWS)), ids=lambda i: f"{VIEWS[i].view}{i}")
def test_shows_what_blender_shows(blender: tuple[str, Path], index: int) -> None:
    version, directory = blender
    transform = ViewTransform(ViewSettings(**(asdict(VIEWS[index]) | {"ocio": config_of(version)})))
    frame, expected = soft_frame(), seen(directory / f"{index}.png")
    picture = to_picture(frame, "linear", transform)
    clear = frame.alpha >= TRUSTED
    assert np.abs(picture - expected.rgb)[clear].max() < 1e-4
    # As display-referred output of strength 0, faint edges too. Files of 16 bits hold alpha in steps.
    shown, alpha = put_back(frame, "linear", picture, picture.copy(), transform, "display")
    assert np.abs(alpha - expected.alpha).max() < 4e-5
    visible = frame.alpha > 1e-4
    assert np.abs(shown - expected.rgb)[visible].max() < 1e-4


@pytest.mark.parametrize("index", range(len(VIEWS)), ids=lambda i: f"{VIEWS[i].view}{i}")
def test_blender_shows_what_was_painted(blender: tuple[str, Path], index: int) -> None:
    version, directory = blender
    transform = ViewTransform(ViewSettings(**(asdict(VIEWS[index]) | {"ocio": config_of(version)})))
    frame, shown = soft_frame(), seen(directory / f"{index}_painted.png")
    picture = to_picture(frame, "linear", transform)
    painted, clear = paint(picture), frame.alpha >= TRUSTED
    error = np.abs(shown.rgb - painted).max(axis=2)[clear]
    assert np.quantile(error, 0.99) < 2 / 255
    # What was not painted is the frame's own, exactly.
    same = (painted == picture).all(axis=2) & (frame.alpha > 0)
    assert same.sum() > 100
    np.testing.assert_array_equal(shown.rgb[same], seen(directory / f"{index}.png").rgb[same])


def test_a_render_on_transparent_ground(blender: tuple[str, Path]) -> None:
    version, directory = blender
    transform = ViewTransform(ViewSettings(view="AgX", ocio=config_of(version)))
    expected = seen(directory / "render.png")
    with open_shot(directory / "render.exr") as shot:
        shot.require("vector", "depth", "index", "crypto")
        frame = shot.read(shot.numbers[0])
    assert ((frame.alpha > 0) & (frame.alpha < 1)).sum() > 20  # soft edges are there
    picture = to_picture(frame, "linear", transform)
    assert np.abs(picture - expected.rgb)[frame.alpha >= TRUSTED].max() < 1e-4
    assert set(np.unique(frame.index)) >= {0, 3}
    inside = frame.alpha == 1
    assert (frame.crypto[inside] != 0).all() and (frame.crypto[frame.alpha == 0] == 0).all()
    # Nothing dark bleeds out of the ground: it continues the cube's colors.
    assert picture[frame.alpha == 0].min() >= picture[frame.alpha >= 0.5].min()

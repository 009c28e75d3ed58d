# SPDX-License-Identifier: GPL-3.0-or-later
"""The sliders of a style's components, by the flagship: each does what it says and leaves the others alone."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import write_png
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import styletx_core
from styletx_core.cli import ASSETS, main
from styletx_core.methods.components import SCALES, bands, recolored

AMOUNTS = (0.0, 0.5, 1.0, 1.5)
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)


@cache
def photo() -> np.ndarray:
    picture = cv2.imread(str(ASSETS / "sample" / "shot_0001.png"))
    return cv2.resize(picture, (160, 96), interpolation=cv2.INTER_AREA)[..., ::-1].astype(np.float32) / 255


@cache
def painted(**components: float) -> np.ndarray:
    method = styletx_core.load("adain_reconet", "cpu", **components)
    style = cv2.imread(str(ASSETS / "styles" / "oil.png"))[..., ::-1].astype(np.float32) / 255
    method.set_style(np.ascontiguousarray(style))
    return method.stylize(photo())


def rms(values: np.ndarray) -> float:
    return float(np.sqrt(np.square(values).mean(dtype=np.float64)))


def test_all_at_one_is_the_method_without_sliders_to_the_bit() -> None:
    assert np.array_equal(painted(), painted(color=1.0, texture=1.0, stroke=1.0, form=1.0))


def test_all_at_zero_is_the_frame() -> None:
    assert np.abs(painted(texture=0.0, stroke=0.0, form=0.0, color=0.0) - photo()).max() < 1e-5


@pytest.mark.parametrize("scale", SCALES)
def test_a_scale_leaves_the_frame_and_the_others_stay(scale: str) -> None:
    own = bands(photo() @ LUMA)
    found = np.array([[rms(a - b) for a, b in zip(bands(painted(**{scale: amount}) @ LUMA), own, strict=True)]
                      for amount in AMOUNTS])  # fmt: skip
    found = found / found[AMOUNTS.index(1.0)]
    moved = found[:, SCALES.index(scale)]
    assert (np.diff(moved) > 0).all(), moved
    for other in set(SCALES) - {scale}:  # the blurs that part the scales are soft
        assert np.ptp(found[:, SCALES.index(other)]) < 0.7 * np.ptp(moved), found


def test_scales_leave_the_colors() -> None:
    mean = (painted() - (painted() @ LUMA)[..., None]).mean((0, 1))
    for scale in SCALES:
        picture = painted(**{scale: 0.0})
        # where a luminance has no room for a chroma, that gives way
        assert np.abs((picture - (picture @ LUMA)[..., None]).mean((0, 1)) - mean).max() < 0.02


def test_color_changes_chroma_and_not_luminance() -> None:
    def chroma(picture: np.ndarray) -> np.ndarray:
        return picture - (picture @ LUMA)[..., None]

    found = [painted(color=amount) for amount in AMOUNTS]
    away = [rms(chroma(picture) - chroma(photo())) for picture in found]
    assert (np.diff(away) > 0).all(), away
    for picture in found:
        assert np.abs(picture @ LUMA - painted() @ LUMA).max() < 1e-4


@settings(max_examples=50, deadline=None)
@given(
    arrays(np.float32, (16, 17, 3), elements=st.floats(0, 1, width=32)),
    arrays(np.float32, (16, 17, 3), elements=st.floats(0, 1, width=32)),
    st.floats(0, 1.5),
)
def test_recoloring_keeps_luminance_and_range(picture: np.ndarray, frame: np.ndarray, amount: float) -> None:
    out = recolored(picture @ LUMA, picture, frame, amount)
    assert np.abs(out @ LUMA - picture @ LUMA).max() < 1e-5
    assert out.min() > -1e-5 and out.max() < 1 + 1e-5


@settings(max_examples=20, deadline=None)
@given(st.integers(16, 90), st.integers(16, 90), st.integers(0, 99))
def test_bands_add_up_to_the_picture(height: int, width: int, seed: int) -> None:
    picture = np.random.default_rng(seed).random((height, width, 3), np.float32)
    assert np.abs(sum(bands(picture)) - picture).max() < 1e-5


def test_the_command_line_takes_components_and_lists_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    still = write_png(tmp_path / "still.png", photo())
    style = str(ASSETS / "styles" / "oil.png")
    for name, more in (("plain", ()), ("more", ("--component", "stroke=1.5", "--component", "color=0.3"))):
        assert main(["stylize", str(still), "--style", style, "--output", str(tmp_path / name), "--device", "cpu",
                     "--progress", "none", *more]) == 0  # fmt: skip
    first, second = (cv2.imread(str(next((tmp_path / name).glob("*.png")))) for name in ("plain", "more"))
    assert np.abs(first.astype(int) - second).mean() > 2
    assert main(["stylize", str(still), "--style", style, "--output", str(tmp_path), "--component", "form=2.1"]) == 2
    assert "from 0 to 2" in capsys.readouterr().err
    assert main(["methods", "--json"]) == 0
    listed = {info["name"]: info for info in json.loads(capsys.readouterr().out)}
    names = [option["name"] for option in listed["adain_reconet"]["options"] if option["component"]]
    assert names == ["color", "texture", "stroke", "form"]

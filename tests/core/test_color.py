# SPDX-License-Identifier: GPL-3.0-or-later
"""The view transform without Blender, transparent pixels, and putting stylized pixels back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from styletx_core.color import TRUSTED, ViewTransform, put_back, to_picture
from styletx_core.errors import InputError
from styletx_core.job import ViewSettings
from styletx_core.shot import Frame

CONFIG = """ocio_profile_version: 2
roles: {scene_linear: Linear, default: Linear}
file_rules: [!<Rule> {name: Default, colorspace: Linear}]
displays:
  sRGB:
    - !<View> {name: Standard, colorspace: Root}
  Cinema:
    - !<View> {name: Film, colorspace: Root}
active_displays: [sRGB, Cinema]
active_views: [Standard, Film]
looks:
  - !<Look> {name: Standard - Half, process_space: Linear,
     transform: !<MatrixTransform> {offset: [-0.1, -0.1, -0.1, 0]}}
colorspaces:
  - !<ColorSpace> {name: Linear, family: "", isdata: false}
  - !<ColorSpace>
    name: Root
    family: ""
    isdata: false
    from_scene_reference: !<ExponentTransform> {value: [0.5, 0.5, 0.5, 1]}
"""
UNIT = st.floats(0, 1, width=32)
DISPLAY = hnp.arrays(
    np.float32, hnp.array_shapes(min_dims=1, max_dims=2, max_side=6).map(lambda s: (*s, 3)), elements=UNIT
)


@pytest.fixture(autouse=True)
def _no_config_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OCIO", raising=False)


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "config.ocio").write_text(CONFIG)
    return str(tmp_path / "config.ocio")


def srgb(linear: float) -> float:
    return 12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055


def test_plain_srgb_with_a_word() -> None:
    transform = ViewTransform(ViewSettings(exposure=1, gamma=2))
    assert "plain sRGB" in transform.notices[0]
    for value in (0, 0.001, 0.02, 0.2, 0.5):
        np.testing.assert_allclose(transform.to_display(np.full((1, 3), value)), srgb(2 * value) ** 0.5, atol=1e-6)
    extremes = transform.to_display(np.array([[-1, 7, np.nan], [np.inf, -np.inf, 0]]))
    np.testing.assert_allclose(extremes, [[0, 1, 0], [1, 0, 0]], atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(display=DISPLAY, exposure=st.floats(-3, 3), gamma=st.floats(0.5, 2))
def test_plain_inverse_shows_the_color(display: np.ndarray, exposure: float, gamma: float) -> None:
    transform = ViewTransform(ViewSettings(exposure=exposure, gamma=gamma))
    linear = transform.to_linear(display)
    assert linear.shape == display.shape and linear.dtype == np.float32 and (linear >= 0).all()
    np.testing.assert_allclose(transform.to_display(linear), display, atol=2e-5)


def test_order_of_exposure_look_view_and_gamma(config: str) -> None:
    view = ViewSettings(look="Half", exposure=1, gamma=2, ocio=config)
    transform = ViewTransform(view)
    assert transform.notices == []
    shown = transform.to_display(np.full((4, 3), 0.25, np.float32))
    np.testing.assert_allclose(shown, ((2 * 0.25 - 0.1) ** 0.5) ** 0.5, atol=1e-5)
    full_name = ViewTransform(ViewSettings(look="Standard - Half", exposure=1, gamma=2, ocio=config))
    np.testing.assert_array_equal(full_name.to_display(np.full((4, 3), 0.25, np.float32)), shown)


@settings(max_examples=25, deadline=None)
@given(display=DISPLAY, exposure=st.floats(-3, 3))
def test_config_inverse_shows_the_color(tmp_path_factory, display: np.ndarray, exposure: float) -> None:
    path = tmp_path_factory.getbasetemp() / "config.ocio"
    path.write_text(CONFIG)
    transform = ViewTransform(ViewSettings(exposure=exposure, look="Half", ocio=str(path)))
    np.testing.assert_allclose(transform.to_display(transform.to_linear(display)), display, atol=1e-4)


def test_config_from_the_environment(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OCIO", config)
    transform = ViewTransform(ViewSettings(display="Cinema", view="Film"))
    np.testing.assert_allclose(transform.to_display(np.full((1, 3), 0.25)), 0.5, atol=1e-5)


def test_errors(config: str, tmp_path: Path) -> None:
    def error(**view: object) -> str:
        with pytest.raises(InputError) as caught:
            ViewTransform(ViewSettings(**view))
        message = str(caught.value)
        assert message.endswith(".") and "\n" not in message
        return message

    assert "view AgX" in error(view="AgX") and "--ocio" in error(view="AgX")
    assert "needs an OpenColorIO config" in error(look="Punchy")
    assert "config.ocio has no view 'AgX'; it has: Standard." in error(view="AgX", ocio=config)
    assert "config.ocio has no display 'P3'; it has: sRGB, Cinema." in error(display="P3", ocio=config)
    assert "config.ocio has no look 'Soft'; it has: Standard - Half." in error(look="Soft", ocio=config)
    assert "gone.ocio cannot be read" in error(ocio=str(tmp_path / "gone.ocio"))
    (tmp_path / "bad.ocio").write_text("nonsense: [")
    assert "bad.ocio cannot be read" in error(ocio=str(tmp_path / "bad.ocio"))
    assert "gamma is 0" in error(gamma=0)


PLAIN = ViewSettings(exposure=0.3)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    """Frames with HDR, negative and broken pixels, under any alpha or none."""
    height, width = draw(st.integers(1, 6)), draw(st.integers(1, 6))
    values = st.floats(width=32) | st.floats(0, 2, width=32)
    rgb = draw(hnp.arrays(np.float32, (height, width, 3), elements=values))
    alpha = draw(st.none() | hnp.arrays(np.float32, (height, width), elements=UNIT | st.sampled_from([0.0, 1.0])))
    return Frame(1, rgb, alpha)


@settings(max_examples=100, deadline=None)
@given(frame=frames())
def test_unchanged_is_the_same_to_the_last_bit(frame: Frame) -> None:
    transform = ViewTransform(PLAIN)
    picture = to_picture(frame, "linear", transform)
    assert picture.dtype == np.float32 and np.isfinite(picture).all()
    assert picture.min() >= 0 and picture.max() <= 1
    rgb, alpha = put_back(frame, "linear", picture, picture.copy(), transform, "linear")
    np.testing.assert_array_equal(rgb.view(np.uint32), frame.rgb.view(np.uint32))
    assert alpha is frame.alpha


@settings(max_examples=100, deadline=None)
@given(frame=frames(), seed=st.integers(0, 99))
def test_changed_pixels_show_what_was_painted(frame: Frame, seed: int) -> None:
    transform = ViewTransform(PLAIN)
    picture = to_picture(frame, "linear", transform)
    stylized = np.where(picture > 0.5, picture - 0.4, picture + 0.4).astype(np.float32)
    rgb, _ = put_back(frame, "linear", picture, stylized, transform, "linear")
    alpha = np.ones(rgb.shape[:2], np.float32) if frame.alpha is None else frame.alpha
    clear = alpha > 0.01
    straight = rgb[clear] / alpha[clear][:, None]
    np.testing.assert_allclose(transform.to_display(straight), stylized[clear], atol=1e-4)


@settings(max_examples=50, deadline=None)
@given(display=hnp.arrays(np.float32, (4, 5, 3), elements=UNIT), alpha=hnp.arrays(np.float32, (4, 5), elements=UNIT))
def test_display_frames_unchanged(display: np.ndarray, alpha: np.ndarray) -> None:
    transform = ViewTransform(PLAIN)
    for frame in (Frame(1, display), Frame(1, display, alpha)):
        picture = to_picture(frame, "display", transform)
        rgb, same = put_back(frame, "display", picture, picture.copy(), transform, "display")
        np.testing.assert_array_equal(rgb, display)
        assert same is frame.alpha
        linear, _ = put_back(frame, "display", picture, picture.copy(), transform, "linear")
        expected = transform.to_linear(display) * (1 if frame.alpha is None else frame.alpha[..., None])
        np.testing.assert_array_equal(linear, expected)


def test_what_lies_beyond_the_view_survives_where_nothing_changed() -> None:
    transform = ViewTransform(ViewSettings())
    frame = Frame(1, np.full((2, 4, 3), 50, np.float32))
    picture = to_picture(frame, "linear", transform)
    stylized = picture.copy()
    stylized[0] -= np.array([0, 0.005, 0.01, 0.4], np.float32)[:, None]
    rgb, _ = put_back(frame, "linear", picture, stylized, transform, "linear")
    assert (rgb[1] == 50).all()
    assert rgb[0, 0, 0] == 50 > rgb[0, 1, 0] > rgb[0, 2, 0] > 1 > rgb[0, 3, 0]


def test_light_without_coverage_stays() -> None:
    rgb, alpha = np.full((16, 16, 3), 0.5, np.float32), np.ones((16, 16), np.float32)
    alpha[:8] = 0
    transform = ViewTransform(ViewSettings())
    frame = Frame(1, rgb, alpha)
    picture = to_picture(frame, "linear", transform)
    out, _ = put_back(frame, "linear", picture, 1 - picture, transform, "linear")
    assert (out[:8] == 0.5).all() and (out[8:] != 0.5).all()


@pytest.mark.parametrize("encoding", ["linear", "display"])
def test_transparent_pixels_continue_the_nearest_color(encoding) -> None:
    """Red to the left, blue to the right, a wide gap of nothing with faint, noisy edges between them."""
    rng = np.random.default_rng(0)
    color = np.zeros((20, 60, 3), np.float32)
    color[:, :20, 0], color[:, 40:, 2] = 0.8, 0.8
    alpha = np.zeros((20, 60), np.float32)
    alpha[:, :20] = alpha[:, 40:] = 1
    alpha[:, 19] = alpha[:, 40] = 0.5
    alpha[:, 20] = alpha[:, 39] = 0.002
    color[:, 20], color[:, 39] = rng.random((20, 3)), rng.random((20, 3))
    transform = ViewTransform(ViewSettings())
    stored = color * alpha[..., None] if encoding == "linear" else color
    picture = to_picture(Frame(1, stored, alpha), encoding, transform)
    level = srgb(0.8) if encoding == "linear" else 0.8
    np.testing.assert_allclose(picture[:, :30], np.broadcast_to([level, 0, 0], (20, 30, 3)), atol=1e-3)
    np.testing.assert_allclose(picture[:, 30:], np.broadcast_to([0, 0, level], (20, 30, 3)), atol=1e-3)
    # Written as display color, what is behind nothing cannot fringe either.
    rgb, _ = put_back(Frame(1, stored, alpha), encoding, picture, picture + 0.1, transform, "display")
    if encoding == "linear":
        np.testing.assert_allclose(rgb[:, :19], picture[:, :19] + 0.1, atol=1e-6)


def test_smoke_that_is_nowhere_opaque() -> None:
    alpha = np.linspace(0, 0.3, 40, dtype=np.float32)[None].repeat(20, axis=0)
    frame = Frame(1, np.repeat(alpha[..., None] * np.float32(0.5), 3, axis=2), alpha)
    picture = to_picture(frame, "linear", ViewTransform(ViewSettings()))
    np.testing.assert_allclose(picture, srgb(0.5), atol=1e-4)


def test_nothing_at_all() -> None:
    frame = Frame(1, np.zeros((20, 20, 3), np.float32), np.zeros((20, 20), np.float32))
    assert not to_picture(frame, "linear", ViewTransform(ViewSettings())).any()


def test_faint_pixels_keep_their_color_as_png() -> None:
    """The network sees faint pixels mixed with their surroundings; unchanged they are written as they were."""
    alpha = np.ones((20, 20), np.float32)
    alpha[:, 10:] = TRUSTED / 2
    straight = np.full((20, 20, 3), 0.2, np.float32)
    straight[:, 10:] = 0.7
    transform = ViewTransform(ViewSettings())
    frame = Frame(1, straight * alpha[..., None], alpha)
    picture = to_picture(frame, "linear", transform)
    assert picture[0, 15, 0] < srgb(0.7) - 0.05
    rgb, _ = put_back(frame, "linear", picture, picture.copy(), transform, "display")
    np.testing.assert_allclose(rgb[:, 10:], srgb(0.7), atol=1e-5)

# SPDX-License-Identifier: GPL-3.0-or-later
"""What a frame's paint may be told besides its strength: weights, stroke size, and whose colors to keep."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from test_methods import STYLES, photo, picture

import styletx_core
from styletx_core.errors import InputError
from styletx_core.methods.base import Guide, Method
from styletx_core.methods.colors import luma


@pytest.fixture(scope="module")
def styles() -> list[np.ndarray]:
    return [picture(STYLES / "oil.png"), picture(STYLES / "ink.png")]


@pytest.fixture
def method(styles: list[np.ndarray]) -> Method:
    loaded = styletx_core.load("adain_reconet", device="cpu")
    loaded.set_style(styles[0])
    return loaded


@pytest.mark.parametrize("fixed", [False, True])
def test_weights_of_a_frame_are_those_of_the_styles(method: Method, styles: list[np.ndarray], fixed: bool) -> None:
    frame = photo(64, 80)
    method.fix_statistics([frame] if fixed else None)
    wanted = {}
    for weights in ((1.0, 0.0), (0.25, 0.75), (0.0, 1.0)):
        method.set_style(list(zip(styles, weights, strict=True)))
        wanted[weights] = method.stylize(frame)
    method.set_style([(style, 1.0) for style in styles])
    for weights in (*wanted, *reversed(wanted)):  # whatever came before
        assert np.array_equal(method.stylize(frame, guide=Guide(weights=weights)), wanted[weights])
    assert not np.array_equal(method.stylize(frame), wanted[0.25, 0.75])


def test_a_blend_looks_like_each_of_its_styles_by_weight(method: Method, styles: list[np.ndarray]) -> None:
    """Four styles; the blend lies nearer to each of them than the others do, and nearest to the heaviest."""
    four = [*styles, picture(STYLES / "stained_glass.png"), np.ascontiguousarray(styles[0][..., ::-1])]
    frame = photo(96, 128)
    method.fix_statistics([frame])
    method.set_style([(style, 1.0) for style in four])
    alone = [method.stylize(frame, guide=Guide(weights=tuple(np.eye(4)[i]))) for i in range(4)]
    for heavy in range(4):
        weights = tuple(0.64 if i == heavy else 0.12 for i in range(4))
        blend = method.stylize(frame, guide=Guide(weights=weights))
        away = [np.abs(blend - one).mean() for one in alone]
        assert min(away) == away[heavy]
        for i, one in enumerate(alone):
            assert away[i] < max(np.abs(other - one).mean() for other in alone)


def test_larger_strokes_are_those_of_a_smaller_picture(method: Method) -> None:
    """What is broader than four pixels is as the smaller picture has it, enlarged; the larger one goes its own way."""
    frame = photo(160, 208)
    method.fix_statistics([frame])
    half = method.stylize(cv2.resize(frame, (104, 80), interpolation=cv2.INTER_AREA))

    def broad(painted: np.ndarray) -> np.ndarray:
        return cv2.resize(painted, (52, 40), interpolation=cv2.INTER_AREA)

    gaps = [np.abs(broad(method.stylize(frame, guide=Guide(size=size))) - broad(half)).mean() for size in (1, 2)]
    assert gaps[1] < 0.3 * gaps[0]


def test_size_changes_smoothly_and_one_is_the_method_s_own(method: Method) -> None:
    frame = photo(96, 128)
    method.fix_statistics([frame])
    assert np.array_equal(method.stylize(frame, guide=Guide(size=1)), method.stylize(frame))
    sizes = [0.5, 0.6, 0.7, 0.8, 0.9, 0.98, 1.0, 1.02, 1.2, 1.5, 1.9, 2.1, 2.6, 3.2]
    painted = [method.stylize(frame, guide=Guide(size=size)) for size in sizes]
    steps = [np.abs(a - b).mean() for a, b in zip(painted, painted[1:], strict=False)]
    assert max(steps) < 0.5 * np.abs(painted[0] - painted[-1]).mean() + 0.02
    assert min(np.abs(one - painted[6]).mean() for one in (painted[0], painted[-1])) > 0.01
    for size in (0.5, 3.2):
        assert np.array_equal(method.stylize(frame, 0, Guide(size=size)), frame)
        assert np.abs(method.stylize(frame, 0.001, Guide(size=size)) - frame).max() < 0.01
    with pytest.raises(InputError, match="size is 5"):
        method.stylize(frame, guide=Guide(size=5))


def test_large_strokes_have_no_grain_of_small_ones_between_them(method: Method, styles: list[np.ndarray]) -> None:
    """Where the frame is soft they are those of the smaller picture, enlarged, and no more."""
    frame = cv2.GaussianBlur(photo(120, 160), (0, 0), 5)
    method.set_style(styles[1])
    method.fix_statistics([photo(120, 160)])
    half = method.stylize(cv2.resize(frame, (80, 60), interpolation=cv2.INTER_AREA))
    small, large = (method.stylize(frame, guide=Guide(size=size)) for size in (1, 2))
    grain = small - cv2.resize(cv2.resize(small, (80, 60), interpolation=cv2.INTER_AREA), (160, 120))
    added = large - cv2.resize(half, (160, 120), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    assert np.abs(added).mean() < 0.5 * np.abs(grain).mean()


@pytest.mark.parametrize("fixed", [False, True])
def test_luminance_alone_keeps_the_chroma(method: Method, styles: list[np.ndarray], fixed: bool) -> None:
    frame = photo(64, 80)
    method.set_style(styles[0], keep_colors="luminance")
    method.fix_statistics([frame] if fixed else None)
    for strength in (0.5, 1.0):
        out = method.stylize(frame, strength)
        assert np.abs((out - luma(out)) - (frame - luma(frame))).max() < 1e-4
        assert np.abs(luma(out) - luma(frame)).mean() > 0.005
    assert np.array_equal(method.stylize(frame, 0), frame)


def test_matched_color_keeps_the_mean_color(method: Method, styles: list[np.ndarray]) -> None:
    frame = photo(64, 80) * np.float32([0.3, 0.6, 1.0])
    away = []
    for way in ("none", "match"):
        method.set_style(styles[0], keep_colors=way)
        away.append(np.abs(method.stylize(frame).mean((0, 1)) - frame.mean((0, 1))).sum())
    assert away[1] < 0.6 * away[0]


def test_colors_of_a_shot_are_measured_once(method: Method, styles: list[np.ndarray]) -> None:
    """Not frame by frame: the colors of the other frames count."""
    frame, other = photo(64, 80), photo(64, 80, 1) * np.float32([1, 0.5, 0.2])
    method.set_style(styles[0], keep_colors="match")
    method.fix_statistics([frame, other])
    together = method.stylize(frame)
    method.fix_statistics([frame])
    assert np.abs(method.stylize(frame) - together).mean() > 0.005
    with pytest.raises(InputError, match="keep_colors is 'all'"):
        method.set_style(styles[0], keep_colors="all")

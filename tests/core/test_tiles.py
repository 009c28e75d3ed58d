# SPDX-License-Identifier: GPL-3.0-or-later
"""Tiles leave no trace: what is painted in tiles is what is painted in one piece; textures stay tileable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Material, write_png
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from test_engine import finish, make_job

import styletx_core
from styletx_core import InputError
from styletx_core.memory import BUDGET, estimate, tile_side
from styletx_core.methods.base import Method, Tiling
from styletx_core.tiles import cut, enlarge


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Clouds with some noise, HxWx3 float32 in 0..1."""
    rng = np.random.default_rng(seed)
    clouds = cv2.resize(rng.random((9, 13, 3)).astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(clouds + rng.normal(0, 0.05, clouds.shape), 0, 1).astype(np.float32)


def texture(height: int, width: int) -> np.ndarray:
    """The same, and its borders meet."""
    rng = np.random.default_rng(1)
    spectrum = np.fft.rfft2(rng.normal(size=(height, width, 3)), axes=(0, 1))
    y, x = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    waves = np.fft.irfft2(spectrum / (1 + 30 * np.hypot(y, x))[..., None] ** 2, (height, width), axes=(0, 1))
    return np.clip(0.5 + 0.2 * waves / waves.std(), 0, 1).astype(np.float32)


@pytest.fixture(scope="module", params=["small", "shipped"])
def method(request: pytest.FixtureRequest, material: Material) -> Method:
    found = styletx_core.load(device="cpu", weights=material.weights if request.param == "small" else None)
    found.set_style(picture(64, 64, seed=5))
    found.fix_statistics([picture(200, 300)])
    return found


@given(st.integers(16, 700), st.integers(16, 300), st.sampled_from([64, 136, 200, 300]), st.sampled_from([0.4, 1.0]))
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_tiles_leave_no_seam(method: Method, height: int, width: int, side: int, strength: float) -> None:
    frame = picture(height, width)
    method.tiling = Tiling(10000)
    whole = method.stylize(frame, strength)
    method.tiling = Tiling(side)
    np.testing.assert_allclose(method.stylize(frame, strength), whole, atol=2e-4)


def test_a_large_picture_takes_its_forms_from_half_its_size_in_tiles_too(method: Method) -> None:
    frame = picture(900, 1400)
    method.tiling = Tiling(10000)
    whole = method.stylize(frame)
    method.tiling = Tiling(512)
    np.testing.assert_allclose(method.stylize(frame), whole, atol=2e-4)


def test_tiles_without_a_shot_are_normalized_by_the_picture(material: Material) -> None:
    frame, style = picture(300, 400), picture(64, 64, seed=5)
    method = styletx_core.load(device="cpu", weights=material.weights)
    method.set_style(style)
    alone = method.stylize(frame)
    method.tiling = Tiling(128)
    tiled = method.stylize(frame)
    assert np.abs(tiled - alone).mean() < 0.03  # statistics of the thumbnail are not quite those of the picture
    method.tiling = Tiling()
    np.testing.assert_array_equal(method.stylize(frame), alone)  # and they are let go of


@pytest.mark.parametrize(("height", "width"), [(64, 96), (720, 704)])
@pytest.mark.parametrize("side", [0, 128])
def test_a_texture_stays_tileable(method: Method, height: int, width: int, side: int) -> None:
    """Wherever a texture is cut, the same comes out: its borders are no borders."""
    frame = texture(height, width)
    method.tiling = Tiling(side, wrap=True)
    shift = (16, 40) if height < 675 else (0, 352)  # by half: larger ones are painted at another size, too
    painted = method.stylize(frame)
    rolled = method.stylize(np.ascontiguousarray(np.roll(frame, shift, (0, 1))))
    tolerance = 2e-4 if height < 675 else 0.02
    np.testing.assert_allclose(rolled, np.roll(painted, shift, (0, 1)), atol=tolerance)
    method.tiling = Tiling()
    seam = np.abs(painted[0] - painted[-1]).mean()
    assert seam < 1.5 * np.abs(np.diff(painted, axis=0)).mean()


def test_a_texture_of_odd_size_is_refused(method: Method) -> None:
    method.tiling = Tiling(wrap=True)
    with pytest.raises(InputError, match="multiples of 8"):
        method.stylize(texture(64, 100))
    method.tiling = Tiling()


@given(st.integers(-39, 39), st.integers(41, 79), st.booleans())
def test_cut_goes_on_beyond_the_borders(first: int, last: int, wrap: bool) -> None:
    assume(wrap or 40 - first > last - 40)
    frame = picture(40, 24)
    padded = np.pad(frame, ((80, 80), (80, 80), (0, 0)), mode="wrap" if wrap else "reflect")
    found = cut(frame, (first, last), (-7, 31), wrap)
    np.testing.assert_array_equal(found, padded[80 + first : 80 + last, 80 - 7 : 80 + 31])


@given(st.integers(20, 60), st.integers(20, 60))
@settings(deadline=None)
def test_enlarging_a_texture_knows_no_border(height: int, width: int) -> None:
    small = texture(16, 16)
    big = enlarge(small, height, width, wrap=True)
    rolled = enlarge(np.roll(small, 8, (0, 1)), height, width, wrap=True)
    if height % 2 == 0 and width % 2 == 0:
        np.testing.assert_allclose(np.roll(big, (height // 2, width // 2), (0, 1)), rolled, atol=0.02)
    inner = enlarge(small, height, width)
    edge = 3 * max(height, width) // 16 + 1
    np.testing.assert_allclose(inner[edge:-edge, edge:-edge], big[edge:-edge, edge:-edge], atol=0.03)


def test_the_job_takes_tiles(material: Material, tmp_path: Path) -> None:
    photo = write_png(tmp_path / "photo.png", picture(300, 200))
    job = make_job(material, photo, tmp_path / "whole")
    finish(job)
    finish(replace(job, output=replace(job.output, directory=str(tmp_path / "tiles")),
                   settings=replace(job.settings, tile=64)))  # fmt: skip
    whole, tiles = (cv2.imread(str(tmp_path / name / "photo.png")).astype(int) for name in ("whole", "tiles"))
    assert np.abs(whole - tiles).max() <= 1


def test_the_job_keeps_textures_and_refuses_moving_ones(material: Material, tmp_path: Path) -> None:
    source = write_png(tmp_path / "photo.png", texture(64, 64))
    finish(make_job(material, source, tmp_path / "out", settings__tileable=True))
    painted = cv2.imread(str(tmp_path / "out" / "photo.png")).astype(float)
    assert np.abs(painted[:, 0] - painted[:, -1]).mean() < 1.5 * np.abs(np.diff(painted, axis=1)).mean()
    with pytest.raises(InputError, match="tileable"):
        finish(make_job(material, material.frames, tmp_path / "shot", settings__tileable=True))
    job = make_job(material, source, tmp_path, settings__tile=512)
    slow = replace(job.settings, method="gatys", weights=None)
    with pytest.raises(InputError, match="one piece"):
        replace(job, settings=slow).validate()


def test_the_estimate_grows_with_what_is_painted() -> None:
    small, large = estimate(640, 360), estimate(3840, 2160)
    assert small.device == large.device == 0
    assert small.host < large.host
    assert estimate(3840, 2160, tile=1024).host < large.host
    assert estimate(3840, 2160, shot=False).host < large.host
    assert estimate(3840, 2160, device="cuda").device > 0
    assert estimate(3840, 2160, device="cuda", precision="float32").device > estimate(3840, 2160, device="cuda").device
    assert estimate(1280, 720, size=0.25).host > 1.2 * estimate(1280, 720).host
    assert estimate(3840, 2160, size=0.5) == large  # its forms come from a smaller frame in any case
    assert estimate(8192, 8192, shot=False).host < 8 * 2**30
    with pytest.raises(InputError, match="no method"):
        estimate(64, 64, method="unknown")


def test_tiles_are_chosen_by_the_budget() -> None:
    assert tile_side(3840, 2160) == 3840
    side = tile_side(8192, 8192)
    assert side < 8192 and side * side * 80 <= BUDGET
    assert tile_side(8192, 8192, tile=512) == 512

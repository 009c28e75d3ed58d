# SPDX-License-Identifier: GPL-3.0-or-later
"""Flat pictures stay flat: no grid of the network's cells, no lines along the borders."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from test_methods import STYLES, picture

import styletx_core
from styletx_core.methods import adain_reconet
from styletx_core.methods.base import Method
from styletx_core.methods.frames import to_tensor
from styletx_core.perceptual import losses

CELL = 8


def sky(height: int = 240, width: int = 320) -> np.ndarray:
    """Brighter towards the horizon."""
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return np.stack((0.35 + 0.3 * y / height, 0.5 + 0.25 * y / height, 0.8 + 0.05 * x / width), -1)


def clouds(height: int = 240, width: int = 320) -> np.ndarray:
    """As much of every scale as photographs have."""
    noise = np.random.default_rng(0).normal(size=(height, width, 3))
    y, x = np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None]
    spectrum = np.fft.fft2(noise, axes=(0, 1)) / np.hypot(np.hypot(y, x), 1 / width)[..., None]
    falling = np.fft.ifft2(spectrum, axes=(0, 1)).real
    found = 0.5 + 0.2 * falling / falling.std()
    return np.clip(found, 0, 1).astype(np.float32)


@pytest.fixture(params=["ink", "oil", "stained_glass"])
def method(request: pytest.FixtureRequest) -> Method:
    loaded = styletx_core.load("adain_reconet", device="cpu")
    loaded.set_style(picture(STYLES / f"{request.param}.png"))
    return loaded


def weave(out: np.ndarray, frame: np.ndarray) -> float:
    """Deviation of the pattern that repeats with the cells."""
    found = losses.weave(*(to_tensor(p, torch.device("cpu")) for p in (out, frame)), CELL)
    return float(found) ** 0.5


@pytest.mark.parametrize("fixed", [False, True])
def test_a_plain_sky_has_no_grid_and_no_borders(method: Method, fixed: bool) -> None:
    frame = sky()
    method.fix_statistics([frame] if fixed else None)
    out = method.stylize(frame)
    assert weave(out, frame) < 2.5 / 255
    for rows in (out, out[::-1], out.swapaxes(0, 1), out.swapaxes(0, 1)[::-1]):
        assert np.abs(rows[0] - rows[CELL]).mean() < 0.08  # a line of another color
    assert out.std(0).max() > 0.05  # it is painted all the same


def test_what_has_contrast_is_painted_as_without_that_care(method: Method, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = clouds()
    out = method.stylize(frame)
    monkeypatch.setattr(adain_reconet, "floors", lambda layers: ())
    assert np.abs(method.stylize(frame) - out).mean() < 0.02

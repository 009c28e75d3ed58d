# SPDX-License-Identifier: GPL-3.0-or-later
"""A frame that stays on the device while it is painted is painted as by OpenCV.

No graphics card is needed: the same PyTorch runs on the processor, where it is only not used by itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from conftest import Material
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_tiles import picture, texture

import styletx_core
from styletx_core.frugal import Frugal
from styletx_core.methods.base import Guide, Method, Tiling
from styletx_core.methods.feedforward import FeedForward

FIXTURE = [HealthCheck.function_scoped_fixture]


@pytest.fixture(scope="module")
def method(material: Material) -> Method:
    found = styletx_core.load(device="cpu", weights=material.weights)
    found.set_style(picture(64, 64, seed=5))
    return found


def both(method: Method, frame: np.ndarray, strength: float, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Painted with OpenCV around the network, and all in PyTorch."""
    by_opencv = method.stylize(frame, strength, Guide(size=size))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FeedForward, "resident", True)
        return by_opencv, method.stylize(frame, strength, Guide(size=size))


@given(st.integers(16, 300), st.integers(16, 200), st.sampled_from([0.4, 1.0]), st.floats(0.5, 4),
       st.booleans(), st.sampled_from([0, 136]))  # fmt: skip
@settings(max_examples=15, deadline=None, suppress_health_check=FIXTURE)
def test_any_size_is_painted_as_by_opencv(
    method: Method, height: int, width: int, strength: float, size: float, fixed: bool, side: int
) -> None:
    frame = picture(height, width)
    method.fix_statistics([frame] if fixed else None)
    method.tiling = Tiling(side)
    found = both(method, frame, strength, size)
    np.testing.assert_allclose(*found, atol=1e-3)
    assert np.abs(found[0] - found[1]).mean() < 1e-4


@given(st.integers(2, 30), st.integers(2, 20), st.floats(0.5, 4))
@settings(max_examples=15, deadline=None, suppress_health_check=FIXTURE)
def test_a_texture_is_painted_as_by_opencv(method: Method, rows: int, columns: int, size: float) -> None:
    frame = texture(8 * rows, 8 * columns)
    method.fix_statistics([frame])
    method.tiling = Tiling(wrap=True)
    np.testing.assert_allclose(*both(method, frame, 1.0, size), atol=1e-3)
    method.tiling = Tiling()


@pytest.mark.parametrize(("name", "style"), [("reconet", "oil"), ("adain_reconet", None)])
def test_other_methods_and_components_too(name: str, style: str | None) -> None:
    options = {} if style else {"texture": 0.5, "color": 0.7}
    other = styletx_core.load(name, "cpu", **options)
    other.set_style(style or picture(64, 64, seed=5))
    frame = picture(120, 90)
    other.fix_statistics([frame])
    np.testing.assert_allclose(*both(other, frame, 0.8, 1.5), atol=1e-3)


def test_half_precision_is_not_to_be_seen(method: Method) -> None:
    """The network in float16, as on a graphics card, with everything around it in float32."""
    shipped = styletx_core.load(device="cpu")
    frame = picture(180, 240)
    shipped.set_style(picture(64, 64, seed=5))
    shipped.fix_statistics([frame])
    wanted = shipped.stylize(frame)
    half = styletx_core.load(device="cpu")
    half.dtype = torch.float16
    half.set_style(picture(64, 64, seed=5))
    half.fix_statistics([frame])
    for found in both(half, frame, 1.0, 1.0):
        assert np.abs(found - wanted).max() < 1 / 255


def test_a_card_that_is_too_small_for_the_frame_gets_tiles(material: Material, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = picture(300, 320)

    def load(device: str) -> Any:
        made: Any = styletx_core.load(device=device, weights=material.weights)
        run = made._run

        def limited(x: torch.Tensor, *rest: Any) -> torch.Tensor:
            if not made.tiling.side:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return run(x, *rest)

        made._run = limited
        return made

    frugal = Frugal(load, "cpu", Tiling(), [(picture(64, 64, seed=5), 1.0)], "none")
    frugal.fix_statistics([frame])
    wanted = load("cpu")
    wanted.tiling = Tiling(256)
    wanted.set_style(picture(64, 64, seed=5))
    wanted.fix_statistics([frame])
    monkeypatch.setattr(FeedForward, "resident", True)
    np.testing.assert_array_equal(frugal.stylize(frame), wanted.stylize(frame))
    assert frugal.told == ["The memory of cpu was full: painting goes on in tiles of 256 pixels."]

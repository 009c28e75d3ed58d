# SPDX-License-Identifier: GPL-3.0-or-later
"""The procedural painters, and the shipped style pictures that they made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.compositions import COMPOSITIONS, compose
from training.painters import PAINTERS, paint

STYLES = Path(__file__).resolve().parents[2] / "styletx_core" / "assets" / "styles"


@pytest.mark.parametrize("name", PAINTERS)
def test_every_painter_paints_any_size(name: str) -> None:
    picture = paint(name, 97, 130, 7)
    assert picture.shape == (97, 130, 3) and picture.dtype == np.float32
    assert picture.min() >= 0 and picture.max() <= 1 and np.ptp(picture) > 0.4


def test_a_seed_is_a_picture() -> None:
    picture = paint("watercolor", 96, 96, 7)
    np.testing.assert_array_equal(picture, paint("watercolor", 96, 96, 7))
    assert np.abs(picture - paint("watercolor", 96, 96, 8)).mean() > 0.03
    assert np.abs(picture - paint("poster", 96, 96, 7)).mean() > 0.03


@pytest.mark.parametrize("composition", COMPOSITIONS)
def test_strokes_scale_with_the_picture(composition: str) -> None:
    """The same seed at another size is the same composition."""
    small, large = (compose(size, size, np.random.default_rng(3), composition) for size in (96, 192))
    halved = cv2.resize(large, (96, 96), interpolation=cv2.INTER_AREA)
    assert np.abs(small - halved).mean() < 0.08


def test_unknown_painter() -> None:
    with pytest.raises(ValueError, match="no painter 'crayon'; choose one of oil"):
        paint("crayon", 64, 64, 0)


def test_the_shipped_styles_are_what_the_script_paints(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "training.paint_styles", "--output", str(tmp_path)], check=True)
    shipped = sorted(STYLES.glob("*.png"))
    assert [path.name for path in shipped] == sorted(path.name for path in tmp_path.iterdir())
    for path in shipped:
        assert path.stat().st_size < 500_000
        old, new = (cv2.imread(str(folder / path.name)).astype(np.float32) for folder in (STYLES, tmp_path))
        assert np.abs(old - new).mean() < 1, path.name  # of 255: another cv2 may round otherwise

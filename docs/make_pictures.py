# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the README's picture: `PYTHONPATH=. python docs/make_pictures.py`, after tests/scenes/render_measured.py."""

from __future__ import annotations

import tempfile
from pathlib import Path

import cv2
import numpy as np

import styletx_core
from styletx_core.color import ViewTransform, to_picture
from styletx_core.events import FrameDone
from styletx_core.job import Input, Job, Output, Style, ViewSettings
from styletx_core.shot import open_shot

ROOT = Path(__file__).resolve().parent.parent
SHOT, STYLES = ROOT / "build" / "shots" / "measured", ROOT / "styletx_core" / "assets" / "styles"
FRAMES = (40, 47)
WIDTH, HEIGHT, GAP = 480, 270, 8


def painted(style: Path) -> np.ndarray:
    """The last of FRAMES, painted as a part of the shot: HxWx3 uint8 BGR."""
    with tempfile.TemporaryDirectory() as directory:
        job = Job(input=Input(str(SHOT), FRAMES), styles=(Style(str(style)),), output=Output(directory, "png8"))
        last = [event.path for event in styletx_core.run(job) if isinstance(event, FrameDone)][-1]
        return cv2.imread(last, cv2.IMREAD_COLOR)


def main() -> None:
    with open_shot(SHOT) as shot:
        rendered = to_picture(shot.read(FRAMES[1]), shot.encoding, ViewTransform(ViewSettings()))
    rows = [_fit((rendered[..., ::-1] * 255 + 0.5).astype(np.uint8))]
    for style in sorted(STYLES.glob("*.png")):
        result, picture = _fit(painted(style)), cv2.imread(str(style))
        small = cv2.resize(picture, (96, 96), interpolation=cv2.INTER_AREA)
        result[-104:-8, 8:104] = small  # the style picture in the corner of what it made
        rows.append(result)
    rows = [np.hstack([rows[0], _bar(), rows[1]]), np.hstack([rows[2], _bar(), rows[3]])]
    picture = np.vstack([rows[0], np.full((GAP, rows[0].shape[1], 3), 255, np.uint8), rows[1]])
    out = ROOT / "docs" / "images" / "hero.jpg"
    out.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(out), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
    print(out)


def _fit(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


def _bar() -> np.ndarray:
    return np.full((HEIGHT, GAP, 3), 255, np.uint8)


if __name__ == "__main__":
    main()

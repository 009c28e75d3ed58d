# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the pictures of the docs: `PYTHONPATH=. python docs/make_pictures.py`, after tests/scenes/render_measured.py.

hero.jpg: a frame of a shot in the styles that ship. styles.jpg: a still in ten styles of training/painters.py.
strength.jpg: strength 0 to 1, and two styles blended. regions.jpg: styles in regions. looks.jpg: stroke sizes, and
colors kept. flat.jpg: a plain sky, and with a ball in it.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

import styletx_core
from styletx_core.color import ViewTransform, to_picture
from styletx_core.events import FrameDone
from styletx_core.job import KEEP_COLORS, Input, Job, Output, Region, Style, ViewSettings
from styletx_core.methods.base import Guide
from styletx_core.shot import open_shot
from training.painters import PAINTERS, paint

ROOT = Path(__file__).resolve().parent.parent
MATTES = ROOT / "build" / "shots" / "mattes"
SHOT, STYLES = ROOT / "build" / "shots" / "measured", ROOT / "styletx_core" / "assets" / "styles"
FRAMES = (40, 47)
WIDTH, HEIGHT, GAP = 480, 270, 8


def painted(style: Path) -> np.ndarray:
    """The last of FRAMES, painted as a part of the shot: HxWx3 uint8 BGR."""
    return last_of(SHOT, FRAMES, Style(str(style)))


def last_of(shot: Path, frames: tuple[int, int], *styles: Style) -> np.ndarray:
    """The last of these frames, painted as a part of the shot: HxWx3 uint8 BGR."""
    with tempfile.TemporaryDirectory() as directory:
        job = Job(input=Input(str(shot), frames), styles=styles, output=Output(directory, "png8"))
        last = [event.path for event in styletx_core.run(job) if isinstance(event, FrameDone)][-1]
        return cv2.imread(last, cv2.IMREAD_COLOR)


def main() -> None:
    with open_shot(SHOT) as shot:
        rendered = to_picture(shot.read(FRAMES[1]), shot.encoding, ViewTransform(ViewSettings()))
    hero(rendered)
    styles(rendered)
    strength(rendered)
    regions()
    looks(rendered)
    flat()


def flat() -> None:
    """A plain sky, and one with a ball, after each the same in the styles that ship."""
    method = styletx_core.load("adain_reconet")
    y, x = np.mgrid[: 2 * HEIGHT, : 2 * WIDTH].astype(np.float32) / (2 * HEIGHT)
    sky = np.stack((0.35 + 0.3 * y, 0.5 + 0.25 * y, 0.8 + 0.03 * x), -1)
    ball = cv2.circle(sky.copy(), (WIDTH, HEIGHT + 60), 110, (0.7, 0.25, 0.1), -1, cv2.LINE_AA)
    rows = [[sky], [ball]]
    for style in sorted(STYLES.glob("*.png")):
        method.set_style(_read(style))
        for row in rows:
            row.append(method.stylize(row[0]))
    write("flat", [[_fit(_bytes(picture)) for picture in row] for row in rows], 80)


def regions() -> None:
    """Three styles in one pass; all in glass but the ball; in ink the ball, the balloons and the mill alone."""
    oil, ink, glass = (str(STYLES / f"{name}.png") for name in ("oil", "ink", "stained_glass"))
    ball, balloons = Region(object=("Ball",)), Region(object=("Balloon*",))
    some = Region(object=("Ball", "Balloon*", "Tower", "Cap", "Blade*"))
    row = [
        last_of(MATTES, (1, 2), Style(oil), Style(ink, region=ball), Style(glass, region=balloons)),
        last_of(MATTES, (1, 2), Style(glass, region=replace(ball, invert=True))),
        last_of(MATTES, (1, 2), Style(ink, region=some)),
    ]
    write("regions", [[_fit(picture) for picture in row]], 80)


def looks(rendered: np.ndarray) -> None:
    """Strokes of size 1/2, 1 and 2 in the style oil; below, with the style's colors, the luminance alone, matched."""
    method, oil = styletx_core.load("adain_reconet"), _read(STYLES / "oil.png")
    method.set_style(oil)
    first = [method.stylize(rendered, guide=Guide(size=size)) for size in (0.5, 1, 2)]
    second = []
    for way in KEEP_COLORS:
        method.set_style(oil, keep_colors=way)
        second.append(method.stylize(rendered))
    write("looks", [[_fit(_bytes(picture)) for picture in row] for row in (first, second)], 64)


def styles(rendered: np.ndarray) -> None:
    """Every painter's picture in the corner of the still painted in its style, after the still itself."""
    method = styletx_core.load("adain_reconet")
    cells = [_bytes(rendered)]
    for name in PAINTERS:
        picture = paint(name, 512, 512, 3)
        method.set_style(picture)
        cells.append(_with_style(_bytes(method.stylize(rendered)), _bytes(picture)))
    cells.append(np.full_like(cells[0], 255))
    write("styles", [[_fit(cell) for cell in cells[i : i + 3]] for i in range(0, len(cells), 3)])


def strength(rendered: np.ndarray) -> None:
    """Strength 0, 1/3, 2/3, 1 in the style oil; then oil blended into stained glass in as many steps."""
    method = styletx_core.load("adain_reconet")
    oil, glass = (_read(STYLES / f"{name}.png") for name in ("oil", "stained_glass"))
    method.set_style(oil)
    first = [method.stylize(rendered, amount) for amount in (0, 1 / 3, 2 / 3, 1)]
    second = []
    for amount in (0, 1 / 3, 2 / 3, 1):
        method.set_style([(oil, 1 - amount), (glass, amount)])
        second.append(method.stylize(rendered))
    write("strength", [[_fit(_bytes(picture)) for picture in row] for row in (first, second)])


def hero(rendered: np.ndarray) -> None:
    """The frame as rendered and in the styles that ship, painted as a part of its shot."""
    rows = [_fit(_bytes(rendered))]
    for style in sorted(STYLES.glob("*.png")):
        rows.append(_fit(_with_style(painted(style), cv2.imread(str(style)))))
    write("hero", [rows[:2], rows[2:]])


def write(name: str, rows: list[list[np.ndarray]], quality: int = 88) -> None:
    """A sheet of pictures of one size with white bars between them."""
    bar = np.full((HEIGHT, GAP, 3), 255, np.uint8)
    lines = [np.hstack([part for picture in row for part in (bar, picture)][1:]) for row in rows]
    gap = np.full((GAP, lines[0].shape[1], 3), 255, np.uint8)
    out = ROOT / "docs" / "images" / f"{name}.jpg"
    cv2.imwrite(
        str(out), np.vstack([part for line in lines for part in (gap, line)][1:]), [cv2.IMWRITE_JPEG_QUALITY, quality]
    )
    print(out)


def _with_style(result: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """The style picture in the corner of what it made."""
    side = result.shape[0] * 2 // 5
    result = result.copy()
    result[-side - 8 : -8, 8 : side + 8] = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    return result


def _bytes(picture: np.ndarray) -> np.ndarray:
    """HxWx3 float32 RGB in 0..1 to uint8 BGR."""
    return (picture[..., ::-1] * 255 + 0.5).astype(np.uint8)


def _read(path: Path) -> np.ndarray:
    return np.ascontiguousarray(cv2.imread(str(path))[..., ::-1], dtype=np.float32) / 255


def _fit(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    main()

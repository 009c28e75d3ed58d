# SPDX-License-Identifier: GPL-3.0-or-later
"""Loss curves of one or several trainings as a picture.

    python -m training.curves runs/mine                         # writes runs/mine/losses.png
    python -m training.curves runs/a runs/b --out compare.png

Pale: as logged. Strong: the running mean of a twentieth of the training. A panel whose values span more than
threefold has a logarithmic axis.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from styletx_core.errors import InputError, StyleTXError, WorkError
from styletx_core.files import atomic_path

WIDTH, HEIGHT, COLUMNS = 460, 300, 4  # of a panel in pixels; panels a row
LEFT, RIGHT, TOP, BOTTOM = 66, 14, 38, 32  # around the plot in a panel
COLORS = ((176, 98, 20), (40, 90, 216), (60, 140, 40), (150, 60, 150), (30, 150, 190), (90, 90, 90))  # BGR
INK, GRID = (60, 60, 60), (225, 225, 225)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", help="folders with a log.jsonl")
    parser.add_argument("--out", type=Path, help="the picture; default: losses.png in the first folder")
    args = parser.parse_args()
    try:
        draw({run.name: read_log(run / "log.jsonl") for run in args.runs}, args.out or args.runs[0] / "losses.png")
    except StyleTXError as error:
        print(error, file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)


def read_log(path: Path) -> list[dict[str, Any]]:
    """The lines of a log; one that was cut off by a crash is left out. Raises InputError where there is no log."""
    try:
        lines = path.read_text("utf-8").splitlines(keepends=True)
    except OSError as error:
        raise InputError(f"{path} cannot be read; name a folder in which a training has run.") from error
    return [json.loads(line) for line in lines if line.endswith("\n")]


def draw(logs: dict[str, list[dict[str, Any]]], path: Path) -> None:
    """A panel a loss, a color a training; nothing is drawn from logs without lines."""
    seen = [name for log in logs.values() for line in log for name in line if name not in ("step", "minutes")]
    names = list(dict.fromkeys(seen))
    if not names:
        return
    panels = [_panel(name, logs) for name in names]
    panels += [np.full_like(panels[0], 255)] * (-len(panels) % COLUMNS)
    rows = [np.hstack(panels[i : i + COLUMNS]) for i in range(0, len(panels), COLUMNS)]
    with atomic_path(path) as aside:
        if not cv2.imwrite(str(aside), np.vstack(rows)):
            raise WorkError(f"{path} cannot be written; check folder and free space.")


def _panel(name: str, logs: dict[str, list[dict[str, Any]]]) -> np.ndarray:
    image = np.full((HEIGHT, WIDTH, 3), 255, np.uint8)
    curves = []
    for log in logs.values():
        points = [(line["step"], line[name]) for line in log if name in line]
        steps, values = np.array(points, np.float64).reshape(-1, 2).T
        curves.append((steps, values, _smooth(values)))
    smooth = np.concatenate([s for _, _, s in curves])
    low, high = float(smooth.min()), float(smooth.max())
    logarithmic = low > 0 and high > 3 * low
    margin = 0.08 * (math.log(high / low) if logarithmic else high - low) or 0.1 * abs(high) or 1.0
    low, high = (low * math.exp(-margin), high * math.exp(margin)) if logarithmic else (low - margin, high + margin)
    last = max(1.0, *(float(steps.max()) for steps, _, _ in curves if len(steps)))

    def place(steps: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Pixels of points, in 16ths."""
        if logarithmic:
            up = (np.log(np.clip(values, low, high)) - math.log(low)) / math.log(high / low)
        else:
            up = (np.clip(values, low, high) - low) / (high - low)
        x = LEFT + steps / last * (WIDTH - LEFT - RIGHT)
        y = HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM)
        return np.round(np.stack((x, y), 1) * 16).astype(np.int32)

    for tick in _ticks(low, high, logarithmic):
        y = int(place(np.zeros(1), np.array([tick]))[0, 1]) // 16
        cv2.line(image, (LEFT, y), (WIDTH - RIGHT, y), GRID)
        _text(image, f"{tick:g}", (LEFT - 8, y + 5), right=True)
    for tick in _ticks(0, last, False):
        x = int(place(np.array([tick]), np.array([low]))[0, 0]) // 16
        cv2.line(image, (x, TOP), (x, HEIGHT - BOTTOM), GRID)
        _text(image, f"{tick / 1000:g}k" if last >= 4000 else f"{tick:g}", (x, HEIGHT - BOTTOM + 20), center=True)
    for (steps, values, smoothed), color in zip(curves, COLORS * len(curves), strict=False):
        pale = tuple(round(255 - (255 - c) * 0.3) for c in color)
        for heights, shade, thick in ((values, pale, 1), (smoothed, color, 2)):
            cv2.polylines(image, [place(steps, heights)], False, shade, thick, cv2.LINE_AA, shift=4)
    cv2.rectangle(image, (LEFT, TOP), (WIDTH - RIGHT, HEIGHT - BOTTOM), INK)
    title = f"{name} (log)" if logarithmic else name
    cv2.putText(image, title, (LEFT, TOP - 12), cv2.FONT_HERSHEY_DUPLEX, 0.6, INK, 1, cv2.LINE_AA)
    x = WIDTH - RIGHT
    for (run, (_, _, smoothed)), color in reversed(list(zip(zip(logs, curves, strict=True), COLORS, strict=False))):
        if len(smoothed):
            label = f"{run} {smoothed[-1]:.3g}" if len(logs) > 1 else f"{smoothed[-1]:.3g}"
            x -= _text(image, label, (x, TOP - 12), right=True, color=color) + 12
    return image


def _smooth(values: np.ndarray) -> np.ndarray:
    """Running mean of the last twentieth, shorter at the start."""
    sums = np.concatenate(([0.0], np.cumsum(values)))
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - max(1, len(values) // 20))
    return (sums[ends] - sums[starts]) / (ends - starts)


def _ticks(low: float, high: float, logarithmic: bool) -> list[float]:
    """Three to seven round numbers."""
    if logarithmic:
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        for digits in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7)):
            ticks = [d * 10.0**e for e in decades for d in digits if low <= d * 10.0**e <= high]
            if len(ticks) >= 3:
                break
        return ticks
    rough = (high - low) / 5
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * m for m in (1, 2, 5, 10) if unit * m >= rough)
    return [round(step * i, 12) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _text(
    image: np.ndarray, text: str, at: tuple[int, int], right: bool = False, center: bool = False,
    color: tuple[int, int, int] = INK,
) -> int:  # fmt: skip
    """Write; ``at`` is the left end of the baseline, or its right end or middle. Returns the width."""
    font, size = cv2.FONT_HERSHEY_SIMPLEX, 0.45
    width = cv2.getTextSize(text, font, size, 1)[0][0]
    x = at[0] - (width if right else width // 2 if center else 0)
    cv2.putText(image, text, (x, at[1]), font, size, color, 1, cv2.LINE_AA)
    return width


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""The report's plots, drawn with OpenCV: uint8 BGR pictures on white."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ..perceptual.vgg import ALL_LAYERS
from .measures import MEASURES
from .pictures import read

COLORS = ((176, 98, 20), (40, 90, 216), (60, 140, 40), (150, 60, 150), (30, 150, 190), (90, 90, 90))  # BGR, by group
INK, GRID = (60, 60, 60), (228, 228, 228)
_FINE = 2  # drawn so many times larger and shrunk: lines without steps
_THUMB = 44


class Canvas:
    """A white sheet, in pixels of the finished plot."""

    def __init__(self, width: int, height: int) -> None:
        self.image = np.full((height * _FINE, width * _FINE, 3), 255, np.uint8)

    def line(self, a: tuple[float, float], b: tuple[float, float], color: Sequence[int] = INK, thick: int = 1) -> None:
        cv2.line(self.image, _at(a), _at(b), tuple(color), thick * _FINE, cv2.LINE_AA)

    def box(self, a: tuple[float, float], b: tuple[float, float], color: Sequence[int], fill: bool = True) -> None:
        cv2.rectangle(self.image, _at(a), _at(b), tuple(color), -1 if fill else _FINE, cv2.LINE_AA)

    def dot(self, at: tuple[float, float], color: Sequence[int], radius: float = 3, fill: bool = True) -> None:
        cv2.circle(self.image, _at(at), round(radius * _FINE), tuple(color), -1 if fill else _FINE, cv2.LINE_AA)

    def text(self, text: str, at: tuple[float, float], anchor: str = "left", size: float = 0.42,
             color: Sequence[int] = INK) -> None:  # fmt: skip
        """at: the baseline's left end, middle or right end."""
        scale, font = size * _FINE, cv2.FONT_HERSHEY_SIMPLEX
        width = cv2.getTextSize(text, font, scale, _FINE)[0][0]
        x, y = _at(at)
        x -= {"left": 0, "middle": width // 2, "right": width}[anchor]
        cv2.putText(self.image, text, (x, y), font, scale, tuple(color), _FINE, cv2.LINE_AA)

    def picture(self, picture: np.ndarray, at: tuple[float, float]) -> None:
        """HxWx3 uint8 BGR, in pixels of the canvas."""
        x, y = _at(at)
        self.image[y : y + picture.shape[0], x : x + picture.shape[1]] = picture

    def finished(self) -> np.ndarray:
        height, width = self.image.shape[:2]
        return cv2.resize(self.image, (width // _FINE, height // _FINE), interpolation=cv2.INTER_AREA)


def _at(point: tuple[float, float]) -> tuple[int, int]:
    return round(point[0] * _FINE), round(point[1] * _FINE)


def plots(report: dict[str, Any]) -> dict[str, np.ndarray]:
    """By the file's stem."""
    found = {"spectrum": spectrum(report), "measures": measures(report)}
    if "comparisons" in report:
        found["effects"] = effects(report)
    if report["clusters"]:
        found["clusters"] = tree(report)
    if report["components"]:
        found["components"] = components(report)
    return found


def spectrum(report: dict[str, Any]) -> np.ndarray:
    """Eigenvalues' shares, logarithmic, a panel a layer and a line a group."""
    width, height, left, top = 190, 200, 46, 44
    canvas = Canvas(left + width * len(ALL_LAYERS) + 10, top + height + 34)
    _legend(canvas, report["groups"], left)
    for column, layer in enumerate(ALL_LAYERS):
        x0 = left + column * width

        def place(i: float, share: float, x0: float = x0) -> tuple[float, float]:
            return x0 + i / 23 * (width - 16), top + min(max(-np.log10(max(share, 1e-9)) / 4, 0), 1) * height

        for decade in range(5):
            y = place(0, 10.0**-decade)[1]
            canvas.line((x0, y), (x0 + width - 16, y), GRID)
            if column == 0:
                canvas.text(f"{10.0**-decade:g}", (x0 - 6, y + 4), "right", 0.36)
        canvas.text(layer, (x0 + (width - 16) / 2, top + height + 16), "middle")
        for group, color in zip(report["groups"].values(), _colors(report), strict=True):
            points = [place(i, share) for i, share in enumerate(group["spectrum"][layer])]
            for a, b in zip(points, points[1:], strict=False):
                canvas.line(a, b, color, 2)
    canvas.text("eigenvalue of the gram, its share; 1st to 24th", (left, top + height + 31), size=0.36)
    return canvas.finished()


def measures(report: dict[str, Any]) -> np.ndarray:
    """Quartiles and medians by layer and group, a panel a measure."""
    width, height, top, gap, columns = 440, 150, 40, 46, 2
    names = list(MEASURES)
    rows = -(-len(names) // columns)
    canvas = Canvas(columns * width + 20, top + rows * (height + gap))
    _legend(canvas, report["groups"], 50)
    groups = list(report["groups"])
    for number, name in enumerate(names):
        x0, y0 = 50 + number % columns * width, top + number // columns * (height + gap)
        values = {(g, layer): np.array([p["as_is"][layer][name] for p in report["pictures"] if p["group"] == g])
                  for g in groups for layer in ALL_LAYERS}  # fmt: skip
        every = np.concatenate(list(values.values()))
        low, high = (float(v) for v in np.quantile(every, (0.01, 0.99)))
        high = max(high, low + 1e-6)

        def up(value: float, low: float = low, high: float = high, y0: float = y0) -> float:
            return y0 + height - min(max((value - low) / (high - low), 0), 1) * (height - 14)

        for tick in np.linspace(low, high, 4):
            canvas.line((x0, up(tick)), (x0 + width - 66, up(tick)), GRID)
            canvas.text(f"{tick:.3g}", (x0 - 5, up(tick) + 4), "right", 0.36)
        for k, layer in enumerate(ALL_LAYERS):
            middle = x0 + (k + 0.5) * (width - 66) / len(ALL_LAYERS)
            canvas.text(layer, (middle, y0 + height + 16), "middle", 0.38)
            for i, (group, color) in enumerate(zip(groups, _colors(report), strict=True)):
                of = values[group, layer]
                x = middle + (i - (len(groups) - 1) / 2) * 13
                a, b, c = np.quantile(of, (0.25, 0.5, 0.75))
                canvas.line((x, up(of.min())), (x, up(of.max())), _pale(color))
                canvas.box((x - 4, up(c)), (x + 4, up(a)), color)
                canvas.line((x - 5, up(b)), (x + 5, up(b)), (255, 255, 255), 1)
        canvas.text(name.replace("_", " "), (x0, y0 + 8), size=0.48)
    return canvas.finished()


def effects(report: dict[str, Any]) -> np.ndarray:
    """Cliff's delta with its interval: of the claims' measures, by group, version and layer."""
    from .analysis import CLAIMS, MEDIUM, VERSIONS

    groups = list(report["comparisons"])
    row, left, top, width = 15, 230, 52, 300
    height = len(groups) * (len(VERSIONS) * (len(ALL_LAYERS) * row + 6) + 22)
    canvas = Canvas(left + len(CLAIMS) * (width + 20) + 10, top + height + 10)
    for column, (claim, (measured, sign)) in enumerate(CLAIMS.items()):
        x0 = left + column * (width + 20)

        def across(delta: float, x0: float = x0) -> float:
            return x0 + (delta + 1) / 2 * width

        canvas.text(f"{claim}: {measured} {'larger' if sign > 0 else 'smaller'}", (x0 + width / 2, 18), "middle", 0.46)
        # what the claim expects
        good = (across(MEDIUM), across(1)) if sign > 0 else (across(-1), across(-MEDIUM))
        canvas.box((good[0], top - 6), (good[1], top + height), (232, 245, 232))
        for tick in (-1, -0.5, 0, 0.5, 1):
            canvas.line((across(tick), top - 6), (across(tick), top + height), GRID if tick else INK)
            canvas.text(f"{tick:g}", (across(tick), top - 12), "middle", 0.36)
        y = float(top)
        for group, color in zip(groups, _colors(report), strict=False):
            if column == 0:
                canvas.text(group, (8, y + 12), size=0.46, color=color)
            y += 20
            for version in VERSIONS:
                if column == 0:
                    canvas.text(version.replace("_", " "), (26, y + 10), size=0.4)
                for layer in ALL_LAYERS:
                    effect = report["comparisons"][group][version][measured][layer]
                    if column == 0:
                        canvas.text(layer, (left - 12, y + 10), "right", 0.36)
                    canvas.line((across(effect["low"]), y + 6), (across(effect["high"]), y + 6), color)
                    canvas.dot((across(effect["delta"]), y + 6), color, 3.5, effect["holm"] < 0.05)
                    y += row
                y += 6
            y += 2
    return canvas.finished()


def tree(report: dict[str, Any]) -> np.ndarray:
    """The clusters, with the pictures below."""
    found = report["clusters"]
    count, step = len(found["order"]), max(12, min(_THUMB, 1500 // len(found["order"])))
    left, top, height = 20, 40, 190
    canvas = Canvas(left * 2 + step * count, top + height + step + 24)
    _legend(canvas, report["groups"], left)
    names = list(report["groups"])
    places = {leaf: (left + (i + 0.5) * step, 0.0) for i, leaf in enumerate(found["order"])}
    highest = max(merge["distance"] for merge in found["merges"]) or 1.0
    base = top + height

    def up(distance: float) -> float:
        return base - distance / highest * (height - 8)

    for number, merge in enumerate(found["merges"]):
        (ax, ad), (bx, bd) = places[merge["first"]], places[merge["second"]]
        y = up(merge["distance"])
        canvas.line((ax, up(ad)), (ax, y))
        canvas.line((bx, up(bd)), (bx, y))
        canvas.line((ax, y), (bx, y))
        places[count + number] = (ax + bx) / 2, merge["distance"]
    colors = dict(zip(names, _colors(report), strict=True))
    for i, leaf in enumerate(found["order"]):
        x = left + i * step
        canvas.box((x + 1, base + 2), (x + step - 1, base + 8), colors[found["groups"][leaf]])
        small = (read(Path(found["paths"][leaf]), 128)[..., ::-1] * 255).astype(np.uint8)
        side = (step - 2) * _FINE
        cut = min(small.shape[:2])
        y0, x0 = (small.shape[0] - cut) // 2, (small.shape[1] - cut) // 2
        square = cv2.resize(small[y0 : y0 + cut, x0 : x0 + cut], (side, side), interpolation=cv2.INTER_AREA)
        canvas.picture(square, (x + 1, base + 12))
    return canvas.finished()


def components(report: dict[str, Any]) -> np.ndarray:
    """Two tables in shades: each layer's answers to equal changes, and each component's profile over the layers."""
    found = report["components"]
    names = found["components"]
    cell, left, top = 62, 80, 64
    tables = (("what a layer sees (rows add up to 1)", found["answer"], list(ALL_LAYERS), names),
              ("where a component is seen (rows add up to 1)", found["profile"], names, list(ALL_LAYERS)))  # fmt: skip
    canvas = Canvas(2 * (left + cell * len(ALL_LAYERS)) + 30, top + len(ALL_LAYERS) * 34 + 16)
    for number, (title, values, rows, columns) in enumerate(tables):
        x0 = left + number * (left + cell * len(names) + 20)
        canvas.text(title, (x0, 18), size=0.46)
        for j, column in enumerate(columns):
            canvas.text(column, (x0 + (j + 0.5) * cell, top - 10), "middle", 0.38)
        for i, row in enumerate(rows):
            canvas.text(row, (x0 - 8, top + i * 34 + 21), "right", 0.4)
            for j, column in enumerate(columns):
                value = values[row][column]
                shade = tuple(round(255 - (255 - c) * min(value, 1) ** 0.7) for c in COLORS[0])
                at = x0 + j * cell, top + i * 34
                canvas.box(at, (at[0] + cell - 2, at[1] + 32), shade)
                ink = (255, 255, 255) if value > 0.45 else INK
                canvas.text(f"{value:.2f}", (at[0] + cell / 2, at[1] + 21), "middle", 0.42, ink)
    return canvas.finished()


def _legend(canvas: Canvas, groups: dict[str, Any], x: float) -> None:
    for (name, group), color in zip(groups.items(), COLORS * len(groups), strict=False):
        label = f"{name} ({group['pictures']})"
        canvas.dot((x + 5, 14), color, 5)
        canvas.text(label, (x + 14, 18), size=0.44)
        x += 40 + 8.5 * len(label)


def _colors(report: dict[str, Any]) -> list[tuple[int, int, int]]:
    count = len(report["groups"])
    return [COLORS[i % len(COLORS)] for i in range(count)]


def _pale(color: Sequence[int]) -> tuple[int, ...]:
    return tuple(round(255 - (255 - c) * 0.4) for c in color)

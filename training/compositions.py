# SPDX-License-Identifier: GPL-3.0-or-later
"""Base pictures that the painters paint from: flat, colorful compositions made from a seed.

Every function returns an HxWx3 float32 array, display-referred sRGB, 0..1. Coordinates are fractions of the
picture's height (x runs to width / height), so that a composition looks the same at every size.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable

import cv2
import numpy as np

# Sky top, sky low, light, far, middle, near, accent, second accent, dark: chosen by eye, varied per seed.
PALETTES = (
    ("1d2f6f", "f2a65a", "ffe8a3", "6b6fb0", "2f6f7e", "1f4a3d", "d6453d", "f4c430", "15172b"),
    ("3a86c8", "f7d9a8", "fff3c9", "7fb0a5", "4f8f4a", "2e5e2f", "e4572e", "f3a712", "22304f"),
    ("0b3954", "87c5c9", "fefad0", "3d7ea6", "ff8552", "6d2e46", "c81d25", "ffd23f", "0a1128"),
    ("5f0f40", "fb8b24", "ffe066", "9a031e", "0f4c5c", "33202a", "e36414", "8cc7a1", "1b1020"),
    ("264653", "e9c46a", "fdf0c4", "2a9d8f", "8ab17d", "3d5a45", "e76f51", "b5446e", "16202a"),
    ("6a4c93", "ffb3c6", "fff0d9", "4a7fc1", "1982c4", "1b5e52", "ff595e", "ffca3a", "231942"),
    ("20639b", "cfe8e6", "ffffff", "3caea3", "f6d55c", "26547c", "ed553b", "f2b134", "10233f"),
    ("33415c", "d9c5a0", "f7efd8", "7d8597", "a68a64", "414833", "936639", "b23a48", "1a1d21"),
    ("004e64", "f5e2c8", "fff8e7", "25a18e", "9fcf6a", "0b6e4f", "ff5d8f", "f9a03f", "082a36"),
    ("240046", "ff6d8a", "ffd6a5", "5a189a", "3c3fb8", "10104a", "ff9e00", "2ec4b6", "0d0221"),
)


def palette(rng: np.random.Generator) -> np.ndarray:
    """Nine colors (9x3 float32): one of PALETTES, its hue, saturation and brightness varied a little."""
    names = PALETTES[int(rng.integers(len(PALETTES)))]
    turn, rich, bright = rng.normal(0, 0.03), rng.uniform(0.9, 1.2), rng.uniform(0.92, 1.06)
    colors = []
    for name in names:
        red, green, blue = (int(name[i : i + 2], 16) / 255 for i in (0, 2, 4))
        hue, saturation, value = colorsys.rgb_to_hsv(red, green, blue)
        hue = (hue + turn + rng.normal(0, 0.008)) % 1.0
        colors.append(colorsys.hsv_to_rgb(hue, min(saturation * rich, 1.0), min(value * bright, 1.0)))
    return np.array(colors, np.float32)


def noise(height: int, width: int, rng: np.random.Generator, cells: float, octaves: int = 4) -> np.ndarray:
    """Smooth noise, HxW float32 stretched to 0..1; `cells` is how many blobs fit in the picture's height."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        size = cells * 2**octave
        rows, columns = int(np.ceil(size)) + 3, int(np.ceil(size * width / height)) + 3
        grid = rng.random((rows, columns), dtype=np.float32)
        total += cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC) * 0.5**octave
    low, high = float(total.min()), float(total.max())
    return (total - low) / max(high - low, 1e-6)


def mix(first: np.ndarray, second: np.ndarray, amount: np.ndarray | float) -> np.ndarray:
    """Linear blend; `amount` 0 is the first, 1 the second; an HxW amount is spread over the channels."""
    if isinstance(amount, np.ndarray) and amount.ndim == 2:
        amount = amount[..., None]
    return first * (1 - amount) + second * amount


class Canvas:
    """A drawing surface at the given size whose coordinates are fractions of its height."""

    def __init__(self, height: int, width: int, rng: np.random.Generator) -> None:
        self.height, self.width, self.rng = height, width, rng
        self.aspect = width / height
        self.rgb = np.zeros((height, width, 3), np.float32)
        self.y, self.x = np.mgrid[0:height, 0:width].astype(np.float32) / height

    def paint(self, mask: np.ndarray, color: np.ndarray) -> None:
        """Lay `color` (3 or HxWx3) over the picture where `mask` (HxW, 0..1) is."""
        self.rgb = mix(self.rgb, color, mask).astype(np.float32)

    def polygon(self, points: np.ndarray, color: np.ndarray) -> None:
        fixed = np.round(np.asarray(points, np.float64) * self.height * 16).astype(np.int32)
        cv2.fillPoly(self.rgb, [fixed.reshape(-1, 1, 2)], tuple(map(float, color)), shift=4)

    def ellipse(self, x: float, y: float, rx: float, ry: float, color: np.ndarray, turn: float = 0.0) -> None:
        angle = np.linspace(0, 2 * np.pi, 40)
        px, py = rx * np.cos(angle), ry * np.sin(angle)
        cos, sin = np.cos(turn), np.sin(turn)
        self.polygon(np.stack([x + px * cos - py * sin, y + px * sin + py * cos], 1), color)

    def ridge(
        self, level: float, rough: float, color: np.ndarray, foot: np.ndarray, cells: float = 2.0
    ) -> None:
        """Everything below a hilly line at `level`, shaded from `color` at its top to `foot` below."""
        line = noise(8, self.width, self.rng, cells * 8 / self.height, 1)[0]
        line = noise(self.height, self.width, self.rng, cells, 5)[self.height // 2] * 0.8 + line * 0.2
        top = level - rough * (line - 0.5)
        depth = self.y - top[None, :]
        mottle = noise(self.height, self.width, self.rng, 6, 3) - 0.5
        shade = np.clip(depth * 2.6 + mottle * 0.5, 0, 1)
        self.paint((depth > 0).astype(np.float32), mix(color, foot, shade))


def _sky(canvas: Canvas, colors: np.ndarray, horizon: float) -> tuple[float, float]:
    """A graded sky with drifting clouds and a sun or moon, whose place is returned."""
    rng, aspect = canvas.rng, canvas.aspect
    grade = np.clip(canvas.y / horizon + (noise(canvas.height, canvas.width, rng, 3) - 0.5) * 0.5, 0, 1)
    canvas.rgb = mix(colors[0], colors[1], grade).astype(np.float32)
    x, y, radius = (
        rng.uniform(0.2, 0.8) * aspect,
        rng.uniform(0.14, 0.3) * horizon / 0.5,
        rng.uniform(0.05, 0.1),
    )
    away = np.hypot(canvas.x - x, canvas.y - y)
    canvas.paint(np.exp(-(((away - radius).clip(0) / 0.16) ** 2)) * 0.8, mix(colors[1], colors[2], 0.6))
    rings = 0.5 + 0.5 * np.cos(away * rng.uniform(50, 90))
    canvas.paint(rings * np.exp(-((away / 0.32) ** 2)) * 0.35, colors[7])
    canvas.ellipse(x, y, radius, radius, colors[2])
    wide = cv2.resize(noise(canvas.height, canvas.width, rng, 7, 4), None, fx=3, fy=1)[:, : canvas.width]
    cloud = np.clip((wide - 0.58) * 7, 0, 1) * np.clip(1.4 - canvas.y / horizon, 0, 1)
    canvas.paint(cloud * 0.75, mix(colors[2], colors[int(rng.integers(3, 7))], 0.25))
    return x, y


def hills(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Sun over layered hills, dark trees, a field of flowers in front."""
    canvas, c = Canvas(height, width, rng), palette(rng)
    _sky(canvas, c, 0.55)
    for level, rough, top, foot in ((0.5, 0.3, 3, 1), (0.6, 0.22, 4, 3), (0.72, 0.16, 4, 5)):
        canvas.ridge(level, rough, c[top], mix(c[foot], c[top], 0.35))
    for _ in range(int(rng.integers(4, 12))):  # houses and haystacks
        x, y, s = rng.uniform(0, canvas.aspect), rng.uniform(0.62, 0.76), rng.uniform(0.02, 0.045)
        canvas.polygon(np.array([[x - s, y], [x + s, y], [x + s, y - s], [x - s, y - s]]), c[2])
        canvas.polygon(np.array([[x - 1.2 * s, y - s], [x + 1.2 * s, y - s], [x, y - 1.8 * s]]), c[6])
    canvas.ridge(0.84, 0.12, c[5], c[8])
    for _ in range(int(rng.integers(2, 5))):  # cypresses
        x = rng.uniform(0, canvas.aspect)
        base, tall = rng.uniform(0.8, 0.95), rng.uniform(0.25, 0.55)
        t = np.linspace(0, 1, 24)
        half = 0.07 * tall / 0.4 * np.sin(np.pi * np.clip(t * 0.9 + 0.1, 0, 1)) * (1 + 0.15 * np.sin(t * 40))
        outline = np.concatenate(
            [np.stack([x - half, base - tall * t], 1), np.stack([x + half, base - tall * t], 1)[::-1]]
        )
        canvas.polygon(outline, mix(c[8], c[5], 0.4))
        canvas.polygon(outline * [1, 1] * 1.0 + (outline - [x, base]) * [-0.55, -0.12], c[5])
    for _ in range(260):
        y = rng.uniform(0.84, 1.0)
        s = 0.004 + 0.016 * (y - 0.82) / 0.18
        canvas.ellipse(rng.uniform(0, canvas.aspect), y, s, s * 0.8, c[int(rng.choice([2, 6, 6, 7, 7]))])
    return canvas.rgb


def harbor(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Sailing boats on water that carries the sky's reflections."""
    canvas, c = Canvas(height, width, rng), palette(rng)
    horizon = float(rng.uniform(0.42, 0.55))
    sun, _ = _sky(canvas, c, horizon)
    canvas.ridge(horizon, 0.12, c[3], c[4], 1.5)
    sea = (canvas.y > horizon).astype(np.float32)
    depth = np.clip((canvas.y - horizon) / (1 - horizon), 0, 1)
    canvas.paint(sea, mix(mix(c[1], c[3], 0.5), mix(c[0], c[8], 0.35), depth**0.7))
    for _ in range(420):  # ripples, wider and farther apart towards the front
        d = rng.random() ** 0.8
        y, long = horizon + (1 - horizon) * d, rng.uniform(0.02, 0.08) * (0.3 + d)
        near_sun = rng.random() < 0.45
        x = sun + rng.normal(0, 0.05 + 0.1 * d) if near_sun else rng.uniform(0, canvas.aspect)
        color = mix(c[2], c[7], rng.random() * 0.6) if near_sun else c[int(rng.choice([0, 3, 4, 8]))]
        canvas.ellipse(x, y, long, 0.002 + 0.006 * d, color)
    for y in np.sort(rng.uniform(horizon + 0.05, 0.92, int(rng.integers(3, 7)))):
        x, s = rng.uniform(0.08, 0.92) * canvas.aspect, 0.06 + 0.22 * (y - horizon)
        sail, hull = c[int(rng.choice([2, 6, 7]))], c[int(rng.choice([6, 8]))]
        for k in range(6):  # broken reflection
            canvas.ellipse(
                x + rng.normal(0, 0.1) * s,
                y + s * 0.22 * (k + 1),
                s * rng.uniform(0.2, 0.5),
                s * 0.06,
                mix(sail, c[0], 0.4),
            )
        canvas.polygon(np.array([[x, y - 0.15 * s], [x, y - 2 * s], [x + s, y - 0.2 * s]]), sail)
        canvas.polygon(
            np.array([[x - 0.08 * s, y - 0.2 * s], [x - 0.08 * s, y - 1.7 * s], [x - 0.75 * s, y - 0.2 * s]]),
            mix(sail, c[3], 0.3),
        )
        canvas.polygon(
            np.array(
                [
                    [x - s, y - 0.1 * s],
                    [x + 1.2 * s, y - 0.15 * s],
                    [x + 0.8 * s, y + 0.2 * s],
                    [x - 0.7 * s, y + 0.2 * s],
                ]
            ),
            hull,
        )
    return canvas.rgb


def bouquet(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Flowers in a vase on a table."""
    canvas, c = Canvas(height, width, rng), palette(rng)
    back, table = (c[0], c[8]) if rng.random() < 0.5 else (c[1], c[3])
    canvas.rgb = mix(back, table, noise(height, width, rng, 2.5, 4)).astype(np.float32)
    canvas.paint(
        (canvas.y > 0.8 + 0.02 * np.sin(canvas.x * 7)).astype(np.float32),
        mix(c[4], c[7], noise(height, width, rng, 5)),
    )
    middle = canvas.aspect / 2 + rng.normal(0, 0.03)
    for _ in range(90):  # leaves and stems
        turn, far = rng.uniform(-2.9, -0.2), rng.uniform(0.1, 0.42)
        x, y = middle + far * np.cos(turn) * 1.1, 0.52 + far * np.sin(turn)
        canvas.ellipse(
            x,
            y,
            rng.uniform(0.04, 0.09),
            rng.uniform(0.012, 0.028),
            mix(c[4], c[5], rng.random()),
            turn + rng.normal(0, 0.5),
        )
    t = np.linspace(0, 1, 30)
    half = 0.09 + 0.1 * np.sin(np.pi * np.clip(t * 1.05, 0, 1)) ** 1.3
    vase = np.concatenate(
        [np.stack([middle - half, 0.55 + 0.36 * t], 1), np.stack([middle + half, 0.55 + 0.36 * t], 1)[::-1]]
    )
    canvas.polygon(vase, c[int(rng.choice([0, 3, 6]))])
    canvas.polygon((vase - [middle, 0]) * [0.45, 1] + [middle - 0.04, 0], mix(c[2], c[3], 0.5))
    for band in rng.uniform(0.62, 0.85, 3):
        canvas.ellipse(middle, band, 0.15, 0.012, c[7])
    for _ in range(int(rng.integers(22, 36))):
        turn, far = rng.uniform(-3.1, -0.05), 0.42 * rng.random() ** 0.6
        x, y, s = middle + far * np.cos(turn) * 1.05, 0.5 + far * np.sin(turn), rng.uniform(0.035, 0.08)
        color, petals, tilt = (
            c[int(rng.choice([2, 6, 6, 7, 7, 1]))],
            int(rng.integers(5, 11)),
            rng.random() * 6,
        )
        for ring in (1.0, 0.62):
            for k in range(petals):
                a = tilt + ring + 2 * np.pi * k / petals
                shade = mix(color, c[8] if k % 2 else c[2], 0.14 + 0.12 * (ring < 1))
                canvas.ellipse(
                    x + ring * s * 0.6 * np.cos(a),
                    y + ring * s * 0.6 * np.sin(a),
                    ring * s * 0.5,
                    ring * s * 0.27,
                    shade,
                    a,
                )
        canvas.ellipse(x, y, s * 0.22, s * 0.22, c[int(rng.choice([7, 8]))])
    for _ in range(int(rng.integers(2, 5))):  # fruit
        x, s = rng.uniform(0.12, 0.88) * canvas.aspect, rng.uniform(0.04, 0.065)
        fruit = c[int(rng.choice([6, 7]))]
        canvas.ellipse(x + 0.02, 0.925, s * 1.2, s * 0.3, c[8])
        canvas.ellipse(x, 0.9, s, s * 0.95, fruit)
        canvas.ellipse(x - s * 0.25, 0.9 - s * 0.3, s * 0.4, s * 0.35, mix(fruit, c[2], 0.6))
    return canvas.rgb


def town(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Houses piled up a slope under a sky."""
    canvas, c = Canvas(height, width, rng), palette(rng)
    _sky(canvas, c, 0.5)
    canvas.ridge(0.4, 0.25, c[3], c[4])
    for y in np.arange(0.46, 1.06, 0.075):
        x = -0.1 + rng.uniform(0, 0.1)
        while x < canvas.aspect:
            wide, tall = rng.uniform(0.07, 0.16), rng.uniform(0.09, 0.2)
            wall = mix(c[int(rng.choice([1, 2, 3, 7]))], c[8], rng.uniform(0, 0.35))
            roof = mix(c[int(rng.choice([6, 6, 7, 4]))], c[8], rng.uniform(0, 0.35))
            base = y + rng.normal(0, 0.015)
            canvas.polygon(
                np.array([[x, base], [x + wide, base], [x + wide, base - tall], [x, base - tall]]), wall
            )
            canvas.polygon(
                np.array(
                    [[x, base], [x + wide * 0.3, base], [x + wide * 0.3, base - tall], [x, base - tall]]
                ),
                mix(wall, c[8], 0.35),
            )
            peak = base - tall - rng.uniform(0.03, 0.08)
            canvas.polygon(
                np.array(
                    [
                        [x - 0.01, base - tall],
                        [x + wide * 0.35, peak],
                        [x + wide * 0.75, peak],
                        [x + wide + 0.01, base - tall],
                    ]
                ),
                roof,
            )
            for wx in np.arange(x + 0.02, x + wide - 0.02, 0.034):
                for wy in np.arange(base - tall + 0.025, base - 0.02, 0.045):
                    if rng.random() < 0.75:
                        pane = c[7] if rng.random() < 0.3 else c[8]
                        canvas.polygon(
                            np.array(
                                [[wx, wy], [wx + 0.015, wy], [wx + 0.015, wy + 0.024], [wx, wy + 0.024]]
                            ),
                            pane,
                        )
            x += wide * rng.uniform(0.75, 1.2)
        for _ in range(int(rng.integers(1, 4))):
            canvas.ellipse(rng.uniform(0, canvas.aspect), y, 0.04, 0.05, mix(c[4], c[5], rng.random()))
    return canvas.rgb


def orchestra(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Abstract: rings, arcs, wedges and bars that overlap."""
    canvas, c = Canvas(height, width, rng), palette(rng)
    ground = (
        mix(c[2], c[1], noise(height, width, rng, 2))
        if rng.random() < 0.6
        else mix(c[0], c[8], noise(height, width, rng, 2))
    )
    canvas.rgb = ground.astype(np.float32)

    def place() -> tuple[float, float]:
        return float(rng.uniform(0, canvas.aspect)), float(rng.uniform(0, 1))

    def color() -> np.ndarray:
        return c[int(rng.integers(9))]

    for _ in range(int(rng.integers(4, 8))):
        (x, y), turn, size = place(), rng.uniform(0, 6.28), rng.uniform(0.3, 0.8)
        a = turn + np.array([0, rng.uniform(0.3, 0.9)])
        canvas.polygon(
            np.array(
                [
                    [x, y],
                    [x + size * np.cos(a[0]), y + size * np.sin(a[0])],
                    [x + size * np.cos(a[1]), y + size * np.sin(a[1])],
                ]
            ),
            color(),
        )
    for _ in range(int(rng.integers(7, 13))):
        (x, y), radius = place(), rng.uniform(0.06, 0.26)
        first, second = color(), color()
        for k in np.linspace(1, 0.15, int(rng.integers(3, 7))):
            canvas.ellipse(x, y, radius * k, radius * k, color() if rng.random() < 0.6 else first)
        if rng.random() < 0.5:  # half of the rings in other colors
            side = (np.cos(turn := rng.uniform(0, 6.28)) * (canvas.x - x) + np.sin(turn) * (canvas.y - y)) > 0
            inside = np.hypot(canvas.x - x, canvas.y - y) < radius
            canvas.paint((side & inside).astype(np.float32) * 0.55, second)
    for _ in range(int(rng.integers(10, 20))):
        (x, y), turn, long, wide = (
            place(),
            rng.uniform(0, 6.28),
            rng.uniform(0.1, 0.5),
            rng.uniform(0.006, 0.025),
        )
        along, across = (
            np.array([np.cos(turn), np.sin(turn)]) * long / 2,
            np.array([-np.sin(turn), np.cos(turn)]) * wide / 2,
        )
        canvas.polygon(
            np.array([along + across, along - across, -along - across, -along + across]) + [x, y], color()
        )
    for _ in range(int(rng.integers(15, 40))):
        (x, y), s = place(), rng.uniform(0.008, 0.03)
        canvas.ellipse(x, y, s, s, color())
    return canvas.rgb


def woods(height: int, width: int, rng: np.random.Generator) -> np.ndarray:
    """Trunks between glowing leaves and a forest floor."""
    canvas, c = Canvas(height, width, rng), palette(rng)
    canvas.rgb = mix(c[0], c[1], np.clip(canvas.y * 1.4 + noise(height, width, rng, 4) - 0.6, 0, 1)).astype(
        np.float32
    )
    canvas.ridge(0.68, 0.12, c[4], c[5])
    leaves = [c[4], c[5], c[6], c[7], c[3], c[2]]
    for layer in range(3):
        for _ in range(300):
            s = rng.uniform(0.008, 0.022) * (1 + 0.5 * layer)
            y = rng.beta(1.2, 2.2) * 0.75 if rng.random() < 0.75 else rng.uniform(0.72, 1)
            canvas.ellipse(
                rng.uniform(0, canvas.aspect), y, s, s * 0.6, leaves[int(rng.integers(6))], rng.uniform(0, 3)
            )
        for _ in range(int(rng.integers(3, 6))):
            x, half, lean = (
                rng.uniform(0, canvas.aspect),
                0.012 * (1 + layer) * rng.uniform(0.7, 1.3),
                rng.normal(0, 0.05),
            )
            foot = 0.72 + 0.09 * layer
            bark = mix(c[2], c[3], 0.2) if rng.random() < 0.6 else c[8]
            canvas.polygon(
                np.array(
                    [
                        [x - half, foot],
                        [x + half, foot],
                        [x + lean + half * 0.7, 0],
                        [x + lean - half * 0.7, 0],
                    ]
                ),
                bark,
            )
            canvas.polygon(
                np.array([[x, foot], [x + half, foot], [x + lean + half * 0.7, 0], [x + lean, 0]]),
                mix(bark, c[8], 0.45),
            )
            for mark in rng.uniform(0, foot, 9):
                canvas.ellipse(x + lean * (1 - mark / foot), mark, half * 0.5, 0.005, c[8])
    return canvas.rgb


COMPOSITIONS: dict[str, Callable[[int, int, np.random.Generator], np.ndarray]] = {
    "hills": hills,
    "harbor": harbor,
    "bouquet": bouquet,
    "town": town,
    "orchestra": orchestra,
    "woods": woods,
}


def compose(height: int, width: int, rng: np.random.Generator, name: str | None = None) -> np.ndarray:
    """A composition, by name or by chance. HxWx3 float32, 0..1, antialiased by drawing at twice the size."""
    if name is None:
        name = str(rng.choice(list(COMPOSITIONS)))
    large = COMPOSITIONS[name](height * 2, width * 2, rng)
    return cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA).clip(0, 1)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Procedural painters: style pictures made by StyleTX itself, for shipping and for training.

`paint(name, height, width, seed)` gives an HxWx3 float32 picture, display-referred sRGB, 0..1. The seed
decides composition, palette and hand; the same arguments give the same picture. Stroke sizes are fractions of
the height. A painter is a function (base, rng) -> picture over a base of `compositions`.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from training.compositions import compose, mix, noise

Painter = Callable[[np.ndarray, np.random.Generator], np.ndarray]
LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def _blur(image: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(image, (0, 0), max(float(sigma), 0.3), borderType=cv2.BORDER_REFLECT_101)


def _warp(image: np.ndarray, rng: np.random.Generator, amount: float, cells: float) -> np.ndarray:
    """Push the picture about by smooth noise: `amount` in fractions of the height."""
    height, width = image.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    dx, dy = (noise(height, width, rng, cells, 3) - 0.5 for _ in range(2))
    scale = 2 * amount * height
    return cv2.remap(
        image, columns + dx * scale, rows + dy * scale, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )


def _rich(image: np.ndarray, amount: float) -> np.ndarray:
    """Saturation times `amount`."""
    gray = (image @ LUMA)[..., None]
    return np.clip(gray + (image - gray) * amount, 0, 1).astype(np.float32)


def _flow(base: np.ndarray, rng: np.random.Generator, swirl: float, reach: float = 0.02) -> np.ndarray:
    """Angle (HxW, radians) along which a hand would draw: along edges, along a smooth swirl elsewhere."""
    height, width = base.shape[:2]
    gray = _blur(base @ LUMA, 0.004 * height)
    dx, dy = cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1)
    # The doubled angle makes opposite directions equal, so that they can be averaged.
    cos, sin = _blur(dy * dy - dx * dx, reach * height), _blur(-2 * dx * dy, reach * height)
    size = np.hypot(cos, sin)
    trust = size / (size + np.median(size) * 0.7 * swirl + 1e-9)
    potential = _blur(noise(height, width, rng, 2.2, 2), 0.03 * height)
    px, py = cv2.Sobel(potential, cv2.CV_32F, 1, 0), cv2.Sobel(potential, cv2.CV_32F, 0, 1)
    turn = np.arctan2(px, -py) * 2
    cos = trust * cos / (size + 1e-9) + (1 - trust) * np.cos(turn)
    sin = trust * sin / (size + 1e-9) + (1 - trust) * np.sin(turn)
    return 0.5 * np.arctan2(sin, cos)


def _paths(start: np.ndarray, angle: np.ndarray, steps: int, step: float) -> np.ndarray:
    """Lines that follow the angle field from Nx2 starts (x, y): N x steps x 2, without turning back."""
    height, width = angle.shape
    points = [start]
    heading = None
    for _ in range(steps - 1):
        x = np.clip(points[-1][:, 0], 0, width - 1).astype(int)
        y = np.clip(points[-1][:, 1], 0, height - 1).astype(int)
        move = np.stack([np.cos(angle[y, x]), np.sin(angle[y, x])], 1)
        if heading is not None:
            move *= np.where((move * heading).sum(1, keepdims=True) < 0, -1, 1)
            move = 0.5 * move + 0.5 * heading
            move /= np.linalg.norm(move, axis=1, keepdims=True) + 1e-6
        heading = move
        points.append(points[-1] + move * step)
    return np.stack(points, 1)


def _scatter(height: int, width: int, gap: float, rng: np.random.Generator) -> np.ndarray:
    """Jittered grid of points about `gap` pixels apart, in random order, Nx2 (x, y)."""
    x, y = np.meshgrid(np.arange(gap / 2, width, gap), np.arange(gap / 2, height, gap))
    points = np.stack([x.ravel(), y.ravel()], 1) + rng.uniform(-gap / 2, gap / 2, (x.size, 2))
    points = np.clip(points, 0, [width - 1, height - 1])
    return rng.permutation(points)


def _fixed(points: np.ndarray) -> np.ndarray:
    return np.round(points * 16).astype(np.int32).reshape(-1, 1, 2)


def _relief(height_map: np.ndarray, light: float, strength: float) -> np.ndarray:
    """Brightness (HxW, around 0) of a height map lit from the angle `light`."""
    dx, dy = cv2.Sobel(height_map, cv2.CV_32F, 1, 0), cv2.Sobel(height_map, cv2.CV_32F, 0, 1)
    slope = np.cos(light) * dx + np.sin(light) * dy
    return np.tanh(slope * strength)


def oil(base: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Impasto: curved strokes of many bristles in coarse to fine layers, lit from the side."""
    rows, columns = base.shape[:2]
    zoom = 2
    large = cv2.resize(
        _rich(base, rng.uniform(1.1, 1.35)), None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LINEAR
    )
    height, width = large.shape[:2]
    angle = _flow(large, rng, rng.uniform(0.6, 2.5))
    boldness = rng.uniform(0.8, 1.35)
    ground = large.reshape(-1, 3).mean(0) * 0.55
    canvas = np.empty((height, width, 4), np.uint8)  # color and, as the fourth channel, the paint's thickness
    canvas[:] = np.append(ground * 255, 60).astype(np.uint8)
    for fraction, length, threshold in (
        (0.034, 9, 0.0),
        (0.017, 9, 0.0),
        (0.009, 8, 0.05),
        (0.0048, 7, 0.075),
    ):
        radius = fraction * height * boldness
        target = _blur(large, radius * 0.35)
        start = _scatter(height, width, radius * 1.3, rng)
        if threshold:
            gap = _blur(np.abs(canvas[..., :3].astype(np.float32) / 255 - target).sum(2), radius)
            start = start[gap[start[:, 1].astype(int), start[:, 0].astype(int)] > threshold]
        steps = 7
        paths = _paths(start, angle + rng.normal(0, 0.08), steps, radius * length / steps)
        paths -= (paths[:, steps // 2] - start)[:, None]
        tangent = np.gradient(paths, axis=1)
        across = np.stack([-tangent[..., 1], tangent[..., 0]], -1)
        across /= np.linalg.norm(across, axis=-1, keepdims=True) + 1e-6
        bristles = int(np.clip(radius * 0.75, 4, 15))
        thickness = max(1, round(1.9 * radius / bristles))
        colors = target[start[:, 1].astype(int), start[:, 0].astype(int)]
        colors = colors * rng.normal(1, 0.07, (len(start), 1)) + rng.normal(0, 0.028, (len(start), 3))
        taper = np.sin(np.linspace(0.35, np.pi - 0.25, steps)) ** 0.6
        place = np.linspace(-1, 1, bristles)
        for path, side, color in zip(paths, across, colors, strict=True):
            lines = path + side * (place[:, None, None] * (radius * 0.95 * taper)[:, None])
            lines = np.round(lines * 16).astype(np.int32)
            first = (rng.random(bristles) < 0.3 * np.abs(place)).astype(int)
            last = steps - (rng.random(bristles) < 0.4)
            level = 110 + 70 * np.abs(place) + rng.normal(0, 30, bristles)
            second = color * rng.normal(1, 0.12)  # the brush carries two colors
            tints = color + (second - color) * (place[:, None] + 1) / 2 + rng.normal(0, 0.022, (bristles, 3))
            inks = np.clip(np.concatenate([tints * 255, level[:, None]], 1), 0, 255).tolist()
            for line, begin, end, ink in zip(lines, first, last, inks, strict=True):
                cv2.polylines(canvas, [line[begin:end]], False, ink, thickness, cv2.LINE_AA, shift=4)
    color_layer = canvas[..., :3].astype(np.float32) / 255
    thick = _blur(canvas[..., 3].astype(np.float32) / 255, 1.1)
    weave = noise(height, width, rng, height / 6, 1) * 0.08
    shade = _relief(thick + weave, rng.uniform(0.5, 1.1), 0.75 * zoom / (height / 1024) ** 0.2)
    lit = color_layer * (1 + 0.34 * shade[..., None]) + 0.10 * np.clip(shade - 0.35, 0, 1)[..., None]
    return cv2.resize(lit, (columns, rows), interpolation=cv2.INTER_AREA)


def _tone(large: np.ndarray, blur: float) -> np.ndarray:
    """Brightness (HxW, 0..1) evened out half-way, so that neither darks nor lights fill a whole print."""
    gray = _blur(large @ LUMA, blur)
    low, high = np.percentile(gray, [2, 98])
    stretched = np.clip((gray - low) / (high - low + 1e-6), 0, 1)
    levels = np.sort(gray[::8, ::8].ravel())
    ranked = np.searchsorted(levels, gray.ravel()).reshape(gray.shape) / len(levels)
    return (0.4 * stretched + 0.6 * ranked).astype(np.float32)


def _paper(
    height: int, width: int, rng: np.random.Generator, color: np.ndarray, grain: float = 0.05
) -> np.ndarray:
    fiber = noise(height, width, rng, height / 5, 2) - 0.5
    cloudy = noise(height, width, rng, 3, 4) - 0.5
    return np.clip(color * (1 + grain * fiber + 0.5 * grain * cloudy)[..., None], 0, 1).astype(np.float32)


def ink(base: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Ink: hatching that follows the form, thicker and crossed in the darks, over a soft wash."""
    rows, columns = base.shape[:2]
    zoom = 2
    large = cv2.resize(base, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_LINEAR)
    height, width = large.shape[:2]
    tone = _tone(large, 0.003 * height)
    papers = np.array(
        [[0.96, 0.93, 0.85], [0.93, 0.90, 0.82], [0.98, 0.97, 0.94], [0.87, 0.80, 0.66], [0.82, 0.87, 0.88]],
        np.float32,
    )
    inks = np.array(
        [[0.07, 0.08, 0.12], [0.05, 0.10, 0.30], [0.22, 0.10, 0.05], [0.05, 0.19, 0.20], [0.30, 0.05, 0.10]],
        np.float32,
    )
    sheet = papers[int(rng.integers(len(papers)))]
    dark = inks[int(rng.integers(len(inks)))]
    picture = _paper(height, width, rng, sheet, 0.07)
    # Washes: two flat tones whose edges are darker, as a wet brush leaves them; now and then a colored one.
    tint = mix(dark, _rich(large, 1.4), rng.choice([0.0, 0.45, 0.8]))
    for cut, depth in ((0.6, 0.20), (0.34, 0.26), (0.15, 0.26)):
        wet = _warp((tone < cut).astype(np.float32), rng, 0.012, 7)
        soft = _blur(wet, 0.004 * height)
        rim = np.clip(soft - _blur(wet, 0.012 * height), 0, 1)
        load = depth * soft * (0.65 + 0.7 * noise(height, width, rng, 5, 4)) + 0.5 * rim
        picture = picture * (1 - load[..., None] * (1 - tint))
    angle = _flow(large, rng, 1.2)
    lines = np.full((height, width), 255, np.uint8)
    spacing = height * rng.uniform(0.0075, 0.011)
    for turn, cut in ((0.0, 0.68), (np.pi / 2 + rng.normal(0, 0.2), 0.36), (np.pi / 4, 0.2)):
        start = _scatter(height, width, spacing * 2.1, rng)
        steps = 9
        paths = _paths(start, angle + turn, steps, spacing * 0.75)
        for path in paths:
            middle = path[steps // 2].astype(int)
            value = tone[min(max(middle[1], 0), height - 1), min(max(middle[0], 0), width - 1)]
            if value > cut * rng.uniform(0.85, 1.1):
                continue
            weight = 1 + (cut - value) * spacing * 0.5 * zoom / 2
            wobble = path + np.cumsum(rng.normal(0, 0.35, path.shape), 0)
            for k in range(0, steps - 2, 2):  # a pen stroke swells and thins
                swell = max(1, round(float(weight * (0.5 + np.sin(np.pi * (k + 1) / steps)))))
                cv2.polylines(lines, [_fixed(wobble[k : k + 3])], False, (0,), swell, cv2.LINE_AA, shift=4)
    # Contours where the composition's colors meet.
    edge = sum(
        cv2.Sobel(_blur(large[..., k], 0.0022 * height), cv2.CV_32F, d, 1 - d) ** 2
        for k in range(3)
        for d in (0, 1)
    )
    contour = np.clip((np.sqrt(edge) / (height / 1024) - 0.16) * 4, 0, 1) * (
        0.55 + 0.9 * noise(height, width, rng, 12, 3)
    )
    cover = np.clip(np.maximum(1 - lines.astype(np.float32) / 255, _blur(np.clip(contour, 0, 1), 1.0)), 0, 1)
    cover *= 0.88 + 0.12 * noise(height, width, rng, height / 4, 1)
    return cv2.resize(mix(picture, dark, cover * 0.95), (columns, rows), interpolation=cv2.INTER_AREA)


def _cells(height: int, width: int, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Voronoi labels (HxW int, from 0) of the points and each pixel's distance to its cell's border."""
    seeds = np.full((height, width), 255, np.uint8)
    at = points.astype(int)
    seeds[at[:, 1], at[:, 0]] = 0
    _, labels = cv2.distanceTransformWithLabels(seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    border = np.zeros((height, width), np.uint8)
    border[:, 1:] |= (labels[:, 1:] != labels[:, :-1]).astype(np.uint8)
    border[1:] |= (labels[1:] != labels[:-1]).astype(np.uint8)
    return labels - 1, cv2.distanceTransform(1 - border, cv2.DIST_L2, 5)


def _cell_colors(labels: np.ndarray, image: np.ndarray) -> np.ndarray:
    """Mean color of the picture in every cell, Nx3."""
    flat, count = labels.ravel(), int(labels.max()) + 1
    area = np.maximum(np.bincount(flat, minlength=count), 1)
    return np.stack([np.bincount(flat, image[..., k].ravel(), count) / area for k in range(3)], 1).astype(
        np.float32
    )


def stained_glass(base: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Panes of glowing glass between lead lines."""
    rows, columns = base.shape[:2]
    large = cv2.resize(_rich(base, 1.7), None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    height, width = large.shape[:2]
    # Panes follow the drawing: group the colors first, then cut the groups into cells.
    smooth = cv2.pyrMeanShiftFiltering(
        np.round(_blur(base, 0.004 * rows) * 255).astype(np.uint8), 0.02 * rows, 30
    )
    smooth = cv2.resize(smooth, (width, height), interpolation=cv2.INTER_NEAREST)
    levels = cv2.medianBlur((smooth // 52).astype(np.uint8), 5).astype(np.int32)
    region = levels[..., 0] * 36 + levels[..., 1] * 6 + levels[..., 2]
    labels, _ = _cells(height, width, _scatter(height, width, height * rng.uniform(0.045, 0.075), rng))
    joint = labels.astype(np.int64) * 256 + region
    values, joint_labels = np.unique(joint, return_inverse=True)
    joint_labels = joint_labels.reshape(height, width)
    # Slivers are no panes: give pixels of small joint cells to the cell's main color.
    sizes = np.bincount(joint_labels.ravel())
    small = sizes < (height * 0.018) ** 2
    owner = np.zeros(int(labels.max()) + 1, np.int64)
    for index in np.argsort(sizes):
        owner[values[index] // 256] = index
    joint_labels = np.where(small[joint_labels], owner[labels], joint_labels)
    border = np.zeros((height, width), np.uint8)
    border[:, 1:] |= (joint_labels[:, 1:] != joint_labels[:, :-1]).astype(np.uint8)
    border[1:] |= (joint_labels[1:] != joint_labels[:-1]).astype(np.uint8)
    closed = cv2.morphologyEx(border, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    away = _blur(cv2.distanceTransform(1 - closed, cv2.DIST_L2, 5), 1.2)
    colors = _cell_colors(joint_labels, large)
    colors = np.clip(
        colors * rng.normal(1.12, 0.16, (len(colors), 1)) + rng.normal(0, 0.03, colors.shape), 0.02, 1
    )
    pane = colors[joint_labels]
    lead = height * rng.uniform(0.0035, 0.0055)
    streak = _warp(noise(height, width, rng, 9, 4), rng, 0.08, 3)
    seeds = noise(height, width, rng, height / 14, 1)
    glow = 0.72 + 0.34 * np.clip(away / (height * 0.02), 0, 1) + 0.42 * (streak - 0.5) + 0.1 * (seeds - 0.5)
    glow += 0.16 * _relief(streak * 10, 0.8, 0.25)
    pane = np.clip(pane * glow[..., None], 0, 1)
    pane += 0.25 * _blur(np.clip(pane - 0.6, 0, 1), 0.012 * height)
    profile = np.clip(1 - away / (lead * 1.9), 0, 1)
    metal = 0.07 + 0.16 * np.clip(_relief(_blur(profile, 1.0) * 3, -2.2, 0.5), 0, 1)
    metal = metal[..., None] * np.array([0.95, 1.0, 1.1], np.float32)
    cover = np.clip((lead - away) / 1.5 + 0.5, 0, 1)
    return cv2.resize(
        mix(pane, metal, cover).astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA
    )


def mosaic(base: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Small tiles laid in rows that follow the drawing, with grout and a chipped surface."""
    rows, columns = base.shape[:2]
    large = cv2.resize(_rich(base, 1.35), None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    height, width = large.shape[:2]
    angle = _flow(large, rng, 1.0, 0.03)
    side = height * rng.uniform(0.016, 0.026)
    grout = np.array(rng.choice([0.12, 0.2, 0.72]) * np.array([1.0, 0.96, 0.9]), np.float32)
    canvas = np.empty((height, width, 4), np.uint8)
    canvas[:] = np.append(grout * 255, 0).astype(np.uint8)
    taken = np.zeros((height, width), np.uint8)
    fine = _blur(large, side * 0.3)
    # Laid by trial: whole tiles first, then smaller ones in what is left.
    for scale, tries in ((1.0, 5), (0.62, 4), (0.4, 3)):
        for _ in range(tries):
            for x, y in _scatter(height, width, side * scale * 0.8, rng):
                turn = angle[int(y), int(x)]
                along, across = (
                    np.array([np.cos(turn), np.sin(turn)]),
                    np.array([-np.sin(turn), np.cos(turn)]),
                )
                half = side * scale * 0.5
                corner = np.array([[1, 1], [1, -1], [-1, -1], [-1, 1]])
                square = corner[:, :1] * along * half + corner[:, 1:] * across * half
                probe = np.clip(
                    (
                        np.array([x, y])
                        + np.concatenate(
                            [square, square * 0.55, square[[0, 1, 2, 3]] * 0.5 + square[[1, 2, 3, 0]] * 0.5]
                        )
                    ).astype(int),
                    0,
                    [width - 1, height - 1],
                )
                if taken[int(y), int(x)] or taken[probe[:, 1], probe[:, 0]].any():
                    continue
                cv2.fillConvexPoly(taken, _fixed(np.array([x, y]) + square * 1.12), (1,), shift=4)
                tile = square * rng.uniform(0.86, 0.96) + rng.normal(0, half * 0.07, (4, 2))
                color = fine[int(y), int(x)] * rng.normal(1.0, 0.1) + rng.normal(0, 0.03, 3)
                ink_color = (*(float(v) for v in np.clip(color, 0.02, 1) * 255), float(rng.uniform(140, 255)))
                cv2.fillConvexPoly(canvas, _fixed(np.array([x, y]) + tile), ink_color, cv2.LINE_AA, shift=4)
    color_layer = canvas[..., :3].astype(np.float32) / 255
    thick = canvas[..., 3].astype(np.float32) / 255
    shade = _relief(_blur(thick, 1.6), 0.8, 0.5)
    chips = noise(height, width, rng, height / 10, 2) - 0.5
    lit = color_layer * (1 + 0.32 * shade + 0.22 * chips + 0.12 * (thick - 0.7) * (thick > 0))[..., None]
    lit += 0.16 * np.clip(shade, 0, 1)[..., None] * (thick > 0)[..., None]
    return cv2.resize(lit.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)


def watercolor(base: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Transparent washes: pigment gathers at edges, settles in the paper's grain, blooms where wet."""
    rows, columns = base.shape[:2]
    large = cv2.resize(_rich(base, 1.3), None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    height, width = large.shape[:2]
    grain = noise(height, width, rng, height / 7, 2)
    paper = _paper(height, width, rng, np.array([0.985, 0.975, 0.95], np.float32), 0.035)
    density = -np.log(np.clip(large * 0.93 + 0.06, 0.03, 1))  # pigment that gives the color over white
    picture = np.zeros_like(density)
    for blur, bleed, share in ((0.035, 0.045, 0.38), (0.012, 0.022, 0.36), (0.004, 0.010, 0.42)):
        layer = _warp(_blur(density, blur * height), rng, bleed, 6)
        flat = np.round(layer * 3.2) / 3.2  # a wash is flat and ends at a line
        flat = mix(layer, flat, 0.8)
        soft = _blur(flat, 0.0016 * height)
        rim = soft - _blur(flat, 0.010 * height)
        bloom = noise(height, width, rng, 4, 5)
        ring = np.exp(-(((noise(height, width, rng, 3, 4) - 0.55) / 0.02) ** 2)) * 0.22
        amount = 0.62 + 0.75 * bloom + ring
        picture += share * (np.clip(soft, 0, None) * amount[..., None] + 0.9 * np.clip(rim, -0.15, 0.6))
    picture *= (0.80 + 0.42 * grain)[..., None]
    dry = np.clip((noise(height, width, rng, 10, 3) * 0.7 + grain * 0.5 - 0.86) * 9, 0, 1)
    bare = np.clip(
        (_warp(np.abs(large - _blur(large, 0.006 * height)).sum(2), rng, 0.01, 8) - 0.25) * 3, 0, 0.55
    )
    picture *= (1 - np.maximum(dry * 0.55, bare))[..., None]
    margin = np.minimum.reduce(
        [
            *np.mgrid[0:height, 0:width].astype(np.float32),
            *(np.mgrid[0:height, 0:width][k][::-1, ::-1].astype(np.float32) for k in (0, 1)),
        ]
    )
    if rng.random() < 0.5:  # the sheet stays white around the painting
        ragged = margin / height + 0.03 * (noise(height, width, rng, 9, 4) - 0.5)
        picture *= np.clip((ragged - 0.025) / 0.006, 0, 1)[..., None]
    splash = np.zeros((height, width), np.float32)
    for _ in range(int(rng.integers(10, 45))):
        x, y, r = rng.uniform(0, width), rng.uniform(0, height), height * rng.exponential(0.0035) + 1
        cv2.circle(splash, (int(x), int(y)), int(r) + 1, (float(rng.uniform(0.2, 0.6)),), -1, cv2.LINE_AA)
    drop = density.reshape(-1, 3)[rng.integers(density.shape[0] * density.shape[1])]
    picture += _blur(splash, 1.0)[..., None] * drop
    return cv2.resize(
        (paper * np.exp(-np.clip(picture, 0, 4))).astype(np.float32),
        (columns, rows),
        interpolation=cv2.INTER_AREA,
    )


def facets(base: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Triangles in flat and graded colors, finer where the drawing is, like cut paper or a cubist plane."""
    rows, columns = base.shape[:2]
    large = cv2.resize(_rich(base, 1.45), None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    height, width = large.shape[:2]
    gray = large @ LUMA
    edge = np.hypot(cv2.Sobel(_blur(gray, 3), cv2.CV_32F, 1, 0), cv2.Sobel(_blur(gray, 3), cv2.CV_32F, 0, 1))
    chance = edge / (np.percentile(edge, 97) + 1e-6)
    fine = _scatter(height, width, height * rng.uniform(0.022, 0.035), rng)
    fine = fine[chance[fine[:, 1].astype(int), fine[:, 0].astype(int)] > rng.uniform(0.15, 0.6, len(fine))]
    coarse = _scatter(height, width, height * rng.uniform(0.07, 0.12), rng)
    pad = height * 0.2
    plane = cv2.Subdiv2D((int(-pad) - 2, int(-pad) - 2, int(width + 2 * pad) + 4, int(height + 2 * pad) + 4))
    around = [(x, y) for x in np.linspace(-pad, width + pad, 8) for y in (-pad, height + pad)]
    around += [(x, y) for y in np.linspace(-pad, height + pad, 8)[1:-1] for x in (-pad, width + pad)]
    plane.insert([(float(x), float(y)) for x, y in [*around, *fine, *coarse]])
    picture = np.zeros((height, width, 3), np.float32)
    light = rng.uniform(0, 2 * np.pi)
    light_way = np.array([np.cos(light), np.sin(light)])
    graded, seam = rng.uniform(0.0, 0.3), bool(rng.random() < 0.5)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    for triangle in np.array(plane.getTriangleList()).reshape(-1, 3, 2):
        left, top = np.floor(np.clip(triangle.min(0), 0, [width, height])).astype(int)
        right, bottom = np.ceil(np.clip(triangle.max(0) + 1, 0, [width, height])).astype(int)
        if right <= left or bottom <= top:
            continue
        mask = np.zeros((bottom - top, right - left), np.uint8)
        cv2.fillConvexPoly(mask, _fixed(triangle - [left, top]), (255,), cv2.LINE_AA, shift=4)
        inside = mask > 0
        if not inside.any():
            continue
        box = picture[top:bottom, left:right]
        color = np.median(large[top:bottom, left:right][inside], 0) * rng.normal(1.0, 0.07)
        middle = triangle.mean(0)
        ramp = (x[top:bottom, left:right] - middle[0]) * light_way[0] + (
            y[top:bottom, left:right] - middle[1]
        ) * light_way[1]
        ramp = 1 + graded * ramp / (np.ptp(triangle @ light_way) + 1)
        box[:] = mix(box, color * ramp[..., None], mask.astype(np.float32) / 255)
        if seam:
            cv2.polylines(
                picture, [_fixed(triangle)], True, tuple(float(v) for v in color * 0.72), 1, shift=4
            )
    picture *= (1 + 0.06 * (noise(height, width, rng, height / 6, 2) - 0.5))[..., None]
    return cv2.resize(picture.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)


def poster(base: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Screen print: few flat inks with crisp, rounded shapes, a shifted dark plate and worn paint."""
    rows, columns = base.shape[:2]
    large = cv2.resize(_rich(base, 1.5), None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    height, width = large.shape[:2]
    count = int(rng.integers(5, 9))
    sample = _blur(large, 0.003 * height).reshape(-1, 3)
    pick = sample[rng.integers(0, len(sample), 4000)].astype(np.float32)
    cv2.setRNGSeed(int(rng.integers(1 << 30)))
    _, _, inks = cv2.kmeans(
        pick, count, np.zeros((len(pick), 1), np.int32), (3, 25, 0.001), 2, cv2.KMEANS_PP_CENTERS
    )
    shown = _rich(inks[None], 1.25)[0]
    picture = np.zeros_like(large)
    votes = np.stack(
        [
            _blur((np.abs(large - ink_color).sum(2) ** 2).astype(np.float32), 0.0045 * height)
            for ink_color in inks
        ],
        -1,
    )
    order = np.argmin(votes, -1)
    picture = shown[order]
    # Hatching between the two nearest inks softens the larger shapes, as screen printers do.
    ranked = np.sort(votes, -1)
    near = ranked[..., 0] / (ranked[..., 1] + 1e-6)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    slope = rng.uniform(0, np.pi)
    stripes = (
        np.sin((x * np.cos(slope) + y * np.sin(slope)) * 2 * np.pi / (height * rng.uniform(0.010, 0.018)))
        > 0.1
    )
    second = np.argsort(votes, -1)[..., 1]
    picture = mix(picture, shown[second], ((near > rng.uniform(0.55, 0.75)) & stripes).astype(np.float32))
    edge = np.zeros((height, width), np.uint8)
    edge[:, 1:] |= (order[:, 1:] != order[:, :-1]).astype(np.uint8)
    edge[1:] |= (order[1:] != order[:-1]).astype(np.uint8)
    if rng.random() < 0.6:
        thick = max(2, round(height * rng.uniform(0.0025, 0.005)))
        line = cv2.dilate(edge, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (thick, thick)))
        shift = np.array([[1, 0, rng.normal(0, 3)], [0, 1, rng.normal(0, 3)]], np.float32)
        line_layer = cv2.warpAffine(_blur(line.astype(np.float32), 0.8), shift, (width, height))
        picture = mix(picture, shown[int(np.argmin(shown.sum(1)))] * 0.6, np.clip(line_layer, 0, 1))
    worn = np.clip(
        (noise(height, width, rng, height / 8, 2) * noise(height, width, rng, 6, 3) - 0.5) * 5, 0, 1
    )
    picture = mix(picture, np.array([0.95, 0.92, 0.85], np.float32), worn * 0.7)
    picture = picture * (1 + 0.05 * (noise(height, width, rng, height / 5, 1) - 0.5))[..., None]
    return cv2.resize(picture.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)


def halftone(base: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Comic print: dots of cyan, magenta, yellow, black on four turned screens, a little out of register."""
    rows, columns = base.shape[:2]
    large = cv2.resize(_rich(base, 1.4), None, fx=3, fy=3, interpolation=cv2.INTER_LINEAR)
    height, width = large.shape[:2]
    large = np.clip((large - 0.5) * 1.15 + 0.55, 0, 1)
    black = np.clip(1 - large.max(2), 0, 1) ** 1.4
    plates = [
        *np.moveaxis(np.clip((1 - large - black[..., None]) / (1 - black[..., None] + 1e-3), 0, 1), 2, 0),
        black,
    ]
    inks = np.array(
        [[0.0, 0.62, 0.88], [0.90, 0.06, 0.50], [1.0, 0.88, 0.05], [0.09, 0.08, 0.10]], np.float32
    )
    if rng.random() < 0.35:  # an odd set of inks now and then
        inks[:3] = np.clip(inks[:3] + rng.normal(0, 0.12, (3, 3)), 0, 1)
    picture = _paper(height, width, rng, np.array([0.97, 0.94, 0.87], np.float32), 0.05)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    pitch = height * rng.uniform(0.011, 0.019)
    for plate, ink_color, degrees in zip(plates, inks, (15, 75, 0, 45), strict=True):
        turn = np.radians(degrees + rng.normal(0, 2))
        dx, dy = rng.normal(0, pitch * 0.12, 2)
        u = ((x + dx) * np.cos(turn) + (y + dy) * np.sin(turn)) / pitch
        v = (-(x + dx) * np.sin(turn) + (y + dy) * np.cos(turn)) / pitch
        cu, cv = np.floor(u) + 0.5, np.floor(v) + 0.5
        px, py = (
            (cu * np.cos(turn) - cv * np.sin(turn)) * pitch,
            (cu * np.sin(turn) + cv * np.cos(turn)) * pitch,
        )
        amount = cv2.remap(
            _blur(plate, pitch * 0.35),
            (px - dx).astype(np.float32),
            (py - dy).astype(np.float32),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        radius = np.sqrt(np.clip(amount, 0, 1) / np.pi) * 1.22
        away = np.hypot(u - cu, v - cv)
        dot = np.clip((radius - away) * pitch / 2 + 0.5, 0, 1) * (radius > 0.06)
        dot *= 0.9 + 0.1 * noise(height, width, rng, height / 9, 1)
        picture = picture * (1 - dot[..., None] * (1 - ink_color))
    gray = _blur(large @ LUMA, 0.004 * height)
    edge = np.hypot(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1)) * height / 1536
    line = _blur((edge > 0.085).astype(np.float32), 1.5)
    picture = mix(picture, inks[3], np.clip(line * 1.3, 0, 1) * 0.9)
    return cv2.resize(picture.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)


def pointillism(base: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Dabs of pure, slightly wrong colors that mix in the eye."""
    rows, columns = base.shape[:2]
    large = cv2.resize(_rich(base, 1.4), None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    height, width = large.shape[:2]
    canvas = np.empty((height, width, 4), np.uint8)
    canvas[:] = np.append(np.array([0.93, 0.88, 0.76]) * 235, 40).astype(np.uint8)
    angle = _flow(large, rng, 1.5)
    size = height * rng.uniform(0.008, 0.0125)
    for scale, blur in ((1.8, 1.5), (1.1, 0.8), (0.85, 0.4), (0.6, 0.2)):
        fine = _blur(large, size * blur)
        for x, y in _scatter(height, width, size * scale * 1.25, rng):
            color = fine[int(y), int(x)]
            gray = float(color @ LUMA)
            jump = rng.normal(0, 0.15, 3)
            if rng.random() < 0.18:  # a touch of the complement
                color = np.clip(2 * gray - color, 0, 1) * 0.6 + color * 0.4
            color = np.clip(gray + (color - gray) * 1.35 + jump - jump @ LUMA, 0, 1)
            turn = np.degrees(angle[int(y), int(x)]) + rng.normal(0, 12)
            long, short = size * scale * rng.uniform(0.6, 0.95), size * scale * rng.uniform(0.38, 0.55)
            ink_color = (*(float(v) for v in color * 255), float(rng.uniform(110, 255)))
            center = (int(x * 16), int(y * 16))
            cv2.ellipse(
                canvas,
                center,
                (int(long * 16), int(short * 16)),
                turn,
                0,
                360,
                ink_color,
                -1,
                cv2.LINE_AA,
                shift=4,
            )
    thick = _blur(canvas[..., 3].astype(np.float32) / 255, 1.0)
    shade = _relief(thick, 0.8, 0.7)
    lit = canvas[..., :3].astype(np.float32) / 255 * (1 + 0.16 * shade[..., None])
    return cv2.resize(lit, (columns, rows), interpolation=cv2.INTER_AREA)


def woodcut(base: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Colored woodblock print: flat graded inks, carved lines that swell with the tone, visible grain."""
    rows, columns = base.shape[:2]
    large = cv2.resize(_rich(base, 1.15), None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    height, width = large.shape[:2]
    tone = _tone(large, 0.004 * height)
    # Noise averaged along the flow gives furrows that follow the form.
    angle = _flow(large, rng, 1.4, 0.03)
    furrow = noise(height, width, rng, rng.uniform(70, 100), 1)
    dx, dy = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    total = furrow.copy()
    for way in (1, -1):
        px, py, hx, hy = x.copy(), y.copy(), dx * way, dy * way
        for _ in range(14):
            px, py = px + hx * 0.0028 * height, py + hy * 0.0028 * height
            total += cv2.remap(furrow, px, py, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
            nx = cv2.remap(dx, px, py, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101)
            ny = cv2.remap(dy, px, py, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101)
            sign = np.where(nx * hx + ny * hy < 0, -1, 1).astype(np.float32)
            hx, hy = nx * sign, ny * sign
    lines = total - _blur(total, 0.02 * height)
    lines /= lines.std() + 1e-6
    carved = np.clip((lines - (tone - 0.22) * 3.4) * 2.2, 0, 1)
    steps = 4
    flat = np.round(_blur(large, 0.004 * height) * steps) / steps
    block = mix(flat, large, 0.45)
    grain = cv2.resize(noise(height, width, rng, 60, 2), (width, height * 6))[:height]
    grain = cv2.GaussianBlur(grain, (0, 0), 0.02 * height, sigmaY=0.8)
    grain = (grain - grain.mean()) / (grain.std() + 1e-6)
    paper = _paper(height, width, rng, np.array([0.96, 0.92, 0.83], np.float32), 0.06)
    picture = paper * (1 - 0.92 * (1 - block) * (0.95 + 0.05 * grain)[..., None])
    dark = np.array([[0.08, 0.11, 0.25], [0.10, 0.09, 0.09], [0.20, 0.08, 0.07]], np.float32)[
        int(rng.integers(3))
    ]
    cover = carved * np.clip(0.94 + 0.05 * grain, 0, 1)
    return cv2.resize(
        mix(picture, dark, cover).astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA
    )


PAINTERS: dict[str, Painter] = {
    "oil": oil,
    "ink": ink,
    "stained_glass": stained_glass,
    "mosaic": mosaic,
    "watercolor": watercolor,
    "facets": facets,
    "poster": poster,
    "halftone": halftone,
    "pointillism": pointillism,
    "woodcut": woodcut,
}


def paint(name: str, height: int, width: int, seed: int, composition: str | None = None) -> np.ndarray:
    """A style picture, HxWx3 float32 sRGB 0..1.

    name: one of PAINTERS. height, width: at least 64. seed: decides everything else. composition: one of
    `compositions.COMPOSITIONS`, or None for the seed to choose. Raises ValueError for an unknown name.
    """
    if name not in PAINTERS:
        raise ValueError(f"There is no painter '{name}'; choose one of {', '.join(PAINTERS)}.")
    rng = np.random.default_rng([seed, list(PAINTERS).index(name)])
    base = compose(height, width, rng, composition)
    return np.clip(PAINTERS[name](base, rng), 0, 1).astype(np.float32)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure a method on pictures that training never saw: style, gram and content distance, SSIM (docs/measures.md).

    python -m training.measure_stills --content DIR --style DIR [--weights FILE] [--json FILE] [--sheet FILE]

Takes the held-out tenth of each folder (training/data.py), evenly spread: 7 photos in 6 styles, at 512 pixels.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import cv2
import numpy as np
import torch

import styletx_core
from styletx_core.perceptual import losses
from styletx_core.perceptual.pictures import list_pictures, read_picture
from styletx_core.perceptual.vgg import ALL_LAYERS, VGG19
from training.data import to_tensor

PHOTOS, STYLES, SIDE = 7, 6, 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--content", type=Path, action="append", required=True)
    parser.add_argument("--style", type=Path, action="append", required=True)
    parser.add_argument("--method", default="adain_reconet")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path, help="picture of all results")
    args = parser.parse_args()
    method, vgg = styletx_core.load(args.method, weights=args.weights), VGG19("relu5_1")
    photos = [_read(p) for p in _spread(list_pictures(args.content, held_out=True), PHOTOS)]
    styles = [_read(p) for p in _spread(list_pictures(args.style, held_out=True), STYLES)]
    rows, found = [np.hstack([_cell(np.ones_like(photos[0])), *map(_cell, photos)])], []
    for style in styles:
        method.set_style(style)
        results = [method.stylize(photo) for photo in photos]
        found += [measure(out, photo, style, vgg) for out, photo in zip(results, photos, strict=True)]
        rows.append(np.hstack([_cell(style), *map(_cell, results)]))
    mean = {name: float(np.mean([f[name] for f in found])) for name in found[0]}
    print(f"{len(found)} pairs  " + "  ".join(f"{name} {value:.3f}" for name, value in mean.items()))
    if args.json:
        args.json.write_text(json.dumps({"pairs": len(found), **mean}, indent=1))
    if args.sheet:
        cv2.imwrite(str(args.sheet), (np.vstack(rows)[..., ::-1] * 255 + 0.5).astype(np.uint8))


@torch.no_grad()
def measure(out: np.ndarray, photo: np.ndarray, style: np.ndarray, vgg: VGG19) -> dict[str, float]:
    """Distances of a result to its photo and its style, HxWx3 float32 in 0..1 each."""
    features, wanted = vgg(to_tensor(out), ALL_LAYERS), vgg(to_tensor(style), ALL_LAYERS)
    pairs = [(losses.statistics(features[name]), losses.statistics(wanted[name])) for name in ALL_LAYERS]
    content = vgg(to_tensor(photo), ("relu4_1",))["relu4_1"]
    return {
        "style": float(np.mean([losses.style_distance(*pair) for pair in pairs])),
        "gram": float(np.mean([losses.gram_distance(*pair) for pair in pairs])),
        "content": float(losses.content_distance(features["relu4_1"], content)),
        "ssim": ssim(cv2.cvtColor(out, cv2.COLOR_RGB2GRAY), cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)),
    }


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Structural similarity of two gray pictures in 0..1 (Wang et al. 2004: 11x11 Gaussian, sigma 1.5)."""

    def blur(picture: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(picture.astype(np.float64), (11, 11), 1.5)[5:-5, 5:-5]

    mean_a, mean_b = blur(a), blur(b)
    var_a, var_b, both = blur(a * a) - mean_a**2, blur(b * b) - mean_b**2, blur(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    top, bottom = (2 * mean_a * mean_b + c1) * (2 * both + c2), (mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)
    return float((top / bottom).mean())


def _spread(files: list[Path], count: int) -> list[Path]:
    if len(files) < count:
        raise SystemExit(f"Only {len(files)} pictures are held out; {count} are needed: give larger folders.")
    return [files[round(i)] for i in np.linspace(0, len(files) - 1, count)]


def _read(path: Path) -> np.ndarray:
    return read_picture(path, SIDE).astype(np.float32) / 255


def _cell(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (240, 180), interpolation=cv2.INTER_AREA)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Does each slider of a style's components do what it says? Measured over photos and styles; pictures of it.

    python benchmarks/components.py --content PHOTOS --style PAINTINGS --photos 3 --styles 4
    python benchmarks/components.py --method gatys --size 128 --option steps=60 --content ... --style ...
    python benchmarks/components.py --sheet docs/images/components.jpg --content photo.jpg --style oil.png
    python benchmarks/components.py --depth --content PHOTOS --style PAINTINGS    # which layer carries what

One slider is moved at a time. Columns: how far the result is from the photo in each scale of its luminance and in the
statistics of its chroma (mean and standard deviations), how far its luminance grams are from the style's, and for
gatys, whose sliders are layers, how far the luminance grams of each slider's layers have gone from the photo's toward
the style's; all over the same figure with every slider at 1, mean of all pairs.
monotone: the share of pairs in which the slider's own figure goes its way at every step. Ends with 1 where a slider
is monotone in fewer than nine pairs of ten, or color moves the luminance grams by more than a tenth.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

import styletx_core
from styletx_core.analyze.measures import Grams, flat, gram
from styletx_core.analyze.pictures import gather, gray
from styletx_core.errors import InputError, StyleTXError
from styletx_core.files import atomic_path
from styletx_core.methods.adain_reconet import AdaINReCoNet
from styletx_core.methods.adain_reconet_net import REDUCTION, Layers
from styletx_core.methods.adain_reconet_net import run as run_network
from styletx_core.methods.components import SCALES, bands
from styletx_core.perceptual.vgg import ALL_LAYERS
from styletx_core.registry import COMPONENTS, method_info
from styletx_core.spread import spread

AMOUNTS = (0.0, 0.5, 1.0, 1.5)
LAYERS = {"texture": ALL_LAYERS[:2], "stroke": ALL_LAYERS[2:3], "form": ALL_LAYERS[3:]}  # those of gatys
LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
CROP, GAP = 0.72, 6  # share of the pictures that is shown, in pixels of their own

Values = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--method", default="adain_reconet")
    add("--option", action="append", default=[], metavar="NAME=VALUE")
    add("--content", action="append", required=True, metavar="PICTURE|DIR")
    add("--style", action="append", required=True, metavar="PICTURE|DIR")
    add("--photos", type=int, default=3)
    add("--styles", type=int, default=4)
    add("--size", type=int, default=256, help="pixels of the pictures' shorter side")
    add("--depth", action="store_true", help="give layers of adain_reconet the photo's own code, one after the other")
    add("--json", type=Path)
    add("--sheet", type=Path, help="a picture of the first pair: a row a slider, a column an amount")
    try:
        sys.exit(run(parser.parse_args()))
    except StyleTXError as error:
        print(error, file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)


def run(args: argparse.Namespace) -> int:
    if args.depth:
        photos, styles = _read(args.content, args.photos, args.size), _read(args.style, args.styles, args.size)
        print(depth([(photo, style) for style in styles for photo in photos]))
        return 0
    info = method_info(args.method)
    known = {option.name: option for option in info.options}
    if any(not known[name].component for name in COMPONENTS if name in known) or not set(COMPONENTS) <= set(known):
        raise InputError(f"The method '{args.method}' has no components; choose one with sliders.")
    options = {}
    for text in args.option:
        name, _, value = text.partition("=")
        if name not in known:
            raise InputError(f"The method '{args.method}' has no option '{name}'; see 'styletx methods'.")
        options[name] = known[name].read(value)
    photos, styles = _read(args.content, args.photos, args.size), _read(args.style, args.styles, args.size)
    eye = Grams("auto")
    pairs: list[dict[str, list[Values]]] = []
    rows: list[list[np.ndarray]] = []
    for style in styles:
        for photo in photos:
            results = paint(args.method, options, photo, style)
            pairs.append(figures(results, photo, style, eye))
            rows = rows or _rows(results)
            print(f"{len(pairs)} of {len(photos) * len(styles)} pairs", file=sys.stderr, flush=True)
    found = summary(pairs, args.method)
    print(table(found))
    if args.json:
        with atomic_path(args.json) as aside:
            aside.write_text(
                json.dumps({"method": args.method, "size": args.size, "pairs": len(pairs), **found}), "utf-8"
            )
    if args.sheet:
        with atomic_path(args.sheet) as aside:
            cv2.imwrite(str(aside), sheet(rows), [cv2.IMWRITE_JPEG_QUALITY, 74])
    steady = max(abs(found["color"][f"{amount:g}"]["luminance_gram"] - 1) for amount in AMOUNTS)
    return int(min(found[name]["monotone"] for name in COMPONENTS) < 0.9 or steady > 0.1)


def paint(method: str, options: dict[str, Any], photo: np.ndarray, style: np.ndarray) -> dict[str, list[np.ndarray]]:
    """By slider: the results at each amount, the others at 1."""
    found: dict[tuple[str, float], np.ndarray] = {}
    for name in COMPONENTS:
        for amount in AMOUNTS:
            key = ("", 1.0) if amount == 1 else (name, amount)
            if key not in found:
                values: dict[str, Any] = {**options, name: amount}
                model = styletx_core.load(method, **values)
                model.set_style(style)
                found[key] = model.stylize(photo)
    return {name: [found["", 1.0] if amount == 1 else found[name, amount] for amount in AMOUNTS]
            for name in COMPONENTS}  # fmt: skip


def figures(
    results: dict[str, list[np.ndarray]], photo: np.ndarray, style: np.ndarray, eye: Grams
) -> dict[str, list[Values]]:
    from_photo, to_style = _grams(eye, gray(photo)), _grams(eye, gray(style))
    return {name: [_figures(result, photo, from_photo, to_style, eye) for result in row]
            for name, row in results.items()}  # fmt: skip


def _figures(
    result: np.ndarray, photo: np.ndarray, start: dict[str, Any], wanted: dict[str, Any], eye: Grams
) -> Values:
    parts = zip(SCALES, bands(result @ LUMA), bands(photo @ LUMA), strict=True)
    values = {scale: float(np.sqrt(np.square(a - b).mean())) for scale, a, b in parts}
    values["chroma"] = float(np.linalg.norm(_chroma(result) - _chroma(photo)))
    own = _grams(eye, gray(result))
    away = {name: float((own[name] - g).square().sum() / g.square().sum()) for name, g in wanted.items()}
    values["luminance_gram"] = float(np.mean(list(away.values())))
    way = {name: float(((own[name] - start[name]) * (g - start[name])).sum() / (g - start[name]).square().sum())
           for name, g in wanted.items()}  # fmt: skip
    return values | {f"{name}_layers": float(np.mean([way[layer] for layer in of])) for name, of in LAYERS.items()}


def _chroma(picture: np.ndarray) -> np.ndarray:
    """Mean and standard deviations of red and blue less luma."""
    chroma = (picture - (picture @ LUMA)[..., None])[..., ::2].reshape(-1, 2)
    return np.concatenate((chroma.mean(0), chroma.std(0)))


def _grams(eye: Grams, picture: np.ndarray) -> dict[str, Any]:
    return {name: gram(flat(found)) for name, found in eye.features(picture).items()}


def depth(pairs: list[tuple[np.ndarray, np.ndarray]]) -> str:
    """By layer: how much of the picture's change from the photo's own style to the other's goes when this layer keeps
    the photo's own code, in each scale of luminance and in chroma (mean squares, the median of the pairs)."""
    model = styletx_core.load("adain_reconet", "cpu", "float32")
    assert isinstance(model, AdaINReCoNet)
    found: dict[str, list[np.ndarray]] = {name: [] for name in Layers._fields}
    with torch.inference_mode():
        for photo, style in pairs:
            x, own, other = (torch.from_numpy(p).permute(2, 0, 1)[None] for p in (_even(photo), photo, style))
            mine, theirs = (model._network.assemble(model._network.style(p)) for p in (own, other))
            full, none = (_parts(run_network(x, layers)[0]) for layers in (theirs, mine))
            whole = np.array([np.square(a - b).mean() for a, b in zip(full, none, strict=True)])
            for name, values in found.items():
                parts = _parts(run_network(x, theirs._replace(**{name: getattr(mine, name)}))[0])
                values.append(np.array([np.square(a - b).mean() for a, b in zip(full, parts, strict=True)]) / whole)
    lines = [["layer", *SCALES, "chroma"], ["---"] * 5]
    lines += [[name, *(f"{value:.2f}" for value in np.median(values, 0))] for name, values in found.items()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _even(picture: np.ndarray) -> np.ndarray:
    """Cut to multiples of what the network needs."""
    height, width = (side - side % REDUCTION for side in picture.shape[:2])
    return np.ascontiguousarray(picture[:height, :width])


def _parts(out: torch.Tensor) -> list[np.ndarray]:
    picture = np.ascontiguousarray(out[0].permute(1, 2, 0).numpy())
    y = picture @ LUMA
    return [*bands(y), picture - y[..., None]]


def summary(pairs: list[dict[str, list[Values]]], method: str) -> dict[str, Any]:
    """By slider and amount the means over the pairs, each over the figure at 1; and the share of monotone pairs."""
    found: dict[str, Any] = {}
    at_one = AMOUNTS.index(1.0)
    columns = [key for key in pairs[0]["color"][0] if method == "gatys" or not key.endswith("_layers")]
    for name in COMPONENTS:
        means = {
            f"{amount:g}": {key: float(np.mean([p[name][i][key] / max(p[name][at_one][key], 1e-9) for p in pairs]))
                            for key in columns}
            for i, amount in enumerate(AMOUNTS)
        }  # fmt: skip
        by_layers = method == "gatys" and name in LAYERS
        key = f"{name}_layers" if by_layers else "chroma" if name == "color" else name
        rising = [all(b[key] > a[key] for a, b in zip(p[name], p[name][1:], strict=False)) for p in pairs]
        found[name] = {**means, "own": key, "monotone": float(np.mean(rising))}
    return found


def table(found: dict[str, Any]) -> str:
    keys = list(found["color"]["1"])
    lines = [["slider", "at", *(key.replace("_", " ") for key in keys), "monotone"], ["---"] * (len(keys) + 3)]
    for name in COMPONENTS:
        for amount in AMOUNTS:
            values = found[name][f"{amount:g}"]
            cells = [f"**{values[key]:.2f}**" if key == found[name]["own"] else f"{values[key]:.2f}" for key in keys]
            last = f"{found[name]['monotone']:.0%}" if amount == AMOUNTS[-1] else ""
            lines.append([name, f"{amount:g}", *cells, last])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _read(given: list[str], count: int, size: int) -> list[np.ndarray]:
    paths = [item.path for text in given for item in gather(text, "")]
    pictures = []
    for path in spread(paths, count):
        picture = cv2.imread(str(path))
        if picture is None:
            raise InputError(f"{path} cannot be read as a picture; remove it or save it again.")
        scale = size / min(picture.shape[:2])
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        pictures.append(np.ascontiguousarray(picture[..., ::-1]).astype(np.float32) / 255)
    return pictures


def _rows(results: dict[str, list[np.ndarray]]) -> list[list[np.ndarray]]:
    return [[np.clip(picture[..., ::-1] * 255 + 0.5, 0, 255).astype(np.uint8) for picture in row]
            for row in results.values()]  # fmt: skip


def sheet(rows: list[list[np.ndarray]]) -> np.ndarray:
    """A row a slider with its name, a column an amount; the middle of each picture."""
    rows = [[_middle(picture) for picture in row] for row in rows]
    height, width = rows[0][0].shape[:2]
    left, top = 80, 26
    out = np.full((top + len(rows) * (height + GAP), left + len(AMOUNTS) * (width + GAP), 3), 255, np.uint8)
    font, ink = cv2.FONT_HERSHEY_SIMPLEX, (60, 60, 60)
    for r, (name, row) in enumerate(zip(COMPONENTS, rows, strict=True)):
        y = top + r * (height + GAP)
        cv2.putText(out, name, (8, y + height // 2), font, 0.55, ink, 1, cv2.LINE_AA)
        for c, (amount, picture) in enumerate(zip(AMOUNTS, row, strict=True)):
            x = left + c * (width + GAP)
            out[y : y + height, x : x + width] = picture
            if r == 0:
                cv2.putText(out, f"{amount:g}", (x + width // 2 - 8, 18), font, 0.5, ink, 1, cv2.LINE_AA)
    return out


def _middle(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    high, wide = round(CROP * height), min(width, round(CROP * height * 4 / 3))
    y, x = (height - high) // 2, (width - wide) // 2
    return picture[y : y + high, x : x + wide]


if __name__ == "__main__":
    main()

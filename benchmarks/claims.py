# SPDX-License-Identifier: GPL-3.0-or-later
"""What the papers claim of their methods, measured on the weights that ship: prints a table of each claim.

    python -m benchmarks.claims --content PHOTOS --style PAINTINGS --shot build/shots/measured

--content and --style: folders, of which only the tenth is taken that no training sees. The styles of the methods that
know theirs by name are painted by `training.paint_styles`, as for their trainings. --weights JOHNSON-OIL=FILE takes
other weights. Needs VGG-19: pip install 'styletx-core[training]'.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from styletx_core.errors import InputError, StyleTXError
from styletx_core.evaluate.distances import Eye, distances
from styletx_core.evaluate.shots import ShotEvaluation, evaluate_method
from styletx_core.evaluate.stills import Painter, evaluate_stills
from styletx_core.job import Settings
from styletx_core.methods.base import Method
from styletx_core.methods.frames import to_tensor
from styletx_core.methods.gatys_descent import LBFGS
from styletx_core.perceptual import losses
from styletx_core.perceptual.pictures import list_pictures, read_picture
from styletx_core.perceptual.vgg import STYLE_LAYERS, VGG19
from styletx_core.registry import WEIGHTS_DIRECTORY, load
from styletx_core.spread import spread
from training import train_johnson
from training.photos import perceptual
from training.train_shipped import paint_all

STEPS = 50  # of Gatys
PHOTOS, SIDE = 10, 256  # pixels of the photos' longer side
STEADY = ("johnson-oil", "reconet-oil")
SHARED = "oil"  # the style that johnson, reconet and dumoulin have in common


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--content", type=Path, action="append", required=True)
    parser.add_argument("--style", type=Path, action="append", required=True)
    parser.add_argument("--shot", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=24, help="of the shot, its first (default: %(default)s)")
    parser.add_argument("--weights", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--only", choices=("gatys", "steady", "shared", "adain"), action="append")
    args = parser.parse_args()
    try:
        run(args)
    except StyleTXError as error:
        print(error, file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)


def run(args: argparse.Namespace) -> None:
    given = dict(text.split("=", 1) for text in args.weights)
    weights = {file.stem: str(file) for file in WEIGHTS_DIRECTORY.glob("*.safetensors")} | given
    photos = list_pictures(args.content, True)
    wanted = args.only or ("gatys", "steady", "shared", "adain")
    with tempfile.TemporaryDirectory() as folder:
        style = paint_all(Path(folder), [SHARED])[SHARED]
        eye = Eye("cpu")
        if "gatys" in wanted:
            against_gatys({name: weights[name] for name in STEADY if name in weights}, photos, style, eye)
        if "steady" in wanted:
            steady({name: weights[name] for name in STEADY}, args, style, eye)
        if "shared" in wanted:
            shared({name: weights[name] for name in ("johnson-oil", "dumoulin")}, photos, style, eye)
        if "adain" in wanted:
            stills("adain", weights["adain"], photos, list_pictures(args.style, True), eye)


def opened(name: str, file: str) -> Method:
    return load(name.partition("-")[0], "cpu", weights=file)


def against_gatys(weights: dict[str, str], photos: list[Path], style: Path, eye: Eye) -> None:
    """Johnson et al. 2016, section 4.1: as low a loss as optimization reaches in 50 to 100 steps.

    By the measures of the shots and stills, gatys with its own weights; and by the very loss that the networks learned,
    from which a picture begins in noise and goes down by the same L-BFGS: the step at which it has come as low.
    """
    gatys = load("gatys", "cpu", steps=STEPS, tolerance=0)
    picture = read_picture(style, 384).astype(np.float32) / 255
    gatys.set_style(picture)
    wanted, own = eye.see(picture), OwnLoss(picture)
    values: dict[str, list[list[float]]] = {"gatys": [], **{name: [] for name in weights}}
    steps: dict[str, list[int]] = {name: [] for name in weights}
    painters = {"gatys": gatys}
    for name, file in weights.items():
        painters[name] = opened(name, file)
        painters[name].set_style(SHARED)
    for path in spread(photos, PHOTOS):
        photo = read_picture(path, SIDE).astype(np.float32) / 255
        results = {name: painter.stylize(photo) for name, painter in painters.items()}
        seen = eye.see(photo)
        for name, result in results.items():
            found = distances(eye.see(result), seen, wanted)
            values[name].append([found["style"], found["content"], found["style"] + found["content"]])
        content = own.content(photo)
        way = own.descend(content, photo.shape)
        for name in weights:
            reached = own(results[name], content)
            steps[name].append(next((step for step, loss in enumerate(way, 1) if loss <= reached), len(way)))
        print(f"{path.stem}: {', '.join(f'{name} {values[name][-1][2]:.3f}' for name in values)}", file=sys.stderr)
    means = {name: np.mean(found, 0) for name, found in values.items()}
    print(f"\n| {PHOTOS} unseen photos at {SIDE} px, style {SHARED} | style | content | sum | sum, to gatys "
          f"| as low as L-BFGS on its own loss after |\n|---|---|---|---|---|---|")  # fmt: skip
    for name, (style_distance, content, total) in means.items():
        after = f"{np.mean(steps[name]):.0f} steps" if name in steps else ""
        print(f"| {name}{f', {STEPS} steps' if name == 'gatys' else ''} | {style_distance:.3f} | {content:.3f} | "
              f"{total:.3f} | {total / means['gatys'][2]:.2f} | {after} |")  # fmt: skip


class OwnLoss:
    """The loss that johnson learns, and reconet beside its temporal terms."""

    weights = {name: train_johnson.parser.get_default(f"w_{name}") for name in ("content", "gram", "style", "tv")}

    def __init__(self, style: np.ndarray) -> None:
        self.vgg = VGG19("relu4_1")
        with torch.no_grad():
            features = self.vgg(_tensor(style), STYLE_LAYERS)
        self.targets = [losses.statistics(features[name]) for name in STYLE_LAYERS]

    @torch.no_grad()
    def __call__(self, picture: np.ndarray, content: Tensor) -> float:
        return float(self.of(_tensor(picture), content))

    @torch.no_grad()
    def content(self, photo: np.ndarray) -> Tensor:
        return self.vgg(_tensor(photo), STYLE_LAYERS)["relu4_1"]

    def of(self, x: Tensor, content: Tensor) -> Tensor:
        terms = perceptual(self.vgg, x, content, self.targets)
        return torch.stack([self.weights[name] * value for name, value in terms.items()]).sum()

    def descend(self, content: Tensor, shape: tuple[int, ...]) -> list[float]:
        """The lowest loss after each of STEPS steps, from noise of the photo's shape."""
        noise = np.random.default_rng(0).normal(0.5, 0.15, shape).clip(0, 1)
        x, way, lowest = _tensor(noise.astype(np.float32)), LBFGS(), list[float]()
        for _ in range(STEPS):
            x = x.detach().requires_grad_()
            loss = self.of(x, content)
            (slope,) = torch.autograd.grad(loss, x)
            value = float(loss.detach())
            lowest.append(min(value, lowest[-1] if lowest else value))
            x = way.step(x.detach(), value, slope)
        return lowest


def steady(weights: dict[str, str], args: argparse.Namespace, style: Path, eye: Eye) -> None:
    """Gao et al. 2018: steadier than the network of single pictures, in the same style."""
    found = {}
    for name, file in weights.items():
        shot = ShotEvaluation(args.shot, (1, args.frames), eye, _say)
        evaluate_method(shot, Settings(method=name.partition("-")[0], device="cpu", weights=file), style, [], None)
        found[name] = shot.styles[style.stem]["alone"]
    johnson, reconet = (found[name] for name in STEADY)
    print(f"\n| {args.frames} frames, each alone | temporal error | style | content |\n|---|---|---|---|")
    for name, values in found.items():
        print(f"| {name} | {values['error']:.4f} | {values['style']:.3f} | {values['content']:.3f} |")
    print(f"| reconet to johnson | {_ratio(reconet, johnson, 'error')} | {_ratio(reconet, johnson, 'style')} "
          f"| {_ratio(reconet, johnson, 'content')} |")  # fmt: skip


def shared(weights: dict[str, str], photos: list[Path], style: Path, eye: Eye) -> None:
    """Dumoulin et al. 2016: one network of many styles is as good in each as a network of its own."""
    found = {name: mean(Painter(opened(name, file)), spread(photos, PHOTOS), [style], eye)
             for name, file in weights.items()}  # fmt: skip
    print(f"\n| {PHOTOS} unseen photos at 512 px, style {SHARED} | style | content |\n|---|---|---|")
    for name, values in found.items():
        print(f"| {name} | {values['style']:.3f} | {values['content']:.3f} |")
    johnson, dumoulin = found.values()
    print(f"| dumoulin to johnson | {_ratio(dumoulin, johnson, 'style')} | {_ratio(dumoulin, johnson, 'content')} |")


def stills(name: str, file: str, photos: list[Path], styles: list[Path], eye: Eye) -> None:
    """Huang and Belongie 2017, by our measures."""
    photos, styles = spread(photos, 7), spread(styles, 6)
    values = mean(Painter(opened(name, file)), photos, styles, eye)
    print(f"\n| {len(photos) * len(styles)} unseen pairs | style | gram | content | SSIM |\n|---|---|---|---|---|")
    print(f"| {name} | {values['style']:.3f} | {values['gram']:.3f} | {values['content']:.3f} | {values['ssim']:.3f} |")


def mean(painter: Painter, photos: list[Path], styles: list[Path], eye: Eye) -> dict[str, float]:
    pairs = evaluate_stills(painter, photos, styles, eye, False, _say).pairs
    return {key: float(np.mean([values[key] for *_, values in pairs])) for key in ("style", "gram", "content", "ssim")}


def _ratio(one: dict[str, float], other: dict[str, float], key: str) -> str:
    return f"{one[key] / other[key]:.2f}"


def _tensor(picture: np.ndarray) -> Tensor:
    return to_tensor(picture, torch.device("cpu"))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

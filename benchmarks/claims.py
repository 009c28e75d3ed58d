# SPDX-License-Identifier: GPL-3.0-or-later
"""What the papers claim of their methods, measured on the weights that ship: a table and a verdict for each claim.

    python -m benchmarks.claims --content PHOTOS --style PAINTINGS --shot build/shots/measured
    python -m benchmarks.claims --only gatys --content PHOTOS
    python -m benchmarks.claims --only steady --shot build/shots/measured
    python -m benchmarks.claims --only shared --content PHOTOS
    python -m benchmarks.claims --only adain --content PHOTOS --style PAINTINGS

--content and --style: folders, of which only the tenth is taken that no training sees. The styles of the methods that
know theirs by name are painted by `training.paint_styles`, as for their trainings. --weights johnson-oil=FILE takes
other weights. Ends with 0 whatever was found, and with --check with 1 where a claim does not hold. Needs VGG-19: pip
install 'styletx-core[training]'.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from styletx_core.errors import InputError, StyleTXError
from styletx_core.evaluate.distances import Eye, distances
from styletx_core.evaluate.shots import ShotEvaluation, evaluate_method
from styletx_core.evaluate.stills import Painter, evaluate_stills
from styletx_core.job import Settings
from styletx_core.methods.base import Guide, Method
from styletx_core.methods.frames import to_tensor
from styletx_core.methods.gatys_descent import LBFGS
from styletx_core.perceptual import losses
from styletx_core.perceptual.pictures import list_pictures, read_picture
from styletx_core.perceptual.vgg import STYLE_LAYERS, VGG19
from styletx_core.registry import WEIGHTS_DIRECTORY, load
from styletx_core.spread import spread
from training import train_johnson
from training.photos import perceptual
from training.train_shipped import RECIPES, paint_all

STEPS = 50  # of Gatys
PHOTOS, SIDE = 10, 256  # pixels of the photos' longer side
STYLE_SIDE = 384  # of the style picture, as in the trainings
STEADY = ("johnson-oil", "reconet-oil")
SHARED = "oil"  # the style that johnson, reconet and dumoulin have in common
# Each claim: the weights and the options that it takes.
CLAIMS = {
    "gatys": (STEADY, ("content",)),
    "steady": (STEADY, ("shot",)),
    "shared": (("johnson-oil", "dumoulin"), ("content",)),
    "adain": (("adain",), ("content", "style")),
}


class Verdict(NamedTuple):
    """A figure and the most it may be."""

    what: str
    found: float
    limit: float

    @property
    def holds(self) -> bool:
        return self.found <= self.limit

    def __str__(self) -> str:
        return f"{'holds' if self.holds else 'does not hold'}: {self.what} {self.found:.3f}, at most {self.limit:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--content", type=Path, action="append", default=[], help="folder of photos")
    parser.add_argument("--style", type=Path, action="append", default=[], help="folder of paintings, for adain")
    parser.add_argument("--shot", type=Path, help="frames with vectors, for steady")
    parser.add_argument("--frames", type=int, default=24, help="of the shot, its first (default: %(default)s)")
    parser.add_argument("--weights", action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--only", choices=CLAIMS, action="append", help="of these claims")
    parser.add_argument("--check", action="store_true", help="end with 1 where a claim does not hold")
    args = parser.parse_args()
    try:
        verdicts = run(args)
    except StyleTXError as error:
        print(error, file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)
    sys.exit(args.check and not all(verdict.holds for verdict in verdicts))


def run(args: argparse.Namespace) -> list[Verdict]:
    wanted = args.only or list(CLAIMS)
    for claim in wanted:
        for option in CLAIMS[claim][1]:
            if not getattr(args, option):
                raise InputError(f"The claim '{claim}' needs --{option}; give it, or choose others with --only.")
    weights = {file.stem: str(file) for file in WEIGHTS_DIRECTORY.glob("*.safetensors")} | _given(args.weights)
    photos = _held_out(args.content) if args.content else []
    paintings = _held_out(args.style) if "adain" in wanted else []
    found: list[Verdict] = []
    with tempfile.TemporaryDirectory() as folder:
        style = paint_all(Path(folder), [SHARED])[SHARED]
        eye = Eye("cpu")
        for claim in wanted:
            files = {name: weights[name] for name in CLAIMS[claim][0]}
            if claim == "gatys":
                verdicts = against_gatys(files, photos, style, eye)
            elif claim == "steady":
                verdicts = steady(files, args, style, eye)
            elif claim == "shared":
                verdicts = shared(files, photos, style, eye)
            else:
                verdicts = stills(files, photos, paintings, eye)
            print("", *verdicts, sep="\n", flush=True)
            found += verdicts
    return found


def _given(texts: list[str]) -> dict[str, str]:
    given = dict[str, str]()
    for text in texts:
        name, _, file = text.partition("=")
        if name not in RECIPES or not file:
            raise InputError(f"The weights '{text}' are not NAME=FILE with one of the names {', '.join(RECIPES)}.")
        given[name] = file
    return given


def _held_out(folders: list[Path]) -> list[Path]:
    found = list_pictures(folders, True)
    if not found:
        raise InputError(f"Of the pictures in {', '.join(map(str, folders))} none is held out of trainings, which "
                         "one in ten is by its name; give more pictures.")  # fmt: skip
    return found


def opened(name: str, file: str) -> Method:
    return load(name.partition("-")[0], "cpu", weights=file)


def against_gatys(weights: dict[str, str], photos: list[Path], style: Path, eye: Eye) -> list[Verdict]:
    """Johnson et al. 2016, section 4.1: as low a loss as optimization from noise reaches in 50 to 100 steps.

    The loss is the one that the networks learned, and the way down it that of `gatys`, whose values stay in 0..1 as the
    paper's do. Beside it what is measured of stills, and `gatys` with its own weights, which ask for other things. The
    photo as it is shows what the figures are worth: its content is its own, and its sum is low.
    """
    picture = read_picture(style, STYLE_SIDE).astype(np.float32) / 255
    painters = {**{name: opened(name, file) for name, file in weights.items()},
                "gatys": load("gatys", "cpu", steps=STEPS, tolerance=0)}  # fmt: skip
    for name, painter in painters.items():
        painter.set_style(picture if name == "gatys" else SHARED)
    wanted, own = eye.see(picture), OwnLoss(picture)
    rows: dict[str, list[list[float]]] = {}
    ways: list[list[float]] = []
    photos = spread(photos, PHOTOS)
    for path in photos:
        photo = read_picture(path, SIDE).astype(np.float32) / 255
        # shown the style as large as it is scored against, which by itself has as many pixels as the frame
        size = (picture[..., 0].size / photo[..., 0].size) ** 0.5
        results = {"untouched": photo}
        for name, painter in painters.items():
            guide = Guide(size=size) if name == "gatys" else Guide()
            results[f"{name}, {STEPS} steps" if name == "gatys" else name] = painter.stylize(photo, guide=guide)
        content = own.content(photo)
        way, results[f"that loss, {STEPS} steps"] = own.descend(content, photo.shape)
        ways.append(way)
        seen = eye.see(photo)
        for name, result in results.items():
            found = distances(eye.see(result), seen, wanted)
            rows.setdefault(name, []).append([own(result, content), found["style"], found["content"]])
        _say(f"{path.stem}: {', '.join(f'{name} {values[-1][0]:.2f}' for name, values in rows.items())}")
    means, curve = {name: np.mean(values, 0) for name, values in rows.items()}, np.mean(ways, 0)
    print(f"\n| {len(photos)} unseen photos at {SIDE} px, style {SHARED} | the loss that was learned "
          f"| L-BFGS from noise is as low after | style | content | sum |\n|---|---|---|---|---|---|")  # fmt: skip
    for name, (loss, style_distance, content_distance) in means.items():
        after = next((step for step, lowest in enumerate(curve, 1) if lowest <= loss), None)
        print(f"| {name} | {loss:.2f} | {f'{after} steps' if after else f'more than {STEPS}'} | {style_distance:.3f} | "
              f"{content_distance:.3f} | {style_distance + content_distance:.3f} |")  # fmt: skip
    return [Verdict(f"the loss of {name}, to that after {STEPS} steps of L-BFGS:", means[name][0] / curve[-1], 1.0)
            for name in weights]  # fmt: skip


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

    def descend(self, content: Tensor, shape: tuple[int, ...]) -> tuple[list[float], np.ndarray]:
        """The lowest loss after each of STEPS steps, from noise of the photo's shape; and its picture."""
        noise = np.random.default_rng(0).normal(0.5, 0.15, shape).clip(0, 1)
        x, descent, way = _tensor(noise.astype(np.float32)), LBFGS(), list[float]()
        best = x
        for _ in range(STEPS):
            x = x.detach().requires_grad_()
            loss = self.of(x, content)
            (slope,) = torch.autograd.grad(loss, x)
            value, x = float(loss.detach()), x.detach()
            if not way or value < way[-1]:
                best = x
            way.append(min(value, way[-1] if way else value))
            x = descent.step(x, value, slope)
        return way, np.ascontiguousarray(best[0].permute(1, 2, 0).numpy())


def steady(weights: dict[str, str], args: argparse.Namespace, style: Path, eye: Eye) -> list[Verdict]:
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
    return [Verdict("reconet's temporal error, to johnson's:", reconet["error"] / johnson["error"], 0.7),
            Verdict("reconet's style distance, to johnson's:", reconet["style"] / johnson["style"], 1.1)]  # fmt: skip


def shared(weights: dict[str, str], photos: list[Path], style: Path, eye: Eye) -> list[Verdict]:
    """Dumoulin et al. 2016: one network of many styles is as good in each as a network of its own."""
    photos = spread(photos, PHOTOS)
    found = {name: mean(Painter(opened(name, file)), photos, [style], eye) for name, file in weights.items()}
    print(f"\n| {len(photos)} unseen photos at 512 px, style {SHARED} | style | content |\n|---|---|---|")
    for name, values in found.items():
        print(f"| {name} | {values['style']:.3f} | {values['content']:.3f} |")
    johnson, dumoulin = found.values()
    print(f"| dumoulin to johnson | {_ratio(dumoulin, johnson, 'style')} | {_ratio(dumoulin, johnson, 'content')} |")
    return [Verdict("dumoulin's style distance, to johnson's:", dumoulin["style"] / johnson["style"], 1.15)]


def stills(weights: dict[str, str], photos: list[Path], styles: list[Path], eye: Eye) -> list[Verdict]:
    """Huang and Belongie 2017, by our measures."""
    photos, styles = spread(photos, 7), spread(styles, 6)
    ((name, file),) = weights.items()
    values = mean(Painter(opened(name, file)), photos, styles, eye)
    print(f"\n| {len(photos) * len(styles)} unseen pairs | style | gram | content | SSIM |\n|---|---|---|---|---|")
    print(f"| {name} | {values['style']:.3f} | {values['gram']:.3f} | {values['content']:.3f} | {values['ssim']:.3f} |")
    return [Verdict("adain's style distance", values["style"], 0.11),
            Verdict("adain's content distance", values["content"], 0.9)]  # fmt: skip


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

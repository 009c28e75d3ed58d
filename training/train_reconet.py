# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the method ``reconet``: one network for one style picture, steady over time.

    python -m training.train_reconet --style PICTURE --content DIR --out DIR
    python -m training.train_reconet --style PICTURE --content DIR --shots DIR --out DIR     # learns from renders too
    styletx stylize renders/ --method reconet --weights DIR/weights.safetensors --output out

The same command again goes on where it stopped. ``--start`` with the weights of another style saves most of the time.
What it writes to --out: docs/training.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from styletx_core import weights as files
from styletx_core.methods.reconet import CONFIG
from styletx_core.methods.transform_net import REDUCTION, TransformNet, is_filter
from styletx_core.perceptual import losses
from training import loop, photos

# fmt: off
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
loop.add_arguments(parser, steps=8000)
photos.add_arguments(parser)
parser.add_argument("--shots", type=Path, action="append", default=[], help="folder of EXR shots with motion vectors")
parser.add_argument("--shots-share", type=float, default=0.3, help="of the pairs of frames that come from --shots")
parser.add_argument("--style", type=Path, required=True, help="the style picture")
parser.add_argument("--name", help="of the style; default: the file's name without its ending")
parser.add_argument("--style-size", type=int, default=384, help="the style's longer side; larger: larger strokes")
parser.add_argument("--width", type=int, default=CONFIG["width"], help="channels at full size; the paper has 48")
parser.add_argument("--norm", choices=("response", "instance"), default=CONFIG["norm"],
                    help="filter response normalization, or the paper's instance normalization")
# the losses
parser.add_argument("--w-content", type=float, default=8.0)
parser.add_argument("--w-gram", type=float, default=20.0, help="the paper's style loss")
parser.add_argument("--w-style", type=float, default=10.0, help="means and deviations")
parser.add_argument("--w-tv", type=float, default=0.5)
parser.add_argument("--w-output", type=float, default=200.0, help="output temporal loss (section 3.4)")
parser.add_argument("--w-feature", type=float, default=0.5, help="feature-map temporal loss (section 3.4)")
# fmt: on


def train(args: argparse.Namespace) -> None:
    device = loop.find_device(args)
    shots = None
    if args.shots:
        from training.shots import Shots  # needs OpenEXR

        shots = Shots(args.shots)
    source = photos.Photos(args, device, shots)
    style = photos.read_style(args.style, args.style_size)
    targets = source.targets(style)

    torch.manual_seed(args.seed)
    network = TransformNet(**CONFIG | {"width": args.width, "norm": args.norm}).to(device)
    if args.start:
        network.load_state_dict(loop.weights_of(args.start, network))
    mix = torch.ones(1, 1, device=device)
    weights = loop.loss_weights(args)
    name = args.name or args.style.stem

    def write(average: nn.Module, path: Path, step: int) -> None:
        files.write(average, path, "reconet", styles=json.dumps([name]), steps=str(step))

    @torch.no_grad()
    def sheet(average: nn.Module, path: Path) -> None:
        source.sheet(path, [(style, average(source.sample_tensor(), mix)[0])])

    training = loop.Loop(args, network, loop.optimizers(args, network, is_filter), weights, write, sheet)
    source.start(training)

    def forward() -> dict[str, Tensor]:
        items = source.draw(np.random.default_rng((args.seed, training.step)))
        first, second, offset, seen = (
            torch.cat([getattr(item, name) for item in items]).float() for name in ("first", "second", "offset", "seen")
        )
        with source.autocast():
            out, features = network(torch.cat((first, second)), mix)
        (out, later), (features, later_features) = out.float().chunk(2), features.float().chunk(2)
        terms = source.seen(out, items, targets)
        moved, moved_photo = losses.warp(out, offset), losses.warp(first, offset)
        terms["output"] = losses.output_temporal(later, moved, second, moved_photo, seen)
        small_offset = F.avg_pool2d(offset, REDUCTION) / REDUCTION
        small_seen = (F.avg_pool2d(seen, REDUCTION) > 0.99).float()
        terms["feature"] = losses.feature_temporal(later_features, losses.warp(features, small_offset), small_seen)
        return terms

    training.run(forward, lambda: source.start(training))


if __name__ == "__main__":
    loop.run(parser, train)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the method ``johnson``: one network for one style picture.

    python -m training.train_johnson --style PICTURE --content DIR --out DIR
    styletx stylize photo.jpg --method johnson --weights DIR/weights.safetensors --output out

The same command again goes on where it stopped. ``--start`` with the weights of another style saves most of the time.
What it writes to --out: docs/training.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from styletx_core import weights as files
from styletx_core.methods.johnson import CONFIG
from styletx_core.methods.transform_net import TransformNet, is_filter
from training import loop, photos

# fmt: off
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
loop.add_arguments(parser, steps=8000)
photos.add_arguments(parser)
parser.add_argument("--style", type=Path, required=True, help="the style picture")
parser.add_argument("--name", help="of the style; default: the file's name without its ending")
parser.add_argument("--style-size", type=int, default=384, help="the style's longer side; larger: larger strokes")
parser.add_argument("--width", type=int, default=CONFIG["width"], help="channels at full size; the paper has 32")
# the losses
parser.add_argument("--w-content", type=float, default=8.0)
parser.add_argument("--w-gram", type=float, default=20.0, help="the paper's style loss")
parser.add_argument("--w-style", type=float, default=10.0, help="means and deviations")
parser.add_argument("--w-tv", type=float, default=0.5)
# fmt: on


def train(args: argparse.Namespace) -> None:
    device = loop.find_device(args)
    source = photos.Photos(args, device)
    style = photos.read_style(args.style, args.style_size)
    targets = source.targets(style)

    torch.manual_seed(args.seed)
    network = TransformNet(**CONFIG | {"width": args.width}).to(device)
    if args.start:
        network.load_state_dict(loop.weights_of(args.start, network))
    mix = torch.ones(1, 1, device=device)
    weights = loop.loss_weights(args)
    name = args.name or args.style.stem

    def write(average: nn.Module, path: Path, step: int) -> None:
        files.write(average, path, "johnson", styles=json.dumps([name]), steps=str(step))

    @torch.no_grad()
    def sheet(average: nn.Module, path: Path) -> None:
        source.sheet(path, [(style, average(source.sample_tensor(), mix)[0])])

    training = loop.Loop(args, network, loop.optimizers(args, network, is_filter), weights, write, sheet)
    source.start(training)

    def forward() -> dict[str, Tensor]:
        items = source.draw(np.random.default_rng((args.seed, training.step)))
        frames = torch.cat([item.first for item in items]).float()
        with source.autocast():
            out, _ = network(frames, mix)
        return source.seen(out.float(), items, targets)

    training.run(forward, lambda: source.start(training))


if __name__ == "__main__":
    loop.run(parser, train)

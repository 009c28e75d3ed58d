# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the method ``dumoulin``: one network for several style pictures, which can be mixed.

    python -m training.train_dumoulin --style PICTURE --style PICTURE ... --content DIR --out DIR
    python -m training.train_dumoulin --add PICTURE --start WEIGHTS --content DIR --out DIR
    styletx stylize photo.jpg --method dumoulin --weights DIR/weights.safetensors --style NAME:2 --style NAME ...

The second form teaches a trained network another style by its normalizations alone: a few thousand numbers, which are
learned in a fraction of the time, and leaves the styles it knows as they are.
The same command again goes on where it stopped. What it writes to --out: docs/training.md.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from styletx_core import weights as files
from styletx_core.errors import InputError
from styletx_core.methods.dumoulin import CONFIG
from styletx_core.methods.transform_net import TransformNet, is_filter
from styletx_core.perceptual.losses import Target
from training import loop, photos

# fmt: off
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
loop.add_arguments(parser, steps=16000)
photos.add_arguments(parser)
parser.add_argument("--style", type=Path, action="append", default=[], help="style picture; its name is the style's")
parser.add_argument("--add", type=Path, action="append", default=[], help="a new style for the network of --start")
parser.add_argument("--style-size", type=int, default=384, help="the styles' longer side; larger: larger strokes")
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
    if bool(args.style) == bool(args.add):
        raise InputError("Styles are missing or given twice; give --style for a new network, or --add and --start.")
    if args.add and not args.start:
        raise InputError("--add needs a network that is trained; give its weights with --start.")
    learned = [photos.read_style(path, args.style_size) for path in args.style or args.add]
    targets = [source.targets(style) for style in learned]
    names = [path.stem for path in args.style or args.add]

    torch.manual_seed(args.seed)
    known = list(files.style_names(args.start)) if args.add else []
    if double := sorted({name for name in names if [*known, *names].count(name) > 1}):
        raise InputError(f"The style '{double[0]}' is there twice; rename one of the pictures.")
    network = TransformNet(**CONFIG | {"width": args.width, "styles": len(names)}).to(device)
    if args.add:
        config, tensors = files.read(args.start, "dumoulin")
        network = TransformNet(**config).to(device)
        network.load_state_dict(tensors)
        network = network.add_styles(len(names))
        network.requires_grad_(False)
        for norm in network.norms():
            norm.scale.requires_grad_(True)
            norm.shift.requires_grad_(True)
    elif args.start:
        network.load_state_dict(begun(args.start, network))
    weights = loop.loss_weights(args)
    rows = torch.eye(len(known) + len(names), device=device)[len(known) :]  # a mix of each learned style alone

    def write(average: nn.Module, path: Path, step: int) -> None:
        files.write(average, path, "dumoulin", styles=json.dumps(known + names), steps=str(step))

    @torch.no_grad()
    def sheet(average: nn.Module, path: Path) -> None:
        shown = [average(source.sample_tensor(), row[None])[0] for row in rows]
        source.sheet(path, list(zip(learned, shown, strict=True)))

    training = loop.Loop(args, network, loop.optimizers(args, network, is_filter), weights, write, sheet)
    source.start(training)

    def forward() -> dict[str, Tensor]:
        rng = np.random.default_rng((args.seed, training.step))
        items = source.draw(rng)
        # the styles take turns, so that none of them falls behind
        drawn = [(training.step * args.batch + i) % len(names) for i in range(len(items))]
        wanted = [Target(*(torch.cat(parts) for parts in zip(*(targets[n][layer] for n in drawn), strict=True)))
                  for layer in range(len(targets[0]))]  # fmt: skip
        frames = torch.cat([item.first for item in items]).float()
        with source.autocast():
            out, _ = network(frames, rows[drawn])
        return source.seen(out.float(), items, wanted)

    training.run(forward, lambda: source.start(training))


def begun(path: Path, network: TransformNet) -> dict[str, Tensor]:
    """Weights to begin with; those of a single style, also of ``johnson``, are where all styles begin."""
    method = files.about(path).get("method")
    config, tensors = files.read(path, method if method == "johnson" else "dumoulin")
    if config["styles"] == 1:
        for name, rows in tensors.items():
            if name.endswith((".scale", ".shift")):
                tensors[name] = rows.expand(len(network.state_dict()[name]), -1).clone()
    return loop.fitting(path, tensors, network)


if __name__ == "__main__":
    loop.run(parser, train)

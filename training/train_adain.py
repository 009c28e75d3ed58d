# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the decoder of the method ``adain``, which paints in any style.

    python -m training.train_adain --content DIR --style DIR --out DIR
    styletx stylize photo.jpg --method adain --weights DIR/weights.safetensors --style painting.jpg --output out

The same command again goes on where it stopped. What it writes to --out: docs/training.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from styletx_core import weights as files
from styletx_core.methods.adain import LAYER, Decoder, adain, statistics
from styletx_core.methods.transform_net import is_filter
from styletx_core.perceptual import losses
from styletx_core.perceptual.vgg import STYLE_LAYERS
from training import loop, photos
from training.data import Styles

# fmt: off
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
loop.add_arguments(parser, steps=16000)
photos.add_arguments(parser)
parser.add_argument("--style", type=Path, action="append", default=[], help="folder of style pictures")
parser.add_argument("--cache", type=Path, help="folder that keeps the styles' statistics for the next training")
parser.add_argument("--style-versions", type=int, default=2, help="each style as it is and in so many - 1 remade forms")
parser.add_argument("--width", type=int, default=32, help="the decoder's channels at full size; the paper has 64")
# the losses (section 6)
parser.add_argument("--w-content", type=float, default=1.0, help="distance to the features that were asked for")
parser.add_argument("--w-style", type=float, default=10.0, help="means and deviations")
# fmt: on
# the decoder has no normalization: at the other trainings' rates it learns for 100 steps, and is dead after 500
parser.set_defaults(rate=4e-4, rate_filters=5e-4)

SHOWN = 6  # styles on the sheet of samples


def train(args: argparse.Namespace) -> None:
    device = loop.find_device(args)
    source = photos.Photos(args, device)
    paintings, unseen = (loop.pictures(args.style, source.pack, "style", held_out) for held_out in (False, True))
    styles = Styles(paintings, source.vgg, args.style_versions, args.cache)

    torch.manual_seed(args.seed)
    decoder = Decoder(args.width).to(device)
    if args.start:
        decoder.load_state_dict(loop.weights_of(args.start, decoder))
    weights = loop.loss_weights(args)

    def write(average: nn.Module, path: Path, step: int) -> None:
        files.write(average, path, "adain", steps=str(step))

    @torch.no_grad()
    def sheet(average: nn.Module, path: Path) -> None:
        chosen = unseen or paintings
        features = source.vgg(source.sample_tensor(), (LAYER,))[LAYER].float()
        rows = []
        for index in np.linspace(0, len(chosen) - 1, SHOWN).astype(int):
            target = source.targets(chosen[index].rgb)[-1]
            wanted = torch.cat((target.mean, target.std))
            each = [average(adain(f[None], statistics(f[None]), wanted)) for f in features]
            rows.append((chosen[index].rgb, torch.cat(each)))
        source.sheet(path, rows)

    training = loop.Loop(args, decoder, loop.optimizers(args, decoder, is_filter), weights, write, sheet)
    source.start(training)

    def forward() -> dict[str, Tensor]:
        rng = np.random.default_rng((args.seed, training.step))
        items = source.draw(rng)
        drawn = [styles[styles.pick(rng)].targets for _ in items]
        targets = [losses.Target(*(torch.stack(parts).float() for parts in zip(*layer, strict=True)))
                   for layer in zip(*drawn, strict=True)]  # fmt: skip
        asked = torch.cat([
            adain(item.wanted.float(), statistics(item.wanted), torch.stack((style[-1].mean, style[-1].std)).float())
            for item, style in zip(items, drawn, strict=True)
        ])  # fmt: skip
        with source.autocast():
            out = decoder(asked)
        found = source.vgg(out.float(), STYLE_LAYERS)
        stats = [losses.statistics(found[name]) for name in STYLE_LAYERS]
        return {
            # the paper's, over the energy of what was asked for
            "content": (found[LAYER].float() - asked).square().mean() / asked.square().mean(),
            "style": torch.stack([losses.style_distance(*pair) for pair in zip(stats, targets, strict=True)]).mean(),
        }

    training.run(forward, lambda: source.start(training))


if __name__ == "__main__":
    loop.run(parser, train)

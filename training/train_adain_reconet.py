# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the method ``adain_reconet``: any style, steady.

    python -m training.train_adain_reconet --content DIR --style DIR --out DIR
    python -m training.train_adain_reconet --pack FILE --out DIR                     # of training.pack: needs no more
    torchrun --nproc-per-node 2 -m -- training.train_adain_reconet ... --styles-a-step 8       # on several GPUs

The same command again goes on where it stopped, also after a crash: everything random follows from the seed and the
number of the step. What it writes to --out, the losses and the use of borrowed machines: docs/training.md.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.distributed as dist
import torch.distributed.nn.functional
import torch.nn.functional as F
from torch import Tensor, nn

from styletx_core.errors import InputError
from styletx_core.methods.adain_reconet_net import CODE, REDUCTION, Network, run, save_weights
from styletx_core.perceptual import losses
from styletx_core.perceptual.vgg import STYLE_LAYERS, VGG19, fast_bfloat16
from training import loop
from training.data import Contents, Picture, Styles, for_encoder, to_tensor
from training.items import Items, Pairs
from training.pack import Pack

# fmt: off
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
loop.add_arguments(parser, steps=40_000)
# what to learn from
parser.add_argument("--content", type=Path, action="append", default=[], help="folder of photos")
parser.add_argument("--style", type=Path, action="append", default=[], help="folder of style pictures")
parser.add_argument("--pack", type=Path, help="a file of training.pack instead of --content and --style")
parser.add_argument("--shots", type=Path, action="append", default=[], help="folder of EXR shots with motion vectors")
parser.add_argument("--shots-share", type=float, default=0.3, help="of the pairs of frames that come from --shots")
parser.add_argument("--cache", type=Path, help="folder that keeps the styles' statistics for the next training")
parser.add_argument("--style-versions", type=int, default=2, help="each style as it is and in so many - 1 remade forms")
parser.add_argument("--items", type=int, default=2500, help="pairs of frames kept in memory (0.9 MB each at 160)")
parser.add_argument("--fresh", type=int, default=1, help="new pairs a step until there are --items")
parser.add_argument("--renew", type=int, default=0, help="new pairs a step after that, in place of the oldest")
# a step
parser.add_argument("--styles-a-step", type=int, default=4, help="of all processes together")
parser.add_argument("--batch", type=int, default=1, help="photos a style; the first of them as a pair of frames")
# the losses; 0 leaves one out
parser.add_argument("--w-content", type=float, default=2.0)
parser.add_argument("--w-style", type=float, default=30.0)
parser.add_argument("--w-gram", type=float, default=20.0)
parser.add_argument("--layers", type=float, nargs=4, default=[1, 1, 1, 1], metavar="SHARE",
                    help="of relu1_1 .. relu4_1 in the two before; the deeper, the larger the forms")
parser.add_argument("--w-tv", type=float, default=0.5)
parser.add_argument("--w-output", type=float, default=40.0, help="ReCoNet's output temporal loss")
parser.add_argument("--w-feature", type=float, default=0.3, help="ReCoNet's feature-map temporal loss")
parser.add_argument("--w-halo", type=float, default=4.0, help="no glow around outlines")
parser.add_argument("--w-weave", type=float, default=3000.0, help="no pattern of the network's cells on flat places")
parser.add_argument("--w-guess", type=float, default=0.3, help="the style code must tell VGG's statistics")
parser.add_argument("--w-contrast", type=float, default=0.1, help="a result's code must tell its style from others")
parser.add_argument("--w-identity", type=float, default=2.0, help="a photo in its own style stays as it is")
parser.add_argument("--rarely", type=int, default=4, help="the last two once in so many steps, so much stronger")
# the machine
parser.add_argument("--workers", type=int, help="processes that make pairs of frames ahead; default: 0, on a GPU all "
                                                "cores but two")
parser.add_argument("--one-by-one", action="store_true", help="run the network for one style after the other, on a GPU "
                    "in bfloat16 instead of TF32 (autocast does not reach into vmap)")
parser.add_argument("--config", default="{}", help="of the network, as JSON")
# fmt: on

GUESSED = 2 * (64 + 128 + 256 + 512)  # mean and deviation of the channels of STYLE_LAYERS


def train(args: argparse.Namespace) -> None:
    # --- processes and precision
    world, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    device = loop.find_device(args)
    cuda = device.type == "cuda"
    if world > 1:
        dist.init_process_group("nccl" if cuda else "gloo")
    workers = args.workers if args.workers is not None else max(1, (os.cpu_count() or 4) - 2) // world if cuda else 0
    check(args, world)

    # --- pictures; one in ten is held out for the sheet of samples
    pack = Pack(args.pack) if args.pack else None
    photos, unseen_photos = (loop.pictures(args.content, pack, "content", held_out) for held_out in (False, True))
    paintings, unseen_paintings = (loop.pictures(args.style, pack, "style", held_out) for held_out in (False, True))
    half = not args.float32 and fast_bfloat16(device)
    vgg = VGG19("relu4_1", torch.bfloat16 if half else torch.float32, pack.vgg if pack else None).to(device)
    contents, styles = Contents(photos), Styles(paintings, vgg, args.style_versions, args.cache)
    shots = None
    if args.shots:
        from training.shots import Shots  # needs OpenEXR

        shots = Shots(args.shots)

    # --- network, its average, optimizers
    torch.manual_seed(args.seed)
    network = Network(**json.loads(args.config)).to(device)
    # what a style code must be able to tell, so that it keeps texture apart
    guess = nn.Linear(CODE, GUESSED).to(device)
    if args.start:
        network.load_state_dict(loop.weights_of(args.start, network))
    if rank == 0:
        size = sum(p.numel() for p in network.parameters()) / 1e6
        others_too = f" and {world - 1} more" if world > 1 else ""
        print(
            f"{len(photos)} photos, {len(paintings)} styles, {size:.2f} M parameters, {device}{others_too}", flush=True
        )

    weights = loop.loss_weights(args)
    for name in ("contrast", "identity"):
        weights[name] *= args.rarely

    def write(average: nn.Module, path: Path, step: int) -> None:
        assert isinstance(average, Network)
        save_weights(average, path, steps=str(step))

    def sheet(average: nn.Module, path: Path) -> None:
        assert isinstance(average, Network)
        samples(average, Contents(unseen_photos or photos), unseen_paintings or paintings, path)

    optimizers = loop.optimizers(args, network, is_filter, guess.parameters())
    training = loop.Loop(args, network, optimizers, weights, write, sheet, {"guess": guess}, world, rank)

    def pool(size: int) -> Items:
        pairs = Pairs(contents, size, args.seed, shots, args.shots_share)
        return Items(pairs, vgg, args.items, args.fresh, args.renew, workers)

    items = pool(training.size)
    # every process knows what all of them draw, and works on its part of the styles
    mine = slice(rank * args.styles_a_step // world, (rank + 1) * args.styles_a_step // world)

    def turned() -> None:
        nonlocal items
        items = pool(training.size)

    def paint(frames: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(device.type, enabled=False):  # a style's filters and statistics are worth float32
            layers = network.assemble(code)
        return run(frames, layers)

    def forward() -> dict[str, Tensor]:
        """The losses of a step, each the mean over this process's styles."""
        step, age = training.step, training.age
        rng = np.random.default_rng((args.seed, step))
        items.prepare(age)
        keys = [styles.pick(rng) for _ in range(args.styles_a_step)]
        numbers = [items.pick(args.batch, age, rng) for _ in keys]
        drawn = [styles[key] for key in keys[mine]]
        batch = [[items[n] for n in some] for some in numbers[mine]]

        # frames: (styles, batch + 1, 3, S, S); the last of a style is the second of its first item
        frames = torch.stack([torch.cat([*(i.first for i in some), some[0].second]) for some in batch]).float()
        codes = torch.stack([network.style(style.picture) for style in drawn])
        if args.one_by_one:
            with torch.autocast(device.type, torch.bfloat16, enabled=cuda):
                painted = [paint(*pair) for pair in zip(frames, codes, strict=True)]
            results, features = (torch.stack(parts) for parts in zip(*painted, strict=True))
        else:  # a few large operations instead of many small ones
            results, features = torch.vmap(paint)(frames, codes)
        results, features = results.float(), features.float()
        out, second = results[:, :-1].flatten(0, 1), results[:, -1]
        terms = {}

        # time: what the second frame shows must be what the first one showed, moved
        pairs = [some[0] for some in batch]
        offset, seen = (torch.cat([getattr(p, name) for p in pairs]).float() for name in ("offset", "seen"))
        moved, moved_photo = losses.warp(results[:, 0], offset), losses.warp(frames[:, 0], offset)
        terms["output"] = each(losses.output_temporal, second, moved, frames[:, -1], moved_photo, seen)
        small_offset, small_seen = F.avg_pool2d(offset, 8) / 8, (F.avg_pool2d(seen, 8) > 0.99).float()
        terms["feature"] = each(losses.feature_temporal, features[:, -1], losses.warp(features[:, 0], small_offset),
                                small_seen)  # fmt: skip
        if args.w_halo:
            mask = torch.cat([p.mask for p in pairs]).float()
            terms["halo"] = each(losses.halo, second, frames[:, -1], mask)

        if args.w_weave:
            terms["weave"] = losses.weave(out, frames[:, :-1].flatten(0, 1), REDUCTION)

        # content and style, as VGG sees them
        found = vgg(out, STYLE_LAYERS)
        wanted = torch.cat([item.wanted for some in batch for item in some])
        targets = [losses.Target(*(torch.stack([style.targets[i][k] for style in drawn]).float() for k in range(3)))
                   for i in range(len(STYLE_LAYERS))]  # fmt: skip
        pictures_own = [losses.Target(*(t.repeat_interleave(args.batch, 0) for t in target)) for target in targets]
        stats = [losses.statistics(found[name]) for name in STYLE_LAYERS]
        terms["content"] = losses.content_distance(found["relu4_1"], wanted)
        terms["style"] = mean_over(losses.style_distance, stats, pictures_own, args.layers)
        terms["gram"] = mean_over(losses.gram_distance, stats, pictures_own, args.layers)
        terms["tv"] = losses.total_variation(out)

        # style codes: one must tell VGG's statistics of its style, and that of a result its style from the others
        energy = [(t.mean.square().mean(1) + t.std.square().mean(1)).sqrt()[:, None] for t in targets]
        truth = torch.cat([torch.cat((t.mean, t.std), 1) / e for t, e in zip(targets, energy, strict=True)], 1)
        terms["guess"] = (guess(codes) - truth).square().mean()
        rarely = step % args.rarely == 0
        if args.w_contrast and rarely:
            told = torch.stack([network.style(result) for result in results[:, :1]])
            known = F.normalize(everyones(codes), dim=1)
            right = torch.arange(args.styles_a_step, device=device)[mine]
            terms["contrast"] = F.cross_entropy(F.normalize(told, dim=1) @ known.T * 5, right)
        if args.w_identity and rarely:
            # of one photo a step, the first process's; times `world`, as the mean over the processes follows
            photo = batch[0][-1].first.float()
            terms["identity"] = photo.new_zeros(())
            if rank == 0:
                with torch.autocast(device.type, torch.bfloat16, enabled=cuda):
                    same = paint(photo, network.style(photo))[0].float()
                terms["identity"] = (same - photo).square().mean() * 10 * world
        return {name: term for name, term in terms.items() if weights[name]}

    def everyones(codes: Tensor) -> Tensor:
        """The style codes of all processes, through which gradients flow back to them."""
        if world == 1:
            return codes
        whole = codes.new_zeros(args.styles_a_step, CODE)
        whole[mine] = codes
        return torch.distributed.nn.functional.all_reduce(whole)

    training.run(forward, turned)
    if world > 1:
        dist.destroy_process_group()


def check(args: argparse.Namespace, world: int) -> None:
    """InputError for options that contradict each other or cannot work."""
    if not args.pack and not (args.content and args.style):
        raise InputError("Pictures are missing; give --content and --style, or --pack.")
    if args.pack and (args.content or args.style):
        raise InputError("--pack brings its own pictures; leave --content and --style away, or pack all of them.")
    if min(args.layers) < 0 or not sum(args.layers):
        raise InputError("--layers takes four shares from 0 on, not all of them 0.")
    loop.check(args, REDUCTION, "styles_a_step", "batch", "items", "fresh", "rarely")
    if args.styles_a_step % world:
        raise InputError(
            f"--styles-a-step {args.styles_a_step} cannot be shared among {world} processes; give a multiple."
        )


def is_filter(name: str) -> bool:
    """Whether a parameter of the network is filters of the content path (`StyledConv`)."""
    return not name.startswith("style.") and name.split(".")[-2] not in ("mix", "affine")


def each(loss: Any, *tensors: Tensor) -> Tensor:
    """Mean of a loss that is taken of every first index (a style) alone."""
    return torch.vmap(loss)(*(t[:, None] for t in tensors)).mean()


def mean_over(
    distance: Any, found: list[losses.Target], wanted: list[losses.Target], shares: list[float]
) -> Tensor:  # fmt: skip
    """Mean of a distance over VGG's layers, each with its share."""
    parts = [distance(one, other) * share for one, other, share in zip(found, wanted, shares, strict=True)]
    return torch.stack(parts).sum() / sum(shares)


@torch.no_grad()
def samples(network: Network, contents: Contents, paintings: list[Picture], path: Path) -> None:
    """A sheet of five unseen photos (columns) in six unseen styles (rows)."""
    device = next(network.parameters()).device
    rng = np.random.default_rng(7)
    crops = [contents.crop(256, rng) for _ in range(5)]
    rows = [[np.full((256, 256, 3), 255, np.uint8), *crops]]
    for index in np.linspace(0, len(paintings) - 1, 6).astype(int):
        picture = paintings[index].rgb
        code = network.style(to_tensor(for_encoder(picture)).to(device))
        out = network(torch.cat([to_tensor(crop) for crop in crops]).to(device), code)[0]
        shown = (out.permute(0, 2, 3, 1) * 255 + 0.5).byte().cpu().numpy()
        rows.append([cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA), *shown])
    loop.write_sheet(path, rows)


if __name__ == "__main__":
    loop.run(parser, train)

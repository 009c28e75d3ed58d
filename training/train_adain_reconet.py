# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the method ``adain_reconet``: any style, steady.

    python -m training.train_adain_reconet --content DIR --style DIR --out DIR
    python -m training.train_adain_reconet --pack FILE --out DIR                     # of training.pack: needs no more
    torchrun --nproc-per-node 2 -m training.train_adain_reconet ... --styles-a-step 8          # on several GPUs

The same command again goes on where it stopped, also after a crash: everything random follows from the seed and the
number of the step. What it writes to --out, the losses and the use of borrowed machines: docs/training.md.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.distributed as dist
import torch.distributed.nn.functional
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor, nn

from styletx_core.errors import InputError, StyleTXError, WorkError
from styletx_core.files import atomic_path
from styletx_core.methods.adain_reconet_net import CODE, REDUCTION, Network, run, save_weights
from styletx_core.perceptual import losses
from styletx_core.perceptual.vgg import STYLE_LAYERS, VGG19, fast_bfloat16
from training import checkpoint, curves
from training.data import Contents, Picture, Styles, for_encoder, read_pictures, to_tensor
from training.items import Items, Pairs
from training.muon import Muon
from training.pack import Pack

# fmt: off
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
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
# where to write and when to stop
parser.add_argument("--out", type=Path, required=True)
parser.add_argument("--start", type=Path, help="weights of another training to begin with")
parser.add_argument("--steps", type=int, default=40_000)
parser.add_argument("--minutes", type=float, help="stop (and decay the rate) by time instead of by steps; going on "
                                                  "after a crash is then not exact, for the clock is not")
parser.add_argument("--stop-after", type=float, help="end this slice of the training after so many minutes")
parser.add_argument("--log-every", type=int, default=20, help="steps a line of the log; saves fall on lines")
parser.add_argument("--save-every", type=int, default=100)
parser.add_argument("--sample-every", type=int, default=500)
# a step
parser.add_argument("--size", type=int, default=128, help="side of the crops")
parser.add_argument("--size-last", type=int, default=160, help="side of the crops in the last part of the training")
parser.add_argument("--last", type=float, default=0.3, help="the last part, of the whole")
parser.add_argument("--styles-a-step", type=int, default=4, help="of all processes together")
parser.add_argument("--batch", type=int, default=1, help="photos a style; the first of them as a pair of frames")
parser.add_argument("--rate", type=float, default=1e-3, help="of Adam: statistics, mixtures and the style encoder")
parser.add_argument("--rate-filters", type=float, default=5e-3, help="of Muon: the filters")
parser.add_argument("--warm-up", type=int, default=100, help="steps in which the rates rise to their value")
parser.add_argument("--average", type=float, default=0.998, help="decay of the averaged weights")
# the losses; 0 leaves one out
parser.add_argument("--w-content", type=float, default=2.0)
parser.add_argument("--w-style", type=float, default=30.0)
parser.add_argument("--w-gram", type=float, default=20.0)
parser.add_argument("--w-tv", type=float, default=0.5)
parser.add_argument("--w-output", type=float, default=40.0, help="ReCoNet's output temporal loss")
parser.add_argument("--w-feature", type=float, default=0.3, help="ReCoNet's feature-map temporal loss")
parser.add_argument("--w-halo", type=float, default=4.0, help="no glow around outlines")
parser.add_argument("--w-guess", type=float, default=0.3, help="the style code must tell VGG's statistics")
parser.add_argument("--w-contrast", type=float, default=0.1, help="a result's code must tell its style from others")
parser.add_argument("--w-identity", type=float, default=2.0, help="a photo in its own style stays as it is")
parser.add_argument("--rarely", type=int, default=4, help="the last two once in so many steps, so much stronger")
# the machine
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0: as many as it has cores")
parser.add_argument("--workers", type=int, help="processes that make pairs of frames ahead; default: 0, on a GPU all "
                                                "cores but two")
parser.add_argument("--float32", action="store_true", help="VGG in float32, also where bfloat16 is faster")
parser.add_argument("--one-by-one", action="store_true", help="run the network for one style after the other, on a GPU "
                    "in bfloat16 instead of TF32 (autocast does not reach into vmap)")
parser.add_argument("--config", default="{}", help="of the network, as JSON")
# fmt: on

CLIP = 2.0  # norm of the gradients at most
GUESSED = 2 * (64 + 128 + 256 + 512)  # mean and deviation of the channels of STYLE_LAYERS


def main() -> None:
    args = parser.parse_args()
    try:
        train(args)
    except StyleTXError as error:
        print(f"\n{error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)
    except KeyboardInterrupt:
        print("\nStopped; the same command goes on from the last checkpoint.", file=sys.stderr)
        sys.exit(130)


def train(args: argparse.Namespace) -> None:
    start = time.time()
    # --- processes and precision
    world, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))
    device = torch.device(args.device)
    cuda = device.type == "cuda"
    if cuda:
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", device.index or 0)))
        torch.cuda.set_device(device)
        torch.set_float32_matmul_precision("high")  # TF32
        torch.backends.cudnn.allow_tf32 = True
    if world > 1:
        dist.init_process_group("nccl" if cuda else "gloo")
    if args.threads:
        torch.set_num_threads(args.threads)
    workers = args.workers if args.workers is not None else max(1, (os.cpu_count() or 4) - 2) // world if cuda else 0
    check(args, world)

    # --- pictures; one in ten is held out for the sheet of samples
    args.out.mkdir(parents=True, exist_ok=True)
    pack = Pack(args.pack) if args.pack else None
    photos, unseen_photos = (pictures(args.content, pack, "content", held_out) for held_out in (False, True))
    paintings, unseen_paintings = (pictures(args.style, pack, "style", held_out) for held_out in (False, True))
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
        network.load_state_dict(weights_of(args.start, network))
    average = copy.deepcopy(network).requires_grad_(False)
    # filters are matrices and learn faster by Muon's orthogonal steps; everything else by Adam
    filters = [p for name, p in network.named_parameters() if is_filter(name)]
    others = [p for name, p in network.named_parameters() if not is_filter(name)] + list(guess.parameters())
    muon: torch.optim.Optimizer = Muon(filters, args.rate_filters)
    if not args.rate_filters:
        muon = torch.optim.Adam(filters, args.rate, betas=(0.9, 0.98))
    adam = torch.optim.Adam(others, args.rate, betas=(0.9, 0.98))
    optimizers = {"muon": muon, "adam": adam}
    rates = {name: optimizer.param_groups[0]["lr"] for name, optimizer in optimizers.items()}
    parameters = filters + others
    names: dict[Tensor, str] = {p: f"network.{name}" for name, p in network.named_parameters()}
    names |= {p: f"guess.{name}" for name, p in guess.named_parameters()}

    # --- go on where an earlier start stopped
    step = 0  # steps done
    began = 0  # step at which the optimizers began with empty hands
    turn = None  # step from which the crops have --size-last
    spent = 0.0  # seconds, of all starts
    if state := latest(args.out, device):
        if (config := state.about["network"]) != json.dumps(network.config):
            raise InputError(f"{args.out} holds the training of another network, {config}; give another --out.")
        network.load_state_dict(state.of("network"))
        average.load_state_dict(state.of("average"))
        guess.load_state_dict(state.of("guess"))
        step, began, turn, spent = (json.loads(state.about[key]) for key in ("step", "began", "turn", "spent"))
        for name, optimizer in optimizers.items():
            checkpoint.load_optimizer(optimizer, names, state.of(name))
        if rank == 0:
            print(f"going on from step {step} ({spent / 60:.0f} minutes spent)", flush=True)
    log = args.out / "log.jsonl"
    if rank == 0:
        for left in args.out.glob(".*.tmp-*"):  # of a start that was killed while it wrote
            left.unlink()
        # what it logged after its last checkpoint comes again
        kept = [line for line in curves.read_log(log) if line["step"] <= step] if log.exists() else []
        with atomic_path(log) as aside:
            aside.write_text("".join(json.dumps(line) + "\n" for line in kept), "utf-8")
        size = sum(p.numel() for p in network.parameters()) / 1e6
        others_too = f" and {world - 1} more" if world > 1 else ""
        print(
            f"{len(photos)} photos, {len(paintings)} styles, {size:.2f} M parameters, {device}{others_too}", flush=True
        )

    def pool(size: int) -> Items:
        pairs = Pairs(contents, size, args.seed, shots, args.shots_share)
        return Items(pairs, vgg, args.items, args.fresh, args.renew, workers)

    items = pool(args.size if turn is None else args.size_last or args.size)
    # every process knows what all of them draw, and works on its part of the styles
    mine = slice(rank * args.styles_a_step // world, (rank + 1) * args.styles_a_step // world)

    weights = {name[2:]: weight for name, weight in vars(args).items() if name.startswith("w_")}
    for name in ("contrast", "identity"):
        weights[name] *= args.rarely

    def paint(frames: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        with torch.autocast(device.type, enabled=False):  # a style's filters and statistics are worth float32
            layers = network.assemble(code)
        return run(frames, layers)

    def forward() -> dict[str, Tensor]:
        """The losses of a step, each the mean over this process's styles."""
        rng = np.random.default_rng((args.seed, step))
        age = step - (turn or 0)
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

        # content and style, as VGG sees them
        found = vgg(out, STYLE_LAYERS)
        wanted = torch.cat([item.wanted for some in batch for item in some])
        targets = [losses.Target(*(torch.stack([style.targets[i][k] for style in drawn]).float() for k in range(3)))
                   for i in range(len(STYLE_LAYERS))]  # fmt: skip
        pictures_own = [losses.Target(*(t.repeat_interleave(args.batch, 0) for t in target)) for target in targets]
        stats = [losses.statistics(found[name]) for name in STYLE_LAYERS]
        terms["content"] = losses.content_distance(found["relu4_1"], wanted)
        terms["style"] = mean_over(losses.style_distance, stats, pictures_own)
        terms["gram"] = mean_over(losses.gram_distance, stats, pictures_own)
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

    def save() -> None:
        if rank:
            return
        about: dict[str, Any] = {"step": step, "began": began, "turn": turn, "spent": spent, "options": vars(args)}
        about = {k: json.dumps(v, default=str) for k, v in about.items()} | {"network": json.dumps(network.config)}
        carried = {f"{prefix}.{name}": t for prefix, module in (("network", network), ("guess", guess))
                   for name, t in module.state_dict().items()}  # fmt: skip
        tensors = carried | {f"average.{name}": t for name, t in average.state_dict().items()}
        for name, optimizer in optimizers.items():
            kept = checkpoint.optimizer_tensors(optimizer, names)
            tensors |= {f"{name}.{key}": t for key, t in kept.items()}
        checkpoint.save(args.out, step, checkpoint.State(tensors, about))
        # half the bytes and no optimizers: with the weights, all that has to travel to another machine
        checkpoint.write(args.out / "carry.safetensors", {name: t.half() for name, t in carried.items()}, about)
        save_weights(average, args.out / "weights.safetensors", steps=str(step))
        curves.draw({args.out.name: curves.read_log(log)}, args.out / "losses.png")

    def sheet() -> None:
        if rank == 0:
            samples(average, Contents(unseen_photos or photos), unseen_paintings or paintings, args.out / "samples.jpg")

    # --- the training
    def part() -> float:
        """How much of the training is done, 0..1."""
        return min(1.0, spent / (args.minutes * 60) if args.minutes else step / args.steps)

    progress = Progress(step, part())
    totals: dict[str, Tensor] = {}  # of the losses since the last line of the log
    counts: dict[str, int] = {}
    saved = sampled = step
    last = time.time()
    ended = step >= args.steps or bool(args.minutes and spent >= args.minutes * 60)
    stopped = False
    while not ended and not stopped:
        done = part()
        if args.size_last and turn is None and done >= 1 - args.last:
            turn, items = step, pool(args.size_last)
        for name, optimizer in optimizers.items():
            warm = min(1.0, (step - began + 1) / max(1, args.warm_up))
            rate = rates[name] * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad(set_to_none=True)
        terms = forward()
        torch.stack([weights[name] * term for name, term in terms.items()]).sum().backward()
        if world > 1:
            share_gradients(parameters, world)
        norm = nn.utils.clip_grad_norm_(parameters, CLIP)
        for optimizer in optimizers.values():
            optimizer.step()
        with torch.no_grad():
            decay = min(args.average, (1 + step) / (10 + step))
            torch._foreach_lerp_(list(average.parameters()), list(network.parameters()), 1 - decay)
            # summed where they are: reading them would stop a GPU at every step
            for name, value in (terms | {"norm": norm}).items():
                totals[name] = totals.get(name, torch.zeros_like(value)) + value
                counts[name] = counts.get(name, 0) + 1
        step += 1
        if rank == 0:
            progress.show(step, part())
        if step % args.log_every and step < args.steps:
            continue

        # --- a line of the log, and what falls on it; times are the first process's
        now = time.time()
        sums = torch.stack(list(totals.values()))
        spent, running, last = spent + now - last, now - start, now
        if world > 1:
            clock = torch.tensor([spent, running], dtype=torch.float64, device=device)
            dist.broadcast(clock, 0)
            spent, running = clock.tolist()
            dist.all_reduce(sums)
            sums /= world
        means = {name: value / counts[name] for name, value in zip(totals, sums.tolist(), strict=True)}
        totals, counts = {}, {}
        if not all(map(math.isfinite, means.values())):
            raise WorkError(f"The losses are no numbers any more at step {step}; the checkpoint of step {saved} is "
                            "sound. Go on from it with a lower --rate or --rate-filters.")  # fmt: skip
        line = {"step": step, "minutes": round(spent / 60, 2)}
        line |= {name: round(means[name], 6) for name in (*weights, "norm") if name in means}
        if rank == 0:
            with log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
            progress.show(step, part(), line)
        ended = step >= args.steps or bool(args.minutes and spent >= args.minutes * 60)
        stopped = bool(args.stop_after and running >= args.stop_after * 60)
        if step - saved >= args.save_every or ended or stopped:
            save()
            saved = step
        if step - sampled >= args.sample_every or ended or stopped:
            sheet()
            sampled = step
    if rank == 0:
        words = "Finished" if ended else "Stopped; the same command goes on"
        print(f"\n{words}: step {step}, {spent / 60:.1f} minutes, weights in {args.out / 'weights.safetensors'}")
    if world > 1:
        dist.destroy_process_group()


def check(args: argparse.Namespace, world: int) -> None:
    """InputError for options that contradict each other or cannot work."""
    if not args.pack and not (args.content and args.style):
        raise InputError("Pictures are missing; give --content and --style, or --pack.")
    if args.pack and (args.content or args.style):
        raise InputError("--pack brings its own pictures; leave --content and --style away, or pack all of them.")
    for name in ("size", "size_last"):
        if (size := getattr(args, name)) is not None and (size % REDUCTION or size < 64):
            raise InputError(f"--{name.replace('_', '-')} {size} must be a multiple of {REDUCTION}, at least 64.")
    for name in (
        "steps",
        "styles_a_step",
        "batch",
        "items",
        "fresh",
        "rarely",
        "log_every",
        "save_every",
        "sample_every",
    ):
        if getattr(args, name) < 1:
            raise InputError(f"--{name.replace('_', '-')} must be at least 1.")
    if args.styles_a_step % world:
        raise InputError(
            f"--styles-a-step {args.styles_a_step} cannot be shared among {world} processes; give a multiple."
        )


def pictures(folders: list[Path], pack: Pack | None, kind: str, held_out: bool) -> list[Picture]:
    found = pack.pictures(kind, held_out) if pack else read_pictures(folders, held_out)
    if not found and not held_out:
        where = pack.name if pack else " or ".join(map(str, folders))
        raise InputError(
            f"There are no {kind} pictures to train on in {where}; name a folder of JPEG, PNG or WebP files."
        )
    return found


def weights_of(file: Path, network: Network) -> dict[str, Tensor]:
    try:
        weights = load_file(file)
    except Exception as error:
        raise InputError(f"{file} cannot be read as weights; give a weights.safetensors of this training.") from error
    if {k: v.shape for k, v in weights.items()} != {k: v.shape for k, v in network.state_dict().items()}:
        raise InputError(f"{file} holds the weights of another network; give its --config, or leave --start away.")
    return weights


def latest(out: Path, device: torch.device) -> checkpoint.State | None:
    """Where to go on: the checkpoint, or what was carried here from another machine if that is farther."""
    whole = checkpoint.load(out, device)
    if not (out / "carry.safetensors").exists() or not (out / "weights.safetensors").exists():
        return whole
    carried = checkpoint.read(out / "carry.safetensors", device)
    if whole and json.loads(whole.about["step"]) >= json.loads(carried.about["step"]):
        return whole
    averaged = checkpoint.read(out / "weights.safetensors", device)
    tensors = {name: t.float() for name, t in [*carried.items(), *((f"average.{n}", t) for n, t in averaged.items())]}
    return checkpoint.State(tensors, carried.about | {"began": carried.about["step"]})


def is_filter(name: str) -> bool:
    """Whether a parameter of the network is filters of the content path (`StyledConv`)."""
    return not name.startswith("style.") and name.split(".")[-2] not in ("mix", "affine")


def share_gradients(parameters: list[nn.Parameter], world: int) -> None:
    """Replace every gradient by its mean over the processes.

    By hand, for the network runs several times a step, which PyTorch's DistributedDataParallel does not foresee.
    """
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    flat /= world
    for p, mean in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
        p.grad = mean.view_as(p)


def each(loss: Any, *tensors: Tensor) -> Tensor:
    """Mean of a loss that is taken of every first index (a style) alone."""
    return torch.vmap(loss)(*(t[:, None] for t in tensors)).mean()


def mean_over(distance: Any, found: list[losses.Target], wanted: list[losses.Target]) -> Tensor:
    """Mean of a distance over VGG's layers."""
    return torch.stack([distance(*pair) for pair in zip(found, wanted, strict=True)]).mean()


@torch.no_grad()
def samples(network: Network, contents: Contents, paintings: list[Picture], path: Path) -> None:
    """A sheet of five unseen photos (columns) in six unseen styles (rows)."""
    device = next(network.parameters()).device
    rng = np.random.default_rng(7)
    crops = [contents.crop(256, rng) for _ in range(5)]
    rows = [np.hstack([np.full((256, 256, 3), 255, np.uint8), *crops])]
    for index in np.linspace(0, len(paintings) - 1, 6).astype(int):
        picture = paintings[index].rgb
        code = network.style(to_tensor(for_encoder(picture)).to(device))
        out = network(torch.cat([to_tensor(crop) for crop in crops]).to(device), code)[0]
        shown = (out.permute(0, 2, 3, 1) * 255 + 0.5).byte().cpu().numpy()
        rows.append(np.hstack([cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA), *shown]))
    sheet = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
    with atomic_path(path) as aside:
        if not cv2.imwrite(str(aside), sheet, [cv2.IMWRITE_JPEG_QUALITY, 88]):
            raise WorkError(f"{path} cannot be written; check folder and free space.")


class Progress:
    """On a terminal one line that is written over again, with a bar; elsewhere a line every few seconds."""

    def __init__(self, step: int, done: float) -> None:
        self.first, self.first_done = step, done
        self.terminal = sys.stdout.isatty()
        self.start, self.shown = time.time(), 0.0
        self.words = ""

    def show(self, step: int, done: float, line: dict[str, Any] | None = None) -> None:
        """``done``: part of the training, 0..1; ``line``: the losses, when there are new ones."""
        now = time.time()
        if line:
            self.words = " ".join(f"{k} {v:.3g}" for k, v in line.items() if k not in ("step", "minutes"))
        if now - self.shown < (0.2 if self.terminal else 5) and done < 1 or not (line or self.terminal):
            return
        self.shown = now
        gone = now - self.start
        left = gone * (1 - done) / (done - self.first_done) if done > self.first_done else math.inf
        eta = "" if left == math.inf else f"{left / 60:.0f} min left" if left >= 90 else f"{left:.0f} s left"
        text = f"step {step} {done:4.0%} {(step - self.first) / gone:.2f} steps/s {eta} {self.words}"
        if self.terminal:
            bar = f"[{'#' * round(20 * done):20}] "
            width = shutil.get_terminal_size().columns - 1
            print("\r" + (bar + text)[:width].ljust(width), end="", flush=True)
        else:
            print(text, flush=True)


if __name__ == "__main__":
    main()

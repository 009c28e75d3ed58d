# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the method ``adain_reconet``: any style, steady.

    python -m training.train_adain_reconet --content DIR --style DIR --out DIR

Writes to --out: ``checkpoint.pt`` (everything needed to go on: run the same command again), ``weights.safetensors``
(the averaged weights in half precision, for ``styletx stylize --weights``), ``log.jsonl`` and ``samples.jpg``.
Each step draws a few styles and a few photos a style; each photo comes as two frames with exact motion between them.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import time
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from styletx_core.methods.adain_reconet_net import CODE, Network
from styletx_core.perceptual import losses
from styletx_core.perceptual.vgg import STYLE_LAYERS, VGG19
from styletx_core.perceptual.pictures import list_pictures
from training.data import Contents, Styles, to_tensor
from training.items import Items

# fmt: off
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--content", type=Path, action="append", required=True, help="folder of photos")
parser.add_argument("--style", type=Path, action="append", required=True, help="folder of style pictures")
parser.add_argument("--out", type=Path, required=True)
parser.add_argument("--cache", type=Path, help="folder that keeps the styles' statistics for the next training")
parser.add_argument("--steps", type=int, default=40_000)
parser.add_argument("--minutes", type=float, default=None, help="stop (and decay the rate) by time instead of by steps")
parser.add_argument("--size", type=int, default=160, help="side of the crops")
parser.add_argument("--styles-a-step", type=int, default=2)
parser.add_argument("--batch", type=int, default=2, help="photos a style; the first of them as a pair of frames")
parser.add_argument("--items", type=int, default=2500, help="pairs of frames kept in memory (0.9 MB each at 160)")
parser.add_argument("--rate", type=float, default=1e-3, help="of Adam: statistics, mixtures and the style encoder")
parser.add_argument("--rate-filters", type=float, default=4e-3, help="of Muon: the filters")
parser.add_argument("--average", type=float, default=0.998, help="decay of the averaged weights")
parser.add_argument("--w-content", type=float, default=1.0)
parser.add_argument("--w-style", type=float, default=25.0)
parser.add_argument("--w-gram", type=float, default=20.0)
parser.add_argument("--w-tv", type=float, default=0.5)
parser.add_argument("--w-output", type=float, default=40.0, help="ReCoNet's output temporal loss")
parser.add_argument("--w-feature", type=float, default=0.3, help="ReCoNet's feature-map temporal loss")
parser.add_argument("--w-guess", type=float, default=0.3, help="the style code must tell VGG's statistics")
parser.add_argument("--w-contrast", type=float, default=0.1, help="a result's style code must tell its style from others")
parser.add_argument("--w-identity", type=float, default=2.0, help="a photo in its own style stays as it is")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
parser.add_argument("--threads", type=int, default=0)
parser.add_argument("--save-every", type=int, default=100)
parser.add_argument("--config", default="{}", help="of the network, as JSON")
# fmt: on


def main() -> None:
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    if args.threads:
        torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    half = device.type == "cuda" or "avx512_bf16" in _cpu_flags()
    vgg = VGG19("relu4_1", torch.bfloat16 if half else torch.float32).to(device)
    torch.manual_seed(args.seed)
    network = Network(**json.loads(args.config)).to(device)
    # what a style code must be able to tell: mean and deviation of VGG's layers, so that it keeps texture apart
    guess = torch.nn.Linear(CODE, 2 * (64 + 128 + 256 + 512)).to(device)
    average = copy.deepcopy(network).requires_grad_(False)
    # filters are matrices and learn faster by Muon's orthogonal steps; everything else by Adam
    filters = [conv for name, conv in network.named_parameters() if _is_filter(name)]
    others = [p for name, p in network.named_parameters() if not _is_filter(name)] + list(guess.parameters())
    if args.rate_filters:
        optimizers: list = [
            torch.optim.Muon(filters, lr=args.rate_filters, weight_decay=0.0, adjust_lr_fn="match_rms_adamw")]
    else:
        optimizers = [torch.optim.Adam(filters, lr=args.rate, betas=(0.9, 0.98))]
    optimizers.append(torch.optim.Adam(others, lr=args.rate, betas=(0.9, 0.98)))
    rates = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
    step, spent = 0, 0.0
    checkpoint = args.out / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        network.load_state_dict(saved["network"])
        average.load_state_dict(saved["average"])
        guess.load_state_dict(saved["guess"])
        for optimizer, state in zip(optimizers, saved["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        step, spent = saved["step"], saved["spent"]
        print(f"going on from step {step} ({spent / 60:.0f} minutes spent)", flush=True)
    contents = Contents(list_pictures(args.content, held_out=False))
    items = Items(contents, vgg, args.size, args.seed, args.items, device)
    styles = Styles(list_pictures(args.style, held_out=False), vgg, folder=args.cache)
    held_contents = Contents(list_pictures(args.content, held_out=True))
    held_styles = Styles(list_pictures(args.style, held_out=True), vgg, versions=1)
    print(f"{len(contents.pictures)} photos, {len(styles.pictures)} styles, "
          f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f} M parameters, {device}", flush=True)  # fmt: skip

    def forward(rng: np.random.Generator) -> dict[str, torch.Tensor]:
        drawn = [styles.draw(rng) for _ in range(args.styles_a_step)]
        codes = [network.style(style.picture.to(device)) for style in drawn]
        outs, moved, terms = [], [], {"guess": 0.0, "feature": 0.0, "output": 0.0}
        batch = [items.draw(args.batch, step, rng) for _ in drawn]
        for code, some in zip(codes, batch, strict=True):
            frames = torch.cat([item.first for item in some] + [some[0].second]).float()
            out, features = network(frames, code)
            outs.append(out[:-1])
            pair, offset, seen = some[0], some[0].offset.float(), some[0].seen.float()
            small = F.avg_pool2d
            terms["output"] += losses.output_temporal(out[-1:], losses.warp(out[:1], offset), frames[-1:],
                                                      losses.warp(frames[:1], offset), seen)
            terms["feature"] += losses.feature_temporal(
                features[-1:], losses.warp(features[:1], small(offset, 8) / 8), (small(seen, 8) > 0.99).float())
        out = torch.cat(outs)
        wanted = torch.cat([item.wanted for some in batch for item in some])
        found = vgg(out, STYLE_LAYERS)
        stats = [losses.statistics(found[name]) for name in STYLE_LAYERS]
        targets = [losses.Target(*(torch.stack([style.targets[i][k].to(device).float() for style in drawn])
                                   .repeat_interleave(args.batch, 0) for k in range(3)))
                   for i in range(len(STYLE_LAYERS))]
        terms = {k: v / len(drawn) for k, v in terms.items()}
        terms["content"] = losses.content_distance(found["relu4_1"], wanted)
        terms["style"] = torch.stack([losses.style_distance(*p) for p in zip(stats, targets, strict=True)]).mean()
        terms["gram"] = torch.stack([losses.gram_distance(*p) for p in zip(stats, targets, strict=True)]).mean()
        terms["tv"] = losses.total_variation(out)
        own = [(t.mean[:: args.batch], t.std[:: args.batch]) for t in targets]
        truth = torch.cat([torch.cat(t, 1) / (t[0].square().mean(1) + t[1].square().mean(1)).sqrt()[:, None]
                           for t in own], 1)
        terms["guess"] = (guess(torch.stack(codes)) - truth).square().mean()
        if args.w_contrast:
            known = F.normalize(torch.stack(codes), dim=1)
            told = F.normalize(torch.stack([network.style(o[:1]) for o in outs]), dim=1)
            terms["contrast"] = F.cross_entropy(told @ known.T * 5, torch.arange(len(drawn), device=device))
        if args.w_identity:
            photo = batch[0][-1].first.float()
            terms["identity"] = (network(photo, network.style(photo))[0] - photo).square().mean() * 10
        return terms

    def save() -> None:
        state = {"network": network.state_dict(), "average": average.state_dict(), "guess": guess.state_dict(),
                 "optimizers": [o.state_dict() for o in optimizers], "step": step, "spent": spent,
                 "config": json.dumps(vars(args), default=str)}  # fmt: skip
        _whole(checkpoint, lambda p: torch.save(state, p))
        weights = {k: v.half().contiguous() for k, v in average.state_dict().items()}
        meta = {"method": "adain_reconet", "config": json.dumps(average.config), "steps": str(step)}
        _whole(args.out / "weights.safetensors", lambda p: save_file(weights, p, metadata=meta))

    totals: dict[str, float] = {}
    log = (args.out / "log.jsonl").open("a")
    last = time.time()
    while step < args.steps and not (args.minutes and spent > args.minutes * 60):
        done = spent / (args.minutes * 60) if args.minutes else step / args.steps
        for optimizer, rate in zip(optimizers, rates, strict=True):
            warm = min(1.0, (step + 1) / 100)
            optimizer.param_groups[0]["lr"] = rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))
            optimizer.zero_grad(set_to_none=True)
        terms = forward(np.random.default_rng((args.seed, step)))
        sum(getattr(args, f"w_{name}") * value for name, value in terms.items()).backward()
        for name, value in terms.items():
            totals[name] = totals.get(name, 0.0) + value.item()
        torch.nn.utils.clip_grad_norm_(filters + others, 2.0)
        for optimizer in optimizers:
            optimizer.step()
        with torch.no_grad():
            decay = min(args.average, (1 + step) / (10 + step))
            for a, b in zip(average.parameters(), network.parameters(), strict=True):
                a.lerp_(b, 1 - decay)
        step += 1
        now = time.time()
        spent, last = spent + now - last, now
        if step % 20 == 0:
            line = {"step": step, "minutes": round(spent / 60, 2)} | {k: round(v / 20, 4) for k, v in totals.items()}
            log.write(json.dumps(line) + "\n")
            log.flush()
            print(" ".join(f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in line.items()), flush=True)
            totals = {}
        if step % args.save_every == 0:
            save()
        if step % (5 * args.save_every) == 0:
            _samples(average, held_contents, held_styles, args.out / "samples.jpg", device)
    save()
    _samples(average, held_contents, held_styles, args.out / "samples.jpg", device)


def _is_filter(name: str) -> bool:
    """Whether a parameter of the network is filters of the content path (`StyledConv`)."""
    return not name.startswith("style.") and name.split(".")[-2] not in ("mix", "affine")


@torch.no_grad()
def _samples(network: Network, contents: Contents, styles: Styles, path: Path, device: torch.device) -> None:
    """A sheet of unseen photos (columns) in unseen styles (rows)."""
    rng = np.random.default_rng(7)
    crops = [contents.crop(256, rng) for _ in range(5)]
    rows = [np.hstack([np.full((256, 256, 3), 255, np.uint8), *crops])]
    for index in np.linspace(0, len(styles.pictures) - 1, 6).astype(int):
        picture = styles.pictures[index]
        scale = 256 / min(picture.shape[:2])
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        code = network.style(to_tensor(small).to(device))
        row = [cv2.resize(picture, (256, 256), interpolation=cv2.INTER_AREA)]
        for crop in crops:
            out = network(to_tensor(crop).to(device), code)[0][0].permute(1, 2, 0).cpu().numpy()
            row.append((out * 255 + 0.5).astype(np.uint8))
        rows.append(np.hstack(row))
    sheet = cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR)
    _whole(path, lambda p: cv2.imwrite(str(p), sheet, [cv2.IMWRITE_JPEG_QUALITY, 88]))


def _whole(path: Path, write) -> None:  # type: ignore[no-untyped-def]
    """Write aside, then rename: a kill leaves the old file or the new one."""
    aside = path.with_name(f".{path.stem}.part{path.suffix}")
    write(aside)
    aside.chmod(0o644)  # safetensors writes files for their owner alone
    os.replace(aside, path)


def _cpu_flags() -> str:
    info = Path("/proc/cpuinfo")
    return info.read_text() if info.exists() else ""


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the method ``adain_reconet``: any style, steady.

    python -m training.train_adain_reconet --content DIR --style DIR --out DIR

Writes to --out: ``checkpoint.pt`` (everything needed to go on: run the same command again), ``weights.safetensors``
(the averaged weights in half precision, for ``styletx stylize --weights``), ``log.jsonl`` and ``samples.jpg``.
Each step draws two styles and two photos a style; each photo comes as two frames with exact motion between them.
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
from safetensors.torch import save_file

from styletx_core.methods.adain_reconet_net import CODE, Network
from styletx_core.perceptual import losses
from styletx_core.perceptual.pictures import list_pictures
from styletx_core.perceptual.vgg import STYLE_LAYERS, VGG19
from training.data import Contents, Style, Styles, to_tensor
from training.motion import make_pair

# fmt: off
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--content", type=Path, action="append", required=True, help="folder of photos")
parser.add_argument("--style", type=Path, action="append", required=True, help="folder of style pictures")
parser.add_argument("--out", type=Path, required=True)
parser.add_argument("--steps", type=int, default=40_000)
parser.add_argument("--minutes", type=float, default=None, help="stop (and decay the rate) by time instead of by steps")
parser.add_argument("--size", type=int, default=160, help="side of the crops")
parser.add_argument("--batch", type=int, default=2, help="photos a style")
parser.add_argument("--styles-a-step", type=int, default=2)
parser.add_argument("--rate", type=float, default=1e-3)
parser.add_argument("--average", type=float, default=0.996, help="decay of the averaged weights")
parser.add_argument("--w-content", type=float, default=1.0)
parser.add_argument("--w-style", type=float, default=25.0)
parser.add_argument("--w-gram", type=float, default=20.0)
parser.add_argument("--w-tv", type=float, default=0.5)
parser.add_argument("--w-output", type=float, default=40.0, help="ReCoNet's output temporal loss")
parser.add_argument("--w-feature", type=float, default=0.3, help="ReCoNet's feature-map temporal loss")
parser.add_argument("--w-guess", type=float, default=0.3, help="the style code must tell VGG's statistics")
parser.add_argument("--w-identity", type=float, default=2.0, help="a photo in its own style stays as it is")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
parser.add_argument("--threads", type=int, default=0)
parser.add_argument("--save-every", type=int, default=100)
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
    network = Network().to(device)
    # what a style code must be able to tell: mean and deviation of VGG's layers, so that it keeps texture apart
    guess = torch.nn.Linear(CODE, 2 * (64 + 128 + 256 + 512)).to(device)
    average = copy.deepcopy(network).requires_grad_(False)
    params = [*network.parameters(), *guess.parameters()]
    optimizer = torch.optim.Adam(params, lr=args.rate, betas=(0.9, 0.98))
    rng = np.random.default_rng(args.seed)
    step, spent = 0, 0.0
    checkpoint = args.out / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        network.load_state_dict(saved["network"])
        average.load_state_dict(saved["average"])
        guess.load_state_dict(saved["guess"])
        optimizer.load_state_dict(saved["optimizer"])
        step, spent = saved["step"], saved["spent"]
        rng.bit_generator.state = json.loads(saved["rng"])
        torch.set_rng_state(saved["torch_rng"].cpu())
        print(f"going on from step {step} ({spent / 60:.0f} minutes spent)", flush=True)
    contents = Contents(list_pictures(args.content, held_out=False))
    styles = Styles(list_pictures(args.style, held_out=False), vgg)
    held_contents = Contents(list_pictures(args.content, held_out=True))
    held_styles = Styles(list_pictures(args.style, held_out=True), vgg, versions=1)
    print(f"{len(contents.pictures)} photos, {len(styles.pictures)} styles, "
          f"{sum(p.numel() for p in network.parameters()) / 1e6:.2f} M parameters, {device}", flush=True)  # fmt: skip

    def forward(style: Style, pairs: list) -> dict[str, torch.Tensor]:
        targets = [losses.Target(*(t.float() for t in target)) for target in style.targets]
        code = network.style(style.picture.to(device))
        both = torch.cat([to_tensor(p.first) for p in pairs] + [to_tensor(p.second) for p in pairs]).to(device)
        offset = torch.from_numpy(np.stack([p.offset for p in pairs])).to(device)
        seen = torch.from_numpy(np.stack([p.seen for p in pairs])).to(device)
        n = len(pairs)
        out, features = network(both, code)
        with torch.no_grad():
            wanted = vgg(both[:n], ("relu4_1",))["relu4_1"]
        found = vgg(out[:n], STYLE_LAYERS)
        stats = [losses.statistics(found[name]) for name in STYLE_LAYERS]
        small = torch.nn.functional.avg_pool2d
        truth = torch.cat([torch.cat((t.mean, t.std)) / (t.mean.square().mean() + t.std.square().mean()).sqrt()
                           for t in targets])  # fmt: skip
        terms = {
            "content": losses.content_distance(found["relu4_1"], wanted),
            "style": torch.stack([losses.style_distance(s, t) for s, t in zip(stats, targets, strict=True)]).mean(),
            "gram": torch.stack([losses.gram_distance(s, t) for s, t in zip(stats, targets, strict=True)]).mean(),
            "tv": losses.total_variation(out),
            "output": losses.output_temporal(out[n:], losses.warp(out[:n], offset), both[n:],
                                             losses.warp(both[:n], offset), seen),
            "feature": losses.feature_temporal(features[n:], losses.warp(features[:n], small(offset, 8) / 8),
                                               (small(seen, 8) > 0.99).float()),
            "guess": (guess(code) - truth).square().mean(),
        }  # fmt: skip
        own = network.style(both[:1])
        terms["identity"] = (network(both[:1], own)[0] - both[:1]).square().mean() * 10
        return terms

    def batch(some_contents: Contents, generator: np.random.Generator) -> list:
        crops = [some_contents.crop(args.size + 16, generator) for _ in range(args.batch)]
        return [make_pair(c, some_contents.crop(args.size + 16, generator), args.size, generator) for c in crops]

    def save() -> None:
        state = {"network": network.state_dict(), "average": average.state_dict(), "guess": guess.state_dict(),
                 "optimizer": optimizer.state_dict(), "step": step, "spent": spent, "torch_rng": torch.get_rng_state(),
                 "rng": json.dumps(rng.bit_generator.state), "config": json.dumps(vars(args), default=str)}  # fmt: skip
        _whole(checkpoint, lambda p: torch.save(state, p))
        weights = {k: v.half().contiguous() for k, v in average.state_dict().items()}
        meta = {"method": "adain_reconet", "config": json.dumps(average.config), "steps": str(step)}
        _whole(args.out / "weights.safetensors", lambda p: save_file(weights, p, metadata=meta))

    totals: dict[str, float] = {}
    log = (args.out / "log.jsonl").open("a")
    last = time.time()
    while step < args.steps and not (args.minutes and spent > args.minutes * 60):
        done = spent / (args.minutes * 60) if args.minutes else step / args.steps
        for group in optimizer.param_groups:
            warm = min(1.0, (step + 1) / 100)
            group["lr"] = args.rate * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))
        optimizer.zero_grad(set_to_none=True)
        for _ in range(args.styles_a_step):
            terms = forward(styles.draw(rng), batch(contents, rng))
            loss = sum(getattr(args, f"w_{name}") * value for name, value in terms.items()) / args.styles_a_step
            loss.backward()
            for name, value in terms.items():
                totals[name] = totals.get(name, 0.0) + value.item() / args.styles_a_step
        torch.nn.utils.clip_grad_norm_(params, 2.0)
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

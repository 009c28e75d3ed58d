# SPDX-License-Identifier: GPL-3.0-or-later
"""The photos that a training draws from, VGG-19 to look at them, and what it sees in results."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch
from torch import Tensor

from styletx_core.errors import InputError
from styletx_core.perceptual import losses
from styletx_core.perceptual.pictures import read_picture
from styletx_core.perceptual.vgg import STYLE_LAYERS, VGG19, fast_bfloat16
from training import loop
from training.data import Contents, to_tensor
from training.items import Item, Items, Pairs
from training.pack import Pack

if TYPE_CHECKING:
    from training.shots import Shots  # needs OpenEXR

MULTIPLE = 8  # sides of crops: VGG's relu4_1 has a position for so many pixels
SHOWN = 5  # photos on a sheet of samples


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `Photos`, and those of the losses that `seen` gives."""
    # fmt: off
    add = parser.add_argument
    add("--content", type=Path, action="append", default=[], help="folder of photos")
    add("--pack", type=Path, help="a file of training.pack instead of --content")
    add("--items", type=int, default=1000, help="pairs of frames kept in memory (0.6 MB each at 128)")
    add("--fresh", type=int, default=1, help="new pairs a step until there are --items")
    add("--renew", type=int, default=0, help="new pairs a step after that, in place of the oldest")
    add("--workers", type=int, help="processes that make pairs of frames ahead; default: 0, on a GPU all cores but two")
    add("--batch", type=int, default=2, help="photos a step")
    # fmt: on


class Photos:
    """Photos as pairs of frames with exact motion, made once and drawn several times; see `Items`."""

    def __init__(self, args: argparse.Namespace, device: torch.device, shots: Shots | None = None) -> None:
        loop.check(args, MULTIPLE, "batch", "items", "fresh")
        if bool(args.content) == bool(args.pack):
            raise InputError("Pictures are missing or given twice; give either --content or --pack.")
        self.args, self.shots = args, shots
        self.pack = Pack(args.pack) if args.pack else None
        photos, unseen = (loop.pictures(args.content, self.pack, "content", held_out) for held_out in (False, True))
        self.half = not args.float32 and fast_bfloat16(device)
        dtype = torch.bfloat16 if self.half else torch.float32
        self.vgg = VGG19("relu4_1", dtype, self.pack.vgg if self.pack else None).to(device)
        self.contents = Contents(photos)
        rng, few = np.random.default_rng(7), Contents(unseen or photos)
        self.samples = [few.crop(256, rng) for _ in range(SHOWN)]
        self.workers = max(1, (os.cpu_count() or 4) - 2) if device.type == "cuda" else 0
        if args.workers is not None:
            self.workers = args.workers

    def start(self, training: loop.Loop) -> None:
        """Draw for this training; called again when its crops change their size."""
        self.training = training
        share = self.args.shots_share if self.shots else 0.0
        pairs = Pairs(self.contents, training.size, self.args.seed, self.shots, share)
        self.items = Items(pairs, self.vgg, self.args.items, self.args.fresh, self.args.renew, self.workers)

    def draw(self, rng: np.random.Generator) -> list[Item]:
        """The items of a step."""
        self.items.prepare(self.training.age)
        return [self.items[number] for number in self.items.pick(self.args.batch, self.training.age, rng)]

    def autocast(self) -> torch.autocast:
        """For the network's run: in bfloat16 where that is faster."""
        return torch.autocast(self.vgg.mean.device.type, torch.bfloat16, enabled=self.half)

    def targets(self, style: np.ndarray) -> list[losses.Target]:
        """What results in a style (H, W, 3 uint8) should have, of each of STYLE_LAYERS, with a batch dimension of 1."""
        with torch.no_grad():
            features = self.vgg(to_tensor(style).to(self.vgg.mean.device), STYLE_LAYERS)
            return [losses.statistics(features[name]) for name in STYLE_LAYERS]

    def seen(self, out: Tensor, items: Sequence[Item], targets: Sequence[losses.Target]) -> dict[str, Tensor]:
        """`perceptual` of the results of the items' first frames, (N, 3, S, S)."""
        return perceptual(self.vgg, out, torch.cat([item.wanted for item in items]), targets)

    def sheet(self, path: Path, rows: Sequence[tuple[np.ndarray, Tensor]]) -> None:
        """Unseen photos (columns) in some styles (rows): each style's picture and its results, (SHOWN, 3, 256, 256)."""
        white = np.full((256, 256, 3), 255, np.uint8)
        shown = [[white, *self.samples]]
        for style, out in rows:
            results = (out.permute(0, 2, 3, 1).clamp(0, 1) * 255 + 0.5).byte().cpu().numpy()
            shown.append([cv2.resize(style, (256, 256), interpolation=cv2.INTER_AREA), *results])
        loop.write_sheet(path, shown)

    def sample_tensor(self) -> Tensor:
        """The unseen photos of the sheet, (SHOWN, 3, 256, 256) in 0..1."""
        return torch.cat([to_tensor(crop) for crop in self.samples]).to(self.vgg.mean.device)


def perceptual(vgg: VGG19, out: Tensor, content: Tensor, targets: Sequence[losses.Target]) -> dict[str, Tensor]:
    """The perceptual losses of Johnson et al. 2016 (section 3), as they are measured (docs/measures.md).

    out: results, (N, 3, H, W). content: relu4_1 of the photos. targets: of each of STYLE_LAYERS, with a batch dimension
    of N or 1. "gram" is the paper's style loss and "content" its feature loss, both made free of scale; "style" is of
    means and deviations, "tv" the difference of neighbors.
    """
    found = vgg(out, STYLE_LAYERS)
    stats = [losses.statistics(found[name]) for name in STYLE_LAYERS]
    pairs = list(zip(stats, targets, strict=True))
    return {
        "content": losses.content_distance(found["relu4_1"], content),
        "gram": torch.stack([losses.gram_distance(*pair) for pair in pairs]).mean(),
        "style": torch.stack([losses.style_distance(*pair) for pair in pairs]).mean(),
        "tv": losses.total_variation(out),
    }


def read_style(path: Path, size: int) -> np.ndarray:
    """A style picture, (H, W, 3) uint8, its longer side ``size`` at most; strokes come out as large as there."""
    if not path.is_file():
        raise InputError(f"There is no style picture '{path}'; check the path.")
    return read_picture(path, size)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures weights on the shot they are tuned to, through the door they will be used by."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..evaluate.distances import SIDE, Eye, contrast, distances, sharpness
from ..perceptual.pictures import resize_longest
from ..registry import load
from ..temporal import temporal_error
from .events import Figures
from .pairs import Pair, Pairs

STILLS = 4  # frames whose style and content are measured, at most

# What may be lost, as a share of the start's: little enough not to be noticed.
_STYLE, _CONTENT, _SHARPNESS, _CONTRAST = 1.02, 1.05, 0.95, 0.97

# Of the start's temporal error. A network that has to be steadier still erases what moves fast.
GOAL = 0.6


class Measure:
    """Figures of any weights on this shot in these styles (HxWx3 float32 display-referred)."""

    def __init__(self, pairs: Pairs, styles: Sequence[np.ndarray], device: str) -> None:
        self.pairs, self.styles, self.device = pairs, styles, device
        self.eye = Eye(device)
        step = -(-len(pairs.measured) // STILLS)
        # the last ones first: the frames that are held out come last
        self.stills = pairs.measured[::-1][::step]
        self.photos = {pair.number: self.eye.see(_picture(pair.now)) for pair in self.stills}
        self.wanted = [self.eye.see(resize_longest(style, SIDE)) for style in styles]

    def __call__(self, weights: str | Path | None) -> Figures:
        method = load("adain_reconet", self.device, "float32", weights)
        method.fix_statistics(self.pairs.spread)
        found: dict[str, list[float]] = {}

        def note(**values: float | None) -> None:
            for name, value in values.items():
                if value is not None:
                    found.setdefault(name, []).append(value)

        def paint(pair: Pair) -> np.ndarray:
            now, before = (method.stylize(_picture(p)) for p in (pair.now, pair.before))
            error = temporal_error(now, before, pair.motion)
            note(temporal=error, held_out=error if pair in self.pairs.held_out else None)
            return now

        for style, wanted in zip(self.styles, self.wanted, strict=True):
            method.set_style(style)
            for pair in self.pairs.measured:
                painted = paint(pair)
                if pair in self.stills:
                    note(sharpness=sharpness(painted), contrast=contrast(painted))
                    note(**distances(self.eye.see(painted), self.photos[pair.number], wanted))
        means = {name: float(np.mean(values)) for name, values in found.items()}
        return Figures(held_out=means.pop("held_out", None), **means)


def holds(found: Figures, start: Figures) -> bool:
    """Is nothing lost: no farther from style and photo, neither blurrier nor paler?"""
    return (
        found.style <= start.style * _STYLE
        and found.gram <= start.gram * _STYLE
        and found.content <= start.content * _CONTENT
        and found.sharpness >= start.sharpness * _SHARPNESS
        and found.contrast >= start.contrast * _CONTRAST
    )


def steady(found: Figures, start: Figures) -> bool:
    """Is the goal reached?"""
    return found.temporal <= start.temporal * GOAL


def better(found: Figures, best: Figures, start: Figures) -> bool:
    """Is it steadier with nothing lost, on the frames that were not learned from, too?

    Of two that are steady enough, the one nearer to the photo is better.
    """
    if found.held_out is not None and start.held_out is not None and found.held_out >= start.held_out:
        return False
    if not holds(found, start):
        return False
    if steady(found, start) and steady(best, start):
        return found.content < best.content
    return found.temporal < best.temporal


def _picture(half: np.ndarray) -> np.ndarray:
    return half.astype(np.float32)

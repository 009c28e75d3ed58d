# SPDX-License-Identifier: GPL-3.0-or-later
"""How a shot is painted: styles, regions and settings as a job has them, frame by frame where they are animated."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from . import keyed, library, options, regions, rendering, texts
from .properties import state_of

if TYPE_CHECKING:
    from .run import Run

STEP = 0.05
"""Seconds of work between two looks at the interface: a window takes a step every tenth of a second only."""


@dataclass(frozen=True)
class Look:
    """What a job takes from the panel's look."""

    styles: list[dict[str, Any]]
    settings: dict[str, Any]


def check(scene: bpy.types.Scene, frames: list[int], layer: str | None) -> None:
    """Raise InputError where a style, or what tells a region, is missing, or an animation cannot be followed.

    layer: the view layer that is rendered; None where frames are taken that are rendered already.
    """
    keyed.check(scene, frames)
    state: Any = state_of(scene)
    if not (state.regions and state.elsewhere == "ORIGINAL"):
        library.chosen(state)
    regions.gather(scene, state, layer, None)


def prepare(
    run: Run, frames: list[int], folder: Path, numbers: list[int] | None = None, parts: bool = True,
    layer: str | None = None,
) -> Generator[None, None, Look]:  # fmt: skip
    """Read the animation of the settings and draw the masks of the regions; returns the look.

    frames: of the scene. numbers: the same frames as the job counts them, where it counts otherwise. folder: for masks.
    parts: regions count. layer: as for `check`.
    """
    state: Any = state_of(run.scene)
    run.phase, run.progress, run.eta = "Reading the animation", 0.0, None
    yield
    found: dict[str, dict[str, float]] = {}
    clock = time.monotonic()
    for (_, values), number in zip(keyed.sample(run.scene, frames), numbers or frames, strict=True):
        for path, value in values.items():
            found.setdefault(path, {})[str(number)] = value
        if time.monotonic() - clock > STEP:
            yield
            clock = time.monotonic()
    state = state_of(run.scene)
    styles: list[dict[str, Any]] = []
    if not (parts and state.regions and state.elsewhere == "ORIGINAL"):
        styles = library.chosen(state)
        places = [number for number, style in enumerate(state.styles) if style.path.strip()]
        for style, place in zip(styles, places, strict=True):
            style["weight"] = found.get(f"styles[{place}].weight", style["weight"])
    if parts:
        more, drawings = regions.gather(run.scene, state, layer, folder)
        styles += more
        for drawing in drawings:
            yield from _draw(run, drawing, frames)
    state = state_of(run.scene)
    settings = {
        "method": state.method,
        "strength": found.get("strength", state.strength),
        "size": found.get("size", state.size),
        "stability": state.stability,
        "keep_colors": state.keep_colors,
        "options": options.values(state, state.method),
    }
    return Look(styles, settings)


def _draw(run: Run, drawing: regions.Drawing, frames: list[int]) -> Generator[None, None, None]:
    """Draw a mask to files."""
    run.phase, run.progress = texts.label("Drawing the mask '{mask}'", mask=drawing.mask), 0.0
    arguments: list[Any] = [run.scene.name, drawing.mask, frames, str(drawing.folder)]
    beside, here = rendering.beside, regions.draw_masks
    drawn: Iterator[int] = beside(here, arguments, frames) if run.windowed else here(*arguments)
    with closing(drawn):  # type: ignore[type-var]
        clock = time.monotonic()
        for frame in drawn:
            if frame >= 0:
                run.progress += 1 / len(frames)
            if frame < 0 or time.monotonic() - clock > STEP:
                yield
                clock = time.monotonic()


def key(scene: bpy.types.Scene, parts: bool = True) -> list[Any]:
    """What the look is told by: values, and for what is animated its F-curves and drivers. parts: regions count."""
    state: Any = state_of(scene)
    moved = {**keyed.curves(scene), **keyed.drivers(scene)}
    moved = {path: keyed.described(curve) for path, curve in moved.items()}
    found: list[Any] = [moved.get(name, getattr(state, name)) for name in keyed.NAMES]
    found += [state.method, state.stability, state.keep_colors, options.values(state, state.method)]
    found += [
        (style.path, moved.get(f"styles[{number}].weight", style.weight)) for number, style in enumerate(state.styles)
    ]
    return [*found, regions.key(state) if parts else []]

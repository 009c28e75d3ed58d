# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole analysis of a set of style pictures, as plain values for JSON."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ..files import atomic_path
from ..perceptual.vgg import ALL_LAYERS
from ..spread import spread
from . import clusters
from .changes import respond, separation
from .measures import MEASURES, Grams, flat, gram, measure
from .pictures import Found, gray, marks, read, traits
from .statistics import Design, holm

# In what shape each picture is measured: as it is, without its color, and without color and blank paper.
VERSIONS = {"as_is": "as it is", "gray": "luminance alone", "marks": "luminance, where something is drawn"}
TRAITS = ("chroma", "blank", "contrast", "sharpness", "pixels")
# The hypothesis: what the first groups' grams are said to be, beside those of the last group.
CLAIMS = {"sparse": ("hoyer", 1), "unimodal": ("dip", -1)}
SURE, MEDIUM = 0.05, 0.33  # corrected p below, |Cliff's delta| from (Romano et al. 2006: medium)
_CLUSTERED = 40  # pictures in the tree, at most
_CHANGED = 16  # pictures whose components are changed, at most
_EDITION = "2"  # of the stored measures

Say = Callable[[str], None]


@dataclass
class Settings:
    side: int
    clusters: int  # 0: as many as there are groups, else 4
    device: str
    store: Path  # where measures of pictures are kept, to be used again


def analyze(found: Sequence[Found], settings: Settings, say: Say) -> dict[str, Any]:
    """Measure all pictures, compare the groups with the last one, cluster, and change components."""
    eye = Grams(settings.device)
    pictures = []
    for number, item in enumerate(found, 1):
        values = _stored(item, settings, eye)
        pictures.append({"picture": item.path.name, "group": item.group, "source": item.source, **values})
        if number % 20 == 0 or number == len(found):
            say(f"{number} of {len(found)} pictures measured")
    groups = list(dict.fromkeys(item.group for item in found))
    report: dict[str, Any] = {"side": settings.side, "groups": {}, "pictures": pictures}
    for name in groups:
        of_group = [p for p in pictures if p["group"] == name]
        report["groups"][name] = _summary(of_group)
    if len(groups) > 1:
        say("Comparing the groups")
        report["comparisons"] = {name: _compared(pictures, name, groups[-1]) for name in groups[:-1]}
        _correct(report["comparisons"])
        report["claims"] = {name: _claims(found_) for name, found_ in report["comparisons"].items()}
    report["clusters"] = _clustered(found, settings, eye, say)
    report["components"] = _components(found, settings, eye, say)
    return report


def _stored(item: Found, settings: Settings, eye: Grams) -> dict[str, Any]:
    """A picture's measures: those of an earlier run, for VGG-19 takes a second a picture."""
    key = hashlib.sha256(f"{_EDITION} {settings.side} {sorted(MEASURES)}".encode() + item.path.read_bytes()).hexdigest()
    file = settings.store / f"{key[:32]}.json"
    if file.is_file():
        return dict(json.loads(file.read_text("utf-8")))
    values = _measured(item.path, settings.side, eye)
    settings.store.mkdir(parents=True, exist_ok=True)
    with atomic_path(file) as aside:
        aside.write_text(json.dumps(values), encoding="utf-8")
    return values


def _measured(path: Path, side: int, eye: Grams) -> dict[str, Any]:
    from ..perceptual.pictures import read_picture

    picture = read(path, side)
    height, width = read_picture(path).shape[:2]
    drawn = marks(picture)
    seen = {"as_is": eye.features(picture), "gray": eye.features(gray(picture))}
    seen["marks"] = seen["gray"]
    values: dict[str, Any] = {"traits": traits(picture, height * width)}
    for version, features in seen.items():
        layers = {layer: measure(flat(features[layer], drawn if version == "marks" else None)) for layer in ALL_LAYERS}
        values[version] = {layer: layers[layer].measures for layer in ALL_LAYERS}
        if version == "as_is":
            values["spectrum"] = {layer: layers[layer].spectrum for layer in ALL_LAYERS}
    return values


def _summary(pictures: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Means over a group's pictures."""
    return {
        "pictures": len(pictures),
        "sources": len({p["source"] for p in pictures}),
        "traits": {name: float(np.mean([p["traits"][name] for p in pictures])) for name in TRAITS},
        "spectrum": {layer: np.mean([p["spectrum"][layer] for p in pictures], 0).tolist() for layer in ALL_LAYERS},
    } | {
        version: {layer: {name: float(np.mean([p[version][layer][name] for p in pictures])) for name in MEASURES}
                  for layer in ALL_LAYERS}
        for version in VERSIONS
    }  # fmt: skip


def _compared(pictures: Sequence[dict[str, Any]], name: str, reference: str) -> dict[str, Any]:
    """By version, measure and layer: the effect between a group and the reference."""
    sides = [[p for p in pictures if p["group"] == group] for group in (name, reference)]
    sources = [[p["source"] for p in side] for side in sides]
    others = np.array([[p["traits"][trait] for trait in TRAITS] for side in sides for p in side])
    design = Design(sources, others)
    found: dict[str, Any] = {}
    for version in VERSIONS:
        found[version] = {}
        for measured in MEASURES:
            found[version][measured] = {}
            for layer in ALL_LAYERS:
                first, second = (np.array([p[version][layer][measured] for p in side]) for side in sides)
                found[version][measured][layer] = design.compare(first, second)._asdict()
    return found


def _correct(comparisons: dict[str, Any]) -> None:
    """Adds `holm` to every effect: p corrected for all layers and groups of the same measure and version."""
    for version in VERSIONS:
        for measured in MEASURES:
            effects = [e for found in comparisons.values() for e in found[version][measured].values()]
            for effect, p in zip(effects, holm([e["p"] for e in effects]), strict=True):
                effect["holm"] = p


def _claims(found: dict[str, Any]) -> dict[str, Any]:
    """Yes, partly or no to each claim.

    A layer agrees where the effect has the claim's direction, is medium at least, its interval leaves out zero and
    its corrected p is below 5%, in all three versions. Yes: four layers of five agree; no: none; else partly.
    """
    answers = {}
    for claim, (measured, sign) in CLAIMS.items():
        layers = {version: [layer for layer, e in found[version][measured].items() if _agrees(e, sign)]
                  for version in VERSIONS}  # fmt: skip
        both = [layer for layer in ALL_LAYERS if all(layer in names for names in layers.values())]
        against = [layer for layer in ALL_LAYERS
                   if all(_agrees(found[version][measured][layer], -sign) for version in VERSIONS)]  # fmt: skip
        answer = "yes" if len(both) >= 4 else "partly" if both else "no"
        answers[claim] = {"answer": answer, "agree": both, "against": against, "by_version": layers}
    return answers


def _agrees(effect: dict[str, float], sign: int) -> bool:
    near = effect["low"] if sign > 0 else effect["high"]
    return sign * effect["delta"] >= MEDIUM and effect["holm"] < SURE and sign * near > 0


def _clustered(found: Sequence[Found], settings: Settings, eye: Grams, say: Say) -> dict[str, Any]:
    """The tree of at most so many pictures, as many of each group as can be."""
    groups = list(dict.fromkeys(item.group for item in found))
    chosen = _even(found, _CLUSTERED)
    if len(chosen) < 2:
        return {}
    say(f"Clustering {len(chosen)} pictures")
    grams: list[list[Tensor]] = []
    for item in chosen:
        features = eye.features(read(item.path, settings.side))
        grams.append([gram(flat(features[layer])).cpu() for layer in ALL_LAYERS])
    distance = clusters.distances(grams)
    merges = clusters.linkage(distance)
    names = [item.group for item in chosen]
    count = min(settings.clusters or (len(groups) if len(groups) > 1 else 4), len(chosen))
    report: dict[str, Any] = {
        "pictures": [item.path.name for item in chosen],
        "paths": [str(item.path) for item in chosen],
        "groups": names,
        "order": clusters.order(merges, len(chosen)),
        "merges": [merge._asdict() for merge in merges],
        "clusters": clusters.cut(merges, len(chosen), count),
    }
    if len(set(names)) > 1:
        report["nearest_agree"] = clusters.nearest_agree(distance, names)
        report["p"] = clusters.chance(distance, names)
    return report


def _components(found: Sequence[Found], settings: Settings, eye: Grams, say: Say) -> dict[str, Any]:
    chosen = _even(found, _CHANGED)
    if len(chosen) < 4:  # nothing to learn a profile from
        return {}
    say(f"Changing the components of {len(chosen)} pictures")
    return separation([respond(eye, read(item.path, settings.side)) for item in chosen])


def _even(found: Sequence[Found], count: int) -> list[Found]:
    """So many pictures, evenly from all groups and evenly spread in each."""
    groups = list(dict.fromkeys(item.group for item in found))
    edges = [round(i * count / len(groups)) for i in range(len(groups) + 1)]
    return [
        item
        for name, (a, b) in zip(groups, pairwise(edges), strict=True)
        for item in spread([item for item in found if item.group == name], b - a)
    ]

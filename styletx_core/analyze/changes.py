# SPDX-License-Identifier: GPL-3.0-or-later
"""Do the layers' grams tell the components of a style apart? Change one component at a time and look.

Pictures are HxWx3 float32, display-referred sRGB in 0..1. A component is changed in the picture itself: color by its
chroma, texture, stroke and form by bands of its luminance, layout (which is no style) by shuffling its tiles.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from ..evaluate.distances import luminance
from ..perceptual.vgg import ALL_LAYERS
from .measures import Grams, flat, gram

# Of the side: standard deviations of the blurs between which strokes are. Those of the sliders (methods/components.py)
# are others, as they part what was painted and take a sharper filter: about 0.006 and 0.03 by this one. The answers in
# docs/style-analysis.md were measured with these.
_FINE, _MIDDLE = 0.004, 0.02
_TILES = 4


def changed(picture: np.ndarray) -> dict[str, np.ndarray]:
    """The picture with each component changed, one at a time."""
    side = (picture.shape[0] * picture.shape[1]) ** 0.5
    y = luminance(picture)
    fine, middle = (cv2.GaussianBlur(y, (0, 0), share * side) for share in (_FINE, _MIDDLE))
    mean = float(y.mean())
    return {
        "color": _turned(picture),
        "texture": _lit(picture, y, fine),
        "stroke": _lit(picture, y, y - fine + middle),
        "form": _lit(picture, y, y - middle + mean),
        "layout": _shuffled(picture),
    }


def _turned(picture: np.ndarray) -> np.ndarray:
    """Every color's opposite of the same luma, as far as 0..1 holds it."""
    y = luminance(picture)[..., None]
    opposite = y - picture
    # the share of the way that keeps the color within 0..1, and with it its luma
    room = np.where(opposite > 0, (1 - y) / np.maximum(opposite, 1e-6), y / np.maximum(-opposite, 1e-6))
    return np.asarray((y + opposite * np.minimum(1, room.min(2, keepdims=True))).clip(0, 1), np.float32)


def _lit(picture: np.ndarray, y: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    return np.asarray((picture + (wanted - y)[..., None]).clip(0, 1), np.float32)


def _shuffled(picture: np.ndarray) -> np.ndarray:
    height, width = (length // _TILES for length in picture.shape[:2])
    places = [(row * height, column * width) for row in range(_TILES) for column in range(_TILES)]
    out = picture.copy()
    for (y, x), to in zip(places, np.random.default_rng(0).permutation(len(places)), strict=True):
        v, u = places[to]
        out[v : v + height, u : u + width] = picture[y : y + height, x : x + width]
    return out


def respond(eye: Grams, picture: np.ndarray) -> dict[str, dict[str, float]]:
    """By component and layer: gram distance to the picture as it is, over the mean squared change of its pixels."""
    own = {name: gram(flat(found)) for name, found in eye.features(picture).items()}
    answers = {}
    for component, other in changed(picture).items():
        pixels = max(float(np.square(other - picture).mean(dtype=np.float64)), 1e-8)
        theirs = {name: gram(flat(found)) for name, found in eye.features(other).items()}
        answers[component] = {
            name: float((theirs[name] - own[name]).square().sum() / own[name].square().sum()) / pixels
            for name in ALL_LAYERS
        }
    return answers


def separation(answers: list[dict[str, dict[str, float]]], times: int = 999, seed: int = 0) -> dict[str, Any]:
    """What many pictures' answers say together.

    profile: by component, the mean share of each layer in the answer. answer: by layer, each component's mean share
    of what the layer sees (equal changes of pixels). told: how often the component can be told from the profile
    alone, by the nearest mean profile of the other pictures; p: by dealing the components out anew.
    """
    components = [name for name in answers[0] if name != "layout"]
    profiles = np.array([[_share(list(a[c].values())) for c in components] for a in answers])  # picture, c, layer
    raw = np.array([[list(a[c].values()) for c in components] for a in answers])
    seen = np.mean(raw / raw.sum(1, keepdims=True).clip(1e-12), 0)
    told = _told(profiles)
    rng = np.random.default_rng(seed)
    luck = [_told(_dealt(profiles, rng.permuted)) for _ in range(times)]
    moved = np.array([[np.mean(list(a[c].values())) for c in answers[0]] for a in answers])
    return {
        "pictures": len(answers),
        "components": components,
        "profile": {c: dict(zip(ALL_LAYERS, map(float, profiles[:, i].mean(0)), strict=True))
                    for i, c in enumerate(components)},
        "answer": {layer: {c: float(seen[i, k]) for i, c in enumerate(components)}
                   for k, layer in enumerate(ALL_LAYERS)},
        "layout": float(np.median(moved[:, -1] / moved[:, :-1].mean(1))),
        "told": float(told.mean()),
        "told_by_component": {c: float(told[:, i].mean()) for i, c in enumerate(components)},
        "p": (sum(float(other.mean()) >= told.mean() for other in luck) + 1) / (times + 1),
    }  # fmt: skip


def _share(values: list[float]) -> np.ndarray:
    found = np.array(values)
    return found / max(found.sum(), 1e-12)


def _dealt(profiles: np.ndarray, permuted: Callable[..., np.ndarray]) -> np.ndarray:
    """Each picture's profiles under components dealt out anew."""
    places = permuted(np.tile(np.arange(profiles.shape[1]), (len(profiles), 1)), axis=1)
    return np.asarray(profiles[np.arange(len(profiles))[:, None], places])


def _told(profiles: np.ndarray) -> np.ndarray:
    """(picture, component) bool: whether the mean of the other pictures' profiles that is nearest is the right one."""
    means = (profiles.sum(0, keepdims=True) - profiles) / max(len(profiles) - 1, 1)
    gaps = np.square(profiles[:, :, None] - means[:, None]).sum(-1)
    return np.asarray(gaps.argmin(2) == np.arange(profiles.shape[1]))

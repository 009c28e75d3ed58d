# SPDX-License-Identifier: GPL-3.0-or-later
"""Sliders for the components of a style, for methods that can paint at any amount of it.

Pictures are HxWx3 float32, display-referred sRGB in 0..1. The amount of style in AdaIN is the share of the style's
code in that of the frame. Depth alone does not tell the components apart: the layer at half the resolution changes
fine texture, strokes and forms alike (docs/components.md). So texture, strokes and forms each take their own amount,
at every depth, and give the picture's luminance the scales that are theirs; no scale shows two pictures at once.
Color is the chroma of the picture painted in full.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import cv2
import numpy as np

from ..perceptual.losses import LUMA

SCALES = ("texture", "stroke", "form")  # fine to coarse
# Shares of the shorter side: standard deviations of the blurs that part texture from strokes, and strokes from forms.
# The analysis of styles changes pictures at scales of its own (analyze/changes.py).
FINE, COARSE = 0.008, 0.04
_REACH = 6  # standard deviations that two blurs see
_LUMA = np.array(LUMA, np.float32)


def painted(
    paint: Callable[[float], np.ndarray],
    frame: np.ndarray,
    strength: float,
    components: Mapping[str, Any],
    wrap: bool = False,
) -> np.ndarray:
    """The frame with so much of each component of the style; may leave 0..1, as what `paint` gives may.

    paint: the frame with a given amount of style, 0 the frame, 1 the style's own. components: the amounts of texture,
    stroke and form, to be taken times the strength, and of color, whose 1 is what the strength gives. Beyond 1 a scale
    goes further the way it went: a code beyond the style's own gives less than it promises. wrap: the frame is a
    texture whose borders meet.
    """
    wanted = [float(components[name]) for name in SCALES]
    color = float(components["color"])
    out = paint(strength)
    lights = {0.0: frame @ _LUMA, strength: out @ _LUMA}
    own = bands(lights[0.0], wrap)
    y = np.zeros(frame.shape[:2], np.float32)
    for scale, share in enumerate(wanted):
        amount = strength * min(share, 1)
        if amount not in lights:
            lights[amount] = paint(amount) @ _LUMA
        y += own[scale] + np.float32(max(share, 1)) * (bands(lights[amount], wrap)[scale] - own[scale])
    return recolored(np.clip(y, 0, 1), out.clip(0, 1), frame, color)


def plain(components: Mapping[str, Any]) -> bool:
    """Whether every component is there as the strength alone gives it."""
    return all(float(components[name]) == 1 for name in (*SCALES, "color"))


def bands(picture: np.ndarray, wrap: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The fine texture, strokes and large forms of a picture or its luminance, which add up to it.

    wrap: what is beyond a border is what is at the opposite one, else the picture's mirror.
    """
    height, width = picture.shape[:2]
    side = min(height, width)
    margin = round(_REACH * COARSE * side) if wrap else 0
    wide = np.pad(picture, [(margin, margin)] * 2 + [(0, 0)] * (picture.ndim - 2), mode="wrap")
    inside = slice(margin, margin + height), slice(margin, margin + width)
    fine, coarse = _smooth(wide, FINE * side)[inside], _smooth(wide, COARSE * side)[inside]
    return picture - fine, fine - coarse, coarse


def recolored(y: np.ndarray, picture: np.ndarray, frame: np.ndarray, amount: float) -> np.ndarray:
    """The luminance y (HxW, 0..1), with chroma between the frame's (0) and the picture's (1); beyond 1, more so.

    Where a color would leave 0..1 its chroma is what gives way, so that luminance stays as it is.
    """
    theirs, own = (p - (p @ _LUMA)[..., None] for p in (frame, picture))
    chroma, y = theirs + np.float32(amount) * (own - theirs), y[..., None]
    least, most = chroma.min(2, keepdims=True), chroma.max(2, keepdims=True)
    room = np.minimum(y / np.maximum(-least, 1e-6), (1 - y) / np.maximum(most, 1e-6))
    return np.asarray(y + chroma * np.minimum(room, 1), np.float32)


def _smooth(picture: np.ndarray, sigma: float) -> np.ndarray:
    """Blurred, and what that takes off blurred once more: parts scales more sharply than one blur does."""
    once = _blurred(picture, sigma)
    return once + _blurred(picture - once, sigma)


def _blurred(picture: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian; a wide one on a smaller picture, where it is as good and fast."""
    scale = max(1, int(sigma / 3))
    if scale == 1:
        return np.asarray(cv2.GaussianBlur(picture, (0, 0), sigma))
    height, width = picture.shape[:2]
    small = cv2.resize(picture, (-(-width // scale), -(-height // scale)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), sigma / scale)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))

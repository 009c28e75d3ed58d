# SPDX-License-Identifier: GPL-3.0-or-later
"""Where styles show: coverage from Cryptomatte, the Object Index pass, or pictures, and who gets which pixel."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from styletx_core.errors import InputError
from styletx_core.job import Region, Style
from styletx_core.keyed import at
from styletx_core.shot import Frame, Shot, open_shot

_SNAP = 1e-4  # coverage this near to 0 or 1 is; Cryptomatte's ranks add up to 1 but for rounding
_SOFT, _SHARP = 0.2, 0.6  # how much coverage changes within five pixels where an edge is soft, where it is sharp


@dataclass(frozen=True, eq=False)
class Layer:
    """The styles that are painted together in one frame.

    key: the same for the same region in every frame. weights: of all the job's styles; 0 for those that show
    elsewhere. share: HxW float32 in 0..1, this layer's part of each pixel; None where it has all of them. The shares
    of a frame's layers add up to 1 at most; what is missing shows the frame itself. masks: for methods that paint
    several regions at once, the part of each style.
    """

    key: int
    weights: tuple[float, ...]
    share: np.ndarray | None
    masks: tuple[np.ndarray | None, ...] = ()


def together(layers: Sequence[Layer]) -> Layer:
    """The layers of a frame as one, for a method that paints several regions at once."""
    if len(layers) == 1 and layers[0].share is None:
        return layers[0]
    weights = tuple(map(sum, zip(*(layer.weights for layer in layers), strict=True)))
    masks = tuple(next((layer.share for layer in layers if layer.weights[i] > 0), None) for i in range(len(weights)))
    painted = np.any([layer.share for layer in layers if layer.share is not None], axis=0)
    return Layer(0, weights, painted.astype(np.float32), masks)


class Regions:
    """Where each style of a job shows, frame by frame. Opens the masks; `stack` closes them.

    Raises InputError for a mask that does not fit the shot, and for names and passes that the shot does not have.
    """

    def __init__(self, styles: Sequence[Style], shot: Shot, stack: ExitStack) -> None:
        self.styles = styles
        self.regions = list(dict.fromkeys(style.region for style in styles))
        self.masks: dict[str, Shot] = {}
        self.mattes: dict[Region, frozenset[int]] = {}
        for region in self.regions:
            if region is None:
                continue
            if region.mask is not None and region.mask not in self.masks:
                self.masks[region.mask] = stack.enter_context(open_shot(region.mask))
                _check_mask(self.masks[region.mask], shot)
            if region.index is not None:
                shot.require("index")
            for kind in ("object", "material"):
                if names := getattr(region, kind):
                    self.mattes[region] = shot.require_matte(kind, names)

    def files(self) -> list[Path]:
        """The files of the masks."""
        return [mask.file(number) for mask in self.masks.values() for number in mask.numbers]

    def weights(self, key: int, number: int) -> tuple[float, ...]:
        """Of all styles, adding up to 1, in this layer and frame; all 0 where none of its styles has any."""
        region = self.regions[key]
        weights = [at(style.weight, number) if style.region == region else 0.0 for style in self.styles]
        total = sum(weights) or 1.0
        return tuple(weight / total for weight in weights)

    def layers(self, frame: Frame) -> list[Layer]:
        """The layers that can be seen in this frame, in the styles' order."""
        keys = [key for key in range(len(self.regions)) if any(self.weights(key, frame.number))]
        covers = {}
        for key in keys:
            region = self.regions[key]
            if region is not None:
                covers[key] = self.coverage(frame, region)
        parts = split(list(covers.values()))
        shares: dict[int, np.ndarray | None] = dict(zip(covers, parts, strict=True))
        for key in keys:
            if self.regions[key] is None:
                shares[key] = snapped(1 - np.sum(parts, axis=0)) if parts else None
        return [
            Layer(key, self.weights(key, frame.number), share)
            for key, share in sorted(shares.items())
            if share is None or share.any()
        ]

    def coverage(self, frame: Frame, region: Region) -> np.ndarray:
        """HxW float32 in 0..1: how much of each pixel belongs to the region."""
        size = (frame.rgb.shape[0], frame.rgb.shape[1])
        if region.mask is not None:
            cover = _gray(self.masks[region.mask], frame.number, size)
        elif region.index is not None:
            assert frame.index is not None
            cover = antialiased(frame.index == region.index)
        else:
            kind = "object" if region.object else "material"
            cover = frame.mattes[kind].coverage(self.mattes[region])
        return snapped(1 - cover if region.invert else cover)


class Composite:
    """The layers of a frame laid together, in any order, by their share of each pixel; the frame itself has the rest.

    A pixel on an edge holds a mean of what lies on both sides, in the frame and in each painting of it. Laid together
    as they are they would bring each side's colors into the other's part, a fringe all around; so each part takes its
    color from its own side of the edge. Pixels that belong to one layer alone are that layer's own, exactly.

    picture and painted: HxWx3 float32 in 0..1. result: the same.
    """

    def __init__(self, picture: np.ndarray, shares: Sequence[np.ndarray | None]) -> None:
        self.result = picture
        parts = [share for share in shares if share is not None]
        if parts:
            rest = snapped(1 - np.sum(parts, axis=0))
            self.result = np.where((rest < 1)[..., None], rest[..., None] * own_side(picture, rest), picture)

    def add(self, painted: np.ndarray, share: np.ndarray | None) -> None:
        """Lay a painting of the whole frame in its share of the pixels."""
        self.result = painted if share is None else self.result + share[..., None] * own_side(painted, share)


def own_side(picture: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The picture, where an edge of `share` (HxW) runs with the colors of the side where there is more of it.

    Only sharp edges: a soft mask lays two paintings over each other on purpose.
    """
    mixed = (share > 0) & (share < 1)
    if not mixed.any():
        return picture
    window = np.ones((5, 5), np.uint8)
    sharp = cv2.dilate(share, window) - cv2.erode(share, window)
    amount = np.where(mixed, np.clip((sharp - _SOFT) / (_SHARP - _SOFT), 0, 1), 0)[..., None]
    weight = np.square(np.square(share))[..., None]
    total = cv2.GaussianBlur(weight, (5, 5), 1)[..., None]
    colors = cv2.GaussianBlur(weight * picture, (5, 5), 1) / np.maximum(total, 1e-9)
    return np.asarray(picture + np.where(total > 1e-9, amount, 0) * (colors - picture), np.float32)


def snapped(cover: np.ndarray) -> np.ndarray:
    """Coverage within 0..1, with what is as good as 0 or 1 exactly that."""
    cover = np.nan_to_num(np.asarray(cover, np.float32), nan=0.0, posinf=1.0, neginf=0.0)
    return np.asarray(np.where(cover < _SNAP, 0, np.where(cover > 1 - _SNAP, 1, cover)), np.float32)


def split(covers: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Each region's part of the pixels: its coverage, less where several regions claim more than there is."""
    if not covers:
        return []
    claimed = np.maximum(np.sum(covers, axis=0, dtype=np.float32), 1)
    return [np.asarray(cover / claimed, np.float32) for cover in covers]


def antialiased(inside: np.ndarray) -> np.ndarray:
    """Coverage (float32) of a region whose pixels (HxW bool) are in or out: its stairs become slopes."""
    return np.asarray(cv2.GaussianBlur(inside.astype(np.float32), (3, 3), 0.7, borderType=cv2.BORDER_REPLICATE))


def _gray(mask: Shot, number: int, size: tuple[int, int]) -> np.ndarray:
    """HxW float32 in 0..1: how white the mask is in this frame; what is transparent in it is black."""
    frame = mask.read(number if len(mask.numbers) > 1 else mask.numbers[0])
    gray = frame.rgb.mean(2)
    if frame.alpha is not None and mask.encoding == "display":  # scene-linear color has its alpha in it
        gray *= frame.alpha
    gray = np.nan_to_num(gray).clip(0, 1)
    return np.asarray(cv2.resize(gray, size[::-1], interpolation=cv2.INTER_AREA), np.float32)


def _check_mask(mask: Shot, shot: Shot) -> None:
    """Raises InputError for a mask that does not fit the shot; another size of the same shape does."""
    if abs(mask.width / mask.height - shot.width / shot.height) > 0.01 * shot.width / shot.height:
        raise InputError(
            f"The mask '{mask.file(mask.numbers[0])}' is {mask.width}x{mask.height}, but the frames are"
            f" {shot.width}x{shot.height}; give a mask of the same shape."
        )
    if len(mask.numbers) > 1 and not set(shot.numbers) <= set(mask.numbers):
        missing = next(number for number in shot.numbers if number not in mask.numbers)
        raise InputError(f"The masks '{mask.path}' have no frame {missing}; give one for each frame, or a single one.")

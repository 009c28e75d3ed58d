# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendered shots as training data: pairs of frames with the render's own motion between them.

Any OpenEXR sequences with the Vector pass will do, such as `training/render_dataset.py` makes.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from styletx_core.color import ViewTransform, to_picture
from styletx_core.errors import InputError
from styletx_core.job import ViewSettings
from styletx_core.motion import WORLD_DEPTH, MotionSource, make_motion
from styletx_core.shot import Frame, Shot, open_shot

from .motion import Pair

TALLEST = 540  # pixels; higher frames are kept at a half, a third, ... of their size
WHOLE = 0.99  # share of a pixel that must be seen for it to count when frames are resampled


class _Kept(NamedTuple):
    """Two neighboring frames, small enough to keep many."""

    first: np.ndarray  # (H, W, 3) uint8 sRGB
    second: np.ndarray  # (H, W, 3) uint8 sRGB
    offset: np.ndarray  # (H, W, 2) float16
    seen: np.ndarray  # (H, W) uint8 0 or 1
    mask: np.ndarray  # (H, W) uint8, 255: in front


class Shots:
    """Random pairs of neighboring frames out of ``folders``.

    Each folder is a sequence itself or holds them at any depth. Motion and visibility are the engine's own: vectors
    of the nearest surface along silhouettes, the world's motion from the camera in shot.json (from optical flow
    where there is none). ocio: an OpenColorIO config for the views the shots were made for; without one they are
    shown in plain sRGB, at their own exposure. megabytes: of decoded pairs that are kept in memory, 0.6 each at
    320x180. Raises InputError for folders without sequences and for sequences without usable vectors.
    """

    def __init__(self, folders: Sequence[Path | str], ocio: Path | str | None = None, megabytes: float = 2000) -> None:
        self.sources: list[tuple[Shot, MotionSource, ViewTransform]] = []
        for folder in folders:
            for sequence in _sequences(Path(folder)):
                shot = open_shot(sequence)
                if len(shot.numbers) < 2:
                    raise InputError(f"{sequence} holds a single frame; give sequences of two or more.")
                self.sources.append((shot, make_motion(shot, "vectors"), _view(shot, ocio)))
        if not self.sources:
            raise InputError("No folder of shots is given; name at least one.")
        self.pairs = [
            (source, n) for source, (shot, *_) in enumerate(self.sources) for n in range(1, len(shot.numbers))
        ]
        self._limit = int(megabytes * 1e6)
        self._kept: OrderedDict[tuple[int, int], _Kept | None] = OrderedDict()
        self._bytes = 0

    def __len__(self) -> int:
        """How many pairs of neighboring frames there are."""
        return len(self.pairs)

    def pair(self, size: int, rng: np.random.Generator) -> Pair:
        """A random crop, (size, size), of a random pair, at times mirrored, at an exposure of its own.

        Frames smaller than ``size`` are enlarged. ``mask`` is what has an object index above 0 (where no pixel has
        one, everything but the world).
        """
        for _ in range(len(self.pairs)):  # cuts lie between some frames
            kept = self._get(*self.pairs[int(rng.integers(len(self.pairs)))])
            if kept is not None:
                return _crop(kept, size, rng)
        raise InputError(f"{self.sources[0][0].path} has nothing but cuts between its frames; give other shots.")

    def _get(self, source: int, place: int) -> _Kept | None:
        """The pair that ends at the frame at ``place`` of the shot, None across a cut."""
        key = source, place
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        kept = _read(*self.sources[source], place)
        self._kept[key] = kept
        self._bytes += _weight(kept)
        while self._bytes > self._limit and len(self._kept) > 1:
            self._bytes -= _weight(self._kept.popitem(last=False)[1])
        return kept


def _sequences(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder; give one that holds OpenEXR sequences.")
    files = (file.relative_to(folder) for file in folder.rglob("*.exr"))
    # what begins with a dot is not finished
    found = sorted({file.parent for file in files if not any(part.startswith(".") for part in file.parts)})
    if not found:
        raise InputError(f"{folder} holds no OpenEXR frames; training/render_dataset.py renders some.")
    return [folder / sequence for sequence in found]


def _view(shot: Shot, ocio: Path | str | None) -> ViewTransform:
    view = (shot.camera.view if shot.camera else None) or ViewSettings()
    if ocio is not None:
        return ViewTransform(replace(view, ocio=str(ocio)))
    return ViewTransform(ViewSettings(exposure=view.exposure, gamma=view.gamma), environment=False)


def _weight(kept: _Kept | None) -> int:
    return sum(array.nbytes for array in kept) if kept else 0


def _read(shot: Shot, source: MotionSource, view: ViewTransform, place: int) -> _Kept | None:
    before, now = shot.read(shot.numbers[place - 1]), shot.read(shot.numbers[place])
    first, second = (to_picture(frame, shot.encoding, view) for frame in (before, now))
    motion = source.between(before, now, first, second)
    if motion is None:
        return None
    step = -(-shot.height // TALLEST)
    # of the offsets no means are taken: they would mix the motions of both sides of a silhouette
    rows, columns = (slice(step // 2, side // step * step, step) for side in (shot.height, shot.width))
    offset = (motion.offset[rows, columns] / step).astype(np.float16)
    seen = _shrunk(motion.visible, step) > WHOLE
    mask = _shrunk(_bytes(_front(now)), step)
    return _Kept(_shrunk(_bytes(first), step), _shrunk(_bytes(second), step), offset, seen.astype(np.uint8), mask)


def _bytes(picture: np.ndarray) -> np.ndarray:
    return (picture * 255 + 0.5).astype(np.uint8)


def _shrunk(picture: np.ndarray, step: int) -> np.ndarray:
    """The mean over step x step pixels; what is left over at the right and below is cut off."""
    height, width = picture.shape[0] // step, picture.shape[1] // step
    if step == 1:
        return picture
    cut = picture[: height * step, : width * step]
    return np.asarray(cv2.resize(cut, (width, height), interpolation=cv2.INTER_AREA), picture.dtype)


def _front(frame: Frame) -> np.ndarray:
    """(H, W) float32 0 or 1: an object, or where nothing has an index, anything but the world."""
    front = np.zeros(frame.rgb.shape[:2], bool)
    if frame.index is not None and frame.index.any():
        front = frame.index > 0
    elif frame.depth is not None:
        front = frame.depth < WORLD_DEPTH
    return front.astype(np.float32)


def _crop(kept: _Kept, size: int, rng: np.random.Generator) -> Pair:
    height, width = kept.seen.shape
    if min(height, width) < size:
        kept = _enlarged(kept, size)
        height, width = kept.seen.shape
    y, x = int(rng.integers(height - size + 1)), int(rng.integers(width - size + 1))
    window = (slice(y, y + size), slice(x, x + size))
    if rng.random() < 0.5:
        window = (window[0], slice(x + size - 1, x - 1 if x else None, -1))
    first, second, offset, seen, mask = (part[window].astype(np.float32) for part in kept)
    if window[1].step == -1:
        offset[..., 0] *= -1
    ys, xs = np.mgrid[:size, :size].astype(np.float32)
    px, py = xs + offset[..., 0], ys + offset[..., 1]
    seen *= (px >= 0) & (px <= size - 1) & (py >= 0) & (py <= size - 1)
    gain, gamma = float(np.exp(rng.normal(0, 0.12))), float(np.exp(rng.normal(0, 0.12)))
    shown = [np.minimum(cv2.pow(f * np.float32(gain / 255), gamma), 1) for f in (first, second)]
    return Pair(shown[0], shown[1], offset.transpose(2, 0, 1).copy(), seen[None], mask[None] / 255)


def _enlarged(kept: _Kept, size: int) -> _Kept:
    """Large enough for a crop of this size."""
    height, width = kept.seen.shape
    scale = size / min(height, width)
    to = max(size, round(width * scale)), max(size, round(height * scale))

    def resized(picture: np.ndarray, kernel: int = cv2.INTER_LINEAR) -> np.ndarray:
        return np.asarray(cv2.resize(picture, to, interpolation=kernel))

    offset = resized(kept.offset.astype(np.float32), cv2.INTER_NEAREST) * np.array(
        (to[0] / width, to[1] / height), np.float32
    )
    seen = resized(kept.seen.astype(np.float32)) > WHOLE
    return _Kept(resized(kept.first, cv2.INTER_CUBIC), resized(kept.second, cv2.INTER_CUBIC),
                 offset.astype(np.float16), seen.astype(np.uint8), resized(kept.mask))  # fmt: skip

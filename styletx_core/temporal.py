# SPDX-License-Identifier: GPL-3.0-or-later
"""Time: a stage behind every method that keeps the paint on the surfaces it was laid on.

The previous output is carried along the motion with a sharp kernel and kept wherever its surface was visible and
the input still looks as it did *when that paint was laid* (ReCoNet's luminance term and Ruder's occlusion masks let
only one frame change; a slow light would outrun both). Elsewhere the frame stylized alone shows. What carrying
wears off is given back: low frequencies lean toward the frame alone, and fine detail keeps its energy.
"""

from __future__ import annotations

import cv2
import numpy as np

from .motion import Motion
from .warp import warp

_RESIDUAL = 0.012  # change of the input, 0..1, that noise and resampling make and that is no change
_CHANGE = 0.22  # change beyond it at which half of the paint is new
_LEAN = 0.1  # a frame's pull of the low frequencies toward the frame alone, at least
_STALE = 0.25  # difference of the low frequencies to the frame alone that is made up for at once
_AROUND = 5  # pixels on a side of the window of the frame alone within whose colors the paint has to stay ...
_MARGIN = 0.02  # ... give or take this
_REGAIN_STROKES = 0.5  # how much of the lost (or won) energy of strokes is made up for in a frame
_REGAIN_DETAIL = 1.0  # ... and of detail finer than strokes


class Temporal:
    """The history of one shot; `step` takes the frames in their order.

    stability: 0 shows every frame as stylized alone, 1 keeps all the paint that can be kept.
    """

    error: float | None = None  # of the last step: RMS of its output minus the previous one along the motion
    alone_error: float | None = None  # the same of the frames stylized alone

    def __init__(self, stability: float = 1.0) -> None:
        self.stability = stability
        self._history: dict[str, np.ndarray] = {}
        self._steps = 0

    def step(self, picture: np.ndarray, stylized: np.ndarray, motion: Motion | None) -> np.ndarray:
        """The steady version of ``stylized``.

        picture, stylized: HxWx3 float32 in 0..1, the input as the network saw it and its output, the same size in
        all calls. motion: from this frame back to the one of the last call; None (a cut) forgets the history.
        """
        self.error = self.alone_error = None
        if motion is None or not self._history:
            out, laid = stylized, picture
        else:
            out, laid = self._carry(picture, stylized, motion)
            self.error = temporal_error(out, self._history["output"].astype(np.float32), motion)
            self.alone_error = temporal_error(stylized, self._history["alone"].astype(np.float32), motion)
        self._steps += 1
        # half precision on purpose, and used as such: what is saved to resume from is what the next frame works with
        self._history = {"output": out.astype(np.float16), "laid": laid.astype(np.float16),
                         "alone": stylized.astype(np.float16)}  # fmt: skip
        return out

    @property
    def started(self) -> bool:
        """Whether there is a frame before."""
        return bool(self._history)

    def restyle(self, stylized: np.ndarray) -> None:
        """Say how the frame of the last call looks in another style, so that a keyed style is followed at once.

        stylized: HxWx3 float32 in 0..1, that frame stylized alone. The paint changes by as much as that did; what
        steadied it stays.
        """
        if not self._history:
            return
        output, alone = (self._history[name].astype(np.float32) for name in ("output", "alone"))
        output = np.clip(output + (stylized - alone), 0, 1)
        self._history |= {"output": output.astype(np.float16), "alone": stylized.astype(np.float16)}

    def _carry(self, picture: np.ndarray, stylized: np.ndarray, motion: Motion) -> tuple[np.ndarray, np.ndarray]:
        paint, laid = self._along(motion, "output"), self._along(motion, "laid")
        change = _change(picture, laid, motion.visible)
        keep = (motion.visible * np.exp2(-np.square(change)) * self.stability)[..., None]
        sigma = picture.shape[0] / 60
        # what a passing object threw on its background (a glow, a darker outline) is not left behind: the more the
        # paint differs broadly from the frame alone, the more of that is made up for at once
        broad = cv2.GaussianBlur(keep * (stylized - paint), (0, 0), sigma / 2)
        paint = paint + np.clip(_largest(np.abs(broad)) / _STALE, _LEAN, 1)[..., None] * broad
        # the thin ring that each outline would leave on a flat background, as temporal antialiasing ends it
        window = np.ones((_AROUND, _AROUND), np.uint8)
        paint = np.clip(paint, cv2.erode(stylized, window) - _MARGIN, cv2.dilate(stylized, window) + _MARGIN)
        out = stylized + keep * (paint - stylized)
        strokes = _strokes(out)
        found, wanted = (_total(np.square(s)) for s in (strokes, _strokes(stylized)))
        out = out + keep * _more(found, wanted, sigma, _REGAIN_STROKES) * strokes
        found, wanted = (_detail(p) for p in (out, stylized))
        out = out + keep * _more(found, wanted, sigma, _REGAIN_DETAIL) * (out - cv2.GaussianBlur(out, (0, 0), 0.7))
        out = np.clip(out, 0, 1)
        return out, picture + keep * (laid - picture)

    def _along(self, motion: Motion, name: str) -> np.ndarray:
        """A picture of the history, carried along the motion."""
        return warp(self._history[name].astype(np.float32), motion.offset + _dither(self._steps), "lanczos")

    def carried(self, motion: Motion | None) -> tuple[np.ndarray, np.ndarray] | None:
        """For methods that use history: the last output along the motion (HxWx3 in 0..1) and how far it is to be kept
        (HxW in 0..1); None after a cut. Call it before `step`.
        """
        if motion is None or not self._history or self.stability == 0:
            return None
        previous = self._along(motion, "output")
        visible = motion.visible * np.float32(self.stability)
        return np.clip(previous, 0, 1), np.asarray(visible, np.float32)

    def state(self) -> dict[str, np.ndarray]:
        """What `restore` needs to go on: float16 arrays of HxWx3 and the number of steps made."""
        return {**self._history, "steps": np.array(self._steps)}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Go on from a `state`, exactly as if this stage had made the frames before."""
        self._history = dict(state)
        self._steps = int(self._history.pop("steps"))


def _change(picture: np.ndarray, laid: np.ndarray, visible: np.ndarray) -> np.ndarray:
    """HxW: how much the input differs from what the paint was laid for, 1 where half of the paint is to be new.

    Blurred with its sign, so that noise and the half-pixel of a texture cancel and light does not. And unblurred
    with a coarser measure, so that an outline left behind, one pixel wide, is seen too: by how far it lies outside
    the colors around (as temporal antialiasing clamps its history), which a half-pixel does not.
    """
    weight = cv2.GaussianBlur(visible, (0, 0), 2)
    wide = cv2.GaussianBlur((picture - laid) * visible[..., None], (0, 0), 2) / np.maximum(weight, 1e-3)[..., None]
    window = np.ones((3, 3), np.uint8)
    outside = np.maximum(laid - cv2.dilate(picture, window), cv2.erode(picture, window) - laid)
    narrow = _largest(cv2.GaussianBlur(outside, (0, 0), 0.7))
    return np.maximum(_largest(np.abs(wide)) - _RESIDUAL, narrow).clip(min=0) / _CHANGE


def _strokes(picture: np.ndarray) -> np.ndarray:
    """The frequencies of strokes: above those that lean toward the frame alone, below the finest."""
    return cv2.GaussianBlur(picture, (0, 0), 0.7) - cv2.GaussianBlur(picture, (0, 0), 2.8)


def _detail(picture: np.ndarray) -> np.ndarray:
    """HxW: energy of the finest detail, as the Laplacian of the gray picture measures it."""
    return np.square(cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_32F))


def _more(found: np.ndarray, wanted: np.ndarray, sigma: float, share: float) -> np.ndarray:
    """HxWx1: what part of a band is to be added to it, so that its energy around comes nearer to the wanted one."""
    around, wanted_around = (cv2.GaussianBlur(energy, (0, 0), sigma) for energy in (found, wanted))
    return (np.clip((wanted_around + 1e-6) / (around + 1e-6), 0.25, 4) ** (share / 2) - 1)[..., None]


# numpy reduces over a last axis of three an order of magnitude slower than this
def _largest(picture: np.ndarray) -> np.ndarray:
    return np.maximum(np.maximum(picture[..., 0], picture[..., 1]), picture[..., 2])


def _dither(step: int) -> np.ndarray:
    """(2,): up to 1/64 pixel, spread evenly over the steps by the R2 sequence (Roberts 2018).

    OpenCV samples at 1/32 pixel. A slow pan would be rounded the same way in every frame and the paint would slip
    off its surface; so its mean over the frames is exact, and what does not move still does not.
    """
    return ((step * np.array([0.7548776662, 0.5698402910]) % 1 - 0.5) / 32).astype(np.float32)


def temporal_error(now: np.ndarray, before: np.ndarray, motion: Motion) -> float | None:
    """Root mean square of ``now`` minus ``before`` carried along the motion (bilinear), over pixels seen in both.

    now, before: HxWx3 float32 in 0..1. None where no pixel was seen in both.
    """
    if not motion.seen.any():
        return None
    gap = now - warp(before, motion.offset, "linear")
    return float(np.sqrt(np.square(gap[motion.seen]).mean(dtype=np.float64)))


def _total(picture: np.ndarray) -> np.ndarray:
    return picture[..., 0] + picture[..., 1] + picture[..., 2]

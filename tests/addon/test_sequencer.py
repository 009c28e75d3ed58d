# SPDX-License-Identifier: GPL-3.0-or-later
"""Strips in Blender's sequencer, painted through the operator: pixels, timing, sound, undo, cancel, errors.

All cases run in one Blender (inside/sequencer.py); here it is looked at what they saw.
"""

from __future__ import annotations

import shutil
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from blenders import ROOT, Blender
from test_extension import pixels

import styletx_core
from styletx_core import Job, engine

SCRIPT = Path(__file__).parent / "inside" / "sequencer.py"
COUNT = 12


# Media


def make_media(folder: Path) -> None:
    """Twelve frames of 64x64 that drift two pixels a frame: as PNG, as movies with sound; a picture with alpha."""
    (folder / "png").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 255, (12, 12, 3), np.uint8)
    wide = cv2.resize(noise, (96, 96), interpolation=cv2.INTER_CUBIC)
    frames = [np.ascontiguousarray(wide[:64, 2 * i : 64 + 2 * i]) for i in range(COUNT)]
    for number, frame in enumerate(frames, 1):
        cv2.imwrite(str(folder / "png" / f"pic_{number:04d}.png"), frame[..., ::-1])
    y, x = np.mgrid[:64, :64]
    alpha = np.clip(26 - np.hypot(x - 32, y - 32), 0, 10) / 10
    soft = np.dstack([frames[0][..., ::-1], (alpha * 255).astype(np.uint8)])
    cv2.imwrite(str(folder / "png" / "soft.png"), soft)
    _movie(folder / "lossless.mkv", frames, "ffv1", "bgr0", "pcm_s16le")
    _movie(folder / "lossy.mp4", frames, "libx264", "yuv420p", "aac")


def _movie(path: Path, frames: list[np.ndarray], codec: str, layout: str, sound: str) -> None:
    with av.open(str(path), "w") as file:
        video: Any = file.add_stream(codec, rate=24)
        video.width, video.height, video.pix_fmt = 64, 64, layout
        video.time_base = Fraction(1, 24)
        audio: Any = file.add_stream(sound, rate=48000)
        for frame in frames:
            file.mux(video.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        file.mux(video.encode())
        wave = (np.sin(np.arange(24000) / 48000 * 440 * 6.28) * 8000).astype(np.int16)[None]
        samples = av.AudioFrame.from_ndarray(wave, "s16", layout="mono")
        samples.rate, samples.pts = 48000, 0
        file.mux(audio.encode(samples))
        file.mux(audio.encode())

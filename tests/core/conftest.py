# SPDX-License-Identifier: GPL-3.0-or-later
"""Small real inputs for the engine's tests: a texture that moves to the right, in every kind of file."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import settings
from shotfiles import write_single_part

# As the command line and the worker do; set before torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# a machine that is busy with something else is no reason to fail
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

WIDTH, HEIGHT, FRAMES = 64, 48, 6
SPEED = 2  # pixels a frame


def texture(frame: int) -> np.ndarray:
    """HxWx3 float32 0..1; what is at x in one frame is at x + SPEED in the next."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    x = x - SPEED * frame
    waves = [np.sin(x / 3 + y / 7), np.sin(x / 11 - y / 4), np.cos(x / 5) * np.sin(y / 5)]
    return np.stack(waves, axis=2).astype(np.float32) * 0.35 + 0.5


def write_png(path: Path, picture: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.round(picture[..., ::-1] * 255).astype(np.uint8))
    return path


def write_frames(directory: Path, frames: int = FRAMES, first: int = 1) -> Path:
    for number in range(first, first + frames):
        write_png(directory / f"shot_{number:04d}.png", texture(number))
    return directory


def write_exr(directory: Path, frames: int = FRAMES) -> Path:
    """Multilayer EXR as Blender 4 writes it, with the exact Vector pass of the moving texture."""
    for number in range(1, frames + 1):
        linear = texture(number) ** np.float32(2.2)
        to_previous = -SPEED if number > 1 else 0
        content = {
            "Combined": np.dstack([linear, np.ones((HEIGHT, WIDTH), np.float32)]),
            "Vector": np.full((HEIGHT, WIDTH, 4), (to_previous, 0, -SPEED, 0), np.float32),
            "Depth": np.full((HEIGHT, WIDTH, 1), 5, np.float32),
        }
        write_single_part(directory / f"shot_{number:04d}.exr", content)
    return directory


def write_movie(path: Path, frames: int = FRAMES) -> Path:
    """H.264 with a sine tone, 12 frames a second."""
    with av.open(f"file:{path}", "w") as container:
        video = container.add_stream("libx264", rate=12, options={"crf": "12"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        audio = container.add_stream("aac", rate=48000, layout="mono")
        for number in range(1, frames + 1):
            pixels = np.round(texture(number) * 255).astype(np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(video.encode(None))
        tone = np.sin(np.arange(48000 * frames // 12) / 20).astype(np.float32)[None] * 0.3
        sound = av.AudioFrame.from_ndarray(tone, "fltp", layout="mono")
        sound.sample_rate = 48000
        container.mux(audio.encode(sound))
        container.mux(audio.encode(None))
    return path


@dataclass(frozen=True)
class Material:
    """Files every test may read and none may change."""

    photo: Path
    frames: Path  # a directory of PNG
    exr: Path  # a directory of multilayer EXR with vectors
    movie: Path
    style: Path
    weights: Path


@pytest.fixture(scope="session")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    root = tmp_path_factory.mktemp("material")
    rng = np.random.default_rng(7)
    style = cv2.resize(rng.random((6, 6, 3), np.float32), (48, 48), interpolation=cv2.INTER_NEAREST)
    return Material(
        photo=write_png(root / "photo.png", texture(0)[:41, :57]),
        frames=write_frames(root / "frames"),
        exr=write_exr(root / "exr"),
        movie=write_movie(root / "movie.mp4"),
        style=write_png(root / "style.png", style),
        weights=write_weights(root / "small.safetensors"),
    )


def write_weights(path: Path) -> Path:
    """A small network with random weights: the engine is the same for any, and this one is fast."""
    import torch
    from safetensors.torch import save_file

    from styletx_core.methods.adain_reconet_net import Network

    torch.manual_seed(3)
    network = Network(width=16, thin=8, blocks=1, bases=1)
    metadata = {"method": "adain_reconet", "config": json.dumps(network.config)}
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, path, metadata)
    return path

# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the sample shot of the tests: 8 frames 256x144 in the EXR layouts of Blender 4 and 5.

    python tests/scenes/make_sample_shot.py PYTHON_WITH_BPY_4 PYTHON_WITH_BPY_5      (in the project's environment)

Writes tests/data/shot_4x and tests/data/shot_5x. Parts, channels, names and headers stay as Blender wrote them. To
keep the repository small the denoiser's copy is dropped, vectors are rounded to 1/64 pixel and depths to 10 bits.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import OpenEXR

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "data"
SHOT = ["--frames", "8", "--size", "256x144", "--samples", "24", "--speed", "4"]


def small(name: str, pixels: np.ndarray) -> np.ndarray:
    """Fewer bits where they say nothing: float noise does not compress."""
    if ".Vector." in name:
        return np.round(pixels * 64) / np.float32(64)
    if ".Depth." in name:
        return ((pixels.view(np.uint32) + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)
    return pixels


def pack(source: Path, target: Path) -> None:
    parts = []
    for part in OpenEXR.File(str(source), separate_channels=True).parts:
        channels = {
            name: small(name, channel.pixels) for name, channel in part.channels.items() if "Noisy" not in name
        }
        if channels:
            header = {key: value for key, value in part.header.items() if key not in ("channels", "chunkCount")}
            parts.append(OpenEXR.Part(header, channels, part.header.get("name", "")))
    OpenEXR.File(parts).write(str(target))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bpy4", type=Path)
    parser.add_argument("bpy5", type=Path)
    args = parser.parse_args()
    for python, name in ((args.bpy4, "shot_4x"), (args.bpy5, "shot_5x")):
        with tempfile.TemporaryDirectory() as rendered:
            subprocess.run([python, HERE / "demo_scene.py", "--output", rendered, *SHOT], check=True)
            target = DATA / name
            target.mkdir(parents=True, exist_ok=True)
            for path in sorted(Path(rendered).glob("*.exr")):
                pack(path, target / path.name)
            shutil.copy(Path(rendered) / "shot.json", target)


if __name__ == "__main__":
    main()

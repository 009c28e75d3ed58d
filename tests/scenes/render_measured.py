# SPDX-License-Identifier: GPL-3.0-or-later
"""Render the shots that StyleTX is measured on, 640x360, into build/shots. Frames already there are kept.

    python tests/scenes/render_measured.py [measured] [light] [mattes]      (a Python with bpy; 4 to 8 s a frame)

measured: 100 frames, everything moves, the ball passes in front of posts and trees.
light: 40 frames, only the sun moves, and stops at frame 30: what is left of its shadows after that is a ghost.
mattes: 6 frames with Cryptomatte, for the pictures of docs/regions.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy
import demo_scene  # the folder of this script is not a package in Blender's Python

SHOTS = {
    "measured": demo_scene.Settings(frames=100, samples=6),
    "light": demo_scene.Settings(frames=40, samples=6, moving_light=True),
    "mattes": demo_scene.Settings(frames=6, samples=16, mattes=True),
}
DEFAULT = Path(__file__).resolve().parents[2] / "build" / "shots"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shots", nargs="*", help=f"of {', '.join(SHOTS)}; default: all")
    parser.add_argument("--output", type=Path, default=DEFAULT)
    args = demo_scene.arguments(parser)
    for name in args.shots or SHOTS:
        if name not in SHOTS:
            parser.error(f"There is no shot '{name}'; choose of {', '.join(SHOTS)}.")
        bpy.ops.wm.read_factory_settings()  # beside the objects of another shot these would get other names
        demo_scene.render(demo_scene.build(SHOTS[name]), args.output / name, keep=True)


if __name__ == "__main__":
    main()

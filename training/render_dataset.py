# SPDX-License-Identifier: GPL-3.0-or-later
"""Render shots to train on: OpenEXR sequences with Combined, Vector, Depth and Object Index, and the camera.

    python training/render_dataset.py --out DIR [--shots 20] [--frames 12] [--size 320x180] [--seed 0] [--blend FILE]

in a Python with bpy (in Blender: blender -b -P training/render_dataset.py -- --out DIR ...). Without --blend the
scenes are procedural (training/render_scenes.py), one a seed. With it the shots are spread over the file's frame
range. Each shot is a folder in DIR that appears when it is whole; shots already there are kept. Noise differs from
shot to shot: some are denoised after few samples, some keep the grain of more.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # started as a script, in Blender's Python

from addon import compat, shots
from styletx_core.errors import InputError, WorkError
from training import render_scenes


def main() -> int:
    args = _arguments()
    try:
        for name, scene, seed in _scenes(args):
            _render(scene, args.out, name, seed, args)
    except InputError as error:
        print(f"render_dataset: {error}", file=sys.stderr)
        return 2
    except (WorkError, OSError, RuntimeError) as error:  # Blender says with a RuntimeError that it could not render
        print(f"render_dataset: {str(error).strip()} (finished shots are kept)", file=sys.stderr)
        return 1
    return 0


def _arguments() -> argparse.Namespace:
    # fmt: off
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder that gets a folder for each shot")
    parser.add_argument("--shots", type=int, default=20)
    parser.add_argument("--frames", type=int, default=12, help="of each shot")
    parser.add_argument("--size", type=_size, default=(320, 180), help="WIDTHxHEIGHT; a .blend's fits into it")
    parser.add_argument("--seed", type=int, default=0, help="of the first shot; the others count on from it")
    parser.add_argument("--blend", type=Path, help="take the scene of this file")
    parser.add_argument("--engine", choices=("cycles", "eevee"), default="cycles", help="eevee needs a display")
    parser.add_argument("--samples", type=int, help="of every shot; default: 4 to 8 denoised, or 12 to 32")
    # fmt: on
    # in Blender's own window or background mode the script's arguments are those behind "--"
    argv = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    args = parser.parse_args(argv)
    if args.shots < 1 or args.frames < 2:
        parser.error("give --shots of 1 or more and --frames of 2 or more: motion needs two frames")
    return args


def _size(text: str) -> tuple[int, int]:
    width, cross, height = text.lower().partition("x")
    if not (cross and width.isdecimal() and height.isdecimal() and min(int(width), int(height)) >= 16):
        raise argparse.ArgumentTypeError(f"'{text}' is no size; give one such as 320x180, at least 16 pixels a side")
    return int(width), int(height)


def _scenes(args: argparse.Namespace) -> Iterator[tuple[str, Any, int]]:
    """(name, scene, seed) of each shot that is not there yet, the scene's frame range and size set."""
    if args.blend is None:
        for seed in range(args.seed, args.seed + args.shots):
            name = f"shot_{seed:04d}"
            if not (args.out / name).exists():
                bpy.ops.wm.read_factory_settings(use_empty=True)
                scene = render_scenes.build(seed, args.frames)
                scene.render.resolution_x, scene.render.resolution_y = args.size
                scene.view_settings.view_transform = random.Random(seed).choice(("AgX", "Filmic", "Standard"))
                yield name, scene, seed
        return
    if not args.blend.is_file():
        raise InputError(f"There is no file {args.blend}; check the path.")
    for number, start in enumerate(_starts(args)):
        name = f"{args.blend.stem}_{number:04d}"
        if not (args.out / name).exists():
            scene = _open(args.blend)
            scene.frame_start, scene.frame_end, scene.frame_step = start, start + args.frames - 1, 1
            scale = min(args.size[0] / scene.render.resolution_x, args.size[1] / scene.render.resolution_y)
            scene.render.resolution_x = round(scene.render.resolution_x * scale)
            scene.render.resolution_y = round(scene.render.resolution_y * scale)
            yield name, scene, args.seed + number


def _open(path: Path) -> bpy.types.Scene:
    try:
        bpy.ops.wm.open_mainfile(filepath=str(path), load_ui=False, use_scripts=False)
    except RuntimeError as error:
        raise InputError(
            f"{path} cannot be opened by Blender {bpy.app.version_string}; is it a .blend file?"
        ) from error
    return bpy.context.scene


def _starts(args: argparse.Namespace) -> list[int]:
    """First frames of the shots, spread over the scene's range without overlap."""
    scene = _open(args.blend)
    room = scene.frame_end - scene.frame_start + 1
    if room < args.frames:
        raise InputError(
            f"{args.blend} has a range of {room} frames, but --frames asks for {args.frames}; ask for less."
        )
    count = min(args.shots, room // args.frames)
    return [scene.frame_start + (room - args.frames) * k // max(1, count - 1) for k in range(count)]


def _render(scene: bpy.types.Scene, out: Path, name: str, seed: int, args: argparse.Namespace) -> None:
    """Render all frames aside; the folder gets its name when it is whole."""
    began = time.monotonic()
    aside, target = out / f".{name}.part", out / name
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    if bpy.context.window:
        bpy.context.window.scene = scene
    _settings(scene, seed, args)
    frames = range(scene.frame_start, scene.frame_end + 1)
    shots.write(aside / "shot.json", scene, dict(shots.poses(scene, range(frames[0] - 1, frames[-1] + 2))))
    for frame in frames:
        if shots.camera_at(scene, frame) is None:
            raise InputError(f"{args.blend} has no camera at frame {frame}; add one to its scene.")
        scene.frame_set(frame)
        scene.render.filepath = str(aside / f"shot_{frame:04d}.exr")
        bpy.ops.render.render(write_still=True, scene=scene.name)
    aside.replace(target)
    print(f"render_dataset: {target}, {len(frames)} frames in {time.monotonic() - began:.0f} s", flush=True)


def _settings(scene: bpy.types.Scene, seed: int, args: argparse.Namespace) -> None:
    """Passes, output and quality; nothing that would change the picture between render and file."""
    pick = random.Random(seed + 1)
    render, image = scene.render, scene.render.image_settings
    render.resolution_percentage, render.use_persistent_data = 100, True
    render.use_motion_blur = render.use_border = False
    compat.without_compositor(scene)
    for layer in scene.view_layers:
        layer.use = layer == scene.view_layers[0]
        layer.use_pass_vector = layer.use_pass_z = layer.use_pass_object_index = True
    objects = [o for o in scene.objects if o.type in ("MESH", "CURVE", "FONT", "SURFACE", "META", "CURVES", "VOLUME")]
    if not any(made.pass_index for made in objects):  # a .blend that has no use for indices: all but the world
        for number, made in enumerate(objects, 1):
            made.pass_index = number
    if hasattr(image, "media_type"):  # 5.0 and later: before the format
        image.media_type = "MULTI_LAYER_IMAGE"
    image.file_format, image.color_depth, image.exr_codec = "OPEN_EXR_MULTILAYER", "16", "ZIP"
    denoised = pick.random() < 0.6
    samples = args.samples or (pick.randint(4, 8) if denoised else pick.choice((12, 20, 32)))
    if args.engine == "eevee":
        engines = [item.identifier for item in render.bl_rna.properties["engine"].enum_items]
        render.engine = "BLENDER_EEVEE_NEXT" if "BLENDER_EEVEE_NEXT" in engines else "BLENDER_EEVEE"
        scene.eevee.taa_render_samples = samples
        return
    render.engine = "CYCLES"
    cycles = scene.cycles
    cycles.device, cycles.samples, cycles.use_adaptive_sampling = "CPU", samples, False
    cycles.max_bounces = pick.choice((1, 2))
    cycles.seed, cycles.use_animated_seed = seed, True  # noise that stands still would teach nothing
    try:
        cycles.use_denoising, cycles.denoiser, cycles.denoising_quality = denoised, "OPENIMAGEDENOISE", "FAST"
    except TypeError:  # a Blender built without it
        cycles.use_denoising = False


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: GPL-3.0-or-later
"""Render a small shot for the tests of regions: a ball that rolls past a box, with every kind of id pass.

    python tests/scenes/regions_scene.py --output DIR [--frames 3] [--width 96] [--height 54]        (a Python with bpy)

tests/data/regions_4x and regions_5x are what it leaves in Blender 4.5 and 5.0.

Objects: "Ball" (index 1, material "Rubber") and "Box, big" (index 2, material "Wood") on "Floor".
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import bpy
import demo_scene  # the folder of this script is not a package in Blender's Python


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--width", type=int, default=96)
    parser.add_argument("--height", type=int, default=54)
    args = demo_scene.arguments(parser)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    _add(bpy.ops.mesh.primitive_plane_add, "Floor", "Grey", 0, (0.5, 0.5, 0.45), size=40)
    _add(bpy.ops.mesh.primitive_cube_add, "Box, big", "Wood", 2, (0.2, 0.5, 0.2), size=2, location=(1.5, 1, 1))
    ball = _add(bpy.ops.mesh.primitive_uv_sphere_add, "Ball", "Rubber", 1, (0.8, 0.15, 0.1), radius=1,
                location=(-1.5, 0, 1))  # fmt: skip
    for frame in range(1, args.frames + 1):
        ball.location.x = -1.5 + 0.15 * (frame - 1)
        ball.keyframe_insert("location", frame=frame)
    bpy.ops.object.light_add(type="SUN", rotation=(0.6, 0.3, 0))
    bpy.context.object.data.energy = 4
    bpy.ops.object.camera_add(location=(0, -8, 3.2), rotation=(math.radians(75), 0, 0))
    scene.camera = bpy.context.object
    _render(scene, args)


def _add(operator, name: str, material: str, index: int, color: tuple[float, float, float], **where):
    operator(**where)
    made = bpy.context.object
    made.name, made.pass_index = name, index
    surface = bpy.data.materials.new(material)
    surface.use_nodes = True
    surface.node_tree.nodes["Principled BSDF"].inputs["Base Color"].default_value = (*color, 1)
    made.data.materials.append(surface)
    return made


def _render(scene, args) -> None:
    render, layer = scene.render, scene.view_layers[0]
    layer.use_pass_vector = layer.use_pass_z = layer.use_pass_object_index = True
    layer.use_pass_cryptomatte_object = layer.use_pass_cryptomatte_material = True
    render.engine, scene.cycles.device, scene.cycles.samples = "CYCLES", "CPU", 16
    scene.cycles.use_denoising = False
    render.resolution_x, render.resolution_y, render.resolution_percentage = args.width, args.height, 100
    scene.frame_start, scene.frame_end = 1, args.frames
    if hasattr(render.image_settings, "media_type"):
        render.image_settings.media_type = "MULTI_LAYER_IMAGE"
    render.image_settings.file_format = "OPEN_EXR_MULTILAYER"
    render.image_settings.exr_codec = "ZIP"
    render.filepath = str(args.output / "shot_####")
    bpy.ops.render.render(animation=True)


if __name__ == "__main__":
    main()

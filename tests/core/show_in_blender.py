# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by Blender: shows pictures under views, as PNG of 16 bits, and renders a scene with soft edges.

Takes a JSON file: {"show": [{"picture": EXR, "views": [{"display", "view", "look", "exposure", "gamma", "png"}]}],
"render": {"exr": MultiLayer EXR to write, "view": as above} or null}.
"""

import json
import sys

import bpy


def set_view(scene: bpy.types.Scene, view: dict) -> None:
    scene.display_settings.display_device = view["display"]
    scene.view_settings.view_transform = view["view"]
    scene.view_settings.look = view["look"]
    scene.view_settings.exposure = view["exposure"]
    scene.view_settings.gamma = view["gamma"]


def save(scene: bpy.types.Scene, image: bpy.types.Image, view: dict) -> None:
    set_view(scene, view)
    if bpy.app.version >= (5, 0):
        scene.render.image_settings.media_type = "IMAGE"
    scene.render.image_settings.file_format = "PNG"
    scene.render.image_settings.color_mode = "RGBA"
    scene.render.image_settings.color_depth = "16"
    image.save_render(view["png"], scene=scene)


def render(scene: bpy.types.Scene, exr: str) -> None:
    """The cube of the factory scene on transparent ground, with the passes of interest."""
    scene.render.engine = "CYCLES"
    scene.cycles.samples = 4
    scene.cycles.use_denoising = False
    scene.render.film_transparent = True
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = 48, 32, 100
    layer = scene.view_layers[0]
    layer.use_pass_vector = layer.use_pass_z = layer.use_pass_object_index = layer.use_pass_cryptomatte_object = True
    if bpy.app.version >= (5, 0):
        scene.render.image_settings.media_type = "MULTI_LAYER_IMAGE"
    scene.render.image_settings.file_format = "OPEN_EXR_MULTILAYER"
    scene.render.image_settings.color_depth = "32"
    bpy.data.objects["Cube"].pass_index = 3
    scene.render.filepath = exr
    bpy.ops.render.render(write_still=True)


def main() -> None:
    with open(sys.argv[-1], encoding="utf-8") as file:
        work = json.load(file)
    scene = bpy.context.scene
    for shown in work["show"]:
        image = bpy.data.images.load(shown["picture"])
        for view in shown["views"]:
            save(scene, image, view)
    if work["render"]:
        render(scene, work["render"]["exr"])
        save(scene, bpy.data.images["Render Result"], work["render"]["view"])


main()

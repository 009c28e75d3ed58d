# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by the Python of a `bpy` module: scenes, dumps and renders that the scenarios share."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

MODULE = "bl_ext.user_default.styletx"
MODERN = bpy.app.version >= (5, 0, 0)
OUTPUT = Path(os.environ["STYLETX_TEST_OUTPUT"])
WORKER = os.environ.get("STYLETX_TEST_WORKER", "")
STYLE = os.environ["STYLETX_TEST_STYLE"]


def enable() -> None:
    """Switch the installed extension on, with the worker's Python that this Blender needs."""
    if MODULE not in bpy.context.preferences.addons:
        bpy.ops.preferences.addon_enable(module=MODULE)
    preferences = bpy.context.preferences.addons[MODULE].preferences
    if WORKER:
        preferences.python, preferences.python_path = "CUSTOM", WORKER


def scene(frames: int = 3, size: tuple[int, int] = (96, 64)) -> bpy.types.Scene:
    """A textured cube that moves past a camera that turns, soft alpha edges against nothing."""
    if MODULE in bpy.context.preferences.addons:  # and its worker may run: a start of both takes seconds
        bpy.ops.wm.read_homefile(use_factory_startup=True, use_empty=False)
    else:
        bpy.ops.wm.read_factory_settings(use_empty=False)
    enable()
    made = bpy.context.scene
    render = made.render
    render.engine = "CYCLES"
    made.cycles.device, made.cycles.samples, made.cycles.use_denoising = "CPU", 4, False
    render.resolution_x, render.resolution_y = size
    render.resolution_percentage = 100
    render.film_transparent = True
    made.frame_start, made.frame_end = 1, frames
    cube, camera = bpy.data.objects["Cube"], bpy.data.objects["Camera"]
    texture = bpy.data.materials["Material"].node_tree
    checker = texture.nodes.new("ShaderNodeTexChecker")
    checker.inputs["Scale"].default_value = 3.0
    checker.inputs["Color1"].default_value = (0.9, 0.2, 0.05, 1)
    checker.inputs["Color2"].default_value = (0.05, 0.3, 0.7, 1)
    texture.links.new(checker.outputs["Color"], texture.nodes["Principled BSDF"].inputs["Base Color"])
    cube.location.x = 0
    cube.keyframe_insert("location", frame=1)
    cube.location.x = 0.3 * frames
    cube.keyframe_insert("location", frame=frames)
    camera.keyframe_insert("rotation_euler", frame=1)
    camera.rotation_euler.z += 0.01 * frames
    camera.keyframe_insert("rotation_euler", frame=frames)
    made.frame_set(1)
    made.styletx.style = STYLE
    made.styletx.output = str(OUTPUT)
    bpy.context.view_layer.update()
    return made


def tree(made: bpy.types.Scene) -> Any:
    """The scene's compositor tree."""
    return made.compositing_node_group if MODERN else made.node_tree


def empty_tree(made: bpy.types.Scene) -> tuple[Any, Any]:
    """A new compositor tree of the scene, and the node of its output, the only one in it."""
    if MODERN:
        made.compositing_node_group = bpy.data.node_groups.new("Mine", "CompositorNodeTree")
        mine = made.compositing_node_group
        mine.interface.new_socket("Image", in_out="OUTPUT", socket_type="NodeSocketColor")
        return mine, mine.nodes.new("NodeGroupOutput")
    made.use_nodes = True
    made.node_tree.nodes.clear()
    return made.node_tree, made.node_tree.nodes.new("CompositorNodeComposite")


def user_tree(made: bpy.types.Scene) -> Any:
    """A compositor tree as a user has one: exposure between render and output, and a viewer on the render."""
    mine, output = empty_tree(made)
    layers = mine.nodes.new("CompositorNodeRLayers")
    exposure = mine.nodes.new("CompositorNodeExposure")
    exposure.inputs["Exposure"].default_value = 1.0
    viewer = mine.nodes.new("CompositorNodeViewer")
    mine.links.new(layers.outputs["Image"], exposure.inputs["Image"])
    mine.links.new(exposure.outputs["Image"], output.inputs[0])
    mine.links.new(layers.outputs["Image"], viewer.inputs["Image"])
    for node, place in ((exposure, (500, 0)), (output, (900, 0)), (viewer, (900, -220))):
        node.location = place
    return mine


def picture(made: bpy.types.Scene, name: str, frame: int, kind: str, compositor: bool) -> str:
    """Render a frame as anyone would, to an EXR or a PNG of the scene's view; returns its path."""
    render = made.render
    settings = render.image_settings
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format = {"exr": "OPEN_EXR", "png": "PNG"}[kind]
    settings.color_mode, settings.color_depth = "RGBA", {"exr": "32", "png": "16"}[kind]
    render.use_compositing = compositor
    render.filepath = str(OUTPUT / f"{name}_{frame:04d}.{kind}")
    made.frame_set(frame)
    bpy.ops.render.render(write_still=True)
    render.use_compositing = True
    return render.filepath


def dump(made: bpy.types.Scene) -> dict[str, Any]:
    """Everything found in a scene, by RNA path, but our own settings; and how many data-blocks there are."""
    found: dict[str, Any] = {}
    _dump(made, "scene", found, 0)
    for layer in made.view_layers:
        _dump(layer, f"layers[{layer.name}]", found, 0)
    mine = tree(made)
    if mine is not None:
        _dump_tree(mine, found)
    for thing in made.objects:
        for name in ("location", "rotation_euler", "scale"):
            found[f"object[{thing.name}].{name}"] = list(getattr(thing, name))
    for name in sorted({*dir(bpy.data)} - {"all_ids"}):  # 5.2 lists all data-blocks once more
        blocks = getattr(bpy.data, name)
        if isinstance(blocks, bpy.types.bpy_prop_collection):
            found[f"data.{name}"] = sorted(block.name for block in blocks)
    found["window"] = [window.scene.name for window in bpy.context.window_manager.windows]
    found["display"] = bpy.context.preferences.view.render_display_type
    found["handlers"] = {name: len(listed) for name in dir(bpy.app.handlers)
                         if isinstance(listed := getattr(bpy.app.handlers, name), list)}
    return found


_LEFT_OUT = {"rna_type", "styletx", "depsgraph", "node_tree", "compositing_node_group", "bl_rna", "id_data",
             "original", "objects", "all_objects", "is_evaluated", "session_uid", "tool_settings", "display"}


def _dump(owner: Any, path: str, found: dict[str, Any], depth: int) -> None:
    for prop in owner.bl_rna.properties:
        name = prop.identifier
        if name in _LEFT_OUT:
            continue
        try:
            value = getattr(owner, name)
        except (AttributeError, TypeError, ValueError):
            continue
        if prop.type == "COLLECTION":
            found[f"{path}.{name}"] = len(value)
            if depth < 3:
                for number, item in enumerate(value):
                    if isinstance(item, bpy.types.ID):
                        found[f"{path}.{name}[{number}]"] = item.name_full
                    else:
                        _dump(item, f"{path}.{name}[{number}]", found, depth + 1)
        elif prop.type == "POINTER":
            if value is None or isinstance(value, bpy.types.ID):
                found[f"{path}.{name}"] = value and value.name_full
            elif depth < 3:
                _dump(value, f"{path}.{name}", found, depth + 1)
        else:
            found[f"{path}.{name}"] = plain(value)


def _dump_tree(mine: Any, found: dict[str, Any]) -> None:
    for node in mine.nodes:
        _dump(node, f"tree.nodes[{node.name}]", found, 2)
        for number, socket in enumerate(node.inputs):
            if hasattr(socket, "default_value"):
                found[f"tree.nodes[{node.name}].inputs[{number}]"] = plain(socket.default_value)
    found["tree.links"] = sorted(
        f"{link.from_node.name}.{link.from_socket.name} -> {link.to_node.name}.{link.to_socket.name}"
        for link in mine.links
    )


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, (bool, int, float, str)) or value is None:
        return value
    if isinstance(value, set):
        return sorted(value)
    try:
        return [plain(item) for item in value]
    except TypeError:
        return str(type(value))


def difference(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    """What differs between two dumps."""
    keys = before.keys() | after.keys()
    return {key: [before.get(key, "absent"), after.get(key, "absent")] for key in sorted(keys)
            if before.get(key, "absent") != after.get(key, "absent")}


def error_of(operator: Callable[..., Any]) -> str:
    """The error an operator reports; "" where it reports none."""
    try:
        operator()
    except RuntimeError as error:
        return str(error).removeprefix("Error: ").strip()
    return ""


def finish(result: Any) -> None:
    """Write what a scenario found, and end: bpy 4.2 crashes and 4.5 hangs at a regular exit with classes registered."""
    Path(os.environ["STYLETX_TEST_RESULT"]).write_text(json.dumps(result), "utf-8")
    bpy.ops.preferences.addon_disable(module=MODULE)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by the Python of a `bpy` module: where results land: trees, view layers, scenes, frame ranges, File Output."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy

sys.path.insert(0, str(Path(__file__).parent))
from common import MODERN, MODULE, OUTPUT, difference, dump, empty_tree, error_of, finish, picture, scene, tree

SIZE = (64, 48)


def links(mine: Any) -> list[str]:
    return sorted(f"{k.from_node.name}.{k.from_socket.name} -> {k.to_node.name}.{k.to_socket.name}" for k in mine.links)


def rich_tree(made: bpy.types.Scene) -> Any:
    """A tree as one who knows the compositor has it: two layers over each other, frames, reroutes, a muted node."""
    mine, output = empty_tree(made)
    output.name = "Out"
    for layer in ("Front", "Back"):
        node = mine.nodes.new("CompositorNodeRLayers")
        node.name, node.layer = layer, layer
    over = mine.nodes.new("CompositorNodeAlphaOver")
    over.name = "Over"
    pictures = [socket for socket in over.inputs if socket.type == "RGBA"]
    muted = mine.nodes.new("CompositorNodeInvert")
    muted.name, muted.mute = "Muted", True
    reroute = mine.nodes.new("NodeReroute")
    reroute.name = "Reroute"
    frame = mine.nodes.new("NodeFrame")
    frame.name = frame.label = "Mine"
    muted.parent = frame
    mine.links.new(mine.nodes["Front"].outputs["Image"], reroute.inputs[0])
    mine.links.new(reroute.outputs[0], pictures[1])
    mine.links.new(mine.nodes["Back"].outputs["Image"], muted.inputs["Color"])
    mine.links.new(muted.outputs[0], pictures[0])
    mine.links.new(over.outputs[0], output.inputs[0])
    return mine


def layers() -> dict[str, Any]:
    """Two view layers: the one that the compositor shows first, then a chosen one, then out again."""
    made = scene(1, SIZE)
    made.view_layers[0].name = "Front"
    back = made.view_layers.new("Back")
    plane = bpy.data.collections.new("Plane")
    made.collection.children.link(plane)
    bpy.ops.mesh.primitive_plane_add(size=20, location=(0, 0, -2))
    thing = bpy.context.object
    for old in list(thing.users_collection):
        old.objects.unlink(thing)
    plane.objects.link(thing)
    made.view_layers["Front"].layer_collection.children["Plane"].exclude = True
    back.layer_collection.children["Collection"].exclude = True
    mine = rich_tree(made)
    picture(made, "first", 1, "exr", True)
    before, were = dump(made), links(mine)
    result: dict[str, Any] = {"before": were}
    for name, chosen in (("automatic", ""), ("chosen", "Back"), ("automatic again", "")):
        made.styletx.view_layer = chosen
        result[name] = {"error": error_of(bpy.ops.styletx.stylize_render), "links": links(mine),
                        "painted": str(OUTPUT / f"{name}.exr")}  # fmt: skip
        Path(result[name]["painted"]).write_bytes(Path(made.styletx.result_path.replace("####", "0001")).read_bytes())
        result[name]["change"] = [key for key in difference(before, dump(made)) if "StyleTX" not in key]
    made.styletx.view_layer = "Gone"
    result["gone"] = error_of(bpy.ops.styletx.stylize_render)
    bpy.ops.styletx.remove()
    result["after"] = links(mine)
    result["left"] = difference(before, dump(made))
    made.styletx.view_layer = ""
    result["undo"] = undo(made)
    return result


def undo(made: bpy.types.Scene) -> dict[str, Any]:
    """The button, then the group taken out, each undone and redone; the press after that paints as ever."""
    found: dict[str, Any] = {}

    def see(name: str) -> None:
        made = bpy.context.scene
        ours = [data.name for data in (*bpy.data.node_groups, *bpy.data.images) if data.get("styletx")]
        mine = tree(made)
        found[name] = [links(mine), sorted(node.name for node in mine.nodes), ours, made.styletx.result_path]

    bpy.ops.ed.undo_push(message="before")
    see("before")
    for name, press in (("painted", bpy.ops.styletx.stylize_render), ("removed", bpy.ops.styletx.remove)):
        press("EXEC_DEFAULT", True)
        see(name)
    for name, step in (("remove", bpy.ops.ed.undo), ("paint", bpy.ops.ed.undo), ("paint", bpy.ops.ed.redo)):
        step()
        see(f"{name} {step.idname_py().rpartition('.')[2]}ne")
    made = bpy.context.scene
    found["shown"] = picture(made, "redone", 1, "exr", True)
    bpy.ops.ed.redo()
    see("remove redone")
    found["error"] = error_of(bpy.ops.styletx.stylize_render)
    see("again")
    return found


def file_output() -> dict[str, Any]:
    """A File Output node on the picture and on a pass: silent while we render, painted when the user renders."""
    made = scene(2, SIZE)
    made.view_layers[0].use_pass_z = True
    mine, output = empty_tree(made)
    output.name = "Out"
    source = mine.nodes.new("CompositorNodeRLayers")
    file = mine.nodes.new("CompositorNodeOutputFile")
    file.name = "Files"
    if MODERN:
        file.directory, file.file_name = str(OUTPUT / "files"), "out_"
        file.format.media_type = "IMAGE"
        file.file_output_items.new("RGBA", "Picture")
        file.file_output_items.new("FLOAT", "Depth")
    else:
        file.base_path = str(OUTPUT / "files")
        file.file_slots.clear()
        file.file_slots.new("Picture")
        file.file_slots.new("Depth")
    file.format.file_format, file.format.color_depth = "OPEN_EXR", "32"
    mine.links.new(source.outputs["Image"], output.inputs[0])
    mine.links.new(source.outputs["Image"], file.inputs[0])
    mine.links.new(source.outputs["Depth"], file.inputs[1])
    result: dict[str, Any] = {"error": error_of(bpy.ops.styletx.stylize_render)}
    result["ours"] = [path.name for path in (OUTPUT / "files").rglob("*")] if (OUTPUT / "files").exists() else []
    result["links"] = links(mine)
    made.frame_set(2)
    result["painted"] = made.styletx.result_path.replace("####", "0002")
    picture(made, "rendered", 2, "exr", True)
    result["files"] = sorted(str(path) for path in (OUTPUT / "files").rglob("*.exr"))
    return result


def scenes() -> dict[str, Any]:
    """Two scenes and a copy of one: each with its own frames; frame ranges that do not begin at 1."""
    first = scene(1, SIZE)
    first.frame_start = first.frame_end = 101
    first.frame_set(101)
    second = bpy.data.scenes.new("Second")
    cube = bpy.data.objects["Cube"].copy()
    cube.animation_data_clear()
    cube.scale = (1.5, 1.5, 0.3)
    for thing in (cube, bpy.data.objects["Camera"], bpy.data.objects["Light"]):
        second.collection.objects.link(thing)
    second.camera, second.world = bpy.data.objects["Camera"], first.world
    second.render.engine, second.cycles.samples = "CYCLES", 4
    second.cycles.use_denoising = False
    second.render.resolution_x, second.render.resolution_y = SIZE
    second.render.film_transparent = True
    second.frame_start = second.frame_end = 0
    second.styletx.style, second.styletx.output = first.styletx.style, str(OUTPUT)

    result: dict[str, Any] = {}
    window = bpy.context.window
    for made in (first, second):
        window.scene = made
        for other in (first, second):  # Blender fills a scene's collections in when it is first asked to
            for layer in other.view_layers:
                layer.update()
        others = {other.name: dump(other) for other in (first, second) if other != made}
        result[made.name] = {"error": error_of(bpy.ops.styletx.stylize_render)}
        result[made.name] |= {
            "changed": [key for other in others for key in difference(others[other], dump(bpy.data.scenes[other]))
                        if not key.startswith("data.") and key not in ("window",)],
            "path": made.styletx.result_path, "range": [made.styletx.result_first, made.styletx.result_last],
        }  # fmt: skip
    window.scene = first
    result["Scene"]["shown"] = [picture(first, "first", frame, "exr", True) for frame in (100, 101)]
    result["Scene"]["plain"] = [picture(first, "first_plain", frame, "exr", False) for frame in (100, 101)]
    window.scene = second
    result["Second"]["shown"] = [picture(second, "second", 0, "exr", True)]

    # a copy shares the tree's group until it is painted itself
    window.scene = first
    bpy.ops.scene.new(type="FULL_COPY" if MODERN else "LINK_COPY")
    copy = window.scene
    copy.styletx.style = str(sorted(Path(first.styletx.style).parent.glob("*.png"))[-1])
    result["copy"] = {"error": error_of(bpy.ops.styletx.stylize_render), "path": copy.styletx.result_path}
    result["copy"]["shown"] = picture(copy, "copy", 101, "exr", True)
    window.scene = first
    result["copy"]["first"] = picture(first, "first_again", 101, "exr", True)
    return result


def without_render() -> dict[str, Any]:
    """A tree that uses no render; and a scene that is linked from another file."""
    made = scene(1, SIZE)
    mine, output = empty_tree(made)
    mine.nodes.remove(output)
    mine.nodes.new("CompositorNodeRGB")
    result: dict[str, Any] = {"error": error_of(bpy.ops.styletx.stylize_render)}
    result["notices"] = sys.modules[MODULE + ".run"].last.notices
    result["links"] = links(mine)

    blend = str(OUTPUT / "library.blend")
    bpy.ops.wm.save_as_mainfile(filepath=blend, copy=True)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=False)
    with bpy.data.libraries.load(blend, link=True) as (there, here):
        here.scenes = there.scenes
    bpy.context.window.scene = here.scenes[0]
    result["linked"] = error_of(bpy.ops.styletx.stylize_render)
    return result


if __name__ == "__main__":
    finish(globals()[sys.argv[1]]())

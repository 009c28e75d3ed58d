# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by the Python of a `bpy` module: animated settings, options, regions, through the operators."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

sys.path.insert(0, str(Path(__file__).parent))
from common import MODULE, OUTPUT, difference, dump, error_of, finish, picture, scene

SIZE = (96, 64)


def job(made: bpy.types.Scene) -> dict[str, Any]:
    """What the painted frames were made from, as the engine wrote it down."""
    folder = Path(made.styletx.result_path).parent
    return dict(json.loads((folder / "styletx.json").read_text("utf-8"))["job"])


def kept(made: bpy.types.Scene, name: str, frames: tuple[int, ...] = (1,)) -> list[str]:
    """Copies of the painted frames."""
    found = []
    for frame in frames:
        path = OUTPUT / f"{name}_{frame:04d}.exr"
        shutil.copy(made.styletx.result_path.replace("####", f"{frame:04d}"), path)
        found.append(str(path))
    return found


def keyed() -> dict[str, Any]:
    """Strength by an F-curve, stroke size by a driver on another object, weights by F-curves that overshoot."""
    made = scene(3, SIZE)
    state = made.styletx
    state.motion = "none"
    bpy.ops.styletx.add_blend()
    shipped = sorted(str(path) for path in Path(state.style).parent.glob("*.png"))
    state.styles[1].path = shipped[-1]
    # what a window, or F12, makes is not ours
    picture(made, "first", 2, "exr", True)
    made.frame_set(2)

    result: dict[str, Any] = {}
    for name, strength in (("zero", 0.0), ("full", 1.0)):
        state.strength = strength
        bpy.ops.styletx.stylize_render()
        result[name] = kept(made, name, (1, 2, 3))
    for frame, value in ((1, 0.0), (3, 1.0)):
        state.strength = value
        state.keyframe_insert("strength", frame=frame)
    weight = state.styles[1]
    for frame, value in ((1, 0.0), (3, 1.0)):
        weight.weight = value
        weight.keyframe_insert("weight", frame=frame)
    for curve in sys.modules[MODULE + ".compat"].action_curves(made.animation_data):
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR" if curve.data_path.endswith("strength") else "BACK"
        curve.update()
    driver = state.driver_add("size").driver
    driver.type = "SCRIPTED"
    variable = driver.variables.new()
    variable.name, variable.type = "x", "SINGLE_PROP"
    variable.targets[0].id = bpy.data.objects["Cube"]
    variable.targets[0].data_path = "location.x"
    driver.expression = "1 + x"
    made.frame_set(2)
    bpy.data.objects["Cube"].location.y = 0.321  # of another curve: moved and not keyed
    bpy.data.objects["Cube"].location.x = 0.123
    bpy.context.view_layer.update()
    before = dump(made)
    result["error"] = error_of(bpy.ops.styletx.stylize_render)
    result["change"] = [key for key in difference(before, dump(made)) if "StyleTX" not in key]
    result["frame"] = made.frame_current
    result["settings"] = {name: job(made)["settings"][name] for name in ("strength", "size")}
    result["weights"] = [style["weight"] for style in job(made)["styles"]]
    cube = next(c for c in sys.modules[MODULE + ".compat"].action_curves(bpy.data.objects["Cube"].animation_data))
    result["sizes"] = [1 + cube.evaluate(frame) for frame in (1, 2, 3)]
    result["strong"] = kept(made, "strong", (1, 2, 3))

    # moving through time is no change; moving a key is, and needs no rendering
    out_of_date = sys.modules[MODULE + ".properties"].out_of_date
    result["quiet"] = []
    for frame in (1, 3, 2):
        made.frame_set(frame)
        result["quiet"].append(out_of_date(made))
    times = rendered()
    curves = sys.modules[MODULE + ".compat"].action_curves(made.animation_data)
    strength = next(curve for curve in curves if curve.data_path == "styletx.strength")
    strength.keyframe_points[0].co.y = 0.5
    strength.update()
    result["loud"] = out_of_date(made)
    bpy.ops.styletx.stylize_render()
    result["rendered again"] = times != rendered()
    result["moved"] = job(made)["settings"]["strength"]
    made.frame_set(3)
    result["frame alone"] = [error_of(bpy.ops.styletx.stylize_frame), job(made)["settings"]["strength"]]

    result["nla"] = nla(made)
    driver.expression = "no_such_thing + 1"
    bpy.data.objects["Cube"].scale.z = 0.9  # the frames would have to be rendered again
    times = rendered()
    result["broken driver"] = error_of(bpy.ops.styletx.stylize_render)
    result["rendered for nothing"] = times != rendered()
    state.driver_remove("size")
    # the animation of a weight stays with its style, and goes with it
    for index in (0, 0):
        bpy.ops.styletx.remove_blend(index=index)
        curves = sys.modules[MODULE + ".compat"].action_curves(made.animation_data)
        result.setdefault("left", []).append([curve.data_path for curve in curves])
        if state.styles:
            result["without"] = [error_of(bpy.ops.styletx.stylize_render), job(made)["styles"][0]["weight"]]
    result["scenes"] = [other.name for other in bpy.data.scenes]
    return result


def rendered() -> dict[str, int]:
    """The rendered frames, and when each was written."""
    return {path.name: path.stat().st_mtime_ns for path in (OUTPUT / "Scene" / "render").glob("*.exr")}


def nla(made: bpy.types.Scene) -> dict[str, Any]:
    """The action with the keys as a strip of the NLA; muted; and as the action again."""
    animation = made.animation_data
    action, slot = animation.action, getattr(animation, "action_slot", None)
    track = animation.nla_tracks.new()
    strip = track.strips.new("Pushed down", 1, action)
    animation.action = None
    found = {"plays": error_of(bpy.ops.styletx.stylize_frame)}
    made.styletx.driver_add("strength").driver.expression = "0.25"
    weights = [curve for curve in sys.modules[MODULE + ".compat"].action_curves(strip)
               if "weight" in curve.data_path]  # fmt: skip
    for curve in weights:
        curve.mute = True
    found["driven"] = error_of(bpy.ops.styletx.stylize_frame) or job(made)["settings"]["strength"]
    made.styletx.driver_remove("strength")
    for curve in weights:
        curve.mute = False
    track.mute = True
    made.styletx.strength = 0.75
    found["muted"] = error_of(bpy.ops.styletx.stylize_frame) or job(made)["settings"]["strength"]
    animation.nla_tracks.remove(track)
    animation.action = action
    if slot is not None:
        animation.action_slot = slot
    return found


def options() -> dict[str, Any]:
    """Options of a method and what all methods have, as the job has them."""
    made = scene(1, (32, 24))
    state = made.styletx
    state.method, state.keep_colors, state.size, state.stability = "gatys", "match", 2.0, 0.25
    group = state.options_gatys
    group.steps, group.optimizer, group.stroke, group.color = 3, "adam", 0.5, 1.5
    result = {"error": error_of(bpy.ops.styletx.stylize_frame), "settings": job(made)["settings"]}
    state.method = "adain_reconet"
    result["other"] = [error_of(bpy.ops.styletx.stylize_frame), job(made)["settings"]["options"]]
    return result


def methods() -> dict[str, Any]:
    """A frame alone and a shot of two by every method, in a style that all of them know."""
    made = scene(2, (64, 48))
    state = made.styletx
    state.style = str(Path(state.style).with_name("oil.png"))
    state.options_gatys.steps = 12
    result: dict[str, Any] = {"plain": [picture(made, "plain", frame, "exr", False) for frame in (1, 2)]}
    for item in state.bl_rna.properties["method"].enum_items:
        name = state.method = item.identifier
        errors = [error_of(bpy.ops.styletx.stylize_frame)]
        frame = kept(made, f"{name}_frame", (made.frame_current,))
        errors.append(error_of(bpy.ops.styletx.stylize_render))
        result[name] = {"errors": errors, "frame": frame, "shot": kept(made, f"{name}_shot", (1, 2)),
                        "method": job(made)["settings"]["method"]}  # fmt: skip
    return result


def no_vgg() -> dict[str, Any]:
    """Methods that paint with VGG-19, in a worker whose Python has none."""
    made = scene(1, (32, 24))
    run = sys.modules[MODULE + ".run"]
    ping = run.ping

    def without() -> Any:
        return (yield from ping()) | {"vgg": False}

    run.ping = without
    found = {}
    for method in ("gatys", "adain", "adain_reconet"):
        made.styletx.method = method
        found[method] = [error_of(bpy.ops.styletx.stylize_render), (OUTPUT / "Scene" / "render").is_dir()]
    run.ping = ping
    return found


def _ball() -> Any:
    bpy.ops.mesh.primitive_uv_sphere_add(radius=0.8, location=(1.3, 1.4, 0))
    ball = bpy.context.object
    ball.name = "Ball [1]"
    material = bpy.data.materials.new("Clay")
    ball.data.materials.append(material)
    ball.pass_index = 7
    return ball


def _mask() -> Any:
    """A mask over the left half of the picture."""
    mask = bpy.data.masks.new("Left")
    spline = mask.layers.new(name="half").splines.new()
    spline.use_cyclic = True
    corners = ((-0.1, -0.5), (0.5, -0.5), (0.5, 1.5), (-0.1, 1.5))
    spline.points.add(len(corners) - len(spline.points))
    for point, corner in zip(spline.points, corners, strict=True):
        point.co = corner
        point.handle_type = "VECTOR"
    return mask


def keyed_objects(made: bpy.types.Scene, add: Callable[..., None]) -> dict[str, Any]:
    """A shot of the two objects in two styles, with full strength and with strength keyed from 0 to 1."""
    state = made.styletx
    made.frame_end = 3
    add("OBJECT", "ink", object=bpy.data.objects["Cube"])
    add("OBJECT", "oil", object=bpy.data.objects["Ball [1]"])
    result: dict[str, Any] = {"plain": [picture(made, "shot", frame, "exr", False) for frame in (1, 2, 3)]}
    for name in ("full", "keyed"):
        if name == "keyed":
            for frame, value in ((1, 0.0), (3, 1.0)):
                state.strength = value
                state.keyframe_insert("strength", frame=frame)
        result[f"{name} error"] = error_of(bpy.ops.styletx.stylize_render)
        result[name] = kept(made, f"{name}_objects", (1, 2, 3))
    made.animation_data_clear()
    made.frame_end, state.strength = 1, 1.0
    while state.regions:
        bpy.ops.styletx.remove_region()
    return result


def outside(add: Callable[..., None], paint: Callable[[str], None]) -> None:
    """Regions of what is not in the scene, in no view layer, no picture's, an instance's; a movie as a mask."""
    bpy.context.view_layer.objects.active = bpy.data.objects["Camera"]
    add("OBJECT", "ink")  # the camera is not taken
    paint("camera active")
    add("OBJECT", "ink", object=bpy.data.objects["Camera"])
    paint("a camera")
    far = bpy.data.objects.new("Far", bpy.data.objects["Cube"].data.copy())
    far.location, far.scale = (-1.5, 2.5, 0), (0.5, 0.5, 0.5)
    alone = bpy.data.materials.new("Alone")
    far.data.materials[0] = alone
    parts = bpy.data.collections.new("Parts")
    parts.objects.link(far)
    names: dict[str, tuple[str, Any]] = {
        "object": ("OBJECT", far), "collection": ("COLLECTION", parts), "material": ("MATERIAL", alone)}  # fmt: skip
    for name, (kind, data) in names.items():
        add(kind, "ink", **{name: data})
        paint(f"{name} elsewhere")
    scene = bpy.context.scene
    scene.collection.children.link(parts)
    bpy.context.view_layer.layer_collection.children["Parts"].exclude = True
    add("OBJECT", "ink", object=far)
    paint("object excluded")
    instance = bpy.data.objects.new("Instance", None)
    instance.instance_type, instance.instance_collection = "COLLECTION", parts
    scene.collection.objects.link(instance)
    for name, (kind, data) in names.items():
        add(kind, "ink", **{name: data})
        paint(f"{name} instanced")
    for name, source in (("movie", "MOVIE"), ("sequence", "SEQUENCE")):
        image = bpy.data.images.new(name, 8, 8)
        image.source, image.filepath = source, str(OUTPUT / f"mask.{name}")
        add("IMAGE", "ink", image=image)
        paint(f"{name} as a mask")


def regions() -> dict[str, Any]:
    """Two objects in two styles; every kind of region; what is missing."""
    made = scene(1, SIZE)
    made.frame_set(1)
    made.view_layers[0].pass_cryptomatte_depth = 8
    ball = _ball()
    bpy.context.view_layer.update()
    state = made.styletx
    state.motion = "none"
    shipped = {path.stem: str(path) for path in Path(state.style).parent.glob("*.png")}
    result: dict[str, Any] = {"plain": picture(made, "plain", 1, "exr", False)}
    for name in ("ink", "oil"):
        state.style = shipped[name]
        bpy.ops.styletx.stylize_frame()
        result[name] = kept(made, name)[0]

    def add(kind: str, style: str, invert: bool = False, **data: Any) -> None:
        bpy.ops.styletx.add_region(kind=kind)
        region = state.regions[state.active_region]
        region.style, region.invert = shipped[style], invert
        for field, value in data.items():
            setattr(region, field, value)

    def paint(name: str) -> None:
        made.frame_set(1)
        result[name] = {"error": error_of(bpy.ops.styletx.stylize_frame), "titles": [
            sys.modules[MODULE + ".regions"].title(region) for region in state.regions]}  # fmt: skip
        if not result[name]["error"]:
            result[name] |= {"path": kept(made, name)[0], "styles": job(made)["styles"]}
        while state.regions:
            bpy.ops.styletx.remove_region()

    state.elsewhere = "ORIGINAL"
    bpy.context.view_layer.objects.active = bpy.data.objects["Cube"]
    add("OBJECT", "ink")  # the active object is taken
    add("OBJECT", "oil", object=ball)
    paint("two objects")
    result["keyed"] = keyed_objects(made, add)
    state.elsewhere, state.style = "STYLE", shipped["oil"]
    add("OBJECT", "ink", object=ball)
    paint("ball in another style")
    state.elsewhere = "ORIGINAL"
    add("OBJECT", "ink", invert=True, object=ball)
    paint("all but the ball")
    add("COLLECTION", "ink", collection=made.collection.children[0])
    paint("collection")
    add("MATERIAL", "ink", material=bpy.data.materials["Clay"])
    paint("material")
    add("INDEX", "ink", index=7)
    paint("index")
    add("MASK", "ink", mask=_mask())
    before = dump(made)
    paint("mask")
    result["mask change"] = [key for key in difference(before, dump(made)) if "StyleTX" not in key]
    image = bpy.data.images.new("Top", 96, 64)
    image.pixels.foreach_set([0.0, 0.0, 0.0, 1.0] * 96 * 32 + [1.0] * 4 * 96 * 32)
    add("IMAGE", "ink", image=image)
    paint("image")

    add("OBJECT", "ink", object=None)
    paint("nothing chosen")
    add("OBJECT", "ink", object=ball)
    state.regions[0].style = ""
    paint("no style")
    empty = bpy.data.collections.new("Empty")
    add("COLLECTION", "ink", collection=empty)
    paint("empty")
    state.elsewhere, state.style = "STYLE", ""
    add("OBJECT", "ink", object=ball)
    paint("no style elsewhere")
    state.elsewhere, state.style = "ORIGINAL", shipped["oil"]
    outside(add, paint)
    result["scenes"] = [other.name for other in bpy.data.scenes]
    return result


if __name__ == "__main__":
    finish(globals()[sys.argv[1]]())

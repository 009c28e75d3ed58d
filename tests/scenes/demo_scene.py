# SPDX-License-Identifier: GPL-3.0-or-later
"""Build and render the demo scene: balloons and a windmill over hills, a ball that rolls through, a turning camera.

Runs in Blender's Python (4.2 to 5.2), as a script or imported:

    python tests/scenes/demo_scene.py --output DIR --frames 8 --size 256x144

Everything comes from `Settings`; the same settings give the same scene. `render` leaves DIR/shot_0001.exr, ... with
the passes that StyleTX reads, and DIR/shot.json with the camera of each frame, as the add-on writes it.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
from dataclasses import dataclass
from pathlib import Path

import bpy  # first: it brings the other two

# isort: split
import bmesh
from mathutils import Matrix, Vector, noise

Color = tuple[float, float, float]
SKY = ((0.10, 0.22, 0.62), (0.30, 0.50, 0.85), (0.98, 0.78, 0.55))
CLOUD = (1.0, 0.93, 0.86)


@dataclass(frozen=True)
class Settings:
    """What decides the scene. width, height: pixels. seed: the places and colors of trees and balloons."""

    width: int = 640
    height: int = 360
    frames: int = 24
    samples: int = 8
    seed: int = 1
    film_transparent: bool = False
    moving_light: bool = False  # nothing moves but the sun, which stops after three quarters of the shot
    speed: float = 1.0  # of everything that moves, the camera too
    cut: int = 0  # frame from which a marker binds another camera; 0: none
    mattes: bool = False  # Cryptomatte passes as well


def _link(nodes: bpy.types.NodeTree, *pairs: tuple) -> None:
    for source, target in pairs:
        nodes.links.new(source, target)


def _math(tree: bpy.types.NodeTree, operation: str, first: object, second: object = 0.0) -> bpy.types.NodeSocket:
    """A Math node over sockets or numbers; returns its output."""
    node = tree.nodes.new("ShaderNodeMath")
    node.operation = operation
    for socket, value in zip(node.inputs, (first, second), strict=False):
        if isinstance(value, bpy.types.NodeSocket):
            tree.links.new(value, socket)
        else:
            socket.default_value = value
    return node.outputs[0]


def _ramp(
    tree: bpy.types.NodeTree, factor: bpy.types.NodeSocket, stops: list, hard: bool = False
) -> bpy.types.NodeSocket:
    """A ColorRamp with stops [(position, color), ...]; returns its color output."""
    node = tree.nodes.new("ShaderNodeValToRGB")
    node.color_ramp.interpolation = "CONSTANT" if hard else "LINEAR"
    elements = node.color_ramp.elements
    while len(elements) < len(stops):
        elements.new(1.0)
    for element, (position, color) in zip(elements, stops, strict=True):
        element.position, element.color = position, (*color, 1.0)
    tree.links.new(factor, node.inputs[0])
    return node.outputs[0]


def _noise(
    tree: bpy.types.NodeTree, vector: bpy.types.NodeSocket, scale: float, detail: float = 2.0
) -> bpy.types.NodeSocket:
    node = tree.nodes.new("ShaderNodeTexNoise")
    node.inputs["Scale"].default_value, node.inputs["Detail"].default_value = scale, detail
    tree.links.new(vector, node.inputs["Vector"])
    return node.outputs[0]


def material(name: str, pattern: str, colors: list[Color], scale: float = 4.0) -> bpy.types.Material:
    """A diffuse material; pattern: stripes (around Z), checker, cells or noise. Mottled, so that all motion shows."""
    made = bpy.data.materials.new(name)
    made.use_nodes = True
    tree = made.node_tree
    shader = tree.nodes["Principled BSDF"]
    shader.inputs["Roughness"].default_value = 0.7
    place = tree.nodes.new("ShaderNodeTexCoord").outputs["Object"]
    stops = [(k / len(colors), color) for k, color in enumerate(colors)]
    if pattern == "stripes":
        angle = tree.nodes.new("ShaderNodeTexGradient")
        angle.gradient_type = "RADIAL"
        axes = tree.nodes.new("ShaderNodeSeparateXYZ")
        _link(tree, (place, angle.inputs[0]), (place, axes.inputs[0]))
        zigzag = _math(tree, "PINGPONG", _math(tree, "MULTIPLY", axes.outputs[2], 1.1), 0.35)
        turn = _math(tree, "ADD", _math(tree, "MULTIPLY", angle.outputs[1], scale), zigzag)
        color = _ramp(tree, _math(tree, "FRACT", turn), stops, hard=True)
    elif pattern == "checker":
        node = tree.nodes.new("ShaderNodeTexChecker")
        node.inputs["Scale"].default_value = scale
        _link(tree, (place, node.inputs["Vector"]))
        for key, value in zip(("Color1", "Color2"), colors, strict=False):
            node.inputs[key].default_value = (*value, 1.0)
        color = node.outputs["Color"]
    elif pattern == "cells":
        node = tree.nodes.new("ShaderNodeTexVoronoi")
        node.inputs["Scale"].default_value = scale
        _link(tree, (place, node.inputs["Vector"]))
        separate = tree.nodes.new("ShaderNodeSeparateXYZ")
        _link(tree, (node.outputs["Color"], separate.inputs[0]))
        color = _ramp(tree, separate.outputs[0], stops, hard=True)
    else:
        stops = [(0.3 + 0.4 * k / max(len(colors) - 1, 1), color) for k, color in enumerate(colors)]
        color = _ramp(tree, _noise(tree, place, scale), stops)
    mottle = _ramp(tree, _noise(tree, place, scale * 4.0, 2.0), [(0.3, (0.55,) * 3), (0.7, (1.2, 1.2, 1.2))])
    product = tree.nodes.new("ShaderNodeVectorMath")
    product.operation = "MULTIPLY"
    _link(tree, (color, product.inputs[0]), (mottle, product.inputs[1]))
    _link(tree, (product.outputs[0], shader.inputs["Base Color"]))
    return made


class Builder:
    """Adds objects to a scene, each with the next object index."""

    def __init__(self, scene: bpy.types.Scene) -> None:
        self.scene = scene
        self.count = 0

    def add(
        self, name: str, mesh: bmesh.types.BMesh, look: bpy.types.Material, smooth: bool = False
    ) -> bpy.types.Object:
        """Turn `mesh` into an object in the scene (and free it)."""
        data = bpy.data.meshes.new(name)
        mesh.to_mesh(data)
        mesh.free()
        data.materials.append(look)
        for face in data.polygons:
            face.use_smooth = smooth
        made = bpy.data.objects.new(name, data)
        self.scene.collection.objects.link(made)
        self.count += 1
        made.pass_index = self.count
        return made

    def cone(
        self, name: str, look: bpy.types.Material, bottom: float, top: float, tall: float, sides: int = 12
    ) -> bpy.types.Object:
        mesh = bmesh.new()
        bmesh.ops.create_cone(mesh, cap_ends=True, segments=sides, radius1=bottom, radius2=top, depth=tall)
        bmesh.ops.translate(mesh, verts=mesh.verts, vec=(0, 0, tall / 2))
        return self.add(name, mesh, look)

    def ball(self, name: str, look: bpy.types.Material, radius: float, pinch: float = 0.0) -> bpy.types.Object:
        """A sphere; `pinch` narrows it downward into a balloon."""
        mesh = bmesh.new()
        bmesh.ops.create_uvsphere(mesh, u_segments=32, v_segments=20, radius=radius)
        for vertex in mesh.verts:
            low = max(0.0, -vertex.co.z / radius)
            vertex.co.x *= 1 - pinch * low * low
            vertex.co.y *= 1 - pinch * low * low
            vertex.co.z *= 1 + 0.5 * pinch * low
        return self.add(name, mesh, look, smooth=True)

    def box(self, name: str, look: bpy.types.Material, size: Color, center: Color = (0, 0, 0)) -> bpy.types.Object:
        mesh = bmesh.new()
        bmesh.ops.create_cube(mesh, size=1.0)
        bmesh.ops.scale(mesh, verts=mesh.verts, vec=size)
        bmesh.ops.translate(mesh, verts=mesh.verts, vec=center)
        return self.add(name, mesh, look)


def ground_height(x: float, y: float, seed: int) -> float:
    """Height of the hills at a place: flat near the origin, rolling behind."""
    far = min(1.0, max(0.0, (math.hypot(x, y) - 4) / 14))
    return 0.25 * noise.noise(Vector((x * 0.25, y * 0.25, seed))) + far * 3.2 * (
        noise.noise(Vector((x * 0.09, y * 0.09, seed + 5.0))) + 0.25
    )


def _world(scene: bpy.types.Scene) -> None:
    """A graded sky with clouds: texture in every direction, so that a turning camera moves it visibly."""
    world = bpy.data.worlds.new("Sky")
    world.use_nodes = True
    scene.world = world
    tree = world.node_tree
    place = tree.nodes.new("ShaderNodeTexCoord").outputs["Generated"]
    axes = tree.nodes.new("ShaderNodeSeparateXYZ")
    _link(tree, (place, axes.inputs[0]))
    sky = _ramp(tree, axes.outputs[2], [(0.0, SKY[2]), (0.18, SKY[1]), (0.6, SKY[0])])
    flat = tree.nodes.new("ShaderNodeVectorMath")
    flat.operation = "MULTIPLY"
    flat.inputs[1].default_value = (1.0, 1.0, 2.4)
    _link(tree, (place, flat.inputs[0]))
    cover = _ramp(tree, _noise(tree, flat.outputs[0], 5.0, 4.0), [(0.5, (0, 0, 0)), (0.64, CLOUD)])
    both = tree.nodes.new("ShaderNodeVectorMath")
    both.operation = "MAXIMUM"
    _link(tree, (sky, both.inputs[0]), (cover, both.inputs[1]))
    background = tree.nodes["Background"]
    background.inputs["Strength"].default_value = 0.75
    _link(tree, (both.outputs[0], background.inputs["Color"]))


def _keys(made: bpy.types.Object, frames: range, path: str, value: object) -> None:
    """A key on every frame: what lies between frames then never depends on the interpolation set by the user."""
    for frame in frames:
        setattr(made, path, value(frame))
        made.keyframe_insert(path, frame=frame)


def build(settings: Settings) -> bpy.types.Scene:
    """Make the scene in the open file, in a new scene that becomes the window's; returns it."""
    scene = bpy.data.scenes.new("Demo")
    if bpy.context.window:
        bpy.context.window.scene = scene
    pick = random.Random(settings.seed)
    last = settings.frames
    frames = range(last + 2)  # one more on either side: the Vector pass looks there
    still = settings.moving_light

    def way(frame: int) -> float:
        """How far the shot has come at a frame, 1 after 100 frames at speed 1; constant when nothing may move."""
        return 0.35 if still else (frame - 1) / 100 * settings.speed

    builder = Builder(scene)
    _world(scene)

    grass = material("Grass", "noise", [(0.05, 0.16, 0.04), (0.20, 0.42, 0.07), (0.62, 0.58, 0.16)], 0.9)
    mesh = bmesh.new()
    bmesh.ops.create_grid(mesh, x_segments=90, y_segments=90, size=36)
    for vertex in mesh.verts:
        vertex.co.z = ground_height(vertex.co.x, vertex.co.y, settings.seed)
    builder.add("Ground", mesh, grass, smooth=True)

    def on_ground(x: float, y: float, lift: float = 0.0) -> Vector:
        return Vector((x, y, ground_height(x, y, settings.seed) + lift))

    bark = material("Bark", "noise", [(0.10, 0.05, 0.03), (0.30, 0.17, 0.09)], 6)
    crowns = [
        material("Pine", "noise", [(0.02, 0.12, 0.06), (0.06, 0.34, 0.16)], 2.5),
        material("Maple", "noise", [(0.45, 0.08, 0.02), (0.90, 0.42, 0.05)], 2.5),
        material("Birch", "noise", [(0.30, 0.32, 0.03), (0.75, 0.68, 0.10)], 2.5),
    ]
    for k in range(26):
        angle, far = pick.uniform(-0.2, math.pi + 0.2), pick.uniform(5.0, 20)
        place, size = on_ground(far * math.cos(angle), far * math.sin(angle), -0.1), pick.uniform(0.7, 1.5)
        trunk = builder.cone(f"Trunk{k}", bark, 0.12 * size, 0.08 * size, 0.7 * size, 7)
        if k % 3:
            crown = builder.ball(f"Crown{k}", crowns[1 + k % 2], 0.65 * size)
            crown.location = place + Vector((0, 0, 1.1 * size))
        else:
            crown = builder.cone(f"Crown{k}", crowns[0], 0.6 * size, 0.0, 2.0 * size, 9)
            crown.location = place + Vector((0, 0, 0.4 * size))
        trunk.location = place

    walls = material("Plaster", "cells", [(0.85, 0.76, 0.62), (0.72, 0.60, 0.48), (0.90, 0.84, 0.74)], 3)
    roof = material("Tiles", "checker", [(0.55, 0.08, 0.05), (0.75, 0.20, 0.09)], 5)
    cloth = material("Sails", "checker", [(0.92, 0.88, 0.78), (0.30, 0.10, 0.12)], 3)
    foot = on_ground(1.4, 4.2, -0.1)
    tower = builder.cone("Tower", walls, 0.85, 0.55, 2.4, 10)
    cap = builder.cone("Cap", roof, 0.75, 0.0, 0.9, 10)
    tower.location, cap.location = foot, foot + Vector((0, 0, 2.4))
    hub = bpy.data.objects.new("Hub", None)
    scene.collection.objects.link(hub)
    hub.location = foot + Vector((0, -0.72, 2.3))
    for k in range(4):
        blade = builder.box(f"Blade{k}", cloth, (0.42, 0.05, 1.7), (0.12, 0, 1.05))
        blade.parent = hub
        blade.rotation_euler = (0, k * math.pi / 2, 0)
    _keys(hub, frames, "rotation_euler", lambda f: (0, 0.4 + way(f) * 100 * 0.055, 0))

    bands = [
        [(0.80, 0.10, 0.08), (0.95, 0.80, 0.30), (0.08, 0.25, 0.55)],
        [(0.95, 0.50, 0.05), (0.98, 0.92, 0.80), (0.50, 0.07, 0.28)],
        [(0.03, 0.45, 0.45), (0.98, 0.85, 0.40), (0.90, 0.25, 0.20)],
    ]
    wicker = material("Wicker", "checker", [(0.35, 0.20, 0.08), (0.55, 0.36, 0.16)], 8)
    for k, (x, y, z, size) in enumerate(((-2.6, 5.5, 3.3, 1.15), (4.6, 9.0, 4.7, 1.4), (-6.5, 12.5, 5.6, 1.5))):
        balloon = builder.ball(f"Balloon{k}", material(f"Silk{k}", "stripes", bands[k], 5), size, 0.55)
        basket = builder.box(f"Basket{k}", wicker, (0.4 * size, 0.4 * size, 0.3 * size), (0, 0, -1.7 * size))
        ropes = builder.cone(f"Ropes{k}", wicker, 0.19 * size, 0.12 * size, 0.5 * size, 4)
        ropes.location = (0, 0, -1.62 * size)
        basket.parent = ropes.parent = balloon
        drift = Vector((1.9, -0.4, 0.8)) if k != 1 else Vector((-2.4, 0.2, 0.5))

        start = Vector((x, y, z))

        def place_of(f: int, start: Vector = start, drift: Vector = drift, k: int = k) -> Vector:
            return start + drift * way(f) + Vector((0, 0, 0.18 * math.sin(way(f) * 9 + k * 2)))

        _keys(balloon, frames, "location", place_of)
        _keys(balloon, frames, "rotation_euler", lambda f, k=k: (0, 0, k + way(f) * 1.8))

    # The ball rolls through the foreground and hides and uncovers what is behind it.
    ball = builder.ball("Ball", material("Ball", "stripes", [*bands[0][:2], bands[2][0]], 4), 0.5)

    def rolled(frame: int) -> Vector:
        x = -3.4 + 6.4 * way(frame)
        return on_ground(x, 0.6 + 0.5 * math.sin(x * 0.7), 0.48)

    _keys(ball, frames, "location", rolled)
    _keys(ball, frames, "rotation_euler", lambda f: (0.5, rolled(f).x / 0.5, 0.2))
    post = material("Post", "checker", [(0.9, 0.88, 0.82), (0.75, 0.12, 0.10)], 3.3)
    for k, x in enumerate((-3.2, -1.5, 0.9, 2.7)):
        builder.cone(f"Post{k}", post, 0.09, 0.07, 1.5, 10).location = on_ground(x, 1.7 + 0.3 * (k % 2), -0.1)

    sun = bpy.data.objects.new("Sun", bpy.data.lights.new("Sun", "SUN"))
    sun.data.energy, sun.data.angle, sun.data.color = 4.2, 0.03, (1.0, 0.86, 0.68)
    scene.collection.objects.link(sun)
    stop = 1 + (last - 1) * 3 // 4

    def sun_turn(frame: int) -> tuple[float, float, float]:
        moved = min(max(frame, 1), stop) - 1 if still else 0
        return (0.95, 0.12, -0.9 + moved * 0.035)

    _keys(sun, frames, "rotation_euler", sun_turn)

    def eye(frame: int) -> Vector:
        angle = -1.72 + 0.42 * way(frame)
        return Vector((7.2 * math.cos(angle), 7.2 * math.sin(angle), 1.9 + 0.5 * way(frame)))

    def look(frame: int) -> tuple[float, float, float]:
        target = Vector((0.1 - 0.9 * way(frame), 3.0, 2.0 + 0.3 * way(frame)))
        return tuple((target - eye(frame)).to_track_quat("-Z", "Y").to_euler())

    camera = bpy.data.objects.new("Camera", bpy.data.cameras.new("Camera"))
    camera.data.lens = 30
    scene.collection.objects.link(camera)
    scene.camera = camera
    _keys(camera, frames, "location", eye)
    _keys(camera, frames, "rotation_euler", look)
    if settings.cut:
        other = bpy.data.objects.new("Second", bpy.data.cameras.new("Second"))
        other.location = (5.5, -4.0, 3.4)
        other.rotation_euler = (Vector((-0.5, 4, 2.4)) - other.location).to_track_quat("-Z", "Y").to_euler()
        scene.collection.objects.link(other)
        for frame, bound in ((1, camera), (settings.cut, other)):
            scene.timeline_markers.new(bound.name, frame=frame).camera = bound
    _render_settings(scene, settings)
    scene.frame_set(1)
    return scene


def _render_settings(scene: bpy.types.Scene, settings: Settings) -> None:
    scene.frame_start, scene.frame_end = 1, settings.frames
    scene.render.resolution_x, scene.render.resolution_y = settings.width, settings.height
    scene.render.resolution_percentage = 100
    scene.render.fps = 24
    scene.render.film_transparent = settings.film_transparent
    scene.render.use_motion_blur = False
    scene.render.engine = "CYCLES"
    scene.cycles.device = "CPU"
    scene.cycles.samples = settings.samples
    scene.cycles.seed = settings.seed
    scene.cycles.use_adaptive_sampling = False
    scene.cycles.max_bounces = 1
    scene.world.cycles.sampling_method = "NONE"  # a soft sky needs no map of its bright places, which is slow
    try:
        scene.cycles.use_denoising = True
        scene.cycles.denoiser = "OPENIMAGEDENOISE"
        scene.cycles.denoising_prefilter = "FAST"
        scene.cycles.denoising_quality = "FAST"
    except TypeError:  # a Blender built without it
        scene.cycles.use_denoising = False
    scene.view_settings.view_transform = "AgX"
    layer = scene.view_layers[0]
    layer.use_pass_cryptomatte_object = layer.use_pass_cryptomatte_material = settings.mattes


def set_passes(scene: bpy.types.Scene) -> None:
    """Switch on the passes that StyleTX reads: Vector, Depth and object index."""
    layer = scene.view_layers[0]
    layer.use_pass_vector = layer.use_pass_z = layer.use_pass_object_index = True


def set_multilayer(scene: bpy.types.Scene, single_part: bool = False) -> None:
    """Output as multilayer EXR, Combined in half, ZIP. `single_part`: write 5.x files in the layout of 4.x."""
    image = scene.render.image_settings
    if hasattr(image, "media_type"):  # 5.0 and later: before the format
        image.media_type = "MULTI_LAYER_IMAGE"
    image.file_format = "OPEN_EXR_MULTILAYER"
    image.color_depth, image.exr_codec = "16", "ZIP"
    if hasattr(image, "use_exr_interleave"):
        image.use_exr_interleave = single_part


def _rows(matrix: Matrix) -> list[float]:
    return [value for row in matrix for value in row]


def write_camera(scene: bpy.types.Scene, path: Path) -> None:
    """Write shot.json (see docs): the camera of each frame, and of one more frame on either side."""
    render, view = scene.render, scene.view_settings
    width = render.resolution_x * render.resolution_percentage // 100
    height = render.resolution_y * render.resolution_percentage // 100
    frames = {}
    for number in range(scene.frame_start - 1, scene.frame_end + 2):
        scene.frame_set(number)
        depsgraph = bpy.context.evaluated_depsgraph_get()
        camera = scene.camera.evaluated_get(depsgraph)
        projection = camera.calc_matrix_camera(
            depsgraph, x=width, y=height, scale_x=render.pixel_aspect_x, scale_y=render.pixel_aspect_y
        )
        frames[str(number)] = {
            "camera": scene.camera.name,
            "type": camera.data.type,
            "world": _rows(camera.matrix_world),
            "projection": _rows(projection),
        }
    shot = {
        "version": 1,
        "resolution": [width, height],
        "frame_step": scene.frame_step,
        "time_remap": [render.frame_map_old, render.frame_map_new],
        "fps": render.fps / render.fps_base,
        "motion_blur": render.use_motion_blur,
        "border": render.use_border,
        "frames": frames,
        "view": {
            "display": scene.display_settings.display_device,
            "view": view.view_transform,
            "look": view.look,
            "exposure": view.exposure,
            "gamma": view.gamma,
        },
    }
    aside = path.with_name(f".{path.name}.tmp")
    aside.write_text(json.dumps(shot, indent=1))
    aside.replace(path)


def render(scene: bpy.types.Scene, directory: Path, single_part: bool = False, keep: bool = False) -> None:
    """Render the shot into `directory`: shot_0001.exr, ..., shot.json. `keep`: frames already there stay."""
    directory.mkdir(parents=True, exist_ok=True)
    set_passes(scene)
    set_multilayer(scene, single_part)
    scene.render.use_persistent_data = True
    write_camera(scene, directory / "shot.json")
    for number in range(scene.frame_start, scene.frame_end + 1):
        path = directory / f"shot_{number:04d}.exr"
        if keep and path.exists():
            continue
        scene.frame_set(number)
        scene.render.filepath = str(directory / f".shot_{number:04d}.tmp.exr")
        bpy.ops.render.render(write_still=True, scene=scene.name)
        Path(scene.render.filepath).replace(path)


def arguments(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Parse the script's own arguments: all of them in `bpy`, those behind `--` in Blender."""
    argv = sys.argv[sys.argv.index("--") + 1 :] if "--" in sys.argv else sys.argv[1:]
    return parser.parse_args(argv)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--size", default="640x360", help="WIDTHxHEIGHT")
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=1.0, help="of all motion")
    parser.add_argument("--cut", type=int, default=0, help="frame from which another camera is bound")
    parser.add_argument("--transparent", action="store_true")
    parser.add_argument("--moving-light", action="store_true", help="only the sun moves")
    parser.add_argument("--single-part", action="store_true", help="the EXR layout of 4.x from 5.x too")
    parser.add_argument("--keep", action="store_true", help="keep frames that are there")
    args = arguments(parser)
    width, height = map(int, args.size.split("x"))
    settings = Settings(
        width=width,
        height=height,
        frames=args.frames,
        samples=args.samples,
        seed=args.seed,
        film_transparent=args.transparent,
        moving_light=args.moving_light,
        speed=args.speed,
        cut=args.cut,
    )
    render(build(settings), args.output, args.single_part, args.keep)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Procedural scenes for training shots, for Blender's Python (4.2 to 5.2): six kinds, all else decided by a seed.

Grounds, floors and walls have object index 0, what stands in front of them is numbered from 1 on. All animation is
keyed on every frame, one more on either side, for the Vector pass looks there.
"""

from __future__ import annotations

import colorsys
import math
import random
from collections.abc import Callable, Sequence

import bpy  # first: it brings the other two

# isort: split
import bmesh
from mathutils import Euler, Vector, noise

Color = tuple[float, float, float]
Shot = tuple[Vector, Vector]  # where the camera is and what it looks at, to begin with


class Stage:
    """A new scene, its random numbers and its way of adding things."""

    def __init__(self, seed: int, frames: int) -> None:
        self.pick = random.Random(seed)
        self.scene = bpy.data.scenes.new(f"Shot{seed}")
        self.frames = range(frames + 2)  # 1 to `frames` are rendered
        self.scene.frame_start, self.scene.frame_end = 1, frames
        self.count = 0
        base = self.pick.random()
        # colors that go together: hues around two opposite ones
        self.hues = [base + self.pick.gauss(0, 0.05), base + 0.5 + self.pick.gauss(0, 0.08), base + 0.15]

    def color(self, dark: float = 0.15, light: float = 1.0) -> Color:
        """Scene-linear; dark, light: the range of its brightness as displayed."""
        hue = self.pick.choice(self.hues) if self.pick.random() < 0.7 else self.pick.random()
        saturation = self.pick.choice((0.1, 0.4, 0.7, 0.9)) * self.pick.uniform(0.6, 1.1)
        display = colorsys.hsv_to_rgb(hue % 1, min(1, saturation), self.pick.uniform(dark, light))
        red, green, blue = (channel**2.2 for channel in display)
        return red, green, blue

    def add(self, mesh: bmesh.types.BMesh, look: bpy.types.Material, front: bool = True,
            smooth: bool = False) -> bpy.types.Object:  # fmt: skip
        """Make an object of `mesh` (and free it). front: it gets the next object index."""
        data = bpy.data.meshes.new("Mesh")
        mesh.to_mesh(data)
        mesh.free()
        for face in data.polygons:
            face.use_smooth = smooth
        return self.place(data, look, front)

    def place(self, data: bpy.types.ID, look: bpy.types.Material, front: bool = True) -> bpy.types.Object:
        data.materials.append(look)
        made = bpy.data.objects.new("Object", data)
        self.scene.collection.objects.link(made)
        if front:
            self.count += 1
            made.pass_index = self.count
        return made

    def key(self, made: bpy.types.ID, path: str, value: Callable[[int], object]) -> None:
        for frame in self.frames:
            setattr(made, path, value(frame))
            made.keyframe_insert(path, frame=frame)

    def shape(self, look: bpy.types.Material, size: float) -> bpy.types.Object:
        """One of many simple bodies about `size` across."""
        kind = self.pick.choice(("box", "ball", "cone", "tube", "ring", "gem", "head", "slab", "pole"))
        mesh, half = bmesh.new(), size / 2
        if kind in ("box", "slab"):
            bmesh.ops.create_cube(mesh, size=size)
            if kind == "slab":
                bmesh.ops.scale(mesh, verts=mesh.verts, vec=(1, self.pick.uniform(0.05, 0.3), 0.8))
        elif kind == "ball":
            bmesh.ops.create_uvsphere(mesh, u_segments=28, v_segments=18, radius=half)
        elif kind == "gem":
            bmesh.ops.create_icosphere(mesh, subdivisions=self.pick.choice((1, 2)), radius=half)
        elif kind == "head":
            bmesh.ops.create_monkey(mesh)
            bmesh.ops.scale(mesh, verts=mesh.verts, vec=(half, half, half))
        elif kind == "ring":
            _ring(mesh, half * 0.75, half * self.pick.uniform(0.06, 0.3))
        else:
            thin = {"cone": 0.5, "tube": 0.4, "pole": 0.05}[kind] * size
            top = 0.0 if kind == "cone" else thin
            bmesh.ops.create_cone(mesh, cap_ends=True, segments=self.pick.choice((5, 8, 24)), radius1=thin,
                                  radius2=top, depth=size * (2 if kind == "pole" else 1))  # fmt: skip
        return self.add(mesh, look, smooth=kind in ("ball", "head", "ring"))

    def move(self, made: bpy.types.Object, far: float) -> None:
        """Let it fly, swing or spin; `far`: about how far it goes in a frame."""
        place, turn = made.location.copy(), made.rotation_euler.copy()
        way = Vector((self.pick.gauss(0, 1), self.pick.gauss(0, 1), self.pick.gauss(0, 0.4))) * far
        spin = Vector((self.pick.gauss(0, 1), self.pick.gauss(0, 1), self.pick.gauss(0, 1))) * 0.07
        kind, period, phase = self.pick.random(), self.pick.uniform(7, 25), self.pick.uniform(0, 6)
        if kind < 0.75:

            def at(frame: int) -> Vector:
                if kind < 0.4:
                    return place + way * (frame - 6)
                return place + way * period / 4 * math.sin(frame * 2 * math.pi / period + phase)

            self.key(made, "location", at)
        if kind > 0.3:
            self.key(made, "rotation_euler", lambda f: Euler([a + s * f for a, s in zip(turn, spin, strict=True)]))


def build(seed: int, frames: int) -> bpy.types.Scene:
    """The scene of this seed, with camera and lights; its render settings are the caller's."""
    stage = Stage(seed, frames)
    kind = KINDS[seed % len(KINDS)]
    world(stage, bare=kind is skies)
    eye, target = kind(stage)
    lights(stage, target, (target - eye).length, indoors=kind is room)
    camera(stage, eye, target)
    return stage.scene


def shapes(stage: Stage) -> Shot:
    """Simple bodies that fly and spin over a floor."""
    pick = stage.pick
    floor(stage, 30)
    for _ in range(pick.randint(6, 16)):
        made = stage.shape(material(stage), pick.uniform(0.5, 1.8))
        made.location = (pick.uniform(-4, 4), pick.uniform(-2, 6), pick.uniform(0.4, 3.2))
        made.rotation_euler = [pick.uniform(0, 6) for _ in range(3)]
        if pick.random() < 0.65:
            stage.move(made, 0.09)
    return Vector((pick.uniform(-2, 2), -8, pick.uniform(1.5, 4))), Vector((0, 1, 1.5))


def land(stage: Stage) -> Shot:
    """Hills with trees and rocks."""
    pick = stage.pick
    rough, offset = pick.uniform(0.6, 2.4), pick.uniform(0, 99)

    def height(x: float, y: float) -> float:
        far = min(1.0, math.hypot(x, y) / 14)
        low = noise.noise(Vector((x * 0.09, y * 0.09, offset))) * rough * 2.2
        return far * low + noise.noise(Vector((x * 0.4, y * 0.4, offset))) * 0.15 * rough

    mesh = bmesh.new()
    bmesh.ops.create_grid(mesh, x_segments=100, y_segments=100, size=40)
    for vertex in mesh.verts:
        vertex.co.z = height(vertex.co.x, vertex.co.y)
    stage.add(mesh, material(stage, ("noise", "cells", "noise"), 0.5), front=False, smooth=True)
    leaves, bark = [material(stage, ("noise", "noise", "plain"), 3) for _ in range(3)], material(stage, ("noise",), 6)
    for _ in range(pick.randint(14, 40)):
        x, y, size = pick.uniform(-12, 12), pick.uniform(-3, 18), pick.uniform(0.5, 1.5)
        ground = height(x, y) - 0.1
        if pick.random() < 0.25:
            rock = stage.shape(bark, size * 0.7)
            rock.location, rock.rotation_euler = (x, y, ground + 0.1), [pick.uniform(0, 6) for _ in range(3)]
            continue
        cone(stage, bark, 0.1 * size, 0.07 * size, 0.8 * size).location = (x, y, ground)
        look = pick.choice(leaves)
        for level in range(pick.choice((1, 3))):
            crown = cone(stage, look, (0.7 - 0.17 * level) * size, 0.0, (1.5 - 0.2 * level) * size)
            crown.location = (x, y, ground + (0.6 + 0.6 * level) * size)
    for _ in range(pick.randint(0, 4)):  # balloons and birds of a kind
        flying = stage.shape(material(stage), pick.uniform(0.5, 1.2))
        flying.location = (pick.uniform(-5, 5), pick.uniform(0, 8), pick.uniform(2, 5))
        stage.move(flying, 0.1)
    return Vector((pick.uniform(-3, 3), -8, height(0, -8) + pick.uniform(1, 3.5))), Vector((0, 4, 1.2))


def letters(stage: Stage) -> Shot:
    """Solid words that stand, hang and turn."""
    pick = stage.pick
    if pick.random() < 0.6:
        floor(stage, 30)
    for row in range(pick.randint(1, 3)):
        curve = bpy.data.curves.new("Text", "FONT")
        curve.body = "".join(pick.choice("ABCDEFGHIJKLMNOPRSTUVWXYZ 0123456789&!?") for _ in range(pick.randint(2, 7)))
        curve.size, curve.extrude, curve.bevel_depth = pick.uniform(1, 2.2), pick.uniform(0.05, 0.3), 0.02
        curve.align_x = "CENTER"
        made = stage.place(curve, material(stage, None, 2))
        made.location = (pick.uniform(-1, 1), row * 1.5, 0.1 + row * 1.3)
        made.rotation_euler = (math.pi / 2, 0, pick.gauss(0, 0.25))
        if pick.random() < 0.5:
            stage.move(made, 0.06)
    for _ in range(pick.randint(0, 5)):
        made = stage.shape(material(stage), pick.uniform(0.2, 0.8))
        made.location = (pick.uniform(-4, 4), pick.uniform(-3, 1), pick.uniform(0.3, 3))
        stage.move(made, 0.08)
    return Vector((pick.uniform(-3, 3), -7, pick.uniform(0.8, 3))), Vector((0, 1, 1.3))


def city(stage: Stage) -> Shot:
    """Streets of blocks with lamp posts and cars."""
    pick = stage.pick
    floor(stage, 40)
    looks = [material(stage, ("bricks", "checker", "bricks", "plain"), pick.uniform(1, 3)) for _ in range(4)]
    for column in range(-4, 5):
        for row in range(6):
            if column == 0 or pick.random() < 0.15:
                continue
            mesh, tall = bmesh.new(), pick.uniform(0.8, 4.5)
            bmesh.ops.create_cube(mesh, size=1)
            bmesh.ops.scale(mesh, verts=mesh.verts, vec=(pick.uniform(0.9, 1.6), pick.uniform(0.9, 1.6), tall))
            stage.add(mesh, pick.choice(looks)).location = (column * 2.1, row * 2.4, tall / 2)
    post = material(stage, ("plain",))
    for row in range(5):
        for side in (-0.8, 0.8):
            cone(stage, post, 0.03, 0.02, 1.5).location = (side, row * 2.4 - 3, 0)
    for _ in range(pick.randint(2, 5)):
        car = stage.shape(material(stage, ("plain", "stripes")), 0.5)
        car.location = (pick.uniform(-0.5, 0.5), pick.uniform(-4, 5), 0.25)
        stage.move(car, 0.08)
    return Vector((pick.uniform(-0.6, 0.6), -7, pick.uniform(0.7, 3))), Vector((0, 3, 1.2))


def room(stage: Stage) -> Shot:
    """Furniture-like blocks and small things in a closed room."""
    pick = stage.pick
    for size, place in (((10, 10, 0.2), (0, 0, -0.1)), ((10, 0.2, 5), (0, 5, 2.5)), ((0.2, 10, 5), (-5, 0, 2.5)),
                        ((0.2, 10, 5), (5, 0, 2.5)), ((10, 10, 0.2), (0, 0, 5))):  # fmt: skip
        mesh = bmesh.new()
        bmesh.ops.create_cube(mesh, size=1)
        bmesh.ops.scale(mesh, verts=mesh.verts, vec=size)
        wall = stage.add(mesh, material(stage, ("plain", "stripes", "checker", "noise"), 0.6, dark=0.5), front=False)
        wall.location = place
    for _ in range(pick.randint(4, 9)):
        mesh, sides = bmesh.new(), [pick.uniform(0.3, 1.6) for _ in range(3)]
        bmesh.ops.create_cube(mesh, size=1)
        bmesh.ops.scale(mesh, verts=mesh.verts, vec=sides)
        place = Vector((pick.uniform(-4, 4), pick.uniform(-1, 4.3), sides[2] / 2))
        block = stage.add(mesh, material(stage))
        block.location, block.rotation_euler = place, (0, 0, pick.choice((0, pick.uniform(0, 3))))
        small = stage.shape(material(stage), pick.uniform(0.25, 0.7))
        small.location = place + Vector((0, 0, sides[2] / 2 + 0.3))
        if pick.random() < 0.5:
            stage.move(small, 0.05)
    return Vector((pick.uniform(-2, 2), -4.6, pick.uniform(1, 2.6))), Vector((0, 2, 1.2))


def skies(stage: Stage) -> Shot:
    """A few things before a sky, near and far: that is where halos show."""
    pick = stage.pick
    for _ in range(pick.randint(2, 6)):
        made = stage.shape(material(stage, None, 2), pick.uniform(0.8, 2.6))
        made.location = (pick.uniform(-4, 4), pick.uniform(-1, 8), pick.uniform(0.5, 5))
        made.rotation_euler = [pick.uniform(0, 6) for _ in range(3)]
        stage.move(made, 0.09)
    if pick.random() < 0.5:  # a flag in the wind: its shape changes
        mesh = bmesh.new()
        bmesh.ops.create_grid(mesh, x_segments=40, y_segments=24, size=1)
        flag = stage.add(mesh, material(stage, ("stripes", "checker", "cells"), 2), smooth=True)
        flag.location, flag.rotation_euler = (pick.uniform(-2, 2), -2, 2.5), (math.pi / 2, 0, 0)
        wave = flag.modifiers.new("Wind", "WAVE")
        wave.height, wave.width, wave.speed, wave.time_offset = 0.22, 0.7, 0.06, -200
        pole = cone(stage, material(stage, ("plain",)), 0.05, 0.04, 7)
        pole.location = flag.location + Vector((-1.05, 0, -4))
    if pick.random() < 0.4:
        floor(stage, 60)
    return Vector((pick.uniform(-2, 2), -8, 1.5)), Vector((0, 2, pick.uniform(2, 3.5)))


KINDS: tuple[Callable[[Stage], Shot], ...] = (shapes, land, letters, city, skies, room)


def floor(stage: Stage, size: float) -> None:
    mesh = bmesh.new()
    bmesh.ops.create_grid(mesh, x_segments=1, y_segments=1, size=size)
    stage.add(
        mesh, material(stage, ("noise", "checker", "cells", "plain", "bricks"), stage.pick.uniform(0.3, 1)), False
    )


def cone(stage: Stage, look: bpy.types.Material, bottom: float, top: float, tall: float) -> bpy.types.Object:
    """Stands on its origin."""
    mesh = bmesh.new()
    bmesh.ops.create_cone(mesh, cap_ends=True, segments=9, radius1=bottom, radius2=top, depth=tall)
    bmesh.ops.translate(mesh, verts=mesh.verts, vec=(0, 0, tall / 2))
    return stage.add(mesh, look)


def _ring(mesh: bmesh.types.BMesh, far: float, thick: float, around: int = 32, across: int = 10) -> None:
    rings = []
    for i in range(around):
        a = 2 * math.pi * i / around
        angles = [2 * math.pi * j / across for j in range(across)]
        rings.append([mesh.verts.new(((far + thick * math.cos(b)) * math.cos(a),
                                      (far + thick * math.cos(b)) * math.sin(a), thick * math.sin(b)))
                      for b in angles])  # fmt: skip
    for i in range(around):
        for j in range(across):
            one, other = rings[i], rings[(i + 1) % around]
            mesh.faces.new((one[j], other[j], other[(j + 1) % across], one[(j + 1) % across]))


PATTERNS = ("plain", "noise", "cells", "stripes", "checker", "bricks", "spots")


def material(stage: Stage, patterns: Sequence[str] | None = None, scale: float = 2.0,
             dark: float = 0.15) -> bpy.types.Material:  # fmt: skip
    """A material of one of the patterns (any of PATTERNS for None), fixed to the object."""
    pick = stage.pick
    made = bpy.data.materials.new("Material")
    made.use_nodes = True
    tree = made.node_tree
    shader = tree.nodes["Principled BSDF"]
    shader.inputs["Roughness"].default_value = pick.choice((0.9, 0.6, 0.35))
    shader.inputs["Metallic"].default_value = float(pick.random() < 0.06)
    pattern, scale = pick.choice(patterns or PATTERNS), scale * pick.uniform(0.6, 1.8)
    if pattern == "plain":
        shader.inputs["Base Color"].default_value = (*stage.color(dark), 1)
        return made
    place = tree.nodes.new("ShaderNodeTexCoord").outputs["Object"]
    kind = {"noise": "Noise", "cells": "Voronoi", "spots": "Voronoi", "stripes": "Wave", "checker": "Checker",
            "bricks": "Brick"}[pattern]  # fmt: skip
    texture = tree.nodes.new(f"ShaderNodeTex{kind}")
    texture.inputs["Scale"].default_value = scale * (3 if pattern == "bricks" else 1)
    tree.links.new(place, texture.inputs["Vector"])
    if pattern == "stripes":
        texture.inputs["Distortion"].default_value = pick.choice((0, 2, 6))
    factor = texture.outputs[1 if pattern in ("stripes", "checker", "bricks") else 0]
    if pattern == "cells":
        axes = tree.nodes.new("ShaderNodeSeparateXYZ")
        tree.links.new(texture.outputs["Color"], axes.inputs[0])
        factor = axes.outputs[0]
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    ramp.color_ramp.interpolation = "CONSTANT" if pattern in ("cells", "spots") else "LINEAR"
    stops = ramp.color_ramp.elements
    stops.new(0.5)
    spread = (0.3, 0.5, 0.7) if pattern == "noise" else (0.0, 0.4, 0.7)
    for stop, position in zip(stops, spread, strict=True):
        stop.position, stop.color = position, (*stage.color(dark), 1)
    tree.links.new(factor, ramp.inputs[0])
    tree.links.new(ramp.outputs[0], shader.inputs["Base Color"])
    return made


# zenith, middle, horizon as displayed
SKIES = (((0.2, 0.4, 0.8), (0.5, 0.7, 0.95), (0.9, 0.93, 0.97)), ((0.25, 0.25, 0.5), (0.8, 0.5, 0.5), (1, 0.8, 0.5)),
         ((0.5, 0.52, 0.55), (0.7, 0.72, 0.75), (0.85, 0.85, 0.85)), ((0.02, 0.03, 0.1), (0.08, 0.1, 0.25),
         (0.25, 0.2, 0.4)), ((0.1, 0.4, 0.5), (0.5, 0.8, 0.75), (0.95, 0.95, 0.8)))  # fmt: skip


def world(stage: Stage, bare: bool) -> None:
    """A graded sky with or without clouds; one in four is of one color. bare: most skies are without clouds."""
    pick = stage.pick
    made = bpy.data.worlds.new("World")
    made.use_nodes = True
    stage.scene.world = made
    tree = made.node_tree
    background = tree.nodes["Background"]
    background.inputs["Strength"].default_value = pick.uniform(0.7, 1.2)
    made.cycles.sampling_method = "NONE"  # a soft sky needs no map of its bright places, which is slow
    if pick.random() < 0.25:
        background.inputs["Color"].default_value = (*stage.color(0.3), 1)
        return
    place = tree.nodes.new("ShaderNodeTexCoord").outputs["Generated"]
    axes = tree.nodes.new("ShaderNodeSeparateXYZ")
    tree.links.new(place, axes.inputs[0])
    ramp = tree.nodes.new("ShaderNodeValToRGB")
    ramp.color_ramp.elements.new(0.5)
    colors = pick.choice(SKIES)
    for stop, position, color in zip(ramp.color_ramp.elements, (0.0, 0.2, 0.7), reversed(colors), strict=True):
        stop.position, stop.color = position, (*(max(0.0, c + pick.gauss(0, 0.05)) ** 2.2 for c in color), 1)
    tree.links.new(axes.outputs[2], ramp.inputs[0])
    tree.links.new(ramp.outputs[0], background.inputs["Color"])
    if pick.random() < (0.3 if bare else 0.6):
        clouds = tree.nodes.new("ShaderNodeTexNoise")
        clouds.inputs["Scale"].default_value, clouds.inputs["Detail"].default_value = pick.uniform(2, 7), 4
        cover = tree.nodes.new("ShaderNodeValToRGB")
        white = pick.uniform(0.3, 0.9)
        for stop, position, color in zip(cover.color_ramp.elements, (0.5, 0.68), ((0,) * 3, (white,) * 3), strict=True):
            stop.position, stop.color = position, (*color, 1)
        both = tree.nodes.new("ShaderNodeVectorMath")
        both.operation = "MAXIMUM"
        tree.links.new(place, clouds.inputs["Vector"])
        tree.links.new(clouds.outputs[0], cover.inputs[0])
        tree.links.new(ramp.outputs[0], both.inputs[0])
        tree.links.new(cover.outputs[0], both.inputs[1])
        tree.links.new(both.outputs[0], background.inputs["Color"])


def lights(stage: Stage, target: Vector, far: float, indoors: bool) -> None:
    """A sun (a lamp indoors) and at times lamps of colors; each may move or change."""
    pick = stage.pick
    made = []
    if indoors:
        made.append(_light(stage, "AREA", 130, target + Vector((pick.uniform(-2, 2), -2, 2.6)), 1.5))
    else:
        sun = _light(stage, "SUN", pick.uniform(2.2, 5), target, pick.choice((0.02, 0.2)))
        turn = Vector((pick.uniform(0.3, 1.2), 0, pick.uniform(-2.5, 2.5)))
        sun.rotation_euler = Euler(turn)
        if pick.random() < 0.35:
            speed = Vector((0, pick.gauss(0, 0.015), pick.gauss(0, 0.03)))
            stage.key(sun, "rotation_euler", lambda f: Euler(turn + speed * f))
        made.append(sun)
    for _ in range(pick.choice((0, 0, 1, 2))):
        place = target + Vector((pick.uniform(-3, 3), pick.uniform(-3, 1), pick.uniform(0.5, 2)))
        lamp = _light(stage, "POINT", pick.uniform(60, 250), place, 0.1)
        lamp.data.color = [min(1.0, 0.2 + c) for c in stage.color(0.6)]
        if pick.random() < 0.6:
            stage.move(lamp, 0.02 * far)
        made.append(lamp)
    if pick.random() < 0.3:  # it flickers, or fades
        light = pick.choice(made).data
        energy, period = light.energy, pick.uniform(3, 30)
        stage.key(light, "energy", lambda f: energy * (1 + 0.3 * math.sin(f * 6.3 / period)))


def _light(stage: Stage, kind: str, energy: float, place: Vector, size: float) -> bpy.types.Object:
    data = bpy.data.lights.new("Light", kind)
    data.energy = energy
    if kind == "SUN":
        data.angle = size
    elif kind == "AREA":
        data.size = size
    else:
        data.shadow_soft_size = size
    made = bpy.data.objects.new("Light", data)
    stage.scene.collection.objects.link(made)
    made.location = place
    return made


def camera(stage: Stage, eye: Vector, target: Vector) -> None:
    """A camera that stands, pans, orbits, travels, shakes or zooms, by up to some 3% of the picture a frame."""
    pick = stage.pick
    data = bpy.data.cameras.new("Camera")
    data.lens = pick.uniform(24, 50)
    made = bpy.data.objects.new("Camera", data)
    stage.scene.collection.objects.link(made)
    stage.scene.camera = made
    kind = pick.choice(("still", "pan", "pan", "orbit", "orbit", "travel", "travel", "shake", "shake", "zoom"))
    speed = math.exp(pick.gauss(0, 0.6)) * pick.choice((-1, 1))
    side = Vector((pick.gauss(0, 1), pick.gauss(0, 0.7), pick.gauss(0, 0.4))).normalized()
    waves = [(pick.uniform(5, 17), pick.uniform(0, 6), pick.gauss(0, 1)) for _ in range(6)]

    def shaken(k: int, frame: int) -> float:
        return sum(size * math.sin(frame * 6.28 / period + phase) for period, phase, size in waves[k : k + 2])

    def pose(frame: int) -> tuple[Vector, Vector]:
        t = frame - len(stage.frames) / 2
        view = target - eye
        if kind == "pan":
            view.rotate(Euler((0, 0, 0.018 * speed * t)))
            return eye, eye + view
        if kind == "orbit":
            view.rotate(Euler((0, 0, 0.022 * speed * t)))
            return target - view, target
        if kind == "travel":
            return eye + side * 0.1 * speed * t, target + side * 0.1 * speed * t
        if kind == "shake":
            jolt = Vector((shaken(0, frame), shaken(2, frame), shaken(4, frame))) * 0.05
            return eye + jolt, target - jolt * 1.5
        return eye, target

    stage.key(made, "location", lambda f: pose(f)[0])

    def turn(frame: int) -> Euler:
        at, to = pose(frame)
        euler = (to - at).to_track_quat("-Z", "Y").to_euler()
        if kind == "shake":
            euler.rotate_axis("Z", 0.004 * shaken(1, frame))
        return euler

    stage.key(made, "rotation_euler", turn)
    if kind == "zoom":
        lens = data.lens
        stage.key(data, "lens", lambda f: lens * math.exp(0.016 * speed * (f - len(stage.frames) / 2)))

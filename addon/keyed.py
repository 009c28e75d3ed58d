# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of `scene.styletx` that are animated: what they are on each frame, with nothing of the scene touched.

F-curves are evaluated as they are. Drivers are evaluated in an empty scene of our own that steps through the frames,
with whatever they look at: stepping the user's scene would be slow, and would lose what is moved and not keyed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import bpy

from styletx_core.errors import InputError

from . import compat
from .properties import state_of
from .shots import TEMPORARY

PREFIX = "styletx."
NAMES = ("strength", "size")
"""Settings that can be animated, beside the styles' weights."""
PATHS = re.compile(rf"{'|'.join(NAMES)}|styles\[\d+\]\.weight")


def curves(scene: bpy.types.Scene) -> dict[str, Any]:
    """F-curves that move settings, by the path below `scene.styletx`; a setting with a driver has no other."""
    moved = {path: curve for path, curve in _ours(compat.action_curves(scene.animation_data)) if not curve.mute}
    return {path: curve for path, curve in moved.items() if path not in drivers(scene)}


def drivers(scene: bpy.types.Scene) -> dict[str, Any]:
    """Drivers of settings, by the path below `scene.styletx`."""
    animation = scene.animation_data
    return {path: curve for path, curve in _ours(animation.drivers if animation else ()) if not curve.mute}


def check(scene: bpy.types.Scene, frames: list[int]) -> None:
    """Raise InputError for animation that cannot be followed, before the frames are rendered.

    That is a driver that fails at the first or the last of them, and a setting that the NLA moves: what its strips make
    of it cannot be asked for by frame.
    """
    driven = drivers(scene)
    if driven:
        for _ in sample(scene, sorted({frames[0], frames[-1]})):
            pass
    animation = scene.animation_data
    if animation is None or not animation.use_nla:
        return
    for strip in _strips(strip for track in animation.nla_tracks if not track.mute for strip in track.strips):
        for path, curve in _ours(compat.action_curves(strip)):
            if not curve.mute and path not in driven:
                raise InputError(
                    f"The setting '{path}' is animated by the strip '{strip.name}' of the NLA, which StyleTX does not "
                    "follow: bake the strip to keys, or mute it."
                )


def _strips(found: Iterable[Any]) -> Iterator[Any]:
    """Strips of the NLA that play, and those in them."""
    for strip in found:
        if not strip.mute:
            yield strip
            yield from _strips(strip.strips)


def _ours(found: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    for curve in found:
        path = curve.data_path.removeprefix(PREFIX)
        if curve.data_path.startswith(PREFIX) and PATHS.fullmatch(path):
            yield path, curve


def sample(scene: bpy.types.Scene, frames: Iterable[int]) -> Iterator[tuple[int, dict[str, float]]]:
    """(frame, value of every animated setting) one frame after the other. Raises InputError for a driver that fails."""
    moved, driven = (_there(scene, found) for found in (curves(scene), drivers(scene)))
    if not driven:
        # at once: an undo between two of them would take the curves away
        yield from [
            (frame, {path: _within(scene, path, curve.evaluate(frame)) for path, curve in moved.items()})
            for frame in frames
        ]
        return
    stage = bpy.data.scenes.new(TEMPORARY)
    stage[TEMPORARY] = 1
    name = stage.name
    try:
        render = scene.render
        stage.render.frame_map_old, stage.render.frame_map_new = render.frame_map_old, render.frame_map_new
        for _ in state_of(scene).styles:
            state_of(stage).styles.add()
        for curve in driven.values():
            stage.animation_data_create().drivers.from_existing(src_driver=curve)
        for frame in frames:
            stage.frame_set(frame)
            values = {path: _within(scene, path, curve.evaluate(frame)) for path, curve in moved.items()}
            evaluated: Any = stage.evaluated_get(stage.view_layers[0].depsgraph)
            for path in driven:
                values[path] = float(evaluated.path_resolve(PREFIX + path))
            for curve in stage.animation_data.drivers:
                if not curve.driver.is_valid:
                    told = curve.data_path.removeprefix(PREFIX)
                    raise InputError(f"The driver of the setting '{told}' fails: mend it in the Drivers editor.")
            yield frame, values
            if name not in bpy.data.scenes:  # an undo between two steps took our scene away
                raise InputError("The scene was undone while StyleTX read its drivers: start again.")
    finally:
        if name in bpy.data.scenes:
            bpy.data.scenes.remove(bpy.data.scenes[name])


def take_out(scene: bpy.types.Scene, index: int) -> None:
    """Let the animation of the weights go with their styles when one is taken out."""
    animation = scene.animation_data
    if animation is None:
        return
    for curve in [*compat.action_curves(animation), *animation.drivers]:
        match = re.fullmatch(r"styletx\.styles\[(\d+)\]\.weight", curve.data_path)
        if match is None or int(match[1]) < index:
            continue
        if int(match[1]) > index:
            curve.data_path = f"{PREFIX}styles[{int(match[1]) - 1}].weight"
        elif curve.driver is not None:
            animation.drivers.remove(curve)
        else:
            compat.curve_owner(animation, curve).remove(curve)


def described(curve: Any) -> list[Any]:
    """What an F-curve or a driver is told by."""
    driver = curve.driver
    if driver is not None:
        seen = [
            (target.id and target.id.name_full, target.data_path, target.transform_type)
            for variable in driver.variables
            for target in variable.targets
        ]
        return [curve.data_path, curve.array_index, driver.type, driver.expression, seen]
    points = [
        (*point.co, *point.handle_left, *point.handle_right, point.interpolation, point.easing)
        for point in curve.keyframe_points
    ]
    return [curve.data_path, curve.array_index, curve.extrapolation, curve.mute, len(curve.modifiers), points]


def _there(scene: bpy.types.Scene, found: dict[str, Any]) -> dict[str, Any]:
    """Without what leads nowhere: the weight of a style that was taken out, say."""
    count = len(state_of(scene).styles)
    return {path: curve for path, curve in found.items() if path in NAMES or int(re.findall(r"\d+", path)[0]) < count}


def _within(scene: bpy.types.Scene, path: str, value: float) -> float:
    """A value in the limits of its property: F-curves overshoot."""
    head, _, name = path.rpartition(".")
    state: Any = state_of(scene)
    owner = state.path_resolve(head) if head else state
    prop = owner.bl_rna.properties[name]
    return float(min(max(value, prop.hard_min), prop.hard_max))

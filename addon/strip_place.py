# SPDX-License-Identifier: GPL-3.0-or-later
"""Adds the painted strips to the sequencer, with the looks of their originals, and hides those."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import bpy

from styletx_core import events
from styletx_core.errors import InputError, WorkError

from . import compat
from .properties import state_of
from .strip_frames import CROP, NEUTRAL, TRANSFORM, curves_of, inputs
from .strips import DISPLAY_SPACE, LINEAR_SPACE, SUFFIX, Target, free_channel, leaves, owner_of

HIDDEN = "styletx_hidden"
"""Custom property of a strip that is made transparent: what its opacity and blending were."""
COLOR_TAG = "COLOR_06"
"""Of painted strips whose original has none."""


def place(scene: bpy.types.Scene, painted: list[tuple[Target, events.Finished]]) -> None:
    """Add the painted strips above their originals and hide those.

    Raises InputError, with nothing changed, where a strip is gone or was trimmed in the meantime.
    """
    editor = scene.sequence_editor
    for target, _ in painted:
        strip = compat.all_strips(editor).get(target.name) if editor else None
        if strip is None:
            raise InputError(f"The strip '{target.name}' is gone or was renamed while StyleTX painted it: start again.")
        if compat.strip_range(strip) != (target.first, target.end):
            raise InputError(f"The strip '{target.name}' was moved or trimmed while StyleTX painted it: start again.")
        free_channel(owner_of(editor, strip), strip)
    added: list[str] = []
    try:
        for target, done in painted:
            strip = compat.all_strips(editor)[target.name]
            new = _add(scene, owner_of(editor, strip), strip, target, done)
            added.append(new.name)
            with compat.within_sequencer(scene):
                _copy_looks(scene, strip, new)
    except Exception:
        for name in added:
            new = compat.all_strips(editor)[name]
            compat.strips(owner_of(editor, new)).remove(new)
        raise
    for target, _ in painted:
        _hide(scene, compat.all_strips(editor)[target.name])


def _add(scene: bpy.types.Scene, owner: Any, strip: Any, target: Target, done: events.Finished) -> Any:
    """The strip of painted frames, with no looks yet."""
    digits = done.pattern.count("#")
    numbers = range(done.first, done.last + 1)
    names = [done.pattern.replace("#" * digits, f"{n:0{digits}d}") if digits else done.pattern for n in numbers]
    folder = str(Path(done.directory))
    if state_of(scene).output.startswith("//") and bpy.data.filepath:
        folder = bpy.path.relpath(folder)
    new = compat.strips(owner).new_image(
        name=_name(strip.name),
        filepath=f"{folder}/{names[0]}",
        channel=free_channel(owner, strip),
        frame_start=target.first,
        fit_method="ORIGINAL",
    )
    for name in names[1:]:
        new.elements.append(name)
    if target.still:
        compat.set_strip_length(new, target.end - target.first)
    if compat.strip_range(new) != (target.first, target.end):
        compat.strips(owner).remove(new)
        raise WorkError(f"Blender gave the painted strip of '{target.name}' another length: report this, please.")
    new.colorspace_settings.name = LINEAR_SPACE if target.linear else DISPLAY_SPACE
    new.alpha_mode = "PREMUL" if target.linear else "STRAIGHT"
    new.select = False  # pressing the button again paints the originals, not the paint
    new.color_tag = COLOR_TAG if strip.color_tag == "NONE" else strip.color_tag
    return new


def _name(name: str) -> str:
    """With the suffix, in the 63 bytes that Blender keeps of a name."""
    return name.encode()[: 63 - len(SUFFIX)].decode(errors="ignore") + SUFFIX


def _hide(scene: bpy.types.Scene, strip: Any) -> None:
    """Mute a strip, and those that a Speed effect is made from; one with sound in it is made transparent instead."""
    for name in inputs(strip):
        _hide(scene, compat.all_strips(scene.sequence_editor)[name])
    if not _sounds(strip):
        strip.mute = True
        return
    # no mute: the sound would go as well. Blender does not even render what is wholly transparent.
    for curve in curves_of(strip.name, compat.action_curves(scene.animation_data)):
        if curve.data_path.endswith('"].blend_alpha'):
            curve.mute = True
    if strip.blend_alpha > 0:
        strip[HIDDEN] = {"type": strip.blend_type, "alpha": strip.blend_alpha}
    strip.blend_type, strip.blend_alpha = "ALPHA_OVER", 0.0


def _sounds(strip: Any) -> bool:
    """True where muting a strip would mute sound."""
    for leaf in leaves(strip) if strip.type == "META" else [strip]:
        if leaf.type == "SOUND":
            return True
        if leaf.type == "SCENE" and leaf.scene is not None:
            editor = leaf.scene.sequence_editor
            if editor is not None and any(other.type == "SOUND" for other in compat.all_strips(editor)):
                return True
            if any(thing.type == "SPEAKER" for thing in leaf.scene.objects):
                return True
    return False


# Looks


def _copy_looks(scene: bpy.types.Scene, strip: Any, new: Any) -> None:
    """Give a strip transform, crop, color, opacity, blending and modifiers of another, and their animation."""
    for name in (*NEUTRAL, "use_linear_modifiers", "use_default_fade", "effect_fader"):
        if name != "mute" and hasattr(strip, name):
            _set(new, name, getattr(strip, name))
    hidden = strip.get(HIDDEN) if strip.blend_alpha == 0 else None
    if hidden is not None:  # painted before
        new.blend_type, new.blend_alpha = hidden["type"], hidden["alpha"]
    for name in (*TRANSFORM, "origin", "filter"):
        _set(new.transform, name, getattr(strip.transform, name))
    for name in CROP:
        _set(new.crop, name, getattr(strip.crop, name))
    for modifier in strip.modifiers:
        made = new.modifiers.new(modifier.name, modifier.type)
        if made is not None:
            _copy_values(modifier, made)
    _copy_animation(scene, strip.name, new, hidden is not None)


def _set(owner: Any, name: str, value: Any) -> None:
    with contextlib.suppress(AttributeError, TypeError):  # an image strip has it not, or not with this value
        setattr(owner, name, value)


def _copy_values(source: Any, target: Any) -> None:
    """Copy every setting of a modifier, curves too."""
    for prop in source.bl_rna.properties:
        name = prop.identifier
        if name in ("rna_type", "name", "type", "is_active"):
            continue
        value = getattr(source, name)
        if isinstance(value, bpy.types.CurveMapping):
            _copy_curves(value, getattr(target, name))
        elif prop.type == "POINTER" and prop.is_readonly and value is not None:
            _copy_values(value, getattr(target, name))
        elif prop.type != "COLLECTION" and not prop.is_readonly:
            _set(target, name, value)


def _copy_curves(source: Any, target: Any) -> None:
    for name in ("black_level", "white_level", "clip_min_x", "clip_min_y", "clip_max_x", "clip_max_y", "use_clip",
                 "extend", "tone"):  # fmt: skip
        _set(target, name, getattr(source, name))
    for curve, made in zip(source.curves, target.curves, strict=True):
        while len(made.points) < len(curve.points):
            made.points.new(0.5, 0.5)
        while len(made.points) > len(curve.points):
            made.points.remove(made.points[1])
        for point, copy in zip(curve.points, made.points, strict=True):
            copy.location, copy.handle_type = point.location, point.handle_type
    target.update()


def _copy_animation(scene: bpy.types.Scene, name: str, new: Any, hidden: bool) -> None:
    """Animate a strip's looks as those of the strip called `name` are. hidden: it was made transparent by _hide."""
    animation = scene.animation_data
    if animation is None:
        return
    old, now = (f'_all["{bpy.utils.escape_identifier(called)}"].' for called in (name, new.name))
    for curve in curves_of(name, compat.action_curves(animation)):
        path = curve.data_path.replace(old, now, 1)
        if not _has(scene, path):
            continue
        made = compat.curve_owner(animation, curve).new(path, index=curve.array_index)
        made.keyframe_points.add(len(curve.keyframe_points))
        for key, copy in zip(curve.keyframe_points, made.keyframe_points, strict=True):
            for part in ("co", "handle_left_type", "handle_right_type", "handle_left", "handle_right", "interpolation",
                         "easing", "amplitude", "back", "period"):  # fmt: skip
                setattr(copy, part, getattr(key, part))
        made.extrapolation = curve.extrapolation
        made.mute = curve.mute and not (hidden and path.endswith('"].blend_alpha'))
        for modifier in curve.modifiers:
            _copy_values(modifier, made.modifiers.new(modifier.type))
        made.update()
    for driver in curves_of(name, animation.drivers):
        path = driver.data_path.replace(old, now, 1)
        if _has(scene, path):
            animation.drivers.from_existing(src_driver=driver).data_path = path


def _has(scene: bpy.types.Scene, path: str) -> bool:
    """True where the scene has what an F-curve leads to, and it is one of the looks."""
    part = path.rpartition('"].')[2]
    looks = part in NEUTRAL or part.startswith(("transform.", "crop.")) or '.modifiers["' in path
    try:
        scene.path_resolve(path)
    except ValueError:
        return False
    return looks and part != "mute"

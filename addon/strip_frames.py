# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what a strip shows, frame by frame, to files: rendered from a temporary scene that holds only that strip.

Blender itself reads the strip there, so trims, offsets, speed, retiming, color space and the movie's timing are what
the editor sees. Transform, crop, color and modifiers are left off: they stay on the painted strip.
"""

from __future__ import annotations

import filecmp
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import bpy

from styletx_core.errors import WorkError

from . import compat
from .rendering import sentence
from .shots import TEMPORARY

STEM = "frame_"
CHUNK = 16
"""Frames in one call of Blender's renderer: in between work can be cancelled, and a movie is opened anew."""

NEUTRAL: dict[str, Any] = {
    "mute": False,
    "blend_type": "REPLACE",
    "blend_alpha": 1.0,
    "use_flip_x": False,
    "use_flip_y": False,
    "color_multiply": 1.0,
    "color_saturation": 1.0,
    "multiply_alpha": False,
}
"""Looks of a strip that are left to the painted one, and their values without effect."""
TRANSFORM: dict[str, Any] = {"offset_x": 0.0, "offset_y": 0.0, "scale_x": 1.0, "scale_y": 1.0, "rotation": 0.0}
CROP = {"min_x": 0, "max_x": 0, "min_y": 0, "max_y": 0}


def path_of(folder: Path, frame: int, linear: bool) -> Path:
    """The file of a frame."""
    return folder / f"{STEM}{frame:04d}.{'exr' if linear else 'png'}"


def write_frames(
    scene: str, strip: str, first: int, end: int, size: list[int], linear: bool, deep: bool, folder: str
) -> Iterator[int]:
    """Write the frames `first` to `end` - 1 of a strip to `folder`; yields each frame when it is there.

    scene, strip: names. size: width and height in pixels. linear: scene-linear OpenEXR half, premultiplied; else PNG
    as the plain sRGB view shows it, straight, 16 bit where `deep`. A file that holds the same already is left alone, so
    that painting goes on where it stopped. Raises WorkError when a frame could not be written.
    """
    kept = Path(folder)
    new = kept / "new"
    new.mkdir(parents=True, exist_ok=True)
    stage = _stage(bpy.data.scenes[scene], strip, size, linear, deep).name
    clock = bpy.data.scenes.new(TEMPORARY)  # see rendering._clock
    clock[TEMPORARY] = 1
    held = clock.name
    before = {image.name for image in bpy.data.images}
    try:
        for begin in range(first, end, CHUNK):
            frames = range(begin, min(begin + CHUNK, end))
            made = bpy.data.scenes[stage]
            made.frame_start, made.frame_end, made.frame_step = frames[0], frames[-1], 1
            made.render.filepath = compat.literal_path(str(new / (STEM + "####")))
            try:
                with bpy.context.temp_override(scene=bpy.data.scenes[held]):
                    bpy.ops.render.render(animation=True, scene=stage)
            except RuntimeError as error:
                raise WorkError(f"The strip '{strip}' could not be read: {sentence(error)}") from None
            for frame in frames:
                _keep(path_of(new, frame, linear), path_of(kept, frame, linear), strip, frame)
                yield frame
    finally:
        _remove(stage, held)
        for image in list(bpy.data.images):
            if image.name not in before and image.type in {"RENDER_RESULT", "COMPOSITING"}:
                bpy.data.images.remove(image)  # only ever here in the background, where no editor shows it
        for path in new.iterdir():
            path.unlink()
        new.rmdir()


def _keep(new: Path, kept: Path, strip: str, frame: int) -> None:
    if not new.is_file():
        raise WorkError(f"Frame {frame} of the strip '{strip}' gave no picture: see whether the sequencer shows it.")
    try:
        if not kept.is_file() or not filecmp.cmp(new, kept, shallow=False):
            os.replace(new, kept)
    except OSError as error:
        raise WorkError(f"'{kept}' cannot be written: {(error.strerror or str(error)).lower()}.") from None


def _stage(scene: bpy.types.Scene, name: str, size: list[int], linear: bool, deep: bool) -> bpy.types.Scene:
    """A copy of the scene that shows the strip alone, without its looks, in a picture of that size."""
    copy = scene.copy()
    copy.name = TEMPORARY
    copy[TEMPORARY] = 1
    action = compat.own_action(copy.animation_data)  # removing strips removes their F-curves: not the user's
    if action is not None:
        action.name = TEMPORARY
    for child in list(copy.collection.children):  # nothing but the sequencer is to be evaluated
        copy.collection.children.unlink(child)
    for thing in list(copy.collection.objects):
        copy.collection.objects.unlink(thing)

    editor = copy.sequence_editor
    _leave_only(editor, name)
    for strip in _chain(editor, name):
        _neutral(copy, strip)

    render = copy.render  # its view is plain already where the files are display-referred
    render.resolution_x, render.resolution_y, render.resolution_percentage = *size, 100
    render.use_sequencer, render.use_compositing = True, False
    render.use_file_extension, render.use_overwrite, render.use_placeholder = True, True, False
    render.use_border = render.use_multiview = render.use_motion_blur = False
    render.use_lock_interface = False
    render.dither_intensity = 0.0
    for prop in render.bl_rna.properties:
        if prop.identifier.startswith("use_stamp"):  # dates in the files would make them differ every time
            setattr(render, prop.identifier, False)
    compat.picture_files(render.image_settings, linear, deep)
    return copy


def _chain(owner: Any, name: str) -> list[Any]:
    """The strip of that name after the meta strips that it is in; empty where there is none."""
    for strip in compat.strips(owner):
        if strip.name == name:
            return [strip]
        if strip.type == "META" and (inside := _chain(strip, name)):
            return [strip, *inside]
    return []


def _leave_only(editor: bpy.types.SequenceEditor, name: str) -> None:
    """Remove all strips but that one, what it is an effect of, and the meta strips that it is in."""
    owner: Any = editor
    for strip in _chain(editor, name):
        needed = {strip.name, *inputs(strip)}
        for below in [compat.strips(owner)[name] for name in needed - {strip.name}]:
            masks = [modifier.input_mask_strip for modifier in below.modifiers]
            needed |= {name for mask in masks if mask is not None for name in (mask.name, *inputs(mask))}
        for other in [other.name for other in compat.strips(owner) if other.name not in needed]:
            gone = compat.strips(owner).get(other)  # an effect goes with its input: None, then
            if gone is not None:
                compat.strips(owner).remove(gone)
        for other in compat.strips(owner):
            other.mute = other.name != strip.name  # an effect takes its input all the same
        for channel in owner.channels:
            channel.mute = False
        owner = strip


def inputs(strip: Any) -> set[str]:
    """Names of the strips that an effect is made from, however far down."""
    found: set[str] = set()
    for number in range(1, getattr(strip, "input_count", 0) + 1):
        below = getattr(strip, f"input_{number}", None)
        if below is not None:
            found |= {below.name, *inputs(below)}
    return found


def _neutral(scene: bpy.types.Scene, strip: Any) -> None:
    """Take the looks off a strip, and their animation."""
    with compat.within_sequencer(scene):
        strip.modifiers.clear()
    looks = set(NEUTRAL) | {f"transform.{key}" for key in TRANSFORM} | {f"crop.{key}" for key in CROP}
    animation = scene.animation_data
    if animation is not None:
        for curve in compat.action_curves(animation):
            if curves_of(strip.name, [curve]) and curve.data_path.rpartition('"].')[2] in looks:
                compat.curve_owner(animation, curve).remove(curve)
        for driver in curves_of(strip.name, animation.drivers):
            if driver.data_path.rpartition('"].')[2] in looks:
                animation.drivers.remove(driver)
    for owner, values in ((strip, NEUTRAL), (strip.transform, TRANSFORM), (strip.crop, CROP)):
        for key, value in values.items():
            if hasattr(owner, key):
                setattr(owner, key, value)


def curves_of(name: str, curves: Iterable[Any]) -> list[Any]:
    """Of F-curves or drivers of a scene, those that animate the strip of that name."""
    part = f'_all["{bpy.utils.escape_identifier(name)}"].'
    return [curve for curve in curves if curve.data_path.startswith("sequence_editor.") and part in curve.data_path]


def _remove(stage: str, clock: str) -> None:
    scene = bpy.data.scenes[stage]
    action = scene.animation_data.action if scene.animation_data else None
    bpy.data.scenes.remove(scene)
    bpy.data.scenes.remove(bpy.data.scenes[clock])
    if action is not None:  # a copy of our own (_stage): who counts its users counts wrong in 4.2
        bpy.data.actions.remove(action)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Saves picture data-blocks to files, scene-linear or as they are seen."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

from styletx_core.errors import InputError
from styletx_core.files import atomic_path

from . import compat
from .shots import TEMPORARY

LINEAR, SEEN = "LINEAR", "SEEN"


def through_view(image: bpy.types.Image) -> bool:
    """True for a picture that the image editor shows through the scene's view."""
    return bool(image.use_view_as_render) or image.type in {"RENDER_RESULT", "COMPOSITING"}


def frame_file(image: bpy.types.Image, user: Any) -> str:
    """The file of an image sequence that an editor with this `image_user` shows; "" for any other picture."""
    return str(image.filepath_from_user(image_user=user)) if image.source == "SEQUENCE" else ""


def save(image: bpy.types.Image, scene: bpy.types.Scene, path: Path, kind: str, file: str = "") -> None:
    """Save a picture, whole or not at all. Raises InputError where it has no pixels, or the file cannot be written.

    kind: LINEAR for scene-linear OpenEXR half; SEEN for PNG as the image editor shows it in that scene. file: the one
    to take of an image sequence.
    """
    if image.source == "MOVIE":
        raise InputError(
            f"The picture '{image.name}' is a movie: save a frame of it as a picture, or paint it as a strip of the "
            "sequencer."
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _still(image, file) as still:
            deep = still.is_float or through_view(still)
            with _settings(still, scene, kind, deep) as chosen, atomic_path(path) as temporary:
                still.save_render(str(temporary), scene=chosen)
    except RuntimeError:
        raise InputError(f"The picture '{image.name}' has no pixels: open another one, or render first.") from None
    except OSError as error:
        raise InputError(f"'{path}' cannot be written: {(error.strerror or str(error)).lower()}.") from None


@contextlib.contextmanager
def _still(image: bpy.types.Image, file: str) -> Iterator[bpy.types.Image]:
    """The picture itself, or one of our own with the file of a sequence: Blender saves but the first of its frames."""
    if not file:
        yield image
        return
    if not Path(file).is_file():
        raise InputError(f"The picture '{image.name}' has no file '{file}': go to a frame that the editor shows.")
    made: Any = bpy.data.images.load(file, check_existing=False)
    try:
        made.colorspace_settings.name = image.colorspace_settings.name
        made.alpha_mode, made.use_view_as_render = image.alpha_mode, image.use_view_as_render
        yield made
    finally:
        bpy.data.images.remove(made)


@contextlib.contextmanager
def _settings(image: bpy.types.Image, scene: bpy.types.Scene, kind: str, deep: bool) -> Iterator[bpy.types.Scene]:
    """A scene with the settings of the file. A render's result is found by its own scene alone, which lends them."""
    if image.type == "RENDER_RESULT":
        with _borrowed(scene):
            compat.picture_files(scene.render.image_settings, kind == LINEAR, deep)
            yield scene
        return
    stage = bpy.data.scenes.new(TEMPORARY)
    stage[TEMPORARY] = 1
    view: Any = stage.view_settings
    view.view_transform, view.look = "Standard", "None"
    if through_view(image):
        stage.display_settings.display_device = scene.display_settings.display_device
        for name in ("view_transform", "look", "exposure", "gamma"):
            setattr(view, name, getattr(scene.view_settings, name))
    stage.render.dither_intensity = 0.0
    compat.picture_files(stage.render.image_settings, kind == LINEAR, deep)
    try:
        yield stage
    finally:
        bpy.data.scenes.remove(stage)


@contextlib.contextmanager
def _borrowed(scene: bpy.types.Scene) -> Iterator[None]:
    """Give the output settings of a scene back as they were."""
    settings, dither = scene.render.image_settings, scene.render.dither_intensity
    # what decides which values others may have comes first
    first = [name for name in ("media_type", "file_format", "color_mode", "color_depth") if hasattr(settings, name)]
    rest = [
        prop.identifier
        for prop in settings.bl_rna.properties
        if not prop.is_readonly and prop.type not in ("POINTER", "COLLECTION") and prop.identifier not in first
    ]
    kept: list[tuple[str, Any]] = [(name, getattr(settings, name)) for name in (*first, *rest)]
    scene.render.dither_intensity = 0.0
    try:
        yield
    finally:
        scene.render.dither_intensity = dither
        for name, value in kept:
            with contextlib.suppress(TypeError):  # a value that this format has not: nor had it before
                setattr(settings, name, value)

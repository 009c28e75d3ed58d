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


def save(image: bpy.types.Image, scene: bpy.types.Scene, path: Path, kind: str) -> None:
    """Save a picture, whole or not at all. Raises InputError where it has no pixels, or the file cannot be written.

    kind: LINEAR for scene-linear OpenEXR half; SEEN for PNG as the image editor shows it in that scene.
    """
    deep = image.is_float or through_view(image)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _settings(image, scene, kind, deep) as chosen, atomic_path(path) as temporary:
            image.save_render(str(temporary), scene=chosen)
    except RuntimeError:
        raise InputError(f"The picture '{image.name}' has no pixels: open another one, or render first.") from None
    except OSError as error:
        raise InputError(f"'{path}' cannot be written: {(error.strerror or str(error)).lower()}.") from None


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

# SPDX-License-Identifier: GPL-3.0-or-later
"""`shot.json`: what the engine needs to know of the scene beside the frames, above all how the camera moves.

The Vector pass knows nothing of the world behind the objects; its motion follows from the camera's matrices.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import bpy

from styletx_core.errors import InputError
from styletx_core.files import atomic_path

TEMPORARY = "StyleTX temporary"
"""Name, and mark, of the scenes that live while StyleTX works."""

CAMERA_TYPES = ("PERSP", "ORTHO")
"""Cameras whose pixels have a projection matrix; every other is written as panoramic."""


def is_temporary(data: Any) -> bool:
    """True for a data-block that lives while StyleTX works."""
    return bool(data.get(TEMPORARY))


def resolution(scene: bpy.types.Scene) -> tuple[int, int]:
    """Width and height of the scene's renders, in pixels."""
    render = scene.render
    return (render.resolution_x * render.resolution_percentage // 100,
            render.resolution_y * render.resolution_percentage // 100)


def frames_of(scene: bpy.types.Scene) -> list[int]:
    """The frames a render of the animation makes."""
    return list(range(scene.frame_start, scene.frame_end + 1, scene.frame_step))


def camera_at(scene: bpy.types.Scene, frame: int) -> bpy.types.Object | None:
    """The camera that renders a frame: that of the last marker bound to one, else the scene's."""
    bound = [m for m in scene.timeline_markers if m.camera is not None and not m.camera.hide_render]
    passed = [marker for marker in bound if marker.frame <= frame]
    if passed:
        return max(passed, key=lambda marker: marker.frame).camera
    return min(bound, key=lambda marker: marker.frame).camera if bound else scene.camera


def poses(scene: bpy.types.Scene, frames: Iterable[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(frame, pose) of the frames that have a camera, one after the other. Nothing of the scene is touched.

    The cameras alone are linked into a scene of our own and evaluated there, with whatever they are parented or
    constrained to; that is quick where evaluating the whole scene is not.
    """
    wanted = list(frames)
    stage = bpy.data.scenes.new(TEMPORARY)
    stage[TEMPORARY] = 1
    name = stage.name
    try:
        width, height = resolution(scene)
        stage.render.frame_map_old, stage.render.frame_map_new = scene.render.frame_map_old, scene.render.frame_map_new
        for camera in {camera for frame in wanted if (camera := camera_at(scene, frame)) is not None}:
            stage.collection.objects.link(camera)
        for frame in wanted:
            camera = camera_at(scene, frame)
            if camera is None or camera.type != "CAMERA":
                continue
            stage.camera = camera
            stage.frame_set(frame)
            graph = stage.view_layers[0].depsgraph
            evaluated: Any = camera.evaluated_get(graph)
            projection: Any = evaluated.calc_matrix_camera(
                graph, x=width, y=height, scale_x=scene.render.pixel_aspect_x, scale_y=scene.render.pixel_aspect_y
            )
            kind = evaluated.data.type
            yield frame, {
                "camera": camera.name_full,
                "type": kind if kind in CAMERA_TYPES else "PANO",
                "world": [value for row in evaluated.matrix_world for value in row],
                "projection": [value for row in projection for value in row],
            }
            if name not in bpy.data.scenes:  # an undo between two steps took our scene away
                raise InputError("The scene was undone while StyleTX read its camera: start again.")
    finally:
        if name in bpy.data.scenes:
            bpy.data.scenes.remove(bpy.data.scenes[name])


def view_settings(scene: bpy.types.Scene) -> dict[str, Any]:
    """How the scene shows scene-linear color."""
    view = scene.view_settings
    return {
        "display": scene.display_settings.display_device,
        "view": view.view_transform,
        "look": view.look,
        "exposure": view.exposure,
        "gamma": view.gamma,
    }


def write(path: Path, scene: bpy.types.Scene, found: dict[int, dict[str, Any]]) -> None:
    """Write shot.json; a file that says the same already keeps its time of change."""
    render = scene.render
    text = json.dumps(
        {
            "version": 1,
            "resolution": list(resolution(scene)),
            "frame_step": scene.frame_step,
            "time_remap": [render.frame_map_old, render.frame_map_new],
            "fps": render.fps / render.fps_base,
            "motion_blur": False,
            "border": False,
            "frames": {str(frame): pose for frame, pose in sorted(found.items())},
            "view": view_settings(scene),
        }
    )
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")

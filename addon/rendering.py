# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders a shot with the passes that stylizing needs, from a temporary copy of the scene.

The user's scene is never changed: not its passes, output, frame or compositor. The copy lives while one frame is
rendered and no longer, so that saving, undoing or closing the file in between meets nothing of ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import bpy
from bpy.app.handlers import persistent

from styletx_core.errors import InputError, WorkError
from styletx_core.files import atomic_path

from . import compat
from .shots import TEMPORARY, camera_at, resolution

RECORD = "rendered.json"
STEM = "frame_"


class Stopped(Exception):
    """The user stopped the render itself (Esc)."""


def check(scene: bpy.types.Scene, frames: list[int]) -> list[str]:
    """Look for settings that stylizing cannot work with.

    Returns notices on those that are switched off for our render; raises InputError for those that cannot be.
    """
    render, notices = scene.render, []
    for frame in frames:
        camera = camera_at(scene, frame)
        if camera is None or camera.type != "CAMERA":
            raise InputError(f"Scene '{scene.name}' has no camera at frame {frame}: choose one in its properties.")
    if render.use_multiview:
        raise InputError("Stereoscopy is on: StyleTX paints one eye only, so switch it off in the output properties.")
    if render.use_border and render.use_crop_to_border:
        raise InputError("The render region is cropped: switch off 'Crop to Render Region' in the output properties.")
    if not compat.working_space_is_rec709():
        raise InputError("The file's working color space is not Linear Rec.709: set it back in the scene properties.")
    if min(resolution(scene)) < 16:
        raise InputError(f"The render is {'x'.join(map(str, resolution(scene)))} pixels: StyleTX needs 16x16 or more.")
    if render.use_motion_blur:
        notices.append("Motion blur is off in the painted frames: motion can only be followed in sharp ones.")
    if render.use_border:
        notices.append("The render region is ignored: whole frames are painted.")
    return notices


class FrameStore:
    """The directory of rendered frames, and the record of what scene they were rendered from."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._record = directory / RECORD

    def path(self, frame: int) -> Path:
        """The file of a frame."""
        return self.directory / f"{STEM}{frame:04d}.exr"

    def claim(self, fingerprint: str, keep: bool) -> set[int]:
        """Start rendering a scene with this fingerprint; returns the frames that are there and still right.

        Frames of another state of the scene are deleted, and so are all where `keep` is False.
        """
        record = self._read()
        frames = {int(frame) for frame in record.get("frames", ())}
        if keep and record.get("fingerprint") == fingerprint:
            return {frame for frame in frames if self.path(frame).is_file()}
        for frame in frames:
            self.path(frame).unlink(missing_ok=True)
        self._write(fingerprint, set())
        return set()

    def add(self, frame: int) -> None:
        """Record a frame as rendered."""
        record = self._read()
        self._write(record.get("fingerprint", ""), {*map(int, record.get("frames", ())), frame})

    def drop(self, frames: Iterable[int]) -> None:
        """Delete frames."""
        record = self._read()
        for frame in frames:
            self.path(frame).unlink(missing_ok=True)
        self._write(record.get("fingerprint", ""), set(map(int, record.get("frames", ()))) - set(frames))

    def _read(self) -> dict[str, Any]:
        try:
            record = json.loads(self._record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return record if isinstance(record, dict) else {}

    def _write(self, fingerprint: str, frames: set[int]) -> None:
        with atomic_path(self._record) as temporary:
            temporary.write_text(json.dumps({"fingerprint": fingerprint, "frames": sorted(frames)}), "utf-8")


def render_frame(scene: bpy.types.Scene, layer: str, frame: int, path: Path, windowed: bool) -> Iterator[None]:
    """Render one frame with all passes to `path`; in a window it yields while Blender renders beside the interface.

    Closing the generator ends the render. Raises WorkError when no file came of it, Stopped when the user pressed Esc.
    """
    before = {image.name for image in bpy.data.images}
    name = _copy(scene, layer, frame, path).name
    clock = _clock(frame).name
    stopped: list[bool] = []

    def on_cancel(*_: object) -> None:
        stopped.append(True)

    path.unlink(missing_ok=True)
    bpy.app.handlers.render_cancel.append(on_cancel)
    try:
        if windowed:
            yield from _in_window(name, clock)
        else:
            try:
                with bpy.context.temp_override(scene=bpy.data.scenes[clock]):
                    bpy.ops.render.render(write_still=True, scene=name)
            except RuntimeError as error:
                raise WorkError(f"Frame {frame} could not be rendered: {_sentence(error)}") from None
    finally:
        if on_cancel in bpy.app.handlers.render_cancel:
            bpy.app.handlers.render_cancel.remove(on_cancel)
        _remove(name)
        _remove(clock)
        for image in list(bpy.data.images):
            # the first render of a session makes these
            if image.name not in before and image.type in {"RENDER_RESULT", "COMPOSITING"}:
                bpy.data.images.remove(image)
    if stopped:
        path.unlink(missing_ok=True)
        raise Stopped
    if not path.is_file():
        raise WorkError(f"Frame {frame} was rendered without a file: render it with F12 to see what is wrong.")


def remove_leftovers() -> None:
    """Remove copies that a crash, or saving while rendering, left in the file."""
    for scene in list(bpy.data.scenes):
        if scene.get(TEMPORARY) and len(bpy.data.scenes) > 1:
            bpy.data.scenes.remove(scene)


def _copy(scene: bpy.types.Scene, layer: str, frame: int, path: Path) -> bpy.types.Scene:
    """A copy of the scene that renders one frame as it is, with the passes, to a multilayer EXR."""
    copy = scene.copy()
    copy.name = TEMPORARY
    copy[TEMPORARY] = 1
    render = copy.render
    compat.without_compositor(copy)
    compat.multilayer_exr(render.image_settings)
    render.filepath = compat.literal_path(str(path))
    render.use_file_extension = True
    render.use_motion_blur = False
    render.use_border = False
    render.use_stamp = False
    render.use_single_layer = False
    render.use_persistent_data = False  # would keep the copy's data in memory after the copy is gone
    for view_layer in copy.view_layers:
        view_layer.use = view_layer.name == layer
        if view_layer.use:
            view_layer.use_pass_combined = True
            view_layer.use_pass_vector = True
            view_layer.use_pass_z = True
            view_layer.use_pass_object_index = True
            view_layer.use_pass_cryptomatte_object = True
            view_layer.pass_cryptomatte_depth = 2
    copy.camera = camera_at(scene, frame)
    return copy


def _clock(frame: int) -> bpy.types.Scene:
    """An empty scene that stands at a frame.

    The render operator renders the scene it is told to at the frame of the scene it is called in, and evaluates the
    latter at its end. Called in the user's scene it would render the wrong frame; called in the copy it would leave
    the animated objects, which the two share, at that frame. So it is called in here, where nothing is.
    """
    scene = bpy.data.scenes.new(TEMPORARY)
    scene[TEMPORARY] = 1
    scene.frame_current = frame
    return scene


def _in_window(name: str, clock: str) -> Iterator[None]:
    """Start Blender's own render job and wait for its end; closing the generator stops the job."""
    preferences = bpy.context.preferences
    shown, dirty = preferences.view.render_display_type, preferences.is_dirty
    preferences.view.render_display_type = "NONE"
    try:
        with bpy.context.temp_override(scene=bpy.data.scenes[clock]):
            result = bpy.ops.render.render("INVOKE_DEFAULT", write_still=True, scene=name)
    except RuntimeError as error:
        raise WorkError(f"The scene could not be rendered: {_sentence(error)}") from None
    finally:
        preferences.view.render_display_type = shown
        preferences.is_dirty = dirty
    if "CANCELLED" in result:
        raise WorkError("Blender is rendering something else: wait for it, then start again.")
    while bpy.app.is_job_running("RENDER"):
        yield


def _remove(name: str) -> None:
    scene = bpy.data.scenes.get(name)
    if scene is None:
        return
    if bpy.app.is_job_running("RENDER"):
        # deleting the scene by its operator ends the jobs that work on it; removing the data alone does not
        with bpy.context.temp_override(scene=scene):
            bpy.ops.scene.delete()
        scene = bpy.data.scenes.get(name)
    if scene is not None:
        bpy.data.scenes.remove(scene)


def _sentence(error: Exception) -> str:
    text = " ".join(str(error).replace("Error:", "").split())
    return text if text.endswith(".") else text + "."


@persistent
def on_load(*_: object) -> None:
    remove_leftovers()


def register() -> None:
    bpy.app.handlers.load_post.append(on_load)


def unregister() -> None:
    if on_load in bpy.app.handlers.load_post:
        bpy.app.handlers.load_post.remove(on_load)

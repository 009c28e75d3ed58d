# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders a shot with the passes that stylizing needs, from a temporary copy of the scene.

The user's scene is never changed: not its passes, output, frame or compositor. The copy lives while one frame is
rendered and no longer.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import bpy
from bpy.app.handlers import persistent

from styletx_core.errors import InputError, WorkError
from styletx_core.exr_header import is_whole
from styletx_core.files import atomic_path

from . import compat
from .shots import TEMPORARY, camera_at, is_temporary, resolution

RECORD = "rendered.json"
STEM = "frame_"
RANKS = 6
"""Names that a pixel has in Cryptomatte at least, Blender's own default: with fewer, hair and glass lose coverage."""
NICE = 5
"""How far a Blender that renders beside the interface stands back, as the worker does."""


def check(scene: bpy.types.Scene, frames: list[int]) -> list[str]:
    """Look for settings that stylizing cannot work with.

    Returns notices on those that are switched off for our render; raises InputError for those that cannot be.
    """
    render, notices = scene.render, []
    for frame in frames:
        camera = camera_at(scene, frame)
        if camera is None or camera.type != "CAMERA":
            raise InputError(f"Scene '{scene.name}' has no camera at frame {frame}: choose one in its properties.")
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


def check_images() -> None:
    """Raise InputError for painted pixels that are in no file yet: the Blender that renders beside lacks them.

    Only where a render may show them: brushes, editors and the compositor do not count.
    """
    painted = {image for image in bpy.data.images if image.is_dirty and image.source in ("FILE", "GENERATED", "TILED")}
    data: Any = bpy.data  # the type stubs of 4.2 want all arguments of this
    found = data.user_map(subset=painted) if painted else {}
    for image, users in found.items():
        if any(user.id_type not in _UNSEEN and getattr(user, "type", "") != "COMPOSITING" for user in users):
            raise InputError(
                f"Save or pack the image '{image.name}' first: it is painted, and the Blender that renders beside the "
                "window reads the file, where its new pixels are not."
            )


_UNSEEN = {"SCENE", "SCREEN", "WORKSPACE", "WINDOWMANAGER", "BRUSH", "CAMERA"}
"""Types of data-blocks whose images no render of ours shows."""


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


def render_frame(scene: bpy.types.Scene, layer: str, frame: int, path: Path, side: int = 0) -> None:
    """Render one frame with all passes to `path`, here and now. Raises WorkError when no file came of it.

    side: the length of the picture's shorter side; 0 renders it as large as the scene says.
    """
    before = {image.name for image in bpy.data.images}
    name = _copy(scene, layer, frame, path, side).name
    clock = _clock(frame).name
    path.unlink(missing_ok=True)
    failed = ""
    try:
        with bpy.context.temp_override(scene=bpy.data.scenes[clock]):
            bpy.ops.render.render(write_still=True, scene=name)
    except RuntimeError as error:
        failed = sentence(error)
    finally:
        for made in (name, clock):
            bpy.data.scenes.remove(bpy.data.scenes[made])
        for image in list(bpy.data.images):
            # The first render makes these. In a window they stay: an editor or the viewer's job may be using them.
            if bpy.app.background and image.name not in before and image.type in {"RENDER_RESULT", "COMPOSITING"}:
                bpy.data.images.remove(image)
    if path.is_file() and not is_whole(path):  # which Blender reports, or not: it depends on where in the file it is
        path.unlink()
        raise WorkError(f"Frame {frame} was not written whole to '{path.parent}': make room on that disk.")
    if failed:
        raise WorkError(f"Frame {frame} could not be rendered: {failed}")
    if not path.is_file():
        raise WorkError(f"Frame {frame} was rendered without a file: render it with F12 to see what is wrong.")


def render_beside(
    scene: bpy.types.Scene, layer: str, frames: dict[int, Path], side: int = 0
) -> Generator[int, None, None]:
    """Render frames while the interface goes on: yields each frame when it is there, and -1 while there is none."""
    named = [[frame, str(path)] for frame, path in frames.items()]
    yield from beside(render_frames, [scene.name, layer, named, side], list(frames))


def render_frames(scene: str, layer: str, frames: list[tuple[int, str]], side: int = 0) -> Iterator[int]:
    """Render frames, each to its path, here and now; yields each frame when it is there."""
    for frame, path in frames:
        render_frame(bpy.data.scenes[scene], layer, frame, Path(path), side)
        yield frame


def beside(
    work: Callable[..., Iterator[int]], arguments: list[Any], left: list[int]
) -> Generator[int, None, None]:
    """Have `work(*arguments)`, which yields frames that are done, run beside the interface until none are left.

    Yields each frame when it is done, and -1 while there is none. The arguments go there as JSON.

    A second Blender without a window renders a copy of the file. Blender's own render job cannot be used: it frees the
    graphics context of every render whose scene no window shows, in the middle of it too, and dies of it (4.3, with
    EEVEE and Cycles alike); and EEVEE would render its frame to the end whatever is asked of it. Closing the generator
    ends the other Blender at once. Raises WorkError when a frame could not be rendered.
    """
    with tempfile.TemporaryDirectory(prefix="styletx-") as folder:
        file = os.path.join(folder, "shot.blend")
        try:
            bpy.ops.wm.save_as_mainfile(filepath=file, copy=True, check_existing=False)
        except RuntimeError as error:
            raise WorkError(f"A copy of the file could not be saved for rendering: {sentence(error)}") from None
        trust = "--disable-autoexec" if bpy.app.autoexec_fail else "--enable-autoexec"
        told = json.dumps([__package__, work.__module__, work.__name__, arguments])
        flags = getattr(subprocess, "CREATE_NO_WINDOW", 0) | getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0)
        process = subprocess.Popen(
            [bpy.app.binary_path, "--background", trust, file, "--python-expr", _BESIDE, "--", told],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder,
            text=True, encoding="utf-8", errors="replace", creationflags=flags,
        )
        if hasattr(os, "setpriority"):  # the interface comes first; threads take this from the one that starts them
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
        assert process.stdout is not None
        lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        reader = threading.Thread(target=_drain, args=(process.stdout, lines), daemon=True)
        reader.start()
        tail: deque[str] = deque(maxlen=5)
        left = list(left)
        try:
            while left:
                if lines.empty():
                    if process.poll() is not None and not reader.is_alive() and lines.empty():
                        said = " ".join(tail)[-300:]
                        raise WorkError(f"Blender ended while rendering frame {left[0]} ({said}): render it with F12.")
                    yield -1
                    continue
                word, _, rest = lines.get().strip().partition(" ")
                if word == _DONE:
                    left.remove(int(rest))
                    yield int(rest)
                elif word == _FAILED:
                    raise WorkError(rest)
                elif rest and word != "Fra:":
                    tail.append(f"{word} {rest}")
        finally:
            process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    stream.close()


def _drain(stream: IO[str], lines: queue.SimpleQueue[str]) -> None:
    for line in stream:
        lines.put(line)


_DONE, _FAILED = "STYLETX-DONE", "STYLETX-FAILED"
_BESIDE = f"""
import addon_utils, bpy, importlib, json, os, sys, threading

def watch():
    # ends with the Blender that started it, however that ends: the other end of this pipe closes then
    os.read(0, 1)
    os._exit(2)

threading.Thread(target=watch, daemon=True).start()
package, module, work, arguments = json.loads(sys.argv[sys.argv.index("--") + 1])
addon_utils.enable(package)
try:
    for frame in getattr(importlib.import_module(module), work)(*arguments):
        print("\\n{_DONE}", frame, flush=True)
except Exception as error:
    print("\\n{_FAILED}", " ".join(str(error).split()), flush=True)
    os._exit(1)
os._exit(0)
"""


def remove_leftovers() -> None:
    """Remove the scenes of ours that are there: after a cancelled render, or a file saved while rendering."""
    for scene in list(bpy.data.scenes):
        if is_temporary(scene) and len(bpy.data.scenes) > 1:
            bpy.data.scenes.remove(scene)


def _copy(scene: bpy.types.Scene, layer: str, frame: int, path: Path, side: int) -> bpy.types.Scene:
    """A copy of the scene that renders one frame as it is, with the passes, to a multilayer EXR."""
    copy = scene.copy()
    copy.name = TEMPORARY
    copy[TEMPORARY] = 1
    render = copy.render
    if side:
        size = resolution(scene)
        render.resolution_x, render.resolution_y = (max(16, round(side * length / min(size))) for length in size)
        render.resolution_percentage = 100
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
            # regions may be asked for later, and no frame is to be rendered again for that
            view_layer.use_pass_cryptomatte_object = True
            view_layer.use_pass_cryptomatte_material = True
            view_layer.pass_cryptomatte_depth = max(view_layer.pass_cryptomatte_depth, RANKS)
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


def sentence(error: Exception) -> str:
    """What an operator reported, with a full stop."""
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

# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures painted to be looked at: the current frame, quickly, and whatever an image editor shows.

The result is the picture data-block "StyleTX Preview": paint and original side by side, parted where the slider is.
Nothing else of the file changes.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from styletx_core import list_methods
from styletx_core.errors import InputError
from styletx_core.registry import method_info

from . import image_files, library, look, rendering, scene_job, shots, stale, texts, wiring
from .properties import state_of
from .run import Run, Steps
from .strips import LINEAR_SPACE, PLAIN_VIEW

NAME = "StyleTX Preview"
SIDE = 540
"""Shorter side of a quick preview: larger pictures are painted with the strokes of this size, so it looks alike."""


@dataclass(frozen=True)
class Pair:
    """A picture, and what was made of it: files of the same size."""

    before: Path
    after: Path
    linear: bool


_pixels: dict[Path, Any] = {}


class PreviewRun(Run):
    """Paint the current frame: small first, then as large as the render where that is wanted."""

    resumable = False

    @property
    def kind(self) -> str:
        return "preview"

    @property
    def label(self) -> str:
        return f"{self.scene_name}, preview"

    def _steps(self) -> Steps:
        scene, frame = self.scene, self.frame
        assert frame is not None
        stale.hear(scene)
        if frame < 0:
            raise InputError(f"Frame {frame} is below 0: only frames from 0 on can be painted.")
        scene_job.check_views(scene)
        self.notices += rendering.check(scene, [frame])
        if self.windowed:
            rendering.check_images()
        self.notices += scene_job.view_notices(scene)
        layer = wiring.source_layer(scene)
        look.check(scene, [frame], layer)
        folder = _folder(scene)
        yield from self._start_worker()
        sides = [SIDE] if min(shots.resolution(scene)) > SIDE else []
        if not sides or state_of(scene).preview_full:
            sides.append(0)
        for side in sides:
            path = folder / f"{'small' if side else 'full'}.exr"
            yield from self._render_once(layer, frame, path, side)
            painting = yield from look.prepare(self, [frame], folder / "masks", layer=layer)
            yield from self._paint_pair(path, painting, True, None)

    def _render_once(self, layer: str, frame: int, path: Path, side: int) -> Steps:
        self.phase, self.progress, self.eta = texts.label("Rendering frame {frame}", frame=frame), 0.0, None
        yield
        folder = path.parent
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputError(f"The folder '{folder}' cannot be made: {reason}; choose another output.") from None
        if self.windowed:
            yield from (None for _ in rendering.render_beside(self.scene, layer, {frame: path}, side))
        else:
            rendering.render_frame(self.scene, layer, frame, path, side)

    def _paint_pair(self, path: Path, painting: look.Look, linear: bool, view: dict[str, Any] | None) -> Steps:
        """Paint a picture file, and show it beside the original, both as the engine sees them."""
        folder, pair = path.parent, []
        for name in ("original", "painted"):
            job = scene_job.gather(self.scene, painting, path, None, None, "none", folder / name, view, "auto")
            if name == "original":  # by the engine too: Blender shows no multilayer files
                job["settings"]["strength"] = 0.0
                if method_info(job["settings"]["method"]).styles == "any":  # the quickest knows its styles too
                    job["settings"] |= {"method": list_methods()[0].name, "options": {}}
                job["styles"] = job["styles"][:1]
            yield from self._paint(job)
            assert self.finished is not None
            pair.append(Path(self.finished.directory) / self.finished.pattern)
        show(self.scene, Pair(pair[0], pair[1], linear))

    def summary(self) -> str:
        """One sentence on a run that is done."""
        assert self.finished is not None
        return texts.report(
            "Painted in {seconds:.1f} s: see the picture '{name}' in the Image Editor",
            seconds=self.finished.seconds, name=NAME,
        )  # fmt: skip


class PictureRun(PreviewRun):
    """Paint the picture that an image editor shows."""

    def __init__(self, scene: bpy.types.Scene, windowed: bool, image: bpy.types.Image, file: str) -> None:
        """file: the one to take of an image sequence."""
        super().__init__(scene, None, windowed)
        self._image, self._file = image.name_full, file

    @property
    def kind(self) -> str:
        return "picture"

    @property
    def label(self) -> str:
        return self._image

    def _steps(self) -> Steps:
        scene = self.scene
        image: Any = bpy.data.images.get(self._image)
        if image is None:
            raise InputError("The picture is gone: open it again.")
        if image.get(NAME):
            raise InputError("This is a preview already: open the picture that it was made from.")
        library.chosen(state_of(scene))
        seen = image_files.through_view(image)
        linear = seen or image.is_float
        path = _folder(scene) / f"picture.{'exr' if linear else 'png'}"
        image_files.save(image, scene, path, image_files.LINEAR if linear else image_files.SEEN, self._file)
        yield from self._start_worker()
        painting = yield from look.prepare(self, [scene.frame_current], path.parent, parts=False)
        yield from self._paint_pair(path, painting, linear, None if seen else PLAIN_VIEW)


def _folder(scene: bpy.types.Scene) -> Path:
    folders, _ = scene_job.folders(scene, single=True)
    return folders.base / "preview"


# The picture data-block


def show(scene: bpy.types.Scene, pair: Pair) -> None:
    """Make the pair the preview of the file."""
    _pixels.clear()
    image = preview() or bpy.data.images.new(NAME, 8, 8)
    image[NAME] = image[wiring.TAG] = 1
    image["before"], image["after"], image["linear"] = str(pair.before), str(pair.after), pair.linear
    _compose(image, scene)


def preview() -> bpy.types.Image | None:
    """The preview of the file; None where there is none."""
    images: Any = bpy.data.images
    return next((image for image in images if image.get(NAME)), None)


def split(scene: bpy.types.Scene) -> None:
    """Part original and paint anew where the slider is; nothing where there is no preview, or its files are gone."""
    image = preview()
    if image is not None and all(os.path.isfile(image[name]) for name in ("before", "after")):
        with contextlib.suppress(InputError):  # the picture stays as it is
            _compose(image, scene)


def _compose(image: bpy.types.Image, scene: bpy.types.Scene) -> None:
    """Write the parted picture to a file, and point the data-block at it: so Blender has no unsaved picture."""
    linear, after, share = bool(image["linear"]), Path(image["after"]), state_of(scene).preview_split
    path = after.parent.parent / f"compared{after.suffix}"
    values = _read(after, linear)
    if share > 0:
        values = values.copy()
        column = round(share * values.shape[1])
        values[:, :column] = _read(Path(image["before"]), linear)[:, :column]
        if column < values.shape[1]:
            values[:, max(column - 1, 0) : column + 1] = 1.0  # the line where they meet
    height, width = values.shape[:2]
    made: Any = bpy.data.images.new(NAME + " file", width, height, alpha=True, float_buffer=linear)
    try:
        _color(made, linear)
        made.pixels.foreach_set(values.ravel())
        image_files.save(made, scene, path, image_files.LINEAR if linear else image_files.SEEN)
    finally:
        bpy.data.images.remove(made)
    image.filepath_raw = str(path)
    image.source = "FILE"
    _color(image, linear)
    image.use_view_as_render = linear  # not in the one that is saved: its file would have the view in it
    image.reload()


def _color(image: Any, linear: bool) -> None:
    image.colorspace_settings.name = LINEAR_SPACE if linear else "sRGB"
    image.alpha_mode = "PREMUL" if linear else "STRAIGHT"


def _read(path: Path, linear: bool) -> Any:
    """HxWx4 float32 of a picture file as it is, kept until the next preview."""
    import numpy as np

    if path not in _pixels:
        image: Any = bpy.data.images.load(str(path), check_existing=False)
        try:
            _color(image, linear)
            values = np.empty(image.size[0] * image.size[1] * 4, np.float32)
            image.pixels.foreach_get(values)
            _pixels[path] = values.reshape(image.size[1], image.size[0], 4)
        finally:
            bpy.data.images.remove(image)
    return _pixels[path]


def forget() -> None:
    """Let go of the pixels that are kept for the slider."""
    _pixels.clear()


# Where it is shown


def editor(context: bpy.types.Context) -> tuple[Any, Any] | None:
    """(window, area) of an image editor: the one under the mouse, or the largest; None where there is none."""
    if context.area is not None and context.area.type == "IMAGE_EDITOR":
        return context.window, context.area
    found = [
        (window, area)
        for window in context.window_manager.windows
        for area in window.screen.areas
        if area.ui_type == "IMAGE_EDITOR"
    ]
    return max(found, key=lambda place: place[1].width * place[1].height, default=None)


def open_editor(context: bpy.types.Context) -> tuple[Any, Any] | None:
    """The same; in a window of its own where there is none yet."""
    found = editor(context)
    if found is None and not bpy.app.background:
        bpy.ops.wm.window_new()
        window = context.window_manager.windows[-1]
        window.screen.areas[0].ui_type = "IMAGE_EDITOR"
        found = window, window.screen.areas[0]
    return found


def play(context: bpy.types.Context) -> bpy.types.Image:
    """Show the painted frames of a scene in an image editor, in step with the timeline. Raises InputError."""
    state = state_of(context.scene)
    first = Path(re.sub("#+", lambda digits: f"{state.result_first:0{len(digits[0])}d}", state.result_path))
    if not state.result_path or not first.is_file():
        raise InputError("There are no painted frames yet: press Stylize Render.")
    path = str(first)
    images: Any = bpy.data.images
    image: Any = next((i for i in images if i.get(wiring.TAG) and bpy.path.abspath(i.filepath) == path), None)
    if image is None:
        image = bpy.data.images.load(path, check_existing=False)
        image.name, image[wiring.TAG] = wiring.NAME, 1
        image.source = "SEQUENCE"
        linear = first.suffix.lower() == ".exr"
        image.colorspace_settings.name = LINEAR_SPACE if linear else "sRGB"
        image.alpha_mode = "PREMUL" if linear else "STRAIGHT"
    image.use_view_as_render = first.suffix.lower() == ".exr"
    found = open_editor(context)
    if found is not None:
        space = found[1].spaces.active
        space.image = image
        user = space.image_user
        user.frame_start, user.frame_offset = state.result_first, state.result_first - 1
        user.frame_duration = state.result_last - state.result_first + 1
        user.use_cyclic, user.use_auto_refresh = False, True
    return image

# SPDX-License-Identifier: GPL-3.0-or-later
"""The strips that are to be painted: which they are, what of them, and which channel is free above."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from styletx_core.errors import InputError

from . import compat, look, scene_job
from .properties import state_of
from .shots import resolution, view_settings
from .strip_frames import inputs, path_of

SUFFIX = " StyleTX"
"""Of the names of painted strips."""
KINDS = ("MOVIE", "IMAGE", "SCENE", "META", "SPEED")
"""Types of strips that can be painted."""
DISPLAY_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tga", ".webp", ".tif", ".tiff", ".jp2", ".gif")
DISPLAY_SPACE = "sRGB"
LINEAR_SPACE = "Linear Rec.709"
PLAIN_VIEW = {"display": "sRGB", "view": "Standard", "look": "None", "exposure": 0.0, "gamma": 1.0}


@dataclass(frozen=True)
class Target:
    """A strip to paint, as it was when the run began."""

    name: str
    first: int
    end: int
    """The first frame that shows it, and the one after the last."""
    size: tuple[int, int]
    """Of its pictures, without transform and crop."""
    linear: bool
    """Scene-linear and painted as the scene's view shows it; else display-referred."""
    deep: bool
    still: bool
    """One picture is shown all the time."""
    files: str
    """Pattern of OpenEXR files with vectors that are painted as they are; "" where the strip is written to files."""
    numbers: tuple[int, int]
    """Of the first and the last frame, as they are in the names of the files."""
    folder: Path

    @property
    def source(self) -> Path:
        """Where the frames are read from."""
        return Path(self.files) if self.files else self.folder / "source"

    @property
    def painted(self) -> Path:
        """Where the painted frames go."""
        return self.folder / "painted"


# Which strips, and what of them


def gather(scene: bpy.types.Scene, names: list[str]) -> tuple[list[Target], list[str]]:
    """The strips of these names, and notices. Raises InputError for what cannot be painted, and where none can."""
    notices: list[str] = []
    if scene.library is not None:
        raise InputError(f"The scene '{scene.name}' is linked from another file: open that file to paint its strips.")
    scene_job.check_views(scene)
    if not compat.working_space_is_rec709():
        raise InputError("The file's working color space is not Linear Rec.709: set it back in the scene properties.")
    chosen = []
    for name in names:
        strip = compat.all_strips(scene.sequence_editor).get(name) if scene.sequence_editor else None
        if strip is None:
            raise InputError(f"The strip '{name}' is gone or was renamed: start again.")
        if strip.type in KINDS:
            chosen.append(strip)
        elif strip.type != "SOUND":
            notices.append(f"The strip '{strip.name}' is left out: movies, images, scenes and meta strips are painted.")
    if state_of(scene).regions:
        notices.append("Regions are left out: strips are painted in the style alone.")
    if not chosen:
        raise InputError("No strip that can be painted is selected: select a movie, image, scene or meta strip.")
    base, more = scene_job.folders(scene, single=False)
    notices += more
    targets = [_target(scene, strip, base.base / "strips") for strip in chosen]
    if any(target.linear for target in targets):
        notices += scene_job.view_notices(scene)
    for strip in chosen:
        notices += _stacking(scene, strip)
    return targets, notices


def selected(scene: bpy.types.Scene) -> list[Any]:
    """The selected strips, from the lowest channel up; the Speed effect in the place of a strip that has one."""
    editor = scene.sequence_editor
    if editor is None:
        return []
    shown = list(compat.strips(editor.meta_stack[-1] if editor.meta_stack else editor))
    found: dict[str, Any] = {}
    for strip in sorted(shown, key=lambda strip: (strip.channel, compat.strip_range(strip))):
        if strip.select:
            while (faster := next((s for s in shown if s.type == "SPEED" and s.input_1 == strip), None)) is not None:
                strip = faster
            found[strip.name] = strip
    return list(found.values())


def _target(scene: bpy.types.Scene, strip: Any, folder: Path) -> Target:
    """Raises InputError for a strip that cannot be painted."""
    first, end = compat.strip_range(strip)
    if strip.lock:
        raise InputError(f"The strip '{strip.name}' is locked: unlock it first.")
    owner = owner_of(scene.sequence_editor, strip)
    if owner != scene.sequence_editor and len(getattr(owner, "retiming_keys", ())):
        raise InputError(f"The strip '{strip.name}' is in a retimed meta strip: paint the meta strip.")
    _check_files(strip, range(first, end))
    free_channel(owner, strip)
    still = strip.type == "IMAGE" and len(strip.elements) == 1
    linear, deep = _encoding(scene, strip)
    files, numbers = _vector_files(strip, first, first + 1 if still else end) if linear else ("", None)
    if files:
        size = (0, 0)
    else:
        if first < 0:
            raise InputError(f"The strip '{strip.name}' begins at frame {first}: move it to frame 0 or later.")
        size = _size(scene, strip)
        if min(size) < 16:
            raise InputError(f"The strip '{strip.name}' is {size[0]}x{size[1]} pixels: StyleTX needs 16x16 or more.")
    name = f"{bpy.path.clean_name(strip.name)}-{_key(scene, strip, linear)}"
    numbers = numbers or (first, first if still else end - 1)
    return Target(strip.name, first, end, size, linear, deep, still, files, numbers, folder / name)


def _key(scene: bpy.types.Scene, strip: Any, linear: bool) -> str:
    """Eight digits that tell a strip painted one way from the same or another one painted another way.

    So a strip that was painted before never shows other frames, those of a second style, say, or of a later version
    of the .blend beside it; and the same work, interrupted, is found again.
    """
    state = state_of(scene)
    values: list[Any] = [state.motion, look.key(scene, parts=False)]
    values += [bpy.data.filepath, scene.name, strip.name, strip.type, *compat.strip_range(strip)]
    values += [path for path, _ in _files(strip, ())]
    values += [view_settings(scene) if linear else None]
    return hashlib.sha256(json.dumps(values).encode("utf-8", "surrogateescape")).hexdigest()[:8]


def _size(scene: bpy.types.Scene, strip: Any) -> tuple[int, int]:
    """Width and height of what a strip shows, before its transform."""
    import imbuf

    if strip.type == "IMAGE":
        path, _ = next(_files(strip, ()))
        try:
            picture = imbuf.load(path)
        except Exception:
            raise InputError(f"The picture '{path}' cannot be read: replace it in the strip '{strip.name}'.") from None
        width, height = picture.size
        picture.free()
        return width, height
    if strip.type == "MOVIE":
        element = strip.elements[0]
        if not element.orig_width or not element.orig_height:
            raise InputError(f"The movie of the strip '{strip.name}' cannot be read: replace or convert it.")
        return element.orig_width, element.orig_height
    if strip.type == "SCENE" and strip.scene_input == "CAMERA":
        return resolution(strip.scene)
    # the whole picture, in which the strips inside lie; Blender scales it down with the percentage of the resolution
    return scene.render.resolution_x, scene.render.resolution_y


def leaves(strip: Any) -> Iterator[Any]:
    """A strip, and all that are in it or that it is an effect of."""
    yield strip
    for number in range(1, getattr(strip, "input_count", 0) + 1):
        below = getattr(strip, f"input_{number}", None)
        if below is not None:
            yield from leaves(below)
    if strip.type == "META":
        for inside in compat.strips(strip):
            yield from leaves(inside)


def _files(strip: Any, frames: tuple[int, ...] | range) -> Iterator[tuple[str, Any]]:
    """(path, strip) of the files that a strip and what is in it are read from; of image strips those at `frames`."""
    for leaf in leaves(strip):
        if leaf.type == "MOVIE":
            yield bpy.path.abspath(leaf.filepath), leaf
        elif leaf.type == "IMAGE":
            elements = [leaf.strip_elem_from_frame(frame) for frame in frames] if leaf == strip else []
            folder = Path(bpy.path.abspath(leaf.directory))
            for element in [element for element in elements if element is not None] or leaf.elements[:1]:
                yield str(folder / element.filename), leaf


def _check_files(strip: Any, frames: range) -> None:
    """Raise InputError for what a strip shows that is not there."""
    for path, leaf in _files(strip, frames):
        if not Path(path).is_file():
            raise InputError(f"There is no file '{path}': relink it in the strip '{leaf.name}'.")
    for leaf in leaves(strip):
        if leaf.type != "SCENE":
            continue
        if leaf.scene is None:
            raise InputError(f"The strip '{leaf.name}' has no scene: choose one in its properties.")
        if leaf.scene_input == "CAMERA" and leaf.scene.camera is None and leaf.scene_camera is None:
            raise InputError(f"The scene '{leaf.scene.name}' has no camera: choose one in its properties.")


def _encoding(scene: bpy.types.Scene, strip: Any) -> tuple[bool, bool]:
    """(scene-linear, more than 8 bit): what the strip's pixels need so that nothing of them is lost."""
    view = view_settings(scene)
    plain = view == PLAIN_VIEW and not scene_job.view_notices(scene)
    deep = False
    for path, leaf in _files(strip, ()):
        suffix = Path(path).suffix.lower()
        plain &= not leaf.use_float and leaf.colorspace_settings.name == DISPLAY_SPACE
        plain &= leaf.type == "MOVIE" or suffix in DISPLAY_SUFFIXES
        deep |= suffix in (".tif", ".tiff", ".jp2") or (suffix == ".png" and _png_bits(path) > 8)
    linear = not plain or any(leaf.type in ("SCENE", "MOVIECLIP", "MASK") for leaf in leaves(strip))
    return linear, deep


def _png_bits(path: str) -> int:
    with Path(path).open("rb") as file:
        head = file.read(25)
    return head[24] if len(head) == 25 else 8


def _vector_files(strip: Any, first: int, end: int) -> tuple[str, tuple[int, int] | None]:
    """Pattern and first and last number of a strip's OpenEXR files where these have vectors and are shown one a frame.

    ("", None) where not: their motion could not be followed then.
    """
    nothing = "", None
    if strip.type != "IMAGE" or strip.colorspace_settings.name != LINEAR_SPACE or strip.alpha_mode != "PREMUL":
        return nothing
    if strip.use_deinterlace or strip.strobe > 1:
        return nothing
    names = [element and element.filename for element in (strip.strip_elem_from_frame(f) for f in range(first, end))]
    matches = [re.fullmatch(r"(.*?)(\d+)(\D*\.exr)", name or "", re.IGNORECASE) for name in names]
    numbers = [int(match[2]) for match in matches if match is not None]
    if len(numbers) < len(names) or numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        return nothing
    heads = {(match[1], match[3]) for match in matches if match is not None}
    folder = Path(bpy.path.abspath(strip.directory))
    with (folder / str(names[0])).open("rb") as file:
        if len(heads) > 1 or b"Vector" not in file.read(2**16):  # the header is at the beginning
            return nothing
    head, tail = heads.pop()
    digits = min(len(match[2]) for match in matches if match is not None)
    return str(folder / f"{head}{'#' * digits}{tail}"), (numbers[0], numbers[-1])


def job(scene: bpy.types.Scene, target: Target, painting: look.Look) -> tuple[dict[str, Any], list[str]]:
    """The job that paints a strip, and notices."""
    motion, notices = state_of(scene).motion, []
    if not target.files:
        if motion == "vectors":
            notices.append(f"The strip '{target.name}' has no render vectors: optical flow is used.")
        motion = "none" if motion == "none" else "flow"
    source = target.source
    if target.still and not target.files:
        source = path_of(target.source, target.first, target.linear)
    view = None if target.linear else PLAIN_VIEW
    made = scene_job.gather(scene, painting, source, target.numbers, None, motion, target.painted, view, "auto")
    return made, notices


# Where the painted one goes


def free_channel(owner: Any, strip: Any) -> int:
    """The next channel above a strip that is empty while it is shown, and neither muted nor locked.

    Raises InputError where there is none.
    """
    first, end = compat.strip_range(strip)
    taken = {other.channel for other in compat.strips(owner)
             if compat.strip_range(other)[0] < end and compat.strip_range(other)[1] > first}  # fmt: skip
    for channel, settings in enumerate(owner.channels):
        if channel > strip.channel and channel not in taken and not settings.mute and not settings.lock:
            return channel
    raise InputError(f"No channel above the strip '{strip.name}' is free: move it down or make room.")


def _stacking(scene: bpy.types.Scene, strip: Any) -> list[str]:
    """Notices on what the painted strip will do to others."""
    notices = []
    owner = owner_of(scene.sequence_editor, strip)
    first, end = compat.strip_range(strip)
    channel = free_channel(owner, strip)
    for other in compat.strips(owner):
        begins, ends = compat.strip_range(other)
        if other.type == "SOUND" or other == strip or begins >= end or ends <= first or other.mute:
            continue
        if strip.name in inputs(other):
            notices.append(f"The effect '{other.name}' goes on with the original of '{strip.name}'.")
        elif strip.channel < other.channel < channel and not other.select and SUFFIX not in other.name:
            notices.append(f"The painted strip of '{strip.name}' lies above '{other.name}': move it where you want it.")
    return notices


def owner_of(editor: bpy.types.SequenceEditor, strip: Any) -> Any:
    """The sequence editor or meta strip that a strip is in."""
    metas: list[Any] = [editor, *(other for other in compat.all_strips(editor) if other.type == "META")]
    return next(meta for meta in metas if strip.name in compat.strips(meta))

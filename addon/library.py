# SPDX-License-Identifier: GPL-3.0-or-later
"""The styles at hand: those that come with StyleTX, the user's own, and folders of pictures named in the preferences.

A scene keeps the paths of its styles. One that is gone is looked up by its name among the shipped and own ones, so that
a file opens with its styles in another Blender, or on another computer.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import bpy.utils.previews

import styletx_core
from styletx_core.errors import InputError
from styletx_core.files import atomic_path
from styletx_core.registry import method_info

from . import image_files
from .looked import Looked
from .preferences import preferences

PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".exr")
"""What the engine reads; other pictures become PNG when they are added."""
MOST = 4
"""Styles in one blend."""

_previews: Any = None
_listed: dict[Path, tuple[int, list[Path]]] = {}


@dataclass(frozen=True)
class Entry:
    """A style that can be chosen."""

    path: Path
    name: str
    source: str
    """Where it comes from, as a sentence for the tooltip."""


def shipped_folder() -> Path:
    """The styles that come with StyleTX."""
    return Path(styletx_core.__file__).parent / "assets" / "styles"


def own_folder(create: bool = False) -> Path:
    """The user's own styles: in Blender's folder for files of this extension, which an update leaves alone."""
    return Path(bpy.utils.extension_path_user(__package__, path="styles", create=create))


def entries() -> list[Entry]:
    """All styles of the library: shipped, own, then those in the folders of the preferences."""
    found = [Entry(path, _title(path), "Comes with StyleTX") for path in _pictures(shipped_folder())]
    found += [Entry(path, _title(path), "A style of your own") for path in _pictures(own_folder())]
    for folder in preferences().folders:
        if folder.path.strip():
            place = Path(bpy.path.abspath(folder.path))
            found += [Entry(path, _title(path), f"In {place}") for path in _pictures(place)]
    return found


def is_own(path: str) -> bool:
    """True for a picture in the folder of the user's own styles."""
    return bool(path) and Path(bpy.path.abspath(path)).parent == own_folder()


def find(text: str) -> Path:
    """The file of a style as a scene names it: where it says, else the shipped or own style of that name."""
    path = Path(bpy.path.abspath(text.strip()))
    if path.is_file():
        return path
    name = text.replace("\\", "/").rpartition("/")[2]  # of a path from another system, too
    return next((place for folder in (shipped_folder(), own_folder()) if (place := folder / name).is_file()), path)


def chosen(state: Any) -> list[dict[str, Any]]:
    """The styles in a scene's settings as a job has them. Raises InputError for none, or one that is no picture."""
    styles = [style for style in state.styles if style.path.strip()]
    if not styles:
        raise InputError("No style is chosen: give the picture in whose style the shot is to be painted.")
    return [{"path": for_method(state.method, style.path), "weight": style.weight} for style in styles]


def for_method(method: str, text: str) -> str:
    """A style as a job has it: the path of its picture, or its name for a method that was trained for a few styles.

    Raises InputError for what is no picture, and for a style that the method does not know.
    """
    info = method_info(method)
    if info.styles == "any":
        return readable(text)
    name = Path(text.replace("\\", "/")).stem  # the picture of a style that was trained for bears its name
    if name not in info.style_names():
        raise InputError(f"{info.title} has no style '{name}': choose one of {', '.join(info.style_names())}.")
    return name


def readable(text: str) -> str:
    """The path of a style. Raises InputError where it is no picture."""
    import imbuf

    path = str(find(text))
    if not Path(path).is_file():
        raise InputError(f"There is no style picture '{path}': choose another one.")
    try:
        imbuf.load(path).free()
    except Exception:
        raise InputError(f"The style '{path}' cannot be read as a picture: choose a PNG, JPEG, TIFF or EXR.") from None
    return path


# Adding and removing


def add(source: Path) -> Path:
    """Put a copy of a picture among the user's own styles; one of the engine's kinds as it is, any other as PNG.

    Returns the copy, or the style that is there already where it is the same file. Raises InputError.
    """
    path = Path(readable(str(source)))
    if path.parent == own_folder():
        return path
    if path.suffix.lower() in PICTURES:
        target = _free(path.stem, path.suffix.lower())
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(target) as temporary:
                shutil.copyfile(path, temporary)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputError(f"The style cannot be kept as '{target}': {reason}.") from None
        items.changed()
        return target
    image = bpy.data.images.load(str(path), check_existing=False)
    try:
        return add_image(image, bpy.context.scene, path.stem)
    finally:
        bpy.data.images.remove(image)


def add_image(image: bpy.types.Image, scene: bpy.types.Scene, name: str = "", file: str = "") -> Path:
    """Save a picture data-block among the user's own styles, as the image editor shows it in that scene.

    file: the one to take of an image sequence. Returns the saved file. Raises InputError.
    """
    target = _free(Path(name or file or image.name).stem, ".png")
    image_files.save(image, scene, target, image_files.SEEN, file)
    items.changed()
    return target


def remove(path: Path) -> None:
    """Delete a style of the user's own. Raises InputError for any other."""
    if path.parent != own_folder():
        raise InputError(f"'{path}' is no style of your own: only those can be removed from the library.")
    items.changed()
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"'{path}' cannot be deleted: {(error.strerror or str(error)).lower()}.") from None


def _free(stem: str, suffix: str) -> Path:
    """A file among the user's own styles that is not there yet, nor among the shipped ones."""
    stem = bpy.path.clean_name(stem) or "style"
    for number in range(1, 10000):
        name = f"{stem}{suffix}" if number == 1 else f"{stem}_{number}{suffix}"
        if not (own_folder() / name).exists() and not (shipped_folder() / name).exists():
            return own_folder() / name
    raise InputError(f"There are too many styles called '{stem}': rename the picture.")


# For the interface


def _as_items() -> list[tuple[str, str, str, int, int]]:
    return [
        (str(entry.path), entry.name, entry.source, icon(entry.path), number)
        for number, entry in enumerate(entries(), 1)
    ]


items = Looked(_as_items)
"""The library as items of an enumeration, thumbnails as icons; numbers from 1 (kept: Blender keeps no texts)."""


def icon(path: Path) -> int:
    """Icon of a picture file; 0 where there is none."""
    if _previews is None:
        return 0
    try:
        written = path.stat().st_mtime_ns
    except OSError:
        return 0
    key = f"{written}:{path}"
    if key not in _previews:
        _previews.load(key, str(path), "IMAGE")
    return int(_previews[key].icon_id)


def _pictures(folder: Path) -> list[Path]:
    """The pictures in a folder by name; read anew when the folder has changed."""
    try:
        written = folder.stat().st_mtime_ns
        if _listed.get(folder, (0, []))[0] != written:
            _listed[folder] = written, sorted(_read(folder), key=lambda path: path.name.lower())
    except OSError:
        return []
    return _listed[folder][1]


def _read(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.suffix.lower() in PICTURES and not path.name.startswith(".") and path.is_file():
            yield path


def _title(path: Path) -> str:
    return path.stem.replace("_", " ").title()


def register() -> None:
    global _previews
    _previews = bpy.utils.previews.new()


def unregister() -> None:
    global _previews
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
        _previews = None
    _listed.clear()
    items.changed()

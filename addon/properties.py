# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scene keeps of StyleTX: the settings in the panel, and what its last results were made from."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from styletx_core import list_methods
from styletx_core.job import SIZES

from . import compat, library, options
from .mixins import register_classes_factory
from .regions import StyleTXRegion
from .shots import resolution, view_settings

METHODS = [(info.name, info.title, f"{info.description} {info.paper}") for info in list_methods() if info.ready]


CHOOSE = "Choose a style"
"""What stands where a style is to be chosen."""

_layout: Any = bpy.types.UILayout.bl_rna
_NO_STYLE = int(_layout.functions["prop"].parameters["icon"].enum_items["FILE_IMAGE"].value)

_shown: dict[str, list[tuple[str, str, str, int, int]]] = {}


class StyleTXStyle(bpy.types.PropertyGroup):
    """A style of the blend."""

    path: StringProperty(  # type: ignore[valid-type]
        name="Style", description="The picture in whose style the shot is painted", subtype="FILE_PATH",
        options=compat.RELATIVE_PATH,
    )  # fmt: skip
    weight: FloatProperty(  # type: ignore[valid-type]
        name="Weight", description="Share of this style in the blend: only the ratio of the weights counts",
        default=1.0, min=0.0, max=1.0, subtype="FACTOR",
    )  # fmt: skip


def _style(self: Any) -> str:
    return str(self.styles[0].path) if self.styles else ""


def _set_style(self: Any, path: str) -> None:
    (self.styles[0] if self.styles else self.styles.add()).path = path


def active_style(state: Any) -> Any | None:
    """The style that the library's thumbnails choose; None where the scene has none yet."""
    return state.styles[min(state.active_style, len(state.styles) - 1)] if state.styles else None


def active_region(state: Any) -> Any | None:
    """The region whose settings are shown; None where there is none."""
    return state.regions[min(state.active_region, len(state.regions) - 1)] if state.regions else None


def _items(text: str) -> list[tuple[str, str, str, int, int]]:
    """The library, and what is chosen where that is not in it. text: the chosen style."""
    found = library.items.get()
    path = str(library.find(text)) if text else ""
    if path and all(item[0] != path for item in found):
        name = bpy.path.display_name_from_filepath(path)
        found = [*found, (path, name, "A picture file", library.icon(library.find(path)), len(found) + 1)]
    elif not path:
        found = [("NONE", CHOOSE, "Nothing is chosen yet", _NO_STYLE, 0), *found]
    _shown[path] = found  # Blender keeps no texts
    return found


def _number(text: str) -> int:
    path = str(library.find(text)) if text else ""
    return next((item[4] for item in _items(text) if item[0] == path), 0)


def _path(text: str, number: int) -> str:
    path = next((item[0] for item in _items(text) if item[4] == number), "NONE")
    return text if path == "NONE" else path


def _active_path(self: Any) -> str:
    active = active_style(self)
    return str(active.path) if active is not None else ""


def _library_items(self: Any, context: Any) -> list[tuple[str, str, str, int, int]]:
    return _items(_active_path(self))


def _library(self: Any) -> int:
    return _number(_active_path(self))


def _set_library(self: Any, number: int) -> None:
    path = _path(_active_path(self), number)
    if path:
        (active_style(self) or self.styles.add()).path = path


def _region_path(self: Any) -> str:
    region = active_region(self)
    return str(region.style) if region is not None else ""


def _region_items(self: Any, context: Any) -> list[tuple[str, str, str, int, int]]:
    return _items(_region_path(self))


def _region(self: Any) -> int:
    return _number(_region_path(self))


def _set_region(self: Any, number: int) -> None:
    region = active_region(self)
    if region is not None:
        region.style = _path(_region_path(self), number)


def _split(self: Any, context: Any) -> None:
    from . import preview

    preview.split(self.id_data)


class StyleTXSettings(bpy.types.PropertyGroup):
    """`scene.styletx`."""

    styles: CollectionProperty(  # type: ignore[valid-type]
        name="Styles", description="The styles of the blend, four at most", type=StyleTXStyle
    )
    active_style: IntProperty(options={"HIDDEN"})  # type: ignore[valid-type]
    style: StringProperty(  # type: ignore[valid-type]
        name="Style", description="The picture in whose style the shot is painted: the first of the blend",
        subtype="FILE_PATH", options=compat.RELATIVE_PATH, get=_style, set=_set_style,
    )  # fmt: skip
    library: EnumProperty(  # type: ignore[valid-type]
        name="Library", description="Styles that come with StyleTX, your own, and those in the folders of the "
        "preferences", items=_library_items, get=_library, set=_set_library,
    )  # fmt: skip
    method: EnumProperty(name="Method", description="The network that paints", items=METHODS)  # type: ignore[valid-type]
    strength: FloatProperty(  # type: ignore[valid-type]
        name="Strength", description="0 is the render itself, 1 the full style",
        default=1.0, min=0.0, max=1.0, subtype="FACTOR",
    )
    size: FloatProperty(  # type: ignore[valid-type]
        name="Stroke Size", description="Size of the strokes, relative to the picture's height: 2 is twice as large",
        default=1.0, min=SIZES[0], max=SIZES[1],
    )  # fmt: skip
    keep_colors: EnumProperty(  # type: ignore[valid-type]
        name="Keep Colors",
        description="What stays of the render's colors",
        items=[
            ("none", "None", "The style's colors"),
            ("luminance", "Luminance Only", "The style paints light and dark alone: the colors are the render's"),
            ("match", "Match", "The style's colors, with the average and the range of the render's"),
        ],
        options=set(),
    )
    stability: FloatProperty(  # type: ignore[valid-type]
        name="Stability", description="How much the paint sticks to what it is painted on from frame to frame",
        default=1.0, min=0.0, max=1.0, subtype="FACTOR", options=set(),
    )  # fmt: skip
    regions: CollectionProperty(  # type: ignore[valid-type]
        name="Regions", description="Parts of the picture with styles of their own", type=StyleTXRegion
    )
    active_region: IntProperty(options={"HIDDEN"})  # type: ignore[valid-type]
    region_library: EnumProperty(  # type: ignore[valid-type]
        name="Library", description="The region's style", items=_region_items, get=_region, set=_set_region
    )
    elsewhere: EnumProperty(  # type: ignore[valid-type]
        name="Elsewhere",
        description="What shows outside of all regions",
        items=[("STYLE", "Style", "The style, or the blend"), ("ORIGINAL", "Original", "The very render")],
        options=set(),
    )
    motion: EnumProperty(  # type: ignore[valid-type]
        name="Motion",
        description="Where the motion comes from that the paint follows",
        items=[
            ("auto", "Automatic", "The render's vectors where there are any, else optical flow"),
            ("vectors", "Render Vectors", "The Vector pass and the camera: exact"),
            ("flow", "Optical Flow", "Estimated from the pictures"),
            ("none", "None", "Every frame is painted alone"),
        ],
    )
    preview_full: BoolProperty(  # type: ignore[valid-type]
        name="Full Size", description="After the quick preview, render and paint the frame as large as the render"
    )
    preview_split: FloatProperty(  # type: ignore[valid-type]
        name="Original", description="How much of the preview, from the left, shows the original",
        default=0.0, min=0.0, max=1.0, subtype="FACTOR", update=_split, options=set(),
    )  # fmt: skip
    source: EnumProperty(  # type: ignore[valid-type]
        name="Source",
        description="Where the frames come from that are painted",
        items=[
            ("RENDER", "Render", "Render the frame range with the passes that are needed"),
            ("SEQUENCE", "Rendered Sequence", "Take frames that are rendered already, best as multilayer OpenEXR"),
        ],
    )
    view_layer: StringProperty(  # type: ignore[valid-type]
        name="View Layer", description="The one that is painted; none: the one that the compositor shows"
    )
    sequence: StringProperty(  # type: ignore[valid-type]
        name="Frames", description="Folder of the frames, or one of them", subtype="FILE_PATH",
        options=compat.RELATIVE_PATH,
    )  # fmt: skip
    output: StringProperty(  # type: ignore[valid-type]
        name="Output", description="Folder for rendered and painted frames, in a folder of the scene's name",
        default="//styletx/", subtype="DIR_PATH", options=compat.RELATIVE_PATH,
    )
    format: EnumProperty(  # type: ignore[valid-type]
        name="Format",
        description="What painted frames are kept as",
        items=[
            ("EXR", "OpenEXR", "Scene-linear, of the render's depth: looks right under every view"),
            ("PNG", "PNG 16 bit", "Display-referred, as the scene's view shows it"),
        ],
    )

    # What the rendered frames on disk were made from (stale.py)
    rendered: StringProperty(options={"HIDDEN"})  # type: ignore[valid-type]
    layer: StringProperty(options={"HIDDEN"})  # type: ignore[valid-type]
    changed: BoolProperty(options={"HIDDEN"})  # type: ignore[valid-type]
    # What the compositor shows
    result: StringProperty(  # type: ignore[valid-type]
        description="Fingerprint of what the painted frames were made from", options={"HIDDEN"}
    )
    result_path: StringProperty(  # type: ignore[valid-type]
        description="The painted frames, '#' for the digits of the frame number", options={"HIDDEN"}
    )
    result_first: IntProperty(options={"HIDDEN"})  # type: ignore[valid-type]
    result_last: IntProperty(options={"HIDDEN"})  # type: ignore[valid-type]
    result_error: FloatProperty(  # type: ignore[valid-type]
        description="Temporal error of the painted shot, below 0 where there is none", options={"HIDDEN"}
    )
    result_alone_error: FloatProperty(  # type: ignore[valid-type]
        description="The same had its frames been painted alone", options={"HIDDEN"}
    )


StyleTXSettings.__annotations__ |= options.pointers()


class Frozen:
    """Settings as they were when a button was pressed; what is not among them is read and written where it is."""

    def __init__(self, values: dict[str, Any], live: Any) -> None:
        self.__dict__.update(_values=values, _live=live)

    def __getattr__(self, name: str) -> Any:
        return _thawed(self._values[name]) if name in self._values else getattr(self._live, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._live, name, value)


_DATA = {"COLLECTION": "collections", "IMAGE": "images", "MASK": "masks", "MATERIAL": "materials", "OBJECT": "objects",
         "SCENE": "scenes"}  # fmt: skip
"""Type of a data-block -> where it is in `bpy.data`."""
_ID = "data-block"


def _thawed(value: Any) -> Any:
    """A frozen value: groups of settings become objects again, data-blocks are looked up; None where one is gone."""
    if isinstance(value, list):
        return [_thawed(item) for item in value]
    if not isinstance(value, dict):
        return value
    if _ID not in value:
        return Frozen(value, None)
    kind, name, library = value[_ID]
    return getattr(bpy.data, kind).get((name, library))


_frozen: dict[tuple[str, str | None], dict[str, Any]] = {}


def key_of(scene: bpy.types.Scene) -> tuple[str, str | None]:
    """What finds a scene in `bpy.data.scenes` again: its name, and the path of the file it is linked from."""
    return scene.name, scene.library.filepath if scene.library else None


def state_of(scene: bpy.types.Scene) -> Any:
    """What a scene keeps of StyleTX; inside a run the settings are those that it was started with."""
    owner: Any = scene  # Blender's types do not know what add-ons register
    values = _frozen.get(key_of(scene))
    return owner.styletx if values is None else Frozen(values, owner.styletx)


def freeze(group: Any) -> dict[str, Any]:
    """The settings of a property group as plain values, without what is hidden: that is no setting."""
    found: dict[str, Any] = {}
    for prop in group.bl_rna.properties:
        if prop.identifier in ("rna_type", "name") or prop.is_hidden:
            continue
        value = getattr(group, prop.identifier)
        if prop.type == "COLLECTION":
            value = [freeze(item) for item in value]
        elif isinstance(value, bpy.types.PropertyGroup):
            value = freeze(value)
        elif isinstance(value, bpy.types.ID):
            # by name: an undo, or a restart, would leave the thing itself dangling
            value = {_ID: [_DATA[value.id_type], value.name, value.library and value.library.filepath]}
        elif getattr(prop, "is_array", False):
            value = list(value)
        elif isinstance(value, set):
            value = sorted(value)
        found[prop.identifier] = value
    return found


@contextlib.contextmanager
def using(scene: tuple[str, str | None], values: dict[str, Any]) -> Iterator[None]:
    """Have `state_of` give these settings for the scene of that key."""
    _frozen[scene] = values
    try:
        yield
    finally:
        del _frozen[scene]


def result_key(scene: bpy.types.Scene) -> str:
    """A hash of what painted frames depend on that is quick to look up: settings, size, view, state of the render."""
    from . import look  # which looks at properties in its turn

    state = state_of(scene)
    names = ("motion", "source", "format")
    values: dict[str, Any] = {name: getattr(state, name) for name in names}
    values["look"] = look.key(scene)
    if state.source == "SEQUENCE":
        values["sequence"] = state.sequence
    else:
        values |= {
            "rendered": state.rendered,
            "view layer": state.view_layer,
            "resolution": resolution(scene),
            "engine": scene.render.engine,
            "transparent": scene.render.film_transparent,
            "camera": scene.camera.name_full if scene.camera else None,
        }
    values["view"] = view_settings(scene)
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def out_of_date(scene: bpy.types.Scene) -> str:
    """Why the painted frames are not those of the scene as it is now; "" while they are, or where there are none."""
    state = state_of(scene)
    if not state.result:
        return ""
    if state.result != result_key(scene):
        return "settings changed"
    if state.changed and state.source == "RENDER":
        return "the scene changed"
    if state.result_first != state.result_last and (
        state.result_first > scene.frame_start or state.result_last < scene.frame_end - scene.frame_step + 1
    ):
        return "the frame range grew"
    return ""


_register_classes, _unregister_classes = register_classes_factory((StyleTXStyle, StyleTXSettings))


def register() -> None:
    _register_classes()
    scenes: Any = bpy.types.Scene
    pointer: Any = PointerProperty
    scenes.styletx = pointer(type=StyleTXSettings)


def unregister() -> None:
    scenes: Any = bpy.types.Scene
    del scenes.styletx
    _unregister_classes()
    _shown.clear()

# SPDX-License-Identifier: GPL-3.0-or-later
"""What a scene keeps of StyleTX: the settings in the panel, and what its last results were made from."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import bpy
from bpy.props import (
    BoolProperty,
    EnumProperty,
    FloatProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from styletx_core import methods

from .shots import resolution, view_settings

METHODS = [(info.name, info.title, f"{info.description} {info.paper}") for info in methods()]


class StyleTXSettings(bpy.types.PropertyGroup):
    """`scene.styletx`."""

    style: StringProperty(  # type: ignore[valid-type]
        name="Style", description="The picture in whose style the shot is painted", subtype="FILE_PATH"
    )
    method: EnumProperty(name="Method", description="The network that paints", items=METHODS)  # type: ignore[valid-type]
    strength: FloatProperty(  # type: ignore[valid-type]
        name="Strength", description="0 is the render itself, 1 the full style",
        default=1.0, min=0.0, max=1.0, subtype="FACTOR",
    )
    stability: FloatProperty(  # type: ignore[valid-type]
        name="Stability", description="How much the paint sticks to what it is painted on from frame to frame",
        default=1.0, min=0.0, max=1.0, subtype="FACTOR",
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
    source: EnumProperty(  # type: ignore[valid-type]
        name="Source",
        items=[
            ("RENDER", "Render", "Render the frame range with the passes that are needed"),
            ("SEQUENCE", "Rendered Sequence", "Take frames that are rendered already, best as multilayer OpenEXR"),
        ],
    )
    sequence: StringProperty(  # type: ignore[valid-type]
        name="Frames", description="Folder of the frames, or one of them", subtype="FILE_PATH"
    )
    output: StringProperty(  # type: ignore[valid-type]
        name="Output", description="Folder for rendered and painted frames, in a folder of the scene's name",
        default="//styletx/", subtype="DIR_PATH",
    )
    format: EnumProperty(  # type: ignore[valid-type]
        name="Format",
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


def state_of(scene: bpy.types.Scene) -> StyleTXSettings:
    """What a scene keeps of StyleTX."""
    owner: Any = scene  # Blender's types do not know what add-ons register
    kept: StyleTXSettings = owner.styletx
    return kept


def result_key(scene: bpy.types.Scene) -> str:
    """A hash of what painted frames depend on that is quick to look up: settings, size, view, state of the render."""
    state = state_of(scene)
    names = ("style", "method", "strength", "stability", "motion", "source", "format")
    values: dict[str, Any] = {name: getattr(state, name) for name in names}
    if state.source == "SEQUENCE":
        values["sequence"] = state.sequence
    else:
        values |= {
            "rendered": state.rendered,
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


def register() -> None:
    bpy.utils.register_class(StyleTXSettings)
    scenes: Any = bpy.types.Scene
    pointer: Any = PointerProperty
    scenes.styletx = pointer(type=StyleTXSettings)


def unregister() -> None:
    scenes: Any = bpy.types.Scene
    del scenes.styletx
    bpy.utils.unregister_class(StyleTXSettings)

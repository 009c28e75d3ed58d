# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators on regions: add one, remove one."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import EnumProperty

from . import compat
from .mixins import Result, register_classes_factory
from .properties import state_of
from .regions import FIELDS, KINDS, renders
from .style_ops import InScene


class STYLETX_OT_add_region(InScene, bpy.types.Operator):
    bl_idname = "styletx.add_region"
    bl_label = "Add Region"
    bl_description = "Give a part of the picture a style of its own"
    bl_options = {"REGISTER", "UNDO"}

    kind: EnumProperty(name="Region", description="What tells the part", items=KINDS)  # type: ignore[valid-type]

    def execute(self, context: bpy.types.Context) -> Result:
        state: Any = state_of(compat.shown_scene(context))
        region = state.regions.add()
        region.kind = self.kind
        chosen: Any = context.object
        if chosen is not None and not renders(chosen):
            chosen = None
        if chosen is not None and self.kind in ("OBJECT", "MATERIAL"):
            data = chosen if self.kind == "OBJECT" else chosen.active_material
            setattr(region, FIELDS[self.kind], data)
        elif chosen is not None and self.kind == "INDEX":
            region.index = chosen.pass_index
        state.active_region = len(state.regions) - 1
        return {"FINISHED"}


class STYLETX_OT_remove_region(InScene, bpy.types.Operator):
    bl_idname = "styletx.remove_region"
    bl_label = "Remove Region"
    bl_description = "Take the chosen region out of the list"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context: bpy.types.Context) -> Result:
        state: Any = state_of(compat.shown_scene(context))
        if state.active_region >= len(state.regions):
            return {"CANCELLED"}
        state.regions.remove(state.active_region)
        state.active_region = max(0, min(state.active_region, len(state.regions) - 1))
        return {"FINISHED"}


_CLASSES = (STYLETX_OT_add_region, STYLETX_OT_remove_region)

register, unregister = register_classes_factory(_CLASSES)

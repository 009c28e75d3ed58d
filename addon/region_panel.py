# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of regions in the compositor's sidebar."""

from __future__ import annotations

from typing import Any

import bpy

from . import library, regions
from .mixins import register_classes_factory
from .panels import Compositor
from .properties import active_region, state_of


class STYLETX_UL_regions(bpy.types.UIList):
    """The regions, each with its style."""

    bl_idname = "STYLETX_UL_regions"

    def draw_item(
        self, context: Any, layout: Any, data: Any, item: Any, icon: int, active_data: Any, active_name: str,
        index: int = 0, flags: int = 0,
    ) -> None:  # fmt: skip
        kind = next(kind for kind in regions.KINDS if kind[0] == item.kind)
        path = library.find(item.style) if item.style else None
        row = layout.split(factor=0.6)
        row.label(text=regions.title(item), icon=kind[3])
        row.label(text=path.stem if path else "No style", icon_value=library.icon(path) if path else 0)


class STYLETX_PT_regions(Compositor, bpy.types.Panel):
    bl_idname = "STYLETX_PT_regions"
    bl_parent_id = "STYLETX_PT_main"
    bl_label = "Regions"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        layout: Any = self.layout
        state: Any = state_of(context.scene)
        column = layout.column()
        row = column.row()
        row.template_list("STYLETX_UL_regions", "", state, "regions", state, "active_region", rows=3)
        buttons = row.column(align=True)
        buttons.operator_menu_enum("styletx.add_region", "kind", text="", icon="ADD")
        buttons.operator("styletx.remove_region", text="", icon="REMOVE")
        region = active_region(state)
        if region is None:
            return
        column.template_icon_view(state, "region_library", show_labels=True, scale=4.0, scale_popup=5.0)
        column.prop(region, "style", text="")
        settings = column.column()
        settings.use_property_split = True
        settings.use_property_decorate = False
        settings.prop(region, "kind")
        settings.prop(region, regions.FIELDS.get(region.kind, "index"))
        settings.prop(region, "invert")
        settings.prop(state, "elsewhere")


register, unregister = register_classes_factory((STYLETX_UL_regions, STYLETX_PT_regions))

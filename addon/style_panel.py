# SPDX-License-Identifier: GPL-3.0-or-later
"""The library and the blend of styles, as panels show them, and the folders in the preferences."""

from __future__ import annotations

from typing import Any

import bpy

from . import library
from .mixins import register_classes_factory
from .properties import CHOOSE, active_style


class STYLETX_UL_styles(bpy.types.UIList):
    """The styles of a blend, with their weights."""

    bl_idname = "STYLETX_UL_styles"

    def draw_item(
        self, context: Any, layout: Any, data: Any, item: Any, icon: int, active_data: Any, active_name: str,
        index: int = 0, flags: int = 0,
    ) -> None:  # fmt: skip
        path = library.find(item.path) if item.path else None
        row = layout.split(factor=0.55)
        row.label(text=path.stem if path else CHOOSE, icon_value=library.icon(path) if path else 0)
        row.use_property_decorate = True
        row.prop(item, "weight", text="")


class STYLETX_MT_styles(bpy.types.Menu):
    """What can be done with the library."""

    bl_idname = "STYLETX_MT_styles"
    bl_label = "Library of Styles"

    def draw(self, context: bpy.types.Context) -> None:
        self.layout.operator("styletx.add_style", text="Add Files...", icon="ADD")
        self.layout.operator("styletx.keep_style", icon="PINNED")
        self.layout.operator("styletx.remove_style", icon="TRASH")


def draw_styles(layout: bpy.types.UILayout, state: Any) -> None:
    """The thumbnails of the library, the file that is chosen, and the blend where there is one."""
    column = layout.column()
    column.template_icon_view(state, "library", show_labels=True, scale=7.0, scale_popup=5.0)
    row = column.row(align=True)
    style = active_style(state)
    if style is None or len(state.styles) == 1:
        row.prop(state, "style", text="", placeholder=CHOOSE)
    else:
        row.prop(style, "path", text="", placeholder=CHOOSE)
    row.operator("styletx.add_blend", text="", icon="ADD")
    row.menu("STYLETX_MT_styles", text="", icon="DOWNARROW_HLT")
    if len(state.styles) > 1:
        row = column.row()
        row.template_list("STYLETX_UL_styles", "", state, "styles", state, "active_style", rows=2)
        row.operator("styletx.remove_blend", text="", icon="REMOVE").index = -1


def draw_folders(layout: bpy.types.UILayout, preferences: Any) -> None:
    """Folders of pictures for the library."""
    column = layout.column(align=True)
    column.label(text="Folders of Styles", icon="FILE_FOLDER")
    for number, folder in enumerate(preferences.folders):
        row = column.row(align=True)
        row.prop(folder, "path", text="")
        operator = row.operator("styletx.edit_folders", text="", icon="REMOVE")
        operator.remove, operator.index = True, number
    column.operator("styletx.edit_folders", text="Add Folder", icon="ADD").remove = False


register, unregister = register_classes_factory((STYLETX_UL_styles, STYLETX_MT_styles))

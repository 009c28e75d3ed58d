# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel in the sidebar of the image editor: paint the picture, preview the frame, compare, play."""

from __future__ import annotations

import bpy

from . import preview
from .mixins import register_classes_factory
from .panels import draw_progress, draw_run, letters
from .properties import state_of
from .style_ops import shown_image
from .style_panel import draw_styles


class STYLETX_PT_image(bpy.types.Panel):
    bl_idname = "STYLETX_PT_image"
    bl_label = "StyleTX"
    bl_space_type = "IMAGE_EDITOR"
    bl_region_type = "UI"
    bl_category = "StyleTX"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.scene is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout, state, image = self.layout, state_of(context.scene), shown_image(context)
        draw_styles(layout, state)
        column = layout.column(align=True)
        column.operator("styletx.preview_frame", icon="RENDER_STILL")
        column.prop(state, "preview_full")
        column.operator("styletx.stylize_image", icon="IMAGE_DATA")
        draw_progress(column)
        draw_run(layout, letters(context))
        if image is not None and image == preview.preview():
            layout.prop(state, "preview_split", slider=True)
        column = layout.column(align=True)
        column.operator("styletx.add_image_style", icon="PINNED")
        column.operator("styletx.play_result", icon="PLAY")


register, unregister = register_classes_factory((STYLETX_PT_image,))

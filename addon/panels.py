# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel in the compositor's sidebar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import bpy.utils.previews

from . import run, wiring
from .preferences import wrapped
from .properties import out_of_date

_previews: Any = None


class STYLETX_PT_main(bpy.types.Panel):
    bl_idname = "STYLETX_PT_main"
    bl_label = "StyleTX"
    bl_space_type = "NODE_EDITOR"
    bl_region_type = "UI"
    bl_category = "StyleTX"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.space_data.tree_type == "CompositorNodeTree" and context.scene is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout, scene = self.layout, context.scene
        state = scene.styletx
        working = run.current
        width = int(context.region.width / (7.5 * context.preferences.system.ui_scale))

        column = layout.column()
        column.enabled = working is None
        icon = _preview(bpy.path.abspath(state.style)) if state.style else 0
        if icon:
            column.template_icon(icon_value=icon, scale=7)
        row = column.row(align=True)
        row.prop(state, "style", text="")
        row.operator_menu_enum("styletx.use_style", "style", text="", icon="PRESET")

        column = layout.column()
        column.enabled = working is None
        column.use_property_split = True
        column.use_property_decorate = False
        column.prop(state, "method")
        column.prop(state, "strength")
        column.prop(state, "stability")
        column.prop(state, "motion")
        column.prop(state, "source")
        if state.source == "SEQUENCE":
            column.prop(state, "sequence")
        column.prop(state, "output")
        column.prop(state, "format")

        column = layout.column(align=True)
        column.scale_y = 1.3
        if working is None:
            column.operator("styletx.stylize_render", icon="RENDER_ANIMATION")
            column.operator("styletx.stylize_frame", icon="RENDER_STILL")
        else:
            column.progress(factor=working.progress, text=f"{working.progress:.0%}")
            column.operator("styletx.cancel", icon="CANCEL")
        _draw_state(layout, scene, width)


def _draw_state(layout: bpy.types.UILayout, scene: bpy.types.Scene, width: int) -> None:
    """What is going on, or came of the last run."""
    shown = run.current or run.last
    if run.current is not None:
        text = run.current.phase
        if run.current.eta:
            text += f", {_duration(run.current.eta)} left"
        wrapped(layout.column(align=True), text, width)
    elif run.last is not None and run.last.state == "FAILED":
        box = layout.box().column(align=True)
        box.alert = True
        wrapped(box, run.last.error, width - 4, icon="ERROR")
    elif run.last is not None and run.last.state == "CANCELLED":
        layout.label(text="Cancelled", icon="INFO")
    if shown is not None and shown.notices:
        box = layout.box().column(align=True)
        for notice in shown.notices:
            wrapped(box, notice, width - 4, icon="INFO")

    state = scene.styletx
    if run.current is None and state.result and wiring.wired(scene):
        box = layout.box().column(align=True)
        why = out_of_date(scene)
        if why:
            box.label(text=f"Out of date: {why}", icon="FILE_REFRESH")
        single = state.result_first == state.result_last
        box.label(text=f"Frame {state.result_first}" if single
                  else f"Frames {state.result_first} to {state.result_last}", icon="CHECKMARK")
        if state.result_error >= 0:
            box.label(text=f"Temporal error {state.result_error:.3f} (alone {state.result_alone_error:.3f})")
        box.operator("styletx.remove", icon="X")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _preview(path: str) -> int:
    """Icon of a picture file; 0 where there is none."""
    if _previews is None or not Path(path).is_file():
        return 0
    if path not in _previews:
        _previews.load(path, path, "IMAGE")
    return int(_previews[path].icon_id)


def register() -> None:
    global _previews
    _previews = bpy.utils.previews.new()
    bpy.utils.register_class(STYLETX_PT_main)


def unregister() -> None:
    global _previews
    bpy.utils.unregister_class(STYLETX_PT_main)
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
        _previews = None

# SPDX-License-Identifier: GPL-3.0-or-later
"""The panels in the sidebars of the compositor and the sequencer, and the entry in the Strip menu."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bpy
import bpy.utils.previews

from . import compat, run, wiring
from .preferences import wrapped
from .properties import out_of_date, state_of

_previews: Any = None


class STYLETX_PT_main(bpy.types.Panel):
    bl_idname = "STYLETX_PT_main"
    bl_label = "StyleTX"
    bl_space_type = "NODE_EDITOR"
    bl_region_type = "UI"
    bl_category = "StyleTX"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        space: Any = context.space_data
        return space.tree_type == "CompositorNodeTree" and context.scene is not None

    def draw(self, context: bpy.types.Context) -> None:
        layout, scene = self.layout, context.scene
        state = state_of(scene)
        working = run.current
        width = letters(context)

        column = draw_settings(layout, state)
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
            draw_progress(column, working)
        draw_run(layout, width)
        _draw_result(layout, scene)


class STYLETX_PT_strips(bpy.types.Panel):
    bl_idname = "STYLETX_PT_strips"
    bl_label = "StyleTX"
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "StyleTX"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        space: Any = context.space_data
        return space.view_type != "PREVIEW" and compat.sequencer_scene(context) is not None

    def draw(self, context: bpy.types.Context) -> None:
        state = state_of(compat.sequencer_scene(context))
        column = draw_settings(self.layout, state)
        column.prop(state, "output")
        column = self.layout.column(align=True)
        column.scale_y = 1.3
        if run.current is None:
            column.operator("styletx.stylize_strips", icon="SEQ_STRIP_DUPLICATE")
        else:
            draw_progress(column, run.current)
        draw_run(self.layout, letters(context))


def draw_strip_menu(self: Any, context: bpy.types.Context) -> None:
    """The entry in the sequencer's Strip menu."""
    self.layout.separator()
    self.layout.operator("styletx.stylize_strips", icon="SEQ_STRIP_DUPLICATE")


def letters(context: bpy.types.Context) -> int:
    """How many letters are about as wide as the region."""
    return int(context.region.width / (7.5 * context.preferences.system.ui_scale))


def draw_settings(layout: bpy.types.UILayout, state: Any) -> bpy.types.UILayout:
    """Style, and how it is painted; returns the column for more settings."""
    column = layout.column()
    column.enabled = run.current is None
    icon = _preview(bpy.path.abspath(state.style)) if state.style else 0
    if icon:
        column.template_icon(icon_value=icon, scale=7)
    row = column.row(align=True)
    row.prop(state, "style", text="")
    row.operator_menu_enum("styletx.use_style", "style", text="", icon="PRESET")

    column = layout.column()
    column.enabled = run.current is None
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(state, "method")
    column.prop(state, "strength")
    column.prop(state, "stability")
    column.prop(state, "motion")
    return column


def draw_progress(column: bpy.types.UILayout, working: run.Run) -> None:
    """How far a run is, and the way to end it."""
    column.progress(factor=working.progress, text=f"{working.progress:.0%}")
    column.operator("styletx.cancel", icon="CANCEL")


def draw_run(layout: bpy.types.UILayout, width: int) -> None:
    """What is going on, or came of the last run."""
    shown = run.current or run.last
    if run.current is not None:
        text = f"{run.current.subject}: {run.current.phase}" if run.current.subject else run.current.phase
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


def _draw_result(layout: bpy.types.UILayout, scene: bpy.types.Scene) -> None:
    """What the compositor shows."""
    state = state_of(scene)
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
    bpy.utils.register_class(STYLETX_PT_strips)
    bpy.types.SEQUENCER_MT_strip.append(draw_strip_menu)


def unregister() -> None:
    global _previews
    bpy.types.SEQUENCER_MT_strip.remove(draw_strip_menu)
    bpy.utils.unregister_class(STYLETX_PT_strips)
    bpy.utils.unregister_class(STYLETX_PT_main)
    if _previews is not None:
        bpy.utils.previews.remove(_previews)
        _previews = None

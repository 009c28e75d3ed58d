# SPDX-License-Identifier: GPL-3.0-or-later
"""The panels in the sidebars of the compositor and the sequencer, and the entry in the Strip menu."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from . import compat, jobs, options, presets, run, texts, wiring
from .mixins import register_classes_factory
from .preferences import wrapped
from .properties import out_of_date, state_of
from .style_panel import draw_styles

if TYPE_CHECKING:
    from bpy.types import Panel as Mixin
else:
    Mixin = object  # mixed into panels; Blender's class has to come once, after them


class Compositor(Mixin):
    """A panel in the compositor's sidebar."""

    bl_space_type = "NODE_EDITOR"
    bl_region_type = "UI"
    bl_category = "StyleTX"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        space: Any = context.space_data
        return space.tree_type == "CompositorNodeTree" and context.scene is not None


class _Sequencer(Mixin):
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "StyleTX"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        space: Any = context.space_data
        return space.view_type != "PREVIEW" and compat.sequencer_scene(context) is not None


class _Main(Mixin):
    """Style, button, how it gets on: all that the first picture takes."""

    bl_label = "StyleTX"

    def draw_header_preset(self, context: bpy.types.Context) -> None:
        presets.draw(self.layout, context)


class STYLETX_PT_main(_Main, Compositor, bpy.types.Panel):
    bl_idname = "STYLETX_PT_main"

    def draw(self, context: bpy.types.Context) -> None:
        layout = self.layout
        draw_styles(layout, state_of(context.scene))
        column = layout.column(align=True)
        column.scale_y = 1.3
        column.operator("styletx.stylize_render", icon="RENDER_ANIMATION")
        column.operator("styletx.stylize_frame", icon="RENDER_STILL")
        column.operator("styletx.preview_frame", icon="IMAGE_DATA")
        draw_progress(column)
        draw_run(layout, letters(context))
        _draw_result(layout, context.scene)


class STYLETX_PT_strips(_Main, _Sequencer, bpy.types.Panel):
    bl_idname = "STYLETX_PT_strips"

    def draw(self, context: bpy.types.Context) -> None:
        draw_styles(self.layout, state_of(compat.sequencer_scene(context)))
        column = self.layout.column(align=True)
        column.scale_y = 1.3
        column.operator("styletx.stylize_strips", icon="SEQ_STRIP_DUPLICATE")
        draw_progress(column)
        draw_run(self.layout, letters(context))


class _Look(Mixin):
    """How it is painted."""

    bl_label = "Look"

    def draw(self, context: bpy.types.Context) -> None:
        column, state = settings_column(self.layout), state_of(compat.shown_scene(context))
        column.prop(state, "method")
        animated = column.column()
        animated.use_property_decorate = True
        animated.prop(state, "strength")
        animated.prop(state, "size")
        column.prop(state, "keep_colors")
        column.prop(state, "stability")
        draw_options(column, state, component=True)


class _Options(Mixin):
    """What the method alone has."""

    bl_label = "Method"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        state = state_of(compat.shown_scene(context))
        column = settings_column(self.layout)
        draw_options(column, state, component=False)
        if not options.known(state.method, component=False):
            column.label(text="This method has no options of its own")


class STYLETX_PT_look(_Look, Compositor, bpy.types.Panel):
    bl_idname = "STYLETX_PT_look"
    bl_parent_id = "STYLETX_PT_main"


class STYLETX_PT_strips_look(_Look, _Sequencer, bpy.types.Panel):
    bl_idname = "STYLETX_PT_strips_look"
    bl_parent_id = "STYLETX_PT_strips"


class STYLETX_PT_options(_Options, Compositor, bpy.types.Panel):
    bl_idname = "STYLETX_PT_options"
    bl_parent_id = "STYLETX_PT_main"


class STYLETX_PT_strips_options(_Options, _Sequencer, bpy.types.Panel):
    bl_idname = "STYLETX_PT_strips_options"
    bl_parent_id = "STYLETX_PT_strips"


class STYLETX_PT_frames(Compositor, bpy.types.Panel):
    """Where frames come from and go to."""

    bl_idname = "STYLETX_PT_frames"
    bl_parent_id = "STYLETX_PT_main"
    bl_label = "Frames"

    def draw(self, context: bpy.types.Context) -> None:
        column, state = settings_column(self.layout), state_of(context.scene)
        column.prop(state, "source")
        if state.source == "SEQUENCE":
            column.prop(state, "sequence")
        elif len(context.scene.view_layers) > 1:
            column.prop_search(state, "view_layer", context.scene, "view_layers")
        column.prop(state, "motion")
        column.prop(state, "output")
        column.prop(state, "format")


class STYLETX_PT_strips_frames(_Sequencer, bpy.types.Panel):
    """Where frames go to."""

    bl_idname = "STYLETX_PT_strips_frames"
    bl_parent_id = "STYLETX_PT_strips"
    bl_label = "Frames"

    def draw(self, context: bpy.types.Context) -> None:
        column, state = settings_column(self.layout), state_of(compat.sequencer_scene(context))
        column.prop(state, "motion")
        column.prop(state, "output")


def draw_strip_menu(self: Any, context: bpy.types.Context) -> None:
    """The entry in the sequencer's Strip menu."""
    self.layout.separator()
    self.layout.operator("styletx.stylize_strips", icon="SEQ_STRIP_DUPLICATE")


def letters(context: bpy.types.Context) -> int:
    """How many letters are about as wide as the region."""
    return int(context.region.width / (7.5 * context.preferences.system.ui_scale))


def settings_column(layout: bpy.types.UILayout) -> bpy.types.UILayout:
    """A column for settings. They may change while StyleTX is at work: a job keeps those it was started with."""
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    return column


def draw_options(column: bpy.types.UILayout, state: Any, component: bool) -> None:
    """The chosen method's component sliders, or its other options."""
    group = getattr(state, options.group_name(state.method), None)
    for option in options.known(state.method, component):
        column.prop(group, option.name, slider=component)


def draw_progress(column: bpy.types.UILayout) -> None:
    """How far the run that works is, and the way to end it; nothing where there is none.

    Below the buttons that start one: they stay where they are, so that a second click on one of them does not cancel,
    nor one on Cancel start anew.
    """
    working = run.current
    if working is not None:
        waiting = texts.label(", {count} waiting", count=len(jobs.queue) - 1) if len(jobs.queue) > 1 else ""
        column.progress(factor=working.progress, text=f"{working.progress:.0%}{waiting}")
        column.operator("styletx.cancel", icon="CANCEL")


def draw_run(layout: bpy.types.UILayout, width: int) -> None:
    """What is going on, or came of the last run."""
    shown = run.current or run.last
    if run.current is not None:
        phase = texts.label(run.current.phase)
        text = f"{run.current.subject}: {phase}" if run.current.subject else phase
        if run.current.seconds is not None:
            text += texts.label(", {seconds:.1f} s a frame", seconds=run.current.seconds)
        if run.current.eta:
            text += texts.label(", {time} left", time=_duration(run.current.eta))
        if run.current.memory is not None:
            text += texts.label(", about {memory:.1f} GB of memory", memory=run.current.memory)
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
            box.label(text=texts.label("Out of date: {why}", why=texts.label(why)), icon="FILE_REFRESH")
        first, last = state.result_first, state.result_last
        single = texts.label("Frame {frame}", frame=first)
        box.label(
            text=single if first == last else texts.label("Frames {first} to {last}", first=first, last=last),
            icon="CHECKMARK",
        )
        if state.result_error >= 0:
            error, alone = state.result_error, state.result_alone_error
            box.label(text=texts.label("Temporal error {error:.3f} (alone {alone:.3f})", error=error, alone=alone))
        box.operator("styletx.play_result", icon="PLAY")
        box.operator("styletx.remove", icon="X")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


_CLASSES = (
    STYLETX_PT_main,
    STYLETX_PT_look,
    STYLETX_PT_options,
    STYLETX_PT_frames,
    STYLETX_PT_strips,
    STYLETX_PT_strips_look,
    STYLETX_PT_strips_options,
    STYLETX_PT_strips_frames,
)

_register_classes, _unregister_classes = register_classes_factory(_CLASSES)


def register() -> None:
    _register_classes()
    bpy.types.SEQUENCER_MT_strip.append(draw_strip_menu)


def unregister() -> None:
    bpy.types.SEQUENCER_MT_strip.remove(draw_strip_menu)
    _unregister_classes()

# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of jobs below the panels in the compositor and the sequencer."""

from __future__ import annotations

from typing import Any

import bpy

from . import jobs, run, texts
from .mixins import PanelMixin, register_classes_factory
from .preferences import wrapped

STATES = {
    "WAITING": ("Waiting", "SORTTIME"),
    "RUNNING": ("Working", "PLAY"),
    "DONE": ("Done", "CHECKMARK"),
    "CANCELLED": ("Cancelled", "X"),
    "FAILED": ("Failed", "ERROR"),
}
"""State of a run -> word and icon."""


class _Jobs(PanelMixin):
    bl_label = "Jobs"
    bl_region_type = "UI"
    bl_category = "StyleTX"
    bl_options = {"DEFAULT_CLOSED"}
    layout: Any

    def draw(self, context: bpy.types.Context) -> None:
        column = self.layout.column(align=True)
        for found in (*jobs.queue, *jobs.ended):
            _draw_run(column, found)
        if len(jobs.queue) > 1:
            column.operator("styletx.cancel_all", icon="CANCEL")
        notes = jobs.listed.get()
        if notes:
            self.layout.label(text="Interrupted")
        for note in notes:
            _draw_note(self.layout.box(), note, int(context.region.width / 8))
        if not (jobs.queue or jobs.ended or notes):
            self.layout.label(text="No jobs yet", icon="INFO")


class STYLETX_PT_jobs(_Jobs, bpy.types.Panel):
    bl_idname = "STYLETX_PT_jobs"
    bl_parent_id = "STYLETX_PT_main"
    bl_space_type = "NODE_EDITOR"


class STYLETX_PT_strips_jobs(_Jobs, bpy.types.Panel):
    bl_idname = "STYLETX_PT_strips_jobs"
    bl_parent_id = "STYLETX_PT_strips"
    bl_space_type = "SEQUENCE_EDITOR"


def _draw_run(layout: Any, found: run.Run) -> None:
    word, icon = STATES[found.state]
    row = layout.row(align=True)
    row.label(text=f"{found.label}: {texts.label(word).lower()}{_pace(found)}", icon=icon)
    row.operator("styletx.copy_log", text="", icon="COPYDOWN").job = found.id
    if found in jobs.queue:
        row.operator("styletx.cancel", text="", icon="CANCEL").job = found.id


def _pace(found: run.Run) -> str:
    """How far and how fast a run is; "" where that is not known."""
    if found.state != "RUNNING":
        return ""
    pace = texts.label(", {seconds:.1f} s a frame", seconds=found.seconds) if found.seconds is not None else ""
    return f", {found.progress:.0%}{pace}"


def _draw_note(layout: Any, note: dict[str, Any], width: int) -> None:
    column = layout.column(align=True)
    wrapped(column, f"{note['label']}, {note.get('progress', 0.0):.0%}", width, icon="PAUSE")
    if note["error"]:
        wrapped(column, note["error"], width)
    row = column.row(align=True)
    if note["blend"] == bpy.data.filepath:
        row.operator("styletx.resume_job", icon="PLAY").job = note["id"]
    else:
        wrapped(column, texts.label("Open {file} to go on", file=note["blend"]), width)
        row = column.row(align=True)
    row.operator("styletx.forget_job", icon="X").job = note["id"]


_CLASSES = (STYLETX_PT_jobs, STYLETX_PT_strips_jobs)

register, unregister = register_classes_factory(_CLASSES)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators on jobs: cancel all, go on with one that was interrupted, forget it, copy a log."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import StringProperty

from . import jobs, run, strip_run, texts
from .mixins import Result, register_classes_factory
from .operators import Paint


class STYLETX_OT_cancel_all(bpy.types.Operator):
    bl_idname = "styletx.cancel_all"
    bl_label = "Cancel All"
    bl_description = "Stop the job that is at work and take those that wait out of the queue"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return bool(jobs.queue)

    def execute(self, context: bpy.types.Context) -> Result:
        jobs.cancel()
        return {"FINISHED"}


class STYLETX_OT_resume_job(Paint, bpy.types.Operator):
    bl_idname = "styletx.resume_job"
    bl_label = "Resume"
    bl_description = "Go on with a job that was interrupted, with the settings it was started with"
    bl_options = {"UNDO"}

    job: StringProperty(  # type: ignore[valid-type]
        name="Job", description="Name of the job; none: the last one that was interrupted", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return bool(jobs.listed.get())

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        if jobs.resumed_just_now():  # clicked twice
            return {"CANCELLED"}
        return super().invoke(context, event) if self._found() else {"CANCELLED"}

    def execute(self, context: bpy.types.Context) -> Result:
        return super().execute(context) if self._found() else {"CANCELLED"}

    def make(self, context: bpy.types.Context) -> run.Run:
        return again(self._note, self._windowed)

    _note: dict[str, Any]

    def _found(self) -> bool:
        """Take the note of the job; reports what is wrong where it cannot go on."""
        notes = [note for note in jobs.interrupted() if not self.job or note["id"] == self.job]
        if not notes:
            self.report({"ERROR"}, "There is no such interrupted job: start it again.")
            return False
        self._note = notes[0]
        if self._note["blend"] != bpy.data.filepath:
            where = self._note["blend"]
            self.report({"ERROR"}, f"The job '{self._note['label']}' is of {where}: open that file to go on with it.")
            return False
        if bpy.data.scenes.get(self._note["scene"]) is None:
            self.report({"ERROR"}, f"The scene '{self._note['scene']}' is gone or was renamed: start again.")
            return False
        return True


class STYLETX_OT_forget_job(bpy.types.Operator):
    bl_idname = "styletx.forget_job"
    bl_label = "Forget"
    bl_description = "Take an interrupted job off the list; its frames stay"

    job: StringProperty(name="Job", description="Name of the job", options={"SKIP_SAVE"})  # type: ignore[valid-type]

    def execute(self, context: bpy.types.Context) -> Result:
        if all(note["id"] != self.job for note in jobs.interrupted()):
            self.report({"ERROR"}, "There is no such interrupted job.")
            return {"CANCELLED"}
        jobs.forget(self.job)
        return {"FINISHED"}


class STYLETX_OT_copy_log(bpy.types.Operator):
    bl_idname = "styletx.copy_log"
    bl_label = "Copy Log"
    bl_description = "Copy all that is known of a job to the clipboard, to paste it into a report of what went wrong"

    job: StringProperty(  # type: ignore[valid-type]
        name="Job", description="Name of the job; none: the one at work, or the last one", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return jobs.find("") is not None

    def execute(self, context: bpy.types.Context) -> Result:
        found = jobs.find(self.job)
        if found is None:
            self.report({"ERROR"}, "There is no such job any more: its log went with it.")
            return {"CANCELLED"}
        context.window_manager.clipboard = found.log_text()
        self.report({"INFO"}, texts.report("The log of '{job}' is in the clipboard", job=found.label))
        return {"FINISHED"}


def again(note: dict[str, Any], windowed: bool) -> run.Run:
    """The run of a note once more, with the settings it had."""
    scene = bpy.data.scenes[note["scene"]]
    made: run.Run
    if note["kind"] == "strips":
        made = strip_run.StripRun(scene, windowed, note["strips"], note["settings"])
    else:
        made = run.Run(scene, note["frame"], windowed, note["settings"])
    made.rendered = note["rendered"]
    made.resumed = True
    return made


_CLASSES = (
    STYLETX_OT_cancel_all,
    STYLETX_OT_resume_job,
    STYLETX_OT_forget_job,
    STYLETX_OT_copy_log,
)

register, unregister = register_classes_factory(_CLASSES)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators: paint the shot or a frame of it, cancel, test the worker, take the result out again."""

from __future__ import annotations

import bpy
from bpy.props import StringProperty

from . import compat, jobs, run, strip_run, strips, wiring
from .mixins import Result, register_classes_factory
from .properties import state_of
from .stepping import Steps, stop_all


class Paint(Steps):
    """An operator that is a run.

    None is registered for Repeat Last, which calls `execute` and would hold the window until all is painted.
    """

    _run: run.Run

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return context.scene is not None

    def frame(self, context: bpy.types.Context) -> int | None:
        """The frame to paint alone."""
        return None

    def make(self, context: bpy.types.Context) -> run.Run:
        """The run, not begun."""
        return run.Run(context.scene, self.frame(context), self._windowed)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        if jobs.clicked_twice(self.make(context)):
            return {"CANCELLED"}
        return super().invoke(context, event)

    def begin(self, context: bpy.types.Context) -> run.Steps:
        self._run = self.make(context)
        return self._run.steps()

    def wants_end(self) -> bool:
        return self._run.cancel_requested

    def end(self) -> Result:
        done = self._run
        for notice in done.notices:
            self.report({"WARNING"}, notice)
        if done.state == "DONE":
            self.report({"INFO"}, done.summary())
            return {"FINISHED"}
        if done.state == "FAILED":
            self.report({"ERROR"}, done.error)
        return {"CANCELLED"}


class STYLETX_OT_stylize_render(Paint, bpy.types.Operator):
    bl_idname = "styletx.stylize_render"
    bl_label = "Stylize Render"
    bl_description = "Render the frame range, paint it in the picture's style, and show the result in the compositor"
    bl_options = {"UNDO"}


class STYLETX_OT_stylize_frame(Paint, bpy.types.Operator):
    bl_idname = "styletx.stylize_frame"
    bl_label = "Stylize Frame"
    bl_description = "Render and paint the current frame alone, and show it in the compositor"
    bl_options = {"UNDO"}

    def frame(self, context: bpy.types.Context) -> int | None:
        return int(context.scene.frame_current)


class STYLETX_OT_stylize_strips(Paint, bpy.types.Operator):
    bl_idname = "styletx.stylize_strips"
    bl_label = "Stylize Strips"
    bl_description = "Paint the selected strips in the picture's style, and add the result as new strips above them"
    bl_options = {"UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not super().poll(context):
            return False
        if not strips.selected(compat.sequencer_scene(context)):
            cls.poll_message_set("Select the strips to paint")
            return False
        return True

    def make(self, context: bpy.types.Context) -> run.Run:
        return strip_run.StripRun(compat.sequencer_scene(context), self._windowed)


class STYLETX_OT_cancel(bpy.types.Operator):
    bl_idname = "styletx.cancel"
    bl_label = "Cancel"
    bl_description = "Stop this job; frames that are done are used again the next time"

    job: StringProperty(  # type: ignore[valid-type]
        name="Job", description="Name of the job; none: the one that is at work", options={"SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return bool(jobs.queue)

    def execute(self, context: bpy.types.Context) -> Result:
        return {"FINISHED"} if jobs.cancel(self.job or jobs.queue[0].id) else {"CANCELLED"}


class STYLETX_OT_test_worker(Steps, bpy.types.Operator):
    bl_idname = "styletx.test_worker"
    bl_label = "Test"
    bl_description = "Start the worker and see what it finds: PyTorch, device, memory"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return run.current is None

    def begin(self, context: bpy.types.Context) -> run.Steps:
        return run.test_steps()

    def end(self) -> Result:
        # the preferences show the rest
        self.report({"ERROR"} if run.test_failed else {"INFO"}, run.tested.partition("\n")[0])
        return {"CANCELLED"} if run.test_failed else {"FINISHED"}


class STYLETX_OT_remove(bpy.types.Operator):
    bl_idname = "styletx.remove"
    bl_label = "Remove from Compositor"
    bl_description = "Take the painted frames out of the compositor; the files stay"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return run.current is None and wiring.wired(context.scene)

    def execute(self, context: bpy.types.Context) -> Result:
        wiring.unwire(context.scene)
        state_of(context.scene).result = ""
        return {"FINISHED"}



_CLASSES = (
    STYLETX_OT_stylize_render,
    STYLETX_OT_stylize_frame,
    STYLETX_OT_stylize_strips,
    STYLETX_OT_cancel,
    STYLETX_OT_test_worker,
    STYLETX_OT_remove,
)

_register_classes, _unregister_classes = register_classes_factory(_CLASSES)


def register() -> None:
    _register_classes()


def unregister() -> None:
    stop_all()
    _unregister_classes()

# SPDX-License-Identifier: GPL-3.0-or-later
"""The operators: paint the shot or a frame of it, cancel, test the worker, take the result out again."""

from __future__ import annotations

import time
from pathlib import Path

import bpy
from bpy.props import EnumProperty

import styletx_core

from . import compat, run, strip_run, strips, wiring

TICK = 0.1
"""Seconds between two steps in a window."""
PAUSE = 0.02
"""Seconds between two steps in the background, where most of them wait for the worker."""


class _Steps:
    """An operator that takes the steps of a generator: by a timer in a window, in a loop in the background."""

    _timer: bpy.types.Timer | None = None
    _running: run.Steps
    _windowed = False

    def begin(self, context: bpy.types.Context) -> run.Steps:
        """The steps to take."""
        raise NotImplementedError

    def end(self) -> set[str]:
        """What the operator returns once all steps are taken."""
        raise NotImplementedError

    def wants_end(self) -> bool:
        """True when the user asked to stop."""
        return False

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        self._windowed = not bpy.app.background
        if not self._windowed:
            return self.execute(context)
        self._running = self.begin(context)
        if self._step():  # what is wrong with the settings is told at once
            return self.end()
        self._timer = context.window_manager.event_timer_add(TICK, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        self._running = self.begin(context)
        try:
            while not self._step():
                time.sleep(PAUSE)
        finally:
            self._running.close()
        return self.end()

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        done = self._step()
        _redraw(context)
        if not done:
            return {"PASS_THROUGH"}
        self._remove_timer(context)
        return self.end()

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator itself: another file is opened, the window closes."""
        self._running.close()
        self._remove_timer(context)

    def _step(self) -> bool:
        """Take a step; True when there are no more."""
        if self.wants_end():
            self._running.close()
            return True
        try:
            next(self._running)
        except StopIteration:
            return True
        return False

    def _remove_timer(self, context: bpy.types.Context) -> None:
        if self._timer is not None:
            context.window_manager.event_timer_remove(self._timer)
            self._timer = None


class _Paint(_Steps):
    _run: run.Run

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if run.current is not None:
            cls.poll_message_set("StyleTX is at work: wait for it, or cancel it")  # type: ignore[attr-defined]
            return False
        return context.scene is not None

    def frame(self, context: bpy.types.Context) -> int | None:
        """The frame to paint alone."""
        return None

    def begin(self, context: bpy.types.Context) -> run.Steps:
        self._run = run.Run(context.scene, self.frame(context), self._windowed)
        return self._run.steps()

    def wants_end(self) -> bool:
        return self._run.cancel_requested

    def end(self) -> set[str]:
        done = self._run
        for notice in done.notices:
            self.report({"WARNING"}, notice)  # type: ignore[attr-defined]
        if done.state == "DONE":
            self.report({"INFO"}, done.summary())  # type: ignore[attr-defined]
            return {"FINISHED"}
        if done.state == "FAILED":
            self.report({"ERROR"}, done.error)  # type: ignore[attr-defined]
        return {"CANCELLED"}


class STYLETX_OT_stylize_render(_Paint, bpy.types.Operator):
    bl_idname = "styletx.stylize_render"
    bl_label = "Stylize Render"
    bl_description = "Render the frame range, paint it in the picture's style, and show the result in the compositor"
    bl_options = {"REGISTER", "UNDO"}


class STYLETX_OT_stylize_frame(_Paint, bpy.types.Operator):
    bl_idname = "styletx.stylize_frame"
    bl_label = "Stylize Frame"
    bl_description = "Render and paint the current frame alone, and show it in the compositor"
    bl_options = {"REGISTER", "UNDO"}

    def frame(self, context: bpy.types.Context) -> int | None:
        return int(context.scene.frame_current)


class STYLETX_OT_stylize_strips(_Paint, bpy.types.Operator):
    bl_idname = "styletx.stylize_strips"
    bl_label = "Stylize Strips"
    bl_description = "Paint the selected strips in the picture's style, and add the result as new strips above them"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        if not super().poll(context):
            return False
        if not strips.selected(compat.sequencer_scene(context)):
            cls.poll_message_set("Select the strips to paint")
            return False
        return True

    def begin(self, context: bpy.types.Context) -> run.Steps:
        self._run = strip_run.StripRun(compat.sequencer_scene(context), self._windowed)
        return self._run.steps()


class STYLETX_OT_cancel(bpy.types.Operator):
    bl_idname = "styletx.cancel"
    bl_label = "Cancel"
    bl_description = "Stop painting; frames that are done are used again the next time"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return run.current is not None

    def execute(self, context: bpy.types.Context) -> set[str]:
        if run.current is not None:
            run.current.cancel_requested = True
        return {"FINISHED"}


class STYLETX_OT_test_worker(_Steps, bpy.types.Operator):
    bl_idname = "styletx.test_worker"
    bl_label = "Test"
    bl_description = "Start the worker and see what it finds: PyTorch, device, memory"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return run.current is None

    def begin(self, context: bpy.types.Context) -> run.Steps:
        return run.test_steps()

    def end(self) -> set[str]:
        self.report({"ERROR"} if run.test_failed else {"INFO"}, run.tested)
        return {"CANCELLED"} if run.test_failed else {"FINISHED"}


class STYLETX_OT_remove(bpy.types.Operator):
    bl_idname = "styletx.remove"
    bl_label = "Remove from Compositor"
    bl_description = "Take the painted frames out of the compositor; the files stay"
    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        return run.current is None and wiring.wired(context.scene)

    def execute(self, context: bpy.types.Context) -> set[str]:
        wiring.unwire(context.scene)
        context.scene.styletx.result = ""
        return {"FINISHED"}


_shipped: list[tuple[str, str, str]] = []


def shipped_styles(self: object = None, context: object = None) -> list[tuple[str, str, str]]:
    """Styles that come with StyleTX, as items of an enumeration (kept: Blender does not keep their texts)."""
    if not _shipped:
        folder = Path(styletx_core.__file__).parent / "assets" / "styles"
        for path in sorted(folder.glob("*.png")):
            _shipped.append((str(path), path.stem.replace("_", " ").title(), "A style that comes with StyleTX"))
    return _shipped


class STYLETX_OT_use_style(bpy.types.Operator):
    bl_idname = "styletx.use_style"
    bl_label = "Style"
    bl_description = "Use a style that comes with StyleTX"
    bl_options = {"REGISTER", "UNDO", "INTERNAL"}

    style: EnumProperty(items=shipped_styles)  # type: ignore[valid-type]

    def execute(self, context: bpy.types.Context) -> set[str]:
        strips_shown = context.area is not None and context.area.type == "SEQUENCE_EDITOR"
        scene = compat.sequencer_scene(context) if strips_shown else context.scene
        scene.styletx.style = self.style
        return {"FINISHED"}


def _redraw(context: bpy.types.Context) -> None:
    """Have the panel drawn again, in whichever windows it is shown."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"NODE_EDITOR", "SEQUENCE_EDITOR", "PREFERENCES"}:
                area.tag_redraw()


_CLASSES = (
    STYLETX_OT_stylize_render,
    STYLETX_OT_stylize_frame,
    STYLETX_OT_stylize_strips,
    STYLETX_OT_cancel,
    STYLETX_OT_test_worker,
    STYLETX_OT_remove,
    STYLETX_OT_use_style,
)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    if run.current is not None:
        run.current.cancel_requested = True
    _shipped.clear()
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)

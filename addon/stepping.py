# SPDX-License-Identifier: GPL-3.0-or-later
"""Operators that work in steps: by a timer in a window, in a loop in the background."""

from __future__ import annotations

import time

import bpy

from .mixins import OperatorMixin, Result
from .run import Steps as Generated

TICK = 0.1
"""Seconds between two steps in a window."""
PAUSE = 0.02
"""Seconds between two steps in the background, where most of them wait for the worker."""
SETTLE = 5 * TICK
"""Seconds for which the timer of an operator goes on that was stopped."""

_modal: list[Steps] = []
"""Operators that a window's timer drives."""


class Steps(OperatorMixin):
    """An operator that takes the steps of a generator: by a timer in a window, in a loop in the background."""

    _timer: bpy.types.Timer | None = None
    _running: Generated
    _windowed = False

    def begin(self, context: bpy.types.Context) -> Generated:
        """The steps to take."""
        raise NotImplementedError

    def end(self) -> Result:
        """What the operator returns once all steps are taken."""
        raise NotImplementedError

    def wants_end(self) -> bool:
        """True when the user asked to stop."""
        return False

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        self._windowed = not bpy.app.background
        if not self._windowed:
            return self.execute(context)
        self._running = self.begin(context)
        if self._step():  # what is wrong with the settings is told at once
            return self.end()
        self._timer = context.window_manager.event_timer_add(TICK, window=context.window)
        context.window_manager.modal_handler_add(self)
        _modal.append(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> Result:
        self._running = self.begin(context)
        try:
            while not self._step():
                time.sleep(PAUSE)
        finally:
            self._running.close()
        return self.end()

    def modal(self, context: bpy.types.Context, event: bpy.types.Event) -> Result:
        if event.type != "TIMER":
            return {"PASS_THROUGH"}
        done = self._step()
        redraw(context)
        if not done:
            return {"PASS_THROUGH"}
        self._remove_timer(context)
        return self.end()

    def cancel(self, context: bpy.types.Context) -> None:
        """Blender ends the operator itself: another file is opened, the window closes."""
        self._running.close()
        self._remove_timer(context)

    def stop(self) -> None:
        """End it from outside. Its class may go right after.

        The window keeps an empty place for it until the next event there, and Blender (seen in 4.3.2) dies where an
        operator is started before that: so its timer goes on for a moment, to make one.
        """
        self._running.close()
        _modal.remove(self)
        timer, self._timer = self._timer, None

        if timer is None:
            return

        def settled() -> None:
            bpy.context.window_manager.event_timer_remove(timer)

        bpy.app.timers.register(settled, first_interval=SETTLE)

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
        if self in _modal:
            _modal.remove(self)


def stop_all() -> None:
    """End every operator that is at work: their classes are about to go."""
    for operator in list(_modal):
        operator.stop()


def redraw(context: bpy.types.Context) -> None:
    """Have the panel drawn again, in whichever windows it is shown."""
    for window in context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in {"NODE_EDITOR", "SEQUENCE_EDITOR", "IMAGE_EDITOR", "PREFERENCES"}:
                area.tag_redraw()

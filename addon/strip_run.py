# SPDX-License-Identifier: GPL-3.0-or-later
"""One press of Stylize Strips, from the check of the selected strips to the painted ones in the sequencer.

Strips are added at the very end, all at once: until then, whatever happens, the sequencer is as it was.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import bpy

from styletx_core import events
from styletx_core.errors import InputError

from . import compat, keyed, library, look, rendering, strip_frames, strip_place, strips
from .properties import state_of
from .run import Run, Steps, painted_in


class StripRun(Run):
    """The state of one run over strips."""

    def __init__(
        self,
        scene: bpy.types.Scene,
        windowed: bool,
        names: list[str] | None = None,
        settings: dict[str, Any] | None = None,
    ) -> None:
        """names: of the strips; None takes those that are selected now. settings: as for every run."""
        super().__init__(scene, None, windowed, settings)
        self.strips = [strip.name for strip in strips.selected(scene)] if names is None else names
        self.painted: list[tuple[strips.Target, events.Finished]] = []

    @property
    def kind(self) -> str:
        return "strips"

    @property
    def label(self) -> str:
        return ", ".join(self.strips)

    def _steps(self) -> Steps:
        targets, notices = strips.gather(self.scene, self.strips)
        self.notices += notices
        library.chosen(state_of(self.scene))
        keyed.check(self.scene, [min(target.first for target in targets), max(target.end for target in targets) - 1])
        if self.windowed and any(
            leaf.type == "SCENE"
            for target in targets
            for leaf in strips.leaves(compat.all_strips(self.scene.sequence_editor)[target.name])
        ):
            rendering.check_images()
        yield from self._start_worker()
        for target in targets:
            frames = [target.first] if target.still else list(range(target.first, target.end))
            yield from self._check_memory(target.size, frames)
        for number, target in enumerate(targets, 1):
            self.subject = target.name if len(targets) == 1 else f"{target.name} ({number} of {len(targets)})"
            if not target.files:
                yield from self._read(target)
            frames = list(range(target.first, target.first + 1 if target.still else target.end))
            numbers = list(range(target.numbers[0], target.numbers[1] + 1))
            painting = yield from look.prepare(self, frames, target.folder, numbers, parts=False)
            job, notices = strips.job(self.scene, target, painting)
            self.notices += notices
            yield from self._paint(job)
            assert self.finished is not None
            self.painted.append((target, self.finished))
        strip_place.place(self.scene, self.painted)
        for target in targets:
            shutil.rmtree(target.folder / "source", ignore_errors=True)  # as large as the result, and soon made again

    def _read(self, target: strips.Target) -> Steps:
        """Write what a strip shows to files."""
        frames = list(range(target.first, target.first + 1 if target.still else target.end))
        try:
            target.source.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputError(f"The folder '{target.source}' cannot be made: {reason}; choose another output.") from None
        began, count = time.monotonic(), 0
        self.phase, self.progress, self.eta = "Reading the strip", 0.0, None
        yield
        arguments: list[Any] = [self.scene.name, target.name, frames[0], frames[-1] + 1, list(target.size),
                                target.linear, target.deep, str(target.source)]  # fmt: skip
        written: Iterator[int]
        if self.windowed:
            written = rendering.beside(strip_frames.write_frames, arguments, frames)
        else:
            written = strip_frames.write_frames(*arguments)
        clock = began
        with closing(written):  # type: ignore[type-var]
            for frame in written:
                if frame >= 0:
                    count += 1
                    self.progress = count / len(frames)
                    self.eta = (time.monotonic() - began) / count * (len(frames) - count)
                if frame < 0 or time.monotonic() - clock > look.STEP:
                    yield
                    clock = time.monotonic()

    def summary(self) -> str:
        """One sentence on a run that is done."""
        frames = sum(done.frames for _, done in self.painted)
        seconds = sum(done.seconds for _, done in self.painted)
        names = ", ".join(target.name for target, _ in self.painted)
        return f"{painted_in(frames, seconds)}: {names}"

# SPDX-License-Identifier: GPL-3.0-or-later
"""The queue of runs, those that have ended, and a note of each on disk, from which it goes on after a restart.

Notes lie in the extension's folder of the user, outside the .blend: a file for each run that is not done. A run that
works, or waits, renews its note again and again; one that has not been renewed for a while belongs to a Blender that
is gone, unless that is known to run: a frame may take it long. The painted frames themselves are beside the .blend: the
engine finds the finished ones and goes on there.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import time
import uuid
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bpy

from styletx_core.errors import StyleTXError
from styletx_core.files import atomic_path

from .looked import Looked

if TYPE_CHECKING:
    from .run import Run

RENEW_SECONDS = 5.0
GONE_SECONDS = 20.0
"""After this long without being renewed a note belongs to a Blender that is gone."""
CLICK_SECONDS = 1.0
"""A button that is pressed again within this was clicked twice by habit."""
KEEP_DAYS = 30.0
ENDED = 10
"""Runs that have ended and are still shown, with their logs."""

queue: list[Run] = []
"""The first one works, the others wait."""
ended: deque[Run] = deque(maxlen=ENDED)


def new_id() -> str:
    """A name for a run that no other has, in no Blender."""
    return uuid.uuid4().hex[:12]


def enter(run: Run) -> None:
    """Stand in line."""
    queue.append(run)
    _tidy()
    for note in interrupted():
        if all(note[key] == value for key, value in _what(run).items()):
            forget(note["id"])  # done again, so nothing is left to go on with
    write(run)


def clicked_twice(run: Run) -> bool:
    """Whether a run stands in line that paints the same in the same way, and has only just begun to.

    Later it may be meant: the scene has been edited since, say.
    """
    return any(
        _just_pressed(other) and not other.cancel_requested
        and other.settings == run.settings and _what(other) == _what(run) and other.label == run.label
        for other in queue
    )  # fmt: skip


def resumed_just_now() -> bool:
    """Whether an interrupted job has only just begun to go on: its button is gone, and the next one in its place."""
    return any(run.resumed and _just_pressed(run) for run in queue)


def _just_pressed(run: Run) -> bool:
    return time.monotonic() - run.pressed < CLICK_SECONDS


def leave(run: Run) -> None:
    """A run is done, or will never be."""
    queue.remove(run)
    ended.appendleft(run)
    if run.state == "DONE" or run.cancel_requested or not run.begun:
        forget(run.id)
    else:
        write(run, over=True)


def find(job: str) -> Run | None:
    """The run of that name, or the one that works, or the last one, where none is named."""
    if not job:
        return queue[0] if queue else (ended[0] if ended else None)
    return next((run for run in (*queue, *ended) if run.id == job), None)


def cancel(job: str = "") -> int:
    """Ask a run to end, or all where none is named; returns how many were asked."""
    chosen = [run for run in queue if not job or run.id == job]
    for run in chosen:
        run.cancel_requested = True
    return len(chosen)


# Notes on disk


def folder() -> Path:
    """Where the notes are."""
    return Path(bpy.utils.extension_path_user(str(__package__), path="jobs", create=True))


def write(run: Run, over: bool = False) -> None:
    """Note a run, or renew its note. over: it does not go on by itself."""
    listed.changed()
    run.renewed = time.monotonic()
    if not run.resumable or not bpy.data.filepath:  # what was never saved is gone after a restart
        return
    note = {
        **_what(run), "id": run.id, "label": run.label, "settings": run.settings, "rendered": run.rendered,
        "progress": round(run.progress, 3),
        "phase": run.phase, "error": run.error, "over": over, "time": time.time(),
        "host": platform.node(), "process": _process(os.getpid()),
    }  # fmt: skip
    # a full disk must not end the work because of a note
    with contextlib.suppress(OSError, StyleTXError, ValueError), atomic_path(folder() / f"{run.id}.json") as temporary:
        temporary.write_text(json.dumps(note), "utf-8")


def _what(run: Run) -> dict[str, Any]:
    """What a run paints."""
    return {"kind": run.kind, "blend": bpy.data.filepath, "scene": run.scene_name, "frame": run.frame,
            "strips": run.strips}  # fmt: skip


def renew(run: Run) -> None:
    """Keep the note of a run fresh."""
    if time.monotonic() - run.renewed > RENEW_SECONDS:
        write(run)


def forget(job: str) -> None:
    """Remove a run's note."""
    listed.changed()
    with contextlib.suppress(OSError, ValueError):
        (folder() / f"{job}.json").unlink(missing_ok=True)


def interrupted() -> list[dict[str, Any]]:
    """Notes of runs that no Blender works on any more, the newest first."""
    found = []
    with contextlib.suppress(OSError, ValueError):
        for path in folder().glob("*.json"):
            note = _read(path)
            if note and all(run.id != note["id"] for run in queue) and (
                note["over"] or (time.time() - note["time"] > GONE_SECONDS and not _works_on(note))
            ):
                found.append(note)
    return sorted(found, key=lambda note: -note["time"])


listed = Looked(interrupted)
"""The same for panels, and for whether a button can be pressed."""


def _works_on(note: dict[str, Any]) -> bool:
    """Whether the Blender that wrote a note is known to run, as another process of this computer."""
    process = note.get("process")
    # on Windows `os.kill` would end it
    if not process or process[0] == os.getpid() or note.get("host") != platform.node() or os.name != "posix":
        return False
    try:
        os.kill(process[0], 0)
    except PermissionError:
        pass  # another user's
    except OSError:
        return False
    return process == _process(process[0])


def _process(pid: int) -> list[int]:
    """A process: its id, and when it began where Linux tells, for ids are used again."""
    began = 0
    with contextlib.suppress(OSError, ValueError, IndexError):
        began = int(Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[19])
    return [pid, began]


def _tidy() -> None:
    """Remove notes that are too old, or none."""
    with contextlib.suppress(OSError, ValueError):
        for path in folder().glob("*.json"):
            if not _read(path):
                path.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any]:
    """A note; {} where it is none, or too old."""
    wanted = {"id", "label", "kind", "blend", "scene", "frame", "strips", "settings", "rendered", "error", "over",
              "time"}  # fmt: skip
    try:
        note = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    if not isinstance(note, dict) or not wanted <= note.keys() or time.time() - note["time"] > KEEP_DAYS * 86400:
        return {}
    return note


def register() -> None:
    pass


def unregister() -> None:
    queue.clear()
    ended.clear()
    listed.changed()

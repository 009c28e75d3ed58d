# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of what can happen to a job in a real window: undo, the scene deleted, another file, switched off, killed.

    python tests/addon/chaos_window_check.py CHROOT PYTHON SHOTS

See window.py. At the end Blender is killed while a job runs; nothing may outlive it.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from window import INSIDE, Steps, Window, start

NODES = "CompositorNodeTree"


def judge(seen: dict[str, Any]) -> dict[str, bool]:
    return {
        "undo undoes": seen.get("undo", {}).get("undone", False),
        "and lets the job go on": seen.get("undo", {}).get("state") == "DONE",
        "a second job waits": seen.get("waiting") == ["RUNNING", "WAITING"],
        "a deleted scene is told": "is gone" in seen.get("deleted", {}).get("error", ""),
        "the job that waited is done": seen.get("deleted", {}).get("second") == "DONE",
        "it may be resumed until it is forgotten": seen.get("failed") == ["Doomed"],
        "another file interrupts": seen.get("loaded") == {"idle": True, "notes": ["Scene"]},
        "and the job goes on": seen.get("resumed", {}).get("state") == "DONE",
        "with the frames it had": seen.get("resumed", {}).get("kept", 0) > 0,
        "the log is in the clipboard": "Painted" in seen.get("clipboard", "") or "frame" in seen.get("clipboard", ""),
        "switching off ends the worker": seen.get("off", {}).get("worker") is False,
        "nothing outlives Blender": "left" in seen and gone(seen["left"], 3),
    }


def gone(processes: list[int], seconds: float) -> bool:
    """Whether they all end in that time."""
    end = time.monotonic() + seconds
    while any(Path(f"/proc/{process}").exists() for process in processes):
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def inside() -> None:
    import bpy

    window = Window()
    common, hand, seen = window.common, window.hand, window.seen

    def press(name: str) -> Steps:
        yield from hand.press(NODES, f"styletx.{name}")
        yield from window.rest(2)

    def call(name: str, **values: Any) -> None:
        """As a button of the closed panel of jobs does."""
        window.call(NODES, getattr(bpy.ops.styletx, name), "INVOKE_DEFAULT", **values)

    def painting() -> Steps:
        yield from window.wait(lambda: window.run is not None and window.run.phase.startswith("Painting frame"))

    def compositor() -> Steps:
        bpy.context.window_manager.windows[0].workspace = bpy.data.workspaces["Compositing"]
        yield from window.rest(15)
        yield from hand.tab(NODES)

    def story() -> Steps:
        yield from compositor()
        jobs = window.module("jobs")

        # undo, back to what was set up in this script, which Blender takes no step of by itself
        window.call(NODES, bpy.ops.ed.undo_push, message="set up")
        stood = bpy.data.objects["Light"].location.x
        bpy.data.objects["Light"].location.x += 1
        window.call(NODES, bpy.ops.ed.undo_push, message="moved")
        yield from press("stylize_render")
        mine = jobs.queue[0]
        yield from painting()
        yield from hand.key("Z", ctrl=True)
        yield from window.idle()
        undone = bpy.data.objects["Light"].location.x == stood
        seen["undo"] = {"state": mine.state, "error": mine.error, "undone": undone}
        yield from window.rest(15)

        # the scene deleted, while another job waits
        doomed = bpy.data.scenes["Scene"].copy()
        doomed.name = "Doomed"
        doomed.frame_end, doomed.render.resolution_percentage = 80, 300  # it takes a while
        bpy.context.window_manager.windows[0].scene = doomed
        yield from window.rest(15)
        yield from hand.find(NODES, "styletx.stylize_frame")  # which takes a while
        yield from press("stylize_render")
        first = jobs.queue[0]
        yield from painting()
        bpy.context.window_manager.windows[0].scene = bpy.data.scenes["Scene"]
        yield from window.rest(15)
        yield from press("stylize_frame")
        second = jobs.queue[1]
        seen["waiting"] = [first.state, second.state]
        yield from window.rest(15)
        yield from window.shot("jobs")
        bpy.data.scenes.remove(bpy.data.scenes["Doomed"])
        yield from window.wait(lambda: not jobs.queue)
        seen["deleted"] = {"state": first.state, "error": first.error, "second": second.state}
        yield from window.rest(15)

        # what failed may be resumed: the scene may come back
        seen["failed"] = [note["label"] for note in jobs.interrupted()]
        call("forget_job", job=first.id)

        # another file, and back
        bpy.data.scenes["Scene"].styletx.strength = 0.7
        yield from press("stylize_render")
        yield from painting()
        bpy.ops.wm.read_homefile(use_factory_startup=False)
        yield from window.rest(15)
        seen["loaded"] = {"idle": window.run is None, "notes": [note["label"] for note in jobs.interrupted()]}
        bpy.ops.wm.open_mainfile(filepath=str(INSIDE / "chaos.blend"))
        yield from compositor()
        call("resume_job")
        yield from window.wait(lambda: window.run is not None)
        yield from window.idle()
        seen["resumed"] = {"state": window.last.state, "error": window.last.error, "kept": window.last.finished.kept}
        call("copy_log")
        yield from window.rest(15)
        seen["clipboard"] = bpy.context.window_manager.clipboard[-300:]

        # switched off while it works
        bpy.context.scene.styletx.strength = 0.6
        yield from press("stylize_render")
        yield from painting()
        pid = window.module("worker_client")._worker._process.pid
        bpy.ops.preferences.addon_disable(module=common.MODULE)
        yield from window.rest(15)
        seen["off"] = {"worker": Path(f"/proc/{pid}").exists()}
        common.enable()
        yield from window.rest(15)

        # killed while it works; what is left is looked at from outside
        bpy.context.scene.styletx.strength = 0.5
        yield from press("stylize_render")
        yield from painting()
        seen["left"] = [window.module("worker_client")._worker._process.pid, os.getpid()]
        (INSIDE / "result.json").write_text(json.dumps(seen))
        os.kill(os.getpid(), signal.SIGKILL)

    made = common.scene(12, (160, 96))
    made.cycles.samples = 1
    bpy.ops.wm.save_as_mainfile(filepath=str(INSIDE / "chaos.blend"))
    window.tell(story())


if __name__ == "__main__":
    start(__file__, inside, judge)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by the Python of a `bpy` module: `leaks.py NAME` switches the extension on and off and looks at what stays."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import bpy

sys.path.insert(0, str(Path(__file__).parent))
from common import MODULE, OUTPUT, enable, finish, scene
from jobs import Pressed, module, notes, painted, until

TIMES = 100


def switch(on: bool) -> None:
    """As the check box in the preferences does."""
    if on:
        enable()
    else:
        bpy.ops.preferences.addon_disable(module=MODULE)


def census() -> dict[str, Any]:
    """Everything an add-on can leave behind in Blender and in its process."""
    gc.collect()
    types = [name for name in dir(bpy.types) if "styletx" in name.lower()]
    properties = [f"{name}.{prop}" for name in dir(bpy.types)
                  for prop in getattr(getattr(bpy.types, name), "bl_rna", None) and
                  getattr(bpy.types, name).bl_rna.properties.keys() or () if "styletx" in prop]  # fmt: skip
    handlers = {name: len(found) for name in dir(bpy.app.handlers)
                if isinstance(found := getattr(bpy.app.handlers, name), list)}  # fmt: skip
    menus = {}
    for name in dir(bpy.types):
        draw = getattr(getattr(bpy.types, name), "draw", None)
        parts = getattr(draw, "_draw_funcs", None)
        if parts is not None:
            menus[name] = [f"{part.__module__}.{part.__name__}" for part in parts if MODULE in part.__module__]
    keys = bpy.context.window_manager.keyconfigs.addon
    classes = [found for found in gc.get_objects() if isinstance(found, type) and found.__module__.startswith(MODULE)]
    return {
        "types": types, "operators": dir(bpy.ops.styletx), "properties": properties, "handlers": handlers,
        "menus": {name: found for name, found in menus.items() if found},
        "keys": sum(len(found.keymap_items) for found in keys.keymaps) if keys else 0,
        "threads": threading.active_count(), "atexit": atexit._ncallbacks(), "children": children(),
        "python classes": len(classes), "files": len(os.listdir("/proc/self/fd")),
        "modules": len([name for name in sys.modules if name.startswith(MODULE)]),
    }  # fmt: skip


def children() -> list[int]:
    """Processes that this one has started and that are still there."""
    found = []
    for path in Path("/proc/self/task").glob("*/children"):
        found += [int(pid) for pid in path.read_text().split()]
    return found


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    return True


def hundred() -> dict[str, Any]:
    """On and off a hundred times, twice with a worker; the check box, which takes a second, at both ends."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    switch(True)
    switch(False)
    found: dict[str, Any] = {"off": census()}
    switch(True)
    found["on"] = census()
    package = sys.modules[MODULE]
    for number in range(TIMES):
        package.unregister()
        package.register()
        if number % 50 == 0:
            found["tested"] = sorted(bpy.ops.styletx.test_worker())
    switch(False)
    found["off then"] = census()
    switch(True)
    found["on then"] = census()
    found["works"] = sorted(bpy.ops.styletx.test_worker())
    return found


def disabled() -> dict[str, Any]:
    """Switched off while one job paints and another waits; on again, everything works."""
    scene(8, (64, 48))
    bpy.ops.wm.save_as_mainfile(filepath=str(OUTPUT / "shot.blend"))
    folder = OUTPUT / "Scene" / "painted"
    pressed, waiting = Pressed("stylize_render"), Pressed("stylize_frame")
    stepping = module("stepping")
    stepping._modal += [pressed.acting, waiting.acting]  # what invoke() does in a window
    until(lambda: len(painted(folder)) >= 2, pressed, waiting)
    pid = module("worker_client")._worker._process.pid
    switch(False)
    end = time.monotonic() + 10
    while lives(pid) and time.monotonic() < end:
        time.sleep(0.05)
    found: dict[str, Any] = {
        "worker": lives(pid), "states": [pressed.run.state, waiting.run.state], "kept": len(painted(folder)),
        "children": children(),
        "left": [made.name for made in bpy.data.scenes if "StyleTX" in made.name],
    }  # fmt: skip
    switch(True)
    found["notes"] = [note["label"] for note in notes()]
    found["resumed"] = sorted(bpy.ops.styletx.resume_job())
    found["kept then"] = module("run").last.finished.kept
    # a worker that does not end in time is killed, and what it was writing is taken away by the next
    found["remains"] = [path.name for path in folder.iterdir() if ".tmp" in path.name]
    return found


if __name__ == "__main__":
    finish(globals()[sys.argv[1]]())

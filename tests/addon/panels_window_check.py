# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of what is closed at first, in a real window: the panels Method, Regions and Jobs, and the preferences.

    python tests/addon/panels_window_check.py CHROOT PYTHON SHOTS

See window.py.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from window import Steps, Window, start

NODES = "CompositorNodeTree"
CLOSED = {"panels": "STYLETX_PT_options", "region_panel": "STYLETX_PT_regions", "job_panel": "STYLETX_PT_jobs"}
"""Modules and the panels in them that are closed until a user opens them."""


def judge(seen: dict[str, Any]) -> dict[str, bool]:
    return {
        "the closed panels draw once they are open": sorted(seen.get("drawn", ())) == sorted(CLOSED.values()),
        "a job works and one waits": seen.get("states") == ["RUNNING", "WAITING"],
        "both end well": seen.get("end") == ["DONE", "DONE"],
        "the preferences say what was found": seen.get("tested", "").startswith("Ready: Python"),
    }


def inside() -> None:
    import bpy

    window = Window()
    common, hand, seen = window.common, window.hand, window.seen
    window.open(6, (640, 360))

    def whole(name: str) -> Steps:
        """A picture of the screen with all of the sidebar on it."""
        view = bpy.context.preferences.view
        view.ui_scale = 0.68
        yield from window.rest(30)
        yield from window.shot(name)
        view.ui_scale = 1.0
        yield from window.rest(10)

    def story() -> Steps:
        scene = bpy.context.scene
        shown = bpy.context.window_manager.windows[0]
        shown.workspace = bpy.data.workspaces["Compositing"]
        yield from window.rest(3)
        common.user_tree(scene)
        window.call(NODES, bpy.ops.screen.screen_full_area)
        yield from window.rest(10)
        # a panel is open or closed by what its class says when a region shows it first
        drawn: set[str] = set()
        for module, name in CLOSED.items():
            panel = getattr(window.module(module), name)
            bpy.utils.unregister_class(panel)
            panel.bl_options = set()
            bpy.utils.register_class(panel)
            panel.append(lambda self, context, name=name: drawn.add(name))
        styles = [item[0] for item in window.module("library").items()]
        scene.styletx.style = styles[0]
        for name, style in (("Cube", styles[1]), ("", styles[2])):
            window.call(NODES, bpy.ops.styletx.add_region, kind="OBJECT" if name else "MATERIAL")
            region = scene.styletx.regions[-1]
            region.style = style
            if name:
                region.object = bpy.data.objects[name]
            else:
                region.material = bpy.data.materials["Material"]
        yield from hand.tab(NODES)
        window.call(NODES, bpy.ops.node.view_all)
        yield from window.rest(40)
        seen["drawn"] = sorted(drawn)
        yield from hand.press(NODES, "styletx.stylize_render")
        yield from window.phase("Rendering frame 2")
        yield from hand.press(NODES, "styletx.stylize_frame")
        yield from window.phase("Rendering frame 3")
        seen["states"] = [run.state for run in window.module("jobs").queue]
        yield from whole("jobs")
        yield from window.wait(lambda: not window.module("jobs").queue)
        seen["end"] = [run.state for run in window.module("jobs").ended]
        seen["errors"] = [run.error for run in window.module("jobs").ended]
        yield from whole("regions")

        bpy.ops.preferences.addon_show(module=common.MODULE)
        yield from window.rest(20)
        window.module("run").tested = ""
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[-1]):
            bpy.ops.styletx.test_worker("INVOKE_DEFAULT")
        yield from window.wait(lambda: window.module("run").tested.startswith("Ready"), 120)
        seen["tested"] = window.module("run").tested
        yield from window.rest(30)
        yield from window.shot("preferences")

    window.tell(story())


if __name__ == "__main__":
    start(__file__, inside, judge)

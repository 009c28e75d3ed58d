# SPDX-License-Identifier: GPL-3.0-or-later
"""The check in a real window, which no `bpy` module can do: panel, timer, redraws, cancel, with EEVEE.

    python tests/addon/window_check.py CHROOT PYTHON SHOTS

See window.py.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from window import Steps, Window, smooth, start

FRAMES = 12
NODES = "CompositorNodeTree"


def judge(seen: dict[str, Any]) -> dict[str, bool]:
    full, broken_off = seen.get("full", {}), [seen.get("cancel rendering", {}), seen.get("cancel painting", {})]
    new = sorted(key for key in full.get("change", ()) if not key.startswith("tree.nodes[StyleTX]"))
    return {
        "the extension is on": seen.get("panel", False),
        "a thumbnail chooses a style": seen.get("chosen") == "stained_glass",
        "a style and a click give the first frame": seen.get("click")
        == {"started": True, "state": "DONE", "painted": True},
        "the button starts the job": full.get("started", False),
        "a double click is one job": full.get("jobs") == 1,
        "the job ends well": full.get("state") == "DONE",
        "the panel is drawn while rendering and painting": min(full.get("draws", {"": 0}).values()) >= 5,
        **smooth(full.get("pace", {})),
        "cancel works while rendering": broken_off[0].get("phase", "").startswith("Rendering"),
        "cancel within a second while rendering": broken_off[0].get("seconds", 9) < 1.0,
        "cancel within a second while painting": broken_off[1].get("seconds", 9) < 1.0,
        "cancelled is told": all(one.get("state") == "CANCELLED" for one in broken_off),
        "the scene is as it was": not any(one.get("change", True) for one in broken_off),
        "only our group is new": new == ["data.images", "data.node_groups", "tree.links"],
    }


def inside() -> None:
    import bpy

    window = Window()
    common, hand, seen = window.common, window.hand, window.seen

    def story() -> Steps:
        made = bpy.context.scene
        window.watch("panels", "STYLETX_PT_main")
        shown = bpy.context.window_manager.windows[0]
        shown.workspace = bpy.data.workspaces["Compositing"]
        yield from window.rest(2)
        common.user_tree(made)
        area = window.area(NODES)
        space = area.spaces.active
        space.show_backdrop = True
        yield from hand.tab(NODES)
        window.call(NODES, bpy.ops.node.view_all)
        space.backdrop_offset = (0.0, 160.0)
        space.backdrop_zoom = 1.3
        area.tag_redraw()
        yield from window.rest()
        seen["panel"] = window.draws.get("idle", 0) > 0
        yield from window.shot("panel")

        # a style and a click are all that the first frame takes
        made.styletx.style = ""
        yield from window.rest()
        yield from hand.thumbnail(NODES, 0)
        seen["chosen"] = Path(made.styletx.style).stem
        yield from hand.press(NODES, "styletx.stylize_frame")
        seen["click"] = {"started": window.run is not None and window.run.frame == made.frame_current}
        yield from window.idle()
        shown = made.styletx.result_path.replace("####", f"{made.frame_current:04d}")
        seen["click"] |= {"state": window.last and window.last.state, "painted": Path(shown).is_file()}
        yield from hand.press(NODES, "styletx.remove")
        yield from window.rest()

        # what Blender makes at its first render is not ours; it also compiles EEVEE's shaders
        common.picture(made, "first", 1, "exr", True)
        yield

        # a frame that takes long, cancelled in its middle
        samples = made.eevee.taa_render_samples
        made.eevee.taa_render_samples = 4096
        before = common.dump(made)
        yield from hand.press(NODES, "styletx.stylize_render")
        yield from window.phase("Rendering", 120)
        until = time.monotonic() + 15
        yield from window.wait(lambda: time.monotonic() > until, 20)
        yield from cancelled("cancel rendering", "Rendering", before)
        made.eevee.taa_render_samples = samples

        # to the end
        before = common.dump(made)
        window.clear()
        yield from hand.press(NODES, "styletx.stylize_render", twice=True)
        yield
        seen["full"] = {"started": window.run is not None, "jobs": len(window.module("jobs").queue)}
        began = time.monotonic()
        yield from window.phase("Rendering frame 4")
        yield from window.shot("rendering")
        yield from window.phase("Painting frame 4")
        yield from window.shot("painting")
        yield from window.idle()
        words = {word: window.draws.get(word, 0) for word in ("Rendering", "Painting")}
        run = window.last
        seen["full"] |= {"state": run.state, "error": run.error, "draws": words, "pace": window.pace(),
                         "seconds": time.monotonic() - began, "notices": run.notices,
                         "change": sorted(common.difference(before, common.dump(made)))}  # fmt: skip
        yield from window.rest(30)
        yield from window.shot("result")

        made.styletx.strength = 0.8
        made.frame_end = 5 * FRAMES  # so that painting is not over when the click is heard
        before = common.dump(made)
        yield from hand.press(NODES, "styletx.stylize_render")
        yield from cancelled("cancel painting", "Painting frame 3", before)

    def cancelled(name: str, beginning: str, before: dict[str, Any]) -> Steps:
        """Click Cancel when the job is in a phase that begins so."""
        made = bpy.context.scene
        place = yield from hand.find(NODES, "styletx.cancel")
        yield from window.phase(beginning)
        phase = window.run.phase
        yield from hand.click(*place)
        yield from window.idle(20)
        seen[name] = {"phase": phase, "seconds": time.monotonic() - hand.released, "state": window.last.state}
        yield from window.rest()
        seen[name]["change"] = sorted(common.difference(before, common.dump(made)))

    window.open(FRAMES, (240, 136), 4)
    window.tell(story())


if __name__ == "__main__":
    start(__file__, inside, judge)

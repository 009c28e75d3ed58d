# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of styles, regions and previews in a real window: thumbnails, a preview, before and after, playback.

    python tests/addon/looks_window_check.py CHROOT PYTHON SHOTS

See window.py.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from window import Steps, Window, smooth, start

NODES, IMAGES = "CompositorNodeTree", "IMAGE_EDITOR"


def judge(seen: dict[str, Any]) -> dict[str, bool]:
    preview = seen.get("preview", {})
    return {
        "the library shows its styles": len(seen.get("library", [])) >= 3,
        "a thumbnail chooses a style": seen.get("chosen", False),
        "the preview is started": preview.get("started", False),
        "the preview ends well": preview.get("state") == "DONE",
        "the preview is shown": preview.get("shown", False),
        **smooth(preview.get("pace", {})),
        "regions are painted": seen.get("regions", {}).get("state") == "DONE",
        "the painted frames play": seen.get("playing") == [True, "SEQUENCE"],
        "they are out of date by an edit, not by playing": seen.get("out of date") == ["", "the scene changed"],
    }


def inside() -> None:
    import bpy

    window = Window()
    common, hand, seen = window.common, window.hand, window.seen
    window.open(4, (320, 180))

    def story() -> Steps:
        scene = bpy.context.scene
        state = scene.styletx
        library = window.module("library")
        window.watch("image_panel", "STYLETX_PT_image")
        shown = bpy.context.window_manager.windows[0]
        shown.workspace = bpy.data.workspaces["Compositing"]
        yield from window.rest(3)
        common.user_tree(scene)
        window.call(NODES, bpy.ops.screen.area_split, direction="VERTICAL", factor=0.35)
        yield from window.rest(3)
        nodes = [area for area in shown.screen.areas if area.ui_type == NODES]
        max(nodes, key=lambda area: area.width).ui_type = IMAGES
        yield from window.rest(10)
        for kind in (NODES, IMAGES):
            yield from hand.tab(kind)
        window.call(NODES, bpy.ops.node.view_all)
        seen["library"] = [item[1] for item in library.items.get()]
        yield from hand.thumbnail(IMAGES, 2)  # behind it come one more of the library, and the scene's own file
        seen["chosen"] = state.style == library.items.get()[1][0]
        yield from window.rest(40)
        yield from window.shot("styles")

        # what a first render makes, and its shaders, are not ours
        common.picture(scene, "first", 1, "exr", True)
        scene.frame_set(2)
        yield
        window.clear()
        yield from hand.press(IMAGES, "styletx.preview_frame")
        seen["preview"] = {"started": window.run is not None}
        yield from window.idle()
        yield from window.rest(10)
        image = window.module("preview").preview()
        editors = [area for one in bpy.context.window_manager.windows for area in one.screen.areas]
        seen["preview"] |= {
            "state": window.last.state, "error": window.last.error, "pace": window.pace(),
            "shown": image is not None and any(getattr(a.spaces.active, "image", None) == image for a in editors),
        }  # fmt: skip
        state.preview_split = 0.5
        yield from window.rest(30)
        window.call(IMAGES, bpy.ops.image.view_all, fit_view=True)
        yield from window.rest(30)
        yield from window.shot("preview")

        window.call(NODES, bpy.ops.styletx.add_region, kind="OBJECT")
        state.regions[0].object = bpy.data.objects["Cube"]
        state.regions[0].style = library.items.get()[0][0]
        yield from hand.press(NODES, "styletx.stylize_render")
        yield from window.idle()
        seen["regions"] = {"state": window.last.state, "error": window.last.error}
        yield from hand.press(IMAGES, "styletx.play_result")
        yield from window.rest(30)
        space = next(a for a in editors if getattr(a.spaces.active, "image", None) is not None).spaces.active
        seen["playing"] = [shown.screen.is_animation_playing, space.image.source]
        yield from window.shot("regions")

        # playing changes nothing; an edit does, while it plays too
        out_of_date = window.module("properties").out_of_date
        seen["out of date"] = [out_of_date(scene)]
        bpy.data.objects["Light"].location.x += 1
        yield from window.rest()
        seen["out of date"].append(out_of_date(scene))

    window.tell(story())


if __name__ == "__main__":
    start(__file__, inside, judge)

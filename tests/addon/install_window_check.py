# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of the way from the zip to the first painted frame in a real window, by mouse and keyboard alone.

    python tests/addon/install_window_check.py CHROOT PYTHON SHOTS

See window.py. Blender begins without the extension. The zip for every Python brings no PyTorch: the worker's Python is
set by `common.enable`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from window import INSIDE, Steps, Window, start

NODES, PREFERENCES = "CompositorNodeTree", "PREFERENCES"


def judge(seen: dict[str, Any]) -> dict[str, bool]:
    return {
        "the extension is not there before": seen.get("before") is False,
        "it is installed and switched on": seen.get("installed", False),
        "no style is chosen in a new scene": seen.get("style") == "",
        "the file is chosen": seen.get("chosen") == str(INSIDE / "style.png"),
        "one file choice and one click": seen.get("clicked")
        == ["buttons.file_browse", "file.execute", "styletx.stylize_frame"],
        "the frame is painted": seen.get("state") == "DONE",
        "the editor's backdrop shows it": seen.get("difference", 1.0) < 0.01,
    }


def inside() -> None:
    import bpy

    window = Window()
    common, hand, seen = window.common, window.hand, window.seen

    def story() -> Steps:
        preferences = bpy.context.preferences
        seen["before"] = common.MODULE in preferences.addons
        yield from hand.move(700, 500)
        yield from hand.key("COMMA", ctrl=True)
        yield from window.rest()
        _, bar = hand.region(PREFERENCES, "NAVIGATION_BAR")
        top = bar.y + bar.height
        yield from hand.until(
            lambda: preferences.active_section == "EXTENSIONS", bar.x + bar.width // 2, range(top - 20, bar.y, -20)
        )
        yield from window.rest()
        _, page = hand.region(PREFERENCES, "WINDOW")
        yield from hand.click(page.x + page.width - 17, page.y + page.height - 18, "menu")
        yield from window.rest()
        yield from hand.key("F", "f")  # the letter that is underlined in Install from Disk
        (package,) = INSIDE.glob("styletx-*.zip")
        yield from hand.file(package)
        yield from window.shot("install")
        yield from hand.accept()
        yield from window.wait(lambda: common.MODULE in preferences.addons, 60)
        yield from window.rest()
        seen["installed"] = hasattr(bpy.types, "STYLETX_PT_main")
        # what is above the window's edge is the window manager's
        with bpy.context.temp_override(window=hand.window):
            bpy.ops.wm.window_close()
        common.enable()

        # a new scene, but small, with the tab of StyleTX in the compositor open
        scene = bpy.context.scene
        scene.render.resolution_percentage = 20
        scene.eevee.taa_render_samples = 4
        bpy.context.window_manager.windows[0].workspace = bpy.data.workspaces["Compositing"]
        yield from window.rest()
        yield from hand.tab(NODES)
        seen["style"] = scene.styletx.style
        yield from window.shot("new")
        done = len(hand.clicked)
        yield from hand.press(NODES, "buttons.file_browse", beside="styletx.style")
        yield from hand.file(INSIDE / "style.png")
        yield from window.shot("file")
        yield from hand.accept()
        yield from hand.press(NODES, "styletx.stylize_frame")
        seen["clicked"], seen["chosen"] = hand.clicked[done:], scene.styletx.style
        yield from window.wait(lambda: window.run is not None, 10)
        yield from window.idle()
        seen["state"], seen["error"] = window.last.state, window.last.error
        yield from window.rest(60)
        yield from window.shot("first")
        seen["difference"] = difference(scene)

    def difference(scene: Any) -> float:
        """Between the painted file and what the compositor's viewer shows."""
        import numpy as np

        path = scene.styletx.result_path.replace("####", f"{scene.frame_current:04d}")
        pixels = []
        for image in (bpy.data.images.load(path), bpy.data.images["Viewer Node"]):
            values = np.empty(image.size[0] * image.size[1] * image.channels, np.float32)
            image.pixels.foreach_get(values)
            pixels.append(values.reshape(image.size[1], image.size[0], -1)[..., :3])
        return float(np.abs(pixels[0] - pixels[1]).max()) if pixels[0].shape == pixels[1].shape else 1.0

    window.tell(story())


if __name__ == "__main__":
    start(__file__, inside, judge, install=False)

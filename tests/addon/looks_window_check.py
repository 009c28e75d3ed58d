# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of styles, regions and previews in a real window: thumbnails, a preview, before and after, playback.

    python tests/addon/looks_window_check.py CHROOT PYTHON SHOTS

As window_check.py, which it builds on.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from window_check import INSIDE, outside


def judge(seen: dict[str, Any]) -> int:
    """1 where something is not as it should be."""
    if not seen:
        return 1
    checks = {
        "no step raised": not seen.get("trace"),
        "the library shows its styles": len(seen.get("library", [])) >= 3,
        "a thumbnail chooses a style": seen.get("chosen"),
        "the preview is started": seen.get("preview", {}).get("started"),
        "the preview ends well": seen.get("preview", {}).get("state") == "DONE",
        "the preview is shown": seen.get("preview", {}).get("shown"),
        "the interface never stands still for long": seen.get("preview", {}).get("longest", 9) < 2.0,
        "regions are painted": seen.get("regions", {}).get("state") == "DONE",
        "the painted frames play": seen.get("playing") == [True, "SEQUENCE"],
    }
    for name, right in checks.items():
        print("ok  " if right else "FAIL", name)
    return 0 if all(checks.values()) else 1


def inside() -> None:
    import bpy

    sys.path.insert(0, str(INSIDE))
    import common

    made = common.scene(4, (320, 180))
    made.render.engine = "BLENDER_EEVEE_NEXT"
    made.render.film_transparent = False
    made.eevee.taa_render_samples = 8
    bpy.context.preferences.view.show_splash = False
    run = sys.modules[common.MODULE + ".run"]
    library = sys.modules[common.MODULE + ".library"]
    seen: dict[str, Any] = {"version": bpy.app.version_string}
    longest = [0.0]

    def wait(condition: Callable[[], Any], seconds: float) -> Generator[None, None, None]:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"waited {seconds} s in vain, {run.last and (run.last.phase, run.last.error)}")
            yield

    def rest(ticks: int) -> Generator[None, None, None]:
        for _ in range(ticks):
            yield

    def shot(name: str) -> Generator[None, None, None]:
        process = subprocess.Popen(["grim", str(INSIDE / f"{name}.shot.png")])
        yield from wait(lambda: process.poll() is not None, 30)

    def area_of(kind: str) -> Any:
        return next(a for a in bpy.context.window_manager.windows[0].screen.areas if a.ui_type == kind)

    def press(editor: str, operator: Any, *how: Any, **words: Any) -> Any:
        area = area_of(editor)
        region = next(region for region in area.regions if region.type == "WINDOW")
        with bpy.context.temp_override(window=bpy.context.window_manager.windows[0], area=area, region=region):
            return operator(*how, **words)

    def story() -> Generator[None, None, None]:
        scene = bpy.context.scene
        state = scene.styletx
        window = bpy.context.window_manager.windows[0]
        window.workspace = bpy.data.workspaces["Compositing"]
        yield from rest(3)
        common.user_tree(scene)
        with bpy.context.temp_override(window=window, area=area_of("CompositorNodeTree")):
            bpy.ops.screen.area_split(direction="VERTICAL", factor=0.5)
        yield from rest(3)
        nodes = [area for area in window.screen.areas if area.ui_type == "CompositorNodeTree"]
        nodes[-1].ui_type = "IMAGE_EDITOR"
        for kind in ("CompositorNodeTree", "IMAGE_EDITOR"):
            for area in [area for area in window.screen.areas if area.ui_type == kind]:
                area.spaces.active.show_region_ui = True
        yield from rest(10)
        for area in window.screen.areas:
            for region in area.regions:
                if region.type == "UI" and area.ui_type in ("CompositorNodeTree", "IMAGE_EDITOR"):
                    region.active_panel_category = "StyleTX"
        seen["library"] = [item[1] for item in library.items()]
        state.library = library.items()[1][0]
        seen["chosen"] = state.style == library.items()[1][0]
        yield from rest(40)
        yield from shot("styles")

        # what a first render makes, and its shaders, are not ours
        common.picture(scene, "first", 1, "exr", True)
        scene.frame_set(2)
        yield
        longest[0] = 0.0
        press("IMAGE_EDITOR", bpy.ops.styletx.preview_frame, "INVOKE_DEFAULT")
        yield
        seen["preview"] = {"started": run.current is not None}
        yield from wait(lambda: run.current is None, 300)
        yield from rest(10)
        image = sys.modules[common.MODULE + ".preview"].preview()
        editors = [area for window in bpy.context.window_manager.windows for area in window.screen.areas]
        seen["preview"] |= {
            "state": run.last.state, "error": run.last.error, "longest": longest[0],
            "shown": image is not None and any(getattr(a.spaces.active, "image", None) == image for a in editors),
        }  # fmt: skip
        state.preview_split = 0.5
        yield from rest(30)
        press("IMAGE_EDITOR", bpy.ops.image.view_all, fit_view=True)
        yield from rest(30)
        yield from shot("preview")

        press("CompositorNodeTree", bpy.ops.styletx.add_region, kind="OBJECT")
        state.regions[0].object = bpy.data.objects["Cube"]
        state.regions[0].style = library.items()[0][0]
        press("CompositorNodeTree", bpy.ops.styletx.stylize_render, "INVOKE_DEFAULT")
        yield
        yield from wait(lambda: run.current is None, 300)
        seen["regions"] = {"state": run.last.state, "error": run.last.error}
        press("IMAGE_EDITOR", bpy.ops.styletx.play_result)
        yield from rest(30)
        space = next(a for a in editors if getattr(a.spaces.active, "image", None) is not None).spaces.active
        seen["playing"] = [window.screen.is_animation_playing, space.image.source]
        yield from shot("regions")

    steps = story()
    last = [time.monotonic()]

    def tick() -> float | None:
        (INSIDE / "so_far.json").write_text(json.dumps([seen, run.current and run.current.phase]))
        now = time.monotonic()
        longest[0] = max(longest[0], now - last[0])
        last[0] = now
        try:
            next(steps)
            return 0.03
        except StopIteration:
            pass
        except BaseException:
            import traceback

            seen["trace"] = traceback.format_exc()
        common.finish(seen)
        return None

    bpy.app.timers.register(tick, first_interval=2.0, persistent=True)


if __name__ == "__main__":
    if "bpy" in sys.modules:
        inside()
    else:
        places = [Path(argument) for argument in sys.argv[1:4]]
        raise SystemExit(judge(outside(places[0], places[1], places[2], Path(__file__))))

# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of the sequencer in a real window: panel, a strip painted, undone, another one cancelled.

    python tests/addon/strips_window_check.py CHROOT PYTHON SHOTS

As window_check.py, which it builds on; the movie is made here, by the Python that runs this.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from window_check import INSIDE, outside


def movie(folder: Path) -> Path:
    """48 frames of 320x180 that pan over a picture, as H.264."""
    import av
    import cv2
    import numpy as np

    root = Path(__file__).resolve().parents[2]
    picture = cv2.imread(str(root / "styletx_core" / "assets" / "sample" / "shot_0001.png"))
    picture = cv2.resize(picture, (480, 270), interpolation=cv2.INTER_AREA)[..., ::-1]
    path = folder / "clip.mp4"
    with av.open(str(path), "w") as file:
        video: Any = file.add_stream("libx264", rate=24)
        video.width, video.height, video.pix_fmt = 320, 180, "yuv420p"
        for number in range(48):
            view = picture[number : number + 180, 3 * number : 3 * number + 320]
            file.mux(video.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(view), "rgb24")))
        file.mux(video.encode())
    return path


def judge(seen: dict[str, Any]) -> int:
    """1 where something is not as it should be."""
    if not seen:
        return 1
    full, cancel = seen.get("full", {}), seen.get("cancel", {})
    checks = {
        "no step raised": not seen.get("trace"),
        "the panel is there": seen.get("panel"),
        "the menu has the entry": seen.get("menu"),
        "the button starts the job": full.get("started"),
        "the job ends well": full.get("state") == "DONE",
        "the panel is drawn while reading and painting": min(full.get("draws", {"": 0}).values()) >= 3,
        "the interface never stands still for long": full.get("longest", 9) < 2.0,
        "the painted strip lies above, the original is muted": full.get("strips") == [
            ["clip", 1, True, 11, 41], ["clip StyleTX", 2, False, 11, 41]],
        "undo takes it back": seen.get("undone") == [["clip", 1, False, 11, 41]],
        "cancel within a second": cancel.get("seconds", 9) < 1.0 and cancel.get("state") == "CANCELLED",
        "cancel leaves the strips alone": cancel.get("strips") == seen.get("undone"),
    }  # fmt: skip
    for name, right in checks.items():
        print("ok  " if right else "FAIL", name)
    return 0 if all(checks.values()) else 1


def inside() -> None:
    import bpy

    sys.path.insert(0, str(INSIDE))
    import common

    made = common.scene(60, (320, 180))
    made.styletx.output = str(common.OUTPUT / "strips")
    made.view_settings.view_transform = "Standard"
    made.name = "Edit"
    bpy.context.preferences.view.show_splash = False
    run = sys.modules[common.MODULE + ".run"]
    panels = sys.modules[common.MODULE + ".panels"]
    seen: dict[str, Any] = {"version": bpy.app.version_string}
    draws: dict[str, int] = {}
    longest = [0.0]
    drawn = panels.STYLETX_PT_strips.draw

    def counted(self: Any, context: Any) -> None:
        word = run.current.phase.split()[0] if run.current is not None else "idle"
        draws[word] = draws.get(word, 0) + 1
        drawn(self, context)

    def wait(condition: Callable[[], Any], seconds: float) -> Generator[None, None, None]:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"waited {seconds} s in vain, {run.last and (run.last.phase, run.last.error)}")
            yield

    def shot(name: str) -> Generator[None, None, None]:
        process = subprocess.Popen(["grim", str(INSIDE / f"{name}.shot.png")])
        yield from wait(lambda: process.poll() is not None, 30)

    def editor() -> tuple[Any, Any, Any]:
        window = bpy.context.window_manager.windows[0]
        area = next(area for area in window.screen.areas if area.type == "SEQUENCE_EDITOR")
        return window, area, next(region for region in area.regions if region.type == "WINDOW")

    def press(operator: Any, *how: Any) -> Any:
        window, area, region = editor()
        with bpy.context.temp_override(window=window, area=area, region=region):
            return operator(*how)

    def strips() -> list[list[Any]]:
        editing = bpy.data.scenes["Edit"].sequence_editor
        return [[s.name, s.channel, s.mute, s.frame_final_start, s.frame_final_end] for s in editing.sequences_all]

    def story() -> Generator[None, None, None]:
        scene = bpy.data.scenes["Edit"]
        bpy.utils.unregister_class(panels.STYLETX_PT_strips)
        panels.STYLETX_PT_strips.draw = counted
        bpy.utils.register_class(panels.STYLETX_PT_strips)
        window = bpy.context.window_manager.windows[0]
        area = max(window.screen.areas, key=lambda area: area.width * area.height)
        area.ui_type = "SEQUENCE_EDITOR"
        yield
        area.spaces.active.view_type = "SEQUENCER_PREVIEW"
        area.spaces.active.show_region_ui = True
        yield
        strip = scene.sequence_editor_create().sequences.new_movie("clip", str(INSIDE / "clip.mp4"), 1, 1)
        strip.frame_offset_start, strip.frame_offset_end = 10, 8
        scene.frame_set(24)
        for _ in range(10):
            yield
        for region in area.regions:
            if region.type == "UI":
                region.active_panel_category = "StyleTX"
        press(bpy.ops.sequencer.view_all)
        for _ in range(20):
            yield
        seen["panel"] = draws.get("idle", 0) > 0
        menu = bpy.types.SEQUENCER_MT_strip
        seen["menu"] = panels.draw_strip_menu in menu._dyn_ui_initialize()
        yield from shot("strips_panel")

        press(bpy.ops.ed.undo_push)
        draws.clear()
        longest[0] = 0.0
        began = time.monotonic()
        press(bpy.ops.styletx.stylize_strips, "INVOKE_DEFAULT", True)
        yield
        seen["full"] = {"started": run.current is not None}
        yield from wait(lambda: run.current is None or run.current.phase.startswith("Painting frame 2"), 300)
        yield from shot("strips_painting")
        yield from wait(lambda: run.current is None, 300)
        words = {word: count for word, count in draws.items() if word in ("Reading", "Painting")}
        seen["full"] |= {"state": run.last.state, "error": run.last.error, "draws": words, "longest": longest[0],
                         "seconds": time.monotonic() - began, "notices": run.last.notices, "strips": strips()}
        for _ in range(30):
            yield
        yield from shot("strips_result")
        press(bpy.ops.ed.undo)
        for _ in range(10):
            yield
        seen["undone"] = strips()

        bpy.data.scenes["Edit"].styletx.strength = 0.8
        press(bpy.ops.styletx.stylize_strips, "INVOKE_DEFAULT", True)
        yield from wait(lambda: run.current is None or run.current.phase.startswith("Painting frame 1"), 300)
        pressed = time.monotonic()
        press(bpy.ops.styletx.cancel)
        yield from wait(lambda: run.current is None, 20)
        seen["cancel"] = {"seconds": time.monotonic() - pressed, "state": run.last.state, "strips": strips()}

    steps = story()
    last = [time.monotonic()]

    def tick() -> float | None:
        (INSIDE / "so_far.json").write_text(json.dumps([seen, draws, run.current and run.current.phase]))
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
        with tempfile.TemporaryDirectory() as name:
            clip = movie(Path(name))
            places = [Path(argument) for argument in sys.argv[1:4]]
            raise SystemExit(judge(outside(places[0], places[1], places[2], Path(__file__), (clip,))))

# SPDX-License-Identifier: GPL-3.0-or-later
"""The check of the sequencer in a real window: panel, a strip painted, undone, another one cancelled.

    python tests/addon/strips_window_check.py CHROOT PYTHON SHOTS

See window.py. The movie is made here, by the Python that runs this.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from window import INSIDE, Steps, Window, smooth, start

SEQUENCER = "SEQUENCE_EDITOR"


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


def judge(seen: dict[str, Any]) -> dict[str, bool]:
    full, cancel = seen.get("full", {}), seen.get("cancel", {})
    return {
        "the panel is there": seen.get("panel", False),
        "the menu has the entry": seen.get("menu", False),
        "the button starts the job": full.get("started", False),
        "the job ends well": full.get("state") == "DONE",
        "the panel is drawn while reading and painting": min(full.get("draws", {"": 0}).values()) >= 3,
        **smooth(full.get("pace", {})),
        "the painted strip lies above, the original is muted": full.get("strips") == [
            ["clip", 1, True, 11, 41], ["clip StyleTX", 2, False, 11, 41]],
        "undo takes it back": seen.get("undone") == [["clip", 1, False, 11, 41]],
        "cancel within a second": cancel.get("seconds", 9) < 1.0 and cancel.get("state") == "CANCELLED",
        "cancel leaves the strips alone": cancel.get("strips") == seen.get("undone"),
    }  # fmt: skip


def inside() -> None:
    import bpy

    window = Window()
    common, hand, seen = window.common, window.hand, window.seen
    made = common.scene(60, (320, 180))
    made.styletx.output = str(common.OUTPUT / "strips")
    made.view_settings.view_transform = "Standard"
    made.name = "Edit"

    def strips() -> list[list[Any]]:
        editing = bpy.data.scenes["Edit"].sequence_editor
        return [[s.name, s.channel, s.mute, s.frame_final_start, s.frame_final_end] for s in editing.sequences_all]

    def story() -> Steps:
        scene = bpy.data.scenes["Edit"]
        window.watch("panels", "STYLETX_PT_strips")
        area = max(bpy.context.window_manager.windows[0].screen.areas, key=lambda area: area.width * area.height)
        area.ui_type = "SEQUENCE_EDITOR"
        yield
        area.spaces.active.view_type = "SEQUENCER_PREVIEW"
        yield
        strip = scene.sequence_editor_create().sequences.new_movie("clip", str(INSIDE / "clip.mp4"), 1, 1)
        strip.frame_offset_start, strip.frame_offset_end = 10, 8
        scene.frame_set(24)
        yield from window.rest(10)
        yield from hand.tab(SEQUENCER)
        window.call(SEQUENCER, bpy.ops.sequencer.view_all)
        yield from window.rest()
        seen["panel"] = window.draws.get("idle", 0) > 0
        menu = bpy.types.SEQUENCER_MT_strip
        seen["menu"] = window.module("panels").draw_strip_menu in menu._dyn_ui_initialize()
        yield from window.shot("strips_panel")

        window.call(SEQUENCER, bpy.ops.ed.undo_push)
        window.clear()
        began = time.monotonic()
        yield from hand.press(SEQUENCER, "styletx.stylize_strips")
        seen["full"] = {"started": window.run is not None}
        yield from window.phase("Painting frame 2")
        yield from window.shot("strips_painting")
        yield from window.idle()
        words = {word: window.draws.get(word, 0) for word in ("Reading", "Painting")}
        run = window.last
        seen["full"] |= {"state": run.state, "error": run.error, "draws": words, "pace": window.pace(),
                         "seconds": time.monotonic() - began, "notices": run.notices, "strips": strips()}  # fmt: skip
        yield from window.rest(30)
        yield from window.shot("strips_result")
        _, timeline = hand.region(SEQUENCER, "WINDOW")
        yield from hand.move(timeline.x + timeline.width // 2, timeline.y + timeline.height // 2)
        yield from hand.key("Z", ctrl=True)
        yield from window.rest(10)
        seen["undone"] = strips()

        bpy.data.scenes["Edit"].styletx.strength = 0.8
        yield from hand.press(SEQUENCER, "styletx.stylize_strips")
        place = yield from hand.find(SEQUENCER, "styletx.cancel")
        yield from window.phase("Painting frame 1")
        yield from hand.click(*place)
        yield from window.idle(20)
        seen["cancel"] = {"seconds": time.monotonic() - hand.released, "state": window.last.state, "strips": strips()}

    window.tell(story())


if __name__ == "__main__":
    start(__file__, inside, judge, movie)

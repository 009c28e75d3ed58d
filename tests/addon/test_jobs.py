# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs: in line, interrupted, resumed, and what can happen to them while they run (inside/jobs.py, inside/leaks.py)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from blenders import Blender

pytestmark = pytest.mark.once
INSIDE = Path(__file__).parent / "inside"
JOBS, LEAKS = INSIDE / "jobs.py", INSIDE / "leaks.py"


def test_a_second_job_waits_for_its_turn(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("queue", tmp_path, JOBS)
    assert seen["states"] == ["RUNNING", "WAITING", "WAITING"] and seen["phases"] == ["Waiting", "Waiting"]
    assert sorted(seen["notes"]) == ["Other", "Other, frame 1", "Scene"] and seen["interrupted"] == []
    assert [press for press, again in seen["twice"].items() if again] == ["the same"] and len(seen["twice"]) == 6
    assert seen["cancel"] == ["FINISHED"] and seen["after cancel"] == ["RUNNING", "WAITING", "CANCELLED"]
    for end in seen["end"]:
        assert end["state"] == "DONE" and "Painted 4 frames" in end["reports"][-1]
    assert seen["strengths"] == [1.0, 0.5], "each job has the settings it was pressed with"
    assert seen["out of date"] == "settings changed"
    assert seen["seconds"] > 0
    assert seen["left"] == [0, [], True]
    assert seen["cancel all"] == ["CANCELLED"] * 3 and seen["left after all"] == [0, []]
    assert seen["copied"] == ["FINISHED"]
    for word in ("StyleTX 0", "Blender", '"strength": 1.0', "PyTorch", '"event": "frame"', "Done"):
        assert word in seen["log"], word


def test_a_job_goes_on_after_blender_died(blender: Blender, tmp_path: Path) -> None:
    before = blender.run("killed", tmp_path, JOBS)
    (tmp_path / "result.json").unlink()
    seen = blender.run("resumed", tmp_path, JOBS)
    assert not Path(f"/proc/{before['worker']}").exists(), "the worker dies with Blender"
    assert seen["running"] == [0, 1, 1], "a Blender that renders a frame for long is not gone"
    assert seen["interrupted"] == [{"label": "Scene", "kind": "render", "frame": None, "over": False}]
    assert "open that file" in seen["other file"] and "shot.blend" in seen["other file"]
    assert seen["result"] == ["FINISHED"] and len(seen["after"]) == 10 == seen["wired"]
    assert set(before["painted"]) <= set(seen["before"]) and seen["kept"] >= len(before["painted"]) >= 3
    assert abs(seen["strength"] - 0.8) < 1e-6, "the settings of the job, not of the file"
    assert seen["notes"] == []


def test_what_cannot_fit_is_told_before_the_work(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("too_large", tmp_path, JOBS)
    assert seen["state"] == "FAILED" and seen["rendered"] == 0
    for word in ("30000x30000", "adain_reconet", "GB", "lower the resolution"):
        assert word in seen["error"], seen["error"]
    assert seen["smaller"] == ["FINISHED"]


def test_small_strokes_that_cannot_fit_are_told_before_the_work(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("strokes", tmp_path, JOBS)
    assert seen["keyed"]["state"] == "FAILED" and seen["rendered"] == 0
    for word in ("960x540", "Stroke Size 0.25", "raise Stroke Size"):
        assert word in seen["keyed"]["error"], seen["keyed"]["error"]
    assert seen["own"]["error"] == "" and "Stroke Size" not in seen["own"]["log"]
    assert seen["own"]["memory"] < seen["memory"] < seen["keyed"]["memory"]


def test_drawing_does_not_look_at_the_disk_each_time(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("redrawn", tmp_path, JOBS)
    assert seen["looks"] == [{"jobs": 1, "library": 1}, {"jobs": 2, "library": 2}]
    assert seen["added"], "what was just added is there at once"


def test_painted_pixels_in_no_file_are_told_before_the_work(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("unsaved", tmp_path, JOBS)
    assert seen.pop("dirty")
    for name in ("in an editor", "no window", "packed"):
        assert seen.pop(name) == ["RUNNING", ""], name
    assert len(seen) == 4
    for name, (state, error) in seen.items():
        assert state == "FAILED" and "Save or pack the image 'Poster' first" in error and "\n" not in error, name


def test_the_command_does_what_the_buttons_do(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("command", tmp_path, JOBS)
    for option, (code, error) in seen["bad"].items():
        word = "Nowhere" if option == "--view-layer" else option
        assert code == 2 and word in error and error.count("\n") == 1, (option, error)
    for name in ("render", "resume", "strips"):
        assert seen[name][0] == 0, (name, seen[name])
    settings = seen["settings"]
    assert settings["size"] == 0.5 and settings["keep_colors"] == "luminance" and settings["strength"] == 0.75
    assert seen["chosen"] == ["ORIGINAL", True]
    assert seen["resumed"] == 0.5 and seen["nothing"][0] == 2 and "interrupted" in seen["nothing"][1]
    assert seen["names"] == ["clip", "clip StyleTX"]
    assert seen["no strip"][0] == 2 and "'gone'" in seen["no strip"][1]


@pytest.fixture(scope="module")
def chaos(blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return blender.run("chaos", tmp_path_factory.mktemp("chaos"), JOBS)


FAILURES = {
    "scene_deleted": ("Doomed", 2),
    "strip_deleted": ("clip", 6),
    "strip_trimmed": ("trimmed", 6),
    "strip_moved": ("moved", 6),
    "disk_full_painting": ("space", 2),
    "disk_full_rendering": ("make room", 2),
    "worker_killed": ("killed", 2),
    "style_removed": ("style.png", 1),
    "output_is_a_file": ("Not a directory", 1),
    "output_taken_away": ("cannot be written", 2),
}
"""What goes wrong -> a word of the sentence, how much of the work is kept at least."""


def test_what_goes_wrong_is_told_in_a_sentence(chaos: Any) -> None:
    for name, (word, kept) in FAILURES.items():
        seen = chaos[name]
        assert seen["state"] == "FAILED" and word in seen["error"], (name, seen["error"])
        assert seen["reports"][-1] == seen["error"], name
        assert "\n" not in seen["error"] and "unexpectedly" not in seen["error"] and len(seen["error"]) < 300
        assert seen["kept"] >= kept, (name, seen["kept"])


def test_blender_goes_on(chaos: Any) -> None:
    for name, seen in chaos.items():
        if name != "after":
            assert seen["idle"] and seen["left"] == [], name
    assert chaos["after"] == ["FINISHED"]


def test_finished_frames_are_used_again(chaos: Any) -> None:
    full = chaos["disk_full_painting"]
    assert full["again"]["state"] == "DONE" and full["all"] == 6 and full["kept then"] >= 2


def test_undo_and_redo_while_it_works_and_after(chaos: Any) -> None:
    seen = chaos["undo"]
    assert seen["while"] == [["FINISHED"], ["FINISHED"]]
    assert seen["state"] == "DONE" and seen["kept"] == 5
    moved = seen["done"][2]
    assert seen["done"] == seen["redone"] == [True, "painted", moved] and seen["undone"] == [False, "", moved]


def test_a_renamed_scene_is_followed(chaos: Any) -> None:
    seen = chaos["scene_renamed"]
    assert seen["state"] == "DONE" and seen["kept"] == 6 and seen["label"] == "Renamed"
    assert seen["wired"] == [True, False], "a new scene of the old name is another one"
    assert seen["strength"] == 1, "the setting it was pressed with"


def test_strips_that_were_changed_get_none(chaos: Any) -> None:
    for name in ("strip_deleted", "strip_trimmed", "strip_moved"):
        assert chaos[name]["strips"] == ([] if name == "strip_deleted" else ["clip"]), name
    assert chaos["strip_moved"]["again"] == ["FINISHED"] and chaos["strip_moved"]["kept then"] == 6


SMALLER = "was full: painting goes on in tiles of {} pixels."


def test_full_memory_means_tiles_and_is_told(chaos: Any) -> None:
    """The real thing: a worker that may take little more memory than it has."""
    seen = chaos["memory_full"]
    assert seen["before"][0]["state"] == "FAILED", "too little for anything at first"
    assert seen["again"]["state"] == "DONE", "the next press works when there is memory again"
    for outcome in seen["before"]:
        if outcome["state"] == "FAILED":
            assert " is full while " in outcome["error"], outcome["more"]
            assert outcome["reports"][-1] == outcome["error"] and "\n" not in outcome["error"]
    assert seen["state"] == "DONE" and seen["kept"] == 1
    told = f"The memory of cpu {SMALLER.format(1024)}"
    assert told in seen["reports"] and told in seen["log"]


def test_a_full_graphics_card_means_the_processor_and_is_told(chaos: Any) -> None:
    seen = chaos["card_full"]
    assert seen["state"] == "DONE" and seen["kept"] == 2
    told = [f"The memory of cuda:0 {SMALLER.format(256)}",
            "The memory of cuda:0 is too small: painting goes on, slower, on the processor."]  # fmt: skip
    assert seen["reports"][:2] == told and "Painted 2 frames" in seen["reports"][-1]
    assert all(text in seen["log"] for text in told)


def test_a_late_loss_of_the_style_does_no_harm(chaos: Any) -> None:
    assert chaos["style_removed_late"]["state"] == "DONE" and chaos["style_removed_late"]["kept"] == 6


def test_a_closed_window_interrupts_and_the_job_can_go_on(chaos: Any) -> None:
    seen = chaos["window_closed"]
    assert seen["state"] == "CANCELLED" and seen["kept"] >= 2 and seen["interrupted"] == ["Scene"]
    assert seen["resumed"] == "DONE" and seen["all"] == 6
    assert seen["clicked again"] == [["CANCELLED"], []], "a double click is one click"
    assert seen["later"] == [["CANCELLED"], ["There is no such interrupted job: start it again."]]


def test_opening_a_file_interrupts_and_the_job_can_go_on(chaos: Any) -> None:
    seen = chaos["file_loaded"]
    assert seen["state"] == "CANCELLED" == seen["waiting"] and seen["kept"] >= 2
    assert seen["interrupted"] == ["Scene"], "the one that waited had not begun"
    assert seen["resumed"] == ["FINISHED"] and seen["all"] == 6


def test_on_and_off_a_hundred_times_leaks_nothing(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("hundred", tmp_path, LEAKS)
    assert seen["tested"] == seen["works"] == ["FINISHED"]
    assert seen["off then"] == seen["off"] and seen["on then"] == seen["on"]
    for nothing in ("types", "operators", "properties", "menus", "children"):
        assert not seen["off"][nothing], (nothing, seen["off"][nothing])
    assert seen["on"]["properties"] and seen["on"]["operators"] and seen["on"]["menus"]


def test_switching_off_ends_the_worker(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("disabled", tmp_path, LEAKS)
    assert not seen["worker"] and seen["children"] == []
    assert seen["states"] == ["CANCELLED", "CANCELLED"] and seen["kept"] >= 2
    assert seen["remains"] == seen["left"] == []
    assert seen["notes"] == ["Scene"]
    assert seen["resumed"] == ["FINISHED"] and seen["kept then"] >= 2

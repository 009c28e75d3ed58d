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
    assert seen["interrupted"] == [{"label": "Scene", "kind": "render", "frame": None, "over": False}]
    assert "open that file" in seen["other file"] and "shot.blend" in seen["other file"]
    assert seen["result"] == ["FINISHED"] and len(seen["after"]) == 10 == seen["wired"]
    assert set(before["painted"]) <= set(seen["before"]) and seen["kept"] >= len(before["painted"]) >= 3
    assert abs(seen["strength"] - 0.8) < 1e-6, "the settings of the job, not of the file"
    assert seen["notes"] == []


def test_what_cannot_fit_is_told_before_the_work(blender: Blender, tmp_path: Path) -> None:
    seen = blender.run("too_large", tmp_path, JOBS)
    assert seen["state"] == "FAILED" and seen["rendered"] == 0
    for word in ("30000x30000", "gatys", "GB", "lower the resolution"):
        assert word in seen["error"], seen["error"]
    assert seen["smaller"] == ["FINISHED"]


@pytest.fixture(scope="module")
def chaos(blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> Any:
    return blender.run("chaos", tmp_path_factory.mktemp("chaos"), JOBS)


FAILURES = {
    "scene_deleted": ("Doomed", 2),
    "strip_deleted": ("clip", 6),
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


def test_undo_and_a_late_loss_of_the_style_do_no_harm(chaos: Any) -> None:
    assert chaos["undo"]["undone"] == ["FINISHED"]
    assert chaos["undo"]["state"] == "DONE" and chaos["undo"]["kept"] == 5
    assert chaos["style_removed_late"]["state"] == "DONE" and chaos["style_removed_late"]["kept"] == 6


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
    assert seen["damaged"] == seen["left"] == []
    assert seen["notes"] == ["Scene"]
    assert seen["resumed"] == ["FINISHED"] and seen["kept then"] >= 2

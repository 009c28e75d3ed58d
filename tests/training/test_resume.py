# SPDX-License-Identifier: GPL-3.0-or-later
"""A training that was killed, stopped or carried to another machine goes on as if nothing had happened."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch
from trainings import ROOT, TINY, Train, read_log

from training import checkpoint

STEPS = 30


def test_after_two_kills_the_log_is_the_same_to_the_last_digit(
    folders: tuple[str, ...], train: Train, tmp_path: Path
) -> None:
    # the crops change their size on the way; a save is not at every line of the log
    options = [*folders, *TINY, "--steps", str(STEPS), "--log-every", "3", "--save-every", "6", "--size-last", "72",
               "--last", "0.3", "--styles-a-step", "2"]  # fmt: skip
    train(*options, "--out", tmp_path / "whole")
    broken = tmp_path / "broken"
    command = [sys.executable, "-m", "training.train_adain_reconet", *options, "--out", str(broken)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    lines_of_kills = []
    for lines in (3, 7):  # of the ten; then at any moment of the next steps
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        while process.poll() is None and len(read_log(broken) if (broken / "log.jsonl").exists() else ()) < lines:
            time.sleep(0.05)
        time.sleep(random.uniform(0, 1.0))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL  # else it had finished, and nothing is tested
        lines_of_kills.append(len(read_log(broken)))
    assert "going on from step" in train(*options, "--out", broken).stdout
    log = read_log(broken)
    assert [line["step"] for line in log] == list(range(3, STEPS + 1, 3)), lines_of_kills
    assert log == read_log(tmp_path / "whole"), lines_of_kills
    ours, theirs = (checkpoint.load(tmp_path / name, torch.device("cpu")) for name in ("whole", "broken"))
    assert (
        ours and theirs and ours.keys() == theirs.keys() and all(torch.equal(ours[name], theirs[name]) for name in ours)
    )


def test_a_slice_ends_by_the_clock_and_what_travels_is_small_and_goes_on(
    folders: tuple[str, ...], train: Train, tmp_path: Path
) -> None:
    options = [*folders, *TINY, "--steps", "9", "--log-every", "3", "--styles-a-step", "2"]
    out = tmp_path / "out"
    assert "the same command goes on: step 3" in train(*options, "--out", out, "--stop-after", "0.0001").stdout
    assert len(read_log(out)) == 1
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    for name in ("carry.safetensors", "weights.safetensors", "log.jsonl"):
        (fresh / name).write_bytes((out / name).read_bytes())
    for place in (out, fresh):
        assert "going on from step 3" in train(*options, "--out", place).stdout
    exact, carried = read_log(out), read_log(fresh)
    assert [line["step"] for line in carried] == [3, 6, 9]
    assert carried[0] == exact[0]
    # half precision and optimizers that begin anew: nearly the same
    assert abs(carried[1]["gram"] / exact[1]["gram"] - 1) < 0.2


def test_a_checkpoint_comes_in_parts_below_16_mib_and_is_read_only_when_whole(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tensors = {f"t{i}": torch.rand(1_000_000) for i in range(9)}
    cpu = torch.device("cpu")
    checkpoint.save(tmp_path, 10, checkpoint.State(tensors, {"step": "10"}))
    files = sorted(tmp_path.iterdir())
    assert len(files) == 3 and all(f.stat().st_size < 16 << 20 for f in files)
    old = {f: f.read_bytes() for f in files}
    checkpoint.save(tmp_path, 20, checkpoint.State(tensors, {"step": "20"}))
    assert all("0000020" in f.name for f in tmp_path.iterdir())
    for file, data in old.items():
        file.write_bytes(data)
    newest = checkpoint.load(tmp_path, cpu)
    assert newest and newest.about["step"] == "20" and all(torch.equal(newest[name], t) for name, t in tensors.items())
    (tmp_path / "checkpoint-0000020-2of3.safetensors").unlink()  # as if killed while it was written
    before = checkpoint.load(tmp_path, cpu)
    assert before and before.about["step"] == "10"

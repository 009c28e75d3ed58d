# SPDX-License-Identifier: GPL-3.0-or-later
"""Two processes with half of the styles each do what one does with all of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from safetensors.torch import load_file
from trainings import TINY, Train, read_log

TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "--")


def test_two_processes_have_the_losses_gradients_and_weights_of_one(
    folders: tuple[str, ...], train: Train, tmp_path: Path
) -> None:
    options = [
        *folders,
        *TINY,
        "--steps",
        "3",
        "--log-every",
        "1",
        "--styles-a-step",
        "4",
        "--rarely",
        "1",
        "--float32",
    ]
    train(*options, "--out", tmp_path / "one")
    train(*options, "--out", tmp_path / "two", launcher=TORCHRUN)
    one, two = read_log(tmp_path / "one"), read_log(tmp_path / "two")
    assert [line["step"] for line in two] == [1, 2, 3]
    assert one[0].keys() == two[0].keys() and {"contrast", "identity", "halo", "norm"} <= two[0].keys()
    assert one[0] == pytest.approx(two[0], rel=1e-4, abs=2e-6)  # before any step: losses and the gradients' norm
    for mine, theirs in zip(one, two, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-3, abs=1e-5)
    weights = [load_file(tmp_path / name / "weights.safetensors") for name in ("one", "two")]
    assert weights[0].keys() == weights[1].keys()
    gap = sum((weights[0][k].float() - weights[1][k].float()).square().sum() for k in weights[0]) ** 0.5
    size = sum(w.float().square().sum() for w in weights[0].values()) ** 0.5
    assert gap < 1e-3 * size


def test_styles_that_cannot_be_shared_are_refused_in_a_sentence(
    folders: tuple[str, ...], train: Train, tmp_path: Path
) -> None:
    options = [*folders, *TINY, "--steps", "1", "--styles-a-step", "3", "--out", tmp_path / "out"]
    options += ["--start", tmp_path / "weights.safetensors"]  # which torchrun takes for its own, but after two dashes
    done = train(*options, launcher=TORCHRUN, ok=False)
    assert "--styles-a-step 3 cannot be shared among 2 processes; give a multiple." in done.stderr

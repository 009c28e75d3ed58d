# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendered shots give pairs whose motion is right; and Blender renders such shots."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "core"))

import blenders
import cv2
import numpy as np
import pytest
import torch

from styletx_core.errors import InputError
from styletx_core.perceptual import losses
from styletx_core.shot import open_shot
from training.motion import Pair
from training.shots import Shots

ROOT = Path(__file__).resolve().parents[2]
SAMPLES = [ROOT / "tests" / "data" / name for name in ("shot_4x", "shot_5x")]


def along(pair: Pair) -> np.ndarray:
    """The first frame as the offset brings it to the second."""
    first = torch.from_numpy(pair.first).permute(2, 0, 1)[None]
    return losses.warp(first, torch.from_numpy(pair.offset)[None])[0].permute(1, 2, 0).numpy()


def errors(pair: Pair) -> tuple[float, float, int]:
    """Summed over pixels that move by more than one: error along the motion, error without it, pixels."""
    moving = (pair.seen[0] > 0) & (np.hypot(*pair.offset) > 1)
    moved, unmoved = (np.abs(pair.second - f)[moving].sum() for f in (along(pair), pair.first))
    return float(moved), float(unmoved), int(moving.sum())


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda path: path.name)
@pytest.mark.parametrize("size", [96, 144, 200])  # 200: larger than the frames are
def test_pairs_move_right(sample: Path, size: int) -> None:
    shots, rng = Shots([sample]), np.random.default_rng(1)
    assert len(shots) == 7
    found = [shots.pair(size, rng) for _ in range(16)]
    for pair in found:
        assert pair.first.shape == pair.second.shape == (size, size, 3) and pair.offset.shape == (2, size, size)
        assert pair.seen.shape == pair.mask.shape == (1, size, size)
        assert all(field.dtype == np.float32 and np.isfinite(field).all() for field in pair)
        assert all(f.min() >= 0 and f.max() <= 1 for f in (pair.first, pair.second, pair.seen, pair.mask))
        place = pair.offset + np.mgrid[:size, :size][::-1]
        assert (pair.seen[0][(place < 0).any(0) | (place > size - 1).any(0)] == 0).all()
    moved, unmoved, count = np.sum([errors(pair) for pair in found], 0)
    assert count > 10 * size * size / 4, "most of the picture moves"
    assert unmoved > 3 * moved
    assert 0.5 < np.mean([pair.seen.mean() for pair in found]) < 1
    assert 0.1 < np.mean([pair.mask.mean() for pair in found]) < 1


def test_the_same_random_numbers_give_the_same_pair_however_little_is_kept(tmp_path: Path) -> None:
    for name in ("a", "b"):
        shutil.copytree(SAMPLES[0], tmp_path / "deep" / name)
    few, many = Shots([tmp_path], megabytes=0.1), Shots([tmp_path])
    assert len(few) == len(many) == 14
    one, other = np.random.default_rng(3), np.random.default_rng(3)
    for _ in range(20):
        pairs = few.pair(64, one), many.pair(64, other)
        assert all((a == b).all() for a, b in zip(*pairs, strict=True))


def test_the_mask_is_the_objects(tmp_path: Path) -> None:
    """All of the sample's pixels but the world's have an index."""
    with open_shot(SAMPLES[0]) as shot:
        share = np.mean([(shot.read(n).index > 0).mean() for n in shot.numbers[1:]])
    shots, rng = Shots([SAMPLES[0]]), np.random.default_rng(0)
    assert abs(np.mean([shots.pair(144, rng).mask.mean() for _ in range(40)]) - share) < 0.06


def test_what_cannot_be_used_is_said_in_a_sentence(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "photo.png"), np.zeros((32, 32, 3), np.uint8))
    single = tmp_path / "single"
    single.mkdir()
    shutil.copy(SAMPLES[0] / "shot_0001.exr", single)
    unfinished = tmp_path / "unfinished" / ".shot.part"
    shutil.copytree(SAMPLES[0], unfinished)
    cases = {tmp_path / "nowhere": "is not a folder", tmp_path / "photo.png": "is not a folder",
             unfinished.parent: "holds no OpenEXR", single: "a single frame"}  # fmt: skip
    for folder, words in cases.items():
        with pytest.raises(InputError, match=words) as raised:
            Shots([folder])
        assert str(folder) in str(raised.value) and "\n" not in str(raised.value)


def render(*args: object) -> subprocess.CompletedProcess[str]:
    command = [str(blenders.find("4.5.15")), str(ROOT / "training" / "render_dataset.py"), *map(str, args)]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")


def test_blender_renders_shots_to_train_on(tmp_path: Path) -> None:
    (tmp_path / ".shot_0003.part").mkdir()
    (tmp_path / ".shot_0003.part" / "shot_0001.exr").touch()  # of a run that was killed
    options = ("--out", tmp_path, "--seed", 3, "--shots", 1, "--frames", 2, "--size", "96x54", "--samples", 8)
    done = render(*options)
    assert done.returncode == 0, done.stdout[-2000:]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["shot_0003"]
    assert sorted(p.name for p in (tmp_path / "shot_0003").iterdir()) == ["shot.json", "shot_0001.exr", "shot_0002.exr"]
    shots = Shots([tmp_path])
    assert len(shots) == 1
    pair = shots.pair(54, np.random.default_rng(0))
    assert 0 < pair.mask.mean() < 1 and pair.seen.mean() > 0.3 and pair.second.std() > 0.03
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    again = render(*options)
    assert again.returncode == 0 and before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    wrong = render("--out", tmp_path, "--blend", tmp_path / "none.blend")
    assert wrong.returncode == 2 and "There is no file" in wrong.stdout and "Traceback" not in wrong.stdout

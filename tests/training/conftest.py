# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures of our own and the training's command line."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from trainings import ROOT, Train

from training.painters import paint


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """``--content`` and ``--style`` with ten pictures of 128 pixels each, some of which the split holds out."""
    root = tmp_path_factory.mktemp("pictures")
    for kind, painters in (("content", ("facets", "watercolor")), ("style", ("ink", "poster", "woodcut"))):
        (root / kind).mkdir()
        for seed in range(10):
            picture = paint(painters[seed % len(painters)], 128, 128, seed)[..., ::-1] * 255
            cv2.imwrite(str(root / kind / f"{kind}_{seed}.png"), picture.astype(np.uint8))
    return "--content", str(root / "content"), "--style", str(root / "style")


@pytest.fixture
def train() -> Train:
    """Runs a training's command, or ``launcher`` in place of the interpreter's -m, and gives what it said."""

    def run(
        *options: object, launcher: tuple[str, ...] = ("-m",), ok: bool = True, method: str = "adain_reconet"
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, *launcher, f"training.train_{method}", *map(str, options)]
        environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, capture_output=True, text=True, timeout=1800, cwd=ROOT, env=environment)
        assert (done.returncode == 0) == ok, done.stderr[-3000:]
        return done

    return run

# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tests of the training share."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SMALL = ("--size", "64", "--batch", "1", "--device", "cpu", "--threads", "1")
TINY = (*SMALL, "--config", json.dumps({"width": 16, "thin": 8, "blocks": 1, "bases": 2}))
Train = Callable[..., subprocess.CompletedProcess[str]]


def read_log(out: Path) -> list[dict[str, Any]]:
    """The lines of a training's log without the time, which no two trainings share."""
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text("utf-8").splitlines()]
    return [{k: v for k, v in line.items() if k != "minutes"} for line in lines]

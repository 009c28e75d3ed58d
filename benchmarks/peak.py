# SPDX-License-Identifier: GPL-3.0-or-later
"""Peak memory of a command line."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent

# Linux counts the memory of whoever starts a process as that process's own, so somebody small has to start it.
_APART = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:])
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss)
sys.exit(bool(status))
"""


class Ran(NamedTuple):
    """What a command line did. lines: that it printed. failed: its last word of error, "" where it did not fail.

    peak: bytes of memory. seconds: start-up included.
    """

    lines: list[str]
    failed: str
    peak: int
    seconds: float


def run(command: Iterable[object]) -> Ran:
    """Runs it from the repository's root, which need not be installed."""
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", _APART, *map(str, command)], capture_output=True, text=True, cwd=ROOT)
    seconds = time.monotonic() - began
    *lines, peak = done.stdout.splitlines()
    said = done.stderr.strip().splitlines() or ["it failed without a word"]
    kilobyte = 1 if sys.platform == "darwin" else 1024
    return Ran(lines, said[-1] if done.returncode else "", int(peak) * kilobyte, seconds)

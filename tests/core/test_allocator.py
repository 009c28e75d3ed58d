# SPDX-License-Identifier: GPL-3.0-or-later
"""What is freed is kept, and given back when asked: counted by the system, in processes of their own."""

from __future__ import annotations

import json
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc's malloc is spoken to")

# twenty times four arrays of 24 MiB, as a frame of 1920x1080 takes them
_FRAMES = """
import json, resource, sys, threading
import numpy as np
from styletx_core import allocator
if sys.argv[1] == "kept":
    allocator.keep_freed()

def resident():
    return int(next(l for l in open("/proc/self/status") if l.startswith("VmRSS")).split()[1]) / 1024

def work():
    for _ in range(20):
        arrays = [np.ones(6 << 20, np.float32) for _ in range(4)]

before = resident()
work()
began = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for thread in [threading.Thread(target=work) for _ in range(3)]:
    thread.start()
    thread.join()
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - began
kept = resident() - before
allocator.give_back()
print(json.dumps({"faults": faults, "kept": kept, "given_back": kept - (resident() - before)}))
"""


def frames(how: str) -> dict[str, float]:
    done = subprocess.run([sys.executable, "-c", _FRAMES, how], capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def test_arrays_are_taken_from_what_was_freed() -> None:
    kept, plain = frames("kept"), frames("plain")
    assert kept["faults"] < plain["faults"] / 10
    assert 70 < kept["kept"] < 250, "of memory for four arrays, threads or not"


def test_what_is_kept_is_given_back() -> None:
    assert frames("kept")["given_back"] > 70  # MiB

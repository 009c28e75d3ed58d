# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory that is freed is kept for the next array, in the processes that are StyleTX's own (command line and worker).

A frame takes dozens of arrays of tens of megabytes, each for some milliseconds. By itself glibc gives each of them back
to the system and takes the next one anew, which the system then fills with zeros page by page: at 1920x1080 a fifth of
all processor time. Other systems' allocators are left alone.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress

# of glibc's malloc.h
_TRIM_THRESHOLD = -1
_MMAP_THRESHOLD = -3
_MMAP_MAX = -4
_ARENA_MAX = -8


def keep_freed() -> None:
    """Call it once, before the process has other threads. Not in a process of somebody else's, such as Blender."""
    with suppress(OSError, AttributeError, TypeError):  # no glibc
        mallopt = _glibc().mallopt
        if not mallopt(_MMAP_THRESHOLD, 2**30):
            mallopt(_MMAP_MAX, 0)  # before glibc 2.35 the threshold was at most 32 MiB
        mallopt(_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_ARENA_MAX, 1)  # what one thread freed, another can take


def give_back() -> None:
    """What is kept and not used goes back to the system: after a job, or where memory has become short."""
    with suppress(OSError, AttributeError, TypeError):
        _glibc().malloc_trim(0)


def _glibc() -> ctypes.CDLL:
    if sys.platform != "linux":
        raise OSError("no glibc")
    return ctypes.CDLL(None)

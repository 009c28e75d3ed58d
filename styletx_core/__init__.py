# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleTX's engine: neural style transfer for rendered shots and movies. Imports no bpy and runs anywhere.

Importing this package is cheap: torch and the libraries for pictures come with the first `load` or `run`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from styletx_core.errors import InputError, StyleTXError, WorkError
from styletx_core.job import Job
from styletx_core.registry import MethodInfo, list_methods, load

if TYPE_CHECKING:
    from styletx_core.events import Event

__version__ = "0.1.0"

__all__ = ["InputError", "Job", "MethodInfo", "StyleTXError", "WorkError", "list_methods", "load", "run"]


def run(job: Job, cancelled: Callable[[], bool] | None = None) -> Generator[Event, None, None]:
    """Runs a job and yields typed events; see `styletx_core.engine.run`."""
    from styletx_core.engine import run as run_job

    return run_job(job, cancelled)

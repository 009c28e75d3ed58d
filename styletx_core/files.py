# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that appear whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import WorkError


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; at the block's end rename it to `path`, on errors remove it.

    The temporary name keeps the extension at its end (libraries choose the format by it) and holds the
    process's id, so that two processes that write the same file do not write into each other.

    Raises WorkError where the file cannot be written.
    """
    path = Path(path)
    aside = path.with_name(f".{path.stem}.tmp-{os.getpid()}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        os.replace(aside, path)
    except OSError as error:
        reason = error.strerror or str(error)
        raise WorkError(f"{path} cannot be written ({reason}); check folder and free space.") from error
    finally:
        with suppress(OSError):  # usually gone by now; nothing more can be done about it
            aside.unlink()

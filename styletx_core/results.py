# SPDX-License-Identifier: GPL-3.0-or-later
"""The output directory of a job: whose frames are in it, and where interrupted work goes on.

`styletx.json` says which job the frames belong to. `.styletx/state.npz` holds the errors measured so far and, for
methods that start from the frame before, that frame. What may be killed when, and why the next run still ends with
the very same frames:

- before `styletx.json` is replaced: the old job's frames are deleted before, so no frame is ever taken for
  the work of a job that did not make it.
- between a frame and its state: the state is one frame behind; the frame is computed again to get its state,
  and the file, which is whole because it was renamed into place, is kept.
- while anything is written: the temporary file is left behind, and the next run removes it.

Processes that make chunks of one job share its directory: each has a lock, a state file and frames of its own, and
what belongs to all of them, the record and the frames of an old job, is touched by one at a time.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from styletx_core.errors import InputError
from styletx_core.files import atomic_path
from styletx_core.job import Job
from styletx_core.registry import method_info

_REMAINS = re.compile(r"\.(?P<stem>.+)\.tmp-\d+(?P<suffix>(\.[^.]*)?)", re.DOTALL)  # as `atomic_path` names them
# frame number -> temporal error, the same had it been stylized alone (None where the method does not do that)
Errors = dict[int, tuple[float, float | None]]


@dataclass
class Progress:
    """What is needed to go on after frame `last`, beside the frames themselves, and the errors measured until then."""

    last: int
    temporal: dict[str, np.ndarray]
    errors: Errors = field(default_factory=dict)


class Results:
    """One job's claim on its output directory; made by `open_results`, which locks the directory."""

    def __init__(self, job: Job, fingerprint: str, paths: Mapping[int, Path]) -> None:
        self.job = job
        self.fingerprint = fingerprint
        self.paths = dict(paths)
        first, last = job.input.chunk or (min(paths), max(paths))
        self.own = {number: path for number, path in paths.items() if first <= number <= last}  # made here
        self.directory = Path(job.output.directory)
        self._record = self.directory / "styletx.json"
        self._state = self.directory / ".styletx" / f"state{_chunk_name(job)}.npz"
        recorded = _load_record(self._record)
        self._same = recorded.get("fingerprint") == fingerprint
        self.began = False
        self._check(recorded)

    def _check(self, recorded: Mapping[str, Any]) -> None:
        """Raises InputError where this job would replace what it did not make and may not."""
        if self.job.output.overwrite:
            return
        if not self._same:
            taken = next((path for path in self.paths.values() if path.exists()), None)
            if taken is not None and recorded:
                raise InputError(
                    f"'{self.directory}' holds frames of another job (its input, styles or settings differ);"
                    " allow overwriting (--overwrite) to replace them, or choose another directory."
                )
            if taken is not None:
                raise InputError(
                    f"'{taken}' is there already and StyleTX did not make it;"
                    " allow overwriting (--overwrite) to replace it, or choose another directory."
                )
        if self._record.exists() and "fingerprint" not in recorded:
            raise InputError(
                f"'{self._record}' is there already and StyleTX did not make it, but keeps its record under that"
                " name; rename it or choose another directory."
            )
        if self.movie is not None and self.movie.exists():
            mine = recorded.get("job", {}).get("output", {}).get("movie")
            if mine is None or Path(mine).absolute() != self.movie:
                raise InputError(
                    f"The movie '{self.movie}' is there already and this job did not make it;"
                    " allow overwriting (--overwrite) to replace it, or choose another name."
                )

    @property
    def movie(self) -> Path | None:
        """Absolute path of the movie the job asks for; None while it is made in chunks."""
        return Path(self.job.output.movie).absolute() if self.job.output.movie and not self.job.input.chunk else None

    def done(self) -> set[int]:
        """Numbers of the frames to make here that are there and belong to this job."""
        return {n for n, path in self.own.items() if path.exists() and path.stat().st_size} if self._same else set()

    def begin(self) -> None:
        """Makes the directory this job's own: removes what it replaces and the remains of a killed run."""
        self.began = True
        with (self.directory / ".styletx" / "claim").open("ab") as claim:
            _lock(claim.fileno(), wait=True)
            # Another chunk may have been here since.
            self._same = _load_record(self._record).get("fingerprint") == self.fingerprint
            self._claim()

    def _claim(self) -> None:
        ours: dict[Path, set[str]] = {}
        for path in (self._record, self._state, *self.own.values(), *([self.movie] if self.movie else [])):
            ours.setdefault(path.parent, set()).add(path.name)
        for parent, names in ours.items():
            for remains in parent.iterdir() if parent.is_dir() else ():
                match = _REMAINS.fullmatch(remains.name)
                if match and match["stem"] + match["suffix"] in names:
                    remains.unlink(missing_ok=True)
        if not self._same:
            for path in (*(self.directory / ".styletx").glob("state*.npz"), *self.paths.values()):
                path.unlink(missing_ok=True)
        elif self.job.input.chunk:
            return
        record = {"version": 1, "fingerprint": self.fingerprint, "job": absolute(self.job).to_dict()}
        with atomic_path(self._record) as temporary:
            temporary.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
        self._same = True

    def save(self, progress: Progress) -> None:
        """Keeps the state after `progress.last`, whose frame has to be written already."""
        arrays = {f"temporal.{name}": value for name, value in progress.temporal.items()}
        arrays["fingerprint"] = np.array(self.fingerprint)
        arrays["last"] = np.array(progress.last, np.int64)
        arrays["errors"] = np.array(
            [(n, ours, np.nan if alone is None else alone) for n, (ours, alone) in sorted(progress.errors.items())],
            np.float64,
        ).reshape(-1, 3)
        with atomic_path(self._state) as temporary, temporary.open("wb") as file:
            np.savez(file, **arrays)

    def progress(self) -> Progress | None:
        """The state saved last; None where there is none, or only another job's."""
        if not self._same:
            return None
        try:
            with np.load(self._state, allow_pickle=False) as saved:
                arrays = {name: saved[name] for name in saved.files}
            if str(arrays["fingerprint"]) != self.fingerprint:
                return None
            return Progress(
                last=int(arrays["last"]),
                temporal={
                    name.removeprefix("temporal."): value
                    for name, value in arrays.items()
                    if name.startswith("temporal.")
                },
                errors={
                    int(number): (float(ours), None if np.isnan(alone) else float(alone))
                    for number, ours, alone in arrays["errors"]
                },
            )
        except (OSError, ValueError, KeyError, EOFError, BadZipFile):
            # A state that cannot be read is no reason to fail: the frames before it are computed again.
            return None


@contextmanager
def open_results(job: Job, fingerprint: str, paths: Mapping[int, Path], inputs: Sequence[Path]) -> Iterator[Results]:
    """The job's output directory, created where it is missing and locked until the end of the `with`.

    paths: the file of each frame. inputs: the files the job reads, which no result may replace. Changes
    nothing that is there; `Results.begin` does. Raises InputError when the directory cannot be used.
    """
    directory = Path(job.output.directory)
    read = {path.resolve() for path in inputs}
    for path in paths.values():
        if path.resolve() in read:
            raise InputError(f"The results would replace the input '{path}'; choose another directory.")
    if Path(job.input.path).is_dir() and directory.resolve() == Path(job.input.path).resolve():
        # Even where no file is replaced, the next run would find two sequences in its input.
        raise InputError(f"'{directory}' is both input and output; choose another output directory.")
    if job.output.movie and Path(job.output.movie).resolve() in read:
        raise InputError(f"The movie would replace the input '{job.output.movie}'; choose another name.")
    if job.output.preview and Path(job.output.preview).resolve() in read | {path.resolve() for path in paths.values()}:
        raise InputError(f"The preview would replace '{job.output.preview}'; choose another name.")
    if job.output.movie:
        _check_movie(Path(job.output.movie).absolute())
    missing = [path for path in (directory / ".styletx", directory, *directory.parents) if not path.exists()]
    # A whole job keeps all others out; a chunk keeps out whole jobs and itself.
    names = ["lock", f"lock{_chunk_name(job)}"] if job.input.chunk else ["lock"]
    try:
        (directory / ".styletx").mkdir(parents=True, exist_ok=True)
        locks = [(directory / ".styletx" / name).open("ab") for name in names]
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise InputError(f"'{directory}' cannot be written: {reason}; choose another directory.") from None
    with ExitStack() as stack:
        for lock in locks:
            stack.enter_context(lock)
        # The system releases the locks with the process, however that ends.
        if not all(_lock(lock.fileno(), shared=lock is not locks[-1]) for lock in locks):
            raise InputError(
                f"Another StyleTX job is writing to '{directory}'; wait for it or choose another directory."
            )
        results = None
        try:
            results = Results(job, fingerprint, paths)
            yield results
        finally:
            if missing and not (results and results.began):
                # Bad input was found in time: leave no empty directories behind.
                with suppress(OSError):
                    for name in names:
                        (directory / ".styletx" / name).unlink()
                    for path in missing:
                        path.rmdir()


def _check_movie(movie: Path) -> None:
    """Raises InputError where a movie cannot come to lie, which should not be known only after all the frames."""
    if os.path.isdir(movie):
        raise InputError(f"The movie '{movie}' is a directory; choose another name.")
    parent = next(folder for folder in movie.parents if os.path.exists(folder))
    if not (os.path.isdir(parent) and os.access(parent, os.W_OK | os.X_OK)):
        raise InputError(f"The movie '{movie}' cannot be written into '{parent}'; choose another directory.")


def _chunk_name(job: Job) -> str:
    return "-{}-{}".format(*job.input.chunk) if job.input.chunk else ""


def _lock(descriptor: int, shared: bool = False, wait: bool = False) -> bool:
    """Whether this process may go on; true as well on file systems that know no locks.

    shared: along with others that ask for no more. wait: until it may.
    """
    try:
        if os.name == "nt":
            import msvcrt

            if shared:  # unknown there
                return True
            mode = msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK  # type: ignore[attr-defined,unused-ignore]
            msvcrt.locking(descriptor, mode, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)
    return True


def _load_record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def absolute(job: Job) -> Job:
    """The whole job with absolute paths, so that its record means the same from every working directory."""
    data = job.to_dict()
    data["input"]["chunk"] = None
    for part, name in (("input", "path"), ("input", "camera"), ("view", "ocio"), ("output", "directory")):
        data[part][name] = _absolute_path(data[part][name])
    for name in ("movie", "preview"):
        data["output"][name] = _absolute_path(data["output"][name])
    data["settings"]["weights"] = _absolute_path(data["settings"]["weights"])
    for style in data["styles"]:
        if method_info(job.settings.method).styles == "any":
            style["path"] = _absolute_path(style["path"])
        if style["region"] is not None:
            style["region"]["mask"] = _absolute_path(style["region"]["mask"])
    return Job.from_dict(data)


def _absolute_path(path: str | None) -> str | None:
    return path and (path if "://" in path else str(Path(path).absolute()))

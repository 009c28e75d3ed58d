# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a job: frames in, stylized frames out, typed events on the way."""

from __future__ import annotations

import errno
import shutil
import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from styletx_core.color import ViewTransform, to_picture
from styletx_core.errors import InputError, WorkError
from styletx_core.events import Event, Finished, FrameDone, Notice, Started, StepDone
from styletx_core.frugal import is_out_of_memory
from styletx_core.job import Job, Style, ViewSettings
from styletx_core.keyed import at
from styletx_core.motion import MotionSource, make_motion
from styletx_core.output import FrameWriter, encode_movie, write_preview
from styletx_core.painting import AnchorPainter, ChainPainter, Painted, Painter, Stepped
from styletx_core.pipeline import Behind
from styletx_core.regions import Regions
from styletx_core.registry import method_info
from styletx_core.results import Errors, Progress, Results, open_results
from styletx_core.shot import MOVIE_SUFFIXES, Shot, open_shot
from styletx_core.temporal import EVERY

DEFAULT_FPS = 24  # of a movie made from frames that do not say how fast they run
KEPT = "finished frames are kept and the same command goes on from there"
PREPARING = "preparing the job"


class _Cancelled(Exception):
    """Ends the work within a frame."""


def run(job: Job, cancelled: Callable[[], bool] | None = None) -> Generator[Event, None, None]:
    """Runs a job and yields what happens: Started, then Notice and FrameDone, at last Finished.

    What can be known before the work is checked before `Started`. Frames of the same job that are there
    already are kept, and the result is the same, bit for bit, however often the work was interrupted. Closing
    the generator cancels between frames. `cancelled` is asked within frames too; once it answers True the
    generator ends without `Finished`.

    Raises InputError for bad input and WorkError for what fails while working, each with one sentence.
    """
    work = _Run(job, cancelled or (lambda: False))
    try:
        yield from work.events()
    except _Cancelled:
        return
    except InputError:
        raise
    except WorkError as error:
        if _disk_full(error.__cause__, job):
            raise _disk_is_full(work) from error
        raise
    except OSError as error:
        if work.doing == PREPARING and error.filename is not None and not _disk_full(error, job):
            reason = (error.strerror or str(error)).lower()
            raise InputError(f"'{error.filename}' cannot be used: {reason}; check the path.") from error
        raise _explained(error, work) from error
    except Exception as error:
        raise _explained(error, work) from error


class _Run:
    """One run of a job, from the check of its input to the last file."""

    def __init__(self, job: Job, cancelled: Callable[[], bool]) -> None:
        self.job = job
        self.cancelled = cancelled
        # For the sentence when something fails that nobody foresaw.
        self.doing = PREPARING
        self.failed: str | None = None  # what else was being done, beside that, when it failed
        self.device = job.settings.device

    def check(self) -> None:
        """Called between the steps of a frame."""
        if self.cancelled():
            raise _Cancelled

    def events(self) -> Iterator[Event]:
        job, given, began = self.job, self.job.input, time.monotonic()
        job.validate()
        job = self.job = _named(job)
        fixed = method_info(job.settings.method).styles == "fixed"
        with ExitStack() as stack:
            shot = stack.enter_context(open_shot(given.path, given.frames, given.layer, given.camera))
            # From display to display the view does nothing: a studio's $OCIO without our default view is no matter.
            linear = shot.encoding == "linear" or any(Path(style.path).suffix.lower() == ".exr" for style in job.styles)
            linear |= _format(job, shot).startswith("exr")
            transform = ViewTransform(job.view, environment=linear or job.view != ViewSettings())
            styles: list[np.ndarray | str] = [
                style.path if fixed else style_picture(style.path, transform) for style in job.styles
            ]
            regions = Regions(job.styles, shot, stack)
            motion = make_motion(shot, job.motion)
            writer = FrameWriter(job.output.directory, shot.stem, shot.digits, _format(job, shot), shot.fps)
            results = stack.enter_context(_open_results(job, shot, writer, regions.files()))

            if job.settings.tileable and motion.kind != "none":
                raise InputError(
                    "Only single pictures stay tileable, as motion carries paint over a texture's borders; give one"
                    " picture, or the motion none."
                )

            # The temporal stage ties the frames together; without it each one stands alone.
            shows = any(at(job.settings.strength, number) > 0 for number in shot.numbers)
            chained = motion.kind != "none" and len(shot.numbers) > 1 and shows
            wanted, done = list(results.own), results.done()
            if not wanted:
                raise InputError(
                    "The chunk {}-{} has no frame of the shot, whose frames are {}-{}; give one that has.".format(
                        *(given.chunk or (0, 0)), shot.numbers[0], shot.numbers[-1]
                    )
                )
            progress = results.progress() if chained else None
            kind = _painter_for(job.settings.method, chained)
            numbers = kind.needed(shot.numbers, wanted, done, progress)
            painter = None
            if numbers:
                self.check()
                painter = kind(job.settings, styles, regions, shot, transform, motion, self.check, self.begin)
                self.device = painter.device
            yield Started(len(wanted), len(done), shot.width, shot.height, self.device, motion.kind)
            yield from map(Notice, _notices(job, shot, transform, motion, writer))

            results.begin()
            errors: Errors = dict(progress.errors) if progress else {}
            if painter is not None:
                if shows:
                    self.doing = "measuring the shot"
                    painter.fix_statistics()
                if progress is not None and progress.last < numbers[0]:
                    painter.resume(progress)
                yield from self.frames(painter, numbers, wanted, done, errors, writer, results if chained else None)
            if results.movie is not None:
                yield from self.movie(shot, results, writer, transform)
            finished = Finished(
                frames=len(wanted),
                kept=len(done),
                directory=str(results.directory),
                pattern=_pattern(shot, writer),
                first=wanted[0],
                last=wanted[-1],
                movie=str(results.movie) if results.movie else None,
                temporal_error=_mean(pair[0] for pair in errors.values()),
                alone_error=_mean(alone for _, alone in errors.values() if alone is not None),
                seconds=time.monotonic() - began,
            )
        # Everything is closed and the directory unlocked before anyone hears of it.
        yield finished

    def begin(self, number: int) -> None:
        self.doing = f"stylizing frame {number}"

    def frames(
        self,
        painter: Painter,
        numbers: list[int],
        wanted: list[int],
        done: Collection[int],
        errors: Errors,
        writer: FrameWriter,
        results: Results | None,
    ) -> Iterator[Event]:
        """Paints and writes `numbers`; fills `errors`. results: where these are saved, None where there are none.

        Frames in `done`, and those not in `wanted`, are painted for the sake of the others alone, and not written.
        """
        total, asked = len(wanted), set(wanted)
        clock = _Clock(total, len(asked.intersection(numbers)))

        def write(made: tuple[Painted, dict[str, np.ndarray]]) -> Painted:
            """Beside the painting of the next frame: all of `errors` and `results` is this thread's."""
            painted, state = made
            number = painted.frame.number
            try:
                if number in asked and number not in done:
                    writer.write(number, *painter.put_back(painted, writer.encoding))
                errors.pop(number, None)
                if number in asked and painted.errors is not None:
                    errors[number] = painted.errors
                if results is not None:
                    results.save(Progress(number, state, errors))
            except BaseException:
                self.failed = f"stylizing frame {number}"
                raise
            return painted

        def told(finished: Iterable[Painted]) -> Iterator[FrameDone]:
            for painted in finished:
                number = painted.frame.number
                if number in asked:
                    index, seconds, eta = clock.tick()
                    ours, alone = painted.errors or (None, None)
                    path = str(writer.path(number))
                    yield FrameDone(number, index, total, path, seconds, eta, temporal_error=ours, alone_error=alone)

        with Behind(write) as behind, closing(painter.paint(numbers)) as work:
            for made in work:
                if isinstance(made, Stepped):
                    yield from told(behind.finished())
                    yield self.step(made, clock)
                    continue
                yield from map(Notice, painter.told())
                self.device = painter.device
                yield from told(behind.put((made, painter.state())))
            yield from told(behind.rest())

    def step(self, made: Stepped, clock: _Clock) -> StepDone:
        """Reports a step of a method that takes them, and shows it in the preview."""
        output, step = self.job.output, made.step
        preview = None
        if output.preview is not None and step.step % output.preview_every == 0:
            preview = str(write_preview(output.preview, step.picture()))
        return StepDone(made.frame, step.step, step.steps, step.loss, clock.passed(), preview)

    def movie(self, shot: Shot, results: Results, writer: FrameWriter, transform: ViewTransform) -> Iterator[Event]:
        """Encodes the finished frames, at the speed and with the sound of the input."""
        assert results.movie is not None
        self.doing = f"encoding {results.movie}"
        fps, numbers = shot.fps, shot.numbers
        if fps is None:
            fps = DEFAULT_FPS
            yield Notice(f"The frames do not say how fast they run; the movie runs at {fps} frames a second.")
        paths = _Watched([writer.path(number) for number in numbers], self.check)
        source = shot.file(numbers[0])
        sound = source if source.suffix.lower() in MOVIE_SUFFIXES else None
        encode_movie(paths, results.movie, fps, sound, (numbers[0] - 1) / float(fps), transform)


class _Watched(list[Path]):
    """Paths that ask whether the work is cancelled whenever the next one is taken."""

    def __init__(self, paths: Iterable[Path], check: Callable[[], None]) -> None:
        super().__init__(paths)
        self.check = check

    def __iter__(self) -> Iterator[Path]:
        for path in super().__iter__():
            self.check()
            yield path


class _Clock:
    """Seconds a frame, over the last of them, and what is left."""

    def __init__(self, total: int, to_compute: int) -> None:
        self.index = total - to_compute
        self.total = total
        # as many as two pieces have: the first frame of a piece waits for all of it to be read
        self.times = deque([time.monotonic()], 2 * EVERY + 1)

    def passed(self) -> float:
        """Seconds since the last frame."""
        return time.monotonic() - self.times[-1]

    def tick(self) -> tuple[int, float, float]:
        """Call after each frame: how many are finished, seconds a frame, seconds to the end."""
        self.times.append(time.monotonic())
        seconds = (self.times[-1] - self.times[0]) / (len(self.times) - 1)
        self.index += 1
        return self.index, seconds, seconds * (self.total - self.index)


def _painter_for(method: str, chained: bool) -> type[Painter]:
    if not chained:
        return Painter
    return ChainPainter if method_info(method).uses_history else AnchorPainter


def _open_results(job: Job, shot: Shot, writer: FrameWriter, masks: Iterable[Path]) -> AbstractContextManager[Results]:
    files = list(dict.fromkeys([*(shot.file(number) for number in shot.numbers), *masks]))
    method, names = method_info(job.settings.method), [style.path for style in job.styles]
    weights = Path(job.settings.weights) if job.settings.weights else method.weights_file(names)
    fingerprint = job.fingerprint(shot.numbers, files, weights, shot.camera.path if shot.camera else None)
    paths = {number: writer.path(number) for number in shot.numbers}
    pictures = [Path(name) for name in names] if method.styles == "any" else []
    return open_results(job, fingerprint, paths, [*files, *pictures])


def _named(job: Job) -> Job:
    """The job with the one style that its weights know, where it names none."""
    method = method_info(job.settings.method)
    if job.styles or method.styles == "any":
        return job
    names = method.style_names(job.settings.weights)
    if len(names) != 1:
        raise InputError(f"There is no style; choose one of: {', '.join(names)}.")
    return replace(job, styles=(Style(names[0]),))


def style_picture(path: str, transform: ViewTransform) -> np.ndarray:
    """HxWx3 float32 display-referred; raises InputError for what is not one picture."""
    if not Path(path).is_file():
        raise InputError(f"There is no style picture '{path}'; check the path.")
    with open_shot(path) as style:
        if len(style.numbers) > 1:
            raise InputError(f"The style '{path}' is a movie; give a picture.")
        return to_picture(style.read(style.numbers[0]), style.encoding, transform)


def _format(job: Job, shot: Shot) -> str:
    if job.output.format != "auto":
        return job.output.format
    return {"8": "png8", "16": "png16", "half": "exr_half", "float": "exr_float"}[shot.bit_depth]


def _notices(job: Job, shot: Shot, transform: ViewTransform, motion: MotionSource, writer: FrameWriter) -> list[str]:
    notices = [*shot.notices, *motion.notices]
    if len(shot.numbers) > 1 and not method_info(job.settings.method).shot:
        notices.append(
            f"The method '{job.settings.method}' is made for single pictures; a shot takes its time once a frame."
        )
    # From display to display the view transform does nothing, so what it has to say would only confuse.
    if "linear" in (shot.encoding, writer.encoding):
        notices += transform.notices
        rendered, used = shot.camera and shot.camera.view, transform.settings
        if rendered and replace(rendered, ocio=used.ocio) != used:
            notices.append(
                f"The frames were rendered for the view {rendered.view}, but are stylized as {used.view} shows"
                " them; give the scene's view and an OpenColorIO config that has it."
            )
    return notices


def _pattern(shot: Shot, writer: FrameWriter) -> str:
    """Name of the results with '#' for the digits of the number, as Blender and others write it."""
    number = shot.numbers[0]
    name = Path(writer.path(number)).name
    if not shot.digits:
        return name
    digits = f"{number:0{shot.digits}d}"
    before, _, after = name.rpartition(digits)
    return before + "#" * len(digits) + after


def _mean(values: Iterable[float]) -> float | None:
    values = list(values)
    return sum(values) / len(values) if values else None


def _disk_full(cause: BaseException | None, job: Job) -> bool:
    # FFmpeg's errors have a number too and are not OSErrors.
    number = getattr(cause, "errno", None)
    if number is None and isinstance(cause, RuntimeError):
        # OpenEXR does not tell why it could not write; the largest frames take about as much as this.
        with suppress(OSError):
            return shutil.disk_usage(job.output.directory).free < 256 * 2**20
    return number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def _disk_is_full(work: _Run) -> WorkError:
    return WorkError(f"The disk is full while {work.failed or work.doing}; free some space: {KEPT}.")


def _explained(error: Exception, work: _Run) -> WorkError:
    """One sentence for an error of the system or of a library."""
    doing = work.failed or work.doing
    if isinstance(error, OSError) and _disk_full(error, work.job):
        return _disk_is_full(work)
    if is_out_of_memory(error):
        cure = "close other programs or give smaller frames"
        if work.device == "auto":  # it ran out before one was found
            return WorkError(f"The memory is full while {doing}; {cure}: {KEPT}.")
        if not work.device.startswith("cpu"):
            cure = "close other programs, give smaller frames, or choose the device cpu (--device cpu)"
        return WorkError(f"The memory of {work.device} is full while {doing}; {cure}: {KEPT}.")
    text = " ".join(str(error).split()) or "no reason given"
    return WorkError(f"{doing.capitalize()} failed with {type(error).__name__} ({text}); {KEPT}.")

# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a job: frames in, stylized frames out, typed events on the way."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import overload

import numpy as np

from styletx_core.color import ViewTransform, put_back, to_picture
from styletx_core.errors import InputError, WorkError
from styletx_core.events import Event, Finished, FrameDone, Notice, Started, StepDone
from styletx_core.job import Job, Settings, ViewSettings
from styletx_core.keyed import at
from styletx_core.methods.base import Guide, Step, Tiling
from styletx_core.methods.colors import luma, with_chroma
from styletx_core.motion import Motion, MotionSource, make_motion
from styletx_core.output import FrameWriter, encode_movie, write_preview
from styletx_core.regions import Composite, Layer, Regions, together
from styletx_core.registry import load, method_info
from styletx_core.results import Errors, Progress, Results, open_results
from styletx_core.shot import MOVIE_SUFFIXES, Encoding, Frame, Shot, open_shot
from styletx_core.spread import spread
from styletx_core.temporal import Temporal

STATISTICS_FRAMES = 8  # of the shot, from which the method's statistics are fixed
DEFAULT_FPS = 24  # of a movie made from frames that do not say how fast they run
KEPT = "finished frames are kept and the same command goes on from there"
PREPARING = "preparing the job"
SMOOTHING = 0.2  # share of the newest frame in the seconds a frame


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
        self.device = job.settings.device

    def check(self) -> None:
        """Called between the steps of a frame."""
        if self.cancelled():
            raise _Cancelled

    def events(self) -> Iterator[Event]:
        job, given, began = self.job, self.job.input, time.monotonic()
        job.validate()
        with ExitStack() as stack:
            shot = stack.enter_context(open_shot(given.path, given.frames, given.layer, given.camera))
            # From display to display the view does nothing: a studio's $OCIO without our default view is no matter.
            linear = shot.encoding == "linear" or any(Path(style.path).suffix.lower() == ".exr" for style in job.styles)
            linear |= _format(job, shot).startswith("exr")
            transform = ViewTransform(job.view, environment=linear or job.view != ViewSettings())
            styles = [style_picture(style.path, transform) for style in job.styles]
            regions = Regions(job.styles, shot, stack)
            motion = make_motion(shot, job.motion)
            writer = FrameWriter(job.output.directory, shot.stem, shot.digits, _format(job, shot), shot.fps)
            results = stack.enter_context(_open_results(job, shot, writer, regions.files()))

            if job.settings.tileable and motion.kind != "none":
                raise InputError(
                    "Only single pictures stay tileable, as motion carries paint over a texture's borders; give one"
                    " picture, or the motion none."
                )

            # The temporal stage chains the frames; without it each one stands alone.
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
            numbers = _to_compute(shot.numbers, wanted, done, progress, chained)
            painter = None
            if numbers:
                self.check()
                painter = _Painter(job.settings, styles, regions, shot, transform, motion, self.check)
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
                alone_error=_mean(pair[1] for pair in errors.values()),
                seconds=time.monotonic() - began,
            )
        # Everything is closed and the directory unlocked before anyone hears of it.
        yield finished

    def frames(
        self,
        painter: _Painter,
        numbers: list[int],
        wanted: list[int],
        done: Collection[int],
        errors: Errors,
        writer: FrameWriter,
        results: Results | None,
    ) -> Iterator[Event]:
        """Paints and writes `numbers`; fills `errors`. results: where the state is saved, None where there is none.

        Frames in `done`, and those not in `wanted`, are painted for the sake of the state alone, and not written.
        """
        total = len(wanted)
        clock = _Clock(total, len(set(numbers) & set(wanted)))
        for number in numbers:
            self.doing = f"stylizing frame {number}"
            painted = yield from self.steps(painter.paint(number), number)
            if number in wanted and number not in done:
                writer.write(number, *painter.put_back(painted, writer.encoding))
            errors.pop(number, None)
            if number in wanted and painted.errors is not None:
                errors[number] = painted.errors
            if results is not None:
                results.save(Progress(number, painter.state(), errors))
            if number not in wanted:
                continue
            index, seconds, eta = clock.tick()
            yield FrameDone(
                frame=number,
                index=index,
                total=total,
                path=str(writer.path(number)),
                seconds=seconds,
                eta=eta,
                temporal_error=painted.errors and painted.errors[0],
                alone_error=painted.errors and painted.errors[1],
            )

    def steps(self, work: Generator[Step, None, _Painted], number: int) -> Generator[Event, None, _Painted]:
        """Reports the steps of the methods that take them, and shows them in the preview."""
        output, began = self.job.output, time.monotonic()
        with closing(work):
            while True:
                try:
                    step = next(work)
                except StopIteration as end:
                    painted: _Painted = end.value
                    return painted
                preview = None
                if output.preview is not None and step.step % output.preview_every == 0:
                    preview = str(write_preview(output.preview, step.picture()))
                yield StepDone(number, step.step, step.steps, step.loss, time.monotonic() - began, preview)
                self.check()

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


@dataclass(frozen=True)
class _Painted:
    """A frame, what the network saw of it and what it made: two HxWx3 float32, display-referred 0..1.

    errors: the temporal error, and the same had each frame been stylized alone; None where there is none.
    """

    frame: Frame
    picture: np.ndarray
    stylized: np.ndarray
    errors: tuple[float, float] | None = None


class _Painter:
    """Turns the shot's frames into stylized pictures, one after the other.

    Keeps what the temporal stage needs of the frame before: each layer has a history of its own, so that it is as
    steady as if its styles were painted alone, and what it hides or uncovers is its own.
    """

    def __init__(
        self,
        settings: Settings,
        styles: list[np.ndarray],
        regions: Regions,
        shot: Shot,
        transform: ViewTransform,
        motion: MotionSource,
        check: Callable[[], None],
    ) -> None:
        self.settings, self.regions = settings, regions
        self.shot, self.transform, self.motion, self.check = shot, transform, motion, check
        self.histories: dict[int, Temporal] = {}
        self.previous: tuple[Frame, np.ndarray] | None = None
        self.method = load(settings.method, settings.device, settings.precision, settings.weights, **settings.options)
        self.method.tiling = Tiling(settings.tile, settings.tileable)
        self.method.set_style([(style, 1.0) for style in styles], settings.keep_colors)
        self.device = str(self.method.device)

    def fix_statistics(self) -> None:
        """Fixes the method's statistics for the whole shot, so that they do not flicker with its content."""
        numbers = spread(self.shot.numbers, STATISTICS_FRAMES)
        self.method.fix_statistics(_Pictures(numbers, lambda number: self.read(number)[1]))

    def state(self) -> dict[str, np.ndarray]:
        """What `resume` needs to go on from here."""
        return {
            f"{key}.{name}": array for key, history in self.histories.items() for name, array in history.state().items()
        }

    def resume(self, progress: Progress) -> None:
        """Goes on as if frame `progress.last` had just been painted."""
        for key in {int(name.partition(".")[0]) for name in progress.temporal}:
            start = f"{key}."
            self.histories[key] = Temporal(self.settings.stability)
            self.histories[key].restore(
                {name.removeprefix(start): a for name, a in progress.temporal.items() if name.startswith(start)}
            )
        self.previous = self.read(progress.last)

    def read(self, number: int) -> tuple[Frame, np.ndarray]:
        self.check()
        frame = self.shot.read(number)
        self.check()
        return frame, to_picture(frame, self.shot.encoding, self.transform)

    def paint(self, number: int) -> Generator[Step, None, _Painted]:
        """Yields the method's steps, if it paints in any, and returns the frame."""
        frame, picture = self.read(number)
        strength = at(self.settings.strength, number)
        layers = self.regions.layers(frame) if strength > 0 else []
        if self.method.info.uses_masks and layers:
            layers = [together(layers)]
        between = None
        if self.previous is not None and layers and self.histories:
            between = self.motion.between(self.previous[0], frame, self.previous[1], picture)
        # Where nothing is painted there is nothing to be steady to afterwards.
        self.histories = {
            layer.key: self.histories.get(layer.key) or Temporal(self.settings.stability) for layer in layers
        }
        composite = Composite(picture, [layer.share for layer in layers])
        errors: list[tuple[float, float, float]] = []
        for layer in layers:
            self.check()
            painted = yield from self.layer(layer, number, picture, strength, between)
            errors += _errors(self.histories[layer.key], layer.share)
            composite.add(painted, layer.share)
        self.previous = frame, picture
        return _Painted(frame, picture, composite.result, _joined(errors))

    def layer(
        self, layer: Layer, number: int, picture: np.ndarray, strength: float, between: Motion | None
    ) -> Generator[Step, None, np.ndarray]:
        """The whole frame in a layer's styles, HxWx3."""
        history, changed = self.histories[layer.key], self.changes(layer, number)
        guide = Guide(weights=layer.weights, size=at(self.settings.size, number), masks=layer.masks)
        if self.method.info.uses_history:
            # The history has the strength of its frame: a second optimization at full strength would only double
            # the time. Where something keyed changes, the frame before is where the picture starts from and no more.
            previous, visible = history.carried(between) or (None, None)
            guide = replace(guide, previous=previous, visible=visible)
            alone = yield from self.method.steps(picture, strength, guide)
            self.check()
            return self.colored(history.step(picture, alone, None if changed else between), picture)
        if self.previous is not None and between is not None and changed:
            history.restyle(self.method.stylize(self.previous[1], guide=guide))
            self.check()
        alone = yield from self.method.steps(picture, guide=guide)
        self.check()
        steady = self.colored(history.step(picture, alone, between), picture)
        if strength == 1:
            return steady
        # The history stays at full strength, so that a keyed strength does not lag; what steadiness adds is laid on
        # the weaker picture.
        self.check()
        weaker = self.method.stylize(picture, strength, guide)
        return np.clip(weaker + np.float32(strength) * (steady - alone), 0, 1)

    def changes(self, layer: Layer, number: int) -> bool:
        """Whether something keyed makes this frame of the layer look unlike the one before."""
        if self.previous is None or not self.histories[layer.key].started:
            return False
        before = self.previous[0].number
        keyed = [self.settings.size, self.settings.strength] if self.method.info.uses_history else [self.settings.size]
        return layer.weights != layer.weights_in(before) or any(at(v, before) != at(v, number) for v in keyed)

    def colored(self, steady: np.ndarray, picture: np.ndarray) -> np.ndarray:
        """With the frame's own chroma, where the job keeps it: that of the history is the frame's before."""
        if self.settings.keep_colors != "luminance":
            return steady
        return with_chroma(luma(steady), picture)

    def put_back(self, painted: _Painted, to: Encoding) -> tuple[np.ndarray, np.ndarray | None]:
        """rgb HxWx3 and alpha HxW for the writer, scene-linear or display-referred."""
        self.check()
        encoding = self.shot.encoding
        return put_back(painted.frame, encoding, painted.picture, painted.stylized, self.transform, to)


class _Pictures(Sequence[np.ndarray]):
    """Pictures that are read when asked for, so that a shot's samples are not all in memory at once."""

    def __init__(self, numbers: list[int], read: Callable[[int], np.ndarray]) -> None:
        self.numbers, self.read = numbers, read

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> _Pictures: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | _Pictures:
        if isinstance(index, slice):
            return _Pictures(self.numbers[index], self.read)
        return self.read(self.numbers[index])


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
    """Seconds a frame, smoothed, and what is left."""

    def __init__(self, total: int, to_compute: int) -> None:
        self.index = total - to_compute
        self.total = total
        self.seconds: float | None = None
        self.last = time.monotonic()

    def tick(self) -> tuple[int, float, float]:
        """Call after each frame: how many are finished, seconds a frame, seconds to the end."""
        now = time.monotonic()
        newest, self.last = now - self.last, now
        self.seconds = newest if self.seconds is None else self.seconds + SMOOTHING * (newest - self.seconds)
        self.index += 1
        return self.index, self.seconds, self.seconds * (self.total - self.index)


def _to_compute(
    numbers: list[int], wanted: list[int], done: Collection[int], progress: Progress | None, chained: bool
) -> list[int]:
    """The frames to compute, in order: the missing ones and, where frames are chained, those they build on."""
    missing = [number for number in wanted if number not in done]
    if not missing or not chained:
        return missing
    # A frame can only be computed from the state after the one before it; the state saved is one alone.
    start = numbers[0]
    if progress is not None and progress.last < missing[0]:
        start = progress.last + 1
    return [number for number in numbers if start <= number <= missing[-1]]


def _open_results(job: Job, shot: Shot, writer: FrameWriter, masks: Iterable[Path]) -> AbstractContextManager[Results]:
    files = list(dict.fromkeys([*(shot.file(number) for number in shot.numbers), *masks]))
    own = method_info(job.settings.method).weights
    weights = Path(job.settings.weights) if job.settings.weights else own
    fingerprint = job.fingerprint(shot.numbers, files, weights, shot.camera.path if shot.camera else None)
    paths = {number: writer.path(number) for number in shot.numbers}
    return open_results(job, fingerprint, paths, [*files, *(Path(style.path) for style in job.styles)])


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


def _errors(history: Temporal, share: np.ndarray | None) -> list[tuple[float, float, float]]:
    """What part of the frame a layer has, and its temporal errors; nothing where they are not known."""
    if history.error is None or history.alone_error is None:
        return []
    return [(1.0 if share is None else float(share.mean()), history.error, history.alone_error)]


def _joined(errors: list[tuple[float, float, float]]) -> tuple[float, float] | None:
    """The errors (root mean squares) of layers together, each for its part of the frame."""
    if not errors:
        return None
    parts, *found = (np.array(one) for one in zip(*errors, strict=True))
    ours, alone = (float(np.sqrt((parts * one**2).sum() / parts.sum())) for one in found)
    return ours, alone


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
    return WorkError(f"The disk is full while {work.doing}; free some space: {KEPT}.")


def _explained(error: Exception, work: _Run) -> WorkError:
    """One sentence for an error of the system or of a library."""
    if isinstance(error, OSError) and _disk_full(error, work.job):
        return _disk_is_full(work)
    if _out_of_memory(error):
        cure = "close other programs or give smaller frames"
        if not work.device.startswith("cpu"):
            cure = "close other programs, give smaller frames, or choose the device cpu (--device cpu)"
        return WorkError(f"The memory of {work.device} is full while {work.doing}; {cure}: {KEPT}.")
    text = " ".join(str(error).split()) or "no reason given"
    return WorkError(f"{work.doing.capitalize()} failed with {type(error).__name__} ({text}); {KEPT}.")


def _out_of_memory(error: BaseException) -> bool:
    # torch and OpenCV have classes of their own for this, and on the CPU torch raises a plain RuntimeError.
    text = str(error).lower()
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or any(
            words in text
            for words in (
                "out of memory",
                "can't allocate memory",
                "not enough memory",
                "insufficient memory",
                "failed to allocate",
            )
        )
    )

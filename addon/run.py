# SPDX-License-Identifier: GPL-3.0-or-later
"""One press of the button, from the check of the scene to the wired result, as steps that never block.

`Run.steps()` is a generator. In a window a timer takes one step at a time; in the background a loop takes them all.
Closing it anywhere stops render and worker and leaves the scene as it was.
"""

from __future__ import annotations

import json
import platform
import time
import traceback
from collections import deque
from collections.abc import Generator
from pathlib import Path
from typing import Any

import bpy

from styletx_core import __version__ as VERSION
from styletx_core import events, memory
from styletx_core.errors import InputError, StyleTXError, WorkError

from . import jobs, keyed, look, rendering, scene_job, shots, stale, texts, wiring, worker_client
from .preferences import device_sentence, missing_sentence, vgg_sentence, worker_python
from .properties import freeze, key_of, result_key, state_of, using

Steps = Generator[None, None, None]

START_SECONDS = 180.0
"""How long the worker may take to import PyTorch: a cold disk and a virus scanner can make it a minute."""
LOG_LINES = 2000
CANCEL_SECONDS = 0.5
"""How long a cancelled worker may take to end its frame before it is killed; whole frames survive either way."""

current: Run | None = None
last: Run | None = None
tested: str = ""
test_failed: bool = False
_ids = 0


class _Stopped(Exception):
    """The worker ended the job because it was told to."""


class Run:
    """The state of one run, for the panel to show."""

    resumable = True
    """It can go on after a restart of Blender."""

    def __init__(
        self, scene: bpy.types.Scene, frame: int | None, windowed: bool, settings: dict[str, Any] | None = None
    ) -> None:
        """frame: paint this one alone; None paints the frame range. windowed: there is an interface to keep alive.

        settings: as `freeze` gives them; None takes those that the scene has now, whatever they become later.
        """
        self.id = jobs.new_id()
        self.scene_name = scene.name
        self._key = key_of(scene)
        self._uid = scene.session_uid
        self.frame = frame
        self.strips: list[str] = []
        self.windowed = windowed
        self.settings = freeze(state_of(scene)) if settings is None else settings
        self.state = "WAITING"  # then RUNNING, at last DONE, CANCELLED or FAILED
        self.bad_input = False  # it failed by what it was given, not while working
        self.begun = False  # its turn has come
        self.resumed = False  # it goes on with a job that was interrupted
        self.pressed = 0.0  # when; what its first steps took, in which no click is heard, does not count
        self.renewed = 0.0
        self._devices: list[dict[str, Any]] = []  # what the worker can paint on
        self.rendered = ""  # fingerprint of the scene that its frames were rendered from
        self.lines: deque[str] = deque(maxlen=LOG_LINES)
        self.subject = ""  # what of several things is worked on
        self.phase = "Starting"
        self.progress = 0.0
        self.eta: float | None = None
        self.seconds: float | None = None  # a frame
        self.memory: float | None = None  # GB that painting takes at its peak, about
        self.notices: list[str] = []
        self.error = ""
        self.log = ""
        self.finished: events.Finished | None = None
        self.cancel_requested = False
        self._rendered = -1  # frames rendered in this run; below 0 until the first is started

    @property
    def scene(self) -> bpy.types.Scene:
        """Looked up each time: an undo between two steps replaces all data."""
        scene = self._found()
        if scene is None:
            raise InputError(f"The scene '{self.scene_name}' is gone: start again.")
        return scene

    def _found(self) -> bpy.types.Scene | None:
        """The scene, whatever it is called now; None where it is gone."""
        return next((scene for scene in bpy.data.scenes if scene.session_uid == self._uid), None)

    @property
    def kind(self) -> str:
        """Which operator it is of."""
        return "render" if self.frame is None else "frame"

    @property
    def label(self) -> str:
        """What it paints, in a few words."""
        return self.scene_name if self.frame is None else f"{self.scene_name}, frame {self.frame}"

    def steps(self) -> Steps:
        """Do everything. Errors end up in `error`, as a sentence."""
        global current, last
        self.note(f"StyleTX {VERSION} in Blender {bpy.app.version_string}, {platform.platform()}: {self.label}")
        self.note(f"Settings: {json.dumps(self.settings)}")
        jobs.enter(self)
        work = self._steps()
        self.pressed = time.monotonic()
        try:
            while self._next(work):
                jobs.renew(self)
                yield
            self.state = "DONE"
        except _Stopped:
            self.state = "CANCELLED"
        except StyleTXError as error:
            self.state, self.error = "FAILED", str(error)
            self.bad_input = isinstance(error, InputError)
        except Exception as error:
            traceback.print_exc()
            self.log = traceback.format_exc()
            self.state = "FAILED"
            self.error = f"StyleTX failed unexpectedly ({type(error).__name__}: {error}): the system console says more."
        finally:
            with using(self._key, self.settings):
                work.close()
            if self.state in ("RUNNING", "WAITING"):
                self.state = "CANCELLED"
            self.note(f"{self.state.capitalize()}. {self.error}")
            if current is self:
                current = None
            if current is None:
                last = self
            jobs.leave(self)

    def _next(self, work: Steps) -> bool:
        """Take a step with the settings of this run; False when there are no more."""
        scene = self._found()
        if scene is not None and key_of(scene) != self._key:
            self._key, self.scene_name = key_of(scene), scene.name
            jobs.write(self)
        began = time.monotonic()
        with using(self._key, self.settings):
            try:
                next(work)
            except StopIteration:
                return False
        if began - self.pressed < jobs.CLICK_SECONDS:
            self.pressed += time.monotonic() - began
        return True

    def _turn(self) -> Steps:
        """Wait until the runs before this one have ended."""
        global current, last
        while jobs.queue[0] is not self:
            self.phase = "Waiting"
            yield
        current = last = self
        self.state, self.begun = "RUNNING", True

    def note(self, text: str) -> None:
        """Add a line to the log."""
        self.lines.append(f"{time.strftime('%H:%M:%S')}  {text}")

    def log_text(self) -> str:
        """All that is known of the run, for a report of what went wrong."""
        return "\n".join([*self.lines, *(["", self.log] if self.log else [])])

    def _steps(self) -> Steps:
        scene = self.scene
        wiring.check(scene)
        stale.hear(scene)
        sequence = state_of(scene).source == "SEQUENCE"
        frames = [self.frame] if self.frame is not None else shots.frames_of(scene)
        if frames[0] < 0:
            raise InputError(f"Frame {frames[0]} is below 0: only frames from 0 on can be painted.")
        if not sequence:
            self.notices += rendering.check(scene, frames)
            if self.windowed:
                rendering.check_images()
        self.notices += scene_job.check(scene)
        layer = wiring.source_layer(scene)
        rendered = None if sequence else layer
        look.check(scene, frames, rendered)
        folders, notices = scene_job.folders(scene, self.frame is not None)
        self.notices += notices
        source = scene_job.sequence_source(scene) if sequence else folders.render

        # before hours of rendering, not after: is there a worker that can paint?
        yield from self._start_worker()
        if not sequence:
            yield from self._check_memory(shots.resolution(self.scene), frames)
        camera, cameras = yield from self._camera(frames, folders, source if sequence else None)
        if not sequence:
            yield from self._render(layer, frames, folders)
        motion, why = scene_job.motion_source(self.scene, cameras)
        self.notices += [why] if why else []
        painting = yield from look.prepare(self, frames, folders.base / "masks", layer=rendered)
        job = scene_job.gather(self.scene, painting, source, (frames[0], frames[-1]), camera, motion, folders.painted)
        yield from self._paint(job)
        self._wire(layer)

    def _start_worker(self) -> Steps:
        """Wait for this run's turn, then see that there is a worker that can paint."""
        yield from self._turn()
        self.phase = "Starting the worker"
        pong = yield from ping()
        sentence = missing_sentence(pong) or device_sentence(pong) or vgg_sentence(pong, state_of(self.scene).method)
        if sentence:
            raise InputError(sentence)
        self._devices = pong.get("devices") or []
        self.note(f"Worker: Python {pong['python']}, PyTorch {pong['torch']}, {pong['device']} ({pong['device_name']})")

    def _check_memory(self, size: tuple[int, int], frames: list[int]) -> Steps:
        """Raise InputError where painting pictures of this width and height cannot fit, whatever is closed."""
        if not all(size):  # Blender does not know how large a multilayer EXR is
            return
        method, strokes = state_of(self.scene).method, []
        clock = time.monotonic()
        for _, values in keyed.sample(self.scene, frames):
            strokes.append(values.get("size", state_of(self.scene).size))
            if time.monotonic() - clock > look.STEP:
                yield
                clock = time.monotonic()

        def taken(stroke: float) -> float:
            known = memory.estimate(*size, method=method, device="cpu", shot=len(frames) > 1, size=stroke)
            return known.host / memory.GIB

        stroke = min(strokes)
        need = taken(stroke)
        enlarged = need > taken(1.0)  # small strokes are painted on an enlarged frame
        self.memory = max(need, self.memory or 0.0)  # of several strips
        what = f"{size[0]}x{size[1]} pixels with {method}" + (f" at Stroke Size {stroke:.2f}" if enlarged else "")
        self.note(f"Memory: about {need:.1f} GB for {what}")
        there = next((found["memory_gb"] for found in self._devices if found["device"] == "cpu"), None)
        if there is not None and need > there:
            cure = "raise Stroke Size, lower the resolution," if enlarged else "lower the resolution,"
            raise InputError(
                f"Painting {what} takes about {need:.0f} GB of memory, and this machine has {there:.0f}: "
                f"{cure} or choose another method."
            )

    def _camera(
        self, frames: list[int], folders: scene_job.Folders, sequence: Path | None
    ) -> Generator[None, None, tuple[Path | None, set[str]]]:
        """Write the shot.json of the frames; returns its path and the types of camera in it."""
        if sequence is not None:
            beside = (sequence if sequence.is_dir() else sequence.parent) / "shot.json"
            if beside.is_file():
                return beside, set()
        self.phase = "Reading the camera"
        wanted = sorted({near for frame in frames for near in (frame - 1, frame, frame + 1)})
        found: dict[int, dict[str, Any]] = {}
        clock = time.monotonic()
        for frame, pose in shots.poses(self.scene, wanted):
            found[frame] = pose
            if time.monotonic() - clock > 0.05:
                self.progress = len(found) / len(wanted)
                yield
                clock = time.monotonic()
        shots.write(folders.camera, self.scene, found)
        return folders.camera, {found[frame]["type"] for frame in frames if frame in found}

    def _render(self, layer: str, frames: list[int], folders: scene_job.Folders) -> Steps:
        """Render the frames that are not there yet."""
        scene = self.scene
        state = state_of(scene)
        store = rendering.FrameStore(folders.render)
        now = stale.fingerprint(scene, layer)
        # a file that was not saved after rendering knows nothing of its frames; the note of the job does
        right = not state.changed if state.rendered == now else self.rendered == now
        there = store.claim(now, keep=right)
        self.rendered = now
        jobs.write(self)  # frames are kept by what the note says, should Blender die before it is renewed
        # from here on an edit makes the frames out of date, those still to come too
        state.rendered, state.layer, state.changed = now, layer, False
        if scene.frame_step != 1:
            store.drop(there - set(frames))  # the engine takes frames at even steps, and single ones were between
        missing = [frame for frame in frames if frame not in there]
        began = time.monotonic()
        self._show_rendering(began, missing, frames)
        yield
        if self.windowed and missing:
            for frame in rendering.render_beside(scene, layer, {frame: store.path(frame) for frame in missing}):
                if frame >= 0:
                    store.add(frame)
                    missing.remove(frame)
                    self._show_rendering(began, missing, frames)
                yield
        while missing:
            rendering.render_frame(self.scene, layer, missing[0], store.path(missing[0]))
            store.add(missing.pop(0))
            self._show_rendering(began, missing, frames)
            yield

    def _show_rendering(self, began: float, missing: list[int], frames: list[int]) -> None:
        """Set phase, progress and ETA. began: when the first of the missing frames was started."""
        done = len(frames) - len(missing)
        self.progress = done / len(frames)
        if missing:
            self.phase = texts.label(
                "Rendering frame {frame} ({number} of {count})", frame=missing[0], number=done + 1, count=len(frames)
            )
        self._rendered = self._rendered + 1 if self._rendered >= 0 else 0
        self.eta = (time.monotonic() - began) / self._rendered * len(missing) if self._rendered else None

    def _paint(self, job: dict[str, Any]) -> Steps:
        """Have the worker run the job."""
        self.phase, self.progress, self.eta = "Loading the network", 0.0, None
        worker = worker_client.worker(worker_python())
        request = _new_id()
        worker.send(id=request, command="run", job=job)
        ended = False
        try:
            while True:
                for message in worker.messages():
                    if message.get("id") == request and self._hear(message):
                        ended = True
                        return
                if not worker.alive:
                    ended = True
                    self.log = worker.log()
                    sentence = worker.death()
                    worker_client.stop()
                    raise WorkError(sentence)
                yield
        except StyleTXError as error:
            ended = True
            if isinstance(error, WorkError):
                # once its memory was full, oneDNN goes on to fail even where there is enough again
                worker_client.stop()
            raise
        finally:
            if not ended:
                _cancel(worker, request)

    def _hear(self, message: dict[str, Any]) -> bool:
        """Take a message of the worker; True when it ends the job."""
        kind = message.get("event")
        if kind not in ("error", "step"):
            self.note(json.dumps({key: value for key, value in message.items() if key != "id"}))
        if kind == "error":
            self.log = str(message.get("log", ""))
            raise (InputError if message.get("kind") == "input" else WorkError)(str(message.get("message")))
        if kind == "cancelled":
            raise _Stopped
        event = events.from_dict(message)
        if isinstance(event, events.Started):
            self.progress = event.kept / max(event.total, 1)
            self.phase = texts.label("Painting on {device}", device=event.device)
        elif isinstance(event, events.Notice):
            if event.text not in self.notices:
                self.notices.append(event.text)
        elif isinstance(event, events.FrameDone):
            self.phase = texts.label(
                "Painting frame {frame} ({number} of {count})", frame=event.frame, number=event.index, count=event.total
            )
            self.progress, self.eta, self.seconds = event.index / event.total, event.eta, event.seconds
        elif isinstance(event, events.Finished):
            self.finished = event
            self.progress, self.eta = 1.0, 0.0
            return True
        return False

    def _wire(self, layer: str) -> None:
        """Show the result in the compositor and write down what it was made from."""
        assert self.finished is not None
        done, scene = self.finished, self.scene
        state = state_of(scene)
        pattern = Path(done.directory) / done.pattern
        name = done.pattern
        digits = name.count("#")
        first = pattern.with_name(name.replace("#" * digits, f"{done.first:0{digits}d}") if digits else name)
        path = str(first)
        if state.output.startswith("//") and bpy.data.filepath:
            path = bpy.path.relpath(path)
        self.notices += wiring.wire(
            scene, layer, wiring.Sequence(path, done.first, done.last, scene.frame_step, first.suffix.lower() == ".exr")
        )
        state.result = result_key(scene)
        state.result_path = str(pattern)
        state.result_first, state.result_last = done.first, done.last
        state.result_error = -1.0 if done.temporal_error is None else done.temporal_error
        state.result_alone_error = -1.0 if done.alone_error is None else done.alone_error

    def summary(self) -> str:
        """One sentence on a run that is done."""
        assert self.finished is not None
        done = self.finished
        text = painted_in(done.frames, done.seconds)
        if done.temporal_error is not None and done.alone_error is not None:
            text += texts.report(
                ", temporal error {error:.3f} ({alone:.3f} frame by frame)",
                error=done.temporal_error, alone=done.alone_error,
            )  # fmt: skip
        return text + f": {Path(done.directory) / done.pattern}"


def painted_in(frames: int, seconds: float) -> str:
    """How many frames took how long."""
    text = "Painted 1 frame in {seconds:.0f} s" if frames == 1 else "Painted {frames} frames in {seconds:.0f} s"
    return texts.report(text, frames=frames, seconds=seconds)


def ping() -> Generator[None, None, dict[str, Any]]:
    """Start the worker where there is none, and ask what it has. Raises WorkError when it does not answer."""
    worker = worker_client.worker(worker_python())
    request = _new_id()
    worker.send(id=request, command="ping")
    deadline = time.monotonic() + START_SECONDS
    while True:
        for message in worker.messages():
            if message.get("event") == "pong" and message.get("id") == request:
                return message
        if not worker.alive:
            sentence = worker.death()
            worker_client.stop()
            raise WorkError(sentence)
        if time.monotonic() > deadline:
            worker_client.stop()
            raise WorkError("The worker does not answer: press Test in the preferences of the StyleTX extension.")
        yield


def test_steps() -> Steps:
    """Ask the worker what it has, for the preferences."""
    global tested, test_failed
    tested, test_failed = "Starting the worker ...", False
    try:
        worker_client.stop()  # packages may have been installed since it started
        pong = yield from ping()
        sentence = missing_sentence(pong) or device_sentence(pong)
        test_failed = bool(sentence)
        tested = sentence or f"Ready: Python {pong['python']}, PyTorch {pong['torch']} on {pong['device']}"
        for found in pong.get("devices") or []:
            memory = f", {found['memory_gb']:.0f} GB of memory" if found["memory_gb"] else ""
            tested += f"\nFound: {found['device']}, {found['kind']} ({found['name']}{memory})"
    except StyleTXError as error:
        tested, test_failed = str(error), True


def _cancel(worker: worker_client.Worker, request: str) -> None:
    """End a job within half a second: the worker by itself, else by killing it."""
    worker.send(id=request, command="cancel")
    deadline = time.monotonic() + CANCEL_SECONDS
    while time.monotonic() < deadline and worker.alive:
        for message in worker.messages():
            if message.get("id") == request and message.get("event") in ("cancelled", "finished", "error"):
                return
        time.sleep(0.01)
    worker_client.stop()


def _new_id() -> str:
    global _ids
    _ids += 1
    return str(_ids)


def register() -> None:
    pass


def unregister() -> None:
    global tested
    tested = ""

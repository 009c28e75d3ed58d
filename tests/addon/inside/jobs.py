# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by the Python of a `bpy` module: `jobs.py NAME` works with jobs as a window does, and lets things go wrong.

What is right or wrong is decided outside, in test_jobs.py.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bpy

sys.path.insert(0, str(Path(__file__).parent))
from common import MODULE, OUTPUT, STYLE, WORKER, enable, finish, scene

SECONDS = 300
TICK = types.SimpleNamespace(type="TIMER")


def module(name: str) -> Any:
    return sys.modules[f"{MODULE}.{name}"]


class Pressed:
    """A button pressed in a window: the operator's own steps, which Blender's timer would take.

    A `bpy` module has no window and makes no instance of an operator, so this stands in for the instance.
    """

    def __init__(self, name: str, source: str = "operators", windowed: bool = False, **values: Any) -> None:
        """windowed: renders beside the window would be started; a `bpy` module cannot."""
        cls = getattr(module(source), f"STYLETX_OT_{name}")
        self.reports: list[str] = []
        self.result: set[str] = set()
        self.acting = types.SimpleNamespace(
            _windowed=windowed, _timer=None, report=lambda kind, text: self.reports.append(text), **values
        )
        for base in reversed(cls.__mro__):
            for word, value in vars(base).items():
                if isinstance(value, types.FunctionType):
                    setattr(self.acting, word, types.MethodType(value, self.acting))
        self.acting._running = self.acting.begin(bpy.context)
        self.run = self.acting._run
        self.tick()

    def tick(self) -> bool:
        """One event of the timer; True while the operator goes on."""
        if not self.result:
            found = self.acting.modal(bpy.context, TICK)
            self.result = set() if found == {"PASS_THROUGH"} else set(found)
        return not self.result

    def end(self) -> None:
        """What Blender does with an operator when a file is opened or the window closes."""
        self.acting.cancel(bpy.context)
        self.result = {"CANCELLED"}

    def outcome(self) -> dict[str, Any]:
        return {"state": self.run.state, "error": self.run.error, "reports": self.reports}


def until(condition: Callable[[], Any], *pressed: Pressed) -> None:
    """Tick what was pressed until something is so."""
    end = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < end, [p.run.phase for p in pressed]
        for one in pressed:
            one.tick()
        time.sleep(0.01)


def done(*pressed: Pressed) -> None:
    until(lambda: not any(one.tick() for one in pressed), *pressed)


def painted(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("frame_*.exr"))


def notes() -> list[dict[str, Any]]:
    """The notes of jobs on disk."""
    return [json.loads(path.read_text("utf-8")) for path in sorted(module("jobs").folder().glob("*.json"))]


def job_of(folder: Path) -> dict[str, Any]:
    """The job that painted what is in a folder."""
    return dict(json.loads((folder / "styletx.json").read_text("utf-8"))["job"])


def second(name: str) -> bpy.types.Scene:
    """Another scene with the same objects."""
    made = bpy.context.scene.copy()
    made.name = name
    return made


def queue() -> dict[str, Any]:
    """Three jobs in line: each with the settings it was pressed with, one cancelled while it waits."""
    made = scene(4, (64, 48))
    other = second("Other")
    bpy.ops.wm.save_as_mainfile(filepath=str(OUTPUT / "queue.blend"))
    run, jobs = module("run"), module("jobs")
    first = Pressed("stylize_render")
    made.styletx.strength = 0.25  # after the button: for what is pressed later
    twice = clicks(first)
    until(lambda: run.current is first.run, first)
    bpy.context.window.scene = other
    other.styletx.strength = 0.5
    waiting = Pressed("stylize_render")
    other.styletx.strength = 0.75
    unwanted = Pressed("stylize_frame")
    found: dict[str, Any] = {
        "states": [one.run.state for one in (first, waiting, unwanted)],
        "phases": [one.run.phase for one in (waiting, unwanted)],
        "notes": [note["label"] for note in notes()], "interrupted": jobs.interrupted(), "twice": twice,
    }  # fmt: skip
    found["cancel"] = sorted(bpy.ops.styletx.cancel(job=unwanted.run.id))
    done(unwanted)
    found["after cancel"] = [one.run.state for one in (first, waiting, unwanted)]
    done(first, waiting)
    found["end"] = [one.outcome() for one in (first, waiting)]
    found["strengths"] = [job_of(OUTPUT / name / "painted")["settings"]["strength"] for name in ("Scene", "Other")]
    found["seconds"] = first.run.seconds
    found["out of date"] = module("properties").out_of_date(made)
    found["left"] = [len(jobs.queue), notes(), run.current is None]
    found["copied"] = sorted(bpy.ops.styletx.copy_log(job=first.run.id))
    found["log"] = first.run.log_text()

    all_of = [Pressed("stylize_render") for _ in range(3)]
    until(lambda: run.current is all_of[0].run, *all_of)
    bpy.ops.styletx.cancel_all()
    done(*all_of)
    found["cancel all"] = [one.run.state for one in all_of]
    found["left after all"] = [len(jobs.queue), notes()]
    return found


def clicks(pressed: Pressed) -> dict[str, bool]:
    """Whether presses right after the one of a job count as its second click. Its settings have been changed since."""
    clicked_twice, state, run = module("jobs").clicked_twice, bpy.context.scene.styletx, pressed.run
    others = {name: getattr(module(source), f"STYLETX_OT_{name}") for name, source in
              (("stylize_frame", "operators"), ("preview_frame", "preview_ops"))}  # fmt: skip
    strength = state.strength
    found = {"other settings": clicked_twice(pressed.acting.make(bpy.context))}
    state.strength = run.settings["strength"]
    found["the same"] = clicked_twice(pressed.acting.make(bpy.context))
    acting = types.SimpleNamespace(_windowed=True, frame=lambda context: 2)
    found |= {name: clicked_twice(operator.make(acting, bpy.context)) for name, operator in others.items()}
    run.pressed -= 2
    found["later"] = clicked_twice(pressed.acting.make(bpy.context))
    run.pressed += 2
    run.cancel_requested = True
    found["after cancel"] = clicked_twice(pressed.acting.make(bpy.context))
    run.cancel_requested = False
    state.strength = strength
    return found


def killed() -> dict[str, Any]:
    """Blender dies while it paints: this process, at once, with nothing tidied up."""
    made = scene(10, (64, 48))
    bpy.ops.wm.save_as_mainfile(filepath=str(OUTPUT / "shot.blend"))
    made.styletx.strength = 0.8  # never saved: only the note knows
    pressed = Pressed("stylize_render")
    folder = OUTPUT / "Scene" / "painted"
    until(lambda: len(painted(folder)) >= 3, pressed)
    pid = module("worker_client")._worker._process.pid
    Path(os.environ["STYLETX_TEST_RESULT"]).write_text(json.dumps({"worker": pid, "painted": painted(folder)}), "utf-8")
    os._exit(0)


def resumed() -> dict[str, Any]:
    """The next Blender, with the same file: it goes on, with the settings that the job was started with."""
    bpy.ops.wm.read_factory_settings()
    enable()
    jobs = module("jobs")
    found: dict[str, Any] = {"fresh": len(jobs.interrupted())}
    found["running"] = []
    with subprocess.Popen(["sleep", "60"]) as other:
        for path in jobs.folder().glob("*.json"):  # time passes
            note = json.loads(path.read_text("utf-8"))
            note["time"] -= 60
            process = jobs._process(other.pid)
            # its Blender runs; another process has its number; it is gone
            for writer in (process, [process[0], process[1] - 1], note["process"]):
                path.write_text(json.dumps(note | {"process": writer}), "utf-8")
                found["running"].append(len(jobs.interrupted()))
        other.kill()
    shown = ("label", "kind", "frame", "over")
    found["interrupted"] = [{key: note[key] for key in shown} for note in jobs.interrupted()]
    try:
        bpy.ops.styletx.resume_job()
    except RuntimeError as error:
        found["other file"] = str(error)
    bpy.ops.wm.open_mainfile(filepath=str(OUTPUT / "shot.blend"))
    before = painted(OUTPUT / "Scene" / "painted")
    found["result"] = sorted(bpy.ops.styletx.resume_job())
    run = module("run")
    found |= {
        "before": before, "after": painted(OUTPUT / "Scene" / "painted"), "kept": run.last.finished.kept,
        "strength": job_of(OUTPUT / "Scene" / "painted")["settings"]["strength"], "notes": notes(),
        "wired": bpy.context.scene.styletx.result_last,
    }  # fmt: skip
    return found


def chaos() -> dict[str, Any]:
    """What can happen to a job, one thing after the other, in one Blender with one worker."""
    found: dict[str, Any] = {}
    for case in CASES:
        print(">>>", case.__name__, flush=True)
        folder = OUTPUT / case.__name__
        found[case.__name__] = case(folder) | {
            "idle": module("run").current is None and not module("jobs").queue,
            "left": [other.name for other in bpy.data.scenes if "StyleTX" in other.name],
        }
    made = scene(2, (64, 48))  # and Blender goes on
    made.styletx.output = str(OUTPUT / "after")
    found["after"] = sorted(bpy.ops.styletx.stylize_render())
    return found


def too_large() -> dict[str, Any]:
    """A size that no memory here holds: told before anything is rendered."""
    made = _shot(OUTPUT / "large", 2)
    made.render.resolution_x = made.render.resolution_y = 30000
    pressed = Pressed("stylize_render")
    done(pressed)
    found = pressed.outcome() | {"rendered": len(list((OUTPUT / "large").rglob("*.exr")))}
    made.render.resolution_x, made.render.resolution_y = 64, 48
    return found | {"smaller": sorted(bpy.ops.styletx.stylize_render())}


def strokes() -> dict[str, Any]:
    """A machine with just enough memory for the method's own strokes, and for no smaller ones."""
    made = _shot(OUTPUT / "strokes", 3)
    made.render.resolution_x, made.render.resolution_y = 960, 540
    run = module("run")
    ping = run.ping

    def small() -> Any:
        return (yield from ping()) | {"devices": [{"device": "cpu", "memory_gb": MEMORY}]}

    run.ping = small
    found: dict[str, Any] = {}
    for name, sizes in (("keyed", (1.0, 0.25)), ("own", (1.0, 2.0))):
        for frame, size in zip((1, 3), sizes, strict=True):
            made.styletx.size = size
            made.styletx.keyframe_insert("size", frame=frame)
        pressed = Pressed("stylize_render")
        until(lambda: pressed.run.memory is not None or pressed.result, pressed)  # noqa: B023 - called at once
        found[name] = pressed.outcome() | {"memory": pressed.run.memory, "log": pressed.run.log_text()}
        if not pressed.result:
            pressed.end()
    run.ping = ping
    return found | {"memory": MEMORY, "rendered": len(list((OUTPUT / "strokes").rglob("*.exr")))}


MEMORY = 1.7
"""GB: between what a shot of 960x540 takes in strokes of size 1 and of size 0.25."""


def redrawn() -> dict[str, Any]:
    """How often panels that are drawn again and again look at the disk."""
    made = _shot(OUTPUT / "redrawn", 1)
    looks = {"jobs": 0, "library": 0}

    def counted(name: str, function: Callable[[], Any]) -> Callable[[], Any]:
        def counting() -> Any:
            looks[name] += 1
            return function()

        return counting

    jobs, library = module("jobs"), module("library")
    for name, shown in (("jobs", jobs.listed), ("library", library.items)):
        shown.look = counted(name, shown.look)
    found = []
    for _ in range(2):
        time.sleep(1.1)
        for _ in range(20):
            bpy.ops.styletx.resume_job.poll()
            made.styletx.library  # noqa: B018 - as drawing does
        found.append(dict(looks))
    shutil.copy(STYLE, OUTPUT / "one more.png")
    bpy.ops.styletx.add_style(filepath=str(OUTPUT / "one more.png"))
    added = made.styletx.library == made.styletx.style
    bpy.ops.styletx.remove_style()  # the other tests have the same library
    return {"looks": found, "added": added}


def unsaved() -> dict[str, Any]:
    """Painted pixels in no file, in a window and without; where no render shows them; in the file; strips."""
    made = _shot(OUTPUT / "unsaved", 2)
    image = bpy.data.images.new("Poster", 8, 8)
    image.pixels[0] = 0.5
    bpy.context.screen.areas[0].type = "IMAGE_EDITOR"
    bpy.context.screen.areas[0].spaces.active.image = image
    made.tool_settings.image_paint.canvas = image

    def press(name: str, windowed: bool = True) -> list[str]:
        pressed = Pressed(name, windowed=windowed)
        found = [pressed.run.state, pressed.run.error]
        if not pressed.result:
            pressed.end()
        return found

    found: dict[str, Any] = {"dirty": image.is_dirty, "in an editor": press("stylize_render")}
    bpy.data.materials["Material"].node_tree.nodes.new("ShaderNodeTexImage").image = image
    found |= {name: press(name) for name in ("stylize_render", "stylize_frame")}
    preview = module("preview").PreviewRun(made, 1, True)
    list(preview.steps())
    found["preview_frame"] = [preview.state, preview.error]
    found["no window"] = press("stylize_render", windowed=False)
    editor = made.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    strips.new_scene("other", second("Other"), 1, 1).select = True
    found["stylize_strips"] = press("stylize_strips")
    image.pack()
    found["packed"] = press("stylize_render")
    return found


def command() -> dict[str, Any]:
    """`blender --command styletx ...`, as Blender calls it: its options, strips, a job that goes on."""
    made = _shot(OUTPUT / "command", 3)
    bpy.ops.wm.save_as_mainfile(filepath=str(OUTPUT / "command.blend"))
    main, state = module("command").main, made.styletx
    bad = {"--size": "much", "--keep-colors": "some", "--elsewhere": "here", "--view-layer": "Nowhere"}
    found: dict[str, Any] = {"bad": {option: _said(main, ["render", option, text]) for option, text in bad.items()}}
    state.view_layer, state.elsewhere = "", "STYLE"
    options = {"--style": STYLE, "--size": "0.5", "--keep-colors": "luminance", "--elsewhere": "ORIGINAL",
               "--view-layer": made.view_layers[0].name, "--strength": "0.75"}  # fmt: skip
    found["render"] = _said(main, ["render", *(word for option in options.items() for word in option)])
    found["settings"] = job_of(OUTPUT / "command" / "Scene" / "painted")["settings"]
    found["chosen"] = [state.elsewhere, state.view_layer == made.view_layers[0].name]

    state.strength = 0.5
    pressed = _painting(OUTPUT / "command", frames=1)
    pressed.end()
    found["resume"] = _said(main, ["resume"])
    found["resumed"] = job_of(OUTPUT / "command" / "Scene" / "painted")["settings"]["strength"]
    found["nothing"] = _said(main, ["resume"])
    strips = _pictures(OUTPUT / "clips")
    for strip in strips:
        strip.select = False
    found["strips"] = _said(main, ["strips", "--strip", "clip"])
    found["names"] = sorted(strip.name for strip in strips)
    found["no strip"] = _said(main, ["strips", "--strip", "gone"])
    return found


def _said(main: Callable[[list[str]], int], arguments: list[str]) -> list[Any]:
    """The exit code of a command, and what is wrong."""
    errors = io.StringIO()
    with contextlib.redirect_stderr(errors):
        return [main(arguments), errors.getvalue()]


def _shot(folder: Path, frames: int = 6) -> bpy.types.Scene:
    made = scene(frames, (64, 48))
    made.styletx.output = str(folder)
    return made


def _painting(folder: Path, name: str = "Scene", frames: int = 2) -> Pressed:
    """A job that has painted a few frames."""
    pressed = Pressed("stylize_render")
    until(lambda: len(painted(folder / name / "painted")) >= frames, pressed)
    return pressed


@contextlib.contextmanager
def _held() -> Iterator[None]:
    """Hold the worker, so that the job cannot end meanwhile, however long Blender takes."""
    worker = module("worker_client")._worker._process.pid
    os.kill(worker, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(worker, signal.SIGCONT)


def _told(pressed: Pressed, folder: Path, name: str = "Scene") -> dict[str, Any]:
    kept = painted(folder / name / "painted") if (folder / name / "painted").is_dir() else []
    return pressed.outcome() | {"kept": len(kept)}


def undo(folder: Path) -> dict[str, Any]:
    """Undo and redo of what was done before the job, while it runs, and of the job when it is done."""
    made = _shot(folder, 6)
    made.frame_end = 5
    bpy.ops.ed.undo_push(message="before")
    bpy.data.objects["Light"].location.x += 1
    bpy.ops.ed.undo_push(message="moved")
    pressed = _painting(folder)
    with _held():
        found: dict[str, Any] = {"while": [sorted(bpy.ops.ed.undo())]}
        pressed.tick()
        found["while"] += [sorted(bpy.ops.ed.redo())]
    done(pressed)
    bpy.ops.ed.undo_push(message="Stylize Render")  # as Blender does when the operator has finished
    wired = module("wiring").wired
    for name, step in (("done", None), ("undone", bpy.ops.ed.undo), ("redone", bpy.ops.ed.redo)):
        if step is not None:
            step()
        made = bpy.context.scene
        path = Path(made.styletx.result_path).parent.name if made.styletx.result_path else ""
        found[name] = [wired(made), path, bpy.data.objects["Light"].location.x]
    return found | _told(pressed, folder)


def scene_renamed(folder: Path) -> dict[str, Any]:
    """The job goes on with the settings it has, and is listed by the new name."""
    made = _shot(folder, 6)
    pressed = _painting(folder)
    made.styletx.strength = 0.5
    made.name = "Renamed"
    bpy.data.scenes.new("Scene")  # which is another one
    done(pressed)
    path = Path(bpy.data.scenes["Renamed"].styletx.result_path)
    found = {"wired": [module("wiring").wired(bpy.data.scenes[name]) for name in ("Renamed", "Scene")]}
    return _told(pressed, folder) | found | {
        "label": pressed.run.label, "strength": job_of(path.parent)["settings"]["strength"]}  # fmt: skip


def scene_deleted(folder: Path) -> dict[str, Any]:
    made = _shot(folder)
    other = second("Doomed")
    bpy.context.window.scene = other
    pressed = _painting(folder, "Doomed")
    bpy.context.window.scene = made
    bpy.data.scenes.remove(other)
    done(pressed)
    return _told(pressed, folder, "Doomed")


def _pictures(folder: Path) -> Any:
    """The strips of a scene with six pictures in its sequencer, which are selected."""
    made = _shot(folder)
    source = folder / "pictures"
    source.mkdir(parents=True)
    made.render.filepath = str(source / "pic_")
    made.render.image_settings.file_format = "PNG"
    bpy.ops.render.render(animation=True)
    editor = made.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences
    names = sorted(path.name for path in source.glob("*.png"))
    strip = strips.new_image("clip", str(source / names[0]), 1, 1)
    for name in names[1:]:
        strip.elements.append(name)
    for one in strips:
        one.select = one.name == "clip"
    return strips


def _while_painted(folder: Path, strips: Any, change: Callable[[], object]) -> dict[str, Any]:
    """Paint the strip, and do something when the first frame is painted."""
    pressed = Pressed("stylize_strips")
    until(lambda: list(folder.rglob("painted/frame_*")), pressed)
    change()
    done(pressed)
    kept = [path for path in folder.rglob("painted/frame_*") if ".tmp" not in path.name]
    return pressed.outcome() | {"kept": len(kept), "strips": [strip.name for strip in strips]}


def strip_deleted(folder: Path) -> dict[str, Any]:
    strips = _pictures(folder)
    return _while_painted(folder, strips, lambda: strips.remove(strips["clip"]))


def strip_trimmed(folder: Path) -> dict[str, Any]:
    strips = _pictures(folder)
    return _while_painted(folder, strips, lambda: setattr(strips["clip"], "frame_offset_start", 2))


def strip_moved(folder: Path) -> dict[str, Any]:
    """Moved; painted again where it is now; moved back, where it was painted already."""
    strips = _pictures(folder)
    found = _while_painted(folder, strips, lambda: setattr(strips["clip"], "frame_start", 5))
    strips["clip"].frame_start = 1
    return found | {"again": sorted(bpy.ops.styletx.stylize_strips()), "kept then": module("run").last.finished.kept}


def disk_full_painting(folder: Path) -> dict[str, Any]:
    """The system lets the worker write no more, as it does where a quota is used up."""
    _shot(folder)
    pressed = _painting(folder)
    pid = module("worker_client")._worker._process.pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (512, 512))
    done(pressed)
    found = _told(pressed, folder)
    module("worker_client").stop()  # the limit goes with it
    pressed = Pressed("stylize_render")  # and the disk has room again
    done(pressed)
    return found | {"again": pressed.outcome(), "all": len(painted(folder / "Scene" / "painted")),
                    "kept then": pressed.run.finished and pressed.run.finished.kept}  # fmt: skip


def disk_full_rendering(folder: Path) -> dict[str, Any]:
    _shot(folder, 6)
    pressed = Pressed("stylize_render")
    until(lambda: len(list((folder / "Scene" / "render").glob("frame_*.exr"))) >= 2, pressed)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (512, hard))
    try:
        done(pressed)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    return pressed.outcome() | {"kept": len(list((folder / "Scene" / "render").glob("frame_*.exr")))}


def memory_full(folder: Path) -> dict[str, Any]:
    """A worker that may take little more memory than it has, in search of what is enough to paint in tiles only.

    How much that is differs from machine to machine: half of what lies between too little for tiles and enough for the
    whole picture is tried next, by a new worker, as one that has painted has kept memory. After the first one,
    which can do nothing, the button is pressed again: that worker and its limit are gone.
    """
    made = _shot(folder, 1)
    made.styletx.source, made.styletx.sequence = "SEQUENCE", str(folder / "large")
    image = bpy.data.images.new("Large", 1760, 1340)  # almost the largest that is painted whole
    image.generated_type = "COLOR_GRID"
    small = bpy.data.images.new("Small", 64, 48)
    tried: list[dict[str, Any]] = []
    more, too_little, enough = 20.0, 20.0, 1000.0  # MiB
    again = {}
    while len(tried) < 12:
        module("worker_client").stop()
        made.styletx.strength = 1 - len(tried) / 1000  # or the small one would be there already
        _saved(small, folder)
        bpy.ops.styletx.stylize_frame()  # so that the worker has all that it needs for any picture
        pid = module("worker_client")._worker._process.pid
        used = int(Path(f"/proc/{pid}/statm").read_text().split()[0]) * resource.getpagesize()
        resource.prlimit(pid, resource.RLIMIT_AS, (used + int(more * 2**20), resource.RLIM_INFINITY))
        _saved(image, folder)
        pressed = Pressed("stylize_frame")
        done(pressed)
        tried.append(pressed.outcome() | {"more": more, "log": pressed.run.log_text()})
        if not again:
            pressed = Pressed("stylize_frame")
            done(pressed)
            again = pressed.outcome()
        elif tried[-1]["state"] == "DONE" and "tiles" in tried[-1]["log"]:
            break
        too_little, enough = (more, enough) if tried[-1]["state"] == "FAILED" else (too_little, more)
        more = (too_little + enough) / 2
    module("worker_client").stop()  # the limit goes with it
    return tried[-1] | {"before": tried[:-1], "again": again,
                        "kept": len(list((folder / "Scene" / "frame").glob("frame_*")))}  # fmt: skip


def _saved(image: bpy.types.Image, folder: Path) -> None:
    """Make a picture the first of a sequence."""
    image.filepath_raw, image.file_format = str(folder / "large" / "frame_0001.png"), "PNG"
    image.save()


def card_full(folder: Path) -> dict[str, Any]:
    """A worker whose network says what PyTorch says where a graphics card is full."""
    _shot(folder, 2).render.resolution_x = 320
    preferences = bpy.context.preferences.addons[MODULE].preferences
    chosen = preferences.python, preferences.python_path
    launcher = OUTPUT / "card.py"
    python = WORKER or sys.executable
    launcher.write_text(f"#!{python}\n" + Path(__file__).with_name("card.py").read_text("utf-8"), "utf-8")
    launcher.chmod(0o755)
    preferences.python, preferences.python_path = "CUSTOM", str(launcher)
    pressed = Pressed("stylize_render")
    done(pressed)
    preferences.python, preferences.python_path = chosen
    return _told(pressed, folder) | {"log": pressed.run.log_text()}


def worker_killed(folder: Path) -> dict[str, Any]:
    _shot(folder)
    pressed = _painting(folder)
    os.kill(module("worker_client")._worker._process.pid, signal.SIGKILL)
    done(pressed)
    return _told(pressed, folder)


def style_removed(folder: Path) -> dict[str, Any]:
    """While frames are rendered: before the worker has read it."""
    made = _shot(folder)
    style = OUTPUT / "style.png"
    shutil.copy(STYLE, style)
    made.styletx.style = str(style)
    pressed = Pressed("stylize_render")
    until(lambda: list((folder / "Scene" / "render").glob("frame_*.exr")), pressed)
    style.unlink()
    done(pressed)
    return pressed.outcome() | {"kept": len(list((folder / "Scene" / "render").glob("frame_*.exr")))}


def style_removed_late(folder: Path) -> dict[str, Any]:
    """While frames are painted: the worker knows it by heart."""
    made = _shot(folder, 6)
    style = OUTPUT / "late.png"
    shutil.copy(STYLE, style)
    made.styletx.style = str(style)
    pressed = _painting(folder)
    style.unlink()
    done(pressed)
    return _told(pressed, folder)


def output_is_a_file(folder: Path) -> dict[str, Any]:
    """Root may write anywhere, but nobody writes into a file as into a folder."""
    _shot(folder)
    folder.write_text("a file", "utf-8")
    pressed = Pressed("stylize_render")
    done(pressed)
    return pressed.outcome() | {"kept": int(folder.read_text("utf-8") == "a file")}


def output_taken_away(folder: Path) -> dict[str, Any]:
    """The folder becomes a file while frames are painted."""
    _shot(folder)
    pressed = _painting(folder)
    there = folder / "Scene" / "painted"
    there.rename(folder / "elsewhere")
    there.write_text("a file", "utf-8")
    done(pressed)
    return pressed.outcome() | {"kept": len(painted(folder / "elsewhere"))}


def window_closed(folder: Path) -> dict[str, Any]:
    """A second window's operators end with it; the file stays open."""
    _shot(folder)
    bpy.ops.wm.save_as_mainfile(filepath=str(OUTPUT / "closed.blend"))
    pressed = _painting(folder)
    pressed.end()
    found = _told(pressed, folder)
    left = module("jobs").interrupted()
    found["interrupted"] = [note["label"] for note in left]
    resumed = Pressed("resume_job", "job_ops", _note=left[0], job=left[0]["id"])
    found["clicked again"] = [sorted(resumed.acting.invoke(bpy.context, None)), resumed.reports[:]]
    resumed.run.pressed -= 2
    found["later"] = [sorted(resumed.acting.invoke(bpy.context, None)), resumed.reports[:]]
    done(resumed)
    return found | {"resumed": resumed.run.state, "all": len(painted(folder / "Scene" / "painted"))}


def file_loaded(folder: Path) -> dict[str, Any]:
    """Blender ends the operators that run, and opens another file; one job works, one waits."""
    _shot(folder)
    bpy.ops.wm.save_as_mainfile(filepath=str(OUTPUT / "loaded.blend"))
    pressed = _painting(folder)
    waiting = Pressed("stylize_frame")
    pressed.end()
    waiting.end()
    bpy.ops.wm.open_mainfile(filepath=str(OUTPUT / "loaded.blend"))
    found = _told(pressed, folder) | {"waiting": waiting.run.state}
    found["interrupted"] = [note["label"] for note in module("jobs").interrupted()]
    found["resumed"] = sorted(bpy.ops.styletx.resume_job())
    found["all"] = len(painted(folder / "Scene" / "painted"))
    return found


CASES = (
    undo, scene_renamed, scene_deleted, strip_deleted, strip_trimmed, strip_moved, disk_full_painting,
    disk_full_rendering, memory_full, card_full, worker_killed, style_removed, style_removed_late, output_is_a_file,
    output_taken_away, window_closed, file_loaded,
)  # fmt: skip

if __name__ == "__main__":
    if len(sys.argv) > 2:
        CASES = tuple(globals()[name] for name in sys.argv[2:])
    finish(globals()[sys.argv[1]]())

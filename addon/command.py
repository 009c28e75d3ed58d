# SPDX-License-Identifier: GPL-3.0-or-later
"""`blender FILE.blend --command styletx ...`: what the buttons do, for scripts and farms."""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import bpy

from styletx_core.errors import InputError

from . import compat, jobs, run, strip_run
from .preferences import preferences
from .properties import state_of
from .stepping import PAUSE

SETTINGS = ("style", "method", "strength", "size", "keep_colors", "stability", "elsewhere", "motion", "source",
            "sequence", "view_layer", "output", "format")  # fmt: skip
"""Settings of the panel that have an option of the same name, with a dash for each underscore."""

_handle: Any = None


def main(arguments: list[str]) -> int:
    """Run the command; returns the exit code: 0, 1 failed while working, 2 bad input, 130 interrupted."""
    try:
        given = _parser().parse_args(arguments)
    except SystemExit as end:  # argparse has said what is wrong
        return int(end.code or 0)
    try:
        return _run(given)
    except InputError as error:
        print(f"styletx: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="blender FILE.blend --command styletx", description="Paint the shots and strips of a .blend file."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("test", help="say what the worker has: PyTorch, devices, memory")
    render = commands.add_parser("render", help="render the frame range and paint it")
    frame = commands.add_parser("frame", help="render and paint one frame alone")
    frame.add_argument("--frame", type=int, help="its number (the file's current frame)")
    strips = commands.add_parser("strips", help="paint strips of the sequencer")
    strips.add_argument("--strip", action="append", metavar="NAME", help="a strip (those that are selected)")
    resume = commands.add_parser("resume", help="go on with the file's job that was interrupted last")
    for one in (render, frame, strips):
        one.add_argument("--scene", help="its name (the one that the file opens with)")
        for name in SETTINGS:
            one.add_argument(_option(name), help="as in the panel (as saved in the file)")
    for one in (render, frame, strips, resume):
        one.add_argument("--device", help="auto, cpu, cuda, mps or xpu (as in the preferences)")
        one.add_argument("--worker", metavar="PYTHON", help="the environment that paints (as in the preferences)")
        one.add_argument("--save", action="store_true", help="save the file with the result in it")
    return parser


def _run(given: argparse.Namespace) -> int:
    if given.command == "test":
        for _ in run.test_steps():
            time.sleep(PAUSE)
        print(run.tested, file=sys.stderr if run.test_failed else sys.stdout)
        return int(run.test_failed)
    windows = bpy.context.window_manager.windows
    if not windows:
        raise InputError("There is no file to work on: give a .blend before --command.")
    _prefer(given)
    # a command has no window in its context, and Blender dies of removing a scene there
    with bpy.context.temp_override(window=windows[0]):
        work = _resumed() if given.command == "resume" else _started(given)
        _watch(work)
    for notice in work.notices:
        print(f"StyleTX: {notice}", file=sys.stderr)
    if work.state != "DONE":
        print(f"styletx: {work.error}", file=sys.stderr)
        return 2 if work.bad_input else 1
    print(work.summary())
    if given.save:
        bpy.ops.wm.save_mainfile()
    return 0


def _prefer(given: argparse.Namespace) -> None:
    """Take device and worker for this process; preferences are not saved."""
    chosen = preferences()
    if given.worker:
        chosen.python, chosen.python_path = "CUSTOM", given.worker
    if given.device:
        _set(chosen, "device", given.device)


def _started(given: argparse.Namespace) -> run.Run:
    """The job that the arguments ask for. Raises InputError."""
    scene = bpy.data.scenes.get(given.scene) if given.scene else _scene(given.command)
    if scene is None:
        raise InputError(f"The file has no scene '{given.scene}': choose one of {', '.join(bpy.data.scenes.keys())}.")
    for name in SETTINGS:
        if getattr(given, name) is not None:
            _set(state_of(scene), name, getattr(given, name))
    if given.command == "strips":
        return strip_run.StripRun(scene, False, given.strip)
    if given.command == "frame":
        return run.Run(scene, scene.frame_current if given.frame is None else given.frame, False)
    return run.Run(scene, None, False)


def _scene(command: str) -> bpy.types.Scene | None:
    return compat.sequencer_scene(bpy.context) if command == "strips" else bpy.context.scene


def _resumed() -> run.Run:
    from .job_ops import again

    for note in jobs.interrupted():
        if note["blend"] == bpy.data.filepath and bpy.data.scenes.get(note["scene"]) is not None:
            return again(note, False)
    raise InputError("No job of this file was interrupted: start one with render, frame or strips.")


def _set(owner: Any, name: str, text: str) -> None:
    """Give a setting a value from the command line. Raises InputError where it does not fit."""
    prop = owner.bl_rna.properties[name]
    try:
        setattr(owner, name, float(text) if prop.type == "FLOAT" else text)
    except (TypeError, ValueError):
        known = (
            f"one of {', '.join(item.identifier for item in prop.enum_items)}" if prop.type == "ENUM" else "a number"
        )
        raise InputError(f"The setting {_option(name)} is '{text}', but has to be {known}.") from None


def _option(name: str) -> str:
    """The option of a setting."""
    return f"--{name.replace('_', '-')}"


def _watch(work: run.Run) -> None:
    """Do the work, and say how it gets on."""
    shown, steps = "", work.steps()
    try:
        for _ in steps:
            line = f"{work.subject}: {work.phase}" if work.subject else work.phase
            if line != shown:
                pace = f", {work.seconds:.1f} s a frame" if work.seconds is not None else ""
                print(f"StyleTX: {line}{pace}", flush=True)
                shown = line
            time.sleep(PAUSE)
    finally:
        steps.close()


def register() -> None:
    global _handle
    utils: Any = bpy.utils  # whose type stubs return nothing
    _handle = utils.register_cli_command("styletx", main)


def unregister() -> None:
    global _handle
    if _handle is not None:
        bpy.utils.unregister_cli_command(_handle)
        _handle = None

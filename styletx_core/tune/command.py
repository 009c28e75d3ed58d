# SPDX-License-Identifier: GPL-3.0-or-later
"""`styletx tune`: its options, and what it shows. Imports torch only when it runs."""

from __future__ import annotations

import argparse
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, redirect_stdout
from types import FrameType
from typing import Any, TextIO

from ..events import Event
from ..job import Input, ViewSettings
from ..progress import BAR, Lines, Quiet, Status, bar, left
from .events import Figures, TuneFinished, TuneMeasured, TuneStarted, TuneStep

OK, INTERRUPTED = 0, 130
HELP = "fine-tune the network to one shot, so that it is steadier there"
DESCRIPTION = """\
Fine-tunes a copy of the network to one shot with the shot's own motion, and writes it as weights for
'styletx stylize --weights FILE'. Tells what was gained; where nothing was, nothing is written.
Ctrl-C keeps the best found so far. More: docs/tune.md. Needs VGG-19: pip install 'styletx-core[training]'."""


def add_command(
    commands: Any, frames: Callable[[str], tuple[int, int]], view: Callable[[argparse.Namespace], ViewSettings]
) -> None:
    """Add `tune` to the subparsers. frames: parses A-B; view: the view that the options ask for."""
    parser = commands.add_parser("tune", help=HELP, description=DESCRIPTION,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.set_defaults(command=lambda options: _tune(options, view(options)))
    add = parser.add_argument
    add("input", metavar="SHOT", help="a directory or pattern (shot.####.exr) of frames, or a movie")
    add("--style", action="append", required=True, metavar="PICTURE",
        help="style picture; several are learned side by side")  # fmt: skip
    add("--out", metavar="FILE", help="the weights (default: SHOT.tuned.safetensors beside the shot)")
    add("--overwrite", action="store_true", help="replace the weights that are there")
    add("--steps", type=int, default=300, metavar="N", help="(default: %(default)s)")
    add("--minutes", type=float, metavar="N", help="learn for so long, instead of --steps")
    add("--rate", type=float, default=5e-4, help="learning rate (default: %(default)s)")
    add("--seed", type=int, default=0, help="of the random windows (default: 0)")
    add("--motion", choices=("auto", "vectors", "flow"), default="auto",
        help="where the motion comes from (default: the render's vectors, else flow)")  # fmt: skip
    add("--weights", metavar="FILE", help="safetensors file to start from (default: the method's own)")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    add("--frames", type=frames, metavar="A-B", help="first and last frame (default: all)")
    add("--layer", metavar="NAME", help="view layer of a multilayer EXR")
    add("--camera", metavar="FILE", help="shot.json (default: the one beside the frames)")
    for name in ("view", "display", "look", "ocio"):
        add(f"--{name}", metavar="FILE" if name == "ocio" else None, help="as for 'styletx stylize'")
    for name in ("exposure", "gamma"):
        add(f"--{name}", type=float, help="as for 'styletx stylize'")
    add("--progress", choices=("bar", "json", "none"), default="bar",
        help="a bar on stderr, events as JSON lines on stdout, or nothing (default: bar)")  # fmt: skip


def _tune(options: argparse.Namespace, view: ViewSettings) -> int:
    from .tuning import Tuning, tune

    names = ("out", "motion", "weights", "device", "steps", "minutes", "rate", "seed", "overwrite")
    tuning = Tuning(
        input=Input(options.input, options.frames, options.layer, options.camera),
        styles=tuple(options.style),
        view=view,
        **{name: getattr(options, name) for name in names},
    )
    show = {"bar": _Bar, "json": Lines, "none": _Gain}[options.progress](sys.stdout)
    stopped = False
    # OpenEXR prints warnings to stdout, which is for the results alone.
    with redirect_stdout(sys.stderr), _asked_to_stop() as asked, closing(tune(tuning, asked)) as events:
        for event in events:
            show.show(event)
            stopped = isinstance(event, TuneFinished) and event.stopped
    return INTERRUPTED if stopped else OK


@contextmanager
def _asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Ctrl-C asks to stop and keep what is there; a second one ends at once."""
    asked = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        print("\nStopping; the best found so far is kept. Ctrl-C again ends at once and keeps nothing.",
              file=sys.stderr, flush=True)  # fmt: skip

    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set
        return
    before = signal.signal(signal.SIGINT, ask)
    try:
        yield asked.is_set
    finally:
        signal.signal(signal.SIGINT, before)


class _Gain(Quiet):
    """What was gained, and notices."""

    def show(self, event: Event) -> None:
        if isinstance(event, TuneFinished):
            print(_gained(event), file=sys.stderr)
            if event.path:
                print(event.path, file=self.out)
        else:
            super().show(event)


class _Bar(_Gain):
    """A progress bar on stderr."""

    def __init__(self, out: TextIO) -> None:
        super().__init__(out)
        self.status = Status()
        self.before: Figures | None = None
        self.gain = ""

    def show(self, event: Event) -> None:
        if isinstance(event, TuneStep):
            self.step(event)
        elif isinstance(event, TuneMeasured):
            if event.best and self.before is not None:
                self.gain = f"  {_change(self.before.temporal, event.figures.temporal)} temporal error"
        elif isinstance(event, TuneStarted):
            self.before = event.before
            held = f" and measured on {event.held_out} more" if event.held_out else ""
            print(f"{event.pairs} pairs of frames to learn from{held}, {event.width}x{event.height}, on {event.device},"
                  f" motion: {event.motion}; temporal error {event.before.temporal:.4f}", file=sys.stderr)  # fmt: skip
        else:
            self.status.clear()
            super().show(event)

    def step(self, event: TuneStep) -> None:
        if self.status.due(last=event.done >= 1):
            self.status.write(f"{bar(int(BAR * event.done))} step {event.step}  {event.seconds:.2f} s/step"
                              f"  {left(event.eta)}{self.gain}")  # fmt: skip


def _gained(event: TuneFinished) -> str:
    """One sentence, and the figures."""
    before, after = event.before, event.after
    stopped = "Stopped. " if event.stopped else ""
    if after is None:
        return (f"{stopped}Nothing was gained: no weights were steadier with style, content, sharpness and contrast "
                "kept, so nothing is written; try more --steps.")  # fmt: skip
    lines = [f"{stopped}The shot is steadier by {1 - after.temporal / before.temporal:.0%}, frame by frame "
             f"(step {event.step} was the best)."]  # fmt: skip
    rows = [("temporal error", before.temporal, after.temporal), ("  frames not learned", before.held_out,
            after.held_out), ("style distance", before.style, after.style), ("gram distance", before.gram, after.gram),
            ("content distance", before.content, after.content), ("sharpness", before.sharpness, after.sharpness),
            ("contrast", before.contrast, after.contrast)]  # fmt: skip
    for name, was, now in rows:
        if was is not None and now is not None:
            lines.append(f"{name:<20} {was:.4f} -> {now:.4f}  ({_change(was, now)})")
    return "\n".join(lines)


def _change(was: float, now: float) -> str:
    return f"{now / was - 1:+.0%}" if was else "new"

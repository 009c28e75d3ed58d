# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks in a real Blender share: those in a window, and that of the command line.

Each check is a file that runs twice: by pytest's Python, where it prepares the tree, runs Blender in it and judges what
was seen; and by that Blender, where a timer takes its story step by step.

    python tests/addon/NAME_check.py CHROOT PYTHON SHOTS

CHROOT is the tree that ../shared/tools/blender_chroot.sh makes, with a windowed Blender 4.3.2. It runs under Xwayland
in cage, which are installed there: under Xvfb EEVEE's render job, F12 too, dies of GLXBadContext every other time.
PYTHON is an environment with what the worker needs, SHOTS the folder for the screenshots. Needs root. The zip for every
Python is built (Debian's Blender has one of its own) and installed with Blender's command, but where a check does that
by mouse and keyboard, too (hand.py); what was seen is printed, and the exit code is 1 where something is not as it
should be.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any

INSIDE = Path("/tmp/styletx_window")
SECONDS = 900
"""How long a check may take in the window."""
TICK = 0.03
SMOOTH = 0.25
"""Seconds between two draws of the panel that 95% of the gaps have to be below while a job runs."""

Steps = Generator[None, None, None]


# Outside: prepare, run, judge


def prepare(chroot: Path, files: Iterable[Path] = ()) -> Path:
    """INSIDE anew, with the extension's zip, a style and these files in it; returns where it is from outside."""
    root = Path(__file__).resolve().parents[2]
    here = chroot / str(INSIDE)[1:]
    subprocess.run(["rm", "-rf", str(here)], check=True)
    here.mkdir(parents=True)
    subprocess.run([sys.executable, str(root / "build.py"), "--python", "any", "--output", str(here)], check=True)
    for path in files:
        (here / path.name).write_bytes(path.read_bytes())
    style = sorted((root / "styletx_core" / "assets" / "styles").glob("*.png"))[-1]
    (here / "style.png").write_bytes(style.read_bytes())
    return here


def run(chroot: Path, python: Path, lines: Iterable[str], install: bool = True) -> str:
    """Run lines of bash in INSIDE, with the worker's Python in the tree; returns the log.

    install: the zip that is there, before.
    """
    here = chroot / str(INSIDE)[1:]
    setup = [
        f"cd {INSIDE}",
        f"export BLENDER_USER_RESOURCES={INSIDE}/user",
        "mkdir -p $BLENDER_USER_RESOURCES",
    ]
    if install:
        setup.append("blender --command extension install-file -r user_default -e styletx-*-any.zip")
    (here / "run.sh").write_text("\n".join([*setup, *lines]) + "\n", "utf-8")
    mounted = []
    try:
        # the worker's environment and the Python it is made from have to be at the same paths inside
        for folder in (python.absolute().parents[1], Path(os.path.realpath(python)).parents[1]):
            inside = chroot / str(folder)[1:]
            inside.mkdir(parents=True, exist_ok=True)
            if not os.path.ismount(inside):
                subprocess.run(["mount", "--bind", str(folder), str(inside)], check=True)
                mounted.append(inside)
        with (here / "log.txt").open("w") as log:
            _tool(chroot, "bash", f"{INSIDE}/run.sh", stdout=log, stderr=log)
    finally:
        for inside in mounted:
            subprocess.run(["umount", "-l", str(inside)])
    return (here / "log.txt").read_text(errors="replace")


def _tool(chroot: Path, *command: str, **how: Any) -> None:
    tool = Path(__file__).resolve().parents[3] / "shared" / "tools" / "blender_chroot.sh"
    subprocess.run(["bash", str(tool), str(chroot), "run", *command], **how)


def start(
    script: str,
    inside: Callable[[], None],
    judge: Callable[[dict[str, Any]], dict[str, bool]],
    make: Callable[[Path], Path] | None = None,
    install: bool = True,
) -> None:
    """What a check's file does: its part in Blender there, else all of `outside`, whose code it exits with.

    make: makes a file in a folder, which then lies beside the script. install: the extension, before Blender opens.
    """
    if "bpy" in sys.modules:
        inside()
        return
    with tempfile.TemporaryDirectory() as folder:
        raise SystemExit(outside(script, judge, [make(Path(folder))] if make else [], install))


def outside(
    script: str, judge: Callable[[dict[str, Any]], dict[str, bool]], files: Iterable[Path], install: bool
) -> int:
    """Run the script in the window, with these files beside it; prints what it saw, keeps its pictures, returns 0 or 1.

    judge: name of what is to be right -> whether it is. Places are taken from the command line.
    """
    chroot, python, shots = (Path(argument) for argument in sys.argv[1:4])
    folder = Path(__file__).parent
    here = prepare(chroot, (Path(script), Path(__file__), folder / "hand.py", folder / "inside" / "common.py", *files))
    blender = f"blender --enable-event-simulate --window-geometry 0 0 1600 900 --python {INSIDE}/{Path(script).name}"
    log = run(chroot, python, [
        f"export STYLETX_TEST_OUTPUT={INSIDE}/out STYLETX_TEST_RESULT={INSIDE}/result.json",
        f"export STYLETX_TEST_STYLE={INSIDE}/style.png STYLETX_TEST_WORKER={python.absolute()}",
        "mkdir -p $STYLETX_TEST_OUTPUT",
        f"export XDG_RUNTIME_DIR={INSIDE}/runtime WLR_BACKENDS=headless WLR_RENDERER=pixman WLR_LIBINPUT_NO_DEVICES=1",
        "mkdir -m 700 $XDG_RUNTIME_DIR",
        "command -v cage grim wlr-randr >/dev/null || "
        "apt-get install -y -qq --no-install-recommends cage grim wlr-randr xwayland",
        f"timeout {SECONDS} cage -- "
        f"bash -c 'wlr-randr --output HEADLESS-1 --custom-mode 1600x900; sleep 2; {blender}'",
    ], install)  # fmt: skip
    result = here / "result.json"
    if not result.is_file():
        print(log[-3000:])
        return told({"the window was seen": False})
    seen = json.loads(result.read_text("utf-8"))
    shots.mkdir(parents=True, exist_ok=True)
    for picture in sorted(here.glob("*.shot.png")):
        small = shots / f"window_{picture.name.removesuffix('.shot.png')}.png"
        _tool(chroot, "convert", f"{INSIDE}/{picture.name}", "-dither", "None", "-colors", "160",
              "-define", "png:compression-level=9", f"{INSIDE}/small.png", check=True)  # fmt: skip
        small.write_bytes((here / "small.png").read_bytes())
        print(f"{small} {small.stat().st_size // 1000} kB")
    print(json.dumps(seen, indent=1))
    return told({"no step raised": not seen.get("trace"), **judge(seen)})


def told(checks: dict[str, bool]) -> int:
    """Print what is right; returns 1 where something is not."""
    for name, right in checks.items():
        print("ok  " if right else "FAIL", name)
    return 0 if all(checks.values()) else 1


def smooth(pace: dict[str, Any]) -> dict[str, bool]:
    """The checks of what `Window.pace` saw while a job ran."""
    return {
        "95% of the redraw gaps are under 250 ms": pace.get("under", 0) >= 0.95,
        "the interface never stands still for long": pace.get("longest", 9) < 2.0,
    }


# Inside: a story that the window's timer takes step by step


class Window:
    """Blender's window, as a story uses it, and what the story has seen."""

    def __init__(self) -> None:
        import bpy

        sys.path.insert(0, str(INSIDE))
        import common
        from hand import Hand

        self.common = common
        self.hand = Hand()
        self.seen: dict[str, Any] = {"version": bpy.app.version_string}
        self.draws: dict[str, int] = {}  # of the panel, by the first word of the run's phase
        self._drawn = 0.0  # when the panel was drawn last while a job ran
        self._gaps: list[float] = []  # seconds between two draws of the panel
        self._ticked = time.monotonic()
        self._longest = 0.0  # seconds between two steps of the story

    def module(self, name: str) -> Any:
        """A module of the extension: looked up each time, as another file may bring a new one."""
        return sys.modules[f"{self.common.MODULE}.{name}"]

    @property
    def run(self) -> Any:
        """What runs now; None for nothing, and where the extension is not there yet."""
        return getattr(sys.modules.get(f"{self.common.MODULE}.run"), "current", None)

    @property
    def last(self) -> Any:
        """What ran last."""
        return getattr(sys.modules.get(f"{self.common.MODULE}.run"), "last", None)

    def open(self, frames: int, size: tuple[int, int], samples: int = 8) -> None:
        """Open the scene that the tests share, to be rendered with EEVEE."""
        made = self.common.scene(frames, size)
        made.render.engine = "BLENDER_EEVEE_NEXT"
        made.render.film_transparent = False
        made.eevee.taa_render_samples = samples

    def watch(self, module: str, name: str) -> None:
        """Count how often that panel is drawn, and how far apart."""

        def count(panel: Any, context: Any) -> None:
            now, run = time.monotonic(), self.run
            word = run.phase.split()[0] if run is not None else "idle"
            self.draws[word] = self.draws.get(word, 0) + 1
            if run is not None and self._drawn:
                self._gaps.append(now - self._drawn)
            self._drawn = now if run is not None else 0.0

        getattr(self.module(module), name).append(count)

    def clear(self) -> None:
        """Forget what was drawn so far."""
        self.draws.clear()
        self._gaps.clear()
        self._drawn = self._longest = 0.0

    def pace(self) -> dict[str, Any]:
        """How the interface went on since `clear`: the share of redraw gaps that are short, the longest standstill."""
        gaps = sorted(self._gaps)
        return {
            "gaps": len(gaps),
            "under": sum(gap < SMOOTH for gap in gaps) / max(1, len(gaps)),
            "95%": gaps[int(0.95 * (len(gaps) - 1))] if gaps else None,
            "longest": max(self._longest, *gaps, 0.0),
        }

    def wait(self, condition: Callable[[], Any], seconds: float = 300) -> Steps:
        """Until the condition holds; raises TimeoutError where it does not in time."""
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(f"waited {seconds} s in vain: {self.last and (self.last.phase, self.last.error)}")
            yield

    def phase(self, beginning: str, seconds: float = 300) -> Steps:
        """Until the run is in a phase that begins so, or there is none."""
        yield from self.wait(lambda: self.run is None or self.run.phase.startswith(beginning), seconds)

    def idle(self, seconds: float = 300) -> Steps:
        """Until nothing runs."""
        yield from self.wait(lambda: self.run is None, seconds)

    def rest(self, ticks: int = 20) -> Steps:
        for _ in range(ticks):
            yield

    def shot(self, name: str) -> Steps:
        """A picture of the screen, taken by another process while the interface goes on."""
        process = subprocess.Popen(["grim", str(INSIDE / f"{name}.shot.png")])
        yield from self.wait(lambda: process.poll() is not None, 30)

    def area(self, kind: str) -> Any:
        """The first editor of that kind, by its `ui_type`."""
        import bpy

        areas = bpy.context.window_manager.windows[0].screen.areas
        return next(area for area in areas if area.ui_type == kind)

    def call(self, kind: str, operator: Any, /, *how: Any, **values: Any) -> Any:
        """Call an operator as a button in an editor of that kind does."""
        import bpy

        area = self.area(kind)
        region = next(region for region in area.regions if region.type == "WINDOW")
        window = bpy.context.window_manager.windows[0]
        with bpy.context.temp_override(window=window, screen=window.screen, area=area, region=region):
            return operator(*how, **values)

    def tell(self, story: Generator[None, None, None]) -> None:
        """Have the window's timer take the steps of a story, and end Blender after it."""
        import bpy

        def tick() -> float | None:
            run = self.run
            (INSIDE / "so_far.json").write_text(json.dumps([self.seen, self.draws, run and run.phase]))
            now = time.monotonic()
            self._longest = max(self._longest, now - self._ticked)
            self._ticked = now
            try:
                next(story)
                return TICK
            except StopIteration:
                pass
            except BaseException:
                import traceback

                self.seen["trace"] = traceback.format_exc()
            self.common.finish(self.seen)
            return None

        bpy.context.preferences.view.show_splash = False
        bpy.app.timers.register(tick, first_interval=2.0, persistent=True)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The check in a real window, which no `bpy` module can do: panel, timer, redraws, cancel, with EEVEE.

    python tests/addon/window_check.py CHROOT PYTHON SHOTS

CHROOT is the tree that ../shared/tools/blender_chroot.sh makes, with a windowed Blender 4.3.2. It runs under Xwayland
in cage, which are installed there: under Xvfb EEVEE's render job, F12 too, dies of GLXBadContext every other time.
PYTHON is an environment with what the worker needs, SHOTS the folder for the screenshots. Needs root. Builds the zip
for every Python (Debian's Blender has one of its own), installs it with Blender's command, runs this file again in
the window, prints what was seen and exits with 1 where something is not as it should be.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

INSIDE = Path("/tmp/styletx_window")
FRAMES = 12


# Outside: prepare, run, judge


def outside(
    chroot: Path, python: Path, shots: Path, script: Path = Path(__file__), files: tuple[Path, ...] = ()
) -> dict[str, Any]:
    """Run the script in the window; returns what it saw, {} where it saw nothing. files: more that it needs."""
    root = Path(__file__).resolve().parents[2]
    tool = root.parent / "shared" / "tools" / "blender_chroot.sh"
    here = chroot / str(INSIDE)[1:]
    subprocess.run(["rm", "-rf", str(here)], check=True)
    here.mkdir(parents=True)
    subprocess.run([sys.executable, str(root / "build.py"), "--python", "any", "--output", str(here)], check=True)
    for path in (Path(__file__), script, Path(__file__).parent / "inside" / "common.py", *files):
        (here / path.name).write_bytes(path.read_bytes())
    style = sorted((root / "styletx_core" / "assets" / "styles").glob("*.png"))[-1]
    (here / "style.png").write_bytes(style.read_bytes())
    # the worker's environment and the Python it is made from have to be at the same paths inside
    real = Path(os.path.realpath(python)).parents[1]
    folders = [python.absolute().parents[1], real]
    (here / "run.sh").write_text(
        f"""export BLENDER_USER_RESOURCES={INSIDE}/user STYLETX_TEST_OUTPUT={INSIDE}/out
export STYLETX_TEST_STYLE={INSIDE}/style.png STYLETX_TEST_WORKER={python.absolute()}
export STYLETX_TEST_RESULT={INSIDE}/result.json
mkdir -p $BLENDER_USER_RESOURCES $STYLETX_TEST_OUTPUT
blender --command extension install-file -r user_default -e {INSIDE}/styletx-*-any.zip
blender -b --python-expr "import bpy; bpy.context.preferences.view.show_splash=False; bpy.ops.wm.save_userpref()"
export XDG_RUNTIME_DIR={INSIDE}/runtime WLR_BACKENDS=headless WLR_RENDERER=pixman WLR_LIBINPUT_NO_DEVICES=1
mkdir -m 700 $XDG_RUNTIME_DIR
command -v cage grim wlr-randr >/dev/null || apt-get install -y -qq --no-install-recommends cage grim wlr-randr xwayland
timeout 560 cage -- bash -c "wlr-randr --output HEADLESS-1 --custom-mode 1600x900; sleep 2;
  blender --window-geometry 0 0 1600 900 --python {INSIDE}/{script.name}"
"""
    )
    mounted = []
    try:
        for folder in folders:
            inside = chroot / str(folder)[1:]
            inside.mkdir(parents=True, exist_ok=True)
            if not os.path.ismount(inside):
                subprocess.run(["mount", "--bind", str(folder), str(inside)], check=True)
                mounted.append(inside)
        with (here / "log.txt").open("w") as log:
            subprocess.run(["bash", str(tool), str(chroot), "run", "bash", f"{INSIDE}/run.sh"], stdout=log, stderr=log)
    finally:
        for inside in mounted:
            subprocess.run(["umount", "-l", str(inside)])
    result = here / "result.json"
    if not result.is_file():
        print((here / "log.txt").read_text()[-3000:])
        return {}
    seen = json.loads(result.read_text("utf-8"))
    shots.mkdir(parents=True, exist_ok=True)
    for picture in sorted(here.glob("*.shot.png")):
        small = shots / f"window_{picture.name.removesuffix('.shot.png')}.png"
        subprocess.run(["bash", str(tool), str(chroot), "run", "convert", f"{INSIDE}/{picture.name}", "-dither", "None",
                        "-colors", "160", "-define", "png:compression-level=9", f"{INSIDE}/small.png"], check=True)
        small.write_bytes((here / "small.png").read_bytes())
        print(f"{small} {small.stat().st_size // 1000} kB")
    print(json.dumps(seen, indent=1))
    return dict(seen)


def judge(seen: dict[str, Any]) -> int:
    """1 where something is not as it should be."""
    if not seen:
        return 1
    broken_off = [seen["cancel rendering"], seen["cancel painting"]]
    new = sorted(key for key in seen["full"]["change"] if not key.startswith("tree.nodes[StyleTX]"))
    checks = {
        "no step raised": not seen.get("trace"),
        "the extension is on": seen["panel"],
        "cancel works while rendering": seen["cancel rendering"]["phase"].startswith("Rendering"),
        "the button starts the job": seen["full"]["started"],
        "the job ends well": seen["full"]["state"] == "DONE",
        "the panel is drawn while rendering and painting": min(seen["full"]["draws"].values()) >= 5,
        "the interface never stands still for long": seen["full"]["longest"] < 2.0,
        "cancel within a second while rendering": seen["cancel rendering"]["seconds"] < 1.0,
        "cancel within a second while painting": seen["cancel painting"]["seconds"] < 1.0,
        "cancelled is told": all(one["state"] == "CANCELLED" for one in broken_off),
        "the scene is as it was": not any(one["change"] for one in broken_off),
        "only our group is new": new == ["data.images", "data.node_groups", "tree.links"],
    }
    for name, right in checks.items():
        print("ok  " if right else "FAIL", name)
    return 0 if all(checks.values()) else 1


# Inside: a script that the window's timer takes step by step


def inside() -> None:
    import bpy

    sys.path.insert(0, str(INSIDE))
    import common

    common.enable()
    run = sys.modules[common.MODULE + ".run"]
    panels = sys.modules[common.MODULE + ".panels"]
    seen: dict[str, Any] = {"version": bpy.app.version_string}
    draws = {"phase": "", "count": {}, "longest": 0.0}

    class Late(Exception):
        pass

    def wait(condition: Callable[[], Any], seconds: float) -> Generator[None, None, None]:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise Late(f"waited {seconds} s in vain, state {run.last and run.last.phase}")
            yield

    def shot(name: str) -> Generator[None, None, None]:
        """A picture of the screen, taken by another process while the interface goes on."""
        process = subprocess.Popen(["grim", str(INSIDE / f"{name}.shot.png")])
        yield from wait(lambda: process.poll() is not None, 30)

    def editor() -> tuple[Any, Any, Any]:
        window = bpy.context.window_manager.windows[0]
        area = next(area for area in window.screen.areas if area.type == "NODE_EDITOR")
        return window, area, next(region for region in area.regions if region.type == "WINDOW")

    def press(operator: Any) -> Any:
        window, area, region = editor()
        with bpy.context.temp_override(window=window, area=area, region=region):
            return operator("INVOKE_DEFAULT")

    drawn = panels.STYLETX_PT_main.draw

    def counted(self: Any, context: Any) -> None:
        word = run.current.phase.split()[0] if run.current is not None else "idle"
        draws["count"][word] = draws["count"].get(word, 0) + 1
        drawn(self, context)

    def story() -> Generator[None, None, None]:
        made = bpy.context.scene
        bpy.utils.unregister_class(panels.STYLETX_PT_main)
        panels.STYLETX_PT_main.draw = counted
        bpy.utils.register_class(panels.STYLETX_PT_main)
        window = bpy.context.window_manager.windows[0]
        window.workspace = bpy.data.workspaces["Compositing"]
        yield
        yield
        common.user_tree(made)
        window, area, region = editor()
        space = area.spaces.active
        space.show_region_ui = True
        space.show_backdrop = True
        yield
        sidebar = next(region for region in area.regions if region.type == "UI")
        sidebar.active_panel_category = "StyleTX"
        for node, x in zip(common.tree(made).nodes, (900, 0, 500, 900), strict=True):
            node.location = (x, -220 if node.bl_idname == "CompositorNodeViewer" else 0)
        for _ in range(10):
            yield
        with bpy.context.temp_override(window=window, area=area, region=region):
            bpy.ops.node.view_all()
        space.backdrop_offset = (0.0, 160.0)
        space.backdrop_zoom = 1.3
        area.tag_redraw()
        for _ in range(20):
            yield
        seen["panel"] = draws["count"].get("idle", 0) > 0
        yield from shot("panel")

        # what Blender makes at its first render is not ours; it also compiles EEVEE's shaders
        common.picture(made, "first", 1, "exr", True)
        yield

        # a frame that takes long, cancelled in its middle
        samples = made.eevee.taa_render_samples
        made.eevee.taa_render_samples = 4096
        before = common.dump(made)
        press(bpy.ops.styletx.stylize_render)
        yield from wait(lambda: run.current.phase.startswith("Rendering"), 120)
        until = time.monotonic() + 15
        yield from wait(lambda: time.monotonic() > until, 20)
        yield from cancelled("cancel rendering", before)
        made.eevee.taa_render_samples = samples

        # to the end
        before = common.dump(made)
        draws["count"].clear()
        draws["longest"] = 0.0
        press(bpy.ops.styletx.stylize_render)
        yield
        seen["full"] = {"started": run.current is not None}
        began = time.monotonic()
        yield from wait(lambda: run.current is None or run.current.phase.startswith("Rendering frame 4"), 200)
        yield from shot("rendering")
        yield from wait(lambda: run.current is None or run.current.phase.startswith("Painting frame 4"), 200)
        yield from shot("painting")
        yield from wait(lambda: run.current is None, 200)
        words = {word: count for word, count in draws["count"].items() if word in ("Rendering", "Painting")}
        seen["full"] |= {"state": run.last.state, "error": run.last.error, "draws": words, "longest": draws["longest"],
                         "seconds": time.monotonic() - began, "notices": run.last.notices,
                         "change": common.difference(before, common.dump(made))}
        for _ in range(30):
            yield
        yield from shot("result")

        made.styletx.strength = 0.8
        before = common.dump(made)
        press(bpy.ops.styletx.stylize_render)
        yield from wait(lambda: run.current is None or run.current.phase.startswith("Painting frame 3"), 200)
        yield from cancelled("cancel painting", before)

    def cancelled(name: str, before: dict[str, Any]) -> Generator[None, None, None]:
        made = bpy.context.scene
        phase, pressed = run.current.phase, time.monotonic()
        press(bpy.ops.styletx.cancel)
        yield from wait(lambda: run.current is None, 20)
        seconds = time.monotonic() - pressed
        seen[name] = {"phase": phase, "seconds": seconds, "state": run.last.state}
        for _ in range(20):
            yield
        seen[name]["change"] = common.difference(before, common.dump(made))

    steps = story()
    last = [time.monotonic()]

    def tick() -> float | None:
        (INSIDE / "so_far.json").write_text(json.dumps([seen, draws, run.current and run.current.phase]))
        now = time.monotonic()
        draws["longest"] = max(draws["longest"], now - last[0])
        last[0] = now
        try:
            next(steps)
            return 0.03
        except StopIteration:
            pass
        except BaseException:
            import traceback

            seen["trace"] = traceback.format_exc()
        common.finish(seen)
        return None

    made = common.scene(FRAMES, (240, 136))
    made.render.engine = "BLENDER_EEVEE_NEXT"
    made.render.film_transparent = False
    made.eevee.taa_render_samples = 4
    bpy.context.preferences.view.show_splash = False
    # read_factory_settings made new module state: what is called has to be looked up again
    run = sys.modules[common.MODULE + ".run"]
    panels = sys.modules[common.MODULE + ".panels"]
    bpy.app.timers.register(tick, first_interval=2.0, persistent=True)


if __name__ == "__main__":
    if "bpy" in sys.modules:
        inside()
    else:
        raise SystemExit(judge(outside(Path(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))))

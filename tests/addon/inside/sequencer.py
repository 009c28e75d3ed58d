# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by the Python of a `bpy` module: strips of every type, painted through the operator, in one process.

The media are made outside (test_sequencer.py) and lie in the folder `media` beside the output.
"""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
import traceback
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bpy

sys.path.insert(0, str(Path(__file__).parent))
from common import MODULE, OUTPUT, STYLE, difference, dump, enable, error_of, finish

MEDIA = OUTPUT / "media"
SIZE = (64, 64)
VERSION = bpy.app.version[:2]
AUDIBLE = bpy.app.build_options.audaspace


# Scenes and strips


def fresh(name: str, size: tuple[int, int] = SIZE, view: str = "Standard") -> bpy.types.Scene:
    """A scene with an empty sequencer in the window; worker and file stay, so that this takes no time."""
    made = bpy.data.scenes.new(name)
    bpy.context.window.scene = made
    made.sequence_editor_create()
    made.render.resolution_x, made.render.resolution_y = size
    made.render.dither_intensity = 0.0
    made.view_settings.view_transform = view
    made.styletx.style, made.styletx.output = STYLE, str(OUTPUT / "paint")
    made.styletx.strength = 0.0
    return made


def strips(owner: Any) -> Any:
    return owner.strips if hasattr(owner, "strips") else owner.sequences


def top(made: bpy.types.Scene) -> Any:
    return strips(made.sequence_editor)


def images(made: Any, name: str, files: list[str], channel: int, start: int, folder: str = "png") -> Any:
    strip = made.new_image(name, str(MEDIA / folder / files[0]), channel, start, fit_method="ORIGINAL")
    for file in files[1:]:
        strip.elements.append(file)
    return strip


def movie(made: Any, channel: int = 1, start: int = 10, file: str = "lossless.mkv") -> Any:
    return made.new_movie(file, str(MEDIA / file), channel, start, fit_method="ORIGINAL")


def sound(made: Any, name: str, channel: int, start: int) -> Any:
    """A sound; a text that is not seen instead in the module of 4.2, which was compiled without."""
    if AUDIBLE:
        return made.new_sound(name, str(MEDIA / "lossless.mkv"), channel, start)
    text = made.new_effect(name, "TEXT", channel, start, frame_end=start + 12)
    text.mute = True
    return text


def effect(made: Any, kind: str, channel: int, below: Any) -> Any:
    first, end = span(below)
    words: dict[str, Any] = {"length": end - first} if VERSION >= (5, 0) else {"frame_end": end}
    words |= {"input1" if VERSION >= (4, 4) else "seq1": below}
    return made.new_effect("Speed", kind, channel, first, **words)


def trim(strip: Any, start: int, end: int) -> None:
    strip.frame_offset_start, strip.frame_offset_end = start, end


def span(strip: Any) -> tuple[int, int]:
    return strip.frame_final_start, strip.frame_final_end


def only(made: bpy.types.Scene, *chosen: Any) -> None:
    """Select these strips alone."""
    names = [strip.name for strip in chosen]
    editor = made.sequence_editor
    for strip in editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all:
        strip.select = strip.name in names


# What is seen


def shots(made: bpy.types.Scene, name: str, frames: list[int], kind: str = "PNG") -> list[str]:
    """What the sequencer shows, rendered to files as anyone would."""
    render, settings, found = made.render, made.render.image_settings, []
    if hasattr(settings, "media_type"):
        settings.media_type = "IMAGE"
    settings.file_format, settings.color_mode = kind, "RGBA"
    settings.color_depth = "8" if kind == "PNG" else "16"
    for frame in frames:
        render.filepath = str(OUTPUT / f"{name}_{frame:04d}.{'png' if kind == 'PNG' else 'exr'}")
        made.frame_set(frame)
        bpy.ops.render.render(write_still=True)
        found.append(render.filepath)
    return found


def state(made: bpy.types.Scene) -> dict[str, dict[str, Any]]:
    """What a user can see of the strips, by name."""
    found = {}
    for strip in _all(made):
        found[strip.name] = {
            "type": strip.type, "span": list(span(strip)), "channel": strip.channel, "mute": strip.mute,
            "alpha": getattr(strip, "blend_alpha", None), "blend": getattr(strip, "blend_type", None),
            "tag": strip.color_tag, "select": strip.select, "modifiers": [m.name for m in strip.modifiers],
            "volume": getattr(strip, "volume", None), "length": len(getattr(strip, "elements", ()) or ()),
        }  # fmt: skip
    return found


def again(made: bpy.types.Scene) -> dict[str, Any]:
    """Paint a strip that is hidden already once more, over another channel that is muted: what is shown then."""
    editor = made.sequence_editor
    for strip in [strip for strip in _all(made) if strip.name.endswith("StyleTX")]:
        strip.mute = True
    above = max(strip.channel for strip in top(made)) + 1
    editor.channels[above].mute = True
    made.styletx.strength = 0.0
    paint()
    (name,) = [strip.name for strip in _all(made) if strip.name.endswith("StyleTX.001")]
    first, end = span(next(strip for strip in _all(made) if strip.name == name))
    frames = [first, (first + end) // 2, end - 1]
    return {"frames": frames, "shown": shots(made, f"{made.name}_again", frames), "muted": above,
            "channel": state(made)[name]["channel"]}  # fmt: skip


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """Where two dumps differ. Blender does not clear size and speed of the pictures in a strip, and mends the layer
    collection of a scene, and the strobe of a strip, when it first needs them.
    """
    noise = (".orig_", ".layer_collection", ".strobe")
    return [key for key in difference(before, after) if not any(part in key for part in noise)]


def paint() -> None:
    bpy.ops.styletx.stylize_strips()


def case(
    made: bpy.types.Scene, *chosen: Any, full: bool = True, kind: str = "PNG", shows: bool = True
) -> dict[str, Any]:
    """Paint strips without and, from the same start, with full strength: what is shown before and after.

    kind: of the pictures at full strength; those are of every frame, before ("shown") and after ("full").
    shows: False where this Blender cannot show the strips, and dies of trying; no pictures from before then.
    """
    name = made.name
    only(made, *chosen)
    names = [strip.name for strip in chosen]
    first = min(span(strip)[0] for strip in chosen)
    end = max(span(strip)[1] for strip in chosen)
    frames = [max(first - 1, 0), first, (first + end) // 2, end - 1, end]
    run = sys.modules[MODULE + ".run"]
    found: dict[str, Any] = {"frames": frames, "names": names, "range": [first, end]}
    found["plain"] = shots(made, f"{name}_plain", frames) if shows else [None] * len(frames)
    made.frame_set(first)
    found["before"] = state(made)
    before = dump(made)
    paint()
    found["notices"] = run.last.notices
    found["motion"] = run.last.painted[0][1].temporal_error
    found["after"] = state(made)
    found["change"] = sorted(key for key in difference(before, dump(made)) if "sequence_editor" not in key)
    found["zero"] = shots(made, f"{name}_zero", frames)
    if full:
        for done in [strip for strip in found["after"] if strip not in found["before"]]:
            strip = next(s for s in _all(made) if s.name == done)
            _owner(made, strip).remove(strip)
        for strip in _all(made):
            strip.mute = found["before"][strip.name]["mute"]
            if strip.type != "SOUND":
                strip.blend_alpha, strip.blend_type = (found["before"][strip.name][k] for k in ("alpha", "blend"))
        made.styletx.strength = 1.0
        if shows:
            found["shown"] = shots(made, f"{name}_shown", list(range(first, end)))
        paint()
        found["full"] = shots(made, f"{name}_full", list(range(first, end)), kind)
    return found


def _all(made: bpy.types.Scene) -> list[Any]:
    editor = made.sequence_editor
    return list(editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all)


def _owner(made: bpy.types.Scene, strip: Any) -> Any:
    return next(
        strips(owner)
        for owner in (made.sequence_editor, *(s for s in _all(made) if s.type == "META"))
        if strip.name in strips(owner)
    )


# Cases


def movie_trimmed() -> dict[str, Any]:
    made = fresh("movie")
    strip = movie(top(made))
    sound(top(made), "sound", 2, 10)
    trim(strip, 2, 3)
    return case(made, strip)


def movie_lossy() -> dict[str, Any]:
    made = fresh("lossy")
    return case(made, movie(top(made), file="lossy.mp4"), full=False)


def movie_under_agx() -> dict[str, Any]:
    made = fresh("agx", view="AgX")
    return case(made, movie(top(made)), full=False)


def pictures() -> dict[str, Any]:
    """Placed, cropped, mirrored, colored, half transparent and animated, over another strip."""
    made = fresh("pictures", (80, 72))
    below = images(top(made), "below", ["pic_0012.png"], 1, 1)
    below.frame_final_duration = 40
    strip = images(top(made), 'it\'s "mine"', [f"pic_{n:04d}.png" for n in range(1, 13)], 2, 5)
    trim(strip, 1, 4)
    strip.color_tag = "COLOR_03"
    strip.transform.offset_x, strip.transform.scale_x, strip.transform.rotation = 7, 0.8, 0.2
    strip.crop.min_x, strip.use_flip_x, strip.color_saturation = 5, True, 0.5
    strip.blend_type = "ALPHA_OVER"
    here = {"sequencer_scene": made} if VERSION >= (5, 0) else {}  # without it 5.0 dies
    with bpy.context.temp_override(**here):
        strip.modifiers.new("Contrast", "BRIGHT_CONTRAST").contrast = 30
        curves = strip.modifiers.new("Curves", "CURVES").curve_mapping
    curves.curves[3].points.new(0.4, 0.7)
    curves.update()
    for frame, value in ((6, 1.0), (12, 0.3)):
        strip.blend_alpha = value
        strip.keyframe_insert("blend_alpha", frame=frame)
        strip.transform.offset_y = value * 10
        strip.transform.keyframe_insert("offset_y", frame=frame)
    made.frame_set(8)
    found = case(made, strip, full=False)
    part = r"""_all["it's \"mine\" StyleTX"]."""
    found["curves"] = {curve.data_path.partition(part)[2]: len(curve.keyframe_points)
                       for curve in _curves(made) if part in curve.data_path}  # fmt: skip
    return found


def _curves(made: bpy.types.Scene) -> list[Any]:
    action: Any = made.animation_data.action
    if hasattr(action, "fcurves"):
        return list(action.fcurves)
    return list(action.layers[0].strips[0].channelbag(made.animation_data.action_slot).fcurves)


def pictures_plain() -> dict[str, Any]:
    made = fresh("plain")
    strip = images(top(made), "pictures", [f"pic_{n:04d}.png" for n in range(1, 13)], 1, 5)
    trim(strip, 3, 4)
    return case(made, strip)


def keyed() -> dict[str, Any]:
    """Strength by keys, in frames of the scene; a region, which strips have not."""
    made = fresh("keyed")
    strip = images(top(made), "keyed", [f"pic_{n:04d}.png" for n in range(1, 13)], 1, 20)
    trim(strip, 0, 8)
    for frame, value in ((20, 0.0), (23, 1.0)):
        made.styletx.strength = value
        made.styletx.keyframe_insert("strength", frame=frame)
    for curve in _curves(made):
        for point in curve.keyframe_points:
            point.interpolation = "LINEAR"
    bpy.ops.styletx.add_region(kind="INDEX")
    only(made, strip)
    frames = list(range(*span(strip)))
    found: dict[str, Any] = {"frames": frames, "plain": shots(made, "keyed_plain", frames)}
    paint()
    found["notices"] = sys.modules[MODULE + ".run"].last.notices
    found["shown"] = shots(made, "keyed_shown", frames)
    (record,) = (OUTPUT / "paint" / "keyed").rglob("painted/styletx.json")
    found["strength"] = json.loads(record.read_text("utf-8"))["job"]["settings"]["strength"]
    return found


def still() -> dict[str, Any]:
    """One picture with soft alpha, 30 frames long."""
    made = fresh("still")
    strip = images(top(made), "still", ["soft.png"], 1, 1)
    strip.frame_final_duration = 30
    return case(made, strip)


def vectors() -> dict[str, Any]:
    """Rendered frames with vectors; Blender 4.2 cannot show multilayer files in the sequencer."""
    made = fresh("vectors", (256, 144), view="AgX")
    shot = MEDIA.parent / "shot"
    files = sorted(path.name for path in shot.glob("*.exr"))
    strip = top(made).new_image("shot", str(shot / files[0]), 1, 1, fit_method="ORIGINAL")
    for file in files[1:]:
        strip.elements.append(file)
    trim(strip, 2, 3)
    found = case(made, strip, kind="OPEN_EXR", shows=bpy.app.version >= (4, 3))
    found["config"] = sys.modules[MODULE + ".scene_job"].color_config()
    return found


def scene_strip() -> dict[str, Any]:
    """A scene with a sound of its own, which goes on."""
    world = bpy.data.scenes.new("World")
    world.render.engine = "CYCLES"
    world.cycles.device, world.cycles.samples, world.cycles.use_denoising = "CPU", 2, False
    world.render.resolution_x, world.render.resolution_y = 48, 40
    world.render.film_transparent = True
    world.frame_start, world.frame_end = 1, 8
    mesh = bpy.data.meshes.new("Square")
    mesh.from_pydata([(-1, -1, 0), (1, -1, 0), (1, 1, 0), (-1, 1, 0)], [], [(0, 1, 2, 3)])
    square = bpy.data.objects.new("Square", mesh)
    glow = bpy.data.materials.new("Glow")
    glow.use_nodes = True
    glow.node_tree.nodes.clear()
    shine = glow.node_tree.nodes.new("ShaderNodeEmission")
    checker = glow.node_tree.nodes.new("ShaderNodeTexChecker")
    output = glow.node_tree.nodes.new("ShaderNodeOutputMaterial")
    glow.node_tree.links.new(checker.outputs[0], shine.inputs[0])
    glow.node_tree.links.new(shine.outputs[0], output.inputs[0])
    mesh.materials.append(glow)
    camera = bpy.data.objects.new("Eye", bpy.data.cameras.new("Eye"))
    camera.location.z = 6
    for thing in (square, camera):
        world.collection.objects.link(thing)
    world.camera = camera
    for frame in (1, 8):
        square.rotation_euler.z = 0.1 * frame
        square.keyframe_insert("rotation_euler", frame=frame)
    made = fresh("world", (48, 40))
    strip = top(made).new_scene("world", world, 1, 20)
    trim(strip, 2, 2)
    found = case(made, strip, kind="OPEN_EXR")
    found["source"] = _world(world)
    world.sequence_editor_create()
    sound(top(world), "voice", 1, 1)
    made = fresh("voice", (48, 40))
    strip = top(made).new_scene("voice", world, 1, 20)
    trim(strip, 2, 5)
    found["voice"] = case(made, strip, full=False)
    return found


def _world(world: bpy.types.Scene) -> list[str]:
    """The very frames that the strip shows, rendered from their scene."""
    with bpy.context.temp_override(scene=world):
        settings = world.render.image_settings
        if hasattr(settings, "media_type"):
            settings.media_type = "IMAGE"
        settings.file_format, settings.color_mode, settings.color_depth = "OPEN_EXR", "RGBA", "16"
        world.frame_start, world.frame_end = 3, 6
        world.render.filepath = str(OUTPUT / "worldsource" / "world_####")
        bpy.ops.render.render(animation=True, scene=world.name)
        world.frame_start, world.frame_end = 1, 8
    return [str(OUTPUT / "worldsource" / f"world_{frame:04d}.exr") for frame in range(3, 7)]


def meta() -> dict[str, Any]:
    """A movie and, over half of it, a smaller picture; with a sound, which goes on."""
    made = fresh("meta", (72, 64))
    strip = top(made).new_meta("meta", 3, 10)
    inner = movie(strips(strip))
    picture = images(strips(strip), "over", ["soft.png"], 2, 14)
    picture.frame_final_duration = 6
    picture.transform.scale_x = picture.transform.scale_y = 0.5
    picture.blend_type = "ALPHA_OVER"
    sound(strips(strip), "inner", 3, 10)
    strip.frame_final_end = 20  # before the start, or Blender would not go beyond it
    strip.frame_final_start = 12
    assert span(inner) == (10, 22) and span(strip) == (12, 20)
    strip.blend_alpha = 0.8
    found = case(made, strip)
    found["again"] = again(made)
    return found


def in_a_meta() -> dict[str, Any]:
    """A strip of a meta strip that is open; the meta has a look of its own."""
    made = fresh("open")
    strip = top(made).new_meta("meta", 3, 10)
    inner = movie(strips(strip))
    strip.frame_final_end = 22
    strip.color_saturation = 0.3
    made.sequence_editor.display_stack(strip)
    found = case(made, inner, full=False)
    made.sequence_editor.display_stack(None)
    return found


def speed() -> dict[str, Any]:
    """Half as fast, by a Speed effect, of which the movie below is selected."""
    made = fresh("speed")
    strip = movie(top(made), start=3)
    faster = effect(top(made), "SPEED", 2, strip)
    faster.speed_control, faster.speed_factor = "MULTIPLY", 0.5
    faster.use_frame_interpolate = False
    made.render.fps = 24
    return case(made, strip)


def retimed() -> dict[str, Any]:
    """Slowed down by retiming keys."""
    made = fresh("retimed")
    strip = movie(top(made), start=3)
    if VERSION >= (5, 1):
        strip.retiming_keys.add(timeline_frame=7)
        strip.retiming_keys[-1].timeline_frame = 23
    else:  # adding keys by the API kills older Blenders without a window
        with _sequencer_area(made, strip):
            bpy.ops.sequencer.retiming_key_add(timeline_frame=7)
            bpy.ops.sequencer.retiming_segment_speed_set(speed=50.0)
    return case(made, strip)


@contextlib.contextmanager
def _sequencer_area(made: bpy.types.Scene, strip: Any) -> Any:
    area = bpy.context.window.screen.areas[0]
    kept, area.type = area.type, "SEQUENCE_EDITOR"
    area.spaces.active.view_type = "SEQUENCER"
    only(made, strip)
    made.sequence_editor.active_strip = strip
    region = next(region for region in area.regions if region.type == "WINDOW")
    try:
        shown = {"sequencer_scene": made} if VERSION >= (5, 0) else {"scene": made}
        with bpy.context.temp_override(area=area, region=region, **shown):
            yield
    finally:
        area.type = kept


def several() -> dict[str, Any]:
    """Three in one go, with strips in the way above; then undone."""
    made = fresh("several")
    first = movie(top(made), 1, 1)
    second = images(top(made), "two", [f"pic_{n:04d}.png" for n in range(3, 9)], 1, 20)
    third = movie(top(made), 3, 5)
    text = top(made).new_effect("title", "TEXT", 2, 1, **({"length": 5} if VERSION >= (5, 0) else {"frame_end": 6}))
    heard = sound(top(made), "sound", 4, 1)
    if AUDIBLE:
        heard.volume = 0.7
    only(made, first, second, third, text)
    bpy.ops.ed.undo_push(message="before")
    before = state(made)
    bpy.ops.styletx.stylize_strips("EXEC_DEFAULT", True)
    run = sys.modules[MODULE + ".run"]
    found = {
        "before": before,
        "after": state(made),
        "notices": run.last.notices,
        "files": {s.name: [s.directory, s.elements[0].filename] for s in _all(made) if s.name not in before},
    }
    again = state(made)
    bpy.ops.ed.undo()
    made = bpy.data.scenes["several"]
    bpy.context.window.scene = made
    found["undone"] = state(made)
    bpy.ops.ed.redo()
    made = bpy.data.scenes["several"]
    found["redone"] = [state(made) == again, {s.name: [s.directory, s.elements[0].filename] for s in _all(made)
                                              if s.name not in before}]  # fmt: skip
    bpy.ops.ed.undo()
    made = bpy.data.scenes["several"]
    bpy.context.window.scene = made
    found["undone again"] = state(made)
    bpy.ops.styletx.stylize_strips()
    found["again"] = state(made) == again
    return found


def cancelled() -> dict[str, Any]:
    """Cancelled while a strip is read, and while it is painted; then painted to the end."""
    made = fresh("cancelled")
    files = [f"pic_{n:04d}.png" for n in range(1, 13)]
    strip = images(top(made), "long", [*files, *files[::-1]] * 2, 1, 1)
    made.styletx.strength = 1.0
    only(made, strip)
    found: dict[str, Any] = {}
    before, data = state(made), dump(made)
    for name, words, count in (("reading", "Reading", 2), ("painting", "Painting frame", 3)):
        seen: list[str] = []

        def look(phase: str, words: str = words, count: int = count, seen: list[str] = seen) -> bool:
            if phase.startswith(words):
                seen.append(phase)
            return len(seen) > count

        found[name] = {
            "result": sorted(_cancel_when(look)),
            "state": state(made) == before,
            "change": changed(data, dump(made)),
        }
    painted = list((OUTPUT / "paint" / "cancelled").rglob("painted/*.png"))
    found["kept"] = {path.name: path.stat().st_mtime_ns for path in painted}
    paint()
    found["times"] = {path.name: path.stat().st_mtime_ns for path in painted}
    found["after"] = state(made)
    found["source"] = [str(path) for path in (OUTPUT / "paint" / "cancelled").rglob("source")]
    return found


def _cancel_when(look: Callable[[str], bool]) -> set[str]:
    """Run the operator, and cancel as soon as a phase it shows is the one that is looked for."""
    run = sys.modules[MODULE + ".run"]

    def tick(*_: object) -> None:
        if run.current is not None and look(run.current.phase):
            run.current.cancel_requested = True

    signal.signal(signal.SIGALRM, tick)
    signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
    try:
        return set(bpy.ops.styletx.stylize_strips())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def errors() -> dict[str, Any]:
    """What cannot be painted is told in a sentence, and changes nothing."""
    found: dict[str, Any] = {}

    def check(name: str, made: bpy.types.Scene, *chosen: Any) -> None:
        only(made, *chosen)
        before, data = state(made), dump(made)
        text = error_of(bpy.ops.styletx.stylize_strips)
        found[name] = {"error": text, "same": state(made) == before, "change": changed(data, dump(made))}

    made = fresh("errors")
    strip = movie(top(made))
    check("nothing", made)
    check("sound", made, sound(top(made), "sound", 2, 10))
    strip.lock = True
    check("locked", made, strip)
    strip.lock = False
    made.styletx.style = ""
    check("no style", made, strip)
    made.styletx.style = STYLE
    made.render.use_multiview = True
    check("stereo", made, strip)
    made.render.use_multiview = False
    strip.frame_start = -20
    check("negative", made, strip)
    strip.frame_start = 10
    pictures = images(top(made), "gone", ["pic_0001.png", "nowhere.png", "pic_0003.png"], 3, 1)
    check("file", made, strip, pictures)
    trim(pictures, 2, 0)
    found["trimmed off"] = [error_of(bpy.ops.styletx.stylize_strips)]
    world = bpy.data.scenes.new("Empty")
    check("camera", made, top(made).new_scene("empty", world, 7, 1))
    made.styletx.output = "/proc/styletx"
    check("output", made, strip)
    made.styletx.output = str(OUTPUT / "paint")
    busy = images(top(made), "top", ["pic_0001.png"], 128, 1)
    check("channel", made, busy)
    (OUTPUT / "media" / "broken.png").write_bytes((MEDIA / "png" / "pic_0001.png").read_bytes()[:60])
    broken = images(top(made), "broken", ["pic_0001.png"], 9, 1)
    broken.directory, broken.elements[0].filename = str(OUTPUT / "media") + "/", "broken.png"
    check("broken", made, broken)
    return found


def other_scene() -> dict[str, Any]:
    """From 5.0 the sequencer may show another scene than the window."""
    made = fresh("shown")
    strip = movie(top(made))
    only(made, strip)
    bpy.context.window.scene = bpy.data.scenes["movie"]
    before = state(bpy.data.scenes["movie"])
    if VERSION >= (5, 0):
        bpy.context.workspace.sequencer_scene = made
        paint()
        bpy.context.workspace.sequencer_scene = None
    return {"shown": state(made), "other": state(bpy.data.scenes["movie"]) == before, "modern": VERSION >= (5, 0)}


def modal() -> dict[str, Any]:
    """The steps of a window: the operator's own modal(), driven by hand, and ended in the middle by Blender."""
    made = fresh("modal")
    strip = movie(top(made))
    only(made, strip)
    before = state(made)
    operators, run = sys.modules[MODULE + ".operators"], sys.modules[MODULE + ".run"]
    reports: list[str] = []
    cls = operators.STYLETX_OT_stylize_strips
    acting = types.SimpleNamespace(_windowed=False, _timer=None, report=lambda kind, text: reports.append(text))
    for name in ("make", "begin", "_step", "wants_end", "end", "_remove_timer", "modal", "cancel"):
        setattr(acting, name, types.MethodType(getattr(cls, name), acting))
    event = types.SimpleNamespace(type="TIMER")
    acting._running = acting.begin(bpy.context)
    ticks = 0
    while (result := acting.modal(bpy.context, event)) == {"PASS_THROUGH"}:
        ticks += 1
        time.sleep(0.01)
    found = {"result": sorted(result), "ticks": ticks, "after": state(made), "before": before, "reports": reports}
    found["idle"] = run.current is None
    return found


CASES = (
    movie_trimmed, movie_lossy, movie_under_agx, pictures, pictures_plain, keyed, still, vectors, scene_strip, meta,
    in_a_meta, speed, retimed, several, cancelled, errors, other_scene, modal,
)  # fmt: skip


def everything() -> dict[str, Any]:
    """All cases, one after the other, with one worker. A case that fails is told by its traceback."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    enable()
    found: dict[str, Any] = {}
    for made in CASES:
        print(">>>", made.__name__, flush=True)
        try:
            found[made.__name__] = made()
        except Exception:
            found[made.__name__] = {"failed": traceback.format_exc()}
            print(traceback.format_exc(), flush=True)
    found["audible"] = AUDIBLE
    found["left"] = [scene.name for scene in bpy.data.scenes if "StyleTX" in scene.name]
    found["left"] += [action.name for action in bpy.data.actions if "StyleTX" in action.name]
    return found


if __name__ == "__main__":
    if len(sys.argv) > 2:
        CASES = tuple(globals()[name] for name in sys.argv[2:])
    finish(globals()[sys.argv[1]]())

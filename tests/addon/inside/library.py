# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by the Python of a `bpy` module: the library of styles, blends and presets, through the operators."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import bpy

sys.path.insert(0, str(Path(__file__).parent))
from common import MODULE, OUTPUT, STYLE, error_of, finish, scene


def names() -> list[str]:
    """What the library shows."""
    found = sys.modules[MODULE + ".library"].items.get()
    assert [item[4] for item in found] == list(range(1, len(found) + 1))
    return [item[1] for item in found]


def picture(name: str, kind: str, color: tuple[float, float, float], is_float: bool = False) -> bpy.types.Image:
    """A picture data-block, half of it in that color, saved where `kind` is a file format."""
    image = bpy.data.images.new(name, 64, 48, float_buffer=is_float)
    image.pixels.foreach_set(([*color, 1.0] * 32 + [0.1, 0.1, 0.1, 1.0] * 32) * 48)
    image.update()
    if kind:
        image.file_format = kind
        image.filepath_raw = str(OUTPUT / name)
        image.save()
    return image


def in_editor(image: bpy.types.Image | None, operator: Any) -> str:
    """Call an operator in an image editor that shows a picture; returns its error."""
    area = bpy.context.screen.areas[0]
    was = area.type
    area.type = "IMAGE_EDITOR"
    area.spaces.active.image = image
    region = next(region for region in area.regions if region.type == "WINDOW")
    try:
        with bpy.context.temp_override(area=area, region=region, space_data=area.spaces.active):
            return error_of(operator)
    finally:
        area.type = was


def everything() -> dict[str, Any]:
    made = scene(1, (64, 48))
    state = made.styletx
    result: dict[str, Any] = {"shipped": names()}
    state.styles.clear()
    result["none"] = state.library
    result["library"] = [state.library, state.style]
    state.library = sys.modules[MODULE + ".library"].items.get()[1][0]
    result["picked"] = [state.style, state.library]

    # files, of kinds that the engine reads and of others
    picture("red.png", "PNG", (0.8, 0.1, 0.1))
    picture("green.webp", "WEBP", (0.1, 0.8, 0.1))
    (OUTPUT / "no picture.png").write_text("words")
    files = [{"name": "red.png"}, {"name": "green.webp"}]
    bpy.ops.styletx.add_style(directory=str(OUTPUT), files=files)
    result["added"] = [names()[len(result["shipped"]) :], state.style]
    bpy.ops.styletx.add_style(filepath=str(OUTPUT / "red.png"))
    result["added again"] = [names()[len(result["shipped"]) :], state.style]
    result["errors"] = {
        "broken": error_of(lambda: bpy.ops.styletx.add_style(filepath=str(OUTPUT / "no picture.png"))),
        "gone": error_of(lambda: bpy.ops.styletx.add_style(filepath=str(OUTPUT / "nowhere.png"))),
        "no folder": error_of(lambda: bpy.ops.styletx.edit_folders(directory=str(OUTPUT / "nowhere"))),
    }
    state.style = str(OUTPUT / "red.png")
    result["outside"] = [state.library, bpy.ops.styletx.remove_style.poll()]
    bpy.ops.styletx.keep_style()
    result["kept"] = state.style
    bpy.ops.styletx.remove_style()
    result["removed"] = [state.style, Path(result["kept"]).exists(), names()[len(result["shipped"]) :]]

    # pictures of the image editor: as they are, and as the scene's view shows them
    made.view_settings.view_transform = "AgX"
    plain = picture("plain", "", (0.2, 0.4, 0.8))
    result["image"] = [in_editor(plain, bpy.ops.styletx.add_image_style), state.style]
    seen = picture("seen", "", (0.2, 0.4, 0.8), True)
    seen.use_view_as_render = True
    result["seen"] = [in_editor(seen, bpy.ops.styletx.add_image_style), state.style]
    empty = bpy.data.images.new("empty", 4, 4)
    empty.source = "FILE"
    result["errors"]["no pixels"] = in_editor(empty, bpy.ops.styletx.add_image_style)
    result["scenes"] = [made.name for made in bpy.data.scenes]

    # a folder of the preferences
    folder = OUTPUT / "paintings"
    folder.mkdir()
    shutil.copy(OUTPUT / "red.png", folder / "from_a_folder.png")
    bpy.ops.styletx.edit_folders(directory=str(folder))
    result["folder"] = names()[-1]
    bpy.ops.styletx.edit_folders(remove=True, index=0)
    result["no folder"] = names()[-1]

    # a file from another computer finds the shipped styles by name
    state.style = "/home/someone/else/styletx_core/assets/styles/ink.png"
    result["elsewhere"] = [error_of(bpy.ops.styletx.stylize_frame), state.library]
    state.style = r"C:\Blender\styles\oil.png"
    result["windows"] = state.library
    return result | {"blend": _blend(made), "presets": _presets(made)}


def _blend(made: bpy.types.Scene) -> dict[str, Any]:
    """One style; the same with another one of no weight; half and half; the other alone."""
    state, shipped = made.styletx, [item[0] for item in sys.modules[MODULE + ".library"].items.get()]
    made.frame_set(1)
    result: dict[str, Any] = {}
    state.styles.clear()
    state.style = shipped[0]
    for name, weights in (("one", None), ("no weight", (1, 0)), ("half", (0.5, 0.5)), ("other", (0, 1))):
        if weights is not None and len(state.styles) == 1:
            bpy.ops.styletx.add_blend()
            result["active"] = state.active_style
            state.library = shipped[1]
        for style, weight in zip(state.styles, weights or (), strict=False):
            style.weight = weight
        result[name + " error"] = error_of(bpy.ops.styletx.stylize_frame)
        path = Path(state.result_path.replace("####", "0001"))
        result[name] = str(shutil.copy(path, OUTPUT / f"{name}.exr"))
    result["out of date"] = sys.modules[MODULE + ".properties"].out_of_date(made)
    state.styles[0].weight = 0.3
    result["weight changed"] = sys.modules[MODULE + ".properties"].out_of_date(made)
    state.styles[0].weight = state.styles[1].weight = 0
    result["no weights"] = error_of(bpy.ops.styletx.stylize_frame)
    for _ in range(2):
        bpy.ops.styletx.add_blend()
    result["empty slots"] = len(state.styles)
    result["fifth"] = bpy.ops.styletx.add_blend.poll()
    bpy.ops.styletx.remove_blend(index=0)
    result["left"] = [style.path == path for style, path in zip(state.styles, (shipped[1], "", ""), strict=True)]
    return result


def _presets(made: bpy.types.Scene) -> dict[str, Any]:
    """Keep a preset, change everything, take the preset, remove it."""
    state = made.styletx
    state.styles.clear()
    state.style = STYLE
    bpy.ops.styletx.add_blend()
    state.styles[1].path, state.styles[1].weight = str(OUTPUT / "red.png"), 0.25
    state.strength, state.stability, state.motion, state.method = 0.75, 0.5, "flow", "gatys"
    state.size, state.keep_colors, state.options_gatys.steps = 2.0, "match", 7

    def values() -> list[Any]:
        return [state.strength, state.stability, state.motion, state.method, state.size, state.keep_colors,
                state.options_gatys.steps,
                [(style.path, round(style.weight, 4)) for style in state.styles]]  # fmt: skip

    before = values()
    bpy.ops.styletx.add_preset(name="My Look")
    state.styles.clear()
    state.strength, state.stability, state.motion, state.method = 1, 1, "auto", "adain_reconet"
    state.size, state.keep_colors, state.options_gatys.steps = 1.0, "none", 200
    changed = values()
    (path,) = bpy.utils.preset_paths("styletx")
    file = Path(path) / "My_Look.py"
    bpy.ops.script.execute_preset(filepath=str(file), menu_idname="STYLETX_PT_presets")
    after = values()
    bpy.ops.styletx.add_preset(name="My Look", remove_name=True)
    return {"before": before, "changed": changed, "after": after, "gone": not file.exists(), "folder": path}


if __name__ == "__main__":
    finish(globals()[sys.argv[1]]())

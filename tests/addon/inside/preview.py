# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by the Python of a `bpy` module: previews, painted stills and playback in the image editor, through operators."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import bpy

sys.path.insert(0, str(Path(__file__).parent))
from common import MODULE, OUTPUT, difference, dump, error_of, finish, picture, scene


def editor() -> Any:
    """The first area of the window, as an image editor."""
    area = bpy.context.screen.areas[0]
    area.type = "IMAGE_EDITOR"
    return area


def press(operator: Any) -> str:
    """Call an operator in the image editor; returns its error."""
    area = editor()
    region = next(region for region in area.regions if region.type == "WINDOW")
    with bpy.context.temp_override(area=area, region=region, space_data=area.spaces.active):
        return error_of(operator)


def seen(name: str) -> dict[str, Any]:
    """The preview as it is now, its file kept under a name."""
    image = sys.modules[MODULE + ".preview"].preview()
    path = Path(bpy.path.abspath(image.filepath))
    kept = shutil.copy(path, OUTPUT / f"{name}{path.suffix}")
    return {"path": str(kept), "size": list(image.size), "view": image.use_view_as_render, "dirty": image.is_dirty,
            "space": image.colorspace_settings.name, "shown": editor().spaces.active.image == image}  # fmt: skip


def everything() -> dict[str, Any]:
    made = scene(3)
    state = made.styletx
    made.frame_set(2)
    bpy.data.objects["Cube"].location.x = 0.123  # moved and not keyed: must survive
    editor()
    picture(made, "first", 2, "exr", True)  # what Blender makes at its first render is not ours to clean up
    bpy.data.objects["Cube"].location.x = 0.123
    before = dump(made)
    result: dict[str, Any] = {"error": press(bpy.ops.styletx.preview_frame)}
    result["change"] = difference(before, dump(made))
    result["frame"] = seen("frame")
    result["kept"] = sorted(str(path.relative_to(OUTPUT)) for path in (OUTPUT / "Scene").rglob("*.exr"))
    for name, share in (("half", 0.5), ("original", 1.0), ("again", 0.0)):
        state.preview_split = share
        result[name] = seen(name)
    made.frame_set(2)
    result["plain"] = picture(made, "plain", 2, "exr", False)
    bpy.ops.styletx.stylize_frame()
    result["painted"] = state.result_path.replace("####", "0002")
    shutil.copy(result["painted"], OUTPUT / "painted.exr")
    result["painted"] = str(OUTPUT / "painted.exr")

    # small first, then the full size
    module = sys.modules[MODULE + ".preview"]
    side, module.SIDE = module.SIDE, 48
    sizes, shown = [], module.show
    module.show = lambda scene, pair: (shown(scene, pair), sizes.append(list(module.preview().size)))
    result["small error"] = press(bpy.ops.styletx.preview_frame)
    state.preview_full = True
    result["full error"] = press(bpy.ops.styletx.preview_frame)
    result["sizes"] = sizes
    module.SIDE, module.show = side, shown
    state.preview_full = False

    result["pictures"] = _pictures(made)
    result["moving"] = _moving(made)
    result["play"] = _play(made)
    result["errors"] = _errors(made)
    return result


def _pictures(made: bpy.types.Scene) -> dict[str, Any]:
    """A painted photo, and a render's result."""
    image = bpy.data.images.load(str(Path(__file__).parents[3] / "styletx_core/assets/sample/shot_0001.png"))
    image.scale(96, 64)
    image.filepath_raw, image.file_format = str(OUTPUT / "photo.png"), "PNG"
    image.save()
    editor().spaces.active.image = image
    before = dump(made)
    result: dict[str, Any] = {"photo error": press(bpy.ops.styletx.stylize_image)}
    result["photo change"] = difference(before, dump(made))
    result["photo"] = seen("photo_painted")
    made.styletx.preview_split = 1.0
    result["photo original"] = seen("photo_original")
    made.styletx.preview_split = 0.0

    made.view_settings.view_transform = "AgX"
    made.frame_set(3)
    result["plain"] = picture(made, "still", 3, "exr", False)
    editor().spaces.active.image = next(image for image in bpy.data.images if image.type == "RENDER_RESULT")
    before = dump(made)
    result["still error"] = press(bpy.ops.styletx.stylize_image)
    result["still change"] = difference(before, dump(made))
    result["still"] = seen("still_painted")
    made.styletx.preview_split = 1.0
    result["still original"] = seen("still_original")
    made.styletx.preview_split = 0.0
    return result


def _moving(made: bpy.types.Scene) -> dict[str, Any]:
    """The frame that the editor shows of a sequence, painted and as a style; a frame without a file; a movie."""
    for frame in (1, 2, 3):
        gray = bpy.data.images.new("gray", 32, 24)
        gray.pixels.foreach_set([frame / 4, frame / 4, frame / 4, 1.0] * 32 * 24)
        gray.filepath_raw, gray.file_format = str(OUTPUT / f"gray_{frame:04d}.png"), "PNG"
        gray.save()
        bpy.data.images.remove(gray)
    image = bpy.data.images.load(str(OUTPUT / "gray_0001.png"))
    image.source = "SEQUENCE"
    space = editor().spaces.active
    space.image, user = image, space.image_user
    user.frame_duration, user.frame_start, user.frame_offset, user.use_auto_refresh = 3, 11, 0, True
    made.frame_set(12)
    made.styletx.preview_split = 1.0
    before = dump(made)
    result: dict[str, Any] = {"error": press(bpy.ops.styletx.stylize_image)}
    result["change"] = difference(before, dump(made))
    result["original"] = seen("gray_original")
    made.styletx.preview_split = 0.0
    style = made.styletx.style
    editor().spaces.active.image = image  # the editor shows the preview since
    user.frame_offset = 1
    made.frame_set(12)
    result["style error"] = press(bpy.ops.styletx.add_image_style)
    result["style"] = made.styletx.style
    made.styletx.style = style
    user.frame_duration, user.frame_offset = 9, 5
    made.frame_set(12)
    result["no file"] = press(bpy.ops.styletx.stylize_image)
    image.source = "MOVIE"
    result["movie"] = [press(bpy.ops.styletx.stylize_image), press(bpy.ops.styletx.add_image_style)]
    bpy.data.images.remove(image)
    return result


def _play(made: bpy.types.Scene) -> dict[str, Any]:
    """The painted frames in the editor; frames that begin at 101."""
    result: dict[str, Any] = {"before": bpy.ops.styletx.play_result.poll()}
    made.frame_start, made.frame_end = 101, 102
    made.frame_set(101)
    for name in ("EXR", "PNG"):
        made.styletx.format = name
        made.view_settings.view_transform = "Standard"
        bpy.ops.styletx.stylize_render()
        result[name + " error"] = press(bpy.ops.styletx.play_result)
        space = editor().spaces.active
        user = space.image_user
        result[name] = [space.image.source, Path(space.image.filepath).name, user.frame_start, user.frame_duration,
                        user.frame_offset, user.use_auto_refresh, space.image.use_view_as_render]  # fmt: skip
    result["images"] = [image.name for image in bpy.data.images if image.source == "SEQUENCE"]
    bpy.ops.styletx.remove()
    result["after removal"] = press(bpy.ops.styletx.play_result)
    shutil.rmtree(OUTPUT / "Scene")
    result["gone"] = press(bpy.ops.styletx.play_result)
    return result


def _errors(made: bpy.types.Scene) -> dict[str, Any]:
    """What is wrong, and what is different from before."""
    empty = bpy.data.images.new("empty", 4, 4)
    empty.source = "FILE"
    state = made.styletx
    result = {}

    def case(name: str, operator: Any, image: Any = None) -> None:
        editor().spaces.active.image = image
        before = dump(made)
        result[name] = {"error": press(operator), "change": difference(before, dump(made))}

    case("no pixels", bpy.ops.styletx.stylize_image, empty)
    case("a preview", bpy.ops.styletx.stylize_image, sys.modules[MODULE + ".preview"].preview())
    camera, made.camera = made.camera, None
    case("no camera", bpy.ops.styletx.preview_frame)
    made.camera = camera
    made.render.use_multiview = True
    case("stereo", bpy.ops.styletx.preview_frame)
    made.render.use_multiview = False
    state.output = "/proc/styletx"
    case("output", bpy.ops.styletx.preview_frame)
    case("output of a picture", bpy.ops.styletx.stylize_image, bpy.data.images["shot_0001.png"])
    state.output = str(OUTPUT)
    style, state.style = state.style, ""
    case("no style", bpy.ops.styletx.preview_frame)
    state.style = style
    return result


if __name__ == "__main__":
    finish(globals()[sys.argv[1]]())

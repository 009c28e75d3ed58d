# SPDX-License-Identifier: GPL-3.0-or-later
"""The main job in Blender, as an artist does it: install the extension, press the button, render the result.

Run by `dev.py demo` in the Python of `bpy`. Lines that begin with "StyleTX: " are for the person who waits; the last
one that begins with "RESULT " holds the results as JSON.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import demo_scene  # imports bpy

# isort: split
import bpy

MODULE = "bl_ext.user_default.styletx"


def say(text: str) -> None:
    print(f"StyleTX: {text}", flush=True)


def install(package: Path, worker: Path | None) -> None:
    """Install and enable the zip, with Blender's own operator; `worker`: another Python to run the network."""
    bpy.ops.extensions.package_install_files(
        filepath=str(package), repo="user_default", enable_on_install=True, overwrite=True
    )
    if worker:
        preferences = bpy.context.preferences.addons[MODULE].preferences
        preferences.python, preferences.python_path = "CUSTOM", str(worker)


def render_composited(scene: bpy.types.Scene, directory: Path) -> list[Path]:
    """Render the frame range once more, now through the compositor with the group in it; 8-bit PNG."""
    image = scene.render.image_settings
    if hasattr(image, "media_type"):
        image.media_type = "IMAGE"
    image.file_format, image.color_mode, image.color_depth = "PNG", "RGB", "8"
    scene.render.filepath = str(directory / "frame_####")
    bpy.ops.render.render(animation=True, scene=scene.name)
    return [directory / f"frame_{number:04d}.png" for number in range(scene.frame_start, scene.frame_end + 1)]


def side_by_side(scene: bpy.types.Scene, rendered: Path, composited: list[Path], movie: Path) -> Path:
    """A movie with the render to the left and what the compositor made of it to the right; returns a still too.

    The extension's wheels are importable here, so that this is the engine that was installed.
    """
    import cv2
    import numpy as np

    from styletx_core.color import ViewTransform, to_picture
    from styletx_core.job import ViewSettings
    from styletx_core.output import encode_movie
    from styletx_core.shot import open_shot

    config = Path(bpy.utils.system_resource("DATAFILES", path="colormanagement")) / "config.ocio"
    view = scene.view_settings.view_transform
    transform = ViewTransform(ViewSettings(display="sRGB", view=view, ocio=str(config)))
    pairs = []
    directory = movie.parent / "side_by_side"
    directory.mkdir(exist_ok=True)
    with open_shot(rendered) as shot:
        for number, path in zip(shot.numbers, composited, strict=True):
            picture = to_picture(shot.read(number), shot.encoding, transform)
            left = np.round(np.clip(picture, 0, 1) * 255).astype(np.uint8)[..., ::-1]
            pairs.append(directory / path.name)
            cv2.imwrite(str(pairs[-1]), np.concatenate([left, cv2.imread(str(path))], axis=1))
    encode_movie(pairs, movie, scene.render.fps)
    return pairs[len(pairs) // 2]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--zip", type=Path, required=True)
    parser.add_argument("--style", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--worker", type=Path)
    parser.add_argument("--size", default="512x288")
    parser.add_argument("--frames", type=int, default=24)
    args = demo_scene.arguments(parser)
    width, height = map(int, args.size.split("x"))

    say(f"installing {args.zip.name} in Blender {bpy.app.version_string}")
    install(args.zip, args.worker)
    scene = demo_scene.build(demo_scene.Settings(width, height, args.frames, samples=4))
    scene.render.use_persistent_data = True
    scene.styletx.style = str(args.style)
    scene.styletx.output = str(args.output)
    rendered_frames: list[int] = []

    def count(*_: object) -> None:
        rendered_frames.append(1)
        if len(rendered_frames) % 6 == 0:
            say(f"rendered {len(rendered_frames)} frames")

    bpy.app.handlers.render_post.append(count)
    say(f"rendering and painting {args.frames} frames {width}x{height} with bpy.ops.styletx.stylize_render()")
    began = time.monotonic()
    if bpy.ops.styletx.stylize_render() != {"FINISHED"}:
        sys.exit("The operator did not finish; see the lines above.")
    seconds = time.monotonic() - began
    say("rendering the scene through the compositor, with the StyleTX group in it")
    rendered_frames.clear()
    composited = render_composited(scene, args.output / "composited")
    bpy.app.handlers.render_post.remove(count)  # bpy 4.x hangs at exit with a handler left
    painted = Path(scene.styletx.result_path)
    movie = args.output / "side_by_side.mp4"
    still = side_by_side(scene, painted.parent.parent / "render", composited, movie)
    result = {
        "painted": str(painted),
        "composited": str(args.output / "composited" / "frame_####.png"),
        "movie": str(movie),
        "still": str(still),
        "seconds": seconds,
        "temporal_error": scene.styletx.result_error,
        "alone_error": scene.styletx.result_alone_error,
    }
    print("RESULT " + json.dumps(result), flush=True)
    bpy.ops.preferences.addon_disable(module=MODULE)  # bpy 4.x crashes or hangs at exit with classes registered


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Gathers a job for the engine from a scene and its StyleTX settings."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy

from styletx_core import Job
from styletx_core.errors import InputError

from . import compat, wiring
from .look import Look
from .preferences import preferences
from .properties import state_of
from .shots import view_settings

FORMATS = {"EXR": "auto", "PNG": "png16"}


@dataclass(frozen=True)
class Folders:
    """Where a scene's frames lie."""

    base: Path
    single: bool
    """For one frame alone, which must not replace those of the shot."""

    @property
    def render(self) -> Path:
        """Frames as rendered, shared by shot and single frames."""
        return self.base / "render"

    @property
    def painted(self) -> Path:
        """Frames as painted."""
        return self.base / ("frame" if self.single else "painted")

    @property
    def camera(self) -> Path:
        """The shot.json of the painted frames."""
        return self.render / ("frame.json" if self.single else "shot.json")


def folders(scene: bpy.types.Scene, single: bool) -> tuple[Folders, list[str]]:
    """The scene's folders, and notices on them."""
    text, notices = state_of(scene).output.strip() or "//styletx/", []
    if text.startswith("//") and not bpy.data.filepath:
        base = Path(bpy.app.tempdir) / text[2:]
        notices.append("The file is not saved: the frames are in a temporary folder that goes when Blender quits.")
    else:
        base = Path(bpy.path.abspath(text))
    return Folders(base / bpy.path.clean_name(scene.name), single), notices


def sequence_source(scene: bpy.types.Scene) -> Path:
    """The rendered frames that the user chose: a folder, or a pattern made from one of its files."""
    text = state_of(scene).sequence.strip()
    if not text:
        raise InputError("No rendered frames are chosen: give their folder, or one of them.")
    path = Path(bpy.path.abspath(text))
    match = re.fullmatch(r"(.*?)(\d+)(\D*)", path.stem)
    if path.is_file() and match:
        return path.with_name(match[1] + "#" * len(match[2]) + match[3] + path.suffix)
    if not path.exists() and "#" not in path.name:
        raise InputError(f"There are no frames at '{path}': choose their folder, or one of them.")
    return path


def color_config() -> str | None:
    """The OpenColorIO config that this Blender shows color with."""
    named = os.environ.get("OCIO", "")
    if named and Path(named).is_file():
        return named
    utils: Any = bpy.utils  # whose stubs do not know this in 4.2
    folder = utils.system_resource("DATAFILES", path="colormanagement")
    config = os.path.join(folder, "config.ocio")
    return config if folder and os.path.isfile(config) else None


def check(scene: bpy.types.Scene) -> list[str]:
    """Look at the settings; returns notices, raises InputError for what cannot be painted."""
    check_views(scene)
    if state_of(scene).format == "PNG":
        wiring.check_display_output(scene)
    return view_notices(scene)


def check_views(scene: bpy.types.Scene) -> None:
    """Raise InputError where the scene has two eyes."""
    if scene.render.use_multiview:
        raise InputError("Stereoscopy is on: StyleTX paints one eye only, so switch it off in the output properties.")


def view_notices(scene: bpy.types.Scene) -> list[str]:
    """What of the scene's view is left out while painting."""
    view, notices = scene.view_settings, []
    for name, used in (("curves", view.use_curve_mapping), ("white balance", compat.has_white_balance(view))):
        if used:
            notices.append(f"The {name} of the view: left out while painting, acts on the result as on the render.")
    return notices


def motion_source(scene: bpy.types.Scene, cameras: set[str]) -> tuple[str, str]:
    """The job's motion, and why it is not the one asked for ("" where it is). cameras: the types in shot.json."""
    render, chosen = scene.render, state_of(scene).motion
    if chosen in ("flow", "none"):
        return chosen, ""
    why = ""
    if scene.frame_step != 1:
        why = f"The frame step is {scene.frame_step}, and render vectors reach one frame far"
    elif render.frame_map_old != render.frame_map_new:
        why = "Time is remapped, which render vectors do not follow"
    elif "PANO" in cameras:
        why = "The camera is panoramic, which render vectors do not follow"
    return ("flow", f"{why}: the motion is estimated by optical flow.") if why else (chosen, "")


def gather(
    scene: bpy.types.Scene, look: Look, source: Path, frames: tuple[int, int] | None, camera: Path | None, motion: str,
    painted: Path, view: dict[str, Any] | None = None, output_format: str | None = None,
) -> dict[str, Any]:  # fmt: skip
    """The job as plain values; view, output_format: other ones than the scene's. Raises InputError for wrong values."""
    state = state_of(scene)
    job = Job.from_dict(
        {
            "input": {"path": str(source), "frames": frames and list(frames), "camera": camera and str(camera)},
            "motion": motion,
            "styles": look.styles,
            "settings": {**look.settings, "device": preferences().device},
            "view": {**(view or view_settings(scene)), "ocio": color_config()},
            # the folder is ours: results of an earlier job with other settings are replaced
            "output": {"directory": str(painted), "format": output_format or FORMATS[state.format], "overwrite": True},
        }
    )
    return job.to_dict()

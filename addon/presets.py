# SPDX-License-Identifier: GPL-3.0-or-later
"""Presets of styles and settings, by Blender's own menu: kept as files among Blender's presets."""

from __future__ import annotations

from typing import Any

import bpy
from bl_operators.presets import AddPresetBase
from bl_ui.utils import PresetPanel

from . import compat, options
from .mixins import register_classes_factory

FOLDER = "styletx"


class STYLETX_PT_presets(PresetPanel, bpy.types.Panel):
    bl_label = "StyleTX Presets"
    preset_subdir = FOLDER
    preset_operator = "script.execute_preset"
    preset_add_operator = "styletx.add_preset"


class STYLETX_OT_add_preset(AddPresetBase, bpy.types.Operator):
    bl_idname = "styletx.add_preset"
    bl_label = "Add StyleTX Preset"
    bl_description = "Keep styles and settings under a name, or remove the ones kept"

    preset_menu = "STYLETX_PT_presets"
    preset_subdir = FOLDER
    preset_defines = ("state = bpy.context.scene.styletx",)
    preset_values = (
        *(f"state.{name}" for name in ("styles", "method", "strength", "stability", "motion", "size", "keep_colors")),
        *(f"state.{options.group_name(method)}" for method in options.GROUPS),
    )


def draw(layout: Any, context: bpy.types.Context) -> None:
    """The button in a panel's header; not where the sequencer shows another scene, which presets do not reach."""
    if compat.shown_scene(context) == context.scene:
        STYLETX_PT_presets.draw_panel_header(layout)


register, unregister = register_classes_factory((STYLETX_PT_presets, STYLETX_OT_add_preset))

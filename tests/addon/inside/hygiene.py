# SPDX-License-Identifier: GPL-3.0-or-later
"""Run by the Python of a `bpy` module: `hygiene.py everything` lists all that the extension shows to a user."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import bpy

sys.path.insert(0, str(Path(__file__).parent))
from common import MODULE, finish, scene


def everything() -> dict[str, Any]:
    """Operators, settings and panels with their texts."""
    scene(1, (64, 48))
    settings = bpy.context.scene.styletx
    owner = bpy.context.preferences.addons[MODULE].preferences
    shown = [settings.bl_rna, owner.bl_rna]
    shown += [found.fixed_type for found in settings.bl_rna.properties
              if found.type in {"COLLECTION", "POINTER"} and found.identifier != "rna_type"]  # fmt: skip
    groups = {rna.identifier: _properties(rna) for rna in shown}
    operators = {}
    for name in dir(bpy.ops.styletx):
        rna = getattr(bpy.ops.styletx, name).get_rna_type()
        cls = getattr(bpy.types, f"STYLETX_OT_{name}")
        operators[name] = {"label": rna.name, "description": rna.description, "properties": _properties(rna),
                           "options": sorted(getattr(cls, "bl_options", ())),
                           "modal": hasattr(cls, "modal")}  # fmt: skip
    panels = {}
    for name in dir(bpy.types):
        cls = getattr(bpy.types, name)
        if name.startswith("STYLETX_") and hasattr(cls, "bl_space_type"):
            panels[name] = {"label": cls.bl_label, "category": getattr(cls, "bl_category", "")}
    return {"operators": operators, "panels": panels, "groups": groups}


def _properties(rna: Any) -> list[dict[str, Any]]:
    found = []
    for prop in rna.properties:
        if prop.identifier in ("rna_type", "name", "bl_idname"):
            continue
        items = [[item.name, item.description] for item in prop.enum_items] if prop.type == "ENUM" else []
        found.append({"id": prop.identifier, "name": prop.name, "description": prop.description, "items": items,
                      "hidden": prop.is_hidden, "path": prop.subtype in ("FILE_PATH", "DIR_PATH"),
                      "relative": getattr(prop, "is_path_supports_blend_relative", None)})  # fmt: skip
    return found


if __name__ == "__main__":
    finish(globals()[sys.argv[1]]())

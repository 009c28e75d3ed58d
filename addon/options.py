# SPDX-License-Identifier: GPL-3.0-or-later
"""The methods' own options as properties: made from the registry, so a new method brings its own."""

from __future__ import annotations

from typing import Any

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, PointerProperty

from styletx_core import list_methods
from styletx_core.options import Option, Value

from .mixins import register_classes_factory


def group_name(method: str) -> str:
    """The property of `scene.styletx` that holds a method's options."""
    return f"options_{method}"


def _property(option: Option) -> Any:
    words: dict[str, Any] = {
        "name": option.name.replace("_", " ").title(),
        "description": option.help[:1].upper() + option.help[1:],
        "default": option.default,
        "options": set(),
    }
    if isinstance(option.default, bool):
        return BoolProperty(**words)
    if isinstance(option.default, str):
        items = [(choice, choice.replace("_", " ").title(), words["description"]) for choice in option.choices]
        return EnumProperty(items=items, **words)
    if isinstance(option.default, int):
        return IntProperty(min=int(max(option.low, -(2**31))), max=int(min(option.high, 2**31 - 1)), **words)
    if option.component:
        words["soft_max"] = 2.0
    return FloatProperty(min=option.low, max=option.high, precision=4 if option.default < 0.01 else 2, **words)


def _group(method: str, options: tuple[Option, ...]) -> type[bpy.types.PropertyGroup]:
    names = {option.name: _property(option) for option in options}
    name = f"StyleTXOptions_{method}"
    return type(name, (bpy.types.PropertyGroup,), {"__annotations__": names, "__doc__": f"Options of {method}."})


# a method's text without choices would need a property of its own; there is none
GROUPS = {info.name: _group(info.name, info.options) for info in list_methods() if info.options}
"""Method -> the class of its options."""


def pointers() -> dict[str, Any]:
    """Annotations for `scene.styletx`: one pointer a method."""
    pointer: Any = PointerProperty
    return {
        group_name(name): pointer(name="Options", description=f"Options of the method {name}", type=group)
        for name, group in GROUPS.items()
    }


def known(method: str, component: bool) -> list[Option]:
    """Options of a method: its component sliders, or all others."""
    found = next((info.options for info in list_methods() if info.name == method), ())
    return [option for option in found if option.component == component]


def values(state: Any, method: str) -> dict[str, Value]:
    """What is set of a method's options."""
    group = getattr(state, group_name(method), None)
    return {option.name: getattr(group, option.name) for kind in (True, False) for option in known(method, kind)}


register, unregister = register_classes_factory(tuple(GROUPS.values()))

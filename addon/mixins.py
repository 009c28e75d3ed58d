# SPDX-License-Identifier: GPL-3.0-or-later
"""Bases of classes that are mixed into Blender's: to a type checker they are what they are mixed into.

In Blender they are plain objects: its own class has to come once, last, in the classes that are registered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from bpy.types import Operator as OperatorMixin
    from bpy.types import Panel as PanelMixin
else:
    OperatorMixin = PanelMixin = object

Result = set[Literal["RUNNING_MODAL", "CANCELLED", "FINISHED", "PASS_THROUGH", "INTERFACE"]]
"""What operators return."""

# SPDX-License-Identifier: GPL-3.0-or-later
"""What a type checker has to see of Blender otherwise than it is.

Bases of classes that are mixed into Blender's: to a type checker they are what they are mixed into. In Blender they are
plain objects: its own class has to come once, last, in the classes that are registered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bpy.types import Operator as OperatorMixin
    from bpy.types import Panel as PanelMixin

    def register_classes_factory(classes: Sequence[type]) -> tuple[Callable[[], None], Callable[[], None]]:
        """Blender's own, of which its type stubs say that it returns nothing."""
else:
    from bpy.utils import register_classes_factory

    OperatorMixin = PanelMixin = object

__all__ = ["OperatorMixin", "PanelMixin", "Result", "register_classes_factory"]

Result = set[Literal["RUNNING_MODAL", "CANCELLED", "FINISHED", "PASS_THROUGH", "INTERFACE"]]
"""What operators return."""

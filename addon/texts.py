# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts with values in them, in the user's language. What is shown as it stands in the code, Blender translates."""

from __future__ import annotations

from typing import Any

import bpy

_translations: Any = bpy.app.translations  # whose type stubs return nothing


def label(text: str, **values: object) -> str:
    """A text of the interface, translated as a whole before the values come in."""
    return _filled(_translations.pgettext_iface(text), values)


def report(text: str, **values: object) -> str:
    """The same for a message at the end of an operator."""
    return _filled(_translations.pgettext_rpt(text), values)


def _filled(text: str, values: dict[str, object]) -> str:
    return text.format(**values) if values else text

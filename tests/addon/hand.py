# SPDX-License-Identifier: GPL-3.0-or-later
"""Mouse and keyboard of the checks in a window: events that Blender simulates (`--enable-event-simulate`).

Where a button is, nobody but Blender knows, so it is looked for as a person does it: the mouse goes over the editor,
and Blender is asked what is under it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

Steps = Generator[None, None, None]
Place = tuple[int, int]
"""In the window, counted in pixels from its lower left corner."""

ROW, COLUMN = 8, 10
"""Pixels between two places where a button is looked for, down and across."""
DIGITS = ("ZERO", "ONE", "TWO", "THREE", "FOUR", "FIVE", "SIX", "SEVEN", "EIGHT", "NINE")
KEYS = {"/": "SLASH", ".": "PERIOD", "-": "MINUS", "_": "MINUS", " ": "SPACE"}
KEYS |= {str(number): name for number, name in enumerate(DIGITS)}
"""Letter -> the key it is on."""
TILE = 100
"""Pixels from one thumbnail to the next in the list of styles."""


class Hand:
    """Moves the mouse and presses keys in the window that was opened last."""

    def __init__(self) -> None:
        self.clicked: list[str] = []
        """What was clicked, in order: operators and properties."""
        self.released = 0.0
        """When the mouse's button was let go of last, by the monotonic clock."""
        self._place: Place = (0, 0)
        self._known: dict[tuple[str, str], Place] = {}

    @property
    def window(self) -> Any:
        import bpy

        return bpy.context.window_manager.windows[-1]

    def region(self, kind: str, name: str) -> tuple[Any, Any]:
        """(area, region) of the window's first editor of that kind, by its `ui_type`."""
        area = next(area for area in self.window.screen.areas if area.ui_type == kind)
        return area, next(region for region in area.regions if region.type == name)

    # Events

    def _event(self, kind: str, value: str, **how: Any) -> Steps:
        x, y = self._place
        self.window.event_simulate(type=kind, value=value, x=x, y=y, **how)
        yield
        yield

    def move(self, x: float, y: float) -> Steps:
        self._place = (int(x), int(y))
        yield from self._event("MOUSEMOVE", "NOTHING")

    def click(self, x: float, y: float, name: str = "", twice: bool = False) -> Steps:
        """A click with the left button, or two at once. name: what is there, for `clicked`."""
        yield from self.move(x - 1, y)  # a button under a mouse that stands still takes no notice
        yield from self.move(x, y)
        yield from self._event("LEFTMOUSE", "PRESS")
        self.released = time.monotonic()
        self.clicked.append(name)
        yield from self._event("LEFTMOUSE", "RELEASE")
        if twice:
            yield from self._event("LEFTMOUSE", "PRESS")
            yield from self._event("LEFTMOUSE", "RELEASE")
        yield from _rest(5)

    def key(self, kind: str, letter: str = "", **held: bool) -> Steps:
        """A key, with those held that are named (`ctrl`, `shift`); letter: what it writes."""
        yield from self._event(kind, "PRESS", **({"unicode": letter} if letter else {}), **held)
        yield from self._event(kind, "RELEASE", **held)

    def write(self, text: str) -> Steps:
        for letter in text:
            yield from self.key(KEYS.get(letter, letter.upper()), letter, shift=letter == "_" or letter.isupper())

    # Buttons

    def find(self, kind: str, name: str, region: str = "UI", beside: str = "") -> Generator[None, None, Place]:
        """Move over an editor's region until the button is under the mouse, and return where that is.

        name: an operator ("styletx.cancel") or a property ("styletx.style"). beside: it is in the row of this one,
        right of its middle. Where it was before is tried first. Raises LookupError where it is not in sight.
        """
        import bpy

        area, shown = self.region(kind, region)
        manager = bpy.context.window_manager
        known = self._known.get((kind, name))
        if beside:
            left, top = yield from self.find(kind, beside, region)
            places = [(x, top) for x in range(left, shown.x + shown.width, COLUMN)]
        elif shown.height < 60:  # a header, or the like
            places = [(x, shown.y + shown.height // 2) for x in range(shown.x + shown.width - 4, shown.x, -COLUMN)]
        else:
            places = [(shown.x + shown.width // 2, y) for y in range(shown.y + shown.height - 4, shown.y, -ROW)]
        kept = manager.clipboard
        try:
            for x, y in [known, *places] if known else places:
                yield from self.move(x, y)
                if self._under(area, shown) == name:
                    self._known[kind, name] = x, y
                    return x, y
        finally:
            manager.clipboard = kept
        raise LookupError(f"'{name}' is not in sight in {kind}")

    def _under(self, area: Any, region: Any) -> str:
        """The operator or property of the button under the mouse; "" for none."""
        import bpy

        manager = bpy.context.window_manager
        manager.clipboard = ""
        with bpy.context.temp_override(window=self.window, area=area, region=region):
            for copy in (bpy.ops.ui.copy_python_command_button, bpy.ops.ui.copy_data_path_button):
                if copy.poll():
                    copy()
                    break
        return re.sub(r"^bpy\.ops\.|\(.*", "", manager.clipboard)

    def press(self, kind: str, name: str, region: str = "UI", beside: str = "", twice: bool = False) -> Steps:
        """Look for a button, and click it, once or twice."""
        x, y = yield from self.find(kind, name, region, beside)
        yield from self.click(x, y, name, twice)

    def until(self, condition: Callable[[], bool], x: float, places: range) -> Steps:
        """Click at one place of a column after the other until the condition holds: tabs, which are no buttons."""
        for y in places:
            if condition():
                return
            yield from self.click(x, y, "tab")
        raise LookupError("none of the tabs does it")

    # What takes several clicks

    def tab(self, kind: str) -> Steps:
        """Open an editor's sidebar, and in it the tab of StyleTX."""
        area, sidebar = self.region(kind, "UI")
        area.spaces.active.show_region_ui = True
        yield from _rest(10)
        top = sidebar.y + sidebar.height
        yield from self.until(
            lambda: sidebar.active_panel_category == "StyleTX",
            sidebar.x + sidebar.width - 12, range(top - 20, sidebar.y, -20),
        )  # fmt: skip
        yield from _rest(10)

    def thumbnail(self, kind: str, number: int) -> Steps:
        """Choose a style of the library. number: the style's place in it, from its end: 0 is the last."""
        _, sidebar = self.region(kind, "UI")
        x, y = yield from self.find(kind, "styletx.style")
        yield from self.click(x, y + 80, "styletx.library")
        yield from _rest(10)
        # the list opens below the large thumbnail, and ends where it ends
        yield from self.click(sidebar.x + sidebar.width - 37 - TILE // 2 - TILE * number, y - 60, "thumbnail")
        yield from _rest(10)

    def file(self, path: Path) -> Steps:
        """Choose a file in the file browser that has been opened, by its path."""
        yield from _rest(20)
        area, shown = self.region("FILES", "WINDOW")
        yield from self.move(shown.x + shown.width // 2, shown.y + shown.height // 2)
        yield from self.key("L", ctrl=True)
        yield from _rest(5)
        yield from self.key("A", ctrl=True)
        yield from self.write(str(path))
        yield from self.key("RET")
        yield from _rest(10)
        found = area.spaces.active.params
        if Path(found.directory.decode()) / found.filename != path:
            raise LookupError(f"the file browser is at {found.directory} {found.filename}, not at {path}")

    def accept(self) -> Steps:
        """The file browser's button to go on with the file."""
        yield from self.press("FILES", "file.execute", "EXECUTE")
        yield from _rest(10)


def _rest(ticks: int) -> Steps:
    for _ in range(ticks):
        yield

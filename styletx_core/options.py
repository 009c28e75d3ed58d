# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be set on a method beyond what all methods have: declared in the registry, checked here."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from styletx_core.errors import InputError

Value = float | int | str | bool


@dataclass(frozen=True)
class Option:
    """One setting of a method. The default's type is the option's: a whole number, a number, true or false, a text.

    A component is a share of the style with a slider of its own: 0 leaves it out, 1 is as the style has it.
    """

    name: str
    default: Value
    help: str  # a phrase, with the unit
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    component: bool = False

    def checked(self, value: object) -> Value:
        """The value in the option's own type; raises InputError where it does not fit."""
        if isinstance(self.default, bool):
            if isinstance(value, bool):
                return value
        elif isinstance(self.default, str):
            if isinstance(value, str) and value in (self.choices or (value,)):
                return value
        elif isinstance(value, (int, float)) and not isinstance(value, bool) and self.low <= value <= self.high:
            if isinstance(self.default, float):
                return float(value)
            if value == int(value):
                return int(value)
        given = json.dumps(value, default=str)
        raise InputError(f"The option '{self.name}' is {given}, but has to be {self.range}.")

    def read(self, text: str) -> Value:
        """The value that a command line's text means; raises InputError where it means none."""
        if isinstance(self.default, str):
            return self.checked(text)
        if isinstance(self.default, bool):
            return self.checked({"true": True, "yes": True, "false": False, "no": False}.get(text.lower(), text))
        try:
            number = float(text)
            return self.checked(int(number) if number.is_integer() else number)  # an error then tells what was given
        except ValueError:
            return self.checked(text)

    @property
    def range(self) -> str:
        """What the value has to be, in words."""
        if isinstance(self.default, bool):
            return "true or false"
        if isinstance(self.default, str):
            return f"one of {', '.join(self.choices)}" if self.choices else "a text"
        if isinstance(self.default, int):
            return f"a whole number from {self.low:.0f} to {self.high:.0f}"
        return f"a number from {self.low:g} to {self.high:g}"


def checked(method: str, known: Iterable[Option], given: Mapping[str, object]) -> dict[str, Value]:
    """All options of a method: those given, the others' defaults. Raises InputError for the first wrong one."""
    options = {option.name: option for option in known}
    values = {name: option.default for name, option in options.items()}
    for name, value in given.items():
        values[name] = find(method, options.values(), name).checked(value)
    return values


def find(method: str, known: Iterable[Option], name: str, kind: str = "option") -> Option:
    """The option of this name; raises InputError that lists those there are."""
    options = {option.name: option for option in known}
    if name not in options:
        has = f"it has {', '.join(options)}" if options else "it has none"
        raise InputError(f"The method '{method}' has no {kind} '{name}'; {has}.")
    return options[name]

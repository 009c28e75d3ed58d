# SPDX-License-Identifier: GPL-3.0-or-later
"""What panels show of the disk. They are drawn many times a second, and looking takes a while."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
SECONDS = 1.0
"""How old it may be."""


class Looked(Generic[T]):
    """The result of a function, asked for anew once a second at most. What is as before stays the same object."""

    def __init__(self, look: Callable[[], T]) -> None:
        self.look = look
        self.found: T | None = None
        self.at = -math.inf

    def get(self) -> T:
        if time.monotonic() - self.at > SECONDS:
            self.at, found = time.monotonic(), self.look()
            if self.found != found:
                self.found = found
        assert self.found is not None
        return self.found

    def changed(self) -> None:
        """Look anew the next time."""
        self.at = -math.inf

# SPDX-License-Identifier: GPL-3.0-or-later
"""How commands show the events of their work: notices alone, lines of JSON, or a line that is written over again."""

from __future__ import annotations

import json
import sys
import time
from typing import TextIO

from styletx_core.events import Event, Finished, FrameDone, Notice

BAR = 28  # width of the progress bar


class Quiet:
    """Shows notices only, which may say that the result is not what was meant. out: takes the results."""

    def __init__(self, out: TextIO) -> None:
        self.out = out

    def show(self, event: Event) -> None:
        if isinstance(event, Notice):
            print(event.text, file=sys.stderr)

    def failed(self, error: Exception) -> None:
        """Called before an error is told on stderr."""

    def end(self) -> None:
        """Called when no event follows."""


class Lines(Quiet):
    """Every event as one line of JSON on stdout."""

    def show(self, event: Event) -> None:
        print(json.dumps(event.to_dict()), file=self.out, flush=True)


class OpenJD(Quiet):
    """Lines that the programs of a render farm understand (Open Job Description, "How Jobs Are Run")."""

    def show(self, event: Event) -> None:
        if isinstance(event, FrameDone):
            self._print("progress", f"{100 * event.index / event.total:.1f}")
            self._print("status", f"frame {event.frame}, {left(event.eta)}")
        elif isinstance(event, Notice):
            self._print("status", event.text)
        elif isinstance(event, Finished):
            self._print("progress", "100.0")

    def failed(self, error: Exception) -> None:
        self._print("fail", str(error))

    def _print(self, kind: str, text: str) -> None:
        print(f"openjd_{kind}: {text}", file=self.out, flush=True)


class Status:
    """One line on stderr that is written over again; where that is no terminal, a line every few seconds."""

    every = 5.0  # seconds between lines

    def __init__(self) -> None:
        self.terminal = sys.stderr.isatty()
        self.open = False
        self.shown = 0.0

    def due(self, last: bool = False) -> bool:
        """Is it time for another line? After the last step it is."""
        if not self.terminal and not last and time.monotonic() - self.shown < self.every:
            return False
        self.shown = time.monotonic()
        return True

    def write(self, text: str) -> None:
        if self.terminal:
            print(f"\r{text}\033[K", end="", file=sys.stderr, flush=True)
            self.open = True
        else:
            print(text, file=sys.stderr, flush=True)

    def clear(self) -> None:
        """Take the line away: what follows stands in its place."""
        if self.open:
            print("\r\033[K", end="", file=sys.stderr)
            self.open = False

    def end(self) -> None:
        """Leave the line standing: what follows stands below."""
        if self.open:
            print(file=sys.stderr)
            self.open = False


def bar(filled: int) -> str:
    """``filled``: of BAR."""
    return f"[{'#' * filled}{'.' * (BAR - filled)}]"


def left(seconds: float) -> str:
    """How long the rest takes."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d} left"

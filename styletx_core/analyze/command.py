# SPDX-License-Identifier: GPL-3.0-or-later
"""`styletx analyze`: its options, and what they start. Imports torch only when it runs."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from ..errors import InputError, WorkError
from ..files import atomic_path

HELP = "what the gram matrices of style pictures are like, and which are alike"
DESCRIPTION = """\
Measures gram spectrum, rank, sparsity, entropy and peaks of style pictures in every layer, clusters them, and tells
which component of a style is seen where; with groups, compares each with the last one. Writes report.md, report.json
and plots. What each figure means: docs/style-analysis.md. Needs VGG-19: pip install 'styletx-core[training]'."""


def add_command(commands: Any) -> None:
    """Add `analyze` to the subparsers."""
    parser = commands.add_parser("analyze", help=HELP, description=DESCRIPTION,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.set_defaults(command=analyze)
    add = parser.add_argument
    add("styles", nargs="*", metavar="STYLE", help="style picture, folder of them or pattern")
    add("--group", action="append", default=[], metavar="NAME=STYLE",
        help="a named group of them; may be given several times, also for one name")  # fmt: skip
    add("--output", type=Path, required=True, metavar="DIR", help="folder for the report")
    add("--side", type=int, default=256, metavar="PIXELS",
        help="analyze pictures of as many pixels as a square of this side has (default: %(default)s)")  # fmt: skip
    add("--clusters", type=int, default=0, metavar="N",
        help="cut the tree into so many clusters (default: as many as groups, else 4)")  # fmt: skip
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default: auto)")


def analyze(options: argparse.Namespace) -> int:
    """Run the command; raises InputError."""
    from .pictures import gather

    found = [item for pattern in options.styles for item in gather(pattern, "styles")]
    for text in options.group:
        name, equals, pattern = text.partition("=")
        if not equals or not name or not pattern:
            raise InputError(f"'--group {text}' names no pictures; write --group NAME=STYLE.")
        found += gather(pattern, name)
    if not found:
        raise InputError("There is nothing to analyze; give style pictures or --group.")
    if not 64 <= options.side <= 1024:
        raise InputError(f"--side is {options.side}; give 64 to 1024 pixels.")
    if options.clusters < 0:
        raise InputError(f"--clusters is {options.clusters}; give 1 or more, or leave it out.")
    found.sort(key=lambda item: [text.partition("=")[0] for text in options.group].index(item.group)
               if item.group != "styles" else -1)  # fmt: skip
    for name in dict.fromkeys(item.group for item in found):
        count = sum(item.group == name for item in found)
        if count < 3 and len({item.group for item in found}) > 1:
            raise InputError(f"The group '{name}' has only {count} pictures; give 3 or more to compare groups.")

    from .analysis import Settings
    from .analysis import analyze as run

    settings = Settings(options.side, options.clusters, options.device, options.output / "measured")
    report = run(found, settings, _say)
    _write(report, options.output)
    print(options.output / "report.md")
    return 0


def _write(report: dict[str, Any], folder: Path) -> None:
    import cv2

    from .plots import plots
    from .report import markdown

    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in plots(report).items():
        with atomic_path(folder / f"{name}.png") as aside:
            if not cv2.imwrite(str(aside), picture):
                raise WorkError(f"{folder / name}.png cannot be written; check folder and free space.")
    for file, text in (("report.json", json.dumps(report, indent=1) + "\n"), ("report.md", markdown(report))):
        with atomic_path(folder / file) as aside:
            aside.write_text(text, encoding="utf-8")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

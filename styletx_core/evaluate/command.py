# SPDX-License-Identifier: GPL-3.0-or-later
"""`styletx evaluate`: its options, and what they start. Imports torch only when it runs."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..files import atomic_path
from ..job import Settings

HELP = "measure a method, or results that are there already"
DESCRIPTION = """\
Measures how good pictures are and how steady a shot is: a table on stdout, and JSON and a contact sheet if wanted.
--content measures photos in each style, --shot a shot in each style, frame by frame and with motion; either or both.
What each figure means: docs/measures.md. Needs VGG-19: pip install 'styletx-core[training]'."""


def add_command(commands: Any, frames: Callable[[str], tuple[int, int]]) -> None:
    """Add `evaluate` to the subparsers. frames: parses A-B."""
    parser = commands.add_parser("evaluate", help=HELP, description=DESCRIPTION,
                                 formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.set_defaults(command=evaluate)
    add = parser.add_argument
    add("--style", type=Path, action="append", required=True, metavar="PICTURE|DIR",
        help="style picture, or a folder of them; may be given several times")  # fmt: skip
    add("--styles", type=int, default=6, metavar="N", help="so many of them, evenly spread (default: 6)")
    add("--held-out", action="store_true",
        help="of the folders of styles and photos, take only the tenth that training never sees")  # fmt: skip
    add("--results", type=Path, metavar="DIR",
        help="measure these instead of running a method: DIR/STYLE/PHOTO.png, frames in DIR/STYLE/SHOT/")  # fmt: skip
    add("--method", default="adain_reconet", help="see 'styletx methods' (default: %(default)s)")
    add("--weights", metavar="FILE", help="safetensors file (default: the method's own)")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1, mps (default: auto)")
    add("--json", type=Path, metavar="FILE", help="write every value here")
    add("--sheet", type=Path, metavar="FILE", help="write a contact sheet here (png, jpg)")
    stills = parser.add_argument_group("photos")
    add = stills.add_argument
    add("--content", type=Path, action="append", metavar="PICTURE|DIR",
        help="photo, or a folder of them; may be given several times")  # fmt: skip
    add("--photos", type=int, default=7, metavar="N", help="so many of them, evenly spread (default: 7)")
    add("--consistency", action="store_true", help="also compare results at 540 and at 1080 pixels; slow")
    shots = parser.add_argument_group("shots")
    add = shots.add_argument
    add("--shot", type=Path, metavar="SHOT", help="directory or pattern of frames, or a movie")
    add("--frames", type=frames, metavar="A-B", help="first and last frame (default: all)")
    add("--motion", action="append", choices=("vectors", "flow"),
        help="may be given twice (default: both where the shot has vectors, else flow)")  # fmt: skip
    add("--light", type=Path, metavar="SHOT",
        help="a shot with a static camera and a light that moves and stops, for the ghosting")  # fmt: skip
    add("--light-stops", type=int, default=30, metavar="N", help="frame at which it stops (default: %(default)s)")


def evaluate(options: argparse.Namespace) -> int:
    """Run the command; raises InputError."""
    _check(options)
    # OpenEXR prints warnings to stdout, which is for the table alone.
    with redirect_stdout(sys.stderr):
        found, text, rows = _measure(options)
    print(text, end="")
    if options.json:
        with atomic_path(options.json) as temporary:
            temporary.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    if options.sheet:
        import cv2

        from .sheet import sheet

        with atomic_path(options.sheet) as temporary:
            cv2.imwrite(str(temporary), sheet(rows))
    return 0


def _check(options: argparse.Namespace) -> None:
    if not options.content and not options.shot:
        raise InputError("There is nothing to measure; give --content, --shot or both.")
    if options.light and not options.shot:
        raise InputError("--light is measured along with a shot; give --shot as well.")
    if options.results and (options.light or options.consistency or options.motion or options.weights):
        raise InputError("--results are measured as they are; leave out --light, --consistency, --motion, --weights.")
    if options.sheet and options.sheet.suffix.lower() not in (".png", ".jpg", ".jpeg"):
        raise InputError(f"The contact sheet {options.sheet} has to end in .png or .jpg.")
    if options.results and not options.results.is_dir():
        raise InputError(f"There is no folder {options.results}; check the path.")
    for name in ("photos", "styles"):
        if getattr(options, name) < 1:
            raise InputError(f"--{name} is {getattr(options, name)}; give 1 or more.")


def _measure(options: argparse.Namespace) -> tuple[dict[str, Any], str, list[Any]]:
    """Values for JSON, the tables, and the sheet's rows."""
    from .distances import Eye
    from .report import shot_table, shot_values, stills_table, stills_values

    styles = _chosen(options.style, options.held_out, options.styles, "style picture")
    photos = _chosen(options.content, options.held_out, options.photos, "photo") if options.content else []
    if options.results:
        _distinct(styles, "style pictures")
        _distinct(photos, "photos")
    eye = Eye(options.device)
    found: dict[str, Any] = {"results": str(options.results)} if options.results else {
        "method": options.method, "weights": options.weights or "shipped"}  # fmt: skip
    text, rows = [], []
    # The shot goes first: a path that is wrong is then said before minutes of work.
    shot = _open_shot(options, eye) if options.shot else None
    if photos:
        stills = _stills(options, photos, styles, eye)
        found["stills"] = stills_values(stills)
        text.append(stills_table(found["stills"]))
        rows += stills.rows
    if shot is not None:
        _shot(options, shot, styles)
        found["shot"] = shot_values(shot)
        text.append(shot_table(found["shot"]))
        rows += shot.rows
    return found, "\n".join(text), rows


def _stills(options: argparse.Namespace, photos: list[Path], styles: list[Path], eye: Any) -> Any:
    from ..registry import load
    from .stills import Folder, Painter, evaluate_stills

    painter: Painter | Folder
    if options.results:
        painter = Folder(options.results)
    else:
        painter = Painter(load(options.method, options.device, weights=options.weights))
    return evaluate_stills(painter, photos, styles, eye, options.consistency, _say)


def _open_shot(options: argparse.Namespace, eye: Any) -> Any:
    from .shots import ShotEvaluation

    shot = ShotEvaluation(options.shot, options.frames, eye, _say)
    if "vectors" in (options.motion or ()) and not shot.has_vectors:
        raise InputError(f"{options.shot} has no motion vectors that can be used; give --motion flow.")
    return shot


def _shot(options: argparse.Namespace, shot: Any, styles: list[Path]) -> None:
    from .shots import Light, evaluate_method, evaluate_results

    settings = Settings(method=options.method, device=options.device, weights=options.weights)
    motions = list(dict.fromkeys(options.motion or (["vectors"] if shot.has_vectors else []) + ["flow"]))
    light = Light(options.light, options.light_stops) if options.light else None
    for style in styles:
        if options.results:
            evaluate_results(shot, options.results, style)
        else:
            evaluate_method(shot, settings, style, motions, light)


def _chosen(given: list[Path], held_out: bool, count: int, what: str) -> list[Path]:
    """The files given, and of the folders so many, evenly spread, that all are ``count``."""
    from ..perceptual.pictures import list_pictures
    from ..spread import spread

    for path in given:
        if not path.exists():
            raise InputError(f"There is no {what} or folder '{path}'; check the path.")
    files, folders = [p for p in given if p.is_file()], [p for p in given if p.is_dir()]
    if not folders:
        return files
    listed = list_pictures(folders, True if held_out else None)
    if not listed:
        raise InputError(f"No {what} {'is held out ' * held_out}in {', '.join(map(str, folders))}; "
                         f"give a larger folder{' or leave out --held-out' * held_out}.")  # fmt: skip
    wanted = max(count - len(files), 0)
    if len(listed) < wanted:
        _say(f"There are only {len(listed)} {what}s; all are taken.")
    return files + spread(listed, wanted)


def _distinct(files: list[Path], what: str) -> None:
    names = [file.stem for file in files]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"Two {what} are called '{name}', so their results cannot be told apart; rename one.")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)

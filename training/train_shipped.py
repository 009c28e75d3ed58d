# SPDX-License-Identifier: GPL-3.0-or-later
"""Train all weights that ship beside the flagship's, one after the other: johnson, reconet, dumoulin, adain.

    python -m training.train_shipped --content PHOTOS --style PAINTINGS --out DIR
    python -m training.train_shipped --content PHOTOS --style PAINTINGS --out DIR --install    # then into the package

The same command again goes on where it stopped; what is finished is not trained again. Options that are not listed
here go to every training (--device cuda --batch 8 --threads 2). ``--pack FILE`` stands in for --content and --style.
The style pictures are painted by `training.paint_styles`. Later trainings begin with the weights of earlier ones.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

from styletx_core.errors import InputError, StyleTXError
from styletx_core.files import atomic_path
from styletx_core.registry import WEIGHTS_DIRECTORY
from training import checkpoint, paint_styles
from training.painters import paint

# name of the file that ships: method, its styles, the training whose weights it begins with, steps
RECIPES: dict[str, tuple[str, tuple[str, ...], str | None, int]] = {
    "johnson-oil": ("johnson", ("oil",), None, 3600),
    "johnson-stained_glass": ("johnson", ("stained_glass",), "johnson-oil", 1800),
    "reconet-oil": ("reconet", ("oil",), None, 3000),
    "dumoulin": ("dumoulin", tuple(paint_styles.TAUGHT), "johnson-oil", 2400),
    "adain": ("adain", (), None, 3600),
}

# fmt: off
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--content", type=Path, action="append", default=[], help="folder of photos")
parser.add_argument("--style", type=Path, action="append", default=[], help="folder of paintings, for adain")
parser.add_argument("--pack", type=Path, help="a file of training.pack instead")
parser.add_argument("--shots", type=Path, action="append", default=[], help="EXR shots with vectors, for reconet")
parser.add_argument("--out", type=Path, required=True, help="gets a folder a training, and styles/")
parser.add_argument("--only", choices=RECIPES, action="append", help="of all these")
parser.add_argument("--stop-after", type=float, help="minutes, of all together; the same command goes on")
parser.add_argument("--install", action="store_true", help="copy the weights into the package")
# fmt: on


def main() -> None:
    args, rest = parser.parse_known_args()
    try:
        run(args, rest)
    except StyleTXError as error:
        print(error, file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)


def run(args: argparse.Namespace, rest: list[str]) -> None:
    began, only = time.time(), args.only or list(RECIPES)
    styles = paint_all(args.out / "styles", [name for recipe in only for name in RECIPES[recipe][1]])
    for recipe in only:
        left = None if args.stop_after is None else args.stop_after - (time.time() - began) / 60
        if left is not None and left <= 0:
            print("Stopped; the same command goes on.")
            return
        print(f"--- {recipe}", flush=True)
        if not finished(args.out, recipe):
            done = subprocess.run(command(recipe, args, styles, left) + rest)
            if done.returncode:
                sys.exit(done.returncode)
        if args.install and finished(args.out, recipe):
            with atomic_path(WEIGHTS_DIRECTORY / f"{recipe}.safetensors") as aside:
                shutil.copyfile(args.out / recipe / "weights.safetensors", aside)
            print(f"installed {recipe}.safetensors")


def command(recipe: str, args: argparse.Namespace, styles: dict[str, Path], left: float | None) -> list[str]:
    """The command line of one training."""
    method, names, start, count = RECIPES[recipe]
    given: list[object] = [sys.executable, "-m", f"training.train_{method}", "--out", args.out / recipe]
    given += ["--steps", count]
    given += [part for folder in args.content for part in ("--content", folder)]
    given += [part for name in names for part in ("--style", styles[name])]
    if args.pack:
        given += ["--pack", args.pack]
    if method == "adain":
        given += [part for folder in args.style for part in ("--style", folder)]
    if method == "reconet":
        given += [part for folder in args.shots for part in ("--shots", folder)]
    if start:
        weights = args.out / start / "weights.safetensors"
        if not finished(args.out, start):
            raise InputError(
                f"'{recipe}' begins with the weights of '{start}', which is not finished; train that first."
            )
        given += ["--start", weights]
    if left is not None:
        given += ["--stop-after", left]
    return [str(part) for part in given]


def finished(out: Path, recipe: str) -> bool:
    return (checkpoint.newest(out / recipe) or 0) >= RECIPES[recipe][3]


def paint_all(folder: Path, names: list[str]) -> dict[str, Path]:
    """The style pictures, painted unless they are there."""
    found = {name: folder / f"{name}.png" for name in names}
    for name, path in found.items():
        if not path.exists():
            composition, seed = paint_styles.TAUGHT[name]
            paint_styles.save(path, paint(name, paint_styles.SIZE, paint_styles.SIZE, seed, composition))
    return found


if __name__ == "__main__":
    main()

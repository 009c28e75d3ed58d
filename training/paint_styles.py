# SPDX-License-Identifier: GPL-3.0-or-later
"""Paint the style pictures that ship with StyleTX, or a set of them for training.

python -m training.paint_styles                            # the shipped ones, into the package
python -m training.paint_styles --taught --output DIR      # the eight that the shipped dumoulin knows
python -m training.paint_styles --output DIR --count 200   # 200 by all painters, DIR/oil_00000.png, ...
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np

from training.painters import PAINTERS, paint

Recipes = dict[str, tuple[str | None, int]]  # painter: composition (None: the seed chooses), seed
SHIPPED: Recipes = {"oil": ("hills", 15), "stained_glass": ("orchestra", 13), "ink": ("town", 12)}  # chosen by eye
TAUGHT: Recipes = SHIPPED | {"facets": (None, 1045), "mosaic": (None, 1023), "watercolor": (None, 1024),
                    "woodcut": (None, 1039), "poster": (None, 1046)}  # fmt: skip
SIZE = 512


def save(path: Path, picture: np.ndarray) -> None:
    """Write a picture (HxWx3 float32, 0..1) as PNG, 8 bit less the last: it is grain and much of the file."""
    codes = np.round(np.clip(picture[..., ::-1], 0, 1) * 127).astype(np.uint8) * 2
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), codes, [cv2.IMWRITE_PNG_COMPRESSION, 9])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--output", type=Path, help="where to write; default: the package's styles")
    parser.add_argument(
        "--count", type=int, default=0, help="how many pictures for training; 0: the shipped ones"
    )
    parser.add_argument("--taught", action="store_true", help="the styles that a shipped network was trained for")
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--seed", type=int, default=1000, help="of the first picture for training")
    args = parser.parse_args()
    folder = args.output or Path(__file__).resolve().parent.parent / "styletx_core" / "assets" / "styles"
    if not args.count:
        for name, (composition, seed) in (TAUGHT if args.taught else SHIPPED).items():
            save(folder / f"{name}.png", paint(name, args.size, args.size, seed, composition))
    names = list(PAINTERS)
    for index in range(args.count):
        name = names[index % len(names)]
        save(folder / f"{name}_{index:05d}.png", paint(name, args.size, args.size, args.seed + index))


if __name__ == "__main__":
    main()

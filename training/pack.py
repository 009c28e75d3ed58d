# SPDX-License-Identifier: GPL-3.0-or-later
"""Pack pictures and VGG-19 into one file, so that a training needs nothing else on a bare machine.

    python -m training.pack --content DIR --style DIR --out FILE
    python -m training.train_adain_reconet --pack FILE --out DIR     # there: Python, torch, numpy, cv2, safetensors

The file is a zip with stored entries: ``content/0/forest.jpg.webp`` (0 is the first --content), ``style/...`` and
``vgg19.safetensors``, the 8-bit convolutions that the losses need. Pictures keep their names, so that the same tenth
is held out. Their quality is the best with which all fit into --limit.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from bisect import bisect
from pathlib import Path

import cv2
import numpy as np
from safetensors.torch import load, save
from torch import Tensor

from styletx_core.errors import InputError, StyleTXError
from styletx_core.files import atomic_path
from styletx_core.perceptual.pictures import is_held_out, list_pictures, read_picture
from styletx_core.perceptual.vgg import packed_weights
from training.data import Picture

LIMIT = 27  # MiB; with the files of this repository below 60, and room for a checkpoint below 64 (docs/training.md)
SIDE = 384  # pixels
QUALITIES = range(10, 96, 2)  # of WebP
LAST = "relu4_1"  # the deepest layer of VGG-19 that the losses look at
VGG = "vgg19.safetensors"
_HEADER = 400  # bytes: more than an entry's two headers take

# fmt: off
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--content", type=Path, action="append", required=True, help="folder of photos")
parser.add_argument("--style", type=Path, action="append", required=True, help="folder of style pictures")
parser.add_argument("--out", type=Path, required=True, help="the file to write")
parser.add_argument("--side", type=int, default=SIDE, help="the pictures' longer side in pixels, at most")
parser.add_argument("--limit", type=float, default=LIMIT, help="size of the file in MiB, at most")
# fmt: on


def main() -> None:
    args = parser.parse_args()
    try:
        print(write(args.out, {"content": args.content, "style": args.style}, args.side, int(args.limit * 2**20)))
    except StyleTXError as error:
        print(error, file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)


def write(file: Path, folders: dict[str, list[Path]], side: int = SIDE, limit: int = LIMIT << 20) -> str:
    """Write a pack of ``folders`` ("content" and "style"), at most ``limit`` bytes; returns what is in it, in words.

    Raises InputError where a folder has no pictures or they don't fit.
    """
    vgg = save(packed_weights(LAST))
    pictures: dict[str, np.ndarray] = {}
    for kind, places in folders.items():
        for number, folder in enumerate(places):
            found = list_pictures([folder])
            if not found:
                raise InputError(f"There are no pictures in {folder}; name a folder of JPEG, PNG, WebP or TIFF files.")
            for path in found:
                pictures[f"{kind}/{number}/{path.relative_to(folder).as_posix()}.webp"] = read_picture(path, side)
    room = limit - len(vgg) - _HEADER - sum(_HEADER + len(name) for name in pictures)
    some = list(pictures)[:: max(1, len(pictures) // 50)]  # enough to guess the quality from

    def expected(quality: int) -> int:
        return sum(len(_encoded(pictures[name], quality)) for name in some) * len(pictures) // len(some)

    guess = bisect(QUALITIES, room, key=expected)
    for quality in reversed(QUALITIES[:guess]):
        encoded = {name: _encoded(picture, quality) for name, picture in pictures.items()}
        if sum(map(len, encoded.values())) <= room:
            break
    else:
        raise InputError(f"The pictures don't fit into {limit / 2**20:.1f} MiB; give fewer, or a smaller --side.")
    with atomic_path(file) as aside, zipfile.ZipFile(aside, "w") as archive:  # stored: pictures are compressed already
        for name, data in encoded.items():
            archive.writestr(zipfile.ZipInfo(name), data)  # without a date: the same pictures give the same file
        archive.writestr(zipfile.ZipInfo(VGG), vgg)
    counts = ", ".join(f"{sum(name.startswith(kind) for name in encoded)} {kind} pictures" for kind in folders)
    return f"{file}: {counts} of {side} pixels, WebP quality {quality}, {file.stat().st_size / 2**20:.1f} MiB"


def _encoded(picture: np.ndarray, quality: int) -> bytes:
    done, data = cv2.imencode(".webp", picture[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, quality])
    assert done
    return data.tobytes()


class Pack:
    """A pack opened for reading. Raises InputError where it is none."""

    def __init__(self, file: Path) -> None:
        try:
            self.archive = zipfile.ZipFile(file)
            self.vgg: dict[str, Tensor] = load(self.archive.read(VGG))
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise InputError(f"{file} is not a pack; make one with: python -m training.pack.") from error
        self.name = file.name

    def pictures(self, kind: str, held_out: bool) -> list[Picture]:
        """Those of ``kind`` ("content" or "style") on one side of the split."""
        found = []
        for entry in self.archive.infolist():
            name = entry.filename.removesuffix(".webp")
            if name.startswith(f"{kind}/") and is_held_out(name.rsplit("/", 1)[-1]) == held_out:
                data = np.frombuffer(self.archive.read(entry), np.uint8)
                picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
                if picture is None:
                    raise InputError(f"{entry.filename} in {self.name} cannot be read; make the pack again.")
                found.append(Picture(f"{name}{entry.CRC}", cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)))
        return found


if __name__ == "__main__":
    main()

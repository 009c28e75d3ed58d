# SPDX-License-Identifier: GPL-3.0-or-later
"""Fetch the pictures that docs/style-analysis.md compares with rich paintings: calligraphy, drawings and engravings.

    python -m benchmarks.style_groups --output build/analysis/pictures

Calligraphy is set here in fonts that were made from handwriting (SIL Open Font License); the others are plates of books
in the public domain, as Project Gutenberg scanned them. Each comes from its repository on GitHub, at a commit that is
named here, by git. Nothing of it is part of StyleTX. --mirror DIR takes the repositories from DIR/OWNER/NAME instead.
"""

from __future__ import annotations

import argparse
import io
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from styletx_core.errors import InputError, StyleTXError, WorkError
from styletx_core.files import atomic_path

GITHUB = "https://github.com"


class Font(NamedTuple):
    """A font: its repository and the commit and path there."""

    name: str
    repository: str
    commit: str
    path: str


class Book(NamedTuple):
    """A book's plates, without its title pages. path: with {} for what ``plates`` lists."""

    group: str
    name: str
    repository: str
    commit: str
    path: str
    plates: str


# The first four were written with the brush, the others with the pen.
FONTS = (
    Font("kolker_brush", "googlefonts/kolker-brush", "03ba4eb35eb2801089ff9343695a1f54f9b8d5b7",
         "fonts/ttf/KolkerBrush-Regular.ttf"),
    Font("water_brush", "googlefonts/water-brush", "b7a36104b4ba7d489ba4f34a14c7e39dccbab86f",
         "fonts/ttf/WaterBrush-Regular.ttf"),
    Font("knewave", "theleagueof/knewave", "f335d5ff1f12e4acf97d4208e1c37b4d386e57fb", "knewave.ttf"),
    Font("square_peg", "googlefonts/square-peg", "ec1628592761b8b9e7713b6d2b463fb9724c6e8e",
         "fonts/ttf/SquarePeg-Regular.ttf"),
    Font("carattere", "googlefonts/carattere", "18fbebe0c73ec82068be167eb3e63a795bd814ac",
         "fonts/ttf/Carattere-Regular.ttf"),
    Font("allison", "googlefonts/allison", "fe224232fbcf0a6db60877e835df7219a99784f3",
         "fonts/ttf/Allison-Regular.ttf"),
    Font("nautigal", "googlefonts/the-nautigal", "1d644f7cd792c5cc64a91e88f0ca568016f820aa",
         "fonts/ttf/TheNautigal-Regular.ttf"),
)  # fmt: skip
BOOKS = (
    # Howard Pyle, pen, 1883 and 1905
    Book("drawings", "robin_hood", "GITenberg/The-Merry-Adventures-of-Robin-Hood_10148",
         "eb81d295dd9921f35c42bc7fec5a10ffd2e52266", "10148-h/images/{}.jpg", "003 004 005a 006 007 008 010"),
    Book("drawings", "round_table", "GITenberg/The-Story-of-the-Champions-of-the-Round-Table_10745",
         "382e305210def84fabacab3cb8ab71554ba3753f", "10745-h/images/{}.l.gif",
         "009 012 014 016 018 020 022 023 028 030 032 034"),
    # Edward Lear, pen, 1846 to 1877
    Book("drawings", "nonsense", "GITenberg/Nonsense-Books_13650", "9dd6ac41369bb352eab2353bd37bf11065a0a98e",
         "13650-h/images/{}.gif", "007 021 060 102 104 107 109 111 139 176 215 271"),
    # Hans Holbein, woodcut, 1538
    Book("drawings", "dance_of_death", "GITenberg/The-Dance-of-Death_21790",
         "f758dbab0f7701d6e32ba6400332ba835e604a08", "21790-h/images/illus-{}.jpg",
         "046 052 058 064 070 078 086 094 102 110 118 132"),
    # Gustave Doré, wood engraving, 1884
    Book("engravings", "raven", "GITenberg/The-Raven_17192", "a32dbacec6115685172ac5e11d1e07ee24dc70da",
         "17192-h/images/i{}.jpg", " ".join(f"{number:03d}" for number in range(1, 27))),
)  # fmt: skip
TEXT = """Once upon a midnight dreary, while I pondered, weak and weary, over many a quaint and curious volume of
forgotten lore, while I nodded, nearly napping, suddenly there came a tapping, as of some one gently rapping, rapping
at my chamber door. Deep into that darkness peering, long I stood there wondering, fearing, doubting, dreaming dreams no
mortal ever dared to dream before; but the silence was unbroken, and the stillness gave no token."""  # Poe 1845
SIDE = 512  # pixels of a page of calligraphy
SIZES = (48, 72, 108, 160)  # pixels of its letters


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True, help="gets a folder for each group")
    parser.add_argument("--mirror", default=GITHUB, help="where the repositories are (default: %(default)s)")
    args = parser.parse_args()
    try:
        for font in FONTS:
            letters = Repository(args, font.repository, font.commit).read(font.path)
            for number, size in enumerate(SIZES, 1):
                save(page(letters, size), args.output / "calligraphy" / f"{font.name}_{number}.png")
        for book in BOOKS:
            repository = Repository(args, book.repository, book.commit)
            for number, plate in enumerate(book.plates.split(), 1):
                picture = Image.open(io.BytesIO(repository.read(book.path.format(plate)))).convert("RGB")
                save(picture, args.output / book.group / f"{book.name}_{number:02d}.png")
    except StyleTXError as error:
        print(error, file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)


class Repository:
    """One commit of a repository, fetched into OUTPUT/repositories once."""

    def __init__(self, args: argparse.Namespace, name: str, commit: str) -> None:
        self.name, self.commit = name, commit
        self.folder = args.output / "repositories" / name
        if not self.folder.exists():
            print(f"fetching {name}", file=sys.stderr, flush=True)
            self.folder.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=self.folder.parent) as aside:
                fetched = Path(aside, "it")
                fetched.mkdir()
                self._git("init", "--quiet", "--bare", at=fetched)
                self._git("fetch", "--quiet", "--depth", "1", f"{args.mirror}/{name}", commit, at=fetched)
                fetched.rename(self.folder)

    def read(self, path: str) -> bytes:
        return self._git("show", f"{self.commit}:{path}", at=self.folder)

    def _git(self, *words: str, at: Path) -> bytes:
        try:
            return subprocess.run(["git", "-C", str(at), *words], capture_output=True, check=True).stdout
        except FileNotFoundError as error:
            raise InputError("git is not installed; install it, it fetches the pictures.") from error
        except subprocess.CalledProcessError as error:
            reason = error.stderr.decode(errors="replace").strip().splitlines()
            raise WorkError(f"{self.name} at {self.commit[:8]} cannot be fetched ({reason[-1] if reason else 'git'}); "
                            "check the network or give --mirror.") from error  # fmt: skip


def page(letters: bytes, size: int) -> Image.Image:
    """A square of paper that the text fills in letters of this size. letters: the font's file."""
    font = ImageFont.truetype(io.BytesIO(letters), size)
    paper = Image.new("RGB", (SIDE, SIDE), "white")
    draw, words, line, top = ImageDraw.Draw(paper), TEXT.split(), "", 0.0
    while top < SIDE:
        for word in words * 2:
            longer = f"{line} {word}".strip()
            if line and draw.textlength(longer, font) > SIDE - size / 2:
                draw.text((size / 4, top), line, "black", font)
                line, top = "", top + size
            line = f"{line} {word}".strip()
    return paper


def save(picture: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as aside:
        picture.save(aside, "PNG")


if __name__ == "__main__":
    main()

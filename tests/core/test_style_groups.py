# SPDX-License-Identifier: GPL-3.0-or-later
"""`benchmarks.style_groups`: pictures of repositories at the commits that it names."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import write_png
from PIL import ImageFont

from benchmarks import style_groups
from benchmarks.style_groups import Book, Font


def committed(folder: Path) -> str:
    def git(*words: str) -> str:
        author = ("-c", "user.name=a", "-c", "user.email=a@b")
        return subprocess.run(
            ["git", "-C", str(folder), *author, *words], check=True, capture_output=True, text=True
        ).stdout

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "Begin")
    return git("rev-parse", "HEAD").strip()


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    book = tmp_path / "mirror" / "press" / "book"
    write_png(book / "plates" / "p3.png", np.full((20, 30, 3), 0.4))
    font = ImageFont.load_default(20)
    assert isinstance(font, ImageFont.FreeTypeFont)
    (book / "font.ttf").write_bytes(font.font_bytes)
    commit = committed(book)
    monkeypatch.setattr(style_groups, "FONTS", (Font("hand", "press/book", commit, "font.ttf"),))
    monkeypatch.setattr(style_groups, "BOOKS", (Book("drawings", "book", "press/book", commit, "plates/p{}.png", "3"),))
    return tmp_path / "mirror"


def run(monkeypatch: pytest.MonkeyPatch, *options: object) -> None:
    monkeypatch.setattr(sys, "argv", ["style_groups", *map(str, options)])
    style_groups.main()


def test_plates_are_copied_and_pages_are_full_of_letters(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(monkeypatch, "--output", tmp_path / "out", "--mirror", mirror)
    assert (cv2.imread(str(tmp_path / "out" / "drawings" / "book_01.png")) == 102).all()
    pages = [cv2.imread(str(tmp_path / "out" / "calligraphy" / f"hand_{n}.png"), 0) for n in (1, 2, 3, 4)]
    for page in pages:
        dark = page < 128
        assert page.shape == (512, 512) and 0.03 < dark.mean() < 0.5
        assert all(quarter.any() for quarter in np.array_split(dark, 4))  # from top to bottom
    run(monkeypatch, "--output", tmp_path / "out", "--mirror", tmp_path / "gone")  # fetched once


def test_a_repository_that_cannot_be_fetched_is_named(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, "--output", tmp_path / "out", "--mirror", tmp_path / "gone")
    assert ended.value.code == 1
    assert "press/book at" in capsys.readouterr().err
    assert not any((tmp_path / "out" / "repositories" / "press").iterdir())

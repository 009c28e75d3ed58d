# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an OpenEXR file is all there: Blender says nothing when the disk is full while it writes a render."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

_LINES = {0: 1, 1: 1, 2: 1, 3: 16, 4: 32, 5: 16, 6: 32, 7: 32, 8: 32, 9: 256}
"""Rows in a chunk, by compression."""
_MAGIC, _MULTIPART, _TILED = 20000630, 0x1000, 0x200


def is_whole(path: Path) -> bool:
    """True where every chunk of rows that the file's header promises lies inside the file.

    The table of their places is written last, so a file that was cut short anywhere has none. Files of tiles, which
    Blender does not write, are taken as whole.
    """
    size = os.path.getsize(path)
    with path.open("rb") as file:
        try:
            magic, version = struct.unpack("<II", file.read(8))
            if magic != _MAGIC:
                return False
            if version & _TILED:
                return True
            chunks = [_chunks(header) for header in _headers(file, bool(version & _MULTIPART))]
            places = struct.unpack(f"<{sum(chunks)}Q", file.read(8 * sum(chunks)))
            table_end, last = file.tell(), max(places)
            file.seek(last + (4 if version & _MULTIPART else 0))
            _, length = struct.unpack("<iI", file.read(8))  # of a chunk: its first row, its bytes
        except (struct.error, KeyError, ValueError):  # ends before its table does
            return False
        return min(places) >= table_end and file.tell() + length <= size


def _headers(file: BinaryIO, many: bool) -> list[dict[str, bytes]]:
    """Attributes of each part; the last of many parts is followed by an empty header."""
    found = []
    while header := _header(file):
        found.append(header)
        if not many:
            break
    return found


def _header(file: BinaryIO) -> dict[str, bytes]:
    found = {}
    while name := _text(file):
        _text(file)  # the attribute's type
        (length,) = struct.unpack("<i", file.read(4))
        found[name] = file.read(length)
    return found


def _text(file: BinaryIO) -> str:
    found = b""
    while (letter := file.read(1)) != b"\0":
        if not letter:
            raise ValueError("the file ends in its header")
        found += letter
    return found.decode("latin-1")


def _chunks(header: dict[str, bytes]) -> int:
    if "chunkCount" in header:
        return int(struct.unpack("<i", header["chunkCount"])[0])
    _, top, _, bottom = struct.unpack("<4i", header["dataWindow"])
    lines = _LINES[header["compression"][0]]
    return int((bottom - top) // lines + 1)

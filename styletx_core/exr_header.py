# SPDX-License-Identifier: GPL-3.0-or-later
"""What the header of an OpenEXR file says, and whether the file is all there.

The header is parsed here rather than by the OpenEXR package because that reports neither the pixel type
without reading all pixels nor a file that was cut short; hundreds of frames are checked in a moment this way.
The standard library is all that this needs: Blender's process, which loads no OpenEXR, checks its renders with it.
"""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass, field
from pathlib import Path

from .errors import InputError

MAGIC = 20000630
MULTIPART, DEEP, TILED = 0x1000, 0x800, 0x200
# By compression: none, RLE, ZIPS, ZIP, PIZ, PXR24, B44, B44A, DWAA, DWAB.
LINES_IN_CHUNK = (1, 1, 1, 16, 32, 16, 32, 32, 32, 256)
Window = tuple[int, int, int, int]  # x and y of the first pixel, x and y of the last


@dataclass
class Part:
    """One of the pictures in a file; most files have one part."""

    name: str = ""
    channels: dict[str, int] = field(default_factory=dict)  # name in the part -> pixel type
    data: Window = (0, 0, -1, -1)
    display: Window = (0, 0, -1, -1)
    compression: int = 0
    tiled: bool = False
    chunks: int | None = None
    strings: dict[str, str] = field(default_factory=dict)


def read(path: Path) -> tuple[Part, ...]:
    """Parse the header and check that every chunk the file promises lies within it.

    Raises InputError for a file that is not OpenEXR, deep, damaged, or cut short.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if len(data) < 8 or struct.unpack_from("<I", data)[0] != MAGIC:
                raise InputError(f"{path} is not an OpenEXR file although its name says so; render it again.")
            flags = struct.unpack_from("<I", data, 4)[0]
            if flags & DEEP:
                raise InputError(f"{path} is a deep OpenEXR; save it as an ordinary one.")
            parts, position = _parse_parts(data, bool(flags & MULTIPART), bool(flags & TILED))
            if not _whole(data, position, parts, bool(flags & MULTIPART)):
                raise _truncated(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path.") from error
    except (struct.error, ValueError, IndexError, UnicodeDecodeError) as error:
        raise _truncated(path) from error
    return tuple(parts)


def is_whole(path: Path) -> bool:
    """Whether a file that was just written is all there: Blender says nothing when the disk is full as it writes."""
    try:
        read(path)
    except InputError:
        return False
    return True


def _truncated(path: Path) -> InputError:
    return InputError(f"{path} is cut short or damaged; render it again.")


def _parse_parts(data: mmap.mmap, multipart: bool, tiled: bool) -> tuple[list[Part], int]:
    """All parts' headers, and where the chunk tables begin."""
    parts: list[Part] = []
    position = 8
    while True:
        part = Part(tiled=tiled)
        start = position
        while data[position] != 0:
            name, position = _string(data, position)
            kind, position = _string(data, position)
            size = struct.unpack_from("<i", data, position)[0]
            value = data[position + 4 : position + 4 + size]
            position += 4 + size
            if size < 0 or len(value) < size:
                raise ValueError("attribute is cut short")
            _attribute(part, name, kind, value)
        position += 1
        if position - 1 == start:  # the empty header that ends a multi-part file's list
            return parts, position
        parts.append(part)
        if not multipart:
            return parts, position


def _string(data: bytes | mmap.mmap, position: int) -> tuple[str, int]:
    end = data.find(b"\0", position)
    if end < 0:
        raise ValueError("name without an end")
    return data[position:end].decode("utf-8"), end + 1


def _attribute(part: Part, name: str, kind: str, value: bytes) -> None:
    if kind == "string":
        text = value.decode("utf-8", "replace")
        part.strings[name] = text
        if name == "name":
            part.name = text
        elif name == "type":
            part.tiled = text == "tiledimage"
    elif name == "channels":
        position = 0
        while value[position] != 0:
            channel, position = _string(value, position)
            part.channels[channel] = struct.unpack_from("<i", value, position)[0]
            position += 16
    elif name == "dataWindow":
        part.data = struct.unpack("<4i", value)
    elif name == "displayWindow":
        part.display = struct.unpack("<4i", value)
    elif name == "compression":
        part.compression = value[0]
    elif name == "chunkCount":
        part.chunks = struct.unpack("<i", value)[0]
    elif name == "tiles":
        width, height, mode = struct.unpack("<IIB", value)
        if mode & 15 == 0:  # one level; mipmaps are not counted
            x0, y0, x1, y1 = part.data
            part.chunks = -(-(x1 - x0 + 1) // width) * -(-(y1 - y0 + 1) // height)


def _whole(data: mmap.mmap, position: int, parts: list[Part], multipart: bool) -> bool:
    for part in parts:
        if part.chunks is None and (part.tiled or part.compression >= len(LINES_IN_CHUNK)):
            return True  # no way to tell from here; reading will
        height = part.data[3] - part.data[1] + 1
        chunks = part.chunks or -(-height // LINES_IN_CHUNK[part.compression])
        offsets = struct.unpack_from(f"<{chunks}Q", data, position)
        position += 8 * chunks
        leader = 4 * multipart + (16 if part.tiled else 4)  # part number and place; the size follows
        last = max(offsets)
        if min(offsets) == 0 or last + leader + 4 > len(data):
            return False
        if last + leader + 4 + struct.unpack_from("<i", data, last + leader)[0] > len(data):
            return False
    return True

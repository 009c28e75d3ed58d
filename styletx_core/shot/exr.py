# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenEXR files: what is in them, from the header alone, and the pixels of one view layer.

The header is parsed here rather than by the OpenEXR package because that reports neither the pixel type
without reading all pixels nor a file that was cut short; hundreds of frames are checked in a moment this way.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR

from ..errors import InputError
from . import cryptomatte

MAGIC = 20000630
MULTIPART, DEEP = 0x1000, 0x800
# By compression: none, RLE, ZIPS, ZIP, PIZ, PXR24, B44, B44A, DWAA, DWAB.
LINES_IN_CHUNK = (1, 1, 1, 16, 32, 16, 32, 32, 32, 256)
HALF = 1
# "Combined" is Blender's name for the color; "Image" is what its File Output node writes.
COLOR_PASSES = ("Combined", "Image")
PASSES = {"vector": ("Vector",), "depth": ("Depth",), "index": ("IndexOB", "Object Index"),
          "crypto": ("CryptoObject00",)}
PASS_CHANNELS = {"vector": ("X", "Y", "Z", "W"), "depth": ("Z", "V", "X", "Y"), "index": ("X", "V", "Y", "Z"),
                 "crypto": ("r", "R")}
Window = tuple[int, int, int, int]  # x and y of the first pixel, x and y of the last


@dataclass
class _Part:
    name: str = ""
    channels: dict[str, int] = field(default_factory=dict)  # name in the part -> pixel type
    data: Window = (0, 0, -1, -1)
    display: Window = (0, 0, -1, -1)
    compression: int = 0
    tiled: bool = False
    chunks: int | None = None
    strings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ExrHeader:
    """Size (of the display window) and passes of a file.

    passes: (layer, pass) -> {component: (part, channel)}; a plain file's color is ("", "Combined").
    """

    path: Path
    width: int
    height: int
    passes: dict[tuple[str, str], dict[str, tuple[int, str]]]
    parts: tuple[_Part, ...]

    @property
    def layers(self) -> tuple[str, ...]:
        """View layers that have color, in the file's order."""
        return tuple(dict.fromkeys(layer for layer, name in self.passes if self.color(layer)))

    def color(self, layer: str) -> dict[str, tuple[int, str]] | None:
        """Channels of the layer's color: R, G, B and perhaps A, or Y; None where it has none."""
        for name in COLOR_PASSES:
            channels = self.passes.get((layer, name), {})
            if {"R", "G", "B"} <= channels.keys() or "Y" in channels:
                return channels
        return None

    def extra(self, layer: str, kind: str) -> list[tuple[int, str]] | None:
        """Channels of the pass of this kind (a key of PASSES), None where the file lacks it."""
        for name in PASSES[kind]:
            channels = self.passes.get((layer, name), {})
            found = [channels[c] for c in PASS_CHANNELS[kind] if c in channels]
            if kind == "vector" and len(found) == 4:
                return found
            if kind != "vector" and found:
                return found[:1]
        return None

    def matte(self, layer: str, kind: str) -> list[tuple[int, str]]:
        """Channels of a Cryptomatte (of cryptomatte.KINDS) in the order of its ranks; empty where there is none."""
        found: list[tuple[int, str]] = []
        while channels := self.passes.get((layer, f"{cryptomatte.KINDS[kind]}{len(found) // 4:02d}")):
            rank = {component.lower(): where for component, where in channels.items()}
            if len(rank) != 4 or rank.keys() != set("rgba"):
                break
            found += [rank[component] for component in "rgba"]
        return found

    def names(self, layer: str, kind: str) -> dict[str, int]:
        """Names and ids that the file lists for a Cryptomatte; empty where it lists none."""
        for part in self.parts:
            if found := cryptomatte.manifest(part.strings, layer, kind):
                return found
        return {}

    def half(self, layer: str) -> bool:
        """Whether the layer's color is stored in 16 bits."""
        color = self.color(layer) or {}
        return all(self.parts[part].channels[name] == HALF for part, name in color.values())

    def display_encoded(self) -> bool:
        """Whether the file says that its color is display-referred, which OpenEXR files hardly ever are."""
        return self.parts[0].strings.get("colorInteropID", "") in ("srgb_rec709_display", "srgb_rec709_scene")

    def choose_layer(self, wanted: str | None) -> str:
        """The layer to read: the one asked for, else the first with vectors, else the first rendered one.

        Raises InputError where there is none, or none of that name.
        """
        layers = self.layers
        if wanted is not None and wanted not in layers:
            named = ", ".join(f"'{layer}'" for layer in layers if layer) or "none with a name"
            raise InputError(f"{self.path} has no view layer '{wanted}'; its view layers are: {named}.")
        if wanted is not None:
            return wanted
        if not layers:
            if any(name in ("left", "right") for _, name in self.passes):
                raise InputError(f"{self.path} is a stereo picture; render each eye to files of its own.")
            raise InputError(f"{self.path} has no color channels; render with the Combined pass switched on.")
        # Blender adds a layer "Composite" when the compositor is on; the passes are in the view layers.
        rendered = [layer for layer in layers if layer != "Composite"] or list(layers)
        return next((layer for layer in rendered if self.extra(layer, "vector")), rendered[0])


def read_header(path: Path) -> ExrHeader:
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
            parts, position = _parse_parts(data, bool(flags & MULTIPART), bool(flags & 0x200))
            if not _whole(data, position, parts, bool(flags & MULTIPART)):
                raise _truncated(path)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path.") from error
    except (struct.error, ValueError, IndexError, UnicodeDecodeError) as error:
        raise _truncated(path) from error
    x0, y0, x1, y1 = parts[0].display
    return ExrHeader(path, x1 - x0 + 1, y1 - y0 + 1, _passes(parts), tuple(parts))


def read_pixels(header: ExrHeader, layer: str, mattes: Iterable[str] = ()) -> dict[str, Any]:
    """Read the layer's color and passes by the names of Frame's fields; those the file lacks are left out.

    mattes: the Cryptomattes to read as well, by kind.
    All are float32 and cover the display window; what lies outside the data window is 0.
    Raises InputError for damaged files.
    """
    try:
        file = OpenEXR.File(str(header.path), separate_channels=True)
        pixels = [{name: channel.pixels for name, channel in part.channels.items()} for part in file.parts]
        color = header.color(layer) or {}
        names = ("Y", "Y", "Y") if "R" not in color else ("R", "G", "B")
        wanted = {"rgb": [color[name] for name in names]}
        if "A" in color:
            wanted["alpha"] = [color["A"]]
        for kind in PASSES:
            if channels := header.extra(layer, kind):
                wanted[kind] = channels
        result: dict[str, Any] = {}
        for kind, channels in wanted.items():
            planes = [_place(pixels[part][name], header, part) for part, name in channels]
            result[kind] = np.ascontiguousarray(planes[0], np.float32) if len(planes) == 1 else _stacked(planes)
        result["mattes"] = {
            kind: cryptomatte.from_channels(
                [_place(pixels[part][name], header, part) for part, name in header.matte(layer, kind)]
            )
            for kind in mattes
        }
        return result
    # The package answers a damaged file with whatever its parser stumbled over.
    except (RuntimeError, IndexError, KeyError, ValueError, TypeError) as error:
        raise InputError(f"{header.path} is damaged and cannot be decoded; render it again.") from error


def _stacked(planes: list[np.ndarray]) -> np.ndarray:
    """Channels side by side, as float32 in one pass."""
    stacked = np.empty((*planes[0].shape, len(planes)), np.float32)
    for index, plane in enumerate(planes):
        stacked[..., index] = plane
    return stacked


def _truncated(path: Path) -> InputError:
    return InputError(f"{path} is cut short or damaged; render it again.")


def _parse_parts(data: mmap.mmap, multipart: bool, tiled: bool) -> tuple[list[_Part], int]:
    """All parts' headers, and where the chunk tables begin."""
    parts: list[_Part] = []
    position = 8
    while True:
        part = _Part(tiled=tiled)
        start = position
        while data[position] != 0:
            name, position = _string(data, position)
            kind, position = _string(data, position)
            size = struct.unpack_from("<i", data, position)[0]
            value = data[position + 4:position + 4 + size]
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


def _attribute(part: _Part, name: str, kind: str, value: bytes) -> None:
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


def _whole(data: mmap.mmap, position: int, parts: list[_Part], multipart: bool) -> bool:
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


def _passes(parts: list[_Part]) -> dict[tuple[str, str], dict[str, tuple[int, str]]]:
    """Sort channels named `Layer.Pass.C` (layers may have dots), `Pass.C` or `C` by layer and pass."""
    passes: dict[tuple[str, str], dict[str, tuple[int, str]]] = {}
    for number, part in enumerate(parts):
        for channel in part.channels:
            name = channel
            if "." not in name and number > 0 and part.name:
                name = f"{part.name}.{name}"  # other programs leave the pass's name to the part
            *layer, group, component = ["", "", *name.split(".")]
            if not group:
                group = "Depth" if component == "Z" else "Combined"
            key = (".".join(filter(None, layer)), group)
            passes.setdefault(key, {})[component] = (number, channel)
    return passes


def _place(plane: np.ndarray, header: ExrHeader, part: int) -> np.ndarray:
    """Put a part's data window where it belongs in the display window. Keeps bit patterns (Cryptomatte)."""
    data, display = header.parts[part].data, header.parts[part].display
    if plane.shape != (data[3] - data[1] + 1, data[2] - data[0] + 1):
        raise ValueError("subsampled channel")
    if data == display:
        return plane
    placed = np.zeros((header.height, header.width), np.float32)
    left, top = data[0] - display[0], data[1] - display[1]
    x0, y0 = max(left, 0), max(top, 0)
    x1, y1 = min(left + plane.shape[1], header.width), min(top + plane.shape[0], header.height)
    if x1 > x0 and y1 > y0:
        placed[y0:y1, x0:x1] = plane[y0 - top:y1 - top, x0 - left:x1 - left]
    return placed

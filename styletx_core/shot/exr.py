# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenEXR files: what is in them, from the header alone, and the pixels of one view layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import OpenEXR

from .. import exr_header
from ..errors import InputError
from ..exr_header import Part
from ..halves import single
from . import cryptomatte

HALF = 1
# "Combined" is Blender's name for the color; "Image" is what its File Output node writes.
COLOR_PASSES = ("Combined", "Image")
PASSES = {"vector": ("Vector",), "depth": ("Depth",), "index": ("IndexOB", "Object Index"),
          "crypto": ("CryptoObject00",)}
PASS_CHANNELS = {"vector": ("X", "Y", "Z", "W"), "depth": ("Z", "V", "X", "Y"), "index": ("X", "V", "Y", "Z"),
                 "crypto": ("r", "R")}


@dataclass(frozen=True)
class ExrHeader:
    """Size (of the display window) and passes of a file.

    passes: (layer, pass) -> {component: (part, channel)}; a plain file's color is ("", "Combined").
    """

    path: Path
    width: int
    height: int
    passes: dict[tuple[str, str], dict[str, tuple[int, str]]]
    parts: tuple[Part, ...]

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
    parts = exr_header.read(path)
    x0, y0, x1, y1 = parts[0].display
    return ExrHeader(path, x1 - x0 + 1, y1 - y0 + 1, _passes(parts), parts)


def read_pixels(header: ExrHeader, layer: str, mattes: Iterable[str] = ()) -> dict[str, Any]:
    """Read the layer's color and passes by the names of Frame's fields; those the file lacks are left out.

    mattes: the Cryptomattes to read as well, by kind.
    All are float32 and cover the display window; what lies outside the data window is 0.
    Raises InputError for damaged files, MemoryError where the memory is full.
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
        _need_memory(header)
        raise InputError(f"{header.path} is damaged and cannot be decoded; render it again.") from error


def _stacked(planes: list[np.ndarray]) -> np.ndarray:
    """Channels side by side, as float32."""
    return cv2.merge([single(p) if p.dtype == np.float16 else np.ascontiguousarray(p, np.float32) for p in planes])


def _passes(parts: tuple[Part, ...]) -> dict[tuple[str, str], dict[str, tuple[int, str]]]:
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


def _need_memory(header: ExrHeader) -> None:
    """Raise MemoryError where there is not the memory that reading takes, which OpenEXR tells nobody of."""
    channels = sum(len(part.channels) for part in header.parts)
    np.empty((channels, header.height, header.width, 5), np.uint8)  # the pixels, and a quarter more to decode them


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

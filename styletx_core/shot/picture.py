# SPDX-License-Identifier: GPL-3.0-or-later
"""PNG, JPEG and TIFF pictures: size and depth from the header, whether the file is whole, and the pixels."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from ..errors import InputError

SUFFIXES = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".tif": "TIFF", ".tiff": "TIFF"}


@dataclass(frozen=True)
class PictureHeader:
    """Size as stored (a photo may be turned when read), bits a channel, and how a TIFF stores its alpha."""

    path: Path
    kind: str
    width: int
    height: int
    bits: int
    associated: bool = False


def read_header(path: Path) -> PictureHeader:
    """Parse the header. Raises InputError for a file cut short, misnamed, or of a kind not read."""
    kind = SUFFIXES[path.suffix.lower()]
    try:
        parse = {"PNG": _parse_png, "JPEG": _parse_jpeg, "TIFF": _parse_tiff}[kind]
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            header = parse(path, data)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check the path.") from error
    except (struct.error, IndexError, KeyError, ValueError) as error:
        raise _truncated(path) from error
    if header is None:
        raise InputError(f"{path} is not a {kind} file although its name says so; save it again.")
    return header


def read_pixels(header: PictureHeader) -> tuple[np.ndarray, np.ndarray | None]:
    """Straight rgb HxWx3 and alpha HxW (None where there is none), float32 0..1.

    Raises InputError for damaged files.
    """
    pixels = _decode_tiff(header) if header.kind == "TIFF" else _decode(header)
    scale = np.float32(1 / (65535 if pixels.dtype == np.uint16 else 255))
    values = pixels.astype(np.float32) * scale
    if values.ndim == 2:
        return np.repeat(values[..., None], 3, axis=2), None
    rgb = np.ascontiguousarray(values[..., :3])
    if values.shape[2] == 3:
        return rgb, None
    alpha = np.ascontiguousarray(values[..., 3])
    if header.associated:
        rgb = np.where(alpha[..., None] > 0, rgb / np.maximum(alpha[..., None], scale), rgb).clip(0, 1)
    return rgb, alpha


def _decode(header: PictureHeader) -> np.ndarray:
    data = np.fromfile(header.path, np.uint8)
    # A JPEG is read with its EXIF rotation; a PNG as it is, with alpha and 16 bits.
    flags = cv2.IMREAD_COLOR if header.kind == "JPEG" else cv2.IMREAD_UNCHANGED
    pixels = cv2.imdecode(data, flags)
    if pixels is None:
        raise _truncated(header.path)
    if pixels.ndim == 3:
        pixels = pixels[..., [2, 1, 0, 3][:pixels.shape[2]]]
    return pixels


def _decode_tiff(header: PictureHeader) -> np.ndarray:
    # By FFmpeg, which hands out the values as stored: OpenCV premultiplies some kinds of alpha, not others.
    try:
        with av.open(f"file:{header.path}", format="tiff_pipe") as container:
            frame = next(container.decode(video=0))
    except (av.error.FFmpegError, StopIteration) as error:
        raise _truncated(header.path) from error
    alpha = any(component.is_alpha for component in frame.format.components)
    sixteen = header.bits == 16
    name = ("rgba64le" if alpha else "rgb48le") if sixteen else ("rgba" if alpha else "rgb24")
    return frame.to_ndarray(format=name)


def _truncated(path: Path) -> InputError:
    return InputError(f"{path} is cut short or damaged; save it again.")


def _parse_png(path: Path, data: mmap.mmap) -> PictureHeader | None:
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        return None
    width, height, bits = struct.unpack_from(">IIB", data, 16)
    position = 8
    while position < len(data):
        size, kind = struct.unpack_from(">I4s", data, position)
        position += 12 + size
        if kind == b"IEND" and position <= len(data):
            return PictureHeader(path, "PNG", width, height, max(bits, 8))
    raise _truncated(path)


def _parse_jpeg(path: Path, data: mmap.mmap) -> PictureHeader | None:
    if data[:2] != b"\xff\xd8":
        return None
    if data.rfind(b"\xff\xd9") < len(data) * 3 // 4:  # the end marker; some cameras append more after it
        raise _truncated(path)
    position = 2
    while True:
        marker, size = struct.unpack_from(">HH", data, position)
        if marker == 0xFFFF:  # fill bytes
            position += 1
        elif 0xFFC0 <= marker <= 0xFFCF and marker not in (0xFFC4, 0xFFC8, 0xFFCC):
            bits, height, width = struct.unpack_from(">BHH", data, position + 4)
            if bits != 8:
                raise InputError(f"{path} is a JPEG of {bits} bits; save it as PNG.")
            return PictureHeader(path, "JPEG", width, height, 8)
        else:
            position += 2 + size


def _parse_tiff(path: Path, data: mmap.mmap) -> PictureHeader | None:
    if data[:4] in (b"II+\0", b"MM\0+"):
        raise InputError(f"{path} is a BigTIFF; save it as an ordinary TIFF or PNG.")
    if data[:4] not in (b"II*\0", b"MM\0*"):
        return None
    order = "<" if data[:2] == b"II" else ">"
    tags = _tiff_tags(data, order)
    bits = max(tags.get(258, (1,)))
    if bits not in (8, 16) or any(form != 1 for form in tags.get(339, (1,))):
        raise InputError(f"{path} is a TIFF of a kind StyleTX does not read ({bits} bits or floating point); "
                         "save it with 8 or 16 bits a channel, or as OpenEXR.")
    offsets = tags.get(273) or tags.get(324) or ()
    sizes = tags.get(279) or tags.get(325) or ()
    if not offsets or any(offset + size > len(data) for offset, size in zip(offsets, sizes, strict=False)):
        raise _truncated(path)
    associated = tags.get(338, (0,))[0] == 1
    return PictureHeader(path, "TIFF", tags[256][0], tags[257][0], bits, associated)


def _tiff_tags(data: mmap.mmap, order: str) -> dict[int, tuple[int, ...]]:
    """Integer tags of the first directory."""
    start = struct.unpack_from(order + "I", data, 4)[0]
    tags = {}
    for number in range(struct.unpack_from(order + "H", data, start)[0]):
        entry = start + 2 + 12 * number
        tag, kind, count = struct.unpack_from(order + "HHI", data, entry)
        code = {1: "B", 3: "H", 4: "I"}.get(kind)
        if code is None:
            continue
        size = struct.calcsize(code) * count
        at = entry + 8 if size <= 4 else struct.unpack_from(order + "I", data, entry + 8)[0]
        tags[tag] = struct.unpack_from(f"{order}{count}{code}", data, at)
    return tags

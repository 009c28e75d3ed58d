# SPDX-License-Identifier: GPL-3.0-or-later
"""Cryptomatte (Friedman and Jones 2015, specification 1.2): how much of each pixel belongs to which names.

A pixel's ranks are pairs of an id and its coverage, largest first. An id is the MurmurHash3 of a name whose 32 bits
are stored as a float. The file's manifest lists the names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

import numpy as np

from ..errors import InputError

KINDS = {"object": "CryptoObject", "material": "CryptoMaterial"}
_MASK = 0xFFFFFFFF
_FEW = 8  # ids that are faster to look for one by one
_SHOWN = 20  # names in a message


@dataclass(frozen=True, eq=False)
class Matte:
    """The ranks of one frame. ids: RxHxW uint32. coverages: RxHxW float32 in 0..1."""

    ids: np.ndarray
    coverages: np.ndarray

    def coverage(self, ids: Iterable[int]) -> np.ndarray:
        """HxW float32: how much of each pixel belongs to these ids together."""
        wanted = np.fromiter(ids, np.uint32)
        if len(wanted) <= _FEW:
            found = np.zeros(self.ids.shape, bool)
            for one in wanted:
                found |= self.ids == one
        else:
            found = np.isin(self.ids, wanted)
        return np.asarray(np.where(found, self.coverages, 0).sum(0, dtype=np.float32), np.float32)


def from_channels(channels: Sequence[np.ndarray]) -> Matte:
    """From HxW float32 channels in their order: id, coverage, id, coverage, ..."""
    ids = np.stack([np.ascontiguousarray(id_, np.float32).view(np.uint32) for id_ in channels[::2]])
    return Matte(ids, np.stack(channels[1::2]))


def name_id(name: str) -> int:
    """The id of a name, as the bits of the float that stands in the file."""
    return as_float_bits(murmur3(name.encode("utf-8")))


def as_float_bits(found: int) -> int:
    """The hash, but for the bit that keeps it from being infinite, NaN or denormal as a float."""
    return found ^ (1 << 23) if (found >> 23) & 255 in (0, 255) else found


def murmur3(data: bytes) -> int:
    """MurmurHash3_x86_32 with seed 0 (Appleby 2011)."""
    found = 0
    for start in range(0, len(data) - len(data) % 4, 4):
        found ^= _scrambled(int.from_bytes(data[start : start + 4], "little"))
        found = (_rotated(found, 13) * 5 + 0xE6546B64) & _MASK
    found ^= _scrambled(int.from_bytes(data[len(data) - len(data) % 4 :], "little")) ^ len(data)
    found = ((found ^ found >> 16) * 0x85EBCA6B) & _MASK
    found = ((found ^ found >> 13) * 0xC2B2AE35) & _MASK
    return found ^ found >> 16


def _scrambled(block: int) -> int:
    return _rotated(block * 0xCC9E2D51 & _MASK, 15) * 0x1B873593 & _MASK


def _rotated(value: int, bits: int) -> int:
    return (value << bits | value >> (32 - bits)) & _MASK


def manifest(strings: Mapping[str, str], layer: str, kind: str) -> dict[str, int]:
    """Names and their ids, from an OpenEXR header's texts; empty where the file does not list them."""
    wanted = f"{layer}.{KINDS[kind]}" if layer else KINDS[kind]
    for key, value in strings.items():
        if key.startswith("cryptomatte/") and key.endswith("/name") and value == wanted:
            return _parsed(strings.get(f"{key.removesuffix('/name')}/manifest", ""))
    return {}


@lru_cache(maxsize=64)  # hardly any frame's differs from the one before
def _parsed(text: str) -> dict[str, int]:
    try:
        return {str(name): as_float_bits(int(found, 16)) for name, found in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError):
        return {}


def find(names: Sequence[str], there: Mapping[str, int], kind: str, where: str) -> frozenset[int]:
    """The ids of these names, in which *, ? and [] stand for any letters unless a name has them itself.

    there: names and ids of the whole shot; empty where the files do not list them. where: the shot, for a message.
    Raises InputError for a name that is not there, listing those that are.
    """
    found: set[int] = set()
    for name in names:
        if name in there:
            found.add(there[name])
        elif not there and not any(letter in name for letter in "*?["):
            found.add(name_id(name))
        else:
            matching = [id_ for other, id_ in there.items() if fnmatchcase(other, name)]
            if not matching:
                listed = sorted(other for other in there if not other.startswith("default_"))
                shown = ", ".join(f"'{other}'" for other in listed[:_SHOWN]) + (", ..." if listed[_SHOWN:] else "")
                raise InputError(f"{where} has no {kind} '{name}'; its {kind}s are: {shown or 'not listed'}.")
            found.update(matching)
    return frozenset(found)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The methods StyleTX knows. Listing them imports no torch; a method's module is imported by `load`."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from styletx_core.errors import InputError

if TYPE_CHECKING:
    from styletx_core.methods.base import Method

WEIGHTS_DIRECTORY = Path(__file__).parent / "methods" / "weights"


@dataclass(frozen=True)
class MethodInfo:
    """What a person needs to know to choose a method."""

    name: str
    title: str
    paper: str
    styles: Literal["any", "fixed"]  # any picture is a style, or only those the weights were trained for
    shot: bool  # fast and steady enough for whole shots
    description: str
    target: str  # "module:Class", imported when the method is loaded

    @property
    def weights(self) -> Path:
        """The weights that ship with the package."""
        return WEIGHTS_DIRECTORY / f"{self.name}.safetensors"


_METHODS = (
    MethodInfo(
        name="adain_reconet",
        title="AdaIN ReCoNet",
        paper="Huang and Belongie 2017 (AdaIN); Gao et al. 2018 (ReCoNet)",
        styles="any",
        shot=True,
        description="Feed-forward, takes any style picture, trained to be steady over time.",
        target="styletx_core.methods.adain_reconet:AdaINReCoNet",
    ),
)


def methods() -> list[MethodInfo]:
    """All methods, the default one first."""
    return list(_METHODS)


def method_info(name: str) -> MethodInfo:
    """The method called `name`; raises InputError that lists the names there are."""
    for info in _METHODS:
        if info.name == name:
            return info
    known = ", ".join(info.name for info in _METHODS)
    raise InputError(f"There is no method called '{name}'; choose one of: {known}.")


def load(
    method: str = "adain_reconet",
    device: str = "auto",
    precision: str = "auto",
    weights: str | Path | None = None,
) -> Method:
    """A method ready for `set_style`.

    device: "auto", "cpu", "cuda", "cuda:1", "mps". precision: "auto", "float32", "float16".
    weights: a safetensors file of this method; None takes the weights that ship with the package.
    Raises InputError for an unknown method, a device this machine does not have, or weights that do not fit.
    """
    info = method_info(method)
    module, _, name = info.target.partition(":")
    kind: type[Method] = getattr(importlib.import_module(module), name)
    return kind(device=device, precision=precision, weights=weights)

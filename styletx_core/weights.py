# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of weights: safetensors in half precision that say what they are for. `about` imports no torch."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from styletx_core.errors import InputError
from styletx_core.files import atomic_path

if TYPE_CHECKING:
    from torch import Tensor, nn

_Network = TypeVar("_Network", bound="nn.Module")

_LONGEST_HEADER = 10_000_000  # bytes


def about(path: Path) -> dict[str, str]:
    """What a file of weights says of itself: its method, its network's config, the names of its styles.

    Raises InputError where it is no safetensors file.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length < _LONGEST_HEADER else None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no safetensors file"
        raise InputError(f"The weights {path} cannot be read ({reason}); give a file that a training wrote.") from error
    found = header.get("__metadata__", {}) if isinstance(header, dict) else None
    if not isinstance(found, dict):
        raise InputError(f"The weights {path} cannot be read (it is no safetensors file); give a file that a training "
                         "wrote.")  # fmt: skip
    return found


def style_names(path: Path) -> tuple[str, ...]:
    """The styles that weights were trained for; empty for weights of a method that paints in any style."""
    try:
        names = json.loads(about(path).get("styles", "[]"))
    except ValueError:
        names = None
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise InputError(f"The weights {path} do not tell their styles; train them again.")
    return tuple(names)


def read(path: Path, method: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The config of the network and its tensors in float32.

    Raises InputError where the file cannot be read or is for another method.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "pt") as file:
            meta = file.metadata() or {}
            tensors = {key: file.get_tensor(key).float() for key in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise InputError(f"The weights {path} cannot be read ({error}); give a safetensors file that a training "
                         "wrote.") from error  # fmt: skip
    if meta.get("method") != method:
        raise InputError(f"The weights {path} are for the method '{meta.get('method', 'unknown')}', not for "
                         f"'{method}'; choose that method or other weights.")  # fmt: skip
    try:
        return dict(json.loads(meta["config"])), tensors
    except (KeyError, ValueError, TypeError) as error:
        raise unfit(path, method) from error


def load(make: Callable[..., _Network], path: Path, method: str) -> _Network:
    """The network with the weights of a file, in float32, for evaluation alone. make: called with the file's config.

    Raises InputError where the file cannot be read, is for another method, or is not for this version's network.
    """
    config, tensors = read(path, method)
    try:
        network = make(**config)
        network.load_state_dict(tensors)
    except (RuntimeError, KeyError, ValueError, TypeError) as error:
        raise unfit(path, method) from error
    return network.eval().requires_grad_(False)


def unfit(path: Path, method: str) -> InputError:
    """For weights of another network than this version's."""
    return InputError(f"The weights {path} do not fit this version of '{method}'; train them again or use the version "
                      "of StyleTX that made them.")  # fmt: skip


def write(network: nn.Module, path: Path, method: str, **about: str) -> None:
    """Write a network's weights as they ship, whole or not at all: half precision. It has a ``config``.

    about: more to say in the file, such as styles='["oil"]'.
    """
    from safetensors.torch import save_file

    tensors = {name: t.half().cpu().contiguous() for name, t in network.state_dict().items()}
    meta = {"method": method, "config": json.dumps(network.config), **about}
    with atomic_path(path) as aside:
        save_file(tensors, aside, meta)
        aside.chmod(0o644)  # safetensors writes files for their owner alone

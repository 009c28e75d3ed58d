# SPDX-License-Identifier: GPL-3.0-or-later
"""State of a training on disk: safetensors in parts that are small enough for any mailbox, whole or not at all."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from styletx_core.files import atomic_path

PART = 15 << 20  # bytes of tensors in a part; with its header a part stays below 16 MiB
_NAME = re.compile(r"checkpoint-(\d+)-(\d+)of(\d+)\.safetensors")


class State(dict[str, Tensor]):
    """Tensors by name, and what is said about them."""

    def __init__(self, tensors: dict[str, Tensor], about: dict[str, str]) -> None:
        super().__init__(tensors)
        self.about = about

    def of(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin with ``prefix.``, without it."""
        return {name[len(prefix) + 1 :]: t for name, t in self.items() if name.startswith(f"{prefix}.")}


def write(path: Path, tensors: dict[str, Tensor], about: dict[str, str]) -> None:
    """One file of tensors; ``about`` becomes its metadata."""
    with atomic_path(path) as aside:
        save_file({name: t.contiguous() for name, t in tensors.items()}, aside, metadata=about)
        aside.chmod(0o644)  # safetensors writes files for their owner alone


def read(path: Path, device: torch.device) -> State:
    """A file of `write`."""
    with safe_open(path, "pt", device=str(device)) as file:
        return State({name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata()))  # noqa: SIM118


def save(folder: Path, step: int, state: State) -> None:
    """The state as ``checkpoint-STEP-1of4.safetensors`` ...; only when all are there do the earlier ones go."""
    parts: list[dict[str, Tensor]] = [{}]
    size = 0
    for name, tensor in state.items():
        if size and size + tensor.nbytes > PART:
            parts.append({})
            size = 0
        parts[-1][name] = tensor
        size += tensor.nbytes
    written = [folder / f"checkpoint-{step:07d}-{i}of{len(parts)}.safetensors" for i in range(1, len(parts) + 1)]
    for path, part in zip(written, parts, strict=True):
        write(path, part, state.about)
    for old in folder.glob("checkpoint-*.safetensors"):
        if old not in written:
            old.unlink()


def newest(folder: Path) -> int | None:
    """The step of the newest state that is complete; None where there is none."""
    return max(_whole(folder), default=(None,))[0]


def load(folder: Path, device: torch.device) -> State | None:
    """The newest state that is complete; None where there is none."""
    whole = _whole(folder)
    if not whole:
        return None
    parts = [read(path, device) for path in whole[max(whole)]]
    return State({name: tensor for part in parts for name, tensor in part.items()}, parts[0].about)


def _whole(folder: Path) -> dict[tuple[int, int], list[Path]]:
    """The files of the states that are complete, by step and number of parts."""
    found: dict[tuple[int, int], list[Path]] = {}
    for path in sorted(folder.glob("checkpoint-*.safetensors")):
        if match := _NAME.fullmatch(path.name):
            found.setdefault((int(match[1]), int(match[3])), []).append(path)
    return {key: paths for key, paths in found.items() if len(paths) == key[1]}


def optimizer_tensors(optimizer: torch.optim.Optimizer, names: dict[Tensor, str]) -> dict[str, Tensor]:
    """An optimizer's state by the names of its parameters: ``network.stem.weight momentum`` and so on."""
    return {f"{names[p]} {key}": value for p, state in optimizer.state.items() for key, value in state.items()}


def load_optimizer(optimizer: torch.optim.Optimizer, names: dict[Tensor, str], kept: dict[str, Tensor]) -> None:
    """Put back what `optimizer_tensors` gave."""
    by_name = {names[p]: p for group in optimizer.param_groups for p in group["params"]}
    for name, value in kept.items():
        parameter, key = name.split(" ")
        # Adam counts its steps on the CPU: reading a count on a GPU would wait for the GPU
        optimizer.state[by_name[parameter]][key] = value.cpu() if key == "step" else value

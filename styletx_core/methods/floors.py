# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps flat pictures flat.

Instance normalization brings whatever a picture holds to the style's deviation: of a plain sky it makes a storm of
borders and of the grid that the network works on. So what it divides by is bounded from below, by a share of what a
picture with as much of every scale as photographs have gives. Most photographs stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from ..clouds import clouds
from .adain_reconet_net import Layers, Statistics, run
from .frames import to_tensor

_SIDE = 128  # pixels of that picture
_FIRST = 0.25  # of its deviation at the first layer, which sees the picture's contrast: a dim photograph is brought up
_OTHERS = 0.7  # of that at the others; one photograph in ten has less


def floors(layers: Layers) -> list[Tensor]:
    """The least deviation of each normalized layer, for `run`: tensors of shape (channels,)."""
    found: list[Statistics] = []
    run(_clouds(layers.stem.shift.device), layers, found)
    return [one.std * (_OTHERS if number else _FIRST) for number, one in enumerate(found)]


def statistics(pictures: Tensor, layers: Layers) -> Sequence[Statistics]:
    """Of all pictures, (N, 3, H, W), together, bounded from below."""
    found: list[Statistics] = []
    run(pictures, layers, found, floors(layers))
    return found


@lru_cache(maxsize=4)
def _clouds(device: torch.device) -> Tensor:
    """That picture, (1, 3, _SIDE, _SIDE) in 0..1; the same everywhere."""
    random = np.random.RandomState(3)  # its numbers are promised never to change
    return to_tensor(clouds(_SIDE, _SIDE, random), device)

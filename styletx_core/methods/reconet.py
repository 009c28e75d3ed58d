# SPDX-License-Identifier: GPL-3.0-or-later
"""``reconet``: one network for one style that was trained to be steady (Gao, Gu, Zhang and Mo 2018).

Four residual blocks, features that are held steady along the motion, and a fifth block (the paper's encoder and
decoder). The paper's network has 48, 96 and 192 channels; with 32, 64 and 128 it has half the size and takes half
the time (`training.train_reconet --width 48` trains the paper's).
"""

from typing import Any

from .fixed import FixedStyles

CONFIG: dict[str, Any] = {"width": 32, "blocks": 5, "norm": "response"}


class ReCoNet(FixedStyles):
    """ReCoNet: real-time coherent video style transfer network (Gao et al. 2018)."""

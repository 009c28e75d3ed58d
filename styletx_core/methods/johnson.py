# SPDX-License-Identifier: GPL-3.0-or-later
"""``johnson``: one network for one style (Johnson, Alahi and Fei-Fei 2016), the first that paints in one go."""

from typing import Any

from .fixed import FixedStyles

CONFIG: dict[str, Any] = {
    "width": 24,
    "blocks": 5,
    "norm": "instance",
}  # three quarters of the paper's channels: half the file


class Johnson(FixedStyles):
    """Perceptual losses for real-time style transfer and super-resolution (Johnson et al. 2016)."""

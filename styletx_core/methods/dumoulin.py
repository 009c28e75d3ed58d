# SPDX-License-Identifier: GPL-3.0-or-later
"""``dumoulin``: one network for many styles (Dumoulin, Shlens and Kudlur 2016), which can be mixed.

A style is nothing but the scales and shifts of the normalizations, some thousand numbers; mixed styles are mixed
numbers (section 2.2 and 3.4), and a new style is learned by learning its numbers alone.
"""

from typing import Any

from .fixed import FixedStyles

CONFIG: dict[str, Any] = {"width": 24, "blocks": 5, "norm": "instance"}


class Dumoulin(FixedStyles):
    """A learned representation for artistic style (Dumoulin et al. 2016)."""

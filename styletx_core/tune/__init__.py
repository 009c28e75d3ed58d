# SPDX-License-Identifier: GPL-3.0-or-later
"""Fine-tunes the method ``adain_reconet`` to one shot: steadier there, in the same style (docs/tune.md)."""

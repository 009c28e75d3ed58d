# SPDX-License-Identifier: GPL-3.0-or-later
"""`styletx evaluate`: how good the pictures are, how steady a shot is, and what the steadiness costs.

Every measure is defined in docs/measures.md. Needs VGG-19 (the extra ``training``).
"""

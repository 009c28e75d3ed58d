# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed and memory, measured: `python -m benchmarks`."""

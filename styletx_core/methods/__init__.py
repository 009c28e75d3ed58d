# SPDX-License-Identifier: GPL-3.0-or-later
"""The methods, one file each; `styletx_core.registry` lists them and `styletx_core.load` opens one."""

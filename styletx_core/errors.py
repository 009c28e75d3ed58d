# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors whose message is the sentence the user reads.

Both kinds name the thing that is wrong, say what is wrong with it and what to do; no traceback is shown.
"""


class StyleTXError(Exception):
    """Base of every error StyleTX raises on purpose."""


class InputError(StyleTXError):
    """What the user gave cannot be used (exit code 2 on the command line)."""


class WorkError(StyleTXError):
    """The input was good and the work failed: a full disk, too little memory (exit code 1)."""

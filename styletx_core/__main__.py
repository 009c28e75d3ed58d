# SPDX-License-Identifier: GPL-3.0-or-later
"""`python -m styletx_core` is the command `styletx`."""

import sys

from styletx_core.cli import main

if __name__ == "__main__":
    sys.exit(main())

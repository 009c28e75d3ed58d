# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleTX in Blender: paints rendered animations in the style of any picture, steadily.

The engine is `styletx_core`, which knows nothing of Blender and runs in a process of its own; what is here gathers its
jobs from scenes, shows how they get on and puts their results into the compositor.
"""

from __future__ import annotations

import sys

from . import (
    command,
    image_panel,
    job_ops,
    job_panel,
    jobs,
    library,
    operators,
    options,
    panels,
    preferences,
    presets,
    preview_ops,
    properties,
    region_ops,
    region_panel,
    regions,
    rendering,
    run,
    stale,
    style_ops,
    style_panel,
    worker_client,
)

_MODULES = (
    options,
    regions,
    properties,
    preferences,
    library,
    jobs,
    style_ops,
    region_ops,
    operators,
    preview_ops,
    job_ops,
    presets,
    style_panel,
    panels,
    region_panel,
    job_panel,
    image_panel,
    stale,
    rendering,
    run,
    worker_client,
    command,
)


def register() -> None:
    for module in _MODULES:
        module.register()


def unregister() -> None:
    for module in reversed(_MODULES):
        module.unregister()
    # an update brings a new engine: Python must not go on with the modules of the old one
    for name in [name for name in sys.modules if name.partition(".")[0] == "styletx_core"]:
        del sys.modules[name]

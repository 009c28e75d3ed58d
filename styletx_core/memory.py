# SPDX-License-Identifier: GPL-3.0-or-later
"""How much memory a job takes, said before it begins. Imports neither torch nor a picture library."""

from __future__ import annotations

import math
from typing import NamedTuple

from styletx_core.registry import method_info

GIB = 2**30
# Measured with `python -m benchmarks.memory`, rounded up.
PROCESS = 0.6 * GIB  # Python, PyTorch and the weights
STILL = 64  # bytes a pixel of a single picture: as read, as shown, as painted, and on its way into a file
SHOT = 1000  # ... of a shot: a piece of it, from one anchor to the next, with its motion (see `temporal`)
AHEAD = 24_000_000  # pixels of frames that are read ahead at most, or else one frame
AHEAD_BYTES = 36  # of such a pixel: its color and its motion, in half precision
RESIDENT = 72  # ... of a frame that stays on a graphics card while it is painted, at all sizes; counted, not measured
ENLARGED = 24  # ... of a frame that is enlarged for small strokes, before and after
OWN_SIDE = 540  # of larger frames than this, forms come from one whose shorter side is so long
# What a method's pass over one picture may take. Larger pictures are painted in tiles. It is a constant, not a share
# of the machine's memory, so that a farm's machines cut a picture into the same tiles.
BUDGET = 2 * GIB
SIDES = (4096, 2048, 1024)  # of tiles


class Memory(NamedTuple):
    """Bytes at the peak: of the whole process, and on the graphics card where it paints on one."""

    host: int
    device: int


def estimate(
    width: int,
    height: int,
    method: str = "adain_reconet",
    tile: int = 0,
    device: str = "cpu",
    shot: bool = True,
    size: float = 1.0,
    precision: str = "auto",
) -> Memory:
    """What a job with frames of this size takes at its peak: what was measured, rounded up by a tenth or more.

    tile, precision: as in the job's settings; tile 0 chooses. device: as there; what "auto" finds has to be said.
    shot: more than one frame, with motion; a single picture takes less. size: of the strokes, the smallest there is;
    smaller ones than the method's own are painted on an enlarged frame. Methods with strips of their own (gatys above 4
    megapixels) take less than this says. Raises InputError for an unknown method.
    """
    host = PROCESS + width * height * (SHOT if shot else STILL)
    if shot:
        host += min(12 * width * height, AHEAD) * AHEAD_BYTES
    if not method_info(method).stepwise:
        larger = max(1.0, min(1.0, OWN_SIDE / min(width, height)) / size)
        width, height = round(width * larger), round(height * larger)
        host += width * height * ENLARGED if larger > 1 else 0
    side = tile_side(width, height, method, tile)
    painted = min(width, side) * min(height, side) * method_info(method).memory
    if device.startswith("cpu"):
        return Memory(math.ceil(host + painted), 0)
    card = 0.5 * GIB + (painted if precision == "float32" else painted / 2)  # the driver's own part; half precision
    card += width * height * RESIDENT if side >= max(width, height) else 0
    return Memory(math.ceil(host + GIB), math.ceil(card))


def tile_side(width: int, height: int, method: str = "adain_reconet", tile: int = 0) -> int:
    """The side of the tiles that a picture is painted in; one as long as the picture's own means a single tile.

    tile: the side that was asked for, 0 to choose: a single tile where that fits the budget, else the largest that do.
    """
    info = method_info(method)
    if tile or not info.tiles or width * height * info.memory <= BUDGET:
        return tile or max(width, height)
    return next((side for side in SIDES if side * side * info.memory <= BUDGET), SIDES[-1])

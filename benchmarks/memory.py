# SPDX-License-Identifier: GPL-3.0-or-later
"""Peak memory of `styletx stylize` on one large picture or a shot, against what the estimate said.

python -m benchmarks.memory 8192x8192                  # a still, PNG to PNG, in tiles
python -m benchmarks.memory 1920x1080 --frames 4       # EXR with vectors and depth
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.material import STYLE, write_exr_shot, write_still
from benchmarks.peak import run
from styletx_core.memory import GIB, estimate, tile_side


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("size", help="WIDTHxHEIGHT")
    parser.add_argument("--frames", type=int, default=1, help="more than one: a shot (default: 1)")
    parser.add_argument("--method", default="adain_reconet")
    parser.add_argument("--tile", type=int, default=0, help="(default: chosen)")
    parser.add_argument("--stroke-size", type=float, default=1.0, help="(default: %(default)s)")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    with tempfile.TemporaryDirectory() as directory:
        source = Path(directory) / "source"
        if options.frames > 1:
            write_exr_shot(source, options.frames, width, height)
        else:
            source = write_still(Path(directory) / "still.png", width, height)
        peak, seconds = measure(source, Path(directory) / "out", options.method, options.tile, options.stroke_size)
    said = estimate(width, height, options.method, options.tile, shot=options.frames > 1, size=options.stroke_size).host
    tiles = tile_side(width, height, options.method, options.tile)
    print(f"{options.size}, {options.frames} frame(s), tiles of {tiles}: peak {peak / GIB:.2f} GiB, "
          f"estimate {said / GIB:.2f} GiB, {seconds:.0f} s")  # fmt: skip


def measure(
    source: Path, output: Path, method: str = "adain_reconet", tile: int = 0, size: float = 1.0
) -> tuple[int, float]:
    """Peak memory in bytes and seconds of the command line, start-up included."""
    command = [sys.executable, "-m", "styletx_core", "stylize", str(source), "--style", str(STYLE)]
    command += ["--output", str(output), "--method", method, "--tile", str(tile), "--device", "cpu"]
    command += ["--size", str(size), "--progress", "none"]
    ran = run(command)
    if ran.failed:
        raise SystemExit(f"styletx stylize failed: {ran.failed}")
    return ran.peak, ran.seconds


if __name__ == "__main__":
    main()

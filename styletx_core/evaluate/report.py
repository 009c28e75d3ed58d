# SPDX-License-Identifier: GPL-3.0-or-later
"""What was measured, as tables to read and as plain values for JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from .distances import SIDE
from .shots import ShotEvaluation
from .stills import Stills, Values

STILLS = ("style", "gram", "content", "ssim", "contrast", "seconds", "consistency")
SHOT = ("error", "halo", "style", "gram", "content", "contrast", "ghost")
TO_ALONE = ("sharpness", "style", "content")


def stills_values(stills: Stills) -> dict[str, Any]:
    """For JSON: the mean over all pairs, of the photos themselves, by style and by pair."""
    names = list(dict.fromkeys(style for style, _, _ in stills.pairs))
    by_style = {name: mean(v for style, _, v in stills.pairs if style == name) for name in names}
    pairs = [{"style_picture": style, "photo": photo, **values} for style, photo, values in stills.pairs]
    return {"size": SIDE, "mean": mean(v for _, _, v in stills.pairs), "input": mean(stills.inputs),
            "styles": by_style, "pairs": pairs}  # fmt: skip


def shot_values(shot: ShotEvaluation) -> dict[str, Any]:
    """For JSON: the mean over all styles of each version, and by style."""
    versions = list(next(iter(shot.styles.values())))
    means = {version: mean(of_style[version] for of_style in shot.styles.values()) for version in versions}
    return {"path": str(shot.path), "frames": len(shot.numbers), "mean": means, "input": shot.input,
            "styles": shot.styles}  # fmt: skip


def mean(values: Iterable[Values]) -> Values:
    """The mean of each name over all values that have it; of the seconds the median, for machines do other work too."""
    rows = list(values)
    names = dict.fromkeys(name for row in rows for name in row)
    of = {name: [row[name] for row in rows if name in row] for name in names}
    return {name: float(np.median(v) if name == "seconds" else np.mean(v)) for name, v in of.items()}


def stills_table(found: dict[str, Any]) -> str:
    rows = [*found["styles"].items(), ("mean", found["mean"]), ("the photos themselves", found["input"])]
    shown = [name for name in STILLS if name in found["mean"]]
    head = f"{len(found['pairs'])} pictures at {found['size']} pixels\n"
    return head + table(["style", *(_title(name) for name in shown)],
                        [[name, *(_number(values, key) for key in shown)] for name, values in rows])  # fmt: skip


def shot_table(found: dict[str, Any]) -> str:
    """A row for each style and version. What is compared with the frame alone is given at each compared frame."""
    rows = [*found["styles"].items(), ("mean", found["mean"])]
    every = [values for _, versions in rows for values in versions.values()]
    shown = [name for name in SHOT if any(name in values for values in every)]
    keys = {name: [k for k in dict.fromkeys(k for v in every for k in v)
                   if k.startswith(f"{name}_") and k.endswith("_to_alone")] for name in TO_ALONE}  # fmt: skip
    compared = [name for name in TO_ALONE if keys[name]]
    frames = " / ".join(k.split("_")[1] for k in keys["sharpness"])
    lines = [
        [name, version, *(_number(values, key) for key in shown),
         *(" / ".join(f"{values[k]:.2f}" for k in keys[key] if k in values) or "-" for key in compared)]
        for name, versions in rows for version, values in versions.items()
    ]  # fmt: skip
    lines.append(["the shot itself", "", *(_number(found["input"], key) for key in shown), *("-" for _ in compared)])
    text = f"{found['frames']} frames of {found['path']}\n"
    text += table(["style", "motion", *(_title(name) for name in shown), *(f"{n} to alone" for n in compared)], lines)
    return text + (f"to alone: over that of the frame stylized alone, at frame {frames}\n" if compared else "")


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns of text, the first to the left and numbers to the right."""
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ""
    for line in lines:
        first, *others = (cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        text += "  ".join([first.strip().ljust(widths[0]), *others]).rstrip() + "\n"
    return text


def _number(values: Values, name: str) -> str:
    if name not in values:
        return "-"
    return f"{values[name]:.{3 if name in ('ssim', 'seconds', 'consistency') else 4}f}"


def _title(name: str) -> str:
    return {"ssim": "SSIM", "seconds": "s/frame", "error": "temporal error", "ghost": "ghosting"}.get(name, name)

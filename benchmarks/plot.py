# SPDX-License-Identifier: GPL-3.0-or-later
"""The benchmark's results as a picture: bars of seconds a frame for each size, and the stages of a job."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

WIDTH, LINE, LABEL = 900, 26, 230
INK, COLOR, OWN = (60, 60, 60), (190, 150, 110), (60, 110, 220)  # BGR


def draw(results: dict[str, Any], path: Path) -> None:
    """Write the picture."""
    groups = [(f"{size}: seconds a frame", {name: found["seconds"] for name, found in systems.items()})
              for size, systems in results["networks"].items()]  # fmt: skip
    for size, found in results["end_to_end"].items():
        title = f"{size}, EXR to EXR, {found['frames_a_second']:.2f} frames a second: seconds a frame"
        groups.append((title, found["stages"]))
    page = np.full((sum((len(values) + 2) * LINE for _, values in groups), WIDTH, 3), 255, np.uint8)
    top = 0
    for title, values in groups:
        _text(page, title, 10, top)
        longest = max(values.values())
        for row, (name, value) in enumerate(values.items(), 1):
            y = top + row * LINE
            _text(page, name, 24, y)
            length = max(1, round((WIDTH - LABEL - 100) * value / longest))
            color = OWN if name in ("adain_reconet", "network") else COLOR
            cv2.rectangle(page, (LABEL, y + 5), (LABEL + length, y + LINE - 5), color, -1)
            _text(page, f"{value:.3f}", LABEL + length + 8, y)
        top += (len(values) + 2) * LINE
    if not cv2.imwrite(str(path), page):
        raise SystemExit(f"{path} cannot be written; check the folder.")


def _text(page: np.ndarray, text: str, x: int, y: int) -> None:
    cv2.putText(page, text, (x, y + LINE - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.48, INK, 1, cv2.LINE_AA)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Memory that runs out while painting: smaller tiles, then the processor, then a sentence.

No graphics card is needed: the network on the CPU raises what PyTorch raises at a card's boundary.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from styletx_core import Job, engine, painting
from styletx_core.errors import WorkError
from styletx_core.events import Finished, FrameDone, Notice
from styletx_core.registry import load

FULL = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 3.81 GiB"


class Card:
    """A device that says it is a graphics card, once its memory is full; the tensors are on the CPU."""

    type = "cuda"

    def __str__(self) -> str:
        return "cuda:0"


def limited(
    monkeypatch: pytest.MonkeyPatch, largest: int, card: bool = False, full: Exception | None = None
) -> list[str]:
    """Have painting run out of memory above tiles of `largest` pixels; on a card always. Returns devices asked for."""
    asked: list[str] = []

    def made(name: str, device: str = "auto", *rest: Any, **options: Any) -> Any:
        asked.append(device)
        method: Any = load(name, "cpu", *rest, **options)
        network, steps, cpu = method._run, method.steps, method.device
        on_card = card and device != "cpu"

        def run(*given: Any) -> Any:
            if on_card or (method.tiling.side or 10**6) > largest:
                method.device = Card() if on_card else cpu
                raise full or torch.OutOfMemoryError(FULL)
            return network(*given)

        def begin(*given: Any) -> Any:
            method.device = cpu
            return (yield from steps(*given))

        method._run, method.steps = run, begin
        return method

    monkeypatch.setattr(painting, "load", made)
    return asked


def paint(folder: Path, name: str, **settings: Any) -> tuple[list[Any], np.ndarray]:
    """Two frames of 320x288 in a style; all events, and the second painted frame."""
    rng = np.random.default_rng(1)
    source = folder / "source"
    source.mkdir(exist_ok=True)
    for number in (1, 2):
        picture = cv2.resize(rng.integers(0, 255, (18, 20, 3), np.uint8), (320, 288), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(source / f"f_{number:04d}.png"), picture)
    style = Path(engine.__file__).parent / "assets" / "styles" / "ink.png"
    job = Job.from_dict(
        {
            "input": {"path": str(source)}, "styles": [{"path": str(style)}], "settings": settings, "motion": "none",
            "output": {"directory": str(folder / name), "overwrite": True},
        }
    )  # fmt: skip
    events = list(engine.run(job))
    return events, cv2.imread(str(folder / name / "f_0002.png"))


def notices(events: list[Any]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


def from_opencv() -> SystemError:
    """What is raised where OpenCV lacks the memory for a picture and says so too late."""
    error = SystemError("<built-in function copyMakeBorder> returned a result with an exception set")
    error.__cause__ = MemoryError()
    return error


@pytest.mark.parametrize(
    "full", [torch.OutOfMemoryError(FULL), RuntimeError("could not create a primitive"), from_opencv()]
)
def test_tiles_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, full: Exception) -> None:
    """full: what was seen where memory was short."""
    _, whole = paint(tmp_path, "whole")
    asked = limited(monkeypatch, 256, full=full)
    events, tiled = paint(tmp_path, "tiled")
    assert notices(events) == ["The memory of cpu was full: painting goes on in tiles of 256 pixels."], "once only"
    assert len([event for event in events if isinstance(event, FrameDone)]) == 2
    assert np.abs(whole.astype(int) - tiled).max() <= 1
    assert asked == ["auto"], "the network is the same"


def test_then_the_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, plain = paint(tmp_path, "plain")
    asked = limited(monkeypatch, 10**6, card=True)
    events, painted = paint(tmp_path, "card", device="cuda")
    assert notices(events) == [
        "The memory of cuda:0 was full: painting goes on in tiles of 256 pixels.",
        "The memory of cuda:0 is too small: painting goes on, slower, on the processor.",
    ]
    assert asked == ["cuda", "cpu"] and isinstance(events[-1], Finished)
    assert np.abs(plain.astype(int) - painted).max() <= 1


def test_then_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limited(monkeypatch, 0)
    with pytest.raises(WorkError, match="memory of cpu is full while stylizing frame 1.*kept") as told:
        paint(tmp_path, "none")
    assert "\n" not in str(told.value)


def test_other_errors_are_not_taken_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*given: Any, **options: Any) -> Any:
        method: Any = load(*given, **options)

        def run(*_: Any) -> np.ndarray:
            raise RuntimeError("expected all tensors on one device")

        method._run = run
        return method

    monkeypatch.setattr(painting, "load", broken)
    with pytest.raises(WorkError, match="one device"):
        paint(tmp_path, "broken")

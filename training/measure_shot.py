# SPDX-License-Identifier: GPL-3.0-or-later
"""Measure how steady a method is on a rendered shot, and what the steadiness costs.

    python -m training.measure_shot SHOT --style PICTURE [--style ...] [--light SHOT] [--json FILE] [--sheet FILE]

Every frame is stylized alone and with the temporal stage, both through `styletx_core.run`, and compared:
temporal error (along the shot's motion), sharpness, style and content distance against the frame alone at frames 10,
20 and 100 where the shot has them; on a --light shot (static camera, a light that moves and stops) the ghosting three
frames after the light stops. Definitions: docs/measures.md.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import cv2
import numpy as np

import styletx_core
from styletx_core.color import ViewTransform, to_picture
from styletx_core.events import FrameDone
from styletx_core.job import Input, Job, Output, Settings, Style, ViewSettings
from styletx_core.motion import make_motion
from styletx_core.perceptual.pictures import read_picture
from styletx_core.perceptual.vgg import VGG19
from styletx_core.shot import open_shot
from styletx_core.temporal import temporal_error
from training.measure_stills import measure

FRAMES = (10, 20, 100)  # counted from the shot's first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shot", type=Path)
    parser.add_argument("--style", type=Path, action="append", required=True)
    parser.add_argument("--light", type=Path, help="shot with a static camera whose light stops")
    parser.add_argument("--light-stops", type=int, default=30, help="frame number at which it stops")
    parser.add_argument("--method", default="adain_reconet")
    parser.add_argument("--weights", type=str)
    parser.add_argument("--motion", default="vectors")
    parser.add_argument("--frames", type=int, default=None, help="measure only so many frames")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--sheet", type=Path, help="picture to compare by eye: input, alone, steady at FRAMES")
    args = parser.parse_args()
    vgg = VGG19("relu5_1")
    rows: list[dict[str, float | str]] = []
    sheet: list[np.ndarray] = []
    with tempfile.TemporaryDirectory() as temporary:
        for style in args.style:
            row: dict[str, float | str] = {"style_picture": style.stem}
            row |= _measure(args, args.shot, style, vgg, Path(temporary), sheet)
            if args.light:
                row["ghost"] = _ghost(args, style, Path(temporary))
            rows.append(row)
            print(_line(row), flush=True)
    keys = [k for k in rows[0] if k != "style_picture"]
    mean: dict[str, float | str] = {"style_picture": "MEAN"}
    mean |= {k: float(np.mean([float(r[k]) for r in rows])) for k in keys}
    print(_line(mean))
    if args.json:
        args.json.write_text(json.dumps([*rows, mean], indent=1))
    if args.sheet:
        cv2.imwrite(str(args.sheet), cv2.cvtColor((np.vstack(sheet) * 255 + 0.5).astype(np.uint8), cv2.COLOR_RGB2BGR))


def _line(row: dict[str, float | str]) -> str:
    return "  ".join(f"{k} {v:.4f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items())


def _job(args: argparse.Namespace, shot: Path, style: Path, motion: str, out: Path) -> Job:
    with open_shot(shot) as opened:
        numbers = opened.numbers
    last = numbers[min(len(numbers), args.frames or len(numbers)) - 1]
    return Job(
        input=Input(path=str(shot), frames=(numbers[0], last)), motion=motion, styles=(Style(str(style)),),
        settings=Settings(method=args.method, weights=args.weights),
        output=Output(directory=str(out), format="png16", overwrite=True),
    )  # fmt: skip


def _run(job: Job) -> dict[int, Path]:
    """Run a job; returns the file of each frame."""
    return {event.frame: Path(event.path) for event in styletx_core.run(job) if isinstance(event, FrameDone)}


def _read(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    return cv2.cvtColor(picture[..., :3], cv2.COLOR_BGR2RGB).astype(np.float32) / 65535


def _measure(args, shot: Path, style: Path, vgg: VGG19, temporary: Path, sheet: list) -> dict[str, float]:  # type: ignore[no-untyped-def]
    alone = _run(_job(args, shot, style, "none", temporary / f"{style.stem}_alone"))
    steady = _run(_job(args, shot, style, args.motion, temporary / f"{style.stem}_steady"))
    found: dict[str, list[float]] = {"alone": [], "steady": [], "input": []}
    with open_shot(shot) as opened:
        motion, transform = make_motion(opened, "vectors"), ViewTransform(ViewSettings())
        previous = None
        for number in steady:
            frame = opened.read(number)
            picture = to_picture(frame, opened.encoding, transform)
            pictures = {"alone": _read(alone[number]), "steady": _read(steady[number]), "input": picture}
            if previous is not None:
                between = motion.between(previous[0], frame, previous[1]["input"], picture)
                if between is not None:
                    for kind, values in found.items():
                        error = temporal_error(pictures[kind], previous[1][kind], between)
                        if error is not None:
                            values.append(error)
            previous = frame, pictures
        numbers = list(steady)
        result = {f"error_{kind}": _rms(values) for kind, values in found.items()}
        result["ratio"] = result["error_steady"] / result["error_alone"]
        style_picture = read_picture(style, 512).astype(np.float32) / 255
        for count in FRAMES:
            if count > len(numbers):
                continue
            number = numbers[count - 1]
            inp = to_picture(opened.read(number), opened.encoding, transform)
            a, s = _read(alone[number]), _read(steady[number])
            result[f"sharpness_{count}"] = _sharpness(s) / _sharpness(a)
            of_alone, of_steady = (measure(p, inp, style_picture, vgg) for p in (a, s))
            for name in ("style", "content"):
                result[f"{name}_{count}"] = of_steady[name] / of_alone[name]
            sheet.append(np.hstack([inp, a, s]))
    return result


def _ghost(args: argparse.Namespace, style: Path, temporary: Path) -> float:
    """Mean absolute difference to the frame stylized alone, three frames after the light stops."""
    alone = _run(_job(args, args.light, style, "none", temporary / f"{style.stem}_light_alone"))
    steady = _run(_job(args, args.light, style, args.motion, temporary / f"{style.stem}_light_steady"))
    number = args.light_stops + 3
    return float(np.abs(_read(steady[number]) - _read(alone[number])).mean())


def _sharpness(picture: np.ndarray) -> float:
    return float(cv2.Laplacian(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), cv2.CV_32F).var())


def _rms(values: list[float]) -> float:
    return float(np.sqrt(np.mean(np.square(values))))


if __name__ == "__main__":
    main()

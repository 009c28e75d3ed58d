# SPDX-License-Identifier: GPL-3.0-or-later
"""A shot in one style, frame by frame and with motion: how steady each version is, and what it costs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..color import ViewTransform, to_picture
from ..engine import run
from ..errors import InputError
from ..events import FrameDone
from ..job import Input, Job, Output, Settings, Style, ViewSettings
from ..motion import make_motion
from ..registry import method_info
from ..shot import Frame, Shot, open_shot
from ..spread import spread
from ..temporal import temporal_error
from . import halo
from .distances import Eye, Seen, contrast, distances, read_still, sharpness
from .sheet import thumbnail

# counted from the shot's first: where pictures are compared; without any of them, the last. 55 is as far from anchors
# as a frame can be (`temporal.EVERY`)
FRAMES = (10, 20, 55, 100)
HALO_FRAMES = 8  # evenly spread over the shot
AFTER = 3  # frames after the light stops

Values = dict[str, float]
Say = Callable[[str], None]


class ShotPictures:
    """Pictures of a shot as a network sees them, by the frames' numbers."""

    def __init__(self, shot: Shot) -> None:
        self.shot = shot
        self.transform = ViewTransform(ViewSettings(), environment=shot.encoding == "linear")

    def __getitem__(self, number: int) -> np.ndarray:
        return self.of(self.shot.read(number))

    def of(self, frame: Frame) -> np.ndarray:
        return to_picture(frame, self.shot.encoding, self.transform)


@dataclass
class Light:
    """A shot with a static camera and a light that stops at frame ``stops``."""

    path: Path
    stops: int


@dataclass
class ShotEvaluation:
    """One shot, measured style after style: `styles` has the values of each version (alone, vectors, flow, results)."""

    path: Path
    frames: tuple[int, int] | None
    eye: Eye
    say: Say
    styles: dict[str, dict[str, Values]] = field(default_factory=dict)
    input: Values = field(default_factory=dict)  # of the shot itself, without its style distance
    rows: list[list[np.ndarray]] = field(default_factory=list)  # of the sheet: style, input, versions

    def __post_init__(self) -> None:
        with self.open() as shot:
            if len(shot.numbers) < 2:
                raise InputError(f"{self.path} is one frame, which has no temporal error; give a shot.")
            self.numbers = shot.numbers
            self.say(f"Looking at {len(self.numbers)} frames of {self.path}")
            self.cells = {number: halo.find_cells(shot.read(number)) for number in spread(self.numbers, HALO_FRAMES)}
            self.compared = [self.numbers[c - 1] for c in FRAMES if c <= len(self.numbers)] or [self.numbers[-1]]
            self.seen = {number: self.eye.see(ShotPictures(shot)[number]) for number in self.compared}
            self.has_vectors = make_motion(shot).kind == "vectors"

    def open(self) -> Shot:
        return open_shot(self.path, self.frames)

    def measure(self, style: Path, versions: dict[str, Shot]) -> None:
        """Measure versions of the shot; where "alone" is one of them the others are compared with it too."""
        with self.open() as shot:
            for results in versions.values():
                _check(results, shot)
            inputs = ShotPictures(shot)
            pictures = {version: ShotPictures(results) for version, results in versions.items()}
            values = self._errors(inputs, pictures)
            self.input = {**values.pop("input"), "contrast": _mean(contrast(inputs[n]) for n in self.compared)}
            picture = read_still(style)
            wanted = self.eye.see(picture)
            for version in versions:
                values[version] |= self._halo(inputs, pictures[version])
                values[version] |= self._pictures(pictures[version], wanted)
            if "alone" in versions:
                for version in versions.keys() - {"alone"}:
                    self._compare(values[version], values["alone"])
            self.styles[style.stem] = values
            for number in self.compared:
                shown = [picture, inputs[number], *(p[number] for p in pictures.values())]
                self.rows.append([thumbnail(p) for p in shown])

    def _errors(self, inputs: ShotPictures, pictures: dict[str, ShotPictures]) -> dict[str, Values]:
        """The temporal error of "input" and of each version along the shot's own motion: RMS over pairs of frames."""
        motion = make_motion(inputs.shot)
        errors: dict[str, list[float]] = {version: [] for version in ("input", *pictures)}
        before = None
        for number in self.numbers:
            frame = inputs.shot.read(number)
            now = frame, {"input": inputs.of(frame), **{v: shown[number] for v, shown in pictures.items()}}
            if before is not None:
                between = motion.between(before[0], now[0], before[1]["input"], now[1]["input"])
                if between is not None and between.seen.any():
                    for version, picture in now[1].items():
                        errors[version].append(temporal_error(picture, before[1][version], between) or 0.0)
            before = now
        if not errors["input"]:
            raise InputError(f"No surface of {self.path} is seen in two frames in a row; give a shot without cuts.")
        return {version: {"error": float(np.sqrt(np.mean(np.square(v))))} for version, v in errors.items()}

    def _halo(self, inputs: ShotPictures, results: ShotPictures) -> Values:
        found = [halo.halo(results[n], inputs[n], cells) for n, cells in self.cells.items() if cells]
        return {"halo": float(np.concatenate(found).mean())} if found else {}

    def _pictures(self, results: ShotPictures, style: Seen) -> Values:
        """The means of the compared frames, and the single ones by names such as style_20."""
        values: Values = {}
        for number in self.compared:
            picture = results[number]
            single = distances(self.eye.see(picture), self.seen[number], style)
            single |= {"sharpness": sharpness(picture), "contrast": contrast(picture)}
            values |= {f"{name}_{self._count(number)}": value for name, value in single.items()}
        for name in ("style", "gram", "content", "sharpness", "contrast"):
            values[name] = _mean(values[f"{name}_{self._count(n)}"] for n in self.compared)
        return values

    def _compare(self, steady: Values, alone: Values) -> None:
        """Sharpness, style and content distance over those of the same frame stylized alone."""
        for name in ("sharpness", "style", "content"):
            for number in self.compared:
                key = f"{name}_{self._count(number)}"
                steady[f"{key}_to_alone"] = steady[key] / max(alone[key], 1e-9)

    def _count(self, number: int) -> int:
        return self.numbers.index(number) + 1


def evaluate_method(shots: ShotEvaluation, settings: Settings, style: Path, motions: list[str], light: Light | None) \
        -> None:  # fmt: skip
    """Stylize the shot frame by frame and with each of ``motions`` (vectors, flow), and measure."""
    with tempfile.TemporaryDirectory() as directory, ExitStack() as stack:
        versions = {}
        for version in ("alone", *motions):
            shots.say(f"{style.stem}: stylizing the shot {_how(version)}")
            made = _stylize(shots.path, shots.frames, settings, style, version, Path(directory) / version)
            versions[version] = stack.enter_context(made)
        shots.say(f"{style.stem}: measuring")
        shots.measure(style, versions)
    if light is not None:
        for version, value in _ghosts(light, settings, style, motions, shots.say).items():
            shots.styles[style.stem][version]["ghost"] = value


def evaluate_results(shots: ShotEvaluation, folder: Path, style: Path) -> None:
    """Measure frames that are there already: FOLDER/STYLE/SHOT, named by the stem of the style and of the shot."""
    name = shots.path.stem if shots.path.is_file() else shots.path.name
    frames = folder / style.stem / name
    if not frames.is_dir():
        raise InputError(f"There is no folder {frames}; results of a shot lie in STYLE/SHOT, named as the style "
                         "picture and the shot are.")  # fmt: skip
    shots.say(f"{style.stem}: measuring")
    with open_shot(frames, shots.frames) as results:
        shots.measure(style, {"results": results})


def _ghosts(light: Light, settings: Settings, style: Path, motions: list[str], say: Say) -> Values:
    """By motion: mean absolute difference to the frame stylized alone, AFTER frames after the light stops."""
    number = light.stops + AFTER
    with open_shot(light.path) as shot:
        if number not in shot.numbers:
            raise InputError(f"{light.path} has no frame {number}, {AFTER} after the light stops at {light.stops}; "
                             "give the right frame with --light-stops.")  # fmt: skip
        motions = [m for m in motions if m != "vectors" or make_motion(shot).kind == "vectors"]
    found = {}
    with tempfile.TemporaryDirectory() as directory:
        for version in ("alone", *motions):
            say(f"{style.stem}: stylizing the moving light {_how(version)}")
            with _stylize(light.path, None, settings, style, version, Path(directory) / version) as made:
                picture = ShotPictures(made)[number]
            if version == "alone":
                alone = picture
            else:
                found[version] = float(np.abs(picture - alone).mean(dtype=np.float64))
    return found


@contextmanager
def _stylize(path: Path, frames: tuple[int, int] | None, settings: Settings, style: Path, version: str, out: Path) \
        -> Iterator[Shot]:  # fmt: skip
    # the picture of a style that was trained for bears its name
    name = style.stem if method_info(settings.method).styles == "fixed" else str(style)
    job = Job(
        input=Input(str(path), frames), styles=(Style(name),), settings=settings,
        motion="none" if version == "alone" else version, output=Output(str(out), "png16"),
    )  # fmt: skip
    last = None
    for event in run(job):
        if isinstance(event, FrameDone):
            last = event
    if last is None:
        raise InputError(f"{path} has no frames to stylize; check the path.")
    with open_shot(out) as made:
        yield made


def _check(results: Shot, shot: Shot) -> None:
    missing = [number for number in shot.numbers if number not in results.numbers]
    if missing:
        raise InputError(f"{results.path} lacks frame {missing[0]} of the shot; results keep its frames' numbers.")
    if (results.width, results.height) != (shot.width, shot.height):
        raise InputError(f"{results.path} is {results.width}x{results.height}, but the shot is "
                         f"{shot.width}x{shot.height}; results keep its size.")  # fmt: skip


def _how(version: str) -> str:
    return {"alone": "frame by frame", "vectors": "with its vectors", "flow": "with optical flow"}[version]


def _mean(values: Iterator[float]) -> float:
    return float(np.mean(list(values)))

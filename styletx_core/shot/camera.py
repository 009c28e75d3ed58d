# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera's way through a shot, as the add-on writes it beside the frames in `shot.json`."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..job import ViewSettings

CAMERA_TYPES = ("PERSP", "ORTHO", "PANO")


@dataclass(frozen=True, eq=False)
class Pose:
    """A camera at one frame: its name, type and two 4x4 float64 matrices for column vectors.

    world: camera space to world space. projection: camera space to clip space at the render's resolution.
    """

    camera: str
    type: str
    world: np.ndarray
    projection: np.ndarray


@dataclass(frozen=True, eq=False)
class CameraTrack:
    """Poses by frame number and what of the render's settings bears on motion."""

    path: Path
    resolution: tuple[int, int]
    frame_step: int
    time_remap: tuple[int, int]
    fps: float
    motion_blur: bool
    border: bool
    poses: dict[int, Pose]
    view: ViewSettings | None

    def pose(self, number: int) -> Pose | None:
        """The camera at this frame, None where the file does not know it."""
        return self.poses.get(number)

    @classmethod
    def load(cls, path: str | Path) -> CameraTrack:
        """Read a shot.json; raises InputError where it is missing or not one."""
        path = Path(path)
        try:
            data = json.loads(path.read_text("utf-8"))
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}); check the path.") from error
        except ValueError as error:
            raise InputError(f"{path} is not valid JSON; let the add-on write it again.") from error
        try:
            if data["version"] != 1:
                raise InputError(f"{path} is of version {data['version']}, this StyleTX knows version 1; "
                                 "update StyleTX.")
            view = data.get("view")
            track = cls(
                path=path,
                resolution=_pair(data["resolution"]),
                frame_step=int(data.get("frame_step", 1)),
                time_remap=_pair(data.get("time_remap", (100, 100))),
                fps=float(data.get("fps", 24.0)),
                motion_blur=bool(data.get("motion_blur", False)),
                border=bool(data.get("border", False)),
                poses={int(number): _pose(entry) for number, entry in data["frames"].items()},
                view=_view(view) if view else None,
            )
            if track.frame_step < 1 or min(track.resolution) < 1 or not track.fps > 0:
                raise ValueError("frame_step, resolution and fps must be above zero")
            return track
        except KeyError as error:
            raise InputError(f"{path} has no entry {error}; let the add-on write it again.") from error
        except (TypeError, ValueError, AttributeError, OverflowError) as error:
            raise InputError(f"{path} has a value of the wrong kind ({error}); "
                             "let the add-on write it again.") from error


def _view(entry: dict) -> ViewSettings:
    return ViewSettings(display=str(entry["display"]), view=str(entry["view"]), look=str(entry["look"]),
                        exposure=float(entry["exposure"]), gamma=float(entry["gamma"]))


def _pair(values: list[int]) -> tuple[int, int]:
    first, second = values
    return int(first), int(second)


def _pose(entry: dict) -> Pose:
    if entry["type"] not in CAMERA_TYPES:
        raise ValueError(f"camera type {entry['type']!r}")
    return Pose(str(entry["camera"]), entry["type"], _matrix(entry["world"]), _matrix(entry["projection"]))


def _matrix(values: list[float]) -> np.ndarray:
    matrix = np.array(values, np.float64)
    if matrix.size != 16 or not math.isfinite(matrix.sum()):
        raise ValueError("a matrix is not 16 finite numbers")
    return matrix.reshape(4, 4)

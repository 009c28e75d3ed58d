# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a shot: a picture, numbered frames or a movie, with the passes rendered beside the color."""

from pathlib import Path

from ..errors import InputError
from .camera import CameraTrack, Pose
from .frame import BitDepth, Encoding, Frame, Shot
from .movie import MovieShot
from .sequence import MOVIE_SUFFIXES, SUFFIXES, open_sequence, unsupported

__all__ = ["BitDepth", "CameraTrack", "Encoding", "Frame", "Pose", "Shot", "open_shot"]


def open_shot(path: str | Path, frames: tuple[int, int] | None = None, layer: str | None = None,
              camera: str | Path | None = None) -> Shot:
    """Open a shot for reading.

    path: one picture, a directory of frames, a pattern (`name.####.exr`, `name_%04d.png`, `name.*.exr`),
    or a movie. frames: first and last frame to use. layer: the view layer of an OpenEXR MultiLayer file.
    camera: a shot.json; one that lies beside the frames is found by itself.

    Raises InputError, before any pixel of a sequence but the first frame's is read, for gaps, several
    sequences, frames of another size, missing layers or passes, and files cut short or of another kind.
    """
    path = Path(path)
    if path.is_file():
        suffix = path.suffix.lower()
        if suffix in MOVIE_SUFFIXES:
            if layer is not None:
                raise InputError(f"{path} is a movie and has no view layers; leave the layer out.")
            return MovieShot(path, frames, CameraTrack.load(camera) if camera else None)
        if suffix not in SUFFIXES:
            raise unsupported(path)
    return open_sequence(path, frames, layer, Path(camera) if camera else None)

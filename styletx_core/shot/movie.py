# SPDX-License-Identifier: GPL-3.0-or-later
"""Shots that are movies, decoded by FFmpeg through PyAV. Frames count from 1 in the order they are shown."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Colorspace, Interpolation

from ..errors import InputError
from .camera import CameraTrack
from .frame import Frame, Shot, select_numbers

# Video without a color matrix in its header is BT.709 from this height up, else BT.601, as players have it.
HD_HEIGHT = 720
FORWARD = 24  # frames that are rather decoded and dropped than sought over
# Not the file's fault: no memory, or no room for a thread. (Some decoders call the data invalid instead.)
_NO_MEMORY = (av.error.MemoryError, av.error.BlockingIOError)
CONVERSION = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND


class MovieShot(Shot):
    """A movie. Its packets are listed once when it is opened: that tells every frame's time undecoded."""

    def __init__(self, path: Path, frames: tuple[int, int] | None, camera: CameraTrack | None) -> None:
        super().__init__()
        self.path, self.stem, self.digits, self.camera = path, path.stem + "_", 4, camera
        self._decoder: Iterator[av.VideoFrame] | None = None
        self._next = 0  # index of the frame the decoder gives next
        try:
            # "file:" keeps FFmpeg from taking what stands before a colon in the name for a protocol.
            self._container = av.open(f"file:{path}")
        except _NO_MEMORY:
            raise
        except (av.error.FFmpegError, OSError) as error:
            raise InputError(f"{path} cannot be opened as a movie (it is damaged, cut short or of a kind "
                             "FFmpeg does not know); export it again.") from error
        try:
            self._open(frames)
        except BaseException:
            self.close()
            raise

    def _open(self, frames: tuple[int, int] | None) -> None:
        path = self.path
        if not self._container.streams.video:
            raise InputError(f"{path} has no video in it; give a movie with pictures.")
        self._stream = self._container.streams.video[0]
        self._stream.thread_type = "AUTO"
        try:
            whole = self._list_packets()
            first = self._decode(0) if self._count else None
        except _NO_MEMORY:
            raise
        except (av.error.FFmpegError, StopIteration) as error:
            raise InputError(f"{path} cannot be decoded; export it again, as H.264 for instance.") from error
        if first is None or not whole:
            raise InputError(f"{path} is cut short; export it again.")
        self.numbers = select_numbers(path, list(range(1, self._count + 1)), frames)
        if frames is not None and (self.numbers[0], self.numbers[-1]) != tuple(frames):
            raise InputError(f"{path} has frames 1-{self._count} only, not {frames[0]}-{frames[1]}; "
                             "choose a range within.")
        self.fps = self._stream.average_rate or self._stream.guessed_rate
        lengths = [after - before for before, after in zip(self._times, self._times[1:], strict=False)]
        if lengths and max(lengths) > 1.5 * min(lengths) + 1:  # Matroska rounds times to milliseconds
            self.notices.append(f"{path} has frames of varying length; results are played at {float(self.fps or 0):g} "
                                "frames a second throughout.")
        self.encoding = "display"
        self.bit_depth = "16" if max(component.bits for component in first.format.components) > 8 else "8"
        self.has_alpha = any(component.is_alpha for component in first.format.components)
        self.height, self.width = _pixels(first)[0].shape[:2]
        self._check_size()

    def file(self, number: int) -> Path:
        self._check_number(number)
        return self.path

    def read(self, number: int) -> Frame:
        """Read the frame; the next number is decoded at once, others are sought from the keyframe before."""
        self._check_number(number)
        try:
            frame = self._decode(number - 1)
        except _NO_MEMORY:
            raise
        except (av.error.FFmpegError, StopIteration) as error:
            raise InputError(f"{self.path} is damaged at frame {number}; export it again or choose a range "
                             "without it.") from error
        rgb, alpha = _pixels(frame)
        if rgb.shape[:2] != (self.height, self.width):
            raise InputError(f"{self.path} changes its size at frame {number}; export it at one size.")
        return Frame(number, rgb, alpha)

    def close(self) -> None:
        self._decoder = None
        self._container.close()

    def _list_packets(self) -> bool:
        """List all frames' times in the order shown, and the keyframes'; say whether the file seems whole.

        Both lists stay empty where frames have no times of their own (some AVI): such a movie is only decoded
        from its beginning.
        """
        times: list[int | None] = []
        keys: list[int] = []
        whole = True
        for packet in self._container.demux(self._stream):
            if packet.size == 0 or packet.is_discard:
                continue
            whole = whole and not packet.is_corrupt
            times.append(packet.pts)
            if packet.is_keyframe and packet.pts is not None:
                keys.append(packet.pts)
        self._count = len(times)
        known = sorted({time for time in times if time is not None})
        self._times, self._keys = (known, sorted(keys)) if len(known) == len(times) else ([], [])
        return whole and self._count >= self._stream.frames and _matroska_whole(self.path)

    def _decode(self, index: int) -> av.VideoFrame:
        """The frame of this index. Raises StopIteration where the movie ends before it."""
        ahead = index - self._next
        if self._decoder is None or ahead < 0 or (ahead > FORWARD and self._keyframe(index) > self._next):
            self._seek(self._times[index] if self._keys else None)
        assert self._decoder is not None
        while True:
            frame = next(self._decoder)
            position = self._next
            if self._times and frame.pts is not None:
                position = bisect.bisect_left(self._times, frame.pts)
            self._next = position + 1
            if position == index:
                return frame
            if position > index:  # sought too far (open GOP, wrong index in the file): from the beginning
                if self._from_start:
                    raise StopIteration
                self._seek(None)

    def _keyframe(self, index: int) -> int:
        """Index of the last keyframe at or before this one."""
        if not self._keys:
            return 0
        key = bisect.bisect_right(self._keys, self._times[index]) - 1
        return bisect.bisect_left(self._times, self._keys[max(key, 0)])

    def _seek(self, time: int | None) -> None:
        if time is None:
            self._container.close()
            self._container = av.open(f"file:{self.path}")
            self._stream = self._container.streams.video[0]
            self._stream.thread_type = "AUTO"
        else:
            self._container.seek(time, stream=self._stream, backward=True)
        self._from_start = time is None
        self._decoder = self._container.decode(self._stream)
        self._next = 0


def _matroska_whole(path: Path) -> bool:
    """Whether a Matroska file is as long as it says; true for other files, whose frames are counted."""
    with path.open("rb") as file:
        start = file.read(4096)
        length = file.seek(0, 2)
    segment = start.find(b"\x18\x53\x80\x67") + 4  # after the short EBML header
    if not start.startswith(b"\x1a\x45\xdf\xa3") or segment < 4 or segment >= len(start):
        return True
    width = 9 - start[segment].bit_length()  # leading zeros tell the bytes of the size
    size = int.from_bytes(start[segment:segment + width], "big") & ((1 << 7 * width) - 1)
    unknown = (1 << 7 * width) - 1  # of a live recording
    return size == unknown or segment + width + size <= length


def _pixels(frame: av.VideoFrame) -> tuple[np.ndarray, np.ndarray | None]:
    """Straight rgb HxWx3 and alpha HxW (None where there is none), float32 0..1, turned upright."""
    components = frame.format.components
    alpha = any(component.is_alpha for component in components)
    deep = max(component.bits for component in components) > 8
    name = ("rgba64le" if alpha else "rgb48le") if deep else ("rgba" if alpha else "rgb24")
    matrix = None  # FFmpeg takes the range, and a matrix that is given, from the frame itself
    if frame.colorspace in (0, 2, 3):  # none given
        matrix = Colorspace.ITU709 if frame.height >= HD_HEIGHT else Colorspace.ITU601
    turned = frame.reformat(format=name, src_colorspace=matrix, interpolation=CONVERSION)
    pixels = np.rot90(turned.to_ndarray(), frame.rotation // 90 % 4)
    values = pixels.astype(np.float32) * np.float32(1 / (65535 if deep else 255))
    rgb = np.ascontiguousarray(values[..., :3])
    return rgb, np.ascontiguousarray(values[..., 3]) if alpha else None

# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing results: numbered pictures, each of which appears whole, and the movie made of them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import OpenEXR
from av.video.reformatter import ColorRange, Colorspace, Interpolation

from .color import ViewTransform, to_picture
from .errors import InputError, WorkError
from .files import atomic_path
from .halves import half
from .job import ViewSettings
from .shot import Encoding, open_shot

MOVIE_SUFFIXES = (".mp4", ".mov", ".mkv")
QUALITY = "16"  # x264's constant rate factor: hard to tell from the frames
REC709 = (0.64, 0.33, 0.30, 0.60, 0.15, 0.06, 0.3127, 0.3290)
TIFF_ALPHA_STRAIGHT = 2
BAND = 256  # rows


class FrameWriter:
    """Writes frames `<stem><number>.<suffix>` into a directory; with digits 0 the one frame `<stem>.<suffix>`.

    format: png8, png16, tiff16 take straight display color, exr_half, exr_float premultiplied scene-linear
    Rec.709: what is wanted is in `encoding`.
    """

    def __init__(self, directory: str | Path, stem: str, digits: int, format: str,
                 fps: Fraction | float | None = None) -> None:
        self.directory, self.stem, self.digits, self.fps = Path(directory), stem, digits, fps
        self.suffix, self._save = _SAVERS[format]
        self.encoding: Encoding = "linear" if self.suffix == ".exr" else "display"

    def path(self, number: int) -> Path:
        """The file of this frame."""
        digits = f"{number:0{self.digits}d}" if self.digits else ""
        return self.directory / f"{self.stem}{digits}{self.suffix}"

    def write(self, number: int, rgb: np.ndarray, alpha: np.ndarray | None = None) -> Path:
        """Write rgb HxWx3 float32 with alpha HxW or none; raises WorkError where the disk does not take it."""
        pixels = rgb if alpha is None else np.dstack([rgb, alpha])
        path = self.path(number)
        with atomic_path(path) as aside:
            try:
                self._save(aside, np.ascontiguousarray(pixels, np.float32), self.fps)
            except RuntimeError as error:  # OpenEXR's and OpenCV's word for a file that cannot be written
                raise WorkError(f"{path} cannot be written; check folder and free space.") from error
        return path


def write_preview(path: str | Path, picture: np.ndarray) -> Path:
    """Write a display-referred picture, HxWx3 float32 in 0..1, as the 8-bit PNG or JPEG that the name says.

    Raises WorkError where it cannot be written.
    """
    with atomic_path(path) as aside:
        if not cv2.imwrite(str(aside), np.round(picture[..., ::-1] * 255).clip(0, 255).astype(np.uint8)):
            raise WorkError(f"{path} cannot be written; check folder and free space.")
    return Path(path)


def encode_movie(frame_paths: Sequence[str | Path], path: str | Path, fps: Fraction | float,
                 audio_from: str | Path | None = None, audio_start: float = 0.0,
                 transform: ViewTransform | None = None) -> Path:
    """Encode pictures of one size as H.264 (BT.709, limited range) in mp4, mov or mkv, by the name of `path`.

    An odd width or height gets a row or column more, a copy of the last, as the format wants even ones.
    Transparent pixels are shown on black. audio_from: a movie whose sound is laid under it from `audio_start`
    seconds on, as AAC; one without sound is no error. transform: the view for OpenEXR frames, plain sRGB
    without.

    Raises InputError for a type that cannot be written or frames that cannot be read, WorkError where writing
    fails.
    """
    path = Path(path)
    if path.suffix.lower() not in MOVIE_SUFFIXES:
        raise InputError(f"{path} is no type of movie StyleTX writes; name it .mp4, .mov or .mkv.")
    if not frame_paths:
        raise InputError(f"There are no frames to make {path} of; stylize some first.")
    rate = _rate(fps)
    try:
        sound = av.open(f"file:{audio_from}") if audio_from is not None else nullcontext()
    except av.error.FFmpegError as error:
        raise InputError(f"{audio_from} cannot be opened for its sound; give a movie or no sound.") from error
    with sound as source, atomic_path(path) as aside:
        try:
            _encode(aside, frame_paths, rate, source, audio_start, transform)
        except av.error.FFmpegError as error:
            raise WorkError(f"{path} cannot be encoded ({error.strerror}); check folder and free space.") from error
    return path


def _encode(aside: Path, frame_paths: Sequence[str | Path], rate: Fraction,
            source: av.container.InputContainer | None, audio_start: float,
            transform: ViewTransform | None) -> None:
    options = {"movflags": "+faststart"} if aside.suffix.lower() != ".mkv" else {}
    with av.open(f"file:{aside}", "w", options=options) as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": QUALITY})
        voice: av.AudioStream | None = None
        sound: Iterator[av.AudioFrame] = iter(())
        heard = Fraction(0)
        if source is not None and source.streams.audio:
            original = source.streams.audio[0]
            voice = container.add_stream("aac", rate=original.rate, layout=original.layout.name)
            sound = _samples(source, voice, audio_start, len(frame_paths) / float(rate))
        for index, frame_path in enumerate(frame_paths):
            pixels = _movie_pixels(Path(frame_path), transform)
            if index == 0:
                stream.height, stream.width = pixels.shape[:2]
                stream.pix_fmt = "yuv420p"
                stream.codec_context.time_base = 1 / rate
                context = stream.codec_context
                context.color_range, context.colorspace = ColorRange.MPEG, Colorspace.ITU709
                context.color_primaries = context.color_trc = 1  # BT.709
            elif pixels.shape[:2] != (stream.height, stream.width):
                raise InputError(f"{frame_path} is of another size than {frame_paths[0]}; "
                                 "a movie needs frames of one size.")
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb48le").reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG,
                interpolation=Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP)
            frame.pts, frame.time_base = index, 1 / rate
            container.mux(stream.encode(frame))
            # Sound goes along with the pictures, so that the container need not hold back either.
            while voice is not None and heard < (index + 1) / rate:
                samples = next(sound, None)
                if samples is None:
                    break
                heard += Fraction(samples.samples, samples.sample_rate)
                container.mux(voice.encode(samples))
        container.mux(stream.encode(None))
        if voice is not None:
            for samples in sound:
                container.mux(voice.encode(samples))
            container.mux(voice.encode(None))


def _movie_pixels(path: Path, transform: ViewTransform | None) -> np.ndarray:
    """A frame as HxWx3 uint16 on black, of even size."""
    with open_shot(path) as shot:
        frame = shot.read(shot.numbers[0])
    if shot.encoding == "linear":
        rgb = to_picture(frame, "linear", transform or ViewTransform(ViewSettings()))
    else:
        rgb = frame.rgb
    if frame.alpha is not None:
        rgb = rgb * frame.alpha[..., None]
    height, width = rgb.shape[:2]
    return np.pad(_whole_numbers(rgb, 65535), ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _samples(source: av.container.InputContainer, voice: av.AudioStream, start: float,
             duration: float) -> Iterator[av.AudioFrame]:
    """The sound from `start` seconds on, at most `duration` seconds, its time counted from 0."""
    rate, layout = voice.rate, voice.layout.name
    resampler = av.AudioResampler(format="fltp", layout=layout, rate=rate)
    begin, end = round(start * rate), round((start + duration) * rate)
    position = None
    for frame in source.decode(audio=0):
        if position is None:
            position = round((frame.time or 0.0) * rate)
        for piece in resampler.resample(frame):
            first, last = max(begin - position, 0), min(end - position, piece.samples)
            if first < last:
                part = av.AudioFrame.from_ndarray(np.ascontiguousarray(piece.to_ndarray()[:, first:last]),
                                                  format="fltp", layout=layout)
                part.sample_rate, part.time_base = rate, Fraction(1, rate)
                part.pts = position + first - begin
                yield part
            position += piece.samples
        if position >= end:
            return


def _rate(fps: Fraction | float) -> Fraction:
    """The frame rate as the fraction it was before somebody wrote 23.976."""
    if isinstance(fps, Fraction):
        return fps
    video = Fraction(round(fps) * 1000, 1001)
    return video if abs(fps - video) < 1e-3 else Fraction(fps).limit_denominator(1001)


def _whole_numbers(values: np.ndarray, largest: int) -> np.ndarray:
    """0..1 to 0..largest, rounded half up: the same on every machine."""
    whole = np.empty(values.shape, np.uint8 if largest == 255 else np.uint16)
    for top in range(0, len(values), BAND):  # double precision of a whole picture is more than all of it else takes
        band = np.clip(np.nan_to_num(values[top : top + BAND]), 0, 1).astype(np.float64)
        whole[top : top + BAND] = np.floor(band * largest + 0.5)
    return whole


def _save_png(path: Path, pixels: np.ndarray, largest: int) -> None:
    order = [2, 1, 0, 3][:pixels.shape[2]]  # OpenCV's
    done, data = cv2.imencode(".png", np.ascontiguousarray(_whole_numbers(pixels, largest)[..., order]))
    if not done:
        raise RuntimeError("PNG encoding failed")
    png = data.tobytes()
    body = b"sRGB\0"  # the color space, after the header of 33 bytes
    chunk = struct.pack(">I", 1) + body + struct.pack(">I", zlib.crc32(body))
    path.write_bytes(png[:33] + chunk + png[33:])


def _save_tiff(path: Path, pixels: np.ndarray, fps: object) -> None:
    """By hand, as OpenCV's TIFF does not say whether its alpha is premultiplied, and readers differ."""
    values = _whole_numbers(pixels, 65535)
    height, width, channels = values.shape
    values[:, 1:] = np.diff(values, axis=1)  # the predictor, wrapping round
    data = zlib.compress(values.astype("<u2").tobytes(), 6)
    bits = struct.pack(f"<{channels}H", *[16] * channels)
    start = 8 + len(bits)
    entries = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, channels, 8), (259, 3, 1, 8), (262, 3, 1, 2),
               (273, 4, 1, start), (277, 3, 1, channels), (278, 4, 1, height), (279, 4, 1, len(data)),
               (284, 3, 1, 1), (317, 3, 1, 2)]
    if channels == 4:
        entries.append((338, 3, 1, TIFF_ALPHA_STRAIGHT))
    directory = start + len(data) + len(data) % 2
    with path.open("wb") as file:
        file.write(struct.pack("<2sHI", b"II", 42, directory) + bits + data + b"\0" * (len(data) % 2))
        file.write(struct.pack("<H", len(entries)))
        for entry in entries:
            file.write(struct.pack("<HHII", *entry))
        file.write(struct.pack("<I", 0))


def _save_exr(path: Path, pixels: np.ndarray, fps: Fraction | float | None, halved: bool) -> None:
    header: dict[str, object] = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage,
                                 "chromaticities": REC709}
    if fps is not None:
        header["framesPerSecond"] = _rate(fps)
    if halved:
        halves = half(pixels)
        # What is too large for half precision is its largest; what was infinite stays so.
        large = (halves.view(np.uint16) & 0x7FFF) == 0x7C00
        if large.any():
            halves[large] = np.where(np.isinf(pixels[large]), pixels[large], np.clip(pixels[large], -65504, 65504))
        pixels = halves
    name = "RGBA" if pixels.shape[2] == 4 else "RGB"
    OpenEXR.File(header, {name: pixels}).write(str(path))


_Saver = Callable[[Path, np.ndarray, Fraction | float | None], None]
_SAVERS: dict[str, tuple[str, _Saver]] = {
    "png8": (".png", lambda path, pixels, fps: _save_png(path, pixels, 255)),
    "png16": (".png", lambda path, pixels, fps: _save_png(path, pixels, 65535)),
    "tiff16": (".tif", _save_tiff),
    "exr_half": (".exr", lambda path, pixels, fps: _save_exr(path, pixels, fps, halved=True)),
    "exr_float": (".exr", lambda path, pixels, fps: _save_exr(path, pixels, fps, halved=False)),
}

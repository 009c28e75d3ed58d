# SPDX-License-Identifier: GPL-3.0-or-later
"""Movies: colors, frame-accurate reading in any order, and what is said about bad ones."""

from __future__ import annotations

import errno
import os
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from test_shot_exr import error_of

from styletx_core.errors import InputError
from styletx_core.frugal import is_out_of_memory
from styletx_core.output import FrameWriter, encode_movie
from styletx_core.shot import open_shot
from styletx_core.shot.movie import MovieShot

WIDTH, HEIGHT, FRAMES = 96, 64, 60
STEP = 4  # of 255, by which each frame is brighter than the one before
KINDS = [
    ("libx264", "mp4", "yuv420p", {}),
    ("libx264", "mkv", "yuv420p", {"bf": "3", "g": "12"}),
    ("libx264", "mov", "yuv444p", {"g": "250"}),
    ("mpeg4", "avi", "yuv420p", {"bf": "2", "g": "15"}),
    ("mjpeg", "avi", "yuvj420p", {}),
    ("libx264", "mov", "yuv420p10le", {}),
    ("ffv1", "mkv", "yuva444p", {}),
]
MATRICES = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 9: (0.2627, 0.0593)}  # red's and blue's share of luma


def yuv_frame(rgb: np.ndarray, kind: str, matrix: int, full: bool, size: tuple[int, int]) -> av.VideoFrame:
    """A frame of one color, by the definition of the matrix rather than by FFmpeg."""
    red, blue = MATRICES[matrix]
    luma = red * rgb[0] + (1 - red - blue) * rgb[1] + blue * rgb[2]
    u, v = (rgb[2] - luma) / (2 - 2 * blue), (rgb[0] - luma) / (2 - 2 * red)
    levels = [255 * luma, 255 * u + 128, 255 * v + 128] if full else [219 * luma + 16, 224 * u + 128, 224 * v + 128]
    frame = av.VideoFrame(*size, kind)
    deep = kind.endswith("10le")
    for plane, level in zip(frame.planes, [*levels, 255], strict=False):
        value = np.uint16(round(level * 4)) if deep else np.uint8(round(level))
        plane.update(np.full(plane.buffer_size // value.itemsize, value).tobytes())
    return frame


def write_colors(
    path: Path,
    colors: list[np.ndarray],
    codec: str = "libx264",
    kind: str = "yuv420p",
    matrix: int = 5,
    tag: int | None = None,
    full: bool = False,
    size: tuple[int, int] = (WIDTH, HEIGHT),
    options: dict[str, str] | None = None,
) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"crf": "1"} | (options or {}))
        stream.width, stream.height, stream.pix_fmt = *size, kind
        if codec in ("mpeg4", "mjpeg"):
            stream.codec_context.qmin = stream.codec_context.qmax = 2
        stream.codec_context.colorspace = matrix if tag is None else tag
        stream.codec_context.color_range = 2 if full else 1
        for index, color in enumerate(colors):
            frame = yuv_frame(color, kind, matrix, full, size)
            frame.pts, frame.colorspace = index, stream.codec_context.colorspace
            frame.color_range = stream.codec_context.color_range
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def ramp() -> list[np.ndarray]:
    return [np.full(3, (8 + STEP * index) / 255) for index in range(FRAMES)]


def shown(shot, number: int) -> int:
    """Which frame it is, by its brightness."""
    return round((shot.read(number).rgb.mean() * 255 - 8) / STEP) + 1


@pytest.mark.parametrize(("codec", "suffix", "kind", "options"), KINDS, ids=["-".join(kind[:3]) for kind in KINDS])
def test_frames_in_any_order(tmp_path: Path, codec: str, suffix: str, kind: str, options: dict) -> None:
    path = write_colors(tmp_path / f"a.{suffix}", ramp(), codec, kind, options=options, full="j" in kind)
    with open_shot(path) as shot:
        assert shot.numbers == list(range(1, FRAMES + 1))
        assert (shot.width, shot.height, shot.fps, shot.stem, shot.digits) == (WIDTH, HEIGHT, 25, "a_", 4)
        assert shot.bit_depth == ("16" if "10" in kind else "8") and shot.has_alpha == ("yuva" in kind)
        order = [1, 2, 3, 60, 59, 7, 7, 33, 34, 5, 58, 1]
        assert [shown(shot, number) for number in order] == order
        assert [shown(shot, number) for number in shot.numbers] == shot.numbers
        with pytest.raises(InputError, match="no frame 61; its frames are 1-60"):
            shot.read(61)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("matrix", "tag", "height"), [(1, 1, 64), (5, 5, 64), (5, 6, 64), (9, 9, 64), (5, 2, 64), (1, 2, 720)]
)
def test_matrix_and_range(tmp_path: Path, full: bool, matrix: int, tag: int, height: int) -> None:
    color = np.array([200, 60, 30]) / 255
    path = write_colors(tmp_path / "a.mp4", [color] * 3, matrix=matrix, tag=tag, full=full, size=(64, height))
    np.testing.assert_allclose(open_shot(path).read(2).rgb[40, 20], color, atol=1.6 / 255)


def test_range_of_frames(tmp_path: Path) -> None:
    path = write_colors(tmp_path / "a.mp4", ramp())
    with open_shot(path, frames=(20, 30)) as shot:
        assert shot.numbers == list(range(20, 31)) and shown(shot, 25) == 25
    assert "has frames 1-60 only, not 50-70" in error_of(path, frames=(50, 70))
    assert "no frame in 70-80; its frames are 1-60" in error_of(path, frames=(70, 80))
    assert "is a movie and has no view layers" in error_of(path, layer="ViewLayer")


def test_turned_upright(tmp_path: Path) -> None:
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.float32)
    rgb[:, WIDTH // 2 :] = 1  # right half white
    frame = FrameWriter(tmp_path, "f", 4, "png8").write(1, rgb)
    path = encode_movie([frame] * 3, tmp_path / "a.mp4", 25)
    data = bytearray(path.read_bytes())
    # The track header's matrix, 16.16 fixed point: from the identity to a turn of 90 degrees clockwise.
    at = data.index(b"tkhd") + 4 + 40
    identity = [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000]
    assert data[at : at + 36] == b"".join(value.to_bytes(4, "big") for value in identity)
    turned = [0, 0x10000, 0, -0x10000, 0, 0, HEIGHT << 16, 0, 0x40000000]
    data[at : at + 36] = b"".join(value.to_bytes(4, "big", signed=True) for value in turned)
    path.write_bytes(data)
    with open_shot(path) as shot:
        assert (shot.width, shot.height) == (HEIGHT, WIDTH)
        seen = shot.read(1).rgb
        assert seen[: WIDTH // 2 - 4].max() < 0.1 and seen[WIDTH // 2 + 4 :].min() > 0.9


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi"])
@pytest.mark.parametrize("kept", [0.0, 0.2, 0.6, 0.9])
def test_cut_short(tmp_path: Path, suffix: str, kept: float) -> None:
    rng = np.random.default_rng(0)
    path = write_colors(
        tmp_path / f"a.{suffix}",
        [rng.random(3) for _ in range(FRAMES)],
        codec="mpeg4" if suffix == "avi" else "libx264",
    )
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    assert f"a.{suffix} " in error_of(path)


def test_cut_short_after_a_whole_header(tmp_path: Path) -> None:
    writer = FrameWriter(tmp_path / "frames", "f", 4, "png8")
    rng = np.random.default_rng(0)
    frames = [writer.write(number, rng.random((HEIGHT, WIDTH, 3), np.float32)) for number in range(1, 11)]
    path = encode_movie(frames, tmp_path / "a.mp4", 25)  # its header is in front
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    path.write_bytes(data[: int(len(data) * 0.7)])
    assert "a.mp4 is cut short" in error_of(path)


def test_not_a_movie(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"hello " * 1000)
    assert "a.mp4 cannot be opened as a movie" in error_of(tmp_path / "a.mp4")


def test_sound_alone(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mov"), "w") as container:
        stream = container.add_stream("aac", rate=48000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert "a.mov has no video in it" in error_of(tmp_path / "a.mov")


def test_tiny(tmp_path: Path) -> None:
    path = write_colors(tmp_path / "a.mp4", ramp()[:3], size=(64, 14))
    assert "is 64x14; give pictures of at least 16x16" in error_of(path)


def test_rate_of_video(tmp_path: Path) -> None:
    frame = FrameWriter(tmp_path, "f", 4, "png8").write(1, np.zeros((HEIGHT, WIDTH, 3), np.float32))
    for fps, expected in ((24, 24), (23.976, Fraction(24000, 1001)), (29.97, Fraction(30000, 1001)), (12.5, 12.5)):
        assert open_shot(encode_movie([frame] * 4, tmp_path / "a.mov", fps)).fps == expected


def test_varying_length_is_told(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for index, color in enumerate(ramp()[:10]):
            frame = yuv_frame(color, "yuv420p", 5, False, (WIDTH, HEIGHT))
            frame.pts = index + (index > 4) * 7
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with open_shot(tmp_path / "a.mkv") as shot:
        assert len(shot.numbers) == 10 and "varying length" in shot.notices[0]
    assert open_shot(write_colors(tmp_path / "b.mkv", ramp())).notices == []


@pytest.mark.parametrize("number", [errno.ENOMEM, errno.EAGAIN])
def test_lack_of_memory_is_not_blamed_on_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    path = write_colors(tmp_path / "movie.mp4", [np.full(3, 0.5)] * 3)

    def fail(*_: object) -> None:  # when memory really is short, who fails is chance
        raise av.error.classes[number](number, os.strerror(number))

    with open_shot(path) as shot, monkeypatch.context() as patch:
        patch.setattr(MovieShot, "_decode", fail)
        with pytest.raises(av.error.FFmpegError) as found:
            shot.read(2)
        assert is_out_of_memory(found.value)
    for name in ("_list_packets", "_decode"):
        with monkeypatch.context() as patch:
            patch.setattr(MovieShot, name, fail)
            with pytest.raises(av.error.FFmpegError) as found:
                open_shot(path)
            assert is_out_of_memory(found.value)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Written pictures read back as they were, and movies of them."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import OpenEXR
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from styletx_core.errors import InputError, WorkError
from styletx_core.job import FORMATS
from styletx_core.output import FrameWriter, encode_movie
from styletx_core.shot import Frame, open_shot

SIZES = st.tuples(st.integers(16, 21), st.integers(16, 21))
CHANNELS = st.sampled_from([3, 4])


@st.composite
def pictures(draw: st.DrawFn, **values: object) -> np.ndarray:
    """HxWx3 or HxWx4 float32, mostly one value with any others strewn in."""
    shape = (*draw(SIZES), draw(CHANNELS))
    return draw(hnp.arrays(np.float32, shape, elements=st.floats(width=32, **values)))


def written(directory: Path, pixels: np.ndarray, form: str) -> Frame:
    alpha = pixels[..., 3] if pixels.shape[2] == 4 else None
    path = FrameWriter(directory, "f_", 4, form).write(12, pixels[..., :3], alpha)
    with open_shot(path) as shot:
        return shot.read(12)


def stacked(frame: Frame) -> np.ndarray:
    return frame.rgb if frame.alpha is None else np.dstack([frame.rgb, frame.alpha])


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


@settings(max_examples=25, deadline=None)
@given(pixels=pictures(min_value=0, max_value=1), form=st.sampled_from(["png8", "png16", "tiff16"]))
def test_whole_numbers_round_to_the_nearest_and_stay(directory: Path, pixels: np.ndarray, form: str) -> None:
    steps = 255 if form == "png8" else 65535
    once = stacked(written(directory, pixels, form))
    assert once.shape == pixels.shape
    assert np.abs(once.astype(np.float64) - pixels).max() <= 0.5001 / steps
    np.testing.assert_array_equal(stacked(written(directory, once, form)), once)


@settings(max_examples=25, deadline=None)
@given(pixels=pictures(allow_nan=True))
def test_exr_float_is_exact(directory: Path, pixels: np.ndarray) -> None:
    np.testing.assert_array_equal(stacked(written(directory, pixels, "exr_float")), pixels)


@settings(max_examples=25, deadline=None)
@given(pixels=pictures(min_value=-65000, max_value=65000))
def test_exr_half_is_the_nearest_half(directory: Path, pixels: np.ndarray) -> None:
    np.testing.assert_array_equal(stacked(written(directory, pixels, "exr_half")), pixels.astype(np.float16))


def test_out_of_range(tmp_path: Path) -> None:
    wild = np.full((16, 16, 3), np.nan, np.float32)
    wild[0], wild[1] = np.inf, -np.inf
    for form in ("png8", "png16", "tiff16"):
        frame = written(tmp_path, wild, form)
        assert frame.rgb[0].min() == 1 and frame.rgb[1:].max() == 0
    assert written(tmp_path, np.full((16, 16, 3), 1e9, np.float32), "exr_half").rgb.max() == 65504
    wild[2:] = 0
    np.testing.assert_array_equal(written(tmp_path, wild, "exr_half").rgb, wild)  # strength 0 keeps every bit


def test_names(tmp_path: Path) -> None:
    black = np.zeros((16, 16, 3), np.float32)
    endings = {"png8": "png", "png16": "png", "tiff16": "tif", "exr_half": "exr", "exr_float": "exr"}
    assert set(endings) == set(FORMATS) - {"auto"}
    for form, suffix in endings.items():
        writer = FrameWriter(tmp_path / "deep" / form, "walk.", 4, form)
        assert writer.encoding == ("linear" if suffix == "exr" else "display")
        path = writer.write(12, black)
        assert path == writer.path(12) == tmp_path / "deep" / form / f"walk.0012.{suffix}"
        assert list(path.parent.iterdir()) == [path]
    assert FrameWriter(tmp_path, "photo", 0, "png8").path(1).name == "photo.png"
    assert FrameWriter(tmp_path, "f", 1, "png8").path(123).name == "f123.png"


def test_color_spaces_are_written_down(tmp_path: Path) -> None:
    gray = np.full((16, 16, 3), 0.5, np.float32)
    png = FrameWriter(tmp_path, "a", 0, "png16").write(1, gray).read_bytes()
    assert png[37:41] == b"sRGB"
    exr = FrameWriter(tmp_path, "a", 0, "exr_half", fps=23.976).write(1, gray)
    header = OpenEXR.File(str(exr)).header()
    np.testing.assert_allclose(header["chromaticities"], (0.64, 0.33, 0.3, 0.6, 0.15, 0.06, 0.3127, 0.329), rtol=1e-6)
    assert header["framesPerSecond"] == Fraction(24000, 1001)
    tiff = FrameWriter(tmp_path, "a", 0, "tiff16").write(1, gray, gray[..., 0]).read_bytes()
    assert struct.pack("<HHII", 338, 3, 1, 2) in tiff  # alpha is straight


def test_tiff_with_premultiplied_alpha(tmp_path: Path) -> None:
    """As Blender writes it with 16 bits: the tag that says so makes reading divide."""
    rng = np.random.default_rng(0)
    straight, alpha = rng.random((20, 20, 3), np.float32), rng.uniform(0.2, 1, (20, 20)).astype(np.float32)
    path = FrameWriter(tmp_path, "a", 0, "tiff16").write(1, straight * alpha[..., None], alpha)
    data = path.read_bytes()
    path.write_bytes(data.replace(struct.pack("<HHII", 338, 3, 1, 2), struct.pack("<HHII", 338, 3, 1, 1)))
    with open_shot(path) as shot:
        np.testing.assert_allclose(shot.read(1).rgb, straight, atol=1e-4)


def test_other_readers_agree(tmp_path: Path) -> None:
    """OpenCV's libtiff and libpng read what our own code put together."""
    pixels = np.random.default_rng(0).random((19, 23, 4), np.float32)
    for form in ("png8", "png16", "tiff16"):
        path = FrameWriter(tmp_path, form, 0, form).write(1, pixels[..., :3], pixels[..., 3])
        read = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        largest = 255 if form == "png8" else 65535
        np.testing.assert_array_equal(read[..., [2, 1, 0, 3]], np.floor(pixels.astype(np.float64) * largest + 0.5))


def test_a_frame_appears_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = FrameWriter(tmp_path, "f", 4, "exr_float")
    before = writer.write(1, np.zeros((16, 16, 3), np.float32)).read_bytes()
    with pytest.raises(ValueError, match="dimension|shape|size|axis"):
        writer.write(1, np.ones((16, 16, 3), np.float32), np.ones((8, 8), np.float32))
    assert writer.path(1).read_bytes() == before
    assert list(tmp_path.iterdir()) == [writer.path(1)]


@pytest.mark.parametrize("form", ["png8", "tiff16", "exr_half"])
def test_a_directory_that_takes_no_files(tmp_path: Path, form: str) -> None:
    (tmp_path / "taken").write_text("a file, not a directory")
    with pytest.raises(WorkError, match="cannot be written") as caught:
        FrameWriter(tmp_path / "taken", "f", 4, form).write(1, np.zeros((16, 16, 3), np.float32))
    assert "taken" in str(caught.value)


def moving(number: int, width: int = 63, height: int = 45) -> np.ndarray:
    y, x = np.mgrid[:height, :width].astype(np.float32)
    waves = [np.sin((x + number) / 9), np.sin((y - number) / 7), np.cos((x + y) / 20)]
    return (np.stack(waves, axis=2) * 0.45 + 0.5).astype(np.float32)


def write_frames(directory: Path, form: str = "png8", count: int = 20) -> list[Path]:
    writer = FrameWriter(directory, "f_", 4, form)
    return [writer.write(number, moving(number)) for number in range(1, count + 1)]


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv"])
def test_movie_shows_the_frames(tmp_path: Path, suffix: str) -> None:
    path = encode_movie(write_frames(tmp_path / "frames"), tmp_path / f"a.{suffix}", 25)
    with open_shot(path) as shot:
        assert (len(shot.numbers), shot.width, shot.height, shot.fps) == (20, 64, 46, 25)
        for number in (1, 10, 20):
            assert np.abs(shot.read(number).rgb[:45, :63] - moving(number)).mean() < 0.015
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frame = next(container.decode(stream))
        assert (stream.codec_context.name, frame.format.name) == ("h264", "yuv420p")
        assert (frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc) == (1, 1, 1, 1)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [f"a.{suffix}", "frames"]


def test_movie_of_linear_frames_shows_srgb(tmp_path: Path) -> None:
    linear = np.full((32, 32, 3), 0.21404, np.float32)  # 0.5 in sRGB
    alpha = np.ones((32, 32), np.float32)
    alpha[:, :8] = 0
    frame = FrameWriter(tmp_path, "f_", 4, "exr_half").write(1, linear * alpha[..., None], alpha)
    rgb = open_shot(encode_movie([frame] * 3, tmp_path / "a.mp4", 24)).read(2).rgb
    np.testing.assert_allclose(rgb[:, 16:], 0.5, atol=0.01)
    assert rgb[:, :4].max() < 0.02  # transparent is black


def tone(path: Path, seconds: float, rate: int) -> Path:
    """A movie whose sound is silent for a second, then a tone."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 32, 32, "yuv420p"
        voice = container.add_stream("aac", rate=rate, layout="stereo")
        time = np.arange(round(seconds * rate)) / rate
        wave = np.where(time < 1, 0, 0.5 * np.sin(2 * np.pi * 440 * time)).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(np.stack([wave, wave]), format="fltp", layout="stereo")
        frame.sample_rate = rate
        container.mux(voice.encode(frame))
        container.mux(voice.encode(None))
        for _ in range(round(seconds * 10)):
            container.mux(video.encode(av.VideoFrame.from_ndarray(np.zeros((32, 32, 3), np.uint8), format="rgb24")))
        container.mux(video.encode(None))
    return path


@pytest.mark.parametrize("rate", [44100, 48000])
def test_movie_keeps_the_sound_in_step(tmp_path: Path, rate: int) -> None:
    source = tone(tmp_path / "tone.mov", 4, rate)
    frames = write_frames(tmp_path / "frames", count=40)
    path = encode_movie(frames, tmp_path / "a.mp4", 20, audio_from=source, audio_start=0.5)
    with av.open(str(path)) as container:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert abs(len(sound) / rate - 2) < 0.05
    begins = np.argmax(np.abs(sound) > 0.1) / rate
    assert abs(begins - 0.5) < 0.03


def test_movie_without_sound_to_take(tmp_path: Path) -> None:
    frames = write_frames(tmp_path / "frames", count=3)
    silent = encode_movie(frames, tmp_path / "a.mp4", 24)
    again = encode_movie(frames, tmp_path / "b.mp4", 24, audio_from=silent)
    with av.open(str(again)) as container:
        assert not container.streams.audio


def test_movie_errors(tmp_path: Path) -> None:
    frames = write_frames(tmp_path / "frames", count=2)
    with pytest.raises(InputError, match=r"a\.gif is no type of movie"):
        encode_movie(frames, tmp_path / "a.gif", 24)
    with pytest.raises(InputError, match="no frames to make"):
        encode_movie([], tmp_path / "a.mp4", 24)
    other = FrameWriter(tmp_path, "x", 4, "png8").write(1, moving(1, 80, 40))
    with pytest.raises(InputError, match=r"x0001\.png is of another size than .*f_0001\.png"):
        encode_movie([*frames, other], tmp_path / "a.mp4", 24)
    assert not list(tmp_path.glob("*.mp4")) and not list(tmp_path.glob(".*"))
    with pytest.raises(InputError, match=r"gone\.mp4 cannot be opened for its sound"):
        encode_movie(frames, tmp_path / "a.mp4", 24, audio_from=tmp_path / "gone.mp4")

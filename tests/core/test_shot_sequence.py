# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures and numbered sequences of PNG, JPEG and TIFF, and what is said about bad ones."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from shotfiles import passes, write_single_part
from test_shot_exr import error_of

from styletx_core.errors import InputError
from styletx_core.shot import open_shot


def noise(width: int = 24, height: int = 18, channels: int = 3, bits: int = 8, seed: int = 0) -> np.ndarray:
    kind = np.uint8 if bits == 8 else np.uint16
    return np.random.default_rng(seed).integers(0, 2**bits, (height, width, channels), kind)


def write(path: Path, pixels: np.ndarray) -> Path:
    """Write RGB or RGBA, by the name's extension."""
    path.parent.mkdir(parents=True, exist_ok=True)
    order = [2, 1, 0, 3][: pixels.shape[2]]
    assert cv2.imwrite(str(path), np.ascontiguousarray(pixels[..., order]))
    return path


def write_numbers(directory: Path, *numbers: int, name: str = "f_{:04d}.png") -> Path:
    for number in numbers:
        write(directory / name.format(number), noise(seed=number))
    return directory


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".tif", ".tiff"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("channels", [3, 4])
def test_pixels(tmp_path: Path, suffix: str, bits: int, channels: int) -> None:
    pixels = noise(channels=channels, bits=bits)
    with open_shot(write(tmp_path / f"a{suffix}", pixels)) as shot:
        frame = shot.read(1)
        assert shot.bit_depth == str(bits) and shot.encoding == "display"
        assert (frame.alpha is not None) == (channels == 4) == shot.has_alpha
        read = frame.rgb if frame.alpha is None else np.dstack([frame.rgb, frame.alpha])
        assert read.dtype == np.float32
        np.testing.assert_array_equal(np.rint(read.astype(np.float64) * (2**bits - 1)), pixels)


def test_gray(tmp_path: Path) -> None:
    gray = noise()[..., 0]
    cv2.imwrite(str(tmp_path / "a.png"), gray)
    frame = open_shot(tmp_path / "a.png").read(1)
    np.testing.assert_array_equal(np.rint(frame.rgb * 255), np.repeat(gray[..., None], 3, axis=2))


def test_jpeg(tmp_path: Path) -> None:
    smooth = cv2.resize(noise(4, 3), (64, 48), interpolation=cv2.INTER_CUBIC)
    with open_shot(write(tmp_path / "a.jpg", smooth)) as shot:
        assert (shot.width, shot.height, shot.bit_depth) == (64, 48, "8")
        assert np.abs(shot.read(1).rgb * 255 - smooth).mean() < 3


def test_jpeg_is_turned_upright(tmp_path: Path) -> None:
    left_dark = np.zeros((32, 64, 3), np.uint8)
    left_dark[:, 32:] = 255
    path = write(tmp_path / "a.jpg", left_dark)
    data = path.read_bytes()
    # EXIF orientation 6: turn by 90 degrees clockwise to show.
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + data[2:])
    with open_shot(path) as shot:
        assert (shot.width, shot.height) == (32, 64)
        rgb = shot.read(1).rgb
        assert rgb[:28].max() < 0.1 and rgb[36:].min() > 0.9


@pytest.mark.parametrize("spelling", ["", "walk.####.png", "walk.%04d.png", "walk.*.png", "walk.#.png"])
def test_directory_and_patterns(tmp_path: Path, spelling: str) -> None:
    write_numbers(tmp_path, 8, 9, 10, 11, name="walk.{:04d}.png")
    (tmp_path / "notes.txt").write_text("not a frame")
    (tmp_path / ".hidden.0001.png").write_bytes(b"")
    with open_shot(tmp_path / spelling) as shot:
        assert (shot.numbers, shot.stem, shot.digits, shot.frame_step) == ([8, 9, 10, 11], "walk.", 4, 1)
        assert shot.file(10) == tmp_path / "walk.0010.png"
        np.testing.assert_array_equal(np.rint(shot.read(10).rgb * 255), noise(seed=10))
        with pytest.raises(InputError, match="no frame 7; its frames are 8-11"):
            shot.read(7)


def test_patterns_take_one_of_several_sequences(tmp_path: Path) -> None:
    write_numbers(tmp_path, 1, 2, name="a_{:02d}.png")
    write_numbers(tmp_path, 5, 6, 7, name="b_{:02d}.png")
    message = error_of(tmp_path)
    assert "several sequences: a_####.png (2 frames), b_####.png (3 frames)" in message
    assert open_shot(tmp_path / "b_##.png").numbers == [5, 6, 7]
    assert "several sequences" in error_of(tmp_path / "*.png")


def test_numbers_without_zeros(tmp_path: Path) -> None:
    write_numbers(tmp_path, *range(8, 12), name="take2-{}.png")
    with open_shot(tmp_path) as shot:
        assert (shot.numbers, shot.stem, shot.digits) == ([8, 9, 10, 11], "take2-", 1)


def test_single_picture(tmp_path: Path) -> None:
    write_numbers(tmp_path, 7, 8, 9)
    with open_shot(tmp_path / "f_0008.png") as shot:
        assert (shot.numbers, shot.stem, shot.digits) == ([8], "f_", 4)
    write(tmp_path / "photo.png", noise())
    with open_shot(tmp_path / "photo.png") as shot:
        assert (shot.numbers, shot.stem, shot.digits) == ([1], "photo", 0)
    write(tmp_path / "v2 final [x].png", noise())
    assert open_shot(tmp_path / "v2 final [x].png").stem == "v2 final [x]"


def test_range(tmp_path: Path) -> None:
    write_numbers(tmp_path, 1, 2, 3, 4, 5)
    assert open_shot(tmp_path, frames=(2, 4)).numbers == [2, 3, 4]
    assert "lacks frames 6-8" in error_of(tmp_path, frames=(4, 8))
    assert "no frame in 10-20; its frames are 1-5" in error_of(tmp_path, frames=(10, 20))
    assert "4-2 ends before it starts" in error_of(tmp_path, frames=(4, 2))


def test_gaps(tmp_path: Path) -> None:
    write_numbers(tmp_path, 1, 2, 5, 6, 8)
    assert re.search(r"lacks frames 3-4, 7 of f_####\.png \(1-8\)", error_of(tmp_path))
    assert open_shot(tmp_path, frames=(5, 6)).numbers == [5, 6]
    (tmp_path / "shot.json").write_text("{}")
    assert "shot.json has no entry 'version'" in error_of(tmp_path)


def test_frame_step_is_no_gap(tmp_path: Path) -> None:
    write_numbers(tmp_path, 1, 4, 7, 10)
    with open_shot(tmp_path) as shot:
        assert (shot.numbers, shot.frame_step) == ([1, 4, 7, 10], 3)
    (tmp_path / "f_0007.png").unlink()
    assert "lacks frames 2-3, 5-9" in error_of(tmp_path)


def test_other_size(tmp_path: Path) -> None:
    write_numbers(tmp_path, 1, 2)
    write(tmp_path / "f_0003.png", noise(30, 18))
    assert re.search(r"f_0003\.png is 30x18, but the shot's first frame is 24x18", error_of(tmp_path))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
@pytest.mark.parametrize("kept", [0.0, 0.01, 0.5, 0.97])
def test_cut_short(tmp_path: Path, suffix: str, kept: float) -> None:
    for number in (1, 2):
        write(tmp_path / f"f{number}{suffix}", noise(64, 48))
    second = tmp_path / f"f2{suffix}"
    data = second.read_bytes()
    second.write_bytes(data[: int(len(data) * kept)])
    message = error_of(tmp_path)
    assert f"f2{suffix} is cut short or damaged" in message or f"f2{suffix} is not a" in message


def test_damaged_inside(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", noise(64, 48))
    data = bytearray(path.read_bytes())
    data[60 : len(data) - 20] = bytes(len(data) - 80)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.png is cut short or damaged"):
        open_shot(path).read(1)


def test_misnamed(tmp_path: Path) -> None:
    shutil.copy(write(tmp_path / "a.jpg", noise()), tmp_path / "b.png")
    assert "b.png is not a PNG file" in error_of(tmp_path / "b.png")


def test_float_tiff(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "a.tif"), np.zeros((20, 20, 3), np.float32))
    assert "a.tif is a TIFF of a kind StyleTX does not read" in error_of(tmp_path / "a.tif")


def test_nothing_there(tmp_path: Path) -> None:
    assert "holds no frames" in error_of(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(b"")
    assert "the movie clip.mp4; give the movie itself" in error_of(tmp_path)
    assert "gone.png does not exist" in error_of(tmp_path / "gone.png")
    assert "No file matches" in error_of(tmp_path / "x_####.exr")
    assert "nowhere is not a directory" in error_of(tmp_path / "nowhere" / "x_####.exr")


def test_unsupported(tmp_path: Path) -> None:
    (tmp_path / "a.psd").write_bytes(b"8BPS")
    assert "a.psd is of a type StyleTX does not read" in error_of(tmp_path / "a.psd")


def test_unnumbered(tmp_path: Path) -> None:
    write(tmp_path / "a.png", noise())
    assert open_shot(tmp_path).numbers == [1]
    write(tmp_path / "b.png", noise())
    assert "2 pictures without numbers" in error_of(tmp_path)
    write(tmp_path / "c_0001.png", noise())
    assert "several sequences: c_####.png (1 frame), a.png, b.png" in error_of(tmp_path)


def test_a_number_twice(tmp_path: Path) -> None:
    write_numbers(tmp_path, 1, 2)
    write(tmp_path / "f_01.png", noise())
    assert "are both frame 1" in error_of(tmp_path)


def test_tiny(tmp_path: Path) -> None:
    assert "is 64x15; give pictures of at least 16x16" in error_of(write(tmp_path / "a.png", noise(64, 15)))
    assert open_shot(write(tmp_path / "b.png", noise(16, 16))).width == 16


def test_layer_of_a_png(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", noise())
    assert "has no view layers" in error_of(path, layer="ViewLayer")


def test_kinds_are_not_mixed(tmp_path: Path) -> None:
    write(tmp_path / "a_1.png", noise())
    write_single_part(tmp_path / "a_2.exr", passes())
    assert "several sequences: a_####.exr (1 frame), a_####.png (1 frame)" in error_of(tmp_path)

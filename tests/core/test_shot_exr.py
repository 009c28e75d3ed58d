# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenEXR shots in the layouts of Blender 4 and 5, and what is said about bad ones."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import OpenEXR
import pytest
from shotfiles import ALL_PASSES, LAYOUTS, header, passes, write_multi_part, write_single_part

from styletx_core.errors import InputError
from styletx_core.shot import open_shot

both_layouts = pytest.mark.parametrize("write", LAYOUTS.values(), ids=LAYOUTS.keys())


def error_of(path: Path, **options: object) -> str:
    with pytest.raises(InputError) as caught:
        open_shot(path, **options)
    message = str(caught.value)
    assert message.endswith(".") and "\n" not in message
    return message


@both_layouts
def test_passes_come_out_as_they_went_in(tmp_path: Path, write) -> None:
    for number in (3, 4, 5):
        write(tmp_path / f"walk.{number:04d}.exr", passes(seed=number))
    with open_shot(tmp_path) as shot:
        assert (shot.numbers, shot.width, shot.height, shot.stem, shot.digits) == ([3, 4, 5], 24, 18, "walk.", 4)
        assert (shot.encoding, shot.bit_depth, shot.layer) == ("linear", "half", "ViewLayer")
        assert shot.has_alpha and shot.has_vector and shot.has_depth and shot.has_index and shot.has_crypto
        for number in (5, 3):
            frame, content = shot.read(number), passes(seed=number)
            assert frame.number == number
            np.testing.assert_array_equal(frame.rgb, content["Combined"][..., :3].astype(np.float32))
            np.testing.assert_array_equal(frame.alpha, content["Combined"][..., 3].astype(np.float32))
            np.testing.assert_array_equal(frame.vector, content["Vector"])
            np.testing.assert_array_equal(frame.depth, content["Depth"][..., 0])
            np.testing.assert_array_equal(frame.index, content["IndexOB"][..., 0])
            crypto = content["CryptoObject00"][..., 0]
            np.testing.assert_array_equal(frame.crypto.view(np.uint32), crypto.view(np.uint32))


def test_float_color_is_float(tmp_path: Path) -> None:
    content = passes()
    content["Combined"] = content["Combined"].astype(np.float32) / 3
    with open_shot(write_single_part(tmp_path / "a.exr", content)) as shot:
        assert shot.bit_depth == "float"
        np.testing.assert_array_equal(shot.read(1).rgb, content["Combined"][..., :3])


@both_layouts
@pytest.mark.parametrize("kept", [0.02, 0.3, 0.6, 0.95, 0.9999])
def test_cut_short(tmp_path: Path, write, kept: float) -> None:
    for number in (1, 2):
        write(tmp_path / f"a{number}.exr", passes(80, 60))
    second = tmp_path / "a2.exr"
    data = second.read_bytes()
    second.write_bytes(data[: int(len(data) * kept)])
    assert re.search(r"a2\.exr is cut short or damaged", error_of(tmp_path))


@pytest.mark.parametrize("compression", ["NO", "RLE", "ZIPS", "ZIP", "PIZ", "PXR24", "DWAA", "DWAB"])
def test_every_compression_is_whole_or_cut(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "a.exr"
    kind = getattr(OpenEXR, f"{compression}_COMPRESSION")
    content = passes(70, 300)
    write_single_part(path, {"Combined": content["Combined"]}, compression=kind)
    with open_shot(path) as shot:
        difference = np.abs(shot.read(1).rgb - content["Combined"][..., :3].astype(np.float32))
        assert np.median(difference) < 0.05  # DWA is lossy
    path.write_bytes(path.read_bytes()[:-40])
    assert "cut short" in error_of(path)


def test_damaged_inside(tmp_path: Path) -> None:
    path = write_single_part(tmp_path / "a.exr", passes(80, 60))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 400] = b"\xff" * 400
    path.write_bytes(data)
    with open_shot(path) as shot, pytest.raises(InputError, match=r"a\.exr is damaged"):
        shot.read(1)


def test_little_memory_is_no_damage(tmp_path: Path) -> None:
    """In a process that may take less than the picture is large."""
    pytest.importorskip("resource")
    path = write_single_part(tmp_path / "large.exr", passes(1200, 900))
    code = (
        "import resource, sys\n"
        "from styletx_core.shot import open_shot\n"
        "shot = open_shot(sys.argv[1])\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**23, used + 2**23))\n"
        "try:\n    shot.read(shot.numbers[0])\n"
        "except MemoryError:\n    print('full')\n"
    )
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    assert done.stdout.endswith("full\n"), done.stderr  # OpenEXR prints a warning before


def test_not_an_exr(tmp_path: Path) -> None:
    (tmp_path / "a.exr").write_bytes(b"GIF89a" * 100)
    assert "a.exr is not an OpenEXR file" in error_of(tmp_path / "a.exr")
    (tmp_path / "b.exr").write_bytes(b"")
    assert "b.exr is cut short" in error_of(tmp_path / "b.exr")


@both_layouts
def test_missing_layer_lists_those_there(tmp_path: Path, write) -> None:
    path = write(tmp_path / "a.exr", passes(), layers=("Figures", "Set.Far"))
    assert "no view layer 'Sky'; its view layers are: 'Figures', 'Set.Far'." in error_of(path, layer="Sky")
    with open_shot(path, layer="Set.Far") as shot:
        assert shot.layer == "Set.Far" and shot.has_vector and shot.notices == []
    with open_shot(path) as shot:
        assert shot.layer == "Figures" and "'Set.Far'" in shot.notices[0]


def test_rendered_layer_goes_before_the_compositor_s(tmp_path: Path) -> None:
    content = passes()
    channels = {f"Composite.Combined.{letter}": np.zeros((18, 24), np.float16) for letter in "RGBA"}
    for index, letter in enumerate("RGBA"):
        channels[f"ViewLayer.Combined.{letter}"] = np.ascontiguousarray(content["Combined"][..., index])
    OpenEXR.File(header(), channels).write(str(tmp_path / "a.exr"))
    with open_shot(tmp_path / "a.exr") as shot:
        assert shot.layer == "ViewLayer"
        assert shot.read(1).rgb.max() > 0


def test_missing_pass_is_named(tmp_path: Path) -> None:
    content = passes()
    write_single_part(tmp_path / "a1.exr", content)
    del content["Vector"]
    write_single_part(tmp_path / "a2.exr", content)
    assert re.search(r"a2\.exr lacks the Vector pass", error_of(tmp_path))
    with open_shot(tmp_path / "a2.exr") as shot:
        assert not shot.has_vector and shot.has_depth and shot.read(2).vector is None
        shot.require("depth", "index")
        with pytest.raises(InputError, match=r"a2\.exr has no Vector pass in view layer 'ViewLayer'"):
            shot.require("depth", "vector")


def test_other_size_is_named(tmp_path: Path) -> None:
    write_multi_part(tmp_path / "a1.exr", passes(24, 18))
    write_multi_part(tmp_path / "a2.exr", passes(24, 20))
    assert re.search(r"a2\.exr is 24x20, but the shot's first frame is 24x18", error_of(tmp_path))


def test_tiny(tmp_path: Path) -> None:
    path = write_single_part(tmp_path / "a.exr", passes(15, 40))
    assert "a.exr is 15x40; give pictures of at least 16x16" in error_of(path)


def test_no_color(tmp_path: Path) -> None:
    content = {name: pixels for name, pixels in passes().items() if name in ALL_PASSES}
    assert "has no color channels" in error_of(write_single_part(tmp_path / "a.exr", content))


def test_stereo(tmp_path: Path) -> None:
    color = passes()["Combined"]
    channels = {
        f"ViewLayer.Combined.{eye}.{letter}": np.ascontiguousarray(color[..., index])
        for eye in ("left", "right")
        for index, letter in enumerate("RGBA")
    }
    OpenEXR.File(header(), channels).write(str(tmp_path / "a.exr"))
    assert "stereo" in error_of(tmp_path / "a.exr")


@pytest.mark.parametrize("letters", ["RGB", "RGBA", "Y"])
def test_plain_files(tmp_path: Path, letters: str) -> None:
    planes = np.random.default_rng(0).random((18, 24, 4)).astype(np.float16)
    channels = {letter: np.ascontiguousarray(planes[..., index]) for index, letter in enumerate(letters)}
    channels["Z"] = np.full((18, 24), 7, np.float32)
    OpenEXR.File(header(), channels).write(str(tmp_path / "a.exr"))
    with open_shot(tmp_path / "a.exr") as shot:
        frame = shot.read(1)
        assert shot.layer is None and shot.layers == () and frame.depth.max() == 7
        assert (frame.alpha is not None) == (letters == "RGBA") == shot.has_alpha
        expected = planes[..., :3] if letters != "Y" else planes[..., :1].repeat(3, axis=2)
        np.testing.assert_array_equal(frame.rgb, expected.astype(np.float32))


def test_data_window_is_placed_in_the_display_window(tmp_path: Path) -> None:
    color = passes(10, 8)["Combined"]
    window = {
        "dataWindow": (np.array([-4, 6], np.int32), np.array([5, 13], np.int32)),
        "displayWindow": (np.array([0, 0], np.int32), np.array([23, 17], np.int32)),
    }
    path = write_single_part(tmp_path / "a.exr", {"Combined": color}, **window)
    with open_shot(path) as shot:
        rgb = shot.read(1).rgb
        assert (shot.width, shot.height) == (24, 18)
        np.testing.assert_array_equal(rgb[6:14, :6], color[:, 4:, :3].astype(np.float32))
        rgb[6:14, :6] = 0
        assert not rgb.any()


def test_display_encoded_exr_is_unpremultiplied(tmp_path: Path) -> None:
    color = passes()["Combined"]
    color[..., :3] = color[..., 3:] * np.float16(0.5)
    path = write_single_part(tmp_path / "a.exr", {"Combined": color}, colorInteropID="srgb_rec709_display")
    with open_shot(path) as shot:
        assert shot.encoding == "display"
        frame = shot.read(1)
        np.testing.assert_allclose(frame.rgb[frame.alpha > 0.01], 0.5, atol=2e-3)

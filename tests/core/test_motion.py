# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion on shots whose motion is known: written as files and read through `open_shot`. Renders: test_vectors.py."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from styletx_core.errors import InputError
from styletx_core.motion import Motion, make_motion, world_offset
from styletx_core.shot import open_shot
from styletx_core.shot.camera import Pose
from styletx_core.warp import grid, warp

SIZE = (96, 128)


def texture(seed: int, height: int = 200, width: int = 240) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(0, 1, (height, width, 3)).astype(np.float32)
    rough = cv2.GaussianBlur(noise, (0, 0), 1.5) * 1.5 + cv2.GaussianBlur(noise, (0, 0), 6) * 6
    return (0.5 + 0.3 * np.tanh(rough)).astype(np.float32)


def glide(folder: Path, dx: int, dy: int, frames: int = 2, start: int = 1, step: int = 1) -> Path:
    """PNG frames of a picture that moves by (dx, dy) pixels a frame."""
    folder.mkdir(exist_ok=True)
    big = (texture(1) * 255).astype(np.uint8)
    for i in range(frames):
        y, x = 50 - i * dy, 50 - i * dx
        cv2.imwrite(str(folder / f"f_{start + i * step:04d}.png"), big[y : y + SIZE[0], x : x + SIZE[1]])
    return folder


def write_exr(
    path: Path, rgb: np.ndarray, vector: np.ndarray, depth: np.ndarray | None, index: np.ndarray | None
) -> None:
    channels = {f"ViewLayer.Combined.{c}": np.ascontiguousarray(rgb[..., i]) for i, c in enumerate("RGB")}
    channels["ViewLayer.Combined.A"] = np.ones(rgb.shape[:2], np.float32)
    channels |= {f"ViewLayer.Vector.{c}": np.ascontiguousarray(vector[..., i]) for i, c in enumerate("XYZW")}
    if depth is not None:
        channels["ViewLayer.Depth.Z"] = depth
    if index is not None:
        channels["ViewLayer.IndexOB.X"] = index
    header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION}
    OpenEXR.File(header, {k: v.astype(np.float32) for k, v in channels.items()}).write(str(path))


def box_shot(folder: Path) -> tuple[Path, np.ndarray]:
    """Two frames: a near box moves 12 pixels right before a still wall. Also gives where the box is in the second."""
    folder.mkdir(exist_ok=True)
    wall, box = texture(2)[: SIZE[0], : SIZE[1]], texture(3)[:40, :40]
    for number, x in ((1, 30), (2, 42)):
        rgb, vector = wall.copy(), np.zeros((*SIZE, 4), np.float32)
        depth, index = np.full(SIZE, 10.0, np.float32), np.ones(SIZE, np.float32)
        place = np.s_[20:60, x : x + 40]
        rgb[place], depth[place], index[place] = box, 4.0, 2.0
        vector[place] = (-12, 0, -12, 0)  # X: it was 12 pixels to the left; Z: it will be at x - Z
        write_exr(folder / f"s_{number:04d}.exr", rgb, vector, depth, index)
    inside = np.zeros(SIZE, bool)
    inside[20:60, 42:82] = True
    return folder, inside


def between(folder: Path, kind: str) -> tuple[Motion | None, list[np.ndarray]]:
    with open_shot(folder) as shot:
        source = make_motion(shot, kind)
        frames = [shot.read(n) for n in shot.numbers[:2]]
        return source.between(*frames, frames[0].rgb, frames[1].rgb), [f.rgb for f in frames]


@settings(max_examples=8, deadline=None)
@given(st.integers(-6, 6), st.integers(-6, 6))
def test_flow_finds_a_glide(tmp_path_factory: pytest.TempPathFactory, dx: int, dy: int) -> None:
    motion, (first, second) = between(glide(tmp_path_factory.mktemp("glide"), dx, dy), "flow")
    assert motion is not None
    middle = np.s_[16:-16, 16:-16]
    assert np.abs(motion.offset[middle] - (-dx, -dy)).mean() < 0.25
    assert motion.visible[middle].mean() > 0.95
    assert np.abs(second - warp(first, motion.offset))[middle].mean() < 0.01


def test_vectors_carry_the_box_and_hide_what_it_uncovers(tmp_path: Path) -> None:
    folder, box = box_shot(tmp_path / "box")
    motion, (first, second) = between(folder, "vectors")
    assert motion is not None
    assert np.allclose(motion.offset[25:55, 46:78], (-12, 0))
    assert np.allclose(motion.offset[70:, :], 0)
    uncovered = np.zeros(SIZE, bool)
    uncovered[22:58, 32:40] = True  # but for the pixels beside the outlines, which go with the box
    assert motion.visible[uncovered].max() == 0
    assert motion.visible[25:55, 46:78].min() == 1 and motion.visible[64:, :].min() == 1
    # the box's motion reaches a pixel beyond its outline, as edges are blends; all else is exact
    seen = (motion.visible > 0) & (cv2.dilate(box.astype(np.uint8), np.ones((5, 5))) == box)
    assert seen.mean() > 0.8
    assert np.abs(second - warp(first, motion.offset))[seen].max() < 1e-4


def test_silhouettes_take_the_nearest_surface(tmp_path: Path) -> None:
    """Cycles averages vectors along edges; the mean of two motions is the motion of neither."""
    folder, _ = box_shot(tmp_path / "box")
    with open_shot(folder) as shot:
        source, frames = make_motion(shot, "vectors"), [shot.read(n) for n in shot.numbers]
        blended = frames[1].vector
        assert blended is not None
        blended[20:60, 42] = (-6, 0, -6, 0)
        motion = source.between(*frames, frames[0].rgb, frames[1].rgb)
    assert motion is not None and np.allclose(motion.offset[22:58, 42], (-12, 0))


def test_vectors_and_depths_that_are_no_numbers(tmp_path: Path) -> None:
    folder, box = box_shot(tmp_path)
    with open_shot(folder) as shot:
        source, frames = make_motion(shot, "vectors"), [shot.read(n) for n in shot.numbers]
    clean = source.between(*frames, frames[0].rgb, frames[1].rgb)
    holes = np.random.default_rng(0).random(SIZE) < 0.02
    for frame in frames:
        assert frame.vector is not None and frame.depth is not None
        frame.vector[holes] = np.nan
        frame.depth[holes[::-1]] = np.nan
    with np.errstate(all="raise"):
        motion = source.between(*frames, frames[0].rgb, frames[1].rgb)
    assert motion is not None and clean is not None
    assert np.isfinite(motion.offset).all() and not motion.visible[holes].any() and not motion.seen[holes].any()
    assert motion.visible[box].mean() > 0.6 * clean.visible[box].mean()


def pose(yaw: float = 0.0, pitch: float = 0.0, name: str = "Camera", kind: str = "PERSP", scale: float = 1.0) -> Pose:
    """A camera like Blender's: it looks along its -Z; the lens is shifted, as a test of all entries."""
    cos, sin = np.cos(yaw), np.sin(yaw)
    turn = np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])
    cos, sin = np.cos(pitch), np.sin(pitch)
    turn = turn @ np.array([[1, 0, 0], [0, cos, -sin], [0, sin, cos]])
    world = np.eye(4)
    world[:3, :3] = turn * scale
    world[:3, 3] = 3, -2, 1
    projection = np.array([[2.8, 0, 0.1, 0], [0, 3.7, -0.05, 0], [0, 0, -1.002, -0.2], [0, 0, -1, 0]])
    return Pose(name, kind, world, projection)


def project(direction: np.ndarray, camera: Pose) -> np.ndarray:
    """Pixel of something so far away that only its direction counts."""
    point = np.append(camera.world[:3, 3] + direction * 1e9, 1)
    x, y, _, w = camera.projection @ np.linalg.inv(camera.world) @ point
    return np.array([(x / w + 1) / 2 * SIZE[1] - 0.5, (1 - y / w) / 2 * SIZE[0] - 0.5])


@settings(max_examples=50, deadline=None)
@given(*(st.floats(-0.1, 0.1) for _ in range(4)), st.floats(0, 127), st.floats(0, 95), st.floats(0.5, 2))
def test_world_pixels_follow_the_camera(
    y0: float, p0: float, y1: float, p1: float, x: float, y: float, s: float
) -> None:
    now, then = pose(y0, p0, scale=s), pose(y1, p1)
    offset = world_offset(now, then, SIZE)
    column, row = round(x), round(y)
    # the direction that the pixel sees, found by bisection through the forward projection alone
    guess = np.array([0.0, 0.0])
    turn = now.world[:3, :3] / s
    for _ in range(30):
        here = project(turn @ np.array([*guess, -1.0]), now)
        guess += (np.array([column, row]) - here) * (2 / (2.8 * SIZE[1]), -2 / (3.7 * SIZE[0]))
    wanted = project(turn @ np.array([*guess, -1.0]), then)
    assert np.allclose(grid(*SIZE)[row, column] + offset[row, column], wanted, atol=0.02)


def test_a_shot_json_turns_the_background_and_cuts_at_another_camera(tmp_path: Path) -> None:
    folder = tmp_path / "sky"
    folder.mkdir()
    poses = {1: pose(0.00), 2: pose(0.03), 3: pose(0.03, name="Other")}
    big = cv2.GaussianBlur(texture(4), (0, 0), 2)
    first = big[: SIZE[0], : SIZE[1]]
    second = warp(first, world_offset(poses[2], poses[1], SIZE))
    for number, rgb in ((1, first), (2, second), (3, second)):
        write_exr(folder / f"s_{number:04d}.exr", rgb, np.zeros((*SIZE, 4), np.float32),
                  np.full(SIZE, 1e10, np.float32), None)  # fmt: skip
    frames = {str(n): {"camera": p.camera, "type": p.type, "world": p.world.ravel().tolist(),
                       "projection": p.projection.ravel().tolist()} for n, p in poses.items()}  # fmt: skip
    data = {"version": 1, "resolution": SIZE[::-1], "frame_step": 1, "time_remap": [100, 100], "fps": 24.0,
            "motion_blur": False, "border": False, "frames": frames}  # fmt: skip
    (folder / "shot.json").write_text(json.dumps(data))
    with open_shot(folder) as shot:
        source = make_motion(shot, "auto")
        assert source.kind == "vectors" and not source.notices
        a, b, c = (shot.read(n) for n in (1, 2, 3))
        motion = source.between(a, b, a.rgb, b.rgb)
        assert source.between(b, c, b.rgb, c.rgb) is None
    assert motion is not None and np.abs(motion.offset[..., 0]).mean() > 3
    seen = motion.visible > 0
    assert seen.mean() > 0.8
    still, moved = np.abs(second - first)[seen].mean(), np.abs(second - warp(first, motion.offset))[seen].mean()
    assert moved < still / 10

    for change, word in (({"motion_blur": True}, "motion blur"), ({"time_remap": [100, 50]}, "time remapping")):
        (folder / "shot.json").write_text(json.dumps(data | change))
        with open_shot(folder) as shot:
            source = make_motion(shot, "auto")
            assert source.kind == "flow" and word in source.notices[0]
            with pytest.raises(InputError, match=word):
                make_motion(shot, "vectors")
    frames["2"]["type"] = "PANO"
    (folder / "shot.json").write_text(json.dumps(data))
    with open_shot(folder) as shot, pytest.raises(InputError, match="panoramic"):
        make_motion(shot, "vectors")


def test_every_second_frame_has_no_vectors_to_its_neighbor(tmp_path: Path) -> None:
    folder, _ = box_shot(tmp_path / "box")
    (folder / "s_0002.exr").rename(folder / "s_0003.exr")
    shutil.copy(folder / "s_0003.exr", folder / "s_0005.exr")
    with open_shot(folder) as shot:
        source = make_motion(shot, "auto")
        assert source.kind == "flow" and "very next frame" in source.notices[0]
        with pytest.raises(InputError, match="very next frame"):
            make_motion(shot, "vectors")


def test_vectors_left_empty_by_motion_blur_are_noticed(tmp_path: Path) -> None:
    folder = tmp_path / "blur"
    folder.mkdir()
    big = texture(1)
    for number in (1, 2, 3):
        rgb = big[50 : 50 + SIZE[0], 50 - 4 * number : 50 - 4 * number + SIZE[1]]
        write_exr(folder / f"s_{number:04d}.exr", rgb, np.zeros((*SIZE, 4), np.float32), None, None)
    with open_shot(folder) as shot:
        source = make_motion(shot, "auto")
        assert source.kind == "flow" and "motion blur" in source.notices[0]


def test_a_scene_cut_is_found(tmp_path: Path) -> None:
    folder = glide(tmp_path / "cut", 2, 1)
    cv2.imwrite(str(folder / "f_0002.png"), (texture(9)[: SIZE[0], : SIZE[1]] * 255).astype(np.uint8))
    assert between(folder, "flow")[0] is None


def test_a_missing_vector_pass_names_the_file(tmp_path: Path) -> None:
    with open_shot(glide(tmp_path / "png", 1, 1)) as shot:
        with pytest.raises(InputError, match=r"f_0001\.png has no Vector"):
            make_motion(shot, "vectors")
        with pytest.raises(InputError, match="'fast'"):
            make_motion(shot, "fast")
        assert make_motion(shot, "auto").kind == "flow"

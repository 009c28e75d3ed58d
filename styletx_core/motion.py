# SPDX-License-Identifier: GPL-3.0-or-later
"""How the pixels of a shot move: from the render's vectors and cameras, or from optical flow.

Blender's Vector pass (docs/blender.md): ``X, Y`` lead to where the pixel was in the previous frame, ``Z, W`` come
from where it will be in the next, in pixels, Y up. With rows counted down a pixel at (x, y) was at (x + X, y - Y)
and will be at (x - Z, y + W).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from .channels import largest, where
from .errors import InputError
from .halves import half, single
from .shot import Frame, Shot
from .shot.camera import Pose
from .warp import grid, inside, places, sample, warp

KINDS = ("auto", "vectors", "flow", "none")
WORLD_DEPTH = 1e9  # the world lies at 1e10 in the Depth pass
_OUTSIDE = 9999.0  # vectors outside a render border are 10000


@dataclass(frozen=True, eq=False)
class Motion:
    """From each pixel of a frame to its place in the previous one, and back.

    offset: HxWx2 float32, (dx, dy) in pixels, rows down. visible: HxW float32 in 0..1, 0 where the previous frame
    did not show this surface. seen: HxW bool, forward and backward motion agree within a pixel:
    what the temporal error is measured on. ahead, ahead_visible: the same as offset and visible, from each pixel of
    the previous frame to its place in this one.
    """

    offset: np.ndarray
    visible: np.ndarray
    seen: np.ndarray
    ahead: np.ndarray
    ahead_visible: np.ndarray

    def compact(self) -> Motion:
        """For keeping many: offsets in half precision (1/32 pixel at 64), what is visible as bool."""
        return self._cast(half, np.bool_)

    def full(self) -> Motion:
        """The other way round."""
        return self._cast(single, np.float32)

    def _cast(self, to: Callable[[np.ndarray], np.ndarray], visible: type) -> Motion:
        return Motion(to(self.offset), self.visible.astype(visible), self.seen, to(self.ahead),
                      self.ahead_visible.astype(visible))  # fmt: skip


class MotionSource:
    """Gives the motion between neighboring frames of one shot. ``kind`` is what is used: vectors, flow or none."""

    def __init__(self, shot: Shot, kind: str, notices: list[str]) -> None:
        self.shot, self.kind, self.notices = shot, kind, notices

    def between(
        self, previous: Frame, current: Frame, previous_display: np.ndarray, current_display: np.ndarray
    ) -> Motion | None:
        """The motion from ``current`` back to ``previous``; None where a cut lies between them.

        The displays are HxWx3 float32 in 0..1, as the network sees them.
        """
        if self.kind == "none" or self._camera_changes(previous, current):
            return None
        if self.kind == "vectors":
            back, ahead, known, known_ahead = self._vectors(previous, current, previous_display, current_display)
        else:
            back = _flow(current_display, previous_display)
            ahead = _flow(previous_display, current_display)
            known = known_ahead = np.ones(back.shape[:2], bool)
        seen, seen_ahead = known & _returns(back, ahead), known_ahead & _returns(ahead, back)
        visible, ahead_visible = seen, seen_ahead
        if self.kind == "vectors":
            visible = seen & _same_depth(previous, current, back)
            ahead_visible = seen_ahead & _same_depth(current, previous, ahead)
        if _is_cut(previous_display, current_display, back, visible):
            return None
        return Motion(back, visible.astype(np.float32), seen, ahead, ahead_visible.astype(np.float32))

    def _camera_changes(self, previous: Frame, current: Frame) -> bool:
        track = self.shot.camera
        if track is None:
            return False
        before, now = track.pose(previous.number), track.pose(current.number)
        return before is not None and now is not None and before.camera != now.camera

    def _vectors(
        self, previous: Frame, current: Frame, previous_display: np.ndarray, current_display: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        if previous.vector is None or current.vector is None:
            frame = previous if previous.vector is None else current
            raise InputError(f"{self.shot.file(frame.number)} has no Vector pass, unlike the frames before; render "
                             "it again or use optical flow.")  # fmt: skip
        back, ahead = current.vector[..., :2].copy(), previous.vector[..., 2:].copy()
        np.negative(back[..., 1], out=back[..., 1])
        np.negative(ahead[..., 0], out=ahead[..., 0])
        back, ahead = _nearest(back, current.depth), _nearest(ahead, previous.depth)
        known, known_ahead = (largest(np.abs(vector)) < _OUTSIDE for vector in (current.vector, previous.vector))
        world_now, world_before = _world(current), _world(previous)
        if world_now.any() or world_before.any():
            camera = self._world_motion(previous, current, (back.shape[0], back.shape[1]))
            if camera is not None:
                turn_back, turn_ahead = camera
            else:
                turn_back = _flow(current_display, previous_display)
                turn_ahead = _flow(previous_display, current_display)
            back = where(world_now, turn_back, back)
            ahead = where(world_before, turn_ahead, ahead)
        known &= np.isfinite(back[..., 0] + back[..., 1])  # of the nearest surface, or of a camera that sees nothing
        known_ahead &= np.isfinite(ahead[..., 0] + ahead[..., 1])
        return where(known, back, np.float32(0)), where(known_ahead, ahead, np.float32(0)), known, known_ahead

    def _world_motion(
        self, previous: Frame, current: Frame, size: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray] | None:
        track = self.shot.camera
        if track is None:
            return None
        before, now = track.pose(previous.number), track.pose(current.number)
        if before is None or now is None:
            return None
        return world_offset(now, before, size), world_offset(before, now, size)


def make_motion(shot: Shot, kind: str = "auto") -> MotionSource:
    """The source of motion for a shot. ``kind``: vectors (needs the Vector pass), flow, none, or auto (vectors where
    they are there and can be used, else flow). Raises InputError where vectors are asked for and cannot be used."""
    if kind not in KINDS:
        raise InputError(f"There is no motion called '{kind}'; choose one of: {', '.join(KINDS)}.")
    if len(shot.numbers) < 2 or kind == "none":
        return MotionSource(shot, "none", [])
    if kind == "flow":
        return MotionSource(shot, "flow", [])
    if kind == "auto" and not shot.has_vector:
        return MotionSource(shot, "flow", [])
    if kind == "vectors":
        shot.require("vector")
    reason = _why_not_vectors(shot)
    if reason is None:
        notices = []
        if shot.camera is None and shot.has_depth:
            notices.append("There is no shot.json beside the frames, so the motion of the background comes from "
                           "optical flow; the add-on writes one, or give it with --camera.")  # fmt: skip
        return MotionSource(shot, "vectors", notices)
    if kind == "vectors":
        raise InputError(f"The motion vectors of {shot.path} cannot be used: {reason}; use optical flow or auto.")
    return MotionSource(shot, "flow", [f"Motion comes from optical flow, because {reason}."])


def _why_not_vectors(shot: Shot) -> str | None:
    """Why the Vector pass does not tell the motion between the frames of this shot, None where it does."""
    step = min(b - a for a, b in zip(shot.numbers, shot.numbers[1:], strict=False))
    track = shot.camera
    if step != 1:
        return f"its frames are {step} apart and vectors reach to the very next frame only"
    if track is not None:
        if track.motion_blur:
            return "the shot was rendered with motion blur, which leaves the Vector pass empty"
        if track.time_remap[0] != track.time_remap[1]:
            return "the shot was rendered with time remapping, which vectors do not know of"
        if any(pose.type == "PANO" for pose in track.poses.values()):
            return "a panoramic camera's vectors do not tell where pixels move"
    elif _vectors_empty(shot):
        return "the Vector pass is all zeros though the picture moves (motion blur was on when it was rendered)"
    return None


def _vectors_empty(shot: Shot) -> bool:
    middle = len(shot.numbers) // 2
    first, second = (shot.read(n) for n in shot.numbers[max(0, middle - 1) : middle + 1])
    if second.vector is None or second.vector.any():
        return False
    a, b = (np.clip(frame.rgb, 0, 1) ** np.float32(1 / 2.2) for frame in (first, second))
    back, ahead = _flow(b, a), _flow(a, b)
    moves = (np.hypot(back[..., 0], back[..., 1]) > 1) & _agree(back, warp(ahead, back))
    return float(moves.mean()) > 0.05


def world_offset(now: Pose, then: Pose, size: tuple[int, int]) -> np.ndarray:
    """Where the world behind everything, seen at each pixel by ``now``, is seen by ``then``: HxWx2 offsets.

    The world is infinitely far away, so that only the cameras' rotation and lens count. An orthographic camera sees
    one direction in all its pixels: the world stands still in it.
    """
    height, width = size
    if now.type == "ORTHO" or then.type == "ORTHO":
        return np.zeros((height, width, 2), np.float32)
    own = grid(height, width).astype(np.float64)
    clip = np.stack(((own[..., 0] + 0.5) / width * 2 - 1, 1 - (own[..., 1] + 0.5) / height * 2), -1)
    # a direction d is seen at clip (P0.d / P3.d, P1.d / P3.d): with d = (a, b, -1) that is two equations
    p = now.projection[:3, :3]
    lens = now.projection
    d = np.empty((height, width, 3))
    d[..., 2] = -1
    w = -lens[3, 2]
    d[..., 0] = (clip[..., 0] * w + p[0, 2]) / p[0, 0]
    d[..., 1] = (clip[..., 1] * w + p[1, 2]) / p[1, 1]
    turn = _rotation(then.world).T @ _rotation(now.world)
    d = d @ turn.T
    lens = then.projection
    w = d @ lens[3, :3]
    behind = w <= 1e-6
    w = np.where(behind, 1, w)
    x = (d @ lens[0, :3] / w + 1) / 2 * width - 0.5
    y = (1 - d @ lens[1, :3] / w) / 2 * height - 0.5
    offset = np.stack((x, y), -1) - own
    offset[behind] = 2 * max(width, height)  # outside, hence not visible
    return offset.astype(np.float32)


def _rotation(world: np.ndarray) -> np.ndarray:
    """The rotation of a camera's matrix; its scale does not turn what it sees."""
    axes = world[:3, :3]
    return axes / np.linalg.norm(axes, axis=0)


def _world(frame: Frame) -> np.ndarray:
    """HxW bool: pixels that show the world and no object."""
    if frame.depth is not None:
        return frame.depth > WORLD_DEPTH
    if frame.alpha is not None and frame.vector is not None:
        return (frame.alpha < 0.5) & ~frame.vector.any(2)
    return np.zeros(frame.rgb.shape[:2], bool)


def _nearest(offset: np.ndarray, depth: np.ndarray | None) -> np.ndarray:
    """Where depth jumps, take the offset of the nearest surface around, as temporal antialiasing does.

    A silhouette's pixels hold a mean of the vectors on both sides, which is the motion of neither.
    """
    if depth is None:
        return offset
    depth = np.fmin(depth, np.float32(1e10))  # NaN, too, is far away
    window = np.ones((3, 3), np.uint8)
    jump = cv2.dilate(depth, window) > cv2.erode(depth, window) * 1.05
    if not jump.any():
        return offset
    # a pixel at the jump may itself hold a mean, so pixels away from it (two pixels are enough) come first
    rank = cv2.copyMakeBorder(np.where(jump, depth * 1e6, depth), 2, 2, 2, 2, cv2.BORDER_REPLICATE)
    around = cv2.copyMakeBorder(offset, 2, 2, 2, 2, cv2.BORDER_REPLICATE)
    rows, columns = np.nonzero(jump)
    best, found = np.full(len(rows), np.inf, np.float32), offset[rows, columns]
    for dy in range(5):
        for dx in range(5):
            other = rank[rows + dy, columns + dx]
            closer = other < best
            best[closer] = other[closer]
            found[closer] = around[rows[closer] + dy, columns[closer] + dx]
    out = offset.copy()
    out[rows, columns] = found
    return out


def _returns(offset: np.ndarray, other: np.ndarray) -> np.ndarray:
    """HxW bool: the offset leads into the picture, and the other one from there back to within a pixel."""
    return inside(offset) & (_squared(offset + warp(other, offset)) < 1)


def _agree(back: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """Forward and backward motion cancel (Sundaram et al. 2010, as Ruder et al. 2016 use it, section 5.1)."""
    return _squared(back + ahead) <= 0.01 * (_squared(back) + _squared(ahead)) + 0.5


# numpy reduces over a short last axis an order of magnitude slower than these
def _squared(offset: np.ndarray) -> np.ndarray:
    """HxW: squared length of offsets."""
    return np.square(offset[..., 0]) + np.square(offset[..., 1])


def _same_depth(previous: Frame, current: Frame, back: np.ndarray) -> np.ndarray:
    """HxW bool: depth says that the place in the previous frame shows the same surface.

    Object ids could say so too, but they are not antialiased: along every silhouette they flip from frame to frame.
    """
    if previous.depth is None or current.depth is None:
        return np.ones(back.shape[:2], bool)
    window = np.ones((5, 5), np.uint8)
    before, now = np.fmin(previous.depth, np.float32(1e10)), np.fmin(current.depth, np.float32(1e10))
    near = warp(cv2.erode(before, window), back, "nearest")
    far = warp(cv2.dilate(before, window), back, "nearest")
    return (now >= near * 0.95) & (now <= far * 1.05)


def _is_cut(previous: np.ndarray, current: np.ndarray, back: np.ndarray, visible: np.ndarray) -> bool:
    """Next to nothing of the picture continues. Some of the pixels tell."""
    height, width = visible.shape
    step = max(1, min(height, width) // 270)
    some = np.arange(height * width).reshape(height, width)[::step, ::step].ravel()
    there = sample(previous, places(back, some))
    same = largest(np.abs(current.reshape(-1, 3)[some] - there)) < 0.12
    return float((same & visible.ravel()[some]).mean()) < 0.2


def _flow(here: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Optical flow by DIS (Kroeger et al. 2016): HxWx2 offsets from pixels ``here`` to their places ``there``."""
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    gray = [cv2.cvtColor((np.clip(p, 0, 1) * 255 + 0.5).astype(np.uint8), cv2.COLOR_RGB2GRAY) for p in (here, there)]
    height, width = gray[0].shape
    factor = int(np.ceil(64 / min(height, width)))
    if factor > 1:  # too small for the flow's pyramid: enlarge, then scale back
        gray = [cv2.resize(g, None, fx=factor, fy=factor, interpolation=cv2.INTER_LINEAR) for g in gray]
    flow = np.asarray(dis.calc(gray[0], gray[1], None), np.float32)  # type: ignore[call-overload]
    return cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA) / factor if factor > 1 else flow

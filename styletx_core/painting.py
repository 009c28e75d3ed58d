# SPDX-License-Identifier: GPL-3.0-or-later
"""Turns a shot's frames into stylized pictures: each alone, between anchors, or each from the one before."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, NamedTuple, overload

import numpy as np

from styletx_core.color import ViewTransform, put_back, to_picture
from styletx_core.frugal import Frugal
from styletx_core.halves import half, single
from styletx_core.job import Settings
from styletx_core.keyed import at
from styletx_core.memory import AHEAD
from styletx_core.methods.base import Guide, Method, Step, Tiling
from styletx_core.methods.colors import luma, with_chroma
from styletx_core.motion import Motion, MotionSource
from styletx_core.pipeline import ahead
from styletx_core.regions import Composite, Layer, Regions, together
from styletx_core.registry import load, method_info
from styletx_core.results import Progress
from styletx_core.shot import Encoding, Frame, Shot
from styletx_core.spread import spread
from styletx_core.temporal import EVERY, Anchor, Blend, Way, blend, pieces, temporal_error
from styletx_core.warp import warp

STATISTICS_FRAMES = 8  # of the shot, from which the method's statistics are fixed
_NO_PICTURE = np.empty((0, 0, 3), np.float32)
_KEPT = 8  # paintings of two anchors in different styles


@dataclass(frozen=True)
class Painted:
    """A frame, what the network saw of it and what it made: two HxWx3 float32, display-referred 0..1.

    errors: the temporal error, and the same had each frame been stylized alone, None for methods that do
    not; None where there is none.
    """

    frame: Frame
    picture: np.ndarray
    stylized: np.ndarray
    errors: tuple[float, float | None] | None = None


class Stepped(NamedTuple):
    """A step of a method that paints in steps."""

    frame: int
    step: Step


Work = Generator[Stepped | Painted, None, None]
Paint = Generator[Stepped, None, np.ndarray]


@dataclass(frozen=True, eq=False)
class Seen:
    """A frame as it is painted. picture: HxWx3 float32, display-referred 0..1. layers: what is painted in it."""

    frame: Frame
    picture: np.ndarray
    layers: list[Layer]

    def lighter(self, picture: np.ndarray, halved: bool) -> Seen:
        """For keeping many: with this picture, and without the passes, from which motion and layers were taken.

        halved: colors in half precision, as their file has them.
        """
        frame = replace(self.frame, vector=None, depth=None, index=None, crypto=None, mattes={})
        return replace(self, frame=_in(half, frame) if halved else frame, picture=picture)

    def full(self) -> Seen:
        """The colors in float32 again."""
        return replace(self, frame=_in(single, self.frame))

    def composite(self) -> Composite:
        """For the paint of its layers."""
        return Composite(self.picture, [layer.share for layer in self.layers])


class Next(NamedTuple):
    """A frame that was read ahead, and the motion from it back to the one that was read before."""

    seen: Seen
    motion: Motion | None


class Painter:
    """Paints each frame alone. The method's statistics are those of the whole shot all the same.

    Frames are read beside the painting (`coming`): what that uses - shot, regions, motion, check - is used by a thread
    while frames are painted, and by nobody else; the method is not among it.

    check: called between the steps of a frame; may raise to end the work. begin: told the frame that is worked on.
    """

    reads_ahead = 1  # frames

    def __init__(
        self,
        settings: Settings,
        styles: Sequence[np.ndarray | str],
        regions: Regions,
        shot: Shot,
        transform: ViewTransform,
        motion: MotionSource,
        check: Callable[[], None],
        begin: Callable[[int], None],
    ) -> None:
        self.settings, self.regions = settings, regions
        self.shot, self.transform, self.motion = shot, transform, motion
        self.check, self.begin = check, begin
        self.uses_masks = method_info(settings.method).uses_masks

        def made(device: str) -> Method:
            # the processor that takes over paints in full precision, whatever was asked of the graphics card
            precision = settings.precision if device == settings.device else "auto"
            return load(settings.method, device, precision, settings.weights, **settings.options)

        weighted = [(style, 1.0) for style in styles]
        tiling = Tiling(settings.tile, settings.tileable)
        self.method = Frugal(made, settings.device, tiling, weighted, settings.keep_colors)

    @property
    def device(self) -> str:
        """What it paints on now."""
        return str(self.method.device)

    def told(self) -> list[str]:
        """Where the method had to give way for lack of memory since the last call, in sentences."""
        told = self.method.told  # a thread may be adding to it
        return [told.pop(0) for _ in range(len(told))]

    @staticmethod
    def needed(
        numbers: Sequence[int], wanted: Sequence[int], done: Collection[int], progress: Progress | None
    ) -> list[int]:
        """The frames to paint, in order, so that the wanted ones are done and measured."""
        return [number for number in wanted if number not in done]

    def paint(self, numbers: Sequence[int]) -> Work:
        """Paints frames, in order; yields each as Painted, and on the way the method's steps, if it takes any."""
        with closing(self.coming(numbers)) as coming:
            for seen, _ in coming:
                self.begin(seen.frame.number)
                composite = seen.composite()
                for layer in seen.layers:
                    composite.add((yield from self.steps(seen, layer, self.guide(seen, layer))), layer.share)
                yield Painted(seen.frame, seen.picture, composite.result)

    def coming(self, numbers: Iterable[int], last: Seen | None = None) -> Generator[Next, None, None]:
        """The frames in this order, read ahead in a thread. last: the one before the first, for its motion."""

        def take(number: int) -> Next:
            nonlocal last
            before, last = last, self.look(number)
            motion = self.between(before, last) if before is not None and self.moves(before, last) else None
            return Next(self.kept(last), motion)

        return ahead(numbers, take, self.reads_ahead)

    def moves(self, before: Seen, now: Seen) -> bool:
        """Whether the motion between two frames that follow each other is asked for."""
        return False

    def between(self, before: Seen, now: Seen) -> Motion | None:
        self.check()
        return self.motion.between(before.frame, now.frame, before.picture, now.picture)

    def kept(self, seen: Seen) -> Seen:
        """What is needed of a frame that has been read."""
        return seen

    def state(self) -> dict[str, np.ndarray]:
        """What `resume` needs to go on from here, beside the shot."""
        return {}

    def resume(self, progress: Progress) -> None:
        """Goes on as if frame `progress.last` had just been painted."""

    def fix_statistics(self) -> None:
        """Fixes the method's statistics for the whole shot, so that they do not flicker with its content."""
        numbers = spread(self.shot.numbers, STATISTICS_FRAMES)
        self.method.fix_statistics(_Pictures(numbers, lambda number: self.read(number)[1]))

    def read(self, number: int) -> tuple[Frame, np.ndarray]:
        self.check()
        frame = self.shot.read(number)
        self.check()
        return frame, to_picture(frame, self.shot.encoding, self.transform)

    def look(self, number: int) -> Seen:
        frame, picture = self.read(number)
        layers = self.regions.layers(frame) if self.strength(number) > 0 else []
        if self.uses_masks and layers:
            layers = [together(layers)]
        return Seen(frame, picture, layers)

    def strength(self, number: int) -> float:
        return at(self.settings.strength, number)

    def guide(self, seen: Seen, layer: Layer) -> Guide:
        return Guide(weights=layer.weights, size=at(self.settings.size, seen.frame.number), masks=layer.masks)

    def steps(self, seen: Seen, layer: Layer, guide: Guide) -> Paint:
        """The whole frame in a layer's styles and its own strength, HxWx3; yields the method's steps."""
        self.check()
        number = seen.frame.number
        steps = self.method.steps(seen.picture, self.strength(number), guide)
        with closing(steps):
            while True:
                try:
                    yield Stepped(number, next(steps))
                except StopIteration as end:
                    stylized: np.ndarray = end.value
                    return stylized
                self.check()

    def put_back(self, painted: Painted, to: Encoding) -> tuple[np.ndarray, np.ndarray | None]:
        """rgb HxWx3 and alpha HxW for the writer, scene-linear or display-referred."""
        self.check()
        encoding = self.shot.encoding
        return put_back(painted.frame, encoding, painted.picture, painted.stylized, self.transform, to)


class ChainPainter(Painter):
    """For methods that start from the result of the frame before (Ruder et al. 2016, section 4.1)."""

    before: Seen | None = None  # the frame before the first
    last: np.ndarray | None = None  # the result of the frame before, float16, None where nothing was painted

    @staticmethod
    def needed(
        numbers: Sequence[int], wanted: Sequence[int], done: Collection[int], progress: Progress | None
    ) -> list[int]:
        """All from the first missing one, and before it those that come after the state saved last."""
        missing = [number for number in wanted if number not in done]
        if not missing:
            return []
        start = numbers[0]
        if progress is not None and progress.last < missing[0]:
            start = progress.last + 1
        return [number for number in numbers if start <= number <= missing[-1]]

    def paint(self, numbers: Sequence[int]) -> Work:
        with closing(self.coming(numbers, self.before)) as coming:
            for seen, motion in coming:
                self.begin(seen.frame.number)
                errors, composite = None, seen.composite()
                last = None if self.last is None else single(self.last)
                previous = visible = None
                if motion is not None and last is not None and self.settings.stability > 0:
                    previous = np.clip(warp(last, motion.offset, "lanczos"), 0, 1)
                    visible = motion.visible * np.float32(self.settings.stability)
                for layer in seen.layers:
                    guide = replace(self.guide(seen, layer), previous=previous, visible=visible)
                    composite.add((yield from self.steps(seen, layer, guide)), layer.share)
                stylized = composite.result
                if motion is not None and last is not None:
                    error = temporal_error(stylized, last, motion)
                    errors = None if error is None else (error, None)
                # half precision on purpose, and used as such: what is saved to resume from is what the next frame has
                self.last = half(stylized) if seen.layers else None
                yield Painted(seen.frame, seen.picture, stylized, errors)

    def moves(self, before: Seen, now: Seen) -> bool:
        return bool(before.layers and now.layers)

    def state(self) -> dict[str, np.ndarray]:
        return {} if self.last is None else {"output": self.last}

    def resume(self, progress: Progress) -> None:
        if "output" in progress.temporal:
            self.before, self.last = self.look(progress.last), progress.temporal["output"]


class _Planned(NamedTuple):
    """A piece of the shot, those of its frames that are wanted, and whether it goes on where the plan's piece before
    ended, with an anchor in common."""

    piece: Sequence[int]
    wanted: Sequence[int]
    joined: bool

    @property
    def last(self) -> int:
        """The last frame that is wanted."""
        return self.wanted[-1]


class _Piece(NamedTuple):
    """Frames from one anchor to the next. motions: compact, from each but the first back to the one before it."""

    first: Seen
    second: Seen
    motions: list[Motion | None]


class _Brushed(NamedTuple):
    """What the method makes of a frame's layers, each by its key, HxWx3.

    alone: at full strength. weaker: at the frame's own, where that is less. anchors: of both anchors, in this frame's
    styles; none of a frame that is an anchor itself.
    """

    seen: Seen
    alone: dict[int, np.ndarray]
    weaker: dict[int, np.ndarray]
    anchors: dict[int, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class _Result:
    """The layers of a frame at full strength, by their keys: stylized alone, and steadied."""

    seen: Seen
    alone: dict[int, np.ndarray]
    steady: dict[int, np.ndarray]


class AnchorPainter(Painter):
    """Steadies the frames between anchors, piece by piece (`temporal`).

    Each layer has paint of its own, so that it is as steady as if its styles were painted alone, and what it hides or
    uncovers is its own.

    The method paints in a thread, ahead of the steadying, which needs nothing of it but its paint: the graphics card,
    or one core, is not idle while the other works.
    """

    ends: set[int]  # the frames that are anchors
    moving: set[int]  # those with motion back to the one before

    @staticmethod
    def needed(
        numbers: Sequence[int], wanted: Sequence[int], done: Collection[int], progress: Progress | None
    ) -> list[int]:
        """Those of whole pieces: a frame's error is measured on the one before, which is not read back from a file."""
        if all(number in done for number in wanted):
            return []
        measured = progress.errors if progress else {}
        missing = {n for n in wanted if n not in done or (n not in measured and n != numbers[0])}
        return [n for _, own in pieces(numbers) if (some := missing.intersection(own)) for n in own if n <= max(some)]

    def paint(self, numbers: Sequence[int]) -> Work:
        asked, plan, order = set(numbers), list[_Planned](), list[int]()
        self.ends, self.moving = set(), set()
        # all that the next piece needs, while this one is painted, unless frames are large
        self.reads_ahead = max(1, min(EVERY - 1, AHEAD // (self.shot.width * self.shot.height)))
        for piece, own in pieces(self.shot.numbers):
            if wanted := [number for number in own if number in asked]:
                joined = bool(plan) and plan[-1].last == piece[0]  # the anchor between two pieces is read once
                plan.append(_Planned(piece, wanted, joined))
                order += piece[joined:]
                if any(self.strength(number) > 0 for number in piece):
                    self.moving.update(piece[1:])
                self.ends.update((piece[0], piece[-1]))
        before: _Result | None = None
        with (
            closing(self.coming(order)) as coming,
            closing(ahead(self.brushed(plan, coming), lambda made: made)) as brushed,
        ):
            for part in plan:
                for result, painted in self.steadied(part, brushed, before if part.joined else None):
                    before = result
                    if painted.frame.number in part.wanted:
                        yield painted

    def moves(self, before: Seen, now: Seen) -> bool:
        return now.frame.number in self.moving

    def between(self, before: Seen, now: Seen) -> Motion | None:
        motion = super().between(before, now)
        return motion and motion.compact()

    def kept(self, seen: Seen) -> Seen:
        # pictures of the anchors are needed all the time, others are sooner made again than kept
        picture = seen.picture if seen.frame.number in self.ends else _NO_PICTURE
        return seen.lighter(picture, self.shot.bit_depth == "half")

    def brushed(self, plan: list[_Planned], coming: Iterator[Next]) -> Iterator[_Piece | _Brushed]:
        """All that the method has to paint: of each part of the plan a piece, and then its frames."""
        last: Seen | None = None
        anchors = _Anchors(self)
        for part in plan:
            frames, motions = [last if part.joined and last else next(coming).seen.full()], list[Motion | None]()
            for seen, motion in islice(coming, len(part.piece) - 1):
                frames.append(seen)
                motions.append(motion)
            first, second = frames[0], frames[-1]
            anchors.lie(first, second)
            yield _Piece(first, second, motions)
            del frames[: part.joined]
            while frames:
                last = frames.pop(0).full()  # they are large, and not needed any more
                if last.picture is _NO_PICTURE:
                    last = replace(last, picture=to_picture(last.frame, self.shot.encoding, self.transform))
                number = last.frame.number
                yield self.brush(last, anchors, number in self.ends)
                if number == part.last:
                    break

    def brush(self, seen: Seen, anchors: _Anchors, is_anchor: bool) -> _Brushed:
        alone, weaker, ends, strength = {}, {}, {}, self.strength(seen.frame.number)
        for layer in seen.layers:
            guide, key = self.guide(seen, layer), layer.key
            if is_anchor:
                alone[key] = anchors.paint(seen, guide)
            else:
                alone[key], ends[key] = self.whole(seen, guide), anchors.both(guide)
            if strength < 1:
                self.check()
                weaker[key] = self.method.stylize(seen.picture, strength, guide)
        return _Brushed(seen, alone, weaker, ends)

    def steadied(
        self, part: _Planned, brushed: Iterator[_Piece | _Brushed], last: _Result | None
    ) -> Iterator[tuple[_Result, Painted]]:
        """The frames from one anchor to the next. last: the first of them, where it is there already."""
        piece = next(brushed)
        assert isinstance(piece, _Piece)
        here = Way.none(self.shot.height, self.shot.width)
        motions, steps = piece.motions, len(piece.motions)
        after = [here.compact()]  # the ways to the second anchor, from its own back to that of the second frame
        for motion in reversed(motions[1:]):
            after.append(after[-1].full().after(motion and motion.full()).compact())
        way = here
        for place, number in enumerate(part.piece):
            if place == 0 and last is not None:
                continue
            self.begin(number)
            self.check()
            made, motion = next(brushed), None
            assert isinstance(made, _Brushed)
            if place > 0:
                motion = motions.pop(0)
                motion = motion and motion.full()
                way, ahead = way.before(motion), after.pop().full()
            now = _Result(made.seen, made.alone, made.alone)
            if last is not None and made.anchors:
                ends = Anchor(piece.first.picture, way), Anchor(piece.second.picture, ahead)
                picture, stability = made.seen.picture, self.settings.stability
                mix = blend(picture, *ends, place / steps, last.seen.picture, motion, stability)
                now = replace(now, steady=self.steady(made, mix, last))
            yield now, self.painted(now, made.weaker, last, motion)
            if number == part.last:
                break
            last = now

    def steady(self, made: _Brushed, mix: Blend, last: _Result) -> dict[int, np.ndarray]:
        steady = {}
        for key, alone in made.alone.items():
            self.check()
            paint = mix.paint(alone, *made.anchors[key], last.steady.get(key))
            steady[key] = self.colored(paint, made.seen.picture)
        return steady

    def painted(
        self, now: _Result, weaker: dict[int, np.ndarray], last: _Result | None, motion: Motion | None
    ) -> Painted:
        """The layers laid together, at the frame's own strength."""
        seen, composite, errors = now.seen, now.seen.composite(), []
        for layer in seen.layers:
            self.check()
            steady, alone = now.steady[layer.key], now.alone[layer.key]
            if layer.key in weaker:
                # Paint is carried at full strength, so that a keyed strength does not lag; what steadiness adds is
                # laid on the weaker picture.
                added = np.float32(self.strength(seen.frame.number)) * (steady - alone)
                composite.add(np.clip(weaker[layer.key] + added, 0, 1), layer.share)
            else:
                composite.add(steady, layer.share)
            if last is not None and motion is not None and layer.key in last.steady:
                ours = temporal_error(steady, last.steady[layer.key], motion)
                theirs = temporal_error(alone, last.alone[layer.key], motion)
                if ours is not None and theirs is not None:
                    errors.append((1.0 if layer.share is None else float(layer.share.mean()), ours, theirs))
        return Painted(seen.frame, seen.picture, composite.result, _joined(errors))

    def whole(self, seen: Seen, guide: Guide) -> np.ndarray:
        """The whole frame at full strength, HxWx3."""
        self.check()
        return self.method.stylize(seen.picture, guide=guide)

    def colored(self, steady: np.ndarray, picture: np.ndarray) -> np.ndarray:
        """With the frame's own chroma, where the job keeps it: what is carried has that of the anchors."""
        if self.settings.keep_colors != "luminance":
            return steady
        return with_chroma(luma(steady), picture)


class _Anchors:
    """The paint of two anchors. Where something keyed changes on the way they are painted in each frame's own style."""

    def __init__(self, painter: AnchorPainter) -> None:
        self.painter = painter
        self.anchors: tuple[Seen, ...] = ()
        self.kept: dict[tuple[int, Any], np.ndarray] = {}

    def lie(self, *anchors: Seen) -> None:
        """On to the next two. What is painted of one that stays is kept."""
        self.anchors, numbers = anchors, [seen.frame.number for seen in anchors]
        self.kept = {key: paint for key, paint in self.kept.items() if key[0] in numbers}

    def both(self, guide: Guide) -> tuple[np.ndarray, np.ndarray]:
        first, second = (self.paint(seen, guide) for seen in self.anchors)
        return first, second

    def paint(self, seen: Seen, guide: Guide) -> np.ndarray:
        """An anchor at full strength, HxWx3."""
        key = seen.frame.number, (guide.weights, guide.size)
        if key not in self.kept:
            while len(self.kept) >= _KEPT:
                self.kept.pop(next(iter(self.kept)))
            self.kept[key] = self.painter.whole(seen, guide)
        return self.kept[key]


class _Pictures(Sequence[np.ndarray]):
    """Pictures that are read when asked for, so that a shot's samples are not all in memory at once."""

    def __init__(self, numbers: list[int], read: Callable[[int], np.ndarray]) -> None:
        self.numbers, self.read = numbers, read

    def __len__(self) -> int:
        return len(self.numbers)

    @overload
    def __getitem__(self, index: int) -> np.ndarray: ...
    @overload
    def __getitem__(self, index: slice) -> _Pictures: ...
    def __getitem__(self, index: int | slice) -> np.ndarray | _Pictures:
        if isinstance(index, slice):
            return _Pictures(self.numbers[index], self.read)
        return self.read(self.numbers[index])


def _in(to: Callable[[np.ndarray], np.ndarray], frame: Frame) -> Frame:
    """A frame with its colors in this precision."""
    return replace(frame, rgb=to(frame.rgb), alpha=None if frame.alpha is None else to(frame.alpha))


def _joined(errors: list[tuple[float, float, float]]) -> tuple[float, float] | None:
    """The errors (root mean squares) of layers together, each for its part of the frame."""
    if not errors:
        return None
    parts, *found = (np.array(one) for one in zip(*errors, strict=True))
    ours, alone = (float(np.sqrt((parts * one**2).sum() / parts.sum())) for one in found)
    return ours, alone

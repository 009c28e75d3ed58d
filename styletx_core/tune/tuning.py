# SPDX-License-Identifier: GPL-3.0-or-later
"""Fine-tunes a copy of ``adain_reconet`` to one shot, with the shot's own motion."""

from __future__ import annotations

import copy
import json
import math
import tempfile
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..color import ViewTransform
from ..engine import style_picture
from ..errors import InputError, StyleTXError, WorkError
from ..evaluate.distances import SIDE
from ..events import Event, Notice
from ..files import atomic_path
from ..job import Input, ViewSettings
from ..methods.adain_reconet import AdaINReCoNet
from ..methods.adain_reconet_net import save_weights
from ..motion import make_motion
from ..perceptual import losses
from ..perceptual.pictures import resize_longest
from ..perceptual.vgg import STYLE_LAYERS, VGG19, fast_bfloat16
from ..registry import load
from ..shot import Shot, open_shot
from .events import TuneFinished, TuneMeasured, TuneStarted, TuneStep
from .figures import Measure, better, holds, steady
from .pairs import MARGIN, Pairs, Windows

RATE = 5e-4
AVERAGE = 0.95  # decay of the averaged weights, which are the ones measured and saved
AREA = 320 * 192  # pixels of a window
MEASURE_EVERY = 25  # steps
W_CONTENT, W_STYLE, W_GRAM = 3.0, 25.0, 20.0
W_FEATURE = 0.3  # ReCoNet's feature-map temporal loss
W_DETAIL = 30.0  # detail as fine and as strong as at the start: blur is the cheapest way to be steady
CELL = 32  # pixels on a side of the cells in which detail is held
DETAIL = 1.05  # of the start's, for the mean holds what single windows miss
W_OUTPUT = 1000.0  # ReCoNet's output temporal loss, at the start: the measured figures move it up and down
RAISE, LOWER = 1.5, 0.75


@dataclass(frozen=True)
class Tuning:
    """What is tuned to what. ``styles``: pictures; each is learned by itself, and mixes of them lie between.

    minutes: ends the learning by time instead of by steps. out: the weights' file; None puts it beside the shot.
    """

    input: Input
    styles: tuple[str, ...]
    out: str | None = None
    motion: str = "auto"
    view: ViewSettings = field(default_factory=ViewSettings)
    weights: str | None = None  # to start from; None takes those that ship with the package
    device: str = "auto"
    steps: int = 300
    minutes: float | None = None
    rate: float = RATE
    seed: int = 0
    overwrite: bool = False


def tune(tuning: Tuning, cancelled: Callable[[], bool] | None = None) -> Generator[Event, None, None]:
    """Yields TuneStarted, then TuneStep, TuneMeasured and Notice, at last TuneFinished.

    The file holds the best weights found: the steadiest of those that lose nothing (`figures.holds`), with the style
    encoder untouched. Where nothing was gained there is none. `cancelled` is asked after each step; once it answers
    True the best so far is kept. Closing the generator writes nothing.

    Raises InputError for bad input and WorkError for what fails while working, each with one sentence.
    """
    try:
        yield from _tune(tuning, cancelled or (lambda: False))
    except StyleTXError:
        raise
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, MemoryError) or "memory" in str(error).lower():
            raise WorkError("The memory is full while tuning; close other programs or choose --device cpu.") from error
        raise WorkError(f"Tuning failed with {type(error).__name__} ({' '.join(str(error).split())}).") from error


def _tune(tuning: Tuning, cancelled: Callable[[], bool]) -> Generator[Event, None, None]:
    began = time.monotonic()
    _check(tuning)
    given = tuning.input
    with open_shot(given.path, given.frames, given.layer, given.camera) as shot:
        out = _out(tuning, shot)
        if len(shot.numbers) < 2:
            raise InputError(f"{given.path} is a single frame; tuning needs the motion between at least two.")
        transform = ViewTransform(tuning.view, environment=shot.encoding == "linear" or tuning.view != ViewSettings())
        styles = [style_picture(path, transform) for path in tuning.styles]
        # loaded before the shot is read: weights that do not fit are found out at once
        method = cast(AdaINReCoNet, load("adain_reconet", tuning.device, "float32", tuning.weights))
        motion = make_motion(shot, tuning.motion)
        pairs = Pairs(shot, transform, motion)
    device = method.device
    measure = Measure(pairs, styles, str(device))
    start = best = measure(tuning.weights)
    notices = [*shot.notices, *motion.notices, *(transform.notices if shot.encoding == "linear" else [])]
    if not pairs.held_out:
        notices.append("The shot is too short to hold frames out; it is measured on the frames that are learned from.")
    torch.manual_seed(tuning.seed)
    learner = _Learner(tuning, method, styles, pairs, measure.eye.vgg)
    yield TuneStarted(
        pairs=len(pairs.learned),
        held_out=len(pairs.held_out),
        width=shot.width,
        height=shot.height,
        device=str(device),
        motion=motion.kind,
        steps=None if tuning.minutes else tuning.steps,
        before=start,
    )
    yield from map(Notice, notices)

    clock = _Clock(tuning)
    found, best_step, stopped = None, 0, False
    with tempfile.TemporaryDirectory(prefix="styletx_tune_") as temporary:
        kept, tried = Path(temporary) / "kept.safetensors", Path(temporary) / "tried.safetensors"
        while clock.done < 1 and not stopped:
            loss = learner.step(clock.done)
            yield clock.tick(loss)
            stopped = cancelled()
            if clock.step % MEASURE_EVERY and clock.done < 1 and not stopped:
                continue
            learner.save(tried, tuning, clock.step)
            figures = measure(tried)
            is_best = better(figures, best, start)
            if is_best:
                found, best, best_step = kept, figures, clock.step
                tried.replace(kept)
            learner.weigh(holds(figures, start) and not steady(figures, start))
            yield TuneMeasured(clock.step, figures, is_best)
            clock.rest()
        if found is not None:
            with atomic_path(out) as aside:
                aside.write_bytes(found.read_bytes())
    yield TuneFinished(
        path=str(out) if found else None,
        step=best_step,
        stopped=stopped,
        before=start,
        after=best if found else None,
        seconds=time.monotonic() - began,
    )


class _Learner:
    """The network that learns, and the losses it learns by."""

    def __init__(
        self, tuning: Tuning, method: AdaINReCoNet, styles: list[np.ndarray], pairs: Pairs, vgg: VGG19
    ) -> None:
        self.pairs, self.device, self.rate = pairs, method.device, tuning.rate
        self.rng = np.random.default_rng(tuning.seed)
        self.vgg = _faster(vgg) if fast_bfloat16(self.device) else vgg
        # the styles' codes, the very ones that stylizing uses: the encoder is not trained, so they stay
        self.codes, self.targets = [], []
        for style in styles:
            method.set_style(style)
            self.codes.append(method._code.clone())
            self.targets.append(self._target(style))
        self.start = method._network
        self.network = copy.deepcopy(self.start)
        # the content path alone: the encoder tells styles apart and has seen thousands of them
        self.network.requires_grad_(True).style.requires_grad_(False)
        self.average = copy.deepcopy(self.network).requires_grad_(False)
        self.parameters = [p for p in self.network.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(self.parameters, betas=(0.9, 0.98))
        self.output = W_OUTPUT
        self.steps = 0

    @torch.no_grad()
    def _target(self, style: np.ndarray) -> list[losses.Target]:
        picture = torch.from_numpy(resize_longest(style, SIDE)).permute(2, 0, 1)[None].to(self.device)
        features = self.vgg(picture, STYLE_LAYERS)
        return [losses.statistics(features[name]) for name in STYLE_LAYERS]

    def step(self, done: float) -> float:
        """Learn from one window in one style; ``done``: share of the work, which lowers the rate. Gives the loss."""
        warm = min(1.0, (self.steps + 1) / 10)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate * warm * (0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, done))))
        which = self.steps % len(self.codes)
        windows = self.pairs.draw(1, AREA, self.rng, self.device)
        loss = self.loss(windows, self.codes[which], self.targets[which])
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, 2.0)
        self.optimizer.step()
        self.steps += 1
        with torch.no_grad():
            decay = min(AVERAGE, self.steps / (9 + self.steps))
            for a, b in zip(self.average.parameters(), self.network.parameters(), strict=True):
                a.lerp_(b, 1 - decay)
        return loss.item()

    def loss(self, windows: Windows, code: Tensor, target: list[losses.Target]) -> Tensor:
        """Content, style and detail of the second frame, and ReCoNet's temporal losses between both."""
        count = len(windows.now)
        both = torch.cat((windows.before, windows.now))
        painted, features = self.network(both, code)
        out, photo = _inner(painted, MARGIN), _inner(both, MARGIN)
        with torch.no_grad():
            wanted = self.vgg(photo[count:], ("relu4_1",))["relu4_1"]
            at_start = _inner(self.start(windows.now, code)[0], MARGIN)
        found = self.vgg(out[count:], STYLE_LAYERS)
        pairs = list(zip([losses.statistics(found[name]) for name in STYLE_LAYERS], target, strict=True))
        features = _inner(features, MARGIN // 8)
        offset, seen = F.avg_pool2d(windows.offset, 8) / 8, (F.avg_pool2d(windows.seen, 8) > 0.99).float()
        return (
            W_CONTENT * losses.content_distance(found["relu4_1"], wanted)
            + W_STYLE * torch.stack([losses.style_distance(*pair) for pair in pairs]).mean()
            + W_GRAM * torch.stack([losses.gram_distance(*pair) for pair in pairs]).mean()
            + W_DETAIL * _lost(_detail(out[count:]), _detail(at_start))
            + W_FEATURE * losses.feature_temporal(features[count:], losses.warp(features[:count], offset), seen)
            + self.output
            * losses.output_temporal(
                out[count:],
                losses.warp(out[:count], windows.offset),
                photo[count:],
                losses.warp(photo[:count], windows.offset),
                windows.seen,
            )
        )

    def weigh(self, more: bool) -> None:
        """Ask for more steadiness, or for less."""
        self.output *= RAISE if more else LOWER

    def save(self, path: Path, tuning: Tuning, step: int) -> None:
        """The averaged weights, in half precision, as they ship."""
        about = {"shot": tuning.input.path, "styles": tuning.styles, "steps": step}
        save_weights(self.average, path, tuned=json.dumps(about))


class _Clock:
    """How much is done and how long the rest takes."""

    def __init__(self, tuning: Tuning) -> None:
        self.steps, self.limit = tuning.steps, tuning.minutes * 60 if tuning.minutes else None
        self.step, self.done = 0, 0.0
        self.seconds: float | None = None
        self.began = self.last = time.monotonic()

    def tick(self, loss: float) -> TuneStep:
        """After each step."""
        now = time.monotonic()
        newest, self.last = now - self.last, now
        self.seconds = newest if self.seconds is None else self.seconds + 0.2 * (newest - self.seconds)
        self.step += 1
        spent = now - self.began
        self.done = min(1.0, spent / self.limit if self.limit else self.step / self.steps)
        left = self.limit - spent if self.limit else spent / self.step * (self.steps - self.step)
        return TuneStep(self.step, self.done, loss, self.seconds, max(0.0, left))

    def rest(self) -> None:
        """After a pause that no step took."""
        self.last = time.monotonic()


def _check(tuning: Tuning) -> None:
    if not tuning.styles:
        raise InputError("No style picture was given; give at least one.")
    if tuning.steps < 1:
        raise InputError(f"The number of steps is {tuning.steps}; give 1 or more.")
    if tuning.minutes is not None and not tuning.minutes > 0:
        raise InputError(f"The number of minutes is {tuning.minutes:g}; give more than 0.")
    if not 0 < tuning.rate <= 0.1:
        raise InputError(f"The learning rate is {tuning.rate:g}; give one above 0, up to 0.1.")
    if tuning.motion == "none":
        raise InputError("Tuning learns from motion; give auto, vectors or flow.")


def _out(tuning: Tuning, shot: Shot) -> Path:
    """Where the weights go. Raises InputError where they cannot, which is better known before than after."""
    source = Path(tuning.input.path)
    name = source.resolve().name if source.is_dir() else shot.stem.rstrip("._-") or "shot"
    out = Path(tuning.out) if tuning.out else source.resolve().parent / f"{name}.tuned.safetensors"
    if out.suffix.lower() != ".safetensors":
        raise InputError(f"{out} is no name for weights; let it end in .safetensors.")
    if out.is_dir() or (out.exists() and not tuning.overwrite):
        raise InputError(f"{out} is there already; give another name with --out, or --overwrite.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out.parent):
            pass
    except OSError as error:
        raise InputError(f"Nothing can be written to {out.parent} ({error.strerror}); give --out FILE.") from error
    return out


def _inner(picture: Tensor, margin: int) -> Tensor:
    return picture[..., margin:-margin, margin:-margin]


def _detail(picture: Tensor) -> Tensor:
    """(N, 1, rows, columns): energy of the finest detail by cells, the mean square of the luminance's Laplacian."""
    kernel = picture.new_tensor(((0, 1, 0), (1, -4, 1), (0, 1, 0))).view(1, 1, 3, 3)
    energy = F.conv2d(losses.luminance(picture), kernel).square()
    side = min(CELL, *energy.shape[-2:])
    return F.avg_pool2d(energy, side, max(1, side // 2))


def _lost(found: Tensor, wanted: Tensor) -> Tensor:
    """What is missing of the wanted detail, by cells: else what moves fast fades and what rests makes up for it."""
    missing = F.relu(DETAIL - found / (wanted + 1e-6)).square()
    return (wanted * missing).sum() / (wanted.sum() + 1e-6)


def _faster(vgg: VGG19) -> VGG19:
    """The same in bfloat16; unpacking its weights once more would take seconds."""
    fast = copy.deepcopy(vgg)
    fast.convs.to(torch.bfloat16)
    fast.dtype = torch.bfloat16
    return fast

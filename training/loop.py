# SPDX-License-Identifier: GPL-3.0-or-later
"""What all trainings do alike around their step: rates, averages, log, checkpoints, and going on where one stopped.

A script builds its network, says in `forward` what a step's losses are, and hands both to `Loop`.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch import Tensor, nn

from styletx_core.errors import InputError, StyleTXError, WorkError
from styletx_core.files import atomic_path
from training import checkpoint, curves
from training.data import Picture, read_pictures
from training.muon import Muon
from training.pack import Pack

CLIP = 2.0  # norm of the gradients at most


def add_arguments(parser: argparse.ArgumentParser, steps: int) -> None:
    """The options of `Loop`: where to write, when to stop, rates, the machine."""
    # fmt: off
    # where to write and when to stop
    add = parser.add_argument
    add("--out", type=Path, required=True)
    add("--start", type=Path, help="weights of another training to begin with")
    add("--steps", type=int, default=steps)
    add("--minutes", type=float, help="stop (and decay the rate) by time instead of by steps; going on "
                                      "after a crash is then not exact, for the clock is not")
    add("--stop-after", type=float, help="end this slice of the training after so many minutes")
    add("--log-every", type=int, default=20, help="steps a line of the log; saves fall on lines")
    add("--save-every", type=int, default=100)
    add("--sample-every", type=int, default=500)
    # a step
    add("--size", type=int, default=128, help="side of the crops")
    add("--size-last", type=int, default=160, help="side of the crops in the last part of the training")
    add("--last", type=float, default=0.3, help="the last part, of the whole")
    add("--rate", type=float, default=1e-3, help="of Adam: all that is no filter")
    add("--rate-filters", type=float, default=5e-3, help="of Muon: the filters")
    add("--warm-up", type=int, default=100, help="steps in which the rates rise to their value")
    add("--average", type=float, default=0.998, help="decay of the averaged weights")
    # the machine
    add("--seed", type=int, default=0)
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    add("--threads", type=int, default=0, help="of the CPU; 0: as many as it has cores")
    add("--float32", action="store_true", help="VGG in float32, also where bfloat16 is faster")
    # fmt: on


def run(parser: argparse.ArgumentParser, train: Callable[[argparse.Namespace], None]) -> None:
    """The script's main: exit code 2 for bad input, 1 for work that failed, 130 for Ctrl-C, each with a sentence."""
    try:
        train(parser.parse_args())
    except StyleTXError as error:
        print(f"\n{error}", file=sys.stderr)
        sys.exit(2 if isinstance(error, InputError) else 1)
    except KeyboardInterrupt:
        print("\nStopped; the same command goes on from the last checkpoint.", file=sys.stderr)
        sys.exit(130)


def find_device(args: argparse.Namespace) -> torch.device:
    """The device, set up for speed; of several processes each takes its own."""
    device = torch.device(args.device)
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", device.index or 0)))
        torch.cuda.set_device(device)
        torch.set_float32_matmul_precision("high")  # TF32
        torch.backends.cudnn.allow_tf32 = True
    if args.threads:
        torch.set_num_threads(args.threads)
    return device


def check(args: argparse.Namespace, multiple: int, *counts: str) -> None:
    """InputError for options that cannot work. multiple: what sides of crops must be; counts: more that are >= 1."""
    for name in ("size", "size_last"):
        if (size := getattr(args, name)) is not None and (size % multiple or size < 64):
            raise InputError(f"--{name.replace('_', '-')} {size} must be a multiple of {multiple}, at least 64.")
    for name in ("steps", *counts, "log_every", "save_every", "sample_every"):
        if getattr(args, name) < 1:
            raise InputError(f"--{name.replace('_', '-')} must be at least 1.")


def pictures(folders: list[Path], pack: Pack | None, kind: str, held_out: bool) -> list[Picture]:
    """The pictures of a kind ("content" or "style") on one side of the split; InputError where there are none."""
    found = pack.pictures(kind, held_out) if pack else read_pictures(folders, held_out)
    if not found and not held_out:
        where = pack.name if pack else " or ".join(map(str, folders))
        raise InputError(
            f"There are no {kind} pictures to train on in {where}; name a folder of JPEG, PNG or WebP files."
        )
    return found


def loss_weights(args: argparse.Namespace) -> dict[str, float]:
    """What the options --w-... say, by the names of the losses."""
    return {name[2:]: weight for name, weight in vars(args).items() if name.startswith("w_")}


def weights_of(file: Path, network: nn.Module) -> dict[str, Tensor]:
    """Weights to begin with; InputError where they are not this network's."""
    try:
        weights = load_file(file)
    except Exception as error:
        raise InputError(f"{file} cannot be read as weights; give a weights.safetensors of this training.") from error
    return fitting(file, weights, network)


def fitting(file: Path, weights: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """The weights, where they are this network's; else InputError."""
    if {k: v.shape for k, v in weights.items()} != {k: v.shape for k, v in network.state_dict().items()}:
        raise InputError(f"{file} holds the weights of another network; give a network like it, or leave --start away.")
    return weights


def optimizers(
    args: argparse.Namespace, network: nn.Module, is_filter: Callable[[str], bool], more: Iterable[nn.Parameter] = ()
) -> dict[str, torch.optim.Optimizer]:
    """For what can be trained of a network, and ``more``.

    Filters are matrices and learn faster by Muon's orthogonal steps; everything else by Adam.
    """
    named = [(name, p) for name, p in network.named_parameters() if p.requires_grad]
    filters = [p for name, p in named if is_filter(name)]
    others = [*(p for name, p in named if not is_filter(name)), *more]
    found: dict[str, torch.optim.Optimizer] = {}
    if filters and args.rate_filters:
        found["muon"] = Muon(filters, args.rate_filters)
    elif filters:
        found["muon"] = torch.optim.Adam(filters, args.rate, betas=(0.9, 0.98))
    if others:
        found["adam"] = torch.optim.Adam(others, args.rate, betas=(0.9, 0.98))
    return found


class Loop:
    """The steps of one training, and what is kept of them in ``args.out``.

    network: what is trained; it has a ``config``. others: modules that are trained along and do not ship. weights: of
    the losses. write: writes weights as they ship, given the averaged network, the path and the steps. sheet: writes
    a sheet of samples, given the averaged network and the path. world, rank: how many processes share the work, and
    which of them this is.

    step: steps done. turn: the step from which the crops have --size-last, None before. average: the network with its
    weights averaged over the last steps.
    """

    def __init__(
        self,
        args: argparse.Namespace,
        network: nn.Module,
        optimizers: dict[str, torch.optim.Optimizer],
        weights: dict[str, float],
        write: Callable[[nn.Module, Path, int], None],
        sheet: Callable[[nn.Module, Path], None],
        others: dict[str, nn.Module] | None = None,
        world: int = 1,
        rank: int = 0,
    ) -> None:
        self.args, self.network, self.optimizers, self.weights = args, network, optimizers, weights
        self.write, self.sheet, self.world, self.rank = write, sheet, world, rank
        self.modules = {"network": network, **(others or {})}
        self.config = json.dumps(network.config)
        self.average = copy.deepcopy(network).requires_grad_(False)
        self.names: dict[Tensor, str] = {
            p: f"{prefix}.{name}" for prefix, module in self.modules.items() for name, p in module.named_parameters()
        }
        self.parameters = [p for optimizer in optimizers.values() for g in optimizer.param_groups for p in g["params"]]
        self.rates = {name: optimizer.param_groups[0]["lr"] for name, optimizer in optimizers.items()}
        self.device = next(network.parameters()).device
        self.step = 0
        self.began = 0  # step at which the optimizers began with empty hands
        self.turn: int | None = None
        self.spent = 0.0  # seconds, of all starts
        self.started = time.time()
        self.log = args.out / "log.jsonl"
        args.out.mkdir(parents=True, exist_ok=True)
        self._go_on()

    @property
    def size(self) -> int:
        """Side of the crops now."""
        return int(self.args.size if self.turn is None else self.args.size_last or self.args.size)

    @property
    def age(self) -> int:
        """Steps with crops of this size."""
        return self.step - (self.turn or 0)

    @property
    def done(self) -> float:
        """How much of the training is done, 0..1."""
        if self.args.minutes:
            return min(1.0, self.spent / (self.args.minutes * 60))
        return min(1.0, self.step / self.args.steps)

    @property
    def ended(self) -> bool:
        return bool(self.step >= self.args.steps or self.args.minutes and self.spent >= self.args.minutes * 60)

    def run(self, forward: Callable[[], dict[str, Tensor]], turned: Callable[[], None] = lambda: None) -> None:
        """Train to the end. forward: the losses of a step, by name. turned: called when the crops change their size."""
        args, world, rank = self.args, self.world, self.rank
        progress = Progress(self.step, self.done)
        totals: dict[str, Tensor] = {}  # of the losses since the last line of the log
        counts: dict[str, int] = {}
        saved = sampled = self.step
        last = time.time()
        ended, stopped = self.ended, False
        while not ended and not stopped:
            done = self.done
            if args.size_last and self.turn is None and done >= 1 - args.last:
                self.turn = self.step
                turned()
            for name, optimizer in self.optimizers.items():
                warm = min(1.0, (self.step - self.began + 1) / max(1, args.warm_up))
                rate = self.rates[name] * warm * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * done)))
                optimizer.param_groups[0]["lr"] = rate
                optimizer.zero_grad(set_to_none=True)
            terms = forward()
            torch.stack([self.weights[name] * term for name, term in terms.items()]).sum().backward()
            if world > 1:
                share_gradients(self.parameters, world)
            norm = nn.utils.clip_grad_norm_(self.parameters, CLIP)
            for optimizer in self.optimizers.values():
                optimizer.step()
            with torch.no_grad():
                decay = min(args.average, (1 + self.step) / (10 + self.step))
                torch._foreach_lerp_(list(self.average.parameters()), list(self.network.parameters()), 1 - decay)
                # summed where they are: reading them would stop a GPU at every step
                for name, value in (terms | {"norm": norm}).items():
                    totals[name] = totals.get(name, torch.zeros_like(value)) + value
                    counts[name] = counts.get(name, 0) + 1
            self.step += 1
            if rank == 0:
                progress.show(self.step, self.done)
            if self.step % args.log_every and self.step < args.steps:
                continue

            # --- a line of the log, and what falls on it; times are the first process's
            now = time.time()
            sums = torch.stack(list(totals.values()))
            self.spent, running, last = self.spent + now - last, now - self.started, now
            if world > 1:
                clock = torch.tensor([self.spent, running], dtype=torch.float64, device=self.device)
                dist.broadcast(clock, 0)
                self.spent, running = clock.tolist()
                dist.all_reduce(sums)
                sums /= world
            means = {name: value / counts[name] for name, value in zip(totals, sums.tolist(), strict=True)}
            totals, counts = {}, {}
            if not all(map(math.isfinite, means.values())):
                sound = f"the checkpoint of step {saved} is sound"
                raise WorkError(f"The losses are no numbers any more at step {self.step}; {sound}. Go on from it with "
                                "a lower --rate or --rate-filters.")  # fmt: skip
            line = {"step": self.step, "minutes": round(self.spent / 60, 2)}
            line |= {name: round(means[name], 6) for name in (*self.weights, "norm") if name in means}
            if rank == 0:
                with self.log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(line) + "\n")
                progress.show(self.step, self.done, line)
            ended = self.ended
            stopped = bool(args.stop_after and running >= args.stop_after * 60)
            if self.step - saved >= args.save_every or ended or stopped:
                self._save()
                saved = self.step
            if self.step - sampled >= args.sample_every or ended or stopped:
                if rank == 0:
                    self.sheet(self.average, args.out / "samples.jpg")
                sampled = self.step
        if rank == 0:
            words = "Finished" if ended else "Stopped; the same command goes on"
            weights = args.out / "weights.safetensors"
            print(f"\n{words}: step {self.step}, {self.spent / 60:.1f} minutes, weights in {weights}")

    def _go_on(self) -> None:
        """Take up what an earlier start left."""
        out = self.args.out
        if state := latest(out, self.device):
            if (config := state.about["network"]) != self.config:
                raise InputError(f"{out} holds the training of another network, {config}; give another --out.")
            for prefix, module in (*self.modules.items(), ("average", self.average)):
                module.load_state_dict(state.of(prefix))
            self.step, self.began, self.turn, self.spent = (
                json.loads(state.about[key]) for key in ("step", "began", "turn", "spent")
            )
            for name, optimizer in self.optimizers.items():
                checkpoint.load_optimizer(optimizer, self.names, state.of(name))
            if self.rank == 0:
                print(f"going on from step {self.step} ({self.spent / 60:.0f} minutes spent)", flush=True)
        if self.rank == 0:
            for left in out.glob(".*.tmp-*"):  # of a start that was killed while it wrote
                left.unlink()
            # what it logged after its last checkpoint comes again
            kept = (
                [line for line in curves.read_log(self.log) if line["step"] <= self.step] if self.log.exists() else []
            )
            with atomic_path(self.log) as aside:
                aside.write_text("".join(json.dumps(line) + "\n" for line in kept), "utf-8")

    def _save(self) -> None:
        if self.rank:
            return
        out = self.args.out
        about: dict[str, Any] = {"step": self.step, "began": self.began, "turn": self.turn, "spent": self.spent,
                                 "options": vars(self.args)}  # fmt: skip
        about = {k: json.dumps(v, default=str) for k, v in about.items()} | {"network": self.config}
        carried = {
            f"{prefix}.{name}": t for prefix, module in self.modules.items() for name, t in module.state_dict().items()
        }
        tensors = carried | {f"average.{name}": t for name, t in self.average.state_dict().items()}
        for name, optimizer in self.optimizers.items():
            kept = checkpoint.optimizer_tensors(optimizer, self.names)
            tensors |= {f"{name}.{key}": t for key, t in kept.items()}
        checkpoint.save(out, self.step, checkpoint.State(tensors, about))
        # half the bytes and no optimizers: with the weights, all that has to travel to another machine
        checkpoint.write(out / "carry.safetensors", {name: t.half() for name, t in carried.items()}, about)
        self.write(self.average, out / "weights.safetensors", self.step)
        curves.draw({out.name: curves.read_log(self.log)}, out / "losses.png")


def latest(out: Path, device: torch.device) -> checkpoint.State | None:
    """Where to go on: the checkpoint, or what was carried here from another machine if that is farther."""
    whole = checkpoint.load(out, device)
    if not (out / "carry.safetensors").exists() or not (out / "weights.safetensors").exists():
        return whole
    carried = checkpoint.read(out / "carry.safetensors", device)
    if whole and json.loads(whole.about["step"]) >= json.loads(carried.about["step"]):
        return whole
    averaged = checkpoint.read(out / "weights.safetensors", device)
    tensors = {name: t.float() for name, t in [*carried.items(), *((f"average.{n}", t) for n, t in averaged.items())]}
    return checkpoint.State(tensors, carried.about | {"began": carried.about["step"]})


def share_gradients(parameters: list[nn.Parameter], world: int) -> None:
    """Replace every gradient by its mean over the processes.

    By hand, for the network runs several times a step, which PyTorch's DistributedDataParallel does not foresee.
    """
    gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat)
    flat /= world
    for p, mean in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
        p.grad = mean.view_as(p)


def write_sheet(path: Path, rows: list[list[np.ndarray]]) -> None:
    """Rows of pictures (256, 256, 3) uint8 as one picture."""
    sheet = cv2.cvtColor(np.vstack([np.hstack(row) for row in rows]), cv2.COLOR_RGB2BGR)
    with atomic_path(path) as aside:
        if not cv2.imwrite(str(aside), sheet, [cv2.IMWRITE_JPEG_QUALITY, 88]):
            raise WorkError(f"{path} cannot be written; check folder and free space.")


class Progress:
    """On a terminal one line that is written over again, with a bar; elsewhere a line every few seconds."""

    def __init__(self, step: int, done: float) -> None:
        self.first, self.first_done = step, done
        self.terminal = sys.stdout.isatty()
        self.start, self.shown = time.time(), 0.0
        self.words = ""

    def show(self, step: int, done: float, line: dict[str, Any] | None = None) -> None:
        """``done``: part of the training, 0..1; ``line``: the losses, when there are new ones."""
        now = time.time()
        if line:
            self.words = " ".join(f"{k} {v:.3g}" for k, v in line.items() if k not in ("step", "minutes"))
        if now - self.shown < (0.2 if self.terminal else 5) and done < 1 or not (line or self.terminal):
            return
        self.shown = now
        gone = now - self.start
        left = gone * (1 - done) / (done - self.first_done) if done > self.first_done else math.inf
        eta = "" if left == math.inf else f"{left / 60:.0f} min left" if left >= 90 else f"{left:.0f} s left"
        text = f"step {step} {done:4.0%} {(step - self.first) / gone:.2f} steps/s {eta} {self.words}"
        if self.terminal:
            bar = f"[{'#' * round(20 * done):20}] "
            width = shutil.get_terminal_size().columns - 1
            print("\r" + (bar + text)[:width].ljust(width), end="", flush=True)
        else:
            print(text, flush=True)

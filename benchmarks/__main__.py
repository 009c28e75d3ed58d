# SPDX-License-Identifier: GPL-3.0-or-later
"""Speed of StyleTX against its peers, of a whole job and of training, all in one run.

    python -m benchmarks                       # some minutes; writes build/benchmarks/results.json and .png
    python -m benchmarks --short               # small sizes and few rounds: only shows that it works
    python -m benchmarks --device cuda         # the same on a graphics card
    python -m benchmarks --write-baseline      # keep this run's ratios in benchmarks/baseline.json

A machine's other work comes and goes, so systems take turns, round by round, and the least time of each counts. What
is compared with the baseline are ratios within one run, of the same size on the same kind of device; those that got
worse by more than 15% are named, and those that are missing. That is a word to think about, no failure: the exit code
is 0.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch is imported

import cv2
import numpy as np
import torch

from benchmarks import memory, roofline
from benchmarks.material import picture, write_exr_shot, write_still
from benchmarks.plot import draw
from benchmarks.stages import end_to_end
from benchmarks.systems import FLAGSHIP, NAMES, OUTSIDE, macs, make
from styletx_core.allocator import keep_freed
from styletx_core.errors import InputError
from styletx_core.files import atomic_path

ROOT = Path(__file__).resolve().parent.parent
BASELINE = Path(__file__).with_name("baseline.json")
SIZES = ("640x360", "1920x1080", "3840x2160")
SHORT = ("128x72",)
LARGE = 4_000_000  # pixels, from which on the peers, whose times only grow with them, are left out
WORSE = 1.15
JOB_FRAMES = 49  # four times from one anchor to the next: in a short job its first and last frames count too much
LARGE_FRAMES = 13  # of a job with large ones, which takes four times as long


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="only show that it works")
    parser.add_argument("--size", action="append", help="WIDTHxHEIGHT; again for more (default: 640x360, 1080p, 4K)")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rounds", type=int, help="turns of each system (default: 5; 2 with --short)")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "benchmarks")
    parser.add_argument("--write-baseline", action="store_true")
    options = parser.parse_args()
    keep_freed()  # as the command line does
    options.out.mkdir(parents=True, exist_ok=True)
    sizes = options.size or (SHORT if options.short else SIZES)
    results = measure(sizes, options.short, options.device, options.rounds or (2 if options.short else 5))
    with atomic_path(options.out / "results.json") as aside:
        aside.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    draw(results, options.out / "results.png")
    show(results)
    found, baseline = ratios(results, options.device), json.loads(BASELINE.read_text(encoding="utf-8"))
    for line in compared(found, baseline):
        print(line)
    if options.write_baseline:  # those of other sizes and devices stay
        with atomic_path(BASELINE) as aside:
            aside.write_text(json.dumps(baseline | found, indent=2) + "\n", encoding="utf-8")
    print(options.out / "results.json")


def measure(sizes: Sequence[str], short: bool, device: str, rounds: int) -> dict[str, Any]:
    """All figures of one run."""
    results: dict[str, Any] = {"machine": machine(device), "networks": {}, "alone": {}, "end_to_end": {}}
    results["memory"] = {}
    for size in sizes:
        say(f"networks at {size}")
        names = NAMES if pixels(size) < LARGE else (FLAGSHIP, OUTSIDE)
        results["networks"][size] = networks(size, names, device, rounds)
        results["alone"][size] = roofline.network(size, device)
    say("multiplications")
    for name, found in results["networks"][sizes[0]].items():
        found["kmacs_a_pixel"] = macs(name, *map(int, sizes[0].split("x")))
    for size in sizes:
        say(f"a job at {size}, EXR to EXR")
        with tempfile.TemporaryDirectory() as folder:
            frames = 4 if short else JOB_FRAMES if pixels(size) < LARGE else LARGE_FRAMES
            shot = write_exr_shot(Path(folder) / "shot", frames, *map(int, size.split("x")))
            results["end_to_end"][size] = end_to_end(shot, Path(folder) / "out", device)
    say("start-up, memory and training")
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            still = write_still(Path(folder) / "still.png", *map(int, size.split("x")))
            results["memory"][size] = memory.measure(still, Path(folder) / size)[0]
        results["start_up"] = start_up(Path(folder), rounds)
        results["training_steps_a_second"] = training(Path(folder), device, 4 if short else 40)
    return results


def pixels(size: str) -> int:
    """Of "640x360"."""
    width, height = map(int, size.split("x"))
    return width * height


def networks(size: str, names: tuple[str, ...], device: str, rounds: int) -> dict[str, dict[str, Any]]:
    """The least seconds a frame of each system; they take turns."""
    frame = picture(*map(int, size.split("x")))
    systems = {}
    for name in names:
        try:
            systems[name] = make(name, device)
            systems[name](frame)
        except (ImportError, InputError) as error:
            say(f"  {name} is left out: {error}")
    least = dict.fromkeys(systems, float("inf"))
    for _ in range(rounds):
        for name, stylize in systems.items():
            began = time.perf_counter()
            stylize(frame)  # gives an array, so a graphics card has finished
            least[name] = min(least[name], time.perf_counter() - began)
    return {name: {"seconds": seconds} for name, seconds in least.items()}


def start_up(folder: Path, rounds: int) -> dict[str, float]:
    """Least seconds of the command line: its help, and a small picture from nothing to the file."""
    still = write_still(folder / "small.png", 64, 64)
    command = [sys.executable, "-m", "styletx_core"]
    found: dict[str, float] = {"help": float("inf"), "picture": float("inf")}
    for turn in range(min(rounds, 3)):
        began = time.perf_counter()
        subprocess.run([*command, "--help"], check=True, stdout=subprocess.DEVNULL)
        found["help"] = min(found["help"], time.perf_counter() - began)
        found["picture"] = min(found["picture"], memory.measure(still, folder / f"small{turn}")[1])
    return found


def training(folder: Path, device: str, steps: int) -> float:
    """Steps a second of the flagship's training with its defaults, on pictures made here."""
    for name, count in (("content", 4), ("style", 2)):
        (folder / name).mkdir()
        for number in range(count):
            pixels = np.round(picture(320, 256, seed=number) * 255).astype(np.uint8)
            cv2.imwrite(str(folder / name / f"{number}.png"), pixels)
    command = [sys.executable, "-m", "training.train_adain_reconet", "--content", str(folder / "content")]
    command += ["--style", str(folder / "style"), "--out", str(folder / "run"), "--device", device]
    command += ["--steps", str(2 * steps), "--log-every", str(steps), "--items", "8", "--styles-a-step", "2"]
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    log = (folder / "run" / "log.jsonl").read_text("utf-8").splitlines()
    first, last = json.loads(log[0]), json.loads(log[-1])  # the log has minutes with two decimals
    return float((last["step"] - first["step"]) / max(60 * (last["minutes"] - first["minutes"]), 0.6))


def machine(device: str) -> dict[str, Any]:
    """Where this was measured."""
    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else cpu_name()
    return {"device": name, "threads": torch.get_num_threads(), "torch": str(torch.__version__)}


def cpu_name() -> str:
    """The processor's name, where Linux tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "CPU")


def ratios(results: dict[str, Any], device: str) -> dict[str, float]:
    """What can be compared with another run: times as parts of times, lower is better.

    Each is of one kind of device and one size, which its name says first: "cpu 640x360: job / network".
    """
    found: dict[str, float] = {}
    for size, systems in results["networks"].items():
        where, own = f"{device.partition(':')[0]} {size}", systems[FLAGSHIP]["seconds"]
        found |= {f"{where}: {FLAGSHIP} / {name}": own / other["seconds"]
                  for name, other in systems.items() if name != FLAGSHIP}  # fmt: skip
        if size in results["end_to_end"]:
            found[f"{where}: job / network"] = results["end_to_end"][size]["seconds_a_frame"] / own
        # a step is of crops of one size whatever was measured, so each size has a ratio of its own
        found[f"{where}: training step / network"] = 1 / results["training_steps_a_second"] / own
    return {name: round(value, 4) for name, value in found.items()}


def compared(found: dict[str, float], baseline: dict[str, float]) -> list[str]:
    """A line for every ratio that is more than 15% above the baseline's, and for what could not be compared.

    Missing are the baseline's ratios of a device and a size that were measured; new are those it does not have.
    """
    lines = [f"Worse than the baseline: {name} is {found[name]:.3f}, was {was:.3f}."
             for name, was in baseline.items() if found.get(name, 0) > WORSE * was]  # fmt: skip
    measured = {name.partition(":")[0] for name in found}
    missing = [name for name in baseline if name not in found and name.partition(":")[0] in measured]
    lines += [f"Missing, but in the baseline: {name}." for name in missing]
    return lines + [f"Not in the baseline: {name} is {value:.3f}." for name, value in found.items()
                    if name not in baseline]  # fmt: skip


def show(results: dict[str, Any]) -> None:
    """The figures as text."""
    for size, systems in results["networks"].items():
        print(f"\n{size}")
        own = systems[FLAGSHIP]["seconds"]
        for name, found in systems.items():
            amount = found.get("kmacs_a_pixel")
            amount = f"  {amount:6.1f} kMAC a pixel" if amount else ""
            print(f"  {name:20s} {found['seconds']:7.3f} s  {found['seconds'] / own:6.2f} x{amount}")
        alone = results["alone"][size]
        print(f"  the network alone {alone['seconds']:.5f} s, {1 / alone['seconds']:.1f} frames a second: "
              f"{alone['of_limit']:.0%} of the device's limit ({alone['of_arithmetic']:.0%} of its arithmetic, "
              f"{alone['of_memory']:.0%} of its memory's rate)")  # fmt: skip
        print(f"  {alone['kernels']:.0f} kernels; {alone['pixels']:.2f} pixels painted for each of the frame, each "
              f"with {alone['flops_a_pixel'] / 1000:.1f} kFLOP, {alone['values_a_pixel']:.0f} values and "
              f"{alone['bytes_a_pixel']:.0f} bytes read or written")  # fmt: skip
    for size, job in results["end_to_end"].items():
        print(f"\n{size}, EXR to EXR: {job['frames_a_second']:.2f} frames a second, "
              f"{job['outside_network']:.0%} of the processor's time outside the network")  # fmt: skip
        for title, name in (("by the clock", "stages"), ("of the processor", "cpu")):
            print(f"  {title}: " + ", ".join(f"{stage} {seconds:.3f} s" for stage, seconds in job[name].items()))
    peaks = ", ".join(f"{size} {peak / memory.GIB:.2f} GiB" for size, peak in results["memory"].items())
    print(f"\npeak memory of a still: {peaks}")
    print(f"start-up: help {results['start_up']['help']:.2f} s, a small picture {results['start_up']['picture']:.2f} s")
    print(f"training: {results['training_steps_a_second']:.2f} steps a second\n")


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3.11
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleTX's two commands for a fresh clone; each does its own set-up. Python 3.11 and the network are all they need.

    python3.11 dev.py demo    render a small animation in Blender, paint it through the extension, show the result
    python3.11 dev.py test    all checks: ruff, mypy, the tests of engine, training and extension, in four Blenders

Environments are made beside this file (.venv, .venv-bpy4.5.15, ...), or under $STYLETX_VENVS, and used again. Blender
is the package `bpy`; nothing is installed outside these environments.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
ENVIRONMENTS = Path(os.environ.get("STYLETX_VENVS", ROOT)).resolve()
DEMO_BLENDER = "4.5.15"  # the LTS release that most users have
BLENDERS = {"4.2.23": "3.11", "4.5.15": "3.11", "5.0.1": "3.11", "5.2.3": "3.13"}  # version of bpy: its Python
STUBS = {name: f"fake-bpy-module-{name.replace('.', '-')}==20260730" for name in ("4.2", "4.5", "5.0")}  # types of bpy
LIBRARIES = "libxrender1 libxi6 libxkbcommon0 libsm6 libgl1 libxfixes3 libxxf86vm1"  # what bpy needs of the system


class Failed(Exception):
    """One sentence for the user."""


def say(text: str) -> None:
    print(f"\033[1m{text}\033[0m" if sys.stdout.isatty() else text, flush=True)


def quiet(command: Sequence[object], problem: str) -> str:
    """Run a command and return what it printed; Failed with the end of it where it fails."""
    done = subprocess.run(
        [*map(str, command)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise Failed(f"{problem}\n{done.stdout[-3000:]}")
    return done.stdout


def environment(name: str, interpreter: str, requirements: list[str]) -> Path:
    """A virtual environment with these requirements, made unless it is there; returns its Python."""
    place = ENVIRONMENTS / name
    python, stamp = place / "bin" / "python", place / "styletx-requirements.txt"
    wanted = [interpreter, *requirements]
    if "-e" in requirements:
        wanted += [str(ROOT), *((ROOT / name).read_text("utf-8") for name in ("pyproject.toml", "constraints.txt"))]
    if python.exists() and stamp.exists() and stamp.read_text("utf-8") == json.dumps(wanted):
        return python
    say(f"Setting up {place}: {' '.join(requirements)}")
    if place.exists():
        shutil.rmtree(place)
    quiet([interpreter, "-m", "venv", place], f"{interpreter} cannot make an environment in {place}.")
    quiet(
        [python, "-m", "pip", "install", "--disable-pip-version-check", *requirements],
        f"pip could not install {' '.join(requirements)}; is the network there?",
    )
    stamp.write_text(json.dumps(wanted), "utf-8")
    return python


def core() -> Path:
    """The environment of the engine and the developers' tools."""
    return environment(".venv", sys.executable, ["-c", "constraints.txt", "-e", ".[dev]"])


def blender(version: str) -> Path:
    """An environment with this version of bpy, proven to start."""
    interpreter = sys.executable if BLENDERS[version] == "3.11" else python313()
    # Blender up to 5.0 comes with numpy 1.26; pip would give bpy 4.2 a newer one.
    numpy = ["numpy==1.26.4"] if BLENDERS[version] == "3.11" else []
    python = environment(f".venv-bpy{version}", interpreter, [f"bpy=={version}", *numpy])
    done = subprocess.run([python, "-c", "import bpy"], capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["it crashed"])[-1]
        raise Failed(
            f"bpy {version} cannot start ({reason}); where a library is missing, on Debian or Ubuntu this brings it:  "
            f"apt-get install {LIBRARIES}"
        )
    return python


def addon_types(name: str) -> list[object]:
    """The command that checks the add-on's types against a Blender's. `mypy` alone takes whatever is Blender's as Any.

    Without None-checks, which `mypy` alone does: in Blender's own types almost everything may be None, layouts too.
    """
    # numpy for its types; the engine's own files are read from the tree, and checked by `mypy` alone
    python = environment(f".venv-types{name}", sys.executable, [STUBS[name], "numpy==1.26.4"])
    options = ["--no-strict-optional", "--follow-imports=silent", f"--cache-dir={ROOT / '.mypy_cache' / name}"]
    return [core(), "-m", "mypy", "--python-executable", python, *options, "addon"]


def python313() -> str:
    """A Python 3.13, which Blender 5.1 and later need."""
    pyenv = sorted((Path.home() / ".pyenv" / "versions").glob("3.13*/bin/python"))
    for candidate in (shutil.which("python3.13"), *map(str, pyenv)):
        # pyenv's stand-ins are on PATH for versions that are not switched on, too
        if candidate and subprocess.run([candidate, "-c", ""], capture_output=True).returncode == 0:
            return candidate
    raise Failed("Blender 5.2 needs Python 3.13, which is not on PATH: install it to run the tests.")


def build_zip(bpy_python: Path, tag: str, folder: Path, torch: str | None = None) -> Path:
    """Build the extension with Blender's own builder out of that bpy; returns the zip."""
    inside = "lib/python3*/site-packages/bpy/*/scripts/addons_core/bl_pkg/cli/blender_ext.py"
    builder = next(bpy_python.parents[1].glob(inside))
    command = [sys.executable, "build.py", "--python", tag, "--output", folder, "--blender-ext", builder]
    if torch:
        command += ["--torch", torch]
    return Path(quiet(command, "The extension could not be built.").strip().splitlines()[-1])


def demo(args: argparse.Namespace) -> None:
    """The README's first command."""
    began = time.monotonic()
    python = blender(DEMO_BLENDER)
    output = args.output.resolve()
    output.mkdir(parents=True, exist_ok=True)
    for folder in ("Demo", "composited", "side_by_side"):  # of an earlier demo: nothing is taken from it
        shutil.rmtree(output / folder, ignore_errors=True)
    say("Building the extension")
    package = build_zip(python, "3.11", ROOT / "dist")
    # Without a PyTorch for the processor in the zip the worker runs in an environment of its own.
    worker = ["--worker", core()] if "no-torch" in package.name else []
    script = ROOT / "tests" / "scenes" / "demo_run.py"
    command = [python, script, "--zip", package, "--style", args.style.resolve(), "--output", output, *worker]
    # The preferences and extensions of the user's own Blender are left alone.
    with tempfile.TemporaryDirectory(prefix="styletx-demo-") as user:
        variables = {**os.environ, "BLENDER_USER_RESOURCES": user}
        result = run_demo([*map(str, command)], variables, output / "log.txt")
    print()
    say("Done. The results:")
    print(f"  painted frames      {result['painted']}")
    print(f"  compositor's render {result['composited']}")
    print(f"  side by side        {result['movie']}")
    print(f"  one frame of it     {result['still']}")
    print(f"  temporal error      {result['temporal_error']:.4f} ({result['alone_error']:.4f} frame by frame)")
    print(f"  time                {time.monotonic() - began:.0f} s, set-up included")


def run_demo(command: list[str], variables: dict[str, str], log: Path) -> dict:
    """Run the script in Blender; everything goes to the log, its words for the user to the screen."""
    result: dict | None = None
    ending: list[str] = []
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            command, cwd=ROOT, env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace",
        )  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            file.write(line)
            ending = [*ending[-19:], line]
            if line.startswith("StyleTX: "):
                print(f"  {line[len('StyleTX: ') :].rstrip()}", flush=True)
            elif line.startswith("RESULT "):
                result = json.loads(line[len("RESULT ") :])
    process.wait()
    if result is None:
        raise Failed(f"The demo failed in Blender; all it said is in {log}, the end of it:\n{''.join(ending)}")
    return result


def test(args: argparse.Namespace) -> None:
    """The README's second command: every check there is. Ends with a line like pytest's over all tests."""
    began = time.monotonic()
    tools = core()
    blenders = {version: blender(version) for version in BLENDERS}
    dist = ROOT / "build" / "test-zips"
    shutil.rmtree(dist, ignore_errors=True)
    say("Building the extension for Python 3.11 and 3.13")
    build_zip(blenders[DEMO_BLENDER], "3.11", dist)
    build_zip(blenders["5.2.3"], "3.13", dist, torch="none")
    variables = {
        **os.environ,
        "STYLETX_BPY": ",".join(str(python.parents[1]) for python in blenders.values()),
        "STYLETX_ZIPS": str(dist),
        "STYLETX_ONCE": DEMO_BLENDER,
        # two things run at a time
        "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 2) // 2)),
        "OMP_WAIT_POLICY": "passive",
    }
    reports = ROOT / "build" / "test-reports"
    shutil.rmtree(reports, ignore_errors=True)
    reports.mkdir(parents=True)

    def pytest(part: str, name: str = "") -> list[object]:
        report = f"--junitxml={reports / (name or part)}.xml"
        return [tools, "-m", "pytest", f"tests/{part}", "--durations=8", report]

    checks: dict[str, list[object]] = {"ruff": [tools, "-m", "ruff", "check"], "mypy": [tools, "-m", "mypy"]}
    for name in STUBS:
        checks[f"mypy with the types of Blender {name}"] = addon_types(name)
    checks["tests/core"], checks["tests/training"] = pytest("core"), pytest("training")
    # half of the Blenders beside all that, the others after it; the demo's is in the first half and does most
    halves = {"beside": [DEMO_BLENDER, "5.2.3"], "after": ["4.2.23", "5.0.1"]}
    checks["tests/addon in " + " and ".join(halves["after"])] = pytest("addon", "addon-after")
    named = {name: ",".join(str(blenders[v].parents[1]) for v in some) for name, some in halves.items()}
    wrong = []
    with (reports / "addon-beside.txt").open("w", encoding="utf-8") as log:
        addon = subprocess.Popen(
            [*map(str, pytest("addon", "addon-beside"))], cwd=ROOT, env=variables | {"STYLETX_BPY": named["beside"]},
            stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            for name, command in checks.items():
                say(f"\n{name}")
                of = {"STYLETX_BPY": named["after"]} if "addon" in name else {}
                if subprocess.run([*map(str, command)], cwd=ROOT, env=variables | of).returncode:
                    wrong.append(name)
            name = "tests/addon in " + " and ".join(halves["beside"])
            say(f"\n{name}, begun before the others")
            if addon.wait():
                wrong.append(name)
        finally:
            addon.terminate()
    print((reports / "addon-beside.txt").read_text("utf-8"))
    if wrong:
        print(f"\nNot passed: {', '.join(wrong)}")
    print(summary(sorted(reports.glob("*.xml")), time.monotonic() - began))
    if wrong:
        raise SystemExit(1)


def summary(reports: list[Path], seconds: float) -> str:
    """One line over several pytest runs, in pytest's words."""
    total = dict.fromkeys(("tests", "failures", "errors", "skipped"), 0)
    for report in reports:
        for suite in xml.etree.ElementTree.parse(report).getroot().iter("testsuite"):
            for key in total:
                total[key] += int(suite.get(key, 0))
    passed = total["tests"] - total["failures"] - total["errors"] - total["skipped"]
    counts = {"failed": total["failures"], "passed": passed, "skipped": total["skipped"], "errors": total["errors"]}
    words = ", ".join(f"{count} {name}" for name, count in counts.items() if count or name == "passed")
    return f"===== {words} in {seconds:.2f}s ====="


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("demo", help="the main job in Blender, from nothing to a movie")
    one.add_argument("--style", type=Path, default=ROOT / "styletx_core" / "assets" / "styles" / "oil.png")
    one.add_argument("--output", type=Path, default=ROOT / "out" / "demo")
    commands.add_parser("test", help="set-up and all tests")
    args = parser.parse_args()
    if sys.version_info[:2] != (3, 11):
        print(f"dev.py: this is Python {sys.version.split()[0]}, and Blender 4.2 to 5.0 need 3.11: python3.11 dev.py "
              f"{args.command}", file=sys.stderr)  # fmt: skip
        return 2
    try:
        {"demo": demo, "test": test}[args.command](args)
    except Failed as error:
        print(f"dev.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the extension: a zip that Blender installs by itself, with the wheels it needs.

    python build.py                                     for Blender 4.2 to 5.0 on this machine's system
    python build.py --python 3.13 --torch none          for Blender 5.1 and later, worker in another environment
    python build.py --platform windows-x64 --output DIR

Blender chooses an extension's wheels by platform but not by Python version, so a zip serves one of each:
Python 3.11 is Blender 4.2 to 5.0, Python 3.13 is 5.1 and later. `--python any` takes the engine alone, which is
pure Python: for every Blender from 4.2 and every system, with the worker in an environment of the user's own.

--torch cpu    PyTorch for the processor: works offline right after installing. The default where pip finds such a
               wheel; on Linux that takes an index that has PyTorch's "+cpu" builds.
--torch none   no PyTorch and no av; the worker runs in an environment of the user's own, which has them.
--torch INDEX  address of an index, or folder of wheels, to take PyTorch from, instead of what pip is set up with.

numpy is never in it: an extension's packages come before Blender's own, and every add-on would get ours.

Blender's own builder, `blender_ext.py`, makes and validates the zip. It comes with every Blender and with the package
`bpy`, and needs neither running: it is looked for in this Python's `bpy`, in ../venvs/*, .venv*/, and beside a
`blender` on PATH; `--blender-ext FILE` names it.
"""

from __future__ import annotations

import argparse
import email
import email.message
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent
# glibc 2.28 is what Blender itself asks for; macOS 11.2 likewise, 13 where a package has nothing older
_LINUX = [f"manylinux_2_{minor}" for minor in range(28, 4, -1)] + ["manylinux2014", "manylinux2010", "manylinux1"]
_MACOS = ["macosx_14_0", "macosx_13_0", "macosx_12_0", "macosx_11_0", "macosx_10_15", "macosx_10_13", "macosx_10_9"]
PLATFORMS = {
    "linux-x64": [f"{tag}_x86_64" for tag in _LINUX],
    "windows-x64": ["win_amd64"],
    "windows-arm64": ["win_arm64"],
    "macos-arm64": [f"{tag}_{arch}" for tag in _MACOS for arch in ("arm64", "universal2")],
    "macos-x64": [f"{tag}_{arch}" for tag in _MACOS for arch in ("x86_64", "universal2")],
}
BLENDERS = {"3.11": ("4.2.0", "5.1.0"), "3.13": ("5.1.0", None), "any": ("4.2.0", None)}
"""Python tag -> first Blender that has it, first one that has not any more."""

LARGEST = {"cpu": 320e6, "none": 110e6}
"""Bytes that a zip may have at most, with PyTorch for the processor and without; one for a graphics card is larger."""

LIGHT = ["opencv-python-headless", "OpenEXR", "opencolorio", "safetensors"]
LEFT_OUT = {"numpy", "setuptools"}
"""What Blender has itself. torch names setuptools for building C++ extensions only."""
MOVIES = ["av"]
"""For the worker alone, and a third of the zip without PyTorch: where its environment brings that, it brings this."""


SYSTEMS = {"linux": ("Linux", "linux", "posix"), "windows": ("Windows", "win32", "nt"),
           "macos": ("Darwin", "darwin", "posix")}  # fmt: skip
"""What Python calls a system: platform.system(), sys.platform, os.name."""
MACHINES = {"linux-x64": "x86_64", "windows-x64": "AMD64", "windows-arm64": "ARM64", "macos-arm64": "arm64",
            "macos-x64": "x86_64"}  # fmt: skip
"""The same of a machine: platform.machine()."""


class BuildError(Exception):
    """One sentence on what is wrong."""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n\n")[0], epilog="More in the text at the top of this file.",
    )
    parser.add_argument("--python", choices=BLENDERS, default="3.11", help="Python of the Blender to build for (3.11)")
    parser.add_argument("--platform", choices=PLATFORMS, default=this_platform(), help="system to build for (this one)")
    parser.add_argument("--torch", metavar="cpu|none|INDEX", help="where PyTorch comes from (cpu where there is one)")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="folder for the zip (dist/)")
    parser.add_argument("--blender-ext", type=Path, help="Blender's blender_ext.py")
    given = parser.parse_args()
    try:
        path = build(given.python, given.platform, given.torch, given.output, given.blender_ext)
    except BuildError as error:
        print(f"build.py: {error}", file=sys.stderr)
        return 1
    print(path)
    return 0


def build(python: str, system: str, torch: str | None, output: Path, builder: Path | None) -> Path:
    """Build and validate the zip, print what is in it, return its path. Raises BuildError."""
    builder = builder or find_builder()
    with tempfile.TemporaryDirectory(prefix="styletx-build-") as name:
        package = Path(name) / "styletx"
        shutil.copytree(ROOT / "addon", package, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "LICENSE", package)
        wheels = package / "wheels"
        wheels.mkdir()
        # first what is most likely not to be had
        torch = "none" if python == "any" else fetch_torch(wheels, python, system, torch)
        if python != "any":
            fetch(wheels, python, system, LIGHT)
        build_core(wheels, Path(name))
        write_manifest(package, python, system)
        tag = "any" if python == "any" else f"cp{python.replace('.', '')}-{system}"
        kind = "" if torch != "none" or python == "any" else "-no-torch"
        output.mkdir(parents=True, exist_ok=True)
        target = output.resolve() / f"styletx-{version()}-{tag}{kind}.zip"
        run(builder, "build", "--source-dir", str(package), "--output-filepath", str(target))
        run(builder, "validate", str(target))
    report(target)
    limit = LARGEST.get(torch)
    if limit is not None and target.stat().st_size > limit:
        raise BuildError(f"{target.name} is larger than {limit / 1e6:.0f} MB: see what the wheels above brought along.")
    return target


def this_platform() -> str:
    """The platform of this machine, as Blender's manifests call it."""
    system = {"Darwin": "macos", "Windows": "windows"}.get(platform.system(), "linux")
    machine = "arm64" if platform.machine().lower() in ("arm64", "aarch64") else "x64"
    name = f"{system}-{machine}"
    return name if name in PLATFORMS else "linux-x64"


def version() -> str:
    """The version in the manifest."""
    match = re.search(r'^version = "(.+)"$', (ROOT / "blender_manifest.toml").read_text("utf-8"), re.MULTILINE)
    if match is None:
        raise BuildError("blender_manifest.toml has no version.")
    return match[1]


def find_builder() -> Path:
    """Blender's own builder of extensions."""
    inside = "*/scripts/addons*/bl_pkg/cli/blender_ext.py"
    places = [Path(path) / "bpy" for path in sys.path if path]
    for folder in (ROOT.parent / "venvs", ROOT):
        for inside_of in ("*/lib/python3*", "*/Lib", ".*/lib/python3*", ".*/Lib"):
            places += sorted(folder.glob(f"{inside_of}/site-packages/bpy"))
    blender = shutil.which("blender")
    if blender:
        places += [Path(blender).resolve().parent, Path("/usr/share/blender")]
    for place in places:
        found = sorted(place.glob(inside)) or sorted(place.glob(inside[2:]))
        if found:
            return found[-1]
    raise BuildError("Blender's blender_ext.py was not found: name it with --blender-ext, or pip install bpy.")


def build_core(wheels: Path, scratch: Path) -> None:
    """The wheel of styletx_core, from a copy: what an earlier build left in the tree gets into no wheel."""
    source = scratch / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        if (ROOT / name).is_file():
            shutil.copy(ROOT / name, source)
        elif name == "README.md":
            (source / name).write_text("StyleTX\n", "utf-8")
    shutil.copytree(ROOT / "styletx_core", source / "styletx_core", ignore=shutil.ignore_patterns("__pycache__"))
    pip("wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(source))


def fetch(wheels: Path, python: str, system: str, names: list[str], *options: str) -> None:
    """Download wheels for another Python and system as they are, at the versions of constraints.txt."""
    platforms = [part for tag in PLATFORMS[system] for part in ("--platform", tag)]
    pip("download", "--quiet", "--no-deps", "--only-binary", ":all:", "--python-version", python, *platforms,
        "--constraint", str(ROOT / "constraints.txt"), "--dest", str(wheels), *options, *names)


def fetch_torch(wheels: Path, python: str, system: str, torch: str | None) -> str:
    """Download PyTorch and what it needs; returns what was taken: cpu, none or an index."""
    if torch == "none":
        return torch
    wanted = re.search(r"^torch==(\S+)$", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    if wanted is None:
        raise BuildError("constraints.txt does not say which torch.")
    if torch in (None, "cpu"):
        # on Linux the plain version is the one for CUDA, far too large; elsewhere it is the one for the processor
        requirement, options = f"torch=={wanted[1]}" + ("+cpu" if system.startswith("linux") else ""), []
        more = []
    else:
        assert torch is not None
        requirement, options = f"torch=={wanted[1]}", ["--index-url", torch]
        more = ["--extra-index-url", torch]
        if "://" not in torch:
            if not Path(torch).is_dir():
                raise BuildError(f"There is no folder '{torch}': give one with wheels, an index, or none.")
            options, more = ["--no-index", "--find-links", torch], ["--find-links", torch]
    try:
        fetch(wheels, python, system, [requirement], *options)
    except BuildError as error:
        advice = "give an index that has one with --torch INDEX, or build without with --torch none"
        if torch is not None:
            place = f" in '{torch}'" if torch != "cpu" else ""
            raise BuildError(f"pip finds no {requirement} for Python {python} on {system}{place}; {advice}.") from error
        print(f"No {requirement} for Python {python} on {system}: building without PyTorch.", file=sys.stderr)
        return "none"
    while lacking := missing(wheels, python, system):
        fetch(wheels, python, system, lacking, *more)
    fetch(wheels, python, system, MOVIES)
    return torch or "cpu"


def missing(wheels: Path, python: str, system: str) -> list[str]:
    """What the wheels that are there require on that Python and system, and is not there.

    pip would look at its own Python and machine for what is required where. A PyTorch for CUDA has its libraries in
    wheels of their own, on Linux alone.
    """
    there = {canonicalize_name(found["Name"]): found for found in map(metadata, sorted(wheels.glob("*.whl")))}
    name, platform_, kind = SYSTEMS[system.partition("-")[0]]
    target = {"python_version": python, "python_full_version": f"{python}.0", "platform_system": name,
              "sys_platform": platform_, "os_name": kind, "platform_machine": MACHINES[system],
              "implementation_name": "cpython", "platform_python_implementation": "CPython"}  # fmt: skip
    left = [(name, "") for name in there]
    seen, lacking = set(left), set()
    while left:
        name, extra = left.pop()
        for line in there[name].get_all("Requires-Dist", []):
            wanted = Requirement(line)
            key = canonicalize_name(wanted.name)
            if key in LEFT_OUT or (wanted.marker and not wanted.marker.evaluate(target | {"extra": extra})):
                continue
            if key not in there:
                lacking.add(f"{wanted.name}{wanted.specifier}")
                continue
            more = {(key, asked) for asked in ("", *wanted.extras)} - seen
            seen |= more
            left += more
    return sorted(lacking)


def metadata(wheel: Path) -> email.message.Message:
    """What a wheel tells of itself."""
    with zipfile.ZipFile(wheel) as file:
        (name,) = [name for name in file.namelist() if re.fullmatch(r"[^/]+\.dist-info/METADATA", name)]
        return email.message_from_bytes(file.read(name))


def write_manifest(package: Path, python: str, system: str) -> None:
    """The manifest of this zip: the repository's, with the versions, the platform and the wheels filled in."""
    names = sorted(wheel.name for wheel in (package / "wheels").glob("*.whl"))
    if any(name.lower().startswith("numpy-") for name in names):
        raise BuildError("numpy got among the wheels: it must not, see the top of build.py.")
    first, end = BLENDERS[python]
    lines = [f'blender_version_min = "{first}"']
    if end is not None:
        lines.append(f'blender_version_max = "{end}"')
    if python != "any":
        lines.append(f'platforms = ["{system}"]')
    lines += ["wheels = [", *(f'  "./wheels/{name}",' for name in names), "]"]
    text = (ROOT / "blender_manifest.toml").read_text("utf-8")
    if 'blender_version_min = "4.2.0"\n' not in text:
        raise BuildError("blender_manifest.toml has no line  blender_version_min = \"4.2.0\"  to fill in.")
    text = text.replace('blender_version_min = "4.2.0"\n', "\n".join(lines) + "\n")
    (package / "blender_manifest.toml").write_text(text, "utf-8")


def report(path: Path) -> None:
    """List the zip's wheels and its size."""
    with zipfile.ZipFile(path) as file:
        wheels = [info for info in file.infolist() if info.filename.endswith(".whl")]
        for info in sorted(wheels, key=lambda info: -info.file_size):
            print(f"{info.file_size / 1e6:8.1f} MB  {Path(info.filename).name}")
    print(f"{path.stat().st_size / 1e6:8.1f} MB  {path.name}")


def pip(*arguments: str) -> None:
    """Run this Python's pip; raises BuildError with what it said. Where a place is named, it looks nowhere else."""
    environment = dict(os.environ)
    if "--index-url" in arguments or "--no-index" in arguments:
        for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
            environment.pop(name, None)
        environment["PIP_CONFIG_FILE"] = os.devnull
    command = [sys.executable, "-m", "pip", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()[-3:]
        raise BuildError(f"pip {arguments[0]} failed: {' '.join(lines)}")


def run(builder: Path, *arguments: str) -> None:
    """Run Blender's builder; raises BuildError with what it said."""
    done = subprocess.run([sys.executable, str(builder), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise BuildError(f"Blender's builder refused to {arguments[0]}: {done.stdout.strip()} {done.stderr.strip()}")


if __name__ == "__main__":
    raise SystemExit(main())

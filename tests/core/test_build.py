# SPDX-License-Identifier: GPL-3.0-or-later
"""`build.py --torch`: a sentence where there is no such PyTorch; where there is one, all that it needs comes too."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def build(output: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # the builder, which not every machine has, is asked for last
    command = [sys.executable, "build.py", "--output", output, "--blender-ext", "build.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


@pytest.mark.parametrize("others", [[], ["torch-0.0.1-cp311-none-any.whl", "torch-2.13.0-cp39-cp39-win_amd64.whl"]])
def test_a_folder_without_the_wheel(tmp_path: Path, others: list[str]) -> None:
    for name in others:
        (tmp_path / name).touch()
    done = build(tmp_path / "out", "--torch", str(tmp_path))
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "Traceback" not in done.stderr
    for word in ("torch==", "Python 3.11", f"'{tmp_path}'", "--torch none"):
        assert word in done.stderr
    assert not list(tmp_path.glob("out/*"))


def test_a_place_that_is_not_there(tmp_path: Path) -> None:
    done = build(tmp_path / "out", "--torch", str(tmp_path / "nowhere"))
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert f"There is no folder '{tmp_path / 'nowhere'}'" in done.stderr


def wheel(folder: Path, name: str, version: str, *required: str) -> None:
    """A wheel with nothing but what it requires."""
    inside = f"{name.replace('-', '_')}-{version}"
    lines = [f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}", *(f"Requires-Dist: {one}" for one in required)]
    with zipfile.ZipFile(folder / f"{inside}-py3-none-any.whl", "w") as file:
        file.writestr(f"{inside}.dist-info/METADATA", "\n".join(lines) + "\n")
        file.writestr(f"{inside}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")


LINUX = {"nvidia_cublas", "triton", "cuda_toolkit", "nvidia_cudart"}


@pytest.mark.parametrize(("system", "more"), [("linux-x64", LINUX), ("windows-x64", {"colorama"})])
def test_what_pytorch_needs_there_comes_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, system: str, more: set[str]
) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    import build as builder

    pinned = dict(line.split("==") for line in (ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    folder, wheels = tmp_path / "index", tmp_path / "wheels"
    folder.mkdir()
    wheels.mkdir()
    linux = 'platform_system == "Linux" and platform_machine == "x86_64"'
    wheel(folder, "torch", pinned["torch"], "sympy>=1.13", "numpy", 'setuptools; python_version >= "3.11"',
          f"nvidia-cublas==13.0; {linux}", f"triton>=3; {linux}", f"cuda-toolkit[cudart]==13.0; {linux}",
          'colorama; sys_platform == "win32"', 'optree; extra == "optree"',
          'importlib-metadata; python_version < "3.11"')  # fmt: skip
    wheel(folder, "sympy", pinned["sympy"], "mpmath<1.4")
    wheel(folder, "mpmath", pinned["mpmath"])
    wheel(folder, "cuda-toolkit", "13.0", 'nvidia-cudart==13.0; extra == "cudart"', 'nvidia-cufft; extra == "cufft"')
    for name in ("nvidia-cublas", "nvidia-cudart", "triton", "colorama", "optree"):
        wheel(folder, name, "13.0")
    wheel(folder, "av", pinned["av"])
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    builder.fetch_torch(wheels, "3.11", system, str(folder))
    names = {path.name.partition("-")[0] for path in wheels.iterdir()}
    assert names == {"torch", "sympy", "mpmath", "av"} | more

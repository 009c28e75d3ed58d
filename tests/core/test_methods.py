# SPDX-License-Identifier: GPL-3.0-or-later
"""The methods through their door: `load`, `set_style`, `stylize`."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch.utils.flop_counter import FlopCounterMode

import styletx_core
from styletx_core.errors import InputError
from styletx_core.methods.base import Method

STYLES = Path(styletx_core.__file__).parent / "assets" / "styles"


def picture(path: Path) -> np.ndarray:
    return cv2.imread(str(path))[..., ::-1].astype(np.float32) / 255


def photo(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth shapes with edges and some grain, in 0..1."""
    rng = np.random.default_rng(seed)
    soft = cv2.GaussianBlur(rng.normal(0, 1, (height, width, 3)), (0, 0), max(2, height / 12)) * height / 6
    shapes = 0.5 + 0.3 * np.tanh(np.round(soft * 3) / 2)
    return np.clip(shapes + rng.normal(0, 0.02, soft.shape), 0, 1).astype(np.float32)


@pytest.fixture(scope="module")
def method() -> Method:
    loaded = styletx_core.load("adain_reconet", device="cpu")
    loaded.set_style(picture(STYLES / "oil.png"))
    return loaded


@settings(max_examples=20, deadline=None)
@given(st.integers(16, 90), st.integers(16, 90), st.booleans(), st.sampled_from([0.3, 1.0]))
def test_any_size_keeps_its_shape_and_range(method: Method, height: int, width: int, fixed: bool, s: float) -> None:
    frame = photo(height, width)
    method.fix_statistics([frame] if fixed else None)
    out = method.stylize(frame, strength=s)
    assert out.shape == frame.shape and out.dtype == np.float32
    assert np.isfinite(out).all() and out.min() >= 0 and out.max() <= 1


def test_it_is_memoryless_and_leaves_its_input_alone(method: Method) -> None:
    method.fix_statistics(None)
    frame, other = photo(64, 80), photo(64, 80, 1)
    before = frame.copy()
    first = method.stylize(frame)
    method.stylize(other)
    assert np.array_equal(method.stylize(frame), first) and np.array_equal(frame, before)


def test_strength_goes_smoothly_from_the_very_frame_to_the_style(method: Method) -> None:
    frame = photo(96, 128)
    method.fix_statistics([frame])
    assert np.array_equal(method.stylize(frame, 0), frame)
    assert np.abs(method.stylize(frame, 0.001) - frame).max() < 0.01
    full = method.stylize(frame)
    distances = [np.abs(method.stylize(frame, s / 8) - full).mean() for s in range(9)]
    assert all(a > b for a, b in zip(distances, distances[1:], strict=False)) and distances[-1] == 0
    steps = -np.diff(distances)
    assert steps.max() < 4 * steps.mean()


def test_fixed_statistics_do_not_pump(method: Method) -> None:
    """Something bright walks in on the right: the left half must not change."""
    frame = photo(96, 256)
    changed = frame.copy()
    changed[:, 200:] = 1
    reach = np.s_[:, :64]  # further away than the network reaches
    method.fix_statistics([frame])
    assert np.abs(method.stylize(frame) - method.stylize(changed))[reach].max() < 1e-4
    method.fix_statistics(None)
    assert np.abs(method.stylize(frame) - method.stylize(changed))[reach].max() > 1e-3


@pytest.mark.parametrize("gray", [0.0, 0.5, 1.0])
def test_a_shot_of_one_color_is_no_measure(method: Method, gray: float) -> None:
    flat, frame = np.full((48, 64, 3), gray, np.float32), photo(48, 64)
    method.fix_statistics([flat, flat])
    for strength in (0.5, 1.0):
        assert method.stylize(flat, strength).std((0, 1)).max() < 0.01  # not the paint of rounding errors
    assert 0.02 < method.stylize(frame).std() < 0.45


def test_a_frame_may_be_read_only(method: Method, recwarn: pytest.WarningsRecorder) -> None:
    frame = photo(48, 64)
    frame.flags.writeable = False
    method.stylize(frame)
    assert not recwarn.list


def test_each_style_looks_its_own(method: Method) -> None:
    """The result's colors are nearer to its own style's than to the others'."""
    frame = photo(128, 160)
    styles = [picture(p) for p in sorted(STYLES.glob("*.png"))]
    assert len(styles) >= 3
    fresh = styletx_core.load("adain_reconet", device="cpu")
    found = []
    for style in styles:
        fresh.set_style(style)
        found.append(fresh.stylize(frame))
    colors = [np.concatenate([p.mean((0, 1)), p.std((0, 1))]) for p in styles]
    for i, out in enumerate(found):
        own = np.concatenate([out.mean((0, 1)), out.std((0, 1))])
        assert int(np.argmin([np.abs(own - c).sum() for c in colors])) == i
        assert np.abs(out - frame).mean() > 0.05


@pytest.mark.parametrize("shape", [(16, 16, 3), (16, 6000, 3), (900, 16, 3)])
def test_a_style_may_be_tiny_or_a_strip(method: Method, shape: tuple[int, int, int]) -> None:
    fresh, frame = styletx_core.load(device="cpu"), photo(48, 48)
    start = time.perf_counter()
    fresh.set_style(np.random.default_rng(0).random(shape, dtype=np.float32))
    assert time.perf_counter() - start < 20
    assert np.isfinite(fresh.stylize(frame)).all()


def test_weights_of_styles_blend(method: Method) -> None:
    frame = photo(96, 96)
    a, b = picture(STYLES / "oil.png"), picture(STYLES / "ink.png")
    fresh = styletx_core.load(device="cpu")
    results = {}
    for name, style in (("a", a), ("b", b), ("ab", [(a, 1.0), (b, 1.0)]), ("a0", [(a, 2.0), (b, 0.0)])):
        fresh.set_style(style)
        results[name] = fresh.stylize(frame)
    assert np.array_equal(results["a"], results["a0"])
    whole = np.abs(results["a"] - results["b"]).mean()
    assert np.abs(results["ab"] - results["a"]).mean() < whole and np.abs(results["ab"] - results["b"]).mean() < whole


@pytest.mark.parametrize(
    ("style", "word"),
    [
        (np.zeros((64, 64), np.float32), "shape"),
        (np.zeros((64, 64, 3), np.uint8), "uint8"),
        (np.full((64, 64, 3), 2, np.float32), "0..1"),
        (np.full((64, 64, 3), np.nan, np.float32), "0..1"),
        (np.zeros((8, 64, 3), np.float32), "16x16"),
        ([], "at least one"),
        ("oil.png", "is a name"),
        ([np.zeros((64, 64, 3), np.float32)], "not pairs"),
        ([(np.zeros((64, 64, 3), np.float32), -1.0)], "-1.0"),
        ([(np.zeros((64, 64, 3), np.float32), 0.0)], "all zero"),
    ],
)
def test_a_bad_style_gets_its_sentence(method: Method, style: object, word: str) -> None:
    with pytest.raises(InputError, match=word):
        method.set_style(style)  # type: ignore[arg-type]


def test_bad_names_and_weights_get_their_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="'nonsense'"):
        styletx_core.load("nonsense")
    with pytest.raises(InputError, match="'gpu'"):
        styletx_core.load(device="gpu")
    with pytest.raises(InputError, match="'float8'"):
        styletx_core.load(device="cpu", precision="float8")
    with pytest.raises(InputError, match=r"missing\.safetensors"):
        styletx_core.load(device="cpu", weights=tmp_path / "missing.safetensors")
    (tmp_path / "broken.safetensors").write_bytes(b"no weights at all")
    with pytest.raises(InputError, match=r"broken\.safetensors"):
        styletx_core.load(device="cpu", weights=tmp_path / "broken.safetensors")
    save_file({"x": torch.zeros(1)}, tmp_path / "bare.safetensors", metadata={"method": "adain_reconet"})
    with pytest.raises(InputError, match=r"bare\.safetensors do not fit"):
        styletx_core.load(device="cpu", weights=tmp_path / "bare.safetensors")
    save_file({"x": torch.zeros(1)}, tmp_path / "other.safetensors", metadata={"method": "johnson"})
    with pytest.raises(InputError, match="'johnson'"):
        styletx_core.load(device="cpu", weights=tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=r"Strength is 1\.5"):
        styletx_core.load(device="cpu").stylize(photo(32, 32), 1.5)


def test_the_content_path_keeps_its_budget(method: Method) -> None:
    """10 kMAC a pixel, counted by torch on what really runs; time is printed, not judged: machines differ."""
    frame = photo(360, 640)
    method.fix_statistics([frame])
    method.stylize(frame)
    with FlopCounterMode(display=False) as counter:
        method.stylize(frame)
    padded = (360 + 32) * (640 + 32)
    assert 3_000 < counter.get_total_flops() / 2 / padded <= 10_000
    start = time.perf_counter()
    for _ in range(5):
        method.stylize(frame)
    print(f"{(time.perf_counter() - start) / 5:.3f} s a frame at 640x360 on {torch.get_num_threads()} threads")


def test_no_module_hides_what_the_package_offers() -> None:
    """Once a module is imported, it is found in the package by its name."""
    modules = {module.name for module in pkgutil.iter_modules(styletx_core.__path__)}
    assert "methods" in modules and not modules.intersection(styletx_core.__all__)


def test_importing_the_package_brings_no_torch_and_no_bpy() -> None:
    code = (
        "import sys, styletx_core, styletx_core.events, styletx_core.job; styletx_core.list_methods();"
        "print(sorted({'torch', 'torchvision', 'cv2', 'bpy', 'av', 'OpenEXR'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

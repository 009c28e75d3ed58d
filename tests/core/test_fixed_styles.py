# SPDX-License-Identifier: GPL-3.0-or-later
"""The feed-forward methods of the field's history through their doors: `load`, the command line, the registry."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import Material, write_png
from test_methods import STYLES, photo, picture

import styletx_core
from styletx_core import registry, weights
from styletx_core.cli import main
from styletx_core.errors import InputError
from styletx_core.methods.adain import Decoder
from styletx_core.methods.base import Guide, Method, Tiling
from styletx_core.methods.transform_net import TransformNet

ROOT = Path(__file__).resolve().parents[2]
FIXED = {"johnson": ("oil",), "reconet": ("oil",), "dumoulin": ("oil", "ink", "glass")}
METHODS = (*FIXED, "adain")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Weights of small networks of each method; nobody trained them, but each style of theirs looks its own."""
    folder, files = tmp_path_factory.mktemp("weights"), {}
    for method, names in FIXED.items():
        files[method] = folder / f"{method}.safetensors"
        save(files[method], method, names)
    torch.manual_seed(0)
    files["adain"] = folder / "adain.safetensors"
    weights.write(Decoder(8), files["adain"], "adain")
    return files


def save(path: Path, method: str, names: tuple[str, ...], seed: int = 0) -> None:
    torch.manual_seed(seed)
    network = TransformNet(8, 2, len(names), "response" if method == "reconet" else "instance")
    for norm in network.norms():
        torch.nn.init.normal_(norm.scale, 1, 0.2)
        torch.nn.init.normal_(norm.shift, 0, 0.2)
    weights.write(network, path, method, styles=json.dumps(names))


def load(made: dict[str, Path], name: str) -> Method:
    method = styletx_core.load(name, device="cpu", weights=made[name])
    method.set_style(picture(STYLES / "oil.png") if name == "adain" else "oil")
    return method


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("size", [(16, 16), (67, 50), (48, 81)])
def test_any_size_keeps_its_shape_and_range_and_nothing_is_remembered(
    made: dict[str, Path], name: str, size: tuple[int, int]
) -> None:
    method, frame = load(made, name), photo(*size)
    first = method.stylize(frame)
    assert first.shape == frame.shape and first.dtype == np.float32 and first.min() >= 0 and first.max() <= 1
    method.stylize(photo(32, 40, 1))
    assert np.array_equal(method.stylize(frame), first)


@pytest.mark.parametrize("name", METHODS)
def test_strength_goes_from_the_very_frame_to_the_style(made: dict[str, Path], name: str) -> None:
    method, frame = load(made, name), photo(48, 64)
    assert np.array_equal(method.stylize(frame, 0), frame)
    assert np.abs(method.stylize(frame, 0.001) - frame).max() < 0.01
    full = method.stylize(frame)
    distances = [np.abs(method.stylize(frame, s / 4) - full).mean() for s in range(5)]
    assert all(a > b for a, b in zip(distances, distances[1:], strict=False)) and distances[-1] == 0


@pytest.mark.parametrize("name", METHODS)
def test_fixed_statistics_do_not_pump_and_stand_a_shot_of_one_color(made: dict[str, Path], name: str) -> None:
    method, frame = load(made, name), photo(48, 320)
    changed = frame.copy()
    changed[:, 240:] = 1
    far = np.s_[:, :80]  # further away than any of the networks reaches
    method.fix_statistics([frame])
    assert np.abs(method.stylize(frame) - method.stylize(changed))[far].max() < 1e-4
    method.fix_statistics(None)
    assert np.abs(method.stylize(frame) - method.stylize(changed))[far].max() > 1e-4
    flat = np.full((48, 64, 3), 0.5, np.float32)
    method.fix_statistics([flat, flat])
    assert np.isfinite(method.stylize(flat)).all()


def test_a_large_picture_is_painted_with_the_strokes_of_a_small_one(made: dict[str, Path]) -> None:
    method, small = load(made, "johnson"), cv2.resize(photo(90, 135), (810, 540), interpolation=cv2.INTER_CUBIC)
    small = small.clip(0, 1)
    large = cv2.resize(small, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC).clip(0, 1)
    back = cv2.resize(method.stylize(large), (810, 540), interpolation=cv2.INTER_AREA)
    assert np.abs(back - method.stylize(small)).mean() < 0.02


@pytest.mark.parametrize("name", METHODS)
def test_tiles_are_what_the_whole_picture_is(made: dict[str, Path], name: str) -> None:
    method, frame = load(made, name), photo(150, 210)
    method.fix_statistics([frame])
    whole = method.stylize(frame)
    method.tiling = Tiling(64)
    assert np.abs(method.stylize(frame) - whole).max() < 1e-4
    texture = photo(64, 64)
    method.fix_statistics([texture])
    method.tiling = Tiling(wrap=True)
    rolled = method.stylize(np.roll(texture, (24, 32), (0, 1)))
    assert np.abs(np.roll(method.stylize(texture), (24, 32), (0, 1)) - rolled).max() < 1e-4


def test_styles_of_dumoulin_blend_by_their_weights(made: dict[str, Path]) -> None:
    method = styletx_core.load("dumoulin", device="cpu", weights=made["dumoulin"])
    frame, results = photo(64, 64), {}
    for key, style in {"oil": "oil", "ink": "ink", "half": [("oil", 1.0), ("ink", 1.0)],
                       "most": [("oil", 3.0), ("ink", 1.0)], "all": [("oil", 2.0), ("ink", 0.0)]}.items():  # fmt: skip
        method.set_style(style)
        results[key] = method.stylize(frame)
    assert np.array_equal(results["oil"], results["all"])
    away = [np.abs(results[key] - results["oil"]).mean() for key in ("oil", "most", "half", "ink")]
    assert all(a < b for a, b in zip(away, away[1:], strict=False))


@pytest.mark.parametrize(
    ("name", "style", "words"),
    [
        ("johnson", "ink", "no style 'ink'; choose one of: oil"),
        ("johnson", np.zeros((32, 32, 3), np.float32), "no style a picture; choose one of: oil"),
        ("dumoulin", [], "no style; choose one of: oil, ink, glass"),
        ("dumoulin", [("oil", -1.0)], "-1.0"),
        ("adain", "oil", "'oil' is a name"),
    ],
)
def test_a_wrong_style_gets_its_sentence(made: dict[str, Path], name: str, style: object, words: str) -> None:
    method = styletx_core.load(name, device="cpu", weights=made[name])
    with pytest.raises(InputError, match=words):
        method.set_style(style)  # type: ignore[arg-type]


def test_a_method_of_one_style_shows_no_two_at_once(made: dict[str, Path]) -> None:
    method, frame = load(made, "johnson"), photo(32, 32)
    one = method.stylize(frame)
    method.set_style([("oil", 1.0), ("oil", 1.0)])
    with pytest.raises(InputError, match="'johnson' shows one style at a time"):
        method.stylize(frame)
    assert np.array_equal(method.stylize(frame, guide=Guide(weights=(1.0, 0.0))), one)


@pytest.mark.parametrize("name", METHODS)
def test_the_frame_s_color_is_kept_where_it_is_told_to(made: dict[str, Path], name: str) -> None:
    method, frame = load(made, name), photo(48, 64)
    style = picture(STYLES / "oil.png") if name == "adain" else "oil"
    method.set_style(style, "luminance")
    out = method.stylize(frame)
    luma = np.array([0.2126, 0.7152, 0.0722], np.float32)
    chroma, own = (p - (p @ luma)[..., None] for p in (out, frame))
    assert np.abs(chroma - own).max() < 1e-4 and np.abs(out - frame).mean() > 0.01
    if name == "adain":
        method.set_style(style, "match")
        assert not np.array_equal(method.stylize(frame), load(made, name).stylize(frame))
        return
    with pytest.raises(InputError, match="have their own colors"):
        method.set_style(style, "match")


# --- what ships


@pytest.fixture
def shipped(made: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package as if these weights were its own: johnson with two files, dumoulin with one; no reconet, no adain."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    save(folder / "johnson-oil.safetensors", "johnson", ("oil",))
    save(folder / "johnson-ink.safetensors", "johnson", ("ink",), seed=1)
    (folder / "dumoulin.safetensors").write_bytes(made["dumoulin"].read_bytes())
    monkeypatch.setattr(registry, "WEIGHTS_DIRECTORY", folder)
    return folder


def test_a_style_that_ships_is_chosen_by_its_name(shipped: Path) -> None:
    frame = photo(48, 48)
    results = [styletx_core.load("johnson", device="cpu", style=name).stylize(frame) for name in ("oil", "ink")]
    assert np.abs(results[0] - results[1]).mean() > 0.01
    method = styletx_core.load("johnson", device="cpu", style="oil")
    assert method.styles == ("ink", "oil")
    method.set_style("ink")
    assert np.array_equal(method.stylize(frame), results[1])


def test_methods_lists_the_styles_that_ship(shipped: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods"]) == 0
    text = capsys.readouterr().out
    assert "--style ink, oil" in text and "--style oil, ink, glass" in text
    assert text.count("no weights ship yet") == 3  # adain_reconet, reconet, adain
    assert main(["methods", "--json"]) == 0
    listed = {info["name"]: info for info in json.loads(capsys.readouterr().out)}
    assert list(listed) == ["adain_reconet", "reconet", "adain", "dumoulin", "johnson", "gatys"]
    assert listed["johnson"]["shipped_styles"] == ["ink", "oil"] and listed["johnson"]["ready"]
    assert listed["gatys"]["ready"] and not listed["reconet"]["ready"]


def stylize(source: Path, output: Path, *options: object) -> list[str]:
    return ["stylize", str(source), "--output", str(output), "--device", "cpu", "--progress", "none",
            *map(str, options)]  # fmt: skip


def test_the_command_line_takes_a_name_and_tells_styles_apart(
    shipped: Path, material: Material, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(stylize(material.frames, out, "--method", "johnson", "--style", "oil")) == 0
    oil = (out / "shot_0004.png").read_bytes()
    assert main(stylize(material.frames, out, "--method", "johnson", "--style", "ink")) == 2
    assert "frames of another job" in capsys.readouterr().err
    assert main(stylize(material.frames, out, "--method", "johnson", "--style", "ink", "--overwrite")) == 0
    assert (out / "shot_0004.png").read_bytes() != oil
    blend = ["--method", "dumoulin", "--style", "ink:2", "--style", "oil"]
    assert main(stylize(material.photo, tmp_path / "blend", *blend)) == 0
    record = json.loads((tmp_path / "blend" / "styletx.json").read_text())
    assert [style["path"] for style in record["job"]["styles"]] == ["ink", "oil"]


def test_johnson_shows_each_style_in_a_region_of_its_own(shipped: Path, material: Material, tmp_path: Path) -> None:
    left = np.zeros((41, 57, 3), np.float32)
    left[:, :28] = 1
    write_png(tmp_path / "left.png", left)
    both = ["--style", "oil", "--region", f"mask={tmp_path / 'left.png'}", "--style", "ink"]
    for name, styles in (("both", both), ("oil", ["--style", "oil"]), ("ink", ["--style", "ink"])):
        assert main(stylize(material.photo, tmp_path / name, "--method", "johnson", *styles)) == 0
    results = {name: cv2.imread(str(tmp_path / name / "photo.png")) for name in ("both", "oil", "ink")}
    assert np.array_equal(results["both"][:, :20], results["oil"][:, :20])
    assert np.array_equal(results["both"][:, 36:], results["ink"][:, 36:])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--method", "johnson", "--style", "glass"), "'johnson' has no style 'glass'; choose one of: ink, oil"),
        (("--method", "johnson", "--style", "oil", "--style", "ink"), "'johnson' shows one style at a time"),
        (("--method", "johnson"), "There is no style; choose one of: ink, oil."),
        (("--method", "reconet", "--style", "oil"), "No weights of the method 'reconet' ship with StyleTX; train it"),
        (("--method", "adain", "--style", STYLES / "oil.png"), "training.train_adain"),
        (("--method", "dumoulin", "--style", "oil", "--keep-colors", "match"), "have their own colors"),
        ((), "No style picture is given"),
    ],
)  # fmt: skip
def test_what_does_not_go_gets_its_sentence(
    shipped: Path, material: Material, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[object, ...],
    words: str,
) -> None:  # fmt: skip
    assert main(stylize(material.photo, tmp_path / "out", *options)) == 2
    out, err = capsys.readouterr()
    assert words in err and err.count("\n") == 1 and out == ""


def test_weights_of_one_s_own_need_no_name(
    made: dict[str, Path], material: Material, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = ["--method", "johnson", "--weights", made["johnson"]]
    assert main(stylize(material.frames, tmp_path / "a", *own)) == 0
    assert main(stylize(material.frames, tmp_path / "b", *own, "--style", "oil")) == 0
    assert (tmp_path / "a" / "shot_0003.png").read_bytes() == (tmp_path / "b" / "shot_0003.png").read_bytes()
    several = ["--method", "dumoulin", "--weights", made["dumoulin"]]
    assert main(stylize(material.frames, tmp_path / "c", *several)) == 2
    assert "choose one of: oil, ink, glass" in capsys.readouterr().err
    assert main(stylize(material.frames, tmp_path / "d", "--method", "reconet", "--weights", made["johnson"])) == 2
    assert "are for the method 'johnson', not for 'reconet'" in capsys.readouterr().err


def test_files_that_are_no_weights_get_their_sentence(tmp_path: Path) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"no weights at all")
    save(tmp_path / "nameless.safetensors", "johnson", ())
    for file, words in (("missing", "No such file"), ("broken", "cannot be read"), ("nameless", "do not fit")):
        with pytest.raises(InputError, match=words):
            styletx_core.load("johnson", device="cpu", weights=tmp_path / f"{file}.safetensors")


def test_all_weights_fit_22_mb_and_all_tracked_files_32() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a checkout")
    sizes = {name: (ROOT / name).stat().st_size for name in listed.stdout.split("\0") if (ROOT / name).is_file()}
    assert sum(size for name, size in sizes.items() if name.endswith(".safetensors")) <= 22e6
    assert sum(sizes.values()) <= 32e6


# --- a seventh method: one file and one line


SEPIA = '''
"""``sepia``: the frame in one tone, from the style's darkest color to its lightest."""

import numpy as np

from styletx_core.methods.base import Method


class Sepia(Method):
    def _load(self, weights):
        self._tones = None

    def _set_style(self, styles):
        tones = [np.quantile(style.reshape(-1, 3), (0.1, 0.9), axis=0) * weight for style, weight in styles]
        self._tones = np.sum(tones, 0).astype(np.float32)

    def _stylize(self, frame, strength):
        light = frame.mean(2, keepdims=True) ** self.options["gamma"]
        painted = self._tones[0] + light * (self._tones[1] - self._tones[0])
        return frame + np.float32(strength) * (painted - frame)
'''


def test_a_seventh_method_is_one_file_and_one_line(
    material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "sepia.py").write_text(SEPIA)
    monkeypatch.syspath_prepend(tmp_path)
    line = registry.MethodInfo(
        name="sepia", title="Sepia", paper="none", styles="any", shot=True, description="One tone.",
        target="sepia:Sepia", trained=False, options=(registry.Option("gamma", 1.0, "of the tone", 0.1, 10),),
    )  # fmt: skip
    monkeypatch.setattr(registry, "_METHODS", (*registry._METHODS, line))
    assert main(["methods"]) == 0
    assert "sepia  Sepia: One tone." in capsys.readouterr().out
    options = ["--method", "sepia", "--style", material.style, "--option", "gamma=2", "--strength", "0.5"]
    assert main(stylize(material.photo, tmp_path / "photo", *options)) == 0
    assert main(stylize(material.exr, tmp_path / "shot", *options)) == 0
    assert len(list((tmp_path / "shot").glob("*.exr"))) == 6
    capsys.readouterr()
    measured = ["--style", str(material.style), "--content", str(material.photo)]
    assert main(["evaluate", "--method", "sepia", *measured]) == 0
    assert "1 pictures at 512 pixels" in capsys.readouterr().out
    frame, style = photo(32, 32), picture(material.style)
    out = styletx_core.load("sepia", device="cpu", style=style).stylize(frame)
    edges = out.reshape(-1, 3)
    assert np.linalg.matrix_rank(edges - edges.mean(0), tol=1e-2) == 1  # one tone
    with pytest.raises(InputError, match="has no option 'tone'; it has gamma"):
        styletx_core.load("sepia", tone=1)

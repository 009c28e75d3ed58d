# SPDX-License-Identifier: GPL-3.0-or-later
"""`gatys` through its doors: `load`, the command line and jobs. Tiny pictures and few steps."""

from __future__ import annotations

import json
import re
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from conftest import HEIGHT, WIDTH, Material, texture, write_png

import styletx_core
from styletx_core import InputError, Job, run
from styletx_core.cli import main
from styletx_core.events import FrameDone, Notice, StepDone
from styletx_core.job import Input, Output, Settings, Style
from styletx_core.job import Region as Where
from styletx_core.methods.base import Guide, Method, Step
from styletx_core.methods.colors import luma
from styletx_core.methods.gatys_loss import LAYERS, Objective, Region, observe
from styletx_core.perceptual.vgg import ALL_LAYERS, VGG19

ASSETS = Path(styletx_core.__file__).parent / "assets"
SIDE = 64


def picture(path: Path, side: int = 96) -> np.ndarray:
    found = cv2.resize(cv2.imread(str(path)), (side, side), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(found[..., ::-1]).astype(np.float32) / 255


@pytest.fixture(scope="module")
def frame() -> np.ndarray:
    return picture(ASSETS / "sample" / "shot_0004.png", SIDE)


@pytest.fixture(scope="module")
def oil() -> np.ndarray:
    return picture(ASSETS / "styles" / "oil.png")


@pytest.fixture(scope="module")
def ink() -> np.ndarray:
    return picture(ASSETS / "styles" / "ink.png")


def gatys(style: Any, steps: int = 6, keep_colors: str = "none", **options: Any) -> Method:
    method = styletx_core.load("gatys", "cpu", steps=steps, **options)
    method.set_style(style, keep_colors)
    return method


def losses(method: Method, frame: np.ndarray, **given: Any) -> list[float]:
    found: list[Step] = []
    method.stylize(frame, on_step=found.append, **given)
    assert [step.step for step in found] == list(range(1, len(found) + 1))
    return [step.loss for step in found]


# The way down


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("init", ["content", "noise"])
def test_the_loss_falls(frame: np.ndarray, oil: np.ndarray, optimizer: str, init: str) -> None:
    found = losses(gatys(oil, 12, optimizer=optimizer, init=init, tolerance=0), frame)
    assert len(found) == 12 and found[-1] < 0.5 * found[0]
    assert all(a >= b for a, b in zip(found, found[1:], strict=False))


def test_the_loss_is_pastiche_s_own(tmp_path: Path) -> None:
    """Of a picture that is neither the frame nor the style, so that content and all layers of the style count."""
    from pastiche.pastiche import PasticheArtist

    rng = np.random.default_rng(2)
    shown = [picture(ASSETS / "sample" / "shot_0004.png", SIDE), picture(ASSETS / "styles" / "oil.png", SIDE)]
    shown.append((0.5 * shown[0] + 0.5 * rng.random((SIDE, SIDE, 3))).astype(np.float32))
    frame, style, now = (np.round(one * 255).astype(np.float32) / 255 for one in shown)
    files = [str(write_png(tmp_path / f"{i}.png", one)) for i, one in enumerate((frame, style, now))]
    theirs = PasticheArtist(files[0], [files[1]], init=files[2], device="cpu", size=SIDE, style_size=SIDE)
    guide = Guide(previous=now, visible=np.ones((SIDE, SIDE), np.float32))  # begins with it
    (ours,) = losses(gatys(style, 1, levels=1, temporal=0), frame, guide=guide)
    assert ours == pytest.approx(float(theirs.loss), rel=1e-3)


def test_the_weights_of_the_loss_have_effect(frame: np.ndarray, oil: np.ndarray) -> None:
    def away(out: np.ndarray) -> float:
        return float(np.abs(out - frame).mean())

    def rough(out: np.ndarray) -> float:
        return float(np.square(np.diff(out, axis=0)).mean() + np.square(np.diff(out, axis=1)).mean())

    plain, smooth, held, weak = (
        gatys(oil, 8, levels=1, **options).stylize(frame)
        for options in ({}, {"smooth": 1000}, {"content_weight": 1e4}, {"style_weight": 1e-4})
    )
    assert rough(smooth) < 0.85 * rough(plain)
    assert away(held) < 0.7 * away(plain) and away(weak) < 0.7 * away(plain)


def test_it_stops_where_the_loss_is_flat(frame: np.ndarray, oil: np.ndarray) -> None:
    assert len(losses(gatys(oil, 40, tolerance=0.5), frame)) < 40


def test_the_steps_show_the_picture_as_it_comes(frame: np.ndarray, oil: np.ndarray) -> None:
    shown: list[np.ndarray] = []
    method = gatys(oil, 6, levels=2)
    out = method.stylize(frame, on_step=lambda step: shown.append(step.picture()))
    assert len(shown) == 6 and all(one.shape == frame.shape for one in shown)
    assert np.array_equal(shown[-1], out)
    assert not np.array_equal(shown[2], out) and out.min() >= 0 and out.max() <= 1


def test_the_same_again_is_the_same_to_the_bit(frame: np.ndarray, oil: np.ndarray, ink: np.ndarray) -> None:
    method = gatys(oil, 4, init="noise", seed=3)
    first = method.stylize(frame)
    method.stylize(frame[::-1].copy())
    assert np.array_equal(method.stylize(frame), first)
    assert not np.array_equal(gatys(oil, 4, init="noise", seed=4).stylize(frame), first)


def test_less_strength_stays_nearer_to_the_frame(frame: np.ndarray, oil: np.ndarray) -> None:
    method = gatys(oil, 8)
    away = [np.abs(method.stylize(frame, strength) - frame).mean() for strength in (0, 0.01, 0.4, 1)]
    assert away[0] == 0 and all(a < b for a, b in zip(away, away[1:], strict=False))


@pytest.mark.parametrize("size", [(17, 40), (64, 16), (33, 79)])
def test_odd_sizes_keep_their_shape(oil: np.ndarray, size: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    out = gatys(oil, 2, levels=2).stylize(rng.random((*size, 3), np.float32))
    assert out.shape == (*size, 3) and np.isfinite(out).all()


def test_strips_give_the_very_slope_of_the_whole_picture(oil: np.ndarray) -> None:
    """A tall picture seen at once and in strips, with a mask, an odd height and rows left over."""
    torch.manual_seed(0)
    vgg, x = VGG19(), torch.rand(1, 3, 457, 32)
    mask = torch.linspace(0, 1, 457).view(1, 1, -1, 1).expand(1, 1, 457, 32).contiguous()
    style = torch.from_numpy(oil).permute(2, 0, 1)[None].contiguous()
    grams = observe(vgg, style, [None])[0][0]
    whole, features = observe(vgg, x.flip(3), [mask])
    parts, again = observe(vgg, x.flip(3), [mask], pixels=1)
    torch.testing.assert_close(again, features, rtol=0, atol=1e-4 * float(features.max()))
    for layer in ALL_LAYERS:
        torch.testing.assert_close(parts[0][layer], whole[0][layer], rtol=1e-4, atol=1e-2)

    regions = [Region(None, [(0.5, grams)]), Region(mask, [(0.5, grams)])]
    weights = dict.fromkeys(LAYERS, 1e-8)
    loss, slope = Objective(vgg, features, regions, weights, 1.0, 1.0)(x)
    loss_again, slope_again = Objective(vgg, features, regions, weights, 1.0, 1.0, strip_pixels=1)(x)
    assert loss_again == pytest.approx(loss, rel=1e-5)
    torch.testing.assert_close(slope_again, slope, rtol=0, atol=1e-3 * float(slope.abs().max()))


# Styles and where they show


def test_two_styles_lie_between_each_alone(frame: np.ndarray, oil: np.ndarray, ink: np.ndarray) -> None:
    a, b = (gatys(style).stylize(frame) for style in (oil, ink))
    both = gatys([(oil, 1.0), (ink, 1.0)]).stylize(frame)
    apart = np.abs(a - b).mean()
    assert max(np.abs(both - a).mean(), np.abs(both - b).mean()) < apart
    weighed = gatys([(oil, 5.0), (ink, 1.0)]).stylize(frame)
    assert np.abs(weighed - a).mean() < np.abs(both - a).mean()


def test_a_mask_keeps_the_style_in_its_region(frame: np.ndarray, oil: np.ndarray, ink: np.ndarray) -> None:
    left = np.zeros((SIDE, SIDE), np.float32)
    left[:, : SIDE // 2] = 1
    out = gatys(oil).stylize(frame, guide=Guide(masks=[left]))
    assert np.array_equal(out[:, SIDE // 2 :], frame[:, SIDE // 2 :])
    assert np.abs(out - frame)[:, : SIDE // 2].mean() > 0.02

    # each side becomes its own style's
    alone = [gatys(style).stylize(frame) for style in (oil, ink)]
    both = gatys([(oil, 1.0), (ink, 1.0)]).stylize(frame, guide=Guide(masks=[left, 1 - left]))
    for side, own, other in ((np.s_[:, : SIDE // 2], 0, 1), (np.s_[:, SIDE // 2 :], 1, 0)):
        assert np.abs(both - alone[own])[side].mean() < np.abs(both - alone[other])[side].mean()


# Color and components


def test_luminance_alone_keeps_the_chroma(frame: np.ndarray, oil: np.ndarray) -> None:
    out = gatys(oil, keep_colors="luminance").stylize(frame)
    assert np.abs((out - luma(out)) - (frame - luma(frame))).max() < 1e-4
    assert np.abs(luma(out) - luma(frame)).mean() > 0.01


def test_matched_color_keeps_the_mean_color(frame: np.ndarray, oil: np.ndarray) -> None:
    plain, matched = (gatys(oil, 12, keep_colors=way).stylize(frame) for way in ("none", "match"))
    away = [np.abs(out.mean((0, 1)) - frame.mean((0, 1))).sum() for out in (plain, matched)]
    assert away[1] < 0.7 * away[0]


def test_the_color_slider_leaves_the_luminance(frame: np.ndarray, oil: np.ndarray) -> None:
    shown = [gatys(oil, color=amount).stylize(frame) for amount in (0, 0.5, 1, 1.5)]
    assert max(np.abs(luma(one) - luma(shown[2])).max() for one in shown) < 1e-4


def test_the_color_slider_does_not_fade_from_frame_to_frame(oil: np.ndarray) -> None:
    """Held to its own result over and over, a picture of half the color keeps its chroma."""
    still, everywhere = texture(0), np.ones((HEIGHT, WIDTH), np.float32)
    method, chroma = gatys(oil, 10, color=0.5), list[float]()
    out = method.stylize(still)
    for _ in range(3):
        chroma.append(float(np.abs((out - luma(out)) - (still - luma(still))).mean()))
        out = method.stylize(still, guide=Guide(previous=out, visible=everywhere))
    assert chroma[-1] > 0.7 * chroma[0]


@pytest.mark.parametrize("component", ["texture", "stroke", "form"])
def test_a_slider_leads_its_layers_from_the_frame_s_grams_to_the_style_s(
    oil: np.ndarray, component: str
) -> None:
    layers = {"texture": ("relu1_1", "relu2_1"), "stroke": ("relu3_1",), "form": ("relu4_1", "relu5_1")}[component]
    vgg, frame = VGG19(), picture(ASSETS / "sample" / "shot_0004.png")

    def grams(p: np.ndarray) -> dict[str, torch.Tensor]:
        return observe(vgg, torch.from_numpy(p).permute(2, 0, 1)[None].contiguous(), [None])[0][0]

    own, wanted = grams(frame), grams(oil)
    way = []
    for amount in (0, 0.5, 1, 1.5):
        found = grams(gatys(oil, 10, levels=1, **{component: amount}).stylize(frame))
        gone = [float(((found[n] - own[n]) * (wanted[n] - own[n])).sum() / (wanted[n] - own[n]).square().sum())
                for n in layers]  # fmt: skip
        way.append(np.mean(gone))
    assert (np.diff(way) > 0).all() and way[0] < 0.9 * way[2], way


def test_the_color_slider_leads_from_the_frame_s_colors_to_the_style_s(frame: np.ndarray, oil: np.ndarray) -> None:
    chroma = [(out - luma(out)).mean((0, 1)) for out in (gatys(oil, 12, color=c).stylize(frame) for c in (0, 0.5, 1))]
    own = (frame - luma(frame)).mean((0, 1))
    away = [np.abs(one - own).sum() for one in chroma]
    assert away[0] < away[1] < away[2]


# Shots


def job(material: Material, output: Path, source: Path | None = None, **options: Any) -> Job:
    values = {"steps": 4, "levels": 1} | options
    return Job(
        Input(str(source or material.exr), (1, 4)),
        (Style(str(material.style)),),
        Output(str(output)),
        settings=Settings(method="gatys", device="cpu", options=values),
    )


def frames(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.glob("shot_*.exr")}


def test_a_shot_goes_on_to_the_very_same_frames(material: Material, tmp_path: Path) -> None:
    events = list(run(job(material, tmp_path / "a")))
    steps = [event for event in events if isinstance(event, StepDone)]
    assert [step.frame for step in steps] == [n for n in (1, 2, 3, 4) for _ in range(4)]
    with closing(run(job(material, tmp_path / "b"))) as events_b:
        for event in events_b:
            if isinstance(event, StepDone) and (event.frame, event.step) == (3, 2):
                break  # cancelled within a frame
    assert len(frames(tmp_path / "b")) == 2
    list(run(job(material, tmp_path / "b")))
    assert frames(tmp_path / "a") == frames(tmp_path / "b") and len(frames(tmp_path / "a")) == 4


def test_a_shot_is_said_to_take_its_time(material: Material, tmp_path: Path) -> None:
    said = [event.text for event in run(job(material, tmp_path / "shot", steps=1)) if isinstance(event, Notice)]
    assert "The method 'gatys' is made for single pictures; a shot takes its time once a frame." in said
    still = replace(job(material, tmp_path / "still", steps=1), input=Input(str(material.photo)))
    assert not [event for event in run(still) if isinstance(event, Notice) and "single pictures" in event.text]


def test_the_frame_before_steadies_the_next(oil: np.ndarray) -> None:
    """The same frame with other grain: held to the previous result it changes less than painted afresh."""
    rng = np.random.default_rng(5)
    first, second = (np.clip(texture(0) + rng.normal(0, 0.03, (HEIGHT, WIDTH, 3)), 0, 1).astype(np.float32)
                     for _ in range(2))  # fmt: skip
    everywhere = np.ones((HEIGHT, WIDTH), np.float32)

    def change(**options: Any) -> float:
        method = gatys(oil, 8, levels=1, **options)
        before = method.stylize(first)
        return float(np.abs(method.stylize(second, guide=Guide(before, everywhere)) - before).mean())

    afresh = change(init="content", temporal=0)
    started = change(temporal=0)
    assert change(temporal=10) < 0.7 * min(started, afresh)


# The command line


def test_masks_options_and_preview_on_the_command_line(
    material: Material, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mask = write_png(tmp_path / "mask.png", np.repeat(np.linspace(0, 1, 57) > 0.5, 3).reshape(1, 57, 3).repeat(41, 0))
    preview = tmp_path / "now.png"
    arguments = ["stylize", str(material.photo), "--style", str(material.style), "--region", f"mask={mask}", "--output",
                 str(tmp_path / "out"), "--method", "gatys", "--option", "steps=4", "--component", "stroke=1.5",
                 "--preview", str(preview), "--preview-every", "2", "--progress", "json"]  # fmt: skip
    assert main(arguments) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    steps = [event for event in events if event["event"] == "step"]
    assert [event["preview"] for event in steps] == [None, str(preview)] * 2
    assert all(np.isfinite(event["loss"]) for event in steps)
    given, made = (cv2.imread(str(path)).astype(int) for path in (material.photo, tmp_path / "out" / "photo.png"))
    assert np.array_equal(given[:, :28], made[:, :28]) and not np.array_equal(given[:, 29:], made[:, 29:])
    assert cv2.imread(str(preview)).shape == given.shape
    # an option that changes pixels makes another job of it
    assert main([*arguments, "--option", "seed=1"]) == 2


def test_methods_tells_what_each_can_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods"]) == 0
    out = capsys.readouterr().out
    assert "--option steps=" in out and "--component stroke=" in out and "paints all regions at once" in out
    assert "of the noise (a whole number from 0 to 2147483647)" in out
    each = {text.partition("  ")[0]: text for text in re.split(r"\n(?=\w)", out)}
    assert {name for name, text in each.items() if "VGG-19 of the package pastiche" in text} == {"adain", "gatys"}
    assert main(["methods", "--json"]) == 0
    listed = {one["name"]: one for one in json.loads(capsys.readouterr().out)}
    assert listed["gatys"]["uses_history"] and not listed["adain_reconet"]["uses_history"]
    assert {"steps", "color"} <= {option["name"] for option in listed["gatys"]["options"]}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--option", "steps"], "has no value"),
        (["--option", "steps=0"], "'steps' is 0, but has to be a whole number from 1 to 10000"),
        (["--option", "steps=1.5"], "'steps' is 1.5, but has to be a whole number"),
        (["--option", "steps=many"], "a whole number"),
        (["--option", "smooth=-1"], "'smooth' is -1, but has to be a number from 0 to 1000"),
        (["--option", "init=chaos"], "one of previous, content, noise"),
        (["--option", "speed=9"], "has no option 'speed'"),
        (["--component", "steps=9"], "has no component 'steps'"),
        (["--option", "seed=1", "--option", "seed=2"], "given twice"),
        (["--weights", "some.safetensors"], "has no weights of its own"),
        (["--precision", "float16"], "float32 or auto"),
        (["--preview", "now.gif"], "has to end in .png, .jpg"),
        (["--region", "mask=nowhere.png"], "nowhere.png"),
        (["--preview", "{photo}"], "would replace"),
        (["--method", "adain_reconet", "--preview", "now.png"], "leave the preview out"),
        (["--method", "adain_reconet", "--option", "steps=9"], "has no option 'steps'"),
    ],
)
def test_each_bad_option_gets_its_sentence(
    material: Material, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    arguments = ["stylize", str(material.photo), "--output", str(tmp_path / "out"), "--method", "gatys"]
    options = [text.format(photo=material.photo) for text in options]
    assert main([*arguments, "--style", str(material.style), *options]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1 and "Traceback" not in said


def test_masks_that_do_not_fit(material: Material, tmp_path: Path, frame: np.ndarray, oil: np.ndarray) -> None:
    wide = write_png(tmp_path / "wide.png", np.ones((20, 90, 3), np.float32))
    bad = replace(job(material, tmp_path / "out"), styles=(Style(str(material.style), region=Where(mask=str(wide))),))
    with pytest.raises(InputError, match="wide.png' is 90x20"):
        list(run(bad))
    method = gatys(oil)
    for masks, words in (
        ([None, None], "2 masks for 1 styles"),
        ([np.ones((3, 3), np.float32)], "of the frame's"),
        ([np.full((SIDE, SIDE), 2, np.float32)], "outside 0..1"),
    ):
        with pytest.raises(InputError, match=words):
            method.stylize(frame, guide=Guide(masks=masks))


def test_masks_of_a_shot_go_by_frame_number(material: Material, tmp_path: Path) -> None:
    """Frame 1 is masked out whole, frame 2 is not."""
    for number in (1, 2):
        write_png(tmp_path / "masks" / f"m_{number:04d}.png", np.full((HEIGHT, WIDTH, 3), number - 1, np.float32))
    given = job(material, tmp_path / "out", material.frames, steps=2)
    style = Style(str(material.style), region=Where(mask=str(tmp_path / "masks")))
    events = list(run(replace(given, input=replace(given.input, frames=(1, 2)), styles=(style,), motion="none")))
    paths = [Path(event.path) for event in events if isinstance(event, FrameDone)]
    same = [np.array_equal(cv2.imread(str(path)), cv2.imread(str(material.frames / path.name))) for path in paths]
    assert same == [True, False]

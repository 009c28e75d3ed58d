# SPDX-License-Identifier: GPL-3.0-or-later
"""Styles in regions, on small renders of Blender 4.5 and 5.0 (tests/scenes/regions_scene.py): who gets which pixel."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import blenders
import cv2
import numpy as np
import pytest
from conftest import Material, write_png
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from test_engine import contents, finish, make_job

from styletx_core import InputError, Job, run
from styletx_core.cli import main
from styletx_core.events import FrameDone
from styletx_core.job import Region, Style
from styletx_core.regions import Composite, snapped, split
from styletx_core.shot import open_shot
from styletx_core.shot.cryptomatte import as_float_bits, murmur3, name_id

DATA = Path(__file__).parents[1] / "data"
LAYOUTS = ["regions_4x", "regions_5x"]
BALL, BOX = Region(object=("Ball",)), Region(object=("Box, big",))
COVERS = arrays(np.float32, (4, 5), elements=st.floats(0, 1, width=32))


# Names and coverage


def test_hashes_are_those_of_the_files() -> None:
    """As Blender wrote them into the renders' manifests, and two of the specification's own lengths."""
    written = {"Floor": 0x6A2FB16E, "Box, big": 0xB02ECC39, "Ball": 0x74D3EBE9, "Sun": 0xEE8D1AE3, "Wood": 0xEB213538}
    assert {name: name_id(name) for name in written} == written
    assert murmur3(b"") == 0


@given(st.integers(0, 2**32 - 1))
def test_every_id_is_a_float_that_stays_what_it_is(found: int) -> None:
    value = np.array(as_float_bits(found), np.uint32).view(np.float32)
    assert np.isfinite(value) and abs(value) >= np.finfo(np.float32).tiny
    assert as_float_bits(as_float_bits(found)) == as_float_bits(found)


@given(st.lists(COVERS, min_size=1, max_size=4))
def test_shares_never_add_up_to_more_than_a_pixel(covers: list[np.ndarray]) -> None:
    covers = [snapped(cover) for cover in covers]
    shares = split(covers)
    assert all((share <= cover).all() and (share >= 0).all() for share, cover in zip(shares, covers, strict=True))
    total = np.sum(shares, axis=0, dtype=np.float64)
    assert (total <= 1 + 1e-6).all()
    full = np.sum(covers, axis=0, dtype=np.float64) >= 1
    np.testing.assert_allclose(total[full], 1, atol=1e-6)
    np.testing.assert_array_equal(split([covers[0], 1 - covers[0]])[0], covers[0])


@pytest.mark.parametrize("name", LAYOUTS)
def test_coverage_of_a_render(name: str) -> None:
    with open_shot(DATA / name) as shot:
        objects = {one: shot.require_matte("object", [one]) for one in ("Ball", "Box, big", "Floor")}
        everything = shot.require_matte("object", ["*"])
        rubber = shot.require_matte("material", ["Rubber"])
        frame = shot.read(2)
    covers = {one: frame.mattes["object"].coverage(ids) for one, ids in objects.items()}
    ball = snapped(covers["Ball"])
    assert (ball == 1).sum() > 100 and (ball == 0).sum() > 1000
    edge = (ball > 0) & (ball < 1)
    assert 20 < edge.sum() < 200 and len(np.unique(ball[edge])) > 5  # antialiased
    np.testing.assert_allclose(sum(covers.values()), frame.mattes["object"].coverage(everything), atol=1e-5)
    np.testing.assert_allclose(covers["Ball"], frame.mattes["material"].coverage(rubber), atol=1e-5)
    # the Object Index pass says the same where a pixel holds one object alone
    assert (frame.index[ball == 1] == 1).all() and (frame.index[ball == 0] != 1).all()


@pytest.mark.parametrize("version", ["4.2.23", "4.5.15", "5.0.1", "5.2.3"])
def test_every_blender_writes_what_is_read(version: str, tmp_path: Path) -> None:
    blenders.run(version, "regions_scene.py", "--output", tmp_path, "--frames", 1, "--width", 48, "--height", 27)
    with open_shot(tmp_path / "shot_0001.exr") as shot:
        ball = shot.require_matte("object", ["Ba*"])
        frame = shot.read(1)
    cover = frame.mattes["object"].coverage(ball)
    assert (frame.index[cover > 0.999] == 1).all() and (cover > 0.999).sum() > 10


def disc(softness: float) -> np.ndarray:
    y, x = np.mgrid[:60, :80]
    return np.clip((20 - np.hypot(x - 40, y - 30)) / softness + 0.5, 0, 1).astype(np.float32)


def mixture(cover: np.ndarray, inside: tuple[float, ...], outside: tuple[float, ...]) -> np.ndarray:
    return (cover[..., None] * np.float32(inside) + (1 - cover[..., None]) * np.float32(outside)).astype(np.float32)


@pytest.mark.parametrize("kept", ["disc", "ground", "neither"])
def test_an_edge_has_no_fringe_of_what_was_painted_over(kept: str) -> None:
    """An orange disc on white; one painting makes it blue on gray, another green on black."""
    cover = snapped(disc(1.5))
    orange, white, blue, gray, green, black = (
        (1, 0.5, 0), (1, 1, 1), (0.1, 0.2, 0.9), (0.5, 0.5, 0.5), (0.1, 0.7, 0.2), (0, 0, 0))  # fmt: skip
    frame, first, second = (mixture(cover, *pair) for pair in ((orange, white), (blue, gray), (green, black)))
    shares = {"disc": [1 - cover], "ground": [cover], "neither": [cover, 1 - cover]}[kept]
    paintings = {"disc": [first], "ground": [first], "neither": [first, second]}[kept]
    wanted = {"disc": (orange, gray), "ground": (blue, white), "neither": (blue, black)}[kept]
    composite = Composite(frame, shares)
    for painting, share in zip(paintings, shares, strict=True):
        composite.add(painting, share)
    plain = frame + sum(share[..., None] * (one - frame) for one, share in zip(paintings, shares, strict=True))
    edge = (cover > 0) & (cover < 1)
    best = mixture(cover, *wanted)
    errors = [np.abs(found - best)[edge].mean() for found in (composite.result, plain)]
    assert errors[0] < 0.2 * errors[1]
    assert np.abs(composite.result - best)[~edge].max() < 1e-6


def test_a_soft_mask_is_laid_on_as_it_is() -> None:
    cover, rng = disc(30), np.random.default_rng(0)
    frame, painting = (rng.random((60, 80, 3), np.float32) for _ in range(2))
    composite = Composite(frame, [cover])
    composite.add(painting, cover)
    np.testing.assert_allclose(composite.result, frame + cover[..., None] * (painting - frame), atol=1e-6)


# What is painted


def painted(job: Job) -> list[np.ndarray]:
    """The finished frames, HxWx3, as their files hold them."""
    finish(job)
    with open_shot(Path(job.output.directory) / "shot_####.exr") as made:
        return [made.read(number).rgb for number in made.numbers]


@pytest.fixture
def second(tmp_path: Path) -> Path:
    rng = np.random.default_rng(3)
    return write_png(tmp_path / "second.png", np.repeat(rng.random((48, 6, 3), np.float32), 8, axis=1))


def ball_cover(name: str) -> list[np.ndarray]:
    with open_shot(DATA / name) as shot:
        ids = shot.require_matte("object", ["Ball"])
        return [snapped(shot.read(number).mattes["object"].coverage(ids)) for number in shot.numbers]


def shown(rgb: np.ndarray) -> np.ndarray:
    """Display values of scene-linear ones, by the sRGB curve."""
    rgb = np.clip(rgb, 0, 1)
    return np.where(rgb <= 0.0031308, rgb * 12.92, 1.055 * rgb ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("name", LAYOUTS)
def test_two_styles_by_cryptomatte_and_swapped(material: Material, tmp_path: Path, second: Path, name: str) -> None:
    """Where coverage is 0 or 1 each result is that of its style alone, in every frame, carried along the motion."""

    def job(out: str, *styles: Style) -> Job:
        return make_job(material, DATA / name, tmp_path / out, styles=styles)

    first, other = Style(str(material.style)), Style(str(second))
    alone = [painted(job("a", first)), painted(job("b", other))]
    outside = replace(BALL, invert=True)
    results = [
        painted(job("ab", replace(first, region=BALL), replace(other, region=outside))),
        painted(job("ba", replace(other, region=BALL), replace(first, region=outside))),
        painted(job("rest", other, replace(first, region=BALL))),
    ]
    covers = ball_cover(name)
    assert np.abs(shown(alone[0][2]) - shown(alone[1][2])).mean() > 0.02  # the styles can be told apart
    for (ball, ground), result in zip([(0, 1), (1, 0), (0, 1)], results, strict=True):
        for frame, cover in enumerate(covers):
            for wanted, where in ((alone[ball], cover == 1), (alone[ground], cover == 0)):
                gap = np.abs(shown(result[frame]) - shown(wanted[frame]))[where]
                assert gap.max() <= 1 / 255


def test_styles_of_one_region_are_mixed_in_it(material: Material, tmp_path: Path, second: Path) -> None:
    """Four styles: two mixed on the ball, two mixed everywhere else."""

    def job(out: str, *styles: Style) -> Job:
        return make_job(material, DATA / "regions_4x", tmp_path / out, styles=styles, input__frames=(1, 2))

    first, other = Style(str(material.style), 3.0), Style(str(second), 1.0)
    back, forth = replace(first, weight=1.0), replace(other, weight=2.0)
    mixed = painted(job("mixed", replace(first, region=BALL), back, replace(other, region=BALL), forth))
    ball, rest = painted(job("ball", first, other)), painted(job("rest", back, forth))
    for frame, cover in enumerate(ball_cover("regions_4x")[:2]):
        assert np.abs(shown(mixed[frame]) - shown(ball[frame]))[cover == 1].max() <= 1 / 255
        assert np.abs(shown(mixed[frame]) - shown(rest[frame]))[cover == 0].max() <= 1 / 255
        assert np.abs(shown(ball[frame]) - shown(rest[frame])).mean() > 1 / 255


def test_strength_is_keyed_in_two_regions(material: Material, tmp_path: Path, second: Path) -> None:
    """From nothing to full strength: as rendered at first, and then each object as in its style alone."""

    def job(out: str, strength: object, *styles: Style) -> Job:
        return make_job(material, DATA / "regions_4x", tmp_path / out, styles=styles, settings__strength=strength)

    first, other = Style(str(material.style)), Style(str(second))
    keyed = painted(job("keyed", {1: 0, 3: 1}, replace(first, region=BALL), replace(other, region=BOX)))
    alone = [painted(job(name, {1: 0, 3: 1}, style)) for name, style in (("first", first), ("other", other))]
    with open_shot(DATA / "regions_4x") as shot:
        ids = [shot.require_matte("object", region.object) for region in (BALL, BOX)]
        frames = [shot.read(number) for number in shot.numbers]
    np.testing.assert_array_equal(keyed[0], frames[0].rgb)
    change = []
    for frame, made, *wanted in zip(frames[1:], keyed[1:], alone[0][1:], alone[1][1:], strict=True):
        covers = [snapped(frame.mattes["object"].coverage(one)) for one in ids]
        for cover, want in zip(covers, wanted, strict=True):
            assert np.abs(shown(made) - shown(want))[cover == 1].max() <= 1 / 255
        np.testing.assert_array_equal(made[sum(covers) == 0], frame.rgb[sum(covers) == 0])
        change.append(np.abs(shown(made) - shown(frame.rgb))[sum(covers) == 1].mean())
    assert 0.2 * change[1] < change[0] < 0.8 * change[1]


@pytest.mark.parametrize("name", LAYOUTS)
def test_outside_all_regions_stays_the_very_frame(material: Material, tmp_path: Path, name: str) -> None:
    style = Style(str(material.style), region=Region(object=("B*",), invert=True))
    made = painted(make_job(material, DATA / name, tmp_path, styles=(style,)))
    with open_shot(DATA / name) as shot:
        ids = shot.require_matte("object", ["Ball", "Box, big"])
        for number, result in zip(shot.numbers, made, strict=True):
            frame = shot.read(number)
            inside = snapped(frame.mattes["object"].coverage(ids)) == 1
            np.testing.assert_array_equal(result[inside], frame.rgb[inside])
            assert np.abs(result - frame.rgb)[~inside].mean() > 0.005


def test_gatys_paints_regions_of_a_shot_in_one_go(material: Material, tmp_path: Path, second: Path) -> None:
    styles = (Style(str(material.style), region=BALL), Style(str(second), region=BOX))
    job = make_job(material, DATA / "regions_4x", tmp_path, styles=styles, input__frames=(1, 2),
                   settings__method="gatys", settings__weights=None, settings__options={"steps": 3})  # fmt: skip
    with open_shot(DATA / "regions_4x") as shot:
        ids = shot.require_matte("object", ["Ball", "Box, big"])
        for number, result in zip((1, 2), painted(job), strict=True):
            frame = shot.read(number)
            cover = snapped(frame.mattes["object"].coverage(ids))
            np.testing.assert_array_equal(result[cover == 0], frame.rgb[cover == 0])
            assert (result != frame.rgb)[cover == 1].mean() > 0.9


def test_materials_and_indexes_are_regions_too(material: Material, tmp_path: Path) -> None:
    regions = {"object": BALL, "material": Region(material=("Rubber",)), "index": Region(index=1)}
    made = {kind: painted(make_job(material, DATA / "regions_4x", tmp_path / kind,
                                   styles=(Style(str(material.style), region=region),), input__frames=(1, 2)))
            for kind, region in regions.items()}  # fmt: skip
    covers = ball_cover("regions_4x")
    for frame in range(2):
        np.testing.assert_allclose(made["object"][frame], made["material"][frame], atol=1e-4)
        with open_shot(DATA / "regions_4x") as shot:
            given = shot.read(frame + 1).rgb
        changed = (made["index"][frame] != given).any(2)
        inner, outer = (covers[frame] == 1), (covers[frame] == 0)
        # its pixels are in or out; a slope one pixel wide on either side takes the stairs off
        assert changed[inner].all() and changed[outer].sum() < 120


def test_a_picture_and_a_sequence_are_masks_for_every_method(material: Material, tmp_path: Path) -> None:
    left = np.zeros((48, 64, 3), np.float32)
    left[:, :32] = 1
    one = write_png(tmp_path / "left.png", left)
    for number in range(1, 7):
        write_png(tmp_path / "masks" / f"m_{number:04d}.png", left if number < 3 else np.zeros_like(left))
    styles = [Style(str(material.style), region=Region(mask=str(mask))) for mask in (one, tmp_path / "masks")]
    made = [painted(make_job(material, material.exr, tmp_path / str(i), styles=(s,))) for i, s in enumerate(styles)]
    with open_shot(material.exr) as shot:
        for i, number in enumerate(shot.numbers):
            given = shot.read(number).rgb
            assert np.array_equal(made[0][i][:, 32:], given[:, 32:]) and (made[0][i][:, :32] != given[:, :32]).any()
            assert np.array_equal(made[1][i], given if number >= 3 else made[0][i])


def test_what_is_transparent_in_a_mask_is_not_in_the_region(material: Material, tmp_path: Path) -> None:
    clear = np.ones((41, 57, 4), np.float32)
    clear[:, 20:, 3] = 0
    assert cv2.imwrite(str(tmp_path / "mask.png"), (clear * 255).astype(np.uint8))
    style = Style(str(material.style), region=Region(mask=str(tmp_path / "mask.png")))
    finish(make_job(material, material.photo, tmp_path / "out", styles=(style,)))
    before, after = (cv2.imread(str(path)) for path in (material.photo, tmp_path / "out" / "photo.png"))
    assert np.array_equal(before[:, 20:], after[:, 20:]) and (before[:, :20] != after[:, :20]).mean() > 0.5


def test_an_interrupted_job_with_regions_ends_with_the_same_files(
    material: Material, tmp_path: Path, second: Path
) -> None:
    styles = (Style(str(material.style)), Style(str(second), {1: 0, 2: 1}, BALL), Style(str(material.style), 1.0, BOX))
    job = make_job(material, DATA / "regions_5x", tmp_path / "a", styles=styles)
    finish(job)
    job = replace(job, output=replace(job.output, directory=str(tmp_path / "b")))
    for _ in range(2):
        with closing(run(job)) as events:
            next(event for event in events if isinstance(event, FrameDone))
    finish(job)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--region", "object=Bal"], "has no object 'Bal'; its objects are: 'Ball', 'Box, big', 'Floor', 'Sun'."),
        (["--except", "material=X*"], "has no material 'X*'; its materials are: 'Grey', 'Rubber', 'Wood'"),
        (["--region", "object=Ball", "--except", "object=Ball"], "either --region or --except"),
        (["--region", "Ball"], "is of no known kind; write --region with one of object=..., material=..., index=..."),
        (["--region", "index=one"], "has no whole number"),
        (["--region", "object=Ball", "--region", "index=1"], "styles[0].region is given by object and index"),
        (["--region", "mask=a.png", "--region", "mask=b.png"], "has one mask; leave out 'mask=b.png'"),
    ],
)
def test_wrong_regions_get_their_sentence(
    material: Material, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: str
) -> None:
    arguments = ["stylize", str(DATA / "regions_4x"), "--output", str(tmp_path / "out"), "--style", str(material.style)]
    assert main([*arguments, *options, "--weights", str(material.weights)]) == 2
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1 and "Traceback" not in said


def test_passes_that_are_not_there_get_their_sentence(material: Material, tmp_path: Path) -> None:
    for source, region, words in (
        (material.exr, BALL, "has no Cryptomatte Object pass; switch it on"),
        (material.photo, Region(material=("X",)), "has no Cryptomatte Material pass"),
        (material.exr, Region(index=1), "has no Object Index pass"),
        (material.movie, BALL, "has no Cryptomatte Object pass"),
    ):
        with pytest.raises(InputError, match=words):
            list(run(make_job(material, source, tmp_path, styles=(Style(str(material.style), region=region),))))


def test_regions_on_the_command_line(material: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Job] = []
    monkeypatch.setattr("styletx_core.cli._run", lambda job, progress: made.append(job) or 0)
    style = ["--style", str(material.style)]
    assert main(["stylize", "shot", "--output", str(tmp_path), *style, *style, "--region", "object=Ball", "--region",
                 "object=Tree*", *style, "--except", "index=3", *style, "--region", "mask=m=1.png"]) == 0  # fmt: skip
    assert [one.region for one in made[0].styles] == [
        None, Region(object=("Ball", "Tree*")), Region(index=3, invert=True), Region(mask="m=1.png")]  # fmt: skip

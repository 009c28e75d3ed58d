# SPDX-License-Identifier: GPL-3.0-or-later
"""`styletx analyze`: statistics against known answers, and the command on small pictures whose order is known."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import write_png
from hypothesis import example, given, settings
from hypothesis import strategies as st

from styletx_core.analyze.clusters import cut, linkage, nearest_agree, order
from styletx_core.analyze.dip import dip
from styletx_core.analyze.measures import measure
from styletx_core.analyze.statistics import Design, cliff, holm
from styletx_core.cli import main

SIZE = 72


def test_dip_of_known_samples() -> None:
    assert dip(np.arange(10)) == pytest.approx(1 / 20)  # evenly spread: as near to one peak as a sample can be
    assert dip(np.repeat([0, 1], 50)) == pytest.approx(0.25)  # two heaps: as far
    assert dip(np.zeros(9)) == 0
    rng = np.random.default_rng(0)
    one, two = rng.normal(size=128), np.concatenate((rng.normal(-4, 1, 64), rng.normal(4, 1, 64)))
    assert dip(one) < 0.05 < 0.1 < dip(two)


def test_dip_of_a_sample_whose_gap_is_as_wide_at_several_places() -> None:
    # the best with one peak has it at 7: convex below, at most 2/15 from each step
    for sample in ([1, 4, 5, 7, 7], [-7, -7, -5, -4, -1]):
        assert dip(np.array(sample, float)) == pytest.approx(2 / 15)


def test_one_peak_in_twenty_is_ruled_out_by_chance() -> None:
    from styletx_core.analyze.measures import _CRITICAL, SAMPLE

    rng = np.random.default_rng(3)
    beyond = np.mean([dip(rng.random(SAMPLE)) * SAMPLE**0.5 > _CRITICAL for _ in range(300)])
    assert 0.02 <= beyond <= 0.09


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=3, max_size=40), st.floats(0.1, 9), st.floats(-5, 5))
@example([1, 4, 5, 7, 7], 0.1, 0.3)  # as wide at three places
def test_dip_knows_no_scale_and_no_direction(values: list[int], scale: float, shift: float) -> None:
    sample = np.array(values, float)
    assert 0 <= dip(sample) <= 0.25 + 1e-9
    assert dip(sample * scale + shift) == pytest.approx(dip(sample))
    assert dip(-sample) == pytest.approx(dip(sample))


def test_measures_of_known_features() -> None:
    rng = np.random.default_rng(0)
    alike = torch.ones(400, 16)
    apart = torch.zeros(400, 16)
    apart[torch.arange(400), torch.from_numpy(rng.integers(0, 16, 400))] = 1.0
    pair = apart.clone()
    pair[:, 1] = pair[:, 0]
    found = {name: measure(rows + 1e-3).measures for name, rows in
             (("alike", alike), ("apart", apart), ("pair", pair))}  # fmt: skip
    assert found["alike"]["rank"] == pytest.approx(1, abs=1e-3)
    assert found["apart"]["rank"] == pytest.approx(16, rel=0.05)
    assert found["alike"]["hoyer"] == pytest.approx(0, abs=1e-3)
    assert found["alike"]["entropy"] == pytest.approx(1, abs=1e-3)
    assert found["pair"]["hoyer"] > 0.8  # two of 240 entries
    assert found["alike"]["near_zero"] == 0
    assert found["pair"]["near_zero"] > 0.95


def test_effects_against_known_answers() -> None:
    assert cliff(np.array([1.0, 2.0]), np.array([3.0, 4.0])) == -1
    assert cliff(np.array([1.0, 3.0]), np.array([1.0, 3.0])) == 0
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    rng = np.random.default_rng(0)
    sources = [["a"] * 20 + ["b"] * 20, ["c"] * 40]
    trait = rng.normal(size=80)
    trait[:40] += 1
    design = Design(sources, trait[:, None])
    apart = design.compare(rng.normal(2, 1, 40), rng.normal(0, 1, 40))
    assert apart.p < 0.01 and apart.low > 0.33 and apart.low < apart.delta < apart.high
    same = design.compare(*rng.normal(size=(2, 40)))
    assert same.p > 0.05 and same.low < 0 < same.high
    explained = design.compare(trait[:40], trait[40:])  # nothing but the trait
    assert explained.delta > 0.33 and explained.adjusted is not None and abs(explained.adjusted) < 0.2


def test_the_tree_of_known_distances() -> None:
    points = np.array([0.0, 0.1, 5.0, 5.2, 9.0])
    distance = np.abs(points[:, None] - points[None])
    merges = linkage(distance)
    assert [(m.first, m.second) for m in merges[:2]] == [(0, 1), (2, 3)]
    assert [m.distance for m in merges] == sorted(m.distance for m in merges)
    assert merges[2].distance == pytest.approx(np.mean([4.0, 3.8]))
    assert cut(merges, 5, 3) == [0, 0, 1, 1, 2]
    assert sorted(order(merges, 5)) == list(range(5))
    assert nearest_agree(distance, ["x", "x", "y", "y", "y"]) == 1


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thin lines on white paper, and noise of all colors."""
    root, rng = tmp_path_factory.mktemp("styles"), np.random.default_rng(0)
    for number in range(3):
        lines = np.ones((SIZE, SIZE, 3), np.float32)
        for x, y, u, v in rng.integers(0, SIZE, (6, 4)):
            cv2.line(lines, (int(x), int(y)), (int(u), int(v)), (0, 0, 0), 1, cv2.LINE_AA)
        write_png(root / "lines" / f"line_{number}.png", lines)
        noise = cv2.resize(rng.random((12, 12, 3), np.float32), (SIZE, SIZE), interpolation=cv2.INTER_NEAREST)
        write_png(root / "noise" / f"noise_{number}.png", noise)
    return root


def test_the_command_writes_a_whole_report(folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    groups = ["--group", f"lines={folders / 'lines'}", "--group", f"noise={folders / 'noise'}"]
    command = ["analyze", *groups, "--output", str(tmp_path), "--side", "64", "--device", "cpu"]
    assert main(command) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "report.md")
    found = json.loads((tmp_path / "report.json").read_text())
    assert {name: g["pictures"] for name, g in found["groups"].items()} == {"lines": 3, "noise": 3}
    assert found["groups"]["lines"]["traits"]["chroma"] < 0.01 < found["groups"]["noise"]["traits"]["chroma"]
    assert found["groups"]["lines"]["traits"]["blank"] > 0.2
    assert set(found["claims"]["lines"]) == {"sparse", "unimodal"}
    assert found["clusters"]["clusters"] == [0, 0, 0, 1, 1, 1]
    assert found["clusters"]["nearest_agree"] == 1
    rows = found["components"]["answer"].values()
    assert all(sum(row.values()) == pytest.approx(1) for row in rows)
    text = (tmp_path / "report.md").read_text()
    for name in ("measures", "spectrum", "effects", "clusters", "components"):
        assert f"({name}.png)" in text
        assert cv2.imread(str(tmp_path / f"{name}.png")) is not None
    # measures are kept: the same again, from them
    assert len(list((tmp_path / "measured").iterdir())) == 6
    (tmp_path / "report.json").unlink()
    assert main(command) == 0
    assert json.loads((tmp_path / "report.json").read_text())["pictures"] == found["pictures"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "nothing to analyze"),
        (["missing.png"], "missing.png"),
        (["--group", "lines"], "NAME=STYLE"),
        (["--group", "a={lines}", "--group", "b={noise}/noise_0.png"], "only 1 pictures"),
        (["{lines}", "--side", "9"], "--side"),
    ],
)
def test_bad_input_is_told_in_one_sentence(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    given_ = [text.format(lines=folders / "lines", noise=folders / "noise") for text in arguments]
    assert main(["analyze", *given_, "--output", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1
    assert not (tmp_path / "out").exists()

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The split and the proposed views of a generator whose view codes are known."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from backend.gan_views import search as views
from backend.gan_views.proposals import Candidate, Directions, ProposalConfig, averages, choose, judged
from backend.gan_views.readings import Readings
from backend.gan_views.search import ViewsTraining, find_views
from backend.gan_views.split import SplitTable, measure_split
from backend.gan_views.view_codes import load_view_codes
from tests.helpers.views_samples import SIZE, VIEW_CODES, azimuth_of, blank, elevation_of, observed, oracle

CONFIG = ViewsTraining(
    pairs=12, proposals=ProposalConfig(samples=0, candidates=48, contents=4, views=20, truncation=1.0), seed=3, shown=3
)


@pytest.fixture(scope="module")
def table() -> SplitTable:
    return measure_split(observed(), pairs=16, truncation=1.0, seed=0, progress=False)


def test_the_split_of_a_known_generator_is_found(table: SplitTable) -> None:
    assert table.proposed() == VIEW_CODES
    assert table.pairs == 16


def test_the_table_says_where_each_property_is(table: SplitTable) -> None:
    rows, swaps = table.rows, table.swaps
    # Azimuth: with code 0, exactly; elevation: with code 1; shape: with code 2; colour: with codes 3 and 4.
    assert [round(row.azimuth) for row in rows] == [0, 1, 1, 1, 1, 1, 1]
    assert all(row.azimuth_deg < 2 for row in rows[1:])
    assert rows[0].azimuth_deg > 20 and rows[1].azimuth_before_deg > 20 and rows[2].azimuth_before_deg < 2
    assert [round(row.elevation) for row in rows] == [0, 0, 1, 1, 1, 1, 1]
    assert [round(row.shape) for row in rows] == [0, 0, 0, 1, 1, 1, 1]
    assert rows[3].colour < 0.5 and rows[4].colour > 0.5 and rows[5].colour == 1
    assert [swap.azimuth > 0.5 for swap in swaps] == [True, False, False, False, False, False]
    assert [swap.elevation > 0.5 for swap in swaps] == [False, True, False, False, False, False]
    assert [swap.shape > 0.5 for swap in swaps] == [False, False, True, False, False, False]
    assert swaps[5].azimuth == swaps[5].mask == swaps[5].colour == 0


def test_the_table_can_be_read_by_people_and_programs(table: SplitTable) -> None:
    text = table.text(2)
    assert text.count("<- split") == 1
    assert next(line for line in text.splitlines() if "<- split" in line).split()[0] == "2"
    record = json.loads(json.dumps(table.record(4)))
    assert (record["split"], record["proposed"], len(record["first_codes"])) == (4, 2, 7)
    assert record["first_codes"][2]["gap"] == pytest.approx(1.0, abs=0.1)


def test_front_taken_for_back_now_and_then_does_not_move_the_split() -> None:
    """A network that is all wrong in a quarter of the pictures."""
    random = np.random.default_rng(5)

    def confused(pictures: np.ndarray) -> Readings:
        readings = oracle(pictures)
        readings.azimuth = readings.azimuth + math.pi * (random.random(len(pictures)) < 0.25)
        return readings

    found = measure_split(observed(confused), pairs=32, truncation=1.0, seed=0, progress=False)
    assert found.proposed() == VIEW_CODES
    assert found.rows[2].azimuth > found.rows[0].azimuth + 0.2 and found.rows[2].axis > 0.95


def test_a_generator_without_objects_is_refused_in_one_sentence() -> None:
    def blind(pictures: np.ndarray) -> Readings:
        return replace(oracle(pictures), area=np.zeros(len(pictures)))

    with pytest.raises(ValueError, match="found in both samples of only 0 of 8 pairs"):
        measure_split(observed(blind), pairs=8, truncation=1.0, seed=0, progress=False)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, float]]:
    folder = tmp_path_factory.mktemp("views") / "set"
    return folder, find_views(CONFIG, observed(), folder, name="boxes", progress=False)


def test_the_guesses_are_the_true_views_of_the_codes(found) -> None:
    folder, figures = found
    read = load_view_codes(folder)
    assert read.split == VIEW_CODES == figures["split"] == figures["proposed"]
    true_azimuth = np.degrees(azimuth_of(read.codes[:, 0]).numpy()) % 360
    true_elevation = np.degrees(elevation_of(read.codes[:, 1]).numpy())
    guesses = np.array([view.guess_deg for view in read.views])
    off = np.abs((guesses - true_azimuth + 180) % 360 - 180)
    assert off.max() < 2  # a byte holds the azimuth to 1.4 degrees
    assert np.abs([v.elevation_guess_deg for v in read.views] - true_elevation).max() < 0.3
    assert all(view.source == "auto" and not view.dropped and view.consistency > 0.99 for view in read.views)
    assert all(abs((view.guess_deg - 30 * view.bin + 180) % 360 - 180) <= 15 for view in read.views)
    assert [view.identity for view in read.views] == list(range(len(read.views)))
    assert sorted(guesses) == list(guesses)
    assert len(read.views) == figures["views"] and figures["bins"] == len({v.bin for v in read.views}) >= 10


def test_a_views_picture_shows_it_with_several_contents(found) -> None:
    folder, _ = found
    read = load_view_codes(folder)
    for position, view in enumerate(read.views):
        strip = np.asarray(Image.open(folder / "candidates" / f"{view.identity:03d}.png"))
        assert strip.shape == (SIZE, CONFIG.shown * SIZE, 3)
        readings = oracle(np.stack(np.split(strip, CONFIG.shown, axis=1)))
        azimuth = float(azimuth_of(read.codes[position : position + 1, 0])[0])
        assert np.abs(np.degrees(readings.azimuth - azimuth)).max() < 2
        assert np.ptp(readings.colour, axis=0).max() > 0.05  # other objects
    assert Image.open(folder / "candidates.png").width > 3 * CONFIG.shown * SIZE
    assert json.loads((folder / "split.json").read_text())["split"] == VIEW_CODES


def test_the_same_seed_finds_the_same_views(found, tmp_path: Path) -> None:
    find_views(CONFIG, observed(batch=5), tmp_path / "again", name="boxes", progress=False)
    one, other = load_view_codes(found[0]), load_view_codes(tmp_path / "again")
    assert torch.equal(one.codes, other.codes) and one.views == other.views


def test_a_split_that_is_given_stands(tmp_path: Path) -> None:
    config = replace(CONFIG, pairs=0, split=3)
    figures = find_views(config, observed(), tmp_path / "given", name="boxes", progress=False)
    assert figures["split"] == 3 and "proposed" not in figures
    assert load_view_codes(tmp_path / "given").codes.shape[1] == 3
    assert not (tmp_path / "given" / "split.json").exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"split": 6}, "between 1 and 5"),
        ({"pairs": 0}, "has to be given"),
        ({"shown": 9}, "cannot be shown"),
        ({"batch": 0}, "at least 1"),
        ({"split": 1, "proposals": replace(CONFIG.proposals, min_consistency=1.01)}, "is consistent"),
    ],
)
def test_settings_that_cannot_be_followed_are_one_sentence(tmp_path: Path, changes: dict, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        find_views(replace(CONFIG, **changes), observed(), tmp_path / "none", name="boxes", progress=False)
    assert not (tmp_path / "none" / "views.json").exists()


def test_a_view_set_that_is_there_is_not_written_over(found) -> None:
    before = (found[0] / "views.json").read_bytes()
    with pytest.raises(FileExistsError, match="choose another folder"):
        views.train(CONFIG, Path("car"), found[0], resume=False, device=torch.device("cpu"))
    assert views.train(CONFIG, Path("car"), found[0], resume=True, device=torch.device("cpu")) == {}
    assert (found[0] / "views.json").read_bytes() == before


def test_contents_without_one_sound_object_lower_a_views_consistency() -> None:
    config = ProposalConfig()
    readings = blank(8)
    assert judged(5, readings, config).consistency == pytest.approx(1)
    readings.area[0] = 0.05
    readings.second[1] = 0.5
    readings.elevation[:2] = 1.0  # of what is no object
    result = judged(5, readings, config)
    assert result.consistency == pytest.approx(6 / 8)
    assert (result.number, result.elevation_deg) == (5, 0)
    readings.azimuth[2:4] = math.pi
    result = judged(5, readings, config)
    assert result.consistency == pytest.approx(2 / 8) and result.opposite == pytest.approx(2 / 6)


candidates = st.builds(
    Candidate,
    st.integers(0, 10**6),
    st.floats(0, 359.99),
    st.floats(-20, 60),
    st.floats(0, 1),
    st.just(0.0),
    st.just(0.0),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(candidates, max_size=60), st.integers(1, 30))
def test_the_chosen_views_are_fit_apart_even_and_the_best_of_their_bins(drawn: list[Candidate], views: int) -> None:
    config = ProposalConfig(views=views)
    taken = choose(drawn, config)
    fit = [c for c in drawn if c.consistency >= config.min_consistency and -5 <= c.elevation_deg <= 35]
    assert len(taken) <= views and all(c in fit for c in taken)
    assert [c.azimuth_deg for c in taken] == sorted(c.azimuth_deg for c in taken)
    for i, one in enumerate(taken):
        for other in taken[i + 1 :]:
            turn = abs((one.azimuth_deg - other.azimuth_deg + 180) % 360 - 180)
            assert max(turn, abs(one.elevation_deg - other.elevation_deg)) > config.apart_deg - 1e-6
    if len(taken) < views:  # nothing that could have been taken was left
        assert all(any(_near(c, t, config.apart_deg) for t in taken) for c in fit)


def _near(one: Candidate, other: Candidate, apart: float) -> bool:
    turn = abs((one.azimuth_deg - other.azimuth_deg + 180) % 360 - 180)
    return max(turn, abs(one.elevation_deg - other.elevation_deg)) <= apart + 1e-6


def test_bins_are_filled_in_rounds_of_heights_with_their_best_first() -> None:
    """Eight views ahead, two at each height, and one at the left: with four wanted, the left has one, and the front its
    best, then the best at another height than that and at a third."""
    front = [Candidate(i, (350 + 7 * (i % 2)) % 360, 10.0 * (i // 2), 0.6 + 0.04 * i, 0, 0) for i in range(8)]
    left = Candidate(8, 90, 0, 0.61, 0, 0)
    taken = choose([*front, left], ProposalConfig(views=4))
    assert {c.number for c in taken} == {8, 7, 5, 3}


def test_an_average_is_of_sound_samples_seen_from_one_direction_alone() -> None:
    """Against a loop over the samples."""
    rng = np.random.default_rng(3)
    count = 400
    codes = torch.as_tensor(rng.normal(size=(count, 2, 5)), dtype=torch.float32)
    seen = Directions(rng.uniform(-180, 180, count), rng.uniform(0, 20, count), rng.random(count) < 0.8)
    config = ProposalConfig(every_deg=90, heights_deg=(10.0,), widths_deg=(20.0,), height_deg=5, min_samples=2)
    made = averages(codes, seen, config)
    assert len(made) == 4
    for number, azimuth in enumerate((0, 90, 180, 270)):
        chosen = []
        for code, angle, height, sound in zip(codes, seen.azimuth_deg, seen.elevation_deg, seen.sound, strict=True):
            off = min(abs(angle + turn - azimuth) for turn in (-360, 0, 360))
            if sound and off <= 20 and abs(height - 10) <= 5:
                chosen.append(code)
        assert len(chosen) > 5
        torch.testing.assert_close(made[number], torch.stack(chosen).mean(dim=0))
    none = replace(config, min_samples=count)
    with pytest.raises(ValueError, match=f"no direction is seen {count} times"):
        averages(codes, seen, none)


def test_averages_of_samples_are_views_as_well(tmp_path: Path) -> None:
    """Of the known generator: the averages' pictures have the azimuths for which they were averaged."""
    proposals = replace(CONFIG.proposals, samples=600, min_samples=3, every_deg=30, widths_deg=(8.0,))
    config = replace(CONFIG, pairs=0, split=VIEW_CODES, proposals=proposals)
    figures = find_views(config, observed(batch=64), tmp_path / "set", name="boxes", progress=False)
    assert figures["bins"] == 12 and figures["consistency"] > 0.99
    read = load_view_codes(tmp_path / "set")
    guesses = np.array([view.guess_deg for view in read.views])
    true = np.degrees(azimuth_of(read.codes[:, 0]).numpy()) % 360
    assert np.abs((guesses - true + 180) % 360 - 180).max() < 2
    assert np.abs((guesses + 15) % 30 - 15).max() <= 8.5  # those that were asked for


def test_the_command_ends_in_one_sentence_for_a_file_that_is_no_generator(tmp_path: Path, root: Path) -> None:
    (tmp_path / "no.safetensors").write_bytes(b"nothing")
    command = [sys.executable, str(root / "scripts/train.py"), "views", "--data", str(tmp_path / "no.safetensors")]
    result = subprocess.run(
        [*command, "--out", str(tmp_path / "out"), "--preset", "tiny"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert result.stderr.startswith("train.py: ") and len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()

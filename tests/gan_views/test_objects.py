# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Multi-view data of a generator whose views, shapes and colours are known: what is made, what is filtered, resume."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from backend.common.view_set import View, ViewSet, ViewSetError
from backend.data.multi_views import load_multi_views
from backend.errors import OutputError
from backend.gan_views.dataset import write_gan_views
from backend.gan_views.objects import (
    COLOUR,
    FEW,
    KEPT,
    POSE,
    SEVERAL,
    SMALL,
    FilterConfig,
    GanViews,
    GanViewsConfig,
    ObservedGenerator,
    content_of,
    content_seed,
    expected_azimuth,
    tally,
    verdicts,
)
from backend.gan_views.readings import Readings
from backend.gan_views.view_codes import ViewCodes, load_view_codes, save_view_codes
from tests.helpers.views_samples import SIZE, blank, code_at, colour_of, height_of, observed, oracle

AZIMUTHS = (0, 60, 130, 200, 290)
WRONG, DROPPED = 3, 4
"""Positions of a view whose guess is all wrong, and of one that is dropped."""


@pytest.fixture
def codes(tmp_path: Path) -> ViewCodes:
    folder = tmp_path / "views"
    folder.mkdir()
    guesses = [a + 100 if i == WRONG else a for i, a in enumerate(AZIMUTHS)]
    listed = [View(10 + i, round(g / 30) % 12, i == DROPPED, float(g % 360), 15.0, 1.0) for i, g in enumerate(guesses)]
    stacked = torch.stack([torch.stack([code_at(a), torch.zeros(3)]) for a in AZIMUTHS])
    made = ViewCodes(ViewSet(folder, "boxes", 2, SIZE, listed), stacked)
    save_view_codes(made)
    return load_view_codes(folder)


def source(codes: ViewCodes, reader=oracle, **settings) -> GanViews:
    return GanViews(observed(reader), codes, GanViewsConfig(truncation=1.0, **settings))


def test_every_view_shows_one_content_and_the_mask_is_its_alpha(codes: ViewCodes) -> None:
    made = source(codes).object(4)
    assert made.views == [0, 1, 2] and made.rgba.shape == (3, SIZE, SIZE, 4)
    assert made.verdicts == {0: KEPT, 1: KEPT, 2: KEPT, WRONG: POSE}
    readings = oracle(made.rgba[..., :3])
    assert np.degrees(readings.azimuth) % 360 == pytest.approx(AZIMUTHS[:3], abs=1.5)
    assert np.degrees(readings.elevation) == pytest.approx(15, abs=0.3)
    # The content that the object's own seed draws, by hand.
    z = torch.randn(1, 3, generator=torch.Generator().manual_seed(made.seed))
    assert 1 + 0.4 * readings.shape[:, 0] == pytest.approx(float(height_of(z)[0]), abs=0.005)
    assert readings.colour == pytest.approx(np.tile(colour_of(z, z).numpy(), (3, 1)), abs=0.005)
    assert np.array_equal(made.rgba[..., 3] > 0, readings.masks > 0)


def test_an_object_does_not_depend_on_what_is_made_beside_it(codes: ViewCodes) -> None:
    alone = source(codes).object(7)
    together = source(codes).make([6, 7], np.array([[0, 1, 2, 3], [0, 1, 2, 3]]))[1]
    assert alone.seed == together.seed == content_seed(0, 7) and np.array_equal(alone.rgba, together.rgba)
    assert content_seed(0, 7) != content_seed(0, 8) != content_seed(1, 7)
    assert source(codes, seed=1).object(7).seed != alone.seed


def test_truncation_draws_contents_together(codes: ViewCodes) -> None:
    generator = observed().generator
    full, half = (content_of(generator, 5, psi) for psi in (1.0, 0.5))
    assert torch.allclose(half, 0.5 * full)


def test_filters_leave_out_what_they_say_and_count_the_first_reason() -> None:
    readings = blank(8)
    readings.second[0] = 0.2
    readings.area[0] = 0.01  # also small, but it counts once
    readings.area[1] = 0.09
    readings.azimuth[2] = math.radians(61)
    readings.azimuth[3] = math.radians(59)
    readings.azimuth[4], readings.confidence[4] = math.pi, 0.3  # not sure enough to be held against it
    readings.colour[5] = [0.9, 0.5, 0.5]
    expected = np.zeros(8)
    expected[6] = math.nan
    readings.azimuth[6] = 2.0  # of a view of which nothing is known
    found = verdicts(readings, expected, FilterConfig())
    assert found == [SEVERAL, SMALL, POSE, KEPT, KEPT, COLOUR, KEPT, KEPT]


def test_azimuths_are_compared_around_the_circle() -> None:
    readings = blank(3)
    readings.azimuth[:] = np.radians([350, 30, 250])
    assert verdicts(readings, np.radians([10.0, -20, 310.1]), FilterConfig()) == [KEPT, KEPT, POSE]


def test_colour_is_not_judged_by_two_pictures_and_objects_need_two() -> None:
    readings = blank(3)
    readings.colour[0] = 0
    assert verdicts(readings, np.zeros(3), FilterConfig()) == [COLOUR, KEPT, KEPT]
    assert verdicts(readings[:2], np.zeros(2), FilterConfig()) == [KEPT, KEPT]
    readings.area[1:] = 0
    assert verdicts(readings, np.zeros(3), FilterConfig()) == [FEW, SMALL, SMALL]
    assert verdicts(readings, np.zeros(3), FilterConfig(min_views=1)) == [KEPT, SMALL, SMALL]


def test_a_view_is_expected_where_the_network_reads_it_or_else_in_its_bin() -> None:
    assert expected_azimuth(View(0, 3, guess_deg=275.0, source="person")) == pytest.approx(math.radians(275))
    assert expected_azimuth(View(0, 3)) == pytest.approx(math.pi / 2)
    assert math.isnan(expected_azimuth(View(0)))


def test_a_tally_counts_every_picture_once() -> None:
    listed = [View(5, 0), View(6, 1, dropped=True), View(7, 2)]
    report = tally([{0: KEPT, 2: POSE}, {0: SMALL, 2: SMALL}, {0: KEPT, 2: KEPT}], listed)
    assert (report["objects"], report["objects_kept"], report["made"], report["kept"]) == (3, 2, 6, 3)
    assert report["left_out"] == {SEVERAL: 0, SMALL: 2, POSE: 1, COLOUR: 0, FEW: 0}
    assert [(v["id"], v["made"], v["kept"]) for v in report["views"]] == [(5, 3, 2), (7, 3, 1)]


def test_batches_have_random_views_that_passed_and_go_on_where_they_stopped(codes: ViewCodes) -> None:
    endless = source(codes).batches(objects=3, views=2)
    batches = list(islice(endless, 4))
    for batch in batches:
        assert batch.rgba.shape == (3, 2, SIZE, SIZE, 4)
        assert WRONG not in batch.views and DROPPED not in batch.views
        assert (batch.views[:, 0] != batch.views[:, 1]).all()
    assert len({tuple(pair) for batch in batches for pair in batch.views}) > 3
    numbers = np.concatenate([batch.objects for batch in batches])
    assert len(set(numbers)) == 12 and (np.diff(numbers) > 0).all()
    again = next(source(codes).batches(objects=3, views=2, first=batches[1].next))
    assert np.array_equal(again.rgba, batches[2].rgba) and np.array_equal(again.objects, batches[2].objects)
    with pytest.raises(ValueError, match="cannot be shown in 5 views"):
        next(source(codes).batches(objects=1, views=5))


def test_objects_that_are_left_out_give_way_to_the_next_and_none_is_passed_over(codes: ViewCodes) -> None:
    def choosy(pictures: np.ndarray) -> Readings:
        readings = oracle(pictures)
        return replace(readings, area=np.where(readings.colour[:, 0] > 0.6, readings.area, 0.0))

    made = source(codes, choosy)
    passing = [made.number for made in made.objects(0, 30) if made.views]
    assert 5 < len(passing) < 25
    batches = list(islice(made.batches(objects=2, views=2, spare=2), len(passing) // 2))
    assert [int(n) for batch in batches for n in batch.objects] == passing[: 2 * len(batches)]
    assert all(batch.next == batch.objects[-1] + 1 for batch in batches)


def test_the_seed_draws_views_as_well_as_contents(codes: ViewCodes) -> None:
    one, other = (next(source(codes, seed=seed).batches(objects=8, views=2)) for seed in (0, 1))
    assert not np.array_equal(one.views, other.views)


def test_codes_of_another_generator_and_sets_without_views_are_refused(codes: ViewCodes) -> None:
    other = ViewCodes(codes.view_set, torch.zeros(5, 2, 4))
    with pytest.raises(ViewSetError, match="another generator"):
        GanViews(observed(), other)
    codes.view_set.views = [replace(view, dropped=True) for view in codes.views]
    with pytest.raises(ViewSetError, match="All views"):
        GanViews(observed(), codes)


def write(folder: Path, made: GanViews, objects: int) -> dict:
    return write_gan_views(folder, made, objects, generator="boxes", category="box", progress=False)


def test_data_of_which_minimums_had_other_names_are_gone_on_with(codes: ViewCodes, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    write(folder, source(codes), 1)
    card = folder / "dataset.json"
    card.write_text(card.read_text().replace('"min_', '"least_'))
    assert write(folder, source(codes), 2)["made_now"] == 1
    card.write_text(card.read_text().replace('"min_area": 0.1', '"least_area": 0.2'))
    with pytest.raises(OutputError, match="not the same filters"):
        write(folder, source(codes), 3)


def test_what_is_written_can_be_trained_on(codes: ViewCodes, tmp_path: Path) -> None:
    report = write(tmp_path / "data", source(codes), 3)
    assert (report["objects"], report["objects_kept"], report["made"], report["kept"]) == (3, 3, 12, 9)
    assert report["left_out"][POSE] == 3
    assert json.loads((tmp_path / "data/report.json").read_text())["views"][3]["left_out"][POSE] == 3
    card = json.loads((tmp_path / "data/dataset.json").read_text())
    assert {k: card[k] for k in ("format", "kind", "category", "resolution", "generator", "seed", "objects")} == {
        "format": 1, "kind": "gan-views", "category": "box", "resolution": SIZE, "generator": "boxes", "seed": 0,
        "objects": 3,
    }  # fmt: skip
    record = json.loads((tmp_path / "data/objects/000001/object.json").read_text())
    assert record["seed"] == content_seed(0, 1)
    assert record["views"] == [{"file": f"view_{i}.png", "view": i} for i in (10, 11, 12)]
    with Image.open(tmp_path / "data/objects/000001/view_11.png") as picture:
        assert picture.mode == "RGBA"
        assert np.array_equal(np.asarray(picture), source(codes).object(1).rgba[1])
    assert load_view_codes(tmp_path / "data").views == codes.views
    loaded = load_multi_views(tmp_path / "data", progress=False)
    assert loaded.number_of_objects == 3 and len(loaded.rgba) == 9
    with Image.open(tmp_path / "data/sheet.png") as sheet:
        assert sheet.size == (4 * (SIZE + 1), 3 * (SIZE + 1))
        columns = np.asarray(sheet).reshape(3, SIZE + 1, 4, SIZE + 1, 3)
    # In the order of the guesses: 0, 60, 130, and 300, which was left out.
    assert (columns[:, :, 3] == 255).all() and not (columns[:, :, 2] == 255).all()
    assert not (tmp_path / "data" / ".unfinished").exists() or not any((tmp_path / "data/.unfinished").iterdir())


class Stopped(Exception):
    pass


def test_a_run_that_was_stopped_goes_on_and_gives_the_same(codes: ViewCodes, tmp_path: Path) -> None:
    write(tmp_path / "whole", source(codes), 5)
    looked: list[int] = []

    def stopping(pictures: np.ndarray) -> Readings:
        looked.append(len(pictures))
        if len(looked) == 4:
            raise Stopped
        return oracle(pictures)

    folder = tmp_path / "data"
    with pytest.raises(Stopped):
        write(folder, source(codes, stopping), 5)
    assert len(list(folder.glob("objects/*/object.json"))) == 3
    with (folder / "filters.jsonl").open("a") as listed:
        listed.write('{"object": 3, "se')  # cut off by a kill
    shutil.rmtree(folder / "objects/000001")  # and lost
    kept = (folder / "objects/000002/view_10.png").stat().st_mtime_ns
    report = write(folder, source(codes), 5)
    assert report["made_now"] == 3 and report["objects"] == 5
    assert (folder / "objects/000002/view_10.png").stat().st_mtime_ns == kept
    whole = {p.relative_to(tmp_path / "whole"): p.read_bytes() for p in (tmp_path / "whole").rglob("*.png")}
    assert {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*.png")} == whole
    assert write(folder, source(codes), 6)["made_now"] == 1
    assert write(folder, source(codes), 4)["made_now"] == 0
    assert json.loads((folder / "dataset.json").read_text())["objects"] == 6


def test_bins_may_be_corrected_between_two_runs_but_guesses_seeds_and_codes_may_not(
    codes: ViewCodes, tmp_path: Path
) -> None:
    folder = tmp_path / "data"
    write(folder, source(codes), 1)
    codes.view_set.views[0] = replace(codes.views[0], bin=6, source="person")
    save_view_codes(codes)
    write(folder, source(codes), 2)
    assert load_view_codes(folder).views[0].bin == 6
    with pytest.raises(OutputError, match="seed.*choose another folder"):
        write(folder, source(codes, seed=1), 2)
    with pytest.raises(OutputError, match="filters"):
        write(folder, source(codes, filters=FilterConfig(azimuth_deg=20)), 2)
    other = ViewCodes(codes.view_set, codes.codes + 0.1)
    with pytest.raises(OutputError, match="fingerprint"):
        write(folder, source(other), 2)
    trained = source(codes)
    trained.observed.generator.weight = torch.ones(2)  # type: ignore[assignment]
    with pytest.raises(OutputError, match="fingerprint"):
        write(folder, trained, 2)
    (folder / "dataset.json").write_text("{")
    with pytest.raises(OutputError, match="damaged"):
        write(folder, source(codes), 2)


def test_a_folder_of_something_else_is_left_alone(codes: ViewCodes, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(OutputError, match="not empty"):
        write(tmp_path / "mine", source(codes), 1)
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_nothing_that_passes_is_one_sentence_with_the_numbers_kept(codes: ViewCodes, tmp_path: Path) -> None:
    def small(pictures: np.ndarray) -> Readings:
        return replace(oracle(pictures), area=np.full(len(pictures), 0.05))

    with pytest.raises(OutputError, match="None of the 2 objects passed"):
        write(tmp_path / "data", source(codes, small), 2)
    report = json.loads((tmp_path / "data/report.json").read_text())
    assert report["left_out"][SMALL] == 8 and report["objects_kept"] == 0


def test_pictures_are_cut_to_the_content() -> None:
    full = observed()
    narrow = ObservedGenerator(full.generator, (4, 2, 24, 28), oracle)
    w_plus = full.generator.map(torch.randn(3, 3))
    assert np.array_equal(narrow.pictures(w_plus), full.pictures(w_plus)[:, 4:28, 2:30])

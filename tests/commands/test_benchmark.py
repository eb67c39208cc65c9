# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""scripts/benchmark.py: its spheres, what it measures, what it says, and the command itself at tiny sizes."""

from __future__ import annotations

import dataclasses
import json
import math
import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import pytorch3d_twin as twin

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

import benchmark
from benchmarks import plot, report, stylegan2, suite
from benchmarks.renderer import PYTORCH3D, RENDERERS, Figures, Settings, Size, measure, measure_apart
from benchmarks.spheres import icosphere

BRIEF = Settings(least_runs=2, least_seconds=0.0)
TINY = suite.Sizes((1,), (16,), (1,))


@pytest.mark.parametrize("subdivisions", [0, 1, 3])
def test_an_icosphere_is_closed_and_its_faces_look_outwards(subdivisions: int) -> None:
    vertices, faces = icosphere(subdivisions, radius=2.0)
    assert vertices.dtype == np.float32 and faces.dtype == np.int64
    assert len(faces) == 20 * 4**subdivisions and len(vertices) == 10 * 4**subdivisions + 2
    np.testing.assert_allclose(np.linalg.norm(vertices, axis=1), 2.0, rtol=1e-6)
    # Closed and oriented: each edge is walked once in each direction.
    edges = Counter((int(face[i]), int(face[(i + 1) % 3])) for face in faces for i in range(3))
    assert set(edges.values()) == {1} and all((end, start) in edges for start, end in edges)
    a, b, c = vertices[faces].transpose(1, 0, 2)
    outwards = (np.cross(b - a, c - a) * (a + b + c)).sum(axis=1)
    assert (outwards > 0).all()


def test_the_sphere_of_the_budget_fills_two_thirds_of_its_picture() -> None:
    assert (suite.HEADLINE.vertices, suite.HEADLINE.faces, suite.HEADLINE.resolution) == (642, 1280, 256)
    covered = measure("rasteriser", dataclasses.replace(suite.HEADLINE, batch=2), BRIEF).covered_pixels
    assert covered / (2 * 256**2) == pytest.approx(2 / 3, abs=0.02)


@pytest.mark.parametrize("name", suite.OURS)
def test_figures_are_finite_and_positive(name: str) -> None:
    figures = measure(name, Size(1, 20, 2), BRIEF)
    assert not figures.error and figures.runs >= 2
    assert 0 < figures.covered_pixels < 2 * 20 * 20
    assert 0 < figures.forward_ms < math.inf and 0 < figures.both_ms < math.inf
    assert figures.work == figures.covered_pixels + 2 * 80
    assert figures.nanoseconds_per_work == pytest.approx(1e6 * figures.both_ms / figures.work)


def test_pytorch3d_is_measured_on_the_same_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    twin.install(monkeypatch)
    ours, other = (measure(name, Size(1, 20, 2), BRIEF) for name in ("rasteriser", PYTORCH3D))
    assert not other.error and 0 < other.forward_ms < math.inf and 0 < other.both_ms < math.inf
    assert other.covered_pixels == ours.covered_pixels and other.work == ours.work


@pytest.mark.skipif(sys.platform != "linux", reason="other systems count resident memory otherwise")
def test_memory_is_that_of_the_pictures_and_not_of_the_process() -> None:
    one, four = (measure_apart("rasteriser", Size(2, 512, batch), BRIEF) for batch in (1, 4))
    # What is kept of a pixel: weights, depth, the face within its mesh and among all, the pixel's place in it.
    kept = (4 * 4 + 2 * 8 + 2 * 4) * 512**2 / 1e6
    for figures, batch in ((one, 1), (four, 4)):
        assert batch * kept < figures.both_mb < 15 * batch * kept, figures
        assert figures.forward_mb <= figures.both_mb
    assert four.both_mb == pytest.approx(4 * one.both_mb, rel=0.5)


def test_what_does_not_fit_into_memory_is_an_entry_with_a_sentence() -> None:
    figures = measure("rasteriser", Size(0, 10**8, 1), BRIEF)
    assert figures.error and "\n" not in figures.error and math.isnan(figures.both_ms)
    json.dumps(figures.to_json(), allow_nan=False)


def test_a_process_that_dies_is_an_entry_with_a_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    figures = measure_apart("no such renderer", Size(0, 8, 1), BRIEF)
    assert "ended with code 1" in figures.error


def made_up(name: str, size: Size, settings: Settings) -> Figures:
    """A tenth of a second for a thousand faces at 64 x 64, growing with faces times pixels."""
    product = size.batch * size.faces * size.resolution**2
    seconds = 0.1 * product / (1280 * 64**2)
    return Figures(name, size, 500 * seconds, 1000 * seconds, 1.0, 2.0, size.batch * size.resolution**2 // 2, 2)


def test_pytorch3d_is_spared_the_sizes_that_would_take_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(suite, "measure_apart", made_up)
    rows: list[suite.Row] = []
    results = suite.run(suite.FULL, BRIEF, with_pytorch3d=True, after_headline=rows.append, after_row=rows.append)
    assert rows == [results.headline, *results.table] and len(results.table) == len(suite.FULL) == 40
    for row in results.table:
        assert list(row) == [*suite.OURS, PYTORCH3D]
        too_long = made_up("", row[PYTORCH3D].size, BRIEF).both_ms > 1000 * suite.PATIENCE_SECONDS
        assert bool(row[PYTORCH3D].error) == too_long
    assert 0 < len(results.column(PYTORCH3D)) < len(results.table)


def test_the_power_of_growth_is_that_of_the_larger_sizes() -> None:
    sizes = [Size(3, side, 1) for side in (64, 128, 256, 512, 1024)]
    column = [Figures("", size, covered_pixels=size.resolution**2) for size in sizes]
    column = [dataclasses.replace(figures, both_ms=5.0 + figures.work**1.2) for figures in column]
    assert report.growth_power(column[::-1]) == pytest.approx(1.2, abs=0.01)
    assert report.growth_power(column[:1]) is None


def test_growth_is_read_where_pixels_and_faces_grow_alike() -> None:
    table = [{"rasteriser": made_up("rasteriser", size, BRIEF)} for size in suite.FULL]
    columns = [[row["rasteriser"] for row in chain] for chain in report.longest_chains(table)]
    single_pictures = [[figures.size.resolution for figures in column if figures.size.batch == 1] for column in columns]
    assert single_pictures == [[64, 128, 256, 512], [128, 256, 512, 1024]]
    for column in columns:
        work = [figures.work for figures in column]
        assert work == sorted(work) and len(work) == 8
        assert len({figures.covered_pixels / (figures.size.batch * figures.size.faces) for figures in column}) == 1
    # made_up: a fourfold picture of fourfold faces takes 16 times as long, a batch of 8 takes 8 times.
    single = suite.Results({}, [row for row in table if row["rasteriser"].size.batch == 1])
    assert report.growth_powers(single, ["rasteriser"])["rasteriser"] == pytest.approx(2)
    assert report.growth_powers(suite.Results({}, table[:1]), ["rasteriser"]) == {"rasteriser": None}
    assert "2.00" in report.growth(single, ["rasteriser"])


def test_the_text_says_what_was_measured_and_what_was_not() -> None:
    row = {name: made_up(name, suite.HEADLINE, BRIEF) for name in RENDERERS}
    row["rasteriser"] = dataclasses.replace(row["rasteriser"], forward_ms=4.0, both_ms=8.0)
    beside = report.headline(row, "cpu")
    # made_up: 800 ms forward and 1600 ms in all.
    assert "200.0 times as fast as PyTorch3D forward, 200.0 times forward and backward" in beside
    assert "kept (80 %)" in beside and "MISSED" not in beside and "NOT measured" not in beside
    slow = row | {"rasteriser": dataclasses.replace(row["rasteriser"], both_ms=1600.0)}
    assert "MISSED (16000 %)" in report.headline(slow, "cpu")
    del row[PYTORCH3D]
    alone = report.headline(row, "cpu")
    assert "NOT measured here: PyTorch3D 0.7.9" in alone and "254 ms for 642 vertices" in alone
    assert "kept" not in report.headline(row, "cuda"), "the budget is one of CPU cores"
    row["rasteriser"] = Figures("rasteriser", suite.HEADLINE, error="not enough memory")
    assert re.search(r"rasteriser +failed: not enough memory", report.headline(row, "cpu"))
    assert "not enough memory" in report.table_row(row)


def test_the_command_measures_prints_and_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(suite, "QUICK", TINY)
    monkeypatch.setattr(suite, "HEADLINE", Size(1, 32, 1))
    path = tmp_path / "figures.json"
    arguments = ["--only", "renderer", "--quick", "--repeat", "1", "--threads", "1", "--json", str(path)]
    assert benchmark.main(arguments) == 0
    text = capsys.readouterr().out
    assert "42 vertices and 80 faces at 32x32" in text and "grow alike" in text

    figures = json.loads(path.read_text(encoding="utf-8"))
    assert set(figures) == {"machine", "renderer"}
    assert {"cpu", "cores", "torch", "threads", "device", "pytorch3d", "load_average"} <= set(figures["machine"])
    assert figures["machine"]["threads"] == 1 and figures["renderer"]["budget_ms"] == 10
    ours = [entry for entry in figures["renderer"]["table"] if entry["renderer"] in suite.OURS]
    sizes = [(entry["renderer"], entry["resolution"]) for entry in ours]
    assert sizes == [(name, side) for side in TINY.resolutions for name in suite.OURS]
    for entry in [*ours, *figures["renderer"]["headline"][:3]]:
        assert entry["faces"] == 80 and entry["vertices"] == 42 and entry["batch"] == 1 and not entry["error"]
        for name in ("forward_ms", "both_ms", "covered_pixels", "runs", "ns_per_covered_pixel_and_face"):
            assert 0 < entry[name] < math.inf


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--only", "everything"], "invalid choice"),
        (["--repeat", "0"], "--repeat must be 1 or more, not 0."),
        (["--threads", "-1"], "--threads must be 1 or more, not -1."),
        (["--photo", "none.jpg"], "there is no picture none.jpg."),
        (["--only", "renderer", "--json", "no/such/folder/x.json"], "a folder that exists"),
        (["--only", "pipeline", "--plot", "x.png"], "--only pipeline measures none"),
        (["--only", "renderer", "--plot", "x.txt"], "x.txt is none of them"),
        (["--only", "renderer", "--plot", "x.png"], "--plot needs matplotlib"),
        (["--only", "renderer", "--device", "cuda"], "there is no CUDA device"),
    ],
)
def test_a_wrong_command_line_is_one_sentence_and_code_two(
    arguments: list[str], sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(plot, "is_available", lambda: False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(SystemExit) as left:
        benchmark.main(arguments)
    error = capsys.readouterr().err
    assert left.value.code == 2 and sentence in error
    assert error.startswith("benchmark.py: ") and error.count("\n") == 1


@pytest.mark.skipif(not plot.is_available(), reason="needs matplotlib")
@pytest.mark.parametrize("suffix", plot.FORMATS)
def test_a_plot_is_written_with_what_there_is(suffix: str, tmp_path: Path) -> None:
    def row(size: Size) -> suite.Row:
        return {name: made_up(name, size, BRIEF) for name in suite.OURS}

    table = [row(size) for size in suite.FULL]
    table[0]["rasteriser"] = Figures("rasteriser", table[0]["rasteriser"].size, error="not enough memory")
    for results in (suite.Results(row(suite.HEADLINE), table), suite.Results(row(suite.HEADLINE))):
        path = tmp_path / f"plot{suffix}"
        plot.write(results, path, "a machine")
        assert path.stat().st_size > 1000


def test_the_generators_figures_are_there_and_a_steps_shares_are_the_whole() -> None:
    figures = stylegan2.measure("cpu", threads=None, repeat=1, presets=("tiny",))
    assert all(0 < value < math.inf for value in figures.values())
    assert sum(value for name, value in figures.items() if "share of" in name) == pytest.approx(100)
    assert figures["tiny: made, float32 [images/s]"] > figures["tiny: trained with [images/s]"]

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""View sets with codes: what is written comes back, what is wrong is one sentence."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from backend.common.view_set import FILE_NAME, View, ViewSet, ViewSetError, bin_of
from backend.gan_views.view_codes import (
    CODES_FILE,
    ViewCodes,
    load_view_codes,
    save_view_codes,
    starting_camera,
    starting_cameras,
)
from backend.render.camera import Cameras, project


def sample(folder: Path, views: int = 3, split: int = 2) -> ViewCodes:
    listed = [View(i, i, i == 1, 30.0 * i, 5.0, 0.5) for i in range(views)]
    codes = torch.randn(views, split, 4, generator=torch.Generator().manual_seed(0))
    folder.mkdir(exist_ok=True)
    return ViewCodes(ViewSet(folder, "car", split, 64, listed, 12.5), codes)


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    written = sample(tmp_path / "views")
    save_view_codes(written)
    read = load_view_codes(tmp_path / "views")
    assert torch.equal(read.codes, written.codes)
    assert read.views == written.views
    assert (read.split, read.view_set.generator, read.view_set.resolution) == (2, "car", 64)
    assert read.view_set.annotation_seconds == 12.5
    assert sorted(p.name for p in (tmp_path / "views").iterdir()) == [FILE_NAME, CODES_FILE]


def test_dropped_views_are_not_used(tmp_path: Path) -> None:
    assert sample(tmp_path).used() == [0, 2]


def test_a_view_brings_its_codes_and_leaves_the_content(tmp_path: Path) -> None:
    codes = sample(tmp_path)
    content = torch.randn(2, 5, 4)
    mixed = codes.with_content(torch.tensor([2, 0]), content)
    assert torch.equal(mixed[0, :2], codes.codes[2]) and torch.equal(mixed[1, :2], codes.codes[0])
    assert torch.equal(mixed[:, 2:], content[:, 2:])


def test_codes_of_another_generator_are_refused(tmp_path: Path) -> None:
    codes = sample(tmp_path)
    codes.check_fits(10, 4)
    for generator in ((10, 5), (2, 4)):
        with pytest.raises(ViewSetError, match="another generator"):
            codes.check_fits(*generator)


def test_list_and_codes_of_different_lengths_are_not_saved(tmp_path: Path) -> None:
    codes = sample(tmp_path / "views")
    codes.codes = codes.codes[:2]
    with pytest.raises(ViewSetError, match="cannot have codes"):
        save_view_codes(codes)
    assert not any((tmp_path / "views").iterdir())


def _no_codes(folder: Path) -> None:
    (folder / CODES_FILE).unlink()


def _truncated(folder: Path) -> None:
    (folder / CODES_FILE).write_bytes((folder / CODES_FILE).read_bytes()[:-9])


def _other_tensor(folder: Path) -> None:
    save_file({"weights": torch.zeros(3, 2, 4)}, folder / CODES_FILE)


def _too_few(folder: Path) -> None:
    save_file({"codes": torch.zeros(2, 2, 4)}, folder / CODES_FILE)


def _other_split(folder: Path) -> None:
    save_file({"codes": torch.zeros(3, 3, 4)}, folder / CODES_FILE)


def _not_finite(folder: Path) -> None:
    save_file({"codes": torch.full((3, 2, 4), math.nan)}, folder / CODES_FILE)


def _no_list(folder: Path) -> None:
    (folder / FILE_NAME).unlink()


def _bad_bin(folder: Path) -> None:
    document = json.loads((folder / FILE_NAME).read_text())
    document["views"][0]["bin"] = 12
    (folder / FILE_NAME).write_text(json.dumps(document))


@pytest.mark.parametrize(
    "spoil",
    [_no_codes, _truncated, _other_tensor, _too_few, _other_split, _not_finite, _no_list, _bad_bin],
    ids=lambda function: function.__name__.strip("_"),
)
def test_damaged_sets_end_in_one_sentence(tmp_path: Path, spoil) -> None:
    save_view_codes(sample(tmp_path / "views"))
    spoil(tmp_path / "views")
    with pytest.raises(ViewSetError) as caught:
        load_view_codes(tmp_path / "views")
    assert "\n" not in str(caught.value) and str(caught.value).endswith(".")


@given(st.integers(0, 11), st.floats(-14.9, 14.9))
def test_a_view_starts_at_the_middle_of_the_bin_of_its_azimuth(middle: int, off: float) -> None:
    view = View(0, bin_of(30 * middle + off))
    camera = starting_camera(view)
    assert math.isclose(camera.azimuth, math.pi / 6 * middle, abs_tol=1e-9)
    assert (camera.elevation, camera.roll, camera.shift_x, camera.shift_y) == (0, 0, 0, 0)


def test_all_views_start_at_one_distance_with_the_object_in_the_picture() -> None:
    cameras = starting_cameras([View(i, i) for i in range(12)])
    assert len({(c.distance, c.field_of_view) for c in cameras}) == 1
    # Seen from the side, the ends of an object of length 1 are 1 / 1.25 of the picture apart.
    screen = project(Cameras.batch([cameras[3]]), torch.tensor([[0.0, -0.5, 0.0], [0.0, 0.5, 0.0]]), 100, 100)[0]
    assert abs(float((screen[1] - screen[0])[0])) == pytest.approx(80, abs=0.01)


def test_a_view_without_a_bin_has_no_camera() -> None:
    with pytest.raises(ViewSetError, match="View 7 has no azimuth bin"):
        starting_camera(View(7))

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Datasets of views that all objects share: what is read, what is left out, what is refused."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tests.helpers.shared_views import write_gan_views, write_shared_views

from backend.data.multi_views import joined, kind_of, load_multi_views
from backend.common.view_set import View
from backend.training.inverse_graphics.view_cameras import start_direction_deg


@pytest.fixture
def made(tmp_path: Path) -> Path:
    write_gan_views(tmp_path / "made")
    return tmp_path / "made"


def test_pictures_that_filters_left_are_packed_with_their_views(made: Path) -> None:
    data = load_multi_views(made, progress=False)
    assert [view.identity for view in data.views] == [4, 7, 21] and [view.bin for view in data.views] == [0, 3, 9]
    # Object 0 lacks view 4, object 1 view 7, object 3 view 21; view 8 is dropped in all.
    shown = [[data.views[place].identity for place in data.view_of[pictures]] for pictures in data.objects]
    assert shown == [[7, 21], [4, 21], [4, 7, 21], [4, 7], [4, 7, 21]]
    assert sorted(torch.cat(data.objects).tolist()) == list(range(len(data.rgba)))
    picture = np.asarray(Image.open(made / "objects" / "000001" / "view_03.png"))
    np.testing.assert_array_equal(data.rgba[data.objects[1][1]], picture)


def test_oblong_pictures_stand_in_the_middle_of_a_square_with_nothing_around(made: Path) -> None:
    for path in made.glob("objects/*/*.png"):
        Image.open(path).crop((0, 10, 48, 46)).save(path)
    data = load_multi_views(made, progress=False)
    assert data.rgba.shape[1:] == (48, 48, 4)
    assert (data.rgba[:, :6] == 0).all() and (data.rgba[:, 42:] == 0).all()
    picture = np.asarray(Image.open(made / "objects" / "000001" / "view_03.png"))
    np.testing.assert_array_equal(data.rgba[data.objects[1][1], 6:42], picture)


def test_rendered_views_keep_their_cameras_apart_and_give_bins(tmp_path: Path) -> None:
    cameras = write_shared_views(tmp_path, objects=2, views=6)
    data = load_multi_views(tmp_path, progress=False)
    assert kind_of(tmp_path) == "shared-views" and data.number_of_objects == 2
    assert [view.bin for view in data.views] == [0, 2, 4, 6, 8, 10]
    assert data.true_cameras is not None
    torch.testing.assert_close(data.true_cameras.azimuth, torch.tensor([camera.azimuth for camera in cameras]))
    off = [camera.azimuth - math.radians(30 * view.bin) for camera, view in zip(cameras, data.views, strict=True)]
    off = [abs(math.remainder(value, 2 * math.pi)) for value in off]
    assert max(off) <= math.radians(15) and min(off) > math.radians(5)


def test_rendered_views_with_cameras_of_their_own_are_refused(tmp_path: Path) -> None:
    write_shared_views(tmp_path, objects=2, views=2)
    path = tmp_path / "objects" / "000001" / "object.json"
    record = json.loads(path.read_text())
    record["views"][1]["camera"]["roll"] += 0.1
    path.write_text(json.dumps(record))
    with pytest.raises(ValueError, match="do not share their cameras: roll differs"):
        load_multi_views(tmp_path, progress=False)


def test_guesses_replace_bins_only_where_asked_for_or_needed() -> None:
    view = View(3, 2, False, 71.0, 12.0)
    assert start_direction_deg(view, False) == (60, 0) and start_direction_deg(view, True) == (71, 12)
    assert start_direction_deg(View(3, 2), True) == (60, 0)
    assert start_direction_deg(View(3, None, False, 71.0, 12.0), False) == (71, 0)
    with pytest.raises(ValueError, match="View 3 has no azimuth bin"):
        start_direction_deg(View(3), True)


def broken_bin(folder: Path) -> None:
    path = folder / "views.json"
    whole = json.loads(path.read_text())
    whole["views"][0]["bin"] = 12
    path.write_text(json.dumps(whole))


def without_views(folder: Path) -> None:
    (folder / "views.json").write_text("{}")


def without_objects(folder: Path) -> None:
    for path in folder.glob("objects/*/object.json"):
        path.unlink()


def of_two_sizes(folder: Path) -> None:
    path = next(folder.glob("objects/*/*.png"))
    Image.open(path).resize((32, 32)).save(path)


def of_no_kind(folder: Path) -> None:
    (folder / "dataset.json").write_text("[]")


@pytest.mark.parametrize(
    "spoil, sentence",
    [
        (broken_bin, "bin"),
        (without_views, "views.json"),
        (without_objects, "No object with a view that is in use"),
        (of_two_sizes, "not all of one size"),
        (of_no_kind, "No dataset of shared views lies in"),
    ],
)
def test_damaged_data_ends_in_one_sentence(made: Path, spoil, sentence: str) -> None:
    spoil(made)
    with pytest.raises((ValueError, OSError), match=sentence) as caught:
        load_multi_views(made, progress=False)
    assert "\n" not in str(caught.value)


def test_joined_datasets_keep_every_picture_with_its_object_and_view(made: Path, tmp_path: Path) -> None:
    write_shared_views(tmp_path / "rendered", objects=3, views=6, size=96)
    parts = [load_multi_views(folder, progress=False) for folder in (made, tmp_path / "rendered")]
    both = joined(parts)
    assert [view.identity for view in both.views] == [4, 7, 21, 22, 23, 24, 25, 26, 27]
    assert both.number_of_objects == 8 and both.true_cameras is None
    assert torch.equal(torch.cat(both.objects), torch.arange(len(both.rgba))), "pictures of an object follow each other"
    at_the_end = [folder.parents[1].name for folder in both.folders[-3:]]
    assert set(at_the_end) == {"made", "rendered"}
    for part, first_view in zip(parts, (0, 3), strict=True):
        for number, folder in enumerate(part.folders):
            old, new = part.objects[number], both.objects[both.folders.index(folder)]
            assert torch.equal(both.view_of[new], part.view_of[old] + first_view)
            scale = part.rgba.shape[1] // both.rgba.shape[1]
            torch.testing.assert_close(both.crops[new] * scale, part.crops[old])
            # The mean of as many pixels as one replaces.
            small = part.rgba[old.numpy()].reshape(len(old), 48, scale, 48, scale, 4).mean(axis=(2, 4))
            assert np.abs(both.rgba[new.numpy()] - small).max() <= 0.51


def test_true_cameras_are_kept_where_all_parts_have_them(tmp_path: Path) -> None:
    first = write_shared_views(tmp_path / "a", objects=2, views=4)
    second = write_shared_views(tmp_path / "b", objects=2, views=6, seed=1)
    both = joined([load_multi_views(tmp_path / name, progress=False) for name in "ab"])
    assert both.true_cameras is not None
    expected = torch.tensor([camera.azimuth for camera in [*first, *second]])
    torch.testing.assert_close(both.true_cameras.azimuth, expected)

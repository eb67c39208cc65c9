# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How wide a camera saw, from what its file says: lenses whose angles are known."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import ExifTags, Image
from PIL.TiffImagePlugin import IFDRational

from backend.pipeline.photo import load_photo

TAG = ExifTags.Base
FILM_24_MM = 2 * math.atan(12 / 24)
"""Vertical field of view of film, 24 mm high, behind a lens of 24 mm."""


def saved(path: Path, width: int = 90, height: int = 60, orientation: int = 1, **lens: Any) -> Path:
    """A JPEG whose EXIF directory holds the given tags."""
    exif = Image.Exif()
    exif[TAG.Orientation] = orientation
    directory = exif.get_ifd(ExifTags.IFD.Exif)
    for name, value in lens.items():
        directory[TAG[name]] = value
    Image.fromarray(np.full((height, width, 3), 90, np.uint8)).save(path, exif=exif)
    return path


def test_a_lens_of_24_mm_sees_what_it_does_on_film(tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    photo = load_photo(saved(file, FocalLengthIn35mmFilm=24))
    assert photo.field_of_view == pytest.approx(FILM_24_MM, rel=1e-3)
    longer = load_photo(saved(file, FocalLengthIn35mmFilm=48)).field_of_view
    assert math.tan(longer / 2) == pytest.approx(math.tan(FILM_24_MM / 2) / 2, rel=1e-3)


@pytest.mark.parametrize("orientation, portrait", [(1, False), (3, False), (6, True), (8, True)])
def test_a_picture_turned_upright_sees_as_high_as_it_was_wide(tmp_path: Path, orientation: int, portrait: bool) -> None:
    photo = load_photo(saved(tmp_path / "photo.jpg", orientation=orientation, FocalLengthIn35mmFilm=24))
    assert photo.rgb.shape[:2] == ((90, 60) if portrait else (60, 90))
    expected = 2 * math.atan(18 / 24) if portrait else FILM_24_MM
    assert photo.field_of_view == pytest.approx(expected, rel=1e-3)


def test_equivalents_are_of_the_diagonal(tmp_path: Path) -> None:
    """4:3 has the sides 0.8 and 0.6 of its diagonal; a wide picture is a strip of one of 3:2."""
    photo = load_photo(saved(tmp_path / "photo.jpg", 80, 60, FocalLengthIn35mmFilm=24))
    assert photo.field_of_view == pytest.approx(2 * math.atan(0.5 * 0.6 * 43.27 / 24), rel=1e-3)
    photo = load_photo(saved(tmp_path / "photo.jpg", 160, 90, FocalLengthIn35mmFilm=24))
    assert photo.field_of_view == pytest.approx(2 * math.atan(18 * 9 / 16 / 24), rel=1e-3)


def test_a_sensor_of_known_resolution_says_the_same(tmp_path: Path) -> None:
    """A sensor 22.5 mm wide, 15 mm high, behind 15 mm: as film behind 24 mm."""
    lens = dict(FocalLength=IFDRational(15), FocalPlaneXResolution=IFDRational(4, 1), FocalPlaneResolutionUnit=4)
    for zoom, taken in ((1, 90), (1, 180), (2, 90)):
        resolution = IFDRational(4 * taken, 90)
        given = lens | dict(FocalPlaneXResolution=resolution, ExifImageWidth=taken, DigitalZoomRatio=IFDRational(zoom))
        photo = load_photo(saved(tmp_path / "photo.jpg", **given))
        assert math.tan(photo.field_of_view / 2) == pytest.approx(0.5 / zoom, rel=1e-3)


@pytest.mark.parametrize(
    "lens",
    [
        {},
        {"FocalLengthIn35mmFilm": 0},
        {"FocalLengthIn35mmFilm": 65535},
        {"FocalLengthIn35mmFilm": 2},
        {"FocalLength": IFDRational(0, 0), "FocalPlaneXResolution": IFDRational(100)},
        {"FocalLength": IFDRational(15), "FocalPlaneXResolution": IFDRational(0, 0)},
        {"FocalLength": IFDRational(15), "FocalPlaneXResolution": IFDRational(4), "FocalPlaneResolutionUnit": 9},
        {"FocalLengthIn35mmFilm": 24, "DigitalZoomRatio": IFDRational(3)},
    ],
)
def test_what_cannot_be_true_is_not_believed(tmp_path: Path, lens: dict[str, Any]) -> None:
    assert load_photo(saved(tmp_path / "photo.jpg", **lens)).field_of_view is None


def test_a_picture_that_was_cut_out_of_another_tells_nothing(tmp_path: Path) -> None:
    assert load_photo(saved(tmp_path / "photo.jpg", 90, 90, FocalLengthIn35mmFilm=24)).field_of_view is None
    assert load_photo(saved(tmp_path / "photo.jpg", 200, 60, FocalLengthIn35mmFilm=24)).field_of_view is None


def test_damage_in_the_directory_is_no_reason_to_refuse_the_picture(tmp_path: Path) -> None:
    path = saved(tmp_path / "photo.jpg", FocalLengthIn35mmFilm=24)
    data = path.read_bytes()
    start = data.index(b"Exif\0\0")
    end = start + int.from_bytes(data[start - 2 : start], "big") - 2
    for place in range(start + 10, end - 3):
        path.write_bytes(data[:place] + b"\xff\xff\xff" + data[place + 3 :])
        view = load_photo(path).field_of_view
        assert view is None or 0 < view < math.pi


def test_a_reduced_picture_sees_as_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.pipeline.photo.LONGEST_SIDE", 40)
    photo = load_photo(saved(tmp_path / "photo.jpg", FocalLengthIn35mmFilm=24))
    assert max(photo.rgb.shape) <= 40 and photo.field_of_view == pytest.approx(FILM_24_MM, rel=1e-3)

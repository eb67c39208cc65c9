# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How files say that they are to be turned: what the add-on reads by itself is what Pillow reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from addon import exif
from backend.pipeline.photo import load_photo

STORED = np.random.default_rng(0).integers(0, 256, (24, 36, 3), np.uint8)
ENDINGS = ("jpg", "png", "webp", "tif")


def saved(path: Path, orientation: int | None, big_endian: bool = False) -> Path:
    """A file of :data:`STORED`, without loss where its kind allows that, that says how it is to be turned."""
    tags = Image.Exif()
    tags.endian = ">" if big_endian else "<"
    tags[271] = "a camera of some maker"  # before the orientation in the directory
    if orientation is not None:
        tags[274] = orientation
    settings = {".jpg": {"quality": 95}, ".webp": {"lossless": True}}.get(path.suffix, {})
    Image.fromarray(STORED).save(path, exif=tags, **settings)
    return path


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("orientation", [*range(1, 9), None])
def test_the_orientation_is_the_one_that_was_written(tmp_path: Path, ending: str, orientation: int | None) -> None:
    assert exif.orientation(saved(tmp_path / f"a.{ending}", orientation)) == (orientation or 1)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_are_turned_as_pillow_turns_them(tmp_path: Path, orientation: int) -> None:
    with Image.open(saved(tmp_path / "a.png", orientation)) as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    turned = exif.upright(STORED, exif.orientation(tmp_path / "a.png"))
    np.testing.assert_array_equal(turned, expected)
    np.testing.assert_array_equal(turned, load_photo(tmp_path / "a.png").rgb)


def test_either_order_of_bytes_is_read(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.jpg", 6, big_endian=True)
    assert b"Exif\0\0MM" in path.read_bytes() and exif.orientation(path) == 6


@pytest.mark.parametrize("ending", ENDINGS)
def test_files_that_say_nothing_are_upright(tmp_path: Path, ending: str) -> None:
    Image.fromarray(STORED).save(tmp_path / f"a.{ending}")
    assert exif.orientation(tmp_path / f"a.{ending}") == 1


@pytest.mark.parametrize("ending", ENDINGS)
def test_damage_is_no_error(tmp_path: Path, ending: str) -> None:
    path = saved(tmp_path / f"a.{ending}", 6)
    whole = path.read_bytes()
    for length in (0, 1, 3, 11, 12, 14, 20, 30, 40, 60):
        path.write_bytes(whole[:length])
        assert exif.orientation(path) in range(1, 9)
    generator = np.random.default_rng(1)
    for _ in range(200):
        damaged = bytearray(whole)
        for place in generator.integers(0, min(len(whole), 200), 4):
            damaged[place] = int(generator.integers(0, 256))
        path.write_bytes(damaged)
        assert exif.orientation(path) in range(1, 9)


def test_a_missing_file_is_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        exif.orientation(tmp_path / "nowhere.jpg")

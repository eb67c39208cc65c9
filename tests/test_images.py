# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders and zips of images, brought into one shape and dealt out in an order that a position alone restores."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from backend.data.images import ImageSetConfig, ImageSetError, fitted, load_images


def encoded(pixels: np.ndarray, mode: str = "RGB") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels, mode).save(buffer, "PNG")
    return buffer.getvalue()


def write_folder(folder: Path, count: int = 5) -> Path:
    folder.mkdir()
    (folder / "inner").mkdir()
    for number in range(count):
        grey = np.full((10 + number, 20, 3), 40 * number, dtype=np.uint8)
        (folder / ("inner" if number % 2 else ".") / f"{number}.png").write_bytes(encoded(grey))
    (folder / "notes.txt").write_text("no image")
    return folder


def test_wide_images_lie_between_black_bars_as_lsun_car_does() -> None:
    config = ImageSetConfig(resolution=512, aspect=4 / 3)
    assert config.content() == (64, 0, 384, 512)
    square = fitted(encoded(np.full((300, 700, 3), 200, dtype=np.uint8)), ImageSetConfig(64, 4 / 3))
    assert (square[:8] == 0).all() and (square[56:] == 0).all() and (square[8:56] == 200).all()


def test_what_an_aspect_leaves_out_is_left_out_on_both_sides() -> None:
    columns = np.zeros((32, 96, 3), dtype=np.uint8)
    columns[:, 32:64] = 255
    assert (fitted(encoded(columns), ImageSetConfig(32, 1.0)) == 255).all()


def test_folders_and_zips_give_the_same_and_damaged_files_are_counted(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "images")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff nothing")
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
    config = ImageSetConfig(8)
    one = load_images(folder, config, tmp_path / "one.npy", progress=False)
    other = load_images(tmp_path / "images.zip", config, tmp_path / "other.npy", progress=False)
    assert len(one) == len(other) == 5 and np.array_equal(one.images, other.images)
    damaged = json.loads((tmp_path / "one.json").read_text())["damaged"]
    assert len(damaged) == 1 and damaged[0].startswith("broken.jpg")


def test_packed_images_are_used_again_until_the_shape_changes(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "images")
    load_images(folder, ImageSetConfig(8), tmp_path / "packed.npy", progress=False)
    for path in folder.rglob("*.png"):
        path.unlink()
    assert len(load_images(folder, ImageSetConfig(8), tmp_path / "packed.npy", progress=False)) == 5
    with pytest.raises(ImageSetError, match="No image lies in"):
        load_images(folder, ImageSetConfig(16), tmp_path / "packed.npy", progress=False)


def test_every_epoch_shows_every_image_once_and_mirrored_once_more(tmp_path: Path) -> None:
    images = load_images(write_folder(tmp_path / "images"), ImageSetConfig(8), tmp_path / "p.npy", progress=False)
    first, second = (images.batch(5 * epoch, 5, 0, mirror=False) for epoch in range(2))
    assert sorted(first[:, 0, 4, 4].tolist()) == sorted(second[:, 0, 4, 4].tolist())
    assert first.min() >= -1 and first.max() <= 1
    doubled = images.batch(0, 10, 0, mirror=True)
    assert sorted(doubled[:, 0, 4, 4].tolist()) == sorted(first[:, 0, 4, 4].tolist() * 2)


def test_a_position_restores_the_sequence_across_epochs(tmp_path: Path) -> None:
    images = load_images(write_folder(tmp_path / "images"), ImageSetConfig(8), tmp_path / "p.npy", progress=False)
    whole = images.batch(0, 23, 7, mirror=True)
    assert torch.equal(whole[8:15], images.batch(8, 7, 7, mirror=True))
    assert not torch.equal(whole, images.batch(0, 23, 8, mirror=True))


def test_the_mask_tells_images_from_bars(tmp_path: Path) -> None:
    images = load_images(write_folder(tmp_path / "i"), ImageSetConfig(16, 2.0), tmp_path / "p.npy", progress=False)
    mask = images.content_mask()
    assert mask.sum() == 16 * 8 and (images.batch(0, 5, 0, False) * (1 - mask) == -1 * (1 - mask)).all()


@pytest.mark.parametrize("name", ["missing", "text.zip"])
def test_sources_of_no_use_are_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "text.zip").write_text("not a zip")
    with pytest.raises(ImageSetError, match=name):
        load_images(tmp_path / name, ImageSetConfig(8), tmp_path / "p.npy", progress=False)

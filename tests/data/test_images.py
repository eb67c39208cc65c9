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


def rendered(colour: tuple[int, int, int], box: tuple[int, int, int, int], side: int = 40) -> bytes:
    """A view as renders are stored: a coloured surrounding under alpha 0, the object under alpha 255."""
    left, top, right, bottom = box
    rgba = np.zeros((side, side, 4), dtype=np.uint8)
    rgba[..., :3] = (0, 90, 200)
    rgba[top:bottom, left:right] = (*colour, 255)
    return encoded(rgba, "RGBA")


def test_transparent_surroundings_are_black_plain_or_what_the_file_has_there() -> None:
    view = rendered((200, 10, 10), (10, 10, 30, 30))
    black, plain, kept = (fitted(view, ImageSetConfig(40, alpha=alpha)) for alpha in ("black", "plain", "ignore"))
    assert (black[0, 0] == 0).all() and tuple(kept[0, 0]) == (0, 90, 200)
    for image in (black, plain, kept):
        assert tuple(image[20, 20]) == (200, 10, 10)
    ground = np.concatenate([plain[:9].reshape(-1, 3), plain[31:].reshape(-1, 3)])
    assert len(np.unique(ground, axis=0)) == 1 and ground[0].max() > 80
    other = fitted(rendered((10, 200, 10), (10, 10, 30, 30)), ImageSetConfig(40, alpha="plain"))
    assert not np.array_equal(other[0, 0], plain[0, 0])
    with pytest.raises(ValueError, match="alpha is one of"):
        ImageSetConfig(40, alpha="white")  # type: ignore[arg-type]


def test_rendered_views_are_taken_as_they_are_and_no_picture_beside_them(tmp_path: Path) -> None:
    views = []
    for number in range(2):
        folder = tmp_path / "renders" / "objects" / f"{number:06d}"
        folder.mkdir(parents=True)
        views.append(np.random.default_rng(number).integers(0, 256, (16, 16, 4), dtype=np.uint8))
        (folder / "view_00.png").write_bytes(encoded(views[-1], "RGBA"))
    (tmp_path / "renders" / "dataset.json").write_text("{}")
    (tmp_path / "renders" / "sheet.png").write_bytes(encoded(views[0], "RGBA"))
    config = ImageSetConfig(16, alpha="ignore")
    images = load_images(tmp_path / "renders", config, tmp_path / "p.npy", progress=False)
    assert np.array_equal(images.images, np.stack(views)[..., :3])


@pytest.mark.parametrize("box", [(4, 20, 24, 30), (20, 2, 30, 14), (0, 0, 40, 16), (30, 31, 40, 40)])
def test_a_crop_brings_the_object_to_the_middle_at_the_wanted_size(box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    image = fitted(rendered((255, 255, 255), box), ImageSetConfig(64, crop=1.25))
    rows, columns = np.where((image > 127).all(axis=2))
    longer = max(rows.max() - rows.min(), columns.max() - columns.min()) + 1
    assert abs(longer - 64 / 1.25) <= 4  # half a pixel of the source is up to two here, on either side
    assert abs((rows.max() + rows.min() + 1) / 2 - 32) <= 3 and abs((columns.max() + columns.min() + 1) / 2 - 32) <= 3
    ratio = (rows.max() - rows.min() + 1) / (columns.max() - columns.min() + 1)
    assert ratio == pytest.approx((bottom - top) / (right - left), rel=0.2)


def test_a_crop_that_keeps_the_surroundings_stays_inside_the_picture() -> None:
    image = fitted(rendered((255, 255, 255), (30, 31, 40, 40)), ImageSetConfig(64, alpha="ignore", crop=2.0))
    assert not (image == 0).all(axis=2).any()
    assert (image[-8:, -8:] > 127).all() and tuple(image[0, 0]) == (0, 90, 200)


@pytest.mark.parametrize("size", [(90, 30), (30, 90), (60, 40), (8, 6)])
def test_padding_keeps_the_whole_image_and_goes_on_in_its_borders_colours(size: tuple[int, int]) -> None:
    width, height = size
    image = np.full((height, width, 3), 128, dtype=np.uint8)
    image[: height // 2] = (220, 200, 180)
    config = ImageSetConfig(64, aspect=1.5, fit="pad")
    square = fitted(encoded(image), config).astype(int)
    top, left, rows, columns = config.content()
    assert (square[:top] == 0).all() and (square[top + rows :] == 0).all()
    inner = square[top : top + rows, left : left + columns]
    middle = np.abs(inner[:, columns // 2] - [220, 200, 180]).max(axis=1) < 20
    assert abs(middle.sum() - rows / 2) <= 2 and middle[0]  # the upper half goes on to the upper edge, at any size
    assert np.abs(inner[-1] - 128).max() < 20 and np.abs(inner[0] - [220, 200, 180]).max() < 20
    with pytest.raises(ValueError, match="fit is one of"):
        ImageSetConfig(64, fit="stretch")  # type: ignore[arg-type]


def test_padding_cuts_nothing_off() -> None:
    image = np.zeros((40, 120, 3), dtype=np.uint8)
    image[18:22, 4:8] = image[18:22, 112:116] = 255  # near either end of a picture much too wide
    kept, cut = (fitted(encoded(image), ImageSetConfig(60, aspect=1.5, fit=fit)).max() for fit in ("pad", "crop"))
    assert kept > 150 and cut < 20

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Folders and zips of images, brought into one shape and dealt out in an order that a position alone restores."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from backend.data import images as images_module
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


# What others left in a folder


def grey(value: int, side: int = 12) -> bytes:
    return encoded(np.full((side, side, 3), value, dtype=np.uint8))


def test_changed_images_are_said_and_packed_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder, packed = write_folder(tmp_path / "images"), tmp_path / "packed.npy"
    first = load_images(folder, ImageSetConfig(8), packed, progress=False).images.copy()
    assert np.array_equal(load_images(folder, ImageSetConfig(8), packed, progress=False).images, first)
    assert "changed" not in capsys.readouterr().err
    (folder / "0.png").write_bytes(grey(200))
    second = load_images(folder, ImageSetConfig(8), packed, progress=False).images.copy()
    assert f"The images in {folder} have changed since they were packed into packed.npy" in capsys.readouterr().err
    assert (second[0] == 200).all() and np.array_equal(second[1:], first[1:])
    (folder / "9.png").write_bytes(grey(90))
    assert len(load_images(folder, ImageSetConfig(8), packed, progress=False)) == 6
    assert "have changed" in capsys.readouterr().err


def test_a_zip_made_again_of_the_same_images_is_not_another_one(tmp_path: Path, capsys) -> None:
    path, packed = tmp_path / "images.zip", tmp_path / "packed.npy"
    for content, changed in ((grey(10), False), (grey(10), False), (grey(11), True)):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("a.png", content)
        assert (load_images(path, ImageSetConfig(8), packed, progress=False).images == content_of(content)).all()
        assert ("have changed" in capsys.readouterr().err) == changed


def content_of(data: bytes) -> np.ndarray:
    return fitted(data, ImageSetConfig(8))


def test_packs_of_versions_before_are_used_as_they_are(tmp_path: Path) -> None:
    folder, packed = write_folder(tmp_path / "images"), tmp_path / "packed.npy"
    load_images(folder, ImageSetConfig(8), packed, progress=False)
    card = json.loads(packed.with_suffix(".json").read_text())
    del card["fingerprint"]
    packed.with_suffix(".json").write_text(json.dumps(card))
    before = packed.stat().st_mtime_ns
    load_images(folder, ImageSetConfig(8), packed, progress=False)
    assert packed.stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", ["the pack is cut", "the card is cut", "the card is deep", "the pack is gone"])
def test_a_damaged_pack_is_made_again(tmp_path: Path, damage: str) -> None:
    folder, packed = write_folder(tmp_path / "images"), tmp_path / "packed.npy"
    first = load_images(folder, ImageSetConfig(8), packed, progress=False).images.copy()
    if damage == "the pack is cut":
        packed.write_bytes(packed.read_bytes()[:-50])
    elif damage == "the pack is gone":
        packed.unlink()
    else:
        packed.with_suffix(".json").write_text("[" * 100_000 if damage == "the card is deep" else '{"version":')
    assert np.array_equal(load_images(folder, ImageSetConfig(8), packed, progress=False).images, first)


def test_entries_that_cannot_be_read_are_counted_named_and_gone_on(tmp_path: Path, capsys) -> None:
    folder = write_folder(tmp_path / "images")
    (folder / "a_folder.png").mkdir()
    (folder / "dangling.png").symlink_to(tmp_path / "nowhere.png")
    (folder / "empty.png").write_bytes(b"")
    (folder / "text.png").write_text("no picture")
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "pipe.png")  # a reader of it would wait for ever
    images = load_images(folder, ImageSetConfig(8), tmp_path / "packed.npy", progress=False)
    damaged = json.loads((tmp_path / "packed.json").read_text())["damaged"]
    assert len(images) == 5 and {line.partition(":")[0] for line in damaged} >= {
        "a_folder.png", "dangling.png", "empty.png", "text.png"
    }  # fmt: skip
    said = capsys.readouterr().err
    assert "Left out of" in said and "a_folder.png" in said and f"and {len(damaged) - 1} more" in said
    assert {path.name for path in tmp_path.iterdir()} == {"images", "packed.npy", "packed.json"}


def test_damaged_members_of_a_zip_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in (("a.png", 10), ("b.png", 20)):
            archive.writestr(name, grey(value))
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 6] ^= 255  # in the first member
    path.write_bytes(bytes(data))
    images = load_images(path, ImageSetConfig(8), tmp_path / "packed.npy", progress=False)
    assert len(images) == 1 and (images.images == 20).all()


def test_nothing_stays_where_nothing_can_be_read_or_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, out = tmp_path / "images", tmp_path / "out"
    folder.mkdir()
    (folder / "text.png").write_text("no picture")
    with pytest.raises(ImageSetError, match="None of the 1 images .* text.png: it is no picture"):
        load_images(folder, ImageSetConfig(8), out / "packed.npy", progress=False)
    assert not list(out.iterdir())
    (folder / "good.png").write_bytes(grey(20))

    def full(data: bytes, config: ImageSetConfig) -> np.ndarray:
        return Full()  # type: ignore[return-value]

    class Full:
        def tobytes(self) -> bytes:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(images_module, "fitted", full)
    with pytest.raises(ImageSetError, match="cannot be packed into .*: No space left on device."):
        load_images(folder, ImageSetConfig(8), out / "packed.npy", progress=False)
    assert not list(out.iterdir())


def test_what_an_older_version_left_after_a_kill_goes(tmp_path: Path) -> None:
    (tmp_path / "packed.unfinished.npy").write_bytes(b"half")
    load_images(write_folder(tmp_path / "images"), ImageSetConfig(8), tmp_path / "packed.npy", progress=False)
    assert not (tmp_path / "packed.unfinished.npy").exists()


def test_a_file_that_would_start_another_program_is_no_picture(tmp_path: Path) -> None:
    """PostScript under a picture's name: Pillow would hand it to Ghostscript."""
    program = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\nshowpage\n%%EOF\n"
    with Image.open(io.BytesIO(program)) as opened:
        assert opened.format == "EPS"
    with pytest.raises(OSError, match="cannot identify"):
        fitted(program, ImageSetConfig(8))


def test_a_pack_outlives_its_images(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "images")
    load_images(folder, ImageSetConfig(8), tmp_path / "packed.npy", progress=False)
    shutil.rmtree(folder)
    assert len(load_images(folder, ImageSetConfig(8), tmp_path / "packed.npy", progress=False)) == 5

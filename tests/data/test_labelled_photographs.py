# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labelled photographs: what is cut out of them, which are held out, and what is said of damaged ones."""

from __future__ import annotations

import csv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.data.labelled_files import Label, largest_piece, opened, read_labels
from backend.data.labelled_photographs import (
    CROP_SCALE,
    LabelledPhotographs,
    load_labelled_photographs,
    load_whole_photographs,
)
from backend.models.inverse_graphics import CROP_MARGIN

HEIGHT, WIDTH = 60, 90
BOX = (30, 20, 54, 36)
"""Left, top, right, bottom of the red object in every picture."""


def picture(box: tuple[int, int, int, int] = BOX) -> tuple[np.ndarray, np.ndarray]:
    """A red box on blue, and its mask."""
    left, top, right, bottom = box
    rgb, mask = np.full((HEIGHT, WIDTH, 3), (20, 40, 200), np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
    rgb[top:bottom, left:right], mask[top:bottom, left:right] = (220, 30, 20), 255
    return rgb, mask


def write(folder: Path, rows: list[dict[str, object]], pictures: dict[str, tuple] | None = None) -> Path:
    """A set of PNG pictures, one for each row unless told otherwise."""
    for kind in ("photos", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for row in rows:
        rgb, mask = (pictures or {}).get(str(row["file"]), picture())
        Image.fromarray(rgb).save(folder / "photos" / str(row["file"]))
        Image.fromarray(mask).save(folder / "masks" / str(row["file"]))
    with (folder / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def labels(count: int) -> list[dict[str, object]]:
    return [{"file": f"{number:03d}.png", "azimuth_deg": 10 * number, "ok": 1} for number in range(count)]


def extent(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero((mask > 127).any(axis=1)), np.flatnonzero((mask > 127).any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def test_crops_hold_the_object_in_the_middle_with_room_about_it(tmp_path: Path) -> None:
    found = load_labelled_photographs(write(tmp_path, labels(2)), 100)
    assert found.rgb.shape == (2, 100, 100, 3) and found.masks.shape == (2, 100, 100)
    assert np.rad2deg(found.azimuths).tolist() == pytest.approx([0, 10]) and found.names == ("000.png", "001.png")
    left, top, right, bottom = extent(found.masks[0])
    side = 100 / (CROP_MARGIN * CROP_SCALE)
    assert right - left == pytest.approx(side, abs=1.5) and bottom - top == pytest.approx(side * 16 / 24, abs=1.5)
    assert (left + right) / 2 == pytest.approx(50, abs=1) and (top + bottom) / 2 == pytest.approx(50, abs=1)
    assert found.rgb[0, 50, 50].tolist() == pytest.approx([220, 30, 20], abs=3)
    assert found.rgb[0, 50, 2].tolist() == pytest.approx([20, 40, 200], abs=3), "surroundings stay"


def test_a_crop_is_grey_beyond_the_edges(tmp_path: Path) -> None:
    rows = labels(1)
    found = load_labelled_photographs(write(tmp_path, rows, {"000.png": picture((0, 20, 40, 36))}), 80)
    assert found.rgb[0, 40, 0].tolist() == pytest.approx([128, 128, 128], abs=2)
    assert found.masks[0, :, 0].max() == 0


def test_whole_photographs_have_bars_and_keep_everything(tmp_path: Path) -> None:
    found = load_whole_photographs(write(tmp_path, labels(1)), 90)
    assert found.rgb[0, 7, 45].tolist() == pytest.approx([128, 128, 128], abs=2)
    assert extent(found.masks[0]) == (BOX[0], BOX[1] + 15, BOX[2], BOX[3] + 15)


def test_the_largest_piece_of_a_mask_is_the_object() -> None:
    mask = picture()[1]
    specks = mask.copy()
    specks[2:6, 2:6] = 255
    assert (largest_piece(specks) == mask).all()
    assert not largest_piece(np.zeros_like(mask)).any()


def test_masks_of_another_size_and_pictures_that_lie_on_their_side_fit(tmp_path: Path) -> None:
    folder = write(tmp_path, labels(3))
    small = Image.fromarray(picture()[1]).resize((WIDTH // 2, HEIGHT // 2))
    small.save(folder / "masks" / "001.png")
    lying, exif = Image.fromarray(picture()[0]).transpose(Image.Transpose.ROTATE_90), Image.Exif()
    exif[0x0112] = 6  # stored turned counter-clockwise: viewers turn it clockwise
    lying.save(folder / "photos" / "002.png", exif=exif)
    found = load_labelled_photographs(folder, 64)
    for number in (1, 2):
        assert np.abs(found.rgb[number].astype(int) - found.rgb[0]).mean() < 3
        assert np.abs(found.masks[number].astype(int) - found.masks[0]).mean() < 8


def test_pictures_that_are_not_ok_or_have_no_object_are_left_out(tmp_path: Path) -> None:
    rows = labels(4)
    rows[1]["ok"] = 0
    empty = picture()[0], np.zeros((HEIGHT, WIDTH), np.uint8)
    found = load_labelled_photographs(write(tmp_path, rows, {"002.png": empty}), 32)
    assert found.names == ("000.png", "003.png")


def test_a_zip_is_read_as_a_folder_is(tmp_path: Path) -> None:
    folder = write(tmp_path / "folder", labels(2))
    packed = tmp_path / "packed"
    packed.mkdir()
    (packed / "labels.csv").write_bytes((folder / "labels.csv").read_bytes())
    for kind in ("photos", "masks"):
        with zipfile.ZipFile(packed / f"{kind}.zip", "w") as archive:
            for path in (folder / kind).iterdir():
                archive.write(path, path.name)
    plain, zipped = load_labelled_photographs(folder, 48), load_labelled_photographs(packed, 48)
    assert (plain.rgb == zipped.rgb).all() and (plain.masks == zipped.masks).all() and plain.names == zipped.names


def of_groups(names: list[str]) -> LabelledPhotographs:
    count = len(names)
    files = tuple(f"{number}.png" for number in range(count))
    azimuths = np.arange(count, dtype=np.float32)
    pixels = np.zeros((count, 1, 1, 3), np.uint8)
    return LabelledPhotographs(pixels, pixels[..., 0], azimuths, files, tuple(names))


def test_a_split_keeps_groups_together() -> None:
    whole = of_groups([f"model {number % 150}" for number in range(600)])
    kept, held_out = whole.split(0.2)
    assert not set(kept.groups) & set(held_out.groups)
    assert sorted(kept.names + held_out.names) == sorted(whole.names)
    assert 0.1 < len(held_out) / 600 < 0.3
    assert all(kept.azimuths[place] == float(name.split(".")[0]) for place, name in enumerate(kept.names))


def test_a_split_stays_when_pictures_are_added() -> None:
    names = [f"model {number % 40}" for number in range(80)]
    _, before = of_groups(names).split(0.3)
    _, after = of_groups(names + [f"other {number}" for number in range(70)]).split(0.3)
    assert set(before.names) == {name for name in after.names if int(name.split(".")[0]) < 80}


def test_nothing_is_held_out_where_nothing_shall_be() -> None:
    kept, held_out = of_groups(["a", "b"]).split(0)
    assert len(kept) == 2 and len(held_out) == 0


def test_without_a_column_each_picture_is_a_group_of_its_own(tmp_path: Path) -> None:
    assert load_labelled_photographs(write(tmp_path, labels(3)), 16).groups == ("000.png", "001.png", "002.png")


def damaged(folder: Path, what: str) -> None:
    photo, mask, table = folder / "photos" / "001.png", folder / "masks" / "001.png", folder / "labels.csv"
    text = table.read_text()
    actions = {
        "no labels": table.unlink,
        "no photos": lambda: (folder / "photos").rename(folder / "pictures"),
        "no masks": lambda: (folder / "masks").rename(folder / "other"),
        "no photo": photo.unlink,
        "no mask": mask.unlink,
        "half a photo": lambda: photo.write_bytes(photo.read_bytes()[:80]),
        "text for a mask": lambda: mask.write_text("a mask"),
        "no zip": lambda: (folder / "masks.zip").write_text("a zip"),
        "no column": lambda: table.write_text(text.replace("azimuth_deg", "angle")),
        "no number": lambda: table.write_text(text.replace(",10,", ",left,")),
        "not finite": lambda: table.write_text(text.replace(",10,", ",nan,")),
        "short line": lambda: table.write_text("file,ok,azimuth_deg\n000.png,1\n"),
        "none usable": lambda: table.write_text(text.replace(",1\n", ",0\n").replace(",1\r\n", ",0\r\n")),
    }
    actions[what]()


@pytest.mark.parametrize(("what", "kind", "sentence"), [
    ("no labels", FileNotFoundError, "labels.csv is missing; write a line"),
    ("no photos", FileNotFoundError, "photos nor photos.zip beside it is there"),
    ("no masks", FileNotFoundError, "masks nor masks.zip beside it is there"),
    ("no photo", ValueError, "001.png of .*photos is missing; set its ok to 0"),
    ("no mask", ValueError, "001.png of .*masks is missing; set its ok to 0"),
    ("half a photo", ValueError, "001.png of .*photos cannot be read .*; set its ok to 0"),
    ("text for a mask", ValueError, "001.png of .*masks is no picture; set its ok to 0"),
    ("no zip", ValueError, "masks.zip cannot be read: File is not a zip file"),
    ("no column", ValueError, "has no column 'azimuth_deg'"),
    ("no number", ValueError, "Label 2 of .*labels.csv cannot be read: could not convert"),
    ("not finite", ValueError, "Label 2 of .*labels.csv cannot be read: a file and an azimuth"),
    ("short line", ValueError, "Label 1 of .*labels.csv cannot be read"),
    ("none usable", ValueError, "names no usable photograph"),
])  # fmt: skip
def test_what_is_missing_or_damaged_is_said_in_a_sentence(tmp_path: Path, what: str, kind: type, sentence: str) -> None:
    folder = write(tmp_path, labels(3))
    damaged(folder, what)
    with pytest.raises(kind, match=sentence) as caught:
        load_labelled_photographs(folder, 16)
    assert "\n" not in str(caught.value) and "object at" not in str(caught.value)


def test_the_part_that_is_held_out_is_told_from_the_table_alone(tmp_path: Path) -> None:
    rows = [row | {"group": f"model {number % 20}"} for number, row in enumerate(labels(60))]
    folder = write(tmp_path, rows)
    _, held_out = load_labelled_photographs(folder, 8).split(0.2)
    assert tuple(label.name for label in read_labels(folder) if label.is_held_out()) == held_out.names
    assert 0 < len(held_out) < 60


def test_one_damaged_picture_leaves_the_others_readable(tmp_path: Path) -> None:
    folder = write(tmp_path, labels(3))
    (folder / "photos" / "001.png").write_bytes(b"nothing")
    with opened(folder) as read:
        first, second, third = read_labels(folder)
        with pytest.raises(ValueError, match="001.png of .* is no picture"):
            read(second)
        assert all((read(label)[0] == picture()[0]).all() for label in (first, third))
        with pytest.raises(ValueError, match="nowhere.png of .* is missing"):
            read(Label("nowhere.png", 0.0, ""))

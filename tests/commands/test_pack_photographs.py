# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""pack_photographs.py: what it packs can be learned from, small and in one layout, and mistakes are sentences."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.data.labelled_photographs import load_labelled_photographs, load_whole_photographs

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import pack_photographs


@pytest.fixture
def given(tmp_path: Path) -> Path:
    """Three photographs in two folders and one at the root, 300 x 200, the masks in a folder inside of theirs."""
    masks = tmp_path / "masks" / "all"
    masks.mkdir(parents=True)
    for number, name in enumerate(("audi/a.png", "audi/b.png", "fiat/c.jpeg", "d.png")):
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rgb, mask = np.full((200, 300, 3), (30, 60, 190), np.uint8), np.zeros((200, 300), np.uint8)
        place = slice(60, 120), slice(90, 180 + 10 * number)
        rgb[place], mask[place] = (220, 40, 30), 255
        Image.fromarray(rgb).save(path, quality=95)
        Image.fromarray(mask).save(masks / f"{path.stem}.png")
    (tmp_path / "labels.csv").write_text(
        "id,azimuth_deg,style,ok\na,30,sedan,1\nb,-45,van,1\nc,90,sedan,1\nd,180,van,1\nmissing,0,van,1\n"
    )
    return tmp_path


def pack(given: Path, *more: object, out: str = "packed") -> int:
    words = ["--labels", given / "labels.csv", "--photos", given / "photos", "--masks", given / "masks"]
    return pack_photographs.main([str(word) for word in [*words, "--out", given / out, *more]])


def test_what_is_packed_can_be_learned_from(given: Path) -> None:
    command = [sys.executable, ROOT / "scripts" / "pack_photographs.py", "--labels", "labels.csv", "--photos", "photos",
               "--masks", "masks", "--out", "packed", "--size", "128"]  # fmt: skip
    done = subprocess.run(command, cwd=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "packed: 4 photographs of 5 labels" in done.stdout
    found = load_labelled_photographs(given / "packed", 64)
    assert found.names == ("a.jpg", "b.jpg", "c.jpg", "d.jpg")
    assert np.rad2deg(found.azimuths).tolist() == pytest.approx([30, -45, 90, 180])
    assert found.rgb[:, 32, 32].tolist() == pytest.approx(np.tile([220, 40, 30], (4, 1)), abs=12)
    whole = load_whole_photographs(given / "packed", 300)
    assert (whole.masks[0] > 127).sum() == pytest.approx(60 * 90, rel=0.05)


def test_pictures_of_a_folder_are_a_group_and_those_at_the_root_are_groups_of_their_own(given: Path) -> None:
    assert pack(given) == 0
    assert load_labelled_photographs(given / "packed", 16).groups == ("audi", "audi", "fiat", "d")


def test_groups_come_from_the_sources_where_they_are_given(given: Path) -> None:
    text = (given / "labels.csv").read_text()
    (given / "labels.csv").write_text(
        text.replace("id,", "file,").replace("\na,", "\naudi/a.png,").replace("\nc,", "\nfiat/c.jpeg,")
    )
    (given / "sources.csv").write_text("file,author\naudi/a.png,Ann\nfiat/c.jpeg,Ann\n")
    assert pack(given, "--sources", given / "sources.csv", "--group", "author") == 0
    assert load_labelled_photographs(given / "packed", 16).groups == ("Ann", "audi", "Ann", "d")


def test_packed_pictures_are_as_large_as_told_and_zips_are_packed_alike(given: Path) -> None:
    assert pack(given, "--size", 64) == 0
    with zipfile.ZipFile(given / "packed" / "photos.zip") as archive, archive.open("a.jpg") as file:
        assert Image.open(file).size == (64, 43)
    for kind in ("photos", "masks"):
        with zipfile.ZipFile(given / f"{kind}.zip", "w") as archive:
            for path in sorted((given / kind).rglob("*.*")):
                archive.write(path, path.relative_to(given / kind).as_posix())
    zips = "--photos", given / "photos.zip", "--masks", given / "masks.zip"
    assert pack(given, "--size", 64, *zips, out="from_zips") == 0
    first, second = (load_labelled_photographs(given / name, 32) for name in ("packed", "from_zips"))
    assert (first.rgb == second.rgb).all() and (first.masks == second.masks).all() and first.groups == second.groups


def test_a_picture_that_lies_on_its_side_is_packed_upright(given: Path) -> None:
    file = given / "photos" / "d.png"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.open(file).transpose(Image.Transpose.ROTATE_90).save(file, exif=exif)
    assert pack(given) == 0
    assert load_labelled_photographs(given / "packed", 64).rgb[3, 32, 32].tolist() == pytest.approx(
        [220, 40, 30], abs=12
    )


@pytest.mark.parametrize(("what", "sentence"), [
    ("no labels", "labels.csv"),
    ("no column", "has no column azimuth_deg"),
    ("no photos", "photos is missing; name a folder or a zip"),
    ("no zip", "masks is neither a folder nor a zip"),
    ("damaged", "b.png of .*photos cannot be read"),
    ("nothing fits", "names no picture that has a photo and a mask"),
])  # fmt: skip
def test_a_mistake_is_a_sentence_and_leaves_the_old_pack(given: Path, capfd, what: str, sentence: str) -> None:
    assert pack(given) == 0
    before = {path.name: path.read_bytes() for path in (given / "packed").iterdir()}
    labels, masks = given / "labels.csv", given / "masks"
    actions = {
        "no labels": labels.unlink,
        "no column": lambda: labels.write_text("id,angle\na,3\n"),
        "no photos": lambda: (given / "photos").rename(given / "pictures"),
        "no zip": lambda: (masks.rename(given / "other"), masks.write_text("masks")),
        "damaged": lambda: (given / "photos" / "audi" / "b.png").write_bytes(b"\x89PNG and no more"),
        "nothing fits": lambda: labels.write_text("id,azimuth_deg\nz,3\n"),
    }
    actions[what]()
    capfd.readouterr()
    assert pack(given) == 1
    error = [line for line in capfd.readouterr().err.splitlines() if "pack_photographs.py: " in line]
    assert len(error) == 1
    assert re.search(sentence, error[0])
    assert {path.name: path.read_bytes() for path in (given / "packed").iterdir()} == before

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Objects of data sets that others made: their records, pictures and meshes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backend.data.object_files import read_mesh, read_picture, read_record
from backend.data.rendered_views import load_views

CAMERA = {"azimuth": 0.0, "elevation": 0.1, "distance": 3.0, "field_of_view": 0.6, "roll": 0.0}


def write_object(folder: Path, **view) -> Path:
    folder.mkdir(parents=True)
    Image.fromarray(np.full((16, 16, 4), 255, np.uint8)).save(folder / "view_00.png")
    camera = {**CAMERA, "shift_x": 0.0, "shift_y": 0.0}
    views = [{"file": "view_00.png", "camera": camera, "light": [[0.5] * 3] * 9, **view}]
    (folder / "object.json").write_text(json.dumps({"views": views}))
    return folder


def test_a_whole_object_is_read(tmp_path: Path) -> None:
    write_object(tmp_path / "objects" / "000000")
    assert load_views(tmp_path, progress=False).rgba.shape == (1, 1, 16, 16, 4)


@pytest.mark.parametrize("name", ["../../secret.png", "/etc/passwd", "..", "", 3, None, "a\\b.png", "C:x.png", "a\0"])
def test_a_record_names_files_of_its_own_folder_alone(tmp_path: Path, name: object) -> None:
    folder = write_object(tmp_path / "objects" / "000000", file=name)
    with pytest.raises(ValueError, match="object.json is damaged: it has no list of views with a file each"):
        read_record(folder)


@pytest.mark.parametrize("content", ["[" * 100_000, "[]", "{}", '{"views": 3}', '{"views": [3]}', "{"])
def test_records_of_other_types_are_one_sentence(tmp_path: Path, content: str) -> None:
    folder = write_object(tmp_path / "objects" / "000000")
    (folder / "object.json").write_text(content)
    with pytest.raises(ValueError, match="object.json"):
        load_views(tmp_path, progress=False)


VIEWS = {
    "a camera that lacks its roll": {"camera": {}},
    "a camera of words": {"camera": {**CAMERA, "shift_x": "a", "shift_y": 0}},
    "a light of two rows": {"light": [[1, 2, 3]] * 2},
    "a light that is not finite": {"light": [[float("nan")] * 3] * 9},
    "no light": {"light": None},
    "a picture that is not there": {"file": "none.png"},
}


@pytest.mark.parametrize("name", VIEWS)
def test_damaged_views_name_their_object(tmp_path: Path, name: str) -> None:
    write_object(tmp_path / "objects" / "000000", **VIEWS[name])
    with pytest.raises(ValueError, match="The object in .*000000 is damaged: .*render it again") as caught:
        load_views(tmp_path, progress=False)
    assert "\n" not in str(caught.value)


def test_damaged_pictures_and_meshes_are_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "view.png").write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    with pytest.raises(ValueError, match="view.png is damaged or no picture"):
        read_picture(tmp_path / "view.png")
    np.savez(tmp_path / "mesh.npz", vertices=np.zeros((3, 3)), faces=np.array([[0, 1, 3]]))
    with pytest.raises(ValueError, match="mesh.npz .*faces points beyond the 3 there are"):
        read_mesh(tmp_path)
    np.savez(tmp_path / "mesh.npz", vertices=np.full((3, 3), np.nan), faces=np.array([[0, 1, 2]]))
    with pytest.raises(ValueError, match="vertices holds numbers that are not finite"):
        read_mesh(tmp_path)

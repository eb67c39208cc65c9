# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of arrays that others may have made: bounded, nothing unpickled, one sentence for whatever is wrong."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest

from backend.common import array_files
from backend.common.array_files import ArrayFileError
from backend.render.template import Template, TemplateConfig, make_template


def archive(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name, data)
    return path


def npy(shape: str, kind: str = "<f8", data: bytes = b"") -> bytes:
    text = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little") + text.encode() + data


BAD = {
    "claims terabytes": {"a.npy": npy("(1099511627776, 3)")},
    "claims a negative length": {"a.npy": npy("(-4,)")},
    "has no end": {"a.npy": npy("(40,)", data=bytes(80))},
    "is pickled": {"a.npy": npy("(1,)", "|O", pickle.dumps([1]))},
    "is no array": {"a.npy": b"\x93NUMPY\x01\x00\x04\x00((((", "b.txt": b"x"},
    "is a text": {"a": b"x"},
}


@pytest.mark.parametrize("name", BAD)
def test_damaged_archives_are_one_sentence(tmp_path: Path, name: str) -> None:
    path = archive(tmp_path / "arrays.npz", BAD[name])
    with pytest.raises(ArrayFileError, match="arrays.npz is damaged or of another kind") as caught:
        array_files.read(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


@pytest.mark.parametrize("cut", [0, 3, 30, 200])
def test_files_that_end_early_are_one_sentence(tmp_path: Path, cut: int) -> None:
    np.savez(tmp_path / "whole.npz", a=np.arange(50))
    (tmp_path / "cut.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:cut])
    with pytest.raises(ArrayFileError, match="cut.npz"):
        array_files.read(tmp_path / "cut.npz")


def test_a_small_archive_that_unfolds_to_much_is_refused_before_it_does(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "bomb.npz", a=np.zeros(1_000_000))
    assert (tmp_path / "bomb.npz").stat().st_size < 20_000
    with pytest.raises(ArrayFileError, match="unfolds to more than 1,000,000 bytes"):
        array_files.read(tmp_path / "bomb.npz", most_bytes=1_000_000)
    assert len(array_files.read(tmp_path / "bomb.npz")["a"]) == 1_000_000


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    np.savez(tmp_path / "some.npz", a=np.arange(3))
    with pytest.raises(ArrayFileError, match="it has no b, c"):
        array_files.read(tmp_path / "some.npz", ("a", "b", "c"))
    with pytest.raises(FileNotFoundError):
        array_files.read(tmp_path / "none.npz")


TEMPLATE = make_template(TemplateConfig(cells_x=2, cells_y=2, cells_z=2))
WRONG = {
    "faces beyond the vertices": ("faces", lambda a: a + 1000, "faces points beyond the 26 there are"),
    "faces below 0": ("faces", lambda a: a - 1, "faces points beyond"),
    "faces that are no indices": ("faces", lambda a: a + 0.5, "faces holds float64"),
    "triangles": ("faces", lambda a: a[:, :3], r"faces has the shape \(24, 3\)"),
    "NaN": ("vertices", lambda a: a * np.nan, "vertices holds numbers that are not finite"),
    "vertices of four numbers": ("vertices", lambda a: np.pad(a, ((0, 0), (0, 1))), "vertices has the shape"),
    "texts": ("vertices", lambda a: a.astype(str), "vertices holds <U"),
    "a mirror elsewhere": ("mirror", lambda a: a + 20, "mirror points beyond"),
    "UVs of other faces": ("uv", lambda a: a[:-1], "uv has the shape"),
    "nothing": ("vertices", lambda a: a[:0], "it is empty"),
}


@pytest.mark.parametrize("name", WRONG)
def test_templates_that_do_not_fit_themselves_are_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "template.npz"
    TEMPLATE.save(path)
    assert np.array_equal(Template.load(path).quads, TEMPLATE.quads)
    key, change, expected = WRONG[name]
    with np.load(path) as data:
        arrays = dict(data)
    np.savez(path, **{**arrays, key: change(arrays[key])})
    with pytest.raises(ValueError, match=f"template.npz is no template: {expected}"):
        Template.load(path)


def test_parts_that_turn_have_to_be_there(tmp_path: Path) -> None:
    path, buffer = tmp_path / "template.npz", io.BytesIO()
    TEMPLATE.save(path)
    with np.load(path) as data:
        arrays = dict(data)
    parts = {"part_names": np.array(["body"]), "part_of_face": np.zeros(24, np.int32), "turning": np.array(["wheel"])}
    np.savez(buffer, **arrays, **parts)
    path.write_bytes(buffer.getvalue())
    with pytest.raises(ValueError, match="parts turn that it does not have"):
        Template.load(path)

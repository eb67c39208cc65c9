# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""True codes beside a dataset: by the objects' names, and a sentence where they are missing or damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backend.common.truth_codes import FILE_NAME, read_truth_codes

NAMES = ["000000", "000001", "000002"]


def write(folder: Path, **changes: np.ndarray) -> None:
    arrays = {
        "names": np.array(NAMES),
        "codes": np.arange(6.0).reshape(3, 2),
        "textures": np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1).repeat(3, axis=3),
    }
    np.savez_compressed(folder / FILE_NAME, **{**arrays, **changes})


def test_codes_and_textures_come_in_the_order_of_the_names(tmp_path: Path) -> None:
    write(tmp_path)
    true = read_truth_codes(tmp_path, ["000002", "000000"])
    np.testing.assert_array_equal(true.codes, [[4, 5], [0, 1]])
    assert true.codes.dtype == np.float32
    np.testing.assert_array_equal(true.textures[:, 0, 0, 0], [2, 0])


def test_a_dataset_without_codes_is_told_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"write it with scripts/encode_cars\.py"):
        read_truth_codes(tmp_path, NAMES)


def test_objects_that_were_rendered_since_are_named(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(ValueError, match="lacks '000003'; write it again"):
        read_truth_codes(tmp_path, [*NAMES, "000003"])


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut short", b"no archive at all"])
def test_damaged_files_are_one_sentence(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(damage)
    with pytest.raises(ValueError, match="is damaged"):
        read_truth_codes(tmp_path, NAMES)

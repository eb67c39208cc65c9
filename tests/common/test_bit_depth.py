# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of more than eight bits keep their brightness, in photographs and in training data alike."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from backend.common.bit_depth import eight_bit
from backend.data.images import ImageSetConfig, fitted, load_images
from backend.pipeline.photo import load_photo

RAMP = np.tile(np.linspace(0, 1, 32), (32, 1))
"""(32, 32) from black to white."""


def encoded(values: np.ndarray, kind: str = "TIFF") -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize(
    "values",
    [
        (RAMP * 65535).astype(np.uint16),
        (RAMP * 4095).astype(np.uint16),
        (RAMP * 255).astype(np.uint16),
        (RAMP * 65535).astype(np.int32),
        (RAMP * (2**32 - 1)).astype(np.uint32).view(np.int32),
        RAMP.astype(np.float32),
        (RAMP * 255).astype(np.float32),
    ],
    ids=["16 bits", "12 in 16", "8 in 16", "16 in 32", "32 without a sign", "float", "float to 255"],
)
def test_a_ramp_is_the_same_ramp_in_every_depth(values: np.ndarray) -> None:
    assert np.abs(eight_bit(values).astype(int) - np.round(RAMP * 255)).max() <= 1


def test_light_brighter_than_white_is_white_and_leaves_the_rest_as_it_is() -> None:
    values = RAMP.astype(np.float32)
    values[0, 0] = 2.35
    values[0, 1] = np.nan
    scaled = eight_bit(values)
    assert scaled[0, 0] == 255 and scaled[0, 1] == 0
    assert np.abs(scaled[1:].astype(int) - np.round(RAMP[1:] * 255)).max() <= 1


@given(st.lists(st.integers(0, 65535), min_size=2, max_size=40), st.sampled_from(["uint16", "int32", "float32"]))
def test_brighter_values_are_never_darker(values: list[int], kind: str) -> None:
    made = eight_bit(np.array(sorted(values)).astype(kind))
    assert made.dtype == np.uint8 and (np.diff(made.astype(int)) >= 0).all()


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_training_images_of_16_bits_are_neither_white_nor_black(kind: str, tmp_path: Path) -> None:
    data = encoded((RAMP * 65535).astype(np.uint16), kind)
    seen = fitted(data, ImageSetConfig(32))
    assert np.abs(seen[..., 0].astype(int) - np.round(RAMP * 255)).max() <= 2
    (tmp_path / f"ramp.{kind.lower()}").write_bytes(data)
    assert np.array_equal(load_photo(tmp_path / f"ramp.{kind.lower()}").rgb, seen), "one reader for both"
    packed = load_images(tmp_path, ImageSetConfig(32), tmp_path / "packed" / "images.npy", progress=False)
    assert np.array_equal(packed.images[0], seen)


def test_training_images_of_floats_are_not_black() -> None:
    assert abs(float(fitted(encoded(RAMP.astype(np.float32)), ImageSetConfig(32)).mean()) - 127.5) < 2

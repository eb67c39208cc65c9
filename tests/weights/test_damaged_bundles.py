# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bundles of others: whatever is wrong with their files, loading them is refused in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from backend.common.bundle_files import CARD, INVERSE_GRAPHICS, SEGMENTER, TEMPLATE
from backend.errors import BundleError
from backend.models.network_files import config_from
from backend.models.stylegan2 import GeneratorConfig
from backend.training.inverse_graphics.view_cameras import read_cameras
from backend.weights.bundle import load_bundle, read_card
from backend.weights.run_folder import Run
from scripts.measuring.hostile_training import make_bundle


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """The smallest bundle that there is."""
    make_bundle(tmp_path / "tiny")
    return tmp_path / "tiny"


def assert_refused(bundle: Path, expected: str) -> None:
    with pytest.raises(BundleError, match=expected) as caught:
        load_bundle(str(bundle))
    message = str(caught.value)
    assert "tiny" in message and "\n" not in message and len(message) < 900


def change_card(bundle: Path, **entries: Any) -> None:
    card = json.loads((bundle / CARD).read_text())
    (bundle / CARD).write_text(json.dumps({**card, **entries}))


def change_weights(path: Path, change: Callable[[dict], Any] = lambda tensors: None, **config: Any) -> None:
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    change(tensors)
    metadata["config"] = json.dumps({**json.loads(metadata["config"]), **config})
    save_file(tensors, path, metadata=metadata)


def test_the_bundle_of_these_tests_loads(bundle: Path) -> None:
    assert load_bundle(str(bundle)).name == "tiny"


CARDS = {
    "a name that is a list": ({"name": ["tiny"]}, r"name in bundle.json is \['tiny'\] and no text"),
    "a title that is a number": ({"title": 3}, "title in bundle.json is 3 and no text"),
    "a category that is nothing": ({"category": None}, "category in bundle.json is None"),
    "a size of infinity": ({"real_size": float("inf")}, "real_size in bundle.json is inf and no length"),
    "a size below 0": ({"real_size": -1}, "real_size in bundle.json is -1"),
    "a size that is a text": ({"real_size": "4"}, "real_size in bundle.json is '4'"),
    "another format": ({"format": [1]}, r"format \[1\] is not 1"),
}


@pytest.mark.parametrize("name", CARDS)
def test_a_card_with_an_entry_of_another_type_is_refused(bundle: Path, name: str) -> None:
    entries, expected = CARDS[name]
    change_card(bundle, **entries)
    assert_refused(bundle, expected)


def test_a_deep_card_is_refused(bundle: Path) -> None:
    (bundle / CARD).write_text('{"a":' * 100_000 + "1" + "}" * 100_000)
    assert_refused(bundle, "nested more than 64 deep")
    with pytest.raises(BundleError):
        read_card(bundle)


CONFIGS = {
    "a text": ({"image_size": "32"}, "image_size is '32'"),
    "a truth": ({"image_size": True}, "image_size is True"),
    "a size of terabytes": ({"image_size": 2**40}, "image_size is 1099511627776"),
    "a large size": ({"shape_code": 60_000}, "has the shape"),
    "numbers in place of a list": ({"widths": 8}, "widths is 8"),
    "a list of texts": ({"widths": ["a"]}, "'a'"),
    "no widths": ({"widths": []}, "does not fit this version"),
    "another network's": ({"beam_width": 4}, "has no beam_width"),
    "negative": ({"texture_code": -4}, "does not fit this version"),
}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_of_other_types_is_refused_before_anything_is_made_of_it(bundle: Path, name: str) -> None:
    config, expected = CONFIGS[name]
    change_weights(bundle / INVERSE_GRAPHICS, **config)
    assert_refused(bundle, expected)


def drop(tensors: dict) -> None:
    tensors.pop("pose_mean")


def put(tensors: dict, value: Any) -> None:
    tensors["pose_mean"] = value


WEIGHTS = {
    "NaN": (lambda t: put(t, t["pose_mean"] * float("nan")), "not finite"),
    "infinity": (lambda t: put(t, t["pose_mean"] + float("inf")), "not finite"),
    "another shape": (lambda t: put(t, torch.zeros(3, 3, 3)), r"pose_mean has the shape \(3, 3, 3\)"),
    "too few": (drop, "lacks pose_mean"),
    "one more": (lambda t: t.update(further=torch.zeros(1)), "holds further, which is not known"),
    "complex": (lambda t: put(t, torch.zeros(t["pose_mean"].shape, dtype=torch.complex64)), "complex"),
}


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_that_do_not_fit_are_refused_by_name(bundle: Path, name: str) -> None:
    change, expected = WEIGHTS[name]
    change_weights(bundle / INVERSE_GRAPHICS, change)
    assert_refused(bundle, expected)


@pytest.mark.parametrize("name", [SEGMENTER, INVERSE_GRAPHICS, TEMPLATE])
def test_a_file_that_is_cut_or_something_else_is_refused(bundle: Path, name: str) -> None:
    whole = (bundle / name).read_bytes()
    for data in (b"", whole[:100], whole[:-10], b"<html>" * 50, bytes(1000)):
        (bundle / name).write_bytes(data)
        assert_refused(bundle, name)


def test_a_template_with_faces_beyond_its_vertices_is_refused(bundle: Path) -> None:
    with np.load(bundle / TEMPLATE) as data:
        arrays = dict(data)
    np.savez(bundle / TEMPLATE, **{**arrays, "faces": arrays["faces"] + 10_000})
    assert_refused(bundle, "faces points beyond")


def test_configs_hold_what_their_fields_say() -> None:
    config = config_from({"resolution": 16, "z_dim": 32, "channels": [8, 8, 8]}, GeneratorConfig)
    assert config.channels == (8, 8, 8)
    for wrong in ({"resolution": 16.0}, {"channels": "888"}, {"channels": [8] * 1000}, [], None, {"resolution": None}):
        with pytest.raises((TypeError, ValueError)):
            config_from(wrong, GeneratorConfig)


def test_settings_and_cameras_of_runs_are_refused_in_one_sentence(tmp_path: Path) -> None:
    for content in ("[" * 100_000, "[]", "{", '{"views": [{"id": 1, "end": {"azimuth_deg": 1e999}}]}', '{"views": 3}'):
        (tmp_path / "cameras.json").write_text(content)
        with pytest.raises(ValueError, match="cameras.json does not hold the cameras of a training run"):
            read_cameras(tmp_path / "cameras.json")
    (tmp_path / "config.json").write_text("[" * 100_000)
    with pytest.raises(BundleError, match="does not hold a usable run"):
        Run.read(tmp_path)

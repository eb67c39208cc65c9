# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN-R's picture of an object with parts, and the rasteriser's beside it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.common.bundle_files import NEURAL_RENDERER, STYLE_MAPPING
from backend.common.records import Camera, NeuralRenderRequest
from backend.errors import BundleError, UnrenderError
from backend.models.style_mapping import StyleMapping, StyleMappingConfig, save_style_mapping
from backend.models.stylegan2 import save_generator
from backend.pipeline.neural_render import around, neural_render
from backend.weights.bundle import LoadedBundle, load_bundle
from backend.weights.neural_renderer import load_neural_renderer
from tests.helpers.described import SIDE, generator

STYLES = sum(layer.channels for layer in generator().describe_layers())
CONFIG = StyleMappingConfig(
    styles=STYLES, view_styles=8, content_styles=20, shape_code=6, texture_size=16, background_size=16, hidden=16,
    channels=(8, 8),
)  # fmt: skip
CAMERA = Camera(0.7, 0.2, 3.2, 0.0, 0.36)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> LoadedBundle:
    folder = tmp_path_factory.mktemp("renderer")
    torch.manual_seed(0)
    save_style_mapping(folder / STYLE_MAPPING, StyleMapping(CONFIG))
    save_generator(folder / NEURAL_RENDERER, generator())
    return replace(load_bundle("car"), folder=folder)


def request(**changes) -> NeuralRenderRequest:
    plain = {
        "shape_code": np.zeros(96, np.float32),
        "texture": np.full((32, 32, 3), 200, np.uint8),
        "camera": CAMERA,
        "background": np.array([[[90, 120, 150, 255]]], np.uint8),
    }
    return NeuralRenderRequest(**{**plain, **changes})


def test_both_pictures_are_of_the_generators_size(bundle: LoadedBundle) -> None:
    made = neural_render(request(), bundle)
    assert made.picture.shape == (SIDE, SIDE, 3) and made.picture.dtype == np.uint8
    assert made.drawn.shape == (SIDE, SIDE, 4)


def test_the_drawn_one_shows_the_object_where_the_camera_sees_it(bundle: LoadedBundle) -> None:
    drawn = neural_render(request(), bundle).drawn
    inside = drawn[..., 3] == 255
    assert 0.15 < inside.mean() < 0.7
    assert np.abs(drawn[inside][:, :3].astype(int) - 200).max() <= 1
    moved = neural_render(request(camera=replace(CAMERA, shift_x=0.2)), bundle).drawn[..., 3]
    columns = np.arange(SIDE) + 0.5
    shift = (moved.sum(0) * columns).sum() / moved.sum() - (drawn[..., 3].sum(0) * columns).sum() / drawn[..., 3].sum()
    assert shift == pytest.approx(0.2 * SIDE, abs=1.5)


@pytest.mark.parametrize(
    "changes",
    [
        {"camera": replace(CAMERA, azimuth=2.5)},
        {"shape_code": np.full(96, 1.0, np.float32)},
        {"texture": np.tile(np.array([[[250, 10, 10]]], np.uint8), (16, 16, 1))},
        {"background": np.array([[[250, 250, 10, 255]]], np.uint8)},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_each_of_the_four_changes_the_picture(bundle: LoadedBundle, changes: dict) -> None:
    assert not np.array_equal(
        neural_render(request(**changes), bundle).picture, neural_render(request(), bundle).picture
    )


def test_the_object_covers_its_background() -> None:
    covered = torch.zeros(1, 16, 16)
    covered[:, 4:8, 4:8] = 1
    seen = around(torch.tensor([0.2, 0.4, 0.6, 1.0]).view(1, 4, 1, 1), covered, 16)
    assert torch.equal(seen[0, :, 0, 0], torch.tensor([0.2, 0.4, 0.6, 1.0]))
    assert float(seen[0, :, 3:9, 3:9].abs().max()) == 0.0


def test_what_cannot_be_shown_is_one_sentence(bundle: LoadedBundle, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="made with other weights"):
        neural_render(request(shape_code=np.zeros(7, np.float32)), bundle)
    with pytest.raises(BundleError, match="no neural renderer"):
        neural_render(request(), replace(bundle, folder=tmp_path))
    with pytest.raises(BundleError, match="know no objects with parts"):
        neural_render(request(), replace(bundle, parts=None))
    with pytest.raises(UnrenderError, match="A texture is a picture of 3 channels"):
        neural_render(request(texture=np.zeros((4, 4, 4), np.uint8)), bundle)
    with pytest.raises(UnrenderError, match="A background is a picture of 4 channels"):
        neural_render(request(background=np.zeros((4, 4, 3), np.uint8)), bundle)


def test_halves_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    save_style_mapping(tmp_path / STYLE_MAPPING, StyleMapping(replace(CONFIG, styles=STYLES + 8)))
    save_generator(tmp_path / NEURAL_RENDERER, generator())
    with pytest.raises(BundleError, match=f"give {STYLES + 8} styles, and its generator has {STYLES}"):
        load_neural_renderer(tmp_path)
    (tmp_path / NEURAL_RENDERER).write_bytes(b"damaged")
    with pytest.raises(BundleError, match="cannot be used"):
        load_neural_renderer(tmp_path)

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Symmetry is a setting: without it shape, texture, fit and baking may differ between left and right."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from test_bake import SIDE, as_photo, camera_at, patchwork, photograph, sunlight

from backend.models.crop import Crop
from backend.models.inverse_graphics import InverseGraphics, InverseGraphicsConfig, ShapeDecoder, TextureDecoder
from backend.models.storage import read_tensors, save_network, write_tensors
from backend.pipeline import reconstruct as pipeline
from backend.pipeline.bake import BakeConfig, bake
from backend.render.template import CAR_BOX, make_template
from backend.training.inverse_graphics import free_cameras as multi_view
from backend.training.inverse_graphics import known_cameras as inverse_graphics
from backend.training.inverse_graphics.shape_basis import TemplateFitter, visible_surface
from backend.weights.bundle import bundle_folders, load_bundle, load_inverse_graphics
from tests.helpers.shared_views import write_gan_views
from tests.helpers.synthetic import TEMPLATE, stretched, write_dataset

SMALL = InverseGraphicsConfig(
    image_size=64, widths=(8, 8, 8, 8), shape_code=4, texture_code=8, texture_size=32, texture_widths=(16, 16, 12)
)
CPU = torch.device("cpu")


def lopsided() -> np.ndarray:
    """(V, 3): the template with a bump on its left side alone."""
    vertices = TEMPLATE.vertices.copy()
    left = np.maximum(vertices[:, 0], 0) / vertices[:, 0].max()
    vertices[:, 0] += 0.15 * left * np.exp(-((vertices[:, 1] / 0.15) ** 2))
    return vertices


def asymmetry(vertices: np.ndarray) -> float:
    return float(np.abs(vertices[TEMPLATE.mirror] * [-1, 1, 1] - vertices).max())


def learned(module: torch.nn.Module, decode, goal: torch.Tensor, steps: int, rate: float) -> float:
    """How far what is decoded stays from the goal in the mean, after training on it alone."""
    optimizer = torch.optim.Adam(module.parameters(), rate)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        loss = ((decode() - goal) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return float((decode() - goal).abs().mean().detach())


@pytest.mark.parametrize("symmetric", [True, False])
def test_a_lopsided_shape_is_decoded_only_without_symmetry(symmetric: bool) -> None:
    torch.manual_seed(0)
    decoder = ShapeDecoder(TEMPLATE, 3, symmetric)
    code, goal = torch.tensor([[1.0, 0.0, 0.0]]), torch.as_tensor(lopsided())[None]
    left_over = learned(decoder, lambda: decoder(code), goal, 200, 0.01)
    half_of_it = float(np.abs(lopsided() - TEMPLATE.vertices).mean()) / 2
    if symmetric:
        assert asymmetry(decoder(torch.randn(1, 3))[0].detach().numpy()) < 1e-6
        assert left_over > 0.9 * half_of_it
    else:
        assert left_over < 0.3 * half_of_it


@pytest.mark.parametrize("symmetric", [True, False])
def test_a_texture_with_a_left_and_a_right_is_decoded_only_without_symmetry(symmetric: bool) -> None:
    torch.manual_seed(0)
    decoder = TextureDecoder(replace(SMALL, symmetric=symmetric))
    code, size = torch.randn(2, SMALL.texture_code), SMALL.texture_size
    assert decoder(code).shape == (2, 3, size, size)
    goal = torch.full((1, 3, size, size), 0.3)
    goal[..., size // 2 :] = 0.7  # left and right of another colour
    left_over = learned(decoder, lambda: decoder(code[:1]), goal, 60, 0.02)
    decoded = decoder(code)
    assert torch.equal(decoded, decoded.flip(3)) == symmetric
    assert left_over > 0.15 if symmetric else left_over < 0.06


def test_the_first_numbers_of_a_texture_code_are_a_colour_either_way() -> None:
    code = torch.zeros(1, SMALL.texture_code)
    code[0, :3] = torch.tensor([2.0, -2.0, 0.0])
    for symmetric in (True, False):
        torch.manual_seed(0)
        decoder = TextureDecoder(replace(SMALL, symmetric=symmetric)).eval()
        red, green, blue = decoder(code)[0].mean(dim=(1, 2))
        assert red > blue + 0.2 > green + 0.4


def test_a_file_says_whether_its_network_is_symmetric_and_older_ones_are(tmp_path: Path) -> None:
    network = InverseGraphics(replace(SMALL, symmetric=False), TEMPLATE)
    save_network(tmp_path / "free", network, network.config, precision="half")
    loaded = load_inverse_graphics(tmp_path / "free", TEMPLATE)
    assert not loaded.config.symmetric and not loaded.shape_decoder.symmetric and not loaded.texture_decoder.symmetric
    network = InverseGraphics(SMALL, TEMPLATE)
    old = {name: value for name, value in asdict(SMALL).items() if name != "symmetric"}
    write_tensors(tmp_path / "old", network.state_dict(), {"config": json.dumps(old)})
    loaded = load_inverse_graphics(tmp_path / "old", TEMPLATE)
    assert loaded.config.symmetric and loaded.shape_decoder.symmetric and loaded.texture_decoder.symmetric


def test_shipped_bundles_are_symmetric() -> None:
    for name in ("car", "car-gan"):
        _, metadata = read_tensors(bundle_folders()[name] / "inverse_graphics.safetensors")
        assert json.loads(metadata["config"]).get("symmetric", True)
        assert load_bundle(name).inverse_graphics.config.symmetric


def test_the_fit_to_a_mesh_is_symmetric_only_if_asked() -> None:
    points, normals = visible_surface(lopsided(), TEMPLATE.triangles)
    both = TemplateFitter(TEMPLATE).fit(points, normals)
    free = TemplateFitter(TEMPLATE, symmetric=False).fit(points, normals)
    assert asymmetry(both) < 1e-6 and asymmetry(free) > 0.07
    # A plain box stays one.
    points, normals = visible_surface(stretched(TEMPLATE, np.random.default_rng(1)), TEMPLATE.triangles)
    assert asymmetry(TemplateFitter(TEMPLATE, symmetric=False).fit(points, normals)) < 0.05


def baked(template, texture: np.ndarray, config: BakeConfig) -> np.ndarray:
    """(T, T, 3): a texture baked from a photo of the object's left side, with a white guess."""
    camera, light = camera_at(60), sunlight()
    rgb, mask = as_photo(photograph(template, texture, light, camera, SIDE))
    guess = np.ones((64, 64, 3), np.float32)
    whole = Crop(SIDE / 2, SIDE / 2, SIDE)
    return bake(rgb, mask, whole, camera, template.vertices, template, guess, light, 256, config).texture


def test_hidden_sides_are_the_mirror_image_only_of_what_is_symmetric() -> None:
    """The hidden flank has the pattern of the one in the photo, or the plain colour of the network's guess."""
    template = make_template(CAR_BOX)
    hidden = (slice(40, 216), slice(8, 64))  # the right flank, at the atlas's left edge
    shown = (slice(40, 216), slice(192, 248))
    for symmetric in (True, False):
        texture = baked(template, patchwork(), BakeConfig(symmetric=symmetric)).astype(float)
        pattern_hidden, pattern_shown = (np.std(texture[part], axis=(0, 1)).mean() for part in (hidden, shown))
        mirrored = np.median(np.abs(texture[shown][:, ::-1] - texture[hidden]))
        print(symmetric, pattern_hidden, pattern_shown, mirrored)
        assert pattern_shown > 15
        if symmetric:
            assert pattern_hidden > 15 and mirrored < 4
        else:
            assert pattern_hidden < 0.5 * pattern_shown and mirrored > 8


@pytest.mark.parametrize("symmetric", [True, False])
def test_a_photo_is_fitted_and_baked_as_its_network_says(symmetric: bool, tmp_path: Path, monkeypatch) -> None:
    from PIL import Image

    from backend.common.records import ReconstructRequest
    from backend.models.segmenter import Segmenter, SegmenterConfig
    from backend.weights.bundle import LoadedBundle

    torch.manual_seed(2)
    network = InverseGraphics(replace(SMALL, symmetric=symmetric), TEMPLATE).eval().requires_grad_(False)
    bundle = LoadedBundle("toy", {}, TEMPLATE, network, Segmenter(SegmenterConfig()).eval(), CPU)
    rgba = np.zeros((80, 120, 4), np.uint8)
    rgba[20:60, 20:100] = [200, 30, 20, 255]
    Image.fromarray(rgba).save(tmp_path / "photo.png")
    configs = []
    monkeypatch.setattr(pipeline, "bake", lambda *given: configs.append(given[-1]) or bake(*given))
    result = pipeline.reconstruct(ReconstructRequest(str(tmp_path / "photo.png"), refine_steps=2), bundle)
    assert [config.symmetric for config in configs] == [symmetric] and result.texture.shape[2] == 3
    lengths, uneven = np.linalg.norm(result.offsets, axis=1), asymmetry(result.offsets)
    assert lengths.max() > 1e-4
    assert uneven < 1e-7 if symmetric else uneven > 0.3 * lengths.max()


def test_training_without_symmetry_mirrors_no_picture_and_learns_lopsided_shapes(tmp_path: Path) -> None:
    data = write_dataset(tmp_path / "data")
    tiny = inverse_graphics.PRESETS["tiny"]
    free = replace(tiny, network=replace(tiny.network, symmetric=False), bfloat16=False)
    for config in (replace(tiny, bfloat16=False), free):
        mirrored = []
        task = inverse_graphics.make_task(config, data, tmp_path / str(config.network.symmetric), CPU)
        cut = task._cut
        task._cut = lambda pictures, flags, cut=cut, seen=mirrored: seen.append(flags) or cut(pictures, flags)
        losses = [task.step(step) for step in range(4)]
        assert all(torch.isfinite(loss["total"]) for loss in losses)
        assert bool(torch.cat(mirrored).any()) == config.network.symmetric
    decoder = task.network.shape_decoder
    mirror = decoder.basis[:, decoder.mirror] * torch.tensor([-1.0, 1.0, 1.0])
    assert (decoder.symmetric_basis() - mirror).abs().max() > 1e-4


def test_shared_views_train_without_symmetry_too(tmp_path: Path) -> None:
    write_gan_views(tmp_path)
    tiny = multi_view.PRESETS["tiny"]
    config = replace(
        tiny, network=replace(tiny.network, symmetric=False), bfloat16=False, batch=4, render_batch=4, render_size=24
    )
    task = multi_view.make_task(config, tmp_path, CPU)
    mirrored = []
    crops = task.crops
    task.crops = lambda pictures, flags: mirrored.append(flags) or crops(pictures, flags)
    assert torch.isfinite(task.step(0)["total"]) and not torch.cat(mirrored).any()

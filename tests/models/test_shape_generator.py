# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paper B's generator: what its switches do to a shape, each against something worked out by hand or slowly."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from backend.models.scene_pictures import shown
from backend.models.shape_generator import (
    ShapeGenerator,
    ShapeGeneratorConfig,
    constrained,
    load_shape_generator,
    root_mean_square_radius,
    save_shape_generator,
    smoothed,
)
from backend.models.storage import write_tensors
from backend.models.stylegan2 import GeneratorConfig
from backend.models.surface_maps import SurfaceConfig
from backend.render.camera import Camera, Cameras
from backend.render.viewpoints import Viewpoints
from tests.helpers.stylegan2_samples import tiny_codes, tiny_generator

TINY = ShapeGeneratorConfig(
    maps=GeneratorConfig(16, 6, 5, 1, channels=(6, 5, 4)),
    background=GeneratorConfig(8, 4, 5, 1, channels=(4, 3)),
    surface=SurfaceConfig("sphere", 8),
    size_constraint=False,
)


def generator_of(**changes) -> ShapeGenerator:
    torch.manual_seed(0)
    return ShapeGenerator(replace(TINY, **changes))


@torch.no_grad()
def silence(generator: ShapeGenerator) -> None:
    """Lets no resolution add anything to the maps."""
    for block in generator.maps.synthesis_blocks():
        block.to_image.weight.zero_()
        block.to_image.bias.zero_()


def test_what_resolutions_add_sums_up_to_the_image() -> None:
    generator = tiny_generator()
    styles = generator.styles(tiny_codes(generator))
    levels = list(generator.synthesize_levels(styles))
    assert [level.shape[-1] for level in levels] == [4, 8, 16]
    summed = levels[0]
    for level in levels[1:]:
        summed = generator.resampler.upsample(summed) + level
    assert torch.equal(summed, generator.synthesize(styles))


def test_a_generator_that_has_learned_nothing_makes_its_start() -> None:
    generator = generator_of(radius=0.4)
    silence(generator)
    scene = generator(torch.randn(2, generator.z_dim))
    assert torch.allclose(scene.vertices, 0.4 * generator.start.expand(2, -1, -1), atol=1e-6)
    assert not scene.texture.any() and scene.texture.shape == (2, 3, 16, 16)
    assert scene.background.shape == (2, 3, 8, 8)


def test_first_shapes_are_near_the_start_and_differ() -> None:
    generator = generator_of()
    with torch.no_grad():
        vertices = generator(torch.randn(8, generator.z_dim)).vertices
    moved = root_mean_square_radius(vertices - generator.config.radius * generator.start)
    assert 0.01 < moved.min() and moved.max() < 0.5 * generator.config.radius
    assert vertices.std(dim=0).mean() > 0.01


@pytest.mark.parametrize("pyramid", [True, False])
def test_resolutions_move_the_surface_less_the_finer_they_are_or_only_the_last_does(pyramid: bool) -> None:
    generator = generator_of(pyramid=pyramid, pyramid_decay=0.5, shape_gain=0.1, smoothing=0.0)
    moved = []
    for block in generator.maps.synthesis_blocks():
        silence(generator)
        with torch.no_grad():
            block.to_image.bias[:3] = torch.tensor([1.0, 0.0, 0.0])
        with torch.no_grad():
            vertices = generator(torch.zeros(1, generator.z_dim)).vertices
        change = vertices - generator.config.radius * generator.start
        front = change[0, generator.start[:, 1].argmin()]
        assert front[1:].abs().max() < 1e-6
        moved.append(float(front[0]))
    assert moved == pytest.approx([0.1, 0.05, 0.025] if pyramid else [0, 0, 0.1], abs=1e-6)


def test_the_size_constraint_centres_and_changes_no_proportion() -> None:
    shapes = torch.randn(3, 40, 3) * torch.tensor([0.05, 0.4, 3.0])[:, None, None] + 0.7
    sized = constrained(shapes, 0.3, 0.9)
    radii = root_mean_square_radius(shapes - shapes.mean(dim=1, keepdim=True))
    assert sized.mean(dim=1).abs().max() < 1e-6
    assert torch.allclose(root_mean_square_radius(sized), radii.clamp(0.3, 0.9))
    ratio = sized / (shapes - shapes.mean(dim=1, keepdim=True))
    assert torch.allclose(ratio, ratio[:, :1, :1].expand_as(ratio), rtol=1e-3)
    assert ratio[1].mean() == pytest.approx(1, abs=1e-4)


def test_without_the_constraint_a_shape_may_grow_and_with_it_may_not() -> None:
    sizes = []
    for constraint in (True, False):
        generator = generator_of(size_constraint=constraint, size=(0.3, 0.5), shape_gain=3.0)
        with torch.no_grad():
            scene = generator(torch.randn(4, generator.z_dim))
        centred = constrained(scene.vertices, 0.0, 100.0, generator.share)
        assert (centred * generator.share[:, None]).sum(dim=1).abs().max() < 1e-5
        sizes.append(float(root_mean_square_radius(centred, generator.share).max()))
    assert sizes[0] <= 0.5 + 1e-5 < sizes[1]


def test_smoothing_is_a_convolution_with_a_gaussian() -> None:
    maps = torch.randn(1, 2, 9, 9, dtype=torch.float64)
    deviation, reach = 0.8, 3
    weights = [[math.exp(-(x * x + y * y) / (2 * deviation**2)) for x in range(-3, 4)] for y in range(-3, 4)]
    total = sum(map(sum, weights))
    slow = torch.zeros_like(maps)
    for row in range(9):
        for column in range(9):
            for y in range(-reach, reach + 1):
                for x in range(-reach, reach + 1):
                    there = maps[..., min(max(row + y, 0), 8), min(max(column + x, 0), 8)]
                    slow[..., row, column] += there * weights[y + 3][x + 3] / total
    assert torch.allclose(smoothed(maps, deviation), slow, atol=1e-12)


def test_smoothing_takes_the_roughness_out_of_a_shape() -> None:
    def roughness(smoothing: float) -> float:
        generator = generator_of(smoothing=smoothing, shape_gain=0.3)
        vertices = generator.vertices(torch.randn(4, 3, 16, 16, generator=torch.Generator().manual_seed(0)))
        corners = vertices[:, generator.triangles]
        return float((corners[:, :, 0] - corners[:, :, 1]).norm(dim=2).std())

    assert roughness(2.0) < 0.4 * roughness(0.0)


def test_behind_a_sphere_all_of_the_rim_is_one_place() -> None:
    generator = generator_of(smoothing=0.0)
    line = torch.linspace(-1, 1, 16)
    sideways = line.expand(1, 3, 16, 16).clone()  # left and right of the chart are moved apart
    moved = generator.vertices(sideways) - generator.config.radius * generator.start
    behind = generator.start[:, 1].argmax()
    assert moved[0, behind].abs().max() < 0.02
    near = (generator.start - generator.start[behind]).norm(dim=1) < 0.5
    assert moved[0, near].abs().max() < 0.5 < moved[0, generator.start[:, 1].abs() < 0.3].abs().max() + 0.1


@pytest.mark.parametrize("half", [False, True])
def test_a_written_generator_makes_the_same_scenes(tmp_path: Path, half: bool) -> None:
    generator = generator_of(surface=SurfaceConfig("sheet", 6, True), size_constraint=True)
    save_shape_generator(tmp_path / "generator.safetensors", generator, half=half)
    loaded = load_shape_generator(tmp_path / "generator.safetensors")
    assert loaded.config == generator.config
    z = torch.randn(2, generator.z_dim)
    one, other = generator(z), loaded(z)
    for name in vars(one):
        assert torch.allclose(getattr(one, name), getattr(other, name), atol=2e-2 if half else 0)


def test_files_of_something_else_are_refused_in_one_sentence(tmp_path: Path) -> None:
    config = {**asdict(TINY), "maps": {"resolution": 17}}
    for number, metadata in enumerate(({"config": json.dumps(config)}, {"config": '{"surface": 3}'}, {})):
        path = tmp_path / f"{number}.safetensors"
        write_tensors(path, {"a": torch.zeros(1)}, metadata)
        with pytest.raises(ValueError, match="does not fit this version"):
            load_shape_generator(path)


def test_a_symmetric_object_looks_from_the_left_as_it_does_from_the_right_in_a_mirror() -> None:
    cameras = Cameras.batch([Camera(azimuth=0.6, elevation=0.2, distance=9.3, field_of_view=math.radians(8))] * 3)
    window = torch.full((3, 2), 0.5)
    different = []
    for symmetric in (True, False):
        generator = generator_of(symmetric=symmetric, shape_gain=0.4)
        with torch.no_grad():
            scene = generator(torch.randn(3, generator.z_dim))
        scene.background = torch.zeros_like(scene.background)
        left, right = (
            shown(generator.mesh, scene, Viewpoints(side, window), 32) for side in (cameras, cameras.mirrored())
        )
        different.append(float((left - right.flip(3)).abs().mean()))
    assert different[0] < 1e-4 < 0.02 < different[1]

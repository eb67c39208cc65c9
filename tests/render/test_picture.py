# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The complete picture: materials, borders of the atlas, light, background, supersampling, its outputs."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.common.records import Camera
from backend.render.camera import Cameras, camera_positions
from backend.render.light import uniform_light
from backend.render.picture import HARD, RenderConfig, render
from backend.render.shading import Texture, VertexColours, sample_texture
from backend.render.template import CAR_BOX, Template, TemplateConfig, make_template

TEMPLATE = make_template(replace(CAR_BOX, cells_x=6, cells_y=14, cells_z=6))
TRIANGLES = torch.as_tensor(TEMPLATE.triangles).long()
VERTICES = torch.as_tensor(TEMPLATE.vertices)[None]
UV = torch.as_tensor(TEMPLATE.triangle_uv)
BOUNDS = torch.as_tensor(TEMPLATE.chart_bounds)
CAMERA = Cameras.batch([Camera(0.7, 0.4, 3.0, 0.0, 0.42)])
BOUNDARY = RenderConfig("boundary")
MAGENTA = (1.0, 0.0, 1.0)


def painted_by_position(template: Template, side: int, gutter: tuple[float, float, float]) -> torch.Tensor:
    """(1, 3, T, T) texture of colour = position + 0.5 on every texel whose centre lies in a chart."""
    image = np.broadcast_to(np.float32(gutter), (side, side, 3)).copy()
    centres = (np.arange(side) + 0.5) / side
    for corners, uv in zip(template.vertices[template.quads], template.uv, strict=True):
        low, high = uv.min(axis=0), uv.max(axis=0)
        columns = np.flatnonzero((centres >= low[0] - 1e-6) & (centres <= high[0] + 1e-6))
        rows = np.flatnonzero((1 - centres >= low[1] - 1e-6) & (1 - centres <= high[1] + 1e-6))
        if not len(columns) or not len(rows):
            continue
        # Every quad is an axis-parallel rectangle of the atlas: bilinear in u and v.
        s = (centres[columns] - low[0]) / (high[0] - low[0])
        t = (1 - centres[rows] - low[1]) / (high[1] - low[1])
        weights = np.zeros((len(rows), len(columns), 4))
        for corner in range(4):
            along = s if uv[corner, 0] > uv[:, 0].mean() else 1 - s
            up = t if uv[corner, 1] > uv[:, 1].mean() else 1 - t
            weights[..., corner] = up[:, None] * along[None]
        image[np.ix_(rows, columns)] = weights @ corners + 0.5
    return torch.as_tensor(image).permute(2, 0, 1)[None]


def seen_positions(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """What colour = position + 0.5 looks like without any texture, and where it is seen."""
    truth = render(VERTICES, TRIANGLES, VertexColours(TRIANGLES, VERTICES + 0.5), None, CAMERA, size, size, HARD)
    return truth.rgb, truth.coverage > 0


def test_nothing_bleeds_in_over_the_borders_of_the_atlas() -> None:
    """A texture of 64 texels, whose gutter is one texel wide and magenta."""
    truth, covered = seen_positions(160)
    image = painted_by_position(TEMPLATE, 64, MAGENTA)
    careless = render(VERTICES, TRIANGLES, Texture(UV, image), None, CAMERA, 160, 160, HARD)
    careful = render(VERTICES, TRIANGLES, Texture(UV, image, BOUNDS), None, CAMERA, 160, 160, HARD)
    error = (careful.rgb - truth).abs().amax(dim=1)[covered]
    assert (careless.rgb - truth).abs().amax() > 0.2
    # Half a texel of the widest chart is about a hundredth of the object's length.
    assert error.max() < 0.035 and error.mean() < 0.006


def test_charts_are_the_six_sides_of_the_template() -> None:
    assert len(np.unique(TEMPLATE.chart_bounds, axis=0)) == 6
    low, high = TEMPLATE.chart_bounds[:, None, :2], TEMPLATE.chart_bounds[:, None, 2:]
    assert ((TEMPLATE.triangle_uv >= low) & (TEMPLATE.triangle_uv <= high)).all()


def test_a_repeating_texture_has_no_seam_where_it_wraps() -> None:
    angle = (torch.arange(64) + 0.5) / 64 * 2 * math.pi
    image = torch.sin(angle).expand(1, 1, 8, 64)
    u = torch.linspace(-0.5, 1.5, 801)
    uv = torch.stack([u, torch.full_like(u, 0.3)], dim=-1)[None, None]
    repeated = sample_texture(image, uv, repeat=True)[0, 0, 0]
    np.testing.assert_allclose(repeated.numpy(), torch.sin(2 * math.pi * u).numpy(), atol=0.004)
    assert (sample_texture(image, uv)[0, 0, 0] - torch.sin(2 * math.pi * u)).abs().max() > 0.5


def test_texel_centres_lie_at_half_integers_and_v_goes_up() -> None:
    image = torch.arange(12.0).view(1, 1, 3, 4)
    uv = torch.tensor([[0.5 / 4, 2.5 / 3], [3.5 / 4, 0.5 / 3], [1.0 / 4, 2.5 / 3], [-3.0, 7.0]])[None, None]
    assert sample_texture(image, uv)[0, 0, 0].tolist() == pytest.approx([0.0, 11.0, 0.5, 0.0], abs=1e-5)


def test_supersampling_is_the_mean_of_a_finer_picture() -> None:
    colours = VertexColours(TRIANGLES, VERTICES + 0.5)
    config = replace(HARD, supersampling=3)
    coarse = render(VERTICES, TRIANGLES, colours, None, CAMERA, 20, 28, config, normals=True)
    fine = render(VERTICES, TRIANGLES, colours, None, CAMERA, 60, 84, HARD)
    assert torch.allclose(coarse.rgb, fine.rgb.unflatten(2, (20, 3)).unflatten(4, (28, 3)).mean(dim=(3, 5)), atol=1e-6)
    assert torch.allclose(coarse.coverage, fine.coverage.unflatten(1, (20, 3)).unflatten(3, (28, 3)).mean(dim=(2, 4)))
    seen = coarse.coverage[0] > 0
    assert coarse.depth[0][seen].min() > 2.4 and (coarse.depth[0][~seen] == 0).all()
    assert coarse.normal is not None
    np.testing.assert_allclose(coarse.normal[0][:, seen].norm(dim=0).numpy(), 1, atol=1e-5)


@pytest.mark.parametrize("config", [HARD, RenderConfig(), BOUNDARY, replace(BOUNDARY, supersampling=2)])
def test_an_object_of_the_backgrounds_colour_cannot_be_seen(config: RenderConfig) -> None:
    """Whatever the edges do, object and background share each pixel without rest."""
    paint = VertexColours(TRIANGLES, torch.full_like(VERTICES, 0.37))
    picture = render(VERTICES, TRIANGLES, paint, None, CAMERA, 40, 48, config)
    np.testing.assert_allclose(picture.over(torch.tensor(0.37)).numpy(), 0.37, atol=1e-6)
    assert picture.coverage.max() == 1 and picture.coverage.min() == 0


def test_depth_and_normals_are_those_of_a_sphere() -> None:
    sphere = make_template(TemplateConfig(20, 20, 20, proportions=(1.0, 1.0, 1.0), roundness=2.0))
    vertices, triangles = torch.as_tensor(sphere.vertices)[None], torch.as_tensor(sphere.triangles).long()
    picture = render(vertices, triangles, VertexColours(triangles, vertices), None, CAMERA, 64, 64, HARD, normals=True)
    assert picture.depth[0, 32, 32].item() == pytest.approx(2.5, abs=0.01)
    assert picture.normal is not None
    towards = camera_positions(CAMERA)[0] / 3.0
    np.testing.assert_allclose(picture.normal[0, :, 32, 32].numpy(), towards.numpy(), atol=0.05)
    # On a sphere of radius 1/2 about the origin the surface point is half the normal.
    covered = picture.coverage[0] > 0
    points = picture.rgb[0][:, covered]
    np.testing.assert_allclose(picture.normal[0][:, covered].numpy(), 2 * points.numpy(), atol=0.06)


@pytest.mark.parametrize("config", [RenderConfig(), BOUNDARY])
def test_every_input_gets_a_finite_gradient(config: RenderConfig) -> None:
    vertices = VERTICES.clone().requires_grad_()
    image = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0)).requires_grad_()
    light = uniform_light(1).requires_grad_()
    azimuth = CAMERA.azimuth.clone().requires_grad_()
    cameras = replace(CAMERA, azimuth=azimuth)
    picture = render(vertices, TRIANGLES, Texture(UV, image, BOUNDS), light, cameras, 32, 32, config)
    ((picture.over(torch.tensor(0.2)) ** 2).sum() + picture.mask.sum()).backward()
    for value in (vertices, image, light, azimuth):
        assert value.grad is not None and torch.isfinite(value.grad).all() and value.grad.abs().max() > 0


def test_a_margin_of_zero_is_the_crisp_picture() -> None:
    colours = VertexColours(TRIANGLES, VERTICES + 0.5)
    crisp = render(VERTICES, TRIANGLES, colours, None, CAMERA, 40, 40, HARD)
    none = render(VERTICES, TRIANGLES, colours, None, CAMERA, 40, 40, replace(BOUNDARY, margin=0.0))
    assert torch.equal(crisp.rgb, none.rgb) and torch.equal(crisp.mask, none.mask)
    one = render(VERTICES, TRIANGLES, colours, None, CAMERA, 40, 40, BOUNDARY)
    assert one.mask.sum() > crisp.mask.sum() and ((one.mask > 0) & (one.mask < 1)).any()


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="no renderer 'raytracer'"):
        RenderConfig("raytracer")
    with pytest.raises(ValueError, match="one sample at least"):
        RenderConfig(supersampling=0)
    with pytest.raises(ValueError, match="cannot be -1"):
        colours = VertexColours(TRIANGLES, VERTICES)
        render(VERTICES, TRIANGLES, colours, None, CAMERA, 8, 8, replace(BOUNDARY, margin=-1.0))

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of scenes: which sides are seen, and gradients at outlines against finite differences."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from backend.models.scene_pictures import CRISP, SOFT, normal_colours, picture_of, shown
from backend.models.shape_generator import Scene, SceneMesh
from backend.models.surface_maps import SurfaceConfig, make_surface
from backend.render.viewpoints import ViewpointPrior

PRIOR = ViewpointPrior(frame=1.3, field_of_view_deg=8.0)


def scene_of(config: SurfaceConfig, size: tuple[float, float, float] = (0.4, 0.4, 0.4)) -> tuple[SceneMesh, Scene]:
    """A white surface before a black background."""
    surface = make_surface(config)
    mesh = SceneMesh(torch.from_numpy(surface.triangles), torch.from_numpy(surface.triangle_uv), 2.0)
    vertices = torch.from_numpy(surface.start) * torch.tensor(size)
    return mesh, Scene(vertices[None], torch.ones(1, 3, 8, 8), -torch.ones(1, 3, 16, 16))


def test_a_sheet_is_seen_from_the_front_and_not_from_behind() -> None:
    mesh, scene = scene_of(SurfaceConfig("sheet", 8))
    views = PRIOR.at([0.0, 180.0], 0.0)
    coverage = picture_of(mesh, scene.repeated(2), views, 32).coverage.mean(dim=(1, 2))
    assert coverage[0] > 0.2 and coverage[1] == 0


def test_a_hollow_mask_covers_the_same_pixels_and_its_depth_tells_it_apart() -> None:
    mesh, scene = scene_of(SurfaceConfig("sheet", 8))
    hollow = Scene(scene.vertices * torch.tensor([1.0, -1.0, 1.0]), scene.texture, scene.background)
    front = PRIOR.at([0.0], 0.0)
    true, inside = (picture_of(mesh, each, front, 48).depth[0] for each in (scene, hollow))
    seen = (true > 0) & (inside > 0)
    assert seen.sum() > 200
    # Both look to the camera and cover the same pixels: what differs is the sign of the depth.
    pair = torch.stack([true[seen], inside[seen]])
    assert torch.corrcoef(pair)[0, 1] < -0.95


def test_pictures_are_object_over_the_part_of_the_background_that_the_window_shows() -> None:
    mesh, scene = scene_of(SurfaceConfig("sphere", 12))
    scene.background[:, 0, :, 8:] = 1.0  # red on the right
    views = PRIOR.at([0.0], 0.0)
    views.window = torch.tensor([[0.0, 0.5]])
    left = shown(mesh, scene, views, 32)[0]
    views.window = torch.tensor([[1.0, 0.5]])
    right = shown(mesh, scene, views, 32)[0]
    assert torch.equal(left[:, 16, 16], torch.ones(3)) and torch.equal(right[:, 16, 16], torch.ones(3))
    assert left[0, 0, 0] == -1 and right[0, 0, -1] == 1 and left[1, 0, 0] == right[1, 0, -1] == -1


def test_normals_are_blue_to_the_front_red_to_the_left_and_green_upwards() -> None:
    mesh, scene = scene_of(SurfaceConfig("sphere", 24))
    picture = normal_colours(mesh, scene, PRIOR.at([0.0], 0.0), 65)[0]
    assert picture[:, 32, 32].tolist() == pytest.approx([0, 0, 1], abs=0.05)
    assert picture[0, 32, 48] > 0.7 and picture[0, 32, 16] < -0.7 and picture[1, 16, 32] > 0.7
    assert picture[:, 0, 0].tolist() == [1, 1, 1]


@pytest.mark.parametrize("cells", [8, 16])
def test_the_soft_pictures_gradient_is_what_finite_differences_measure_and_the_crisp_ones_is_blind(cells: int) -> None:
    """Of the mean brightness of a white ball before black, by the factor of its size."""
    mesh, scene = scene_of(SurfaceConfig("sphere", cells))
    scene = Scene(*(value.double() for value in vars(scene).values()))
    mesh = replace(mesh, triangle_uv=mesh.triangle_uv.double())
    views = PRIOR.at([20.0], 10.0)
    views.window = views.window.double()
    views.cameras = type(views.cameras)(**{name: value.double() for name, value in vars(views.cameras).items()})

    def brightness(factor: torch.Tensor, config) -> torch.Tensor:
        grown = Scene(scene.vertices * factor, scene.texture, scene.background)
        return shown(mesh, grown, views, 40, config).mean()

    slopes = {}
    for name, config in (("soft", SOFT), ("crisp", CRISP)):
        factor = torch.ones((), dtype=torch.float64, requires_grad=True)
        (slopes[name],) = torch.autograd.grad(brightness(factor, config), factor)
    step = 1e-5
    with torch.no_grad():
        one, other = (brightness(torch.tensor(1 + sign * step, dtype=torch.float64), SOFT) for sign in (1, -1))
    measured = float(one - other) / (2 * step)
    # Brightness grows as the ball's area: 2 per unit of coverage, and twice the coverage by the factor.
    coverage = float(picture_of(mesh, scene, views, 40).coverage.mean())
    assert float(slopes["soft"]) == pytest.approx(measured, rel=1e-6)
    assert measured == pytest.approx(4 * coverage, rel=0.15)
    assert abs(float(slopes["crisp"])) < 1e-3 * measured

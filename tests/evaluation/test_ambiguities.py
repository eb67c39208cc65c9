# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What photographs alone cannot tell (paper B), and which prior tells it: small problems whose truth is known.

Each has two worlds that differ in 3D and give the same pictures, and a prior under which they give different ones. No
training: where the distributions of pictures are equal no discriminator can help. The figures are in
docs/ambiguities.md.
"""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from backend.data.solids import SolidsConfig, make_solids, photographed, solids_mesh
from backend.evaluation.distributions import frechet_distance
from backend.models.scene_pictures import picture_of, shown
from backend.models.shape_generator import Scene, SceneMesh, constrained
from backend.models.surface_maps import SurfaceConfig, make_surface
from backend.render.viewpoints import ViewpointPrior, Viewpoints

SIDE = 48
NEARLY_PARALLEL = 1.0
"""Degrees of the field of view."""


def mask_with_a_nose() -> tuple[SceneMesh, Scene]:
    """A painted face, seen from the front alone: a shallow dome with a nose, its colours by place."""
    surface = make_surface(SurfaceConfig("sheet", 24, circular=True))
    mesh = SceneMesh(torch.from_numpy(surface.triangles), torch.from_numpy(surface.triangle_uv), 2.0)
    vertices = 0.35 * torch.from_numpy(surface.start)
    nose = torch.exp(-(vertices[:, 0] ** 2 + (vertices[:, 2] + 0.05) ** 2) / 0.008)
    vertices[:, 1] -= 0.2 * nose
    line = torch.linspace(-1, 1, 32)
    texture = torch.stack([torch.sin(9 * line)[None].expand(32, -1), line[:, None].expand(-1, 32), torch.zeros(32, 32)])
    return mesh, Scene(vertices[None], texture[None], -torch.ones(1, 3, 8, 8))


def hollow(scene: Scene) -> Scene:
    """The same with its depth turned round: what bulges is hollow, and still looks to the front."""
    return replace(scene, vertices=scene.vertices * torch.tensor([1.0, -1.0, 1.0]))


def views(prior: ViewpointPrior, pairs_deg: list[tuple[float, float]]) -> Viewpoints:
    azimuth, elevation = torch.deg2rad(torch.tensor(pairs_deg)).T
    cameras = prior.cameras(azimuth, elevation, torch.zeros_like(azimuth))
    return Viewpoints(cameras, torch.full((len(pairs_deg), 2), 0.5))


def hollow_difference(pairs_deg: list[tuple[float, float]], field_of_view_deg: float) -> float:
    """Mean difference of a mask's pictures from those of its hollow twin, seen from the opposite directions."""
    mesh, mask = mask_with_a_nose()
    prior = ViewpointPrior(field_of_view_deg=field_of_view_deg)
    opposite = [(-azimuth, -elevation) for azimuth, elevation in pairs_deg]
    count = len(pairs_deg)
    one = shown(mesh, mask.repeated(count), views(prior, pairs_deg), SIDE)
    other = shown(mesh, hollow(mask).repeated(count), views(prior, opposite), SIDE)
    return float((one - other).abs().mean())


NARROW = [(-20.0, 0.0), (-10.0, 5.0), (10.0, -5.0), (20.0, 0.0)]
WIDE = [(-75.0, 0.0), (-60.0, 5.0), (60.0, -5.0), (75.0, 0.0)]


def test_a_hollow_mask_gives_the_same_pictures_from_the_opposite_directions() -> None:
    """Parallel rays and few viewpoints, symmetric about the front: nothing tells the mask from its hollow twin."""
    mesh, mask = mask_with_a_nose()
    assert (mask.vertices - hollow(mask).vertices).abs().max() > 0.3
    assert hollow_difference(NARROW, NEARLY_PARALLEL) < 0.005


def test_perspective_tells_the_hollow_mask_and_wide_viewpoints_hardly_do() -> None:
    """Wide ones tell it where the nose hides what lies behind it, and nowhere else."""
    same = hollow_difference(NARROW, NEARLY_PARALLEL)
    assert 1.5 * same < hollow_difference(WIDE, NEARLY_PARALLEL) < 0.01
    assert hollow_difference(NARROW, 8.0) > 5 * same
    assert hollow_difference(NARROW, 50.0) > 30 * same


def test_viewpoints_that_are_mostly_from_above_tell_the_hollow_mask() -> None:
    """Its twin would have to be seen from below, where the prior has no camera."""
    mesh, mask = mask_with_a_nose()
    prior = ViewpointPrior(field_of_view_deg=NEARLY_PARALLEL, elevation_deg=(10.0, 40.0))
    seen = shown(mesh, mask, views(prior, [(15.0, 35.0)]), SIDE)
    candidates = [(float(a), float(e)) for a in range(-90, 91, 5) for e in range(10, 41, 5)]
    twins = shown(mesh, hollow(mask).repeated(len(candidates)), views(prior, candidates), SIDE)
    nearest = (twins - seen).abs().mean(dim=(1, 2, 3)).min()
    excluded = shown(mesh, hollow(mask), views(prior, [(-15.0, -35.0)]), SIDE)
    assert (excluded - seen).abs().mean() < 0.01 and nearest > 0.05


def test_scale_cannot_be_told_from_distance_unless_the_size_is_given() -> None:
    solids = make_solids(3, seed=0)
    larger = replace(solids, vertices=1.4 * solids.vertices)
    prior, further = ViewpointPrior(frame=1.3), ViewpointPrior(frame=1.3 * 1.4)
    at = [-40.0, 0.0, 70.0]
    one, other = (shown(solids_mesh(), s, p.at(at), SIDE) for s, p in ((solids, prior), (larger, further)))
    assert (one - other).abs().mean() < 1e-4  # no picture says which
    sized, sized_larger = (constrained(s.vertices, 0.4, 0.4) for s in (solids, larger))
    assert torch.allclose(sized, sized_larger, atol=1e-5)


def painted_into_the_background(solid: Scene, azimuth: float) -> Scene:
    """A background that shows in its middle what the solid looks like, and a solid too small to be seen."""
    side = 2 * SIDE
    picture = picture_of(solids_mesh(), solid, ViewpointPrior().at([azimuth], 5.0), SIDE)
    background = torch.zeros(1, 3, side, side)
    edge = SIDE // 2
    background[..., edge : edge + SIDE, edge : edge + SIDE] = picture.rgb
    return Scene(solid.vertices * 1e-3, solid.texture, background)


def test_an_object_may_be_painted_into_a_background_that_stands_still_and_not_into_one_that_moves() -> None:
    solid = replace(make_solids(1, seed=0), background=torch.zeros(1, 3, 2 * SIDE, 2 * SIDE))
    painted = painted_into_the_background(solid, azimuth=0.0)
    at = [-20.0, -10.0, 10.0, 20.0]
    differences = {}
    for travel in (0.0, 1.0):
        prior = ViewpointPrior(20.0, (5.0, 5.0), travel=travel, jitter=0.0)
        one, other = (shown(solids_mesh(), s.repeated(4), prior.at(at), SIDE) for s in (solid, painted))
        differences[travel] = float((one - other).abs().mean())
    assert differences[1.0] > 2.5 * differences[0.0]
    # Without any turning there is nothing to tell at all.
    still = ViewpointPrior(0.0, (5.0, 5.0), travel=0.0, jitter=0.0).at([0.0])
    assert (shown(solids_mesh(), solid, still, SIDE) - shown(solids_mesh(), painted, still, SIDE)).abs().mean() < 0.01


def test_the_size_constraint_leaves_no_object_that_cannot_be_seen() -> None:
    solid = make_solids(1, seed=0)
    vanished = solid.vertices * 1e-3
    view = ViewpointPrior().at([0.0])
    bare = picture_of(solids_mesh(), replace(solid, vertices=vanished), view, SIDE).coverage.mean()
    kept = picture_of(solids_mesh(), replace(solid, vertices=constrained(vanished, 0.3, 0.5)), view, SIDE)
    assert bare < 0.005 and kept.coverage.mean() > 0.1


def picture_distance(azimuth_deg: float, own_frames: bool) -> float:
    """Fréchet distance of small pictures of the solids from those of as many others, each, with ``own_frames``, turned
    by an angle of its own about the vertical."""
    count = 256
    config = SolidsConfig(resolution=16, viewpoints=ViewpointPrior(azimuth_deg))
    features = []
    for side in (0, 1):
        numbers = config.viewpoints.draw(count, torch.Generator().manual_seed(side))
        solids = make_solids(count, seed=7, first=side * count)
        solids = replace(solids, background=torch.zeros(count, 3, 4, 4))
        if side and own_frames:
            angles = torch.rand(count, generator=torch.Generator().manual_seed(2)) * 2 * math.pi
            solids = replace(solids, vertices=turned(solids.vertices, angles))
        features.append(F.avg_pool2d(photographed(solids, config, numbers), 4).flatten(1))
    return frechet_distance(*features)


def turned(vertices: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    sine, cosine = angles.sin(), angles.cos()
    zero, one = torch.zeros_like(sine), torch.ones_like(sine)
    rows = [torch.stack(row, dim=1) for row in ([cosine, -sine, zero], [sine, cosine, zero], [zero, zero, one])]
    return vertices @ torch.stack(rows, dim=1).transpose(1, 2)


@pytest.mark.parametrize(("azimuth_deg", "told"), [(180.0, False), (45.0, True)])
def test_from_all_around_every_object_may_have_its_own_front_and_from_the_front_it_may_not(
    azimuth_deg: float, told: bool
) -> None:
    alike, own = (picture_distance(azimuth_deg, own_frames) for own_frames in (False, True))
    assert own > 2 * alike if told else own < 1.3 * alike

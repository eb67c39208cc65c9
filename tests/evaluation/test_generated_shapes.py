# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of generated shapes: against the plain formula, and on shapes whose relation is known."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.data.solids import make_solids, solids_mesh
from backend.evaluation.generated_shapes import (
    Shapes,
    ball,
    chamfer_distances,
    compare_scenes,
    compare_shapes,
    depth_correlation,
    frames,
    shapes_of,
    shapes_of_meshes,
    turned,
    unseen,
)
from backend.evaluation.metrics import surface_distance
from backend.models.shape_generator import Scene
from backend.render.viewpoints import ViewpointPrior

PRIOR = ViewpointPrior()
MESH = solids_mesh()


def shapes(scene: Scene) -> Shapes:
    return shapes_of(MESH, scene, PRIOR, points=200)


@pytest.fixture(scope="module")
def solids() -> Scene:
    return make_solids(6, seed=1)


def changed(scene: Scene, factors: tuple[float, float, float]) -> Scene:
    return replace(scene, vertices=scene.vertices * torch.tensor(factors))


def test_chamfer_is_that_of_other_trainings(solids: Scene) -> None:
    clouds = shapes(solids).points
    found = chamfer_distances(clouds[:2], clouds[2:5])
    slow = [[surface_distance(one.numpy(), other.numpy()).chamfer for other in clouds[2:5]] for one in clouds[:2]]
    assert np.allclose(found, slow, atol=1e-6)


def test_data_is_as_near_to_itself_as_can_be_and_a_ball_is_further_than_other_solids(solids: Scene) -> None:
    true = shapes(make_solids(24, seed=2))
    same = compare_shapes(true, true)
    assert same["chamfer"] == same["chamfer_of_data"] == pytest.approx(0, abs=1e-6)
    assert same["depth_correlation"] == same["size_ratio"] == pytest.approx(1)
    others = compare_shapes(shapes(make_solids(24, seed=3)), true)
    round_shapes = compare_shapes(shapes_of(*ball(0.43), PRIOR, points=200), true)
    assert others["chamfer_of_data"] < 0.75 * round_shapes["chamfer_of_data"]
    assert others["depth_correlation"] > round_shapes["depth_correlation"] + 0.05


def test_one_good_shape_for_all_is_told_from_the_whole_family(solids: Scene) -> None:
    """A collapsed generator: near to the data, and the data far from it."""
    true = shapes(make_solids(24, seed=2))
    collapsed = compare_shapes(Shapes(true.points[:1], true.depths[:1]), true)
    assert collapsed["chamfer"] == pytest.approx(0, abs=1e-6) and collapsed["chamfer_of_data"] > 0.03


def test_size_and_place(solids: Scene) -> None:
    larger = replace(solids, vertices=1.2 * solids.vertices + 0.1)
    figures = compare_shapes(shapes(larger), shapes(solids))
    assert figures["size_ratio"] == pytest.approx(1.2, rel=1e-5)
    moved = compare_shapes(shapes(replace(solids, vertices=solids.vertices + 0.1)), shapes(solids))
    assert moved["chamfer"] < 1e-6


def test_depths_of_a_relief_turned_inside_out_are_anticorrelated() -> None:
    line = torch.linspace(-1, 1, 9)
    bulge = (1 - 0.5 * line[:, None] ** 2 - 0.5 * line**2)[None]
    assert depth_correlation(bulge, 3 * bulge + 1) == pytest.approx(1)
    assert depth_correlation(bulge, -bulge) == pytest.approx(-1)
    assert depth_correlation(bulge, torch.zeros_like(bulge)) == 0
    elsewhere = bulge.clone()
    elsewhere[:, :8] = torch.nan
    hidden = bulge.clone()
    hidden[:, 1:] = torch.nan
    assert depth_correlation(elsewhere, hidden) == 0


def test_what_looks_backwards_has_other_depths(solids: Scene) -> None:
    turned = changed(solids, (1.0, -1.0, 1.0))
    mesh = replace(MESH, triangles=MESH.triangles.flip(1), triangle_uv=MESH.triangle_uv.flip(1))
    backwards = shapes_of(mesh, turned, PRIOR, points=200)
    own = shapes(solids)
    right = np.mean([depth_correlation(*pair) for pair in zip(own.depths, own.depths, strict=True)])
    wrong = np.mean([depth_correlation(*pair) for pair in zip(backwards.depths, own.depths, strict=True)])
    assert right == pytest.approx(1) and wrong < 0.9


def test_a_common_turn_is_found_and_is_not_taken_for_turns_of_their_own() -> None:
    true = shapes(make_solids(16, seed=2))
    made = shapes(make_solids(12, seed=3))
    alike = frames(made, true)
    assert alike["turn_deg"] == 0 and alike["own_turn_deg"] < 15
    all_turned = frames(replace(made, points=turned(made.points, math.radians(-90))), true)
    assert all_turned["turn_deg"] == 90 and all_turned["own_turn_deg"] == alike["own_turn_deg"]
    angles = [math.radians(360 * number / len(made)) for number in range(len(made))]
    own = [turned(points, angle) for points, angle in zip(made.points, angles, strict=True)]
    assert frames(replace(made, points=torch.stack(own)), true)["own_turn_deg"] > 60


def test_from_all_around_a_common_turn_does_not_count_and_otherwise_it_does() -> None:
    true = shapes_of(MESH, make_solids(12, seed=2), PRIOR)
    made = make_solids(8, seed=3)
    quarter = replace(made, vertices=turned(made.vertices, math.radians(-90)))
    all_around = replace(PRIOR, azimuth_deg=180.0)
    right, found, wrong = (
        compare_scenes(MESH, scene, true, prior)
        for scene, prior in ((made, all_around), (quarter, all_around), (quarter, PRIOR))
    )
    assert right["turn_deg"] == 0 and found["turn_deg"] == 90
    for name in ("chamfer", "depth_correlation"):
        assert found[name] == pytest.approx(right[name], rel=0.02)
    assert wrong["chamfer"] > 1.3 * right["chamfer"]


def test_meshes_that_share_nothing_are_compared_as_scenes_are(solids: Scene) -> None:
    together = shapes(solids)
    apart = shapes_of_meshes([(v.numpy(), MESH.triangles.numpy()) for v in solids.vertices], PRIOR, points=200)
    assert torch.allclose(together.points, apart.points, atol=1e-6)
    assert torch.equal(together.depths.isnan(), apart.depths.isnan())
    assert torch.allclose(together.depths.nan_to_num(), apart.depths.nan_to_num(), atol=1e-5)


def test_unseen_viewpoints_stand_higher_and_below_the_zenith() -> None:
    assert unseen(ViewpointPrior(elevation_deg=(-5.0, 15.0))).elevation_deg == (25.0, 45.0)
    assert unseen(ViewpointPrior(elevation_deg=(0.0, 80.0))).elevation_deg == (10.0, 90.0)

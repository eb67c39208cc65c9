# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How near shapes that a generator makes come to those that its photographs show, where these are known.

Nothing pairs a generated shape with a true one, so each is compared with the nearest of the others: from the generated
ones to the data it says how good they are, from the data to the generated ones how much of the data is there. Shapes
are moved to their own middle, and neither turned nor scaled. Figures mean little alone: beside them belong those of
other shapes of the same data, and of a ball.

Letters: N, M, K shapes, V vertices, F triangles, P points, H, W picture.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..models.scene_pictures import CRISP, picture_of
from ..models.shape_generator import Scene, SceneMesh, root_mean_square_radius
from ..models.surface_maps import SurfaceConfig, make_surface
from ..render.viewpoints import ViewpointPrior
from .metrics import sample_surface

DEPTH_VIEWS_DEG = (-60.0, 0.0, 60.0)
"""Azimuths from which depths are compared."""
DEPTH_SIDE = 48
"""Side in pixels of the maps of depth."""
UNSEEN_DEG = 30.0
"""How much higher than the photographs' cameras those of unseen viewpoints stand."""
_TURNS, _TURN_SHAPES, _TURN_POINTS = 12, 16, 128
"""Turns that are tried, and how many true shapes and points of each shape they are tried on."""


@dataclass(frozen=True)
class Shapes:
    """Shapes in the world, and what of them is compared."""

    points: Tensor
    """(N, P, 3) spread evenly over each surface, about their mean."""
    depths: Tensor
    """(N, A, H, W) towards the camera, about the origin, from :data:`DEPTH_VIEWS_DEG`; NaN where there is nothing."""

    def __len__(self) -> int:
        return len(self.points)


def shapes_of(mesh: SceneMesh, scene: Scene, prior: ViewpointPrior, points: int = 384, seed: int = 0) -> Shapes:
    """Returns what is compared of scenes (N), seen by a prior's camera on the level of its middle."""
    triangles = mesh.triangles.cpu().numpy()
    vertices = scene.vertices.detach().cpu().double()
    sampled = [sample_surface(shape.numpy(), triangles, points, seed) for shape in vertices]
    cloud = torch.from_numpy(np.stack(sampled))
    views = prior.at(list(DEPTH_VIEWS_DEG) * len(scene)).to(scene.vertices.device)
    with torch.no_grad():
        picture = picture_of(mesh, scene.repeated(len(DEPTH_VIEWS_DEG)), views, DEPTH_SIDE, CRISP)
    towards = prior.distance - picture.depth.cpu()
    depths = torch.where(picture.coverage.cpu() > 0, towards, torch.nan)
    return Shapes(cloud - cloud.mean(dim=1, keepdim=True), depths.unflatten(0, (len(scene), -1)))


def shapes_of_meshes(
    meshes: Iterable[tuple[np.ndarray, np.ndarray]], prior: ViewpointPrior, points: int = 384, seed: int = 0
) -> Shapes:
    """The same of meshes that share nothing: vertices (V, 3) and triangles (F, 3) of each."""
    made = []
    for vertices, triangles in meshes:
        faces = torch.from_numpy(triangles.astype(np.int64))
        mesh = SceneMesh(faces, torch.full((len(faces), 3, 2), 0.5), 1.0)
        scene = _unpainted(torch.from_numpy(vertices.astype(np.float32))[None])
        made.append(shapes_of(mesh, scene, prior, points, seed))
    return Shapes(torch.cat([shapes.points for shapes in made]), torch.cat([shapes.depths for shapes in made]))


def _unpainted(vertices: Tensor) -> Scene:
    """Scenes (N) of which only the shape counts."""
    grey = torch.zeros(len(vertices), 3, 2, 2)
    return Scene(vertices, grey, grey)


def chamfer_distances(one: Tensor, other: Tensor) -> Tensor:
    """(M, K) mean of both directions' mean distances between points (M, P, 3) and (K, P, 3)."""
    rows = []
    for cloud in one:
        distances = torch.cdist(cloud[None].expand(len(other), -1, -1), other)
        rows.append(0.5 * (distances.amin(dim=2).mean(dim=1) + distances.amin(dim=1).mean(dim=1)))
    return torch.stack(rows)


def depth_correlation(one: Tensor, other: Tensor) -> float:
    """Pearson's correlation of two shapes' depths (A, H, W) where both are seen, mean over the views.

    1: the same relief; negative: hollow where the other bulges. A view with fewer than 9 common pixels, or with one
    depth everywhere, counts as 0.
    """
    values = []
    for first, second in zip(one, other, strict=True):
        both = ~(first.isnan() | second.isnan())
        pair = torch.stack([first[both], second[both]]).double()
        usable = pair.shape[1] >= 9 and bool((pair.std(dim=1) > 1e-9).all())
        values.append(float(torch.corrcoef(pair)[0, 1]) if usable else 0.0)
    return float(np.mean(values))


def turned(points: Tensor, angle: float) -> Tensor:
    """Points (..., 3) turned by an angle in radians about the vertical, counter-clockwise from above."""
    x, y, z = points.unbind(dim=-1)
    cosine, sine = math.cos(angle), math.sin(angle)
    return torch.stack([cosine * x - sine * y, sine * x + cosine * y, z], dim=-1)


def frames(made: Shapes, true: Shapes) -> dict[str, float]:
    """Which way made shapes look. All of them may be turned alike, which no photographs from all around can tell, or
    each by an angle of its own, which is a failure.

    ``turn_deg``: the common turn, of a dozen, that brings them nearest to the true ones; ``own_turn_deg``: the mean
    angle between that and each one's own best turn, 90 where they have nothing to do with each other.
    """
    one, other = made.points[:, :_TURN_POINTS], true.points[:_TURN_SHAPES, :_TURN_POINTS]
    steps = [2 * math.pi * number / _TURNS for number in range(_TURNS)]
    nearest = torch.stack([chamfer_distances(turned(one, angle), other).amin(dim=1) for angle in steps])
    common, own = int(nearest.mean(dim=1).argmin()), nearest.argmin(dim=0)
    apart = (own - common).abs()
    apart = torch.minimum(apart, _TURNS - apart).double().mean() * (360 / _TURNS)
    return {"turn_deg": common * 360 / _TURNS, "own_turn_deg": float(apart)}


def compare_shapes(made: Shapes, true: Shapes) -> dict[str, float]:
    """Figures of generated shapes (M) against true ones (K).

    ``chamfer``: mean distance of each made shape to the nearest true one; ``chamfer_of_data``: of each true one to the
    nearest made one, in the world, where objects are about 1 long. ``depth_correlation``: of each made shape with the
    nearest true one. ``size_ratio``: root mean square radii, made over true. And those of :func:`frames`.
    """
    distances = chamfer_distances(made.points, true.points)
    nearest = distances.argmin(dim=1).tolist()
    pairs = zip(made.depths, (true.depths[index] for index in nearest), strict=True)
    sizes = [root_mean_square_radius(shapes.points).mean() for shapes in (made, true)]
    return {
        "chamfer": float(distances.amin(dim=1).mean()),
        "chamfer_of_data": float(distances.amin(dim=0).mean()),
        "depth_correlation": float(np.mean([depth_correlation(*pair) for pair in pairs])),
        "size_ratio": float(sizes[0] / sizes[1]),
        **frames(made, true),
    }


def compare_scenes(mesh: SceneMesh, scene: Scene, true: Shapes, prior: ViewpointPrior) -> dict[str, float]:
    """:func:`compare_shapes` of scenes. From all around no photograph says which way objects look: then all scenes are
    first turned by the one angle that brings them nearest to the true shapes, which is the ``turn_deg`` of the figures.
    """
    made = shapes_of(mesh, scene, prior)
    if prior.azimuth_deg < 180:
        return compare_shapes(made, true)
    turn = frames(made, true)["turn_deg"]
    scene = replace(scene, vertices=turned(scene.vertices, math.radians(turn)))
    return {**compare_shapes(shapes_of(mesh, scene, prior), true), "turn_deg": turn}


def ball(radius: float) -> tuple[SceneMesh, Scene]:
    """A ball about the origin: what a generator makes that has learned the size and nothing else."""
    surface = make_surface(SurfaceConfig("sphere", 24))
    mesh = SceneMesh(torch.from_numpy(surface.triangles), torch.from_numpy(surface.triangle_uv), 1.0)
    return mesh, _unpainted(radius * torch.from_numpy(surface.start)[None])


def unseen(prior: ViewpointPrior) -> ViewpointPrior:
    """The prior with cameras that stand :data:`UNSEEN_DEG` higher, as far as that leaves them below the zenith."""
    low, high = prior.elevation_deg
    raised = min(UNSEEN_DEG, 90.0 - high)
    return replace(prior, elevation_deg=(low + raised, high + raised))

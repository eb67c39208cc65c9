# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A starting point for the shape decoder: the template laid over the training meshes, and its main variations.

Each mesh's outer surface is seen through the rasteriser from all around; the template is pulled onto those points by
non-rigid iterative closest points with a Laplacian regulariser; principal components of the results make the mean
shape and the basis. Interior parts that no camera sees play no role.

Letters: K meshes, V template vertices, P surface points, S components.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.sparse import coo_matrix, csc_matrix, identity
from scipy.sparse.linalg import splu
from scipy.spatial import cKDTree

from ...common import array_files
from ...common.files import replacing
from ...common.records import Camera
from ...data.object_files import read_mesh
from ...progress_bar import tracked
from ...render.camera import Cameras, camera_positions, project
from ...render.fragments import interpolate
from ...render.rasterize import rasterize
from ...render.shading import face_normals
from ...render.template import Template


@dataclass(frozen=True)
class FitConfig:
    """How the template is pulled onto a mesh."""

    stiffness: tuple[float, ...] = (300.0, 300.0, 100.0, 100.0, 30.0, 10.0, 10.0, 4.0, 2.0, 1.0, 1.0)
    """Weights of the Laplacian, one for each iteration; they fall."""
    picture_size: int = 96
    """Side in pixels of the pictures in which the surface is seen."""
    points: int = 6000
    """Largest number of surface points."""
    min_cosine: float = 0.2
    """Smallest cosine between the normals of a vertex and of a point that draws it."""


class TemplateFitter:
    """Fits one template to many meshes; the sparse systems are factorised once."""

    def __init__(self, template: Template, config: FitConfig = FitConfig(), symmetric: bool = True) -> None:
        self.template, self.config, self.symmetric = template, config, symmetric
        self.triangles = template.triangles
        count = len(template.vertices)
        a, b = template.edges.T
        adjacency = coo_matrix((np.ones(len(a)), (a, b)), shape=(count, count))
        adjacency = adjacency + adjacency.T
        degree = np.asarray(adjacency.sum(axis=1)).ravel()
        laplacian = csc_matrix(identity(count) - adjacency.multiply(1 / degree[:, None]))
        self.bending = csc_matrix(laplacian.T @ laplacian)
        self.systems = {
            weight: splu(csc_matrix(identity(count) + weight * self.bending)) for weight in set(config.stiffness)
        }

    def fit(self, points: np.ndarray, normals: np.ndarray, seed: int = 0) -> np.ndarray:
        """Vertices (V, 3) of the template laid over surface points (P, 3) with outward normals (P, 3)."""
        points, normals = _chosen(points, normals, self.config.points // (2 if self.symmetric else 1), seed)
        if self.symmetric:
            points, normals = (np.concatenate([values, values * [-1.0, 1.0, 1.0]]) for values in (points, normals))
        low, high = points.min(axis=0), points.max(axis=0)
        start = self.template.vertices
        start = (start - start.min(axis=0)) / np.ptp(start, axis=0) * (high - low) + low
        tree = cKDTree(np.concatenate([points, 0.05 * normals], axis=1))
        vertices = start.copy()
        for weight in self.config.stiffness:
            goal = self._goal(vertices, points, normals, tree)
            vertices = self.systems[weight].solve(goal + weight * (self.bending @ start))
        if self.symmetric:
            vertices = 0.5 * (vertices + vertices[self.template.mirror] * [-1, 1, 1])
        return vertices.astype(np.float32)

    def _goal(self, vertices: np.ndarray, points: np.ndarray, normals: np.ndarray, tree: cKDTree) -> np.ndarray:
        """Where each vertex is drawn to: its nearest point, and the mean of the points to which it is the nearest."""
        own = _vertex_normals(vertices, self.triangles)
        _, nearest = tree.query(np.concatenate([vertices, 0.05 * own], axis=1))
        agrees = (normals[nearest] * own).sum(axis=1) > self.config.min_cosine
        goal = np.where(agrees[:, None], points[nearest], vertices)

        _, owner = cKDTree(np.concatenate([vertices, 0.05 * own], axis=1)).query(
            np.concatenate([points, 0.05 * normals], axis=1)
        )
        agrees = (normals * own[owner]).sum(axis=1) > self.config.min_cosine
        count = np.bincount(owner[agrees], minlength=len(vertices))
        total = np.zeros_like(vertices)
        np.add.at(total, owner[agrees], points[agrees])
        has_points = count > 0
        goal[has_points] = 0.5 * (goal[has_points] + total[has_points] / count[has_points, None])
        return goal


@torch.no_grad()
def visible_surface(
    vertices: np.ndarray, triangles: np.ndarray, config: FitConfig = FitConfig()
) -> tuple[np.ndarray, np.ndarray]:
    """Points (P, 3) and outward normals (P, 3) of a mesh's surface that a ring of cameras all around sees."""
    views = [(math.radians(a), math.radians(e)) for e in (5, 40) for a in range(0, 360, 60)]
    views += [(0.3, math.radians(89)), (0.3, math.radians(-60)), (3.4, math.radians(-60))]
    cameras = Cameras.batch([Camera(a, e, 8.0, 0.0, 0.16) for a, e in views])
    surface = torch.as_tensor(vertices)
    # Meshes from elsewhere may be wound either way: each triangle is drawn with both windings.
    faces = torch.as_tensor(np.concatenate([triangles, triangles[:, ::-1]]))
    size = config.picture_size
    fragments = rasterize(project(cameras, surface, size, size), faces, size, size)
    seen = fragments.face_index >= 0
    points = interpolate(fragments, surface[faces])[seen]
    normals = face_normals(surface[None], faces)[0][fragments.face_index[seen]]
    # Towards the camera that sees it.
    to_camera = camera_positions(cameras)[:, None, None].expand(*seen.shape, 3)[seen] - points
    normals = normals * torch.sign((normals * to_camera).sum(dim=1, keepdim=True))
    normals = torch.nn.functional.normalize(normals, dim=1)
    return points.numpy(), normals.numpy()


@dataclass(frozen=True)
class ShapeBasis:
    """Principal components of fitted meshes."""

    mean: np.ndarray
    """(V, 3) mean shape."""
    basis: np.ndarray
    """(S, V, 3) components; a code of standard-normal numbers times these is a plausible deformation."""

    def codes(self, fitted: np.ndarray) -> np.ndarray:
        """The codes (K, S) that come nearest to fitted meshes (K, V, 3)."""
        flat = self.basis.reshape(len(self.basis), -1)
        # The components are orthogonal, so that each code is a projection of its own; unused ones are 0.
        squared = np.maximum((flat**2).sum(axis=1), 1e-12)
        return ((fitted - self.mean).reshape(len(fitted), -1) @ flat.T / squared).astype(np.float32)

    def save(self, path: Path) -> None:
        with replacing(path) as partial, open(partial, "wb") as file:
            np.savez_compressed(file, mean=self.mean, basis=self.basis)

    @staticmethod
    def load(path: Path) -> ShapeBasis:
        """Reads a file of :meth:`save`. Raises ValueError with one sentence where it is none, OSError as it comes."""
        data = array_files.read(path, ("mean", "basis"))
        return ShapeBasis(data["mean"], data["basis"])


def principal_shapes(fitted: np.ndarray, components: int) -> ShapeBasis:
    """The basis of fitted meshes (K, V, 3); with fewer meshes than components the rest of the basis is 0."""
    mean = fitted.mean(axis=0)
    flat = (fitted - mean).reshape(len(fitted), -1)
    _, scale, right = np.linalg.svd(flat, full_matrices=False)
    used = min(components, len(scale) - 1 if len(scale) > 1 else 1)
    deviation = scale[:used] / math.sqrt(len(fitted))
    basis = np.zeros((components, flat.shape[1]))
    basis[:used] = right[:used] * deviation[:, None]
    return ShapeBasis(mean.astype(np.float32), basis.reshape(components, *mean.shape).astype(np.float32))


def _chosen(points: np.ndarray, normals: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """``count`` of the points at random, or all where there are fewer."""
    chosen = np.random.default_rng(seed).choice(len(points), min(len(points), count), replace=False)
    return points[chosen], normals[chosen]


def _vertex_normals(vertices: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    a, b, c = vertices[triangles].transpose(1, 0, 2)
    per_face = np.cross(b - a, c - a)
    total = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(total, triangles[:, corner], per_face)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def fit_meshes(folders: list[Path], template: Template, cache: Path, symmetric: bool = True) -> np.ndarray:
    """The template laid over ``mesh.npz`` of every folder, (K, V, 3); ``cache`` keeps what is done already."""
    known: dict[str, np.ndarray] = {}
    if cache.exists():
        data = array_files.read(cache, ("names", "vertices"))
        if data["vertices"].shape[1:] == template.vertices.shape:
            known = dict(zip(data["names"].tolist(), data["vertices"], strict=True))
    fitter = TemplateFitter(template, symmetric=symmetric)
    missing = [folder for folder in folders if folder.name not in known]
    for count, folder in enumerate(tracked(missing, "Fitting the template", unit="mesh", shown=bool(missing)), 1):
        points, normals = visible_surface(*read_mesh(folder))
        known[folder.name] = fitter.fit(points, normals)
        if count % 50 == 0 or count == len(missing):
            _save_fits(cache, known)
    return np.stack([known[folder.name] for folder in folders])


def _save_fits(cache: Path, known: dict[str, np.ndarray]) -> None:
    cache.parent.mkdir(parents=True, exist_ok=True)
    with replacing(cache) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, names=np.array(list(known)), vertices=np.stack(list(known.values())))

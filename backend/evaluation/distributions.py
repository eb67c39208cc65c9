# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far generated pictures are from real ones as distributions of features, not picture by picture.

On Inception's features these are the published FID, KID, precision and recall; on other features they are other figures
and need other names (see :mod:`.features`). All is computed in double precision, on the features' device where that
has it.

Letters: N real samples, M generated samples, D length of a feature vector, K neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

CHUNK = 1 << 22
"""Distances held at a time: 32 MiB."""


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of features: all that the Fréchet distance needs, so that the real data's can be kept."""

    mean: Tensor
    """(D,) double."""
    covariance: Tensor
    """(D, D) double, divided by ``count`` - 1."""
    count: int

    @classmethod
    def of(cls, features: Tensor) -> Moments:
        """Of features (N, D). Raises ValueError at fewer than two samples or numbers that are not finite."""
        features = checked(features, 2)
        mean = features.mean(dim=0)
        centred = features - mean
        return cls(mean, centred.T @ centred / (len(features) - 1), len(features))


@dataclass(frozen=True)
class Distances:
    """The four statistics of one comparison."""

    frechet: float
    kernel: float
    precision: float
    """How much of what is generated looks real, in [0, 1]."""
    recall: float
    """How much of what is real can be generated, in [0, 1]."""


def compare(real: Tensor, generated: Tensor, seed: int = 0) -> Distances:
    """All statistics of features (N, D) and (M, D), with their usual settings."""
    return Distances(
        frechet_distance(real, generated),
        kernel_distance(real, generated, seed=seed),
        *precision_recall(real, generated),
    )


def frechet_distance(real: Tensor, generated: Tensor) -> float:
    """Squared Fréchet distance of the normal distributions with the moments of (N, D) and (M, D).

    Falls with the number of samples: compare only figures with equal N and M.
    """
    return frechet(Moments.of(real), Moments.of(generated))


def frechet(a: Moments, b: Moments) -> float:
    """|mean a - mean b|^2 + trace(A + B - 2 (A B)^(1/2)) of two moments with covariances A and B; at least 0.

    With A = F F' and B = G G' the eigenvalues of A B are the squared singular values of F'G. Taken from there, the
    square root costs no digits where covariances lack rank, as they do at fewer samples than features.
    """
    if a.mean.shape != b.mean.shape:
        raise ValueError(f"Features of lengths {len(a.mean)} and {len(b.mean)} cannot be compared.")
    shared = torch.linalg.svdvals(_factor(a.covariance).T @ _factor(b.covariance)).sum()
    distance = (a.mean - b.mean).square().sum() + a.covariance.trace() + b.covariance.trace() - 2 * shared
    return max(float(distance), 0.0)  # rounding may leave equal moments a hair below zero


def _factor(covariance: Tensor) -> Tensor:
    """F (D, rank) with F F' the covariance (D, D)."""
    values, vectors = torch.linalg.eigh(covariance)
    kept = values > len(values) * torch.finfo(values.dtype).eps * values[-1].clamp(min=0)
    return vectors[:, kept] * values[kept].sqrt()


def kernel_distance(real: Tensor, generated: Tensor, subset: int = 1000, subsets: int = 100, seed: int = 0) -> float:
    """Squared maximum mean discrepancy of (N, D) and (M, D) under the kernel (x.y / D + 1)^3, unbiased.

    The mean over ``subsets`` random subsets of at most ``subset`` samples of either side. Does not depend on the number
    of samples but by chance; may be below 0. Raises ValueError at fewer than two samples.
    """
    real, generated = checked(real, 2), checked(generated, 2)
    if real.shape[1] != generated.shape[1]:
        raise ValueError(f"Features of lengths {real.shape[1]} and {generated.shape[1]} cannot be compared.")
    size = min(subset, len(real), len(generated))
    if size < 2 or subsets < 1:
        raise ValueError("A kernel distance needs at least one subset of two samples.")
    if size == len(real) == len(generated):
        subsets = 1  # all of them would be the same
    random = torch.Generator().manual_seed(seed)
    total = 0.0
    for _ in range(subsets):
        x = real[torch.randperm(len(real), generator=random)[:size].to(real.device)]
        y = generated[torch.randperm(len(generated), generator=random)[:size].to(generated.device)]
        total += _discrepancy(x, y)
    return total / subsets


def _discrepancy(x: Tensor, y: Tensor) -> float:
    """The unbiased estimate from two sets of equal size (m, D): no sample is compared with itself."""
    size, length = x.shape
    within = sum((k.sum() - k.diagonal().sum()) / (size * (size - 1)) for k in (_kernel(x, x), _kernel(y, y)))
    return float(within - 2 * _kernel(x, y).sum() / (size * size))


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    return (x @ y.T / x.shape[1] + 1) ** 3


def precision_recall(real: Tensor, generated: Tensor, k: int = 3) -> tuple[float, float]:
    """Improved precision and recall of features (N, D) and (M, D), after Kynkäänniemi et al.

    Either set is taken for the union of the balls about its samples that reach to their ``k``-th nearest neighbour in
    the same set. Precision is the share of generated samples within the real set's balls, recall the share of real
    samples within the generated set's. Raises ValueError where a set has no more than ``k`` samples.
    """
    real, generated = checked(real, k + 1), checked(generated, k + 1)
    if real.shape[1] != generated.shape[1]:
        raise ValueError(f"Features of lengths {real.shape[1]} and {generated.shape[1]} cannot be compared.")
    centre = (real.mean(dim=0) + generated.mean(dim=0)) / 2
    real, generated = real - centre, generated - centre
    # Squared distances from matrix products are off by about this much, and a ball holds its own surface.
    slack = 1e-12 * max(float(real.square().sum(dim=1).max()), float(generated.square().sum(dim=1).max()))
    precision = _share_within(generated, real, neighbour_radii(real, k) + slack)
    recall = _share_within(real, generated, neighbour_radii(generated, k) + slack)
    return precision, recall


def neighbour_radii(points: Tensor, k: int) -> Tensor:
    """(N,) squared distance of each of (N, D) points to its ``k``-th nearest neighbour among the others."""
    radii = []
    for first, distances in _chunks(points, points):
        rows = torch.arange(len(distances), device=points.device)
        distances[rows, rows + first] = torch.inf
        radii.append(distances.kthvalue(k, dim=1).values)
    return torch.cat(radii)


def _share_within(points: Tensor, centres: Tensor, radii: Tensor) -> float:
    """The share of points (M, D) that lie within a ball of squared ``radii`` (N,) about one of the centres (N, D)."""
    inside = sum(int((distances <= radii).any(dim=1).sum()) for _, distances in _chunks(points, centres))
    return inside / len(points)


def _chunks(points: Tensor, centres: Tensor) -> Iterator[tuple[int, Tensor]]:
    """First row and squared distances (n, N) of so many points (M, D) to all centres (N, D) as fit into CHUNK."""
    squares = centres.square().sum(dim=1)
    rows = max(1, CHUNK // len(centres))
    for first in range(0, len(points), rows):
        some = points[first : first + rows]
        distances = some.square().sum(dim=1)[:, None] + squares - 2 * some @ centres.T
        yield first, distances.clamp_(min=0)


def checked(features: Tensor, least: int) -> Tensor:
    """Features (N, D) in double precision. Raises ValueError at other shapes, too few samples or NaN."""
    if features.ndim != 2 or features.shape[1] < 1:
        raise ValueError(f"Features have the shape (samples, numbers), not {tuple(features.shape)}.")
    if len(features) < least:
        raise ValueError(f"At least {least} samples are needed, not {len(features)}.")
    if not torch.isfinite(features).all():
        raise ValueError("The features hold numbers that are not finite.")
    if features.device.type == "mps":
        features = features.cpu()  # has no double precision
    return features.detach().double()

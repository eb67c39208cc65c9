# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Statistics of feature distributions, against closed forms and slow loops."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from backend.evaluation import distributions
from backend.evaluation.distributions import (
    Moments,
    compare,
    frechet,
    frechet_distance,
    kernel_distance,
    neighbour_radii,
    precision_recall,
)


def normal(count: int, length: int, seed: int) -> Tensor:
    return torch.randn(count, length, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def moments(mean: Tensor, covariance: Tensor) -> Moments:
    return Moments(mean.double(), covariance.double(), 100)


def random_covariance(length: int, rank: int, seed: int) -> Tensor:
    factor = normal(length, rank, seed)
    return factor @ factor.T


# Fréchet distance.


def test_moments_are_mean_and_unbiased_covariance() -> None:
    features = normal(20, 4, 0) * 3 + 5
    found = Moments.of(features.float())
    expected = torch.cov(features.float().double().T)
    assert found.count == 20
    torch.testing.assert_close(found.mean, features.float().double().mean(dim=0))
    torch.testing.assert_close(found.covariance, expected)


def test_frechet_distance_of_independent_normals_is_the_sum_over_their_axes() -> None:
    means = torch.tensor([[1.0, 2.0, -3.0], [0.5, 4.0, -3.0]]).double()
    deviations = torch.tensor([[1.0, 0.2, 3.0], [2.0, 0.0, 0.5]]).double()
    a, b = (moments(m, torch.diag(d**2)) for m, d in zip(means, deviations, strict=True))
    expected = (means[0] - means[1]).square().sum() + (deviations[0] - deviations[1]).square().sum()
    assert frechet(a, b) == pytest.approx(float(expected), rel=1e-12)


def test_frechet_distance_does_not_change_when_both_turn() -> None:
    rotation, _ = torch.linalg.qr(normal(6, 6, 0))
    scales = torch.tensor([3.0, 2.0, 1.0, 0.5, 0.1, 0.0]).double()
    a, b = scales.diag(), scales.flip(0).diag()
    turned = [moments(torch.zeros(6), rotation @ c @ rotation.T) for c in (a, b)]
    expected = (scales.sqrt() - scales.flip(0).sqrt()).square().sum()
    assert frechet(*turned) == pytest.approx(float(expected), rel=1e-10)


def test_frechet_distance_agrees_with_a_dense_matrix_root() -> None:
    """The root of A B as A^(1/2) (A^(1/2) B A^(1/2))^(1/2) A^(-1/2), multiplied out and checked to be one."""
    a, b = random_covariance(5, 5, 1), random_covariance(5, 5, 2)

    def root(matrix: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(matrix)
        return vectors @ values.sqrt().diag() @ vectors.T

    product = root(a) @ root(root(a) @ b @ root(a)) @ torch.linalg.inv(root(a))
    torch.testing.assert_close(product @ product, a @ b)
    expected = (a + b - 2 * product).trace()
    assert frechet(moments(torch.zeros(5), a), moments(torch.zeros(5), b)) == pytest.approx(float(expected), rel=1e-9)


def test_frechet_distance_is_exact_where_covariances_lack_rank() -> None:
    """Samples in two planes: what lies outside of them is in neither root."""
    a, b = (normal(9, 2, seed) for seed in (3, 4))
    plane, _ = torch.linalg.qr(normal(300, 2, 5))
    small = frechet_distance(a, b)
    assert frechet_distance(a @ plane.T, b @ plane.T) == pytest.approx(small, rel=1e-10)
    # The same shape in planes that are at right angles has no root in common.
    other = torch.linalg.qr(torch.cat([plane, normal(300, 2, 6)], dim=1)).Q[:, 2:]
    a, b = a - a.mean(dim=0), b - b.mean(dim=0)
    expected = float(torch.cov(a.T).trace() + torch.cov(b.T).trace())
    assert frechet_distance(a @ plane.T, b @ other.T) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("count", [3, 40, 200])
def test_frechet_distance_of_a_set_to_itself_is_zero(count: int) -> None:
    features = normal(count, 60, 7) * 100 + 30
    assert 0 <= frechet_distance(features, features) < 1e-8


def test_frechet_distance_of_constants_is_that_of_their_means() -> None:
    assert frechet_distance(torch.zeros(4, 3), torch.full((5, 3), 2.0)) == pytest.approx(12)


@given(seed=st.integers(0, 10**6), shift=st.floats(0, 5), scale=st.floats(0.1, 10))
@settings(max_examples=25, deadline=None)
def test_frechet_distance_is_symmetric_and_scales_with_the_square(seed: int, shift: float, scale: float) -> None:
    a, b = normal(12, 5, seed), normal(9, 5, seed + 1) * 0.5 + shift
    distance = frechet_distance(a, b)
    assert frechet_distance(b, a) == pytest.approx(distance, rel=1e-9)
    assert frechet_distance(a * scale, b * scale) == pytest.approx(distance * scale**2, rel=1e-8)
    assert distance >= float((a.mean(dim=0) - b.mean(dim=0)).square().sum()) - 1e-9


# Kernel distance.


def slow_discrepancy(x: Tensor, y: Tensor) -> float:
    def kernel(a: Tensor, b: Tensor) -> float:
        return (sum(float(p) * float(q) for p, q in zip(a, b, strict=True)) / len(a) + 1) ** 3

    pairs_x = [kernel(x[i], x[j]) for i in range(len(x)) for j in range(len(x)) if i != j]
    pairs_y = [kernel(y[i], y[j]) for i in range(len(y)) for j in range(len(y)) if i != j]
    across = [kernel(a, b) for a in x for b in y]
    return sum(pairs_x) / len(pairs_x) + sum(pairs_y) / len(pairs_y) - 2 * sum(across) / len(across)


def test_kernel_distance_of_whole_sets_is_that_of_a_double_loop() -> None:
    x, y = normal(7, 4, 0), normal(7, 4, 1) + 0.5
    assert kernel_distance(x, y) == pytest.approx(slow_discrepancy(x, y), rel=1e-12)


def test_kernel_distance_of_all_subsets_tends_to_the_whole() -> None:
    """The mean over random subsets of an unbiased estimate is the estimate without the diagonal of the cross term."""
    x, y = normal(9, 3, 2), normal(6, 3, 3) + 1
    exact = slow_discrepancy(x, y)
    found = [kernel_distance(x, y, subset=4, subsets=400, seed=seed) for seed in range(4)]
    assert sum(found) / len(found) == pytest.approx(exact, rel=0.08)
    assert max(found) - min(found) < 0.5 * abs(exact)


def test_kernel_distance_is_unbiased() -> None:
    """Of one distribution with itself it is 0 in the mean, at any size; the biased estimate would be far above."""
    found = [kernel_distance(normal(10, 4, 2 * s), normal(10, 4, 2 * s + 1)) for s in range(300)]
    mean = sum(found) / len(found)
    error = math.sqrt(sum((value - mean) ** 2 for value in found) / len(found) ** 2)
    assert abs(mean) < 3 * error
    assert error < 0.05


def test_kernel_distance_depends_on_its_seed_alone() -> None:
    x, y = normal(30, 4, 4), normal(20, 4, 5)
    first = kernel_distance(x, y, subset=5, subsets=3, seed=1)
    torch.randn(7)
    assert kernel_distance(x, y, subset=5, subsets=3, seed=1) == first
    assert kernel_distance(x, y, subset=5, subsets=3, seed=2) != first


# Precision and recall.


def slow_precision(real: Tensor, generated: Tensor, k: int) -> float:
    inside = 0
    for point in generated:
        for centre in range(len(real)):
            others = sorted(float((real[centre] - real[i]).norm()) for i in range(len(real)) if i != centre)
            if float((point - real[centre]).norm()) <= others[k - 1]:
                inside += 1
                break
    return inside / len(generated)


@given(seed=st.integers(0, 10**6), k=st.integers(1, 4), shift=st.floats(0, 3), chunk=st.sampled_from([1, 30, 10**6]))
@settings(max_examples=30, deadline=None)
def test_precision_and_recall_are_those_of_slow_loops(seed: int, k: int, shift: float, chunk: int) -> None:
    real, generated = normal(13, 2, seed), normal(9, 2, seed + 1) + shift
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(distributions, "CHUNK", chunk)
        precision, recall = precision_recall(real, generated, k)
    assert precision == slow_precision(real, generated, k)
    assert recall == slow_precision(generated, real, k)


@given(seed=st.integers(0, 10**6), scale=st.floats(1e-6, 1e6), offset=st.floats(-1e3, 1e3), k=st.integers(1, 3))
@settings(max_examples=30, deadline=None)
def test_precision_and_recall_of_like_far_and_exchanged_sets(seed: int, scale: float, offset: float, k: int) -> None:
    a = (normal(12, 6, seed) + offset) * scale
    b = (normal(15, 6, seed + 1) + offset) * scale
    assert precision_recall(a, a[torch.randperm(12)], k) == (1, 1)
    assert precision_recall(a, a + 1e3 * scale, k) == (0, 0)
    assert precision_recall(b, a, k) == precision_recall(a, b, k)[::-1]


@pytest.mark.parametrize(("place", "inside"), [(-1 - 1e-4, 0), (-1, 1), (-1 + 1e-4, 1)])
def test_a_ball_holds_its_surface_and_nothing_beyond(place: float, inside: int) -> None:
    real = torch.arange(4.0)[:, None]
    precision, _ = precision_recall(real, torch.full((3, 1), place), k=1)
    assert precision == inside


def test_a_generator_of_few_kinds_has_precision_without_recall() -> None:
    real = normal(300, 8, 0)
    few = real[:5].repeat(40, 1) + normal(200, 8, 1) * 0.01
    precision, recall = precision_recall(real, few)
    assert precision == 1
    assert recall < 0.1


def test_a_generator_of_more_than_the_real_has_recall_without_precision() -> None:
    real = normal(200, 2, 0)
    precision, recall = precision_recall(real, normal(600, 2, 1) * 5)
    assert precision < 0.3
    assert recall > 0.85


def test_no_sample_is_its_own_neighbour() -> None:
    points = torch.tensor([[0.0], [1.0], [3.0], [3.0]]).double()
    assert neighbour_radii(points, 1).tolist() == [1, 1, 0, 0]
    assert neighbour_radii(points, 2).tolist() == [9, 4, 4, 4]


# All of them.


def test_all_statistics_worsen_as_a_distribution_moves_away() -> None:
    real = normal(200, 6, 0)
    found = [compare(real, normal(200, 6, 1) + shift) for shift in (0.0, 0.5, 1.0, 2.0)]
    for name in ("frechet", "kernel"):
        values = [getattr(distances, name) for distances in found]
        assert values == sorted(values) and values[-1] > 3 * values[1]
    for name in ("precision", "recall"):
        values = [getattr(distances, name) for distances in found]
        assert values == sorted(values, reverse=True) and values[-1] < values[1]


@pytest.mark.parametrize(
    ("real", "generated", "message"),
    [
        (torch.zeros(1, 3), torch.zeros(9, 3), "samples are needed"),
        (torch.zeros(9, 3), torch.zeros(9, 4), "cannot be compared"),
        (torch.zeros(9, 3), torch.full((9, 3), torch.nan), "not finite"),
        (torch.zeros(9, 3), torch.zeros(9, 3, 1), "shape"),
    ],
)
@pytest.mark.parametrize("statistic", [frechet_distance, kernel_distance, precision_recall])
def test_what_cannot_be_compared_is_refused(statistic, real: Tensor, generated: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        statistic(real, generated)

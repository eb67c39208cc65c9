# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The crisp rasteriser and interpolation against slow loops, closed forms and finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.render import pairs
from backend.render.fragments import Fragments, interpolate
from backend.render.rasterize import rasterize
from tests.helpers import slow_renderer as slow
from tests.helpers.screen_scenes import empty_scenes, random_scene, sphere

FRONT = torch.tensor([[0, 1, 2]])
seeds = st.integers(0, 100_000)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(seeds, st.booleans(), st.booleans())
def test_every_pixel_sees_what_a_slow_loop_finds(seed: int, perspective: bool, cull: bool) -> None:
    screen, faces, height, width = random_scene(seed)
    screen.requires_grad_()
    fast = rasterize(screen, faces, height, width, perspective=perspective, cull_back_faces=cull)
    loops = slow.rasterize(screen, faces, height, width, perspective, cull)
    assert torch.equal(fast.face_index, loops.face_index)
    slow.assert_same_picture(fast[1:], loops[1:], [screen])


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seeds, st.booleans(), st.booleans())
def test_interpolated_attributes_are_those_of_a_slow_loop(seed: int, perspective: bool, shared: bool) -> None:
    screen, faces, height, width = random_scene(seed)
    shape = (len(faces), 3, 2) if shared else (len(screen), len(faces), 3, 2)
    attributes = torch.tensor(np.random.default_rng(seed).normal(size=shape)).requires_grad_()
    screen.requires_grad_()
    fast = interpolate(rasterize(screen, faces, height, width, perspective=perspective), attributes)
    loops = slow.interpolate(slow.rasterize(screen, faces, height, width, perspective), attributes)
    slow.assert_same_picture([fast], [loops], [screen, attributes])


@pytest.mark.parametrize("scene", empty_scenes())
@pytest.mark.parametrize("perspective", [True, False])
def test_where_there_is_nothing_to_see_pictures_are_empty_and_gradients_zero(scene, perspective: bool) -> None:
    screen = scene.screen.clone().requires_grad_()
    fragments = rasterize(screen, scene.faces, scene.height, scene.width, perspective=perspective)
    colours = interpolate(fragments, torch.ones(len(scene.faces), 3, 4, dtype=torch.float64))
    shape = (len(screen), scene.height, scene.width)
    assert fragments.face_index.shape == shape and (fragments.face_index == -1).all()
    assert fragments.barycentric.shape == (*shape, 3) and not fragments.barycentric.any()
    assert fragments.depth.shape == shape and not fragments.depth.any()
    assert colours.shape == (*shape, 4) and not colours.any()
    assert not slow.gradient([*fragments[1:], colours], [screen])[0].any()


def test_a_vertex_that_is_no_number_leaves_a_mesh_without_faces_empty() -> None:
    screen = torch.full((1, 3, 3), math.nan)
    assert not rasterize(screen, torch.zeros(0, 3, dtype=torch.int64), 2, 2).depth.any()


@pytest.mark.parametrize("perspective", [True, False])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_bad_vertex_drops_its_faces_and_no_other_gradient(perspective: bool, bad: float) -> None:
    good = torch.tensor([[[1.0, 1, 2], [1, 6, 3], [6, 1, 4], [6, 6, 5]]], dtype=torch.float64)
    faces = torch.tensor([[0, 1, 2], [1, 3, 2]])
    for component in range(3):
        screen = good.clone()
        screen[0, 3, component] = bad
        screen.requires_grad_()
        alone = good[:, :3].clone().requires_grad_()
        fragments = rasterize(screen, faces, 7, 7, perspective=perspective)
        clean = rasterize(alone, faces[:1], 7, 7, perspective=perspective)
        assert torch.equal(fragments.face_index, clean.face_index)
        (of_screen,), (of_alone,) = slow.gradient(fragments[1:], [screen]), slow.gradient(clean[1:], [alone])
        assert torch.equal(of_screen[:, :3], of_alone) and not of_screen[0, 3].any()


@pytest.mark.parametrize("perspective", [True, False])
def test_gradients_agree_with_finite_differences(perspective: bool) -> None:
    count = 6
    screen, faces, height, width = random_scene(120, count)
    good, bad = screen[1:, : 2 * count].requires_grad_(), screen[1:, 2 * count :]

    def picture(good: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return rasterize(torch.cat([good, bad], dim=1), faces, height, width, perspective=perspective)[1:]

    assert 0.2 < (picture(good)[1] > 0).double().mean() < 0.9
    assert torch.autograd.gradcheck(picture, (good,), eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 3, 2), (2, 4, 3, 2)])
def test_gradients_of_interpolation_agree_with_finite_differences(shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(0)
    face_index = torch.randint(-1, 4, (2, 3, 5), generator=generator)
    weights = torch.rand(2, 3, 5, 3, generator=generator, dtype=torch.float64)
    weights = (weights * (face_index >= 0)[..., None]).requires_grad_()
    attributes = torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()

    def picture(weights: torch.Tensor, attributes: torch.Tensor) -> torch.Tensor:
        # Where no face is seen the weights are 0 and stay so.
        seen = weights * (face_index >= 0)[..., None]
        return interpolate(Fragments(face_index, seen, torch.zeros(2, 3, 5)), attributes)

    assert torch.autograd.gradcheck(picture, (weights, attributes))


@settings(max_examples=10, deadline=None, derandomize=True)
@given(seeds)
def test_in_perspective_what_a_pixel_sees_lies_on_the_ray_through_its_centre(seed: int) -> None:
    """Positions in space, interpolated and projected, come back to the pixel."""
    screen, faces, height, width = random_scene(seed)
    fragments = rasterize(screen, faces, height, width)
    positions = torch.cat([screen[..., :2] * screen[..., 2:], screen[..., 2:]], dim=2).nan_to_num(0, 0, 0)
    x, y, depth = interpolate(fragments, positions[:, faces]).unbind(dim=3)
    seen = fragments.face_index >= 0
    rows, columns = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    slow.assert_close((x / depth)[seen], columns.double().expand_as(depth)[seen], 1e-7)
    slow.assert_close((y / depth)[seen], rows.double().expand_as(depth)[seen], 1e-7)
    slow.assert_close(depth[seen], fragments.depth[seen], 1e-7)


@pytest.mark.parametrize("perspective", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_of_faces_at_the_same_depth_the_last_wins(perspective: bool, dtype: torch.dtype) -> None:
    screen = torch.tensor([[[0.2, 0.1, 2], [0.3, 9, 3], [8, 0.4, 4]]], dtype=dtype)
    fragments = rasterize(screen, FRONT.repeat(3, 1), 6, 6, perspective=perspective)
    assert set(fragments.face_index.unique().tolist()) == {-1, 2}


@pytest.mark.parametrize("perspective", [True, False])
def test_a_far_backdrop_leaves_the_order_of_near_faces_as_it_is(perspective: bool) -> None:
    corners = torch.tensor([[0.0, 0], [0, 20], [20, 0]])
    screen = torch.cat([torch.cat([corners, torch.full((3, 1), z)], dim=1) for z in (2.0, 2.0002, 1e4)])[None]
    fragments = rasterize(screen, torch.arange(9).view(3, 3), 4, 4, perspective=perspective)
    assert (fragments.face_index == 0).all()


# ---- No cracks ----


def jittered_grid(seed: int, size: int, cells: int, reach: float) -> tuple[torch.Tensor, torch.Tensor]:
    """(1, V, 3), (F, 3): front faces that tile the square picture and ``reach`` times its size around it."""
    rng = np.random.default_rng(seed)
    line = np.linspace(-reach * size, (1 + reach) * size, cells + 1)
    points = np.stack(np.meshgrid(line, line), axis=-1)
    points += rng.uniform(-0.3, 0.3, points.shape) * (line[1] - line[0])
    # Some vertices lie exactly on the centre of a pixel.
    exact = rng.uniform(size=points.shape[:2]) < 0.3
    points[exact] = np.floor(points[exact]) + 0.5
    screen = np.concatenate([points, rng.uniform(1, 9, (*points.shape[:2], 1))], axis=2).reshape(1, -1, 3)
    index = np.arange(points.shape[0] * points.shape[1]).reshape(points.shape[:2])
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, :-1], index[1:, 1:]
    flip = rng.integers(0, 2, a.shape).astype(bool)[..., None]
    one = np.where(flip, np.stack([a, c, b], -1), np.stack([a, c, d], -1)).reshape(-1, 3)
    other = np.where(flip, np.stack([b, c, d], -1), np.stack([a, d, b], -1)).reshape(-1, 3)
    return torch.tensor(screen, dtype=torch.float32), torch.tensor(np.concatenate([one, other]))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("cells, reach", [(7, 0.2), (60, 0.02), (300, 0.0), (9, 40.0)])
def test_faces_that_share_edges_leave_no_pixel_uncovered(seed: int, cells: int, reach: float) -> None:
    size = 301
    screen, faces = jittered_grid(seed, size, cells, reach)
    seen = rasterize(screen, faces, size, size).face_index[0] >= 0
    border = math.ceil(0.4 * size / cells) if reach == 0 else 0
    assert seen[border : size - border, border : size - border].all()


def fan(centre: torch.Tensor, radius: float, count: int, turn: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Front faces around one vertex, whose outer corners lie on a circle."""
    angle = turn + torch.arange(count) * (2 * math.pi / count)
    ring = centre + radius * torch.stack([angle.cos(), -angle.sin()], dim=1)
    screen = torch.cat([centre[None], ring])
    around = torch.arange(count)
    faces = torch.stack([torch.zeros_like(around), around + 1, (around + 1) % count + 1], dim=1)
    return torch.cat([screen, torch.ones(count + 1, 1)], dim=1)[None], faces


@pytest.mark.parametrize("radius", [60.0, 3e3, 1e5, 1e6])
def test_the_faces_around_a_vertex_leave_no_pixel_uncovered(radius: float) -> None:
    rng = np.random.default_rng(int(radius))
    for count in (3, 4, 5, 8, 13, 50):
        for on_a_centre in (False, True):
            centre = rng.uniform(5, 15, 2)
            centre = np.floor(centre) + 0.5 if on_a_centre else centre
            screen, faces = fan(torch.tensor(centre, dtype=torch.float32), radius, count, rng.uniform(0, 7))
            assert (rasterize(screen, faces, 20, 20).face_index >= 0).all()


def test_a_pixel_on_an_edge_or_a_corner_is_covered() -> None:
    corners = torch.tensor([[[2.5, 1.5, 1], [2.5, 7.5, 1], [8.5, 7.5, 1], [8.5, 1.5, 1]]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    expected = torch.zeros(10, 10, dtype=torch.bool)
    expected[1:8, 2:9] = True
    for pair in (faces, faces.roll(1, 1), faces.flip(0)):
        assert torch.equal(rasterize(corners, pair, 10, 10).face_index[0] >= 0, expected)
    for alone, diagonal in ((faces[:1], -1), (faces[1:], 1)):
        seen = rasterize(corners, alone, 10, 10).face_index[0, 1:8, 2:9] >= 0
        assert seen.diagonal().all() and not seen.diagonal(-diagonal).any()


# ---- Pieces of work, precision ----


@pytest.mark.parametrize("limit", [1, 64])
def test_work_in_small_pieces_gives_the_very_same_picture(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    screen, faces = sphere(torch.float32, 40, 50)
    faces = faces[::4]
    screen = torch.cat([screen, screen * torch.tensor([1.1, 0.9, 1.0])]).requires_grad_()
    whole = rasterize(screen, faces, 40, 50, cull_back_faces=False)
    expected = slow.gradient(whole[1:], [screen])[0]
    counts = []

    def counted(*arguments):
        counts.append(len(cuts(*arguments)))
        return cuts(*arguments)

    cuts = pairs.pieces
    monkeypatch.setattr(pairs, "pieces", counted)
    monkeypatch.setattr(pairs, "MAXIMAL_SPANS", limit)
    monkeypatch.setattr(pairs, "MAXIMAL_PAIRS", limit)
    fragments = rasterize(screen, faces, 40, 50, cull_back_faces=False)
    assert max(counts) > 5
    assert all(torch.equal(one, other) for one, other in zip(fragments, whole, strict=True))
    assert torch.equal(slow.gradient(fragments[1:], [screen])[0], expected)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.integers(0, 9), max_size=30), st.integers(1, 20))
def test_pieces_follow_one_another_and_stay_near_the_limit(counts: list[int], limit: int) -> None:
    cuts = pairs.pieces(torch.tensor(counts, dtype=torch.int64), limit)
    indices = [list(range(len(counts)))[cut] for cut in cuts]
    assert [i for piece in indices for i in piece] == list(range(len(counts)))
    assert all(sum(counts[i] for i in piece) <= limit + 9 for piece in indices)


def test_single_and_double_precision_agree_on_a_sphere() -> None:
    def picture(dtype: torch.dtype) -> tuple[Fragments, torch.Tensor, torch.Tensor]:
        screen, faces = sphere(dtype, 80, 100)
        screen.requires_grad_()
        fragments = rasterize(screen, faces, 80, 100)
        colours = interpolate(fragments, torch.sin(3 * screen[:, faces]))
        return fragments, colours, torch.autograd.grad(colours.square().sum() + fragments.depth.sum(), screen)[0]

    (single, single_colours, single_gradient), (double, colours, expected) = map(
        picture, (torch.float32, torch.float64)
    )
    assert torch.equal(single.face_index, double.face_index) and (double.face_index >= 0).float().mean() > 0.3
    np.testing.assert_allclose(single.barycentric.detach().numpy(), double.barycentric.detach().numpy(), atol=1e-4)
    np.testing.assert_allclose(single.depth.detach().numpy(), double.depth.detach().numpy(), rtol=1e-5)
    np.testing.assert_allclose(single_colours.detach().numpy(), colours.detach().numpy(), atol=1e-3)
    assert (single_gradient - expected).norm() < 1e-3 * expected.norm()

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paper B's boundary renderer against slow loops, and its gradients against differences as edges cross pixels."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.render import pairs
from backend.render.boundary import BoundaryLayers, composite, rasterize_boundary
from backend.render.fragments import interpolate
from backend.render.rasterize import rasterize
from tests.helpers import slow_renderer as slow
from tests.helpers.screen_scenes import empty_scenes, random_scene, sphere

seeds = st.integers(0, 100_000)
margins = st.sampled_from([0.0, 0.4, 1.0, 2.5])


def over(layers: BoundaryLayers, attributes: torch.Tensor, background: torch.Tensor) -> torch.Tensor:
    """(N, H, W, D): both layers over a background (D,)."""
    colours = composite(layers, lambda fragments: interpolate(fragments, attributes).permute(0, 3, 1, 2))
    return colours.permute(0, 2, 3, 1) + (1 - layers.coverage)[..., None] * background


@settings(max_examples=14, deadline=None, derandomize=True)
@given(seeds, margins, st.booleans(), st.booleans())
def test_both_layers_are_those_that_a_slow_loop_finds(seed: int, margin: float, perspective: bool, cull: bool) -> None:
    for ties in (False, True):
        screen, faces, height, width = random_scene(seed, count=9, ties=ties)
        # Edges between centres of pixels can be exactly one pixel away from a third, where rounding decides.
        margin = 1.01 * margin if ties else margin
        screen.requires_grad_()
        fast = rasterize_boundary(
            screen, faces, height, width, margin=margin, perspective=perspective, cull_back_faces=cull
        )
        loops = slow.boundary(screen, faces, height, width, margin, perspective, cull)
        assert torch.equal(fast.crisp.face_index, loops.crisp.face_index)
        assert torch.equal(fast.margin.face_index, loops.margin.face_index)
        slow.assert_same_picture(
            [*fast.crisp[1:], *fast.margin[1:], fast.opacity],
            [*loops.crisp[1:], *loops.margin[1:], loops.opacity],
            [] if ties else [screen],
        )
        seen = loops.crisp.face_index >= 0
        slow.assert_close(fast.coverage, torch.where(seen, 1, loops.opacity))


@settings(max_examples=14, deadline=None, derandomize=True)
@given(seeds, margins, st.booleans())
def test_the_picture_is_margin_over_crisp_over_background(seed: int, margin: float, shared: bool) -> None:
    screen, faces, height, width = random_scene(seed, count=9, ties=False)
    rng = np.random.default_rng(seed)
    shape = (len(faces), 3, 2) if shared else (len(screen), len(faces), 3, 2)
    attributes = torch.tensor(rng.normal(size=shape)).requires_grad_()
    background = torch.tensor(rng.normal(size=2)).requires_grad_()
    screen.requires_grad_()
    fast = over(rasterize_boundary(screen, faces, height, width, margin=margin), attributes, background)
    layers = slow.boundary(screen, faces, height, width, margin)
    crisp, beside = slow.interpolate(layers.crisp, attributes), slow.interpolate(layers.margin, attributes)
    loops = slow.composite(layers, crisp, beside, background)
    slow.assert_same_picture([fast], [loops], [screen, attributes, background])


@pytest.mark.parametrize("margin", [0.0, 1.0])
@pytest.mark.parametrize("scene", empty_scenes())
def test_where_there_is_nothing_to_see_both_layers_are_empty(scene, margin: float) -> None:
    screen = scene.screen.clone().requires_grad_()
    layers = rasterize_boundary(screen, scene.faces, scene.height, scene.width, margin=margin)
    shape = (len(screen), scene.height, scene.width)
    for layer in layers[:2]:
        assert layer.face_index.shape == shape and (layer.face_index == -1).all()
        assert layer.barycentric.shape == (*shape, 3) and not layer.barycentric.any()
        assert layer.depth.shape == shape and not layer.depth.any()
    assert layers.opacity.shape == layers.coverage.shape == shape and not layers.coverage.any()
    colours = composite(layers, lambda f: interpolate(f, torch.ones(len(scene.faces), 3, 4).double()).movedim(3, 1))
    assert colours.shape == (len(screen), 4, *shape[1:]) and not colours.any()
    assert not slow.gradient([*layers.crisp[1:], *layers.margin[1:], layers.opacity], [screen])[0].any()


def test_a_negative_margin_is_refused() -> None:
    with pytest.raises(ValueError, match="-0.5"):
        rasterize_boundary(torch.zeros(1, 3, 3), torch.tensor([[0, 1, 2]]), 4, 4, margin=-0.5)


@pytest.mark.parametrize("perspective", [True, False])
def test_without_a_margin_the_crisp_picture_is_left(perspective: bool) -> None:
    screen, faces = sphere(torch.float32, 20, 30)
    crisp = rasterize(screen, faces, 20, 30, perspective=perspective)
    layers = rasterize_boundary(screen, faces, 20, 30, margin=0, perspective=perspective)
    assert all(torch.equal(one, other) for one, other in zip(layers.crisp, crisp, strict=True))
    assert torch.equal(layers.coverage, (crisp.face_index >= 0).float()) and (layers.margin.face_index == -1).all()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_bad_vertex_drops_its_faces_and_no_other_gradient(bad: float) -> None:
    good = torch.tensor([[[1.3, 1, 2], [1.2, 4, 3], [4, 1.1, 4], [6, 6, 5]]], dtype=torch.float64)
    faces = torch.tensor([[0, 1, 2], [1, 3, 2]])
    for component in range(3):
        screen = good.clone()
        screen[0, 3, component] = bad
        screen.requires_grad_()
        alone = good[:, :3].clone().requires_grad_()
        layers, clean = rasterize_boundary(screen, faces, 7, 7), rasterize_boundary(alone, faces[:1], 7, 7)
        assert torch.equal(layers.opacity, clean.opacity) and clean.opacity.any()
        (of_screen,), (of_alone,) = (
            slow.gradient([*each.crisp[1:], *each.margin[1:], each.opacity], [vertices])
            for each, vertices in ((layers, screen), (clean, alone))
        )
        assert torch.equal(of_screen[:, :3], of_alone) and not of_screen[0, 3].any()


def test_the_margin_hides_behind_its_own_surface() -> None:
    """Every face of a surface has margins; only those at the silhouette are seen."""
    screen, faces = sphere(torch.float64, 80, 100)
    layers = rasterize_boundary(screen, faces, 80, 100)
    centre = torch.tensor([50.0, 40.0])
    rows, columns = torch.meshgrid(torch.arange(80) + 0.5, torch.arange(100) + 0.5, indexing="ij")
    # Seen from three radii away, a sphere of radius 1 ends at the tangent of asin(1 / 3).
    radius = torch.hypot(columns - centre[0], rows - centre[1]) / (80 * math.tan(math.asin(1 / 3)))
    assert not layers.opacity[0, radius < 0.9].any()
    ring = layers.opacity[0, (radius > 0.97) & (radius < 1.05)]
    assert (ring > 0).double().mean() > 0.3
    assert not layers.opacity[0, radius > 1.05].any()


@settings(max_examples=10, deadline=None, derandomize=True)
@given(seeds, st.sampled_from([0.0, 0.3, 2.0]))
def test_with_a_clearance_margins_are_those_of_the_scene_brought_so_near(seed: int, clearance: float) -> None:
    """Before another face, as a slow loop finds them; before the background they are those of the far scene."""
    rng = np.random.default_rng(seed)
    places = rng.uniform([0, 0, 0], [20, 16, 1], (7, 1, 3)) + rng.normal(size=(7, 3, 3)) * [4, 4, 0.2]
    screen = torch.tensor(places).reshape(1, 21, 3)
    faces = torch.arange(21).view(7, 3)
    far, near = screen.clone(), screen.clone()
    far[..., 2] += 50
    near[..., 2] += clearance + 1e-3 - screen[..., 2].min()
    drawn = {"cull_back_faces": False, "margin": 1.5}
    fast = rasterize_boundary(far, faces, 16, 20, clearance=clearance + 1e-3, **drawn)
    alone = rasterize_boundary(far, faces, 16, 20, **drawn)
    loops = slow.boundary(near, faces, 16, 20, 1.5, False, False)
    bare = alone.crisp.face_index < 0
    expected = torch.where(bare, alone.margin.face_index, loops.margin.face_index)
    assert torch.equal(fast.margin.face_index, expected)
    slow.assert_close(fast.opacity, torch.where(bare, alone.opacity, loops.opacity))


def test_occlusions_within_an_object_that_is_far_away_have_gradients_with_a_clearance_alone() -> None:
    """A disc grows before another one, a tenth of its distance in front of it, as in a near-orthographic picture."""
    angle = torch.arange(24, dtype=torch.float64) * 2 * math.pi / 24
    ring = torch.stack([angle.cos(), -angle.sin(), torch.zeros_like(angle)], dim=1)
    disc = torch.cat([torch.zeros(1, 3, dtype=torch.float64), ring])
    fan = torch.stack(
        [torch.zeros(24, dtype=torch.int64), torch.arange(24) + 1, (torch.arange(24) + 1) % 24 + 1], dim=1
    )
    middle = torch.tensor([16.3, 15.8, 10.0], dtype=torch.float64)

    def brightness(factor: torch.Tensor, clearance: float | None) -> torch.Tensor:
        front, rear = 6 * factor * disc + middle, 14 * disc + middle + torch.tensor([0, 0, 1.0])
        colours = torch.tensor([1.0, 0.0]).double().repeat_interleave(24).view(48, 1, 1).expand(-1, 3, -1)
        layers = rasterize_boundary(
            torch.cat([front, rear])[None], torch.cat([fan, fan + 25]), 32, 32, clearance=clearance
        )
        return over(layers, colours, torch.zeros(1, dtype=torch.float64)).sum()

    slopes = []
    for clearance in (None, 0.5):
        factor = torch.ones((), dtype=torch.float64, requires_grad=True)
        slopes.append(float(torch.autograd.grad(brightness(factor, clearance), factor)[0]))
    # The area of the front disc, and of the margin around it, by its radius: 2 pi r 6 and the margin's share.
    assert slopes[1] == pytest.approx(2 * math.pi * 36, rel=0.15)
    assert abs(slopes[0]) < 0.25 * slopes[1]
    with pytest.raises(ValueError, match="clearance is a length and cannot be -1"):
        brightness(torch.ones(()).double(), -1.0)


# ---- An edge crosses pixels ----


def half_plane(edge: float | torch.Tensor, margin: float) -> torch.Tensor:
    """Coverage of one row of pixels right of a vertical edge, by a face whose other edges are far away."""
    corners = torch.tensor([[0.0, -500, 1], [0, 500, 1], [500, 0, 1]], dtype=torch.float64)
    screen = corners + torch.as_tensor(edge, dtype=torch.float64) * torch.tensor([1.0, 0, 0], dtype=torch.float64)
    return rasterize_boundary(screen[None], torch.tensor([[0, 1, 2]]), 1, 12, margin=margin).coverage[0, 0]


@pytest.mark.parametrize("margin", [0.5, 1.0, 2.5])
def test_a_pixel_changes_linearly_while_an_edge_crosses_it(margin: float) -> None:
    """From nothing, when the edge is a margin away from the centre, to all, when it reaches the centre."""
    for edge in np.linspace(4.01, 7.01, 31):
        distance = (edge - np.arange(0.5, 12)).clip(min=0)
        expected = np.clip(1 - distance / margin, 0, 1)
        np.testing.assert_allclose(half_plane(edge, margin).numpy(), expected, atol=1e-12)


@pytest.mark.parametrize("margin", [1.0, 2.0, 3.0])
def test_coverage_grows_steadily_with_the_face(margin: float) -> None:
    """Where an edge runs along pixels the sum over them is linear in its place: no position is a special one."""
    edges = torch.linspace(4.0, 6.0, 41, dtype=torch.float64)
    total = torch.stack([half_plane(edge, margin).sum() for edge in edges])
    torch.testing.assert_close(total - total[0], edges[0] - edges)


TRIANGLE = [[2.1, 3.2, 2.0], [4.4, 12.3, 2.3], [11.73, 6.14, 1.9]]
BEHIND = [[-6.0, -5.0, 4.0], [3.0, 35.0, 4.2], [40.0, 2.0, 3.9]]
COLOURS = torch.tensor([[0.9, 0.1], [0.2, 0.7]], dtype=torch.float64)
BACKGROUND = torch.tensor([0.3, 0.5], dtype=torch.float64)
WEIGHTS = torch.tensor([1.0, 0.4], dtype=torch.float64)
SIZE = 16


def sliding(shift: torch.Tensor, direction: tuple[float, float], occlusion: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """The small triangle ``shift`` pixels along a direction, alone or before another one that fills the picture."""
    moved = torch.tensor(TRIANGLE, dtype=torch.float64) + shift * shift.new_tensor([*direction, 0])
    rest = torch.tensor(BEHIND, dtype=torch.float64)
    screen = torch.cat([moved, rest] if occlusion else [moved])
    return screen[None], torch.arange(len(screen)).view(-1, 3)


def soft_brightness(shift: torch.Tensor, direction: tuple[float, float], occlusion: bool) -> torch.Tensor:
    screen, faces = sliding(shift, direction, occlusion)
    colours = COLOURS[: len(faces), None].expand(-1, 3, -1)
    return (over(rasterize_boundary(screen, faces, SIZE, SIZE), colours, BACKGROUND) * WEIGHTS).mean()


def crisp_brightness(shift: torch.Tensor, direction: tuple[float, float], occlusion: bool) -> torch.Tensor:
    screen, faces = sliding(shift, direction, occlusion)
    fragments = rasterize(screen, faces, SIZE, SIZE)
    colours = interpolate(fragments, COLOURS[: len(faces), None].expand(-1, 3, -1))
    return (torch.where((fragments.face_index >= 0)[..., None], colours, BACKGROUND) * WEIGHTS).mean()


Brightness = Callable[[torch.Tensor, tuple[float, float], bool], torch.Tensor]


def derivative(brightness: Brightness, shift: float, *arguments) -> float:
    position = torch.tensor(shift, dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(brightness(position, *arguments), position)[0].item()


def difference(brightness: Brightness, start: float, end: float, *arguments) -> float:
    ends = [brightness(torch.tensor(s, dtype=torch.float64), *arguments).item() for s in (start, end)]
    return ends[1] - ends[0]


directions = pytest.mark.parametrize("direction", [(1.0, 0.0), (0.0, 1.0), (-0.6, 0.8)])
occlusions = pytest.mark.parametrize("occlusion", [False, True], ids=["silhouette", "self-occlusion"])


@directions
@occlusions
def test_the_derivative_is_the_finite_difference_wherever_the_triangle_is(
    direction: tuple[float, float], occlusion: bool
) -> None:
    step = 1e-6
    derivatives = []
    for shift in np.linspace(0, 2, 47):
        expected = difference(soft_brightness, shift - step, shift + step, direction, occlusion) / (2 * step)
        derivatives.append(derivative(soft_brightness, shift, direction, occlusion))
        assert derivatives[-1] == pytest.approx(expected, abs=1e-7)
    assert max(map(abs, derivatives)) > 1e-4


def slanted(size: float, brightness: Brightness, occlusion: bool) -> tuple[float, float]:
    """The change of brightness along a way, and the integral of the derivative over it, midpoint by midpoint."""
    direction, steps = (0.8, 0.6), 120
    middle = (np.arange(steps) + 0.5) / steps * size
    integral = sum(derivative(brightness, shift, direction, occlusion) for shift in middle) / steps * size
    return difference(brightness, 0.0, size, direction, occlusion), integral


@occlusions
def test_the_derivative_adds_up_to_the_whole_change_so_nothing_jumps(occlusion: bool) -> None:
    """The triangle leaves the picture. The crisp picture changes as much, in jumps, where its derivative is zero."""
    change, integral = slanted(9.0, soft_brightness, occlusion)
    assert abs(change) > 5e-3 and integral == pytest.approx(change, rel=0.02)
    change, integral = slanted(9.0, crisp_brightness, occlusion)
    assert abs(change) > 5e-3 and abs(integral) < 1e-12


def test_gradients_of_the_whole_picture_agree_with_finite_differences() -> None:
    count = 6
    screen, faces, height, width = random_scene(120, count, ties=False)
    good, bad = screen[1:, : 2 * count].requires_grad_(), screen[1:, 2 * count :]
    rng = np.random.default_rng(0)
    attributes = torch.tensor(rng.normal(size=(len(faces), 3, 2))).requires_grad_()
    background = torch.tensor(rng.normal(size=2)).requires_grad_()

    def picture(good: torch.Tensor, attributes: torch.Tensor, background: torch.Tensor) -> torch.Tensor:
        layers = rasterize_boundary(torch.cat([good, bad], dim=1), faces, height, width, margin=1.5)
        return over(layers, attributes, background)

    layers = rasterize_boundary(torch.cat([good, bad], dim=1), faces, height, width, margin=1.5)
    beside, crisp = layers.margin.face_index >= 0, layers.crisp.face_index >= 0
    assert (beside & crisp).any() and (beside & ~crisp).any() and (~beside & crisp).any()
    assert torch.autograd.gradcheck(picture, (good, attributes, background), eps=1e-7, atol=1e-5)


# ---- Pieces of work, precision ----


@pytest.mark.parametrize("limit", [1, 64])
def test_work_in_small_pieces_gives_the_very_same_layers(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    screen, faces = sphere(torch.float64, 9, 11)
    faces = faces[::8]
    screen = torch.cat([screen, screen * torch.tensor([1.1, 0.9, 1.0])]).requires_grad_()

    def layers() -> list[torch.Tensor]:
        crisp, margin, opacity = rasterize_boundary(screen, faces, 9, 11, margin=2.5, cull_back_faces=False)
        return [*crisp, *margin, opacity]

    def gradient(rows: list[torch.Tensor]) -> torch.Tensor:
        return slow.gradient([row for row in rows if row.is_floating_point()], [screen])[0]

    whole = layers()
    monkeypatch.setattr(pairs, "MAXIMAL_SPANS", limit)
    monkeypatch.setattr(pairs, "MAXIMAL_PAIRS", limit)
    cut = layers()
    assert all(torch.equal(one, other) for one, other in zip(cut, whole, strict=True))
    assert torch.equal(gradient(cut), gradient(whole))


def test_single_and_double_precision_agree_on_a_sphere() -> None:
    def picture(dtype: torch.dtype) -> tuple[BoundaryLayers, torch.Tensor, torch.Tensor]:
        screen, faces = sphere(dtype, 80, 100)
        screen.requires_grad_()
        layers = rasterize_boundary(screen, faces, 80, 100)
        colours = over(layers, torch.sin(3 * screen[:, faces]), torch.ones(3, dtype=dtype))
        weight = torch.linspace(-1, 1, 100, dtype=dtype)[:, None]
        return layers, colours, torch.autograd.grad((colours * weight).sum(), screen)[0]

    (single, one, single_gradient), (double, other, expected) = map(picture, (torch.float32, torch.float64))
    for layer, exact in zip(single[:2], double[:2], strict=True):
        assert torch.equal(layer.face_index, exact.face_index)
        torch.testing.assert_close(layer.depth.double(), exact.depth, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(single.opacity.double(), double.opacity, rtol=0, atol=1e-4)
    torch.testing.assert_close(one.double(), other, rtol=0, atol=1e-3)
    assert (single_gradient - expected).norm() < 1e-3 * expected.norm()

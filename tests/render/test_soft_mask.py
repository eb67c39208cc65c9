# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""DIB-R's soft silhouette against slow loops, a closed form and finite differences."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from test_triton_kernels import INTERPRETED, needs_triton, octahedra, scattered_triangles

import backend.render.soft_mask as module
from backend.render import triton_kernels
from backend.render.rasterize import rasterize
from backend.render.searches import soft_mask
from backend.render.soft_mask import SoftMaskConfig
from tests.helpers import slow_renderer as slow
from tests.helpers.screen_scenes import empty_scenes, random_scene, sphere

OPAQUE = 2e-5
"""The product keeps a face's influence below 1 - 1e-6, where the loops let it be 1."""
seeds = st.integers(0, 100_000)
configs = st.sampled_from(
    [
        SoftMaskConfig(7000.0, 0.03),
        SoftMaskConfig(300.0, 0.15),
        SoftMaskConfig(20.0, 0.5),
        SoftMaskConfig(3.0, 2.5),
        SoftMaskConfig(20.0, 0.5, maximal_faces=1),
        SoftMaskConfig(3.0, 2.5, maximal_faces=3),
        SoftMaskConfig(3.0, 2.5, maximal_faces=1000),
    ]
)


def mask_of(screen: torch.Tensor, faces: torch.Tensor, height: int, width: int, config: SoftMaskConfig) -> torch.Tensor:
    return soft_mask(screen, faces, rasterize(screen, faces, height, width), config)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seeds, configs, st.booleans())
def test_mask_is_the_union_over_near_faces_that_a_slow_loop_finds(
    seed: int, config: SoftMaskConfig, cull: bool
) -> None:
    for ties in (False, True):
        screen, faces, height, width = random_scene(seed, ties=ties)
        screen.requires_grad_()
        fragments = rasterize(screen, faces, height, width, cull_back_faces=cull)
        fast = soft_mask(screen, faces, fragments, config)
        loops = slow.soft_mask(
            screen, faces, fragments.face_index, config.sigma_inverse, config.box_length, config.maximal_faces
        )
        slow.assert_same_picture([fast], [loops], [] if ties else [screen], OPAQUE)


def test_beside_a_straight_edge_the_mask_is_a_gaussian_of_the_distance() -> None:
    """On a picture that is not square the unit is half of the longer side."""
    sigma, edge = 50.0, 3.25
    screen = torch.tensor([[[edge, -100.0, 2], [-1000, 5, 2], [edge, 100, 2]]], dtype=torch.float64)
    for faces in (torch.tensor([[0, 1, 2]]), torch.tensor([[2, 1, 0]])):
        mask = mask_of(screen, faces, 8, 20, SoftMaskConfig(sigma, 0.5))[0]
        away = (torch.arange(20) + 0.5).double() - edge
        in_front = faces[0, 0] == 0
        expected = torch.exp(-sigma * (away / 10) ** 2) * (away.abs() <= 5)
        if in_front:
            expected[away < 0] = 1
        else:
            # Nothing but the straight edge is near, and a back face covers no pixel.
            expected[away < -5] = mask[0, away < -5]
        torch.testing.assert_close(mask, expected.expand(8, -1))


def test_pixels_that_see_a_face_are_opaque_and_feel_nothing() -> None:
    screen, faces = sphere(torch.float64, 30, 40)
    screen.requires_grad_()
    fragments = rasterize(screen, faces, 30, 40)
    mask = soft_mask(screen, faces, fragments)
    seen = fragments.face_index >= 0
    assert (mask[seen] == 1).all() and (mask[~seen] < 1).all() and (mask[~seen] > 0).any()
    assert not torch.autograd.grad(mask[seen].sum(), screen, retain_graph=True)[0].any()
    # Growing the sphere darkens no pixel.
    outwards = (screen.detach() - screen.detach().mean(dim=1, keepdim=True))[..., :2]
    assert (torch.autograd.grad(mask[~seen].sum(), screen)[0][..., :2] * outwards).sum() > 0


def test_only_the_first_faces_count_where_their_number_is_limited() -> None:
    """Three edges to the left of a pixel, the nearest in the face of the highest index."""
    screen = torch.tensor([[[x, y, 2.0] for x in (1.0, 2, 3) for x, y in ((x, -9), (x - 1e-3, 5), (x, 30))]])
    faces = torch.arange(9).view(3, 3)
    alone = [mask_of(screen, faces[k : k + 1], 9, 9, SoftMaskConfig(2.0, 2.0))[0, 4, 5].item() for k in range(3)]
    for count, expected in enumerate(1 - torch.cumprod(1 - torch.tensor(alone), 0), start=1):
        mask = mask_of(screen, faces, 9, 9, SoftMaskConfig(2.0, 2.0, maximal_faces=count))[0, 4, 5]
        assert mask.item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("scene", empty_scenes())
@pytest.mark.parametrize("maximal_faces", [None, 3])
def test_where_there_is_nothing_to_see_the_mask_is_empty(scene, maximal_faces: int | None) -> None:
    screen = scene.screen.clone().requires_grad_()
    config = SoftMaskConfig(300.0, 0.2, maximal_faces)
    fragments = rasterize(screen, scene.faces, scene.height, scene.width)
    mask = soft_mask(screen, scene.faces, fragments, config)
    assert mask.shape == fragments.face_index.shape and not mask.any()
    assert not slow.gradient([mask], [screen])[0].any()


def test_a_vertex_that_is_no_number_leaves_a_mesh_without_faces_empty() -> None:
    screen, faces = torch.full((1, 3, 3), math.nan), torch.zeros(0, 3, dtype=torch.int64)
    fragments = rasterize(torch.zeros(1, 3, 3), faces, 2, 2)
    assert not soft_mask(screen, faces, fragments).any()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_bad_vertex_drops_its_faces_and_no_other_gradient(bad: float) -> None:
    good = torch.tensor([[[1.0, 1, 2], [1, 4, 3], [4, 1, 4], [6, 6, 5]]], dtype=torch.float64)
    faces = torch.tensor([[0, 1, 2], [1, 3, 2]])
    for component in range(3):
        screen = good.clone()
        screen[0, 3, component] = bad
        screen.requires_grad_()
        alone = good[:, :3].clone().requires_grad_()
        mask = mask_of(screen, faces, 9, 9, SoftMaskConfig(30.0, 0.5))
        clean = mask_of(alone, faces[:1], 9, 9, SoftMaskConfig(30.0, 0.5))
        assert torch.equal(mask, clean)
        (of_screen,), (of_alone,) = slow.gradient([mask], [screen]), slow.gradient([clean], [alone])
        assert of_alone.any() and torch.equal(of_screen[:, :3], of_alone) and not of_screen[0, 3].any()


@pytest.mark.parametrize("config", [SoftMaskConfig(30.0, 0.6), SoftMaskConfig(30.0, 0.6, maximal_faces=2)])
def test_gradients_agree_with_finite_differences(config: SoftMaskConfig) -> None:
    count = 6
    screen, faces, height, width = random_scene(30, count)
    good, bad = screen[:, : 2 * count].requires_grad_(), screen[:, 2 * count :]

    def picture(good: torch.Tensor) -> torch.Tensor:
        return mask_of(torch.cat([good, bad], dim=1), faces, height, width, config)

    mask = picture(good)
    assert ((mask > 0.01) & (mask < 0.99)).double().mean() > 0.2
    assert torch.autograd.gradcheck(picture, (good,), eps=1e-7, atol=1e-5)


@pytest.mark.parametrize("limit", [1, 64])
@pytest.mark.parametrize("maximal_faces", [None, 5])
def test_work_in_small_pieces_gives_the_very_same_mask(
    limit: int, maximal_faces: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen, faces = sphere(torch.float64, 12, 16)
    faces = faces[::4]
    screen = torch.cat([screen, screen * torch.tensor([1.1, 0.9, 1.0])]).requires_grad_()
    fragments = rasterize(screen, faces, 12, 16)
    config = SoftMaskConfig(100.0, 0.15, maximal_faces)
    whole = soft_mask(screen, faces, fragments, config)
    expected = slow.gradient([whole], [screen])[0]
    counts = []

    def counted(*arguments):
        counts.append(len(cuts(*arguments)))
        return cuts(*arguments)

    cuts = module.pieces
    monkeypatch.setattr(module, "pieces", counted)
    monkeypatch.setattr(module, "MAXIMAL_SPANS", limit)
    monkeypatch.setattr(module, "MAXIMAL_PAIRS", limit)
    mask = soft_mask(screen, faces, fragments, config)
    assert max(counts) > 5
    assert torch.equal(mask, whole)
    # Sums over pieces are added up, hence not in the same order.
    slow.assert_close(slow.gradient([mask], [screen])[0], expected, 1e-12)


def test_single_and_double_precision_agree_on_a_sphere() -> None:
    def picture(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
        screen, faces = sphere(dtype, 80, 100)
        screen.requires_grad_()
        mask = mask_of(screen, faces, 80, 100, SoftMaskConfig())
        weight = torch.linspace(-1, 1, 100, dtype=dtype)
        return mask, torch.autograd.grad((mask * weight).sum(), screen)[0]

    (single, single_gradient), (double, expected) = map(picture, (torch.float32, torch.float64))
    torch.testing.assert_close(single.double(), double, atol=2e-4, rtol=0)
    assert expected.norm() > 0.1 and (single_gradient - expected).norm() < 1e-3 * expected.norm()


# ---- Front faces alone ----

FRONT = (
    SoftMaskConfig(300.0, 0.15, None, True),
    SoftMaskConfig(3.0, 2.5, None, True),
    SoftMaskConfig(3.0, 2.5, 2, True),
)


def fronts(screen: torch.Tensor, faces: torch.Tensor) -> list[torch.Tensor]:
    """Of each picture (V, 3) the faces whose corners run counter-clockwise as they are seen."""
    corners = screen.detach()[:, faces]
    return [faces[[slow.doubled_area(*face.tolist()) < 0 for face in each]] for each in corners]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seeds, st.sampled_from(FRONT))
def test_front_faces_alone_are_what_a_slow_loop_over_them_gives(seed: int, config: SoftMaskConfig) -> None:
    screen, faces, height, width = random_scene(seed, ties=False)
    screen.requires_grad_()
    fragments = rasterize(screen, faces, height, width)
    fast = soft_mask(screen, faces, fragments, config)
    loops = [
        slow.soft_mask(
            screen[n : n + 1], own, fragments.face_index[n : n + 1], config.sigma_inverse, config.box_length,
            config.maximal_faces,
        )
        for n, own in enumerate(fronts(screen, faces))
    ]  # fmt: skip
    slow.assert_same_picture([fast], [torch.cat(loops)], [screen], OPAQUE)


def test_faces_turned_away_are_not_felt_where_front_faces_alone_count() -> None:
    """Two triangles in one picture, of which another one sees the other side."""
    left = torch.tensor([[1.0, 1, 2], [1, 9, 2], [4, 5, 2]], dtype=torch.float64)
    right = left * torch.tensor([-1.0, 1, 1]) + torch.tensor([20.0, 0, 0])
    screen = torch.stack([torch.cat([left, right]), torch.cat([left, right]) * torch.tensor([-1, 1, 1])])
    screen[1, :, 0] += 20
    faces = torch.tensor([[0, 1, 2], [3, 4, 5]])
    screen.requires_grad_()
    config = SoftMaskConfig(100.0, 0.2)
    both = mask_of(screen, faces, 10, 20, config)
    alone = mask_of(screen, faces, 10, 20, SoftMaskConfig(100.0, 0.2, front_faces_only=True))
    beside = alone < 1
    # Each picture sees its left one from the front; the boxes of both are far apart.
    assert torch.equal(alone[..., :10], both[..., :10]) and (alone[..., :10][beside[..., :10]] > 0.1).any()
    assert not alone[..., 10:].any() and (both[..., 10:] > 0.1).any()
    gradient = slow.gradient([alone], [screen])[0]
    assert gradient[0, :3].any() and not gradient[0, 3:].any()
    assert gradient[1, 3:].any() and not gradient[1, :3].any()


def outline(mask: torch.Tensor, level: float = 0.5) -> torch.Tensor:
    """(rows,) x where the mask falls below the level, right of the middle; between pixels."""
    right = mask[:, mask.shape[1] // 2 :]
    below = (right < level).int().argmax(dim=1)
    here, before = (right.gather(1, (below - k)[:, None])[:, 0] for k in (0, 1))
    return below - (level - here) / (before - here)


@pytest.mark.parametrize("sigma", [100.0, 1000.0, 7000.0, 20000.0])
def test_a_sphere_keeps_its_outline_without_its_back(sigma: float) -> None:
    """It moves inwards by a quarter of how soft it is, a fraction of a pixel once the mask is sharp."""
    size, middle = 120, slice(40, 80)
    screen, faces = sphere(torch.float64, size, size)
    length = math.sqrt(4.6 / sigma)
    whole = mask_of(screen, faces, size, size, SoftMaskConfig(sigma, length))[0]
    front = mask_of(screen, faces, size, size, SoftMaskConfig(sigma, length, front_faces_only=True))[0]
    inwards = outline(whole[middle]) - outline(front[middle])
    assert (whole >= front).all() and (inwards >= 0).all()
    softness = 0.5 * size / math.sqrt(sigma)
    # From where 1 - (1 - s)^2 is a half, beside an edge between two faces, to where s is, beside that of one.
    expected = math.sqrt(-math.log(1 - math.sqrt(0.5))) - math.sqrt(math.log(2))
    assert inwards.mean() == pytest.approx(expected * softness, rel=0.3)
    assert inwards.max() < 0.35 * softness + 0.4


def test_gradients_of_front_faces_agree_with_finite_differences() -> None:
    count = 6
    screen, faces, height, width = random_scene(30, count)
    good, bad = screen[:, : 2 * count].requires_grad_(), screen[:, 2 * count :]
    weights = torch.randn(2, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def weighted(good: torch.Tensor, alone: bool = True) -> torch.Tensor:
        config = SoftMaskConfig(30.0, 0.6, front_faces_only=alone)
        return (mask_of(torch.cat([good, bad], dim=1), faces, height, width, config) * weights).sum()

    assert not torch.isclose(weighted(good), weighted(good, False), rtol=0.01)
    assert (torch.autograd.grad(weighted(good), good)[0].abs() > 0.01).sum() > 10
    assert torch.autograd.gradcheck(weighted, (good,), eps=1e-7, atol=1e-5)


@needs_triton
@pytest.mark.skipif(INTERPRETED, reason="this is the interpreter")
def test_the_kernels_leave_back_faces_out_too() -> None:
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"{__file__}::TestInTheInterpreter"]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout and "skipped" not in done.stdout, done.stdout


class TestInTheInterpreter:
    __test__ = INTERPRETED

    @pytest.mark.parametrize("make, sigma, length", [(octahedra, 30.0, 0.35), (scattered_triangles, 300.0, 0.12)])
    def test_the_kernels_mask_of_front_faces_is_that_of_their_twin(self, make, sigma: float, length: float) -> None:
        scene, config = make(), SoftMaskConfig(sigma, length, front_faces_only=True)
        expected, expected_gradient = scene.mask_by(module, config)
        of_both, _ = scene.mask_by(module, SoftMaskConfig(sigma, length))
        assert (of_both - expected).max() > 0.05 and expected_gradient.abs().max() > 0.1
        mask, gradient = scene.mask_by(triton_kernels, config)
        torch.testing.assert_close(mask, expected, atol=1e-6, rtol=0)
        torch.testing.assert_close(gradient, expected_gradient, atol=1e-4, rtol=0)

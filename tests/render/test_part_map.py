# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Part maps against a loop over pixels, closed forms and finite differences; what order markings lie in."""

from __future__ import annotations

import itertools
import math
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import backend.render.part_map as module
from backend.common.regions import LAYERS, REGIONS, layer_indices
from backend.render.camera import Cameras, project
from backend.render.fragments import Fragments
from backend.render.part_map import part_map, region_shares
from backend.render.rasterize import rasterize
from backend.render.template import Markings, Parts, Template, TemplateConfig, make_template
from tests.helpers import slow_renderer as slow
from tests.helpers.screen_scenes import empty_scenes, random_scene

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from dataset.cars.template import SHEET_MARKINGS

NAMES = tuple(dict.fromkeys(name for name, _ in LAYERS))
seeds = st.integers(0, 100_000)


def cameras_at(distance: list[float], field_of_view: float = 0.5) -> Cameras:
    """In front, in double precision."""
    far = torch.tensor(distance, dtype=torch.float64)
    zero = torch.zeros_like(far)
    return Cameras(zero, zero, far, zero, torch.full_like(far, field_of_view), zero, zero)


# ---- The same by single pixels ----


def sampled(sheet: Tensor, u: Tensor, v: Tensor) -> Tensor:
    """Bilinear between the centres of samples, the outermost going on for ever; row 0 at the top, v upwards."""
    rows, columns = sheet.shape
    x, y = u * columns - 0.5, (1 - v) * rows - 0.5
    total = sheet.new_zeros(())
    left, top = math.floor(x.item()), math.floor(y.item())
    for row, column in itertools.product((top, top + 1), (left, left + 1)):
        share = (1 - (x - column).abs()) * (1 - (y - row).abs())
        total = total + share * sheet[min(max(row, 0), rows - 1), min(max(column, 0), columns - 1)]
    return total


def shares_of(distances: list[Tensor], markings: tuple[str, ...], width: float) -> list[Tensor]:
    """From the lowest layer up: what a layer covers is taken from all below."""
    shares = [torch.zeros_like(distances[0]) for _ in REGIONS]
    shares[0] = shares[0] + 1
    for marking, region in LAYERS:
        if marking in markings:
            covered = 1 / (1 + torch.exp(4 * distances[markings.index(marking)] / width))
            shares = [share * (1 - covered) for share in shares]
            shares[REGIONS.index(region)] = shares[REGIONS.index(region)] + covered
    return shares


def slow_part_map(
    fragments: Fragments, sheet_uv: Tensor, distances: Tensor, markings: tuple[str, ...], cameras: Cameras,
    softness: float,
) -> Tensor:  # fmt: skip
    batch, height, width = fragments.face_index.shape
    result = distances.new_zeros(batch, len(REGIONS), height, width)
    for n, y, x in np.ndindex(batch, height, width):
        face = int(fragments.face_index[n, y, x])
        if face < 0:
            continue
        u, v = sum(fragments.barycentric[n, y, x, k] * sheet_uv[face, k] for k in range(3)).unbind()
        focal_length = height / 2 / math.tan(float(cameras.field_of_view[n]) / 2)
        pixel = fragments.depth[n, y, x].item() / focal_length
        sheets = distances[n if len(distances) > 1 else 0]
        here = [sampled(sheet, u, v) for sheet in sheets]
        result[n, :, y, x] = torch.stack(shares_of(here, markings, softness * pixel))
    return result


class Drawn:
    """A scene of scattered faces, its sheet with some markings, and what of them can be differentiated."""

    def __init__(self, seed: int, shared: bool) -> None:
        rng = np.random.default_rng(seed)
        screen, faces, height, width = random_scene(seed)
        found = rasterize(screen, faces, height, width)
        self.seen = Fragments(found.face_index, found.barycentric.requires_grad_(), found.depth.requires_grad_())
        # Beyond the sheet's border too.
        self.uv = torch.tensor(rng.uniform(-0.2, 1.2, (len(faces), 3, 2))).requires_grad_()
        number = rng.integers(2, len(NAMES) + 1)
        self.markings = tuple(rng.permutation([*NAMES[:number], "door", "bulb"]).tolist())
        shape = (1 if shared else 2, len(self.markings), *rng.integers(2, 6, 2))
        self.distances = torch.tensor(rng.normal(size=shape) * 0.5).requires_grad_()
        self.cameras = cameras_at([3.0, 2.0], rng.uniform(0.2, 1.5))
        self.softness = rng.uniform(0.5, 3)

    def by(self, function) -> Tensor:
        return function(self.seen, self.uv, self.distances, self.markings, self.cameras, self.softness)

    @property
    def inputs(self) -> list[Tensor]:
        return [self.distances, self.seen.barycentric, self.seen.depth, self.uv]


@settings(max_examples=12, deadline=None, derandomize=True)
@given(seeds, st.booleans())
def test_part_maps_are_what_a_loop_over_pixels_gives(seed: int, shared: bool) -> None:
    drawn = Drawn(seed, shared)
    fast, loops = drawn.by(part_map), drawn.by(slow_part_map)
    assert fast.shape == loops.shape
    slow.assert_same_picture([fast], [loops], drawn.inputs)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seeds, st.booleans())
def test_shares_are_probabilities_on_the_object_and_nothing_lies_outside(seed: int, shared: bool) -> None:
    drawn = Drawn(seed, shared)
    shares = drawn.by(part_map)
    on_object = drawn.seen.face_index >= 0
    assert (shares >= 0).all()
    torch.testing.assert_close(shares.sum(dim=1), on_object.double(), atol=1e-12, rtol=0)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(seeds)
def test_one_sheet_for_all_is_the_same_as_one_for_each(seed: int) -> None:
    drawn = Drawn(seed, shared=True)
    together = drawn.by(part_map)
    gradient = slow.gradient([together], drawn.inputs)
    one = drawn.distances
    drawn.distances = one.expand(2, -1, -1, -1)
    assert torch.equal(drawn.by(part_map), together)
    for alone, expected in zip(slow.gradient([drawn.by(part_map)], [one, *drawn.inputs[1:]]), gradient, strict=True):
        torch.testing.assert_close(alone, expected)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(seeds, st.booleans())
def test_looking_at_all_pixels_as_on_a_gpu_changes_nothing(seed: int, shared: bool) -> None:
    drawn = Drawn(seed, shared)
    covered_alone = drawn.by(part_map)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_looked_at", lambda face_index: torch.arange(face_index.numel()))
        everywhere = drawn.by(part_map)
        assert torch.equal(everywhere, covered_alone)
        slow.assert_same_picture([everywhere], [covered_alone], drawn.inputs, 1e-12)


def test_fewer_pixels_are_looked_at_than_there_are() -> None:
    face_index = torch.tensor([[[-1, 0], [3, -1]], [[-1, -1], [-1, 2]]])
    assert module._looked_at(face_index).tolist() == [1, 2, 7]


@pytest.mark.parametrize("scene", empty_scenes())
def test_where_there_is_no_object_the_map_is_empty(scene) -> None:
    fragments = rasterize(scene.screen, scene.faces, scene.height, scene.width)
    batch = len(scene.screen)
    distances = torch.full((1, 1, 2, 2), -1.0, dtype=torch.float64, requires_grad=True)
    uv = torch.full((len(scene.faces), 3, 2), 0.5, dtype=torch.float64)
    shares = part_map(fragments, uv, distances, ("glass",), cameras_at([3.0] * batch))
    assert shares.shape == (batch, len(REGIONS), scene.height, scene.width) and not shares.any()
    shares.sum().backward()
    assert not distances.grad.any()


# ---- Finite differences ----


def two_quads() -> Template:
    """One quad before another, both upright and facing the front; the sheet's left half is the far one's."""
    far = [[-0.5, 0.1, -0.4], [0.47, 0.1, -0.37], [0.45, 0.1, 0.43], [-0.52, 0.1, 0.36]]
    near = [[-0.07, -0.2, -0.11], [0.31, -0.2, -0.22], [0.33, -0.2, 0.31], [-0.14, -0.2, 0.17]]
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    on_sheet = np.stack([corners * [0.4, 0.8] + [0.05, 0.1], corners * [0.35, 0.7] + [0.6, 0.2]]).astype(np.float32)
    return Template(
        np.array([*far, *near], np.float32), np.arange(8, dtype=np.int32).reshape(2, 4), np.stack([corners, corners]),
        np.arange(8, dtype=np.int32), markings=Markings(on_sheet, 5, 6),
    )  # fmt: skip


MARKINGS = ("door", "glass", "trim", "rim", "dark")


def seen_quads(height: int = 7, width: int = 8) -> tuple[Tensor, Tensor, Tensor, Cameras]:
    """Screen, triangles, places on the sheet and the camera; the quads lie across the view, so that nothing that
    moves in the picture changes the depth of any pixel, and hence no size of a pixel."""
    template, cameras = two_quads(), cameras_at([2.0])
    screen = project(cameras, torch.tensor(template.vertices, dtype=torch.float64)[None], height, width)
    triangles = torch.tensor(template.triangles, dtype=torch.int64)
    return screen, triangles, torch.tensor(template.triangle_markings_uv, dtype=torch.float64), cameras


def test_gradients_of_distances_agree_with_finite_differences() -> None:
    screen, triangles, uv, cameras = seen_quads()
    fragments = rasterize(screen, triangles, 7, 8)
    assert set(fragments.face_index.unique().tolist()) == {-1, 0, 1, 2, 3}
    distances = 0.2 * torch.randn(1, 5, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(
        lambda d: part_map(fragments, uv, d, MARKINGS, cameras), (distances.requires_grad_(),)
    )


def test_gradients_of_vertices_agree_with_finite_differences() -> None:
    screen, triangles, uv, cameras = seen_quads()
    distances = 0.2 * torch.randn(1, 5, 5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    flat, depth = screen[..., :2].clone().requires_grad_(), screen[..., 2:]

    def picture(flat: Tensor) -> Tensor:
        fragments = rasterize(torch.cat([flat, depth], dim=-1), triangles, 7, 8)
        return part_map(fragments, uv, distances, MARKINGS, cameras)

    assert torch.autograd.grad((picture(flat) ** 2).sum(), flat)[0].abs().max() > 0.01
    assert torch.autograd.gradcheck(picture, (flat,), eps=1e-7, atol=1e-5)


# ---- Closed forms ----


@pytest.mark.parametrize("softness", [1.0, 2.5])
@pytest.mark.parametrize("size, distance", [(40, 2.0), (60, 5.0)])
def test_an_edge_is_as_wide_as_a_pixel_whatever_the_distance(size: int, distance: float, softness: float) -> None:
    """The far quad's plane passes through the middle; the marking is all to the left of the picture's middle."""
    template = two_quads()
    vertices = template.vertices.copy()
    vertices[:4] = [[-0.5, 0, -0.5], [0.5, 0, -0.5], [0.5, 0, 0.5], [-0.5, 0, 0.5]]
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * 0.8 + 0.1  # within the outermost samples
    uv = torch.tensor(np.stack([corners, corners]))
    triangle_uv = torch.cat([uv[:1, [0, 1, 2]], uv[:1, [0, 2, 3]]])
    # An object that is 1 wide takes 0.8 of the sheet.
    x = ((torch.arange(10).double() + 0.5) / 10 - 0.5) / 0.8
    distances = torch.stack([x, -torch.ones(10).double()])[None, :, None].expand(1, 2, 10, 10)
    cameras = cameras_at([distance])
    screen = project(cameras, torch.tensor(vertices[:4], dtype=torch.float64)[None], size, size)
    fragments = rasterize(screen, torch.tensor(template.triangles[:2], dtype=torch.int64), size, size)
    shares = part_map(fragments, triangle_uv, distances, ("glass", "door"), cameras, softness)
    seen = fragments.face_index[0, size // 2] >= 0
    away = (torch.arange(size).double() + 0.5 - size / 2)[seen]
    glass = shares[0, REGIONS.index("glass"), size // 2, seen]
    assert seen.sum() > 10
    torch.testing.assert_close(glass, 1 / (1 + torch.exp(4 * away / softness)), atol=1e-9, rtol=0)
    torch.testing.assert_close(shares[0, 0, size // 2, seen], 1 - glass)


def test_every_face_of_a_template_shows_its_own_place_on_the_sheet() -> None:
    """On a sheet with a sample a quad, one quad after another is glass; the loop is over quads."""
    template = make_template(TemplateConfig(2, 2, 1))
    count = len(template.quads)
    across = np.array([0.3, 0.7, 0.7, 0.3])
    on_sheet = np.stack([np.stack([(k + across) / count, [0.2, 0.2, 0.8, 0.8]], axis=1) for k in range(count)])
    template = replace(template, markings=Markings(on_sheet.astype(np.float32), 2, count))
    angles = torch.tensor([[0.5, 0.4], [3.6, -0.5]], dtype=torch.float64).t()
    cameras = replace(cameras_at([3.0, 3.0]), azimuth=angles[0], elevation=angles[1])
    vertices = torch.tensor(template.vertices, dtype=torch.float64).expand(2, -1, -1)
    fragments = rasterize(
        project(cameras, vertices, 40, 40), torch.tensor(template.triangles, dtype=torch.int64), 40, 40
    )
    quads = fragments.face_index.div(2, rounding_mode="floor")
    assert len(quads.unique()) > count // 2
    uv = torch.tensor(template.triangle_markings_uv, dtype=torch.float64)
    for quad in range(count):
        distances = torch.ones(1, 1, 2, count, dtype=torch.float64)
        distances[..., quad] = -1
        glass = part_map(fragments, uv, distances, ("glass",), cameras)[:, REGIONS.index("glass")]
        # A sample reaches into the neighbours' places, but never as far as the middle between both.
        assert torch.equal(glass > 0.5, quads == quad)


def test_corners_of_triangles_have_the_places_of_their_quads_corners() -> None:
    template = make_template(TemplateConfig(2, 3, 2))
    on_sheet = np.random.default_rng(0).random((len(template.quads), 4, 2)).astype(np.float32)
    template = replace(template, markings=Markings(on_sheet, 4, 4))
    for number, (triangle, places) in enumerate(zip(template.triangles, template.triangle_markings_uv, strict=True)):
        quad = template.quads[number // 2].tolist()
        expected = [on_sheet[number // 2, quad.index(vertex)] for vertex in triangle]
        np.testing.assert_array_equal(places, expected)


# ---- Layers and regions ----


@pytest.mark.parametrize("turned", [False, True])
def test_what_lies_above_hides_what_lies_below(turned: bool) -> None:
    """A marking covers all that comes before it in the order of layers, whatever the order of the sheet's markings."""
    markings = NAMES[::-1] if turned else NAMES
    face = Fragments(
        torch.zeros(1, 1, 1, dtype=torch.int64), torch.tensor([[[[0.2, 0.3, 0.5]]]]).double(),
        torch.full((1, 1, 1), 3.0).double(),
    )  # fmt: skip
    for top in range(len(LAYERS) + 1):
        there = {name for name, _ in LAYERS[:top]}
        inside = torch.tensor([-100.0 if name in there else 100.0 for name in markings]).double()
        expected = LAYERS[top - 1][1] if top else "paint"
        distances = inside[None, :, None, None].expand(1, -1, 2, 2)
        shares = part_map(face, torch.rand(1, 3, 2).double(), distances, markings, cameras_at([3.0]))
        for found in (shares[0, :, 0, 0], region_shares(inside, markings, 0.01)):
            assert found[REGIONS.index(expected)] == pytest.approx(1) and found.sum() == pytest.approx(1)


def test_half_of_a_layer_above_leaves_half_of_those_below() -> None:
    shares = region_shares(torch.tensor([0.0, 0.0, -9.0]), ("rim", "glass", "trim"), 1.0)
    found = {name: float(shares[REGIONS.index(name)]) for name in ("rim", "glass", "trim", "paint")}
    assert found == pytest.approx({"rim": 0.5, "glass": 0.25, "trim": 0.25, "paint": 0}, abs=1e-6)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seeds, st.booleans())
def test_region_shares_are_what_single_points_give(seed: int, constant: bool) -> None:
    rng = np.random.default_rng(seed)
    markings = tuple(rng.permutation([*NAMES, "seam"])[: rng.integers(1, len(NAMES) + 2)].tolist())
    distances = torch.tensor(rng.normal(size=(len(markings), 3, 4))).requires_grad_()
    widths = torch.full((3, 4), 0.7) if constant else torch.tensor(rng.uniform(0.05, 3, (3, 4)))
    shares = region_shares(distances, markings, 0.7 if constant else widths)
    loops = torch.zeros(len(REGIONS), 3, 4, dtype=torch.float64)
    for row, column in np.ndindex(3, 4):
        here = list(distances[:, row, column])
        loops[:, row, column] = torch.stack(shares_of(here, markings, float(widths[row, column])))
    slow.assert_same_picture([shares], [loops], [distances], 1e-6 if constant else 1e-8)
    torch.testing.assert_close(shares.sum(dim=0), torch.ones(3, 4, dtype=torch.float64))


def test_markings_that_make_no_region_leave_paint_alone() -> None:
    inside = torch.full((2, 3), -5.0)
    assert torch.equal(region_shares(inside, ("door", "seam"), 0.1)[0], torch.ones(3))
    assert layer_indices(("door", "seam")) == []


def test_every_layer_is_one_that_the_template_knows() -> None:
    assert {name for name, _ in LAYERS} <= set(SHEET_MARKINGS)
    assert {region for _, region in LAYERS} <= set(REGIONS) and len(set(LAYERS)) == len(LAYERS)


# ---- Templates with parts and markings ----


def test_files_hold_parts_and_markings(tmp_path: Path) -> None:
    template = two_quads()
    assert template.markings is not None
    for parts in (None, Parts(("far", "near"), np.array([0, 1], np.int32), ("near",)),
                  Parts(("all",), np.array([0, 0], np.int32))):  # fmt: skip
        replace(template, parts=parts).save(tmp_path / "template.npz")
        again = Template.load(tmp_path / "template.npz")
        assert again.markings is not None and (again.parts is None) == (parts is None)
        np.testing.assert_array_equal(again.triangle_markings_uv, template.triangle_markings_uv)
        assert (again.markings.height, again.markings.width) == (5, 6)
        if parts is not None and again.parts is not None:
            assert (again.parts.names, again.parts.turning) == (parts.names, parts.turning)
            np.testing.assert_array_equal(again.parts.of_quad, parts.of_quad)


def test_axles_pass_through_the_middle_of_what_turns() -> None:
    template = two_quads()
    parts = Parts(("far", "near"), np.array([0, 1], np.int32), ("near",))
    np.testing.assert_array_equal(parts.vertices_of("near", template.quads), [4, 5, 6, 7])
    points, directions = parts.axles(template.vertices, template.quads)
    np.testing.assert_allclose(points, [[(-0.14 + 0.33) / 2, -0.2, (-0.22 + 0.31) / 2]], atol=1e-6)
    np.testing.assert_array_equal(directions, [[1, 0, 0]])
    none = Parts(("far", "near"), np.array([0, 1], np.int32)).axles(template.vertices, template.quads)
    assert none[0].shape == none[1].shape == (0, 3)


def test_a_template_without_markings_says_so() -> None:
    with pytest.raises(ValueError, match="no markings"):
        _ = make_template(TemplateConfig(2, 1, 1)).triangle_markings_uv

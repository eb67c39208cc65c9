# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""PyTorch3D beside our own renderer: its reference numbers, a twin of it that has them too, and the adapter over it.

The adapter runs on the twin, whether PyTorch3D is installed or not.
"""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from backend.common.records import Camera
from backend.render import pytorch3d_adapter as adapter
from backend.render.camera import Cameras, project
from backend.render.fragments import Fragments
from backend.render.rasterize import rasterize
from backend.render.searches import soft_mask
from backend.render.soft_mask import SoftMaskConfig
from backend.render.template import CAR_BOX, make_template
from tests.helpers import pytorch3d_twin as twin
from tests.helpers import screen_scenes
from tests.helpers import slow_renderer as slow

FIXTURE = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "pytorch3d_rasterize_reference.npz"
needs_reference = pytest.mark.skipif(not FIXTURE.exists(), reason="needs PyTorch3D's reference numbers")


@pytest.fixture
def pytorch3d(monkeypatch: pytest.MonkeyPatch) -> None:
    """``import pytorch3d`` finds the twin."""
    twin.install(monkeypatch)


# ---- PyTorch3D's own numbers ----


class Reference(NamedTuple):
    vertices: Tensor
    """(V, 3) NDC."""
    faces: Tensor
    height: int
    width: int
    faces_per_pixel: int
    blur_radius: float
    values: adapter.NearestFaces
    weights: adapter.NearestFaces
    """Of the loss that the gradient belongs to; without a face they are 0."""
    gradient: Tensor

    @staticmethod
    def load(scene: str, kind: str) -> Reference:
        with np.load(FIXTURE) as data:
            common = {name: torch.as_tensor(data[f"{scene}/{name}"]) for name in ("verts_ndc", "faces")}
            names = ("pix_to_face", "zbuf", "bary", "dists")
            values = adapter.NearestFaces(*(torch.as_tensor(data[f"{scene}/{kind}/{name}"]) for name in names))
            has = values.pix_to_face >= 0
            z, bary, dists = (torch.as_tensor(data[f"{scene}/{kind}/w_{name}"]) for name in names[1:])
            weights = adapter.NearestFaces(has, z * has, bary * has[..., None], dists * has)
            height, width, count, blur = data[f"{scene}/{kind}/settings"].tolist()
            gradient = torch.as_tensor(data[f"{scene}/{kind}/grad_verts"])
        return Reference(
            common["verts_ndc"], common["faces"], int(height), int(width), int(count), blur, values, weights, gradient
        )

    def screen(self) -> Tensor:
        """(1, V, 3) in our coordinates."""
        centre = torch.tensor([0.5 * self.width, 0.5 * self.height, 0])
        return (centre + self.vertices * self.pixels_per_unit())[None]

    def pixels_per_unit(self) -> Tensor:
        """(3,) our coordinates over NDC."""
        half = 0.5 * min(self.height, self.width)
        return torch.tensor([-half, -half, 1])


def assert_is_reference(found: adapter.NearestFaces, reference: Reference) -> adapter.NearestFaces:
    """Returns what was found for the reference's faces, in its order.

    Depths in the K places must agree; among faces at one depth (a shared corner is closest to the pixel on both) the
    last digit decides, also who is the last of K. So ``found`` has more than K faces.
    """
    expected, count = reference.values, reference.faces_per_pixel
    np.testing.assert_allclose(found.zbuf[..., :count].detach().numpy(), expected.zbuf.numpy(), rtol=0, atol=1e-5)
    faces = expected.pix_to_face
    moved = found.pix_to_face[..., :count] != faces
    assert moved.sum() < 0.005 * (faces >= 0).sum()
    matches = found.pix_to_face[..., None, :] == faces[..., None]
    assert matches.any(dim=-1)[faces >= 0].all()
    place = matches.int().argmax(dim=-1)
    has = faces >= 0
    ordered = adapter.NearestFaces(
        torch.where(has, found.pix_to_face.gather(-1, place), -1),
        torch.where(has, found.zbuf.gather(-1, place), -1),
        torch.where(has[..., None], found.bary_coords.gather(-2, place[..., None].expand(*place.shape, 3)), -1),
        torch.where(has, found.dists.gather(-1, place), -1),
    )
    assert ((ordered.zbuf - expected.zbuf)[moved].abs() < 3e-6).all()
    for value, numbers, tolerance in zip(ordered[1:], expected[1:], (1e-5, 2e-5, 2e-7), strict=True):
        np.testing.assert_allclose(value.detach().numpy(), numbers.numpy(), rtol=0, atol=tolerance)
    return ordered


def weighted(values: tuple[Tensor, ...], weights: tuple[Tensor, ...]) -> Tensor:
    return sum((((v * w).sum()) for v, w in zip(values, weights, strict=True)), start=torch.zeros(()))


def relative_error(found: Tensor, expected: Tensor) -> float:
    """The largest error, relative to the largest value."""
    return ((found - expected).abs().max() / expected.abs().max()).item()


@needs_reference
@pytest.mark.parametrize("kind", ["hard", "soft"])
@pytest.mark.parametrize("scene", ["blob", "soup"])
def test_the_twin_has_pytorch3ds_numbers_and_gradients(scene: str, kind: str) -> None:
    reference = Reference.load(scene, kind)
    vertices = reference.vertices.clone().requires_grad_()
    found = twin.rasterize_meshes(
        twin.Meshes([vertices], [reference.faces]), (reference.height, reference.width), reference.blur_radius,
        reference.faces_per_pixel + 3, clip_barycentric_coords=kind == "soft",
    )  # fmt: skip
    found = assert_is_reference(adapter.NearestFaces(*found), reference)
    (gradient,) = torch.autograd.grad(weighted(found[1:], reference.weights[1:]), vertices)
    assert relative_error(gradient, reference.gradient) < 2e-5


@needs_reference
@pytest.mark.parametrize("kind", ["hard", "soft"])
@pytest.mark.parametrize("scene", ["blob", "soup"])
def test_the_adapter_gives_pytorch3ds_numbers_for_the_scene_on_our_screen(pytorch3d, scene: str, kind: str) -> None:
    reference = Reference.load(scene, kind)
    screen = reference.screen().requires_grad_()
    found = adapter.nearest_faces(
        screen, reference.faces, reference.height, reference.width, faces_per_pixel=reference.faces_per_pixel + 3,
        blur_radius=reference.blur_radius, perspective=False, cull_back_faces=False,
    )  # fmt: skip
    found = assert_is_reference(found, reference)
    (gradient,) = torch.autograd.grad(weighted(found[1:], reference.weights[1:]), screen)
    assert relative_error(gradient[0] * reference.pixels_per_unit(), reference.gradient) < 2e-5


@needs_reference
@pytest.mark.parametrize("scene", ["blob", "soup"])
def test_our_rasteriser_sees_what_pytorch3d_sees(scene: str) -> None:
    reference = Reference.load(scene, "hard")
    height, width = reference.height, reference.width
    screen = reference.screen().requires_grad_()
    fragments = rasterize(screen, reference.faces, height, width, perspective=False, cull_back_faces=False)
    expected = with_weights_that_sum_to_1(*reference.values[:3])
    same = fragments.face_index == expected.face_index
    assert same.float().mean() >= 0.999
    seen = same & (expected.face_index >= 0)
    assert (fragments.depth - expected.depth)[seen].abs().max() < 1e-5
    # In one pixel, of a thin face, PyTorch3D's own rounding is 1.3e-5.
    error = (fragments.barycentric - expected.barycentric)[seen].abs().amax(dim=-1)
    assert (error < 1e-5).float().mean() > 0.998 and error.max() < 3e-5

    vertices = reference.vertices.clone().requires_grad_()
    theirs = twin.rasterize_meshes(twin.Meshes([vertices], [reference.faces]), (height, width), 0.0, 1)
    of_depth, of_bary = (values.squeeze(3) for values in reference.weights[1:3])
    weights = (of_bary * same[..., None], of_depth * same)
    (wanted,) = torch.autograd.grad(weighted(with_weights_that_sum_to_1(*theirs[:3])[1:], weights), vertices)
    (gradient,) = torch.autograd.grad(weighted(fragments[1:], weights), screen)
    assert relative_error(gradient[0] * reference.pixels_per_unit(), wanted) < 1e-4


def with_weights_that_sum_to_1(index: Tensor, depth: Tensor, weights: Tensor) -> Fragments:
    """The nearest face. PyTorch3D adds 1e-8 to a face's area, by which the weights, and so the depth, fall short."""
    total = weights[..., 0, :].sum(dim=-1)
    return Fragments(index[..., 0], weights[..., 0, :] / total[..., None], depth[..., 0] / total)


# ---- The adapter over the twin, beside our own renderer ----


class Scene(NamedTuple):
    screen: Tensor
    faces: Tensor
    height: int
    width: int


def loose_faces(seed: int, height: int, width: int) -> Scene:
    """Two pictures of 14 faces, no thin ones, and of faces that cannot be drawn; vertices shared with the latter."""
    rng = np.random.default_rng(seed)
    pictures = []
    for _ in range(2):
        corners: list[np.ndarray] = []
        while len(corners) < 14:
            a, b, c = rng.uniform(-0.3, 1.3, (3, 2)) * [width, height]
            if abs((b - a)[0] * (c - a)[1] - (b - a)[1] * (c - a)[0]) > 0.1 * height * width:
                corners.append(np.column_stack([[a, b, c], rng.uniform(1, 5, 3)]))
        bad = np.array([[0.3 * width, 0.2 * height, -1.0], [math.nan, 2, 2], [2, 2, math.inf], [3, math.inf, 1]])
        pictures.append(np.concatenate([*corners, bad]))
    number = 14 * 3
    # One picture's fourth face has a corner behind the camera and the other's has not: other faces are left.
    pictures[0][9, 2] = -0.5
    faces = np.concatenate([np.arange(number).reshape(-1, 3), [[0, 4, number + k] for k in range(4)]])
    screen = torch.tensor(np.stack(pictures), dtype=torch.float32)
    return Scene(screen, torch.tensor(rng.permutation(faces)), height, width)


def ball(height: int, width: int) -> Scene:
    screen, faces = screen_scenes.sphere(torch.float32, height, width)
    # The cells at the poles have no area: one of their edges is a point.
    triangle = screen[0][faces][..., :2]
    area = (triangle[:, 1, 0] - triangle[:, 0, 0]) * (triangle[:, 2, 1] - triangle[:, 0, 1]) - (
        triangle[:, 1, 1] - triangle[:, 0, 1]
    ) * (triangle[:, 2, 0] - triangle[:, 0, 0])
    return Scene(screen, faces[area.abs() > 1e-3], height, width)


def template(height: int, width: int) -> Scene:
    shape = make_template(replace(CAR_BOX, cells_x=4, cells_y=8, cells_z=3))
    cameras = Cameras.batch([Camera(0.7, 0.35, 3.0, 0.1, 0.5), Camera(-2.1, -0.2, 2.5, 0.0, 0.5, 0.07, -0.03)])
    screen = project(cameras, torch.as_tensor(shape.vertices), height, width)
    return Scene(screen, torch.as_tensor(shape.triangles).long(), height, width)


SCENES = {
    "loose, wide": loose_faces(0, 19, 31),
    "loose, high": loose_faces(2, 26, 15),
    "loose, square": loose_faces(4, 20, 20),
    "sphere": ball(37, 24),
    "template": template(32, 44),
}
scenes = pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())


def assert_same_gradients(ours: list[Tensor], theirs: list[Tensor], screen: Tensor) -> None:
    """Of a sum of the values with random weights."""
    (expected,), (found,) = slow.gradient(ours, [screen]), slow.gradient(theirs, [screen])
    assert expected.any() and torch.isfinite(found).all()
    for component in range(3):
        if expected[..., component].any():
            assert relative_error(found[..., component], expected[..., component]) < 1e-4


@scenes
@pytest.mark.parametrize("perspective", [True, False], ids=["perspective", "flat"])
@pytest.mark.parametrize("cull", [True, False], ids=["front faces", "all faces"])
def test_through_pytorch3d_every_pixel_sees_what_our_rasteriser_sees(
    pytorch3d, scene: Scene, perspective: bool, cull: bool
) -> None:
    screen = scene.screen.clone().requires_grad_()
    arguments = (screen, scene.faces, scene.height, scene.width)
    ours = rasterize(*arguments, perspective=perspective, cull_back_faces=cull)
    theirs = adapter.rasterize(*arguments, perspective=perspective, cull_back_faces=cull)
    assert (ours.face_index >= 0).float().mean() > 0.1
    assert torch.equal(ours.face_index, theirs.face_index)
    for one, other in zip(ours[1:], theirs[1:], strict=True):
        slow.assert_close(other, one, 1e-5)
    assert_same_gradients(list(ours[1:]), list(theirs[1:]), screen)


@scenes
@pytest.mark.parametrize(
    "config", [SoftMaskConfig(), SoftMaskConfig(300.0, 0.15), SoftMaskConfig(60.0, 0.3)], ids=["usual", "wide", "wider"]
)
def test_through_pytorch3d_the_soft_mask_is_ours(pytorch3d, scene: Scene, config: SoftMaskConfig) -> None:
    screen = scene.screen.clone().requires_grad_()
    fragments = rasterize(screen, scene.faces, scene.height, scene.width)
    ours = soft_mask(screen, scene.faces, fragments, config)
    theirs = adapter.soft_mask(screen, scene.faces, fragments, config, faces_per_pixel=len(scene.faces) + 1)
    assert ((ours > 0.01) & (ours < 0.99)).sum() > 3
    # The usual mask is so steep that the last digit of a coordinate moves it by 1e-5.
    slow.assert_close(theirs, ours, 2e-5)
    assert_same_gradients([ours], [theirs], screen)


def test_faces_beyond_the_enlarged_box_do_not_count_however_near_they_are(pytorch3d) -> None:
    """A pixel 2.5 below a face's box: within 3 pixels it counts, within 2 it does not."""
    screen, faces = torch.tensor([[[4.0, 4, 1], [4, 8, 1], [12, 8, 1]]]), torch.tensor([[0, 1, 2]])
    fragments = rasterize(screen, faces, 16, 16)
    for length, counts in ((3 / 8, True), (2 / 8, False)):
        mask = adapter.soft_mask(screen, faces, fragments, SoftMaskConfig(10.0, length))
        expected = math.exp(-10 * (2.5 / 8) ** 2) if counts else 0
        assert mask[0, 10, 6].item() == pytest.approx(expected, abs=1e-6)


def test_a_pixel_with_more_faces_than_asked_for_has_a_warning(pytorch3d) -> None:
    scene = SCENES["template"]
    fragments = rasterize(*scene)
    with pytest.warns(UserWarning, match="raise faces_per_pixel"):
        adapter.soft_mask(scene.screen, scene.faces, fragments, SoftMaskConfig(), faces_per_pixel=2)


def test_a_number_of_faces_by_index_is_refused(pytorch3d) -> None:
    scene = SCENES["template"]
    with pytest.raises(ValueError, match="faces_per_pixel"):
        adapter.soft_mask(scene.screen, scene.faces, rasterize(*scene), SoftMaskConfig(maximal_faces=30))


def test_pixels_on_an_edge_between_faces_see_one_of_them(pytorch3d) -> None:
    """PyTorch3D itself gives them to neither: the picture has a hole along the diagonal."""
    screen = torch.tensor([[[1.0, 1, 2], [1, 9, 2], [9, 9, 2], [9, 1, 2]]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    raw = adapter.nearest_faces(screen, faces, 10, 10, faces_per_pixel=1)
    hole = raw.pix_to_face[0, range(1, 9), range(1, 9), 0]
    assert (hole == -1).all()
    fragments = adapter.rasterize(screen, faces, 10, 10)
    assert (fragments.face_index[0, 1:9, 1:9] >= 0).all()
    assert (fragments.face_index >= 0).sum() == 64
    slow.assert_close(fragments.depth[fragments.face_index >= 0], torch.full((64,), 2.0), 1e-6)


def test_front_faces_are_front_faces_to_pytorch3d(pytorch3d) -> None:
    scene = SCENES["sphere"]
    ndc = adapter.to_ndc(scene.screen, scene.height, scene.width)
    index = twin.rasterize_meshes(
        twin.Meshes(list(ndc), [scene.faces]), (scene.height, scene.width), 0.0, 4, cull_backfaces=True
    )[0]
    assert torch.equal(index[..., 0], rasterize(*scene).face_index)
    assert (index[..., 1:] == -1).all()  # the far side is not seen


def test_distances_are_squared_signed_and_in_halves_of_the_shorter_side(pytorch3d) -> None:
    # A face with a vertical edge at x = 10, in a picture of 40 x 20 pixels.
    screen, faces = torch.tensor([[[10.0, -90, 3], [10, 110, 3], [110, 10, 3]]]), torch.tensor([[0, 1, 2]])
    found = adapter.nearest_faces(screen, faces, 20, 40, faces_per_pixel=2, blur_radius=(4.0 / 10) ** 2)
    row = found.dists[0, 10, :, 0]
    x = torch.arange(40) + 0.5
    near = x > 6
    torch.testing.assert_close(row[near], (((10 - x) / 10) ** 2 * (10 - x).sign())[near], atol=1e-6, rtol=1e-5)
    assert (found.pix_to_face[0, 10, :, 0] == torch.where(near, 0, -1)).all()
    assert (row[~near] == -1).all() and (found.pix_to_face[..., 1] == -1).all()
    # Outside of the face its weights stay on the edge.
    torch.testing.assert_close(found.bary_coords[0, 10, 8, 0].sum(), torch.tensor(1.0))
    assert found.bary_coords[0, 10, 8, 0, 2] == 0


def test_faces_of_a_batch_are_counted_on_from_picture_to_picture(pytorch3d) -> None:
    """The first picture's first face is behind the camera; the others keep their numbers."""
    corners = torch.tensor([[1.0, 1, 2], [1, 9, 2], [9, 9, 2]])
    behind = corners * torch.tensor([1.0, 1, -1])
    screen = torch.stack([torch.cat([behind, corners]), torch.cat([corners, corners + torch.tensor([0, 0, 1.0])])])
    found = adapter.nearest_faces(screen, torch.arange(6).view(2, 3), 10, 10, faces_per_pixel=3)
    assert found.pix_to_face[:, 6, 3].tolist() == [[1, -1, -1], [2, 3, -1]]


def test_double_stays_double(pytorch3d) -> None:
    scene = SCENES["template"]
    fragments = adapter.rasterize(scene.screen.double(), scene.faces, scene.height, scene.width)
    mask = adapter.soft_mask(scene.screen.double(), scene.faces, fragments)
    assert fragments.depth.dtype == fragments.barycentric.dtype == mask.dtype == torch.float64


def all_behind_the_camera() -> Scene:
    screen, faces, height, width = template(12, 16)
    screen = screen * torch.tensor([1, 1, -1])
    screen[0, 0] = math.nan
    return Scene(screen, faces, height, width)


@pytest.mark.parametrize("scene", [*screen_scenes.empty_scenes(), all_behind_the_camera()])
def test_where_there_is_nothing_to_see_pictures_are_empty_and_gradients_zero(pytorch3d, scene) -> None:
    screen, faces, height, width = scene
    screen = screen.clone().requires_grad_()
    fragments = adapter.rasterize(screen, faces, height, width)
    mask = adapter.soft_mask(screen, faces, fragments)
    shape = (len(screen), height, width)
    for value in adapter.nearest_faces(screen, faces, height, width, faces_per_pixel=2):
        assert value.shape[:4] == (*shape, 2) and (value == -1).all()
    assert fragments.face_index.shape == shape and (fragments.face_index == -1).all()
    assert fragments.barycentric.shape == (*shape, 3) and not fragments.barycentric.any()
    assert fragments.depth.shape == shape and not fragments.depth.any()
    assert mask.shape == shape and not mask.any()
    assert not torch.autograd.grad(mask.sum() + fragments.depth.sum(), screen)[0].any()


def test_one_empty_picture_in_a_batch_is_empty(pytorch3d) -> None:
    scene = SCENES["template"]
    screen = scene.screen.clone()
    screen[0, :, 2] *= -1
    fragments = adapter.rasterize(screen, *scene[1:])
    assert torch.equal(fragments.face_index, rasterize(screen, *scene[1:]).face_index)
    assert (fragments.face_index[0] == -1).all() and (fragments.face_index[1] >= 0).any()


def test_without_pytorch3d_one_sentence_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pytorch3d", "pytorch3d.renderer", "pytorch3d.structures"):
        monkeypatch.setitem(sys.modules, name, None)
    scene = SCENES["template"]
    assert not adapter.is_available()
    with pytest.raises(ImportError, match=r"PyTorch3D cannot be imported .*pip install.*pytorch3d.*Blender"):
        adapter.rasterize(*scene)
    with pytest.raises(ImportError, match="PyTorch3D cannot be imported"):
        adapter.soft_mask(scene.screen, scene.faces, rasterize(*scene))


def test_with_pytorch3d_the_adapter_says_so(pytorch3d) -> None:
    assert adapter.is_available()

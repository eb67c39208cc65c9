# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""DIB-R under Kaolin's signature, against slow loops that work in Kaolin's own coordinates."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from backend.render.dibr import dibr_rasterization, dibr_soft_mask, rasterize
from tests.helpers import slow_renderer as slow

seeds = st.integers(0, 100_000)
OPAQUE = 2e-5
"""The product keeps a face's influence in the mask below 1 - 1e-6, where the loops let it be 1."""


class Scene(NamedTuple):
    height: int
    width: int
    z: Tensor
    image: Tensor
    features: Tensor
    normals_z: Tensor

    @property
    def inputs(self) -> list[Tensor]:
        return [self.z, self.image, self.features]


def drawn(scene: Scene, *arguments: Any, **options: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Features, mask and faces of a scene with one tensor of features."""
    features, mask, face_index = dibr_rasterization(*scene, *arguments, **options)
    assert isinstance(features, Tensor)
    return features, mask, face_index


def random_scene(seed: int, count: int = 7, no_area: bool = True) -> Scene:
    """Two pictures; some faces lie outside, are huge, hold numbers that are none, or have no area.

    no_area: with such a face; which of its edges moves the mask is not determined.
    """
    rng = np.random.default_rng(seed)
    height, width = [(7, 9), (8, 5), (6, 6), (1, 1), (1, 8), (9, 2)][rng.integers(6)]
    # Kaolin asks for no depth before the camera: z of either sign counts.
    z, image = rng.uniform(-5, 2, (2, count + 6, 3)), rng.uniform(-1.3, 1.3, (2, count + 6, 3, 2))
    if no_area:
        image[0, 0, 1] = image[0, 0, 0]
    image[:, 1] += 7
    image[:, 2] *= rng.choice([1, 3e3])
    image[0, 3, 1, 0], image[1, 3, 0, 1], z[:, 4, 2], z[1, 5, 0] = math.nan, math.inf, -math.inf, math.nan
    features, normals_z = rng.normal(size=(2, count + 6, 3, 2)), rng.normal(0.5, 1, (2, count + 6))
    order = rng.permutation(count + 6)
    rows = (torch.tensor(each[:, order]) for each in (z, image, features, normals_z))
    scene = Scene(height, width, *rows)  # type: ignore[call-arg]
    for each in scene.inputs:
        each.requires_grad_()
    return scene


@settings(max_examples=25, deadline=None, derandomize=True)
@given(seeds, st.sampled_from([(7000.0, 0.02), (300.0, 0.2), (10.0, 0.7)]), st.sampled_from([30, 3, 1]))
def test_pictures_and_gradients_are_those_of_a_slow_loop(seed: int, softness: tuple[float, float], knum: int) -> None:
    for no_area in (False, True):
        scene = random_scene(seed, no_area=no_area)
        features, mask, face_index = drawn(scene, *softness, knum)
        loops = slow.dibr(*scene, *softness, knum)
        assert torch.equal(face_index, loops.face_index)
        slow.assert_same_picture([features], [loops.features], scene.inputs)
        slow.assert_same_picture([mask], [loops.mask], [] if no_area else scene.inputs, OPAQUE)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seeds)
def test_both_halves_may_be_called_on_their_own(seed: int) -> None:
    scene = random_scene(seed)
    together = drawn(scene, 300.0, 0.2, 4)
    height, width, z, image, attributes, normals_z = scene
    features, face_index = rasterize(height, width, z, image, attributes, normals_z >= 0)
    mask = dibr_soft_mask(scene.image, face_index, 300.0, 0.2, 4)
    assert isinstance(features, Tensor)
    assert torch.equal(features, together[0]) and torch.equal(face_index, together[2])
    finite = torch.isfinite(scene.z).all(dim=2)[..., None, None]
    # The mask on its own is told no depth: a face without one has an outline all the same.
    alone = dibr_soft_mask(torch.where(finite, scene.image, math.nan), face_index, 300.0, 0.2, 4)
    assert torch.equal(alone, together[1]) and (mask[face_index >= 0] == 1).all()


def one_face(**changes: Any) -> Scene:
    """A triangle over the upper left half of the picture."""
    image = torch.tensor([[[[-1.0, 1], [-1, -1], [1, 1]]]], dtype=torch.float64)
    z, features, normals_z = torch.full((1, 1, 3), -2.0), torch.ones(1, 1, 3, 1), torch.ones(1, 1)
    return Scene(4, 6, z.double(), image, features.double(), normals_z.double())._replace(**changes)


def test_y_goes_up_and_the_picture_spans_minus_one_to_one() -> None:
    features, mask, face_index = drawn(one_face())
    seen = face_index[0] == 0
    assert seen[0, :-1].all() and seen[:-1, 0].all() and not seen[-1, 1:].any() and not seen[1:, -1].any()
    assert torch.equal(features[0, ..., 0], seen.double()) and (mask[0, seen] == 1).all()


def test_features_are_interpolated_in_the_picture_and_not_in_space() -> None:
    """A coordinate of the picture as a feature comes back unchanged, however deep the corners are."""
    base = one_face(z=torch.tensor([[[-1.0, -50, -3]]]).double())
    features, _, face_index = drawn(base._replace(features=base.image))
    x, y = (2 * torch.arange(6).double() + 1 - 6) / 6, (4 - 2 * torch.arange(4).double() - 1) / 4
    seen = face_index[0] >= 0
    torch.testing.assert_close(features[0, seen, 0], x.expand(4, 6)[seen])
    torch.testing.assert_close(features[0, seen, 1], y[:, None].expand(4, 6)[seen])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("offset", [0.0, -100.0, 100.0])
def test_the_largest_z_is_nearest_wherever_zero_is(dtype: torch.dtype, offset: float) -> None:
    scene = one_face()
    z = (torch.tensor([-3.0, 1.0, -1.0, 1.0]) + offset)[None, :, None].expand(1, 4, 3).to(dtype)
    normals = torch.tensor([[1.0, 1, 1, -1e-6]], dtype=dtype)
    image, features = scene.image.expand(1, 4, 3, 2).to(dtype), scene.features.expand(1, 4, 3, 1).to(dtype)
    face_index = dibr_rasterization(4, 6, z, image, features, normals)[2]
    assert set(face_index.unique().tolist()) == {-1, 1}


def test_a_far_backdrop_leaves_the_order_of_near_faces_as_it_is() -> None:
    scene = one_face()
    z = torch.tensor([-2.0, -2.0002, -1e4])[None, :, None].expand(1, 3, 3)
    image, features = scene.image.expand(1, 3, 3, 2).float(), scene.features.expand(1, 3, 3, 1).float()
    face_index = dibr_rasterization(4, 6, z, image, features, torch.ones(1, 3))[2]
    assert set(face_index.unique().tolist()) == {-1, 0}


def test_a_normal_of_zero_is_drawn_and_back_faces_soften_the_mask() -> None:
    assert (drawn(one_face(normals_z=torch.zeros(1, 1)))[2] == 0).any()
    features, mask, face_index = drawn(one_face(normals_z=-torch.ones(1, 1)), 5.0, 0.5)
    assert (face_index == -1).all() and not features.any()
    assert (mask > 0).any() and (mask < 1).all()


def test_the_unit_of_distance_is_half_of_each_side() -> None:
    """Beside an upright edge and below a level one at the same distance, on a picture twice as wide as high."""
    upright = torch.tensor([[[[-0.5, 50.0], [-0.5, -50], [-50, 0]]]], dtype=torch.float64)
    level = torch.tensor([[[[50.0, 0.5], [-50, 0.5], [0, 50]]]], dtype=torch.float64)
    one = drawn(one_face(height=10, width=20, image=upright), 9.0, 0.6)[1][0]
    other = drawn(one_face(height=10, width=20, image=level), 9.0, 0.6)[1][0]
    x, y = (2 * torch.arange(20).double() + 1 - 20) / 20 + 0.5, 0.5 - (10 - 2 * torch.arange(10).double() - 1) / 10
    torch.testing.assert_close(one, torch.where(x < 0, 1, torch.exp(-9 * x**2) * (x <= 0.6)).expand(10, -1))
    expected = torch.where(y < 0, 1, torch.exp(-9 * y**2) * (y <= 0.6))
    torch.testing.assert_close(other, expected[:, None].expand(-1, 20))


def test_a_list_of_features_gives_a_tuple_in_its_order() -> None:
    height, width, z, image, features, normals_z = scene = random_scene(8)
    other = torch.randn(*z.shape, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    several, mask, _ = dibr_rasterization(height, width, z, image, [features, other], normals_z)
    assert isinstance(several, tuple) and torch.equal(mask, drawn(scene)[1])
    for one, alone in zip(several, (features, other), strict=True):
        assert torch.equal(one, drawn(scene._replace(features=alone))[0])
    several, _ = rasterize(height, width, z, image, (features, other))
    assert isinstance(several, tuple) and [each.shape[-1] for each in several] == [2, 5]


def test_what_tunes_kaolins_kernels_is_taken_and_changes_nothing() -> None:
    scene = random_scene(8)
    plain = drawn(scene)
    tuned = drawn(scene, multiplier=1000.0, eps=1e-8, rast_backend="cuda")
    defaults = drawn(scene, sigmainv=7000, boxlen=0.02, knum=30)
    for one, two, three in zip(plain, tuned, defaults, strict=True):
        assert torch.equal(one, two) and torch.equal(one, three)


@pytest.mark.parametrize("batch, faces, height, width", [(2, 0, 4, 5), (0, 3, 4, 5), (1, 3, 0, 5), (0, 0, 0, 0)])
def test_where_there_is_nothing_to_see_pictures_are_empty(batch: int, faces: int, height: int, width: int) -> None:
    z, image = torch.zeros(batch, faces, 3), torch.zeros(batch, faces, 3, 2, requires_grad=True)
    scene = Scene(height, width, z, image, torch.ones(batch, faces, 3, 2), torch.ones(batch, faces))
    features, mask, face_index = drawn(scene)
    assert features.shape == (batch, height, width, 2) and not features.any()
    assert mask.shape == face_index.shape == (batch, height, width)
    assert not mask.any() and (face_index == -1).all()


def test_gradients_agree_with_finite_differences() -> None:
    scene = random_scene(3, no_area=False)
    good = (torch.isfinite(scene.z).all(2) & torch.isfinite(scene.image).all(3).all(2))[0]
    z, image, features = (each[:1, good].detach().requires_grad_() for each in scene.inputs)
    normals = scene.normals_z[:1, good]

    def picture(image: Tensor, features: Tensor) -> tuple[Tensor, Tensor]:
        return drawn(Scene(scene.height, scene.width, z, image, features, normals), 20.0, 0.6, 3)[:2]

    assert 0.1 < (picture(image, features)[1] == 1).double().mean() < 0.9
    assert torch.autograd.gradcheck(picture, (image, features), eps=1e-7, atol=1e-5)

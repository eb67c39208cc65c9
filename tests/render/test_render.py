# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras, template, shading and whole pictures against closed forms and properties they must have."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.common.records import Camera
from backend.render.camera import Cameras, camera_positions, project
from backend.render.light import mirrored_light, spherical_harmonics, srgb_decode, srgb_encode, uniform_light
from backend.render.mesh_losses import MeshTopology, flatness_loss, laplacian_loss, silhouette_iou
from backend.render.picture import render
from backend.render.shading import Texture
from backend.render.template import CAR_BOX, TemplateConfig, make_template

SMALL = make_template(replace(CAR_BOX, cells_x=4, cells_y=8, cells_z=3))


@pytest.mark.parametrize("azimuth_deg, expected", [(0, (0, -3, 0)), (90, (3, 0, 0)), (180, (0, 3, 0))])
def test_cameras_stand_where_the_conventions_say(azimuth_deg: float, expected: tuple[float, ...]) -> None:
    cameras = Cameras.batch([Camera(math.radians(azimuth_deg), 0.0, 3.0)])
    np.testing.assert_allclose(camera_positions(cameras)[0].numpy(), expected, atol=1e-5)


def test_projection_of_a_non_square_picture_puts_the_origin_at_the_shift() -> None:
    cameras = Cameras.batch([Camera(0.7, 0.3, 4.0, 0.1, 0.5, shift_x=0.1, shift_y=0.05)])
    x, y, depth = project(cameras, torch.zeros(1, 3), 100, 200)[0, 0].tolist()
    assert (x, y, depth) == pytest.approx((100 + 20, 50 - 10, 4.0), abs=1e-4)
    # Something above the origin is seen above it, and the object's front is to the left when seen from its left side.
    side = Cameras.batch([Camera(math.pi / 2, 0.0, 4.0, 0.0, 0.5)])
    above, front = project(side, torch.tensor([[0.0, 0, 0.3], [0, -0.4, 0]]), 100, 100)[0]
    assert above[1] < 50 and front[0] < 50


@pytest.mark.parametrize("box", [TemplateConfig(), CAR_BOX])
def test_template_is_closed_symmetric_and_wound_outwards(box: TemplateConfig) -> None:
    template = make_template(box)
    assert len(template.vertices) >= 2000
    assert len(template.vertices) - len(template.edges) + len(template.quads) == 2  # genus 0
    np.testing.assert_allclose(template.vertices[template.mirror] * [-1, 1, 1], template.vertices, atol=1e-7)
    a, b, c = template.vertices[template.triangles].transpose(1, 0, 2)
    volume = (a * np.cross(b, c)).sum() / 6
    assert 0.4 < volume / np.prod(box.proportions) < 1
    edge_u = template.triangle_uv[:, 1] - template.triangle_uv[:, 0]
    edge_v = template.triangle_uv[:, 2] - template.triangle_uv[:, 0]
    assert (edge_u[:, 0] * edge_v[:, 1] - edge_u[:, 1] * edge_v[:, 0] > 0).all()  # texts are not mirrored
    assert template.uv.min() > 0 and template.uv.max() < 1


def test_mirroring_the_object_mirrors_its_atlas() -> None:
    corners = {
        (frozenset(face), vertex): uv
        for face, row in zip(SMALL.quads.tolist(), SMALL.uv, strict=True)
        for vertex, uv in zip(face, row, strict=True)
    }
    for (face, vertex), uv in corners.items():
        other = corners[frozenset(int(SMALL.mirror[v]) for v in face), int(SMALL.mirror[vertex])]
        np.testing.assert_allclose(other, [1 - uv[0], uv[1]], atol=1e-6)


def test_a_mirrored_scene_renders_the_mirrored_picture() -> None:
    rng = np.random.default_rng(0)
    texture = torch.tensor(rng.uniform(0.1, 0.9, (1, 3, 4, 4)), dtype=torch.float32)
    light = uniform_light(1) + torch.tensor(rng.normal(0, 0.2, (1, 9, 3)), dtype=torch.float32)
    cameras = Cameras.batch([Camera(0.8, 0.3, 3.0, 0.1, 0.4, 0.03, -0.02)])
    vertices = torch.as_tensor(SMALL.vertices)[None]
    triangles, uv = torch.as_tensor(SMALL.triangles).long(), torch.as_tensor(SMALL.triangle_uv)
    one = render(vertices, triangles, Texture(uv, texture), light, cameras, 40, 40)
    other = render(vertices, triangles, Texture(uv, texture.flip(3)), mirrored_light(light), cameras.mirrored(), 40, 40)
    # Quads are split along a diagonal that mirroring does not keep, hence not exactly.
    assert (one.rgb.flip(3) - other.rgb).abs().mean() < 2e-3
    assert silhouette_iou(one.mask.flip(2), other.mask).item() > 0.97


def test_spherical_harmonics_are_orthonormal_on_the_sphere() -> None:
    points = torch.nn.functional.normalize(torch.randn(200_000, 3, generator=torch.Generator().manual_seed(0)), dim=1)
    basis = spherical_harmonics(points)
    gram = basis.T @ basis * (4 * math.pi / len(points))
    np.testing.assert_allclose(gram.numpy(), np.eye(9), atol=0.03)


def test_white_light_shows_the_texture_as_it_is() -> None:
    texture = torch.full((1, 3, 8, 8), 0.37)
    cameras = Cameras.batch([Camera(0.5, 0.3, 3.0)])
    picture = render(
        torch.as_tensor(SMALL.vertices)[None], torch.as_tensor(SMALL.triangles).long(),
        Texture(torch.as_tensor(SMALL.triangle_uv), texture), uniform_light(1), cameras, 32, 32,
    )  # fmt: skip
    covered = picture.fragments.face_index[0] >= 0
    assert picture.rgb[0][:, covered].sub(0.37).abs().max() < 1e-3


def test_srgb_round_trip() -> None:
    values = torch.linspace(0, 1, 101)
    np.testing.assert_allclose(srgb_encode(srgb_decode(values)).numpy(), values.numpy(), atol=1e-5)
    assert srgb_decode(torch.tensor(0.5)).item() == pytest.approx(0.2140, abs=1e-3)


def test_regularisers_vanish_on_what_they_leave_free() -> None:
    topology = MeshTopology.of(SMALL.edges, SMALL.triangles, len(SMALL.vertices))
    shift = torch.ones(1, len(SMALL.vertices), 3)
    assert laplacian_loss(shift, topology).item() == pytest.approx(0, abs=1e-8)
    flat = torch.as_tensor(SMALL.vertices)[None] * torch.tensor([1.0, 1.0, 0.0])
    flat_hinges = flatness_loss(flat + torch.tensor([0.0, 0, 1]), topology)
    assert flatness_loss(torch.as_tensor(SMALL.vertices)[None], topology) > 0 and torch.isfinite(flat_hinges)


def test_optimising_the_camera_through_the_renderer_finds_it() -> None:
    """Ten degrees off and too far away, from silhouette and colour alone."""
    generator = torch.Generator().manual_seed(1)
    texture = torch.nn.functional.interpolate(torch.rand(1, 3, 8, 8, generator=generator), size=32, mode="bilinear")
    vertices = torch.as_tensor(SMALL.vertices)[None]
    triangles, uv = torch.as_tensor(SMALL.triangles).long(), torch.as_tensor(SMALL.triangle_uv)
    truth = Cameras.batch([Camera(0.6, 0.3, 3.0, 0.0, 0.45)])
    target = render(vertices, triangles, Texture(uv, texture), None, truth, 64, 64)
    azimuth = torch.tensor([0.6 + math.radians(10)], requires_grad=True)
    distance = torch.tensor([3.3], requires_grad=True)
    optimizer = torch.optim.Adam([azimuth, distance], lr=0.03)
    for _ in range(60):
        cameras = Cameras(azimuth, truth.elevation, distance, truth.roll, truth.field_of_view, truth.shift_x,
                          truth.shift_y)  # fmt: skip
        picture = render(vertices, triangles, Texture(uv, texture), None, cameras, 64, 64)
        loss = (1 - silhouette_iou(picture.mask, target.mask)).mean() + (picture.rgb - target.rgb).abs().mean() * 5
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert abs(math.degrees(azimuth.item() - 0.6)) < 1.5
    assert distance.item() == pytest.approx(3.0, abs=0.06)

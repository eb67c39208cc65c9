# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Refinement: a known object is photographed by the renderer, and found again from a disturbed first answer."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from backend.common.records import Camera
from backend.errors import Cancelled
from backend.models.inverse_graphics import (
    InverseGraphics,
    InverseGraphicsConfig,
    Prediction,
    apparent_size_of,
    field_of_view_of,
)
from backend.pipeline.azimuths import angle_between, azimuth_log_likelihood, starting_azimuths
from backend.pipeline.refine import RefineConfig, Refined, hard_iou, refine
from backend.pipeline.smoothing import neighbour_table, smoothed
from backend.render.camera import Cameras, project
from backend.render.light import uniform_light
from backend.render.picture import HARD, render
from backend.render.rasterize import rasterize
from backend.render.shading import Texture
from backend.render.template import CAR_BOX, Template, make_template

CODE, BINS, SIDE = 8, 24, 128
SMALL = RefineConfig(steps=50, starts=3)


@pytest.fixture(scope="module")
def template() -> Template:
    """A box with a cabin: higher towards the rear, so that front and rear differ."""
    template = make_template(replace(CAR_BOX, cells_x=8, cells_y=20, cells_z=8))
    vertices = template.vertices.copy()
    upper = np.clip(vertices[:, 2] / vertices[:, 2].max(), 0, 1)
    vertices[:, 2] += 0.12 * upper * np.exp(-(((vertices[:, 1] - 0.12) / 0.2) ** 2))
    return template.with_vertices(vertices)


class Painted(torch.nn.Module):
    """Stands for a trained texture decoder: coloured fields, symmetric, whatever the code."""

    def __init__(self) -> None:
        super().__init__()
        fields = np.random.default_rng(5).uniform(0.1, 0.9, (8, 4, 3))
        half = torch.as_tensor(np.kron(fields, np.ones((16, 16, 1)))).float().permute(2, 0, 1)
        self.register_buffer("texture", torch.cat([half, half.flip(2)], dim=2))

    def forward(self, code: Tensor) -> Tensor:
        return self.texture.expand(len(code), -1, -1, -1)


@pytest.fixture(scope="module")
def network(template) -> InverseGraphics:
    """Untrained, with a smooth basis: heights, slants and waves along the object."""
    torch.manual_seed(0)
    config = InverseGraphicsConfig(widths=(8, 8, 8, 8, 8), shape_code=CODE, texture_widths=(8, 8, 8, 8, 8))
    network = InverseGraphics(config, template)
    x, y, z = torch.as_tensor(template.vertices).unbind(dim=1)
    zero = torch.zeros_like(x)
    # Not the length and the width: from far away another azimuth looks just as if these had changed.
    moves = [(zero, zero, z), (zero, z, zero), (zero, zero, z**2)]
    moves += [(zero, zero, z * torch.cos(math.pi * k * (y + 0.5))) for k in (1, 2, 3)]
    moves += [(x * z.clamp(min=0) * 4, zero, zero), (zero, z * torch.cos(math.pi * (y + 0.5)), zero)]
    basis = torch.stack([torch.stack(move, dim=1) for move in moves])
    network.shape_decoder.basis.data = 0.15 * basis
    network.texture_decoder = Painted()
    return network.eval().requires_grad_(False)


def true_camera(azimuth_deg: float) -> Camera:
    view = float(field_of_view_of(torch.tensor(0.8), torch.tensor(3.0)))
    return Camera(math.radians(azimuth_deg), math.radians(14), 3.0, 0.0, view, 0.01, -0.02)


def photograph(
    network: InverseGraphics, template: Template, vertices: Tensor, camera: Camera, texture: Tensor
) -> Tensor:
    """(4, R, R) anti-aliased crop, colour multiplied by the mask."""
    picture = render(
        vertices[None],
        torch.as_tensor(template.triangles, dtype=torch.int64),
        Texture(torch.as_tensor(template.triangle_uv), texture),
        uniform_light(1),
        Cameras.batch([camera]),
        2 * SIDE,
        2 * SIDE,
        HARD,
    )
    rgba = torch.cat([picture.rgb, picture.mask[:, None]], dim=1)
    return torch.nn.functional.avg_pool2d(rgba, 2)[0]


def answer(camera: Camera, code: Tensor, texture_code: Tensor, second: float | None = None) -> Prediction:
    """A network's answer that says so; ``second``: another azimuth that it holds for likelier."""
    logits, residual = torch.full((1, BINS), -3.0), torch.zeros(1, BINS)
    for azimuth, logit in [(camera.azimuth, 3.0), (second, 3.5)]:
        if azimuth is not None:
            bin_index = round(azimuth * BINS / (2 * math.pi)) % BINS
            offset = azimuth - bin_index * 2 * math.pi / BINS
            logits[0, bin_index] = logit
            residual[0, bin_index] = (offset + math.pi) % (2 * math.pi) - math.pi
    distance = torch.tensor(camera.distance)
    size = apparent_size_of(torch.tensor(camera.field_of_view), distance)
    values = [camera.elevation, camera.roll, distance.log(), size.log(), camera.shift_x, camera.shift_y]
    return Prediction(
        code[None], texture_code[None], logits, residual, torch.tensor([[float(v) for v in values]]), uniform_light(1)
    )


def overlap(refined: Refined, template: Template, rgba: Tensor) -> float:
    screen = project(Cameras.batch([refined.camera]), refined.vertices[None], SIDE, SIDE)
    triangles = torch.as_tensor(template.triangles, dtype=torch.int64)
    covered = rasterize(screen, triangles, SIDE, SIDE).face_index[0] >= 0
    return hard_iou(covered.numpy(), (rgba[3] > 0.5).numpy())


def scene(network: InverseGraphics, template: Template, azimuth_deg: float):
    """Crop, true camera, true vertices, texture code."""
    generator = torch.Generator().manual_seed(4)
    code = torch.randn(CODE, generator=generator) * 0.8
    texture_code = torch.randn(network.config.texture_code, generator=generator)
    camera = true_camera(azimuth_deg)
    vertices = network.shape_decoder(code[None])[0]
    texture = network.texture_decoder(texture_code[None])
    return photograph(network, template, vertices, camera, texture), camera, vertices, texture_code


def test_a_disturbed_answer_is_pulled_onto_the_photo(network, template):
    rgba, camera, vertices, texture_code = scene(network, template, 50)
    wrong = Camera(
        camera.azimuth + math.radians(12), camera.elevation + 0.08, 3.3, 0.0, camera.field_of_view * 1.0, 0.04, 0.0
    )
    first = answer(wrong, torch.zeros(CODE), texture_code)
    before = refine(rgba, first, network, template, SMALL, steps=0)
    after = refine(rgba, first, network, template, SMALL)
    assert angle_between(before.camera.azimuth, camera.azimuth) > math.radians(11)
    assert angle_between(after.camera.azimuth, camera.azimuth) < math.radians(4)
    assert overlap(before, template, rgba) < 0.85 < 0.96 < overlap(after, template, rgba)
    # The shape is nearer the truth too, also where the photo does not show it.
    mistake = [(r.vertices - vertices).norm(dim=1).mean() for r in (before, after)]
    assert mistake[1] < 0.7 * mistake[0]


def test_the_silhouette_decides_between_front_and_rear(network, template):
    rgba, camera, _, texture_code = scene(network, template, 60)
    opposite = camera.azimuth + math.pi
    first = answer(camera, torch.zeros(CODE), texture_code, second=opposite)
    assert angle_between(float(first.azimuth()[0]), opposite) < 0.01
    found = refine(rgba, first, network, template, SMALL)
    assert angle_between(found.camera.azimuth, camera.azimuth) < math.radians(5)
    assert found.margin > 0


def test_offsets_are_small_smooth_and_symmetric(network, template):
    rgba, camera, _, texture_code = scene(network, template, 50)
    # A bump on the roof that no shape code makes: the same outline with a taller middle.
    rgba = rgba.clone()
    columns = torch.nonzero(rgba[3].amax(dim=0) > 0.5)[:, 0]
    middle = int(columns.float().mean())
    top = int(torch.nonzero(rgba[3, :, middle] > 0.5)[0])
    rgba[3, top - 4 : top, middle - 10 : middle + 10] = 1.0
    rgba[:3, top - 4 : top, middle - 10 : middle + 10] = rgba[:3, top + 2, middle].view(3, 1, 1)
    found = refine(rgba, answer(camera, torch.zeros(CODE), texture_code), network, template, SMALL)
    flip = torch.tensor([-1.0, 1.0, 1.0])
    mirror = torch.as_tensor(template.mirror, dtype=torch.int64)
    assert torch.allclose(found.offsets[mirror] * flip, found.offsets, atol=1e-6)
    assert 0 < found.offsets.norm(dim=1).max() < 0.06
    a, b = torch.as_tensor(template.edges.astype(np.int64)).T
    assert (found.offsets[a] - found.offsets[b]).norm(dim=1).max() < 0.02
    assert torch.allclose(network.shape_decoder(found.shape_code[None])[0] + found.offsets, found.vertices)


def test_no_steps_return_the_answer_as_it_is(network, template):
    rgba, camera, _, texture_code = scene(network, template, 50)
    code = torch.randn(CODE, generator=torch.Generator().manual_seed(1))
    found = refine(rgba, answer(camera, code, texture_code), network, template, steps=0)
    assert found.camera.azimuth == pytest.approx(camera.azimuth, abs=1e-5)
    assert found.camera.field_of_view == pytest.approx(camera.field_of_view, abs=1e-5)
    assert torch.equal(found.shape_code, code) and not found.offsets.any()


def test_it_is_deterministic_and_can_be_stopped(network, template):
    rgba, camera, _, texture_code = scene(network, template, 50)
    first = answer(camera, torch.zeros(CODE), texture_code)
    once, again = (refine(rgba, first, network, template, SMALL, steps=4) for _ in range(2))
    assert once.camera == again.camera and torch.equal(once.vertices, again.vertices)
    done: list[int] = []

    def stop(step: int, total: int) -> None:
        done.append(step)
        assert total == 10
        if step == 3:
            raise Cancelled("Cancelled.")

    with pytest.raises(Cancelled):
        refine(rgba, first, network, template, SMALL, steps=10, step_done=stop)
    assert done == [1, 2, 3]


def test_an_empty_mask_does_no_harm(network, template):
    _, camera, _, texture_code = scene(network, template, 50)
    found = refine(
        torch.zeros(4, SIDE, SIDE), answer(camera, torch.zeros(CODE), texture_code), network, template, SMALL, 6
    )
    assert torch.isfinite(found.vertices).all() and math.isfinite(found.camera.azimuth)


def test_starting_azimuths_differ_and_hold_the_ambiguous_ones():
    camera = true_camera(40)
    first = answer(camera, torch.zeros(CODE), torch.zeros(1))
    starts = starting_azimuths(first, 4).tolist()
    assert len(starts) == 4 and starts[0] == pytest.approx(camera.azimuth, abs=1e-5)
    assert min(angle_between(a, math.radians(140)) for a in starts) < 0.01
    assert all(angle_between(a, b) > 0.3 for i, a in enumerate(starts) for b in starts[:i])


def test_likelihood_is_highest_at_the_networks_choice():
    first = answer(true_camera(40), torch.zeros(CODE), torch.zeros(1))
    likelihood = azimuth_log_likelihood(first, torch.tensor([math.radians(40), math.radians(220)]))
    assert -0.3 < likelihood[0] < 0.01 and likelihood[1] < -1.5


def test_the_opposite_view_has_the_same_silhouette_at_pi_minus_azimuth(template):
    """What starting_azimuths stands on, by rendering: from far away, level with the object."""
    cameras = Cameras.batch([Camera(math.radians(a), 0.0, 60.0, 0.0, 0.025) for a in (35, 145, 215)])
    triangles = torch.as_tensor(template.triangles, dtype=torch.int64)
    screen = project(cameras, torch.as_tensor(template.vertices), SIDE, SIDE)
    masks = (rasterize(screen, triangles, SIDE, SIDE).face_index >= 0).numpy()
    assert hard_iou(masks[0], masks[1]) > 0.97
    assert hard_iou(masks[0], masks[2][:, ::-1]) > 0.97


def test_smoothing_averages_neighbours_and_has_the_true_gradient(template):
    table = torch.as_tensor(neighbour_table(template.edges, len(template.vertices)))
    for vertex in (0, 100, 500):
        a, b = template.edges.T
        expected = set(b[a == vertex]) | set(a[b == vertex])
        assert set(table[vertex].tolist()) - {vertex} == expected
    generator = torch.Generator().manual_seed(0)
    field = torch.randn(1, len(table), 2, generator=generator, dtype=torch.float64)
    flat = smoothed(torch.ones_like(field), table, 9)
    assert torch.allclose(flat, torch.ones_like(field))
    assert smoothed(field, table, 9).std() < 0.5 * field.std()
    # Against finite differences, in a random direction.
    direction = torch.randn(field.shape, generator=generator, dtype=torch.float64)
    leaf = field.clone().requires_grad_()
    (smoothed(leaf, table, 5) ** 2).sum().backward()
    step = 1e-4
    higher, lower = ((smoothed(field + s * direction, table, 5) ** 2).sum() for s in (step, -step))
    assert float((leaf.grad * direction).sum()) == pytest.approx(float((higher - lower) / (2 * step)), rel=1e-6)

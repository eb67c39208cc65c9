# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The car template as the generator's grids give it, and the one that is shipped."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
from dataset.cars.atlas import VISIBLE, atlas, share_of_visible
from dataset.cars.car import build_car, car_parts
from dataset.cars.parameters import STYLES, sample_parameters, sample_style, style_parameters
from dataset.cars.shape_space import CarSet, SpaceConfig, encoder, proportion_functionals, shape_space, template
from dataset.cars.space_measures import measure_space
from dataset.cars.template import SHEET_MARKINGS, half_layout, measure

from backend.common.bundle_files import BUNDLED
from backend.evaluation.mesh_checks import faults, open_edges
from backend.weights.parts import load_parts

CONFIG = SpaceConfig(components=24, examples=60)


def sampled(seed: int, count: int):
    """Measured cars."""
    for k in range(count):
        rng = np.random.default_rng([seed, k])
        yield measure(car_parts(sample_parameters(rng, sample_style(rng)), rng))


@pytest.fixture(scope="module")
def built():
    """A template and its space from few cars."""
    layout = half_layout()
    cars = CarSet(sampled(3, 80), 80, CONFIG)
    space = shape_space(cars, layout, CONFIG)
    return template(layout, space), space, cars, layout


@pytest.fixture(scope="module")
def shipped():
    """What the bundle holds."""
    return load_parts(BUNDLED / "car")


def test_every_part_is_closed_and_alone(shipped) -> None:
    shape = shipped.template
    assert shape.parts.names == (
        "body", "cabin", "wheel_front_left", "wheel_front_right", "wheel_rear_left", "wheel_rear_right", "mirror_left",
        "mirror_right",
    )  # fmt: skip
    assert shape.parts.turning == shape.parts.names[2:6]
    seen: set[int] = set()
    for name in shape.parts.names:
        own = shape.parts.vertices_of(name, shape.quads)
        assert not seen & set(own.tolist())
        seen |= set(own.tolist())
        triangles = shape.triangles[(shape.parts.of_quad == shape.parts.names.index(name)).repeat(2)]
        assert open_edges(triangles) == 0
        a, b, c = shape.vertices[triangles].transpose(1, 0, 2)
        assert (np.cross(a, b) * c).sum() > 0, f"{name} is turned inside out"
        edges = np.sort(np.concatenate([triangles[:, [i, (i + 1) % 3]] for i in range(3)]), axis=1)
        assert len(own) - len(np.unique(edges, axis=0)) + len(triangles) == 2  # genus 0
    assert len(seen) == len(shape.vertices)


def test_the_template_is_its_own_mirror_image(shipped) -> None:
    shape = shipped.template
    np.testing.assert_allclose(shape.vertices[shape.mirror] * [-1, 1, 1], shape.vertices, atol=1e-6)
    assert (shape.mirror[shape.mirror] == np.arange(len(shape.mirror))).all()
    cut = {tuple(sorted(triangle)) for triangle in shape.triangles.tolist()}
    assert {tuple(sorted(triangle)) for triangle in shape.mirror[shape.triangles].tolist()} == cut
    # The atlas mirrors as the object does: corner by corner.
    place = {}
    for face, uv in zip(shape.quads.tolist(), shape.uv, strict=True):
        for vertex, corner in zip(face, uv, strict=True):
            place.setdefault(vertex, set()).add(tuple(np.round(corner, 4)))
    for vertex, corners in place.items():
        mirrored = {(round(1 - u, 4), v) for u, v in corners}
        other = place[int(shape.mirror[vertex])]
        assert all(min(abs(u - s) + abs(v - t) for s, t in other) < 3e-4 for u, v in mirrored)


def test_charts_do_not_overlap_and_show_what_photographs_show(shipped) -> None:
    size = 1024
    shape = shipped.template
    times = np.zeros((size, size), np.uint8)
    for triangle in shape.triangle_uv * [size, -size] + [0, size]:
        # Pulled in a little, so that neighbours share no texel.
        inner = triangle.mean(axis=0) + (triangle - triangle.mean(axis=0)) * 0.9
        x0, y0 = np.floor(inner.min(axis=0)).astype(int)
        x1, y1 = np.ceil(inner.max(axis=0)).astype(int) + 1
        part = np.zeros((y1 - y0, x1 - x0), np.uint8)
        centres = np.stack(np.meshgrid(np.arange(x0, x1) + 0.5, np.arange(y0, y1) + 0.5), axis=-1)
        part[_inside(centres, inner)] = 1
        times[y0:y1, x0:x1] += part
    assert times.max() == 1
    layout = half_layout()
    uv, names = atlas(layout, shipped.space.mean)
    assert share_of_visible(uv, names) > 0.5 and set(VISIBLE) < set(names)
    assert np.count_nonzero(times) > 0.6 * size * size


def _inside(points: np.ndarray, triangle: np.ndarray) -> np.ndarray:
    a, b, c = triangle
    signs = [np.cross(q - p, points - p) for p, q in ((a, b), (b, c), (c, a))]
    return np.all([s > 0 for s in signs], axis=0) | np.all([s < 0 for s in signs], axis=0)


def test_axles_turn_wheels_in_place(shipped) -> None:
    shape = shipped.template
    points, directions = shape.parts.axles(shape.vertices, shape.quads)
    assert points.shape == (4, 3) and (directions == [1, 0, 0]).all()
    assert points[0, 0] > 0 > points[1, 0] and points[2, 1] > points[0, 1]  # left is +X, the front -Y
    for point, name in zip(points, shape.parts.turning, strict=True):
        wheel = shape.vertices[shape.parts.vertices_of(name, shape.quads)]
        radius = np.hypot(*(wheel - point)[:, 1:].T)
        rings = np.unique(np.round(radius, 3))
        assert radius.max() - radius.min() > 0.05 and len(rings) < 12  # circles about the axle


@pytest.mark.parametrize("style", sorted(STYLES))
def test_all_styles_are_measured(style: str) -> None:
    rng = np.random.default_rng(7)
    parameters = style_parameters(style)
    parts = car_parts(parameters, rng)
    car = measure(parts)
    assert np.isfinite(car.vertices).all() and np.isfinite(car.distances).all()
    mesh = build_car(parameters, np.random.default_rng(7))
    assert car.length == pytest.approx(np.ptp(np.concatenate([part.vertices for part in parts])[:, 1]), rel=0.35)
    # The template's vertices are the generator's own: nearly all lie on vertices of the rendered mesh.
    body = car.vertices[:1000:7]
    nearest = np.array([np.abs(mesh.vertices - vertex).max(axis=1).min() for vertex in body])
    assert np.median(nearest) < 1e-5
    assert car.open_top == (parameters.open_top > 0.5)


def test_markings_stand_where_the_generator_put_them(built) -> None:
    shape, space, _, _ = built
    rng = np.random.default_rng([3, 1])
    parts = car_parts(sample_parameters(rng, sample_style(rng)), rng)
    car = measure(parts)
    body = next(part for part in parts if part.name == "body")
    glass = SHEET_MARKINGS.index("door")
    row, column = 52, 19
    expected = body.markings["door"].reshape(104, -1)[row, column] / car.length
    assert car.distances[glass, row, column] == pytest.approx(expected, rel=1e-5)
    assert shape.markings.height == car.distances.shape[1] and shape.markings.width == car.distances.shape[2]
    assert shape.markings.uv.min() > 0 and shape.markings.uv.max() < 1
    assert space.markings == SHEET_MARKINGS


def test_codes_of_the_training_cars_are_standard_normal_numbers(built) -> None:
    _, space, cars, _ = built
    encode = encoder(space, CONFIG)
    codes = np.stack([encode(car) for car in sampled(3, 80)])[:, :-1]
    np.testing.assert_allclose(codes.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose(codes.std(axis=0), 1, atol=0.05)
    np.testing.assert_allclose(np.corrcoef(codes.T) - np.eye(codes.shape[1]), 0, atol=0.1)
    functionals = proportion_functionals(len(space.mean))
    read = np.array([list(space.proportions_of(code).values())[1:] for code in space.examples[:10].astype(np.float32)])
    halves = [space.decode(code * np.append(np.ones(23), 0)).vertices[: len(space.mean)] for code in
              space.examples[:10].astype(np.float32)]  # fmt: skip
    np.testing.assert_allclose(np.einsum("pld,nld->np", functionals, halves)[:, 1:4], read[:, 1:4], atol=2e-3)


def test_the_shipped_space_holds_cars_of_new_seeds(shipped) -> None:
    """Few cars for a quick test; scripts/build_template.py measures 300."""
    figures = measure_space(sampled(77001, 40), shipped.template, shipped.space, SpaceConfig())
    assert figures["vertex_error_mean"] < 0.003
    overlap = figures["overlap"]
    assert overlap["glass"] > 0.92 and min(overlap[name] for name in ("trim", "door", "arch")) > 0.9
    assert min(overlap[name] for name in ("head", "tail", "plate")) > 0.68
    assert max(figures["proportion_error_mean"].values()) < 0.02


def test_shapes_drawn_from_the_shipped_space_have_no_faults(shipped) -> None:
    generator = np.random.default_rng(12)
    faulty = 0
    for _ in range(24):
        found = faults(shipped.space.vertices(shipped.space.sample(generator)), shipped.template)
        assert found["open_edges"] == 0
        faulty += found["flipped_faces"] > 0 or found["crossings"] > 0
    assert faulty <= 3

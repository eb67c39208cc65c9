# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From many measured cars to the car template and its shape space.

Letters: N cars, L vertices of the left half, V all vertices, F faces, M markings, S x T the sheet, K numbers of a code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from backend.common.shape_space import Fold, ShapeSpace, quantized
from backend.render.template import Markings, Parts, Template

from . import template as grids
from .atlas import atlas
from .template import HalfLayout, MeasuredCar

PROPORTIONS = (
    "length",
    "height",
    "width",
    "wheelbase",
    "bonnet",
    "cabin",
    "roof line",
    "tail",
    "wheels",
    "ground clearance",
)


@dataclass(frozen=True)
class SpaceConfig:
    """How the code is chosen."""

    components: int = 96
    """Number K of components, the last of which folds the roof of open cars away."""
    reach: float = 0.03
    """Largest signed distance that is kept, in lengths of the car: only what is near an outline matters."""
    marking_weight: float = 0.35
    """Weight of a distance on the sheet beside the same distance of a vertex, before those of single markings."""
    weights: tuple[tuple[str, float], ...] = (
        ("head", 3.5),
        ("tail", 3.5),
        ("plate", 2.5),
        ("glass", 1.5),
        ("bulb", 0.5),
        ("door", 1.2),
        ("lid", 1.0),
        ("chrome", 1.0),
    )
    """Weights of single markings: small ones count for more, or they would be lost among the large."""
    length_weight: float = 3.0
    """Weight of the logarithm of the real length, beside one vertex."""
    proportion_weight: float = 1.2
    """Weight of a named proportion over the width of its range, beside one vertex: a code shall hold them well,
    because sliders are named by them."""
    examples: int = 600
    """Number of codes of sampled cars that are kept in the space."""


class CarSet:
    """Measured cars as one matrix, with the places that never vary left out."""

    def __init__(self, cars: Iterable[MeasuredCar], count: int, config: SpaceConfig) -> None:
        self.config = config
        for k, car in enumerate(cars):
            clipped = np.clip(car.distances, -config.reach, config.reach)
            if k == 0:
                self.vertices = np.empty((count, *car.vertices.shape), np.float32)
                self.distances = np.empty((count, *clipped.shape), np.float16)
                self.lengths, self.open_top = np.empty(count), np.zeros(count, bool)
            self.vertices[k], self.distances[k], self.lengths[k] = car.vertices, clipped, np.log(car.length)
            self.open_top[k] = car.open_top


def marking_weights(config: SpaceConfig) -> np.ndarray:
    """Return the weights (M,) of the sheet's markings."""
    single = dict(config.weights)
    return config.marking_weight * np.array([single.get(name, 1.0) for name in grids.SHEET_MARKINGS])


def shape_space(cars: CarSet, layout: HalfLayout, config: SpaceConfig) -> ShapeSpace:
    """Return the principal components of vertices, markings and length together, one standard deviation long each."""
    count = len(cars.vertices)
    mean = cars.vertices.mean(axis=0)
    sheet_mean = cars.distances.astype(np.float32).mean(axis=0)
    varying = np.flatnonzero((np.ptp(cars.distances, axis=0) > 1e-4).reshape(-1))
    weights = np.broadcast_to(marking_weights(config)[:, None, None], sheet_mean.shape).reshape(-1)[varying]
    vertices = (cars.vertices - mean).reshape(count, -1)
    sheet = cars.distances.reshape(count, -1)[:, varying].astype(np.float32) - sheet_mean.reshape(-1)[varying]
    length = (cars.lengths - cars.lengths.mean())[:, None]
    # The kernel trick: there are fewer cars than numbers.
    weighted = sheet * weights.astype(np.float32)
    gram = (vertices @ vertices.T).astype(np.float64) + (weighted @ weighted.T).astype(np.float64)
    functionals = proportion_functionals(len(mean))
    measured = np.einsum("pld,nld->np", functionals, cars.vertices)
    ranges = np.percentile(np.column_stack([np.exp(cars.lengths), measured]), [1, 99], axis=0).T
    proportions = config.proportion_weight * (measured - measured.mean(axis=0)) / np.ptp(ranges[1:], axis=1)
    gram += config.length_weight**2 * length @ length.T + proportions @ proportions.T
    _, vectors = np.linalg.eigh(gram)
    codes = vectors[:, ::-1][:, : config.components] * np.sqrt(count)  # (N, K), of unit variance
    codes[:, -1] = 0  # the number of the roof's fold moves nothing else
    back = (codes.T / count).astype(np.float32)
    basis = (back @ vertices).reshape(-1, *mean.shape)
    sheet_basis = np.zeros((config.components, sheet_mean.size), np.float32)
    sheet_basis[:, varying] = back @ sheet
    steps, sizes = quantized(sheet_basis.reshape(-1, *sheet_mean.shape))
    kept, mirrored = _folding(layout)
    length_row = np.concatenate([[cars.lengths.mean()], back @ length[:, 0]]).astype(np.float32)
    of_mean = np.concatenate([[length_row[0]], np.einsum("pld,ld->p", functionals, mean)])
    of_codes = np.concatenate([length_row[None, 1:], np.einsum("pld,kld->pk", functionals, basis)])
    # The first cars are as good as any others for examples.
    examples = codes[: config.examples].copy()
    examples[:, -1] = np.where(cars.open_top[: config.examples], Fold.end + 0.3, 0)
    return ShapeSpace(
        mean=mean, basis=basis.astype(np.float32), kept=kept, mirrored=mirrored,
        markings=grids.SHEET_MARKINGS, sheet_mean=sheet_mean.astype(np.float16).astype(np.float32), sheet_basis=steps,
        sheet_steps=sizes, reach=config.reach, length=length_row, proportions=PROPORTIONS,
        proportion_mean=of_mean.astype(np.float32), proportion_map=of_codes.astype(np.float32),
        proportion_range=ranges.astype(np.float32), examples=examples.astype(np.float16),
        fold=grids.roof_fold(), sink=grids.opening_sink(),
    )  # fmt: skip


def encoder(space: ShapeSpace, config: SpaceConfig) -> Callable[[MeasuredCar], np.ndarray]:
    """Return a function from measured cars to codes (K,): the projection onto the components in the config's weights.

    After rounding to 8 bits the components are not quite orthogonal, so that a small system is solved, once.
    """
    basis = _weighted(space, config)[:, :-1]
    inverse = np.linalg.inv((basis.T @ basis).astype(np.float64)).astype(np.float32) @ basis.T

    def encode(car: MeasuredCar) -> np.ndarray:
        top = Fold.end + 0.3 if car.open_top else 0.0
        return np.append(inverse @ _weighted_car(car, space, config), top).astype(np.float32)

    return encode


def _weighted(space: ShapeSpace, config: SpaceConfig) -> np.ndarray:
    """(D, K): what each number of the code adds to vertices, markings and length, weighted."""
    weights = marking_weights(config)[:, None, None]
    sheet = (space.sheet_directions() * weights).reshape(space.size, -1)
    length = config.length_weight * space.length[1:, None]
    proportions = (_proportion_weights(space, config)[:, None] * space.proportion_map[1:]).T
    parts = [space.basis.reshape(space.size, -1), sheet, length, proportions]
    return np.concatenate(parts, axis=1).T.astype(np.float32)


def _weighted_car(car: MeasuredCar, space: ShapeSpace, config: SpaceConfig) -> np.ndarray:
    weights = marking_weights(config)[:, None, None]
    sheet = (np.clip(car.distances, -space.reach, space.reach) - space.sheet_mean) * weights
    length = config.length_weight * (np.log(car.length) - space.length[0])
    off = np.einsum("pld,ld->p", proportion_functionals(len(space.mean)), car.vertices) - space.proportion_mean[1:]
    off = off * _proportion_weights(space, config)
    parts = [(car.vertices - space.mean).reshape(-1), sheet.reshape(-1), [length], off]
    return np.concatenate(parts).astype(np.float32)


def _proportion_weights(space: ShapeSpace, config: SpaceConfig) -> np.ndarray:
    return config.proportion_weight / np.ptp(space.proportion_range[1:], axis=1)


def _folding(layout: HalfLayout) -> tuple[np.ndarray, np.ndarray]:
    """Return for all vertices which of the left half each is or mirrors (V,), and whether it mirrors it (V,)."""
    others = np.setdiff1d(np.arange(layout.count), layout.centre)
    kept = np.concatenate([np.arange(layout.count), others]).astype(np.int32)
    return kept, np.arange(len(kept)) >= layout.count


def template(layout: HalfLayout, space: ShapeSpace) -> Template:
    """Return the template: the mean shape with parts, atlas and markings."""
    left_faces = np.array(layout.faces)
    others = np.setdiff1d(np.arange(layout.count), layout.centre)
    image = np.arange(layout.count)
    image[others] = layout.count + np.arange(len(others))
    mirror = np.concatenate([image, others]).astype(np.int32)
    left_uv, _ = atlas(layout, space.mean)
    on_sheet = _sheet_uv(layout)
    # A mirrored quad runs the other way round, from the same corner, so that it is cut along the same diagonal.
    turned = [0, 3, 2, 1]
    faces = np.concatenate([left_faces, image[left_faces][:, turned]])
    uv = np.concatenate([left_uv, (left_uv * [-1, 1] + [1, 0])[:, turned]])
    names = tuple(
        dict.fromkeys(
            (
                *grids.LEFT_PARTS[:2],
                *(n for pair in zip(grids.LEFT_PARTS[2:], grids.RIGHT_PARTS[2:], strict=True) for n in pair),
            )
        )
    )
    part = np.array(layout.part)
    left_part = np.array([names.index(name) for name in grids.LEFT_PARTS])[part]
    right_part = np.array([names.index(name) for name in grids.RIGHT_PARTS])[part]
    parts = Parts(
        names,
        np.concatenate([left_part, right_part]).astype(np.int32),
        tuple(name for name in names if name.startswith("wheel")),
    )
    markings = Markings(
        np.concatenate([on_sheet, on_sheet[:, turned]]).astype(np.float32), grids.SHEET_HEIGHT, grids.SHEET_WIDTH
    )
    return Template(space.unfolded(space.mean), faces.astype(np.int32), uv.astype(np.float32), mirror, parts, markings)


def _sheet_uv(layout: HalfLayout) -> np.ndarray:
    """Return the places (F, 4, 2) of the left half's corners on the sheet, as UVs at the centres of its samples."""
    places = np.array(
        [
            [grids.sheet_place(part, *corner) for corner in corners]
            for part, corners in zip(layout.part, layout.corner_grid, strict=True)
        ]
    )
    return np.stack([(places[..., 1] + 0.5) / grids.SHEET_WIDTH, 1 - (places[..., 0] + 0.5) / grids.SHEET_HEIGHT], -1)


def proportion_functionals(count: int) -> np.ndarray:
    """Return (P - 1, L, 3): the proportions but for the length as weighted sums of the left half's coordinates."""
    body = np.arange(len(grids.BODY_ROWS) * len(grids.BODY_COLUMNS)).reshape(len(grids.BODY_ROWS), -1)
    nose, tail = body.size, body.size + 1
    cabin = body.size + 2 + np.arange(len(grids.CABIN_ROWS) * len(grids.CABIN_COLUMNS))
    cabin = cabin.reshape(len(grids.CABIN_ROWS), -1)
    wheel_size = (grids.WHEEL_ROWS - 2) * grids.WHEEL_COLUMNS + 2
    front = cabin.max() + 1 + len(grids.CABIN_ROWS) + np.arange(wheel_size)
    rear = front + wheel_size
    ring = len(grids.RIM_ROWS) + grids.TYRE_ROWS.index(4)
    tread = front[ring * grids.WHEEL_COLUMNS : (ring + 1) * grids.WHEEL_COLUMNS]
    bottom, top = tread[3 * grids.WHEEL_COLUMNS // 4], tread[grids.WHEEL_COLUMNS // 4]
    row, column = grids.BODY_ROWS.index, grids.BODY_COLUMNS.index
    cabin_row = grids.CABIN_ROWS.index
    roof = cabin[cabin_row(26) : cabin_row(38) + 1, -1]
    result = np.zeros((len(PROPORTIONS) - 1, count, 3))

    def add(name: str, axis: int, plus, minus, factor: float = 1.0) -> None:
        line = result[PROPORTIONS.index(name) - 1]
        for points, sign in ((plus, 1.0), (minus, -1.0)):
            points = np.atleast_1d(points)
            np.add.at(line[:, axis], points, sign * factor / len(points))

    add("height", 2, roof, bottom)
    widest = body[row(52), column(19)]
    line = result[PROPORTIONS.index("width") - 1]
    line[widest, 0] = 2.0
    add("wheelbase", 1, rear, front)
    add("bonnet", 1, cabin[0, -1], nose)
    add("cabin", 1, cabin[-1, -1], cabin[0, -1])
    add("roof line", 1, cabin[cabin_row(47), -1], cabin[cabin_row(20), -1])
    add("tail", 1, tail, cabin[-1, -1])
    add("wheels", 2, top, bottom, 0.5)
    add("ground clearance", 2, body[row(52), 0], bottom)
    return result

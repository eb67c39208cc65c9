# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How well a shape space holds cars that it was not made from."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from backend.common.shape_space import ShapeSpace
from backend.render.template import Template

from .shape_space import SpaceConfig, encoder, proportion_functionals
from .template import MeasuredCar


def measure_space(cars: Iterable[MeasuredCar], template: Template, space: ShapeSpace, config: SpaceConfig) -> dict:
    """Encode and decode cars; return the figures.

    vertices: mean and 99th percentile of the distance between a vertex as the generator renders it and its decoded
    place, in lengths of the car.
    overlap: intersection over union of the inside of each marking on the sheet's samples that the template shows, all
    cars together (an absent marking that stays absent counts for nothing, one that appears counts against).
    proportions: mean and 95th percentile of the error of those read from codes, in parts of their range.
    """
    encode = encoder(space, config)
    functionals = proportion_functionals(len(space.mean))
    errors, both, either, off, codes = [], 0, 0, [], []
    for car in cars:
        code = encode(car)
        codes.append(code)
        decoded = space.decode(code)
        half = decoded.vertices[: len(space.mean)]
        error = np.linalg.norm(half - car.rendered, axis=1)
        # An open car has no roof that the folded one could be compared with.
        errors.append(np.delete(error, space.fold.vertices) if car.open_top else error)
        inside, true = decoded.distances < 0, car.distances < 0
        both = both + (inside & true).sum(axis=(1, 2))
        either = either + (inside | true).sum(axis=(1, 2))
        known = [car.length, *np.einsum("pld,ld->p", functionals, car.vertices)]
        read = list(space.proportions_of(code).values())
        off.append(np.abs(np.array(read) - known) / np.ptp(space.proportion_range, axis=1))
    distance, deviation = np.concatenate(errors), np.array(off)
    overlap = both / np.maximum(either, 1)
    return {
        "held_out": len(errors),
        "vertex_error_mean": float(distance.mean()),
        "vertex_error_99": float(np.percentile(distance, 99)),
        "overlap": dict(zip(space.markings, overlap.round(4).tolist(), strict=True)),
        "proportion_error_mean": dict(zip(space.proportions, deviation.mean(axis=0).round(5).tolist(), strict=True)),
        "proportion_error_95": dict(
            zip(space.proportions, np.percentile(deviation, 95, axis=0).round(5).tolist(), strict=True)
        ),
        "code_deviation": float(np.std(codes)),
    }

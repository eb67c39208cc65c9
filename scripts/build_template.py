# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make the template of cars with parts, and its shape space, from the generator of parametric cars.

    python scripts/build_template.py --out DIR [--cars N] [--seed S] [--held-out N] [--report FILE]

Writes parts_template.npz and shape_space.npz into DIR, which may be a bundle, and measures both on cars of other seeds.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from dataset.cars.car import car_parts
from dataset.cars.parameters import sample_parameters, sample_style
from dataset.cars.shape_space import CarSet, SpaceConfig, shape_space, template
from dataset.cars.space_measures import measure_space
from dataset.cars.template import MeasuredCar, half_layout, measure
from tqdm import tqdm

from backend.common import files
from backend.common.bundle_files import PARTS_TEMPLATE, SHAPE_SPACE


def sampled_cars(seed: int, count: int, words: str) -> Iterator[MeasuredCar]:
    """Yield cars 0 to count - 1 of a seed, the very ones that render_dataset.py shows."""
    for k in tqdm(range(count), desc=words, unit="car"):
        rng = np.random.default_rng([seed, k])
        yield measure(car_parts(sample_parameters(rng, sample_style(rng)), rng))


def main() -> int:
    """Run the program; return its exit code."""
    parser = argparse.ArgumentParser(prog="build_template", description="Make the car template and its shape space.")
    parser.add_argument("--out", type=Path, required=True, help="folder for parts_template.npz and shape_space.npz")
    parser.add_argument("--cars", type=int, default=3000, help="sampled cars (at least 100)")
    parser.add_argument("--seed", type=int, default=2000, help="of the sampled cars")
    parser.add_argument("--held-out", type=int, default=300, help="cars of another seed to measure on")
    parser.add_argument("--components", type=int, default=SpaceConfig.components, help="numbers of a code")
    parser.add_argument("--report", type=Path, help="JSON file for the figures")
    options = parser.parse_args()
    if options.cars < max(100, options.components + 1):
        parser.error(f"--cars must be at least {max(100, options.components + 1)}, not {options.cars}.")
    config = SpaceConfig(components=options.components)
    start = time.perf_counter()
    layout = half_layout()
    cars = CarSet(sampled_cars(options.seed, options.cars, "Sampling"), options.cars, config)
    space = shape_space(cars, layout, config)
    shape = template(layout, space)
    options.out.mkdir(parents=True, exist_ok=True)
    shape.save(options.out / PARTS_TEMPLATE)
    space.save(options.out / SHAPE_SPACE)
    held_out = sampled_cars(options.seed + 1, options.held_out, "Measuring")
    figures = {
        "cars": options.cars,
        "seed": options.seed,
        "components": options.components,
        "vertices": len(shape.vertices),
        "faces": len(shape.quads),
        "seconds": time.perf_counter() - start,
        **measure_space(held_out, shape, space, config),
    }
    if options.report:
        files.write_json(options.report, figures)
    print(json.dumps(figures, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

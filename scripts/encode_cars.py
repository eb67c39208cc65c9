#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes what a shape space knows of rendered parametric cars: their codes, palettes and painted textures.

    python scripts/encode_cars.py DATA [--bundle car] [--texture-size 128]

DATA was made by scripts/render_dataset.py without --meshes. Its cars are built again from their seeds, laid into the
shape space and painted by their markings in their true colours. ``codes.npz`` beside ``dataset.json`` then has, for
each finished object in order, ``names``, ``codes`` (N, K), ``palettes`` (N, R, 5) and ``textures`` (N, T, T, 3).
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from dataset.cars.car import car_parts
from dataset.cars.parameters import sample_parameters, sample_style
from dataset.cars.shape_space import SpaceConfig, encoder
from dataset.cars.template import measure
from tqdm import tqdm

from backend.common.files import replacing
from backend.common.regions import Finish, Palette
from backend.common.truth_codes import FILE_NAME
from backend.errors import UnrenderError
from backend.pipeline.paint import paint
from backend.weights.bundle import load_named_parts


def palette_of(colours: dict[str, Any]) -> Palette:
    """Return the plain palette with the true base colours of the regions that are named."""
    plain = Palette()
    known = {name: colour for name, colour in colours.items() if hasattr(plain, name)}
    finishes: dict[str, Finish] = {}
    for name, (red, green, blue) in known.items():
        finishes[name] = replace(getattr(plain, name), colour=(red, green, blue))
    return replace(plain, **finishes)


def main() -> int:
    """Run the program; return its exit code."""
    parser = argparse.ArgumentParser(prog="encode_cars", description="Write the codes of rendered parametric cars.")
    parser.add_argument("data", type=Path, help="folder made by scripts/render_dataset.py")
    parser.add_argument("--bundle", default="car", help="name or folder of the bundle with the shape space")
    parser.add_argument("--texture-size", type=int, default=128, help="side of the painted textures in texels")
    options = parser.parse_args()
    folders = sorted(path.parent for path in options.data.glob("objects/*/object.json"))
    if not folders:
        parser.error(f"No rendered object lies in {options.data}; make some with scripts/render_dataset.py.")
    try:
        model = load_named_parts(options.bundle)
    except UnrenderError as error:
        parser.error(str(error))
    encode = encoder(model.space, SpaceConfig(components=model.space.size))
    codes, palettes, textures = [], [], []
    for folder in tqdm(folders, desc="Encoding", unit="car"):
        record = json.loads((folder / "object.json").read_text(encoding="utf-8"))
        if "parameters" not in record:
            parser.error(f"{folder} is no parametric car: its mesh came from a file.")
        rng = np.random.default_rng(record["seed"])
        code = encode(measure(car_parts(sample_parameters(rng, sample_style(rng)), rng)))
        palette = palette_of(record["base_colours"])
        decoded = model.space.decode(code)
        maps = paint(
            model.template, decoded.vertices, model.space.markings, decoded.distances, palette, options.texture_size
        )
        codes.append(code)
        palettes.append(palette.array())
        textures.append(maps.base_colour)
    arrays = {"codes": np.stack(codes), "palettes": np.stack(palettes), "textures": np.stack(textures)}
    with replacing(options.data / FILE_NAME) as partial, partial.open("wb") as file:
        np.savez_compressed(file, names=np.array([folder.name for folder in folders]), **arrays)
    print(f"{len(folders)} cars: {options.data / FILE_NAME}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

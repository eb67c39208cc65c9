# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The bundles in the repository: small enough, usable, under the terms that they ought to have, and accounted for."""

from __future__ import annotations

import math
import sys
import tomllib
from pathlib import Path

import pytest
import torch

from backend.common.bundle_files import (
    BUNDLED,
    CARD,
    GENERATOR,
    INVERSE_GRAPHICS,
    PARTS_NETWORK,
    PARTS_TEMPLATE,
    RESEARCH,
    SHAPE_SPACE,
)
from backend.common.shape_space import ShapeSpace
from backend.models.parts_network import load_parts_network
from backend.render.template import Template
from backend.training.parts.drawn_cars import DrawnCars, DrawnConfig
from backend.training.parts.examples import plain
from backend.weights.bundle import (
    bundle_folders,
    load_bundle,
    read_card,
    segmenter_file,
)
from backend.weights.generator_bundle import load_generator_bundle

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))
import build_extension

OWN_LICENCE = "GPL-3.0-or-later"
SHIPPED = [card.parent for root in (BUNDLED, RESEARCH) for card in sorted(root.glob(f"*/{CARD}"))]
FOR_IMAGE_TO_3D = [folder for folder in SHIPPED if (folder / INVERSE_GRAPHICS).exists()]
WITH_GENERATOR = [folder for folder in SHIPPED if (folder / GENERATOR).exists()]


def test_weights_that_ship_are_small_enough() -> None:
    """Those of research are left out of the extension, and of the sum."""
    sizes = [path.stat().st_size for folder in SHIPPED if folder.parent == BUNDLED for path in folder.iterdir()]
    assert max(sizes) <= 15 * 2**20 and sum(sizes) <= 30 * 2**20


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_no_file_in_the_repository_is_too_large(folder: Path) -> None:
    assert max(path.stat().st_size for path in folder.iterdir()) <= 15 * 2**20


@pytest.mark.parametrize("folder", SHIPPED, ids=lambda folder: folder.name)
def test_terms_say_where_a_bundle_belongs(folder: Path) -> None:
    card = read_card(folder)
    blocks = [card, *(block for block in card.values() if isinstance(block, dict))]
    licences = {block["licence"] for block in blocks if "licence" in block}
    assert licences == {OWN_LICENCE} or folder.parent == RESEARCH
    assert bundle_folders()[folder.name] == folder


@pytest.mark.parametrize("folder", FOR_IMAGE_TO_3D, ids=lambda folder: folder.name)
def test_a_shipped_network_loads_with_what_lies_beside_it(folder: Path) -> None:
    card = read_card(folder)
    assert segmenter_file(folder, card).parent == (BUNDLED / card["segmenter"] if "segmenter" in card else folder)
    loaded = load_bundle(folder.name)
    assert loaded.name == card["name"] == folder.name
    seen = loaded.inverse_graphics(torch.rand(2, 4, card["resolution"], card["resolution"]))
    assert all(torch.isfinite(value).all() for value in vars(seen).values())


def test_the_cars_say_what_taught_the_networks_that_saw_photographs() -> None:
    card = read_card(BUNDLED / "car")
    for name in ("segmenter_network", "parts_network"):
        block = card[name]
        assert "photographs" in block["data"] and "No picture" in block["data"]
        assert block["licence"] == OWN_LICENCE and "train.py" in block["recipe"]
        assert block["training"]["steps"] > 0 and block["training"]["seconds"] > 0 and block["metrics"]


def test_the_cars_of_research_are_those_that_ship_but_for_one_network() -> None:
    folder, own = RESEARCH / "car-research", BUNDLED / "car"
    for name in (INVERSE_GRAPHICS, PARTS_TEMPLATE, SHAPE_SPACE):
        assert (folder / name).read_bytes() == (own / name).read_bytes()
    assert (folder / PARTS_NETWORK).read_bytes() != (own / PARTS_NETWORK).read_bytes()
    card = read_card(folder)
    assert card["segmenter"] == "car" and "Stanford Cars" in card["parts_network"]["data"]
    assert "non-commercial" in card["parts_network"]["licence"]


@pytest.mark.parametrize("folder", [BUNDLED / "car", RESEARCH / "car-research"], ids=lambda folder: folder.name)
def test_the_cars_tell_a_front_from_a_rear(folder: Path) -> None:
    """A drawn car, of a code that the bundle itself holds, seen from both ends and from the sides."""
    space, template = ShapeSpace.load(folder / SHAPE_SPACE), Template.load(folder / PARTS_TEMPLATE)
    network = load_parts_network(folder / PARTS_NETWORK)
    cars = DrawnCars(space, template, DrawnConfig(codes=8), torch.device("cpu"), seed=3)
    grounds = torch.full((24, 3, 8, 8), 0.5)
    truth, crops = plain(cars.draw(24, 224, grounds, torch.Generator().manual_seed(1)), network.config.image_size)
    found, _ = network(crops).azimuths()
    error = torch.rad2deg((torch.remainder(found[:, 0] - truth.azimuth + math.pi, 2 * math.pi) - math.pi).abs())
    assert error.median() < 5 and (error > 90).float().mean() < 0.1


@pytest.mark.parametrize("folder", WITH_GENERATOR, ids=lambda folder: folder.name)
def test_a_shipped_generator_makes_pictures_that_differ(folder: Path) -> None:
    loaded = load_generator_bundle(folder.name)
    z = torch.randn(4, loaded.generator.config.z_dim, generator=torch.Generator().manual_seed(0))
    pictures = loaded.to_pictures(loaded.generator(z, truncation=0.7, noise="const"))
    assert pictures.shape == (4, *loaded.content[2:], 3)
    assert pictures.std(axis=(1, 2)).min() > 5 and pictures.std(axis=0).mean() > 10
    training = loaded.info["training"]
    assert training["kimg"] > 0 and training["seconds"] > 0 and loaded.info["data"] and loaded.info["metrics"]


def test_the_extension_holds_only_weights_under_its_own_terms() -> None:
    patterns = tomllib.loads((ROOT / "blender_manifest.toml").read_text("utf-8"))["build"]["paths_exclude_pattern"]
    packed = [path for path in build_extension.candidates() if not build_extension.is_excluded(path, patterns)]
    assert not [path for path in packed if path.startswith("backend/weights/research/")]
    assert {f"backend/weights/bundles/{path.name}/{CARD}" for path in BUNDLED.iterdir()} <= set(packed)

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The generators that ``build_bundle.py`` puts into a bundle: of images, of shapes, and the neural renderer."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from ..common.bundle_files import NEURAL_RENDERER, SHAPE_SPACE, STYLE_MAPPING
from ..errors import BundleError
from ._build_bundle_card import RENDERER_BLOCK, put_block

if TYPE_CHECKING:
    from ..models.storage import Precision


def put_generator(options: argparse.Namespace) -> str:
    """Writes the generator and its block of the card; returns a line to print. Raises BundleError."""
    from ..data.images import ImageSetConfig
    from ..weights import run_folder
    from ..weights.generator_bundle import GeneratorCard, add_generator
    from ..weights.importers.stylegan2_import import check_generator

    run = run_folder.Run.read(options.generator)
    named = ("batch", "learning_rate", "r1_weight", "mirror", "start", "seed")
    with run_folder.usable(run.folder):
        images = ImageSetConfig(**run.images())
        generator = run.generator()
        training = {"task": "stylegan2", **run.progress()}
        training |= {name: run.config[name] for name in named if run.config.get(name) not in (None, "")}
        metrics = run.last_figures(training["steps"])
    check_generator(generator, run.folder.name)
    card = GeneratorCard(
        resolution=generator.config.resolution,
        content=images.content(),
        source=f"trained with train.py stylegan2, run {run.folder.resolve().name}",
        licence=options.licence,
        data=options.data_note,
        images=run.images(),
        training=training,
        metrics=metrics,
        notes=options.notes,
    )
    add_generator(options.out, generator, card, category=options.category, precision=options.precision or "half")
    return f"generator: {images.resolution} px, {training['kimg']} kimg"


def put_shape_generator(options: argparse.Namespace) -> str:
    """Writes the generator of shapes and its block of the card; returns a line to print. Raises BundleError."""
    from ..weights import run_folder
    from ..weights.shape_generator_bundle import add_shape_generator

    run = run_folder.Run.read(options.shape_generator)
    named = ("batch", "learning_rate", "r1_weight", "mirror", "seed")
    with run_folder.usable(run.folder):
        training = {"task": "gan3d", **run.progress()}
        training |= {name: run.config[name] for name in named if run.config.get(name) not in (None, "")}
        metrics = run.last_figures(training["steps"])
    block = {
        "source": f"trained with train.py gan3d, run {run.folder.resolve().name}",
        "licence": options.licence,
        "data": options.data_note,
        "training": training,
        "metrics": metrics,
        "notes": options.notes,
    }
    resolution = add_shape_generator(
        options.out,
        run.folder,
        block,
        category=options.category,
        real_size=options.real_size,
        precision=options.precision or "half",
    )
    return f"generator of shapes: pictures of {resolution} px, {training['kimg']} kimg"


def put_neural_renderer(options: argparse.Namespace) -> str:
    """Puts StyleGAN-R into a bundle that has a shape space; returns a line to print. Raises BundleError or OSError."""
    from ..common.shape_space import ShapeSpace
    from ..models.storage import save_network
    from ..weights.bundle import read_card
    from ..weights.neural_renderer import load_neural_renderer

    renderer = load_neural_renderer(options.neural_renderer)
    if not (options.out / SHAPE_SPACE).is_file():
        raise BundleError(f"{options.out} has no template with parts: make it first, with scripts/build_template.py.")
    size, numbers = ShapeSpace.load(options.out / SHAPE_SPACE).size, renderer.mapping.config.shape_code
    if numbers > size:
        raise BundleError(
            f"{options.neural_renderer} does not fit {options.out}, whose codes have {size} numbers, fewer than "
            f"{numbers}."
        )
    read_card(options.out)  # before anything is written
    precision: Precision = options.precision or "int8"
    save_network(options.out / STYLE_MAPPING, renderer.mapping, renderer.mapping.config, precision=precision)
    save_network(options.out / NEURAL_RENDERER, renderer.generator, renderer.generator.config, precision=precision)
    put_block(options, RENDERER_BLOCK, options.neural_renderer)
    return f"neural renderer: pictures of {renderer.resolution} px"

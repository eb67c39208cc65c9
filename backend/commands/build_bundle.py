# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts trained networks together as a bundle: those of Image to 3D, an image generator, or both.

    python -m backend.commands.build_bundle --inverse-graphics RUN --segmenter FILE_OR_BUNDLE --out DIR
            --category car --real-size 4.5 --data-note "..." --licence "..."
    python -m backend.commands.build_bundle --generator RUN --out DIR --data-note "..." --licence "..."
    python -m backend.commands.build_bundle --out DIR [--precision int8] [--title "..."] [--description "..."]

RUN is a folder that ``train.py inverse-graphics``, on views of known or of unknown cameras, or ``train.py stylegan2``
made; a run that is still going gives its last checkpoint's average. What DIR holds beside what is named stays. The
notes and the licence are said of the networks that are named. A segmenter is copied from a file; named as the bundle
that has it, it is shared with that bundle and not copied. The last line stores the network that DIR holds anew, in 8
bits a weight, or changes how the add-on shows the bundle; the rest of the card stays.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.bundle_files import CARD, INVERSE_GRAPHICS, SEGMENTER, TEMPLATE
from ..common.files import replacing
from ..errors import BundleError
from .entry import guarded

if TYPE_CHECKING:
    from ..models.storage import Precision
    from ..weights.run_folder import Run

PROGRAM = "build_bundle.py"
TEXTS = ("title", "description")
"""Of a card: how the add-on shows the bundle."""


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns the checked command line; leaves the program on a wrong one."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Puts trained networks together.")
    parser.add_argument("--inverse-graphics", type=Path, metavar="RUN", help="a run of train.py inverse-graphics")
    parser.add_argument(
        "--segmenter", metavar="FILE_OR_BUNDLE", help="safetensors to copy, or name of a bundle; default: as in DIR"
    )
    parser.add_argument("--generator", type=Path, metavar="RUN", help="a run of train.py stylegan2")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the bundle's folder")
    parser.add_argument("--precision", choices=("half", "int8"), help="of the network for Image to 3D; default: half")
    parser.add_argument("--title", help="what the add-on calls the bundle; default: its name")
    parser.add_argument("--description", help="a sentence for those who choose among bundles")
    parser.add_argument("--category", default="car")
    parser.add_argument("--real-size", type=float, default=4.5, metavar="METRES", help="longest side of such an object")
    parser.add_argument("--data-note", default="", help="what it was trained on")
    parser.add_argument("--notes", default="", help="what else a reader of the card should know about the training")
    parser.add_argument("--licence", default="GPL-3.0-or-later", help="SPDX name or terms of the weights")
    options = parser.parse_args(arguments)
    changes = (options.precision, options.title, options.description)
    if options.inverse_graphics is None and options.generator is None and changes == (None, None, None):
        parser.error("name a run with --inverse-graphics, with --generator, or one with each, or what DIR is to change")
    if options.segmenter is not None and options.inverse_graphics is None:
        parser.error("--segmenter belongs to --inverse-graphics")
    return options


def main(arguments: list[str]) -> int:
    """Puts the bundle together, and prints its size; returns the exit code."""
    options = parse(arguments)
    return guarded(PROGRAM, lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Does what the options name. Raises UnrenderError or OSError with one sentence."""
    if options.inverse_graphics is not None:
        print(put_inverse_graphics(options))
    if options.generator is not None:
        print(put_generator(options))
    if options.inverse_graphics is None and options.precision is not None:
        print(store_anew(options.out, options.precision))
    put_texts(options)
    size = sum(path.stat().st_size for path in options.out.iterdir())
    print(f"{options.out}: {size / 2**20:.1f} MiB in all")
    return 0


def put_inverse_graphics(options: argparse.Namespace) -> str:
    """Writes network, template, segmenter and card; returns a line to print. Raises BundleError or OSError."""
    from ..models.storage import save_network
    from ..weights import run_folder
    from ..weights.bundle import FORMAT, read_card, write_card

    run = run_folder.Run.read(options.inverse_graphics)
    with run_folder.usable(run.folder):
        network, template = run.network()
        training = training_of(run)
        metrics = run.last_figures()
    before = read_card(options.out) if (options.out / CARD).exists() else {}
    shared = find_segmenter(options.out, options.segmenter, before)
    card = {
        "format": FORMAT,
        "name": options.out.name,
        **{name: before[name] for name in TEXTS if name in before},
        "category": options.category,
        "resolution": network.config.image_size,
        "real_size": options.real_size,
        "data": options.data_note,
        "licence": options.licence,
        "training": training,
        "notes": options.notes,
        "metrics": metrics,
        "date": date.today().isoformat(),
        **({} if shared is None else {"segmenter": shared}),
        **({"generator": before["generator"]} if "generator" in before else {}),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    save_network(options.out / INVERSE_GRAPHICS, network, network.config, precision=options.precision or "half")
    template.save(options.out / TEMPLATE)
    if options.segmenter is not None and shared is None:
        with replacing(options.out / SEGMENTER) as partial:
            shutil.copyfile(options.segmenter, partial)
    write_card(options.out, card)
    return f"inverse graphics: step {training['steps']}"


def training_of(run: Run) -> dict[str, Any]:
    """Returns the card's account of a run's training, with what became of the cameras where they were found by it."""
    config = run.config
    named = ("batch", "learning_rate", "render_batch", "render_size", "weights")
    training = {
        "task": "inverse-graphics",
        "steps": run.progress()["steps"],
        **{name: config[name] for name in named},
        **({"start": Path(config["start"]).name} if config.get("start") else {}),
        "recipe": f"train.py inverse-graphics, preset values as in this card, seed {config['seed']}",
    }
    if (run.folder / "cameras.json").exists():
        cameras = json.loads((run.folder / "cameras.json").read_text(encoding="utf-8"))
        training["cameras"] = {"views": len(cameras["views"]), "mean_change_deg": float(cameras["mean_change_deg"])}
    return training


def find_segmenter(out: Path, named: str | None, before: dict[str, Any]) -> str | None:
    """Returns the name of the bundle whose segmenter is used, None where it is DIR's own. Raises BundleError.

    ``named`` is a file to copy, the name of a bundle, or None for what DIR has by its files and its card ``before``.
    """
    from ..models.segmenter import load_segmenter
    from ..weights.bundle import bundle_folders

    if named is None:
        return before.get("segmenter")
    if Path(named).is_file():
        try:
            load_segmenter(Path(named))
        except (ValueError, TypeError) as error:
            raise BundleError(f"{named} holds no segmenter: {error}") from error
        return None
    at_hand = bundle_folders(SEGMENTER)
    if named not in at_hand:
        raise BundleError(f"There is no file and no bundle with a segmenter '{named}'; bundles: {', '.join(at_hand)}.")
    if (out / SEGMENTER).exists():
        raise BundleError(f"{out} has a segmenter of its own, which comes before that of '{named}': remove it first.")
    return named


def store_anew(folder: Path, precision: Precision) -> str:
    """Stores a bundle's network for Image to 3D in another precision; returns a line to print. Raises BundleError."""
    from ..models.storage import save_network
    from ..render.template import Template
    from ..weights.bundle import load_inverse_graphics, read_card

    path = folder / INVERSE_GRAPHICS
    read_card(folder)
    try:
        before = path.stat().st_size
        network = load_inverse_graphics(path, Template.load(folder / TEMPLATE))
        save_network(path, network, network.config, precision=precision)
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise BundleError(f"The network in {folder} cannot be stored anew: {error}") from error
    return f"inverse graphics: {before / 1e6:.1f} MB became {path.stat().st_size / 1e6:.1f} MB"


def put_texts(options: argparse.Namespace) -> None:
    """Writes title and description into the card, where they are given. Raises BundleError."""
    from ..weights.bundle import read_card, write_card

    texts = {name: text for name in TEXTS if (text := getattr(options, name)) is not None}
    if texts:
        card = read_card(options.out)
        head = {name: card.pop(name) for name in ("date", "format", "name") if name in card}
        texts = {name: card.pop(name) for name in TEXTS if name in card} | texts
        try:
            write_card(options.out, head | texts | card)
        except OSError as error:
            raise BundleError(f"The card in {options.out} cannot be written: {error}") from error


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
    add_generator(options.out, generator, card, category=options.category)
    return f"generator: {images.resolution} px, {training['kimg']} kimg"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

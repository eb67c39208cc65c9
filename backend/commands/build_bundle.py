# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts trained networks together as a bundle: those of Image to 3D, an image generator, or all of them.

    python -m backend.commands.build_bundle --inverse-graphics RUN --segmenter FILE_OR_BUNDLE --out DIR
            --category car --real-size 4.5 --data-note "..." --licence "..."
    python -m backend.commands.build_bundle --generator RUN --out DIR --data-note "..." --licence "..."
    python -m backend.commands.build_bundle --shape-generator RUN --out DIR --category car --real-size 4.5
            --data-note "..." --licence "..." [--precision int8]
    python -m backend.commands.build_bundle --parts RUN_OR_FILE --out DIR --data-note "..." --licence "..."
    python -m backend.commands.build_bundle --segmenter FILE --out DIR --data-note "..." --licence "..."
    python -m backend.commands.build_bundle --neural-renderer RUN --out DIR --data-note "..." --licence "..."
    python -m backend.commands.build_bundle --out DIR [--precision int8] [--title "..."] [--description "..."]

RUN is a folder that ``train.py inverse-graphics``, on views of known or of unknown cameras, ``train.py stylegan2``,
``train.py gan3d`` or ``train.py parts`` made; a run that is still going gives its last checkpoint's average. What DIR
holds beside what is named stays. The notes and the licence are said of the networks that are named. A segmenter is
copied from a file; named as the bundle that has it, it is shared with that bundle and not copied. The network for
objects with parts and the neural renderer (a run of ``train.py disentangle``) are put beside the template with parts
that DIR holds, in 8 bits a weight. A generator of shapes may be all that a bundle has. The last line stores what
DIR holds anew, in 8 bits a weight, or changes how the add-on shows the bundle; the rest of its card stays.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.bundle_files import (
    CARD,
    GENERATOR,
    INVERSE_GRAPHICS,
    PARTS_NETWORK,
    SEGMENTER,
    SHAPE_GENERATOR,
    SHAPE_SPACE,
    TEMPLATE,
)
from ..common.files import replacing
from ..common.json_files import read_object
from ..errors import BundleError
from ._build_bundle_card import KEPT, PARTS_BLOCK, SEGMENTER_BLOCK, TEXTS, put_block, put_texts
from ._build_bundle_generators import put_generator, put_neural_renderer, put_shape_generator
from .entry import guarded

if TYPE_CHECKING:
    from ..models.storage import Precision
    from ..weights.run_folder import Run

PROGRAM = "build_bundle.py"
STORED_ANEW = (INVERSE_GRAPHICS, GENERATOR, SHAPE_GENERATOR, SEGMENTER, PARTS_NETWORK)


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns the checked command line; leaves the program on a wrong one."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Puts trained networks together.")
    parser.add_argument("--inverse-graphics", type=Path, metavar="RUN", help="a run of train.py inverse-graphics")
    parser.add_argument(
        "--segmenter", metavar="FILE_OR_BUNDLE", help="safetensors to copy, or name of a bundle; default: as in DIR"
    )
    parser.add_argument("--generator", type=Path, metavar="RUN", help="a run of train.py stylegan2")
    parser.add_argument("--shape-generator", type=Path, metavar="RUN", help="a run of train.py gan3d")
    parser.add_argument("--parts", type=Path, metavar="RUN_OR_FILE", help="a run of train.py parts, or its safetensors")
    parser.add_argument("--neural-renderer", type=Path, metavar="RUN", help="a run of train.py disentangle")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the bundle's folder")
    parser.add_argument(
        "--precision", choices=("half", "int8"), help="of the networks; default: half, for --parts int8"
    )
    parser.add_argument("--title", help="what the add-on calls the bundle; default: its name")
    parser.add_argument("--description", help="a sentence for those who choose among bundles")
    parser.add_argument("--category", default="car")
    parser.add_argument("--real-size", type=float, default=4.5, metavar="METRES", help="longest side of such an object")
    parser.add_argument("--data-note", default="", help="what it was trained on")
    parser.add_argument("--notes", default="", help="what else a reader of the card should know about the training")
    parser.add_argument("--licence", default="GPL-3.0-or-later", help="SPDX name or terms of the weights")
    options = parser.parse_args(arguments)
    if not names_networks(options) and all(getattr(options, name) is None for name in ("precision", *TEXTS)):
        parser.error(
            "name a run with --inverse-graphics, --generator, --shape-generator, --parts or --neural-renderer, or what "
            "DIR is to change"
        )
    if options.segmenter is not None and options.inverse_graphics is None and not Path(options.segmenter).is_file():
        parser.error("--segmenter without --inverse-graphics has to be a file")
    return options


def names_networks(options: argparse.Namespace) -> bool:
    """Returns whether the command line names a network to put in."""
    named = (
        options.inverse_graphics, options.segmenter, options.generator, options.shape_generator, options.parts,
        options.neural_renderer,
    )  # fmt: skip
    return any(network is not None for network in named)


def main(arguments: list[str]) -> int:
    """Puts the bundle together, and prints its size; returns the exit code."""
    options = parse(arguments)
    return guarded(PROGRAM, lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Does what the options name. Raises UnrenderError or OSError with one sentence."""
    if options.inverse_graphics is not None:
        print(put_inverse_graphics(options))
    elif options.segmenter is not None:
        print(put_segmenter(options))
    if options.generator is not None:
        print(put_generator(options))
    if options.shape_generator is not None:
        print(put_shape_generator(options))
    if options.parts is not None:
        print(put_parts(options))
    if options.neural_renderer is not None:
        print(put_neural_renderer(options))
    if options.precision is not None and not names_networks(options):
        print("\n".join(store_anew(options.out, options.precision)))
    put_texts(options)
    size = sum(path.stat().st_size for path in options.out.iterdir())
    print(f"{options.out}: {size / 2**20:.1f} MiB in all")
    return 0


def put_inverse_graphics(options: argparse.Namespace) -> str:
    """Writes network, template, segmenter and card; returns a line to print. Raises BundleError or OSError."""
    from ..models.segmenter import load_segmenter
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
        **{name: before[name] for name in KEPT if name in before},
    }
    if options.segmenter is None and SEGMENTER_BLOCK in before:
        card[SEGMENTER_BLOCK] = before[SEGMENTER_BLOCK]
    options.out.mkdir(parents=True, exist_ok=True)
    save_network(options.out / INVERSE_GRAPHICS, network, network.config, precision=options.precision or "half")
    template.save(options.out / TEMPLATE)
    if options.segmenter is not None and shared is None:
        if options.precision is None:
            with replacing(options.out / SEGMENTER) as partial:
                shutil.copyfile(options.segmenter, partial)
        else:
            segmenter = load_segmenter(Path(options.segmenter))
            save_network(options.out / SEGMENTER, segmenter, segmenter.config, precision=options.precision)
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
        **{name: Path(config[name]).name for name in ("start", "parts") if config.get(name)},
        "recipe": f"train.py inverse-graphics, preset values as in this card, seed {config['seed']}",
    }
    if (run.folder / "cameras.json").exists():
        cameras = read_object(run.folder / "cameras.json")
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


def put_segmenter(options: argparse.Namespace) -> str:
    """Puts a segmenter's file into a bundle that is there; returns a line to print. Raises BundleError or OSError."""
    from ..models.segmenter import load_segmenter
    from ..models.storage import save_network
    from ..weights.bundle import read_card

    source = Path(options.segmenter)
    try:
        network = load_segmenter(source)
    except (ValueError, TypeError) as error:
        raise BundleError(f"{source} holds no segmenter: {error}") from error
    read_card(options.out)  # before anything is written
    save_network(options.out / SEGMENTER, network, network.config, precision=options.precision or "half")
    put_block(options, SEGMENTER_BLOCK, source.parent)
    return f"segmenter: pictures of {network.config.resolution} px"


def put_parts(options: argparse.Namespace) -> str:
    """Puts the network for objects with parts into a bundle that has their template; returns a line to print.

    Raises BundleError or OSError.
    """
    from ..common.shape_space import ShapeSpace
    from ..models.parts_network import load_parts_network, save_parts_network
    from ..weights.bundle import read_card

    source = options.parts / PARTS_NETWORK if options.parts.is_dir() else options.parts
    try:
        network = load_parts_network(source)
    except (ValueError, TypeError) as error:
        raise BundleError(f"{source} holds no network for objects with parts: {error}") from error
    if not (options.out / SHAPE_SPACE).is_file():
        raise BundleError(f"{options.out} has no template with parts: make it first, with scripts/build_template.py.")
    size = ShapeSpace.load(options.out / SHAPE_SPACE).size
    if network.config.code_size != size:
        raise BundleError(
            f"{source} does not fit {options.out}, whose codes have {size} numbers and not {network.config.code_size}: "
            "train it with this bundle (bundle=DIR)."
        )
    read_card(options.out)  # before anything is written
    save_parts_network(options.out / PARTS_NETWORK, network, precision=options.precision or "int8")
    put_block(options, PARTS_BLOCK, source.parent)
    return f"objects with parts: crops of {network.config.image_size} px"


def store_anew(folder: Path, precision: Precision) -> list[str]:
    """Stores a bundle's networks in another precision; returns lines to print. Raises BundleError."""
    from ..models.storage import read_metadata, save_network
    from ..weights.bundle import read_card

    read_card(folder)
    lines = []
    for name in STORED_ANEW:
        path = folder / name
        if not path.exists():
            continue
        try:
            before = path.stat().st_size
            metadata = read_metadata(path)
            if metadata.get("precision") != precision:
                network = load_of_bundle(path)
                save_network(path, network, network.config, precision=precision, more=metadata)
        except (ValueError, OSError, KeyError, TypeError) as error:
            raise BundleError(f"The network {name} in {folder} cannot be stored anew: {error}") from error
        lines.append(f"{path.stem}: {before / 1e6:.1f} MB became {path.stat().st_size / 1e6:.1f} MB")
    if not lines:
        raise BundleError(f"The networks in {folder} cannot be stored anew: there are none.")
    return lines


def load_of_bundle(path: Path) -> Any:
    """Returns the network of one of a bundle's files, whose ``config`` says its size. Raises ValueError or OSError."""
    from ..models.parts_network import load_parts_network
    from ..models.segmenter import load_segmenter
    from ..models.shape_generator import load_shape_generator
    from ..models.stylegan2 import load_generator
    from ..render.template import Template
    from ..weights.bundle import load_inverse_graphics

    if path.name == INVERSE_GRAPHICS:
        return load_inverse_graphics(path, Template.load(path.with_name(TEMPLATE)))
    loaders: dict[str, Callable[[Path], Any]] = {
        GENERATOR: load_generator,
        SHAPE_GENERATOR: load_shape_generator,
        SEGMENTER: load_segmenter,
        PARTS_NETWORK: load_parts_network,
    }
    return loaders[path.name](path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

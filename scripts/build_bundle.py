# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts trained networks together as a bundle: those of Image to 3D, an image generator, or both.

    python scripts/build_bundle.py --inverse-graphics RUN --segmenter FILE_OR_BUNDLE --out DIR
            --category car --real-size 4.5 --data-note "..." --licence "..."
    python scripts/build_bundle.py --generator RUN --out DIR --data-note "..." --licence "..."
    python scripts/build_bundle.py --out DIR [--precision int8] [--title "..."] [--description "..."]

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
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from safetensors import SafetensorError, safe_open

from backend.data.images import ImageSetConfig
from backend.errors import BundleError, UnrenderError
from backend.models.inverse_graphics import InverseGraphicsConfig
from backend.models.segmenter import load_segmenter
from backend.models.storage import Precision, save_network, tuples
from backend.models.stylegan2 import load_generator
from backend.render.template import Template
from backend.weights.bundle import (
    CARD,
    FORMAT,
    INVERSE_GRAPHICS,
    SEGMENTER,
    bundle_folders,
    load_inverse_graphics,
    read_card,
    write_card,
)
from backend.weights.generator_bundle import GeneratorCard, add_generator
from backend.weights.importers.stylegan2_import import check_generator

TEXTS = ("title", "description")
"""Of a card: how the add-on shows the bundle."""


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="build_bundle.py", description="Puts trained networks together.")
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
    options = parse(arguments)
    run = None
    try:
        for run, put in ((options.inverse_graphics, put_inverse_graphics), (options.generator, put_generator)):
            if run is not None:
                print(put(options))
        if options.inverse_graphics is None and options.precision is not None:
            print(store_anew(options.out, options.precision))
        put_texts(options)
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        print(f"build_bundle.py: {run} does not hold a usable run: {error}", file=sys.stderr)
        return 1
    except UnrenderError as error:
        print(f"build_bundle.py: {error}", file=sys.stderr)
        return 1
    size = sum(path.stat().st_size for path in options.out.iterdir())
    print(f"{options.out}: {size / 2**20:.1f} MiB in all")
    return 0


def put_inverse_graphics(options: argparse.Namespace) -> str:
    """Writes network, template, segmenter and card; returns a line to print."""
    run = options.inverse_graphics
    template = Template.load(run / "template.npz")
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    network_config = InverseGraphicsConfig(**tuples(config["network"]))
    network = load_inverse_graphics(run / INVERSE_GRAPHICS, template)
    steps = progress_of(run, config["batch"])["steps"]
    before = read_card(options.out) if (options.out / CARD).exists() else {}
    shared = find_segmenter(options.out, options.segmenter, before)
    card = {
        "format": FORMAT,
        "name": options.out.name,
        **{name: before[name] for name in TEXTS if name in before},
        "category": options.category,
        "resolution": network_config.image_size,
        "real_size": options.real_size,
        "data": options.data_note,
        "licence": options.licence,
        "training": training_of(run, config, steps),
        "notes": options.notes,
        "metrics": last_figures(run / "log.jsonl"),
        "date": date.today().isoformat(),
        **({} if shared is None else {"segmenter": shared}),
        **({"generator": before["generator"]} if "generator" in before else {}),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    save_network(options.out / INVERSE_GRAPHICS, network, network_config, precision=options.precision or "half")
    template.save(options.out / "template.npz")
    if options.segmenter is not None and shared is None:
        shutil.copyfile(options.segmenter, options.out / SEGMENTER)
    write_card(options.out, card)
    return f"inverse graphics: step {steps}"


def training_of(run: Path, config: dict[str, Any], steps: int) -> dict[str, Any]:
    """The card's account of a run's training, with what became of the cameras where they were found by it."""
    named = ("batch", "learning_rate", "render_batch", "render_size", "weights")
    training = {
        "task": "inverse-graphics",
        "steps": steps,
        **{name: config[name] for name in named},
        **({"start": Path(config["start"]).name} if config.get("start") else {}),
        "recipe": f"train.py inverse-graphics, preset values as in this card, seed {config['seed']}",
    }
    if (run / "cameras.json").exists():
        cameras = json.loads((run / "cameras.json").read_text(encoding="utf-8"))
        training["cameras"] = {"views": len(cameras["views"]), "mean_change_deg": float(cameras["mean_change_deg"])}
    return training


def find_segmenter(out: Path, named: str | None, before: dict[str, Any]) -> str | None:
    """The name of the bundle whose segmenter is used, None where it is DIR's own. Raises BundleError.

    ``named`` is a file to copy, the name of a bundle, or None for what DIR has by its files and its card ``before``.
    """
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
    path = folder / INVERSE_GRAPHICS
    read_card(folder)
    try:
        before = path.stat().st_size
        network = load_inverse_graphics(path, Template.load(folder / "template.npz"))
        save_network(path, network, network.config, precision=precision)
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise BundleError(f"The network in {folder} cannot be stored anew: {error}") from error
    return f"inverse graphics: {before / 1e6:.1f} MB became {path.stat().st_size / 1e6:.1f} MB"


def put_texts(options: argparse.Namespace) -> None:
    """Writes title and description into the card, where they are given. Raises BundleError."""
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
    """Writes the generator and its block of the card; returns a line to print."""
    run = options.generator
    config = json.loads((run / "config.json").read_text(encoding="utf-8"))
    images = ImageSetConfig(**config["images"])
    generator = load_generator(run / "generator.safetensors")
    check_generator(generator, run.name)
    training = {"task": "stylegan2", **progress_of(run, config["batch"])}
    named = ("batch", "learning_rate", "r1_weight", "mirror", "start", "seed")
    training |= {name: config[name] for name in named if config.get(name) not in (None, "")}
    card = GeneratorCard(
        resolution=generator.config.resolution,
        content=images.content(),
        source=f"trained with train.py stylegan2, run {run.resolve().name}",
        licence=options.licence,
        data=options.data_note,
        images=config["images"],
        training=training,
        metrics=last_figures(run / "log.jsonl", training["steps"]),
        notes=options.notes,
    )
    add_generator(options.out, generator, card, category=options.category)
    return f"generator: {images.resolution} px, {training['kimg']} kimg"


def progress_of(run: Path, batch: int) -> dict[str, Any]:
    """Steps, kimg and seconds of the weights that a run has exported: those of its checkpoint, else of its log."""
    if (run / "checkpoint.safetensors").exists():
        with safe_open(run / "checkpoint.safetensors", framework="pt") as file:
            metadata = file.metadata() or {}
        steps, seconds = int(metadata["step"]), float(metadata.get("seconds", 0))
    else:
        records = read_log(run / "log.jsonl")
        steps = int(records[-1]["step"]) if records else 0
        seconds = max((record.get("seconds", 0.0) for record in records), default=0.0)
    return {"steps": steps, "kimg": round(steps * batch / 1000, 3), "seconds": round(seconds)}


def read_log(log: Path) -> list[dict[str, Any]]:
    """The records of a run's log; a last line that a kill cut short is left out."""
    records = []
    for line in log.read_text(encoding="utf-8").splitlines():
        try:
            records.append(json.loads(line))
        except ValueError:
            continue
    return records


def last_figures(log: Path, steps: int | None = None) -> dict[str, Any]:
    """The last validation in a run's log, of those up to a step: held-out objects, before any refinement."""
    records = [record for record in read_log(log) if steps is None or record["step"] <= steps]
    validations = [record for record in records if any(name.startswith("validation/") for name in record)]
    if not validations:
        return {}
    last = validations[-1]
    return {name.removeprefix("validation/"): value for name, value in last.items()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

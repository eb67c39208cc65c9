# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts trained networks together as a bundle: those of Image to 3D, an image generator, or both.

    python scripts/build_bundle.py --inverse-graphics RUN --segmenter FILE --out DIR
            --category car --real-size 4.5 --data-note "..." --licence "..."
    python scripts/build_bundle.py --generator RUN --out DIR --data-note "..." --licence "..."

RUN is a folder that ``train.py inverse-graphics`` or ``train.py stylegan2`` made; a run that is still going gives its
last checkpoint's average. What DIR holds beside the networks that are named stays. The notes and the licence are said
of the networks that are named.
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
from backend.errors import UnrenderError
from backend.models.inverse_graphics import InverseGraphics, InverseGraphicsConfig
from backend.models.storage import read_tensors, save_network, tuples
from backend.models.stylegan2 import load_generator
from backend.render.template import Template
from backend.weights.bundle import CARD, FORMAT, INVERSE_GRAPHICS, read_card
from backend.weights.generator_bundle import GeneratorCard, add_generator
from backend.weights.stylegan2_import import check_generator


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="build_bundle.py", description="Puts trained networks together.")
    parser.add_argument("--inverse-graphics", type=Path, metavar="RUN", help="a run of train.py inverse-graphics")
    parser.add_argument("--segmenter", type=Path, metavar="FILE", help="safetensors; default: the one already in DIR")
    parser.add_argument("--generator", type=Path, metavar="RUN", help="a run of train.py stylegan2")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the bundle's folder")
    parser.add_argument("--category", default="car")
    parser.add_argument("--real-size", type=float, default=4.5, metavar="METRES", help="longest side of such an object")
    parser.add_argument("--data-note", default="", help="what it was trained on")
    parser.add_argument("--notes", default="", help="what else a reader of the card should know about the training")
    parser.add_argument("--licence", default="GPL-3.0-or-later", help="SPDX name or terms of the weights")
    options = parser.parse_args(arguments)
    if options.inverse_graphics is None and options.generator is None:
        parser.error("name a run with --inverse-graphics, with --generator, or one with each")
    return options


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    run = None
    try:
        for run, put in ((options.inverse_graphics, put_inverse_graphics), (options.generator, put_generator)):
            if run is not None:
                print(put(options))
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
    tensors, metadata = read_tensors(run / "checkpoint.safetensors")
    network = InverseGraphics(network_config, template)
    prefix = "network/average/"
    network.load_state_dict({k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)})
    card = {
        "format": FORMAT,
        "name": options.out.name,
        "category": options.category,
        "resolution": network_config.image_size,
        "real_size": options.real_size,
        "data": options.data_note,
        "licence": options.licence,
        "training": {
            "task": "inverse-graphics",
            "steps": int(metadata["step"]),
            "batch": config["batch"],
            "learning_rate": config["learning_rate"],
            "render_batch": config["render_batch"],
            "render_size": config["render_size"],
            "weights": config["weights"],
            "recipe": f"train.py inverse-graphics, preset values as in this card, seed {config['seed']}",
        },
        "notes": options.notes,
        "metrics": last_figures(run / "log.jsonl"),
        "date": date.today().isoformat(),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    if (options.out / CARD).exists() and "generator" in (before := read_card(options.out)):
        card["generator"] = before["generator"]
    save_network(options.out / INVERSE_GRAPHICS, network, network_config, half=True)
    template.save(options.out / "template.npz")
    if options.segmenter is not None:
        shutil.copyfile(options.segmenter, options.out / "segmenter.safetensors")
    (options.out / CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return f"inverse graphics: step {metadata['step']}"


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

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts trained networks together as a bundle that Image to 3D can use.

    python scripts/build_bundle.py --inverse-graphics RUN --segmenter FILE --name NAME --out DIR
            --category car --real-size 4.5 --data-note "..." --licence "..."

RUN is a folder that ``train.py inverse-graphics`` made; a run that is still going gives its last checkpoint's average.
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

from backend.models.inverse_graphics import InverseGraphics, InverseGraphicsConfig
from backend.models.storage import read_tensors, save_network, tuples
from backend.render.template import Template
from backend.weights.bundle import FORMAT


def parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="build_bundle.py", description="Puts trained networks together.")
    parser.add_argument("--inverse-graphics", type=Path, required=True, metavar="RUN")
    parser.add_argument("--segmenter", type=Path, metavar="FILE", help="safetensors; default: the one already in DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the bundle's folder")
    parser.add_argument("--category", default="car")
    parser.add_argument("--real-size", type=float, default=4.5, metavar="METRES", help="longest side of such an object")
    parser.add_argument("--data-note", default="", help="what it was trained on")
    parser.add_argument("--notes", default="", help="what else a reader of the card should know about the training")
    parser.add_argument("--licence", default="GPL-3.0-or-later", help="SPDX name or terms of the weights")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    run = options.inverse_graphics
    try:
        template = Template.load(run / "template.npz")
        config = json.loads((run / "config.json").read_text(encoding="utf-8"))
        network_config = InverseGraphicsConfig(**tuples(config["network"]))
        tensors, metadata = read_tensors(run / "checkpoint.safetensors")
        network = InverseGraphics(network_config, template)
        prefix = "network/average/"
        network.load_state_dict({k[len(prefix) :]: v for k, v in tensors.items() if k.startswith(prefix)})
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        print(f"build_bundle.py: {run} does not hold a usable run: {error}", file=sys.stderr)
        return 1
    options.out.mkdir(parents=True, exist_ok=True)
    save_network(options.out / "inverse_graphics.safetensors", network, network_config, half=True)
    template.save(options.out / "template.npz")
    if options.segmenter is not None:
        shutil.copyfile(options.segmenter, options.out / "segmenter.safetensors")
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
    (options.out / "bundle.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    size = sum(path.stat().st_size for path in options.out.iterdir())
    print(f"{options.out}: step {metadata['step']}, {size / 2**20:.1f} MiB")
    return 0


def last_figures(log: Path) -> dict[str, Any]:
    """The last validation in a run's log: held-out objects, before any refinement."""
    records = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    validations = [record for record in records if any(name.startswith("validation/") for name in record)]
    if not validations:
        return {}
    last = validations[-1]
    return {name.removeprefix("validation/"): value for name, value in last.items()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

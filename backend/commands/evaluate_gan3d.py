# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judges generators of shapes against objects that are known: solids, or those of rendered views.

    python -m backend.commands.evaluate_gan3d RUN... --data SOLIDS_OR_RENDERS --report FILE [options]

The report has, for each run, the distance of its shapes to the nearest true ones and back, the correlation of their
depths, which way they look, and statistics of pictures on our own encoder's features. Of a folder of
``photograph_solids.py`` other solids of the same world are taken, and pictures are compared at unseen viewpoints too,
30° higher (``unseen_...``); of a folder of ``render_dataset.py`` its objects and pictures. ``data`` and ``ball`` say
what other objects of the same data get, and a ball of their mean size.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.json_files import read_object
from .entry import guarded, use_threads
from .outputs import write_picture, write_report

if TYPE_CHECKING:
    import torch

    from ..evaluation.shape_generators import RenderedJudge, SolidsJudge
    from ..render.viewpoints import ViewpointPrior

PROGRAM = "evaluate_gan3d.py"


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns the checked command line; leaves the program on a wrong one."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Judges generators of shapes on solids that are known.")
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder of a run of train.py gan3d")
    parser.add_argument("--data", type=Path, required=True, help="folder of photograph_solids.py or render_dataset.py")
    parser.add_argument("--report", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--sheet", type=Path, metavar="FILE", help="PNG of samples of the data and of each run")
    parser.add_argument("--shapes", type=int, default=48, help="how many shapes are compared")
    parser.add_argument("--pictures", type=int, default=400, help="how many pictures are compared; 0: none")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: all")
    options = parser.parse_args(arguments)
    if options.shapes < 1 or 0 < options.pictures < 8 or options.pictures < 0:
        parser.error("at least 1 shape is needed, and at least 8 pictures or none")
    return options


def main(arguments: list[str]) -> int:
    """Judges, and prints a line for each figure; returns the exit code."""
    options = parse(arguments)
    return guarded(PROGRAM, lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Judges as the options say. Raises UnrenderError, ValueError or OSError with one sentence."""
    from ..evaluation.shape_generators import ablation_sheet
    from ..models.shape_generator import load_shape_generator
    from ..training.gan3d.task import GENERATOR
    from ..weights.bundle import choose_device

    use_threads(options.threads)
    started = time.monotonic()
    device = choose_device(options.device)
    generators = {path: load_shape_generator(path / GENERATOR, device) for path in options.runs}
    columns = {}
    with tempfile.TemporaryDirectory(prefix="unrender-") as folder:
        for path, generator in generators.items():
            judge = judge_of(options, path, Path(folder) / "real.npy", device)
            columns[path.name] = judge.figures(generator, options.seed)
        references = judge.references()
    report = {
        "data": str(options.data), "shapes": options.shapes, "pictures": options.pictures,
        "runs": columns, "references": references, "seconds": round(time.monotonic() - started, 1),
    }  # fmt: skip
    write_report(options.report, report)
    if options.sheet:
        solids, prior = is_solids(options.data), viewpoints_of(options, options.runs[0])
        sheet = ablation_sheet(list(generators.values()), prior, solids=solids, seed=options.seed)
        write_picture(options.sheet, sheet)
    show({**columns, **references})
    return 0


def show(columns: dict[str, dict[str, float]]) -> None:
    """Prints a line for each figure, a column for each run or reference."""
    print(" " * 26 + "".join(f"{name[-14:]:>16}" for name in columns))
    for name in next(iter(columns.values())):
        print(f"{name:26}" + "".join(f"{figures.get(name, float('nan')):16.4f}" for figures in columns.values()))


def is_solids(data: Path) -> bool:
    """Whether a folder is not one of rendered views: then it has to be one of solids."""
    return not (data / "dataset.json").is_file()


def judge_of(
    options: argparse.Namespace, run_folder: Path, packed: Path, device: torch.device
) -> SolidsJudge | RenderedJudge:
    """What judges a run on the data. Raises ValueError where either is of something else."""
    from ..data.images import ImageSetConfig, load_images
    from ..data.solids import read_config
    from ..evaluation.features import encoder_features
    from ..evaluation.shape_generators import RenderedJudge, SolidsJudge

    if is_solids(options.data):
        config = read_config(options.data)
        network = encoder_features(device) if options.pictures else None
        return SolidsJudge(config, network, options.shapes, options.pictures)
    meshes = sorted(options.data.glob("objects/*/mesh.npz"))
    if len(meshes) < 2:
        raise ValueError(f"{options.data} has {len(meshes)} objects with a mesh; two are needed.")
    images = ImageSetConfig(**{**settings_of(run_folder)["images"], "alpha": "ignore"})
    loaded = load_images(options.data, images, packed, progress=False)
    network = encoder_features(device) if options.pictures else None
    viewpoints = viewpoints_of(options, run_folder)
    return RenderedJudge(loaded, meshes, viewpoints, network, options.shapes, options.pictures)


def viewpoints_of(options: argparse.Namespace, run_folder: Path) -> ViewpointPrior:
    """The solids' own viewpoints, or those that a run was trained with."""
    from ..data.solids import read_config
    from ..models.storage import tuples
    from ..render.viewpoints import ViewpointPrior

    if is_solids(options.data):
        return read_config(options.data).viewpoints
    return ViewpointPrior(**tuples(settings_of(run_folder)["viewpoints"]))


def settings_of(run_folder: Path) -> dict[str, Any]:
    """A run's ``config.json``. Raises ValueError with one sentence where it is none of ``gan3d``."""
    try:
        settings = read_object(run_folder / "config.json")
        if {"images", "viewpoints"} <= settings.keys():
            return settings
    except (OSError, ValueError, AttributeError):
        pass
    raise ValueError(f"{run_folder} is no run of train.py gan3d: its config.json does not say how it was trained.")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures a bundle on labelled photographs or rendered objects, through the imported scene; or compares networks.

    blender -b -P scripts/evaluate.py -- --bundle NAME --data DIR --report FILE [options]
    python scripts/evaluate.py --bundle NAME --data DIR --report FILE [options]
    python scripts/evaluate.py --bundle car --bundle gan=RUN --data generated=DIR --data renders=DIR --data photos=DIR
        --cameras RUN/cameras.json --report FILE --table TABLE.md --pictures FOLDER

``--input cut-out`` gives the true mask as alpha, ``--input photo`` the picture alone, which is cut out.

Photographs: a folder with ``labels.csv``, see ``backend/data/labelled_files.py``. Each is reconstructed by the worker
and imported as a scene, whose silhouette through its camera is compared with the teacher's mask, as the direction of
view is with the label; ``backend/commands/evaluate.py`` says more. It needs the bpy package beside the backend's own.

Rendered objects (scripts/render_dataset.py): one view of each, drawn by the seed, is given to the pipeline as a photo,
and silhouette, camera and mesh of the imported scene are compared with the truth. ``--together N`` gives it the first N
views of each object as photographs of one object; ``--together 1`` is the first one alone, to compare with.
The render through the recovered camera is compared with the view in both looks, *Paint* and *Photo*.

Networks are compared where ``--bundle`` or ``--data`` is repeated or has a label (``LABEL=PATH``), or where one of
``--table``, ``--pictures``, ``--cameras`` and ``--segmenter`` is given. ``--bundle`` may then name a training run's
folder too, and ``--data`` holds a generator's views (scripts/make_gan_views.py), rendered views
(scripts/render_dataset.py) or photographs, which the folder itself tells. Without ``--cameras``, the ``cameras.json``
that a training on a generator's views leaves, those views are compared in the networks' own cameras alone. Networks
are measured on their own, before refinement and without Blender: up to six views of each object, see
backend/evaluation/comparison/table.py for the measures. The exit code is 0, 1 where a photograph could not be used,
and 2 where nothing was compared.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line

from backend.commands import compare
from backend.commands import evaluate as photographs

ALONE = ("input", "quality", "refine", "cutout_model", "seed", "sheet", "together", *photographs.OF_PHOTOGRAPHS)
"""Options that belong to the measuring of one bundle."""


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns the checked command line; leaves the program on a wrong one."""
    parser = argparse.ArgumentParser(
        prog=compare.PROGRAM,
        description="Measures a bundle on labelled photographs or rendered objects, or compares several networks on "
        "several data.",
        epilog="Networks are compared where --bundle or --data is repeated or labelled, or an option of the comparison "
        "is given.",
    )
    compare.add_options(parser)
    photographs.add_single_options(parser)
    photographs.add_photographs_options(parser)
    parser.add_argument_group("measuring on rendered objects").add_argument(
        "--together",
        type=int,
        default=0,
        metavar="N",
        help="the first N views of each show one object; 1: the first alone (default: one that the seed draws)",
    )
    options = parser.parse_args(arguments)
    options.bundle = options.bundle or ["car"]
    options.compared = compares(options)
    if options.compared:
        refuse(parser, options, ALONE, "the measuring of one bundle, not to the comparison of networks")
        return options
    options.bundle, options.data = options.bundle[0], Path(options.data[0])
    if options.together < 0:
        parser.error("--together says how many views make an object, one at least")
    options.on_photographs = (options.data / "labels.csv").is_file()
    if options.on_photographs:
        refuse(parser, options, ("objects", "together"), "rendered objects; --count says how many photographs")
    else:
        refuse(parser, options, photographs.OF_PHOTOGRAPHS, "labelled photographs, and there is no labels.csv")
    return options


def refuse(
    parser: argparse.ArgumentParser, options: argparse.Namespace, names: tuple[str, ...], owner: str
) -> None:  # fmt: skip
    """Leaves the program where one of these options is given."""
    for name in names:
        if getattr(options, name) != parser.get_default(name):
            parser.error(f"--{name.replace('_', '-')} belongs to {owner}")


def compares(options: argparse.Namespace) -> bool:
    """Returns whether networks are compared, rather than one bundle measured through Blender."""
    labelled = any("=" in text and not Path(text).exists() for text in options.bundle + options.data)
    given = (options.table, options.pictures, options.cameras, options.segmenter)
    return labelled or max(len(options.bundle), len(options.data)) > 1 or any(one is not None for one in given)


def main(arguments: list[str]) -> int:
    """Measures or compares, as the arguments ask; returns the exit code."""
    options = parse(arguments)
    if options.compared:
        return outside(arguments) if "bpy" in sys.modules else compare.main(arguments)
    if options.on_photographs:
        return measure_photographs(options, arguments)
    folders = sorted(path.parent for path in options.data.glob("objects/*/object.json"))[: options.objects or None]
    if not folders:
        where = f"neither labelled photographs nor rendered objects lie in {options.data}"
        print(f"{compare.PROGRAM}: {where}.", file=sys.stderr)
        return photographs.NOTHING_MEASURED
    if is_missing("bpy"):
        return photographs.NOTHING_MEASURED
    from measuring import renders

    return renders.run(options, folders)


def measure_photographs(options: argparse.Namespace, arguments: list[str]) -> int:
    """Measures on labelled photographs; returns the exit code."""
    if options.silhouettes == photographs.RASTERISER:
        return outside(arguments) if "bpy" in sys.modules else photographs.run(options, photographs.rasteriser_stage)
    if importlib.util.find_spec("cv2") is None:  # Blender itself, which has no reader of the backend's
        return outside(arguments)
    if is_missing("bpy"):
        return photographs.NOTHING_MEASURED
    from measuring import scenes

    return photographs.run(options, scenes.opened)


def outside(arguments: list[str]) -> int:
    """Goes on in the interpreter that has torch; returns the exit code."""
    return command_line.run_outside_blender(__file__, arguments, failed=photographs.NOTHING_MEASURED)


def is_missing(package: str) -> bool:
    """Returns whether a package is missing, and says so."""
    if importlib.util.find_spec(package) is not None:
        return False
    remedy = "install it, or measure photographs with --silhouettes rasteriser"
    print(f"{compare.PROGRAM}: Blender's scenes need the package {package}: {remedy}.", file=sys.stderr)
    return True


if __name__ == "__main__":
    sys.exit(main(command_line.own_arguments(sys.argv)))

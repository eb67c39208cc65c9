# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes a bundle of a StyleGAN2 checkpoint: NVIDIA's PyTorch or TensorFlow pickle, a PyTorch port's .pt, or our own.

    python -m backend.commands.import_weights FILE --out DIR [--name NAME] [--licence TEXT] [--crop HxW]
            [--samples FILE.png]

The bundle is the folder DIR/NAME; NAME is the file's unless it is said. Nothing in the file is run. The licence and,
for LSUN Car, the picture between the black bars are known of NVIDIA's files; for others, say them.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ..common.files import replacing
from ..errors import UnrenderError
from .entry import guarded

if TYPE_CHECKING:
    import numpy as np

PROGRAM = "import_weights.py"
GRID = (3, 4)
"""Rows and columns of the samples."""


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns the checked command line; leaves the program on a wrong one."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Makes a bundle of a StyleGAN2 checkpoint.")
    parser.add_argument("file", type=Path, metavar="FILE", help=".pkl, .pt, .safetensors or a bundle's folder")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder in which the bundle is made")
    parser.add_argument("--name", default="", help="of the bundle; default: the file's")
    parser.add_argument("--licence", default="", help="terms of the weights; default: what is known of the file")
    parser.add_argument("--crop", type=size, metavar="HxW", help="the picture in the middle of the square, in pixels")
    parser.add_argument("--full", action="store_true", help="keep full precision, at twice the size")
    parser.add_argument("--replace", action="store_true", help="replace an imported generator of the same name")
    parser.add_argument("--samples", type=Path, metavar="FILE", help="also write a picture of samples, .png or .jpg")
    return parser.parse_args(arguments)


def size(text: str) -> tuple[int, int]:
    """Returns height and width in pixels from a text such as 384x512; raises ArgumentTypeError for another."""
    found = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form HEIGHTxWIDTH, such as 384x512")
    return int(found[1]), int(found[2])


def main(arguments: list[str]) -> int:
    """Makes the bundle; returns the exit code."""
    options = parse(arguments)
    return guarded(PROGRAM, lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Makes the bundle as the options say. Raises UnrenderError with one sentence."""
    from ..weights.generator_bundle import check_free
    from ..weights.importers import stylegan2_import as importer

    folder = options.out / importer.bundle_name(options.name or importer.default_name(options.file))
    check_free(folder, replace=options.replace)
    found = importer.read_generator(options.file)
    print(found.describe())
    if options.crop is not None:
        found.set_picture(*options.crop)
    importer.save_found(found, folder, licence=options.licence, half=not options.full, replace=options.replace)
    for note in found.notes:
        print(note)
    top, left, height, width = found.card.content
    print(f"{folder}: pictures of {width}x{height} from {top}, {left}; licence: {found.card.licence}")
    if options.samples is not None:
        write_samples(importer.sample_pictures(found, GRID[0] * GRID[1]), options.samples)
        print(f"{options.samples}: {GRID[0] * GRID[1]} samples at truncation 0.7")
    return 0


def write_samples(pictures: np.ndarray, path: Path) -> None:
    """Writes pictures (N, h, w, 3) uint8 as one grid. Raises UnrenderError where the file cannot be written."""
    from PIL import Image

    _, height, width, channels = pictures.shape
    rows = pictures.reshape(*GRID, height, width, channels).swapaxes(1, 2)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The file's ending says its format, which a name to be replaced later would hide.
        with replacing(path, path.suffix) as partial:
            Image.fromarray(rows.reshape(GRID[0] * height, GRID[1] * width, channels)).save(partial)
    except (OSError, ValueError) as error:
        raise UnrenderError(f"The samples cannot be written to {path}: {error}") from error


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

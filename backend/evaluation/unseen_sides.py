# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A guard for the sides that no photograph shows: do renders from there look like photographs of such objects at all?

    python -m backend.evaluation.unseen_sides FOLDER [--inception FILE] [--device auto]

The measures by outline and azimuth see the photo's own side alone. Here renders of the results from random sides, and
from the photo's own, are compared with the photographs' crops as distributions: squares of one size on one grey ground.
Files of one name in the three folders belong together; with ``--names`` those of a JSON list on standard input alone
are taken. The Fréchet distance falls with the number of samples: compare only figures of equally many.

The figures are printed as JSON. A program of its own, because torch never loads in Blender's process.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ..errors import UnrenderError

if TYPE_CHECKING:
    from torch import Tensor

    from .features import FeatureNetwork

PHOTOGRAPHS, PHOTO_SIDE, RANDOM_SIDES = "photographs", "photo_side", "random_sides"
FOLDERS = (PHOTOGRAPHS, PHOTO_SIDE, RANDOM_SIDES)
FEWEST = 2
_BATCH = 32


def guard(folder: Path, network: FeatureNetwork, names: Sequence[str] | None = None) -> dict[str, Any]:
    """Returns the Fréchet distances of a folder's renders and photographs, and on how many samples and what features.

    Args:
        folder: Holds the folders :data:`FOLDERS`, each with a PNG file of every result.
        names: Files to take; None: those that all three folders have.

    Raises:
        ValueError: There are fewer than two, or one is missing or damaged.
    """
    from .distributions import Moments, frechet
    from .features import features_of

    chosen = common_names(folder) if names is None else list(names)
    if len(chosen) < FEWEST:
        raise ValueError(f"A Fréchet distance needs {FEWEST} results at least; {folder} has {len(chosen)}.")
    moments = [Moments.of(features_of(network, _batches(folder / kind, chosen))) for kind in FOLDERS]
    photographs, photo_side, random_sides = moments
    return {
        "frechet_photo_side": frechet(photographs, photo_side),
        "frechet_random_sides": frechet(photographs, random_sides),
        "frechet_samples": len(chosen),
        "frechet_features": network.name,
    }


def common_names(folder: Path) -> list[str]:
    """Returns the names of the PNG files that all three folders have, sorted."""
    return sorted(set.intersection(*({path.name for path in (folder / kind).glob("*.png")} for kind in FOLDERS)))


def _batches(folder: Path, names: Sequence[str]) -> Iterator[Tensor]:
    """Yields images (n, 3, S, S) in [-1, 1]."""
    import torch

    for first in range(0, len(names), _BATCH):
        pictures = []
        for name in names[first : first + _BATCH]:
            try:
                with Image.open(folder / name) as image:
                    pictures.append(np.asarray(image.convert("RGB"), np.float32))
            except OSError as error:
                raise ValueError(f"{folder / name} cannot be read; measure without --resume once.") from error
        yield torch.as_tensor(np.stack(pictures)).permute(0, 3, 1, 2) / 127.5 - 1


def main(arguments: list[str]) -> int:
    """Prints the figures as JSON; returns the exit code."""
    parser = argparse.ArgumentParser(prog="unseen_sides", description="Compares renders with photographs.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--inception", type=Path, help="file with the weights that FID is defined on")
    parser.add_argument("--names", action="store_true", help="read a JSON list of files from standard input")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args(arguments)
    names = json.load(sys.stdin) if options.names else None
    try:
        from ..weights.bundle import choose_device
        from .features import encoder_features
        from .inception import inception_features

        device = choose_device(options.device)
        network: FeatureNetwork
        network = inception_features(options.inception, device) if options.inception else encoder_features(device)
        figures = guard(options.folder, network, names)
    except (UnrenderError, ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""True codes and textures of rendered cars, which ``scripts/encode_cars.py`` writes beside a dataset.

Letters: N objects, K length of a code, R regions, T texture side.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from . import array_files

FILE_NAME = "codes.npz"


@dataclass(frozen=True)
class TruthCodes:
    """What a shape space knows of N objects."""

    codes: np.ndarray
    """(N, K) float32."""
    textures: np.ndarray
    """(N, T, T, 3) uint8 sRGB, row 0 at the top."""


def read_truth_codes(folder: Path, names: list[str]) -> TruthCodes:
    """Those of the named objects of a dataset, in their order.

    Raises FileNotFoundError where the dataset has none, ValueError where an object is missing or the file is damaged.
    """
    path = Path(folder) / FILE_NAME
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing; write it with scripts/encode_cars.py {folder}.")
    try:
        data = array_files.read(path)
        place = {str(name): number for number, name in enumerate(data["names"])}
        order = [place[name] for name in names]
        return TruthCodes(data["codes"][order].astype(np.float32), data["textures"][order])
    except KeyError as error:
        raise ValueError(f"{path} lacks {error}; write it again with scripts/encode_cars.py {folder}.") from error
    except (OSError, ValueError, IndexError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {error}") from error

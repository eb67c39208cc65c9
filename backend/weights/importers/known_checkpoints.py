# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is known of the checkpoints that NVIDIA published, by their file names: terms, data, category, picture.

A name is no proof, so what is said here is said as a default that the user may overrule.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

UNKNOWN_LICENCE = "unknown, see the source"
STYLEGAN2_LICENCE = "Nvidia Source Code License-NC: non-commercial"
ADA_LICENCE = "NVIDIA Source Code License for StyleGAN2 with ADA: non-commercial research or evaluation"


@dataclass(frozen=True)
class Origin:
    """What a file's name tells."""

    licence: str = UNKNOWN_LICENCE
    data: str = ""
    category: str = ""
    picture: tuple[int, int] | None = None
    """Height and width of the picture in the middle of the square, where it does not fill it."""
    resolution: int = 0
    """Of the square to which ``picture`` applies."""


_STYLEGAN2 = {
    "car": Origin(STYLEGAN2_LICENCE, "LSUN Car, 512x384 between black bars", "car", (384, 512), 512),
    "cat": Origin(STYLEGAN2_LICENCE, "LSUN Cat", "cat"),
    "church": Origin(STYLEGAN2_LICENCE, "LSUN Church Outdoor", "church"),
    "horse": Origin(STYLEGAN2_LICENCE, "LSUN Horse", "horse"),
    "ffhq": Origin(STYLEGAN2_LICENCE, "FFHQ", "face"),
}
_ADA = {
    "ffhq": Origin(ADA_LICENCE, "FFHQ", "face"),
    "metfaces": Origin(ADA_LICENCE, "MetFaces", "face"),
    "afhqcat": Origin(ADA_LICENCE, "AFHQ Cat", "cat"),
    "afhqdog": Origin(ADA_LICENCE, "AFHQ Dog", "dog"),
    "afhqwild": Origin(ADA_LICENCE, "AFHQ Wild", "wild animal"),
    "brecahad": Origin(ADA_LICENCE, "BreCaHAD", "tissue"),
}


def origin_of(file_name: str, kind: str) -> Origin:
    """What the name of a checkpoint of a kind ("ada", "tensorflow", "state") tells; the default where it is unknown.

    Copies keep the name in part (``stylegan2-car-config-f (1).pkl``, a port's ``stylegan2-car-config-f.pt``).
    """
    name = file_name.lower()
    if found := re.search(r"stylegan2-(car|cat|church|horse|ffhq)-config-[a-f]", name):
        return _STYLEGAN2[found[1]]
    if kind == "ada" and (found := re.fullmatch(r"([a-z]+)( ?\(\d+\))?\.pkl", name)):
        return _ADA.get(found[1], Origin())
    return Origin()

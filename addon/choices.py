# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The choices in the interface; those of bundles have titles from their cards and numbers that saved files rely on."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Iterable
from pathlib import Path

from .wire import bundle_files, json_files

DEFAULT = "DEFAULT"
"""The choice that stands for what the preferences say."""
FILE = "FILE"
"""The choice of an image generator that stands for a file or folder of the user's own."""
DEVICES = [
    ("auto", "Automatic", "The graphics card where there is one that works, else the processor"),
    ("cpu", "Processor", "Runs everywhere"),
    ("cuda", "CUDA", "A graphics card of NVIDIA, or of AMD with ROCm"),
    ("mps", "Metal", "The graphics part of Apple's chips"),
]
MATERIALS = [
    ("maps", "With Maps", "One material: the photo's texture, and images of roughness and metallic"),
    ("parts", "By Part", "A material of plain colour for paint, glass, rubber and so on; the texture is kept beside"),
]
"""Choices of materials; their identifiers are those of :data:`scene.Materials`."""
LOOKS = ("paint", "photo")
"""Choices of what an object with parts looks like at first; those of :data:`looks.Look`."""
SHAPES = [
    ("parts", "With Parts", "A body with wheels that turn, windows and lamps, where the weights know of such objects"),
    ("surface", "One Surface", "A single surface bent to the photo's outline, with sliders for shape and texture"),
]
"""Choices of what is made of a photo; their identifiers are those of the command line's ``--shape``."""

QUALITIES = [
    ("draft", "Draft", "The networks' answer as it is: the fastest, to try photos out"),
    ("standard", "Standard", "Refined against the photo: takes some seconds longer"),
    ("fine", "Fine", "Refined for longer, every vertex on its own in the end: takes longest, follows outlines closest"),
]
"""Choices of how much work an object is worth; their identifiers are those of :data:`records.QUALITIES`."""
DEFAULT_QUALITY = "standard"

Item = tuple[str, str, str]
"""Identifier of a choice for scripts, its name for people, its explanation."""
Choice = tuple[str, str, str, int]
"""Item with the number that files keep."""
_NUMBERS = 2**24 - 1
"""Largest number of a choice: Blender's buttons keep it in single precision, which holds no larger integers exactly."""


def of_bundles(folders: dict[str, Path]) -> list[Item]:
    """Returns a choice for each bundle: its card's title and description where the card has them."""
    items = []
    for name, folder in folders.items():
        card = read_card(folder)
        described = card.get("description") or f"Weights for the category {card.get('category') or name}"
        items.append((name, title_of(name, folder), described))
    return items


def title_of(name: str, folder: Path) -> str:
    """Returns what is shown of a bundle."""
    return read_card(folder).get("title") or name.capitalize()


def numbered(items: list[Item], default: str) -> list[Choice]:
    """Returns the choices with their numbers: 0 for the one that is meant where nobody chose.

    That is the one called ``default``, or the first where it is missing, and it comes first in the list.
    """
    first = next((item for item in items if item[0] == default), items[0])
    others = [item for item in items if item is not first]
    given = numbers(item[0] for item in others)
    return [(*first, 0), *((*item, given[item[0]]) for item in others)]


def numbers(identifiers: Iterable[str]) -> dict[str, int]:
    """Returns a number above 0 for each identifier: always the same one, whatever its place and its neighbours.

    Blender's own numbers are places in the list, and a file would mean other weights once a bundle is added. Where two
    identifiers have one number, which in a list of a hundred happens once in 3,000 times, the later in the alphabet
    takes the next.
    """
    given: dict[str, int] = {}
    for identifier in sorted(set(identifiers)):
        number = zlib.crc32(identifier.encode("utf-8")) % _NUMBERS
        while number + 1 in given.values():
            number = (number + 1) % _NUMBERS
        given[identifier] = number + 1
    return given


def read_card(folder: Path) -> dict[str, str]:
    """Returns the texts of a bundle's card, each on one line; none of a damaged one: the worker says what is wrong."""
    path = folder / bundle_files.CARD
    try:
        return _texts_of(path, path.stat().st_mtime_ns)
    except OSError:
        return {}


@functools.lru_cache(maxsize=256)
def _texts_of(path: Path, _changed: int) -> dict[str, str]:
    """Blender asks for the choices with every redraw, so a card is read again only after it has changed."""
    try:
        card = json_files.read_object(path)
    except (ValueError, OSError):
        return {}
    return {key: " ".join(text.split()) for key, text in card.items() if isinstance(text, str)}

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a bundle of weights is and whether its files are whole, without torch: by their headers and their lengths."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from pathlib import Path

from . import places
from .wire import bundle_files, json_files

POINTER = b"version https://git-lfs"
LONGEST_HEADER = 100 * 2**20
"""Bytes of a safetensors file's header at most."""


@dataclass(frozen=True)
class Bundle:
    """A folder of weights as it is found."""

    name: str
    folder: Path
    title: str
    category: str
    licence: str
    size: int
    """Bytes of all of its files."""
    damage: tuple[str, ...]
    """A sentence for each file that cannot be used, without its full stop."""


def at_hand() -> dict[str, Path]:
    """Returns name and folder of every bundle that the worker finds by name."""
    roots = [bundle_files.BUNDLED, bundle_files.RESEARCH, *places.bundle_folders()]
    return bundle_files.bundles_in(roots)


def look_at(name: str, folder: Path) -> Bundle:
    """Returns what a folder of weights is."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    damage = [sentence for path in files if (sentence := damage_of(path))]
    try:
        card = json_files.read_object(folder / bundle_files.CARD)
    except (OSError, ValueError):
        card = {}
        damage.append(f"{bundle_files.CARD} is no JSON object")
    told = {key: text if isinstance(text := card.get(key), str) else "" for key in ("title", "category", "licence")}
    size = sum(path.stat().st_size for path in files)
    return Bundle(name, folder, told["title"], told["category"], told["licence"], size, tuple(damage))


def damage_of(path: Path) -> str:
    """Returns what is wrong with a file of a bundle, in words; empty where nothing is, or where that cannot be told."""
    if path.suffix not in (".safetensors", ".npz"):
        return ""
    try:
        with path.open("rb") as file:
            start = file.read(max(8, len(POINTER)))
            if start.startswith(POINTER):
                return f"{path.name} is only a pointer of Git LFS: fetch the file itself with git lfs pull"
            if path.suffix == ".npz":
                return _damage_of_zip(path)
            return "" if _is_whole(path, start) else f"{path.name} is cut short or damaged: copy it again"
    except OSError as error:
        return f"{path.name} cannot be read ({error.strerror or error})"


def _damage_of_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, NotImplementedError):
        damaged = path.name
    return f"{path.name} is cut short or damaged: copy it again" if damaged else ""


def _is_whole(path: Path, start: bytes) -> bool:
    """Whether a safetensors file is as long as its header says."""
    length = int.from_bytes(start[:8], "little")
    size = os.path.getsize(path)
    if len(start) < 8 or length > min(LONGEST_HEADER, size - 8):
        return False
    with path.open("rb") as file:
        file.seek(8)
        try:
            header = json_files.parse_object(file.read(length), path.name)
            ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, IndexError, AttributeError):
            return False
    return 8 + length + max(ends, default=0) == size

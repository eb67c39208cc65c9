# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a batch works on: files, folders and patterns to a list of photos, and the folder that each one's files get."""

from __future__ import annotations

import glob
import os
import stat
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from .wire import json_files, pictures

LONGEST_NAME = 160
"""Bytes of a result's name at most: file systems take 255, and endings and marks of unfinished files come on top."""
LONGEST_PATH = 1000
"""Bytes of the longest path that is written at most: Blender's own paths have 1023."""
OWNER = "input"
"""Key in a result's camera.json that says what the folder was made from."""
CAMERA_FILE = "camera.json"
NAMES_SHOWN = 3

_KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


@dataclass
class Found:
    """What the words of a command stand for."""

    photos: list[Path] = field(default_factory=list)
    """Absolute, each once: in the order of the words, folders and patterns in the order of names."""
    skipped: list[tuple[Path, str]] = field(default_factory=list)
    """What lies in folders and is no photo by its name, with its kind: an ending, or what it is in place of a file."""


def find(words: Iterable[str]) -> Found:
    """Returns the photos that files, folders and patterns such as ``photos/*.jpg`` stand for, and what was skipped.

    What is there by the very name of a word is never taken for a pattern. Raises ValueError where a pattern fits
    nothing.
    """
    found = Found()
    for word in words:
        path = Path(word).expanduser().absolute()
        if not os.path.lexists(path) and glob.has_magic(word):
            _take(_matches(word), found)
        elif path.is_dir():
            try:
                _take(sorted(path.iterdir()), found)
            except OSError:
                found.photos.append(path)  # its turn comes, as a failure
        else:
            found.photos.append(path)
    found.photos = list(dict.fromkeys(found.photos))
    found.skipped = list(dict.fromkeys(found.skipped))
    return found


def not_a_file(path: Path) -> str:
    """Returns what lies at a path in place of a file, such as "a named pipe"; empty where a file lies there, or none.

    Opening a pipe would wait for whoever writes into it.
    """
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return ""
    return next((kind for is_kind, kind in _KINDS if is_kind(mode)), "")


def skipped_sentences(skipped: Sequence[tuple[Path, str]]) -> list[str]:
    """Returns one sentence for each folder in which something was skipped."""
    by_folder: dict[Path, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path, kind in skipped:
        by_folder[path.parent][kind].append(path.name)
    sentences = []
    for folder, kinds in by_folder.items():
        parts = []
        for kind, names in kinds.items():
            more = ", …" if len(names) > NAMES_SHOWN else ""
            parts.append(f"{len(names)} × {kind} ({', '.join(names[:NAMES_SHOWN])}{more})")
        sentences.append(f"skipped in {folder}, for they are no pictures that can be read: {'; '.join(parts)}.")
    return sentences


def folder_names(
    sources: Sequence[Path], out: Path | None = None, reserved: Collection[str] = (), owners: Sequence[str] = ()
) -> list[str]:
    """Returns the name of each source's folder in ``out``, so that no two share one.

    The first of a name gets its own; others add the name of the folder they lie in, or their ending where the two lie
    in one; a number is the last resort. Folders in ``out`` that were made from something else, or that hold something
    else, are taken, as are the ``reserved`` names: two runs into one folder never mix, and no photo is overwritten.
    ``owners`` are what the folders' camera.json names as their source (default: the sources' paths).
    """
    taken: dict[str, Path | None] = {name.casefold(): None for name in reserved}
    names = []
    for source, owner in zip(sources, owners or map(str, sources), strict=True):
        for name in _candidates(source, taken):
            # Two names that differ in case alone are one on many disks.
            mine = out is None or (source.parent != out / name and is_free(out / name, owner))
            if name.casefold() not in taken and mine:
                break
        taken[name.casefold()] = source
        names.append(name)
    return names


def is_free(folder: Path, owner: str) -> bool:
    """Returns whether a folder may get what is made of an owner: not there, empty, or made from that before."""
    if not os.path.lexists(folder):
        return True
    try:
        if not any(folder.iterdir()):
            return True
        told = json_files.read_object(folder / CAMERA_FILE).get(OWNER)
    except (OSError, ValueError):
        return False
    # Older versions did not say what they had made a folder from.
    return told is None or told == owner


def refusal_of_path(out: Path, names: Iterable[str]) -> str:
    """Returns why results of such names cannot be written into ``out``, in one sentence; empty if they can be."""
    longest = max((len(os.fsencode(name)) for name in names), default=0)
    if len(os.fsencode(out)) + 2 * longest + 32 <= LONGEST_PATH:
        return ""
    return f"The path {out} is too long: Blender cannot write there. Choose a shorter one with --out."


def shown(text: object) -> str:
    """Returns a text, such as a path, as it can be printed: with marks in place of bytes that are not UTF-8."""
    return os.fsencode(str(text)).decode("utf-8", "replace")


def _matches(word: str) -> list[Path]:
    matches = sorted(glob.glob(os.path.expanduser(word), recursive=True))
    if not matches:
        raise ValueError(f"Nothing fits the pattern {shown(word)}.")
    return [Path(match).absolute() for match in matches]


def _take(entries: Iterable[Path], found: Found) -> None:
    for entry in entries:
        if pictures.is_picture(entry):
            found.photos.append(entry)  # whatever it is: what is named like a photo and is none is told
        elif not entry.name.startswith("."):
            found.skipped.append((entry, not_a_file(entry) or entry.suffix.lower() or "no ending"))


def _candidates(source: Path, taken: dict[str, Path | None]) -> Iterable[str]:
    stem = _clean(source.stem) or "photo"
    yield stem
    other = taken.get(stem.casefold())
    ending = _clean(source.suffix.lstrip(".")) or "file"
    parent = _clean(source.parent.name) or "root"
    if other is not None and other.parent == source.parent:
        yield f"{stem}-{ending}"
    yield f"{stem}-{parent}"
    yield f"{stem}-{parent}-{ending}"
    number = 2
    while True:
        yield f"{stem}-{number}"
        number += 1


def _clean(name: str) -> str:
    """A name that every file system and Blender take: valid Unicode, neither too long nor with dots at its ends."""
    encoded = shown(name).replace("�", "_").strip(". ").encode("utf-8")[:LONGEST_NAME]
    return encoded.decode("utf-8", "ignore").strip(". ")

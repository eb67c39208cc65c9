# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The views of an image generator and what a person says about them: ``views.json`` in the folder of a view set.

A view set is a folder with ``views.json``, the codes in ``views.safetensors`` (row = position in the list) and, for
people to look at, ``candidates/NNN.png``: one view with several contents side by side. Both processes read and write
the list through this module, and it may be edited by hand.

A bin is a twelfth of the azimuths: bin b holds those within 15 degrees of 30 b. Azimuth 0 looks at the object's front,
90 degrees at its left side. Standard library alone.
"""

from __future__ import annotations

import json
import math
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from . import json_files
from .files import replacing

FORMAT = 1
FILE_NAME = "views.json"
NUMBER_OF_BINS = 12
DEGREES_A_BIN = 360 / NUMBER_OF_BINS
BIN_NAMES = (
    "front",
    "front-left",
    "left-front",
    "left",
    "left-back",
    "back-left",
    "back",
    "back-right",
    "right-back",
    "right",
    "right-front",
    "front-right",
)
"""What of the object is seen; the first word is what is seen most of."""
SOURCES = ("auto", "person")
MAX_BYTES = 16 * 1024 * 1024
"""Far above the list of any set; a larger file is something else."""


GUESSES_ACCEPTED = "guesses_accepted"
"""Entry of the file: true once somebody has taken all guesses at once."""


class ViewSetError(ValueError):
    """A view set that cannot be read or written; the message is one sentence for the user."""


@dataclass(frozen=True)
class View:
    """One view code and the azimuth it was given."""

    identity: int
    """Names its picture; unique in the set."""
    bin: int | None = None
    """0 to 11; None: not known."""
    dropped: bool = False
    """Not to be used."""
    guess_deg: float | None = None
    """Azimuth by the pose network in degrees; None: there is no guess."""
    elevation_guess_deg: float | None = None
    consistency: float = 0.0
    """Likeness of the view across contents; higher is better."""
    source: str = "auto"
    """``person`` once somebody has looked at it."""
    more: dict[str, Any] = field(default_factory=dict)
    """Entries of the file that this version does not know; kept when it is written again."""

    @property
    def likely_bin(self) -> int | None:
        """The bin, or else the guess's; None without either."""
        return self.bin if self.bin is not None else None if self.guess_deg is None else bin_of(self.guess_deg)

    @property
    def is_by_person(self) -> bool:
        """Says whether somebody has decided about it."""
        return self.source == "person"


@dataclass
class ViewSet:
    """All views of a set in the order of their codes, as they are in the file."""

    folder: Path
    generator: str
    split: int
    """Number of the generator's first layers that a view's code is for."""
    resolution: int
    views: list[View]
    annotation_seconds: float = 0.0
    more: dict[str, Any] = field(default_factory=dict)
    """Entries of the file that this version does not know; kept when it is written again."""
    stamp: int | None = None
    """When the file was last read or written here, as the file system tells it."""

    @property
    def accepts_guesses(self) -> bool:
        """Says whether a person has taken all guesses at once, without a look at each view."""
        return self.more.get(GUESSES_ACCEPTED) is True

    def candidate_path(self, view: View) -> Path:
        """Returns where the picture of a view lies, whether it is there or not."""
        return self.folder / "candidates" / f"{view.identity:03d}.png"


def bin_of(azimuth_deg: float) -> int:
    """Returns the bin of an azimuth in degrees, of any turn; in the middle between two, the one of the even number."""
    return round(azimuth_deg / DEGREES_A_BIN) % NUMBER_OF_BINS


def azimuth_deg_of(number: int) -> float:
    """Returns the middle of a bin, from 0 to 330 degrees."""
    return number * DEGREES_A_BIN


def with_guesses(views: list[View]) -> list[View]:
    """Returns the views with the guess taken for the bin wherever there is a guess and no bin."""
    return [replace(view, bin=view.likely_bin) for view in views]


def read(folder: Path) -> ViewSet:
    """Returns the view set in a folder; raises :class:`ViewSetError` for one that is missing or damaged."""
    path = folder / FILE_NAME
    try:
        with path.open("rb") as file:
            stamp = os.fstat(file.fileno()).st_mtime_ns
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ViewSetError(f"{folder} is no view set: it has no {FILE_NAME}.") from error
    except OSError as error:
        raise ViewSetError(f"{path} cannot be read ({error.strerror}).") from error
    if len(content) > MAX_BYTES:
        raise ViewSetError(f"{path} is too large for a list of views.")
    try:
        document = json_files.parse(content, str(path), numbers_only=True)
    except json_files.JsonError as error:
        raise ViewSetError(str(error)) from error
    try:
        found = _view_set(folder, document)
    except ViewSetError as error:
        raise ViewSetError(f"{path} is damaged: {error}") from error
    found.stamp = stamp
    return found


def write(view_set: ViewSet) -> None:
    """Writes the list beside its place and renames it. Raises :class:`ViewSetError`, also for a file that changed.

    A list that another program wrote since it was read here is left as it is.
    """
    path = view_set.folder / FILE_NAME
    try:
        if view_set.stamp is not None and path.exists() and path.stat().st_mtime_ns != view_set.stamp:
            raise ViewSetError(f"{path} was changed by another program meanwhile; open the view set again.")
        with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
            file.write(_text(view_set))
            file.flush()
            os.fsync(file.fileno())  # a person's work outlives a power failure
        view_set.stamp = path.stat().st_mtime_ns
    except OSError as error:
        raise ViewSetError(f"{path} cannot be written ({error.strerror}).") from error


def _text(view_set: ViewSet) -> str:
    """Returns the file's text: one view a line, so that it can be edited by hand."""
    head = {
        "format": FORMAT,
        "generator": view_set.generator,
        "split": view_set.split,
        "resolution": view_set.resolution,
        "annotation_seconds": round(view_set.annotation_seconds, 3),
        **view_set.more,
    }
    lines = [f" {json.dumps(name)}: {json.dumps(value, allow_nan=False)}," for name, value in head.items()]
    rows = [f"  {json.dumps(_record(view), allow_nan=False)}" for view in view_set.views]
    return "\n".join(["{", *lines, ' "views": [', ",\n".join(rows), " ]", "}", ""])


def _record(view: View) -> dict[str, Any]:
    return {
        "id": view.identity,
        "bin": view.bin,
        "dropped": view.dropped,
        "guess_deg": view.guess_deg,
        "elevation_guess_deg": view.elevation_guess_deg,
        "consistency": view.consistency,
        "source": view.source,
        **view.more,
    }


def _view_set(folder: Path, document: Any) -> ViewSet:
    """Checks a whole document; the sentences of what it raises say what is wrong, not in which file."""
    if not isinstance(document, dict):
        raise ViewSetError("it holds no object with views.")
    entries = dict(document)
    version = entries.pop("format", None)
    if version != FORMAT or isinstance(version, bool):
        raise ViewSetError(f"its format is {version!r}, and this version reads format {FORMAT}.")
    generator = entries.pop("generator", None)
    if not isinstance(generator, str):
        raise ViewSetError(f"its generator is {generator!r} and should be a text.")
    split = _integer("its split", entries.pop("split", None), 1)
    resolution = _integer("its resolution", entries.pop("resolution", None), 1)
    seconds = _number("its annotation_seconds", entries.pop("annotation_seconds", None))
    if seconds < 0:
        raise ViewSetError(f"its annotation_seconds is {seconds} and should not be negative.")
    rows = entries.pop("views", None)
    if not isinstance(rows, list) or not rows:
        raise ViewSetError("it has no list of views.")
    views = [_view(number, row) for number, row in enumerate(rows, 1)]
    identities = [view.identity for view in views]
    if len(set(identities)) < len(identities):
        twice = next(identity for identity in identities if identities.count(identity) > 1)
        raise ViewSetError(f"two views have the id {twice}.")
    return ViewSet(folder, generator, split, resolution, views, seconds, entries)


def _view(number: int, row: Any) -> View:
    """Checks one entry of the list, the ``number``-th, counted from 1."""
    if not isinstance(row, dict):
        raise ViewSetError(f"view {number} of the list is no object.")
    entries = dict(row)
    identity = _integer(f"the id of view {number} of the list", entries.pop("id", None), 0)
    where = f"of view {identity}"
    chosen = entries.pop("bin", None)
    if chosen is not None and _integer(f"the bin {where}", chosen, 0) >= NUMBER_OF_BINS:
        raise ViewSetError(f"the bin {where} is {chosen} and should be from 0 to {NUMBER_OF_BINS - 1}, or null.")
    dropped = entries.pop("dropped", False)
    if not isinstance(dropped, bool):
        raise ViewSetError(f"the entry dropped {where} is {dropped!r} and should be true or false.")
    source = entries.pop("source", "auto")
    if source not in SOURCES:
        raise ViewSetError(f"the source {where} is {source!r} and should be one of {', '.join(SOURCES)}.")
    return View(
        identity,
        chosen,
        dropped,
        _number_or_none(f"the guess_deg {where}", entries.pop("guess_deg", None)),
        _number_or_none(f"the elevation_guess_deg {where}", entries.pop("elevation_guess_deg", None)),
        _number(f"the consistency {where}", entries.pop("consistency", 0.0)),
        source,
        entries,
    )


def _integer(what: str, value: Any, minimum: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < minimum:
        raise ViewSetError(f"{what} is {value!r} and should be a whole number of at least {minimum}.")
    return value


def _number(what: str, value: Any) -> float:
    # JSON's integers have no bounds, and 1e999 is read as infinity.
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e15 or math.isnan(value):
        raise ViewSetError(f"{what} is {value!r} and should be a number.")
    return float(value)


def _number_or_none(what: str, value: Any) -> float | None:
    return None if value is None else _number(what, value)

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shape, texture and background of other objects and photos, for ``--swap`` of scripts/edit.py."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from . import copies, edit_sources, handle_tools, handles, job, looks, palette, parts, repaint, session
from .edit_sources import Source
from .wire import client, protocol, records

SHAPE, TEXTURE, BACKGROUND = "shape", "texture", "background"
KINDS = (SHAPE, TEXTURE, BACKGROUND)

Asked = Generator[job.Task, Any, Any]
"""Part of an item's steps."""
Make = Callable[[Source, str], Asked]
"""Makes the object of a photo, of a name, in an empty file, which is then the open one."""


def parse(words: Sequence[str]) -> dict[str, Source]:
    """Returns where each of shape, texture and background comes from. Raises ValueError with a sentence."""
    found: dict[str, Source] = {}
    for word in words:
        kind, _, text = word.partition("=")
        kind = kind.strip().lower()
        if kind not in KINDS or not text:
            raise ValueError(f"--swap takes {', '.join(f'{one}=FILE' for one in KINDS)}, not '{word}'.")
        sources = edit_sources.sources_of(text)
        if len(sources) != 1:
            raise ValueError(f"--swap takes one object or photo for {kind}, and {text} has {len(sources)}.")
        if not sources[0].path.is_file():
            raise ValueError(f"--swap: there is no file {sources[0].path}.")
        found[kind] = sources[0]
    return found


@dataclass
class Swaps:
    """What a run takes from elsewhere; photos are looked at once, when the first object's turn comes."""

    sources: dict[str, Source]
    bundle: str
    device: str
    make: Make
    background: np.ndarray | None = None
    """(s, s, 4) uint8 of a photo."""
    _made: dict[Path, Source] = field(default_factory=dict)
    _folder: tempfile.TemporaryDirectory[str] | None = None
    """Where the objects of photos are kept for the run."""

    def prepare(self) -> Asked:
        """Makes scene files of photos; another file is open afterwards."""
        for kind, source in self.sources.items():
            if source.is_scene or source.path in self._made:
                continue
            if kind == BACKGROUND:
                if self.background is None:
                    self.background = yield from self._behind(source.path)
                continue
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(prefix="unrender-")
            made = yield from self.make(source, source.name)
            path = Path(self._folder.name) / f"{len(self._made)}{edit_sources.BLEND}"
            edit_sources.save(path)
            self._made[source.path] = Source(path, made.owner.name)

    def apply(self, owner: bpy.types.Object) -> None:
        """Gives the open file's object what the others have. Raises ValueError with one sentence."""
        for kind, source in self.sources.items():
            source = self._made.get(source.path, source)
            if not source.is_scene:
                continue
            before = edit_sources.blocks()
            other = edit_sources.append(source)
            try:
                _take(owner, other, kind)
            finally:
                edit_sources.remove(other, before)

    def gives_shape_alone(self) -> bool:
        """Says whether objects get another's shape, and keep the texture that was painted for their own."""
        return SHAPE in self.sources and TEXTURE not in self.sources

    def _behind(self, path: Path) -> Asked:
        """Returns what a photo shows beside its object; all of it where there is none in it."""
        picture = yield session.request(protocol.PictureRequest(str(path)))
        mask = np.zeros(picture.pixels.shape[:2], np.uint8)
        try:
            found = yield session.request(records.CutOutRequest(str(path), bundle=self.bundle, device=self.device))
            mask = found.mask
        except client.WorkerError:
            pass  # a place without an object is a background as well
        return edit_sources.square_background(picture.pixels, mask)


def _take(owner: bpy.types.Object, other: bpy.types.Object, kind: str) -> None:
    if kind == SHAPE:
        handle_tools.copy(owner, other, "SHAPE")
        if session.status.error:
            raise ValueError(session.status.error)
    elif kind == BACKGROUND:
        handle_tools.copy(owner, other, "BACKGROUND")
    elif parts.has_parts(owner) and parts.has_parts(other) and palette.texture_of(owner) and palette.texture_of(other):
        take_texture(owner, other)
    else:
        handle_tools.copy(owner, other, "COLOURS")


def take_texture(owner: bpy.types.Object, other: bpy.types.Object) -> None:
    """Gives an object with parts the material of another one of its template: texture, maps, photo and colours."""
    reason = handle_tools.why_not_copied(owner, other, "SHAPE")
    if reason:
        raise ValueError(reason)
    copies.own_meshes(owner)
    material = other.active_material
    for one in copies.family(owner):
        one.data.materials.clear()
        one.data.materials.append(material)
    if looks.photo_of(owner) is not None:
        looks.add_slider(owner, other.get(looks.PHOTO, 0.0))
        looks.drive(material, owner)
    elif owner.get(looks.PHOTO) is not None:
        del owner[looks.PHOTO]
    with handles.muted():
        palette.take_over(owner, other)
        for region in palette.COLOURS:
            setattr(owner.unrender, palette.field_of(region), getattr(other.unrender, palette.field_of(region)))
        owner.unrender.two_tone = other.unrender.two_tone
    repaint.take_over(owner, other)
    handles.request_colours(owner)

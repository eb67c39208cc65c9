# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN2 generators in bundles: ``generator.safetensors`` and the card's block "generator".

A generator may be the only network of a bundle. Its images are squares; what is a picture and what are black bars
beside it, the *content*, is said in the card: (top, left, height, width) in pixels.

Letters: N batch, R side of the square, h, w size of the content.
"""

from __future__ import annotations

import os
import shutil
import uuid
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from ..common.bundle_files import CARD, GENERATOR
from ..errors import BundleError
from ..models.storage import Precision, save_network
from ..models.stylegan2 import Generator, load_generator, save_generator
from .bundle import FORMAT, bundle_folders, read_card, write_card

Content = tuple[int, int, int, int]
"""Top, left, height, width of the picture within the square, in pixels."""
_UNFINISHED = ".unfinished"
"""Folder beside the bundles in which one is written until it is whole."""
_HALF_LIMIT = torch.finfo(torch.float16).max


@dataclass
class GeneratorCard:
    """What a card says of its generator."""

    resolution: int
    """R."""
    content: Content
    source: str = ""
    """Origin of the weights."""
    licence: str = ""
    """SPDX name or terms."""
    data: str = ""
    """Data that it was trained on."""
    images: dict[str, Any] = field(default_factory=dict)
    """Way in which its images were brought into the square, as :class:`..data.images.ImageSetConfig` says it."""
    training: dict[str, Any] = field(default_factory=dict)
    """Such as kimg, thousands of images shown, and seconds."""
    metrics: dict[str, Any] = field(default_factory=dict)
    notes: str = ""


@dataclass
class LoadedGenerator:
    """A generator ready to use on a device."""

    name: str
    info: dict[str, Any]
    """The card's block "generator"; empty for a file without a card."""
    generator: Generator
    content: Content
    device: torch.device

    def to_pictures(self, images: Tensor) -> np.ndarray:
        """Images (N, 3, R, R) in [-1, 1] to their content as (N, h, w, 3) uint8 sRGB."""
        top, left, height, width = self.content
        inner = images[:, :, top : top + height, left : left + width].detach().float()
        pixels = ((inner + 1) * 127.5).round_().clamp_(0, 255).to(torch.uint8)
        return pixels.permute(0, 2, 3, 1).contiguous().cpu().numpy()


def load_generator_bundle(name_or_path: str | Path, device: torch.device | str = "cpu") -> LoadedGenerator:
    """A generator by its bundle's name, its bundle's folder, or as a bare file, all of whose square is content.

    Raises BundleError with one sentence if that cannot be done.
    """
    device = torch.device(device)
    path = bundle_folders(GENERATOR).get(str(name_or_path)) or Path(name_or_path)
    if path.is_file():
        generator = _load(path, device)
        return LoadedGenerator(path.stem, {}, generator, whole(generator.config.resolution), device)
    if not (path / CARD).is_file():
        known = ", ".join(bundle_folders(GENERATOR)) or "none"
        raise BundleError(f"There is no bundle '{name_or_path}' with an image generator; these are installed: {known}.")
    info, card = read_generator_card(path)
    generator = _load(path / GENERATOR, device)
    if generator.config.resolution != card.resolution:
        raise BundleError(f"The weights bundle in {path} cannot be used: its card and its generator do not agree.")
    return LoadedGenerator(info.get("name", path.name), info["generator"], generator, card.content, device)


def _load(path: Path, device: torch.device) -> Generator:
    try:
        return load_generator(path, device)
    except (ValueError, RuntimeError, MemoryError) as error:
        sentence = " ".join(str(error).split())[:300] or "There is not enough memory."
        raise BundleError(f"The image generator cannot be loaded: {sentence}") from error


def read_generator_card(folder: Path) -> tuple[dict[str, Any], GeneratorCard]:
    """A bundle's card, and what it says of its generator. Raises BundleError with one sentence."""
    info = read_card(folder)
    block = info.get("generator")
    if not isinstance(block, dict) or not (folder / GENERATOR).is_file():
        raise BundleError(f"The weights bundle in {folder} has no image generator.")
    try:
        known = {name: block[name] for name in GeneratorCard.__dataclass_fields__ if name in block}
        card = GeneratorCard(**{**known, "content": tuple(block["content"])})
        check_content(card.content, card.resolution)
    except (ValueError, TypeError, KeyError) as error:
        raise BundleError(f"The weights bundle in {folder} cannot be used: its card is damaged ({error}).") from error
    return info, card


def whole(resolution: int) -> Content:
    """All of the square."""
    return 0, 0, resolution, resolution


def centred(resolution: int, height: int, width: int) -> Content:
    """The middle of the square. Raises ValueError where it is larger than that."""
    content = ((resolution - height) // 2, (resolution - width) // 2, height, width)
    check_content(content, resolution)
    return content


def check_content(content: Content, resolution: int) -> None:
    """Raises ValueError unless these are four whole numbers of pixels that lie within the square."""
    if len(content) != 4 or any(type(number) is not int for number in (*content, resolution)):
        raise ValueError("the content is not four whole numbers of pixels")
    top, left, height, width = content
    if min(top, left) < 0 or min(height, width) < 1 or max(top + height, left + width) > resolution:
        raise ValueError(f"the content of {height}x{width} at {top}, {left} is not within {resolution}x{resolution}")


def fits_half(generator: nn.Module) -> bool:
    """Whether no weight is too large for half precision."""
    return all(bool((value.abs() <= _HALF_LIMIT).all()) for value in generator.state_dict().values())


def write_generator_bundle(
    folder: Path, generator: Generator, card: GeneratorCard, *, category: str = "", half: bool = True, replace: bool
) -> Path:
    """Writes a bundle with a generator alone: beside its place, then renamed, so that there is all of it or nothing.

    An older bundle with a generator alone gives way where ``replace`` is set. Raises BundleError where a folder is in
    the way or cannot be written.
    """
    folder = Path(os.path.abspath(folder))
    check_free(folder, replace=replace)
    about = {"format": FORMAT, "name": folder.name, "category": category}
    unfinished = folder.parent / _UNFINISHED / uuid.uuid4().hex
    try:
        try:
            unfinished.mkdir(parents=True)
            save_generator(unfinished / GENERATOR, generator, half=half and fits_half(generator))
            write_card(unfinished, {**about, "generator": asdict(card), "date": date.today().isoformat()})
            _take_place(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
            if unfinished.parent.is_dir() and not any(unfinished.parent.iterdir()):
                unfinished.parent.rmdir()
    except (OSError, SafetensorError) as error:
        raise BundleError(f"The weights bundle {folder} cannot be written: {reason(error)}.") from error
    return folder


def check_free(folder: Path, *, replace: bool) -> None:
    """Raises BundleError where a new bundle with a generator alone may not be put, for what lies there already."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    if not replace:
        raise BundleError(f"There is something at {folder} already: choose another name, or ask for it to be replaced.")
    if not folder.is_dir() or {path.name for path in folder.iterdir()} != {CARD, GENERATOR}:
        raise BundleError(f"What lies at {folder} is more than an image generator and is not replaced: choose a name.")


def add_generator(
    folder: Path, generator: Generator, card: GeneratorCard, *, category: str = "", precision: Precision = "half"
) -> Path:
    """Puts a generator into a bundle's folder, new or not, whose other networks stay; raises BundleError.

    One whose weights are too large for half precision is stored in float32 where ``half`` is asked for.
    """
    about: dict[str, Any] = {"format": FORMAT, "name": folder.name, "category": category}
    info = read_card(folder) if (folder / CARD).exists() else about
    try:
        if precision == "half" and not fits_half(generator):
            precision = "float32"
        save_network(folder / GENERATOR, generator, generator.config, precision=precision)
        write_card(folder, {"date": date.today().isoformat(), **info, "generator": asdict(card)})
    except (OSError, ValueError, SafetensorError) as error:
        raise BundleError(f"The weights bundle {folder} cannot be written: {reason(error)}.") from error
    return folder


def reason(error: Exception) -> str:
    """Why a file could not be written or read, as the end of a sentence."""
    return str(getattr(error, "strerror", None) or " ".join(str(error).split())).rstrip(".")


def _take_place(new: Path, folder: Path) -> None:
    """Renames a finished folder to its place; what is there comes back if that fails."""
    if not folder.exists():
        os.replace(new, folder)
        return
    old = new.with_name(new.name + ".old")
    os.replace(folder, old)
    try:
        os.replace(new, folder)
    except OSError:
        os.replace(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)

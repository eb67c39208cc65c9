# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder of a training run, read like a bundle: everything that accepts a bundle accepts a run.

A run has no card: what a card would say is in ``config.json``, ``log.jsonl`` and the checkpoint. It has no segmenter
either, and uses that of the default bundle. A run that is still going gives its last checkpoint's average.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from ..common import content
from ..common.bundle_files import CARD, GENERATOR, INVERSE_GRAPHICS, TEMPLATE
from ..common.json_files import parse_object, read_object
from ..common.measures import with_current_names
from ..common.records import DEFAULT_BUNDLE
from ..errors import BundleError
from ..models.inverse_graphics import InverseGraphics
from ..models.segmenter import load_segmenter
from ..models.storage import read_tensors
from ..models.stylegan2 import Generator, load_generator
from ..render.template import Template
from .bundle import LoadedBundle, load_bundle, load_inverse_graphics, segmenter_file
from .generator_bundle import LoadedGenerator, load_generator_bundle

CONFIG, LOG, CHECKPOINT = "config.json", "log.jsonl", "checkpoint.safetensors"
DAMAGE = (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError)
"""What files of a run that are missing, cut short or of another version lead to."""


@dataclass(frozen=True)
class Run:
    """A training run's folder and the settings that it was started with."""

    folder: Path
    config: dict[str, Any]
    """The task's config dataclass, as ``config.json`` holds it."""

    @classmethod
    def read(cls, folder: Path) -> Run:
        """Reads a run's settings; its networks are read when they are asked for. Raises BundleError."""
        with usable(folder):
            config = read_object(folder / CONFIG)
        return cls(folder, config)

    def records(self) -> list[dict[str, Any]]:
        """Returns the lines of the log; a last one that a kill cut short is left out. Raises OSError."""
        records = []
        for line in (self.folder / LOG).read_text(encoding="utf-8").splitlines():
            with contextlib.suppress(ValueError):
                records.append(parse_object(line, LOG))
        return records

    def progress(self) -> dict[str, Any]:
        """Returns steps, kimg and seconds of the exported weights: those of the checkpoint, else of the log.

        A task whose batch is put together of several kinds of pictures has no kimg.

        Raises OSError, KeyError or SafetensorError where neither says it.
        """
        if (self.folder / CHECKPOINT).exists():
            with safe_open(self.folder / CHECKPOINT, framework="pt") as file:
                metadata = file.metadata() or {}
            steps, seconds = int(metadata["step"]), float(metadata.get("seconds", 0))
        else:
            records = self.records()
            steps = int(records[-1]["step"]) if records else 0
            seconds = max((record.get("seconds", 0.0) for record in records), default=0.0)
        kimg = {"kimg": round(steps * self.config["batch"] / 1000, 3)} if "batch" in self.config else {}
        return {"steps": steps, **kimg, "seconds": round(seconds)}

    def last_figures(self, steps: int | None = None) -> dict[str, Any]:
        """Returns the last validation in the log, of those up to a step: held-out objects, before any refinement.

        Raises OSError.
        """
        records = [record for record in self.records() if steps is None or record["step"] <= steps]
        validations = [record for record in records if any(name.startswith("validation/") for name in record)]
        if not validations:
            return {}
        return with_current_names({name.removeprefix("validation/"): value for name, value in validations[-1].items()})

    def network(self) -> tuple[InverseGraphics, Template]:
        """Returns the inverse-graphics network, on the CPU, and its template. Raises one of :data:`DAMAGE`."""
        template = Template.load(self.folder / TEMPLATE)
        return load_inverse_graphics(self.folder / INVERSE_GRAPHICS, template), template

    def generator(self) -> Generator:
        """Returns the generator, on the CPU. Raises ValueError."""
        return load_generator(self.folder / GENERATOR)

    def images(self) -> dict[str, Any]:
        """Returns how a generator's run saw its images, as :class:`..data.images.ImageSetConfig` says it."""
        return dict(self.config["images"])


@contextlib.contextmanager
def usable(folder: Path) -> Iterator[None]:
    """Turns what a damaged or unfinished run leads to into one sentence. Raises BundleError."""
    try:
        yield
    except DAMAGE as error:
        raise BundleError(f"{folder} does not hold a usable run: {error}") from error


def checkpoint_networks(folder: Path) -> dict[str, dict[str, Tensor]]:
    """Returns the states of the networks in a run's checkpoint, by the task's names for them. Raises ValueError."""
    networks: dict[str, dict[str, Tensor]] = {}
    for name, value in read_tensors(folder / CHECKPOINT)[0].items():
        kind, _, rest = name.partition("/")
        network, _, layer = rest.partition("/")
        if kind == "network":
            networks.setdefault(network, {})[layer] = value
    return networks


def is_run(folder: Path) -> bool:
    """Returns whether a folder holds what a training run exports, and no card, which would make it a bundle."""
    return not (folder / CARD).exists() and (_has_network(folder) or (folder / GENERATOR).is_file())


def _has_network(folder: Path) -> bool:
    return (folder / INVERSE_GRAPHICS).is_file() and (folder / TEMPLATE).is_file()


def load_network(name_or_path: str, device: torch.device | str = "cpu") -> tuple[InverseGraphics, Template]:
    """Returns the inverse-graphics network, in evaluation mode and without gradients, and its template.

    name_or_path: a run's folder, a bundle's folder or its name. Raises BundleError with one sentence where there is no
    such network.
    """
    folder = Path(name_or_path)
    if not _has_network(folder):
        bundle = load_bundle(name_or_path, device)
        return bundle.inverse_graphics, bundle.template
    try:
        template = Template.load(folder / TEMPLATE)
        network = load_inverse_graphics(folder / INVERSE_GRAPHICS, template)
    except (ValueError, OSError, KeyError, TypeError) as error:
        raise BundleError(f"The network in {folder} cannot be used: {error}") from error
    return network.to(device), template


def load_bundle_or_run(name_or_path: str, device: torch.device | str = "cpu") -> LoadedBundle:
    """Returns all that Image to 3D needs: of a bundle by its name or folder, or of a run's folder.

    Raises BundleError with one sentence.
    """
    folder = Path(name_or_path)
    if not (is_run(folder) and _has_network(folder)):
        return load_bundle(name_or_path, device)
    network, template = load_network(name_or_path, device)
    info: dict[str, Any] = {"name": folder.resolve().name}
    if (folder / CONFIG).exists():
        category = Run.read(folder).config.get("category")
        info |= {"category": category} if category else {}
    with usable(folder):
        segmenter = load_segmenter(segmenter_file(folder, {"segmenter": DEFAULT_BUNDLE}), device)
    return LoadedBundle(info["name"], info, template, network, segmenter, torch.device(device), folder=folder)


def load_generator_or_run(name_or_path: str | Path, device: torch.device | str = "cpu") -> LoadedGenerator:
    """Returns an image generator: a bundle's by name or folder, a run's by its folder or file, or a bare file's.

    Of a run the content is what its images had, of a bare file the whole square. Raises BundleError with one sentence.
    """
    path = Path(name_or_path)
    folder = path.parent if path.name == GENERATOR else path
    if not (is_run(folder) and (folder / GENERATOR).is_file() and (folder / CONFIG).is_file()):
        return load_generator_bundle(name_or_path, device)
    loaded = load_generator_bundle(folder / GENERATOR, device)
    run = Run.read(folder)
    if "images" not in run.config:  # a file that somebody put beside another program's settings
        return loaded
    with usable(folder):
        images = run.images()
        picture = content.of_aspect(loaded.generator.config.resolution, float(images["aspect"]))
    return replace(loaded, name=folder.resolve().name, info={"images": images}, content=picture)

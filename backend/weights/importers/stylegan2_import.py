# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Other people's StyleGAN2 generators become bundles: read, converted, tried, written.

Nothing in a checkpoint is run, see ``checkpoint.py``. Of its networks the moving average of the generator is taken,
and the generator itself where there is none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from ...common.bundle_files import CARD, GENERATOR
from ...errors import BundleError
from ...models.network_files import config_of
from ...models.storage import read_tensors
from ...models.stylegan2 import Generator, GeneratorConfig
from ..generator_bundle import (
    Content,
    GeneratorCard,
    LoadedGenerator,
    centred,
    check_content,
    check_free,
    fits_half,
    read_generator_card,
    whole,
    write_generator_bundle,
)
from .checkpoint import AdaNetwork, Checkpoint, CheckpointError, Role, StateDict, TensorFlowNetwork, read_checkpoint
from .known_checkpoints import UNKNOWN_LICENCE, Origin, origin_of
from .stylegan2_names import check_fit, generator_from_ada
from .stylegan2_port import estimate_average, generator_from_port
from .stylegan2_tensorflow import generator_from_tensorflow
from .untrusted import printable

Kind = Literal["ada", "tensorflow", "state", "own"]
KINDS: dict[Kind, str] = {
    "ada": "NVIDIA's PyTorch pickle",
    "tensorflow": "NVIDIA's TensorFlow pickle",
    "state": "a PyTorch port's checkpoint",
    "own": "a generator of Unrender",
}
"""Where weights can come from, in words."""

_ADA_KIND = {"activation": ("lrelu", "linear"), "architecture": ("skip",)}
"""Attributes of StyleGAN2-ADA's layers that change what they compute, with the values that are supported."""

COLOURS = 3
"""Channels of every image here."""

Report = Callable[[str, float], None]
"""Is told what is done next, in a few words, and how much is done, from 0 to 1; may raise to stop."""

State = tuple[GeneratorConfig, dict[str, Tensor]]


@dataclass
class FoundGenerator:
    """The generator of a checkpoint, before it is written as a bundle."""

    kind: Kind
    file_name: str
    generator: Generator
    card: GeneratorCard
    """What is known of it; the caller may overrule licence and content."""
    category: str = ""
    notes: list[str] = field(default_factory=list)
    """Sentences on what the user should know about the import."""

    def describe(self) -> str:
        """In words: kind, resolution, channels."""
        config = self.generator.config
        channels = ", ".join(map(str, config.channel_table))
        return (
            f"{self.file_name}: {KINDS[self.kind]}; images of {config.resolution}x{config.resolution}, "
            f"channels {channels} from 4 px up, z {config.z_dim}, w {config.w_dim}, "
            f"{config.mapping_layers} mapping layers"
        )

    def set_picture(self, height: int, width: int) -> None:
        """Says that the picture is of this size in the middle of the square. Raises BundleError if it is larger."""
        try:
            self.card.content = centred(self.generator.config.resolution, height, width)
        except ValueError as error:
            raise BundleError(f"The picture cannot be cut out: {error}.") from error


def nothing(stage: str, fraction: float) -> None:
    """A :data:`Report` that tells nobody."""


def import_checkpoint(
    path: Path | str,
    out_folder: Path | str,
    *,
    name: str = "",
    licence: str = "",
    content: Content | None = None,
    half: bool = True,
    replace: bool = False,
    report: Report = nothing,
) -> Path:
    """Makes a bundle ``out_folder / name`` of a StyleGAN2 checkpoint or of a generator of our own; returns its folder.

    ``path`` is a file, or the folder of a bundle. Where ``name`` is empty it comes from the file; where licence or
    content (top, left, height, width) are not given they are what is known of the file. Half precision is given up
    where a weight is too large for it. Raises CheckpointError or BundleError with one sentence, and then has written
    nothing.
    """
    folder = Path(out_folder) / bundle_name(name or default_name(path))
    check_free(folder, replace=replace)
    report("Reading the checkpoint", 0.0)
    found = read_generator(path)
    if content is not None:
        try:
            check_content(content, found.generator.config.resolution)
        except ValueError as error:
            raise BundleError(f"The picture cannot be cut out: {error}.") from error
        found.card.content = content
    return save_found(found, folder, licence=licence, half=half, replace=replace, report=report)


def save_found(
    found: FoundGenerator,
    folder: Path,
    *,
    licence: str = "",
    half: bool = True,
    replace: bool = False,
    report: Report = nothing,
) -> Path:
    """Tries a generator and writes it as the bundle ``folder``; arguments and errors as :func:`import_checkpoint`."""
    report("Trying the generator", 0.6)
    check_generator(found.generator, found.file_name)
    if half and not fits_half(found.generator):
        found.notes.append("Some weights are too large for half precision, so it is kept in full.")
    found.card.licence = licence or found.card.licence
    found.card.notes = " ".join(filter(None, [found.card.notes, *found.notes]))
    report("Writing the bundle", 0.8)
    return write_generator_bundle(
        folder, found.generator, found.card, category=found.category, half=half, replace=replace
    )


def default_name(path: Path | str) -> str:
    """The name of the bundle that a file or folder becomes where none is given."""
    path = Path(path)
    own = path.name in (GENERATOR, CARD) and (path.parent / CARD).exists()
    return path.parent.name if own else path.name if path.is_dir() else path.stem


def bundle_name(text: str) -> str:
    """A text as the name of a folder: letters, digits, and - _ . between them. Raises BundleError if none is left."""
    name = re.sub(r"[^\w.-]+", "-", text).strip("-._")[:80]
    if not name:
        raise BundleError("A bundle needs a name of letters or digits.")
    return name


def read_generator(path: Path | str) -> FoundGenerator:
    """The generator of a checkpoint of any kind, on the CPU.

    Raises CheckpointError or BundleError, with one sentence, where the file is missing, damaged, asks for anything
    but weights or holds another network.
    """
    path = Path(path)
    if path.is_dir() or path.suffix == ".safetensors" or path.name == CARD:
        return _read_own(path)
    checkpoint = read_checkpoint(path, ("G_ema", "G"))
    role: Role = "G_ema" if "G_ema" in checkpoint.networks else "G"
    try:
        config, state = _converted(checkpoint, role)
        generator = _built(config, state)
    except (ValueError, IndexError, TypeError, ArithmeticError, RuntimeError, MemoryError) as error:
        raise _refusal(path, error) from error
    found = _found(checkpoint.kind, path.name, generator)
    if not checkpoint.names_networks:
        found.notes.append("The file holds one generator alone and does not say whether it is the moving average.")
    elif role == "G":
        found.notes.append("The file has no moving average of the generator; this is the generator itself.")
    if checkpoint.kind == "state" and checkpoint.networks[role].latent_avg is None:
        estimate_average(generator)
        found.notes.append("The file has no mean of w; it was estimated.")
    return found


def _found(kind: Kind, file_name: str, generator: Generator) -> FoundGenerator:
    """A generator with what is known of its file."""
    resolution = generator.config.resolution
    origin: Origin = origin_of(file_name, kind)
    content = whole(resolution)
    if origin.picture is not None and origin.resolution == resolution:
        content = centred(resolution, *origin.picture)
    source = f"{printable(file_name)}, {KINDS[kind]}"
    card = GeneratorCard(resolution, content, source=source, licence=origin.licence, data=origin.data)
    return FoundGenerator(kind, printable(file_name), generator, card, origin.category)


def _converted(checkpoint: Checkpoint, role: Role) -> State:
    """Config and state of our generator. Raises ValueError, or what arrays of unexpected shapes lead to."""
    network = checkpoint.networks[role]
    if isinstance(network, AdaNetwork):
        return generator_from_ada(_tensors(network.state), **_ada_settings(network))
    if isinstance(network, TensorFlowNetwork):
        return generator_from_tensorflow(_tensors(network.variables), network.static_kwargs)
    if isinstance(network, StateDict):
        average = network.latent_avg
        return generator_from_port(_tensors(network.tensors), None if average is None else _tensors({"": average})[""])
    raise ValueError("This is a network of a kind that is not known.")


def _tensors(arrays: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    """Arrays of any number type as float32 tensors."""
    return {name: torch.from_numpy(np.array(value, dtype=np.float32)) for name, value in arrays.items()}


def _ada_settings(network: AdaNetwork) -> dict[str, Any]:
    """What the shapes of StyleGAN2-ADA's tensors do not show. Raises ValueError where it is of no supported kind."""
    for name, value in network.attributes.items():
        end = name.rpartition(".")[2]
        if end in _ADA_KIND and value not in _ADA_KIND[end]:
            raise ValueError(f"This StyleGAN2 network is of a kind that is not supported: its {end} is {value}.")
    rate = network.attributes.get("mapping.fc0.bias_gain")
    if rate is None:
        rate = _option(network.init_kwargs, "mapping_kwargs").get("lr_multiplier", 0.01)
    clamp = network.attributes.get("synthesis.b4.conv1.conv_clamp")
    if clamp is None:
        clamp = _option(network.init_kwargs, "synthesis_kwargs").get("conv_clamp")
    return {"mapping_rate": float(rate), "conv_clamp": None if clamp is None else float(clamp)}


def _option(arguments: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = arguments.get(name)
    return value if isinstance(value, Mapping) else {}


def _built(config: GeneratorConfig, state: Mapping[str, Tensor]) -> Generator:
    """The network of a state whose shapes have been checked, so that it takes no more memory than the state.

    Raises ValueError where its images are not in colour.
    """
    if config.image_channels != COLOURS:
        channels = "1 channel" if config.image_channels == 1 else f"{config.image_channels} channels"
        raise ValueError(f"Its images have {channels} instead of red, green and blue; choose one of colour images.")
    generator = Generator(config)
    generator.load_state_dict(dict(state))
    return generator.eval().requires_grad_(False)


def _read_own(path: Path) -> FoundGenerator:
    """A generator that is stored as we store it, with its card where it has one."""
    folder = path if path.is_dir() else path.parent
    card: GeneratorCard | None = None
    category = ""
    if (folder / CARD).is_file() and (path.is_dir() or path.name in (CARD, GENERATOR)):
        info, card = read_generator_card(folder)
        category = str(info.get("category", ""))
        path = folder / GENERATOR
    elif path.is_dir():
        raise BundleError(f"The folder {printable(path.name)} is no bundle: it has no {CARD}.")
    elif not path.is_file():
        raise CheckpointError(f"The checkpoint {printable(path.name)} was not found.")
    try:
        tensors, metadata = read_tensors(path)
    except (ValueError, MemoryError) as error:
        raise CheckpointError(f"The checkpoint {printable(path.name)} is damaged or no safetensors file.") from error
    try:
        config = config_of(path, metadata, GeneratorConfig)
        if 2 * config.mapping_layers > len(tensors):
            raise ValueError("This StyleGAN2 network is incomplete.")
        tensors = {name: value.float() for name, value in tensors.items()}
        check_fit(tensors, lambda: Generator(config))
        generator = _built(config, tensors)
    except (ValueError, TypeError, ArithmeticError, RuntimeError, MemoryError) as error:
        raise _refusal(path, error) from error
    found = _found("own", path.name, generator)
    if card is not None:
        if card.resolution != config.resolution:
            raise BundleError(f"The weights bundle in {folder} cannot be used: its card does not fit its generator.")
        found.card = card
        found.category = category
    return found


def _refusal(path: Path, error: Exception) -> CheckpointError:
    """The one sentence about a file whose networks do not fit."""
    if isinstance(error, MemoryError):
        clause = "there is not enough memory for it"
    elif isinstance(error, IndexError | TypeError | ArithmeticError):
        clause = "its weights or settings are of unexpected shapes or types"
    else:
        text = " ".join(str(error).replace(str(path), path.name).split()) or type(error).__name__
        text = "".join(character if character.isprintable() else "?" for character in text)
        clause = (text if len(text) <= 240 else text[:237] + "...").rstrip(".")
        clause = clause[:1].lower() + clause[1:]
    return CheckpointError(f"The checkpoint {printable(path.name)} cannot be used: {clause}.")


@torch.no_grad()
def check_generator(generator: Generator, file_name: str) -> None:
    """Makes one image. Raises CheckpointError where it or a weight is not finite, or where it is one flat colour."""
    clause = ""
    if not all(bool(torch.isfinite(value).all()) for value in generator.state_dict().values()):
        clause = "holds weights that are not finite numbers"
    else:
        z = torch.randn(1, generator.config.z_dim, generator=torch.Generator().manual_seed(0))
        image = generator(z, truncation=0.7, noise="const")
        if not bool(torch.isfinite(image).all()):
            clause = "makes images that are not finite numbers"
        elif float(image.amax() - image.amin()) == 0:
            clause = "makes images of one flat colour"
    if clause:
        raise CheckpointError(f"The checkpoint {printable(file_name)} {clause}.")


def sample_pictures(found: FoundGenerator, count: int, truncation: float = 0.7, seed: int = 0) -> np.ndarray:
    """Pictures (``count``, h, w, 3) uint8, cut to the content, of codes that the seed draws."""
    config = found.generator.config
    z = torch.randn(count, config.z_dim, generator=torch.Generator().manual_seed(seed))
    loaded = LoadedGenerator("", {}, found.generator, found.card.content, torch.device("cpu"))
    with torch.no_grad():
        # One at a time: many images of 1024 pixels would need much memory.
        return np.concatenate(
            [loaded.to_pictures(found.generator(code, truncation, noise="const")) for code in z[:, None]]
        )


__all__ = [
    "KINDS",
    "UNKNOWN_LICENCE",
    "FoundGenerator",
    "bundle_name",
    "check_generator",
    "default_name",
    "import_checkpoint",
    "read_generator",
    "sample_pictures",
    "save_found",
]

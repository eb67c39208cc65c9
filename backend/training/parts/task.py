# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the network for objects with parts.

A batch holds drawn cars, rendered cars where a dataset is given, and labelled photographs where a set is given. From
photographs it learns the azimuth from the label, and the maps from a fit of the shape space to the mask.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...common.bundle_files import PARTS_NETWORK, network_file
from ...common.shape_space import ShapeSpace
from ...data.labelled_photographs import LabelledPhotographs, load_labelled_photographs
from ...models.parts_network import PartsNetwork, PartsNetworkConfig, load_parts_network, save_parts_network
from ...models.precision import computes_in_bfloat16
from ...render.template import Template
from ...weights.bundle import load_named_parts
from ..averages import update_average
from ..loop import LoopConfig, Task, cosine_rate, run
from .drawn_cars import DrawnCars, DrawnConfig
from .evaluation import azimuth_figures, map_figures, sheet
from .examples import Examples, VariationConfig, plain, varied
from .kept_drawings import KeptDrawings
from .losses import PartsWeights, log_prior, parts_losses
from .sources import LABEL_ERROR, Photographs, ReadPhotographs, Renders, fitted_photographs

_RENDER_SIZE = 128
"""Side in pixels that rendered views are kept at."""


@dataclass(frozen=True)
class PartsTraining:
    """How the network for objects with parts is trained.

    Every batch holds drawn objects, and renders and photographs where there are any.
    """

    network: PartsNetworkConfig = field(default_factory=PartsNetworkConfig)
    drawing: DrawnConfig = field(default_factory=DrawnConfig)
    variation: VariationConfig = field(default_factory=VariationConfig)
    weights: PartsWeights = field(default_factory=PartsWeights)
    loop: LoopConfig = field(default_factory=LoopConfig)
    bundle: str = "car"
    """Bundle whose template with parts and shape space are used: the name of a bundled one, or a folder."""
    start: str = ""
    """Weights that the network starts from: a bundle, a run's folder or a file; empty: fresh ones."""
    photographs: str = ""
    """Folders of labelled photographs to learn from, joined by ``;`` (``data/labelled_photographs.py``)."""
    validation: str = ""
    """Folders of labelled photographs to judge by alone, joined by ``;``."""
    held_out: float = 0.2
    """Share of the groups of ``photographs`` that is kept for validation."""
    held_out_renders: int = 200
    """Number of rendered views that are kept for validation, the last of the folder."""
    fit: bool = True
    """Whether the shape space is fitted to the photographs, so that their maps are learned too. Without fits they are
    learned from what the network of ``start`` reads, where there is one."""
    drawn: int = 48
    """Number of drawn cars in a batch."""
    rendered: int = 32
    """Number of rendered views in a batch."""
    photographed: int = 40
    """Number of photographs in a batch."""
    packed: int = 224
    """Side in pixels of examples before they are moved about: that of the crops times their spare margin, or more."""
    domain: float = 0.2
    """Weight of a judge that tells photographs of fronts from other fronts by the head's features. Its gradient is
    reversed: without it the network learns that whatever looks like a photograph shows a front."""
    prior: float = 1.0
    """How much of the photographs' own distribution of azimuths is taken out of what the network learns from them; 0:
    a set of nothing but fronts teaches that photographs show fronts."""
    learning_rate: float = 1.2e-3
    weight_decay: float = 0.03
    warm_up: int = 200
    """Number of steps in which the learning rate rises."""
    average_decay: float = 0.999
    """Fraction of the moving average of the weights that each step keeps."""
    bfloat16: bool = True
    seed: int = 0


PRESETS: dict[str, PartsTraining] = {
    "tiny": PartsTraining(
        network=PartsNetworkConfig(image_size=64, channels=(8, 16, 24, 32, 48), blocks=(1, 1, 1, 1, 1), hidden=64),
        drawing=DrawnConfig(codes=16),
        loop=LoopConfig(steps=30, log_every=10, evaluate_every=30, checkpoint_every=15, tensorboard=False),
        drawn=6, rendered=4, photographed=4, packed=80, warm_up=5, average_decay=0.8, held_out_renders=2,
    ),
    "small": PartsTraining(
        loop=LoopConfig(steps=3000, evaluate_every=1000), drawing=DrawnConfig(kept=240), drawn=12, rendered=8,
        photographed=12,
    ),
    "medium": PartsTraining(loop=LoopConfig(steps=12000, evaluate_every=2000, checkpoint_every=500)),
    "full": PartsTraining(
        loop=LoopConfig(steps=60000, evaluate_every=5000, checkpoint_every=1000), drawn=96, rendered=64,
        photographed=96, average_decay=0.9995,
    ),
}  # fmt: skip


class _Judge(nn.Module):
    """Tells photographs from other pictures by the head's features, which its gradient reaches with reversed sign."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(width, 128), nn.ReLU(), nn.Linear(128, 1))

    def forward(self, features: Tensor) -> Tensor:
        reversed_: Tensor = _Reversed.apply(features)  # type: ignore[no-untyped-call]
        return self.layers(reversed_)[:, 0]


class _Reversed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, values: Tensor) -> Tensor:
        return values.view_as(values)

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:
        return -gradient


class PartsTask(Task):
    """What the training loop needs to know; see ``loop.Task``."""

    def __init__(self, config: PartsTraining, data: Path | None, out: Path, device: torch.device) -> None:
        self.config, self.device = config, device
        parts = load_named_parts(config.bundle)
        space, template = parts.space, parts.template
        if space.size != config.network.code_size:
            raise ValueError(
                f"Codes of the bundle {Path(config.bundle).name} have {space.size} numbers, and the network expects "
                f"{config.network.code_size}; set network.code_size={space.size}."
            )
        self.generator = torch.Generator(device).manual_seed(config.seed)
        torch.manual_seed(config.seed)
        model = PartsNetwork(config.network).to(device)
        if config.start:
            model.load_state_dict(_weights_of(config.start, config.network).state_dict())
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        average = copy.deepcopy(model).requires_grad_(False).eval()
        judge = _Judge(config.network.hidden).to(device)
        self.networks = {"model": model, "average": average, "judge": judge}
        self.optimizer = torch.optim.AdamW(
            [*model.parameters(), *judge.parameters()], lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.optimizers = {"model": self.optimizer}
        self._load_photographs(space, template, out)
        # Without photographs there are no places to mirror.
        drawing = config.drawing if self.photographs is not None else replace(config.drawing, real_surroundings=0.0)
        self.cars = DrawnCars(space, template, drawing, device, config.seed)
        self.unseen_cars = DrawnCars(space, template, drawing, device, config.seed + 1)
        self.drawings = None
        if config.drawing.kept:
            fresh = max(1, round(config.drawing.fresh * config.drawn))
            self.drawings = KeptDrawings(self._drawn, config.drawing.kept, fresh, config.seed, device)
        self.renders = None if data is None else Renders(data, min(_RENDER_SIZE, config.packed), device, space.size)
        if self.renders is not None and len(self.renders) <= config.held_out_renders:
            raise ValueError(
                f"{data} holds {len(self.renders)} views, and {config.held_out_renders} are held out; render more, or "
                f"lower held_out_renders."
            )
        basis = torch.as_tensor(space.basis).square().mean(dim=(1, 2)).sqrt()
        # What no vertex moves by, the fold's number, still matters.
        self.code_scale = (basis / basis.sum()).clamp(min=0.002).to(device)

    def _load_photographs(self, space: ShapeSpace, template: Template, out: Path) -> None:
        config = self.config
        folders = [Path(part) for part in config.photographs.split(";") if part]
        only_judged = [Path(part) for part in config.validation.split(";") if part]
        names = [folder.name for folder in folders + only_judged]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"Two folders of photographs are called {twice[0]}; rename one, for figures go by names.")
        shown, judged = [], {}
        for folder in folders:
            kept, held_out = load_labelled_photographs(folder, config.packed).split(config.held_out)
            shown.append(kept)
            judged[folder.name] = held_out
        for folder in only_judged:
            judged[folder.name] = load_labelled_photographs(folder, config.packed)
        self.photographs: Photographs | None = None
        self.prior: Tensor | None = None
        if shown:
            together = _joined(shown)
            if not len(together):
                raise ValueError(f"No photograph of {config.photographs} is left to learn from; lower held_out.")
            file = out / "photograph_fits.safetensors"
            fits = fitted_photographs(together, file, space, template, self.device) if config.fit else None
            if config.start and not config.fit:
                reader = _weights_of(config.start, config.network)
                self.photographs = ReadPhotographs(together, reader, space, template, self.device)
            else:
                self.photographs = Photographs(together, fits, space, template, self.device)
            bins = config.network.azimuth_bins
            self.prior = config.prior * log_prior(self.photographs.azimuths, bins, LABEL_ERROR)
        self.judged = {
            name: Photographs(part, None, space, template, self.device) for name, part in judged.items() if len(part)
        }

    def _grounds(self, count: int, generator: torch.Generator) -> Tensor:
        """(count, 3, S, S): what lies behind drawn cars, pieces of photographs where there are any."""
        if self.photographs is None:
            coarse = torch.rand(count, 3, 8, 8, device=self.device, generator=generator)
            return F.interpolate(coarse, self.config.packed, mode="bicubic").clamp(0, 1)
        index = torch.randint(len(self.photographs), (count,), device=self.device, generator=generator)
        return self.photographs.rgb[index].float() / 255

    def _drawn(self, count: int, generator: torch.Generator) -> Examples:
        return self.cars.draw(count, self.config.packed, self._grounds(count, generator), generator)

    def _batch(self, step: int) -> Examples:
        config, parts = self.config, []
        if self.drawings is not None:
            parts.append(self.drawings.examples(step, config.drawn, self.generator))
        else:
            parts.append(self._drawn(config.drawn, self.generator))
        if self.renders is not None:
            last = len(self.renders) - config.held_out_renders
            index = torch.randint(last, (config.rendered,), device=self.device, generator=self.generator)
            parts.append(self.renders.examples(index, config.packed))
        if self.photographs is not None:
            count = len(self.photographs)
            index = torch.randint(count, (config.photographed,), device=self.device, generator=self.generator)
            parts.append(self.photographs.examples(index))
        return Examples.concatenate(parts)

    def step(self, step: int) -> dict[str, Tensor]:
        config, model = self.config, self.networks["model"]
        assert isinstance(model, PartsNetwork)
        truth, crops = varied(self._batch(step), config.network.image_size, config.variation, self.generator)
        for group in self.optimizer.param_groups:
            group["lr"] = cosine_rate(step, config.loop.steps, config.learning_rate, config.warm_up)
        model.train()
        half = config.bfloat16 and computes_in_bfloat16(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            levels, head = model.features(crops.contiguous(memory_format=torch.channels_last))
            prediction = model.predict(levels, head)
            judged = self.networks["judge"](head)
        losses = parts_losses(prediction, truth, self.code_scale, config.weights, self.prior)
        if config.domain and self.photographs is not None:
            fronts = (truth.azimuth.abs() < 1.2).float()
            each = F.binary_cross_entropy_with_logits(judged.float(), truth.photograph.float(), reduction="none")
            losses["domain"] = config.domain * (each * fronts).sum() / fronts.sum().clamp(min=1)
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
        self.optimizer.step()
        update_average(self.networks["average"], model, min(config.average_decay, (1 + step) / (10 + step)))
        return losses

    def _validation(self) -> Iterator[tuple[str, Iterator[Examples]]]:
        """Held-out sets by name, in batches."""
        generator = torch.Generator(self.device).manual_seed(7)
        ground = torch.full((32, 3, 8, 8), 0.5, device=self.device)
        count = 2 if self.config.network.image_size < 128 else 8
        yield "drawn", (self.unseen_cars.draw(32, self.config.packed, ground, generator) for _ in range(count))
        if self.renders is not None:
            first = len(self.renders) - self.config.held_out_renders
            index = torch.arange(first, len(self.renders), device=self.device)
            yield "renders", (self.renders.examples(part, self.config.packed) for part in index.split(32))
        for name, photographs in self.judged.items():
            index = torch.arange(len(photographs), device=self.device)
            yield name, (photographs.examples(part) for part in index.split(32))

    @torch.no_grad()
    def evaluate(self, step: int, folder: Path) -> dict[str, float]:
        """Returns errors of azimuths on every held-out set, and of maps where they are known; draws a sheet of each."""
        network = self.networks["average"]
        assert isinstance(network, PartsNetwork)
        figures: dict[str, float] = {}
        self._sheets: dict[str, np.ndarray] = {}
        for name, batches in self._validation():
            seen = []
            for batch in batches:
                truth, crops = plain(batch, self.config.network.image_size)
                seen.append((truth, network(crops.contiguous(memory_format=torch.channels_last)), crops))
            figures |= {f"{name}_{key}": value for key, value in azimuth_figures(seen).items()}
            figures |= {f"{name}_{key}": value for key, value in map_figures(seen).items()}
            self._sheets[name] = sheet(*seen[0])
        return figures

    def sheets(self) -> dict[str, np.ndarray]:
        return self._sheets

    def export(self, folder: Path) -> None:
        average = self.networks["average"]
        assert isinstance(average, PartsNetwork)
        save_parts_network(folder / PARTS_NETWORK, average)


def _weights_of(start: str, config: PartsNetworkConfig) -> PartsNetwork:
    """The network of a bundle, of a run's folder or of a file. Raises ValueError where none of the same size is."""
    network = load_parts_network(network_file(start, PARTS_NETWORK))
    if network.config != config:
        raise ValueError(f"The network of {start} has another size than the one to be trained; choose its preset.")
    return network


def _joined(parts: list[LabelledPhotographs]) -> LabelledPhotographs:
    return LabelledPhotographs(
        np.concatenate([part.rgb for part in parts]),
        np.concatenate([part.masks for part in parts]),
        np.concatenate([part.azimuths for part in parts]),
        tuple(name for part in parts for name in part.names),
        tuple(group for part in parts for group in part.groups),
    )


def train(config: PartsTraining, data: Path, out: Path, *, resume: bool, device: torch.device) -> dict[str, float]:
    """Trains on drawn cars, the rendered views in ``data`` (``-``: none) and photographs; returns the last figures.

    Leaves ``parts_network.safetensors`` in ``out``.

    Raises:
        FileNotFoundError: No rendered object lies in ``data``, one has no truth, or a set of photographs is missing.
        FileExistsError: A run lies in ``out`` that was not asked to be resumed.
        ValueError: A damaged photograph or checkpoint, too few of them, or a bundle that does not fit the network.
        BundleError: The bundle has no template with parts, or a damaged one.
    """
    out.mkdir(parents=True, exist_ok=True)
    task = PartsTask(config, None if str(data) == "-" else data, out, device)
    return run(task, config.loop, out, resume=resume, describe=config)

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the segmenter on rendered objects put into other surroundings."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ..common.bundle_files import SEGMENTER, network_file
from ..data.compositing import CompositingConfig, Compositor
from ..data.cut_outs import load_rgba
from ..data.labelled_photographs import load_whole_photographs
from ..data.panoramas import load_panoramas
from ..data.pictures import write_picture
from ..models.precision import computes_in_bfloat16
from ..models.segmenter import Segmenter, SegmenterConfig, load_segmenter, save_segmenter
from .averages import update_average
from .loop import LoopConfig, Task, cosine_rate, run

_PHOTOGRAPH_SIZE = 256
"""Side in pixels that photographs are kept at."""
_HELD_OUT_PHOTOGRAPHS = 0.2
"""Fraction of the groups of photographs that is kept for validation."""


@dataclass(frozen=True)
class SegmenterTraining:
    """How the segmenter is trained."""

    model: SegmenterConfig = field(default_factory=SegmenterConfig)
    compositing: CompositingConfig = field(default_factory=CompositingConfig)
    loop: LoopConfig = field(default_factory=LoopConfig)
    batch: int = 32
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warm_up: int = 100
    """Number of steps in which the learning rate rises."""
    average_decay: float = 0.998
    """Fraction of the moving average of the weights that each step keeps."""
    held_out: float = 0.1
    """Fraction of the objects that is kept for validation, the last of the folder."""
    validation_pictures: int = 256
    """Number of composited pictures of unseen objects in an evaluation."""
    workers: int = 0
    """Number of processes that make pictures; 0: the training's own process makes them."""
    start: str = ""
    """Weights that the network starts from: a bundle by name or folder, or a file, of the same channels and blocks;
    empty: fresh ones."""
    panoramas: str = ""
    """Folder of .exr or .hdr panoramas for backgrounds, such as the HDR worlds in Blender's datafiles."""
    photographs: str = ""
    """Folder of photographs with masks to learn from beside the renders (``data/labelled_photographs.py``)."""
    photographed: float = 0.6
    """Fraction of the pictures that are made of photographs, where there are any."""
    photograph_compositing: CompositingConfig = field(
        default_factory=lambda: CompositingConfig(
            own_background=0.65, empty=0.02, others=0.6, neighbours=0.4, camouflage=0.1
        )
    )
    """How pictures are made of photographs, most of which keep their own surroundings."""
    bfloat16: bool = True
    seed: int = 0


PRESETS: dict[str, SegmenterTraining] = {
    "tiny": SegmenterTraining(
        model=SegmenterConfig(resolution=64, channels=(8, 16, 24, 32), blocks=(1, 1, 1, 1)),
        compositing=CompositingConfig(size=64),
        loop=LoopConfig(steps=30, log_every=10, evaluate_every=30, checkpoint_every=15, tensorboard=False),
        batch=8,
        warm_up=5,
        average_decay=0.8,
        validation_pictures=16,
    ),
    "small": SegmenterTraining(loop=LoopConfig(steps=1600, evaluate_every=400)),
    "medium": SegmenterTraining(loop=LoopConfig(steps=8000, evaluate_every=1000)),
    "full": SegmenterTraining(
        model=SegmenterConfig(channels=(24, 48, 96, 160)),
        loop=LoopConfig(steps=40000, evaluate_every=2000),
        batch=64,
        average_decay=0.9995,
    ),
}


class Pictures(Dataset):
    """Composited pictures by number: the same number is always the same picture."""

    def __init__(
        self, compositor: Compositor, seed: int, photographs: Compositor | None = None, share: float = 0.0
    ) -> None:
        """``photographs``, where given, makes about ``share`` of the pictures."""
        self.compositor = compositor
        self.seed = seed
        self.photographs, self.share = photographs, share

    def __getitem__(self, number: int) -> tuple[Tensor, Tensor]:
        rng = np.random.default_rng((self.seed, number))
        compositor = self.compositor
        if self.photographs is not None and rng.random() < self.share:
            compositor = self.photographs
        picture, mask = compositor.sample(rng)
        return torch.from_numpy(picture).permute(2, 0, 1), torch.from_numpy(mask)


class SegmenterTask(Task):
    """The segmenter, its moving average and one training step."""

    def __init__(self, config: SegmenterTraining, data: Path, device: torch.device) -> None:
        self.config = config
        self.device = device
        self.generator = torch.Generator().manual_seed(config.seed)
        torch.manual_seed(config.seed)
        model = Segmenter(config.model).to(self.device)
        if config.start:
            model.load_state_dict(_weights_of(config.start, config.model).state_dict())
        model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # faster, on the CPU too
        average = copy.deepcopy(model).requires_grad_(False).eval()
        self.networks = {"model": model, "average": average}
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay
        )
        self.optimizers = {"model": self.optimizer}
        rgba = load_rgba(data)
        self.panoramas = load_panoramas(Path(config.panoramas)) if config.panoramas else []
        held_out = max(1, round(config.held_out * len(rgba)))
        if held_out >= len(rgba):
            raise ValueError(f"One rendered object is too few to train with; render more into {data}.")
        shown, self.unseen_photographs = self._photographs()
        photographs = self._compositor(shown, config.photograph_compositing) if len(shown) else None
        rendered, unseen = (self._compositor(part, config.compositing) for part in np.split(rgba, [-held_out]))
        self.pictures = Pictures(rendered, config.seed, photographs, config.photographed)
        self.unseen = Pictures(unseen, config.seed + 1)
        self.batches: Iterator[list[Tensor]] | None = None

    def _compositor(self, rgba: np.ndarray, config: CompositingConfig) -> Compositor:
        """What makes pictures of those given, (..., R, R, 4) uint8."""
        compositing = replace(config, size=self.config.model.resolution)
        return Compositor(rgba.reshape(-1, *rgba.shape[-3:]), compositing, self.panoramas)

    def _photographs(self) -> tuple[np.ndarray, np.ndarray]:
        """The photographs to learn from and those held out, (N, R, R, 4) uint8; none of either where none are given."""
        folder = self.config.photographs
        if not folder:
            nothing = np.zeros((0, 1, 1, 4), np.uint8)
            return nothing, nothing
        parts = load_whole_photographs(Path(folder), _PHOTOGRAPH_SIZE).split(_HELD_OUT_PHOTOGRAPHS)
        shown, held_out = (np.concatenate([part.rgb, part.masks[..., None]], axis=-1) for part in parts)
        if not len(shown):
            raise ValueError(f"All photographs in {folder} are of groups that are held out; add others.")
        return shown, held_out

    def step(self, step: int) -> dict[str, Tensor]:
        config, model, average = self.config, self.networks["model"], self.networks["average"]
        if self.batches is None:  # at the first step, which is not 0 where a run is resumed
            numbers = range(step * config.batch, config.loop.steps * config.batch)
            loader = DataLoader(self.pictures, config.batch, sampler=numbers, num_workers=config.workers)
            self.batches = iter(loader)
        pictures, masks = (tensor.to(self.device, non_blocking=True) for tensor in next(self.batches))
        for group in self.optimizer.param_groups:
            group["lr"] = cosine_rate(step, config.loop.steps, config.learning_rate, config.warm_up)
        model.train()
        half = config.bfloat16 and computes_in_bfloat16(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
            logits = model((pictures.float() / 255).contiguous(memory_format=torch.channels_last))
        losses = segmentation_losses(logits.float(), masks.float() / 255)
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 2.0)
        self.optimizer.step()
        update_average(average, model, min(config.average_decay, (1 + step) / (10 + step)))
        return losses

    @torch.no_grad()
    def evaluate(self, step: int, folder: Path) -> dict[str, float]:
        """Returns the mean intersection over union on composited pictures of unseen objects, and on unseen photographs.

        Writes a sheet of the first ones of each.
        """
        model = self.networks["average"]
        intersections_over_unions, shown = [], []
        for number in range(self.config.validation_pictures):
            picture, mask = self.unseen[number]
            logits = model((picture[None].float() / 255).to(self.device))[0].cpu()
            found, true = logits > 0, mask > 127
            if true.sum() > 50:
                intersections_over_unions.append(float((found & true).sum() / (found | true).sum()))
            if number < 48:
                shown.append(_overlay(picture, found))
        _write_sheet(folder / f"validation_{step:06d}.png", shown)
        values = np.array(intersections_over_unions)
        figures = {"iou": float(values.mean()), "iou_below_half": float((values < 0.5).mean())}
        return figures | self._of_photographs(step, folder)

    def export(self, folder: Path) -> None:
        average = self.networks["average"]
        assert isinstance(average, Segmenter)
        save_segmenter(folder / SEGMENTER, average)

    def _of_photographs(self, step: int, folder: Path) -> dict[str, float]:
        """Intersection over union with the given masks of photographs held out, seen whole and once."""
        if not len(self.unseen_photographs):
            return {}
        model, size = self.networks["average"], self.config.model.resolution
        overlaps, shown = [], []
        for rgba in self.unseen_photographs:
            small = torch.from_numpy(cv2.resize(rgba, (size, size), interpolation=cv2.INTER_AREA)).permute(2, 0, 1)
            found = model((small[None, :3].float() / 255).to(self.device))[0].cpu() > 0
            true = small[3] > 127
            overlaps.append(float((found & true).sum() / (found | true).sum().clamp(min=1)))
            shown.append(_overlay(small[:3], found))
        _write_sheet(folder / f"photographs_{step:06d}.png", shown[:48])
        values = np.array(overlaps)
        return {"photograph_iou": float(values.mean()), "photograph_iou_below_08": float((values < 0.8).mean())}


def segmentation_losses(logits: Tensor, masks: Tensor) -> dict[str, Tensor]:
    """Cross-entropy of every pixel, and Dice, which counts a small object as much as a large one; (N, H, W) each."""
    found = logits.sigmoid()
    overlap = (found * masks).sum(dim=(1, 2))
    area = found.sum(dim=(1, 2)) + masks.sum(dim=(1, 2))
    dice = 1 - (2 * overlap + 20) / (area + 20)
    return {"cross_entropy": F.binary_cross_entropy_with_logits(logits, masks), "dice": 0.5 * dice.mean()}


def train(config: SegmenterTraining, data: Path, out: Path, *, resume: bool, device: torch.device) -> dict[str, float]:
    """Trains on the rendered views, cut-outs or generated views in ``data``; returns the last figures.

    Leaves ``segmenter.safetensors`` in ``out``.

    Raises:
        FileNotFoundError: No rendered object lies in ``data``, or photographs that were named are missing.
        FileExistsError: A run lies in ``out`` that was not asked to be resumed.
        ValueError: Too few objects or photographs, or a damaged photograph or checkpoint.
    """
    return run(SegmenterTask(config, data, device), config.loop, out, resume=resume, describe=config)


def _weights_of(start: str, config: SegmenterConfig) -> Segmenter:
    """The segmenter of a bundle or of a file. Raises ValueError where none of the same channels and blocks is."""
    network = load_segmenter(network_file(start, SEGMENTER))
    if replace(network.config, resolution=config.resolution) != config:
        raise ValueError(f"The segmenter of {start} has another size than the one to be trained; choose its preset.")
    return network


def _write_sheet(path: Path, pictures: list[np.ndarray]) -> None:
    """Writes whole rows of twelve pictures (S, S, 3) uint8; nothing where there are fewer."""
    rows = [np.concatenate(pictures[start : start + 12], axis=1) for start in range(0, len(pictures) - 11, 12)]
    if rows:
        write_picture(path, np.concatenate(rows))


def _overlay(picture: Tensor, found: Tensor) -> np.ndarray:
    """(S, S, 3) uint8: the picture with what was found outlined in green."""
    outline = cv2.morphologyEx(found.numpy().astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8))
    return np.where(outline[..., None] > 0, np.array([0, 255, 0], dtype=np.uint8), picture.permute(1, 2, 0).numpy())

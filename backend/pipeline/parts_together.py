# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Several photographs of one object become one object with parts: one code and palette, a camera each.

Each photograph is read and refined alone, which leaves it with one direction of view or two. Then a direction of each
is chosen: every choice is given one code for all photographs, and the one that explains them best is refined on. A
direction that a photograph alone takes for the better one is so outvoted where the common shape does not allow it.

Letters: N photographs, C choices, K numbers of a code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from ..common.records import FurtherPhoto, Reconstruction, ReconstructRequest
from ..models.crop import Crop, crop_around
from ..weights.parts import PartsReader
from .adam import Adam
from .course import FACING, Course, overlap_warnings, picture_warnings, silhouette_overlap
from .parts_paint import Explained, painted
from .parts_photo import PartsPhotoConfig, Seen, elsewhere, look_at, offsets_of, refinement_of, texture_size
from .parts_refine import BETAS, Hypothesis, PartsRefineConfig, PartsRefiner, descend
from .photo import Photo
from .turned import turned_warnings


@dataclass(frozen=True)
class PartsTogetherConfig:
    """How directions are chosen together, and how one code is found."""

    tried: int = 8
    """Choices of a direction for each photograph that are tried, at most, …"""
    trial_steps: int = 12
    """… for so many steps, …"""
    finalists: int = 2
    """… and how many of them are refined to the end."""
    unlike: float = 0.05
    """Loss by which a photograph must fit worse for its code to count e times less in the code to begin with."""
    most: int = 24
    """Photographs at most: each has its share of time, and its mask travels."""


@dataclass(frozen=True)
class TakenPhoto:
    """A photograph that can be used."""

    path: str
    photo: Photo
    mask: np.ndarray
    """(H, W) uint8."""
    request: ReconstructRequest
    """What is asked for, about this photograph alone."""

    @property
    def crop(self) -> Crop:
        return crop_around(self.mask)


@dataclass(frozen=True)
class Agreed:
    """What explains all photographs best."""

    hypotheses: list[Hypothesis]
    """One of each photograph; all of one code."""
    margin: float
    """By how much the next best choice of directions is worse."""


class TogetherRefiner:
    """Choices of a direction for each of N photographs, each with a code of its own, moved as one batch."""

    def __init__(
        self, refiners: Sequence[PartsRefiner], choices: Sequence[Sequence[int]], codes: Tensor,
        config: PartsRefineConfig,
    ) -> None:  # fmt: skip
        """``choices`` (C, N) name the place that each photograph's direction has in its refiner; codes: (C, K)."""
        self.config = config
        self.code = codes.detach().clone().requires_grad_()
        by_photograph = zip(*choices, strict=True)
        self.photographs = [
            refiner.with_code(list(places), self.code) for refiner, places in zip(refiners, by_photograph, strict=True)
        ]
        rates = [(self.code, config.code_rate)]
        for one in self.photographs:
            rates += one.camera_rates()
        self.optimizer = Adam(rates, betas=BETAS)

    def losses(self, fine: bool) -> Tensor:
        """(C,): how badly each choice explains all photographs."""
        return torch.stack([one.losses(fine) for one in self.photographs]).sum(dim=0)

    def run(self, steps: int, progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Moves codes and cameras."""
        descend(self.losses, self.optimizer, self.config, steps, progress)

    def explanations(self) -> list[list[Hypothesis]]:
        """Of each choice a hypothesis of each photograph (C, N)."""
        return [list(one) for one in zip(*(one.explanations() for one in self.photographs), strict=True)]

    def kept(self, places: Sequence[int]) -> TogetherRefiner:
        """Returns a refiner of some of the choices that goes on where this one stands."""
        choices = [[place] * len(self.photographs) for place in places]
        return TogetherRefiner(self.photographs, choices, self.code[list(places)], self.config)


def agree(
    seen: Sequence[Seen], refinement: PartsRefineConfig, steps: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
    config: PartsTogetherConfig = PartsTogetherConfig(),
) -> Agreed:  # fmt: skip
    """Finds one code and a camera for each of several photographs that were read alone.

    steps: of the refinement; -1: as many as the settings say, 0: the code stays the mean of the photographs' own.
    """
    steps = refinement.steps if steps < 0 else steps
    tried = choices_of(seen, config)
    codes = torch.as_tensor(np.stack([common_code(choice, config) for choice in tried]), device=seen[0].rgba.device)
    places = [[one.place for one in choice] for choice in tried]
    together = TogetherRefiner([one.refiner for one in seen], places, codes, refinement)
    trial = min(config.trial_steps, steps)
    if len(tried) > config.finalists:
        together.run(trial, lambda done, total: progress(done, steps))
        together = together.kept(ranked(together.explanations())[: config.finalists])
        steps -= trial
    together.run(steps, lambda done, total: progress(trial + done, trial + total))
    found = together.explanations()
    best, *others = ranked(found)
    margin = cost(found[others[0]]) - cost(found[best]) if others else float("inf")
    return Agreed(found[best], margin)


def choices_of(seen: Sequence[Seen], config: PartsTogetherConfig) -> list[tuple[Hypothesis, ...]]:
    """Choices of a direction for each photograph, the likeliest first: of each its best and the best from elsewhere."""
    found: list[tuple[Hypothesis, ...]] = [()]
    for one in seen:
        candidates = [one.hypotheses[0], *elsewhere(one.hypotheses)[:1]]
        # Losses add up, so that the best choices go on with the best of the photographs before.
        found = sorted(((*choice, other) for choice in found for other in candidates), key=cost)[: config.tried]
    return found


def common_code(choice: Sequence[Hypothesis], config: PartsTogetherConfig) -> np.ndarray:
    """(K,) float32: the mean of hypotheses' codes, in which that counts more which fits its photograph better."""
    losses = np.array([one.loss for one in choice])
    weights = np.exp((losses.min() - losses) / config.unlike)
    mean: np.ndarray = np.average(np.stack([one.code for one in choice]), axis=0, weights=weights).astype(np.float32)
    return mean


def cost(choice: Sequence[Hypothesis]) -> float:
    """How badly hypotheses of several photographs explain them all."""
    return sum(one.loss for one in choice)


def ranked(found: Sequence[Sequence[Hypothesis]]) -> list[int]:
    """Places of choices, the best first."""
    return sorted(range(len(found)), key=lambda place: cost(found[place]))


def reconstruct_together(
    taken: Sequence[TakenPhoto], reader: PartsReader, course: Course, photo_config: PartsPhotoConfig,
    config: PartsTogetherConfig = PartsTogetherConfig(),
) -> Reconstruction:  # fmt: skip
    """Makes one object of photographs of it, two or more, whose masks are known. Raises Cancelled, PhotoError.

    What is made is as the first photograph shows it: its camera, mask and light; the others are its ``further``.
    """
    request, template = taken[0].request, reader.model.template
    seen = [
        look_at(
            one.photo, one.mask, one.crop, one.request, reader,
            course.part(0.5 * number / len(taken), 0.5 * (number + 1) / len(taken)), photo_config,
        )
        for number, one in enumerate(taken)
    ]  # fmt: skip
    with course.stage("together", "Refining", 0.5):
        agreed = agree(
            seen, refinement_of(request, photo_config), request.refine_steps,
            lambda done, total: course.say("Refining", 0.5 + 0.25 * done / max(total, 1)), config,
        )  # fmt: skip
    with course.stage("offsets", "Refining", 0.76):
        vertices = reader.model.space.vertices(agreed.hypotheses[0].code)
        offsets = offsets_of(seen, agreed.hypotheses, vertices, request, reader, course, photo_config)
    shown = [
        Explained(one.photo, one.mask, one.crop, read.rgba, read.prediction, best)
        for one, read, best in zip(taken, seen, agreed.hypotheses, strict=True)
    ]
    with course.stage("bake", "Painting the texture", 0.8):
        made, _ = painted(shown, offsets, texture_size(request, photo_config), reader, photo_config.paint)
    overlaps = [
        silhouette_overlap(
            one.photo.rgb, one.mask, one.crop, one.best.camera, made.vertices, template, photo_config.comparison_size
        )
        for one in shown
    ]
    return replace(
        made,
        silhouette_iou=overlaps[0],
        photo_path=taken[0].path,
        further=[_further(*one) for one in zip(taken[1:], shown[1:], overlaps[1:], strict=True)],
        warnings=_warnings(shown, overlaps, agreed, reader, photo_config),
    )


def _further(taken: TakenPhoto, shown: Explained, overlap: float) -> FurtherPhoto:
    height, width = shown.photo.rgb.shape[:2]
    return FurtherPhoto(shown.photo.name, taken.path, width, height, shown.camera(), shown.mask, overlap)


def _warnings(
    shown: Sequence[Explained], overlaps: Sequence[float], agreed: Agreed, reader: PartsReader, config: PartsPhotoConfig
) -> list[str]:
    """Sentences about single photographs, with their names, and about the choice of directions."""
    sentences = []
    for one, overlap in zip(shown, overlaps, strict=True):
        own = [
            *picture_warnings(one.mask, one.crop, config.doubts),
            *turned_warnings(one.rgba, one.prediction, reader.network.read),
            *overlap_warnings(overlap, config.doubts),
        ]
        sentences += [f"{one.photo.name}: {sentence}" for sentence in own]
    return [*sentences, *([FACING] if agreed.margin < config.doubtful_margin else [])]

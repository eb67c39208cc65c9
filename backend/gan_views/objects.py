# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A generator as the teacher of many views (paper A): every content seen from every view code, masked and filtered.

Objects have numbers; everything about an object follows from the seed and its number, so that any of them can be made
again, in any order. ``dataset.py`` writes them; training may take them as they are made.

Letters: M views, V pictures of an object that passed the filters, h, w picture, N pictures, k, L, D as in
``view_codes.py``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ..common.view_set import View, ViewSetError, azimuth_deg_of
from ..models.stylegan2 import Generator
from .readings import Reader, Readings, angle_between
from .view_codes import ViewCodes

Content = tuple[int, int, int, int]
"""Top, left, height, width of the picture within the generator's square."""
KEPT = "kept"
SEVERAL, SMALL, POSE, COLOUR, FEW = "several_objects", "small_mask", "pose", "colour", "too_few_views"
REASONS = (SEVERAL, SMALL, POSE, COLOUR, FEW)
"""Why a picture is left out, in the order in which the filters ask: a picture counts for the first that holds."""


@dataclass(frozen=True)
class FilterConfig:
    """Which pictures are left out. The first two filters are the paper's."""

    second_object: float = 0.15
    """Area, as a share of the largest thing's, from which a second thing is another object."""
    min_area: float = 0.1
    """Smallest share of the picture that a mask covers."""
    azimuth_deg: float = 60.0
    """Largest difference of the azimuth that is read in a picture from the guess for its view, which is the reading of
    many contents; where there is no guess, from the middle of its bin. 180: no filter."""
    min_confidence: float = 0.5
    """Confidence below which the reading of an azimuth is not held against a picture, from 0 to 1."""
    colour: float = 0.25
    """Largest Euclidean distance in sRGB of a picture's mean colour from the median of the object's pictures, where
    these are three or more: what turns from red to blue is not one object."""
    min_views: int = 2
    """Smallest number of pictures of an object that is kept."""


@dataclass(frozen=True)
class GanViewsConfig:
    """Which objects are made, and which of their pictures are kept."""

    seed: int = 0
    """Seed of the contents."""
    truncation: float = 0.7
    """Truncation of the contents; view codes are taken as they are."""
    filters: FilterConfig = field(default_factory=FilterConfig)


@dataclass
class ObservedGenerator:
    """A generator, and what reads its pictures."""

    generator: Generator
    content: Content
    reader: Reader
    device: torch.device | str = "cpu"
    """Device on which the generator is."""
    batch: int = 16
    """Pictures that are made at a time."""

    @torch.no_grad()
    def pictures(self, w_plus: Tensor) -> np.ndarray:
        """w+ (N, L, D) to (N, h, w, 3) uint8, cut to the content; with the learned noise, always the same."""
        top, left, height, width = self.content
        made = []
        for some in w_plus.split(self.batch):
            images = self.generator.synthesize(self.generator.styles(some))
            inner = images[:, :, top : top + height, left : left + width].float()
            scaled = ((inner + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
            made.append(scaled.permute(0, 2, 3, 1).cpu().numpy())
        return np.concatenate(made)

    def read(self, w_plus: Tensor) -> Readings:
        """Returns what the reader sees in the pictures of w+ (N, L, D)."""
        return self.reader(self.pictures(w_plus))


@dataclass
class GanObject:
    """One content from the views that passed the filters."""

    number: int
    seed: int
    """Draws its content, see :func:`content_of`."""
    views: list[int]
    """(V,) positions in the view set, ascending."""
    rgba: np.ndarray
    """(V, h, w, 4) uint8: the whole picture, alpha the mask."""
    verdicts: dict[int, str]
    """Position of every view that was made, and "kept" or the reason for which it was left out."""


@dataclass
class GanBatch:
    """Objects in a few views each, for a step of training."""

    rgba: np.ndarray
    """(N, V, h, w, 4) uint8."""
    views: np.ndarray
    """(N, V) int64 positions in the view set."""
    objects: np.ndarray
    """(N,) int64 numbers of the objects."""
    next: int
    """Number of the object with which the next batch begins: what a run that goes on needs to know."""


class GanViews:
    """Objects by number, made as they are asked for."""

    def __init__(
        self, observed: ObservedGenerator, codes: ViewCodes, config: GanViewsConfig = GanViewsConfig()
    ) -> None:
        """Raises ViewSetError where the codes are for another generator or no view is in use."""
        codes.check_fits(observed.generator.codes, observed.generator.config.w_dim)
        self.observed, self.codes, self.config = observed, codes, config
        self.positions = codes.used()
        if not self.positions:
            raise ViewSetError(f"All views in {codes.view_set.folder} are dropped.")
        self.expected = [expected_azimuth(view) for view in codes.views]

    def object(self, number: int) -> GanObject:
        """An object in all views in use."""
        return self.make([number], np.array([self.positions]))[0]

    def objects(self, first: int, count: int) -> Iterator[GanObject]:
        """Objects ``first`` to ``first + count``, also those of which no picture passed."""
        for number in range(first, first + count):
            yield self.object(number)

    def batches(self, objects: int, views: int = 2, first: int = 0, spare: int = 1) -> Iterator[GanBatch]:
        """Endless batches of objects in as many random views each, beginning with object number ``first``.

        ``spare`` further views are made of each object, to stand in for those that are left out; objects with too few
        all the same give way to the next. Raises ValueError where there are not so many views.
        """
        if not 1 <= views <= len(self.positions):
            raise ValueError(f"An object cannot be shown in {views} views: {len(self.positions)} are in use.")
        tried = min(views + spare, len(self.positions))
        number, ready = first, list[GanObject]()
        while True:
            numbers = list(range(number, number + objects - len(ready)))
            chosen = np.stack([self._drawn_views(each, tried) for each in numbers])
            ready += [made for made in self.make(numbers, chosen) if len(made.views) >= views]
            number += len(numbers)
            if len(ready) == objects:
                yield GanBatch(
                    np.stack([made.rgba[:views] for made in ready]),
                    np.array([made.views[:views] for made in ready]),
                    np.array([made.number for made in ready]),
                    number,
                )
                ready = []

    def _drawn_views(self, number: int, count: int) -> np.ndarray:
        random = np.random.default_rng([self.config.seed, number, 1])
        return random.permutation(self.positions)[:count]

    @torch.no_grad()
    def make(self, numbers: Sequence[int], positions: np.ndarray) -> list[GanObject]:
        """The numbered objects, each in the views at its ``positions`` (objects, M')."""
        seeds = [content_seed(self.config.seed, number) for number in numbers]
        contents = torch.cat([content_of(self.observed.generator, seed, self.config.truncation) for seed in seeds])
        each = positions.shape[1]
        w_plus = contents.repeat_interleave(each, dim=0)
        w_plus = self.codes.with_content(torch.from_numpy(positions.reshape(-1)), w_plus)
        pictures = self.observed.pictures(w_plus)
        readings = self.observed.reader(pictures)
        shaped = pictures.reshape(len(numbers), each, *pictures.shape[1:])
        return [
            self._judged(number, seed, places, shown, readings[slice(index * each, (index + 1) * each)])
            for index, (number, seed, places, shown) in enumerate(zip(numbers, seeds, positions, shaped, strict=True))
        ]

    def _judged(
        self, number: int, seed: int, positions: np.ndarray, pictures: np.ndarray, readings: Readings
    ) -> GanObject:
        expected = np.array([self.expected[position] for position in positions])
        reasons = verdicts(readings, expected, self.config.filters)
        kept = [index for index, reason in enumerate(reasons) if reason == KEPT]
        rgba = np.concatenate([pictures[kept], readings.masks[kept][..., None]], axis=3)
        return GanObject(
            number,
            seed,
            [int(positions[index]) for index in kept],
            rgba,
            {int(position): reason for position, reason in zip(positions, reasons, strict=True)},
        )


def verdicts(readings: Readings, expected: np.ndarray, config: FilterConfig) -> list[str]:
    """For the pictures of one object, "kept" or why each is left out.

    ``expected``: (N,) azimuth of each picture's view in radians; NaN where nothing is known of it.
    """
    reasons = np.full(len(readings), KEPT, dtype=object)

    def leave_out(chosen: np.ndarray, reason: str) -> None:
        reasons[chosen & (reasons == KEPT)] = reason

    leave_out(readings.second >= config.second_object, SEVERAL)
    leave_out(readings.area < config.min_area, SMALL)
    sure = (readings.confidence >= config.min_confidence) & ~np.isnan(expected)
    turned = angle_between(readings.azimuth, np.nan_to_num(expected)) > math.radians(config.azimuth_deg)
    leave_out(sure & turned, POSE)
    left = reasons == KEPT
    if left.sum() >= 3:
        usual = np.median(readings.colour[left], axis=0)
        leave_out(np.linalg.norm(readings.colour - usual, axis=1) > config.colour, COLOUR)
    if (reasons == KEPT).sum() < config.min_views:
        leave_out(reasons == KEPT, FEW)
    return list(reasons)


def expected_azimuth(view: View) -> float:
    """Radians that the network should read in a view: its guess, since that is its own, or the bin's middle, or NaN.

    Where a person knows better than the network which side a view shows, the network will still err as it did.
    """
    if view.guess_deg is not None:
        return math.radians(view.guess_deg)
    return math.radians(azimuth_deg_of(view.bin)) if view.bin is not None else math.nan


def content_seed(seed: int, number: int) -> int:
    """The seed of an object's content; those of neighbouring numbers have nothing in common."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def content_of(generator: Generator, seed: int, truncation: float) -> Tensor:
    """w+ (1, L, D) of the content that ``seed`` draws."""
    random = torch.Generator().manual_seed(seed)
    z = torch.randn(1, generator.config.z_dim, generator=random)
    return generator.map(z.to(generator.mapping.average.device), truncation)


def tally(all_verdicts: Sequence[dict[int, str]], views: Sequence[View]) -> dict:
    """Numbers per filter and per view, of the verdicts on all objects: what ``report.json`` says."""
    total = Counter(reason for verdict in all_verdicts for reason in verdict.values())
    by_view = [
        {"id": view.identity, **_numbers(Counter(v[position] for v in all_verdicts if position in v))}
        for position, view in enumerate(views)
        if not view.dropped
    ]
    kept = sum(KEPT in verdict.values() for verdict in all_verdicts)
    return {"objects": len(all_verdicts), "objects_kept": kept, **_numbers(total), "views": by_view}


def _numbers(counts: Counter) -> dict:
    made = sum(counts.values())
    return {"made": made, KEPT: counts[KEPT], "left_out": {reason: counts[reason] for reason in REASONS}}

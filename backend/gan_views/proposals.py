# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""View codes proposed without a person: many are drawn, each shows several contents, and the pose network votes.

A candidate is the average of the first codes of many samples that are seen from one direction. A single sample's first
codes hold something of its object besides the view, and with them every content would show that object; in the
average only the view is left. A view is consistent where the network reads one azimuth in all contents. Of the
consistent ones a set is kept that goes all around the object and through all heights.

Letters: K candidates, C contents, S samples, k, L, D as in ``view_codes.py``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..common.run_files import stop_if_asked
from ..common.view_set import NUMBER_OF_BINS, bin_of
from ..progress_bar import Bar
from .objects import ObservedGenerator
from .readings import Readings, angle_between, vote


@dataclass(frozen=True)
class ProposalConfig:
    """How candidates are drawn and which are kept."""

    samples: int = 6000
    """Number S of samples of which candidates are averages; 0: candidates are samples themselves."""
    candidates: int = 400
    """Number K of candidates where they are samples themselves."""
    every_deg: float = 6.0
    """Step from one azimuth of the averages to the next."""
    heights_deg: tuple[float, ...] = (0.0, 6.0, 12.0, 18.0, 24.0, 30.0)
    """Elevations of the averages."""
    widths_deg: tuple[float, ...] = (6.0, 10.0, 15.0)
    """Largest differences in azimuth of the samples of an average. Each is tried: a narrow one gives a truer view, a
    wide one more samples, in whose mean less of their objects is left."""
    height_deg: float = 4.0
    """Largest difference in elevation of the samples of an average."""
    min_samples: int = 6
    """Smallest number of samples of an average."""
    min_confidence: float = 0.7
    """Smallest confidence of the pose network in a sample that goes into an average, from 0 to 1."""
    contents: int = 6
    """Number C of contents, the same ones for all candidates."""
    views: int = 39
    """Largest number of views that are kept; the paper has 39 for cars."""
    view_truncation: float = 1.0
    """Truncation of the codes that hold the view; 1, as views far from the average one are wanted too."""
    truncation: float = 0.7
    """Truncation of the contents."""
    lowest_deg: float = -5.0
    """Lowest elevation of a view that is kept: photographs are taken from 0 to 30 degrees."""
    highest_deg: float = 35.0
    """Highest elevation of a view that is kept."""
    apart_deg: float = 6.0
    """Difference in azimuth or in elevation that two kept views exceed."""
    min_consistency: float = 0.6
    """Smallest consistency of a view that is kept, from 0 to 1."""
    min_area: float = 0.1
    """Smallest share of the picture that the mask of a usable object covers, as in the filters of the data."""
    second_object: float = 0.15
    """Area, as a share of the largest thing's, from which a second thing is another object."""


@dataclass(frozen=True)
class Candidate:
    """A view code and what its contents say."""

    number: int
    """Row in the codes."""
    azimuth_deg: float
    """Azimuth by the contents' vote, in [0, 360)."""
    elevation_deg: float
    """Median elevation over the contents."""
    consistency: float
    """Agreement on the azimuth, from 0 to 1; a content without one sound object counts as no vote."""
    opposite: float
    """Share of votes for the other side."""
    mirrored: float
    """Share of votes for the azimuth of the same silhouette, pi - azimuth."""

    @property
    def bin(self) -> int:
        """The azimuth's bin, of twelve."""
        return bin_of(self.azimuth_deg)


@dataclass
class Candidates:
    """All candidates, and what they are made of."""

    codes: Tensor
    """(K, k, D) view codes."""
    contents: Tensor
    """(C, L, D) w codes of the contents."""
    measured: list[Candidate]
    """(K) candidates in the order of the codes."""

    def w_plus(self, numbers: Sequence[int], contents: int) -> Tensor:
        """Returns w+ (candidates x contents, L, D): each of the numbered candidates with the first contents."""
        return with_contents(self.codes[list(numbers)], self.contents[:contents])


def with_contents(codes: Tensor, contents: Tensor) -> Tensor:
    """w+ (K * C, L, D) of each view code (K, k, D) with each content (C, L, D)."""
    views = codes[:, None].expand(-1, len(contents), -1, -1)
    rest = contents[None, :, codes.shape[1] :].expand(len(codes), -1, -1, -1)
    return torch.cat([views, rest], dim=2).flatten(0, 1)


@torch.no_grad()
def measure_candidates(
    observed: ObservedGenerator, split: int, config: ProposalConfig, *, seed: int, progress: bool = True
) -> Candidates:
    """Makes view codes and contents and lets the network vote on each view.

    Raises:
        ValueError: The network reads too few samples alike for any average.
    """
    generator = observed.generator
    random = torch.Generator().manual_seed(seed)
    drawn = config.samples or config.candidates
    z = torch.randn(drawn + config.contents, generator.config.z_dim, generator=random).to(observed.device)
    contents = generator.map(z[drawn:], config.truncation).clone()
    codes = generator.map(z[:drawn], config.view_truncation)
    if config.samples:
        codes = averages(codes[:, :split], sound_readings(observed, codes, config, progress), config)
    else:
        codes = codes[:, :split].clone()
    measured: list[Candidate] = []
    # As many candidates at a time as make a batch of pictures.
    each = max(1, observed.batch // config.contents)
    with Bar("Looking at views", len(codes), unit="view", shown=progress) as bar:
        for some in codes.split(each):
            stop_if_asked()
            readings = observed.read(with_contents(some, contents))
            for start in range(0, len(readings), config.contents):
                measured.append(judged(len(measured), readings[slice(start, start + config.contents)], config))
            bar.update(len(some))
    return Candidates(codes, contents, measured)


@dataclass(frozen=True)
class Directions:
    """Where S samples are seen from, in degrees."""

    azimuth_deg: np.ndarray
    """(S,) azimuths."""
    elevation_deg: np.ndarray
    """(S,) elevations."""
    sound: np.ndarray
    """(S,) bool: whether there is one object, read with confidence."""


def sound_readings(
    observed: ObservedGenerator, w_plus: Tensor, config: ProposalConfig, progress: bool = True
) -> Directions:
    """Reads samples (S, L, D); masks are not kept, thousands of them would not fit."""
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    with Bar("Reading samples", len(w_plus), unit="image", shown=progress) as bar:
        for some in w_plus.split(observed.batch):
            stop_if_asked()
            readings = observed.read(some)
            sound = is_sound(readings, config) & (readings.confidence >= config.min_confidence)
            parts.append((np.degrees(readings.azimuth), np.degrees(readings.elevation), sound))
            bar.update(len(some))
    azimuth, elevation, sound = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return Directions(azimuth, elevation, sound)


def averages(codes: Tensor, seen: Directions, config: ProposalConfig) -> Tensor:
    """Candidates (K, k, D): means of those of the codes (S, k, D) that are seen from about one direction.

    Raises:
        ValueError: No direction has ``min_samples`` of them.
    """
    made: list[Tensor] = []
    for azimuth in np.arange(0.0, 360.0, config.every_deg):
        turned = np.degrees(angle_between(np.radians(seen.azimuth_deg), math.radians(azimuth)))
        for height in config.heights_deg:
            level = seen.sound & (np.abs(seen.elevation_deg - height) <= config.height_deg)
            for width in config.widths_deg:
                near = level & (turned <= width)
                if near.sum() >= config.min_samples:
                    made.append(codes[torch.from_numpy(near).to(codes.device)].mean(dim=0))
    if not made:
        raise ValueError(
            f"In {len(codes)} samples no direction is seen {config.min_samples} times (an object was read with "
            f"confidence in {int(seen.sound.sum())}): train the generator longer, or draw more samples."
        )
    return torch.stack(made)


def is_sound(readings: Readings, config: ProposalConfig) -> np.ndarray:
    """(N,) bool: one object, and large enough."""
    return readings.found & (readings.area >= config.min_area) & (readings.second < config.second_object)


def judged(number: int, readings: Readings, config: ProposalConfig) -> Candidate:
    """What a candidate's contents say together."""
    sound = is_sound(readings, config)
    result = vote(readings.azimuth, np.where(sound, readings.confidence, 0.0))
    elevation = float(np.median(readings.elevation[sound])) if sound.any() else 0.0
    return Candidate(
        number,
        math.degrees(result.azimuth) % 360,
        math.degrees(elevation),
        result.agreement,
        result.opposite,
        result.mirrored,
    )


def choose(candidates: Sequence[Candidate], config: ProposalConfig) -> list[Candidate]:
    """A set all around the object, in the order of azimuth.

    In rounds, every bin gives a candidate that is not too near to one taken before, until there are enough or none is
    left: the most consistent one of the height of which the bin has given fewest so far. So bins and heights are filled
    evenly.
    """
    fit = [
        c
        for c in candidates
        if c.consistency >= config.min_consistency and config.lowest_deg <= c.elevation_deg <= config.highest_deg
    ]
    queues: list[list[Candidate]] = [[] for _ in range(NUMBER_OF_BINS)]
    for candidate in sorted(fit, key=lambda c: -c.consistency):
        queues[candidate.bin].append(candidate)
    taken: list[Candidate] = []
    while any(queues):
        for queue in queues:
            given = Counter(_height(other) for other in taken if queue and other.bin == queue[0].bin)
            queue.sort(key=lambda c: (given[_height(c)], -c.consistency))
            while queue and len(taken) < config.views:
                candidate = queue.pop(0)
                if not any(_near(candidate, other, config.apart_deg) for other in taken):
                    taken.append(candidate)
                    break
        if len(taken) >= config.views:
            break
    return sorted(taken, key=lambda c: c.azimuth_deg)


def _height(candidate: Candidate) -> int:
    """The elevation's step of ten degrees."""
    return round(candidate.elevation_deg / 10)


def _near(one: Candidate, other: Candidate, apart_deg: float) -> bool:
    turn = math.degrees(float(angle_between(math.radians(one.azimuth_deg), math.radians(other.azimuth_deg))))
    return max(turn, abs(one.elevation_deg - other.elevation_deg)) <= apart_deg

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of a new category's chain: those of its steps, and what they have in common."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ...data.compositing import CompositingConfig
from ...gan_views.proposals import ProposalConfig
from ...gan_views.search import PRESETS as VIEWS
from ...gan_views.search import ViewsTraining
from ..disentangle.task import PRESETS as RENDERERS
from ..disentangle.task import DisentangleTraining
from ..inverse_graphics.free_cameras import PRESETS as SHAPES
from ..inverse_graphics.free_cameras import MultiViewTraining
from ..segmenter import PRESETS as SEGMENTERS
from ..segmenter import SegmenterTraining
from ..stylegan2 import PRESETS as GENERATORS
from ..stylegan2 import StyleGAN2Training
from ..stylegan2_evaluation import JudgeConfig

PHOTOGRAPHED = CompositingConfig(own_background=0.65, empty=0.02, others=0.6, neighbours=0.4, camouflage=0.1)
"""As the segmenter's task makes pictures of photographs: most keep their own surroundings."""


@dataclass(frozen=True)
class PicturesConfig:
    """How many pictures of views are made, and which are kept."""

    objects: int = 400
    """Number of contents; each is shown from every view."""
    truncation: float = 0.8
    seed: int = 0
    colour: float = 0.25
    """Largest difference in colour from the object's other pictures; 2: no filter."""
    min_area: float = 0.05
    """Smallest share of the picture that a mask covers."""
    second_object: float = 0.2
    """Area, as a share of the largest thing's, from which a second thing is another object."""


@dataclass(frozen=True)
class CategoryTraining:
    """Everything that decides a new category."""

    category: str = ""
    """What the things are; empty: the name of the run's folder."""
    masks: str = ""
    """Folder of masks, one NAME.png for each photograph; empty: the photographs' transparency, or a cut-out model."""
    cutout_model: str = ""
    """ONNX file of a network that finds what stands out; empty: the best that lies where such files are kept."""
    accept_guesses: bool = False
    """Whether guessed sides are good enough. Otherwise the chain stops until a person has decided about the views."""
    real_size: float = 1.0
    """Longest side of such a thing in metres."""
    licence: str = "as the photographs'"
    """Terms of the weights, for the bundle's card."""
    disentangle: bool = False
    """Whether a neural renderer is learned as well, at the end."""
    resolution: int = 256
    """Side of the squares that photographs are cut out in."""
    segmenter: SegmenterTraining = field(default_factory=lambda: replace(SEGMENTERS["small"], compositing=PHOTOGRAPHED))
    stylegan2: StyleGAN2Training = field(default_factory=lambda: _unjudged(GENERATORS["small"]))
    views: ViewsTraining = field(default_factory=lambda: replace(VIEWS["small"], proposals=_around(ProposalConfig())))
    pictures: PicturesConfig = PicturesConfig()
    shapes: MultiViewTraining = SHAPES["small"]
    renderer: DisentangleTraining = RENDERERS["small"]


def _unjudged(config: StyleGAN2Training) -> StyleGAN2Training:
    """Without statistics, which another category's network would make."""
    return replace(config, judge=replace(config.judge, samples=0))


def _around(config: ProposalConfig) -> ProposalConfig:
    """Heights are not guessed, so that all stand at 0."""
    return replace(config, heights_deg=(0.0,), min_consistency=min(config.min_consistency, 0.5), min_area=0.05)


PRESETS: dict[str, CategoryTraining] = {
    "tiny": CategoryTraining(
        resolution=64,
        segmenter=replace(
            SEGMENTERS["tiny"], compositing=replace(PHOTOGRAPHED, size=64),
            loop=replace(SEGMENTERS["tiny"].loop, steps=150, evaluate_every=75),
        ),
        stylegan2=replace(GENERATORS["tiny"], kimg=3.0, judge=JudgeConfig(samples=0, grid=6)),
        views=replace(
            VIEWS["tiny"], pairs=0, split=2, looks=1, ring_samples=120,
            # Pictures of the shortest training are shadows of things: what they show is taken as it is.
            proposals=ProposalConfig(
                samples=0, candidates=80, contents=4, views=12, min_consistency=0.0, min_area=0.01, second_object=2.0,
                apart_deg=3.0,
            ),
        ),
        pictures=PicturesConfig(objects=24, colour=2.0, min_area=0.01, second_object=2.0),
        shapes=SHAPES["tiny"],
        renderer=RENDERERS["tiny"],
    ),
    "small": CategoryTraining(),
    "medium": CategoryTraining(
        segmenter=replace(SEGMENTERS["medium"], compositing=PHOTOGRAPHED),
        stylegan2=_unjudged(GENERATORS["medium"]),
        views=replace(VIEWS["medium"], proposals=_around(VIEWS["medium"].proposals)),
        pictures=PicturesConfig(objects=4000),
        shapes=SHAPES["medium"],
        renderer=RENDERERS["medium"],
    ),
}  # fmt: skip
"""tiny: minutes, to see that everything works; small: most of a day on two CPU cores; medium: a GPU."""

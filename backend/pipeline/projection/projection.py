# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the code with which a StyleGAN2 generator comes nearest to a photograph, by optimisation.

As in StyleGAN2's appendix: Adam on w and on the maps of noise, with noise on w that dies away, and the maps kept from
carrying the picture. Added are a start among random pictures, because a car seen from another side is a local minimum
that no descent leaves; several starts at once in the first part of the steps; w+ after w, held near its own mean so
that it stays editable; and a mask.

Letters: N starts, L w codes of an image, D length of a w code, H, W the photo, h, w what the generator shows of it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args

import numpy as np
import torch
from torch import Tensor, nn

from ...common.records import Progress
from ...errors import Cancelled
from ...models.perceptual import perceptual_features
from ...models.stylegan2 import Generator
from .comparison import Comparison, ComparisonConfig, Framed, frame
from .latents import CodeSpace, Synthesis, autocorrelation, renormalise

Space = Literal["w", "w+"]
"""One code for all layers, or one for each."""
_SAMPLED, _SEARCHED, _DESCENDED = 0.04, 0.15, 0.99
"""Fractions of the whole at which the parts of the work end."""
_PICTURES_AT_ONCE = 16
_PICTURES_MEASURED = 64
"""Random pictures on which the features' spread is measured."""
_PREVIEW_EVERY = 10


@dataclass(frozen=True)
class ProjectionConfig:
    """How the descent goes and what it weighs. Lengths among codes are in standard deviations of random codes.

    Raises ValueError where numbers make no sense.
    """

    space: Space = "w+"
    steps: int = 400
    shared_share: float = 0.4
    """Part of the steps in which all starts run, with one code for all layers and the generator's own noise."""
    learning_rate: float = 0.1
    """Length of a step in standard deviations, of the codes and of the noise in its maps."""
    ramp_up: float = 0.05
    """Part of the steps over which the learning rate rises, in a straight line."""
    ramp_down: float = 0.25
    """Part of the steps over which it falls at the end, as a cosine."""
    code_noise: float = 0.3
    """Standard deviation of the first noise on the codes."""
    code_noise_until: float = 0.75
    """Part of the steps over which that noise dies away."""
    samples: int = 10_000
    """Random codes from which mean and deviations are measured."""
    candidates: int = 512
    """Pictures of the first of these among which starts are looked for, and features' spread is measured."""
    search: ComparisonConfig = ComparisonConfig(pixel_weight=0.5)
    """Comparison by which starts are chosen: a wrong colour is soon mended, a wrong side never."""
    comparison: ComparisonConfig = ComparisonConfig()
    """Comparison that the descent makes smaller."""
    mean_weight: float = 0.005
    """Weight of the codes' mean squared coordinate (about 1 for a random code), which pulls towards the mean of w."""
    layers_weight: float = 0.02
    """Weight of the mean squared deviation of the layers' codes from their mean."""
    noise_maps: bool = True
    """Whether the noise is fitted too, in the second part of the steps."""
    noise_weight: float = 10.0
    """Weight of the maps' autocorrelation, which it keeps below 1e-4; with the paper's 1e5 small maps feel nothing
    else."""

    def __post_init__(self) -> None:
        if self.space not in get_args(Space):
            raise ValueError(f"space is one of {', '.join(get_args(Space))}, not {self.space!r}.")
        if self.steps < 1 or self.samples < 2 or self.candidates < 2:
            raise ValueError("A projection takes at least 1 step, 2 samples and 2 candidates.")
        shares = (self.shared_share, self.ramp_up, self.ramp_down, self.code_noise_until)
        if not all(0 <= share <= 1 for share in shares) or self.ramp_up + self.ramp_down > 1:
            raise ValueError("Parts of the steps lie between 0 and 1, and the two ramps together too.")
        if not self.learning_rate > 0 or not self.code_noise >= 0:
            raise ValueError("The learning rate is positive and the noise on codes is not negative.")

    def learning_rate_at(self, t: float) -> float:
        """The learning rate when the part ``t`` in 0..1 of the steps is done."""
        rise = min(1.0, t / self.ramp_up) if self.ramp_up else 1.0
        fall = min(1.0, (1 - t) / self.ramp_down) if self.ramp_down else 1.0
        return self.learning_rate * rise * (0.5 - 0.5 * math.cos(math.pi * fall))

    def code_noise_at(self, t: float) -> float:
        """The standard deviation of the noise on codes when the part ``t`` in 0..1 of the steps is done."""
        left = max(0.0, 1 - t / self.code_noise_until) if self.code_noise_until else 0.0
        return self.code_noise * left**2


class HasGenerator(Protocol):
    """What a projection needs of a loaded generator."""

    @property
    def generator(self) -> Generator: ...

    @property
    def content(self) -> tuple[int, int, int, int]:
        """Top, left, height and width of the picture within the generator's square."""


@dataclass
class Projection:
    """A photograph in the generator's terms."""

    space: Space
    codes: np.ndarray
    """(L, D) float32: w+, all rows alike where only w was asked for."""
    noise: dict[str, np.ndarray]
    """(R, R) float32 for each modulated convolution, by its name (b8.conv0)."""
    image: np.ndarray
    """(h, w, 3) float32 in [0, 1]: what the generator makes of codes and noise, without bars."""
    target: np.ndarray
    """(h, w, 3) float32 in [0, 1]: what it was compared with; 0 where the mask hides it."""
    box: tuple[float, float, float, float]
    """Left, top, width and height of what was compared within the photo, in the photo's pixels."""
    losses: np.ndarray
    """(steps,) float32: distance and regularisation of the chosen start, step by step, with the noise on its code."""
    distance: float
    """Distance of the image from the photo in features: about 1 between two random pictures, 0 if equal."""
    pixel_error: float
    """Mean absolute difference of the colours, 0..1, at ``ComparisonConfig.pixel_size``."""
    start_distance: float
    """Distance in features of the picture in which the descent began."""
    seconds: float


@dataclass
class _Course:
    """What stays fixed during a projection."""

    config: ProjectionConfig
    synthesis: Synthesis
    content: tuple[int, int, int, int]
    search: Comparison
    comparison: Comparison
    space: CodeSpace
    random: torch.Generator
    """Draws on the CPU, so that every device sees the same numbers."""
    say: Callable[[str, float, np.ndarray | None], None]
    losses: list[Tensor] = field(default_factory=list)
    """(N,) a step."""

    def pictures(self, codes: Tensor, noise: dict[str, Tensor] | None = None) -> Tensor:
        """(N, D) or (N, L, D) to (N, 3, h, w) in [0, 1], but for values beyond white and black."""
        return _content(self.synthesis(codes, noise), self.content)

    def step(self, moved: Tensor, noise: dict[str, Tensor] | None, optimiser: torch.optim.Optimizer) -> None:
        """One step of Adam on coordinates (N, D) or (N, L, D), in place, and on maps of noise where they are given."""
        config, done = self.config, len(self.losses)
        t = (done + 0.5) / config.steps
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate_at(t)
        optimiser.zero_grad(set_to_none=True)
        # The same for all layers: what it shakes is w.
        shape = (len(moved), *(1,) * (moved.ndim - 2), moved.shape[-1])
        shake = torch.randn(shape, generator=self.random).to(moved) * config.code_noise_at(t)
        pictures = self.pictures(self.space.codes(moved + shake), noise)
        losses = self.comparison(pictures) + self._regularisation(moved)
        total = losses.sum()
        if noise is not None and config.noise_weight:
            total = total + config.noise_weight * torch.stack([autocorrelation(own) for own in noise.values()]).sum()
        total.backward()
        parameters = [moved, *(noise.values() if noise is not None else ())]
        for value in parameters:
            if value.grad is not None:
                value.grad.nan_to_num_(0.0, 0.0, 0.0)
        optimiser.step()
        for own in parameters[1:]:
            renormalise(own)
        self.losses.append(losses.detach())
        preview = to_bytes(pictures[:1].detach())[0] if done % _PREVIEW_EVERY == 0 else None
        self.say("Projecting", _SEARCHED + (_DESCENDED - _SEARCHED) * (done + 1) / config.steps, preview)

    def _regularisation(self, moved: Tensor) -> Tensor:
        """(N,) of coordinates (N, D) or (N, L, D)."""
        rows = moved if moved.ndim == 3 else moved[:, None]
        mean = rows.mean(dim=1, keepdim=True)
        apart = (rows - mean).square().mean(dim=(1, 2))
        return self.config.mean_weight * rows.square().mean(dim=(1, 2)) + self.config.layers_weight * apart


def project(
    photo: np.ndarray,
    loaded: HasGenerator,
    config: ProjectionConfig = ProjectionConfig(),
    *,
    mask: np.ndarray | None = None,
    starts: int = 1,
    seed: int = 0,
    features: nn.Module | None = None,
    search_features: nn.Module | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Projection:
    """Finds codes and noise for a photo. The same arguments give the same result on the same machine.

    Args:
        photo: (H, W, 3) sRGB in [0, 1]; cut to the generator's aspect about its centre, as its training images were.
        mask: (H, W) in [0, 1]; where it is 0 the photo counts nowhere. None: all of it counts.
        starts: How many descents to begin with: at the best of the random pictures, at the mean, at the next best.
        features: Pictures (N, 3, h, w) in [0, 1] to a list of (N, C, ...): by these the descent goes. None: those
            that need no weights.
        search_features: The same for the choice of starts; None: ``features``.
        report: Called with the progress, at every step.
        cancelled: Asked as often; once it returns True the work stops.

    Raises:
        PhotoError: The mask selects nothing of what the generator shows.
        ValueError: The photo or the mask is no picture, or ``starts`` is not positive.
        Cancelled: The user asked to stop.
    """
    if starts < 1:
        raise ValueError(f"A projection begins with at least one start, not {starts}.")
    begun = time.perf_counter()

    def say(words: str, fraction: float, preview: np.ndarray | None = None) -> None:
        if cancelled():
            raise Cancelled("Cancelled.")
        report(Progress(words, fraction, preview))

    say("Reading the photo", 0.0)
    generator = loaded.generator
    device, random = generator.const.device, torch.Generator().manual_seed(seed)
    framed = frame(photo, mask, *loaded.content[2:])
    features = (features or perceptual_features(None)).to(device)
    space = CodeSpace.of(
        generator, config.samples, random, lambda done, total: say("Sampling codes", _SAMPLED * done / total)
    )
    search = Comparison(framed, (search_features or features).to(device), config.search, device)
    comparison = Comparison(framed, features, config.comparison, device)
    course = _Course(config, Synthesis(generator), loaded.content, search, comparison, space, random, say)
    frozen = {name: parameter.requires_grad for name, parameter in generator.named_parameters()}
    generator.requires_grad_(False)
    try:
        found = _find(course, starts)
    finally:
        for name, parameter in generator.named_parameters():
            parameter.requires_grad_(frozen[name])
    result = _result(course, framed, *found, begun)
    say("Done", 1.0)
    return result


def to_bytes(pictures: Tensor) -> np.ndarray:
    """Pictures (N, 3, h, w) in [0, 1] as (N, h, w, 3) uint8."""
    return (pictures.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def _content(images: Tensor, content: tuple[int, int, int, int]) -> Tensor:
    """Images (N, 3, R, R) in [-1, 1] without their bars, in [0, 1]."""
    top, left, height, width = content
    return images[:, :, top : top + height, left : left + width] * 0.5 + 0.5


def _find(course: _Course, starts: int) -> tuple[Tensor, dict[str, Tensor], float]:
    """Codes (1, L, D), maps of noise, and the distance in features of the picture in which the descent began."""
    config, synthesis, space = course.config, course.synthesis, course.space
    moved = _search(course, starts)
    with torch.no_grad():
        before = course.comparison.perceptual(course.pictures(space.codes(moved)).clamp(0, 1))
    shared_steps = round(config.steps * config.shared_share)
    _descend(course, moved, None, shared_steps)
    with torch.no_grad():
        after = course.comparison(course.pictures(space.codes(moved)))
    best = int(after.argmin())
    course.losses = [losses[best : best + 1] for losses in course.losses]
    moved = moved[best : best + 1]
    if config.space == "w+":
        moved = moved[:, None].repeat(1, synthesis.generator.codes, 1)
    noise = synthesis.noise()
    _descend(course, moved, noise if config.noise_maps else None, config.steps - shared_steps)
    return synthesis.generator.spread(space.codes(moved)), noise, float(before[best])


def _descend(course: _Course, moved: Tensor, noise: dict[str, Tensor] | None, steps: int) -> None:
    """Adam on coordinates and maps of noise, in place."""
    moving = [moved, *(noise.values() if noise is not None else ())]
    for value in moving:
        value.requires_grad_(True)
    optimiser = torch.optim.Adam(moving, lr=course.config.learning_rate)
    for _ in range(steps):
        course.step(moved, noise, optimiser)
    for value in moving:
        value.requires_grad_(False)


@torch.no_grad()
def _search(course: _Course, starts: int) -> Tensor:
    """Coordinates (N, D) of the best of the random pictures, of the mean, and of the next best."""
    candidates, distances = course.space.samples[: course.config.candidates], []
    known = [course.pictures(codes) for codes in candidates[:_PICTURES_MEASURED].split(_PICTURES_AT_ONCE)]
    for comparison in (course.search, course.comparison):
        comparison.scale_by(torch.cat(known).clamp(0, 1))
    for codes in candidates.split(_PICTURES_AT_ONCE):
        distances.append(course.search(course.pictures(codes).clamp(0, 1)))
        done = len(distances) * _PICTURES_AT_ONCE / len(candidates)
        course.say("Looking for a start", _SAMPLED + (_SEARCHED - _SAMPLED) * min(done, 1.0), None)
    order = torch.cat(distances).argsort()
    chosen = course.space.coordinates(candidates[order[: max(starts - 1, 1)]])
    return chosen if starts == 1 else torch.cat([chosen[:1], torch.zeros_like(chosen[:1]), chosen[1:]])


@torch.no_grad()
def _result(
    course: _Course, framed: Framed, codes: Tensor, noise: dict[str, Tensor], start_distance: float, begun: float
) -> Projection:
    pictures = course.pictures(codes, noise).clamp(0, 1)
    return Projection(
        space=course.config.space,
        codes=codes[0].cpu().numpy().copy(),
        noise={name: value.cpu().numpy() for name, value in noise.items()},
        image=pictures[0].permute(1, 2, 0).cpu().numpy().copy(),
        target=framed.rgb,
        box=framed.box,
        losses=torch.cat(course.losses).cpu().numpy(),
        distance=float(course.comparison.perceptual(pictures)),
        pixel_error=float(course.comparison.pixels(pictures)),
        start_distance=start_distance,
        seconds=time.perf_counter() - begun,
    )

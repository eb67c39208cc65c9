# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cut-out photograph becomes an object with parts: read, refined, painted by its markings, baked from the photo."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..common.records import Alternative, Reconstruction, ReconstructRequest
from ..common.regions import Palette
from ..errors import PhotoError
from ..models.crop import Crop, extract
from ..models.parts_network import PartsPrediction
from ..weights.confidence import NO_RIVAL, Evidence
from ..weights.parts import PartsReader
from .azimuths import angle_between
from .course import (
    FACING,
    Course,
    PictureDoubts,
    overlap_warnings,
    picture_warnings,
    preview,
    silhouette_overlap,
)
from .parts_camera import camera_of_maps, disagreement, focal_in_crop, starts_of
from .parts_offsets import free_offsets
from .parts_paint import Explained, PartsPaintConfig, painted
from .parts_refine import REFINEMENTS, Hypothesis, PartsRefineConfig, PartsRefiner
from .parts_view import picture_of
from .photo import Photo
from .pinhole_cameras import FoundCamera
from .turned import turned_warnings


@dataclass(frozen=True)
class PartsPhotoConfig:
    """Settings of the steps, and when the user is told of a doubt."""

    refinements: dict[str, PartsRefineConfig] = field(default_factory=lambda: REFINEMENTS)
    """By the request's quality."""
    paint: PartsPaintConfig = PartsPaintConfig()
    doubts: PictureDoubts = PictureDoubts()
    comparison_size: int = 256
    """Side of the masks whose overlap is reported."""
    largest_textures: dict[str, int] = field(default_factory=lambda: {"draft": 512, "standard": 1536, "fine": 2048})
    """Side of a texture, at most, where none is asked for, by the request's quality: at 2048 texels painting takes
    longer than all else."""
    doubtful_probability: float = 0.25
    """Probability of the second direction of view from which on the user is told of it …"""
    doubtful_margin: float = 0.02
    """… and difference of the losses below which, where the bundle says nothing of confidence."""
    other_probability: float = 0.2
    """Probability of another direction of view from which on it is offered, if all is not doubtful anyway."""
    picture_size: int = 160
    """Side of the pictures of other directions."""


@dataclass(frozen=True)
class Seen:
    """What is known of a photograph before anything is painted."""

    rgba: Tensor
    """(4, S, S) crop."""
    prediction: PartsPrediction
    refiner: PartsRefiner
    """What moved the hypotheses, where it left them."""
    hypotheses: list[Hypothesis]
    """The best first."""
    evidence: Evidence
    confidence: float | None
    """Probability that the best one's direction is right; None: unknown."""
    doubtful: bool
    """Whether the user ought to check which way the object faces."""


def reconstruct_with_parts(
    photo: Photo,
    mask: np.ndarray,
    crop: Crop,
    request: ReconstructRequest,
    reader: PartsReader,
    course: Course,
    config: PartsPhotoConfig = PartsPhotoConfig(),
) -> Reconstruction:
    """Makes the object of a photograph whose mask (H, W) uint8 and crop are known. Raises Cancelled, PhotoError."""
    seen = look_at(photo, mask, crop, request, reader, course, config)
    best, template = seen.hypotheses[0], reader.model.template
    with course.stage("offsets", "Refining", 0.76):
        vertices = reader.model.space.vertices(best.code)
        offsets = offsets_of([seen], [best], vertices, request, reader, course, config)
    with course.stage("bake", "Painting the texture", 0.8):
        shown = Explained(photo, mask, crop, seen.rgba, seen.prediction, best)
        made, palette = painted([shown], offsets, texture_size(request, config), reader, config.paint)
    made.silhouette_iou = silhouette_overlap(
        photo.rgb, mask, crop, best.camera, made.vertices, template, config.comparison_size
    )
    made.confidence, made.evidence = seen.confidence, seen.evidence.as_dict()
    made.alternatives = _alternatives(seen, palette, request, reader, config)
    made.warnings = [
        *picture_warnings(mask, crop, config.doubts),
        *turned_warnings(seen.rgba, seen.prediction, reader.network.read),
        *([FACING] if seen.doubtful else []),
        *overlap_warnings(made.silhouette_iou, config.doubts),
    ]
    return made


def look_at(
    photo: Photo, mask: np.ndarray, crop: Crop, request: ReconstructRequest, reader: PartsReader, course: Course,
    config: PartsPhotoConfig = PartsPhotoConfig(),
) -> Seen:  # fmt: skip
    """Reads and refines a photograph whose mask (H, W) uint8 and crop are known. Raises Cancelled, PhotoError."""
    refinement = refinement_of(request, config)
    network = reader.network
    device = next(network.parameters()).device
    side = network.config.image_size
    rgba = torch.as_tensor(extract(photo.rgb, mask, crop, side), device=device).permute(2, 0, 1)
    focal = focal_in_crop(photo, crop)
    with course.stage("network", "Looking at the object", 0.2, preview(rgba)), torch.no_grad():
        prediction = network.read(rgba[None])
        config_of_starts = replace(refinement.starts, behind=refinement.starts.behind + reader.behind)
        found = camera_of_maps(prediction, rgba[3], focal, config_of_starts)
        starts = starts_of(prediction, found, request.azimuth, config_of_starts)
    with course.stage("refine", "Refining", 0.26):
        template = reader.model.template
        refiner = PartsRefiner(rgba[3], prediction, reader.decoder, template, refinement, starts, focal)
        refiner.run(request.refine_steps, lambda done, total: course.say("Refining", 0.26 + 0.5 * done / max(total, 1)))
        hypotheses = refiner.hypotheses()
    evidence = evidence_of(prediction, rgba[3], found, hypotheses)
    if request.azimuth is not None:
        return Seen(rgba, prediction, refiner, hypotheses, evidence, 1.0, False)
    # Calibrated is what refinement leaves; without it less is known.
    known = reader.confidence if _is_refined(request, refinement) else None
    if known is None:
        return Seen(rgba, prediction, refiner, hypotheses, evidence, None, is_doubtful(hypotheses, config))
    confidence = known.of(evidence)
    return Seen(rgba, prediction, refiner, hypotheses, evidence, confidence, confidence < known.threshold)


def refinement_of(request: ReconstructRequest, config: PartsPhotoConfig) -> PartsRefineConfig:
    """The settings of the request's quality. Raises PhotoError for an unknown one."""
    if request.quality not in config.refinements:
        raise PhotoError(f"There is no quality '{request.quality}'; choose one of {', '.join(config.refinements)}.")
    return config.refinements[request.quality]


def _is_refined(request: ReconstructRequest, refinement: PartsRefineConfig) -> bool:
    return (refinement.steps if request.refine_steps < 0 else request.refine_steps) > 0


def evidence_of(
    prediction: PartsPrediction, mask: Tensor, found: FoundCamera | None, hypotheses: list[Hypothesis]
) -> Evidence:
    """What speaks for and against the best of the hypotheses; ``found``: the camera by the coordinates alone."""
    best = hypotheses[0]
    others = [other.loss - best.loss for other in elsewhere(hypotheses)]
    own = prediction.mask_logits[0] > 0
    given = F.interpolate(mask[None, None], own.shape, mode="area")[0, 0] > 0.5
    return Evidence(
        probability=best.probability,
        margin=min([NO_RIVAL, *others]),
        disagreement=disagreement(found, best.camera),
        region_agreement=best.agreement,
        mask_agreement=float((own & given).sum() / (own | given).sum().clamp(min=1)),
        silhouette_iou=best.iou,
    )


def elsewhere(hypotheses: list[Hypothesis]) -> list[Hypothesis]:
    """Those that see the object from quite another side than the first does."""
    best = hypotheses[0].camera.azimuth
    return [other for other in hypotheses[1:] if angle_between(other.camera.azimuth, best) > math.pi / 4]


def is_doubtful(found: list[Hypothesis], config: PartsPhotoConfig) -> bool:
    """Whether the object may as well be seen from quite another side than that of the first hypothesis."""
    return any(
        other.loss - found[0].loss < config.doubtful_margin or other.probability > config.doubtful_probability
        for other in elsewhere(found)
    )


def _alternatives(
    seen: Seen, palette: Palette, request: ReconstructRequest, reader: PartsReader, config: PartsPhotoConfig
) -> list[Alternative]:
    """Other directions of view, where one of them may well be the right one."""
    if request.azimuth is not None:
        return []
    others = sorted(elsewhere(seen.hypotheses), key=lambda other: -other.probability)
    if not seen.doubtful:
        others = [other for other in others if other.probability > config.other_probability]
    whole = sum(one.probability for one in seen.hypotheses)
    if seen.confidence is not None:
        # What the best one leaves is shared among the others as the head would have it.
        whole = sum(other.probability for other in others) / max(1 - seen.confidence, 1e-6)
    return [
        Alternative(
            float(other.camera.azimuth),
            other.probability / max(whole, 1e-6),
            picture_of(other.code, other.camera, palette, reader, config.picture_size),
        )
        for other in others
    ]


def offsets_of(
    seen: Sequence[Seen], best: Sequence[Hypothesis], vertices: np.ndarray, request: ReconstructRequest,
    reader: PartsReader, course: Course, config: PartsPhotoConfig,
) -> np.ndarray:  # fmt: skip
    """Free offsets (V, 3) of vertices that hypotheses of photographs share; none where the quality knows of none."""
    refinement = refinement_of(request, config)
    if refinement.offsets is None or not _is_refined(request, refinement):
        return np.zeros_like(vertices)
    masks, cameras = torch.stack([one.rgba[3] for one in seen]), [one.camera for one in best]
    return free_offsets(
        masks, cameras, vertices, reader.model.template, refinement.offsets,
        lambda done, total: course.say("Refining", 0.76 + 0.04 * done / total),
    )  # fmt: skip


def texture_size(request: ReconstructRequest, config: PartsPhotoConfig) -> tuple[int, int]:
    """Side of the texture, 0 where it follows the photo, and the largest that it may then have."""
    largest = min(config.largest_textures[request.quality], config.paint.bake.largest_texture)
    return request.texture_size, largest

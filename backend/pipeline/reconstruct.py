# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo, or several of one object, become a textured mesh, its camera and its light: all steps in their order."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from ..common.records import CutOut, Progress, Reconstruction, ReconstructRequest
from ..errors import BundleError, PhotoError
from ..models.crop import Crop, camera_of_photo, crop_around, extract
from ..models.inverse_graphics import Prediction
from ..weights.bundle import LoadedBundle
from .azimuths import angle_between
from .bake import BakeConfig, Baked, bake
from .course import (
    FACING,
    Course,
    PictureDoubts,
    overlap_warnings,
    picture_warnings,
    plain,
    preview,
    silhouette_overlap,
)
from .cut_out import cut_out
from .parts_photo import PartsPhotoConfig, reconstruct_with_parts
from .parts_together import PartsTogetherConfig, TakenPhoto, reconstruct_together
from .photo import Photo, load_photo
from .provenance import provenance
from .refine import RefineConfig, Refined, refine


@dataclass(frozen=True)
class ReconstructConfig:
    """Settings of the steps, and when the user is told of a doubt."""

    refine: RefineConfig = RefineConfig()
    bake: BakeConfig = BakeConfig()
    parts: PartsPhotoConfig = PartsPhotoConfig()
    together: PartsTogetherConfig = PartsTogetherConfig()
    doubts: PictureDoubts = PictureDoubts()
    comparison_size: int = 256
    """Side of the masks whose overlap is reported."""
    doubtful_probability: float = 0.2
    """Probability of an azimuth more than 45 degrees from the chosen one from which on the user is told."""
    doubtful_margin: float = 0.01
    """Difference of refinement's loss between the chosen azimuth and one more than 45 degrees from it below which the
    user is told."""


def reconstruct(
    request: ReconstructRequest,
    bundle: LoadedBundle,
    report: Callable[[Progress], None] = lambda progress: None,
    cancelled: Callable[[], bool] = lambda: False,
    config: ReconstructConfig = ReconstructConfig(),
) -> Reconstruction:
    """Makes an object from a photograph, or from several of one object.

    Args:
        report: Called with the progress, several times a second.
        cancelled: Asked as often; once it returns True the work stops.

    Raises:
        PhotoError: The picture or the mask cannot be used, or shows no object; of several pictures, none can be used.
        BundleError: Several photographs were given, and the bundle knows of no objects with parts.
        CutOutModelError: The cut-out model that was named cannot be used.
        Cancelled: The user asked to stop.
    """
    course = Course(report, cancelled)
    start = time.perf_counter()
    if request.further_paths:
        made, request = _of_several(request, bundle, course, config)
    else:
        made = _of_one(request, bundle, course, config)
    course.timings["total"] = time.perf_counter() - start
    course.say("Done", 1.0)
    return replace(
        made,
        bundle=bundle.name,
        timings=course.timings,
        provenance=provenance(request, bundle.name, bundle.folder, bundle.device),
    )


def _of_one(
    request: ReconstructRequest, bundle: LoadedBundle, course: Course, config: ReconstructConfig
) -> Reconstruction:
    """The object of a single photograph."""
    with course.stage("load", "Reading the photo", 0.0):
        photo = load_photo(request.image_path)
    with course.stage("cut_out", "Cutting out", 0.03):
        found = _cut_out(photo, request, bundle, course)
        mask, crop = found.mask, crop_around(found.mask)
    if bundle.parts is not None and request.with_parts:
        made = reconstruct_with_parts(photo, mask, crop, request, bundle.parts, course, config.parts)
    else:
        made = _surface(photo, mask, crop, request, bundle, course, config)
    warnings = [*found.warnings, *made.warnings]
    return replace(made, mask_source=found.source, photo_path=request.image_path, warnings=warnings)


def _of_several(
    request: ReconstructRequest, bundle: LoadedBundle, course: Course, config: ReconstructConfig
) -> tuple[Reconstruction, ReconstructRequest]:
    """The object of several photographs, without those that cannot be used, and the request without them.

    Raises BundleError where the bundle knows of no parts, and PhotoError where no photograph is left or there are too
    many.
    """
    if bundle.parts is None or not request.with_parts:
        lacking = (
            "one surface was asked for" if bundle.parts is not None else f"the weights '{bundle.name}' know of none"
        )
        raise BundleError(
            f"Several photographs make one object with parts, and {lacking}: make an object of each photograph."
        )
    if (count := 1 + len(request.further_paths)) > config.together.most:
        raise PhotoError(f"{count} photographs of one object are more than {config.together.most}: choose the best.")
    taken, sources, warnings = _taken(request, bundle, course.part(0.0, 0.2))
    used = replace(taken[0].request, further_paths=[one.path for one in taken[1:]])
    if len(taken) == 1:
        only, rest = taken[0], course.part(0.2, 1.0)
        made = reconstruct_with_parts(only.photo, only.mask, only.crop, used, bundle.parts, rest, config.parts)
        made.photo_path = only.path
    else:
        made = reconstruct_together(taken, bundle.parts, course.part(0.2, 1.0), config.parts, config.together)
    return replace(made, mask_source=sources[0], warnings=[*warnings, *made.warnings]), used


def _taken(
    request: ReconstructRequest, bundle: LoadedBundle, course: Course
) -> tuple[list[TakenPhoto], list[str], list[str]]:
    """The photographs that can be used, where their masks came from, and sentences about the others."""
    own = replace(request, further_paths=[])
    others = [replace(own, image_path=path, mask_path="", point=[], azimuth=None) for path in request.further_paths]
    taken: list[TakenPhoto] = []
    sources: list[str] = []
    warnings: list[str] = []
    failures: list[PhotoError] = []
    for number, one in enumerate([own, *others]):
        part = course.part(number / (1 + len(others)), (number + 1) / (1 + len(others)))
        try:
            with part.stage("load", "Reading the photo", 0.0):
                photo = load_photo(one.image_path)
            with part.stage("cut_out", "Cutting out", 0.1):
                found = _cut_out(photo, one, bundle, part)
        except PhotoError as error:
            failures.append(error)
            warnings.append(f"Made without {Path(one.image_path).name}: {error}")
            continue
        taken.append(TakenPhoto(one.image_path, photo, found.mask, one))
        sources.append(found.source)
        warnings += [sentence for sentence in found.warnings if sentence not in warnings]
    if not taken:
        raise PhotoError(f"None of the {len(failures)} photographs can be used; of the first: {failures[0]}")
    return taken, sources, warnings


def _surface(
    photo: Photo, mask: np.ndarray, crop: Crop, request: ReconstructRequest, bundle: LoadedBundle, course: Course,
    config: ReconstructConfig,
) -> Reconstruction:  # fmt: skip
    """The object as one surface, a deformation of the bundle's box."""
    network, template = bundle.inverse_graphics, bundle.template
    size = max(network.config.image_size, config.refine.fine_size)
    rgba = torch.as_tensor(extract(photo.rgb, mask, crop, size), device=bundle.device).permute(2, 0, 1)
    with course.stage("network", "Looking at the object", 0.2, preview(rgba)), torch.no_grad():
        side = network.config.image_size
        prediction = network(rgba[None] if size == side else F.interpolate(rgba[None], (side, side), mode="area"))
    with course.stage("refine", "Refining", 0.24):
        refined = refine(
            rgba,
            prediction,
            network,
            template,
            config.refine,
            request.refine_steps,
            lambda done, total: course.say("Refining", 0.24 + 0.61 * done / total),
        )
    with course.stage("bake", "Painting the texture", 0.85):
        baked = _bake(photo, mask, crop, refined, request, bundle, config.bake)
    vertices = refined.vertices.cpu().numpy()
    overlap = silhouette_overlap(photo.rgb, mask, crop, refined.camera, vertices, template, config.comparison_size)
    made = _result(photo, mask, crop, prediction, refined, baked, bundle)
    made.silhouette_iou = overlap
    made.warnings = [
        *picture_warnings(mask, crop, config.doubts),
        *([FACING] if _is_doubtful(prediction, refined, config) else []),
        *overlap_warnings(overlap, config.doubts),
    ]
    return made


def _cut_out(photo: Photo, request: ReconstructRequest, bundle: LoadedBundle, course: Course) -> CutOut:
    """The mask of the object that the request means, and where it came from."""
    return cut_out(
        photo,
        bundle.segmenter,
        bundle.device,
        lambda progress: course.say(progress.stage, 0.03 + 0.17 * progress.fraction),
        request.mask_path,
        cutout_model=request.cutout_model,
        point=request.point,
    )


def _bake(
    photo: Photo,
    mask: np.ndarray,
    crop: Crop,
    refined: Refined,
    request: ReconstructRequest,
    bundle: LoadedBundle,
    config: BakeConfig,
) -> Baked:
    """The texture, of the photo where it shows the object and of the network elsewhere, and the light."""
    return bake(
        photo.rgb,
        mask,
        crop,
        refined.camera,
        refined.vertices.cpu().numpy(),
        bundle.template,
        refined.texture.permute(1, 2, 0).cpu().numpy(),
        refined.light.cpu().numpy(),
        request.texture_size,
        replace(config, symmetric=config.symmetric and bundle.inverse_graphics.config.symmetric),
    )


def _result(
    photo: Photo,
    mask: np.ndarray,
    crop: Crop,
    prediction: Prediction,
    refined: Refined,
    baked: Baked,
    bundle: LoadedBundle,
) -> Reconstruction:
    """The arrays of the object, without what is said of them."""
    height, width = photo.rgb.shape[:2]
    network = bundle.inverse_graphics
    return Reconstruction(
        name=photo.name,
        image_width=width,
        image_height=height,
        vertices=refined.vertices.cpu().numpy(),
        quads=bundle.template.quads,
        uv=bundle.template.uv,
        texture=baked.texture,
        camera=plain(camera_of_photo(refined.camera, crop, width, height)),
        light=baked.light,
        mask=mask,
        shape_code=refined.shape_code.cpu().numpy(),
        texture_code=prediction.texture_code[0].cpu().numpy(),
        offsets=refined.offsets.cpu().numpy(),
        real_size=float(bundle.info.get("real_size", 4.5)),
        shape_directions=network.shape_decoder.movements(network.shape_directions).cpu().numpy(),
    )


def _is_doubtful(prediction: Prediction, refined: Refined, config: ReconstructConfig) -> bool:
    """Whether the object may as well be seen from quite another side."""
    probability = prediction.azimuth_logits[0].softmax(dim=0)
    centres = torch.arange(len(probability)) * (2 * torch.pi / len(probability))
    apart = [angle_between(float(centre), refined.camera.azimuth) > torch.pi / 4 for centre in centres]
    elsewhere = float(probability[torch.tensor(apart, device=probability.device)].sum())
    return elsewhere > config.doubtful_probability or refined.margin < config.doubtful_margin

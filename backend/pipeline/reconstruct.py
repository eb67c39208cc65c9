# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo becomes a textured mesh, its camera and its light: all steps in their order."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F

from ..common.records import Camera, Progress, Reconstruction, ReconstructRequest
from ..errors import Cancelled
from ..models.crop import Crop, camera_of_photo, crop_around, extract
from ..models.inverse_graphics import CROP_MARGIN, Prediction
from ..render.camera import Cameras, project
from ..render.rasterize import rasterize
from ..render.template import Template
from ..weights.bundle import LoadedBundle
from .azimuths import angle_between
from .bake import BakeConfig, Baked, bake
from .cut_out import cut_out
from .photo import Photo, load_photo
from .refine import RefineConfig, Refined, hard_iou, refine


@dataclass(frozen=True)
class ReconstructConfig:
    """Settings of the steps, and when the user is told of a doubt."""

    refine: RefineConfig = RefineConfig()
    bake: BakeConfig = BakeConfig()
    comparison_size: int = 256
    """Side of the masks whose overlap is reported."""
    min_overlap: float = 0.8
    """Overlap of the object and the mask below which the user is told of it."""
    smallest_object: int = 96
    """Longer side of the object, in pixels, below which the user is told that it is small."""
    doubtful_probability: float = 0.2
    """Probability of an azimuth more than 45 degrees from the chosen one from which on the user is told."""
    doubtful_margin: float = 0.01
    """Difference of refinement's loss between the chosen azimuth and one more than 45 degrees from it below which the
    user is told."""
    touching: float = 0.05
    """Part of the object's longer side that lies along an edge of the picture."""


@dataclass
class _Course:
    """Progress, cancelling and the clock of one request."""

    report: Callable[[Progress], None]
    cancelled: Callable[[], bool]
    timings: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, key: str, words: str, fraction: float, preview: np.ndarray | None = None) -> Iterator[None]:
        self.say(words, fraction, preview)
        start = time.perf_counter()
        yield
        self.timings[key] = time.perf_counter() - start

    def say(self, words: str, fraction: float, preview: np.ndarray | None = None) -> None:
        if self.cancelled():
            raise Cancelled("Cancelled.")
        self.report(Progress(words, fraction, preview))


def reconstruct(
    request: ReconstructRequest,
    bundle: LoadedBundle,
    report: Callable[[Progress], None] = lambda progress: None,
    cancelled: Callable[[], bool] = lambda: False,
    config: ReconstructConfig = ReconstructConfig(),
) -> Reconstruction:
    """Makes an object from a photograph.

    Args:
        report: Called with the progress, several times a second.
        cancelled: Asked as often; once it returns True the work stops.

    Raises:
        PhotoError: The picture or the mask cannot be used, or shows no object.
        Cancelled: The user asked to stop.
    """
    course = _Course(report, cancelled)
    start = time.perf_counter()
    network, template = bundle.inverse_graphics, bundle.template
    with course.stage("load", "Reading the photo", 0.0):
        photo = load_photo(request.image_path)
    with course.stage("cut_out", "Cutting out", 0.03):
        mask = _cut_out(photo, request, bundle, course)
        crop = crop_around(mask)
        size = max(network.config.image_size, config.refine.fine_size)
        rgba = torch.as_tensor(extract(photo.rgb, mask, crop, size), device=bundle.device).permute(2, 0, 1)
    with course.stage("network", "Looking at the object", 0.2, _preview(rgba)), torch.no_grad():
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
    course.timings["total"] = time.perf_counter() - start
    course.say("Done", 1.0)
    made = _result(photo, mask, crop, prediction, refined, baked, bundle)
    made.silhouette_iou = overlap
    made.timings = course.timings
    made.warnings = _warnings(mask, crop, prediction, refined, overlap, config)
    return made


def _cut_out(photo: Photo, request: ReconstructRequest, bundle: LoadedBundle, course: _Course) -> np.ndarray:
    """The mask (H, W) uint8 of the object: the request's own or the segmenter's."""
    return cut_out(
        photo,
        bundle.segmenter,
        bundle.device,
        lambda progress: course.say(progress.stage, 0.03 + 0.17 * progress.fraction),
        request.mask_path,
    ).mask


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
    return Reconstruction(
        name=photo.name,
        image_width=width,
        image_height=height,
        vertices=refined.vertices.cpu().numpy(),
        quads=bundle.template.quads,
        uv=bundle.template.uv,
        texture=baked.texture,
        camera=_plain(camera_of_photo(refined.camera, crop, width, height)),
        light=baked.light,
        mask=mask,
        shape_code=refined.shape_code.cpu().numpy(),
        texture_code=prediction.texture_code[0].cpu().numpy(),
        offsets=refined.offsets.cpu().numpy(),
        bundle=bundle.name,
        real_size=float(bundle.info.get("real_size", 4.5)),
    )


@torch.no_grad()
def silhouette_overlap(
    rgb: np.ndarray, mask: np.ndarray, crop: Crop, camera: Camera, vertices: np.ndarray, template: Template, size: int
) -> float:
    """Intersection over union of the mesh, seen by the crop's camera, and the mask, at size x size pixels."""
    triangles = torch.as_tensor(template.triangles, dtype=torch.int64)
    screen = project(Cameras.batch([camera]), torch.as_tensor(vertices)[None], size, size)
    covered = rasterize(screen, triangles, size, size).face_index[0] >= 0
    return hard_iou(covered.numpy(), extract(rgb, mask, crop, size)[..., 3] > 0.5)


def _plain(camera: Camera) -> Camera:
    """The camera with Python's own numbers, as the wire and JSON want them, whatever computed it."""
    return Camera(**{name: float(value) for name, value in vars(camera).items()})


def _preview(rgba: torch.Tensor) -> np.ndarray:
    """(h, w, 3) uint8: the cut-out object on grey."""
    shown = rgba[:3] + (1 - rgba[3:]) * 0.25
    return (shown.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()


def _warnings(
    mask: np.ndarray,
    crop: Crop,
    prediction: Prediction,
    refined: Refined,
    overlap: float,
    config: ReconstructConfig,
) -> list[str]:
    """Sentences about what is doubtful."""
    sentences = []
    solid = mask > 127
    longer = crop.side / CROP_MARGIN
    along = max(int(edge.sum()) for edge in (solid[0], solid[-1], solid[:, 0], solid[:, -1]))
    if along > config.touching * longer:
        sentences.append("The object touches the edge of the picture: what lies beyond it is a guess.")
    if longer < config.smallest_object:
        sentences.append(f"The object is only {longer:.0f} pixels long in the photo: a larger one shows more detail.")
    if _is_doubtful(prediction, refined, config):
        sentences.append("Front and rear are hard to tell apart in this photo: check which way the object faces.")
    if overlap < config.min_overlap:
        sentences.append(
            f"The object covers only {overlap:.0%} of its outline in the photo: try a better mask, or more refinement."
        )
    return sentences


def _is_doubtful(prediction: Prediction, refined: Refined, config: ReconstructConfig) -> bool:
    """Whether the object may as well be seen from quite another side."""
    probability = prediction.azimuth_logits[0].softmax(dim=0)
    centres = torch.arange(len(probability)) * (2 * torch.pi / len(probability))
    apart = [angle_between(float(centre), refined.camera.azimuth) > torch.pi / 4 for centre in centres]
    elsewhere = float(probability[torch.tensor(apart, device=probability.device)].sum())
    return elsewhere > config.doubtful_probability or refined.margin < config.doubtful_margin

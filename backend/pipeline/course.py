# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all ways from a photograph to an object share: progress, the preview, and what is said of the picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch

from ..common.records import Camera, Progress
from ..errors import Cancelled
from ..models.crop import Crop, extract
from ..models.inverse_graphics import CROP_MARGIN
from ..render.camera import Cameras, project
from ..render.rasterize import rasterize
from ..render.template import Template
from .refine import hard_iou

FACING = "Front and rear are hard to tell apart in this photo: check which way the object faces."


@dataclass
class Course:
    """Progress, cancelling and the clock of one request."""

    report: Callable[[Progress], None]
    cancelled: Callable[[], bool]
    timings: dict[str, float] = field(default_factory=dict)
    """Seconds of each stage by now."""

    @contextmanager
    def stage(self, key: str, words: str, fraction: float, preview: np.ndarray | None = None) -> Iterator[None]:
        """Says that a stage begins, and keeps how long it took."""
        self.say(words, fraction, preview)
        start = time.perf_counter()
        yield
        self.timings[key] = self.timings.get(key, 0.0) + time.perf_counter() - start

    def part(self, begin: float, end: float) -> Course:
        """Returns a course of its own for one part of this one, on the same clock."""

        def report(progress: Progress) -> None:
            fraction = begin + (end - begin) * progress.fraction
            self.report(Progress(progress.stage, fraction, progress.preview))

        return Course(report, self.cancelled, self.timings)

    def say(self, words: str, fraction: float, preview: np.ndarray | None = None) -> None:
        """Reports progress. Raises Cancelled where the user asked to stop."""
        if self.cancelled():
            raise Cancelled("Cancelled.")
        self.report(Progress(words, fraction, preview))


@dataclass(frozen=True)
class PictureDoubts:
    """What of a picture the user is told."""

    min_overlap: float = 0.8
    """Overlap of the object and the mask below which the user is told of it."""
    smallest_object: int = 96
    """Longer side of the object, in pixels, below which the user is told that it is small."""
    touching: float = 0.05
    """Part of the object's longer side that lies along an edge of the picture."""


def picture_warnings(mask: np.ndarray, crop: Crop, doubts: PictureDoubts) -> list[str]:
    """Sentences about an object that is cut off or small."""
    sentences = []
    solid = mask > 127
    longer = crop.side / CROP_MARGIN
    along = max(int(edge.sum()) for edge in (solid[0], solid[-1], solid[:, 0], solid[:, -1]))
    if along > doubts.touching * longer:
        sentences.append("The object touches the edge of the picture: what lies beyond it is a guess.")
    if longer < doubts.smallest_object:
        sentences.append(f"The object is only {longer:.0f} pixels long in the photo: a larger one shows more detail.")
    return sentences


def overlap_warnings(overlap: float, doubts: PictureDoubts) -> list[str]:
    """A sentence about an object that does not cover its outline."""
    if overlap >= doubts.min_overlap:
        return []
    return [f"The object covers only {overlap:.0%} of its outline in the photo: try a better mask, or more refinement."]


@torch.no_grad()
def silhouette_overlap(
    rgb: np.ndarray, mask: np.ndarray, crop: Crop, camera: Camera, vertices: np.ndarray, template: Template, size: int
) -> float:
    """Intersection over union of the mesh, seen by the crop's camera, and the mask, at size x size pixels."""
    triangles = torch.as_tensor(template.triangles, dtype=torch.int64)
    screen = project(Cameras.batch([camera]), torch.as_tensor(vertices)[None], size, size)
    covered = rasterize(screen, triangles, size, size).face_index[0] >= 0
    return hard_iou(covered.numpy(), extract(rgb, mask, crop, size)[..., 3] > 0.5)


def plain(camera: Camera) -> Camera:
    """The camera with Python's own numbers, as the wire and JSON want them, whatever computed it."""
    return Camera(**{name: float(value) for name, value in vars(camera).items()})


def preview(rgba: torch.Tensor) -> np.ndarray:
    """(h, w, 3) uint8: the cut-out object (4, h, w) on grey."""
    shown = rgba[:3] + (1 - rgba[3:]) * 0.25
    return (shown.clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()

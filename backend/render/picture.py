# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The complete picture of textured meshes: the one call that training, refinement and evaluation share.

Letters: N batch, V vertices, F triangles, H, W picture.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor

from .boundary import composite, rasterize_boundary
from .camera import Cameras, project
from .fragments import Fragments
from .light import lit
from .rasterize import rasterize
from .searches import soft_mask
from .shading import Material, normals_at
from .soft_mask import SoftMaskConfig

RENDERERS = ("dibr", "boundary", "pytorch3d")


@dataclass(frozen=True)
class RenderConfig:
    """Which renderer, and how it treats edges."""

    renderer: str = "dibr"
    """``dibr``: crisp colours and a soft mask beside the silhouette (DIB-R). ``boundary``: colours and mask change
    linearly within a margin (paper B). ``pytorch3d``: what ``dibr`` gives, computed by PyTorch3D where it is
    installed."""
    soft: SoftMaskConfig | None = SoftMaskConfig()
    """None gives a hard mask without gradient; ``boundary`` does not use it."""
    margin: float = 1.0
    """Pixels, of ``boundary``; 0 gives the crisp picture."""
    clearance: float | None = None
    """Length, of ``boundary``: see :func:`.boundary.rasterize_boundary`. Wanted where the camera is many lengths of the
    object away; None: the paper's."""
    supersampling: int = 1
    """Samples along each side of a pixel."""
    perspective: bool = True
    """Attributes are interpolated in 3D rather than on the screen (DIB-R itself does the latter)."""
    cull_back_faces: bool = True

    def __post_init__(self) -> None:
        if self.renderer not in RENDERERS:
            raise ValueError(f"There is no renderer '{self.renderer}'; there are {', '.join(RENDERERS)}.")
        if self.supersampling < 1:
            raise ValueError(f"A pixel has one sample at least along each side, not {self.supersampling}.")


HARD = RenderConfig(soft=None)
"""A hard mask: for pictures to look at."""


@dataclass
class Picture:
    """A rendered batch."""

    rgb: Tensor
    """(N, C, H, W) sRGB, multiplied by the coverage: 0 where there is no object."""
    mask: Tensor
    """(N, H, W) what a silhouette loss compares: DIB-R's soft mask, or the coverage."""
    coverage: Tensor
    """(N, H, W) how much of a pixel the object covers: 0 or 1 but for the boundary renderer and supersampling."""
    depth: Tensor
    """(N, H, W) along the viewing direction, the mean of the covered samples; 0 where there is none."""
    normal: Tensor | None
    """(N, 3, H, W) smooth unit normals in the world, 0 where there is no object; where asked for."""
    fragments: Fragments
    """Fragments of the crisp layer, as the samples see it: (N, s H, s W) with a supersampling of s."""

    def over(self, background: Tensor) -> Tensor:
        """(N, C, H, W): the object before a background that can be broadcast to it."""
        return self.rgb + (1 - self.coverage[:, None]) * background


def render(
    vertices: Tensor,
    triangles: Tensor,
    material: Material,
    light: Tensor | None,
    cameras: Cameras,
    height: int,
    width: int,
    config: RenderConfig = RenderConfig(),
    *,
    normals: bool = False,
) -> Picture:
    """Pictures of meshes.

    vertices: (N, V, 3) in the world; triangles: (F, 3) int64, counter-clockwise from outside; light: (N, 9, 3), or
    None to show the material unlit; normals: whether they are wanted in the picture.
    Raises ImportError where PyTorch3D is asked for and not installed.
    """
    if config.supersampling > 1:
        samples = config.supersampling
        fine = replace(config, supersampling=1, margin=config.margin * samples)
        args = (vertices, triangles, material, light, cameras, height * samples, width * samples, fine)
        return _averaged(render(*args, normals=normals), samples)

    screen = project(cameras, vertices, height, width)

    def shade(fragments: Fragments) -> Tensor:
        colour = material.colour(fragments)
        return colour if light is None else lit(colour, normals_at(fragments, vertices, triangles), light)

    if config.renderer == "boundary":
        layers = rasterize_boundary(
            screen, triangles, height, width, margin=config.margin, clearance=config.clearance,
            perspective=config.perspective, cull_back_faces=config.cull_back_faces,
        )  # fmt: skip
        fragments, rgb, mask = layers.crisp, composite(layers, shade), layers.coverage
        coverage = mask
    else:
        fragments, mask = _dibr(screen, triangles, height, width, config)
        coverage = (fragments.face_index >= 0).to(screen.dtype)
        rgb = shade(fragments) * coverage[:, None]
    normal = normals_at(fragments, vertices, triangles).permute(0, 3, 1, 2) if normals else None
    return Picture(rgb, mask, coverage, fragments.depth, normal, fragments)


def _dibr(screen: Tensor, triangles: Tensor, height: int, width: int, config: RenderConfig) -> tuple[Fragments, Tensor]:
    nearest, beside = rasterize, soft_mask
    if config.renderer == "pytorch3d":
        from . import pytorch3d_adapter  # here, since nothing else needs it

        nearest, beside = pytorch3d_adapter.rasterize, pytorch3d_adapter.soft_mask
    fragments = nearest(
        screen, triangles, height, width, perspective=config.perspective, cull_back_faces=config.cull_back_faces
    )
    if config.soft is None:
        return fragments, (fragments.face_index >= 0).to(screen.dtype)
    return fragments, beside(screen, triangles, fragments, config.soft)


def _averaged(picture: Picture, samples: int) -> Picture:
    """Every pixel the mean of its samples; depth and normals those of the covered ones."""

    def mean(values: Tensor) -> Tensor:
        return F.avg_pool2d(values, samples)

    def of_covered(values: Tensor) -> Tensor:
        return mean(values * covered) / mean(covered).clamp(min=1e-6)

    covered = (picture.fragments.face_index >= 0).to(picture.rgb.dtype)[:, None]
    normal = None if picture.normal is None else F.normalize(of_covered(picture.normal), dim=1, eps=1e-6)
    return Picture(
        mean(picture.rgb),
        mean(picture.mask[:, None])[:, 0],
        mean(picture.coverage[:, None])[:, 0],
        of_covered(picture.depth[:, None])[:, 0],
        normal,
        picture.fragments,
    )

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""DIB-R under the signature that Kaolin gives it, on any device: Kaolin's own operators need CUDA.

A program written for ``kaolin.render.mesh.dibr_rasterization`` runs on this one unchanged. Kaolin's conventions hold
here and nowhere else in the product: coordinates in [-1, 1] with y up, z larger for what is nearer (the camera looks
along -z), no perspective correction, distances in those coordinates even on pictures that are not square.

Letters: N batch, F faces, H, W picture, D features.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .fragments import Fragments, interpolate
from .pairs import nearness
from .rasterize import fragments_of
from .searches import nearest_triangles, soft_mask_of
from .soft_mask import SoftMaskConfig
from .triangles import Raster, can_be_drawn, edge_functions, screen_triangles

_ANY_DEPTH = -torch.inf


def dibr_rasterization(
    height: int,
    width: int,
    face_vertices_z: Tensor,
    face_vertices_image: Tensor,
    face_features: Tensor | Sequence[Tensor],
    face_normals_z: Tensor,
    sigmainv: float = 7000.0,
    boxlen: float = 0.02,
    knum: int = 30,
    multiplier: float | None = None,
    eps: float | None = None,
    rast_backend: str = "torch",
) -> tuple[Tensor | tuple[Tensor, ...], Tensor, Tensor]:
    """Interpolated features (N, H, W, D), a tuple where a sequence came in; soft mask (N, H, W); face (N, H, W).

    face_vertices_z: (N, F, 3); face_vertices_image: (N, F, 3, 2); face_features: (N, F, 3, D), one or several;
    face_normals_z: (N, F), faces with a negative one are not drawn. The face is -1 where there is none.
    ``multiplier``, ``eps`` and ``rast_backend`` tune Kaolin's kernels and change nothing here.
    """
    screen, faces = _screen(height, width, face_vertices_z, face_vertices_image)
    fragments = _nearest(height, width, screen, faces, face_normals_z >= 0)
    features = _interpolated(fragments, face_features)
    mask = _mask(screen, faces, fragments.face_index, sigmainv, boxlen, knum)
    return features, mask, fragments.face_index


def rasterize(
    height: int,
    width: int,
    face_vertices_z: Tensor,
    face_vertices_image: Tensor,
    face_features: Tensor | Sequence[Tensor],
    valid_faces: Tensor | None = None,
    multiplier: float | None = None,
    eps: float | None = None,
    backend: str = "torch",
) -> tuple[Tensor | tuple[Tensor, ...], Tensor]:
    """``kaolin.render.mesh.rasterize``: interpolated features and the face of every pixel; valid_faces: (N, F)."""
    screen, faces = _screen(height, width, face_vertices_z, face_vertices_image)
    valid = torch.ones_like(face_vertices_z[..., 0], dtype=torch.bool) if valid_faces is None else valid_faces.bool()
    fragments = _nearest(height, width, screen, faces, valid)
    return _interpolated(fragments, face_features), fragments.face_index


def dibr_soft_mask(
    face_vertices_image: Tensor,
    selected_face_idx: Tensor,
    sigmainv: float = 7000.0,
    boxlen: float = 0.02,
    knum: int = 30,
    multiplier: float | None = None,
) -> Tensor:
    """``kaolin.render.mesh.dibr_soft_mask``: the mask (N, H, W), given the face of every pixel (N, H, W), -1 none."""
    height, width = selected_face_idx.shape[1:]
    screen, faces = _screen(height, width, torch.zeros_like(face_vertices_image[..., 0]), face_vertices_image)
    return _mask(screen, faces, selected_face_idx, sigmainv, boxlen, knum)


def _screen(height: int, width: int, z: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
    """(N, 3F, 3) and (F, 3): every face has its own three vertices; the third component is -z."""
    x, y = (image[..., 0] + 1) * (0.5 * width), (1 - image[..., 1]) * (0.5 * height)
    screen = torch.stack([x, y, -z], dim=-1).flatten(1, 2)
    return screen, torch.arange(screen.shape[1], device=screen.device).view(-1, 3)


def _nearest(height: int, width: int, screen: Tensor, faces: Tensor, valid: Tensor) -> Fragments:
    raster = Raster(screen.shape[0], height, width)
    with torch.no_grad():
        triangles = screen_triangles(screen, faces)
        drawn = can_be_drawn(triangles, cull_back_faces=False, near=_ANY_DEPTH) & valid.reshape(-1)
        order = nearness(triangles, perspective=False)
        triangle = nearest_triangles(triangles, edge_functions(triangles), order, drawn, raster)
    return fragments_of(screen, faces, triangle, raster, perspective=False)


def _interpolated(fragments: Fragments, features: Tensor | Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
    if isinstance(features, Tensor):
        return interpolate(fragments, features)
    return tuple(interpolate(fragments, each) for each in features)


def _mask(screen: Tensor, faces: Tensor, face_index: Tensor, sigmainv: float, boxlen: float, knum: int) -> Tensor:
    height, width = face_index.shape[1:]
    config = SoftMaskConfig(sigma_inverse=sigmainv, box_length=boxlen, maximal_faces=knum)
    return soft_mask_of(screen, faces, face_index < 0, config, (0.5 * width, 0.5 * height), near=_ANY_DEPTH)

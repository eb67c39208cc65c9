# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""PyTorch3D behind the signatures of :mod:`.rasterize` and :mod:`.soft_mask`, where it is installed.

PyTorch3D's conventions hold here and nowhere else in the product: +X to the left, +Y up, +Z into the picture, the
shorter side of the picture spans [-1, 1], distances are squared and in those units. Both axes are turned round with
respect to the screen's, so that a front face is a front face to both.

PyTorch3D computes in float32, and leaves out faces whose doubled area is below 1e-8 in its units.

Letters: N batch, V vertices, F faces, M = N * F faces of all pictures, H, W picture, K faces of a pixel, P pixels.
"""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

import torch
from torch import Tensor

from .fragments import Fragments
from .pairs import pixel_range
from .soft_mask import SoftMaskConfig
from .triangles import Triangles, can_be_drawn, screen_triangles

FACES_PER_PIXEL = 150
"""Faces that count in the soft mask of a pixel: as many as PyTorch3D allows on CUDA."""
_USUAL = SoftMaskConfig()
_ON_EDGE = 1e-12
"""Squared distance up to which a pixel's centre lies on an edge. PyTorch3D gives such a pixel to neither of the two
faces at the edge, which leaves holes in a closed surface."""
_NEGLIGIBLE = 1e-6
"""Influence in the soft mask below which a face is not asked for."""
_OPAQUE = 1 - 1e-6
"""Influences are multiplied by this, so that the logarithm of what they leave stays finite. They are not cut off there
as in :mod:`.soft_mask`, since autograd has no gradient for what is cut off."""


class NearestFaces(NamedTuple):
    """The K nearest faces of every pixel from front to back, under PyTorch3D's names; -1 where there are fewer."""

    pix_to_face: Tensor
    """(N, H, W, K) int64 index among the M faces: that in the mesh, and F more for every picture before."""
    zbuf: Tensor
    """(N, H, W, K) depth along the viewing direction; differentiable."""
    bary_coords: Tensor
    """(N, H, W, K, 3) weights of the face's corners; differentiable."""
    dists: Tensor
    """(N, H, W, K) squared distance to the face's outline, negative inside, in halves of the shorter picture side;
    differentiable."""


def is_available() -> bool:
    """Whether PyTorch3D can be imported."""
    try:
        _import()
    except ImportError:
        return False
    return True


def rasterize(
    screen: Tensor,
    faces: Tensor,
    height: int,
    width: int,
    *,
    perspective: bool = True,
    cull_back_faces: bool = True,
) -> Fragments:
    """The nearest face of every pixel; all as of :func:`rasterize.rasterize`.

    Of faces at the very same depth the first wins here, the last there. Raises ImportError without PyTorch3D.
    """
    nearest = nearest_faces(
        screen, faces, height, width, faces_per_pixel=1, blur_radius=_ON_EDGE, perspective=perspective,
        cull_back_faces=cull_back_faces,
    )  # fmt: skip
    triangle = nearest.pix_to_face[..., 0]
    found = triangle >= 0
    return Fragments(
        torch.where(found, triangle % max(faces.shape[0], 1), -1),
        torch.where(found[..., None], nearest.bary_coords[..., 0, :], 0),
        torch.where(found, nearest.zbuf[..., 0], 0),
    )


def soft_mask(
    screen: Tensor,
    faces: Tensor,
    fragments: Fragments,
    config: SoftMaskConfig = _USUAL,
    faces_per_pixel: int = FACES_PER_PIXEL,
) -> Tensor:
    """DIB-R's soft mask (N, H, W) in [0, 1]; all as of :func:`.searches.soft_mask`, from PyTorch3D's distances.

    faces_per_pixel: only so many faces count for a pixel, those nearest to the camera, which takes the place of
    ``config.maximal_faces``. A warning says where there are more; small pictures of fine meshes have many. Memory and
    time grow with it. Raises ImportError without PyTorch3D, and ValueError where ``config.maximal_faces`` is set.
    """
    if config.maximal_faces is not None:
        raise ValueError(
            "PyTorch3D keeps the nearest faces of a pixel, not those of the lowest index: leave maximal_faces at None "
            "and set faces_per_pixel."
        )
    uncovered = fragments.face_index < 0
    _, height, width = uncovered.shape
    longer, shorter = max(height, width, 1), max(min(height, width), 1)
    reach = -math.log(_NEGLIGIBLE) / config.sigma_inverse
    nearest = nearest_faces(
        screen, faces, height, width, faces_per_pixel=faces_per_pixel,
        blur_radius=reach * (longer / shorter) ** 2, perspective=False, cull_back_faces=False,
    )  # fmt: skip
    pixel = (uncovered & (nearest.pix_to_face[..., 0] >= 0)).nonzero(as_tuple=True)
    triangle = nearest.pix_to_face[pixel]
    if (triangle[:, -1] >= 0).any():
        warnings.warn(
            f"Pixels have {faces_per_pixel} faces near them or more, of which those farthest from the camera do not "
            "count in the soft mask: raise faces_per_pixel, or sharpen the mask (sigma_inverse).",
            stacklevel=2,
        )
    with torch.no_grad():
        margin = config.box_length * 0.5 * longer
        counted = _in_boxes(screen_triangles(screen, faces), triangle, pixel[1], pixel[2], margin, (height, width))
    squared = nearest.dists[pixel].abs() * (shorter / longer) ** 2
    strength = torch.where(counted, _OPAQUE * torch.exp(-config.sigma_inverse * squared), 0)
    # Not expm1: its gradient adds 1 to the result, and would lose the digits of a transparency near 0.
    transparency = torch.log1p(-strength).sum(dim=1).exp()
    return (~uncovered).to(screen.dtype).index_put(pixel, 1 - transparency)


def nearest_faces(
    screen: Tensor,
    faces: Tensor,
    height: int,
    width: int,
    *,
    faces_per_pixel: int,
    blur_radius: float = 0.0,
    perspective: bool = True,
    cull_back_faces: bool = True,
) -> NearestFaces:
    """What PyTorch3D's ``rasterize_meshes`` gives, for losses in the manner of SoftRas.

    screen, faces, and the faces that are dropped: as of :func:`rasterize.rasterize`. faces_per_pixel: K.
    blur_radius: squared distance, in halves of the shorter picture side, up to which a pixel outside of a face still
    has it; where it is not 0, weights are kept positive and sum to 1, as PyTorch3D's own renderer does.
    Differentiable once in ``screen``. Raises ImportError without PyTorch3D.
    """
    meshes_of, rasterize_meshes = _import()
    batch, number = screen.shape[0], faces.shape[0]
    ndc = to_ndc(screen.float(), height, width)
    with torch.no_grad():
        triangles = screen_triangles(screen.float(), faces)
        drawn = can_be_drawn(triangles, cull_back_faces=cull_back_faces)
        kept = drawn.nonzero()[:, 0]
        per_picture = drawn.view(batch, number).sum(dim=1).tolist()
    if not len(kept) or not height or not width:
        return _no_faces(screen, (batch, height, width, faces_per_pixel))
    meshes = meshes_of(verts=list(ndc), faces=list(faces[kept % number].split(per_picture)))
    index, depth, weights, squared = rasterize_meshes(
        meshes,
        image_size=(height, width),
        blur_radius=blur_radius,
        faces_per_pixel=faces_per_pixel,
        perspective_correct=perspective,
        clip_barycentric_coords=blur_radius > 0,
    )
    index = torch.where(index < 0, -1, kept[index])
    return NearestFaces(index, *(values.to(screen.dtype) for values in (depth, weights, squared)))


def to_ndc(screen: Tensor, height: int, width: int) -> Tensor:
    """Screen coordinates (N, V, 3) of x, y in pixels and depth in PyTorch3D's, the depth as it is."""
    half = 0.5 * max(min(height, width), 1)
    x, y = (0.5 * width - screen[..., 0]) / half, (0.5 * height - screen[..., 1]) / half
    return torch.stack([x, y, screen[..., 2]], dim=-1)


def _in_boxes(
    triangles: Triangles, triangle: Tensor, row: Tensor, column: Tensor, margin: float, size: tuple[int, int]
) -> Tensor:
    """(P, K) whether the boxes of triangles (P, K; -1 for none), ``margin`` pixels larger, hold the pixels' centres."""
    chosen = triangle.clamp(min=0)
    inside = triangle >= 0
    for place, corners, length in ((row, triangles.y, size[0]), (column, triangles.x, size[1])):
        first, last = pixel_range(corners, margin, length)
        inside = inside & (first[chosen] <= place[:, None]) & (place[:, None] <= last[chosen])
    return inside


def _no_faces(screen: Tensor, shape: tuple[int, int, int, int]) -> NearestFaces:
    # The sum of nothing: it has a gradient, and vertices that are not numbers do not get into it.
    missing = screen[:0].sum() + screen.new_full((*shape, 5), -1.0)
    index = torch.full(shape, -1, dtype=torch.int64, device=screen.device)
    return NearestFaces(index, missing[..., 0], missing[..., 1:4], missing[..., 4])


def _import() -> tuple[Any, Any]:
    """PyTorch3D's ``Meshes`` and ``rasterize_meshes``."""
    try:
        from pytorch3d.renderer import rasterize_meshes
        from pytorch3d.structures import Meshes
    except ImportError as error:
        raise ImportError(
            f"PyTorch3D cannot be imported ({error}): install it into this Python (pip install -e '.[pytorch3d]'; "
            "there is no wheel for Blender's), or choose a renderer of our own, which needs nothing."
        ) from error
    return Meshes, rasterize_meshes

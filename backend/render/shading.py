# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Texture, spherical-harmonic light and the complete picture of a textured mesh.

Light is (9, 3): real spherical-harmonic coefficients of irradiance / pi in world axes, linear RGB. A white diffuse
surface of normal n has linear colour E(n) = sum_k light[k] Y_k(n). Textures are albedo encoded in sRGB.
Letters: N batch, V vertices, F triangles, H, W picture, T texture side.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from .camera import Cameras, project
from .rasterize import Fragments, interpolate, rasterize, soft_mask

# Real spherical harmonics up to degree 2; the order is 1, y, z, x, xy, yz, 3z^2-1, xz, x^2-y^2.
_SH = (0.282095, 0.488603, 0.488603, 0.488603, 1.092548, 1.092548, 0.315392, 1.092548, 0.546274)
_MIRRORED_X = (1.0, 1.0, 1.0, -1.0, -1.0, 1.0, 1.0, -1.0, 1.0)


@dataclass(frozen=True)
class SoftMaskConfig:
    """DIB-R's silhouette; distances in halves of the longer picture side."""

    sigma_inverse: float = 7000.0
    box_length: float = 0.03


@dataclass
class Picture:
    """A rendered batch."""

    rgb: Tensor
    """(N, 3, H, W) sRGB, 0 where there is no object."""
    mask: Tensor
    """(N, H, W) soft mask."""
    fragments: Fragments


def spherical_harmonics(normals: Tensor) -> Tensor:
    """The nine basis functions (..., 9) at unit normals (..., 3)."""
    x, y, z = normals.unbind(dim=-1)
    terms = [torch.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y]
    return torch.stack(terms, dim=-1) * normals.new_tensor(_SH)


def mirrored_light(light: Tensor) -> Tensor:
    """The light (..., 9, 3) of the left-right mirrored world."""
    return light * light.new_tensor(_MIRRORED_X)[:, None]


def uniform_light(batch: int, device: torch.device | str = "cpu") -> Tensor:
    """White light of radiance 1 from everywhere, (N, 9, 3)."""
    light = torch.zeros(batch, 9, 3, device=device)
    light[:, 0] = 1 / _SH[0]
    return light


def srgb_encode(linear: Tensor) -> Tensor:
    """Linear light to display-referred sRGB, both in [0, 1]; finite gradient at 0."""
    linear = linear.clamp(0, 1)
    return torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


def srgb_decode(encoded: Tensor) -> Tensor:
    """Display-referred sRGB to linear light."""
    encoded = encoded.clamp(0, 1)
    return torch.where(encoded <= 0.04045, encoded / 12.92, ((encoded.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)


def face_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Outward normals (N, F, 3) with the length of twice the area."""
    a, b, c = vertices[:, triangles].unbind(dim=2)
    return torch.cross(b - a, c - a, dim=-1)


def vertex_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Unit normals (N, V, 3), the area-weighted mean of the faces around each vertex."""
    per_face = face_normals(vertices, triangles)
    total = torch.zeros_like(vertices)
    for corner in range(3):
        total = total.index_add(1, triangles[:, corner], per_face)
    return F.normalize(total, dim=-1, eps=1e-12)


def sample_texture(texture: Tensor, uv: Tensor) -> Tensor:
    """Bilinear samples (N, C, H, W) of textures (N, C, T, T) at uv (N, H, W, 2), origin bottom left."""
    grid = torch.stack([2 * uv[..., 0] - 1, 1 - 2 * uv[..., 1]], dim=-1)
    return F.grid_sample(texture, grid, mode="bilinear", padding_mode="border", align_corners=False)


def render(
    vertices: Tensor,
    triangles: Tensor,
    triangle_uv: Tensor,
    texture: Tensor,
    light: Tensor | None,
    cameras: Cameras,
    height: int,
    width: int,
    soft: SoftMaskConfig | None = SoftMaskConfig(),
) -> Picture:
    """Pictures of textured meshes.

    vertices: (N, V, 3); triangles: (F, 3) int64; triangle_uv: (F, 3, 2); texture: (N, 3, T, T) sRGB;
    light: (N, 9, 3), or None to show the texture unlit; soft: None for a hard mask without gradient.
    """
    screen = project(cameras, vertices, height, width)
    fragments = rasterize(screen, triangles, height, width)
    covered = (fragments.face_index >= 0)[:, None]
    rgb = sample_texture(texture, interpolate(fragments, triangle_uv))
    if light is not None:
        normals = vertex_normals(vertices, triangles)
        normal = F.normalize(interpolate(fragments, normals[:, triangles]), dim=-1, eps=1e-6)
        irradiance = torch.einsum("nhwk,nkc->nchw", spherical_harmonics(normal), light).clamp(min=0)
        rgb = srgb_encode(srgb_decode(rgb) * irradiance)
    mask = (
        covered[:, 0].to(rgb.dtype)
        if soft is None
        else soft_mask(
            screen, triangles, fragments, sigma_inverse=soft.sigma_inverse, box_length=soft.box_length
        )
    )
    return Picture(rgb * covered, mask, fragments)

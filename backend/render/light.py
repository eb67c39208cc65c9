# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spherical-harmonic light, and the step between linear light and displayed sRGB.

Light is (9, 3): real spherical-harmonic coefficients of irradiance / pi in world axes, linear RGB. A white diffuse
surface of normal n has linear colour E(n) = sum_k light[k] Y_k(n). Textures are albedo encoded in sRGB.
"""

from __future__ import annotations

import torch
from torch import Tensor

# Real spherical harmonics up to degree 2; the order is 1, y, z, x, xy, yz, 3z^2-1, xz, x^2-y^2.
_SH = (0.282095, 0.488603, 0.488603, 0.488603, 1.092548, 1.092548, 0.315392, 1.092548, 0.546274)
_MIRRORED_X = (1.0, 1.0, 1.0, -1.0, -1.0, 1.0, 1.0, -1.0, 1.0)


def spherical_harmonics(normals: Tensor) -> Tensor:
    """The nine basis functions (..., 9) at unit normals (..., 3)."""
    x, y, z = normals.unbind(dim=-1)
    terms = [torch.ones_like(x), y, z, x, x * y, y * z, 3 * z * z - 1, x * z, x * x - y * y]
    return torch.stack([constant * term for constant, term in zip(_SH, terms, strict=True)], dim=-1)


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


def lit(albedo: Tensor, normal: Tensor, light: Tensor) -> Tensor:
    """sRGB colours (N, 3, H, W) of diffuse surfaces: albedo (N, 3, H, W) in sRGB, unit normals (N, H, W, 3) in the
    world, light (N, 9, 3). Light cannot be negative: where the coefficients say so it is 0."""
    irradiance = torch.einsum("nhwk,nkc->nchw", spherical_harmonics(normal), light).clamp(min=0)
    return srgb_encode(srgb_decode(albedo) * irradiance)

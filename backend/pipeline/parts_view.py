# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small picture of an object with parts, painted by its markings in plain daylight.

Letters: S side of the picture.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F

from ..common.records import Camera
from ..common.regions import Palette
from ..render.camera import Cameras, project
from ..render.light import srgb_decode, srgb_encode
from ..render.part_map import part_map
from ..render.rasterize import rasterize
from ..render.shading import normals_at
from ..weights.parts import PartsReader

_FINER = 2
"""Times the picture's side that it is drawn at, so that its edges are smooth."""
_SUN = (0.35, -0.55, 0.75)
"""Where most of the light comes from."""


@torch.no_grad()
def picture_of(code: np.ndarray, camera: Camera, palette: Palette, reader: PartsReader, size: int = 160) -> np.ndarray:
    """(S, S, 4) uint8 sRGB with alpha: the object of a code (K,) as a camera with a square picture sees it."""
    template, device = reader.model.template, next(reader.network.parameters()).device
    side = _FINER * size
    triangles = torch.as_tensor(template.triangles, dtype=torch.int64, device=device)
    cameras = Cameras.batch([camera], device)
    vertices, distances = reader.decoder(torch.as_tensor(code, device=device)[None])
    fragments = rasterize(project(cameras, vertices, side, side), triangles, side, side)
    sheet_uv = torch.as_tensor(template.triangle_markings_uv, device=device)
    shares = part_map(fragments, sheet_uv, distances, reader.model.space.markings, cameras)[0]
    colours = torch.as_tensor(palette.array()[:, :3], device=device)
    albedo = srgb_decode(torch.einsum("rhw,rc->chw", shares, colours).clamp(0, 1))
    normals = normals_at(fragments, vertices, triangles)[0]
    sun = F.normalize(torch.tensor(_SUN, device=device), dim=0)
    light = 0.55 + 0.2 * normals[..., 2] + 0.55 * (normals @ sun).clamp(min=0)
    covered = (fragments.face_index[0] >= 0).to(albedo.dtype)
    drawn = torch.cat([srgb_encode((albedo * light).clamp(0, 1)) * covered, covered[None]])
    small = F.avg_pool2d(drawn[None], _FINER)[0]
    straight = torch.cat([small[:3] / small[3:].clamp(min=1e-6), small[3:]]).clamp(0, 1)
    return (straight * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()

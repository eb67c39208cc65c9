# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of which everything is known, for StyleGAN-R: boxes through the rasteriser on plain grounds."""

from __future__ import annotations

import math

import torch

from backend.data.described_pictures import DescribedPictures, to_bytes
from backend.models.inverse_graphics import InverseGraphics, InverseGraphicsConfig
from backend.models.style_mapping import without_object
from backend.models.stylegan2 import Generator, GeneratorConfig
from backend.render.camera import Cameras
from backend.render.picture import HARD, render
from backend.render.shading import Texture
from tests.helpers.stylegan2_samples import tiny_generator
from tests.helpers.synthetic import TEMPLATE

SIDE, TEXTURE, BACKGROUND, SPLIT = 32, 16, 16, 2
SIZES = GeneratorConfig(resolution=SIDE, z_dim=6, w_dim=5, mapping_layers=2, channels=(8, 8, 6, 4))
NETWORK = InverseGraphicsConfig(
    image_size=32, widths=(8, 12, 16), shape_code=4, texture_code=8, texture_size=TEXTURE, texture_widths=(16, 12, 8)
)


def generator() -> Generator:
    """A small generator of these pictures' size, not trained."""
    return tiny_generator(SIZES)


def judge() -> InverseGraphics:
    """A small inverse-graphics network, not trained, whose first shape number makes boxes higher."""
    torch.manual_seed(3)
    network = InverseGraphics(NETWORK, TEMPLATE).eval().requires_grad_(False)
    network.shape_decoder.basis.zero_()
    network.shape_decoder.basis[0, :, 2] = 0.2 * torch.as_tensor(TEMPLATE.vertices)[:, 2]
    return network


def described(objects: int = 4, views: int = 3, with_codes: bool = True) -> DescribedPictures:
    """``objects`` boxes of different heights, colours and grounds in ``views`` views each."""
    random = torch.Generator().manual_seed(5)
    count = objects * views
    object_of = torch.arange(objects).repeat_interleave(views)
    shape_code = torch.zeros(objects, NETWORK.shape_code)
    shape_code[:, 0] = torch.randn(objects, generator=random)
    texture = torch.rand(objects, 3, 1, 1, generator=random).expand(-1, -1, TEXTURE, TEXTURE)
    ground = torch.rand(objects, 3, 1, 1, generator=random)
    fixed = torch.ones(count)
    cameras = Cameras(
        azimuth=2 * math.pi * torch.rand(count, generator=random),
        elevation=0.1 + 0.3 * torch.rand(count, generator=random),
        distance=3 * fixed,
        roll=0 * fixed,
        field_of_view=0.45 + 0.15 * torch.rand(count, generator=random),
        shift_x=0.05 * torch.randn(count, generator=random),
        shift_y=0.05 * torch.randn(count, generator=random),
    )
    vertices = judge().shape_decoder(shape_code)[object_of]
    material = Texture(torch.as_tensor(TEMPLATE.triangle_uv), texture[object_of])
    drawn = render(vertices, torch.as_tensor(TEMPLATE.triangles).long(), material, None, cameras, SIDE, SIDE, HARD)
    pictures = drawn.over(ground[object_of])
    codes = torch.zeros(0)
    if with_codes:
        maker = generator()
        content = torch.randn(objects, maker.codes, SIZES.w_dim, generator=random)
        view = torch.randn(count, SPLIT, SIZES.w_dim, generator=random)
        codes = torch.cat([view, content[object_of][:, SPLIT:]], dim=1)
    return DescribedPictures(
        pictures=to_bytes(pictures),
        masks=to_bytes(drawn.coverage),
        codes=codes,
        cameras=cameras,
        shape_code=shape_code[object_of],
        texture=to_bytes(texture)[object_of],
        background=to_bytes(without_object(pictures, drawn.coverage, BACKGROUND)),
        objects=list(torch.arange(count).view(objects, views)),
        object_of=object_of,
    )

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera, shape, texture and background to StyleGAN-R's picture, and to the rasteriser's beside it: the dual renderer.

Letters: R picture, K shape code.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..common.records import NeuralRender, NeuralRenderRequest
from ..errors import BundleError, UnrenderError
from ..models.style_mapping import reduced
from ..render.camera import Cameras
from ..render.picture import HARD, render
from ..render.shading import Texture
from ..weights.bundle import LoadedBundle
from ..weights.neural_renderer import kept_neural_renderer

_FINER = 2
"""Times the picture's side at which the object is drawn, so that its edges are smooth."""


@torch.no_grad()
def neural_render(request: NeuralRenderRequest, bundle: LoadedBundle) -> NeuralRender:
    """Makes both pictures of an object with parts.

    Raises BundleError where the bundle has no neural renderer or is not the object's, UnrenderError for arrays that are
    no texture or background.
    """
    if bundle.parts is None or bundle.folder is None:
        raise BundleError(f"The weights '{bundle.name}' know no objects with parts, which the neural render shows.")
    renderer = kept_neural_renderer(bundle.folder, bundle.device)
    space = bundle.parts.model.space
    if np.shape(request.shape_code) != (space.size,):
        raise BundleError(
            f"This object was made with other weights than the shape space of the bundle '{bundle.name}': make it from "
            "its photo again."
        )
    texture = _map(request.texture, 3, "A texture").to(bundle.device)
    background = _map(request.background, 4, "A background").to(bundle.device)
    cameras = Cameras.batch([request.camera], bundle.device)
    drawn = _drawn(request.shape_code, texture, cameras, bundle, renderer.resolution)
    code = torch.as_tensor(np.asarray(request.shape_code, np.float32), device=bundle.device)[None]
    picture = renderer(cameras, code, texture, around(background, drawn[:, 3], renderer.resolution))
    return NeuralRender(_bytes(picture), _bytes(drawn))


def around(background: Tensor, covered: Tensor, size: int) -> Tensor:
    """A background (1, 4, h, w) as the neural renderer sees it, (1, 4, size, size): not where the object covers it.

    ``covered`` (1, size, size) is the object's silhouette, which is widened by a pixel as in training.
    """
    enlarged = background.expand(-1, -1, size, size) if background.shape[2:] == (1, 1) else reduced(background, size)
    seen = enlarged[:, 3:] * (1 - F.max_pool2d((covered[:, None] > 0.5).float(), 3, 1, 1))
    return torch.cat([enlarged[:, :3] * seen, seen], dim=1)


def _drawn(code: np.ndarray, texture: Tensor, cameras: Cameras, bundle: LoadedBundle, size: int) -> Tensor:
    """(1, 4, size, size) in [0, 1]: the object through the rasteriser, unlit, with alpha."""
    assert bundle.parts is not None
    model = bundle.parts.model
    vertices = torch.as_tensor(model.space.vertices(np.asarray(code, np.float32)), device=bundle.device)[None]
    triangles = torch.as_tensor(model.template.triangles, dtype=torch.int64, device=bundle.device)
    material = Texture(torch.as_tensor(model.template.triangle_uv, device=bundle.device), texture)
    side = _FINER * size
    picture = render(vertices, triangles, material, None, cameras, side, side, HARD)
    small = F.avg_pool2d(torch.cat([picture.rgb, picture.coverage[:, None]], dim=1), _FINER)
    return torch.cat([small[:, :3] / small[:, 3:].clamp(min=1e-6), small[:, 3:]], dim=1)


def _map(values: np.ndarray, channels: int, what: str) -> Tensor:
    """(1, channels, h, w) in [0, 1] of uint8 (h, w, channels). Raises UnrenderError."""
    array = np.asarray(values)
    if array.ndim != 3 or array.shape[2] != channels or array.dtype != np.uint8 or 0 in array.shape:
        raise UnrenderError(f"{what} is a picture of {channels} channels of 8 bits, not one of shape {array.shape}.")
    return torch.from_numpy(np.ascontiguousarray(array)).permute(2, 0, 1)[None].float() / 255


def _bytes(picture: Tensor) -> np.ndarray:
    """(h, w, channels) uint8 of (1, channels, h, w) in about [0, 1]."""
    return (picture[0].clamp(0, 1) * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""By what a projection sees whether two pictures show an object from the same side.

Edges and colours say next to nothing about that: a picture's nearest neighbour is as likely seen from any other side.
The last features of an inverse-graphics network do, because that network was trained to tell the camera.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...weights.bundle import LoadedBundle

_PAPER = 128 / 255
"""The grey beside a picture that is no square, as in the segmenter's training."""


class ObjectFeatures(nn.Module):
    """The last layer of a bundle's encoder, on what its segmenter takes for the object. Differentiable.

    The picture is not cut to the object, as it is where objects are reconstructed: how large the object is and where
    in the picture it lies shall count too.
    """

    def __init__(self, bundle: LoadedBundle) -> None:
        super().__init__()
        self.segmenter = bundle.segmenter
        self.stages = bundle.inverse_graphics.encoder.stages
        self.side = bundle.inverse_graphics.config.image_size
        self.requires_grad_(False).eval()

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """(N, 3, h, w) sRGB in [0, 1] to one (N, C, s, s)."""
        height, width = pictures.shape[-2:]
        scale = self.side / max(height, width)
        size = [max(1, round(side * scale)) for side in (height, width)]
        small = F.interpolate(pictures, size=size, mode="bilinear", align_corners=False, antialias=scale < 1)
        top, left = (self.side - size[0]) // 2, (self.side - size[1]) // 2
        beside = (left, self.side - size[1] - left, top, self.side - size[0] - top)
        square = F.pad(small, beside, value=_PAPER)
        alpha = torch.sigmoid(self.segmenter(square))[:, None]
        return [self.stages(torch.cat([square * alpha, alpha], dim=1) * 2 - 1)]

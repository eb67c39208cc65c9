# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Features for paper A's perceptual loss: VGG-16 where the user has its weights, else an edge pyramid.

Letters: N batch, H, W picture, C channels.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .storage import load_state, read_tensors


class EdgePyramid(nn.Module):
    """Oriented derivatives at several scales: what a drawing keeps of a picture. No weights.

    Blind to flat colour, which the colour loss sees, and sensitive to where lines are and how sharp.
    """

    kernels: Tensor

    def __init__(self, scales: int = 3) -> None:
        super().__init__()
        self.scales = scales
        sobel = torch.tensor([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]]) / 4
        diagonal = torch.tensor([[2.0, 1.0, 0.0], [1.0, 0.0, -1.0], [0.0, -1.0, -2.0]]) / 4
        bank = torch.stack([sobel, sobel.T, diagonal, diagonal.flip(1)])[:, None]
        self.register_buffer("kernels", bank, persistent=False)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """(N, 3, H, W) to one (N, 12, h, w) a scale."""
        features = []
        for _ in range(self.scales):
            flat = picture.reshape(-1, 1, *picture.shape[2:])
            edges = F.conv2d(F.pad(flat, (1, 1, 1, 1), mode="replicate"), self.kernels)
            features.append(edges.view(len(picture), -1, *picture.shape[2:]))
            picture = F.avg_pool2d(picture, 2)
        return features


class Vgg16(nn.Module):
    """VGG-16's activations after relu1_2, relu2_2 and relu3_3, from a safetensors file with torchvision's names."""

    _BLOCKS = ((64, 64), (128, 128), (256, 256, 256))

    def __init__(self, weights: Path) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        self.taps: list[int] = []
        inputs = 3
        for block in self._BLOCKS:
            for outputs in block:
                layers += [nn.Conv2d(inputs, outputs, 3, 1, 1), nn.ReLU()]
                inputs = outputs
            self.taps.append(len(layers) - 1)
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        tensors, _ = read_tensors(weights)
        own = self.state_dict()
        load_state(self, {name: value for name, value in tensors.items() if name in own}, weights)
        self.requires_grad_(False)

    def forward(self, picture: Tensor) -> list[Tensor]:
        """(N, 3, H, W) sRGB in [0, 1] to three activations."""
        x = (picture - picture.new_tensor([0.485, 0.456, 0.406])[:, None, None]) / picture.new_tensor(
            [0.229, 0.224, 0.225]
        )[:, None, None]
        kept = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.taps:
                kept.append(x)
        return kept


def perceptual_features(weights: Path | None) -> nn.Module:
    """VGG-16 from the given file, or the features that need none."""
    return Vgg16(weights) if weights is not None else EdgePyramid()


def perceptual_loss(features: nn.Module, predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference of features inside the mask (N, H, W), averaged over the layers."""
    covered = mask[:, None]
    pairs = zip(features(predicted * covered), features(target * covered), strict=True)
    return torch.stack([(a - b).abs().mean() for a, b in pairs]).mean()

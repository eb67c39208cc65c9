# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN2's losses: non-saturating adversarial, R1, path length.

Letters: N batch, L w codes of an image, D length of a w code, H, W picture.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def generator_loss(fake_logits: Tensor) -> Tensor:
    """(N,) logits of generated images to -log D, non-saturating (Goodfellow et al. 2014)."""
    return F.softplus(-fake_logits).mean()


def discriminator_loss(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """-log D of the real and -log (1 - D) of the generated."""
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()


def r1_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """Squared norm of the logits' gradient in the real images (N, 3, H, W), mean over N (Mescheder et al. 2018)."""
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.float().square().sum(dim=(1, 2, 3)).mean()


def path_lengths(images: Tensor, codes: Tensor, noise: Tensor) -> Tensor:
    """(N,) lengths of J^T y, the images' gradient in the w+ codes (N, L, D) along unit noise (StyleGAN2, section 3.2).

    ``noise`` (N, 3, H, W) is standard normal; it is scaled so that lengths do not depend on the resolution.
    """
    scaled = noise / math.sqrt(images.shape[2] * images.shape[3])
    (gradient,) = torch.autograd.grad((images * scaled).sum(), codes, create_graph=True)
    return gradient.square().sum(dim=2).mean(dim=1).sqrt()


class PathLengthMean:
    """The running mean towards which path lengths are drawn."""

    def __init__(self, decay: float = 0.01) -> None:
        self.decay = decay
        self.value = torch.zeros(())

    def penalty(self, lengths: Tensor, batch_mean: Tensor) -> Tensor:
        """Mean squared distance of lengths (N,) from the running mean, which ``batch_mean`` (over all processes'
        lengths, without gradient) moves first."""
        self.value = self.value.to(lengths.device).lerp(batch_mean, self.decay)
        return (lengths - self.value).square().mean()

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What NVIDIA's StyleGAN2-ADA computes in float32 for small networks of random weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

FIXTURE = Path(__file__).resolve().parents[3] / "shared" / "fixtures" / "stylegan2_ada_reference.npz"
needs_reference = pytest.mark.skipif(not FIXTURE.exists(), reason="the reference numbers lie outside the repository")


@dataclass
class Reference:
    """States under NVIDIA's names, and what goes in and comes out."""

    generator: dict[str, Tensor]
    discriminator: dict[str, Tensor]
    z: Tensor
    outputs: dict[str, Tensor]
    """ws, ws_psi0.7, ws_psi0.5_cutoff4, img_noise_const, img_noise_none, img_mix_first4_from0_rest_from1, D_logits."""


def load_reference() -> Reference:
    """Reads the file."""
    with np.load(FIXTURE) as file:
        tensors = {name: torch.from_numpy(np.array(file[name])) for name in file.files}

    def under(prefix: str) -> dict[str, Tensor]:
        return {name[len(prefix) :]: value for name, value in tensors.items() if name.startswith(prefix)}

    return Reference(under("G/"), under("D/"), tensors["in/z"], under("out/"))


def relative_error(got: Tensor, expected: Tensor) -> float:
    """Largest difference over the largest expected number."""
    return float((got - expected).detach().abs().max() / expected.detach().abs().max())

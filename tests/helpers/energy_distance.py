# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A perfect discriminator's stand-in: a distance of distributions that is 0 for equal ones alone."""

from __future__ import annotations

from torch import Tensor


def energy_distance(one: Tensor, other: Tensor) -> Tensor:
    """Of two samples (N, D) and (M, D), a number to be differentiated; no member is compared with itself."""

    def mean(a: Tensor, b: Tensor, same: bool) -> Tensor:
        squared = (a[:, None] - b).square().sum(dim=2)
        return (squared + 1e-6).sqrt().sum() / (len(a) * (len(b) - same))

    return 2 * mean(one, other, False) - mean(one, one, True) - mean(other, other, True)

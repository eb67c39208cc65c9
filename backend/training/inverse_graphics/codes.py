# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shape codes made standard normal over the training data, without a change of any shape that the network gives.

Pictures alone do not say in what units a code is: a network that they taught may have any. What uses codes afterwards,
refinement above all, takes a code's length for how unusual a shape is, as it is where codes are those of meshes.

Letters: K crops, S shape code, V vertices.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from ...models.inverse_graphics import InverseGraphics

_LEAST = 1e-3
"""Deviations below this share of the largest move nothing that could be seen."""


@torch.no_grad()
def standardise_shape_codes(network: InverseGraphics, batches: Iterable[Tensor]) -> None:
    """Writes the linear shape model of ``network`` anew, in the principal components of its shapes of crops.

    batches: crops (N, 4, R, R), K in all, more than one. Afterwards the mean shape is that of the crops, their codes
    have mean 0 and the identity as covariance, in the order of how much they move; the rest of the S stay 0. Shapes of
    these crops are the same as before but for rounding, and so are others where K is above S: fewer crops do not show
    all directions, and those not shown are dropped.
    """
    decoder, head = network.shape_decoder, network.shape_head[-1]
    assert isinstance(head, nn.Linear)
    device = decoder.mean.device
    codes = torch.cat([network(crops.to(device)).shape_code for crops in batches]).double()
    basis = decoder.symmetric_basis().flatten(1).double()
    centre = codes.mean(dim=0)
    _, lengths, components = torch.linalg.svd((codes - centre) @ basis, full_matrices=False)
    deviations = lengths / max(len(codes) - 1, 1) ** 0.5
    found = deviations > _LEAST * deviations[0].clamp(min=1e-12)
    found &= torch.arange(len(found), device=device) < len(basis)
    deviations, components = deviations[found], components[found]
    # code -> (code - centre) @ to_standard, and back to the same vertices.
    to_standard = basis @ components.T / deviations
    count = len(deviations)
    weight, bias = head.weight.double().clone(), head.bias.double().clone()
    for parameter in (head.weight, head.bias, decoder.basis):
        parameter.zero_()
    head.weight[:count] = (to_standard.T @ weight).to(head.weight)
    head.bias[:count] = (to_standard.T @ (bias - centre)).to(head.bias)
    decoder.basis[:count] = (deviations[:, None] * components).view(count, *decoder.mean.shape).to(decoder.basis)
    decoder.mean += (centre @ basis).view_as(decoder.mean).to(decoder.mean)

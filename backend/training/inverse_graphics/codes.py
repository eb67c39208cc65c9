# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Codes of a trained network as they are used: shape codes made standard normal, and main directions of both codes.

Shape codes become standard normal over the training data without a change of any shape that the network gives.
Pictures alone do not say in what units a code is: a network that they taught may have any. What uses codes afterwards,
refinement above all, takes a code's length for how unusual a shape is, as it is where codes are those of meshes.

Letters: N batch, K crops, S shape code, V vertices, R crop side.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from ...models.inverse_graphics import InverseGraphics

_MIN_SHARE = 1e-3
"""Deviations below this share of the largest move nothing that could be seen."""


def finished(average: InverseGraphics, batches: Sequence[Tensor], codes_are_standard: bool = False) -> InverseGraphics:
    """A copy of a training's average as it is used: with standard normal shape codes and with its sliders' directions.

    batches: crops (N, 4, R, R) of training objects. Codes that true meshes taught are standard as they are.
    """
    network = copy.deepcopy(average)
    if not codes_are_standard:
        standardise_shape_codes(network, batches)
    find_directions(network, batches)
    return network


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
    found = deviations > _MIN_SHARE * deviations[0].clamp(min=1e-12)
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


@torch.no_grad()
def find_directions(network: InverseGraphics, batches: Iterable[Tensor]) -> None:
    """Finds the main directions of both codes over crops (N, 4, R, R) in batches: the sliders' meaning.

    A direction is the code's regression on a principal component of what it decodes to, one standard deviation long.
    """
    device = next(network.parameters()).device
    shape_codes, texture_codes, vertices, textures = [], [], [], []
    for crops in batches:
        prediction = network(crops.to(device))
        shape_codes.append(prediction.shape_code)
        texture_codes.append(prediction.texture_code)
        vertices.append(network.shape_decoder(prediction.shape_code).flatten(1))
        texture = network.texture_decoder(prediction.texture_code)
        textures.append(torch.nn.functional.interpolate(texture, size=32, mode="area").flatten(1))
    network.shape_directions.copy_(_directions(torch.cat(shape_codes), torch.cat(vertices)))
    network.texture_directions.copy_(_directions(torch.cat(texture_codes), torch.cat(textures)))


def _directions(codes: Tensor, decoded: Tensor, count: int = 6) -> Tensor:
    """(6, S): how the code (K, S) moves with each of the decoded field's (K, D) first principal components."""
    codes, decoded = codes - codes.mean(dim=0), decoded - decoded.mean(dim=0)
    left, _, right = torch.linalg.svd(decoded, full_matrices=False)
    found = min(count, left.shape[1])
    # The sign of a component is arbitrary: make it the one in which most of the object grows or brightens.
    scores = left[:, :found] * torch.sign(right[:found].sum(dim=1)) * math.sqrt(len(codes))
    directions = codes.new_zeros(count, codes.shape[1])
    directions[:found] = scores.T @ codes / len(codes)
    return directions

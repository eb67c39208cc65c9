# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moves an object's codes along their main directions, fast enough to follow a slider."""

from __future__ import annotations

import weakref

import numpy as np
import torch
from torch import Tensor

from ..common.records import Edit, EditRequest
from ..errors import BundleError
from ..models.inverse_graphics import InverseGraphics
from ..weights.bundle import LoadedBundle

_latest: tuple[weakref.ref[InverseGraphics], bytes, Tensor] | None = None
"""The network and the texture code that were edited last, and the texture of that code."""


@torch.no_grad()
def edit(request: EditRequest, bundle: LoadedBundle) -> Edit:
    """The shape and the change of texture that slider values ask for.

    Raises:
        BundleError: The object's codes do not belong to this bundle.
    """
    network = bundle.inverse_graphics
    shape_code = _code(request.shape_code, network.config.shape_code, bundle)
    texture_code = _code(request.texture_code, network.config.texture_code, bundle)
    moved_shape = shape_code + _along(request.shape_sliders, network.shape_directions)
    movement = _along(request.texture_sliders, network.texture_directions)
    side = network.config.texture_size
    change = torch.zeros(side, side, 3)
    if bool(movement.any()):
        moved = network.texture_decoder((texture_code + movement)[None])[0]
        change = (moved - _as_found(network, texture_code)).permute(1, 2, 0)
    vertices = network.shape_decoder(moved_shape[None])[0]
    return Edit(vertices.cpu().numpy(), change.cpu().contiguous().numpy())


def _as_found(network: InverseGraphics, texture_code: Tensor) -> Tensor:
    """The texture (3, t, t) of a code; that of the latest is kept, for a slider asks for it with every step."""
    global _latest
    key = texture_code.cpu().numpy().tobytes()
    if _latest is None or _latest[0]() is not network or _latest[1] != key:
        _latest = weakref.ref(network), key, network.texture_decoder(texture_code[None])[0]
    return _latest[2]


def _code(values: np.ndarray, length: int, bundle: LoadedBundle) -> Tensor:
    if np.shape(values) != (length,):
        raise BundleError(
            f"This object was made with other weights than the network of the bundle '{bundle.name}': make it from its "
            "photo again."
        )
    return torch.as_tensor(np.asarray(values, dtype=np.float32), device=bundle.device)


def _along(sliders: np.ndarray, directions: Tensor) -> Tensor:
    """The sum of the directions (6, C), each times its slider's value."""
    values = torch.as_tensor(np.asarray(sliders, dtype=np.float32), device=directions.device)
    return values @ directions[: len(values)]

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A shape space as a network: codes to vertices and markings, differentiable, on any device.

Letters: N batch, K numbers of a code, V vertices, M markings, S x T the sheet.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from ..common.shape_space import ShapeSpace


class SpaceDecoder(nn.Module):
    """What :class:`ShapeSpace` computes, in torch; it has buffers and nothing to train."""

    mean: Tensor
    basis: Tensor
    sheet_mean: Tensor
    sheet_basis: Tensor
    folding: Tensor
    fold_onto: Tensor
    fold_weights: Tensor
    fold_drops: Tensor
    sinking: Tensor
    sink_places: Tensor

    def __init__(self, space: ShapeSpace, components: int | None = None) -> None:
        """``components``: how many numbers of the code are used, from the first; None for all."""
        super().__init__()
        used = slice(components)
        self.space = space
        whole = space.unfolded(space.basis[used])
        self.register_buffer("mean", torch.as_tensor(space.unfolded(space.mean)), persistent=False)
        self.register_buffer("basis", torch.as_tensor(whole).flatten(1), persistent=False)
        self.register_buffer("sheet_mean", torch.as_tensor(space.sheet_mean), persistent=False)
        sheet_basis = torch.as_tensor(space.sheet_directions()[used]).flatten(1)
        self.register_buffer("sheet_basis", sheet_basis, persistent=False)
        self.fold = space.fold if len(whole) == space.size else None
        indices = _whole_indices(space)
        for name in ("folding", "fold_onto", "fold_weights", "fold_drops", "sinking", "sink_places"):
            self.register_buffer(name, torch.as_tensor(indices[name]), persistent=False)

    @property
    def size(self) -> int:
        """Numbers of a code."""
        return self.basis.shape[0]

    def vertices(self, codes: Tensor, distances: Tensor | None = None) -> Tensor:
        """(N, V, 3) of codes (N, K); ``distances``: of the same codes, where they are at hand."""
        vertices = self.mean + (codes @ self.basis).unflatten(1, self.mean.shape)
        height = vertices[..., 2]
        if self.space.sink is not None:
            inside = self._inside(codes) if distances is None else distances[:, self.space.sink.marking].flatten(1)
            depth = (inside[:, self.sink_places] * -self.space.sink.slope).clamp(0, self.space.sink.depth)
            height = height.index_add(1, self.sinking, -depth)
        if self.fold is not None:
            amount = ((codes[:, -1:] - self.fold.begin) / (self.fold.end - self.fold.begin)).clamp(0, 1)
            change = height[:, self.fold_onto] - self.fold_drops - height[:, self.folding]
            height = height.index_add(1, self.folding, change * amount * self.fold_weights)
        return torch.cat([vertices[..., :2], height[..., None]], dim=-1)

    def _inside(self, codes: Tensor) -> Tensor:
        """(N, S * T) distances of the sink's marking alone."""
        assert self.space.sink is not None
        marking, reach = self.space.sink.marking, self.space.reach
        basis = self.sheet_basis.unflatten(1, self.sheet_mean.shape)[:, marking].flatten(1)
        return (self.sheet_mean[marking].flatten() + codes @ basis).clamp(-reach, reach)

    def distances(self, codes: Tensor) -> Tensor:
        """(N, M, S, T) of codes (N, K)."""
        change = (codes @ self.sheet_basis).unflatten(1, self.sheet_mean.shape)
        return (self.sheet_mean + change).clamp(-self.space.reach, self.space.reach)

    def forward(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Vertices and distances of codes (N, K)."""
        distances = self.distances(codes)
        return self.vertices(codes, distances), distances


def _whole_indices(space: ShapeSpace) -> dict[str, np.ndarray]:
    """What fold and sink do to the kept vertices, for all vertices."""
    image = np.full(len(space.mean), -1)
    image[space.kept[space.mirrored]] = np.flatnonzero(space.mirrored)
    result = {name: np.zeros(0, np.int64) for name in ("folding", "fold_onto", "sinking", "sink_places")}
    result |= {name: np.zeros(0, np.float32) for name in ("fold_weights", "fold_drops")}
    if space.fold is not None:
        fold = space.fold
        other, other_onto = image[fold.vertices], image[fold.onto]
        # Vertices on the plane of symmetry have no image; what others sink onto may lie in it.
        both = other >= 0
        onto = np.where(other_onto < 0, fold.onto, other_onto)[both]
        result["folding"] = np.concatenate([fold.vertices, other[both]]).astype(np.int64)
        result["fold_onto"] = np.concatenate([fold.onto, onto]).astype(np.int64)
        result["fold_weights"] = np.concatenate([fold.weights, fold.weights[both]]).astype(np.float32)
        result["fold_drops"] = np.concatenate([fold.drops, fold.drops[both]]).astype(np.float32)
    if space.sink is not None:
        place = space.sink.places[:, 0].astype(np.int64) * space.sheet_mean.shape[2] + space.sink.places[:, 1]
        other = image[space.sink.vertices]
        both = other >= 0
        result["sinking"] = np.concatenate([space.sink.vertices, other[both]]).astype(np.int64)
        result["sink_places"] = np.concatenate([place, place[both]])
    return result

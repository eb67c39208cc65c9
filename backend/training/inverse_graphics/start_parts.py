# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A starting point with parts: a bundle's template, and the main directions of its shape space as the basis.

What of the space is not linear stays behind: no top folds away, no bed sinks into the body. Nor do the space's
markings come along: the texture is painted by the network, in the template's own atlas.

Letters: V template vertices, S numbers of the network's shape code.
"""

from __future__ import annotations

import numpy as np

from ...render.template import Template
from ...weights.bundle import load_named_parts


def start_parts(bundle: str, numbers: int) -> tuple[Template, np.ndarray]:
    """The template with parts in the shape of the space's mean, and the basis (S, V, 3) float32 of its directions.

    The basis holds the first ``numbers`` (S) directions of the space, one standard deviation long; of a space with
    fewer the rest is 0. ``bundle``: a name or a folder. Raises BundleError with one sentence.
    """
    model = load_named_parts(bundle)
    directions = model.space.unfolded(model.space.basis[:numbers])
    basis = np.zeros((numbers, *directions.shape[1:]), np.float32)
    basis[: len(directions)] = directions
    return model.template.with_vertices(model.space.unfolded(model.space.mean)), basis

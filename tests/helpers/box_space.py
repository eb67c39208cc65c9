# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A shape space over a box: how wide it is, how high, and whether the rear half of its top is folded down."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backend.common.shape_space import Fold, ShapeSpace, quantized
from backend.render.template import Markings, Template, TemplateConfig, make_template

WIDTH, HEIGHT, TOP = range(3)
"""What the numbers of the code are."""
WIDER, HIGHER = 0.2, 0.25
"""What one of each adds, in parts."""
SHEET = 16
OPEN = 2.0
"""A number at which the top is folded."""


def box_template() -> Template:
    """A long box whose left half's vertices come first; its sheet is its atlas."""
    box = make_template(TemplateConfig(2, 6, 2, proportions=(0.42, 1.0, 0.3), roundness=12))
    order = np.argsort(box.vertices[:, 0] < -1e-6, kind="stable")
    place = np.argsort(order)
    return replace(
        box, vertices=box.vertices[order], quads=place[box.quads].astype(np.int32),
        mirror=place[box.mirror[order]].astype(np.int32), markings=Markings(box.uv, SHEET, SHEET),
    )  # fmt: skip


def box_space(template: Template, with_fold: bool = True, glass: float = 1.0) -> ShapeSpace:
    """``glass``: signed distance to the one marking, everywhere."""
    count = int((template.vertices[:, 0] > -1e-6).sum())
    mean = template.vertices[:count]
    basis = np.stack([mean * [WIDER, 0, 0], mean * [0, 0, HIGHER], 0 * mean]).astype(np.float32)
    vertices = np.arange(len(template.vertices))
    behind = np.flatnonzero((mean[:, 2] > 0.05) & (mean[:, 1] > 0.05)).astype(np.int32)
    below = int(np.argmin(np.abs(mean - [0, 0, -0.15]).sum(axis=1)))
    steps, sizes = quantized(np.zeros((3, 1, SHEET, SHEET)))
    fold = Fold(
        behind, np.full_like(behind, below), np.full(len(behind), 0.6, np.float32), np.zeros(len(behind), np.float32)
    )
    return ShapeSpace(
        mean=mean,
        basis=basis,
        kept=np.minimum(vertices, template.mirror).astype(np.int32),
        mirrored=vertices >= count,
        markings=("glass",),
        sheet_mean=np.full((1, SHEET, SHEET), glass, np.float32),
        sheet_basis=steps,
        sheet_steps=sizes,
        reach=2.0,
        length=np.array([1.5, 0, 0, 0], np.float32),
        proportions=("length",),
        proportion_mean=np.array([1.5], np.float32),
        proportion_map=np.zeros((1, 3), np.float32),
        proportion_range=np.array([[4, 5]], np.float32),
        examples=np.zeros((4, 3), np.float16),
        fold=fold if with_fold else None,
    )

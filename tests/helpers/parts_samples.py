# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small bundle with a template of parts and its shape space: the toy car of :mod:`toy`, in a few sizes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from backend.common.bundle_files import PARTS_TEMPLATE, SHAPE_SPACE
from backend.common.shape_space import ShapeSpace, quantized
from backend.render.template import Markings, Parts, Template
from tests.helpers import toy

CODE = 6
MARKINGS = ("glass", "head", "rubber", "rim")
"""Of the toy's regions all but paint, in their order: what none covers is paint."""


def parts_template() -> Template:
    """The toy car; its sheet has a column for each region."""
    made = toy.parts_reconstruction()
    columns = (made.parts.region_of_quad + 0.5) / len(toy.REGIONS)
    places = np.stack([columns, np.full_like(columns, 0.5)], axis=1)
    return Template(
        made.vertices,
        made.quads,
        made.uv,
        np.arange(len(made.vertices), dtype=np.int32),
        Parts(tuple(made.parts.names), made.parts.of_quad, tuple(toy.WHEELS)),
        Markings(np.repeat(places[:, None], 4, axis=1).astype(np.float32), 2, len(toy.REGIONS)),
    )


def shape_space(template: Template) -> ShapeSpace:
    """Codes that stretch the toy car along its axes; its markings stay where they are."""
    rng = np.random.default_rng(3)
    vertices = template.vertices
    basis = np.stack([vertices * rng.uniform(-0.05, 0.05, 3) for _ in range(CODE)]).astype(np.float32)
    sheet = np.full((len(MARKINGS), 2, len(toy.REGIONS)), 0.05, np.float32)
    for marking in range(len(MARKINGS)):
        sheet[marking, :, 1 + marking] = -0.05
    steps, sizes = quantized(np.zeros((CODE, *sheet.shape)))
    length = np.array([np.log(4.0), 0.1, *np.zeros(CODE - 1)], np.float32)
    return ShapeSpace(
        mean=vertices,
        basis=basis,
        kept=np.arange(len(vertices), dtype=np.int32),
        mirrored=np.zeros(len(vertices), bool),
        markings=MARKINGS,
        sheet_mean=sheet,
        sheet_basis=steps,
        sheet_steps=sizes,
        reach=0.06,
        length=length,
        proportions=("length",),
        proportion_mean=length[:1],
        proportion_map=length[None, 1:],
        proportion_range=np.array([[3, 5]], np.float32),
        examples=rng.normal(size=(12, CODE)).astype(np.float16),
    )


def write_parts_bundle(folder: Path, category: str = "car") -> Path:
    """Writes a bundle that has a template with parts and no network; returns its folder."""
    folder.mkdir(parents=True)
    template = parts_template()
    template.save(folder / PARTS_TEMPLATE)
    shape_space(template).save(folder / SHAPE_SPACE)
    (folder / "bundle.json").write_text(json.dumps({"format": 1, "name": folder.name, "category": category}))
    return folder

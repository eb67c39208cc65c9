# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tiny rendered dataset in the format of scripts/render_dataset.py, made without Blender in a second."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from backend.common.records import Camera
from backend.render.camera import Cameras
from backend.render.fragments import interpolate_vertices
from backend.render.light import uniform_light
from backend.render.picture import HARD, render
from backend.render.shading import Texture
from backend.render.template import CAR_BOX, Template, make_template

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))

from dataset.truth_file import pack_truth  # noqa: E402

REGIONS = ("paint", "glass")
TEMPLATE = make_template(replace(CAR_BOX, cells_x=8, cells_y=16, cells_z=6))


def stretched(template: Template, rng: np.random.Generator) -> np.ndarray:
    """A random car-like variation: width, height, and a nose lower than the tail."""
    vertices = template.vertices * [rng.uniform(0.8, 1.2), 1.0, rng.uniform(0.7, 1.3)]
    wedge = 1 + rng.uniform(0.1, 0.5) * vertices[:, 1:2]
    vertices = vertices * np.concatenate([np.ones_like(wedge), np.ones_like(wedge), wedge], axis=1)
    vertices -= (vertices.max(axis=0) + vertices.min(axis=0)) / 2
    return (vertices / np.ptp(vertices, axis=0).max()).astype(np.float32)


def write_dataset(
    folder: Path, objects: int = 6, views: int = 3, resolution: int = 64, seed: int = 0, truth: bool = True
) -> Path:
    """Boxy objects, red in front and blue behind, over grey; with `truth` the upper half counts as glass."""
    rng = np.random.default_rng(seed)
    triangles = torch.as_tensor(TEMPLATE.triangles).long()
    uv = torch.as_tensor(TEMPLATE.triangle_uv)
    light = uniform_light(1)
    for number in range(objects):
        vertices = stretched(TEMPLATE, rng)
        ramp = np.linspace(0.1, 0.9, 32)[None, :, None].repeat(32, axis=2)
        texture = np.concatenate([ramp[:, ::-1], np.full_like(ramp, rng.uniform(0.2, 0.8)), ramp])
        target = folder / "objects" / f"{number:06d}"
        target.mkdir(parents=True)
        records, coordinates = [], []
        for view in range(views):
            camera = Camera(
                rng.uniform(-np.pi, np.pi), rng.uniform(0, 0.5), rng.uniform(2, 4), rng.uniform(-0.05, 0.05), 0.55,
                rng.uniform(-0.03, 0.03), rng.uniform(-0.03, 0.03),
            )  # fmt: skip
            picture = render(
                torch.as_tensor(vertices)[None], triangles,
                Texture(uv, torch.as_tensor(texture, dtype=torch.float32)[None]),
                light, Cameras.batch([camera]), resolution, resolution, HARD,
            )  # fmt: skip
            mask = picture.mask[0].numpy()
            points = interpolate_vertices(picture.fragments, torch.as_tensor(vertices)[None], triangles)[0].numpy()
            coordinates.append(np.where(mask[..., None] > 0, points, np.nan))
            rgb = picture.rgb[0].permute(1, 2, 0).numpy() + 0.5 * (1 - mask[..., None])
            rgba = np.concatenate([rgb, mask[..., None]], axis=2)
            Image.fromarray((rgba.clip(0, 1) * 255).astype(np.uint8), "RGBA").save(target / f"view_{view:02d}.png")
            records.append({"file": f"view_{view:02d}.png", "camera": asdict(camera), "light": light[0].tolist()})
        if truth:
            points = np.stack(coordinates)
            regions = np.where(np.isnan(points[..., 2]), 0, np.where(points[..., 2] > 0, 2, 1))
            (target / "truth.npz").write_bytes(pack_truth(np.nan_to_num(points), regions))
        np.savez(target / "mesh.npz", vertices=vertices, faces=TEMPLATE.triangles.astype(np.int32))
        (target / "object.json").write_text(json.dumps({"seed": number, "views": records}))
    index = {"format": 1, "category": "box", "resolution": resolution}
    if truth:
        index |= {"truth": True, "regions": list(REGIONS)}
    (folder / "dataset.json").write_text(json.dumps(index))
    return folder

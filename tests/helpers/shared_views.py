# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small datasets of views that all objects share, made without Blender: as rendered, and as a generator leaves them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.numpy import save_file

from backend.common.records import Camera
from backend.models.inverse_graphics import InverseGraphics
from backend.models.storage import save_network
from backend.render.camera import Cameras
from backend.render.light import uniform_light
from backend.render.picture import RenderConfig, render
from backend.render.shading import Texture
from backend.render.template import Template
from tests.helpers.synthetic import TEMPLATE

FINE = RenderConfig(soft=None, supersampling=2)


def cameras_in_bins(count: int, rng: np.random.Generator, off_deg: float = 15.0) -> list[Camera]:
    """One camera in each of ``count`` of the 12 azimuth bins, up to ``off_deg`` from its middle, elevation 0 to 20."""
    cameras = []
    for place in range(count):
        middle = 2 * math.pi * round(place * 12 / count) / 12
        azimuth = middle + math.radians(rng.choice([-1, 1]) * rng.uniform(0.6, 0.98) * off_deg)
        elevation = math.radians(rng.uniform(5, 20))
        cameras.append(Camera(azimuth, elevation, rng.uniform(2.6, 3.4), math.radians(rng.uniform(-1, 1)), 0.5))
    return cameras


def shaped(rng: np.random.Generator, variety: float = 1.0) -> np.ndarray:
    """(V, 3): the template with a cabin, wider or higher by up to a fifth times ``variety``."""
    vertices = TEMPLATE.vertices.astype(np.float64)
    x, y, z = vertices.T
    cabin = (z > 0) * np.exp(-(((y - 0.1) / 0.22) ** 4))
    vertices = np.stack([x * (1 - 0.25 * cabin), y, z * (0.6 + 0.8 * cabin)], axis=1)
    wider, higher = 1 + 0.2 * variety * rng.uniform(-1, 1, 2)
    vertices *= [wider, 1.0, higher]
    vertices -= (vertices.max(axis=0) + vertices.min(axis=0)) / 2
    return (vertices / np.ptp(vertices, axis=0).max()).astype(np.float32)


def textured(rng: np.random.Generator) -> torch.Tensor:
    """(1, 3, 32, 32): red in front, blue behind, flanks in bands, of another grey each."""
    ramp = np.linspace(0.1, 0.9, 32)[None, :, None].repeat(32, axis=2)
    texture = np.concatenate([ramp[:, ::-1], np.full_like(ramp, rng.uniform(0.3, 0.5)), ramp])
    texture[1, :, :9] = texture[1, :, 23:] = 0.5 + 0.4 * np.sign(np.sin(np.arange(32)))[:, None]
    return torch.as_tensor(texture, dtype=torch.float32)[None]


@dataclass(frozen=True)
class Kind:
    """What a set shows: the template of its objects, and how one of them is drawn at random."""

    template: Template = TEMPLATE
    shaped: Callable[[np.random.Generator, float], np.ndarray] = shaped
    textured: Callable[[np.random.Generator], torch.Tensor] = textured


BOXES = Kind()


def pictures_of(
    vertices: np.ndarray, texture: torch.Tensor, cameras: list[Camera], size: int, template: Template = TEMPLATE
) -> np.ndarray:
    """(M, size, size, 4) uint8 of one object over grey."""
    count = len(cameras)
    triangles, uv = torch.as_tensor(template.triangles).long(), torch.as_tensor(template.triangle_uv)
    picture = render(
        torch.as_tensor(vertices).expand(count, -1, -1), triangles, Texture(uv, texture.expand(count, -1, -1, -1)),
        uniform_light(count), Cameras.batch(cameras), size, size, FINE,
    )  # fmt: skip
    mask = picture.mask[..., None].numpy()
    colour = (picture.rgb / picture.mask[:, None].clamp(min=1e-3)).permute(0, 2, 3, 1).numpy()
    rgba = np.concatenate([colour * (mask > 0) + 0.5 * (mask == 0), mask], axis=3)
    return (rgba.clip(0, 1) * 255).round().astype(np.uint8)


def write_shared_views(
    folder: Path, objects: int = 6, views: int = 4, seed: int = 0, size: int = 48, variety: float = 1.0,
    kind: Kind = BOXES,
) -> list[Camera]:  # fmt: skip
    """As scripts/render_dataset.py --shared-cameras writes it; returns the cameras."""
    rng = np.random.default_rng(seed)
    cameras = cameras_in_bins(views, rng)
    for number in range(objects):
        target = folder / "objects" / f"{number:06d}"
        target.mkdir(parents=True)
        records = []
        vertices, texture = kind.shaped(rng, variety), kind.textured(rng)
        for view, rgba in enumerate(pictures_of(vertices, texture, cameras, size, kind.template)):
            Image.fromarray(rgba, "RGBA").save(target / f"view_{view:02d}.png")
            records.append({"file": f"view_{view:02d}.png", "camera": asdict(cameras[view]),
                            "light": uniform_light(1)[0].tolist()})  # fmt: skip
        (target / "object.json").write_text(json.dumps({"seed": [seed, number], "views": records}))
    index = {"format": 1, "kind": "shared-views", "category": "box", "resolution": size}
    (folder / "dataset.json").write_text(json.dumps(index))
    return cameras


IDS = (4, 7, 8, 21)
"""Of the views in :func:`write_gan_views`, in the order of ``views.json``; the third is dropped."""


def write_gan_views(folder: Path, objects: int = 5, seed: int = 0, size: int = 48) -> list[Camera]:
    """As scripts/make_gan_views.py leaves it, with a gap: object k lacks view k of the four. Returns the cameras."""
    rng = np.random.default_rng(seed)
    cameras = cameras_in_bins(len(IDS), rng)
    for number in range(objects):
        target = folder / "objects" / f"{number:06d}"
        target.mkdir(parents=True)
        records = []
        for view, rgba in enumerate(pictures_of(shaped(rng), textured(rng), cameras, size)):
            if view != number:
                Image.fromarray(rgba, "RGBA").save(target / f"view_{view:02d}.png")
                records.append({"file": f"view_{view:02d}.png", "view": IDS[view]})
        (target / "object.json").write_text(json.dumps({"seed": number, "views": records[::-1]}))
    views = [
        {"id": IDS[k], "bin": 3 * k, "dropped": k == 2, "guess_deg": 90.0 * k + 7, "elevation_guess_deg": 11.0,
         "consistency": 0.5, "source": "person"}
        for k in range(len(IDS))
    ]  # fmt: skip
    whole = {"format": 1, "generator": "box", "split": 4, "resolution": size, "annotation_seconds": 3.0, "views": views}
    (folder / "views.json").write_text(json.dumps(whole))
    save_file({"codes": np.zeros((len(IDS), 4, 8), np.float32)}, folder / "views.safetensors")
    index = {"format": 1, "kind": "gan-views", "category": "box", "resolution": size, "generator": "box", "seed": seed}
    (folder / "dataset.json").write_text(json.dumps({**index, "objects": objects}))
    return cameras


def write_knowing_network(
    folder: Path, vertices: np.ndarray, texture: torch.Tensor, config: Any, template: Template = TEMPLATE
) -> None:
    """A run's folder with a network that answers every picture with about this shape and texture."""
    template = template.with_vertices(vertices)
    network = InverseGraphics(config, template)
    half = texture[..., : texture.shape[-1] // 2].clamp(0.02, 0.98)
    broad = network.texture_decoder.broad
    with torch.no_grad():
        broad.weight.zero_()
        broad.bias.copy_(torch.logit(half).flatten())
    folder.mkdir(parents=True)
    template.save(folder / "template.npz")
    save_network(folder / "inverse_graphics.safetensors", network, config, precision="float32")

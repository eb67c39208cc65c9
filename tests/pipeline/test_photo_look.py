# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The look *Photo*: the photo's own pixels where it shows the object, and paint in its light elsewhere."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from backend.common.regions import REGIONS
from backend.models.crop import Crop
from backend.pipeline.bake import BakeConfig, light_on
from backend.pipeline.parts_texture import PartsTextureConfig, layer_of, photo_map, registration
from backend.render.camera import Cameras, project
from backend.render.fragments import interpolate
from backend.render.light import srgb_decode, srgb_encode
from backend.render.rasterize import rasterize
from backend.render.shading import sample_texture, vertex_normals
from tests.pipeline.test_parts_texture import CAMERA, PALETTE, SIDE, TEXELS, WHITE, Scene, seen_by

CONFIG, BAKE = PartsTextureConfig(), BakeConfig()
SUN = WHITE.copy()
SUN[0] *= 0.8
SUN[1:4] = 0.3


@pytest.fixture(scope="module")
def scene() -> Scene:
    return seen_by(CAMERA)


def made(scene: Scene, rgb: np.ndarray, light: np.ndarray = WHITE) -> np.ndarray:
    """The map (Q, Q, 3) of a photo of the scene's car."""
    crop, template = Crop(SIDE / 2, SIDE / 2, float(SIDE)), scene.model.template
    layer = layer_of(
        rgb, scene.mask, crop, scene.camera, scene.vertices, template, scene.maps, PALETTE, light,
        registration(scene.drawn, scene.drawn, CONFIG), scene.read, CONFIG, BAKE,
    )  # fmt: skip
    return photo_map(scene.maps.base_colour, [layer], scene.vertices, template, light, BAKE)


def through_the_camera(scene: Scene, texture: np.ndarray) -> np.ndarray:
    """(SIDE, SIDE, 3) what the photo's camera sees of a texture without any light."""
    surface = torch.as_tensor(scene.vertices)[None]
    template = scene.model.template
    triangles = torch.as_tensor(template.triangles, dtype=torch.int64)
    fragments = rasterize(project(Cameras.batch([scene.camera]), surface, SIDE, SIDE), triangles, SIDE, SIDE)
    uv = interpolate(fragments, torch.as_tensor(template.triangle_uv))
    picture = sample_texture(torch.as_tensor(texture).permute(2, 0, 1)[None].float() / 255, uv)
    return picture[0].permute(1, 2, 0).numpy()


def stripes() -> np.ndarray:
    """A photo (SIDE, SIDE, 3) that shows other things than a car: soft stripes in every colour."""
    rows, columns = np.indices((SIDE, SIDE))
    waves = [np.sin(rows / 5), np.sin(columns / 6), np.sin((rows + columns) / 7)]
    return np.round(127 + 100 * np.stack(waves, axis=2)).astype(np.uint8)


def test_through_its_camera_the_map_is_the_photo(scene: Scene) -> None:
    photo = stripes()
    found = through_the_camera(scene, made(scene, photo))
    inside = scene.mask > 0
    error = np.abs(found - photo / 255.0).mean(axis=2)[inside]
    assert np.median(error) < 0.02 and (error < 0.06).mean() > 0.85


def test_letters_and_stickers_are_not_mirrored_and_the_far_side_keeps_its_regions(scene: Scene) -> None:
    found = made(scene, scene.rgb)
    blue = (found[..., 2] > 130) & (found[..., 0] < 90)
    assert blue.any() and not (blue & blue[:, ::-1]).any()
    dark = scene.maps.regions == REGIONS.index("rubber")
    assert found[dark].mean() < 0.5 * found[scene.maps.regions == 0].mean()


def test_where_the_photo_shows_nothing_paint_is_in_its_light(scene: Scene) -> None:
    """Without a mask nothing is seen: all is the palette in the light, by the renderer's own formulas."""
    unseen = replace(scene, mask=np.zeros_like(scene.mask))
    found = made(unseen, scene.rgb, SUN)
    template = scene.model.template
    surface = torch.as_tensor(scene.vertices)[None]
    triangles = torch.as_tensor(template.triangles, dtype=torch.int64)
    normals = vertex_normals(surface, triangles)[0].numpy()
    places = template.triangle_uv.mean(axis=1)
    row, column = np.floor((1 - places[:, 1]) * TEXELS).astype(int), np.floor(places[:, 0] * TEXELS).astype(int)
    light = light_on(normals, SUN)[template.triangles].mean(axis=1)
    colour = srgb_decode(torch.as_tensor(scene.maps.base_colour[row, column] / 255.0, dtype=torch.float32)).numpy()
    expected = srgb_encode(torch.as_tensor(np.clip(colour * light, 0, 1), dtype=torch.float32)).numpy()
    off = np.abs(found[row, column] / 255.0 - expected).max(axis=1)
    assert np.median(off) < 0.01 and np.percentile(off, 95) < 0.05
    assert np.ptp(light) > 0.3, "the light does vary"


def test_beside_what_is_seen_its_colours_go_on(scene: Scene) -> None:
    """A photo twice as bright as the light would have it: texels that it just does not show are brightened too."""
    photo = np.full_like(scene.rgb, 250)
    found = made(scene, photo).astype(float).mean(axis=2)
    plain = scene.maps.base_colour.astype(float).mean(axis=2)
    paint = scene.maps.regions == 0
    more = (found - plain)[paint]
    assert (more > 100).mean() > 0.2, "seen"
    assert ((more > 15) & (more < 100)).mean() > 0.03, "in between"
    assert np.percentile(more, 10) < 0.2 * np.percentile(more, 95), "far from there little is changed"


def test_the_first_of_several_photos_comes_first(scene: Scene) -> None:
    crop, template = Crop(SIDE / 2, SIDE / 2, float(SIDE)), scene.model.template
    layers = []
    for value in (200, 60):
        rgb = np.full_like(scene.rgb, value)
        layers.append(
            layer_of(
                rgb,
                scene.mask,
                crop,
                scene.camera,
                scene.vertices,
                template,
                scene.maps,
                PALETTE,
                WHITE,
                registration(scene.drawn, scene.drawn, CONFIG),
                scene.read,
                CONFIG,
                BAKE,
            )  # fmt: skip
        )
    both = photo_map(scene.maps.base_colour, layers, scene.vertices, template, WHITE, BAKE)
    sure = layers[0].photo[..., 3] == 255
    assert sure.sum() > 5000 and (np.abs(both[sure].astype(int) - 200) <= 1).all()

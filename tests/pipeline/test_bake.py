# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Baking: a scene with a known texture is photographed by the renderer, baked, and photographed again."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch

from backend.common.records import Camera
from backend.models.crop import Crop, camera_of_photo
from backend.models.inverse_graphics import field_of_view_of
from backend.pipeline.atlas import Atlas, spread
from backend.pipeline.bake import BakeConfig, bake, default_texture_size
from backend.pipeline.bake_layers import LayersConfig, registration
from backend.render.camera import Cameras
from backend.render.picture import HARD, Picture, render
from backend.render.shading import Texture
from backend.render.template import CAR_BOX, Template, make_template

SIDE = 320


def camera_at(azimuth_deg: float, elevation_deg: float = 15.0) -> Camera:
    distance = 3.0
    view = float(field_of_view_of(torch.tensor(0.7), torch.tensor(distance)))
    return Camera(math.radians(azimuth_deg), math.radians(elevation_deg), distance, 0.02, view, 0.02, -0.03)


def sunlight() -> np.ndarray:
    """White light, brighter from above and from the left front."""
    light = np.zeros((9, 3), dtype=np.float32)
    light[0] = 2.2
    light[1:4] = np.array([[-0.3], [0.5], [0.35]])
    return light


def patchwork(size: int = 256, symmetric: bool = True) -> np.ndarray:
    """(size, size, 3) coloured squares, each about a sixteenth of the atlas, over a smooth ramp."""
    rng = np.random.default_rng(3)
    squares = np.kron(rng.uniform(0.25, 0.75, (16, 16, 3)), np.ones((size // 16, size // 16, 1)))
    texture = 0.8 * squares + 0.15 * np.linspace(0, 1, size)[:, None, None]
    return (0.5 * (texture + texture[:, ::-1]) if symmetric else texture).astype(np.float32)


def photograph(template: Template, texture: np.ndarray, light: np.ndarray, camera: Camera, side: int) -> Picture:
    image = torch.as_tensor(texture.astype(np.float32)).permute(2, 0, 1)[None]
    return render(
        torch.as_tensor(template.vertices)[None],
        torch.as_tensor(template.triangles, dtype=torch.int64),
        Texture(torch.as_tensor(template.triangle_uv), image),
        torch.as_tensor(light)[None],
        Cameras.batch([camera]),
        side,
        side,
        HARD,
    )


def as_photo(picture: Picture) -> tuple[np.ndarray, np.ndarray]:
    """(H, W, 3) and (H, W) uint8, on a magenta ground that must not bleed in."""
    covered = picture.mask[0].numpy() > 0.5
    rgb = picture.rgb[0].permute(1, 2, 0).numpy().copy()
    rgb[~covered] = [1, 0, 1]
    return np.round(rgb * 255).astype(np.uint8), covered.astype(np.uint8) * 255


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return -10 * math.log10(float(((a - b) ** 2).mean()))


@pytest.fixture(scope="module")
def template() -> Template:
    return make_template(CAR_BOX)


def test_the_lit_scene_shows_the_photo_again(template):
    light, camera = sunlight(), camera_at(40)
    rgb, mask = as_photo(photograph(template, patchwork(), light, camera, SIDE))
    whole = Crop(SIDE / 2, SIDE / 2, SIDE)
    guess = np.full((64, 64, 3), 0.5, np.float32)
    baked = bake(rgb, mask, whole, camera, template.vertices, template, guess, light, texture_size=768)
    again = photograph(template, baked.texture / 255, baked.light, camera, SIDE)
    inner = torch.nn.functional.max_pool2d(1 - again.mask, 9, 1, 4)[0].numpy() < 0.5
    shown = again.rgb[0].permute(1, 2, 0).numpy()
    assert inner.mean() > 0.1
    assert psnr(shown[inner], rgb[inner] / 255) > 30
    # No magenta: nothing of the ground is in the texture.
    assert not (baked.texture.astype(int)[..., [0, 2]].min(axis=2) - baked.texture[..., 1] > 80).any()


def test_the_far_side_is_the_mirror_image(template):
    light = sunlight()
    rgb, mask = as_photo(photograph(template, patchwork(), light, camera_at(60), SIDE))
    whole = Crop(SIDE / 2, SIDE / 2, SIDE)
    guess = np.full((64, 64, 3), 0.5, np.float32)
    baked = bake(rgb, mask, whole, camera_at(60), template.vertices, template, guess, light, texture_size=512)
    opposite = camera_at(-75)
    shown = photograph(template, baked.texture / 255, baked.light, opposite, SIDE)
    truth = photograph(template, patchwork(), light, opposite, SIDE)
    inner = (torch.nn.functional.max_pool2d(1 - truth.mask, 9, 1, 4)[0] < 0.5).numpy()
    a, b = shown.rgb[0].permute(1, 2, 0).numpy()[inner], truth.rgb[0].permute(1, 2, 0).numpy()[inner]
    assert psnr(a, b) > 20
    assert np.median(np.abs(a - b)) < 0.03


def test_what_nobody_sees_is_the_guess_in_the_photos_colours(template):
    """A photo of a plainly painted object and a guess of another brightness: one colour all over, without a seam."""
    light, camera = sunlight(), camera_at(30)
    paint = np.broadcast_to(np.float32([0.7, 0.2, 0.15]), (64, 64, 3))
    rgb, mask = as_photo(photograph(template, paint, light, camera, SIDE))
    guess = np.broadcast_to(np.float32([0.5, 0.35, 0.3]), (128, 128, 3))
    baked = bake(
        rgb, mask, Crop(SIDE / 2, SIDE / 2, SIDE), camera, template.vertices, template, guess, light, texture_size=512
    )
    shown = photograph(template, baked.texture / 255, baked.light, camera_at(200), SIDE)
    truth = photograph(template, paint, light, camera_at(200), SIDE)
    inner = (truth.mask[0] > 0.5).numpy()
    a, b = shown.rgb[0].permute(1, 2, 0).numpy()[inner], truth.rgb[0].permute(1, 2, 0).numpy()[inner]
    assert np.abs(a - b).max() < 0.1 and np.abs(a - b).mean() < 0.02


def test_a_crop_of_a_larger_photo_gives_the_same(template):
    """The crop's camera and the photo's camera describe one and the same projection."""
    light = sunlight()
    height, width = 240, 400
    camera, crop = camera_at(40), Crop(225, 115, 210)
    wide = camera_of_photo(camera, crop, width, height)
    picture = render(
        torch.as_tensor(template.vertices)[None],
        torch.as_tensor(template.triangles, dtype=torch.int64),
        Texture(torch.as_tensor(template.triangle_uv), torch.as_tensor(patchwork()).permute(2, 0, 1)[None]),
        torch.as_tensor(light)[None],
        Cameras.batch([wide]),
        height,
        width,
        HARD,
    )
    rgb, mask = as_photo(picture)
    baked = bake(rgb, mask, crop, camera, template.vertices, template, patchwork(), light, texture_size=512)
    again = render(
        torch.as_tensor(template.vertices)[None],
        torch.as_tensor(template.triangles, dtype=torch.int64),
        Texture(
            torch.as_tensor(template.triangle_uv), torch.as_tensor(baked.texture / 255).float().permute(2, 0, 1)[None]
        ),
        torch.as_tensor(baked.light)[None],
        Cameras.batch([wide]),
        height,
        width,
        HARD,
    )
    inner = (torch.nn.functional.max_pool2d(1 - again.mask, 9, 1, 4)[0] < 0.5).numpy()
    assert psnr(again.rgb[0].permute(1, 2, 0).numpy()[inner], rgb[inner] / 255) > 28


def test_texture_size_follows_the_photo(template):
    camera = camera_at(90, 0)
    small = default_texture_size(template.vertices, template, camera, Crop(0, 0, 300))
    large = default_texture_size(template.vertices, template, camera, Crop(0, 0, 1800))
    assert small == 512 and 1024 <= large <= 1792 and large % 256 == 0
    assert default_texture_size(template.vertices, template, camera, Crop(0, 0, 9000)) == 2048


def test_an_atlas_interpolates_linearly_and_continues_between_charts(template):
    atlas = Atlas.of(template, 256)
    assert (atlas.triangle_of_texel >= 0).mean() > 0.85
    positions = atlas.picture(template.vertices)
    assert np.isfinite(positions).all()
    # Mirroring the atlas mirrors the object, to within a texel.
    charted = (atlas.triangle_of_texel >= 0) & (atlas.triangle_of_texel >= 0)[:, ::-1]
    assert np.abs(positions[:, ::-1] * [-1, 1, 1] - positions)[charted].max() < 0.02
    # The longer way round: a point inside a triangle, and the texel at its UV.
    weights = np.array([0.5, 0.3, 0.2])
    for triangle in range(0, len(atlas.triangles), 97):
        point = weights @ template.vertices[atlas.triangles[triangle]]
        u, v = weights @ template.triangle_uv[triangle]
        texel = positions[int((1 - v) * 256), int(u * 256)]
        assert np.abs(texel - point).max() < 0.03


def test_a_spread_field_keeps_what_is_known_and_fades(template):
    known = np.zeros(len(template.vertices))
    front = template.vertices[:, 1] < -0.3
    known[front] = 100.0
    field = spread(np.ones((len(known), 2)), known, template.edges, reach=4.0)[:, 0]
    assert np.abs(field[front] - 1).max() < 0.05
    rear = template.vertices[:, 1] > 0.45
    assert 0 <= field[rear].max() < 0.05
    assert field[~front].max() < 1


def far_side_off(template: Template, turned_deg: float, layers: LayersConfig) -> float:
    """Mean error of what the far side shows after a bake whose camera is off by some degrees, its guess plain grey."""
    light, far = sunlight(), camera_at(-110)
    rgb, mask = as_photo(photograph(template, patchwork(), light, camera_at(35), SIDE))
    whole, config = Crop(SIDE / 2, SIDE / 2, SIDE), BakeConfig(layers=layers)
    guess = np.full((64, 64, 3), 0.5, np.float32)
    believed = camera_at(35 + turned_deg)
    baked = bake(rgb, mask, whole, believed, template.vertices, template, guess, light, 512, config)
    shown = photograph(template, baked.texture / 255, uniform(), far, SIDE)
    truth = photograph(template, patchwork(), uniform(), far, SIDE)
    inner = torch.nn.functional.max_pool2d(1 - truth.mask, 9, 1, 4)[0] < 0.5
    return float((shown.rgb - truth.rgb).abs().mean(dim=1)[0][inner].mean())


def test_a_mirror_image_is_printed_only_where_it_registers(template):
    """Seen from 35 degrees the front's two halves tell whether mirrored squares lie on one another."""
    careful, always = LayersConfig(), LayersConfig(registered=(-3.0, -2.0))
    assert far_side_off(template, 0, careful) == pytest.approx(far_side_off(template, 0, always), rel=0.02)
    assert far_side_off(template, 10, careful) < 0.97 * far_side_off(template, 10, always)


def test_registration_is_the_correlation_of_details_with_their_mirror_images(template):
    rng = np.random.default_rng(0)
    points, everywhere = template.vertices, np.ones(len(template.vertices))
    grey = rng.uniform(0.2, 0.8, len(points))
    even = np.where(points[:, 0] >= 0, grey, grey[template.mirror])
    for values, expected in ((even, 1.0), (grey, 0.0)):
        believed = registration(np.repeat(values[:, None], 3, axis=1), everywhere, template, LayersConfig())
        assert np.abs(np.median(believed) - expected) < 0.2
    plain = registration(np.full((len(points), 3), 0.4), everywhere, template, LayersConfig())
    one_side = registration(np.repeat(grey[:, None], 3, axis=1), 1.0 * (points[:, 0] > 0), template, LayersConfig())
    assert (plain == 1).all() and (one_side == 1).all(), "nothing speaks against the mirror image"


def test_hidden_texels_have_the_hues_of_what_is_seen_whatever_the_guess_says(template):
    """A guess of rainbow blotches over a red car leaves its brightness alone."""
    light, camera = sunlight(), camera_at(30)
    paint = np.broadcast_to(np.float32([0.7, 0.2, 0.15]), (64, 64, 3))
    rgb, mask = as_photo(photograph(template, paint, light, camera, SIDE))
    rng = np.random.default_rng(5)
    blotches = cv2.resize(
        rng.uniform(0.1, 0.8, (6, 6, 3)).astype(np.float32), (128, 128), interpolation=cv2.INTER_CUBIC
    )
    whole = Crop(SIDE / 2, SIDE / 2, SIDE)
    baked = bake(rgb, mask, whole, camera, template.vertices, template, blotches, light, texture_size=512)
    shown = photograph(template, baked.texture / 255, uniform(), camera_at(200), SIDE)
    inner = (shown.mask[0] > 0.5).numpy()
    colours = shown.rgb[0].permute(1, 2, 0).numpy()[inner]
    redness = colours[:, 0] - colours[:, 1:].max(axis=1)
    assert np.percentile(redness, 2) > 0.05
    assert np.abs(colours[:, 1] - colours[:, 2]).max() < 0.12


def uniform() -> np.ndarray:
    """White light, the same from everywhere."""
    light = np.zeros((9, 3), dtype=np.float32)
    light[0] = 1 / 0.282095
    return light

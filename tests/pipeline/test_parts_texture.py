# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The texture of an object with parts: no light in the paint, what the photo truly shows, no letters mirrored."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.common.records import Camera
from backend.common.region_map import Recolouring
from backend.common.regions import REGIONS, Finish, Palette
from backend.models.crop import Crop
from backend.pipeline.atlas import Atlas
from backend.pipeline.bake import BakeConfig, seen_texels
from backend.pipeline.paint import Maps, paint
from backend.pipeline.parts_texture import (
    PartsTextureConfig,
    layer_of,
    region_map_under,
    registration,
    texture,
    unexplained,
)
from backend.render.camera import Cameras, project
from backend.render.fragments import interpolate
from backend.render.light import srgb_decode, srgb_encode
from backend.render.rasterize import rasterize
from backend.render.shading import normals_at, sample_texture, vertex_normals
from backend.weights.bundle import BUNDLED
from backend.weights.parts import PartsModel, load_parts

CONFIG = PartsTextureConfig()
SIDE, TEXELS = 320, 512
CAMERA = Camera(0.7, 0.15, 3.2, 0.0, 0.36)
PALETTE = Palette(paint=Finish((0.7, 0.1, 0.1), 0.3), two_tone=Finish((0.7, 0.1, 0.1), 0.3))
WHITE = np.zeros((9, 3), np.float32)
WHITE[0] = 1 / 0.282095


def regions(**places: slice) -> np.ndarray:
    """A map (20, 20) of regions in rows, -1 elsewhere."""
    made = np.full((20, 20), -1)
    for name, rows in places.items():
        made[rows] = REGIONS.index(name)
    return made


def test_regions_that_lie_on_one_another_are_believed_and_others_not() -> None:
    drawn = regions(paint=slice(0, 8), glass=slice(8, 14), rim=slice(16, 18))
    same = registration(drawn, drawn, CONFIG)
    assert {name for name, value in zip(REGIONS, same, strict=True) if value == 1} == {"paint", "glass", "rim"}
    moved = registration(drawn, regions(paint=slice(0, 8), glass=slice(8, 13), rim=slice(11, 13)), CONFIG)
    assert moved[REGIONS.index("glass")] > 0.9 and moved[REGIONS.index("rim")] == 0


def test_a_region_of_a_few_pixels_is_not_judged() -> None:
    drawn = np.full((20, 20), -1)
    drawn[0, :5] = REGIONS.index("plate")
    assert not registration(drawn, drawn, CONFIG).any()


@settings(max_examples=60, deadline=None)
@given(
    hue=st.floats(0, 1), light=st.floats(0.2, 1.5), sheen=st.floats(0, 0.4), sky=st.sampled_from([0.0, 1.0]),
)  # fmt: skip
def test_paint_in_any_light_and_under_any_sheen_is_that_paint(
    hue: float, light: float, sheen: float, sky: float
) -> None:
    own = np.array(colorsys.hsv_to_rgb(hue, 0.85, 0.7), np.float32)
    veil = np.array([1 - 0.35 * sky, 1 - 0.15 * sky, 1.0])
    linear = srgb_decode(torch.from_numpy(own)).numpy() * light + sheen * veil
    seen = srgb_encode(torch.as_tensor(linear[None], dtype=torch.float32)).numpy()
    if linear.max() < 1:  # what is clipped has lost its colour
        assert unexplained(seen, own, CONFIG)[0] < 0.05
    other = np.array([colorsys.hsv_to_rgb((hue + 0.4) % 1, 1.0, 0.9)], np.float32)
    assert unexplained(other, own, CONFIG)[0] > 0.5


@dataclass
class Scene:
    """A red car seen from the front left in a light from its left, with a blue sticker on its paint."""

    model: PartsModel
    vertices: np.ndarray
    maps: Maps
    rgb: np.ndarray
    mask: np.ndarray
    read: np.ndarray
    drawn: np.ndarray
    camera: Camera
    sticker: np.ndarray


@pytest.fixture(scope="module")
def scene() -> Scene:
    return seen_by(CAMERA)


def seen_by(camera: Camera) -> Scene:
    model = load_parts(BUNDLED / "car")
    space, template = model.space, model.template
    decoded = space.decode(space.examples[7].astype(np.float32))
    maps = paint(template, decoded.vertices, space.markings, decoded.distances, PALETTE, TEXELS)
    surface = torch.as_tensor(decoded.vertices)[None]
    triangles = torch.as_tensor(template.triangles, dtype=torch.int64)
    fragments = rasterize(project(Cameras.batch([camera]), surface, SIDE, SIDE), triangles, SIDE, SIDE)
    covered = (fragments.face_index[0] >= 0).numpy()
    uv = interpolate(fragments, torch.as_tensor(template.triangle_uv))
    albedo = sample_texture(torch.as_tensor(maps.base_colour).permute(2, 0, 1)[None].float() / 255, uv)[0]
    normals = normals_at(fragments, surface, triangles)[0]
    light = 0.35 + 0.9 * normals[..., 0].clamp(min=0) + 0.25 * normals[..., 2].clamp(min=0)
    colour = srgb_encode(srgb_decode(albedo) * light).permute(1, 2, 0).numpy()
    index = torch.as_tensor(maps.regions.astype(np.int64))
    column = (uv[0, ..., 0] * TEXELS).long().clamp(0, TEXELS - 1)
    row = ((1 - uv[0, ..., 1]) * TEXELS).long().clamp(0, TEXELS - 1)
    drawn = np.where(covered, index[row, column].numpy(), -1)
    sticker = np.zeros((SIDE, SIDE), bool)
    rows, columns = np.nonzero(drawn == 0)
    middle = len(rows) // 2
    sticker[rows[middle] - 6 : rows[middle] + 6, columns[middle] - 6 : columns[middle] + 6] = True
    sticker &= drawn == 0
    colour[sticker] = (0.1, 0.2, 0.9)
    colour[~covered] = (0.2, 0.9, 0.2)
    read = np.stack([drawn == place for place in range(len(REGIONS))]).astype(np.float32)
    return Scene(
        model, decoded.vertices, maps, (colour * 255).round().astype(np.uint8), covered.astype(np.uint8) * 255, read,
        drawn, camera, sticker,
    )  # fmt: skip


def made(scene: Scene, **changes: np.ndarray) -> np.ndarray:
    """The texture (Q, Q, 3) float of the scene; changes replace its rgb, read or believed."""
    return texture(*arguments(scene, **changes)).astype(np.float32) / 255


def arguments(scene: Scene, **changes: np.ndarray) -> tuple:
    """What :func:`texture` takes; changes replace the scene's rgb, read or believed."""
    believed = changes.get("believed", registration(scene.drawn, scene.drawn, CONFIG))
    crop = Crop(SIDE / 2, SIDE / 2, float(SIDE))
    return (
        changes.get("rgb", scene.rgb), scene.mask, crop, scene.camera, scene.vertices, scene.model.template, scene.maps,
        PALETTE, WHITE, believed, changes.get("read", scene.read), CONFIG, BakeConfig(),
    )  # fmt: skip


def seen_of(scene: Scene, name: str) -> np.ndarray:
    """Flat places of the texels of a region that the photo shows well."""
    template = scene.model.template
    surface = torch.as_tensor(scene.vertices)[None]
    normals = vertex_normals(surface, torch.as_tensor(template.triangles, dtype=torch.int64))[0].numpy()
    crop = Crop(SIDE / 2, SIDE / 2, float(SIDE))
    seen = seen_texels(
        scene.rgb, scene.mask, crop, scene.camera, surface, normals, Atlas.of(template, TEXELS), BakeConfig()
    )  # fmt: skip
    mine = scene.maps.regions.reshape(-1)[seen.flat] == REGIONS.index(name)
    return seen.flat[mine & (seen.trust > 0.99) & (seen.cosine > 0.5)]


def test_light_on_the_paint_is_not_printed_onto_it(scene: Scene) -> None:
    texels = seen_of(scene, "paint")
    found = made(scene).reshape(-1, 3)[texels]
    photo_varies = scene.rgb[(scene.drawn == 0) & ~scene.sticker].astype(np.float32).max(axis=1).std() / 255
    true = scene.maps.base_colour.reshape(-1, 3)[texels].astype(np.float32) / 255
    off = np.abs(found - true).max(axis=1)
    assert photo_varies > 0.1, "the photo itself is full of light and shade"
    assert np.median(off) < 0.01 and (off > 0.1).mean() < 0.06, "all but the sticker and thin gaps"


def test_a_sticker_is_kept_on_its_own_side_alone(scene: Scene) -> None:
    blue = made(scene)
    # Its edge lies on a lamp, and what lamps show is mirrored.
    is_blue = (blue[..., 2] > 0.5) & (blue[..., 0] < 0.4) & (scene.maps.regions == REGIONS.index("paint"))
    assert is_blue.sum() > 30
    assert not (is_blue & is_blue[:, ::-1]).any(), "nothing of it on the far side"


def test_a_sticker_and_a_lamp_on_the_paint_keep_their_colour_when_the_paint_gets_another(scene: Scene) -> None:
    read = scene.read.copy()
    rows, columns = np.nonzero(scene.drawn == REGIONS.index("paint"))
    place = len(rows) // 3
    lamp = (slice(rows[place], rows[place] + 12), slice(columns[place], columns[place] + 12))
    read[:, *lamp] = 0
    read[REGIONS.index("tail_lamp"), *lamp] = 1
    base = made(scene, read=read)
    region_map = region_map_under(scene.maps, [layer_of(*arguments(scene, read=read))])
    green = replace(PALETTE, paint=Finish((0.1, 0.6, 0.2), 0.3)).array()[:, :3]
    stored = np.round(base * 255).astype(np.uint8)
    again = Recolouring(stored, region_map, PALETTE.array()[:, :3]).colours(green)[..., :3]
    on_paint = scene.maps.regions == REGIONS.index("paint")
    sticker = (base[..., 2] > 0.7) & (base[..., 0] < 0.2) & on_paint
    followed = region_map[..., 1:].astype(int).sum(axis=2) / 255
    assert sticker.sum() > 20 and np.abs(again - base)[sticker].max() < 0.15
    is_lamp = (region_map[..., 0] // 16 == REGIONS.index("tail_lamp")) & (region_map[..., 1] > 230)
    assert (is_lamp & on_paint).sum() > 20 and np.abs(again - base)[is_lamp].max() < 0.15, "the lamp, not the paint"
    yellow = Palette(tail_lamp=Finish((0.9, 0.8, 0.1), 0.2), paint=PALETTE.paint, two_tone=PALETTE.two_tone)
    lit = Recolouring(stored, region_map, PALETTE.array()[:, :3]).colours(yellow.array()[:, :3])[..., :3]
    assert np.median(np.abs(lit - base)[is_lamp & on_paint].max(axis=1)) > 0.2, "it follows the lamps"
    plain = on_paint & (followed == 1) & (region_map[..., 0] // 16 == 0)
    assert plain.sum() > 0.9 * on_paint.sum() and np.median(again[plain][:, 1] - base[plain][:, 1]) > 0.4


def test_lamps_come_from_the_photo_and_their_mirror_images(scene: Scene) -> None:
    rgb = scene.rgb.copy()
    rgb[scene.drawn == REGIONS.index("head_lamp")] = (250, 160, 20)
    lamps = made(scene, rgb=rgb)[scene.maps.regions == REGIONS.index("head_lamp")]
    orange = (lamps[:, 0] > 0.7) & (lamps[:, 2] < 0.4)
    assert orange.mean() > 0.5, "of both lamps, though one alone is well seen"
    nothing = np.zeros(len(REGIONS), np.float32)
    unread = scene.read.copy()
    unread[REGIONS.index("head_lamp")] = 0
    plain = made(scene, rgb=rgb, believed=nothing, read=unread)[scene.maps.regions == REGIONS.index("head_lamp")]
    assert not ((plain[:, 0] > 0.7) & (plain[:, 2] < 0.4)).any(), "where the regions do not register, the palette's"


def test_letters_are_not_mirrored() -> None:
    scene = seen_by(replace(CAMERA, azimuth=2.7))
    rgb = scene.rgb.copy()
    plate = scene.drawn == REGIONS.index("plate")
    columns = np.flatnonzero(plate.any(axis=0))
    left = plate & (np.arange(SIDE) < columns.mean())
    rgb[left] = (20, 30, 200)
    found = made(scene, rgb=rgb)
    blue = (found[..., 2] > 0.5) & (found[..., 0] < 0.4) & (scene.maps.regions == REGIONS.index("plate"))
    assert blue.any() and not (blue & blue[:, ::-1]).any()


def test_glass_tyres_and_hidden_sides_are_the_palettes(scene: Scene) -> None:
    found = made(scene)
    for name in ("glass", "rubber", "underside"):
        mine = scene.maps.regions == REGIONS.index(name)
        assert np.abs(found[mine] * 255 - scene.maps.base_colour[mine]).max() <= 1

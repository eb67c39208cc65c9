# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Light: the HDR worlds that ship with Blender, turned and scaled, and their spherical-harmonic coefficients.

A light is (9, 3): irradiance / pi as E(n) = sum_k light[k] Y_k(n), in world axes and linear colour.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import bpy
import numpy as np

from backend.common.harmonics import COSINE_LOBE, spherical_harmonics

from .looks import hsv

WORLDS = ("city", "courtyard", "forest", "interior", "night", "studio", "sunrise", "sunset")
# How often each lights a street; the others of WORLDS hold little light or a room.
STREET_WEIGHTS = {
    "city": 3.0,
    "courtyard": 2.5,
    "forest": 2.5,
    "sunrise": 1.2,
    "sunset": 1.0,
    "studio": 0.4,
    "interior": 0.3,
    "night": 0.3,
}
_LOBE = np.array(COSINE_LOBE)


def world_file(name: str) -> Path:
    """Return the path of a shipped HDR world."""
    return Path(bpy.utils.system_resource("DATAFILES", path="studiolights/world")) / f"{name}.exr"


@cache
def radiance(name: str) -> np.ndarray:
    """Return a world's radiance, averaged down to 32 x 64 x 3, row 0 at the top."""
    image = bpy.data.images.load(str(world_file(name)), check_existing=True)
    width, height = image.size
    pixels = np.empty(width * height * 4, dtype=np.float32)
    image.pixels.foreach_get(pixels)
    pixels = pixels.reshape(height, width, 4)[::-1, :, :3].astype(np.float64)
    # Average over whole blocks keeps the energy of small bright lights; odd rests are cut off.
    rows, columns = height // 32, width // 64
    return pixels[: rows * 32, : columns * 64].reshape(32, rows, 64, columns, 3).mean(axis=(1, 3))


def equirect_directions(height: int = 32, width: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Return Blender's directions (H, W, 3) of an equirectangular picture and each pixel's solid angle (H, W)."""
    polar = (np.arange(height) + 0.5) / height * np.pi
    around = np.pi - (np.arange(width) + 0.5) / width * 2 * np.pi
    sine, cosine = np.sin(polar)[:, None], np.cos(polar)[:, None]
    directions = np.stack(
        [sine * np.cos(around), sine * np.sin(around), np.broadcast_to(cosine, (height, width))], axis=-1
    )
    edges = np.cos(np.arange(height + 1) / height * np.pi)
    solid = (edges[:-1] - edges[1:])[:, None] * np.full((1, width), 2 * np.pi / width)
    return directions, solid


def world_light(name: str, rotation: float, strength: float, ground: np.ndarray | None = None) -> np.ndarray:
    """Return the light (9, 3) of a world turned counter-clockwise about Z by `rotation` radians.

    With `ground`, the linear colour (3,) of a wide floor, the lower half of the world is that floor, lit from above.
    """
    picture = radiance(name) * strength
    directions, solid = equirect_directions()
    if ground is not None:
        above = np.maximum(directions[..., 2], 0) * solid
        floor = ground * (picture * above[..., None]).sum(axis=(0, 1)) / np.pi
        picture = np.where(directions[..., 2:] < 0, floor, picture)
    c, s = np.cos(rotation), np.sin(rotation)
    turned = directions @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    projected = np.einsum("hwk,hwc,hw->kc", spherical_harmonics(turned), picture, solid)
    return projected * _LOBE[:, None]


def sun_light(direction: np.ndarray, colour: np.ndarray, strength: float, ground: np.ndarray | None) -> np.ndarray:
    """Return the light (9, 3) of a sun that stands towards `direction`; `strength` is its irradiance."""
    light = np.outer(spherical_harmonics(direction) * _LOBE, colour * strength)
    if ground is not None:
        directions, solid = equirect_directions()
        floor = ground * colour * strength * max(direction[2], 0) / np.pi
        below = np.where(directions[..., 2] < 0, solid, 0)
        light += np.einsum("hwk,hw->k", spherical_harmonics(directions), below)[:, None] * _LOBE[:, None] * floor
    return light


def sample_light(rng: np.random.Generator, ground: np.ndarray, paint: np.ndarray | None = None) -> dict:
    """Draw the light of one view: "world", "rotation", "strength" and perhaps "sun", as `WorldLight.show` takes it.

    It is exposed as a photographer would: the mean of ground and paint, linear colours (3,), comes to a middle grey,
    and neither burns out where it lies level under the sky.
    """
    names = list(STREET_WEIGHTS)
    weights = np.array([STREET_WEIGHTS[name] for name in names])
    name = str(rng.choice(names, p=weights / weights.sum()))
    rotation = float(rng.uniform(0, 2 * np.pi))
    # Exposure is set by the light that falls on a level surface, as a camera's meter would.
    plain = world_light(name, rotation, 1.0)
    up = float((plain[0] * 0.282095 + plain[2] * 0.488603 + plain[6] * 0.315392 * 2).mean())
    paint = np.full(3, 0.2) if paint is None else np.asarray(paint)
    mean = 0.5 * float(ground.mean()) + 0.5 * max(float(paint.mean()), 0.04)
    wanted = float(np.exp(rng.normal(np.log(0.29), 0.20))) / mean
    most = 1.0 / max(float(paint.max()), float(ground.max()), 0.3)
    exposure = float(np.clip(wanted, 0.6, min(2.4, most)))
    sunny = bool(rng.random() < 0.45)
    share = float(rng.uniform(0.3, 0.7)) if sunny else 0.0
    result = {"world": name, "rotation": rotation, "strength": exposure * (1 - share) / up}
    height, around = np.arcsin(rng.uniform(0.35, 0.97)), rng.uniform(0, 2 * np.pi)
    hue, saturation, angle = rng.uniform(0.07, 0.13), rng.uniform(0.0, 0.22), np.deg2rad(rng.uniform(0.5, 6))
    if sunny:
        direction = np.array([np.cos(height) * np.cos(around), np.cos(height) * np.sin(around), np.sin(height)])
        result["sun"] = {
            "direction": direction.tolist(),
            "colour": list(hsv(hue, saturation, 1.0)),
            "irradiance": exposure * share * np.pi / max(direction[2], 0.45),
            "angle": float(angle),
        }
    return result


class WorldLight:
    """The scene's world and sun; set per view."""

    def __init__(self, scene: bpy.types.Scene) -> None:
        self.world = bpy.data.worlds.new("World")
        scene.world = self.world
        self.world.use_nodes = True
        self.world.cycles.sampling_method = "MANUAL"
        self.world.cycles.sample_map_resolution = 512
        nodes, links = self.world.node_tree.nodes, self.world.node_tree.links
        nodes.clear()
        output, background = nodes.new("ShaderNodeOutputWorld"), nodes.new("ShaderNodeBackground")
        self.image, mapping = nodes.new("ShaderNodeTexEnvironment"), nodes.new("ShaderNodeMapping")
        coordinates = nodes.new("ShaderNodeTexCoord")
        links.new(coordinates.outputs["Generated"], mapping.inputs["Vector"])
        links.new(mapping.outputs["Vector"], self.image.inputs["Vector"])
        links.new(self.image.outputs["Color"], background.inputs["Color"])
        links.new(background.outputs["Background"], output.inputs["Surface"])
        self.mapping, self.background = mapping, background
        lamp = bpy.data.lights.new("Sun", "SUN")
        self.sun = bpy.data.objects.new("Sun", lamp)
        scene.collection.objects.link(self.sun)

    def sample(self, rng: np.random.Generator, ground: np.ndarray, paint: np.ndarray | None = None) -> dict:
        """Light the scene for one view of a street; return what object.json says about it."""
        drawn = sample_light(rng, ground, paint)
        self.set(drawn["world"], drawn["rotation"], drawn["strength"])
        light = world_light(drawn["world"], drawn["rotation"], drawn["strength"], ground)
        if "sun" in drawn:
            sun = drawn["sun"]
            direction, colour = np.array(sun["direction"]), np.array(sun["colour"])
            self.set_sun(direction, colour, sun["irradiance"], sun["angle"])
            light = light + sun_light(direction, colour, sun["irradiance"], ground)
        return {"light": light.tolist(), **drawn}

    def set(self, name: str, rotation: float, strength: float) -> None:
        """Show a world turned counter-clockwise by `rotation`, without a sun."""
        image = bpy.data.images.load(str(world_file(name)), check_existing=True)
        if self.image.image != image:
            self.image.image = image
        # The mapping turns the looked-up direction, so the picture turns the other way.
        self.mapping.inputs["Rotation"].default_value[2] = -rotation
        self.background.inputs["Strength"].default_value = strength
        self.sun.hide_render = True

    def set_sun(self, direction: np.ndarray, colour: np.ndarray, strength: float, angle: float) -> None:
        """Add a sun towards `direction` (3,) with a disc of `angle` radians."""
        import mathutils

        self.sun.hide_render = False
        self.sun.data.energy = strength
        self.sun.data.color = colour
        self.sun.data.angle = angle
        self.sun.rotation_mode = "QUATERNION"
        self.sun.rotation_quaternion = mathutils.Vector(direction.tolist()).to_track_quat("Z", "Y")

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands about the object: ground, walls, blocks and parked cars, so that no two backdrops are the same."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from .cameras import ViewCamera
from .materials import Finish, body_tree, hsv, linear, plain_material, sample_look, set_body, set_plain

BLOCKS = 7
GROUNDS = ("asphalt", "concrete", "tiles", "grass", "paint")


@dataclass
class Ground:
    """A floor's kind and its mean linear colour (3,), for the light that it throws back."""

    kind: str
    colour: np.ndarray


class _Patterned:
    """A material whose colour mixes two colours by noise, and two more by a grid of bricks."""

    def __init__(self, name: str) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        nodes, links = self.material.node_tree.nodes, self.material.node_tree.links
        self.shader = nodes["Principled BSDF"]
        self.mapping, coordinates = nodes.new("ShaderNodeMapping"), nodes.new("ShaderNodeTexCoord")
        self.noise, self.brick, self.mix = (
            nodes.new("ShaderNodeTexNoise"), nodes.new("ShaderNodeTexBrick"), nodes.new("ShaderNodeMix"))
        # Flat noise with little detail: at these sizes it looks the same and a quarter of the render's time is saved.
        self.noise.noise_dimensions = "2D"
        self.noise.inputs["Detail"].default_value = 1.0
        self.mix.data_type, self.mix.blend_type = "RGBA", "MULTIPLY"
        links.new(coordinates.outputs["Object"], self.mapping.inputs["Vector"])
        links.new(self.mapping.outputs["Vector"], self.noise.inputs["Vector"])
        links.new(self.mapping.outputs["Vector"], self.brick.inputs["Vector"])
        ramp = nodes.new("ShaderNodeMapRange")
        self.contrast = ramp
        links.new(self.noise.outputs[0], ramp.inputs["Value"])
        shade = nodes.new("ShaderNodeCombineColor")
        for channel in shade.inputs:
            links.new(ramp.outputs[0], channel)
        links.new(self.brick.outputs["Color"], self.mix.inputs[6])
        links.new(shade.outputs[0], self.mix.inputs[7])
        self.mix.inputs[0].default_value = 1.0
        links.new(self.mix.outputs[2], self.shader.inputs["Base Color"])

    def set(self, first, second, joint, brick: tuple[float, float, float], noise: tuple[float, float], rough: float,
            turn: tuple[float, float, float] = (0, 0, 0)) -> None:
        """Set colours of bricks and joints, brick (width, height, joint size), noise (scale, contrast), roughness."""
        for name, colour in (("Color1", first), ("Color2", second), ("Mortar", joint)):
            self.brick.inputs[name].default_value = (*(float(c) for c in colour), 1.0)
        self.brick.inputs["Scale"].default_value = 1.0
        self.brick.inputs["Brick Width"].default_value = brick[0]
        self.brick.inputs["Row Height"].default_value = brick[1]
        self.brick.inputs["Mortar Size"].default_value = brick[2]
        self.noise.inputs["Scale"].default_value = noise[0]
        self.contrast.inputs["To Min"].default_value = 1 - noise[1]
        self.contrast.inputs["To Max"].default_value = 1 + noise[1]
        self.shader.inputs["Roughness"].default_value = rough
        self.mapping.inputs["Rotation"].default_value = turn


class Surroundings:
    """Ground and backdrop of the scene: made once, changed per object (`dress`) and per view (`arrange`)."""

    def __init__(self, scene: bpy.types.Scene) -> None:
        self.ground_material = _Patterned("ground")
        self.ground = bpy.data.objects.new("Ground", _plane_mesh(60.0))
        self.ground.data.materials.append(self.ground_material.material)
        scene.collection.objects.link(self.ground)
        self.block_materials = [_Patterned(f"block_{k}") for k in range(BLOCKS)]
        self.blocks = []
        mesh = _cube_mesh()
        for k in range(BLOCKS):
            block = bpy.data.objects.new(f"Block_{k}", mesh.copy())
            block.data.materials.append(self.block_materials[k].material)
            scene.collection.objects.link(block)
            self.blocks.append(block)
        self.parked: list[bpy.types.Object] = []
        self.parked_trees = [body_tree(f"parked_{k}", masked=False) for k in range(2)]
        self.parked_paint = [tree.material for tree in self.parked_trees]
        self.parked_plain = {name: plain_material(f"parked_{name}", masked=False) for name in ("dark", "light")}
        set_plain(self.parked_plain["dark"], Finish((0.015, 0.015, 0.015), 0.7))
        set_plain(self.parked_plain["light"], Finish((0.3, 0.3, 0.3), 0.3, 0.5))
        self.floor = 0.0

    def dress(self, rng: np.random.Generator, floor: float) -> Ground:
        """Choose the floor's height and surface and the blocks' colours for one object."""
        self.floor = floor
        self.ground.location = (0.0, 0.0, floor)
        for patterned in self.block_materials:
            value, saturation = rng.uniform(0.08, 0.85), rng.uniform(0, 0.7) * (rng.random() < 0.7)
            hue = rng.uniform(0, 1) if rng.random() < 0.4 else rng.uniform(0.02, 0.14)
            first = np.array(hsv(hue, saturation, value))
            joint = first * rng.uniform(0.15, 1.6) if rng.random() < 0.7 else linear(rng.uniform(0, 0.6, 3))
            size = rng.uniform(0.06, 0.9)
            patterned.set(first, first * rng.uniform(0.6, 1.0), np.clip(joint, 0, 0.9),
                          (size, size * rng.uniform(0.3, 1.6), size * rng.uniform(0.02, 0.35)),
                          (rng.uniform(0.5, 8), rng.uniform(0, 0.4)), rng.uniform(0.4, 1.0),
                          (np.pi / 2, 0, float(rng.choice([0, np.pi / 2]))))
        for tree in self.parked_trees:
            set_body(tree, sample_look(rng))
        return self._dress_ground(rng)

    def _dress_ground(self, rng: np.random.Generator) -> Ground:
        kind = str(rng.choice(GROUNDS, p=[0.42, 0.22, 0.14, 0.10, 0.12]))
        brick, noise, rough = (1.0, 1.0, 0.0), (rng.uniform(2, 40), rng.uniform(0.1, 0.5)), rng.uniform(0.6, 1.0)
        first = np.array(hsv(rng.uniform(0.05, 0.65), rng.uniform(0, 0.12), rng.uniform(0.18, 0.5)))
        joint = first
        if kind == "asphalt" and rng.random() < 0.5:  # painted lines
            brick, joint = (rng.uniform(1, 5), rng.uniform(0.8, 3), rng.uniform(0.015, 0.04)), linear(np.full(3, 0.8))
        elif kind == "concrete":
            first = np.array(hsv(0.1, rng.uniform(0, 0.2), rng.uniform(0.45, 0.8)))
            brick, joint = (rng.uniform(0.5, 3), rng.uniform(0.5, 3), 0.01), first * 0.5
        elif kind == "tiles":
            first = np.array(hsv(rng.uniform(0.0, 0.12), rng.uniform(0, 0.5), rng.uniform(0.3, 0.75)))
            size = rng.uniform(0.04, 0.3)
            brick, joint = (size, size * rng.uniform(0.4, 1), size * 0.05), first * rng.uniform(0.3, 0.8)
        elif kind == "grass":
            first = np.array(hsv(rng.uniform(0.18, 0.33), rng.uniform(0.4, 0.8), rng.uniform(0.2, 0.5)))
            noise, joint = (rng.uniform(20, 120), rng.uniform(0.4, 0.8)), first
        elif kind == "paint":
            first = np.array(hsv(rng.uniform(0, 1), rng.uniform(0, 0.6), rng.uniform(0.1, 0.9)))
            joint, rough = first, rng.uniform(0.25, 0.8)
        self.ground_material.set(first, first * rng.uniform(0.85, 1.0), joint, brick, noise, rough,
                                 (0, 0, rng.uniform(0, np.pi)))
        return Ground(kind, 0.95 * first)

    def park(self, objects: list[bpy.types.Object]) -> None:
        """Take the objects that stand as parked cars behind; they are moved and shown by `arrange`."""
        self.parked = objects

    def arrange(self, rng: np.random.Generator, camera: ViewCamera) -> None:
        """Place walls, blocks and parked cars behind the object as the camera sees it, never in front of it."""
        backward = camera.position() * np.array([1, 1, 0])
        away = -backward / np.linalg.norm(backward)
        aside = np.array([-away[1], away[0], 0.0])
        heading = np.arctan2(away[1], away[0])
        style = rng.random()
        shown = 0 if style < 0.22 else int(rng.integers(1, BLOCKS + 1))
        for k, block in enumerate(self.blocks):
            block.hide_render = k >= shown
            if k >= shown:
                continue
            wall = k == 0 and style > 0.5
            distance = rng.uniform(0.95, 4.0) if wall else rng.uniform(1.3, 7.0)
            spread = rng.uniform(-0.2, 0.2) if wall else rng.uniform(-1, 1) * (0.9 + 0.45 * distance)
            height = rng.uniform(0.4, 4.0) if wall else np.exp(rng.uniform(np.log(0.1), np.log(3.0)))
            size = np.array([0.1, rng.uniform(6, 16), height]) if wall else np.array(
                [rng.uniform(0.1, 1.0), np.exp(rng.uniform(np.log(0.05), np.log(2.5))), height])
            place = away * (distance + size[0] / 2 + (0.0 if wall else size[1] / 2)) + aside * spread
            place[2] = self.floor + height / 2 - 0.01
            turn = heading + (rng.uniform(-0.35, 0.35) if wall else rng.uniform(-np.pi, np.pi))
            _place(block, place, turn, size)
        for other in self.parked:
            other.hide_render = bool(rng.random() < 0.6)
            distance = rng.uniform(1.25, 5.0)
            place = away * distance + aside * rng.uniform(-1.2, 1.2) * (0.7 + 0.3 * distance)
            _place(other, place, rng.uniform(0, 2 * np.pi), np.full(3, rng.uniform(0.85, 1.1)))
            other.location[2] = self.floor * (1 - other.scale[2]) + 0.001


def _place(target: bpy.types.Object, place: np.ndarray, turn: float, size: np.ndarray) -> None:
    target.location = [float(c) for c in place]
    target.rotation_euler = (0.0, 0.0, float(turn))
    target.scale = [float(c) for c in size]


def _plane_mesh(half: float) -> bpy.types.Mesh:
    mesh = bpy.data.meshes.new("Ground")
    mesh.from_pydata([(-half, -half, 0), (half, -half, 0), (half, half, 0), (-half, half, 0)], [], [(0, 1, 2, 3)])
    return mesh


def _cube_mesh() -> bpy.types.Mesh:
    mesh = bpy.data.meshes.new("Block")
    corners = [(x, y, z) for x in (-0.5, 0.5) for y in (-0.5, 0.5) for z in (-0.5, 0.5)]
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    mesh.from_pydata(corners, [], faces)
    return mesh

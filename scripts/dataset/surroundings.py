# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands about the object: streets and car parks with kerbs, facades, hedges and parked cars.

Lengths are the object's: a car's length is 1. Streets run along Y, as the car stands.
"""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np

from backend.common.pinhole import camera_to_world
from backend.common.records import Camera

from .materials import Finish, body_tree, hsv, linear, plain_material, sample_look, set_body, set_plain

FACADES, SLABS, HEDGES = 3, 2, 3
GROUNDS = ("asphalt", "lanes", "bays", "concrete", "tiles", "grass")


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
            nodes.new("ShaderNodeTexNoise"),
            nodes.new("ShaderNodeTexBrick"),
            nodes.new("ShaderNodeMix"),
        )
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

    def set(
        self,
        first,
        second,
        joint,
        brick: tuple[float, float, float],
        noise: tuple[float, float],
        rough: float,
        turn: tuple[float, float, float] = (0, 0, 0),
        shift: tuple[float, float] = (0.0, 0.0),
        bond: float = 0.5,
    ) -> None:
        """Set colours of bricks and joints, brick (width, height, joint size), noise (scale, contrast), roughness.

        The pattern is turned and shifted; `bond` is by how much of a brick every second row is set off.
        """
        self.brick.offset = bond
        self.mapping.inputs["Location"].default_value = (*shift, 0.0)
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

        def block(name: str, mesh: bpy.types.Mesh) -> tuple[bpy.types.Object, _Patterned]:
            patterned = _Patterned(name)
            item = bpy.data.objects.new(name, mesh.copy())
            item.data.materials.append(patterned.material)
            scene.collection.objects.link(item)
            return item, patterned

        cube, bush = _cube_mesh(), _bush_mesh()
        self.facades = [block(f"Facade_{k}", cube) for k in range(FACADES)]
        self.slabs = [block(f"Slab_{k}", cube) for k in range(SLABS)]
        self.hedges = [block(f"Hedge_{k}", bush) for k in range(HEDGES)]
        self.post = block("Post", cube)
        self.parked: list[bpy.types.Object] = []
        self.parked_trees = [body_tree(f"parked_{k}", masked=False) for k in range(2)]
        self.parked_paint = [tree.material for tree in self.parked_trees]
        self.parked_plain = {name: plain_material(f"parked_{name}", masked=False) for name in ("dark", "light")}
        set_plain(self.parked_plain["dark"], Finish((0.015, 0.015, 0.015), 0.7))
        set_plain(self.parked_plain["light"], Finish((0.3, 0.3, 0.3), 0.3, 0.5))
        self.floor = 0.0

    def dress(self, rng: np.random.Generator, floor: float) -> Ground:
        """Choose the floor's height and surface and the backdrop's colours for one object."""
        self.floor = floor
        self.ground.location = (0.0, 0.0, floor)
        for _, patterned in self.facades:
            _dress_facade(rng, patterned)
        for _, patterned in (*self.slabs, self.post):
            grey = np.array(hsv(0.09, rng.uniform(0, 0.12), rng.uniform(0.35, 0.68)))
            patterned.set(grey, grey * 0.9, grey * 0.6, (0.12, 0.12, 0.004), (30.0, 0.15), 0.9)
        for _, patterned in self.hedges:
            green = np.array(hsv(rng.uniform(0.20, 0.32), rng.uniform(0.35, 0.65), rng.uniform(0.24, 0.52)))
            patterned.set(
                green,
                green,
                green,
                (1.0, 1.0, 0.0),
                (rng.uniform(15, 45), rng.uniform(0.5, 0.9)),
                0.9,
                (-np.pi / 2, np.pi / 2, 0),
            )
        for tree in self.parked_trees:
            set_body(tree, sample_look(rng))
        return self._dress_ground(rng)

    def _dress_ground(self, rng: np.random.Generator) -> Ground:
        kind = str(rng.choice(GROUNDS, p=[0.30, 0.20, 0.20, 0.12, 0.12, 0.06]))
        brick, noise, rough = (1.0, 1.0, 0.0), (rng.uniform(2, 40), rng.uniform(0.1, 0.4)), rng.uniform(0.7, 1.0)
        first = np.array(hsv(rng.uniform(0.05, 0.65), rng.uniform(0, 0.08), rng.uniform(0.24, 0.50)))
        joint, shift, turn = first, (0.0, 0.0), float(rng.uniform(-0.08, 0.08))
        if kind in ("lanes", "bays"):
            joint = linear(np.full(3, rng.uniform(0.6, 0.85)))
            joint = joint if rng.random() < 0.85 else np.array(hsv(0.13, 0.7, 0.75))
            line = float(rng.uniform(0.018, 0.03))
            if kind == "lanes":  # lines along the street, the car between two of them
                wide = float(rng.uniform(0.72, 1.0))
                brick, shift = (400.0, wide, line), (0.0, wide * rng.uniform(0.4, 0.6))
                turn += np.pi / 2
            else:
                wide, deep = float(rng.uniform(0.54, 0.66)), float(rng.uniform(1.1, 1.3))
                brick, shift = (wide, deep, line), (wide / 2, deep / 2)
        elif kind == "concrete":
            first = np.array(hsv(0.1, rng.uniform(0, 0.15), rng.uniform(0.42, 0.68)))
            brick, joint = (rng.uniform(0.5, 1.5), rng.uniform(0.5, 1.5), 0.006), first * 0.6
        elif kind == "tiles":
            first = np.array(hsv(rng.uniform(0.0, 0.12), rng.uniform(0, 0.35), rng.uniform(0.30, 0.62)))
            size = rng.uniform(0.04, 0.10)
            brick, joint = (size, size * rng.uniform(0.5, 1), size * 0.06), first * rng.uniform(0.4, 0.8)
        elif kind == "grass":
            first = np.array(hsv(rng.uniform(0.19, 0.28), rng.uniform(0.35, 0.65), rng.uniform(0.25, 0.45)))
            noise, joint = (rng.uniform(20, 90), rng.uniform(0.3, 0.6)), first
        bond = 0.5 if kind == "tiles" else 0.0
        self.ground_material.set(
            first, first * rng.uniform(0.85, 1.0), joint, brick, noise, rough, (0, 0, turn), shift, bond
        )
        return Ground(kind, 0.95 * first)

    def park(self, objects: list[bpy.types.Object]) -> None:
        """Take the objects that stand as parked cars behind; they are moved and shown by `arrange`."""
        self.parked = objects

    def arrange(self, rng: np.random.Generator, camera: Camera) -> None:
        """Build a street about the object: nothing of it stands between the object and the camera."""
        eye = camera_to_world(camera)[:3, 3]
        away = -eye * np.array([1, 1, 0]) / np.linalg.norm(eye[:2])
        for item, _ in (*self.facades, *self.slabs, *self.hedges, self.post):
            item.hide_render = True
        style = rng.random()
        near = 1.0 if rng.random() < 0.5 else -1.0
        for k, side in enumerate((near, -near)):
            distance, slab = float(rng.uniform(0.75, 2.6)), float(rng.uniform(0.45, 0.7))
            height, hedge = float(np.exp(rng.uniform(np.log(0.5), np.log(2.2)))), float(rng.uniform(0.18, 0.45))
            draw = rng.random(3)
            # A side that the camera stands on stays open.
            open_side = side * eye[0] > 0.35 or style < 0.15
            if open_side or (k == 1 and draw[0] < 0.35):
                continue
            if draw[1] < 0.7:
                depth = max(distance - slab, 0.3)
                self._show(self.slabs[k], (side * (slab + depth / 2), 0, 0.014), 0, (depth, 30.0, 0.028))
            if draw[2] < 0.62:
                self._show(
                    self.facades[k],
                    (side * (distance + 0.15), rng.uniform(-3, 3), height / 2),
                    0,
                    (0.3, rng.uniform(8, 20), height),
                )
            if draw[2] > 0.45:
                length = rng.uniform(1.0, 3.0)
                for j in range(2):
                    place = (side * (distance - 0.12), rng.uniform(-2, 2), 0)
                    self._show(self.hedges[j if k == 0 else 2], place, 0, (0.35, length, hedge * rng.uniform(1, 2.5)))
        # What closes the street's far end.
        aside = np.array([-away[1], away[0], 0.0])
        far, height, wide = rng.uniform(3.0, 9.0), rng.uniform(0.6, 3.2), rng.uniform(5, 14)
        if rng.random() < 0.55 and style > 0.15:
            place = away * (far + 0.4) + aside * rng.uniform(-2, 2)
            turn = np.arctan2(away[1], away[0])
            self._show(self.facades[2], (place[0], place[1], height / 2), turn, (0.3, wide, height))
        place = away * rng.uniform(1.0, 2.5) + aside * rng.uniform(-1.2, 1.2)
        if rng.random() < 0.25:
            self._show(self.post, (place[0], place[1], 0.5), 0, (0.03, 0.03, rng.uniform(0.6, 1.4)))
        self._park(rng, away, aside)

    def _park(self, rng: np.random.Generator, away: np.ndarray, aside: np.ndarray) -> None:
        """Put parked cars behind the object, along the street or across it."""
        for other in self.parked:
            other.hide_render = bool(rng.random() < 0.45)
            place = away * rng.uniform(1.25, 4.0) + aside * rng.uniform(-1.5, 1.5)
            turn = float(rng.choice([0.0, np.pi, np.pi / 2])) + rng.normal(0, 0.05)
            scale = rng.uniform(0.9, 1.05)
            _place(other, place, turn, np.full(3, scale))
            other.location[2] = self.floor * (1 - scale) + 0.001

    def _show(self, block: tuple, place: tuple, turn: float, size: tuple) -> None:
        """Show a block with its foot or centre at a place above the floor."""
        block[0].hide_render = False
        # Patterns are measured in the object's own axes, which the block's size stretches.
        block[1].mapping.inputs["Scale"].default_value = [float(c) for c in size]
        _place(block[0], np.array(place) + np.array([0, 0, self.floor - 0.002]), turn, np.array(size))


def _dress_facade(rng: np.random.Generator, patterned: _Patterned) -> None:
    """Give a wall windows in rows, or bricks, or nothing but plaster."""
    hue = rng.uniform(0.02, 0.13) if rng.random() < 0.8 else rng.uniform(0.5, 0.65)
    wall = np.array(hsv(hue, rng.uniform(0.02, 0.5) ** 1.3, rng.uniform(0.35, 0.78)))
    pane = np.array(hsv(0.58, rng.uniform(0, 0.25), rng.uniform(0.14, 0.42)))
    noise, across = (rng.uniform(1, 6), rng.uniform(0.05, 0.2)), (-np.pi / 2, np.pi / 2, 0)
    kind = rng.random()
    if kind < 0.62:
        wide, high = rng.uniform(0.28, 0.6), rng.uniform(0.5, 0.75)
        brick, shift = (wide, high, rng.uniform(0.07, 0.14)), (rng.uniform(0, 1), rng.uniform(0.1, 0.3))
        patterned.set(pane, pane * rng.uniform(0.6, 1.6), wall, brick, noise, 0.7, across, shift, 0.0)
    elif kind < 0.82:
        second, joint = wall * rng.uniform(0.7, 0.95), wall * rng.uniform(0.7, 1.3)
        patterned.set(wall, second, joint, (0.055, 0.018, 0.002), noise, 0.9, across)
    else:
        patterned.set(wall, wall, wall * 0.7, (rng.uniform(0.4, 1.2), 3.0, 0.008), noise, 0.9, across, (0.0, 0.0), 0.0)


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


def _bush_mesh() -> bpy.types.Mesh:
    """Return a row of leafy lumps within a unit box that stands on its foot, longest along Y."""
    rng = np.random.default_rng(11)
    vertices: list[np.ndarray] = []
    faces: list[tuple[int, ...]] = []
    rings, segments = 8, 12
    latitude = np.linspace(-np.pi / 2, np.pi / 2, rings)
    longitude = np.linspace(0, 2 * np.pi, segments, endpoint=False)
    unit = np.stack(
        [
            np.cos(latitude)[:, None] * np.cos(longitude),
            np.cos(latitude)[:, None] * np.sin(longitude),
            np.repeat(np.sin(latitude)[:, None], segments, axis=1),
        ],
        axis=-1,
    ).reshape(-1, 3)
    for k in range(24):
        lump = unit * rng.uniform(0.80, 1.15, (len(unit), 1)) * np.array([0.42, 0.07, rng.uniform(0.36, 0.5)])
        start = len(vertices) * len(unit)
        vertices.append(lump + np.array([rng.uniform(-0.1, 0.1), (k + 0.5) / 24 - 0.5, rng.uniform(0.32, 0.5)]))
        faces += [
            (
                start + r * segments + c,
                start + r * segments + (c + 1) % segments,
                start + (r + 1) * segments + (c + 1) % segments,
                start + (r + 1) * segments + c,
            )
            for r in range(rings - 1)
            for c in range(segments)
        ]
    mesh = bpy.data.meshes.new("Bush")
    mesh.from_pydata(np.concatenate(vertices).tolist(), [], faces)
    mesh.polygons.foreach_set("use_smooth", np.ones(len(faces), dtype=bool))
    return mesh

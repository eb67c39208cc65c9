# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The studio: a plain or softly graded backdrop without a horizon, soft light and a shadow under the object.

The camera alone sees the backdrop; the object is lit and mirrored by an HDR world and a broad key light. The ground is
diffuse, of just the albedo that makes it shine like the backdrop where no shadow falls, and passes into it far out.
"""

from __future__ import annotations

import bpy
import numpy as np

from backend.common.harmonics import spherical_harmonics

from .materials import hsv
from .world import WORLDS, WorldLight, sun_light, world_light

WORLD_WEIGHTS = {"studio": 4.0, "interior": 2.0, "courtyard": 1.5, "city": 1.5, "forest": 1.0}
"""Weights with which each world is drawn to light the studio; the others hold a low sun or little light."""


class _Graded:
    """Nodes in a material or world that multiply a colour by a ramp from the picture's bottom to its top."""

    def __init__(self, tree: bpy.types.NodeTree) -> None:
        nodes, links = tree.nodes, tree.links
        place, split = nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeSeparateXYZ")
        self._ramp, self._scale = nodes.new("ShaderNodeMapRange"), nodes.new("ShaderNodeVectorMath")
        self._scale.operation = "SCALE"
        self._ramp.interpolation_type = "SMOOTHSTEP"
        links.new(place.outputs["Window"], split.inputs[0])
        links.new(split.outputs[1], self._ramp.inputs["Value"])
        links.new(self._ramp.outputs[0], self._scale.inputs["Scale"])
        self.output = self._scale.outputs[0]

    def set(self, colour: np.ndarray, grade: tuple[float, float]) -> None:
        """Set the colour (3,), linear, and its factors at the bottom and at the top."""
        self._scale.inputs[0].default_value = colour.tolist()
        self._ramp.inputs["To Min"].default_value, self._ramp.inputs["To Max"].default_value = grade


class Studio:
    """Ground and backdrop, made once; `dress` chooses colours for an object, `light` lights one view."""

    def __init__(self, scene: bpy.types.Scene, light: WorldLight) -> None:
        self._light = light
        material = bpy.data.materials.new("studio_ground")
        material.use_nodes = True
        tree = material.node_tree
        nodes, links = tree.nodes, tree.links
        nodes.clear()
        self._albedo, self._backdrop = _Graded(tree), _Graded(tree)
        diffuse, shine = nodes.new("ShaderNodeBsdfDiffuse"), nodes.new("ShaderNodeEmission")
        links.new(self._albedo.output, diffuse.inputs["Color"])
        links.new(self._backdrop.output, shine.inputs["Color"])
        # Away from the object the ground passes into the backdrop, for the camera alone: that hides the horizon, and
        # the noise of soft light where no shadow needs it.
        geometry, squeezed, distance = (
            nodes.new("ShaderNodeNewGeometry"),
            nodes.new("ShaderNodeVectorMath"),
            nodes.new("ShaderNodeVectorMath"),
        )
        squeezed.operation, distance.operation = "MULTIPLY", "LENGTH"
        squeezed.inputs[1].default_value = (1.6, 1.0, 0.0)
        fade, seen = nodes.new("ShaderNodeMapRange"), nodes.new("ShaderNodeLightPath")
        fade.interpolation_type = "SMOOTHSTEP"
        fade.inputs["From Min"].default_value, fade.inputs["From Max"].default_value = 0.5, 1.05
        links.new(geometry.outputs["Position"], squeezed.inputs[0])
        links.new(squeezed.outputs[0], distance.inputs[0])
        links.new(distance.outputs["Value"], fade.inputs["Value"])
        links.new(seen.outputs["Is Camera Ray"], fade.inputs["To Max"])
        output = nodes.new("ShaderNodeOutputMaterial")
        _mixed(tree, fade.outputs[0], diffuse.outputs[0], shine.outputs[0], output.inputs["Surface"])
        mesh = bpy.data.meshes.new("Studio")
        corners = [(-60.0, -60.0, 0.0), (60.0, -60.0, 0.0), (60.0, 60.0, 0.0), (-60.0, 60.0, 0.0)]
        mesh.from_pydata(corners, [], [(0, 1, 2, 3)])
        mesh.materials.append(material)
        self._ground = bpy.data.objects.new("Studio", mesh)
        scene.collection.objects.link(self._ground)
        self._sky = self._hide_world()
        self._colour = np.full(3, 0.5)
        self._grade = (1.0, 1.0)

    def _hide_world(self) -> _Graded:
        """Show the camera a plain colour where it would see the world."""
        tree = self._light.world.node_tree
        output = next(node for node in tree.nodes if node.bl_idname == "ShaderNodeOutputWorld")
        sky, shine = _Graded(tree), tree.nodes.new("ShaderNodeBackground")
        tree.links.new(sky.output, shine.inputs["Color"])
        seen = tree.nodes.new("ShaderNodeLightPath").outputs["Is Camera Ray"]
        world = output.inputs["Surface"].links[0].from_socket
        _mixed(tree, seen, world, shine.outputs[0], output.inputs["Surface"])
        return sky

    def dress(self, rng: np.random.Generator, floor: float) -> None:
        """Choose the floor's height, the backdrop's colour and its gradation for one object."""
        self._ground.location = (0.0, 0.0, floor)
        tint = rng.uniform(0.03, 0.30) if rng.random() < 0.3 else rng.uniform(0, 0.03)
        value = rng.uniform(0.72, 0.97) if rng.random() < 0.7 else rng.uniform(0.40, 0.72)
        self._colour = np.array(hsv(rng.uniform(0, 1), tint, value))
        change = rng.uniform(-0.3, 0.3) if rng.random() < 0.5 else 0.0
        self._grade = (1 - max(change, 0), 1 + min(change, 0))

    def light(self, rng: np.random.Generator) -> dict:
        """Light one view softly; return what object.json says about it."""
        names = [name for name in WORLDS if name in WORLD_WEIGHTS]
        weights = np.array([WORLD_WEIGHTS[name] for name in names])
        name = str(rng.choice(names, p=weights / weights.sum()))
        rotation = float(rng.uniform(0, 2 * np.pi))
        exposure, share = float(np.exp(rng.normal(np.log(0.95), 0.12))), float(rng.uniform(0.0, 0.4))
        # What falls on level ground, over pi: exposure is measured there, as a camera's meter would.
        level = spherical_harmonics(np.array([0.0, 0.0, 1.0])) @ world_light(name, rotation, 1.0)
        strength = exposure * (1 - share) / float(level.mean())
        height, around = np.arcsin(rng.uniform(0.6, 0.97)), rng.uniform(0, 2 * np.pi)
        towards = np.array([np.cos(height) * np.cos(around), np.cos(height) * np.sin(around), np.sin(height)])
        white, power = np.ones(3), exposure * share * np.pi / float(towards[2])
        self._light.set(name, rotation, strength)
        self._light.set_sun(towards, white, power, float(np.deg2rad(rng.uniform(15, 50))))
        falling = level * strength + exposure * share
        albedo = self._colour / falling
        albedo *= min(1.0, 0.92 / albedo.max())  # a darker backdrop then, of the same hue
        backdrop = albedo * falling
        self._albedo.set(albedo, self._grade)
        for graded in (self._backdrop, self._sky):
            graded.set(backdrop, self._grade)
        light = world_light(name, rotation, strength, albedo) + sun_light(towards, white, power, albedo)
        sun = {"direction": towards.tolist(), "colour": white.tolist(), "irradiance": power}
        return {
            "ground": "studio",
            "light": light.tolist(),
            "world": name,
            "rotation": rotation,
            "strength": strength,
            "sun": sun,
        }


def _mixed(tree: bpy.types.NodeTree, factor, first, second, target) -> None:
    """Link `first` where `factor` is 0 and `second` where it is 1 to the socket `target`."""
    mix = tree.nodes.new("ShaderNodeMixShader")
    for source, slot in zip((factor, first, second), mix.inputs, strict=True):
        tree.links.new(source, slot)
    tree.links.new(mix.outputs[0], target)

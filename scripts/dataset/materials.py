# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials of the car, built once; a new car only changes their numbers, so that Cycles keeps what it compiled."""

from __future__ import annotations

from typing import Any

import bpy

from backend.common.regions import REGIONS

from .looks import CarLook, Finish, hsv, linear, sample_look, sample_paint
from .shapes import MARKINGS

__all__ = [
    "MASK",
    "REGION",
    "CarLook",
    "CarMaterials",
    "Finish",
    "aov_output",
    "body_tree",
    "hsv",
    "linear",
    "plain_material",
    "sample_look",
    "sample_paint",
    "set_body",
    "set_plain",
]

MASK = "mask"  # name of the pass in which the object is white
REGION = "region"  # name of the pass that holds the index in REGIONS plus one


class _Tree:
    """A material's nodes: one Principled shader whose inputs pass through a chain of layers cut by markings."""

    def __init__(self, name: str, masked: bool) -> None:
        self.material = bpy.data.materials.new(name)
        self.material.use_nodes = True
        self.nodes, self.links = self.material.node_tree.nodes, self.material.node_tree.links
        self.shader = self.nodes["Principled BSDF"]
        self.layers: dict[str, tuple] = {}
        self.bars: list[bpy.types.NodeSocket] = []
        self.dirt: bpy.types.NodeSocket | None = None
        self.clear: list[bpy.types.NodeSocket] = []
        self.open: bpy.types.NodeSocket | None = None
        self._colour = self._surface = None
        self._region: bpy.types.NodeSocket | None = None
        self._region_numbers: dict[str, Any] = {}
        self._markings: dict[int, bpy.types.Node] = {}
        self.region_output = None
        if masked:
            aov_output(self.nodes, MASK, 1.0)
            self.region_output = aov_output(self.nodes, REGION, 0.0)

    def marking(self, name: str):
        """Return the socket that carries a marking's signed distance."""
        group, channel = divmod(MARKINGS.index(name), 3)
        if group not in self._markings:
            attribute = self.nodes.new("ShaderNodeAttribute")
            attribute.attribute_name = f"marking_{group}"
            split = self.nodes.new("ShaderNodeSeparateXYZ")
            self.links.new(attribute.outputs["Vector"], split.inputs[0])
            self._markings[group] = split
        return self._markings[group].outputs[channel]

    def generated(self, axis: int):
        """Return a socket with the place within the object's box, 0 to 1, along an axis."""
        coordinates, split = self.nodes.new("ShaderNodeTexCoord"), self.nodes.new("ShaderNodeSeparateXYZ")
        self.links.new(coordinates.outputs["Generated"], split.inputs[0])
        return split.outputs[axis]

    def inside(self, socket):
        """Return a socket that is 1 where the distance is below zero."""
        return self.math("LESS_THAN", socket, 0.0)

    def math(self, operation: str, first, second=None):
        """Return the output of a math node on sockets or numbers."""
        node = self.nodes.new("ShaderNodeMath")
        node.operation = operation
        for slot, value in zip(node.inputs, (first, second), strict=False):
            if isinstance(value, (int, float)):
                slot.default_value = value
            elif value is not None:
                self.links.new(value, slot)
        return node.outputs[0]

    def layer(self, name: str, factor, region: str = "") -> None:
        """Lay a finish named `name` over what is there, where `factor` (a socket, or None for all) is 1.

        `region`, one of REGIONS, is what such points count as in the part map; "" leaves what is below.
        """
        mixes = []
        for kind in ("_colour", "_surface"):
            below = getattr(self, kind)
            mix = self.nodes.new("ShaderNodeMix")
            mix.data_type = "RGBA"
            below_slot, over_slot, result = mix.inputs[6], mix.inputs[7], mix.outputs[2]
            if factor is None:
                mix.inputs[0].default_value = 1.0
            else:
                self.links.new(factor, mix.inputs[0])
            if below is not None:
                self.links.new(below, below_slot)
            setattr(self, kind, result)
            mixes.append(over_slot)
        self.layers[name] = tuple(mixes)
        if region and self.region_output is not None:
            self._lay_region(name, REGIONS.index(region) + 1.0, factor)

    def _lay_region(self, name: str, number: float, factor) -> None:
        mix = self.nodes.new("ShaderNodeMix")
        mix.data_type = "FLOAT"
        mix.inputs[0].default_value = 1.0
        if factor is not None:
            self.links.new(factor, mix.inputs[0])
        if self._region is not None:
            self.links.new(self._region, mix.inputs[2])
        mix.inputs[3].default_value = number
        self._region_numbers[name] = mix.inputs[3]
        self._region = mix.outputs[0]

    def set_region(self, name: str, region: str) -> None:
        """Change what the layer `name` counts as; without effect on materials that are not masked."""
        if name in self._region_numbers:
            self._region_numbers[name].default_value = REGIONS.index(region) + 1.0

    def finish(self) -> None:
        """Connect the chain to the shader: colour, and roughness, metallic, coat packed in one vector."""
        if self._region is not None:
            self.links.new(self._region, self.region_output.inputs["Value"])
        split = self.nodes.new("ShaderNodeSeparateXYZ")
        self.links.new(self._colour, self.shader.inputs["Base Color"])
        self.links.new(self._surface, split.inputs[0])
        for channel, name in enumerate(("Roughness", "Metallic", "Coat Weight")):
            self.links.new(split.outputs[channel], self.shader.inputs[name])
        self.shader.inputs["Coat Roughness"].default_value = 0.03

    def set(self, name: str, finish: Finish, coat: float = 0.0) -> None:
        """Change a layer's finish."""
        colour, surface = self.layers[name]
        colour.default_value = (*finish.colour, 1.0)
        surface.default_value = (finish.roughness, finish.metallic, coat, 1.0)


class CarMaterials:
    """The six materials of a car, in the order of the mesh's slots."""

    def __init__(self) -> None:
        self.body = body_tree("body", masked=True)
        self.rim = self._rim()
        regions = {"tyre": "rubber", "metal": "chrome", "plastic": "dark", "interior": "interior"}
        self.plain = {name: plain_material(name, True, region) for name, region in regions.items()}
        set_plain(self.plain["tyre"], Finish((0.014, 0.014, 0.015), 0.8))
        set_plain(self.plain["metal"], Finish((0.7, 0.7, 0.7), 0.18, 1.0))
        set_plain(self.plain["plastic"], Finish((0.012, 0.012, 0.012), 0.5))
        plain = self.plain
        self.slots = [
            self.body.material,
            plain["tyre"],
            self.rim.material,
            plain["metal"],
            plain["plastic"],
            plain["interior"],
        ]

    @staticmethod
    def _rim() -> _Tree:
        tree = _Tree("rim", masked=True)
        tree.layer("behind", None, "rim")
        tree.layer("disc", tree.inside(tree.marking("dark")))
        tree.layer("metal", tree.inside(tree.marking("glass")))
        tree.layer("hub", tree.inside(tree.marking("trim")))
        tree.finish()
        return tree

    def set_glass_opaque(self, opaque: bool) -> None:
        """Make glass hide what is behind it, as passes that hold data want it, or let it be looked through again."""
        self.body.open.default_value = 0.0 if opaque else 1.0

    def mark_two_tone(self, two_tone: bool) -> None:
        """Say whether the second colour counts as a region of its own: on a car of one colour it is paint."""
        self.body.set_region("second", "two_tone" if two_tone else "paint")

    def set(self, look: CarLook) -> None:
        """Paint the car."""
        set_body(self.body, look)
        self.rim.set("behind", Finish((0.012, 0.012, 0.012), 0.7))
        plain = look.caliper[0] < 0.2
        self.rim.set("disc", Finish((0.16, 0.16, 0.16), 0.4, 0.5) if plain else Finish((0.1, 0.1, 0.1), 0.4))
        self.rim.set("metal", look.rim)
        self.rim.set("hub", Finish((0.05, 0.05, 0.05) if plain else look.caliper, 0.4))
        set_plain(self.plain["interior"], Finish(look.interior, 0.7))


def body_tree(name: str, masked: bool) -> _Tree:
    """Return the material of bodywork, everything that markings draw on it included."""
    tree = _Tree(name, masked)
    tree.layer("paint", None, "paint")
    tree.layer("second", tree.inside(tree.marking("two_tone")), "two_tone")
    low = tree.math("SUBTRACT", 1.0, tree.math("MULTIPLY", tree.generated(2), 2.6))
    dirt = tree.math("MULTIPLY", tree.math("MAXIMUM", low, 0.0), 0.0)
    tree.dirt = dirt.node.inputs[1]
    tree.layer("dirt", dirt)
    door, lid = (tree.math("ABSOLUTE", tree.marking(name)) for name in ("door", "lid"))
    gaps = tree.math("MINIMUM", tree.math("MINIMUM", door, lid), tree.math("ABSOLUTE", tree.marking("seam")))
    tree.layer("gap", tree.inside(tree.math("SUBTRACT", gaps, 0.007)))
    for name in ("trim", "chrome", "dark"):
        tree.layer(name, tree.inside(tree.marking(name)), name)
    tree.layer("grille", tree.inside(tree.marking("grille")), "dark")
    tree.layer("bars", _bars(tree))
    tree.layer("glass", tree.inside(tree.marking("glass")), "glass")
    tree.layer("rim_of_lamp", tree.inside(tree.marking("head")), "head_lamp")
    tree.layer("head", tree.inside(tree.math("ADD", tree.marking("head"), 0.012)))
    tree.layer("tail", tree.inside(tree.marking("tail")), "tail_lamp")
    tree.layer("bulb", tree.inside(tree.marking("bulb")))
    tree.layer("amber", tree.inside(tree.marking("amber")))
    tree.layer("plate", tree.inside(tree.marking("plate")), "plate")
    # Letters and the band are small faces on the plate, told from it by constants far below any distance.
    tree.layer("letters", tree.math("LESS_THAN", tree.marking("plate"), -1.5))
    tree.layer("band", tree.math("LESS_THAN", tree.marking("plate"), -2.5))
    tree.layer("arch", tree.inside(tree.marking("arch")), "underside")
    # The inside of the shell, seen through the glass, is lined.
    tree.layer("lining", tree.nodes.new("ShaderNodeNewGeometry").outputs["Backfacing"])
    tree.finish()
    _see_through(tree)
    return tree


def _see_through(tree: _Tree) -> None:
    """Let light through the glass: less at grazing angles, and less in the rear half where the panes are dark."""
    transparent, mix = tree.nodes.new("ShaderNodeBsdfTransparent"), tree.nodes.new("ShaderNodeMixShader")
    # Outwards from the inside, and to the lamps that light the seats, panes are clear.
    outwards = tree.nodes.new("ShaderNodeNewGeometry").outputs["Backfacing"]
    clear = tree.math("MAXIMUM", outwards, tree.nodes.new("ShaderNodeLightPath").outputs["Is Shadow Ray"])
    tint = tree.nodes.new("ShaderNodeMix")
    tint.data_type = "RGBA"
    tint.inputs[6].default_value, tint.inputs[7].default_value = (0.60, 0.635, 0.625, 1.0), (0.95, 0.96, 0.96, 1.0)
    tree.links.new(clear, tint.inputs[0])
    tree.links.new(tint.outputs[2], transparent.inputs["Color"])
    coordinates, split = tree.nodes.new("ShaderNodeTexCoord"), tree.nodes.new("ShaderNodeSeparateXYZ")
    tree.links.new(coordinates.outputs["Object"], split.inputs[0])
    panes = tree.nodes.new("ShaderNodeMix")  # two numbers, chosen by the side of the car's middle
    tree.links.new(tree.math("GREATER_THAN", split.outputs[1], 0.0), panes.inputs[0])
    tree.clear = [panes.inputs[2], panes.inputs[3]]
    fresnel = tree.nodes.new("ShaderNodeFresnel")
    fresnel.inputs["IOR"].default_value = 1.6
    open_glass = tree.nodes.new("ShaderNodeValue")
    open_glass.outputs[0].default_value = 1.0
    tree.open = open_glass.outputs[0]
    share = tree.math("MULTIPLY", panes.outputs[0], tree.math("SUBTRACT", 1.0, fresnel.outputs[0]))
    share = tree.math("MULTIPLY", tree.math("MAXIMUM", share, clear), tree.open)
    tree.links.new(tree.math("MULTIPLY", share, tree.inside(tree.marking("glass"))), mix.inputs[0])
    tree.links.new(tree.shader.outputs[0], mix.inputs[1])
    tree.links.new(transparent.outputs[0], mix.inputs[2])
    tree.links.new(mix.outputs[0], tree.nodes["Material Output"].inputs["Surface"])


def set_body(body: _Tree, look: CarLook) -> None:
    """Paint bodywork."""
    black = Finish((0.010, 0.010, 0.011), 0.5)
    body.set("paint", look.paint, coat=1.0)
    second = look.second if look.two_tone else look.paint
    body.set("second", second, coat=1.0 if second.roughness < 0.6 else 0.0)
    red, green, blue = look.paint.colour
    body.set("dirt", Finish((0.13, 0.115, 0.095), 0.9))
    body.dirt.default_value = look.dirt
    red, green, blue = look.interior
    body.set("lining", Finish((0.25 * red + 0.02, 0.25 * green + 0.02, 0.25 * blue + 0.02), 0.8))
    for socket, value in zip(body.clear, look.clear, strict=True):
        socket.default_value = value
    body.set("gap", Finish((0.12 * red, 0.12 * green, 0.12 * blue), 0.6))
    body.set("trim", look.trim)
    body.set("chrome", look.chrome)
    body.set("dark", black)
    body.set("glass", look.glass)
    body.set("rim_of_lamp", Finish((0.04, 0.04, 0.045), 0.1), coat=1.0)
    body.set("head", Finish((0.46, 0.48, 0.50), 0.14, 0.3), coat=1.0)
    body.set("bulb", Finish((0.85, 0.85, 0.84), 0.15), coat=1.0)
    body.set("tail", Finish((0.36, 0.006, 0.008), 0.15), coat=1.0)
    body.set("plate", Finish(look.plate, 0.4))
    body.set("letters", Finish((0.02, 0.02, 0.03) if sum(look.plate) > 0.3 else (0.7, 0.7, 0.6), 0.4))
    body.set("band", Finish((0.01, 0.05, 0.30), 0.4))
    body.set("amber", Finish((0.75, 0.20, 0.01), 0.2), coat=1.0)
    body.set("grille", Finish((0.014, 0.014, 0.015), 0.45))
    body.set("bars", look.bars)
    for socket, value in zip(body.bars, look.bar_turn, strict=True):
        socket.default_value = value
    body.set("arch", Finish((0.008, 0.008, 0.008), 0.8))


def _bars(tree: _Tree):
    """Return a socket that is 1 on the bars of the grille; tree.bars holds bars across x, across z, width."""
    coordinates = tree.nodes.new("ShaderNodeTexCoord")
    split = tree.nodes.new("ShaderNodeSeparateXYZ")
    tree.links.new(coordinates.outputs["Object"], split.inputs[0])
    along = [tree.math("MULTIPLY", split.outputs[axis], 1.0) for axis in (0, 2)]
    width = tree.math("ADD", 0.0, 0.3)
    tree.bars = [node.node.inputs[1] for node in along] + [width.node.inputs[1]]
    # With a pitch of 0 the fraction stays 0 and no bar is drawn.
    shares = [tree.math("FRACT", socket) for socket in along]
    bar = tree.math("GREATER_THAN", tree.math("MAXIMUM", *shares), tree.math("SUBTRACT", 1.0, width))
    return tree.math("MULTIPLY", bar, tree.inside(tree.math("ADD", tree.marking("grille"), 0.008)))


def aov_output(nodes, name: str, value: float):
    """Return a new node that writes `value` into the pass `name`."""
    output = nodes.new("ShaderNodeOutputAOV")
    # The property was renamed in Blender 4.3's series; the name is what selects the pass.
    setattr(output, "aov_name" if hasattr(output, "aov_name") else "name", name)
    output.inputs["Value"].default_value = value
    return output


def plain_material(name: str, masked: bool, region: str = "") -> bpy.types.Material:
    """Return a material of one finish; `masked` objects are white in the mask pass and count as `region`."""
    tree = _Tree(name, masked)
    if region:
        tree.region_output.inputs["Value"].default_value = REGIONS.index(region) + 1.0
    return tree.material


def set_plain(material: bpy.types.Material, finish: Finish) -> None:
    """Change the finish of a plain material."""
    shader = material.node_tree.nodes["Principled BSDF"]
    shader.inputs["Base Color"].default_value = (*finish.colour, 1.0)
    shader.inputs["Roughness"].default_value = finish.roughness
    shader.inputs["Metallic"].default_value = finish.metallic

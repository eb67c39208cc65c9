# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows, doors and lamps for the shape that an object with parts has now, instead of those of its photo's shape.

Sliders move vertices, and what is painted on them goes along. That is right for a small change; a car that became a van
by *Randomise* or *Copy Shape* would still have the windows of the car. Repainting has the worker paint all maps from
the present code. They come as new images beside the photo's, which stay with the object and come back with *Reset*: so
undo has nothing but pointers to bring back. The new texture is in the colours that were found, as the old one was, and
the colour fields go on recolouring it.
"""

from __future__ import annotations

from typing import Any

import bpy
import numpy as np

from . import copies, environment, looks, palette, parts, pixels, preferences, proportions, session, shape_codes
from .wire import records, region_map, regions

PAINTED = "unrender_painted_code"
"""Property of an object: the code (K,) that its markings are of; none: that of its photo."""
FOUND = "unrender_found_maps"
"""Property of a repainted object: the images that the photo gave it, and how much of the photo it showed."""
_SAME = 1e-3
"""Difference of codes, in standard deviations, that moves no marking by a texel."""
_TEXTURE, _MAPS, _NORMALS, _BASE, _REGIONS = "texture", "maps", "normals", "base_texture", "region_map"


def refusal(owner: bpy.types.Object | None) -> str:
    """Returns why an object cannot be repainted, in one sentence; empty where it can."""
    if owner is None or not owner.unrender.is_unrender:
        return "Select an object made by Image to 3D."
    if not parts.has_parts(owner):
        return f"{owner.name} has no parts: its texture sliders change what is painted on it."
    reason = palette.why_fixed(owner)
    if reason:
        return reason
    if palette.texture_of(owner) is None:
        return f"{owner.name} has a plain material for each region and no texture to repaint."
    return ""


def is_stale(owner: bpy.types.Object) -> bool:
    """Says whether the markings on an object with parts are of another shape than it has. Raises ValueError."""
    painted = np.array(owner.get(PAINTED, owner[shape_codes.SHAPE_CODE]), np.float64)
    return bool(np.abs(proportions.code_of(owner)[0] - painted).max() > _SAME)


def is_repainted(owner: bpy.types.Object) -> bool:
    """Says whether an object has other maps than its photo's."""
    return owner.get(FOUND) is not None


def request_of(owner: bpy.types.Object, device: str = "") -> records.GenerateRequest:
    """Returns the request for the maps of an object's present shape. Raises ValueError with one sentence."""
    reason = refusal(owner)
    if reason:
        raise ValueError(reason)
    colours = regions.Palette().array()
    colours[:, :3] = list(palette.found_of(owner).values())
    return records.GenerateRequest(
        texture_size=int(owner.unrender.base_texture.size[0]),
        code=proportions.code_of(owner)[0],
        palette=colours,
        bundle=owner.unrender.bundle,
        device=device or preferences.device(),
    )


def apply(owner: bpy.types.Object, code: np.ndarray, result: records.Reconstruction) -> None:
    """Gives an object the maps of a result that was painted from a code (K,); its photo's are kept."""
    copies.own_look(owner)
    nodes, state, maps = _nodes(owner.active_material), owner.unrender, result.parts
    if not is_repainted(owner):
        found: dict[str, Any] = {name: node.image for name, node in nodes.items()}
        found |= {_BASE: state.base_texture, _REGIONS: state.region_map, "photo": float(owner.get(looks.PHOTO, 0.0))}
        owner[FOUND] = found | {"shown": ",".join(sorted(palette.regions_shown(owner)))}
    made = {_TEXTURE: pixels.new_image(f"{owner.name} texture", result.texture)}
    if _MAPS in nodes:
        made[_MAPS] = pixels.new_map(f"{owner.name} roughness and metallic", looks.packed_maps(maps))
    if _NORMALS in nodes and maps.normal.size:
        made[_NORMALS] = pixels.new_map(f"{owner.name} normals", maps.normal)
    _show(nodes, made)
    state.base_texture = pixels.new_map(f"{owner.name} texture as made", result.texture)
    state.region_map = pixels.new_map(f"{owner.name} regions", maps.region_map)
    for image in (made.get(_MAPS), made.get(_NORMALS), state.region_map):
        if image is not None:
            image.colorspace_settings.name = "Non-Color"
    palette.set_regions_shown(owner, {maps.regions[index] for index in region_map.regions_of(maps.region_map)})
    owner[PAINTED] = np.asarray(code, np.float64).tolist()
    _show_photo(owner, 0.0)
    palette.apply(owner)


def restore(owner: bpy.types.Object) -> None:
    """Gives an object the maps of its photo back, in the colours of its fields; nothing where it has them."""
    if not is_repainted(owner):
        return
    copies.own_look(owner)
    found, state = owner[FOUND].to_dict(), owner.unrender
    if palette.texture_of(owner) is not None:
        _show(_nodes(owner.active_material), found)
    state.base_texture, state.region_map = found[_BASE], found[_REGIONS]
    palette.set_regions_shown(owner, set(found["shown"].split(",")))
    _show_photo(owner, found["photo"])
    forget(owner)
    palette.apply(owner)


def forget(owner: bpy.types.Object) -> None:
    """Drops what is known of an object's photo's maps: those that it has are its own from now on."""
    for name in (FOUND, PAINTED):
        owner.pop(name, None)


def take_over(owner: bpy.types.Object, other: bpy.types.Object) -> None:
    """Takes note that an object got the texture of another one, with markings of that one's shape."""
    forget(owner)
    owner[PAINTED] = list(other.get(PAINTED, other[shape_codes.SHAPE_CODE]))


def follow_tools(owner: bpy.types.Object) -> None:
    """Starts to repaint an object after a tool gave it another shape, where that is wanted, needed and possible."""
    if not owner.unrender.repaint or refusal(owner) or session.status.running or not is_stale(owner):
        return
    try:
        environment.worker_command(preferences.interpreter())
    except environment.NoEnvironment:
        return  # the panel has the button, and the button says what is missing
    with bpy.context.temp_override(active_object=owner, object=owner):
        try:
            bpy.ops.unrender.repaint()
        except RuntimeError as error:  # so Blender tells of what an operator reported
            session.status.error = session.status.error or str(error)


def _nodes(material: bpy.types.Material) -> dict[str, bpy.types.Node]:
    """Returns the image nodes of the maps that a material with maps has, by what they hold."""
    shader = looks.principled(material)
    found: dict[str, Any] = {_TEXTURE: _source(shader, "Base Color")}
    channels = _source(shader, "Roughness")
    found[_MAPS] = _source(channels, "Color") if channels is not None else None
    bent = _source(shader, "Normal")
    found[_NORMALS] = _source(bent, "Color") if bent is not None else None
    return {name: node for name, node in found.items() if node is not None and hasattr(node, "image")}


def _source(node: bpy.types.Node, socket: str) -> bpy.types.Node | None:
    found: Any = node.inputs.get(socket)
    return found.links[0].from_node if found is not None and found.is_linked else None


def _show(nodes: dict[str, bpy.types.Node], images: dict[str, Any]) -> None:
    for name, node in nodes.items():
        image = images.get(name)
        if image is not None:
            node.image = image


def _show_photo(owner: bpy.types.Object, shown: float) -> None:
    if owner.get(looks.PHOTO) is not None:
        looks.show(owner, shown)

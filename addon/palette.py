# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Colours of an object with parts: fields for paint, glass, rims and the like, followed at once and without the worker.

With one material the texture is a function of three things that lie in the file: the texture as it was made, the map
that says which colour each texel has (:mod:`backend.common.region_map`), and the fields. With a material a region it is
that material's colour. So what undo, redo, a copied object or a reopened file show is what their fields say.

Letters: R regions, T the texture's side.
"""

from __future__ import annotations

import sys

import bpy
import numpy as np
from bpy.app.handlers import persistent
from mathutils import Color

from . import looks, parts, pixels, shape_codes
from .wire import records, region_map

PALETTE = "unrender_palette"
"""Property of an object: the names of its regions, with commas between them, their colours as they were found, and the
names of those that have some of its surface."""
REGION = "unrender_region"
"""Property of a material that is one region's alone: which."""
COLOURS = {
    "paint": "Paint",
    "two_tone": "Second Colour",
    "glass": "Glass",
    "rim": "Rims",
    "trim": "Trim",
    "dark": "Grilles",
    "chrome": "Chrome",
    "head_lamp": "Head Lamps",
    "tail_lamp": "Tail Lamps",
    "plate": "Plates",
    "rubber": "Tyres",
}
"""Regions that have a field, in the order of the fields, and what these are called."""
SECOND = "two_tone"
KEPT = 2
"""Objects whose texture is kept ready to be recoloured: some 80 MB each at 1536 texels a side."""
_SAME = 1e-4
"""Difference of colours that no eye and no file of 8 bits sees."""

_ready: dict[tuple[int, int], region_map.Recolouring] = {}
"""What is ready to be recoloured, by the images of the texture and of its map."""
_shown: dict[int, bytes] = {}
"""Colours that each image shows, by the image: a shape slider need not write the texture again."""
_unpacked: set[int] = set()
"""Images that were changed since they were packed; packing is too slow to do while a colour moves."""


def field_of(region: str) -> str:
    """Returns the name of the property that holds the colour of a region."""
    return f"colour_{region}"


def remember(owner: bpy.types.Object, result: records.Reconstruction) -> None:
    """Stores with an object with parts what its colours start from; call it before its handles do anything."""
    maps = result.parts
    if maps is None:
        return
    shown = region_map.regions_of(maps.region_map) if maps.region_map.size else np.unique(maps.region_of_quad).tolist()
    owner[PALETTE] = {
        "names": ",".join(maps.regions),
        "colours": maps.palette[:, :3].astype(float).reshape(-1).tolist(),
        "shown": ",".join(maps.regions[index] for index in shown),
    }
    state = owner.unrender
    with_maps = texture_of(owner) is not None and maps.region_map.size > 0
    state.region_map = state.base_texture = None
    if with_maps:
        state.region_map = pixels.new_map(f"{owner.name} regions", maps.region_map)
        state.region_map.colorspace_settings.name = "Non-Color"
        state.base_texture = pixels.new_map(f"{owner.name} texture as made", result.texture)
    reset(owner)


def take_over(owner: bpy.types.Object, new: bpy.types.Object) -> None:
    """Gives an object, while its handles are muted, what another one's colours start from."""
    state, its = owner.unrender, new.unrender
    state.region_map, state.base_texture = its.region_map, its.base_texture
    if new.get(PALETTE) is None:
        owner.pop(PALETTE, None)
    else:
        owner[PALETTE] = new[PALETTE]
    reset(owner)


def reset(owner: bpy.types.Object) -> None:
    """Puts all colour fields of an object back to what was found; call it while its handles are muted."""
    state = owner.unrender
    for region, colour in found_of(owner).items():
        if region in COLOURS:
            setattr(state, field_of(region), colour)
    state.two_tone = two_tone_as_found(owner)


def has_palette(owner: bpy.types.Object) -> bool:
    """Says whether an object has colours that can be changed."""
    return owner.get(PALETTE) is not None and not why_fixed(owner)


def why_fixed(owner: bpy.types.Object) -> str:
    """Returns why the colours of an object with parts cannot be changed, in one sentence; empty where they can."""
    if owner.get(PALETTE) is None:
        return f"{owner.name} was made by an older version: make it again to change its colours."
    if owner.unrender.region_map is None and texture_of(owner) is not None:
        return f"{owner.name} has no map of its regions: make it again to change its colours."
    return ""


def found_of(owner: bpy.types.Object) -> dict[str, np.ndarray]:
    """Returns the colour (3,) sRGB of each region as it was found, in the order of the region map's indices."""
    kept = owner.get(PALETTE)
    if kept is None:
        return {}
    colours = np.array(kept["colours"], np.float64).reshape(-1, 3)
    return dict(zip(kept["names"].split(","), colours, strict=True))


def two_tone_as_found(owner: bpy.types.Object) -> bool:
    """Says whether the second colour was found to be another than the paint."""
    found = found_of(owner)
    return SECOND in found and bool(np.abs(found[SECOND] - found["paint"]).max() > _SAME)


def regions_shown(owner: bpy.types.Object) -> set[str]:
    """Returns which regions have some of an object's surface."""
    kept = owner.get(PALETTE)
    return set() if kept is None else set(kept.get("shown", kept["names"]).split(","))


def set_regions_shown(owner: bpy.types.Object, shown: set[str]) -> None:
    """Takes note of which regions have some of an object's surface."""
    if owner.get(PALETTE) is not None:
        owner[PALETTE]["shown"] = ",".join(sorted(shown))


def colours_of(owner: bpy.types.Object, source: bpy.types.Object | None = None) -> dict[str, np.ndarray]:
    """Returns the colour (3,) sRGB of each region at an object's fields, or at those of its evaluated ``source``.

    Where the object is blended with another one, what is not locked is between the colours of both.
    """
    source = source or owner
    state, colours = source.unrender, _at_fields(owner, source)
    other = shape_codes.blended_with(source)
    if other is not None and other.get(PALETTE) is not None:
        fixed = {list(COLOURS)[number] for number in shape_codes.locked(state.lock_colours)}
        for region, goal in _at_fields(other, other).items():
            if region in colours and region not in fixed:
                colours[region] = colours[region] + state.blend * (goal - colours[region])
    return colours


def apply(owner: bpy.types.Object, source: bpy.types.Object | None = None) -> None:
    """Gives an object the colours of its fields, or of those of its evaluated ``source``; nothing if it has them."""
    if not has_palette(owner):
        return
    wanted = colours_of(owner, source)
    image = texture_of(owner)
    if image is None:
        for material in _materials(owner):
            _colour_material(material, wanted)
        return
    now = np.array(list(wanted.values()), np.float32)
    if _shown.get(image.session_uid) == now.tobytes():
        return
    if list(image.size) != list(owner.unrender.base_texture.size):
        return  # somebody gave the material another texture, or scaled it
    flat = _recolouring(owner).colours(now)
    if image.session_uid in _shown or not _has_pixels(image, flat):
        image.pixels.foreach_set(flat.reshape(-1))
        image.update()
        _unpacked.add(image.session_uid)
    _shown[image.session_uid] = now.tobytes()


def texture_of(owner: bpy.types.Object) -> bpy.types.Image | None:
    """Returns the image that is an object's base colour, None where its material has none."""
    material = owner.active_material
    nodes = material.node_tree.nodes if material is not None and material.node_tree is not None else ()
    if not any(node.bl_idname == "ShaderNodeBsdfPrincipled" for node in nodes):
        return None
    colour = looks.principled(material).inputs["Base Color"]
    image: bpy.types.Image | None = getattr(colour.links[0].from_node, "image", None) if colour.is_linked else None
    return image


def _at_fields(owner: bpy.types.Object, source: bpy.types.Object) -> dict[str, np.ndarray]:
    """Returns the colours of an object's regions at the fields of ``source``, without its blend."""
    state, colours = source.unrender, found_of(owner)
    for region in colours:
        if region in COLOURS:
            colours[region] = np.array(getattr(state, field_of(region)), np.float64)
    if SECOND in colours and not state.two_tone:
        colours[SECOND] = colours["paint"]
    return colours


def _materials(owner: bpy.types.Object) -> list[bpy.types.Material]:
    """Returns the materials of an object and its wheels, each once."""
    objects = (owner, *parts.turning(owner))
    return list(dict.fromkeys(slot.material for one in objects for slot in one.material_slots if slot.material))


def _colour_material(material: bpy.types.Material, colours: dict[str, np.ndarray]) -> None:
    """Gives a material that is one region's alone that region's colour; others are left alone."""
    region = material.get(REGION)
    if region not in colours or material.node_tree is None:
        return
    colour = (*Color(colours[region].tolist()).from_srgb_to_scene_linear(), 1.0)
    socket = looks.principled(material).inputs["Base Color"]
    if np.abs(np.subtract(socket.default_value, colour)).max() > 1e-6:
        socket.default_value = material.diffuse_color = colour


def _recolouring(owner: bpy.types.Object) -> region_map.Recolouring:
    """Returns what recolours an object's texture; its texels are in Blender's own order, from the bottom row up."""
    state = owner.unrender
    key = (state.base_texture.session_uid, state.region_map.session_uid)
    if key in _ready:
        _ready[key] = _ready.pop(key)  # the latest stay
        return _ready[key]
    while len(_ready) >= KEPT:
        del _ready[next(iter(_ready))]
    found = np.array(list(found_of(owner).values()))
    _ready[key] = region_map.Recolouring(_bytes_of(state.base_texture), _bytes_of(state.region_map), found)
    return _ready[key]


def _bytes_of(image: bpy.types.Image) -> np.ndarray:
    """Returns an image's colours (H * W, 3) uint8 in Blender's own order."""
    return pixels.to_bytes(pixels.read(image)[::-1, :, :3]).reshape(-1, 3)


def _has_pixels(image: bpy.types.Image, flat: np.ndarray) -> bool:
    """Says whether an image shows pixels (P, 4): after a file was opened or undo nobody knows."""
    return np.array_equal(_bytes_of(image), pixels.to_bytes(flat[:, :3]))


def _look_at_all() -> None:
    """Brings every object's texture to what its fields say, whatever it shows."""
    known = set(_shown)
    _shown.clear()
    for owner in bpy.data.objects:
        if not owner.unrender.is_unrender or not has_palette(owner):
            continue
        image = texture_of(owner)
        try:
            if image is None or image.session_uid in known or _moved(owner):
                apply(owner)
        except (ValueError, TypeError, LookupError, AttributeError) as error:  # the others still get theirs
            print(f"The colours of {owner.name} are damaged: {error}", file=sys.stderr)


def _moved(owner: bpy.types.Object) -> bool:
    found, now = found_of(owner), colours_of(owner)
    return any(np.abs(found[region] - now[region]).max() > _SAME for region in found)


@persistent
def _pack_changed(_path: object, _depsgraph: object = None) -> None:
    """Before a file is saved: the textures that colours changed go into it."""
    for image in bpy.data.images:
        if image.session_uid in _unpacked and image.is_dirty:
            image.pack()
    _unpacked.clear()


@persistent
def _after_load(_path: object, _depsgraph: object = None) -> None:
    """After another file is opened: one that was saved by itself may hold older pixels than its fields say."""
    _forget()
    _look_at_all()


@persistent
def _after_undo(_scene: object, _depsgraph: object = None) -> None:
    """Undo brings back the fields, but not the pixels."""
    _look_at_all()


def _forget() -> None:
    _ready.clear()
    _shown.clear()
    _unpacked.clear()


HANDLERS = (
    ("save_pre", _pack_changed),
    ("load_post", _after_load),
    ("undo_post", _after_undo),
    ("redo_post", _after_undo),
)


def register() -> None:
    """Adds the handlers."""
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)


def unregister() -> None:
    """Removes the handlers."""
    for name, handler in HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    _forget()

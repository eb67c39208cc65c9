# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a duplicate shares with its original, and how it becomes the object's own.

Blender's duplicates share materials, images and the camera, and linked ones the mesh. They go on doing so until a
slider moves: then the object whose slider it is gets what it lacks, and nothing changes at the other. The original
keeps its camera, for that is the scene's.
"""

from __future__ import annotations

from collections.abc import Iterable

import bpy

from . import key_looks, looks, parts, textures

_known: list[bpy.types.Object] | None = None
"""All objects that were made here; None: they have to be looked for."""
_noted: set[int] = set()
"""Which objects have been taken note of, by their numbers in this session."""
_count = 0
"""How many objects the file had when they were looked for."""


def objects() -> list[bpy.types.Object]:
    """Returns all objects of the file that were made here and can be changed, those from other files not among them."""
    global _known, _count
    if _known is None or _count != len(bpy.data.objects) or not all(map(_is_there, _known)):
        _count = len(bpy.data.objects)
        _known = [one for one in bpy.data.objects if one.library is None and one.unrender.is_unrender]
    return _known


def by_identity(identity: int) -> bpy.types.Object | None:
    """Returns the object of a session's number, None where it is gone."""
    return next((one for one in objects() if one.session_uid == identity), None)


def forget() -> None:
    """Has the objects looked for again: some may have come, gone, or been replaced by undo."""
    global _known
    _known = None


def seen(changed: Iterable[bpy.types.Object]) -> bool:
    """Looks at objects that were changed; says whether any was made here, and takes note of new ones."""
    ours = [one for one in changed if one.unrender.is_unrender]
    if any(one.session_uid not in _noted for one in ours):
        forget()
        mark()
    return bool(ours)


def mark() -> None:
    """Takes note of which object each camera was made for, while that is known: names change, and sessions end."""
    _noted.update(one.session_uid for one in objects())
    for camera in {one.unrender.camera for one in objects()} - {None}:
        sharing = _sharing(camera)
        first = original(sharing)
        for one in sharing:
            name = one.name if one == first else ""
            if one.unrender.original_name != name:
                one.unrender.original_name = name


def original(sharing: list[bpy.types.Object]) -> bpy.types.Object:
    """Returns which of the objects that share a camera is not a duplicate: the one with the mark, else the oldest."""
    marked = [one for one in sharing if one.unrender.original_name] or sharing
    return min(marked, key=lambda one: (one.unrender.original_name != one.name, one.session_uid))


def is_original(owner: bpy.types.Object) -> bool:
    """Says whether the camera of an object was made for it."""
    camera = owner.unrender.camera
    return camera is None or original(_sharing(camera)) == owner


def own_camera(owner: bpy.types.Object) -> bpy.types.Object | None:
    """Returns an object's camera, which is its own from now on; None where it has none."""
    state = owner.unrender
    camera = state.camera
    if camera is None or is_original(owner):
        return camera
    first = original(_sharing(camera))
    own = camera.copy()
    own.name = f"{owner.name} camera"
    own.data = camera.data.copy()
    own.data.name = own.name
    if camera.parent == first:
        own.parent = owner
    for collection in owner.users_collection:
        collection.objects.link(own)
    # The light came with the original: nothing that happens to a duplicate shall take it away.
    state.camera, state.world, state.original_name = own, None, owner.name
    forget()
    return own


def own_meshes(owner: bpy.types.Object) -> None:
    """Gives an object and its wheels meshes of their own."""
    for one in family(owner):
        parts.own_mesh(one)


def own_look(owner: bpy.types.Object) -> None:
    """Gives an object and its wheels materials of their own, and a texture of their own in these."""
    of_owner = family(owner)
    shared = [one for one in _materials(of_owner) if _is_shared(one, of_owner)]
    if shared:
        own_meshes(owner)
    for material in shared:
        own = material.copy()
        for slot in (slot for one in of_owner for slot in one.material_slots if slot.material == material):
            slot.material = own
        if looks.driver_of(material) == owner and (heirs := _with_material(material)):
            looks.drive(material, heirs[0])
        looks.drive(own, owner)
    _own_texture(owner, _materials(of_owner))


def separate_looks() -> None:
    """Gives objects looks of their own whose slider *Photo*, or whose shape key of two looks, says something else than
    what their material shows."""
    for owner in objects():
        shown = owner.get(looks.PHOTO)
        driver = looks.driver_of(owner.active_material) if shown is not None else None
        if driver is not None and driver != owner and driver.get(looks.PHOTO) != shown:
            own_look(owner)
        _follow_own_key(owner)


def _follow_own_key(owner: bpy.types.Object) -> None:
    """Gives an object a look of its own where that follows a shape key of another object's mesh."""
    key = key_looks.key_of(owner)
    if key is None or key_looks.followed(owner.active_material) in (None, key.id_data):
        return
    own_look(owner)
    for material in _materials(family(owner)):
        key_looks.follow(material, key)


def family(owner: bpy.types.Object) -> list[bpy.types.Object]:
    """Returns an object and its wheels."""
    return [owner, *parts.turning(owner)]


def _own_texture(owner: bpy.types.Object, materials: list[bpy.types.Material]) -> None:
    image = textures.texture_of(owner)
    if image is None or image.users - image.use_fake_user <= sum(len(_nodes_with(image, one)) for one in materials):
        return
    if not any(_nodes_with(image, one) for one in bpy.data.materials if one not in materials):
        return  # an editor shows it
    own = textures.copied(image)
    for material in materials:
        for node in _nodes_with(image, material):
            node.image = own


def _nodes_with(image: bpy.types.Image, material: bpy.types.Material) -> list[bpy.types.Node]:
    nodes = material.node_tree.nodes if material.node_tree is not None else ()
    return [node for node in nodes if getattr(node, "image", None) == image]


def _materials(of_owner: list[bpy.types.Object]) -> list[bpy.types.Material]:
    """Returns the materials of objects, each once."""
    slots = (slot.material for one in of_owner for slot in one.material_slots)
    return list(dict.fromkeys(material for material in slots if material is not None))


def _is_shared(material: bpy.types.Material, of_owner: list[bpy.types.Object]) -> bool:
    """Says whether a material is also another object's than those of one owner."""
    if material.users - material.use_fake_user <= sum(
        slot.material == material for one in of_owner for slot in one.material_slots
    ) and all(one.data.users == 1 for one in of_owner):
        return False
    return any(
        slot.material == material for one in bpy.data.objects if one not in of_owner for slot in one.material_slots
    )


def _with_material(material: bpy.types.Material) -> list[bpy.types.Object]:
    """Returns the objects made here that have a material, the oldest first."""
    found = [one for one in objects() if any(slot.material == material for slot in one.material_slots)]
    return sorted(found, key=lambda one: one.session_uid)


def _sharing(camera: bpy.types.Object) -> list[bpy.types.Object]:
    return [one for one in objects() if one.unrender.camera == camera]


def _is_there(one: bpy.types.Object) -> bool:
    try:
        return bool(one.name)
    except ReferenceError:  # it was removed
        return False

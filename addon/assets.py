# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""An object as an asset of Blender's Asset Browser, on request: with its wheels, with a picture, and taken back whole.

Blender brings an asset's children only where the asset is a collection. So an object with wheels gets one of its own,
which is in no scene and holds neither cameras nor ground; an object of one piece is the asset itself.
"""

from __future__ import annotations

import os

import bpy

from . import parts

OF = "unrender_asset_of"
"""Property of a collection: the object that it makes an asset of."""
TAG = "Unrender"


def marked(owner: bpy.types.Object) -> bpy.types.ID | None:
    """Returns the asset that an object is, itself or the collection with its wheels; None where it is none."""
    if owner.asset_data is not None:
        return owner
    collections = bpy.data.collections
    return next((one for one in collections if one.get(OF) == owner and one.asset_data is not None), None)


def refusal(owner: bpy.types.Object) -> str:
    """Returns why an object cannot become an asset, or be none any more, in one sentence; empty where it can."""
    if owner.library is not None or owner.override_library is not None:
        return f"{owner.name} comes from another file: mark it there"
    return ""


def mark(owner: bpy.types.Object) -> bpy.types.ID:
    """Makes an object an asset with a picture; returns the asset. Nothing of the scene, nor the selection, changes."""
    wheels = parts.turning(owner)
    asset: bpy.types.Object | bpy.types.Collection = owner
    if wheels:
        asset = bpy.data.collections.new(owner.name)
        asset[OF] = owner
        for one in (owner, *wheels):
            asset.objects.link(one)
        asset.instance_offset = owner.matrix_world.translation  # it comes to where the mouse is, not beside it
    asset.asset_mark()
    photo = os.path.basename(bpy.path.native_pathsep(owner.unrender.photo_path))
    asset.asset_data.description = f"Made from {photo}" if photo else "Made from a seed"
    for tag in (TAG, owner.unrender.bundle):
        if tag:
            asset.asset_data.tags.new(tag, skip_if_exists=True)
    asset.asset_generate_preview()
    return asset


def clear(owner: bpy.types.Object) -> None:
    """Takes it back: what was added to the file for it goes."""
    asset = marked(owner)
    if asset is None:
        return
    asset.asset_clear()
    if isinstance(asset, bpy.types.Collection):
        bpy.data.collections.remove(asset)

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A scene renders like an object's photo, and goes back to how it was: camera, size, light and plain colours.

What was there before is kept with the scene, worlds and cameras as pointers, which count as users: nothing is lost
however often the file is saved in between.
"""

from __future__ import annotations

import json
from typing import Any

import bpy

from . import compositor, scene
from .wire import json_files

_RENDER = ("resolution_x", "resolution_y", "resolution_percentage", "pixel_aspect_x", "pixel_aspect_y")
_FURTHER_RENDER = ("film_transparent", "engine")
_COLOURS = ("view_transform", "look", "exposure", "gamma")


def match(target: bpy.types.Scene, owner: bpy.types.Object) -> None:
    """Gives a scene the camera, the picture's size, the light and the colours of an object's photo.

    Of what the scene had before the first match everything is kept for :func:`take_back`. Raises ValueError where the
    object has no camera any more.
    """
    camera = owner.unrender.camera
    if camera is None:
        raise ValueError(f"The camera of {owner.name} was deleted: make the object again from its photo.")
    if not is_matched(target):
        _keep(target)
    target.unrender.matched = owner
    scene.render_like_the_photo(target, camera, owner.unrender.world, *photo_size(owner, camera))


def render_with_cycles(target: bpy.types.Scene) -> None:
    """Has a matched scene rendered by the engine that knows of ground which catches shadows.

    Some builds of Blender have no denoiser, and then refuse to render with one. Raises ValueError without Cycles.
    """
    try:
        target.render.engine = "CYCLES"  # type: ignore[assignment] # an add-on, so the stubs do not know it
        import _cycles  # type: ignore[import-not-found]
    except (ImportError, TypeError) as error:
        raise ValueError("Shadows on the ground need Cycles: enable it among Blender's add-ons.") from error
    if not getattr(_cycles, "with_openimagedenoise", True):
        target.cycles.use_denoising = False


def is_matched(target: bpy.types.Scene) -> bool:
    """Says whether :func:`take_back` has something to bring back."""
    return bool(target.unrender.before)


def take_back(target: bpy.types.Scene) -> None:
    """Brings back what a scene had before :func:`match`. What the user has set since then is overwritten by it."""
    settings = target.unrender
    if not settings.before:
        return
    try:
        kept: dict[str, Any] = json_files.parse_object(settings.before, "What the scene had before")
    except json_files.JsonError:  # a file that somebody else made
        kept = {}
    target.camera, target.world = settings.before_camera, settings.before_world
    compositor.give_back(target)
    groups = {"render": target.render, "colours": target.view_settings, "cycles": getattr(target, "cycles", None)}
    for group, owner in groups.items():
        values = kept.get(group, {})
        for name, value in values.items() if isinstance(values, dict) else ():
            if name not in (*_RENDER, *_FURTHER_RENDER, *_COLOURS, "use_denoising"):
                continue
            try:
                setattr(owner, name, value)
            except (AttributeError, TypeError, ValueError):  # a look or an engine that is not here
                continue
    for name in ("before", "before_camera", "before_world", "matched"):
        settings.property_unset(name)


def photo_size(owner: bpy.types.Object, camera: bpy.types.Object) -> tuple[int, int]:
    """Returns the width and height in pixels of an object's photo, (0, 0) where nothing tells."""
    if owner.get(scene.PHOTO_SIZE) is not None:
        width, height = owner[scene.PHOTO_SIZE]
        return int(width), int(height)
    for background in camera.data.background_images:
        if background.image is not None:
            return tuple(background.image.size)
    return 0, 0


def _keep(target: bpy.types.Scene) -> None:
    settings, render, colours = target.unrender, target.render, target.view_settings
    settings.before_camera, settings.before_world = target.camera, target.world
    settings.before = json.dumps(
        {
            "render": {name: getattr(render, name) for name in (*_RENDER, *_FURTHER_RENDER)},
            "colours": {name: getattr(colours, name) for name in _COLOURS},
            "cycles": {"use_denoising": target.cycles.use_denoising} if hasattr(target, "cycles") else {},
        }
    )

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN-R's picture of an object's camera, shape, texture and background: asked for, shown, following the sliders.

Following looks at the object's handles a few times a second and asks again when one has moved, but never while a
picture is under way: of the positions that a drag passes through only the latest is worth one. Nothing of the scene
changes but the image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import bpy
import numpy as np
from bpy.app.handlers import persistent

from . import handles, neural_texture, parts, pixels, places, preferences, proportions, scene, session
from .camera import camera_from_numbers
from .environment import NoEnvironment
from .wire import bundle_files, client, pinhole, records

FOLLOW_SECONDS, POLL_SECONDS = 0.05, 0.01
"""Time between two looks at an object's handles, and at the worker while a picture is under way."""
FILLED = 0.8
"""Part of the picture's side that the object takes, as its photo saw it and at zoom 1."""
SMALLEST, LARGEST = 0.6, 0.95
"""The same part, at least and at most: StyleGAN-R has seen no pictures with smaller or larger objects."""
GREY = (0.5, 0.5, 0.5)
"""sRGB colour of the background where an object has none of its own."""
IMAGE_OF = "unrender_neural_render"
"""Property of an image: the name of the object that it is a neural render of."""


@dataclass
class Following:
    """What is under way, and what the panel shows of it. Never saved."""

    on: bool = False
    """Whether pictures follow the active object's handles."""
    dual: bool = False
    """Whether the picture of the rasteriser stands beside."""
    error: str = ""
    tasks: dict[str, session.RequestTask] = field(default_factory=dict)
    """Requests under way, one an object, by its name."""
    asked: dict[str, Any] = field(default_factory=dict)
    """What the handles of each object said when it was last asked for."""
    answers: dict[str, records.NeuralRender] = field(default_factory=dict)
    shapes: dict[str, tuple[bytes, np.ndarray]] = field(default_factory=dict)
    """The latest code of each object, and its vertices."""


following = Following()


def refusal(owner: bpy.types.Object | None) -> str:
    """Returns why there can be no neural render of an object, in one sentence; empty where there can be one."""
    if owner is None:
        return "Select an object made by Image to 3D"
    if not parts.has_parts(owner):
        return "Neural renders are of objects with parts, such as a car with wheels"
    bundle = owner.unrender.bundle
    folder = places.shape_spaces().get(bundle, Path(bundle))
    if not (folder / bundle_files.STYLE_MAPPING).is_file():
        return f"The weights '{bundle}' have no StyleGAN-R: train one, or make the object with weights that have it"
    if handles.texture_of(owner) is None:
        return f"{owner.name} has no texture: make it with the materials With Maps"
    return ""


def request_of(
    owner: bpy.types.Object, background: np.ndarray | None = None, device: str = ""
) -> records.NeuralRenderRequest:
    """Returns the request for the picture of an object at its handles. Raises ValueError with one sentence.

    ``background`` (h, w, 4) uint8 takes the place of the object's own colour.
    """
    reason = refusal(owner)
    if reason:
        raise ValueError(f"{reason}.")
    code = proportions.code_of(owner)[0]
    return records.NeuralRenderRequest(
        shape_code=code,
        texture=neural_texture.of(owner),
        camera=framed_camera(owner, code),
        background=background_of(owner) if background is None else background,
        bundle=owner.unrender.bundle,
        device=device or preferences.device(),
    )


def framed_camera(owner: bpy.types.Object, code: np.ndarray, azimuth: float | None = None) -> records.Camera:
    """Returns the camera at an object's sliders, or from another ``azimuth``, of the square picture around the object.

    The square is as large as the object of this code (K,) needs from the photo's own side, and larger or smaller only
    where it would take too small or too large a part of it from another.
    """
    now = replace(camera_of(owner), shift_x=0.0, shift_y=0.0)
    found = camera_from_numbers(list(owner[scene.CAMERA]))
    at_first = replace(now, azimuth=found.azimuth, elevation=found.elevation, distance=found.distance)
    vertices = _vertices(owner, code)
    low, high = _box(at_first, vertices)
    now = _enlarged(now, FILLED / float((high - low).max()))
    now = now if azimuth is None else replace(now, azimuth=azimuth)
    low, high = _box(now, vertices)
    share = float((high - low).max())
    now = _enlarged(now, min(max(share, SMALLEST), LARGEST) / share)
    low, high = _box(now, vertices)
    right, down = (low + high) / 2 - 0.5
    return replace(now, shift_x=-float(right), shift_y=float(down))


def camera_of(owner: bpy.types.Object) -> records.Camera:
    """Returns an object's camera at its sliders, of the square picture around the photo's longer side."""
    state, pose = owner.unrender, camera_from_numbers(list(owner[scene.CAMERA]))
    field_of_view = pose.field_of_view
    if state.camera is not None:
        # With the fit AUTO the sensor belongs to the longer side, whatever the photo's shape.
        field_of_view = 2 * math.atan(0.5 * state.camera.data.sensor_width / state.camera.data.lens)
    return replace(
        pose,
        azimuth=state.azimuth,
        elevation=state.elevation,
        distance=pose.distance / state.zoom,
        field_of_view=field_of_view,
    )


def _enlarged(camera: records.Camera, times: float) -> records.Camera:
    return replace(camera, field_of_view=2 * math.atan(math.tan(0.5 * camera.field_of_view) / times))


def _box(camera: records.Camera, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the upper left and the lower right corner of what a camera sees of vertices, in sides of its picture."""
    places_of = pinhole.project(camera, vertices, 1.0, 1.0)
    return places_of.min(axis=0), places_of.max(axis=0)


def _vertices(owner: bpy.types.Object, code: np.ndarray) -> np.ndarray:
    """Returns the canonical vertices (V, 3) of an object's code, again only after it has changed."""
    known = following.shapes.get(owner.name)
    if known is None or known[0] != code.tobytes():
        known = following.shapes[owner.name] = (code.tobytes(), proportions.space_of(owner).vertices(code))
    return known[1]


def background_of(owner: bpy.types.Object) -> np.ndarray:
    """Returns the plain background (1, 1, 4) uint8 of an object."""
    colour = np.array([*getattr(owner.unrender, "background", GREY)][:3], np.float32)
    return np.append(pixels.to_bytes(colour), np.uint8(255))[None, None]


def show(owner: bpy.types.Object, answer: records.NeuralRender) -> bpy.types.Image:
    """Returns the image of an object's neural render, with a picture in it."""
    following.answers[owner.name] = answer
    picture = answer.picture
    if following.dual:
        picture = np.concatenate([over(answer.drawn, background_of(owner)), picture], axis=1)
    height, width = picture.shape[:2]
    image = image_of(owner)
    if image is None:
        image = bpy.data.images.new(f"{owner.name} neural render", width, height)
        image[IMAGE_OF] = owner.name
    if tuple(image.size) != (width, height):
        image.scale(width, height)
    pixels.write(image, picture)
    image.pack()  # an image that no file has is lost with the window
    _show_small(image, picture)
    return image


def over(drawn: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Returns what the rasteriser drew (R, R, 4) uint8 over a background, as (R, R, 3) uint8."""
    side = len(drawn)
    behind = pixels.resized(background[..., :3].astype(np.float32) / 255, side, side)
    alpha = drawn[..., 3:].astype(np.float32) / 255
    return pixels.to_bytes(drawn[..., :3].astype(np.float32) / 255 * alpha + behind * (1 - alpha))


def image_of(owner: bpy.types.Object) -> bpy.types.Image | None:
    """Returns the image of an object's neural render, None where there is none yet."""
    return next((image for image in bpy.data.images if image.get(IMAGE_OF) == owner.name), None)


def editors() -> list[bpy.types.Space]:
    """Returns the image editors that can show a picture: first those that show a neural render already."""
    spaces = [
        area.spaces.active
        for window in bpy.context.window_manager.windows
        for area in window.screen.areas
        if area.ui_type == "IMAGE_EDITOR"
    ]
    return sorted(spaces, key=lambda space: space.image is None or space.image.get(IMAGE_OF) is None)


def open_in_editor(image: bpy.types.Image) -> bool:
    """Shows an image in an image editor; False where none is open."""
    found = editors()
    if found and found[0].image != image:
        found[0].image = image
    return bool(found)


def is_shown(image: bpy.types.Image) -> bool:
    """Says whether an image editor shows an image."""
    return any(space.image == image for space in editors())


def follow(on: bool) -> None:
    """Begins to follow the active object's handles, or ends it."""
    following.on, following.error = on, ""
    following.asked.clear()
    if on and not bpy.app.background and not bpy.app.timers.is_registered(_look):
        bpy.app.timers.register(_look, first_interval=0.0)


def look() -> None:
    """Takes in the pictures that have come; while following, asks for the next one if a handle has moved."""
    for name, task in list(following.tasks.items()):
        task.poll()
        if not task.done:
            continue
        del following.tasks[name]
        _take(bpy.data.objects.get(name), task)
    # Timers have no window, and so no active object of a window.
    seen = SimpleNamespace(active_object=bpy.context.view_layer.objects.active, scene=bpy.context.scene)
    owner = handles.active_object(seen) if following.on else None  # type: ignore[arg-type]
    if owner is None or owner.name in following.tasks or refusal(owner):
        return
    try:
        now = _state_of(owner)
    except ValueError as error:
        now = str(error)
    if following.asked.get(owner.name) != now:
        following.asked[owner.name] = now
        _ask(owner)
    elif neural_texture.was_painted(owner):
        _ask(owner)


def _state_of(owner: bpy.types.Object) -> Any:
    """Returns what a neural render of an object depends on but for the texels. Raises ValueError with one sentence."""
    return (
        proportions.code_of(owner)[0].tobytes(),
        camera_of(owner),
        background_of(owner).tobytes(),
        neural_texture.look_of(owner),
    )


def _ask(owner: bpy.types.Object) -> None:
    try:
        following.tasks[owner.name] = session.request(request_of(owner), key=f"neural render of {owner.name}")
    except (NoEnvironment, ValueError) as error:
        following.error = str(error)
        session.redraw()


def _take(owner: bpy.types.Object | None, task: session.RequestTask) -> None:
    """Shows the outcome of a request whose object is still there."""
    try:
        answer = task.outcome()
    except client.WorkerCancelled:
        return
    except client.WorkerError as error:
        following.error = str(error)
    else:
        following.error = ""
        if owner is not None:
            image = show(owner, answer)
            if following.on:
                open_in_editor(image)
    redraw()


def redraw() -> None:
    """Has the image editors and the panels drawn again."""
    session.redraw()
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type == "IMAGE_EDITOR":
                area.tag_redraw()


def _look() -> float | None:
    """Timer of :func:`look`; ends itself when nothing is followed and nothing under way."""
    look()
    if following.tasks:
        return POLL_SECONDS
    return FOLLOW_SECONDS if following.on else None


def _show_small(image: bpy.types.Image, picture: np.ndarray) -> None:
    """Gives an image the small picture that the panel draws."""
    preview = image.preview_ensure()
    if preview is None:
        return
    side = max(picture.shape[:2])
    small = np.zeros((side, side, 4), np.float32)
    top, left = (side - picture.shape[0]) // 2, (side - picture.shape[1]) // 2
    part = small[top : top + picture.shape[0], left : left + picture.shape[1]]
    part[..., :3], part[..., 3] = picture.astype(np.float32) / 255, 1.0
    preview.image_size = (side, side)
    preview.image_pixels_float.foreach_set(np.ascontiguousarray(small[::-1]).reshape(-1))


@persistent
def _forget(_path: object, _depsgraph: object = None) -> None:
    """After another file is opened: what was under way belongs to objects that are gone."""
    following.tasks.clear()
    following.asked.clear()
    following.answers.clear()
    neural_texture.forget()
    following.shapes.clear()
    following.error = ""
    if following.on and not bpy.app.background and not bpy.app.timers.is_registered(_look):
        bpy.app.timers.register(_look, first_interval=FOLLOW_SECONDS)  # timers end with the file


def register() -> None:
    """Adds the handler."""
    bpy.app.handlers.load_post.append(_forget)


def unregister() -> None:
    """Removes the handler and the timer."""
    bpy.app.handlers.load_post.remove(_forget)
    following.__init__()  # type: ignore[misc]
    neural_texture.forget()
    if bpy.app.timers.is_registered(_look):
        bpy.app.timers.unregister(_look)

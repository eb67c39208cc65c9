# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of the panel that annotates views: the contents of each view, and a compass for every azimuth bin.

Blender's panels show square icons alone, so a strip of contents becomes one icon a content.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import bpy
import bpy.utils.previews
import numpy as np

from . import pixels
from .annotation import place_on_ring
from .wire import view_set

USUAL_CONTENTS, MOST_CONTENTS = 4, 8
LARGEST_SIDE = 128
"""Side of an icon in pixels: what a wide sidebar shows."""
SMALL_SIDE, LARGE_SIDE = 32, 128
"""Sides in pixels of a compass on a button and of the one in the middle of the ring."""
FACING_COLOUR = (0.95, 0.55, 0.15)
QUIET_COLOUR = (0.55, 0.55, 0.55)

_collection: bpy.utils.previews.ImagePreviewCollection | None = None
_icons: dict[str, list[int]] = {}
"""Numbers of the icons: of the views by the text of their id, of the bins by names of their own."""


def load(views: view_set.ViewSet, report: Callable[[float], None] = lambda fraction: None) -> int:
    """Reads the pictures of all views in place of those before; returns how many views have none.

    ``report`` is told the fraction that is done. Not to be called while a panel is drawn: Blender reads pictures as
    data of the open file, for a moment.
    """
    free()
    missing, count = 0, views.more.get("contents")
    contents = count if isinstance(count, int) else 0
    for number, view in enumerate(views.views):
        strip = _read(str(views.candidate_path(view)))
        if strip is None:
            missing += 1
        else:
            _icons[str(view.identity)] = [
                _new_icon(f"{view.identity}/{place}", part) for place, part in enumerate(contents_of(strip, contents))
            ]
        report((number + 1) / len(views.views))
    return missing


def icons_of(view: view_set.View) -> list[int]:
    """Returns the numbers of a view's icons, one a content; empty where there is no picture."""
    return _icons.get(str(view.identity), [])


def small_compass(number: int) -> int:
    """Returns the icon for the button of a bin: an arrow to where the object faces, seen from above."""
    return _compass(f"small/{number}", lambda: compass(number, SMALL_SIDE, with_ring=False))


def large_compass(number: int | None) -> int:
    """Returns the icon for the middle of the ring; None: nothing is chosen."""
    return _compass(f"large/{number}", lambda: compass(number, LARGE_SIDE, with_ring=True))


def free() -> None:
    """Frees all pictures."""
    global _collection
    _icons.clear()
    if _collection is not None:
        bpy.utils.previews.remove(_collection)
        _collection = None


def contents_of(strip: np.ndarray, count: int = 0) -> list[np.ndarray]:
    """Cuts a strip (H, W, 4) into ``count`` contents side by side, as squares of at most :data:`LARGEST_SIDE`.

    With a count of 0 the contents are squares where that fits, and else as many as a view set usually shows. What a
    content lacks of a square is transparent.
    """
    height, width = strip.shape[:2]
    if not count:
        count = width // height if width % height == 0 else USUAL_CONTENTS
    count = min(max(count, 1), MOST_CONTENTS, width)
    edges = np.linspace(0, width, count + 1).astype(int)
    step = max(1, math.ceil(max(height, width // count) / LARGEST_SIDE))
    return [squared(reduced(strip[:, left:right], step)) for left, right in zip(edges[:-1], edges[1:], strict=True)]


def squared(picture: np.ndarray) -> np.ndarray:
    """Returns a picture (H, W, C) in the middle of a square of zeros."""
    height, width = picture.shape[:2]
    side = max(height, width)
    result = np.zeros((side, side, picture.shape[2]), picture.dtype)
    top, left = (side - height) // 2, (side - width) // 2
    result[top : top + height, left : left + width] = picture
    return result


def reduced(picture: np.ndarray, step: int) -> np.ndarray:
    """Returns the means of blocks of ``step`` x ``step`` pixels; what is left over at right and bottom is cut off."""
    height, width = (max(size // step, 1) for size in picture.shape[:2])
    cut = picture[: height * step, : width * step]
    step_y, step_x = cut.shape[0] // height, cut.shape[1] // width
    return cut.reshape(height, step_y, width, step_x, -1).mean((1, 3))


@functools.cache
def compass(number: int | None, side: int, with_ring: bool) -> np.ndarray:
    """Draws an arrow (side, side, 4) in [0, 1] for a bin, and around it a ring with a dot a bin."""
    samples = 4  # a pixel's side, for smooth edges
    position = (np.arange(side * samples) + 0.5) / (side * samples) * 2 - 1
    x, y = position[None, :], -position[:, None]
    size = 0.62 if with_ring else 0.95
    layers: list[tuple[np.ndarray, tuple[float, float, float]]] = []
    if with_ring:
        for other in range(view_set.NUMBER_OF_BINS):
            right, up = place_on_ring(other)
            is_chosen = other == number
            inside = (x - 0.88 * right) ** 2 + (y - 0.88 * up) ** 2 < (0.1 if is_chosen else 0.055) ** 2
            layers.append((inside, FACING_COLOUR if is_chosen else QUIET_COLOUR))
    if number is not None:
        right, up = place_on_ring(number)
        along, across = (x * right + y * up) / size, np.abs(x * up - y * right) / size
        # A dart: broad behind, with a notch, and pointed in front.
        inside = (across < 0.42 * (1 - along)) & (along > -0.9 + 0.7 * np.maximum(0.6 - across, 0))
        layers.append((inside & (along < 1), FACING_COLOUR))
    picture = np.zeros((side * samples, side * samples, 4))
    for inside, colour in layers:
        picture[inside] = (*colour, 1.0)
    weights = reduced(picture[..., 3:], samples)
    colours = reduced(picture[..., :3], samples) / np.maximum(weights, 1e-6)
    return np.concatenate([colours, weights], -1).astype(np.float32)


def _compass(key: str, draw: Callable[[], np.ndarray]) -> int:
    if key not in _icons:
        _icons[key] = [_new_icon(key, draw())]
    return _icons[key][0]


def _read(path: str) -> np.ndarray | None:
    """Returns a picture file's pixels (H, W, 4), or None where there is no picture that can be read."""
    try:
        image = bpy.data.images.load(path)
    except RuntimeError:
        return None
    try:
        # Pictures are shown as they are: no conversion to linear light on the way.
        image.colorspace_settings.name = "Non-Color"  # type: ignore[assignment]
        return pixels.read(image)
    except (TypeError, ValueError):
        return None
    finally:
        bpy.data.images.remove(image)


def _new_icon(key: str, picture: np.ndarray) -> int:
    """Makes a preview of a picture (H, W, 4) with row 0 at the top and returns its icon's number."""
    global _collection
    if _collection is None:
        _collection = bpy.utils.previews.new()
    preview = _collection.new(key)
    flat = np.ascontiguousarray(picture[::-1], np.float32).reshape(-1)
    preview.image_size = picture.shape[1::-1]
    preview.image_pixels_float.foreach_set(flat)
    if max(picture.shape[:2]) <= SMALL_SIDE:
        # Buttons show the other picture of a preview, which Blender does not make by itself.
        preview.icon_size = picture.shape[1::-1]
        preview.icon_pixels_float.foreach_set(flat)
    return preview.icon_id

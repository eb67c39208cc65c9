# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A photo that takes an editor's place for a while, to be clicked on; then everything is as it was before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from . import exif, pixels
from .view_pictures import reduced

LONGEST_SIDE = 2048
"""Pixels that are shown of a photo, at most."""
DIMMED = 0.22
"""Brightness of what is no part of the object."""
TICKS_TO_FIT = 3
"""How often the photo is fitted into the editor: its size is known only once it was drawn."""
_EDITOR = "IMAGE_EDITOR"
_HIDDEN = ("show_region_toolbar", "show_region_ui", "show_region_tool_header", "show_gizmo")
"""What would lie over the photo."""


@dataclass(frozen=True)
class Photo:
    """An upright photo at the size in which it is shown."""

    colours: np.ndarray
    """(h, w, 3) float32 in [0, 1], row 0 at the top."""
    width: float
    height: float
    """Pixels of the upright file that ``colours`` shows."""

    def point(self, right: float, down: float) -> tuple[float, float]:
        """Returns the pixels of the upright file, from its upper left, of a place in fractions of the photo."""
        return right * self.width, down * self.height

    def cut_out(self, mask: np.ndarray) -> np.ndarray:
        """Returns the photo (h, w, 3) float32 with all dimmed that a mask (H, W) uint8 of any size leaves out."""
        weight = pixels.resized(mask[..., None], *self.colours.shape[:2]) / 255
        return self.colours * (DIMMED + (1 - DIMMED) * weight)


def load(path: str) -> Photo:
    """Reads a photo as Blender does and turns it upright. Raises ValueError where it cannot be shown, OSError."""
    name = Path(path).name
    try:
        turn = exif.orientation(path)
        image = bpy.data.images.load(path)
    except FileNotFoundError:
        raise ValueError(f"{name} was not found: it may have been moved or renamed.") from None
    except RuntimeError:
        raise ValueError(_cannot_be_shown(name)) from None
    try:
        # Pictures are shown as they are: no conversion to linear light on the way.
        image.colorspace_settings.name = "Non-Color"  # type: ignore[assignment]
        stored = pixels.read(image)
    except (TypeError, ValueError):
        raise ValueError(_cannot_be_shown(name)) from None
    finally:
        bpy.data.images.remove(image)
    turned = exif.upright(stored[..., :3], turn)
    step = math.ceil(max(turned.shape[:2]) / LONGEST_SIDE)
    shown = reduced(turned, step)
    return Photo(shown, shown.shape[1] * step, shown.shape[0] * step)


def _cannot_be_shown(name: str) -> str:
    return f"Blender cannot show {name}: save it as PNG or JPEG to click in it, or use Cut Out."


class PhotoView:
    """An area of the window that shows a photo instead of its editor."""

    def __init__(self, window: bpy.types.Window, area: bpy.types.Area, photo: Photo):
        self._window, self._area = window, area
        self._editor = area.ui_type
        height, width = photo.colours.shape[:2]
        image = bpy.data.images.new("Unrender photo", width, height)
        self._image = image.name  # references to images do not outlive an undo
        self.show(photo.colours)
        area.ui_type = _EDITOR
        space = area.spaces.active
        self._image_before = space.image.name if space.image is not None else ""
        self._flags = {name: getattr(space, name) for name in _HIDDEN if hasattr(space, name)}
        for name in self._flags:
            setattr(space, name, False)
        space.image = image
        self._fits_left = TICKS_TO_FIT

    def show(self, colours: np.ndarray) -> None:
        """Shows another picture (h, w, 3) of the photo's size."""
        pixels.write(bpy.data.images[self._image], pixels.to_bytes(colours))
        self._area.tag_redraw()

    def say(self, sentence: str) -> None:
        """Shows a sentence in the editor's header and in the window's status bar."""
        self._area.header_text_set(sentence)
        self._window.workspace.status_text_set(sentence)

    def fit(self) -> None:
        """Fits the photo into the editor, the first times that it is called."""
        if self._fits_left == 0:
            return
        self._fits_left -= 1
        with bpy.context.temp_override(window=self._window, area=self._area, region=self._region()):
            bpy.ops.image.view_all(fit_view=True)

    def place_at(self, x: int, y: int) -> tuple[float, float] | None:
        """Returns the place under the mouse, in fractions from the photo's upper left; None outside of the photo."""
        for region in self._area.regions:
            is_over = region.x <= x < region.x + region.width and region.y <= y < region.y + region.height
            if region.type == "WINDOW" and not is_over or region.type != "WINDOW" and is_over and region.height > 1:
                return None
        region = self._region()
        right, up = region.view2d.region_to_view(x - region.x, y - region.y)
        return (right, 1 - up) if 0 <= right < 1 and 0 < up <= 1 else None

    def close(self) -> None:
        """Puts everything back."""
        image: bpy.types.Image | None = bpy.data.images.get(self._image)
        try:
            self.say(None)  # type: ignore[arg-type] # None is no text: Blender's own is back
            space = self._area.spaces.active
            if self._area.type == _EDITOR:
                for name, value in self._flags.items():
                    setattr(space, name, value)
                space.image = bpy.data.images.get(self._image_before)
                self._area.ui_type = self._editor
        except ReferenceError:
            pass  # the area is gone, as after another file was opened
        if image is not None:
            bpy.data.images.remove(image)

    def _region(self) -> bpy.types.Region:
        return next(region for region in self._area.regions if region.type == "WINDOW")


def area_for(context: bpy.types.Context) -> bpy.types.Area | None:
    """Returns the area whose place a photo can take: the viewport that was clicked in, else the window's largest."""
    if context.area is not None and context.area.type == "VIEW_3D":
        return context.area
    areas = list(context.window.screen.areas) if context.window is not None else []
    viewports = [area for area in areas if area.type == "VIEW_3D"] or areas
    return max(viewports, key=lambda area: area.width * area.height, default=None)

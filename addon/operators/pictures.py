# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where pictures come from: dropped onto a viewport, chosen in the Add and Import menus, shown in an Image Editor."""

from __future__ import annotations

import os
import re

import bpy
from bpy.props import BoolProperty, CollectionProperty, StringProperty

from .. import pixels, places, session
from ..wire import pictures


class UNRENDER_OT_add_pictures(bpy.types.Operator):
    """Make an object from each of several photos, one after the other"""

    bl_idname = "unrender.add_pictures"
    bl_label = "Image to 3D"

    directory: StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE", "HIDDEN"})
    files: CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE", "HIDDEN"})
    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE", "HIDDEN"})
    filter_image: BoolProperty(default=True, options={"SKIP_SAVE", "HIDDEN"})
    filter_folder: BoolProperty(default=True, options={"SKIP_SAVE", "HIDDEN"})

    def invoke(self, context: bpy.types.Context, _event: bpy.types.Event) -> set[str]:
        """Asks for pictures, unless they were dropped."""
        if self.files or self.filepath:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Has the pictures wait behind those that do already, and starts if nothing runs."""
        paths = [os.path.join(self.directory, one.name) for one in self.files if one.name] or [self.filepath]
        paths = [os.path.normpath(bpy.path.abspath(path)) for path in paths if path]
        if not paths:
            self.report({"ERROR"}, "Choose at least one picture.")
            return {"CANCELLED"}
        status, settings = session.status, context.scene.unrender
        queued = len(paths) > 1 or status.running or any(not one.error for one in status.queue)
        settings.image_path = paths[0] if not status.running else settings.image_path
        if queued:
            status.queue += [session.Waiting(path) for path in paths]
        if status.running:
            self.report({"INFO"}, f"{len(paths)} more in the queue")
            session.redraw()
            return {"FINISHED"}
        outcome = bpy.ops.unrender.image_to_3d("INVOKE_DEFAULT")
        return {"CANCELLED"} if outcome == {"CANCELLED"} else {"FINISHED"}


class UNRENDER_OT_forget_pictures(bpy.types.Operator):
    """Empty the queue; the picture in work goes on"""

    bl_idname = "unrender.forget_pictures"
    bl_label = "Empty the Queue"

    def execute(self, _context: bpy.types.Context) -> set[str]:
        """Empties it but for the one in work."""
        status = session.status
        waiting = [one for one in status.queue if not one.error]
        status.queue[:] = waiting[:1] if status.running else []
        session.redraw()
        return {"FINISHED"}


class UNRENDER_OT_use_shown_image(bpy.types.Operator):
    """Make an object from the picture that this editor shows, a render result for instance"""

    bl_idname = "unrender.use_shown_image"
    bl_label = "Image to 3D"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a picture in an Image Editor, and no running job."""
        if getattr(context.space_data, "image", None) is None:
            cls.poll_message_set("The editor shows no picture")
            return False
        if session.status.running:
            cls.poll_message_set("Another job is running")
            return False
        return True

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Writes the picture to a file of its own, unless it is one, and starts."""
        image = context.space_data.image
        path = os.path.normpath(bpy.path.abspath(image.filepath)) if image.filepath else ""
        if image.source != "FILE" or image.is_dirty or not os.path.isfile(path):
            try:
                path = _written(image, context.scene)
            except (OSError, RuntimeError, ValueError) as error:
                self.report({"ERROR"}, f"{image.name} cannot be written: {error}".strip())
                return {"CANCELLED"}
        outcome = bpy.ops.unrender.image_to_3d("INVOKE_DEFAULT", filepath=path)
        return {"CANCELLED"} if outcome == {"CANCELLED"} else {"FINISHED"}


def _written(image: bpy.types.Image, target: bpy.types.Scene) -> str:
    """Writes what an image shows as a PNG in the user's folder, where the object finds it again; returns the path.

    A render result goes through the scene's colours, as its own *Save As* does.
    """
    folder = places.user_folder() / "pictures"
    folder.mkdir(parents=True, exist_ok=True)
    stem = re.sub(r"[^\w.-]+", "_", os.path.splitext(image.name)[0]) or "picture"
    path = next(
        one for one in (folder / f"{stem}{f'-{number}' if number else ''}.png" for number in range(10**6))
        if not one.exists()
    )  # fmt: skip
    if image.type == "RENDER_RESULT":
        settings = target.render.image_settings
        kept = settings.file_format, settings.color_mode, settings.color_depth
        settings.file_format, settings.color_mode, settings.color_depth = "PNG", "RGBA", "8"
        try:
            image.save_render(str(path), scene=target)
        finally:
            settings.file_format, settings.color_mode, settings.color_depth = kept
    else:
        pixels.write_png(path, pixels.to_bytes(pixels.read(image)))
    return str(path)


class UNRENDER_FH_picture(bpy.types.FileHandler):
    """Pictures dropped onto a viewport, one or several, also while a job runs"""

    bl_idname = "UNRENDER_FH_picture"
    bl_label = "Image to 3D"
    bl_import_operator = "unrender.add_pictures"
    bl_file_extensions = ";".join(pictures.ENDINGS)

    @classmethod
    def poll_drop(cls, context: bpy.types.Context) -> bool:
        """Only over a viewport."""
        return context.area is not None and context.area.type == "VIEW_3D"


CLASSES = (UNRENDER_OT_add_pictures, UNRENDER_OT_forget_pictures, UNRENDER_OT_use_shown_image, UNRENDER_FH_picture)

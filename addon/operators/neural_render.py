# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Neural Render: StyleGAN-R's picture of the active object, and the picture to a file."""

from __future__ import annotations

from pathlib import Path

import bpy
from bpy.props import BoolProperty, StringProperty

from .. import handles, job, neural_render, pixels, session

SUFFIX = ".png"


class UNRENDER_OT_neural_render(job.JobOperator, bpy.types.Operator):
    """Have StyleGAN-R draw the object with its camera, shape, texture and background as the handles say"""

    bl_idname = "unrender.neural_render"
    bl_label = "Neural Render"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs an object whose weights have StyleGAN-R."""
        reason = neural_render.refusal(handles.active_object(context))
        if reason:
            cls.poll_message_set(reason)
            return False
        return super().poll(context)

    def steps(self, context: bpy.types.Context) -> job.Steps:
        """Asks for the picture and shows it."""
        owner = handles.active_object(context)
        name = owner.name
        answer = yield session.request(neural_render.request_of(owner))
        owner = bpy.data.objects.get(name)
        if owner is None:
            raise ValueError(f"{name} is gone, so its picture was not kept.")
        image = neural_render.show(owner, answer)
        shown = neural_render.open_in_editor(image)
        neural_render.redraw()
        return "" if shown else f"{image.name} is in the panel; an open Image Editor shows it larger"


class UNRENDER_OT_save_neural_render(bpy.types.Operator):
    """Save the picture as a PNG file"""

    bl_idname = "unrender.save_neural_render"
    bl_label = "Save As"

    filepath: StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: StringProperty(default=f"*{SUFFIX}", options={"HIDDEN"})
    check_existing: BoolProperty(default=True, options={"HIDDEN"})

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a picture."""
        owner = handles.active_object(context)
        if owner is None or neural_render.image_of(owner) is None:
            cls.poll_message_set("There is no neural render of this object yet")
            return False
        return True

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> set[str]:
        """Asks where to."""
        if not self.filepath:
            self.filepath = bpy.path.ensure_ext(bpy.path.clean_name(self._image(context).name), SUFFIX)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def check(self, _context: bpy.types.Context) -> bool:
        """Gives the file's name its ending while it is typed."""
        path = bpy.path.ensure_ext(self.filepath, SUFFIX)
        changed, self.filepath = path != self.filepath, path
        return changed

    def execute(self, context: bpy.types.Context) -> set[str]:
        """Writes the file."""
        path = Path(bpy.path.abspath(bpy.path.ensure_ext(self.filepath, SUFFIX)))
        try:
            pixels.write_png(path, pixels.to_bytes(pixels.read(self._image(context))[..., :3]))
        except (OSError, ValueError) as error:
            said = getattr(error, "strerror", None) or error
            self.report({"ERROR"}, f"The picture cannot be written to {path}: {said}.")
            return {"CANCELLED"}
        self.report({"INFO"}, f"Saved {path}")
        return {"FINISHED"}

    @staticmethod
    def _image(context: bpy.types.Context) -> bpy.types.Image:
        return neural_render.image_of(handles.active_object(context))


CLASSES = (UNRENDER_OT_neural_render, UNRENDER_OT_save_neural_render)

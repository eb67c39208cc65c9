# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the panels about training remember: settings in the file, the list of runs in the window manager."""

from __future__ import annotations

import bpy
from bpy.props import BoolProperty, CollectionProperty, EnumProperty, IntProperty, PointerProperty, StringProperty

from .. import training_runs, training_watch

TASKS = [
    ("segmenter", "Segmenter", "Finds the object in a picture; learns from renders, or from photographs with masks"),
    ("inverse-graphics", "Inverse Graphics", "Shape, texture and camera of a photo; learns from renders or views"),
    ("parts", "Parts", "Reads photos for objects with parts; learns from drawn cars, renders and labelled photographs"),
    ("stylegan2", "Image Generator", "StyleGAN2; learns from a folder or a zip of images"),
    ("views", "Views", "Looks for views of an image generator, to be annotated"),
    ("disentangle", "Neural Renderer", "StyleGAN-R: camera, shape, texture and background of a generator's pictures"),
    ("gan3d", "3D Generator", "Shapes from photographs alone; learns from a folder or a zip of photographs"),
]
PRESETS = [
    ("tiny", "Tiny", "A minute or two, to see that everything works"),
    ("small", "Small", "Hours on two cores of a processor"),
    ("medium", "Medium", "For a graphics card"),
    ("full", "Full", "The papers' own schedule, for a strong graphics card"),
]


def _on_row(_self: object, _context: bpy.types.Context) -> None:
    training_watch.choose_row()


class UnrenderTraining(bpy.types.PropertyGroup):
    """Settings of the next training."""

    task: EnumProperty(name="Task", description="What is trained", items=TASKS)
    data: StringProperty(
        name="Data",
        description="Folder or zip to learn from; for Views a generator, for Parts also - for no renders",
        subtype="FILE_PATH",
    )
    preset: EnumProperty(name="Preset", description="How large the training is", items=PRESETS)
    settings: StringProperty(
        name="Further", description="Changes of the preset's settings: key=value, separated by spaces"
    )
    name: StringProperty(name="Name", description="Of the run's folder; empty: the task's")
    runs_folder: StringProperty(
        name="Runs",
        description="Folder that holds the runs; empty: the one in the extension's user folder",
        subtype="DIR_PATH",
    )
    keep: BoolProperty(
        name="Keep Training after Blender Closes",
        description="Otherwise the run saves and stops when Blender does",
        default=True,
    )
    photographs: StringProperty(
        name="Photographs", description="Folder of photographs of one kind of thing", subtype="DIR_PATH"
    )
    masks: StringProperty(
        name="Masks",
        description="Folder with a mask NAME.png for each photograph, white on the object; empty: by the photographs' "
        "own transparency, or by the cut-out model of the preferences",
        subtype="DIR_PATH",
    )
    category: StringProperty(name="Name", description="What the things are, such as chair")
    category_preset: EnumProperty(
        name="Preset", description="How large the trainings are", items=PRESETS[:3], default="tiny"
    )


class UnrenderRunRow(bpy.types.PropertyGroup):
    """One run of the list."""

    folder: StringProperty(name="Folder")
    state: StringProperty(name="State")
    title: StringProperty(name="Title", description="State, and time left")


class UnrenderRuns(bpy.types.PropertyGroup):
    """The list of runs: what the files say, nothing of its own."""

    rows: CollectionProperty(type=UnrenderRunRow)
    index: IntProperty(name="Chosen", update=_on_row)


CLASSES = (UnrenderTraining, UnrenderRunRow, UnrenderRuns)
assert [task[0] for task in TASKS] == list(training_runs.TASKS)


def register() -> None:
    """Registers the groups, hangs them on scene and window manager, and begins to look at the runs."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.unrender_training = PointerProperty(type=UnrenderTraining)
    bpy.types.WindowManager.unrender_runs = PointerProperty(type=UnrenderRuns, options={"SKIP_SAVE"})
    training_watch.register()


def unregister() -> None:
    """Takes them back; runs go on."""
    training_watch.unregister()
    del bpy.types.WindowManager.unrender_runs
    del bpy.types.Scene.unrender_training
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)

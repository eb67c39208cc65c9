# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is stored in the file: one group on the scene (the settings), one on the object (its handles)."""

from __future__ import annotations

import math
from typing import cast

import bpy
from bpy.props import (
    BoolProperty,
    CollectionProperty,
    EnumProperty,
    FloatProperty,
    FloatVectorProperty,
    IntProperty,
    PointerProperty,
    StringProperty,
)

from .. import choices, handles, masks, places, proportions, session
from ..wire import records
from .handle_properties import HandleProperties

SLIDER_RANGE = 3.0

_bundle_items: list[choices.Choice] = []
"""Texts of a dynamic list, which Blender itself does not keep alive."""


def bundle_items(_self: object, _context: object) -> list[choices.Choice]:
    """Returns the choices of bundles, the preference first."""
    default = (choices.DEFAULT, "As in the preferences", "The bundle chosen in the add-on's preferences")
    _bundle_items[:] = choices.numbered([default, *choices.of_bundles(places.bundles())], choices.DEFAULT)
    return _bundle_items


_maker_items: list[choices.Choice] = []


def maker_items(_self: object, _context: object) -> list[choices.Choice]:
    """Returns the choices of bundles that make objects without a photo, that of the options first."""
    default = (choices.DEFAULT, "As in the Options", "The bundle that photos are made into objects with")
    _maker_items[:] = choices.numbered([default, *choices.of_bundles(places.makers())], choices.DEFAULT)
    return _maker_items


_generator_items: list[choices.Choice] = []


def generator_items(_self: object, _context: object) -> list[choices.Choice]:
    """Returns the choices of image generators: bundles that have one, and any file."""
    items = [
        (name, choices.title_of(name, folder), f"Image generator of the bundle {name}")
        for name, folder in places.generators().items()
    ]
    file = (choices.FILE, "File or Folder", "A generator's file, or the folder of a training run")
    _generator_items[:] = choices.numbered([*items, file], records.DEFAULT_BUNDLE)
    return _generator_items


def _on_view(self: UnrenderObject, _context: bpy.types.Context) -> None:
    handles.move_camera(cast(bpy.types.Object, self.id_data))


def _on_code(self: UnrenderObject, _context: bpy.types.Context) -> None:
    handles.follow_sliders(cast(bpy.types.Object, self.id_data))


def _on_picture(_self: UnrenderScene, _context: bpy.types.Context) -> None:
    session.status.forget_last()


def _on_mask(self: UnrenderScene, _context: bpy.types.Context) -> None:
    self.mask_photo = masks.photo_of(self) if self.mask_image is not None else ""


class UnrenderScene(bpy.types.PropertyGroup):
    """Settings of the next *Image to 3D*."""

    image_path: StringProperty(
        name="Picture", description="Photo of the object", subtype="FILE_PATH", update=_on_picture
    )
    mask_image: PointerProperty(
        type=bpy.types.Image,
        name="Mask",
        description="Used in place of the automatic cut-out: white where the object is. Of the same shape as the photo",
        update=_on_mask,
    )
    mask_photo: StringProperty(name="Photo of the Mask", description="Picture that the mask was made for")
    bundle: EnumProperty(name="Weights", description="Bundle of networks to use", items=bundle_items)
    device: EnumProperty(
        name="Device",
        description="Where the networks run",
        items=[
            (choices.DEFAULT, "As in the preferences", "The device chosen in the add-on's preferences"),
            *choices.DEVICES,
        ],
    )
    quality: EnumProperty(
        name="Quality",
        description="How much work the object is worth",
        items=choices.QUALITIES,
        default=choices.DEFAULT_QUALITY,
    )
    refinement: EnumProperty(
        name="Steps",
        description="Steps of optimisation against the photo, where the quality's own number shall not do",
        items=[
            (choices.DEFAULT, "As the Quality", "As many steps as the quality asks for"),
            ("NONE", "None", "The network's answer as it is, whatever the quality"),
            ("CUSTOM", "Custom", "A number of steps of your choice"),
        ],
    )
    refine_steps: IntProperty(name="Number", description="Steps of optimisation", default=60, min=1, soft_max=500)
    texture_size: EnumProperty(
        name="Texture",
        description="Side of the texture in texels",
        items=[
            ("0", "As the photo", "Follows the photo's size, up to 512 (Draft), 1536 (Standard) or 2048 (Fine)"),
            *((str(size), str(size), f"{size} × {size} texels") for size in (256, 512, 1024, 2048, 4096)),
        ],
    )
    shape: EnumProperty(
        name="Shape",
        description="What is made of the photo. Weights without a template with parts make one surface either way",
        items=choices.SHAPES,
    )
    materials: EnumProperty(
        name="Materials",
        description="Materials of an object with parts, such as a car with wheels. An object without parts gets the "
        "photo's texture, whatever is chosen here",
        items=choices.MATERIALS,
    )
    real_size: FloatProperty(
        name="Real Size",
        description="Longest side of the object; 0: what is usual for the category",
        min=0.0,
        soft_max=100.0,
        unit="LENGTH",
    )
    set_up_scene: BoolProperty(
        name="Match Photo",
        description="Render like the photo at once: its camera, size, light and plain colours. What the scene had "
        "before can be brought back",
        default=False,
    )
    show_textured: BoolProperty(
        name="Show Textures",
        description="A viewport in solid shading shows textures from a finished object on: the one whose sidebar "
        "started it, no other",
        default=True,
    )
    matched: PointerProperty(type=bpy.types.Object, name="Matched", description="Whose photo the scene renders like")
    before: StringProperty(name="Before", description="What the scene had before it was matched; empty: it is not")
    before_camera: PointerProperty(type=bpy.types.Object, name="Camera before the Match")
    before_world: PointerProperty(type=bpy.types.World, name="World before the Match")
    new_bundle: EnumProperty(
        name="Weights",
        description="What objects are made with. Where a bundle has a template with parts and a generator of shapes, "
        "the option Shape says which of them",
        items=maker_items,
    )
    new_seed: IntProperty(name="Seed", description="Seed of the next object: the same one makes the same object", min=0)
    new_second_seed: IntProperty(
        name="To Seed", description="Seed of the object that Interpolate goes to, from the seed above", default=1, min=0
    )
    new_count: IntProperty(
        name="Number", description="How many objects are made, from one seed on", default=1, min=1, max=50
    )
    new_variety: FloatProperty(
        name="Variety",
        description="How far objects are from the mean one: 0 makes that alone, 1 is as far as real ones",
        default=0.9,
        min=0.0,
        soft_max=1.5,
        max=3.0,
    )
    views_folder: StringProperty(
        name="Views", description="Folder with the views of an image generator and their pictures", subtype="DIR_PATH"
    )
    views_generator: EnumProperty(name="Generator", description="Whose views are looked for", items=generator_items)
    views_generator_file: StringProperty(
        name="File", description="A generator's file, or a folder that holds one", subtype="FILE_PATH"
    )
    views_count: IntProperty(
        name="Views", description="How many are proposed, at most", default=39, min=1, soft_max=100
    )


class UnrenderDirection(bpy.types.PropertyGroup):
    """Another direction that an object's photo may have been taken from."""

    azimuth: FloatProperty(name="Azimuth", subtype="ANGLE")
    probability: FloatProperty(name="Probability", min=0.0, max=1.0)
    picture: StringProperty(name="Picture", description="Small picture, as text; empty: none is kept")


class UnrenderObject(HandleProperties, bpy.types.PropertyGroup):
    """Handles of one object that was made from a photo."""

    is_unrender: BoolProperty(name="Made by Unrender", options=set())
    original_name: StringProperty(
        name="Original", description="Name under which this object got its camera; empty: it is a duplicate"
    )
    bundle: StringProperty(name="Weights")
    photo_path: StringProperty(name="Photo", subtype="FILE_PATH")
    real_size: FloatProperty(name="Real Size", unit="LENGTH", options=set())
    camera: PointerProperty(type=bpy.types.Object, name="Camera", poll=lambda _self, value: value.type == "CAMERA")
    base_texture: PointerProperty(
        type=bpy.types.Image, name="Texture without Changes", description="What the texture sliders start from"
    )
    world: PointerProperty(
        type=bpy.types.World, name="Light", description="World with the light that was found in the photo"
    )
    confidence: FloatProperty(
        name="Confidence",
        description="Probability that the direction of view is right; -1: unknown",
        default=-1.0,
        min=-1.0,
        max=1.0,
        options=set(),
    )
    directions: CollectionProperty(type=UnrenderDirection, name="Other Directions")
    azimuth: FloatProperty(
        name="Azimuth",
        description="Turns the camera around the object; 0: its front, 90°: its left side",
        subtype="ANGLE",
        soft_min=-math.pi,
        soft_max=math.pi,
        update=_on_view,
    )
    elevation: FloatProperty(
        name="Elevation",
        description="Raises the camera around the object",
        subtype="ANGLE",
        min=math.radians(-89),
        max=math.radians(89),
        update=_on_view,
    )
    zoom: FloatProperty(
        name="Zoom",
        description="Moves the camera closer: at 2, to half the distance",
        default=1.0,
        min=0.05,
        soft_min=0.25,
        soft_max=4.0,
        update=_on_view,
    )
    shape: FloatVectorProperty(
        name="Shape",
        description="Main directions in which shapes of this category differ, in standard deviations",
        size=records.NUMBER_OF_SLIDERS,
        soft_min=-SLIDER_RANGE,
        soft_max=SLIDER_RANGE,
        update=_on_code,
    )
    proportions: FloatVectorProperty(
        name="Proportions",
        description="Named proportions of an object with parts: 0.5 is as it was made, 0 and 1 are the smallest and "
        "the largest of its category",
        size=proportions.MAX_PROPORTIONS,
        default=(proportions.AS_FOUND,) * proportions.MAX_PROPORTIONS,
        soft_min=0.0,
        soft_max=1.0,
        update=_on_code,
    )
    texture: FloatVectorProperty(
        name="Texture",
        description="Main directions in which textures of this category differ, in standard deviations",
        size=records.NUMBER_OF_SLIDERS,
        soft_min=-SLIDER_RANGE,
        soft_max=SLIDER_RANGE,
        options=set(),  # no frame can wait for the worker
        update=_on_code,
    )


CLASSES = (UnrenderScene, UnrenderDirection, UnrenderObject)


def register() -> None:
    """Registers the groups and hangs them on the scene and the object."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.unrender = PointerProperty(type=UnrenderScene)
    bpy.types.Object.unrender = PointerProperty(type=UnrenderObject)


def unregister() -> None:
    """Takes them back."""
    del bpy.types.Object.unrender
    del bpy.types.Scene.unrender
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)

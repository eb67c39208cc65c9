# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From arrays to ordinary Blender data: mesh, material, camera with the photo behind it, and a world of the light.

Metres, Z up. The object stands on the ground at the world's origin with its front towards -Y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal

import bpy
import numpy as np
from mathutils import Color, Matrix, Vector

from . import directions, followed, generated, light, looks, palette, parts, pixels, shape_codes, surface, textures
from .camera import SENSOR_WIDTH, camera_to_numbers, focal_length, lens_shift
from .wire import pinhole, records

SHAPE_CODE, TEXTURE_CODE, CAMERA = shape_codes.SHAPE_CODE, textures.TEXTURE_CODE, "unrender_camera"
"""Names under which an object keeps the numbers that its sliders start from."""
PROVENANCE = "unrender_provenance"
"""Property of an object: how it was made, a group of texts."""
PHOTO_SIZE = "unrender_photo_size"
"""Property of an object: width and height of its photo in pixels."""
ROUGHNESS = 0.7
PLAIN_GLOSS = 0.5
"""Blender's own level of specular reflection: that of paint, plastic and glass."""
GLASS_REGIONS, LAMP_REGIONS = ("glass",), ("head_lamp", "tail_lamp")
GLASS_TRANSMISSION = 0.6
"""Part of the light that goes through; the rest keeps the region's colour, for no interior is behind the glass."""
LAMP_ROUGHNESS = 0.08

Materials = Literal["maps", "parts"]
"""Choice for a template with parts: one material with texture and maps, or a plain one for each surface region."""


@dataclass(frozen=True)
class Built:
    """What :func:`build` added to the file."""

    collection: bpy.types.Collection
    object: bpy.types.Object
    camera: bpy.types.Object
    world: bpy.types.World
    texture: bpy.types.Image
    turning: tuple[bpy.types.Object, ...] = ()
    """The wheels: children of the object that turn in place about their local X."""
    further_cameras: tuple[bpy.types.Object, ...] = ()
    """The cameras of further photographs of the object."""


def build(
    scene: bpy.types.Scene,
    result: records.Reconstruction,
    photo: np.ndarray | None = None,
    photo_path: str = "",
    real_size: float = 0.0,
    set_up_scene: bool = True,
    materials: Materials = "maps",
    look: looks.Look = "paint",
    further_photos: Sequence[np.ndarray] = (),
) -> Built:
    """Adds a collection with the mesh, or the main mesh and its wheels, and the camera to a scene.

    ``photo`` (h, w, 3) uint8 becomes the camera's background image, and each of ``further_photos``, of the result's
    ``further``, that of another camera, which no slider moves. ``real_size`` is the longest side in metres, 0: that of
    the category. ``set_up_scene`` makes the scene render like the photo: its camera, size,
    light and plain colours. ``materials`` is the choice for a template with parts, as is ``look`` for one with maps.
    """
    size = real_size or result.real_size
    collection = bpy.data.collections.new(result.name)
    scene.collection.children.link(collection)
    texture = pixels.new_image(f"{result.name} texture", result.texture)
    if result.parts is None:
        objects = [new_object(result, texture, size)]
    else:
        objects = new_objects_by_part(result, texture, size, materials, look)
    mesh_object, *turning = objects
    for one in objects:
        collection.objects.link(one)
    camera = new_camera(result, photo, size)
    collection.objects.link(camera)
    world = new_world(f"{result.name} light", result.light)
    place_camera(camera, mesh_object, result.camera, size)
    further_cameras = new_further_cameras(result, further_photos, size)
    for other, further in zip(further_cameras, result.further, strict=True):
        collection.objects.link(other)
        place_camera(other, mesh_object, further.camera, size)
    generated.finish(mesh_object, camera, result)
    palette.remember(mesh_object, result)
    remember(mesh_object, result, camera, photo_path, size)
    mesh_object.unrender.world = world
    if set_up_scene:
        render_like_the_photo(scene, camera, world, result.image_width, result.image_height)
    return Built(collection, mesh_object, camera, world, texture, tuple(turning), tuple(further_cameras))


def new_object(result: records.Reconstruction, texture: bpy.types.Image, size: float) -> bpy.types.Object:
    """Returns the object of a template without parts; its origin is on the ground, under the canonical centre."""
    up = np.array([0, 0, parts.centre_height(result.vertices)], np.float32)
    mesh_object = bpy.data.objects.new(result.name, new_mesh(replace(result, vertices=result.vertices + up), size))
    mesh_object.data.materials.append(new_material(result.name, texture))
    surface.finish(mesh_object, result, size)
    textures.remember(mesh_object, result.texture)
    return mesh_object


def new_objects_by_part(
    result: records.Reconstruction,
    texture: bpy.types.Image,
    size: float,
    materials: Materials,
    look: looks.Look = "paint",
) -> list[bpy.types.Object]:
    """Returns the main object of a template with parts, then its wheels. Raises ValueError if the parts touch."""
    pieces = parts.pieces(result)
    objects = [bpy.data.objects.new(piece.name, new_mesh(piece.arrays, size)) for piece in pieces]
    for one, piece in zip(objects, pieces, strict=True):
        parts.finish(one, piece, result, size)
        if piece.axle is not None:
            parts.mount(one, objects[0], result.vertices[piece.indices], size)
    if materials == "maps":
        material = new_material_with_maps(result.name, texture, result.parts)
        looks.add_photo(material, result.parts.photo, objects[0], look)
        for one in objects:
            one.data.materials.append(material)
        return objects
    texture.use_fake_user = True  # no material has it, and it is still the photo's
    by_region = [new_region_material(result, region) for region in range(len(result.parts.regions))]
    for one, piece in zip(objects, pieces, strict=True):
        shown, slot_of_face = np.unique(result.parts.region_of_quad[piece.faces], return_inverse=True)
        for region in shown:
            one.data.materials.append(by_region[region])
        one.data.polygons.foreach_set("material_index", slot_of_face.astype(np.int32).reshape(-1))
    return objects


def new_mesh(result: records.Reconstruction, size: float) -> bpy.types.Mesh:
    """Returns the mesh in metres: quads, one UV map, smooth, with the offsets of the refinement as an attribute."""
    mesh = bpy.data.meshes.new(result.name)
    mesh.from_pydata((result.vertices * size).tolist(), [], result.quads.tolist())
    uv_layer = mesh.uv_layers.new(name="UVMap")
    uv_layer.data.foreach_set("uv", np.ascontiguousarray(result.uv, np.float32).reshape(-1))
    mesh.polygons.foreach_set("use_smooth", np.ones(len(mesh.polygons), bool))
    offsets = mesh.attributes.new(parts.OFFSET_ATTRIBUTE, "FLOAT_VECTOR", "POINT")
    offsets.data.foreach_set("vector", np.ascontiguousarray(result.offsets, np.float32).reshape(-1))
    mesh.update()
    return mesh


def new_material(name: str, texture: bpy.types.Image) -> bpy.types.Material:
    """Returns a Principled material with the texture; without gloss, for the photo's highlights are in the texture."""
    material = bpy.data.materials.new(name)
    tree = _emptied_tree(material)
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    shader = tree.nodes.new("ShaderNodeBsdfPrincipled")
    image = tree.nodes.new("ShaderNodeTexImage")
    image.image = texture
    image.location, shader.location, output.location = (-560, 0), (-260, 0), (60, 0)
    shader.inputs["Roughness"].default_value = ROUGHNESS
    shader.inputs["Specular IOR Level"].default_value = 0.0
    tree.links.new(image.outputs["Color"], shader.inputs["Base Color"])
    tree.links.new(shader.outputs["BSDF"], output.inputs["Surface"])
    return material


def new_material_with_maps(name: str, texture: bpy.types.Image, maps: records.ObjectParts) -> bpy.types.Material:
    """Returns a Principled material with the texture, and with the maps of roughness, metallic, coat and normals."""
    material = new_material(name, texture)
    tree, shader = material.node_tree, looks.principled(material)
    shader.inputs["Specular IOR Level"].default_value = PLAIN_GLOSS
    image = tree.nodes.new("ShaderNodeTexImage")
    image.image = pixels.new_map(f"{name} roughness and metallic", looks.packed_maps(maps))
    image.image.colorspace_settings.name = "Non-Color"
    channels = tree.nodes.new("ShaderNodeSeparateColor")
    image.location, channels.location = (-860, -300), (-560, -300)
    tree.links.new(image.outputs["Color"], channels.inputs["Color"])
    tree.links.new(channels.outputs["Green"], shader.inputs["Roughness"])
    tree.links.new(channels.outputs["Blue"], shader.inputs["Metallic"])
    if maps.coat.size > 0:
        tree.links.new(channels.outputs["Red"], shader.inputs["Coat Weight"])
    looks.add_relief(material, maps.normal)
    return material


def new_region_material(result: records.Reconstruction, region: int) -> bpy.types.Material:
    """Returns the Principled material of one surface region, in the plain colour of the palette."""
    name = result.parts.regions[region]
    red, green, blue, roughness, metallic = (float(value) for value in result.parts.palette[region])
    if name in LAMP_REGIONS:
        roughness = min(roughness, LAMP_ROUGHNESS)
    material = bpy.data.materials.new(f"{result.name} {name.replace('_', ' ')}")
    material[palette.REGION] = name
    tree = _emptied_tree(material)
    output = tree.nodes.new("ShaderNodeOutputMaterial")
    shader = tree.nodes.new("ShaderNodeBsdfPrincipled")
    shader.location, output.location = (-260, 0), (60, 0)
    colour = (*Color((red, green, blue)).from_srgb_to_scene_linear(), 1.0)
    shader.inputs["Base Color"].default_value = colour
    shader.inputs["Roughness"].default_value = roughness
    shader.inputs["Metallic"].default_value = metallic
    shader.inputs["Specular IOR Level"].default_value = PLAIN_GLOSS
    if name in GLASS_REGIONS:
        shader.inputs["Transmission Weight"].default_value = GLASS_TRANSMISSION
    # The viewport's solid shading shows these.
    material.diffuse_color, material.roughness, material.metallic = colour, roughness, metallic
    tree.links.new(shader.outputs["BSDF"], output.inputs["Surface"])
    return material


def new_camera(result: records.Reconstruction, photo: np.ndarray | None, size: float) -> bpy.types.Object:
    """Returns the camera that took the photo, with the photo behind it; its pose is set by :func:`place_camera`."""
    data = bpy.data.cameras.new(f"{result.name} camera")
    data.sensor_fit = "AUTO"
    data.sensor_width = SENSOR_WIDTH
    data.lens = focal_length(result.camera, result.image_width, result.image_height)
    data.shift_x, data.shift_y = lens_shift(result.camera)
    data.clip_end = max(data.clip_end, 10 * result.camera.distance * size)
    if photo is not None:
        background = data.background_images.new()
        background.image = pixels.new_image(f"{result.name} photo", photo)
        background.alpha = 1.0
        data.show_background_images = True
    return bpy.data.objects.new(f"{result.name} camera", data)


def new_further_cameras(
    result: records.Reconstruction, photos: Sequence[np.ndarray], size: float
) -> list[bpy.types.Object]:
    """Returns the cameras of a result's further photos, as :func:`new_camera` does that of the first."""
    cameras = []
    for one, photo in zip_longest(result.further, photos[: len(result.further)]):
        width, height = one.image_width, one.image_height
        seen = replace(result, name=one.name, camera=one.camera, image_width=width, image_height=height)
        cameras.append(new_camera(seen, photo, size))
    return cameras


def place_camera(
    camera: bpy.types.Object,
    target: bpy.types.Object,
    pose: records.Camera,
    size: float,
    basis: Matrix | None = None,
) -> None:
    """Puts a camera around an object's canonical centre, wherever the object stands and however it is turned.

    ``basis`` is the object's place in the world where that is not the one that the file has now.
    """
    canonical = Matrix(pinhole.camera_to_world(pose).tolist())
    canonical.translation *= size
    if basis is None:
        basis = target.matrix_basis if target.parent is None else target.matrix_world
    centre = basis @ Vector((0, 0, target.get(parts.CENTRE_HEIGHT, 0.0)))
    camera.matrix_world = Matrix.LocRotScale(centre, basis.decompose()[1], None) @ canonical


def new_world(name: str, coefficients: np.ndarray) -> bpy.types.World:
    """Returns a world whose light is that of the spherical-harmonic coefficients (9, 3)."""
    world = bpy.data.worlds.new(name)
    tree = _emptied_tree(world)
    output = tree.nodes.new("ShaderNodeOutputWorld")
    background = tree.nodes.new("ShaderNodeBackground")
    environment = tree.nodes.new("ShaderNodeTexEnvironment")
    environment.image = pixels.new_image(name, light.panorama(coefficients))
    if hasattr(world, "cycles"):
        # Else Cycles looks for light at 1024 x 512 places, which takes longer than all else of a small render.
        world.cycles.sampling_method, world.cycles.sample_map_resolution = "MANUAL", environment.image.size[0]
    environment.location, background.location, output.location = (-360, 0), (-60, 0), (140, 0)
    tree.links.new(environment.outputs["Color"], background.inputs["Color"])
    tree.links.new(background.outputs["Background"], output.inputs["Surface"])
    return world


def render_like_the_photo(
    scene: bpy.types.Scene, camera: bpy.types.Object, world: bpy.types.World | None, width: int, height: int
) -> None:
    """Sets camera, world, size and colours so that a render lies over the photo, transparent around what is in it.

    Without a world the scene's own stays; without a size (0) its size does.
    """
    scene.camera = camera
    if world is not None:
        scene.world = world
    render = scene.render
    if min(width, height) > 0:
        render.resolution_x, render.resolution_y = width, height
    render.resolution_percentage = 100
    render.pixel_aspect_x = render.pixel_aspect_y = 1.0
    render.film_transparent = True
    plain_colours(scene)


def plain_colours(scene: bpy.types.Scene) -> None:
    """Light goes to sRGB as it is: the texture was made for that."""
    scene.view_settings.view_transform = "Standard"  # type: ignore[assignment] # the stubs know no colour configuration
    scene.view_settings.look = "None"  # type: ignore[assignment]
    scene.view_settings.exposure = 0.0
    scene.view_settings.gamma = 1.0


def remember(
    mesh_object: bpy.types.Object,
    result: records.Reconstruction,
    camera: bpy.types.Object,
    photo_path: str,
    size: float,
) -> None:
    """Stores with the object what its sliders need, so that they work after the file is opened again."""
    mesh_object[SHAPE_CODE] = result.shape_code.astype(float).tolist()
    mesh_object[TEXTURE_CODE] = result.texture_code.astype(float).tolist()
    mesh_object[CAMERA] = camera_to_numbers(result.camera)
    mesh_object[PROVENANCE] = result.provenance
    mesh_object[PHOTO_SIZE] = [result.image_width, result.image_height]
    state = mesh_object.unrender
    state.bundle = result.bundle
    state.photo_path = photo_path
    state.real_size = size
    state.azimuth = result.camera.azimuth
    state.elevation = result.camera.elevation
    state.camera = camera
    state.original_name = mesh_object.name
    directions.remember(state, result)
    state.is_unrender = True
    followed.remember(mesh_object)


def _emptied_tree(owner: bpy.types.Material | bpy.types.World) -> bpy.types.NodeTree:
    """Returns the owner's node tree without nodes. Since Blender 5 every owner has one from the start."""
    if owner.node_tree is None:
        owner.use_nodes = True
    owner.node_tree.nodes.clear()
    return owner.node_tree

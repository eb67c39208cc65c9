# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models of the user's own: glTF and OBJ files joined, moved to the canonical frame and shown in the mask pass."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from backend.common.regions import REGIONS

from .cars.car import ObjectMesh, canonical
from .materials import MASK
from .shapes import MARKINGS
from .truth_file import UNKNOWN

SUFFIXES = (".glb", ".gltf", ".obj")
OTHER_SUFFIXES = (
    ".3ds",
    ".abc",
    ".blend",
    ".c4d",
    ".dae",
    ".fbx",
    ".lwo",
    ".ma",
    ".max",
    ".mb",
    ".ply",
    ".stl",
    ".usd",
    ".usda",
    ".usdc",
    ".usdz",
    ".wrl",
    ".x3d",
)
"""Endings of models that are named as skipped; anything else beside the models is theirs: textures, texts."""
AXES = {"X": (1, 0, 0), "-X": (-1, 0, 0), "Y": (0, 1, 0), "-Y": (0, -1, 0), "Z": (0, 0, 1), "-Z": (0, 0, -1)}
FRONTS = {"X": "-Y", "-X": "-Y", "Y": "Z", "-Y": "-Z", "Z": "-Y", "-Z": "-Y"}
"""The front of a model that is tipped over sideways, forwards or backwards, by the axis that is up in it."""
_SIDES = {
    "front": "head_lamp",
    "head": "head_lamp",
    "back": "tail_lamp",
    "rear": "tail_lamp",
    "tail": "tail_lamp",
    "brake": "tail_lamp",
    "stop": "tail_lamp",
}
_WORDS = (
    ("plate", "plate license licence numberplate licenseplate"),
    ("rubber", "tyre tyres tire tires rubber"),
    ("rim", "rim rims wheel wheels hubcap alloy"),
    ("glass", "glass window windows windshield windscreen"),
    ("interior", "interior seat seats dashboard cockpit leather cabin"),
    ("underside", "under underside underbody undercarriage chassis"),
    ("chrome", "chrome"),
    ("dark", "plastic black trim grille grill bumper"),
    ("paint", "paint body bodywork carpaint carbody coat"),
)
"""Words of materials' names, the first that occurs counts: "black_tire" is rubber."""

_OURS = "unrender_imported"


@dataclass
class Model:
    """An imported model: its mesh as arrays and in Blender, and the region of each material slot."""

    mesh: ObjectMesh
    data: bpy.types.Mesh
    regions: list[int]


class MeshFileError(Exception):
    """A model that cannot be used; the message is one sentence with the file's name."""


def find_meshes(folder: Path) -> list[Path]:
    """Return the models in `folder` and below, sorted by name."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())


def skipped_models(folder: Path) -> list[Path]:
    """Return the files in `folder` and below that are models of a kind that is not read, sorted by name."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in OTHER_SUFFIXES and path.is_file())


def turn(up: str, front: str | None) -> np.ndarray:
    """Return the rotation (3, 3) that brings a model's axes `up` and `front`, as imported, to Z and -Y.

    Without `front` the model is only set upright. ValueError where the two do not stand across each other.
    """
    upwards, forwards = np.array(AXES[up], float), np.array(AXES[front or FRONTS[up]], float)
    if upwards @ forwards != 0:
        raise ValueError(f"a model whose {up} is up cannot have its front towards {front}")
    return np.stack([np.cross(upwards, forwards), -forwards, upwards])


def region_of(name: str) -> int:
    """Return the number in the part map that a material's name tells, UNKNOWN where it tells nothing."""
    apart = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    words = re.findall(r"[a-z]+", apart.lower())
    joined = " ".join(words)
    lamp = re.search(r"\b(front|head|back|rear|tail|brake|stop) ?(?:light|lamp)s?\b", joined) or re.search(
        r"\b(?:light|lamp)s? ?(front|head|back|rear|tail|brake|stop)\b", joined
    )
    if lamp:
        return REGIONS.index(_SIDES[lamp[1]]) + 1
    for region, known in _WORDS:
        if not set(words).isdisjoint(known.split()):
            return REGIONS.index(region) + 1
    return UNKNOWN


def import_mesh(path: Path, rotation: np.ndarray | None = None) -> Model:
    """Import one file as a single canonical mesh; MeshFileError says in one sentence why it cannot be used.

    `rotation` (3, 3) turns the model before it is brought to the canonical frame.
    """
    _forget_unused()
    _demand_material_files(path)
    before = set(bpy.data.objects)
    try:
        if path.suffix.lower() == ".obj":
            outcome = bpy.ops.wm.obj_import(filepath=str(path))
        else:
            outcome = bpy.ops.import_scene.gltf(filepath=str(path))
    except RuntimeError as error:
        _remove(set(bpy.data.objects) - before)
        reason = str(error).strip().splitlines()[-1].removeprefix("Error: ")
        raise MeshFileError(f"{path.name} cannot be read: {reason}") from error
    new = set(bpy.data.objects) - before
    try:
        if "FINISHED" not in outcome:
            raise MeshFileError(f"{path.name} cannot be read.")
        # The importer's own helpers, shapes of bones, lie in a collection of this name.
        shown = [
            item
            for item in new
            if item.type == "MESH"
            and not any(home.name.startswith("glTF_not_exported") for home in item.users_collection)
        ]
        return _joined(path, sorted(shown, key=lambda item: item.name), np.eye(3) if rotation is None else rotation)
    finally:
        _remove(new)


def _demand_material_files(path: Path) -> None:
    """Raise MeshFileError where an OBJ names a material file that is not there."""
    if path.suffix.lower() != ".obj":
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        head = file.read(65536)
    for line in head.splitlines():
        if line.startswith("mtllib ") and not (path.parent / line[7:].strip()).is_file():
            raise MeshFileError(f"{path.name} needs the material file {line[7:].strip()}, which is not there.")


def _demand_textures(path: Path, materials: list[bpy.types.Material | None]) -> None:
    """Raise MeshFileError where a picture of the materials has no pixels; Blender would show magenta."""
    for image in _images(materials):
        if image.size[0] > 0:
            continue
        name = Path(image.filepath.replace("\\", "/")).name or image.name
        fault = (
            "is not there"
            if image.packed_file is None and not Path(bpy.path.abspath(image.filepath)).is_file()
            else "cannot be read"
        )
        raise MeshFileError(f"{path.name} needs the texture {name}, which {fault}.")


def _images(materials: list[bpy.types.Material | None]) -> Iterator[bpy.types.Image]:
    for material in materials:
        if material and material.node_tree:
            for node in material.node_tree.nodes:
                if node.bl_idname == "ShaderNodeTexImage" and node.image:
                    yield node.image


def _joined(path: Path, items: list[bpy.types.Object], rotation: np.ndarray) -> Model:
    """Join evaluated meshes in world space and scale them to the canonical frame."""
    import bmesh

    graph = bpy.context.evaluated_depsgraph_get()
    whole = bmesh.new()
    materials: list[bpy.types.Material | None] = []
    for item in items:
        mesh = item.evaluated_get(graph).to_mesh()
        mesh.transform(item.matrix_world)
        first_face = len(whole.faces)
        whole.from_mesh(mesh)
        whole.faces.ensure_lookup_table()
        # Not the evaluated copies, which are freed with the imported objects: rendering them crashed.
        own = [material and material.original for material in mesh.materials] or [None]
        for face in whole.faces[first_face:]:
            face.material_index = len(materials) + min(face.material_index, len(own) - 1)
        materials += own
        item.evaluated_get(graph).to_mesh_clear()
    _demand_textures(path, materials)
    bmesh.ops.triangulate(whole, faces=whole.faces[:])
    data = bpy.data.meshes.new("Imported")
    whole.to_mesh(data)
    whole.free()
    vertices = np.empty(len(data.vertices) * 3, dtype=np.float32)
    data.vertices.foreach_get("co", vertices)
    vertices = vertices.reshape(-1, 3)
    if len(data.polygons) == 0 or not np.isfinite(vertices).all() or np.ptp(vertices, axis=0).max() <= 0:
        raise MeshFileError(f"{path.name} holds no surface to render.")
    vertices = canonical(vertices @ rotation.T.astype(np.float32))
    data.vertices.foreach_set("co", vertices.ravel())
    for material in materials:
        data.materials.append(_masked(material))
    data.update()
    faces = np.empty(len(data.polygons) * 3, dtype=np.int32)
    data.polygons.foreach_get("vertices", faces)
    faces = np.concatenate([faces.reshape(-1, 3), np.full((len(data.polygons), 1), -1)], axis=1)
    count = len(faces)
    markings = np.ones((len(vertices), len(MARKINGS)))
    arrays = ObjectMesh(vertices, faces, np.zeros(count, int), np.zeros(count, bool), markings)
    return Model(arrays, data, [region_of(material.name) if material else UNKNOWN for material in materials])


def _masked(material: bpy.types.Material | None) -> bpy.types.Material:
    """Return the material (or a grey one) with an output that makes it white in the mask pass."""
    material = material or bpy.data.materials.new("grey")
    material.use_nodes = True
    material[_OURS] = True
    for image in _images([material]):
        image[_OURS] = True
    nodes = material.node_tree.nodes
    if not any(node.bl_idname == "ShaderNodeOutputAOV" for node in nodes):
        output = nodes.new("ShaderNodeOutputAOV")
        setattr(output, "aov_name" if hasattr(output, "aov_name") else "name", MASK)
        output.inputs["Value"].default_value = 1.0
    return material


def _forget_unused() -> None:
    """Free materials and pictures of earlier models."""
    for material in [material for material in bpy.data.materials if material.users == 0 and material.get(_OURS)]:
        bpy.data.materials.remove(material)
    for image in [image for image in bpy.data.images if image.users == 0 and image.get(_OURS)]:
        bpy.data.images.remove(image)


def _remove(items: set) -> None:
    for item in items:
        bpy.data.objects.remove(item)

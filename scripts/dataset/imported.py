# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models of the user's own: glTF and OBJ files joined, moved to the canonical frame and shown in the mask pass."""

from __future__ import annotations

from pathlib import Path

import bpy
import numpy as np

from .car import ObjectMesh, canonical
from .materials import MASK
from .shapes import MARKINGS

SUFFIXES = (".glb", ".gltf", ".obj")


class MeshFileError(Exception):
    """A model that cannot be used; the message is one sentence with the file's name."""


def find_meshes(folder: Path) -> list[Path]:
    """Return the models in `folder` and below, sorted by name."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())


def import_mesh(path: Path) -> tuple[ObjectMesh, bpy.types.Mesh]:
    """Import one file as a single canonical mesh; MeshFileError says in one sentence why it cannot be used."""
    before = set(bpy.data.objects)
    try:
        if path.suffix.lower() == ".obj":
            outcome = bpy.ops.wm.obj_import(filepath=str(path))
        else:
            outcome = bpy.ops.import_scene.gltf(filepath=str(path))
    except RuntimeError as error:
        _remove(set(bpy.data.objects) - before)
        raise MeshFileError(f"{path.name} cannot be read: {str(error).strip().splitlines()[-1]}") from error
    new = set(bpy.data.objects) - before
    try:
        if "FINISHED" not in outcome:
            raise MeshFileError(f"{path.name} cannot be read.")
        return _joined(path, sorted((item for item in new if item.type == "MESH"), key=lambda item: item.name))
    finally:
        _remove(new)


def _joined(path: Path, items: list[bpy.types.Object]) -> tuple[ObjectMesh, bpy.types.Mesh]:
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
    bmesh.ops.triangulate(whole, faces=whole.faces[:])
    data = bpy.data.meshes.new("Imported")
    whole.to_mesh(data)
    whole.free()
    vertices = np.empty(len(data.vertices) * 3, dtype=np.float32)
    data.vertices.foreach_get("co", vertices)
    vertices = vertices.reshape(-1, 3)
    if len(data.polygons) == 0 or not np.isfinite(vertices).all() or np.ptp(vertices, axis=0).max() <= 0:
        raise MeshFileError(f"{path.name} holds no surface to render.")
    vertices = canonical(vertices)
    data.vertices.foreach_set("co", vertices.ravel())
    for material in materials:
        data.materials.append(_masked(material))
    data.update()
    faces = np.empty(len(data.polygons) * 3, dtype=np.int32)
    data.polygons.foreach_get("vertices", faces)
    faces = np.concatenate([faces.reshape(-1, 3), np.full((len(data.polygons), 1), -1)], axis=1)
    count = len(faces)
    markings = np.ones((len(vertices), len(MARKINGS)))
    return ObjectMesh(vertices, faces, np.zeros(count, int), np.zeros(count, bool), markings), data


def _masked(material: bpy.types.Material | None) -> bpy.types.Material:
    """Return the material (or a grey one) with an output that makes it white in the mask pass."""
    material = material or bpy.data.materials.new("grey")
    material.use_nodes = True
    nodes = material.node_tree.nodes
    if not any(node.bl_idname == "ShaderNodeOutputAOV" for node in nodes):
        output = nodes.new("ShaderNodeOutputAOV")
        setattr(output, "aov_name" if hasattr(output, "aov_name") else "name", MASK)
        output.inputs["Value"].default_value = 1.0
    return material


def _remove(items: set) -> None:
    for item in items:
        bpy.data.objects.remove(item)

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders objects and writes them in the dataset's format; object k depends on (seed, k) alone."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import bpy
import numpy as np
from PIL import Image

from backend.common import files
from backend.common.records import Camera
from backend.common.regions import REGIONS

from .cameras import sample_camera, shared_cameras, studio_camera
from .cars.car import ObjectMesh, build_car
from .cars.parameters import SPORTY, sample_parameters, sample_style
from .imported import FRONTS, Model
from .looks import base_colours, sample_look
from .materials import CarMaterials
from .scene import RenderScene, blender_mesh, encode_srgb
from .studio import Studio
from .surroundings import Surroundings
from .truth import TruthScene
from .truth_file import pack_truth
from .world import WorldLight


@dataclass(frozen=True)
class DatasetConfig:
    """What to render; `meshes` is a folder of models that replace the parametric cars."""

    out: Path
    objects: int
    views: int
    resolution: int
    seed: int = 0
    samples: int = 8
    meshes: Path | None = None
    shared_cameras: bool = False
    look: str = "streets"
    truth: bool = True
    up: str = "Z"
    front: str | None = None


LOOKS = ("streets", "studio")
CAR_BOX = (0.26, 0.5, 0.2)
"""Half the sides of the box that shared cameras frame: wide enough for nearly all cars; other models may be cubes."""


def object_folder(out: Path, index: int) -> Path:
    """Return the folder of object `index`."""
    return out / "objects" / f"{index:06d}"


def is_done(out: Path, index: int, truth: bool = False) -> bool:
    """Tell whether an object is complete, with its `truth` where that is asked for: its description is written last."""
    folder = object_folder(out, index)
    return (folder / "object.json").is_file() and (not truth or (folder / "truth.npz").is_file())


def source_of(out: Path, index: int) -> str | None:
    """Return the model that object `index` was rendered from; None where there is no such object."""
    file = object_folder(out, index) / "object.json"
    return json.loads(file.read_text()).get("source") if file.is_file() else None


def refuse(out: Path, index: int, source: str, reason: str) -> None:
    """Note that the model `source` cannot be object `index`."""
    folder = object_folder(out, index)
    folder.mkdir(parents=True, exist_ok=True)
    files.write_json(folder / "refused.json", {"file": source, "reason": reason})


def write_index(config: DatasetConfig, category: str = "car") -> None:
    """Write dataset.json: what is rendered by now, and which models were refused."""
    folders = [object_folder(config.out, index) for index in range(config.objects)]
    done = [is_done(config.out, index, config.truth) for index in range(config.objects)]
    index = {
        "format": 1,
        "category": category,
        "seed": config.seed,
        "objects": sum(done),
        "views": config.views,
        "resolution": config.resolution,
        "samples": config.samples,
        "look": config.look,
        "truth": config.truth,
    }
    if config.truth:
        index["regions"] = list(REGIONS)
    if config.meshes is not None:
        notes = [folder / "refused.json" for folder in folders]
        index["up"], index["front"] = config.up, config.front or FRONTS[config.up]
        index["refused"] = [json.loads(note.read_text()) for note in notes if note.is_file()]
    if config.shared_cameras:
        index["kind"] = "shared-views"
    config.out.mkdir(parents=True, exist_ok=True)
    files.write_json(config.out / "dataset.json", index)


class ObjectRenderer:
    """Owns the scene of one process and renders objects into the dataset's folder."""

    def __init__(self, config: DatasetConfig, threads: int) -> None:
        self.config = config
        self.stage = RenderScene(config.resolution, config.samples, threads)
        self.light = WorldLight(self.stage.scene)
        self.studio = Studio(self.stage.scene, self.light) if config.look == "studio" else None
        self.surroundings = Surroundings(self.stage.scene) if config.look == "streets" else None
        self.truth: TruthScene | None = None
        if config.truth:
            self.truth = TruthScene(config.resolution, self.stage.camera, self.stage.folder)
        self.materials = CarMaterials()
        self.objects: list[bpy.types.Object] = []
        self.cameras: list[Camera] = []
        if config.shared_cameras:
            half = np.array(CAR_BOX if config.meshes is None else (0.5, 0.5, 0.5))
            corners = half * (2 * np.indices((2, 2, 2)).reshape(3, -1).T - 1)
            self.cameras = shared_cameras(np.random.default_rng([config.seed, 2**32 - 1]), config.views, corners)

    def render_car(self, index: int) -> None:
        """Render parametric car `index` with all its views."""
        rng = np.random.default_rng([self.config.seed, index])
        style = sample_style(rng)
        parameters = sample_parameters(rng, style)
        mesh = build_car(parameters, rng)
        soft_top = parameters.open_top < 0.5 and style in SPORTY and rng.random() < 0.12
        look = sample_look(rng, soft_top, sporty=style in SPORTY, parameters=parameters)
        self.materials.set(look)
        description = {
            "body_style": style,
            "parameters": asdict(parameters),
            "paint": look.paint_name,
            "two_tone": look.two_tone,
            "base_colours": base_colours(look),
        }
        data = blender_mesh("Car", mesh)
        for material in self.materials.slots:
            data.materials.append(material)
        self._show(data, parked=2)
        if self.truth:
            self.truth.show_car(data, bool(look.two_tone))
        self._render_views(index, rng, mesh, description, np.array(look.paint.colour))

    def render_model(self, index: int, model: Model, source: str) -> None:
        """Render an imported model, already canonical, as object `index`."""
        rng = np.random.default_rng([self.config.seed, index])
        self._show(model.data, parked=0)
        if self.truth:
            self.truth.show_model(model.data, model.regions)
        self._render_views(index, rng, model.mesh, {"body_style": "", "parameters": {}, "source": source})
        (object_folder(self.config.out, index) / "refused.json").unlink(missing_ok=True)

    def _show(self, data: bpy.types.Mesh, parked: int) -> None:
        """Put a mesh in the scene in place of the last one, with `parked` copies in other paint."""
        if self.truth:
            self.truth.clear()
        for old in self.objects:
            bpy.data.objects.remove(old)
        for mesh in [mesh for mesh in bpy.data.meshes if mesh.users == 0 and mesh != data]:
            bpy.data.meshes.remove(mesh)
        self.objects = [bpy.data.objects.new(f"Object_{k}", data) for k in range(1 + parked * bool(self.surroundings))]
        for item in self.objects:
            self.stage.scene.collection.objects.link(item)
        if not self.surroundings:
            return
        self.surroundings.park(self.objects[1:])
        for k, item in enumerate(self.objects[1:]):
            for slot in item.material_slots:
                slot.link = "OBJECT"
            # Parked cars must stay out of the mask, so none of the masked materials may be on them.
            item.material_slots[0].material = self.surroundings.parked_paint[k]
            names = ("dark", "light", "light", "dark", "dark")
            for slot, name in zip(list(item.material_slots)[1:], names, strict=True):
                slot.material = self.surroundings.parked_plain[name]

    def _render_views(
        self, index: int, rng: np.random.Generator, mesh: ObjectMesh, description: dict, paint: np.ndarray | None = None
    ) -> None:
        folder = object_folder(self.config.out, index)
        folder.mkdir(parents=True, exist_ok=True)
        seen = mesh.vertices[np.unique(mesh.triangles())]  # an open car keeps the vertices of its roof, without faces
        floor = float(seen[:, 2].min())
        ground = self.surroundings.dress(rng, floor) if self.surroundings else None
        if self.studio:
            self.studio.dress(rng, floor)
        views, truths = [], []
        for k in range(self.config.views):
            camera = self._camera(rng, k, seen)
            self.stage.look_through(camera)
            if self.studio:
                lighting = self.studio.light(rng)
            else:
                self.surroundings.arrange(rng, camera)
                lighting = {"ground": ground.kind, **self.light.sample(rng, ground.colour, paint)}
            colour, mask = self.stage.render(int(rng.integers(2**31)))
            factor = exposure_factor(colour[mask > 0.5], lift=self.config.meshes is not None)
            colour, lighting = colour * factor, dimmed(lighting, factor)
            name = f"view_{k:02d}.png"
            save_view(folder / name, colour, mask)
            views.append({"file": name, "camera": asdict(camera), **lighting})
            if self.truth:
                truths.append(self.truth.render())
        if truths:
            coordinates, regions = (np.stack(arrays) for arrays in zip(*truths, strict=True))
            files.write_bytes(folder / "truth.npz", pack_truth(coordinates, regions))
        np.savez_compressed(folder / "mesh.npz", vertices=mesh.vertices, faces=mesh.triangles())
        whole = {"seed": [self.config.seed, index], **description, "views": views}
        files.write_text(folder / "object.json", json.dumps(whole) + "\n")

    def _camera(self, rng: np.random.Generator, view: int, vertices: np.ndarray) -> Camera:
        if self.cameras:
            return self.cameras[view]
        return (studio_camera if self.studio else sample_camera)(rng, vertices)


def exposure_factor(pixels: np.ndarray, lift: bool) -> float:
    """Return what to multiply a picture by so that at most a fiftieth of the object's `pixels` (P, 3) burns out.

    With `lift` an object nearly black all over is brightened too. Light is linear: there is no need to render again.
    """
    if len(pixels) == 0:
        return 1.0
    bright = float(np.quantile(pixels.min(axis=1), 0.98))
    if bright > 0.95:
        return max(0.9 / bright, 0.2)
    shown = float(np.quantile(pixels.max(axis=1), 0.9))
    return min(0.06 / max(shown, 1e-6), 4.0) if lift and shown < 0.03 else 1.0


def dimmed(lighting: dict, factor: float) -> dict:
    """Return what object.json says about the light, that much stronger."""
    result = {**lighting, "strength": lighting["strength"] * factor}
    result["light"] = (np.array(lighting["light"]) * factor).tolist()
    if "sun" in lighting:
        result["sun"] = {**lighting["sun"], "irradiance": lighting["sun"]["irradiance"] * factor}
    return result


def save_view(path: Path, colour: np.ndarray, mask: np.ndarray) -> None:
    """Write the picture with its background, and the mask as straight alpha, as an 8-bit PNG."""
    rgba = np.concatenate([encode_srgb(colour), mask[..., None]], axis=-1)
    image = Image.fromarray((rgba * 255 + 0.5).astype(np.uint8), "RGBA")
    with files.replacing(path) as partial:
        image.save(partial, "PNG", compress_level=6)

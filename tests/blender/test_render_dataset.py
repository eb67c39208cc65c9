# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendered cars: what is on disk agrees with itself, with Cycles and with the conventions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

pytest.importorskip("bpy")
ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "render_dataset.py"
sys.path.insert(0, str(ROOT / "scripts"))

from dataset.cameras import shared_cameras  # noqa: E402
from dataset.cars.car import build_car  # noqa: E402
from dataset.cars.parameters import STYLES, sample_parameters, style_parameters  # noqa: E402

RESOLUTION = 64


def run(*arguments: object) -> subprocess.CompletedProcess:
    """Run the program as a user does."""
    command = [sys.executable, str(SCRIPT), "--", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def load(folder: Path) -> tuple[dict, np.lib.npyio.NpzFile]:
    """Return an object's description and mesh."""
    return json.loads((folder / "object.json").read_text()), np.load(folder / "mesh.npz")


def project(vertices: np.ndarray, camera: dict, size: int) -> np.ndarray:
    """Project world points to pixels, written from the conventions and not from the program."""
    a, e, d = camera["azimuth"], camera["elevation"], camera["distance"]
    position = d * np.array([np.sin(a) * np.cos(e), -np.cos(a) * np.cos(e), np.sin(e)])
    back = position / d
    right = np.cross([0.0, 0.0, 1.0], back)
    right /= np.linalg.norm(right)
    up = np.cross(back, right)
    relative = vertices - position
    x, y, depth = relative @ right, relative @ up, -(relative @ back)
    # The camera tilts counter-clockwise, so in the picture the world turns clockwise.
    c, s = np.cos(camera["roll"]), np.sin(camera["roll"])
    x, y = c * x + s * y, c * y - s * x
    scale = size / 2 / np.tan(camera["field_of_view"] / 2)
    return np.stack(
        [
            size / 2 + scale * x / depth + camera["shift_x"] * size,
            size / 2 - scale * y / depth - camera["shift_y"] * size,
        ],
        axis=1,
    )


def silhouette(vertices: np.ndarray, faces: np.ndarray, camera: dict, size: int) -> np.ndarray:
    """Return the coverage (size, size) of projected triangles, from eight samples a pixel side."""
    fine = 8
    points = project(vertices, camera, size) * fine
    picture = Image.new("L", (size * fine, size * fine))
    draw = ImageDraw.Draw(picture)
    for face in faces:
        draw.polygon([tuple(points[k]) for k in face], fill=1)
    return np.asarray(picture, dtype=float).reshape(size, fine, size, fine).mean(axis=(1, 3))


def mask_of(folder: Path, view: dict) -> np.ndarray:
    """Return a view's mask in 0..1."""
    return np.asarray(Image.open(folder / view["file"]))[..., 3] / 255.0


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cars with two views each."""
    out = tmp_path_factory.mktemp("cars")
    done = run(
        "--out",
        out,
        "--objects",
        2,
        "--views",
        2,
        "--resolution",
        RESOLUTION,
        "--seed",
        5,
        "--samples",
        4,
        "--contact-sheet",
        out / "sheet.png",
    )
    assert done.returncode == 0, done.stderr
    return out


def test_format(rendered: Path) -> None:
    index = json.loads((rendered / "dataset.json").read_text())
    assert (index["format"], index["category"], index["objects"], index["views"]) == (1, "car", 2, 2)
    assert Image.open(rendered / "sheet.png").size == (2 * RESOLUTION, 2 * RESOLUTION)
    for k in range(2):
        folder = rendered / "objects" / f"{k:06d}"
        description, mesh = load(folder)
        assert description["body_style"] in STYLES
        colours = description["base_colours"]
        assert {"paint", "two_tone", "rim", "plate"} <= set(colours)
        assert all(len(rgb) == 3 and 0 <= min(rgb) <= max(rgb) <= 1 for rgb in colours.values())
        assert mesh["vertices"].dtype == np.float32 and mesh["faces"].dtype == np.int32
        assert mesh["faces"].min() >= 0 and mesh["faces"].max() < len(mesh["vertices"])
        for view in description["views"]:
            picture = Image.open(folder / view["file"])
            assert picture.mode == "RGBA" and picture.size == (RESOLUTION, RESOLUTION)
            assert np.shape(view["light"]) == (9, 3)
            colour = np.asarray(picture)[..., :3]
            assert colour[mask_of(folder, view) < 0.01].std() > 0, "the background is part of the picture"
        assert not list(folder.glob("*.part"))


def test_mask_agrees_with_mesh_through_the_camera(rendered: Path) -> None:
    for k in range(2):
        folder = rendered / "objects" / f"{k:06d}"
        description, mesh = load(folder)
        for view in description["views"]:
            mask = mask_of(folder, view)
            seen = mesh["vertices"][np.unique(mesh["faces"])].astype(float)
            points = project(seen, view["camera"], RESOLUTION)
            assert points.min() > 0 and points.max() < RESOLUTION, "the whole car is in the picture"
            expected = silhouette(mesh["vertices"].astype(float), mesh["faces"], view["camera"], RESOLUTION)
            overlap = np.minimum(mask, expected).sum() / np.maximum(mask, expected).sum()
            assert overlap > 0.95, f"at {RESOLUTION} px with 4 samples the edge alone costs some"
            assert ((mask > 0.5) != (expected > 0.5)).sum() < 0.03 * (expected > 0.5).sum()


def test_objects_depend_on_seed_and_number_alone_and_runs_resume(rendered: Path, tmp_path: Path) -> None:
    first, second = (rendered / "objects" / name for name in ("000000", "000001"))
    kept = (first / "object.json").stat().st_mtime_ns
    expected_json, expected_view = (second / "object.json").read_bytes(), (second / "view_01.png").read_bytes()
    expected_mesh = np.load(second / "mesh.npz")["vertices"]
    (second / "object.json").unlink()  # as if killed before the end
    (second / "view_01.png").write_bytes(b"torn")
    # Alone in its process, the second car comes out as it did beside the first.
    done = run(
        "--out",
        rendered,
        "--objects",
        2,
        "--views",
        2,
        "--resolution",
        RESOLUTION,
        "--seed",
        5,
        "--samples",
        4,
        "--workers",
        1,
    )
    assert done.returncode == 0, done.stderr
    assert (first / "object.json").stat().st_mtime_ns == kept
    assert (second / "object.json").read_bytes() == expected_json
    assert np.array_equal(np.load(second / "mesh.npz")["vertices"], expected_mesh)
    (tmp_path / "old.png").write_bytes(expected_view)
    old, new = (np.asarray(Image.open(path)).astype(int) for path in (tmp_path / "old.png", second / "view_01.png"))
    assert np.abs(old - new).max() <= 2


@pytest.mark.parametrize("style", list(STYLES))
def test_every_style_is_a_plausible_symmetric_car(style: str) -> None:
    for seed in range(4):
        rng = np.random.default_rng([7, seed])
        parameters = style_parameters(style) if seed == 0 else sample_parameters(rng, style)
        mesh = build_car(parameters, rng)
        seen = mesh.vertices[np.unique(mesh.triangles())]
        size = np.ptp(seen, axis=0)
        assert np.isclose(size[1], 1, atol=1e-5) and 0.20 < size[0] < 0.60 and 0.21 < size[2] < 0.58
        assert np.allclose(seen.max(axis=0) + seen.min(axis=0), 0, atol=1e-5)
        assert np.isfinite(mesh.vertices).all() and np.isfinite(mesh.markings).all()
        # Occupancy of coarse cells is the same on both sides (the steering wheel alone is on one).
        body = mesh.vertices[: 90 * 90]
        cells = {tuple(cell) for cell in np.round(body / 0.02).astype(int)}
        mirrored = {(-x, y, z) for x, y, z in cells}
        assert len(cells - mirrored) < 0.02 * len(cells)
        corners = mesh.vertices[mesh.triangles()]
        volume = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
        assert 0.03 < volume < 0.22, "faces look outwards"


def test_light_coefficients_match_cycles() -> None:
    import bpy
    from dataset.scene import RenderScene
    from dataset.world import WorldLight, sun_light, world_light

    from backend.common.harmonics import spherical_harmonics
    from backend.common.pinhole import camera_to_world
    from backend.common.records import Camera

    size = 48
    stage = RenderScene(size, 64, 2)
    light = WorldLight(stage.scene)
    bpy.ops.mesh.primitive_uv_sphere_add(segments=96, ring_count=48, radius=0.5)
    ball = bpy.context.object
    for polygon in ball.data.polygons:
        polygon.use_smooth = True
    white = bpy.data.materials.new("white")
    white.use_nodes = True
    shader = white.node_tree.nodes.new("ShaderNodeBsdfDiffuse")
    shader.inputs["Color"].default_value = (1, 1, 1, 1)
    white.node_tree.links.new(shader.outputs[0], white.node_tree.nodes["Material Output"].inputs["Surface"])
    ball.data.materials.append(white)
    camera = Camera(0.7, 0.4, 40.0, 0.0, 2 * np.arctan(0.55 / 40), 0.0, 0.0)
    stage.look_through(camera)
    steps = (np.arange(size) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(steps * 1.1, -steps * 1.1)
    inside = x**2 + y**2 < 0.85**2
    local = np.stack([x, y, np.sqrt(np.maximum(1 - x**2 - y**2, 0))], axis=-1)
    normals = local @ camera_to_world(camera)[:3, :3].T

    def errors(coefficients: np.ndarray, picture: np.ndarray) -> float:
        wanted = (spherical_harmonics(normals) @ coefficients)[inside]
        return float(np.abs(wanted - picture[inside]).mean() / picture[inside].mean())

    for name, rotation in (("city", 0.0), ("sunset", 2.1)):
        light.set(name, rotation, 0.8)
        picture, _ = stage.render(1)
        assert errors(world_light(name, rotation, 0.8), picture) < 0.04
        assert errors(world_light(name, rotation + 1.5, 0.8), picture) > 0.06, "the check can tell a wrong rotation"
    light.set("city", 0.0, 0.0)
    towards = np.array([0.48, -0.6, 0.64])
    light.set_sun(towards, np.array([1.0, 0.9, 0.8]), 2.0, 0.02)
    picture, _ = stage.render(1)
    assert errors(sun_light(towards, np.array([1.0, 0.9, 0.8]), 2.0, None), picture) < 0.08


def test_folder_of_models_with_a_broken_file(tmp_path: Path) -> None:
    models = tmp_path / "models with spaces"
    models.mkdir()
    # A wedge, Y up and front +Z as OBJ files have it: 2 long, 1 wide; the tall end is the back.
    corners = [(-0.5, 0, 1), (0.5, 0, 1), (-0.5, 0, -1), (0.5, 0, -1), (-0.5, 0.8, -1), (0.5, 0.8, -1)]
    lines = ["mtllib paints.mtl", *(f"v {x} {y} {z}" for x, y, z in corners)]
    # Two materials: Blender's evaluated copies of them do not outlive the imported objects.
    lines += ["usemtl red", "f 1 3 4 2", "f 1 2 6 5", "usemtl blue", "f 3 5 6 4", "f 1 5 3", "f 2 4 6"]
    (models / "b wedge.obj").write_text("\n".join(lines) + "\n")
    (models / "paints.mtl").write_text("newmtl red\nKd 0.9 0.1 0.1\nnewmtl blue\nKd 0.1 0.1 0.9\n")
    (models / "a broken.glb").write_bytes(b"no model at all")
    out = tmp_path / "out"
    done = run("--out", out, "--views", 2, "--resolution", 32, "--meshes", models, "--samples", 4, "--workers", 1)
    assert done.returncode == 1 and "a broken.glb" in done.stderr
    description, mesh = load(out / "objects" / "000001")
    assert description["source"] == "b wedge.obj"
    vertices = mesh["vertices"]
    assert np.allclose(np.ptp(vertices, axis=0), (0.5, 1.0, 0.4), atol=1e-5)
    assert vertices[vertices[:, 2] > 0, 1].min() > 0, "the tall end is at the back, +Y"
    for view in description["views"]:
        mask = mask_of(out / "objects" / "000001", view)
        expected = silhouette(vertices.astype(float), mesh["faces"], view["camera"], 32)
        assert np.minimum(mask, expected).sum() / np.maximum(mask, expected).sum() > 0.93


def test_shared_cameras_are_the_same_for_all_objects(tmp_path: Path) -> None:
    """Also for those that another process renders."""
    done = run("--out", tmp_path, "--objects", 2, "--views", 2, "--resolution", 32, "--samples", 1, "--workers", 2,
               "--shared-cameras")  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "dataset.json").read_text())["kind"] == "shared-views"
    first, second = ([v["camera"] for v in load(tmp_path / "objects" / f"00000{k}")[0]["views"]] for k in range(2))
    assert first == second and first[0] != first[1]


def test_shared_cameras_lie_around_the_object_and_hold_it() -> None:
    corners = np.array([[x, y, z] for x in (-0.2, 0.2) for y in (-0.5, 0.5) for z in (-0.1, 0.15)])
    cameras = shared_cameras(np.random.default_rng(3), 40, corners)
    parts = np.round(np.array([camera.azimuth for camera in cameras]) / (2 * np.pi / 40)).astype(int) % 40
    assert sorted(parts) == list(range(40)), "one in every part of the circle"
    elevations = np.rad2deg([camera.elevation for camera in cameras])
    assert elevations.min() >= 0 and elevations.max() <= 25 and np.ptp(elevations) > 15
    for camera in cameras:
        points = project(corners, vars(camera), 100)
        assert points.min() > 0 and points.max() < 100
        assert 54.9 < np.ptp(points, axis=0).max() < 95.1


@pytest.mark.parametrize(
    "arguments, word",
    [
        (("--objects", 0), "objects"),
        (("--views", 2), "objects"),
        (("--objects", 1, "--meshes", "nowhere"), "nowhere"),
        (("--objects", "many"), "many"),
    ],
)
def test_wrong_arguments_give_one_sentence(tmp_path: Path, arguments: tuple, word: str) -> None:
    done = run("--out", tmp_path / "out", *arguments)
    assert done.returncode == 2 and word in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Models of the user's own: turned as asked, refused by name where something is missing, never burnt out."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

bpy = pytest.importorskip("bpy")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from dataset.imported import MeshFileError, import_mesh, region_of, turn  # noqa: E402
from dataset.objects import dimmed, exposure_factor  # noqa: E402
from dataset.truth_file import UNKNOWN, unpack_truth  # noqa: E402

from backend.common.regions import REGIONS  # noqa: E402

# A wedge in the canonical frame: 1 long, 0.5 wide, 0.4 high, its tall end at the back, a fin on its left side.
WEDGE = np.array(
    [(-0.25, -0.5, -0.2), (0.25, -0.5, -0.2), (-0.25, 0.5, -0.2), (0.25, 0.5, -0.2), (-0.2, 0.5, 0.2), (0.25, 0.5, 0.2)]
)
FACES = "f 1 2 4 3", "f 1 5 6 2", "f 3 4 6 5", "f 1 3 5", "f 2 6 4"


def write_obj(path: Path, vertices: np.ndarray, material: str = "carPaint", colour: str = "0.5 0.1 0.1") -> None:
    """Write a wedge that Blender imports with these vertices; files of this kind have Y up."""
    lines = [f"mtllib {path.stem}.mtl", *(f"v {x} {z} {-y}" for x, y, z in vertices), f"usemtl {material}", *FACES]
    path.write_text("\n".join(lines) + "\n")
    path.with_suffix(".mtl").write_text(f"newmtl {material}\nKd {colour}\n")


def gltf(**changes: object) -> str:
    """Return a triangle as a glTF file."""
    buffer = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]], "<f4").tobytes()
    views = [{"buffer": 0, "byteOffset": 0, "byteLength": 36}, {"buffer": 0, "byteOffset": 36, "byteLength": 24}]
    model = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [{"attributes": {"POSITION": 0, "TEXCOORD_0": 1}, "material": 0}]}],
        "accessors": [
            {"bufferView": 0, "componentType": 5126, "count": 3, "type": "VEC3", "min": [0, 0, 0], "max": [1, 1, 0]},
            {"bufferView": 1, "componentType": 5126, "count": 3, "type": "VEC2"},
        ],
        "bufferViews": views,
        "buffers": [{"byteLength": 60, "uri": "data:;base64," + base64.b64encode(buffer).decode()}],
        "materials": [{"name": "skin", "pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}],
        "textures": [{"source": 0}],
        "images": [{"uri": "skin.png"}],
        **changes,
    }
    return json.dumps(model)


def run(*arguments: object) -> subprocess.CompletedProcess:
    """Run the program as a user does."""
    command = [sys.executable, str(ROOT / "scripts" / "render_dataset.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@pytest.mark.parametrize(
    "up, front",
    [("Z", "-Y"), ("Z", "X"), ("Z", "Y"), ("Y", "Z"), ("Y", "X"), ("-Z", "-Y"), ("X", "-Y"), ("-X", "Z"), ("-Y", "-Z")],
)
def test_models_are_turned_upright_and_to_the_front(tmp_path: Path, up: str, front: str) -> None:
    axes = {"X": 0, "Y": 1, "Z": 2}
    upwards, forwards = np.zeros(3), np.zeros(3)
    upwards[axes[up[-1]]] = -1 if "-" in up else 1
    forwards[axes[front[-1]]] = -1 if "-" in front else 1
    left = np.cross(upwards, forwards)  # forwards is -Y and upwards Z in the canonical frame: left is +X
    lying = WEDGE[:, :1] * left - WEDGE[:, 1:2] * forwards + WEDGE[:, 2:] * upwards
    write_obj(tmp_path / "wedge.obj", lying)
    model = import_mesh(tmp_path / "wedge.obj", turn(up, front))
    found = sorted(map(tuple, np.round(model.mesh.vertices, 4).tolist()))
    assert np.allclose(found, sorted(map(tuple, WEDGE.tolist())), atol=1e-4)
    assert model.regions == [REGIONS.index("paint") + 1]


def test_a_front_that_is_up_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="front"):
        turn("Z", "-Z")
    done = run("--out", tmp_path / "out", "--objects", 1, "--up", "Y", "--front", "-Y")
    assert done.returncode == 2 and "--front" in done.stderr and len(done.stderr.strip().splitlines()) == 1
    done = run("--out", tmp_path / "out", "--objects", 1, "--up", "sideways")
    assert done.returncode == 2 and "SIDEWAYS" in done.stderr


@pytest.mark.parametrize(
    "name, region",
    [
        ("lightBack.001", "tail_lamp"),
        ("Headlights", "head_lamp"),
        ("lightFront", "head_lamp"),
        ("tail_light", "tail_lamp"),
        ("carTire.013", "rubber"),
        ("black_tyre", "rubber"),
        ("window.001", "glass"),
        ("Wheel_Rim", "rim"),
        ("paintGreen", "paint"),
        ("CarPaint", "paint"),
        ("plastic", "dark"),
        ("License Plate", "plate"),
        ("Seat_Leather", "interior"),
        ("Chrome", "chrome"),
        ("_defaultMat", None),
        ("primer", None),
        ("Atlas", None),
    ],
)
def test_materials_tell_their_region(name: str, region: str | None) -> None:
    assert region_of(name) == (UNKNOWN if region is None else REGIONS.index(region) + 1)


def test_models_with_something_missing_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    write_obj(tmp_path / "grey.obj", WEDGE)
    (tmp_path / "grey.mtl").unlink()
    write_obj(tmp_path / "skinned.obj", WEDGE)
    (tmp_path / "skinned.mtl").write_text("newmtl carPaint\nmap_Kd textures/skin.png\n")
    files = {
        "gone.gltf": gltf(),
        "spoilt.gltf": gltf(images=[{"uri": "bad.png"}]),
        "split.gltf": gltf(buffers=[{"byteLength": 60, "uri": "half.bin"}]),
        "empty.gltf": gltf(nodes=[{"name": "nothing"}]),
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    wanted = {
        "grey.obj": "grey.mtl, which is not there",
        "skinned.obj": "skin.png, which is not there",
        "gone.gltf": "skin.png, which is not there",
        "spoilt.gltf": "bad.png, which cannot be read",
        "split.gltf": "half.bin",
        "empty.gltf": "no surface",
    }
    for name, words in wanted.items():
        with pytest.raises(MeshFileError) as caught:
            import_mesh(tmp_path / name)
        sentence = str(caught.value)
        assert sentence.startswith(name) and words in sentence and "\n" not in sentence and "Traceback" not in sentence


def test_a_folder_is_rendered_without_what_is_refused(tmp_path: Path) -> None:
    models, out = tmp_path / "models", tmp_path / "out"
    models.mkdir()
    (models / "a empty.gltf").write_text(gltf(nodes=[{"name": "nothing"}]))
    write_obj(models / "b white.obj", WEDGE @ turn("Y", "X"), "window", "1 1 1")
    (models / "c scan.fbx").write_bytes(b"")
    (models / "notes.txt").write_text("not a model")
    arguments = [*"--views 3 --resolution 32 --samples 4 --workers 1 --up Y --front X --look studio --seed 2".split()]
    arguments += ["--out", out, "--meshes", models]
    done = run(*arguments)
    assert done.returncode == 1 and "a empty.gltf holds no surface" in done.stderr
    said = next(line for line in done.stderr.splitlines() if "skipped" in line)
    assert "c scan.fbx" in said and "notes.txt" not in said
    index = json.loads((out / "dataset.json").read_text())
    assert index["category"] == "object", "training would start from the box of a car"
    assert index["objects"] == 1 and [refused["file"] for refused in index["refused"]] == ["a empty.gltf"]
    folder = out / "objects" / "000001"
    assert np.allclose(np.ptp(np.load(folder / "mesh.npz")["vertices"], axis=0), (0.5, 1, 0.4), atol=1e-5)
    coordinates, regions = unpack_truth(folder / "truth.npz")
    assert set(np.unique(regions)) == {0, REGIONS.index("glass") + 1}
    tall = coordinates[regions > 0]
    assert tall[tall[:, 2] > 0.05, 1].min() > 0.05, "the tall end is at the back"
    for view in json.loads((folder / "object.json").read_text())["views"]:
        picture = np.asarray(Image.open(folder / view["file"]))
        assert (picture[picture[..., 3] > 127][:, :3] >= 253).all(axis=1).mean() <= 0.03, "white paint is not burnt out"
    # Once mended, a model takes its place.
    write_obj(models / "z.obj", WEDGE)
    (models / "a empty.gltf").unlink()
    (models / "z.obj").rename(models / "a empty.obj")
    (models / "z.mtl").rename(models / "a empty.mtl")
    text = (models / "a empty.obj").read_text().replace("mtllib z.mtl", "mtllib a empty.mtl")
    (models / "a empty.obj").write_text(text)
    assert run(*arguments).returncode == 0
    index = json.loads((out / "dataset.json").read_text())
    assert index["objects"] == 2 and index["refused"] == []
    (models / "b white.obj").rename(models / "b painted.obj")
    done = run(*arguments)
    assert done.returncode == 2 and "b white.obj" in done.stderr and "b painted.obj" in done.stderr
    for path in models.glob("*.obj"):
        path.unlink()
    done = run("--out", tmp_path / "none", "--meshes", models)
    assert done.returncode == 2 and "holds no" in done.stderr and "c scan.fbx" in done.stderr


def test_exposure_spares_what_is_neither_burnt_nor_black() -> None:
    grey = np.full((100, 3), 0.4)
    assert exposure_factor(grey, lift=True) == 1
    sparkling = grey.copy()
    sparkling[0] = 20
    assert exposure_factor(sparkling, lift=True) == 1
    assert np.isclose((grey * 5 * exposure_factor(grey * 5, lift=True)).max(), 0.9)
    assert exposure_factor(grey * 0.01, lift=True) == 4 and exposure_factor(grey * 0.01, lift=False) == 1
    assert exposure_factor(np.empty((0, 3)), lift=True) == 1
    lighting = {"strength": 2.0, "light": [[1.0] * 3] * 9, "sun": {"irradiance": 3.0, "colour": [1, 1, 1]}}
    assert dimmed(lighting, 0.5) == {
        "strength": 1.0,
        "light": [[0.5] * 3] * 9,
        "sun": {"irradiance": 1.5, "colour": [1, 1, 1]},
    }

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the renders say of every pixel agrees with the mesh, the cameras and the pictures; and the studio is plain."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("bpy")
ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from dataset.cameras import studio_camera  # noqa: E402
from dataset.objects import DatasetConfig  # noqa: E402
from dataset.truth_file import unpack_truth  # noqa: E402

from backend.common.pinhole import project  # noqa: E402
from backend.common.records import Camera  # noqa: E402
from backend.common.regions import REGIONS  # noqa: E402

SIZE = 64


def run(out: Path, *arguments: object) -> str:
    """Run the program as a user does; return what it said."""
    command = [sys.executable, str(ROOT / "scripts" / "render_dataset.py"), "--out", str(out), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.fixture(scope="module", params=["streets", "studio"])
def rendered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One car with two views in each look."""
    out = tmp_path_factory.mktemp(request.param)
    run(
        out,
        "--objects",
        1,
        "--views",
        2,
        "--resolution",
        SIZE,
        "--seed",
        3,
        "--samples",
        4,
        "--look",
        request.param,
        "--workers",
        1,
        "--contact-sheet",
        out / "sheet.png",
        "--sheet-truth",
    )
    return out


def views_of(folder: Path) -> list[tuple[dict, np.ndarray, np.ndarray, np.ndarray]]:
    """Return the record, picture, coordinates and regions of every view of an object."""
    records = json.loads((folder / "object.json").read_text())["views"]
    coordinates, regions = unpack_truth(folder / "truth.npz")
    pictures = [np.asarray(Image.open(folder / record["file"])) for record in records]
    return list(zip(records, pictures, coordinates, regions, strict=True))


def distances_to_mesh(points: np.ndarray, vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Return the distance of each point (P, 3) to the nearest of the triangles, at 28 samples a triangle."""
    from scipy.spatial import cKDTree

    steps = [(a / 6, b / 6) for a in range(7) for b in range(7 - a)]
    corners = vertices[faces].astype(float)
    samples = [corners[:, 0] * (1 - a - b) + corners[:, 1] * a + corners[:, 2] * b for a, b in steps]
    sampled = np.concatenate(samples)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-12)
    _, near = cKDTree(sampled).query(points, k=12)
    offsets = np.einsum("pkc,pkc->pk", points[:, None] - sampled[near], normals[near % len(faces)])
    return np.abs(offsets).min(axis=1)


def test_dataset_names_the_regions(rendered: Path) -> None:
    index = json.loads((rendered / "dataset.json").read_text())
    assert index["truth"] is True and index["regions"] == list(REGIONS) and index["look"] in rendered.name
    assert Image.open(rendered / "sheet.png").size == (2 * SIZE, 3 * SIZE)


def test_coordinates_project_to_their_own_pixels_and_lie_on_the_mesh(rendered: Path) -> None:
    folder = rendered / "objects" / "000000"
    mesh = np.load(folder / "mesh.npz")
    for record, _, coordinates, regions in views_of(folder):
        on = regions > 0
        rows, columns = np.nonzero(on)
        points = coordinates[on].astype(float)
        landed = project(Camera(**record["camera"]), points, SIZE, SIZE)
        assert np.abs(landed - np.stack([columns, rows], axis=1) - 0.5).max() < 0.1
        assert distances_to_mesh(points, mesh["vertices"], mesh["faces"]).max() < 0.004


def test_regions_are_whole_numbers_that_cover_the_mask(rendered: Path) -> None:
    for _, picture, coordinates, regions in views_of(rendered / "objects" / "000000"):
        mask = picture[..., 3] / 255.0
        assert regions.dtype == np.uint8 and regions.max() <= len(REGIONS)
        assert np.array_equal(regions > 0, ~np.isnan(coordinates[..., 0]))
        assert (regions[mask > 0.99] > 0).mean() > 0.995 and (regions[mask < 0.01] > 0).mean() < 0.001
        for name in ("paint", "glass", "rubber"):
            assert (regions == REGIONS.index(name) + 1).sum() > 5, name
        heights = [np.nanmean(coordinates[regions == REGIONS.index(name) + 1][:, 2]) for name in ("glass", "rubber")]
        assert heights[0] > 0.05 > -0.05 > heights[1], "glass is above, tyres are below"


def test_a_run_killed_before_the_description_goes_on(tmp_path: Path) -> None:
    arguments = ("--objects", 1, "--views", 1, "--resolution", 24, "--samples", 1, "--look", "studio")
    run(tmp_path, *arguments)
    folder = tmp_path / "objects" / "000000"
    expected = (folder / "truth.npz").read_bytes(), (folder / "object.json").read_bytes()
    (folder / "object.json").unlink()
    (folder / "truth.npz").write_bytes(b"torn")
    run(tmp_path, *arguments)
    assert ((folder / "truth.npz").read_bytes(), (folder / "object.json").read_bytes()) == expected
    (folder / "truth.npz").unlink()  # as in a dataset that was rendered without
    run(tmp_path, *arguments, "--no-truth")
    assert not (folder / "truth.npz").exists() and "regions" not in json.loads((tmp_path / "dataset.json").read_text())
    run(tmp_path, *arguments)
    assert (folder / "truth.npz").read_bytes() == expected[0], "an object without its truth is not done"


def test_studio_is_plain_with_a_shadow_below(tmp_path: Path) -> None:
    run(
        tmp_path,
        "--objects",
        2,
        "--views",
        2,
        "--resolution",
        SIZE,
        "--samples",
        16,
        "--look",
        "studio",
        "--no-truth",
        "--seed",
        4,
    )
    for index in range(2):
        folder = tmp_path / "objects" / f"{index:06d}"
        for record in json.loads((folder / "object.json").read_text())["views"]:
            picture = np.asarray(Image.open(folder / record["file"])).astype(float)
            mask = picture[..., 3] / 255
            colour = picture[..., :3]
            half, quarter = SIZE // 2, SIZE // 4  # further down there may be shadow
            above = np.concatenate([colour[0], colour[:quarter, 0], colour[:quarter, -1]])
            assert np.ptp(above, axis=0).max() < 40 and above.mean() > 70, "one colour, rather light"
            steps = np.abs(np.diff(colour[:half, [0, -1]], axis=0)).max(axis=2)
            assert steps.min(axis=1).max() < 10, "no horizon runs from side to side"
            columns = np.nonzero(mask.max(axis=0) > 0.5)[0]
            assert 0.7 < len(columns) / SIZE or 0.7 < (mask.max(axis=1) > 0.5).mean()
            # Just below the object's middle the ground is darker than at the picture's lower corners.
            middle = int(columns.mean())
            lowest = np.nonzero(mask[:, middle] > 0.02)[0].max()
            below = colour[lowest + 1 : lowest + 3, middle - 4 : middle + 5].mean()
            assert below < 0.93 * colour[-2:, [0, 1, -2, -1]].mean()


def test_studio_cameras_hold_the_object_in_the_middle() -> None:
    rng = np.random.default_rng(1)
    corners = np.array([[x, y, z] for x in (-0.2, 0.2) for y in (-0.5, 0.5) for z in (-0.15, 0.15)])
    cameras = [studio_camera(rng, corners) for _ in range(60)]
    assert np.ptp([camera.azimuth for camera in cameras]) > 5.5
    for camera in cameras:
        assert -0.3 < np.rad2deg(camera.elevation) < 25 and 2.5 <= camera.distance <= 5
        assert abs(np.rad2deg(camera.roll)) <= 1.5
        points = project(camera, corners, 1, 1)
        assert 0.749 < np.ptp(points, axis=0).max() < 0.901
        assert np.abs((points.min(axis=0) + points.max(axis=0)) / 2 - 0.5).max() < 0.04


def test_truth_is_written_unless_refused(tmp_path: Path) -> None:
    assert DatasetConfig(tmp_path, 1, 1, 16).truth, "truth is written unless refused"

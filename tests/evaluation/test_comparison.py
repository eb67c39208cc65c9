# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is measured when networks are compared: of ones that answer the truth, and of ones that err in one way."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from backend.common.records import Camera, ReconstructRequest
from backend.evaluation.comparison import sheet as comparison_sheet
from backend.evaluation.comparison.data import (
    Pictures,
    kind_of_data,
    read_gan_views,
    read_photographs,
    read_rendered_views,
    spread,
)
from backend.evaluation.comparison.measures import ComparedNetwork, colour_error, measure
from backend.evaluation.comparison.table import figures_of
from backend.models.crop import crop_around
from backend.models.inverse_graphics import Prediction, apparent_size_of
from backend.pipeline.reconstruct import reconstruct
from backend.render.camera import Cameras
from backend.render.light import uniform_light
from backend.weights.bundle import load_bundle
from tests.helpers.shared_views import IDS, cameras_in_bins, pictures_of, shaped, textured, write_gan_views
from tests.helpers.synthetic import TEMPLATE

SIZE, BINS = 128, 24
OBJECTS, VIEWS = 2, 5


class Oracle(torch.nn.Module):
    """Knows every picture that it is shown, and answers what it was told."""

    config = SimpleNamespace(image_size=32)

    def __init__(self, pictures: Pictures, cameras: Cameras, vertices: Tensor, textures: Tensor) -> None:
        """cameras (P), vertices (P, V, 3), textures (P, 3, T, T)."""
        super().__init__()
        self.known = pictures.cut(torch.arange(len(pictures)), self.config.image_size).flatten(1)
        self.cameras, self.vertices, self.textures = cameras, vertices, textures

    def forward(self, crops: Tensor) -> Prediction:
        number = torch.cdist(crops.flatten(1), self.known).argmin(dim=1)
        cameras = self.cameras[number]
        step = 2 * math.pi / BINS
        chosen = torch.remainder(torch.round(cameras.azimuth / step), BINS).long()
        residual = torch.remainder(cameras.azimuth - chosen * step + math.pi, 2 * math.pi) - math.pi
        size = apparent_size_of(cameras.field_of_view, cameras.distance)
        pose = (cameras.elevation, cameras.roll, cameras.distance.log(), size.log(), cameras.shift_x, cameras.shift_y)
        code = number[:, None].float()
        logits = torch.nn.functional.one_hot(chosen, BINS).float()
        light = uniform_light(len(crops))
        return Prediction(code, code, logits, residual[:, None].expand(-1, BINS), torch.stack(pose, dim=1), light)

    def shape_decoder(self, code: Tensor) -> Tensor:
        return self.vertices[code[:, 0].long()]

    def texture_decoder(self, code: Tensor) -> Tensor:
        return self.textures[code[:, 0].long()]


def write_renders(folder: Path, cameras: list[Camera], seed: int = 3) -> tuple[list[np.ndarray], list[Tensor]]:
    """As scripts/render_dataset.py writes them; returns the shapes and textures."""
    rng = np.random.default_rng(seed)
    shapes, textures = [], []
    for number in range(OBJECTS):
        shapes.append(shaped(rng))
        textures.append(textured(rng))
        target = folder / "objects" / f"{number:06d}"
        target.mkdir(parents=True)
        np.savez(target / "mesh.npz", vertices=shapes[-1], faces=TEMPLATE.triangles)
        views = []
        for view, rgba in enumerate(pictures_of(shapes[-1], textures[-1], cameras, SIZE)):
            Image.fromarray(rgba, "RGBA").save(target / f"{view}.png")
            views.append({"file": f"{view}.png", "camera": asdict(cameras[view]), "light": [[0.0] * 3] * 9})
        (target / "object.json").write_text(json.dumps({"views": views}))
    return shapes, textures


@pytest.fixture(scope="module")
def renders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Pictures, Oracle]:
    """Rendered views, and the network that knows them."""
    folder = tmp_path_factory.mktemp("renders")
    shapes, textures = write_renders(folder, cameras_in_bins(VIEWS, np.random.default_rng(1)))
    pictures = read_rendered_views("renders", folder, None)
    assert pictures.cameras is not None and len(pictures) == OBJECTS * VIEWS
    vertices = torch.as_tensor(np.stack(shapes))[pictures.object_of]
    return pictures, Oracle(pictures, pictures.cameras, vertices, torch.cat(textures)[pictures.object_of])


def compared(network: torch.nn.Module) -> ComparedNetwork:
    return ComparedNetwork("oracle", "", network, TEMPLATE)  # type: ignore[arg-type]


def told(pictures: Pictures, oracle: Oracle, **changes: object) -> dict[str, float]:
    """Figures of the oracle with some of its answers changed."""
    answers = {"cameras": oracle.cameras, "vertices": oracle.vertices, "textures": oracle.textures} | changes
    figures = figures_of(measure(compared(Oracle(pictures, **answers)), pictures), pictures.kind)
    assert all(figure["count"] in (0, len(pictures)) for figure in figures.values())
    return {name: figure["value"] for name, figure in figures.items()}


def test_the_truth_has_no_error_on_renders(renders: tuple[Pictures, Oracle]) -> None:
    figures = told(*renders)
    print(figures)
    assert min(figures[f"iou_{name}"] for name in ("own_camera", "view_camera", "other_view")) > 0.96
    assert figures["azimuth_error_deg"] < 0.01 and figures["elevation_error_deg"] < 0.01 and figures["flips"] == 0
    assert figures["colour_error"] < 0.03
    for form in ("", "_boxed"):
        shape = [figures[name + form] for name in ("chamfer", "f_score", "solid_iou")]
        assert shape == pytest.approx([0, 1, 1], abs=2e-3)


def test_front_taken_for_rear_is_a_flip_and_no_error_of_the_shape(renders: tuple[Pictures, Oracle]) -> None:
    pictures, oracle = renders
    true = told(pictures, oracle)
    figures = told(pictures, oracle, cameras=replace(oracle.cameras, azimuth=oracle.cameras.azimuth + math.pi))
    assert figures["flips"] == 1 and figures["azimuth_error_deg"] == pytest.approx(180, abs=0.01)
    assert figures["iou_own_camera"] < true["iou_own_camera"] - 0.05
    same = ("iou_view_camera", "iou_other_view", "elevation_error_deg", "chamfer", "solid_iou")
    assert {name: figures[name] for name in same} == {name: true[name] for name in same}


def test_cameras_off_by_some_degrees_are_off_by_those(seen: tuple[Pictures, Oracle]) -> None:
    pictures, oracle = seen
    moved = replace(
        oracle.cameras,
        azimuth=oracle.cameras.azimuth - math.radians(30) + 2 * math.pi,
        elevation=oracle.cameras.elevation + math.radians(4),
    )
    figures = told(pictures, oracle, cameras=moved)
    assert figures["azimuth_error_deg"] == pytest.approx(30, abs=0.01) and figures["flips"] == 0
    assert figures["elevation_error_deg"] == pytest.approx(4, abs=0.01)


def test_another_scale_of_the_canonical_frame_counts_only_where_meshes_are_not_boxed(
    renders: tuple[Pictures, Oracle],
) -> None:
    pictures, oracle = renders
    nearer = replace(oracle.cameras, distance=0.8 * oracle.cameras.distance)
    figures = told(pictures, oracle, vertices=0.8 * oracle.vertices, cameras=nearer)
    assert figures["iou_own_camera"] > 0.96 and figures["iou_view_camera"] > 0.95
    assert figures["chamfer"] > 0.025 and figures["solid_iou"] == pytest.approx(0.8**3, abs=0.05)
    assert figures["chamfer_boxed"] < 1e-3 and figures["f_score_boxed"] == 1 and figures["solid_iou_boxed"] > 0.98


def test_a_shape_without_area_has_no_distance(renders: tuple[Pictures, Oracle]) -> None:
    pictures, oracle = renders
    pictures = replace(pictures, object_of=pictures.object_of[:2], files=pictures.files[:2], cameras=oracle.cameras[:2])
    collapsed = Oracle(pictures, oracle.cameras, 0 * oracle.vertices, oracle.textures)
    figures = figures_of(measure(compared(collapsed), pictures), pictures.kind)
    assert figures["chamfer"] == figures["solid_iou_boxed"] == {"value": None, "count": 0}
    assert figures["colour_error"]["value"] is None and figures["iou_own_camera"]["value"] == 0


def test_other_views_are_the_pictures_a_right_angle_away(seen: tuple[Pictures, Oracle]) -> None:
    """Which they are by arithmetic on degrees; and their mean is that of what each picture alone has."""
    pictures, oracle = seen
    degrees = pictures.cameras.azimuth.rad2deg().tolist()
    records = measure(compared(Oracle(pictures, oracle.cameras, 1.0 * oracle.vertices[:1].expand_as(oracle.vertices),
                                      oracle.textures)), pictures)  # fmt: skip
    for number, record in enumerate(records):
        first = number - number % VIEWS
        others = [k for k in range(first, first + VIEWS) if 90 <= abs(degrees[k] - degrees[number]) % 360 <= 270]
        assert pictures.apart(number).tolist() == others and others
        # One shape for all: what a picture's own view shows of it is what others see there.
        expected = np.mean([records[k]["iou_view_camera"] for k in others])
        assert record["iou_other_view"] == pytest.approx(expected, abs=1e-5)


def test_an_object_seen_from_one_side_alone_has_no_other_view(seen: tuple[Pictures, Oracle]) -> None:
    pictures, oracle = seen
    beside = replace(pictures.cameras, azimuth=0.1 * torch.arange(len(pictures)) / len(pictures))
    records = measure(compared(oracle), replace(pictures, cameras=beside))
    assert all(record["iou_other_view"] is None for record in records)


def test_colour_error_is_the_mean_over_what_both_cover() -> None:
    rng = np.random.default_rng(0)
    rgb, target = rng.random((2, 3, 5, 6)), rng.random((2, 4, 5, 6))
    target[:, 3] = rng.choice([0.0, 0.6, 1.0], (2, 5, 6))
    both = rng.integers(0, 2, (2, 5, 6)) * (target[:, 3] > 0.5)
    both[1] = 0
    expected = [
        abs(rgb[0, c, y, x] - target[0, c, y, x] / target[0, 3, y, x])
        for c in range(3) for y in range(5) for x in range(6) if both[0, y, x]
    ]  # fmt: skip
    found = colour_error(*(torch.as_tensor(values) for values in (rgb, both, target)))
    assert float(found[0]) == pytest.approx(np.mean(expected)) and bool(found[1].isnan())


def test_a_texture_of_another_colour_errs_by_as_much(seen: tuple[Pictures, Oracle]) -> None:
    pictures, oracle = seen
    darker = told(pictures, oracle, textures=(oracle.textures - 0.1).clamp(0, 1))
    assert darker["colour_error"] == pytest.approx(0.1, abs=0.03)


@pytest.fixture
def seen(renders: tuple[Pictures, Oracle]) -> tuple[Pictures, Oracle]:
    """The same without the true meshes, whose comparison takes most of the time."""
    pictures, oracle = renders
    return replace(pictures, meshes=[]), oracle


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[int, Camera]]:
    folder = tmp_path_factory.mktemp("generated")
    return folder, dict(zip(IDS, write_gan_views(folder, objects=3, size=SIZE), strict=True))


def test_the_truth_has_no_error_on_a_generators_views(generated: tuple[Path, dict[int, Camera]]) -> None:
    """The dropped view is not looked at, and cameras are found by the view's number, whatever else the file has."""
    folder, cameras = generated
    pictures = read_gan_views("generated", folder, cameras | {99: cameras[4]}, None)
    assert pictures.number_of_objects == 3 and not any("view 8" in name for name in pictures.files)
    rng = np.random.default_rng(0)
    cameras_in_bins(len(IDS), rng)  # as write_gan_views draws
    made = [(shaped(rng), textured(rng)) for _ in range(3)]
    vertices = torch.as_tensor(np.stack([shape for shape, _ in made]))[pictures.object_of]
    textures = torch.cat([texture for _, texture in made])[pictures.object_of]
    records = measure(compared(Oracle(pictures, pictures.cameras, vertices, textures)), pictures)
    figures = {name: figure["value"] for name, figure in figures_of(records, pictures.kind).items()}
    print(figures)
    assert min(figures[f"iou_{name}"] for name in ("own_camera", "view_camera", "other_view")) > 0.96
    assert figures["azimuth_error_deg"] < 0.01 and figures["flips"] == 0 and figures["colour_error"] < 0.03
    assert "chamfer" not in figures and "solid_iou" not in records[0]
    sheet = comparison_sheet.sheet([compared(Oracle(pictures, pictures.cameras, vertices, textures))], pictures)
    look_alike(sheet, rows=3, pairs=[(0, 1), (2, 3)])


def look_alike(sheet: np.ndarray, rows: int, pairs: list[tuple[int, int]]) -> None:
    """Whether these columns of a sheet show the same in every row that shows something, and other pairs something else.

    An object with no picture from another side has an empty cell in its place.
    """
    side = comparison_sheet.SIDE
    cells = sheet[-rows * side :].reshape(rows, side, -1, side + 2, 3)[..., :side, :].astype(float)

    def apart(row: int, one: int, other: int) -> float:
        return float(np.abs(cells[row, :, one] - cells[row, :, other]).mean())

    shown = [(row, pair) for pair in pairs for row in range(rows) if np.ptp(cells[row, :, pair[0]]) > 0]
    assert len(shown) > rows
    assert all(apart(row, *pair) < 4 for row, pair in shown)
    assert all(apart(row, pairs[0][0], pair[0]) > 8 for row, pair in shown if pair != pairs[0])


def test_without_cameras_a_generators_views_are_seen_in_the_own_camera_alone(
    generated: tuple[Path, dict[int, Camera]],
) -> None:
    folder, cameras = generated
    known = read_gan_views("generated", folder, cameras, None)
    pictures = read_gan_views("generated", folder, None, None)
    zeros = torch.zeros(len(pictures), *TEMPLATE.vertices.shape)
    network = compared(Oracle(pictures, known.cameras, zeros, torch.zeros(len(pictures), 3, 8, 8)))
    records = measure(network, pictures)
    assert set(records[0]) == {"picture", "iou_own_camera", "colour_error"}
    assert figures_of(records, pictures.kind)["iou_view_camera"] == {"value": None, "count": 0}
    # The picture, the own camera, and that one turned: no other picture is known to be of another side.
    assert comparison_sheet.sheet([network], pictures).shape[1] == 3 * (comparison_sheet.SIDE + 2)
    with pytest.raises(ValueError, match="other views than .* has: 7, 21 lack one"):
        read_gan_views("generated", folder, {4: cameras[4]}, None)


@given(st.lists(st.floats(0, 6.28), min_size=1, max_size=15, unique=True), st.integers(1, 8))
def test_pictures_are_chosen_evenly_around_the_object(azimuths: list[float], count: int) -> None:
    chosen = spread(azimuths, count)
    ranks = [sorted(azimuths).index(azimuths[number]) for number in chosen]
    assert len(set(chosen)) == len(chosen) == min(count, len(azimuths)) and ranks[0] == 0
    gaps = np.diff([*ranks, len(azimuths)])
    assert gaps.max() - gaps.min() <= 1


def test_photographs_are_seen_as_the_product_sees_them(tmp_path: Path, renders: tuple[Pictures, Oracle]) -> None:
    """One with transparency, so that none need be segmented; and files that are none do no harm."""
    rng = np.random.default_rng(0)
    rgba = np.kron(rng.integers(0, 256, (30, 40, 4), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
    rgba[..., 3] = 0
    rgba[50:190, 60:290, 3] = 255
    Image.fromarray(rgba, "RGBA").save(tmp_path / "b.PNG")
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    (tmp_path / "NOTES.csv").write_text("of the photographs")
    bundle = load_bundle("car")
    side = bundle.inverse_graphics.config.image_size
    pictures = read_photographs("photos", tmp_path, bundle.segmenter, torch.device("cpu"), {side, 32, 96}, None)
    assert pictures.files == ["b.PNG"] and list(pictures.failed) == ["a.jpg"]
    shown: list[Tensor] = []
    handle = bundle.inverse_graphics.register_forward_hook(lambda module, given, made: shown.append(given[0].clone()))
    reconstruct(ReconstructRequest(str(tmp_path / "b.PNG"), refine_steps=0, texture_size=64, with_parts=False), bundle)
    handle.remove()
    assert torch.equal(pictures.cut(torch.tensor([0]), side), shown[0])
    mask = pictures.cut(torch.tensor([0]), 96)[0, 3] > 0.5
    x, y, length = crop_around((mask.numpy() * 255).astype(np.uint8))
    assert (x, y) == pytest.approx((48, 48), abs=1) and length == pytest.approx(96, abs=2.5)
    (tmp_path / "b.PNG").unlink()
    with pytest.raises(FileNotFoundError, match="No photograph in .* can be used: a.jpg is not a picture"):
        read_photographs("photos", tmp_path, bundle.segmenter, torch.device("cpu"), {32}, None)


def test_folders_say_themselves_what_they_hold(
    generated: tuple[Path, dict[int, Camera]], renders: tuple[Pictures, Oracle], tmp_path: Path
) -> None:
    assert kind_of_data(generated[0]) == "gan-views" and kind_of_data(renders[0].folder) == "rendered-views"
    with pytest.raises(FileNotFoundError, match="Neither views of objects nor photographs lie in"):
        kind_of_data(tmp_path)
    (tmp_path / "photo.jpg").write_bytes(b"")
    assert kind_of_data(tmp_path) == "photographs"
    with pytest.raises(FileNotFoundError, match="There is no folder"):
        kind_of_data(tmp_path / "nowhere")

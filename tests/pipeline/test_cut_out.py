# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cutting out, with networks that find red: what is tested is everything around them."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from backend.common.records import OWN_CUT_OUT, CutOutRequest, Progress
from backend.errors import Cancelled, PhotoError
from backend.models.salient_objects import CutOutModelError
from backend.pipeline import cut_out as module
from backend.pipeline.cut_out import CutOutConfig, cut_out
from backend.pipeline.looks import part_of, resampled
from backend.pipeline.photo import Photo
from backend.worker import Pipeline
from tests.helpers.car_outlines import in_a_row
from tests.helpers.onnx_files import finds_red, write_model

CPU = torch.device("cpu")


class FindsRed(nn.Module):
    """Sure where a picture is red; ``blur`` makes its outline as vague as a real network's."""

    def __init__(self, blur: int = 1, grow: int = 0) -> None:
        super().__init__()
        self.config = SimpleNamespace(resolution=128)
        self.blur, self.grow = blur, grow

    def forward(self, pictures: Tensor) -> Tensor:
        red = (pictures[:, :1] - pictures[:, 1:].amax(dim=1, keepdim=True) > 0.25).float()
        if self.grow:
            red = nn.functional.max_pool2d(red, 2 * self.grow + 1, 1, self.grow)
        red = nn.functional.avg_pool2d(red, self.blur, 1, self.blur // 2, count_include_pad=False)
        return (12 * (red - 0.5))[:, 0]


def scene(width: int, height: int, *ellipses: tuple[tuple[float, float], tuple[float, float]]) -> Photo:
    """Red ellipses (centre, half axes, in fractions of the longer side) before grey and green stripes."""
    random = np.random.default_rng(5)
    rgb = np.full((height, width, 3), 120, dtype=np.uint8)
    rgb[:, :: max(2, width // 20)] = (60, 140, 60)
    longer = max(width, height)
    for centre, axes in ellipses:
        points = (int(centre[0] * longer), int(centre[1] * longer)), (int(axes[0] * longer), int(axes[1] * longer))
        cv2.ellipse(rgb, *points, 10, 0, 360, (210, 30, 30), -1, cv2.LINE_AA)
    noisy = rgb.astype(int) + random.integers(-8, 9, rgb.shape)
    return Photo(noisy.clip(0, 255).astype(np.uint8), None, "street")


def truth(photo: Photo) -> np.ndarray:
    rgb = cv2.GaussianBlur(photo.rgb, (0, 0), 1).astype(int)
    return rgb[..., 0] - rgb[..., 1:].max(axis=2) > 80


def iou(a: np.ndarray, b: np.ndarray) -> float:
    return float((a & b).sum() / (a | b).sum())


@pytest.mark.parametrize(
    "width, height, centre, axes",
    [
        (1024, 768, (0.5, 0.4), (0.3, 0.15)),
        (600, 900, (0.3, 0.6), (0.2, 0.1)),
        (1024, 576, (0.1, 0.3), (0.25, 0.12)),  # leaves the picture
        (1024, 768, (0.7, 0.5), (0.07, 0.04)),  # small
        (300, 200, (0.5, 0.3), (0.5, 0.3)),  # nearly all of it
        (3000, 2000, (0.5, 0.3), (0.3, 0.2)),
    ],
)
def test_finds_the_object_at_the_photos_resolution(
    width: int, height: int, centre: tuple[float, float], axes: tuple[float, float]
) -> None:
    photo = scene(width, height, (centre, axes))
    found = cut_out(photo, FindsRed(blur=5), CPU)
    assert found.source == "segmenter"
    assert found.mask.shape == (height, width) and found.mask.dtype == np.uint8
    assert iou(found.mask > 127, truth(photo)) > 0.97


def test_the_outline_follows_the_photos_edges_where_the_network_sees_them_coarsely() -> None:
    photo = scene(3000, 2000, ((0.5, 0.3), (0.3, 0.15)))
    vague = FindsRed(blur=9)
    look = module._find(module._Task(photo, vague, CPU, CutOutConfig(), None, lambda fraction: None))
    box, _ = part_of(photo.rgb, look.window)
    alone = np.zeros(photo.rgb.shape[:2], dtype=bool)
    alone[box[1] : box[3], box[0] : box[2]] = resampled(look, box) > 0.5
    missed = 1 - iou(cut_out(photo, vague, CPU).mask > 127, truth(photo))
    assert missed < 0.6 * (1 - iou(alone, truth(photo)))


def test_edge_is_soft_and_the_rest_is_not() -> None:
    mask = cut_out(scene(1024, 768, ((0.5, 0.4), (0.3, 0.15))), FindsRed(), CPU).mask
    between = (mask > 0) & (mask < 255)
    near_edge = cv2.dilate(cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)), np.ones((9, 9))) > 0
    assert between.any() and not (between & ~near_edge).any()


def test_the_largest_object_is_taken_alone() -> None:
    photo = scene(1024, 768, ((0.55, 0.4), (0.2, 0.1)), ((0.12, 0.2), (0.08, 0.05)), ((0.9, 0.6), (0.08, 0.05)))
    mask = cut_out(photo, FindsRed(), CPU).mask > 127
    parts, _, statistics, centres = cv2.connectedComponentsWithStats(mask.astype(np.uint8))
    assert parts == 2
    assert centres[1] == pytest.approx((0.55 * 1024, 0.4 * 1024), abs=8)


def test_holes_are_filled() -> None:
    photo = scene(800, 600, ((0.5, 0.375), (0.3, 0.2)))
    cv2.circle(photo.rgb, (400, 300), 40, (120, 120, 120), -1)
    assert cut_out(photo, FindsRed(), CPU).mask[300, 400] == 255


def test_nothing_found_is_one_sentence_with_a_remedy() -> None:
    with pytest.raises(PhotoError, match="No object was found in street: supply a mask"):
        cut_out(scene(640, 480), FindsRed(), CPU)


def test_an_object_that_is_lost_at_the_full_resolution_was_not_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "at_full_resolution", lambda rgb, coarse: np.full(rgb.shape[:2], 127, np.uint8))
    with pytest.raises(PhotoError, match="No object was found in street: supply a mask"):
        cut_out(scene(640, 480, ((0.5, 0.4), (0.3, 0.15))), FindsRed(), CPU)


def test_transparency_comes_before_the_segmenter() -> None:
    photo = scene(640, 480, ((0.5, 0.4), (0.3, 0.15)))
    photo.alpha = np.zeros((480, 640), dtype=np.uint8)
    photo.alpha[10:50, 20:80] = 180
    found = cut_out(photo, FindsRed(), CPU)
    assert found.source == "alpha" and (found.mask == photo.alpha).all()


def test_mask_file_comes_before_everything(tmp_path: Path) -> None:
    photo = scene(640, 480, ((0.5, 0.4), (0.3, 0.15)))
    photo.alpha = np.full((480, 640), 255, dtype=np.uint8)
    drawn = np.zeros((480, 640), dtype=np.uint8)
    drawn[100:200, 300:400] = 255
    Image.fromarray(drawn).save(tmp_path / "mask.png")
    found = cut_out(photo, FindsRed(), CPU, mask_path=str(tmp_path / "mask.png"))
    assert found.source == "file" and (found.mask == drawn).all()


def test_progress_rises_to_one() -> None:
    seen: list[Progress] = []
    cut_out(scene(640, 480, ((0.5, 0.4), (0.3, 0.15))), FindsRed(), "auto" if not _has_gpu() else CPU, seen.append)
    fractions = [progress.fraction for progress in seen]
    assert fractions == sorted(fractions) and fractions[-1] == 1.0 and len(fractions) > 2


THREE = ((0.5, 0.4), (0.16, 0.1)), ((0.14, 0.2), (0.1, 0.06)), ((0.85, 0.6), (0.1, 0.06))
"""Ellipses of a picture of 1024 x 768: the largest in the middle."""


@pytest.mark.parametrize("which", range(3))
def test_the_object_at_the_point_is_taken_alone(which: int) -> None:
    photo = scene(1024, 768, *THREE)
    (x, y), (half, _) = THREE[which]
    found = cut_out(photo, FindsRed(), CPU, point=((x + 0.5 * half) * 1024, y * 1024)).mask > 127
    assert found.any() and iou(found, truth(scene(1024, 768, THREE[which]))) > 0.97


def test_a_point_finds_what_is_too_small_in_the_whole_photo() -> None:
    photo = scene(3000, 2000, ((0.5, 0.3), (0.2, 0.15)), ((0.9, 0.6), (0.02, 0.012)))
    found = cut_out(photo, FindsRed(), CPU, point=(2700, 1800)).mask > 127
    assert iou(found, truth(scene(3000, 2000, ((0.9, 0.6), (0.02, 0.012))))) > 0.9


def test_a_point_is_of_the_file_and_not_of_the_reduced_picture() -> None:
    photo = replace(scene(1024, 768, *THREE), scale=0.25)
    found = cut_out(photo, FindsRed(), CPU, point=(0.14 * 4096, 0.2 * 4096)).mask > 127
    assert iou(found, truth(scene(1024, 768, THREE[1]))) > 0.97


def row_of_cars(*azimuths_deg: float) -> tuple[Photo, list[np.ndarray]]:
    """Red cars drawn side by side, touching, and where each of them is."""
    cars = in_a_row(*azimuths_deg, height=360, width=640, overlap=3, size=300)
    rgb = np.full((360, 640, 3), (110, 120, 110), np.uint8)
    for number, car in enumerate(cars):
        rgb[car] = (200 + 20 * number, 30, 40)
    return Photo(rgb, None, "row"), cars


@pytest.mark.parametrize("azimuths", [(90, 90), (40, -40), (0, 90)])
def test_of_two_cars_that_touch_the_one_at_the_point_is_taken(azimuths: tuple[float, float]) -> None:
    photo, cars = row_of_cars(*azimuths)
    assert cv2.connectedComponents(np.any(cars, axis=0).astype(np.uint8))[0] == 2  # one piece, and what is around
    for car in cars:
        rows, columns = np.nonzero(car)
        found = cut_out(photo, FindsRed(blur=5), CPU, point=(columns.mean(), rows.mean())).mask > 127
        assert iou(found, car) > 0.85


def test_points_that_mean_nothing_are_one_sentence_with_a_remedy() -> None:
    photo = replace(scene(640, 480, ((0.5, 0.4), (0.2, 0.1))), scale=0.5)
    cases = [
        ((1300, 20), r"The point 1300, 20 lies outside of street \(1280 x 960 pixels\): choose a point on the object."),
        ((-1, 20), "The point -1, 20 lies outside of street"),
        ((float("nan"), 20), "A point on the object of street is two numbers, x and y in pixels."),
        ((20,), "A point on the object of street is two numbers"),
        ((100, 900), "No object was found at the point 100, 900 of street: choose a point on the object"),
    ]
    for point, message in cases:
        with pytest.raises(PhotoError, match=message):
            cut_out(photo, FindsRed(), CPU, point=point)


def test_a_point_outside_is_told_even_where_a_mask_is_given() -> None:
    photo = scene(640, 480)
    photo.alpha = np.full((480, 640), 90, np.uint8)
    with pytest.raises(PhotoError, match="lies outside of street"):
        cut_out(photo, FindsRed(), CPU, point=(700, 20))


def salient(folder: Path, name: str = "isnet-toy") -> str:
    """A salient-object network that finds red, in a folder."""
    pytest.importorskip("onnxruntime")
    return str(write_model(folder / f"{name}.onnx", finds_red(), side=160))


def test_a_network_that_is_named_gives_the_outline_and_its_name(tmp_path: Path) -> None:
    photo = scene(1024, 768, ((0.5, 0.4), (0.3, 0.15)), ((0.08, 0.1), (0.05, 0.04)))
    wanted = truth(scene(1024, 768, ((0.5, 0.4), (0.3, 0.15))))
    clumsy = FindsRed(grow=4)
    found = cut_out(photo, clumsy, CPU, cutout_model=salient(tmp_path))
    assert (found.source, found.warnings) == ("isnet-toy.onnx", [])
    assert found.mask.shape == (768, 1024) and found.mask.dtype == np.uint8
    assert iou(found.mask > 127, wanted) > 0.97
    assert iou(found.mask > 127, wanted) > iou(cut_out(photo, clumsy, CPU).mask > 127, wanted)


def test_what_a_network_is_used_as_and_its_terms_are_told(tmp_path: Path) -> None:
    photo = scene(640, 480, ((0.5, 0.4), (0.3, 0.15)))
    found = cut_out(photo, FindsRed(), CPU, cutout_model=salient(tmp_path, "RMBG-1.4"))
    assert found.warnings == ["The cut-out model RMBG-1.4.onnx is for non-commercial use only: see its licence."]


def test_the_category_decides_which_of_the_salient_things_is_cut_out(tmp_path: Path) -> None:
    """The network takes both for objects; the segmenter knows but one colour of them, and the point either."""
    photo = scene(1024, 768, ((0.6, 0.4), (0.13, 0.1)), ((0.25, 0.4), (0.2, 0.13)))
    other = truth(scene(1024, 768, ((0.25, 0.4), (0.2, 0.13))))
    photo.rgb[cv2.dilate(other.astype(np.uint8), np.ones((7, 7))) > 0] = (190, 90, 90)
    name = salient(tmp_path)
    wanted = truth(scene(1024, 768, ((0.6, 0.4), (0.13, 0.1))))
    picky = FindsBright()
    assert iou(cut_out(photo, picky, CPU, cutout_model=name).mask > 127, wanted) > 0.95
    assert iou(cut_out(photo, FindsRed(), CPU, cutout_model=name, point=(614, 410)).mask > 127, wanted) > 0.95


class FindsBright(FindsRed):
    """Sure of the brightest red alone."""

    def forward(self, pictures: Tensor) -> Tensor:
        return super().forward(torch.where(pictures[:, 1:2] < 0.25, pictures, 0.5))


def test_what_touches_the_object_and_is_none_is_cut_off(tmp_path: Path) -> None:
    photo = scene(1024, 768, ((0.45, 0.4), (0.2, 0.13)))
    wanted = truth(photo)
    photo.rgb[380:520, 640:800] = (190, 90, 90)  # a box of another red, which the network sees as well
    found = cut_out(photo, FindsBright(), CPU, cutout_model=salient(tmp_path)).mask > 127
    assert iou(found, wanted) > 0.9


class IsUnsure(FindsRed):
    """Takes what is red for the object with a probability of 0.4, and the rest with one of 0.02."""

    def forward(self, pictures: Tensor) -> Tensor:
        return torch.where(super().forward(pictures) > 0, -0.4, -4.0)


def test_what_stands_out_is_taken_where_the_segmenter_is_unsure_and_not_where_it_is_sure_of_the_opposite(
    tmp_path: Path,
) -> None:
    photo = scene(1024, 768, ((0.55, 0.4), (0.3, 0.15)))
    name = salient(tmp_path)
    for point in ((), (563, 409)):
        found = cut_out(photo, IsUnsure(), CPU, cutout_model=name, point=point)
        assert found.source == "isnet-toy.onnx" and iou(found.mask > 127, truth(photo)) > 0.97
        with pytest.raises(PhotoError, match="No object was found"):
            cut_out(scene(1024, 768), FindsRed(), CPU, cutout_model=salient_of_all(tmp_path), point=point)
    with pytest.raises(PhotoError, match="No object was found in street: supply a mask"):
        cut_out(scene(640, 480), IsUnsure(), CPU, cutout_model=name)


def salient_of_all(folder: Path) -> str:
    """A network to which the whole picture stands out."""
    layers = [("Conv", {"weights": np.zeros((1, 3, 1, 1), np.float32), "bias": np.array([0.9], np.float32)})]
    return str(write_model(folder / "isnet-all.onnx", layers, side=64))


def test_a_network_that_was_found_is_used_and_the_own_one_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photo = scene(640, 480, ((0.5, 0.4), (0.3, 0.15)))
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    assert cut_out(photo, FindsRed(), CPU, cutout_model="").source == "segmenter"
    salient(tmp_path, "u2netp")
    assert cut_out(photo, FindsRed(), CPU, cutout_model="").source == "u2netp.onnx"
    assert cut_out(photo, FindsRed(), CPU, cutout_model=OWN_CUT_OUT).source == "segmenter"
    assert cut_out(photo, FindsRed(), CPU).source == "segmenter"


def test_a_network_that_fails_is_an_error_where_it_was_named_and_passed_over_where_it_was_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("onnxruntime")
    photo = scene(640, 480, ((0.5, 0.4), (0.3, 0.15)))
    wrong = write_model(tmp_path / "u2net.onnx", [("Reshape", {"shape": np.array([1, 7], np.int64)})], side="any")
    (tmp_path / "u2netp.onnx").write_text("damaged")
    for path in (wrong, tmp_path / "u2netp.onnx", tmp_path / "gone.onnx"):
        with pytest.raises(CutOutModelError, match=path.name):
            cut_out(photo, FindsRed(), CPU, cutout_model=str(path))
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    with caplog.at_level(logging.WARNING):
        found = cut_out(photo, FindsRed(), CPU, cutout_model="")
    assert found.source == "segmenter" and found.warnings == []
    assert "passed over" in caplog.text


def test_transparency_and_a_mask_file_ask_no_network(tmp_path: Path) -> None:
    photo = scene(64, 48)
    photo.alpha = np.full((48, 64), 90, np.uint8)
    assert cut_out(photo, FindsRed(), CPU, cutout_model=str(tmp_path / "gone.onnx")).source == "alpha"


def test_the_worker_hands_on_the_model_and_the_point_and_stops_when_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.fromarray(scene(1024, 768, *THREE).rgb).save(tmp_path / "street.png")
    bundle = SimpleNamespace(segmenter=FindsRed(), device=CPU)
    monkeypatch.setattr(Pipeline, "bundle", lambda self, name, device: bundle)
    request = CutOutRequest(str(tmp_path / "street.png"), cutout_model=salient(tmp_path), point=[143.0, 205.0])
    found = Pipeline().cut_out(request, lambda progress: None, lambda: False)
    assert found.source == "isnet-toy.onnx"
    assert iou(found.mask > 127, truth(scene(1024, 768, THREE[1]))) > 0.95
    with pytest.raises(Cancelled):
        Pipeline().cut_out(request, lambda progress: None, lambda: True)


def _has_gpu() -> bool:
    return torch.cuda.is_available() or torch.backends.mps.is_available()

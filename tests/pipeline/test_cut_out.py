# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Cutting out, with a segmenter that finds red: what is tested is everything around the network."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from backend.common.records import Progress
from backend.errors import PhotoError
from backend.pipeline import cut_out as module
from backend.pipeline.cut_out import cut_out
from backend.pipeline.photo import Photo

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
    look = module._find(photo, vague := FindsRed(blur=9), CPU, module.CutOutConfig(), lambda fraction: None)
    box, _ = module._part(photo.rgb, look.window)
    alone = np.zeros(photo.rgb.shape[:2], dtype=bool)
    alone[box[1] : box[3], box[0] : box[2]] = module._resampled(look, box) > 0.5
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
    monkeypatch.setattr(module, "_at_full_resolution", lambda rgb, coarse: np.full(rgb.shape[:2], 127, np.uint8))
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


def _has_gpu() -> bool:
    return torch.cuda.is_available() or torch.backends.mps.is_available()

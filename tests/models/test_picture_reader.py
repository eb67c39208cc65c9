# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What frozen networks read in pictures: crops and cameras as in training, gradients back to the pixels."""

from __future__ import annotations

import torch

from backend.data.rendered_views import cameras_of_crops, crops_around, cut
from backend.models.picture_reader import PictureReader, cameras_of_pictures, crops_of, cut_out
from backend.models.segmenter import Segmenter, SegmenterConfig
from tests.helpers.described import SIDE, described, judge


def test_crops_are_those_of_training() -> None:
    known = described()
    masks = known.masks.float() / 255
    crops = crops_of(masks)
    assert torch.equal(crops, crops_around(known.masks.numpy()))
    rgba = torch.cat([known.pictures, known.masks[:, None]], dim=1).permute(0, 2, 3, 1)
    expected = cut(rgba, crops, 24)
    assert torch.allclose(cut_out(known.pictures.float() / 255, masks, crops, 24), expected, atol=1e-5)


def test_the_camera_of_a_picture_is_that_of_its_crop_the_other_way_round() -> None:
    known = described()
    crops = crops_of(known.masks.float() / 255)
    back = cameras_of_pictures(cameras_of_crops(known.cameras, crops, SIDE), crops, SIDE)
    for name, value in vars(known.cameras).items():
        assert torch.allclose(getattr(back, name), value, atol=1e-4), name


def test_what_is_read_has_a_gradient_in_the_pixels_and_none_in_the_networks() -> None:
    segmenter = Segmenter(SegmenterConfig(resolution=32, channels=(4, 4, 4, 4), blocks=(1, 1, 1, 1)))
    reader = PictureReader(judge(), segmenter.eval().requires_grad_(False))
    known = described()
    pictures = (known.pictures.float() / 255).requires_grad_(True)
    reading = reader.read(pictures, known.masks.float() / 255)
    (reading.texture.sum() + reading.prediction.shape_code.sum()).backward()
    assert pictures.grad is not None
    outside = (known.masks == 0)[:, None].expand(-1, 3, -1, -1)
    assert float(pictures.grad.abs().sum()) > 0
    assert float(pictures.grad[outside].abs().max()) == 0
    assert all(weight.grad is None for weight in reader.network.parameters())
    assert reader(pictures.detach()).masks.shape == (len(known), SIDE, SIDE)

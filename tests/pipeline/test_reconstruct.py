# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a picture file to arrays, and the handles, with an untrained network: what must hold whatever it predicts."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from backend.common.records import CutOut, EditRequest, Progress, ReconstructRequest
from backend.errors import BundleError, Cancelled
from backend.models.inverse_graphics import InverseGraphics, InverseGraphicsConfig
from backend.models.segmenter import Segmenter, SegmenterConfig
from backend.pipeline import reconstruct as module
from backend.pipeline.edit import edit
from backend.pipeline.reconstruct import reconstruct
from backend.render.camera import Cameras, project
from backend.render.rasterize import rasterize
from backend.render.template import CAR_BOX, make_template
from backend.weights.bundle import LoadedBundle

WIDTH, HEIGHT = 300, 180


@pytest.fixture(scope="module")
def bundle() -> LoadedBundle:
    torch.manual_seed(2)
    template = make_template(CAR_BOX)
    config = InverseGraphicsConfig(widths=(8, 8, 8, 8, 8), shape_code=8, texture_code=16, texture_widths=(8,) * 5)
    network = InverseGraphics(config, template).eval().requires_grad_(False)
    heights = torch.as_tensor(template.vertices) * torch.tensor([0.0, 0.0, 0.15])
    network.shape_decoder.basis.data *= 0.01
    network.shape_decoder.basis.data[0] = heights
    segmenter = Segmenter(SegmenterConfig()).eval()
    return LoadedBundle("toy", {"real_size": 2.5}, template, network, segmenter, torch.device("cpu"))


@pytest.fixture(scope="module")
def photo(tmp_path_factory) -> Path:
    """A red rounded box right of the middle of a wide, transparent picture, blue where it is transparent."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    inside = (np.abs((x - 190) / 70) ** 4 + np.abs((y - 80) / 30) ** 4) < 1
    rgba = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    rgba[..., 2] = 255
    rgba[inside] = [200, 30, 20, 255]
    path = tmp_path_factory.mktemp("photos") / "rotes Auto.png"
    Image.fromarray(rgba).save(path)
    return path


def silhouette(result) -> np.ndarray:
    """(H, W) which pixels of the photo the mesh covers, by the camera of the photo."""
    screen = project(Cameras.batch([result.camera]), torch.as_tensor(result.vertices)[None], HEIGHT, WIDTH)
    triangles = np.concatenate([result.quads[:, [0, 1, 2]], result.quads[:, [0, 2, 3]]])
    return (rasterize(screen, torch.as_tensor(triangles).long(), HEIGHT, WIDTH).face_index[0] >= 0).numpy()


def test_a_photo_becomes_an_object_that_lies_over_it(bundle, photo):
    told: list[Progress] = []
    result = reconstruct(ReconstructRequest(str(photo), refine_steps=24, texture_size=256), bundle, told.append)
    assert (result.name, result.image_width, result.image_height) == ("rotes Auto", WIDTH, HEIGHT)
    assert result.bundle == "toy" and result.real_size == 2.5 and result.mask_source == "alpha"
    assert result.texture.shape == (256, 256, 3) and result.texture.dtype == np.uint8
    assert result.mask.shape == (HEIGHT, WIDTH) and result.light.shape == (9, 3)
    assert result.uv.shape == (*result.quads.shape, 2)

    covered, mask = silhouette(result), result.mask > 127
    overlap = (covered & mask).sum() / (covered | mask).sum()
    assert overlap == pytest.approx(result.silhouette_iou, abs=0.03)
    assert overlap > 0.85

    with torch.no_grad():
        decoded = bundle.inverse_graphics.shape_decoder(torch.as_tensor(result.shape_code)[None])[0].numpy()
    assert np.allclose(decoded + result.offsets, result.vertices, atol=1e-5)
    # Paint is red and nothing of the blue around has come in.
    assert result.texture[..., 0].mean() > 2 * result.texture[..., 2].mean()

    fractions = [progress.fraction for progress in told]
    assert fractions == sorted(fractions) and fractions[0] == 0 and fractions[-1] == 1
    previews = [progress.preview for progress in told if progress.preview is not None]
    assert previews and previews[0].dtype == np.uint8 and previews[0].shape[2] == 3
    assert set(result.timings) == {"load", "cut_out", "network", "refine", "bake", "total"}
    assert sum(v for k, v in result.timings.items() if k != "total") <= result.timings["total"] + 1e-6


def test_refinement_brings_the_outline_nearer(bundle, photo):
    plain = reconstruct(ReconstructRequest(str(photo), refine_steps=0, texture_size=256), bundle)
    refined = reconstruct(ReconstructRequest(str(photo), refine_steps=16, texture_size=256), bundle)
    assert not plain.offsets.any()
    assert refined.silhouette_iou > plain.silhouette_iou


def test_a_mask_file_comes_before_transparency(bundle, photo, tmp_path):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[40:90, 20:120] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    request = ReconstructRequest(str(photo), str(tmp_path / "mask.png"), refine_steps=16, texture_size=256)
    result = reconstruct(request, bundle)
    assert np.array_equal(result.mask > 127, mask > 127) and result.mask_source == "file"
    rows, columns = np.nonzero(silhouette(result))
    assert 20 < columns.mean() < 120 and 40 < rows.mean() < 90


def test_doubts_are_told_in_sentences(bundle, tmp_path):
    rgba = np.zeros((120, 200, 4), np.uint8)
    rgba[50:80, :70] = [90, 90, 90, 255]
    Image.fromarray(rgba).save(tmp_path / "edge.png")
    result = reconstruct(ReconstructRequest(str(tmp_path / "edge.png"), refine_steps=0, texture_size=256), bundle)
    assert all(sentence.endswith(".") for sentence in result.warnings)
    text = " ".join(result.warnings)
    assert "touches the edge" in text and "70 pixels" in text
    # An untrained network cannot tell the front from the rear.
    assert "Front and rear" in text


def test_the_cut_out_model_and_the_point_reach_the_cut_out(bundle, tmp_path, monkeypatch):
    Image.fromarray(np.full((60, 80, 3), 90, np.uint8)).save(tmp_path / "grey.png")
    mask = np.zeros((60, 80), np.uint8)
    mask[20:40, 20:60] = 255
    asked = {}

    def cut_out(photo, segmenter, device, progress, mask_path, **options):
        asked.update(options)
        return CutOut(mask, "u2net.onnx", ["A sentence about the model."])

    monkeypatch.setattr(module, "cut_out", cut_out)
    request = ReconstructRequest(
        str(tmp_path / "grey.png"), cutout_model="u2net.onnx", point=[30.0, 25.0], refine_steps=0, texture_size=256
    )
    result = reconstruct(request, bundle)
    assert asked == {"cutout_model": "u2net.onnx", "point": [30.0, 25.0]}
    assert result.mask_source == "u2net.onnx" and result.warnings[0] == "A sentence about the model."


def test_cancelling_stops_within_a_step(bundle, photo):
    told: list[Progress] = []
    with pytest.raises(Cancelled):
        reconstruct(ReconstructRequest(str(photo)), bundle, told.append, lambda: len(told) > 8)
    assert len(told) == 9 and told[-1].fraction < 0.6


def edit_request(bundle: LoadedBundle, **changed) -> EditRequest:
    zeros = {
        "shape_code": np.zeros(8, np.float32),
        "texture_code": np.ones(16, np.float32),
        "shape_sliders": np.zeros(6, np.float32),
        "texture_sliders": np.zeros(6, np.float32),
    }
    return EditRequest(**{**zeros, **changed}, bundle=bundle.name)


def test_sliders_move_along_the_directions(bundle):
    still = edit(edit_request(bundle), bundle)
    assert np.allclose(still.vertices, bundle.template.vertices, atol=1e-6)
    assert still.texture_change.shape == (128, 128, 3) and not still.texture_change.any()

    sliders = np.array([2, 0, 0, 0, 0, 0], np.float32)
    taller = edit(edit_request(bundle, shape_sliders=sliders), bundle)
    # The first direction of the shape code scales the height by 0.15 a standard deviation.
    assert np.allclose(taller.vertices[:, 2], bundle.template.vertices[:, 2] * 1.3, atol=0.01)
    assert not taller.texture_change.any()

    painted = edit(edit_request(bundle, texture_sliders=sliders), bundle)
    there = bundle.inverse_graphics.texture_decoder(torch.ones(1, 16) + 2 * torch.eye(16)[:1])
    here = bundle.inverse_graphics.texture_decoder(torch.ones(1, 16))
    assert np.allclose(painted.texture_change, (there - here)[0].permute(1, 2, 0).numpy(), atol=1e-5)
    assert np.allclose(painted.vertices, still.vertices)


def test_codes_of_another_bundle_are_refused(bundle):
    with pytest.raises(BundleError, match="toy"):
        edit(edit_request(bundle, shape_code=np.zeros(48, np.float32)), bundle)


def test_angles_of_the_camera_are_in_range(bundle, photo):
    result = reconstruct(ReconstructRequest(str(photo), refine_steps=2, texture_size=256), bundle)
    assert all(type(value) is float for value in vars(result.camera).values())
    assert -math.pi <= result.camera.azimuth <= math.pi and 0 < result.camera.field_of_view < 2


def test_shape_directions_are_what_the_sliders_do(bundle, photo):
    result = reconstruct(ReconstructRequest(str(photo), refine_steps=6, texture_size=64), bundle)
    assert result.shape_directions.shape == (6, *result.vertices.shape)
    assert result.shape_directions.dtype == np.float32
    sliders = np.array([1.5, -2.0, 0.0, 0.25, 0.0, 3.0], np.float32)
    moved = edit(EditRequest(result.shape_code, result.texture_code, sliders, np.zeros(6, np.float32)), bundle).vertices
    along = result.vertices + np.tensordot(sliders, result.shape_directions, axes=1)
    np.testing.assert_allclose(along, moved + result.offsets, atol=1e-5)
    assert np.abs(along - result.vertices).max() > 0.03

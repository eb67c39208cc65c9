# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Features to judge generators on: our own tell worse from better, Inception's are the network that FID means."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from backend.evaluation import inception
from backend.evaluation.features import (
    ENCODER_FIGURES,
    INCEPTION_FIGURES,
    LEVEL_DEVIATIONS,
    SQUARE,
    EncoderFeatures,
    encoder_features,
    features_of,
    judged,
)
from backend.evaluation.inception import Inception, Unit, inception_features, mean_pool
from backend.models.segmenter import Segmenter, SegmenterConfig
from backend.weights.importers.untrusted import CheckpointError

PICTURES = 48


@pytest.fixture(scope="module")
def own() -> EncoderFeatures:
    return encoder_features()


def scenes(count: int, side: int, seed: int, detail: int = 1) -> Tensor:
    """(N, 3, R, R) in [-1, 1]: ground and sky, a striped body on two dark wheels, each its own; any resolution."""
    random = torch.Generator().manual_seed(seed)
    u = torch.rand(count, 16, 1, 1, generator=random).unbind(dim=1)
    fine = side * detail
    y, x = torch.meshgrid(*[(torch.arange(fine) + 0.5) / fine] * 2, indexing="ij")
    colours = torch.rand(count, 4, 3, 1, 1, generator=random)
    horizon = 0.4 + 0.2 * u[0]
    ground = (y > horizon).float()[:, None]
    picture = colours[:, 0] * ground + colours[:, 1] * (1 - ground) * (0.5 + y)
    cx, cy, half = 0.4 + 0.2 * u[1], 0.5 + 0.15 * u[2], 0.2 + 0.12 * u[3]
    body = (((x - cx) / half) ** 4 + ((y - cy) / (0.45 * half)) ** 4 < 1).float()[:, None]
    stripes = 0.8 + 0.2 * torch.sin((10 + 30 * u[4]) * x + 20 * u[5] * y)[:, None]
    picture = picture * (1 - body) + colours[:, 2] * stripes * body
    for direction in (-0.6, 0.6):
        wheel = ((x - cx - direction * half) ** 2 + (y - cy - 0.45 * half) ** 2 < (0.25 * half) ** 2).float()[:, None]
        picture = picture * (1 - wheel) + 0.05 * wheel
    return F.avg_pool2d(picture * 2 - 1, detail).clamp(-1, 1)


def blurred(images: Tensor, deviation: float) -> Tensor:
    reach = int(3 * deviation) + 1
    kernel = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * deviation**2))
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1).expand(3, 1, 1, -1)
    images = F.conv2d(F.pad(images, (reach, reach, 0, 0), mode="replicate"), kernel, groups=3)
    return F.conv2d(F.pad(images, (0, 0, reach, reach), mode="replicate"), kernel.transpose(2, 3), groups=3)


def noisy(images: Tensor, deviation: float) -> Tensor:
    return images + deviation * torch.randn(images.shape, generator=torch.Generator().manual_seed(7))


def partly_wrong(images: Tensor, share: float) -> Tensor:
    """Of the first share of the pictures the quarters lie crosswise: all details are right, nothing is whole."""
    count, half = round(share * len(images)), images.shape[-1] // 2
    return torch.cat([images[:count].roll((half, half), dims=(2, 3)), images[count:]])


# Our own features.


@pytest.fixture(scope="module")
def real(own: EncoderFeatures) -> Tensor:
    return own(scenes(2 * PICTURES, 64, 0))


@pytest.mark.parametrize(
    ("spoil", "strengths", "fall"),
    [(blurred, (1.0, 2.0, 4.0), 0.1), (noisy, (0.05, 0.15, 0.5), 0.3), (partly_wrong, (0.2, 0.5, 1.0), 0.1)],
)
def test_distances_grow_the_more_pictures_are_spoiled(
    own: EncoderFeatures, real: Tensor, spoil, strengths: tuple[float, ...], fall: float
) -> None:
    unseen = scenes(PICTURES, 64, 1)
    kinds = [judged(own, real, own(images)) for images in (unseen, *(spoil(unseen, s) for s in strengths))]
    for name in (ENCODER_FIGURES.frechet, ENCODER_FIGURES.kernel):
        found = [figures[name] for figures in kinds]
        assert found == sorted(found), name
    frechet = [figures[ENCODER_FIGURES.frechet] for figures in kinds]
    assert frechet[-1] > 1.5 * frechet[0]
    for name in (ENCODER_FIGURES.precision, ENCODER_FIGURES.recall):
        assert kinds[-1][name] < kinds[0][name] - fall, name


def test_own_features_are_named_so_that_nobody_takes_them_for_published_figures(
    own: EncoderFeatures, real: Tensor
) -> None:
    figures = judged(own, real[:PICTURES], real[PICTURES:])
    assert set(figures) == {"encoder_frechet", "encoder_kernel", "encoder_precision", "encoder_recall"}
    assert not set(ENCODER_FIGURES) & set(INCEPTION_FIGURES)
    assert "weights" in own.name and "nception" not in own.name


def test_own_features_are_the_same_whatever_the_batch(own: EncoderFeatures, real: Tensor) -> None:
    images = scenes(2 * PICTURES, 64, 0)[:5]
    again = features_of(own, images.split(2))
    assert again.shape == (5, 808)
    torch.testing.assert_close(again, real[:5], rtol=1e-3, atol=1e-3)
    assert torch.equal(own(images), own(images))


def test_own_features_hardly_depend_on_the_resolution(own: EncoderFeatures) -> None:
    """Scenes that are drawn finer change far less than one scene differs from the next."""
    coarse, fine = own(scenes(6, 128, 3, detail=4)), own(scenes(6, 256, 3, detail=2))
    between = (coarse - coarse.roll(1, dims=0)).norm(dim=1)
    assert ((coarse - fine).norm(dim=1) < 0.15 * between).all()
    assert own(scenes(2, 64, 3)[:, :, :48]).shape == (2, 808)  # other aspects are squeezed


def test_own_features_smooth_before_they_make_pictures_smaller(own: EncoderFeatures) -> None:
    """A checkerboard of single pixels is grey from afar; every third pixel alone would be a checkerboard again."""
    scene = (scenes(4, 128, 3) * 0.6).repeat_interleave(3, dim=2).repeat_interleave(3, dim=3)
    row = torch.arange(384) % 2 * 2.0 - 1
    plain, checked = own(scene), own(scene + 0.3 * row[:, None] * row)
    between = (plain - plain.roll(1, dims=0)).norm(dim=1)
    assert ((checked - plain).norm(dim=1) < 0.3 * between).all()


def test_own_features_see_what_a_hand_made_loop_sees() -> None:
    """Pooled by hand from the levels: all means, and the deepest level's quarters from left to right, top to bottom."""
    torch.manual_seed(0)
    network = EncoderFeatures(Segmenter(SegmenterConfig(resolution=32, channels=(2, 3, 4, 5))), "tiny")
    images = scenes(2, 32, 0)
    levels = network.levels(images)
    expected = []
    for level, deviation in zip(levels[:3], LEVEL_DEVIATIONS[:3], strict=True):
        expected += [level[0, channel].mean() / deviation for channel in range(level.shape[1])]
    for channel in range(5):
        expected += [
            levels[3][0, channel, row, column] / LEVEL_DEVIATIONS[3] for row in range(2) for column in range(2)
        ]
    found = network(images)[0]
    assert levels[3].shape == (2, 5, 2, 2)
    torch.testing.assert_close(found, torch.stack(expected) * (29 / SQUARE) ** 0.5)


# Inception.


@pytest.fixture(scope="module")
def network() -> Inception:
    """Random weights, and statistics of batch normalisation that are not those of a new network."""
    torch.manual_seed(0)
    made = Inception().eval().requires_grad_(False)
    for module in made.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2)
    return made


def state_of(network: Inception) -> dict[str, Tensor]:
    return {name: value for name, value in network.state_dict().items() if "num_batches" not in name}


def expected_convolutions() -> dict[str, tuple[int, int, int, int]]:
    """Name and shape (out, in, height, width) of every convolution, from the network's published table."""
    table = {
        "Conv2d_1a_3x3": (32, 3, 3, 3),
        "Conv2d_2a_3x3": (32, 32, 3, 3),
        "Conv2d_2b_3x3": (64, 32, 3, 3),
        "Conv2d_3b_1x1": (80, 64, 1, 1),
        "Conv2d_4a_3x3": (192, 80, 3, 3),
    }
    for letter, inputs, pooled in (("b", 192, 32), ("c", 256, 64), ("d", 288, 64)):
        block = {
            "branch1x1": (64, inputs, 1, 1), "branch5x5_1": (48, inputs, 1, 1), "branch5x5_2": (64, 48, 5, 5),
            "branch3x3dbl_1": (64, inputs, 1, 1), "branch3x3dbl_2": (96, 64, 3, 3), "branch3x3dbl_3": (96, 96, 3, 3),
            "branch_pool": (pooled, inputs, 1, 1),
        }  # fmt: skip
        table |= {f"Mixed_5{letter}.{name}": shape for name, shape in block.items()}
    table |= {
        "Mixed_6a.branch3x3": (384, 288, 3, 3), "Mixed_6a.branch3x3dbl_1": (64, 288, 1, 1),
        "Mixed_6a.branch3x3dbl_2": (96, 64, 3, 3), "Mixed_6a.branch3x3dbl_3": (96, 96, 3, 3),
    }  # fmt: skip
    for letter, c in (("b", 128), ("c", 160), ("d", 160), ("e", 192)):
        block = {
            "branch1x1": (192, 768, 1, 1), "branch7x7_1": (c, 768, 1, 1), "branch7x7_2": (c, c, 1, 7),
            "branch7x7_3": (192, c, 7, 1), "branch7x7dbl_1": (c, 768, 1, 1), "branch7x7dbl_2": (c, c, 7, 1),
            "branch7x7dbl_3": (c, c, 1, 7), "branch7x7dbl_4": (c, c, 7, 1), "branch7x7dbl_5": (192, c, 1, 7),
            "branch_pool": (192, 768, 1, 1),
        }  # fmt: skip
        table |= {f"Mixed_6{letter}.{name}": shape for name, shape in block.items()}
    table |= {
        "Mixed_7a.branch3x3_1": (192, 768, 1, 1), "Mixed_7a.branch3x3_2": (320, 192, 3, 3),
        "Mixed_7a.branch7x7x3_1": (192, 768, 1, 1), "Mixed_7a.branch7x7x3_2": (192, 192, 1, 7),
        "Mixed_7a.branch7x7x3_3": (192, 192, 7, 1), "Mixed_7a.branch7x7x3_4": (192, 192, 3, 3),
    }  # fmt: skip
    for letter, inputs in (("b", 1280), ("c", 2048)):
        block = {
            "branch1x1": (320, inputs, 1, 1), "branch3x3_1": (384, inputs, 1, 1), "branch3x3_2a": (384, 384, 1, 3),
            "branch3x3_2b": (384, 384, 3, 1), "branch3x3dbl_1": (448, inputs, 1, 1),
            "branch3x3dbl_2": (384, 448, 3, 3), "branch3x3dbl_3a": (384, 384, 1, 3),
            "branch3x3dbl_3b": (384, 384, 3, 1), "branch_pool": (192, inputs, 1, 1),
        }  # fmt: skip
        table |= {f"Mixed_7{letter}.{name}": shape for name, shape in block.items()}
    return table


def test_names_and_shapes_are_those_of_the_files(network: Inception) -> None:
    expected: dict[str, tuple[int, ...]] = {"fc.weight": (1008, 2048), "fc.bias": (1008,)}
    for name, shape in expected_convolutions().items():
        expected[f"{name}.conv.weight"] = shape
        for part in ("weight", "bias", "running_mean", "running_var"):
            expected[f"{name}.bn.{part}"] = shape[:1]
    assert {name: tuple(value.shape) for name, value in state_of(network).items()} == expected
    assert sum(value.numel() for name, value in network.named_parameters() if not name.startswith("fc")) == 21_785_568


def test_a_unit_is_a_convolution_with_the_statistics_folded_in() -> None:
    torch.manual_seed(1)
    unit = Unit(3, 5, (1, 7)).double().eval()
    for value in (unit.bn.weight, unit.bn.bias, unit.bn.running_mean):
        nn.init.normal_(value)
    unit.bn.running_var.uniform_(0.001, 0.01)  # small, so that the constant beside it counts
    x = torch.randn(2, 3, 9, 8, dtype=torch.float64)
    scale = unit.bn.weight / (unit.bn.running_var + 0.001).sqrt()
    bias = unit.bn.bias - unit.bn.running_mean * scale
    folded = F.conv2d(F.pad(x, (3, 3)), unit.conv.weight * scale[:, None, None, None], bias)
    torch.testing.assert_close(unit(x), folded.clamp(min=0))


def test_mean_pooling_counts_the_pixels_within_the_picture_alone() -> None:
    x = torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0))
    found = mean_pool(x)
    for row in range(5):
        for column in range(4):
            near = x[:, :, max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
            torch.testing.assert_close(found[:, :, row, column], near.mean(dim=(2, 3)))


@pytest.mark.parametrize(("name", "last"), [("Mixed_5b", 0), ("Mixed_6b", 0), ("Mixed_7b", 0), ("Mixed_7c", 1)])
def test_only_the_last_block_pools_by_the_maximum(network: Inception, name: str, last: int) -> None:
    """The pool branch, computed from windows laid out by hand."""
    block = network.get_submodule(name)
    unit = block.get_submodule("branch_pool")
    channels = unit.get_submodule("conv").weight.shape[1]
    x = torch.randn(1, channels, 8, 8, generator=torch.Generator().manual_seed(0))
    inside = F.unfold(torch.ones(1, 1, 8, 8), 3, padding=1).view(1, 1, 9, 64)
    windows = F.unfold(x, 3, padding=1).view(1, channels, 9, 64)
    mean = (windows * inside).sum(dim=2) / inside.sum(dim=2)
    maximum = windows.masked_fill(inside == 0, -torch.inf).amax(dim=2)
    pooled = (maximum if last else mean).view(1, channels, 8, 8)
    expected = unit(pooled)
    torch.testing.assert_close(block(x)[:, -expected.shape[1] :], expected, rtol=1e-4, atol=1e-4)


def test_inception_features_of_any_size_are_2048_numbers(network: Inception, tmp_path: Path) -> None:
    path = tmp_path / "inception.safetensors"
    save_file(state_of(network), path)
    loaded = inception_features(path)
    images = scenes(2, 40, 0)[:, :, :30]
    found = loaded(images)
    assert found.shape == (2, 2048) and torch.isfinite(found).all()
    assert loaded.figure_names == ("fid", "kid", "precision", "recall")
    plain = F.interpolate(images, (299, 299), mode="bilinear", align_corners=False)
    torch.testing.assert_close(found, network(plain))
    assert float((found[0] - found[1]).abs().max()) > 1e-3
    assert 17 == network.Mixed_6a(torch.zeros(1, 288, 35, 35)).shape[-1]


def test_files_that_torch_save_wrote_are_read_without_running_them(
    network: Inception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "inception.pth"
    state = network.state_dict()
    for zipped in (True, False):
        torch.save(state, path, _use_new_zipfile_serialization=zipped)
        with monkeypatch.context() as patch:
            patch.setattr(torch, "load", None)
            found = inception_features(path).network.state_dict()
        assert all(torch.equal(found[name], value) for name, value in state_of(network).items())


def refused(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    with pytest.raises(CheckpointError) as caught:
        inception_features(path)
    message = str(caught.value)
    assert path.name in message and message.endswith(".") and "\n" not in message
    return message


def saved(content: object) -> bytes:
    stream = io.BytesIO()
    torch.save(content, stream)
    return stream.getvalue()


class Malicious:
    def __reduce__(self):
        return (open, ("never-made.txt", "w"))


def test_other_files_are_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, network: Inception
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "weights.pth"
    small = {"fc.weight": torch.zeros(1000, 2048)}
    assert "1008 classes" in refused(path, saved(small))
    assert "1008 classes" in refused(path, saved({"conv.weight": torch.zeros(3)}))
    right_end = {"fc.weight": torch.zeros(1, 1).expand(1008, 2048).contiguous(), "other": torch.zeros(1)}
    assert "tensors differ" in refused(path, saved(right_end))
    assert "neither" in refused(path, b"<html>not found</html>")
    assert "damaged" in refused(path, saved(small)[:2000])
    assert "damaged" in refused(path, b"\x10\0\0\0\0\0\0\0{broken")
    refused(path, saved({"fc.weight": Malicious()}))
    assert not (tmp_path / "never-made.txt").exists()
    with pytest.raises(CheckpointError, match="not found"):
        inception_features(tmp_path / "none.pth")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_torchscript_program_is_refused(tmp_path: Path) -> None:
    scripted = torch.jit.script(nn.Linear(2, 2))
    torch.jit.save(scripted, str(tmp_path / "inception.pt"))
    message = refused(tmp_path / "copy.pt", (tmp_path / "inception.pt").read_bytes())
    assert "TorchScript" in message


def test_weights_that_are_not_finite_are_refused(network: Inception) -> None:
    state = state_of(network) | {"Mixed_7c.branch1x1.bn.bias": torch.full((320,), torch.nan)}
    with pytest.raises(inception.Malformed, match="not finite"):
        inception._load(Inception(), state)

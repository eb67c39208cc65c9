# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Inception network on which FID, KID, precision and recall are published, for users who have its weights.

It is Inception v3 as TensorFlow's release of 2015-12-05 has it: 1008 classes, and pooling that differs from later
versions in three kinds of block. The weights are not shipped. What is read is a state dict with the names that the
PyTorch ports of FID use (``Conv2d_1a_3x3.conv.weight``, ``Mixed_5b.branch1x1.bn.running_mean``, ``fc.weight``), as a
safetensors file or as ``torch.save`` wrote it; nothing in the file is run, so TorchScript files are refused.

The structure follows those names and shapes, but no published weights were at hand when it was written: compare a
figure with a known one before you publish it. The ports resize about pixel centres, where TensorFlow's own code is
shifted by a fraction of a pixel; figures of the two differ in the second or third digit.

Letters: N batch, H, W picture, C channels.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..weights.importers.pickled_arrays import Arrays, mapping
from ..weights.importers.torch_archive import is_zip, open_stream, open_zip
from ..weights.importers.untrusted import Budget, CheckpointError, Malformed, explain, read_file
from .features import INCEPTION_FIGURES

SIDE = 299
"""Pixels of the input's side."""
CLASSES = 1008
FEATURES = 2048


class Unit(nn.Module):
    """Convolution, batch normalisation and ReLU; keeps the size at stride 1 where ``padded``."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int | tuple[int, int] = 1, stride: int = 1, padded: bool = True
    ) -> None:
        super().__init__()
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        padding = (height // 2, width // 2) if padded else (0, 0)
        self.conv = nn.Conv2d(inputs, outputs, (height, width), stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.bn(self.conv(x)), inplace=True)


def mean_pool(x: Tensor) -> Tensor:
    """The mean of the 3x3 pixels about each that lie within the picture: at the border fewer, not zeros beside it."""
    return F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)


def max_pool(x: Tensor) -> Tensor:
    """The maximum of the 3x3 pixels about each."""
    return F.max_pool2d(x, 3, stride=1, padding=1)


def halve(x: Tensor) -> Tensor:
    """The maximum of 3x3 pixels at every second place."""
    return F.max_pool2d(x, 3, stride=2)


class BlockA(nn.Module):
    """At 35 pixels: 1x1, 5x5, two 3x3, pool."""

    def __init__(self, inputs: int, pooled: int) -> None:
        super().__init__()
        self.branch1x1 = Unit(inputs, 64)
        self.branch5x5_1 = Unit(inputs, 48)
        self.branch5x5_2 = Unit(48, 64, 5)
        self.branch3x3dbl_1 = Unit(inputs, 64)
        self.branch3x3dbl_2 = Unit(64, 96, 3)
        self.branch3x3dbl_3 = Unit(96, 96, 3)
        self.branch_pool = Unit(inputs, pooled)

    def forward(self, x: Tensor) -> Tensor:
        middle = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch1x1(x), middle, double, self.branch_pool(mean_pool(x))], dim=1)


class BlockB(nn.Module):
    """From 35 to 17 pixels."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3 = Unit(inputs, 384, 3, stride=2, padded=False)
        self.branch3x3dbl_1 = Unit(inputs, 64)
        self.branch3x3dbl_2 = Unit(64, 96, 3)
        self.branch3x3dbl_3 = Unit(96, 96, 3, stride=2, padded=False)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, halve(x)], dim=1)


class BlockC(nn.Module):
    """At 17 pixels: 7x7 taken apart into rows and columns."""

    def __init__(self, inputs: int, narrow: int) -> None:
        super().__init__()
        row, column = (1, 7), (7, 1)
        self.branch1x1 = Unit(inputs, 192)
        self.branch7x7_1 = Unit(inputs, narrow)
        self.branch7x7_2 = Unit(narrow, narrow, row)
        self.branch7x7_3 = Unit(narrow, 192, column)
        self.branch7x7dbl_1 = Unit(inputs, narrow)
        self.branch7x7dbl_2 = Unit(narrow, narrow, column)
        self.branch7x7dbl_3 = Unit(narrow, narrow, row)
        self.branch7x7dbl_4 = Unit(narrow, narrow, column)
        self.branch7x7dbl_5 = Unit(narrow, 192, row)
        self.branch_pool = Unit(inputs, 192)

    def forward(self, x: Tensor) -> Tensor:
        single = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), single, double, self.branch_pool(mean_pool(x))], dim=1)


class BlockD(nn.Module):
    """From 17 to 8 pixels."""

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3_1 = Unit(inputs, 192)
        self.branch3x3_2 = Unit(192, 320, 3, stride=2, padded=False)
        self.branch7x7x3_1 = Unit(inputs, 192)
        self.branch7x7x3_2 = Unit(192, 192, (1, 7))
        self.branch7x7x3_3 = Unit(192, 192, (7, 1))
        self.branch7x7x3_4 = Unit(192, 192, 3, stride=2, padded=False)

    def forward(self, x: Tensor) -> Tensor:
        wide = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([self.branch3x3_2(self.branch3x3_1(x)), wide, halve(x)], dim=1)


class BlockE(nn.Module):
    """At 8 pixels. The last block of the network pools by the maximum, the one before it by the mean."""

    def __init__(self, inputs: int, last: bool) -> None:
        super().__init__()
        self.last = last
        self.branch1x1 = Unit(inputs, 320)
        self.branch3x3_1 = Unit(inputs, 384)
        self.branch3x3_2a = Unit(384, 384, (1, 3))
        self.branch3x3_2b = Unit(384, 384, (3, 1))
        self.branch3x3dbl_1 = Unit(inputs, 448)
        self.branch3x3dbl_2 = Unit(448, 384, 3)
        self.branch3x3dbl_3a = Unit(384, 384, (1, 3))
        self.branch3x3dbl_3b = Unit(384, 384, (3, 1))
        self.branch_pool = Unit(inputs, 192)

    def forward(self, x: Tensor) -> Tensor:
        single = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = max_pool(x) if self.last else mean_pool(x)
        parts = [
            self.branch1x1(x),
            self.branch3x3_2a(single),
            self.branch3x3_2b(single),
            self.branch3x3dbl_3a(double),
            self.branch3x3dbl_3b(double),
            self.branch_pool(pooled),
        ]
        return torch.cat(parts, dim=1)


class Inception(nn.Module):
    """Pictures (N, 3, 299, 299) in [-1, 1] to features (N, 2048). The modules have the names of the ports' files."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Unit(3, 32, 3, stride=2, padded=False)
        self.Conv2d_2a_3x3 = Unit(32, 32, 3, padded=False)
        self.Conv2d_2b_3x3 = Unit(32, 64, 3)
        self.Conv2d_3b_1x1 = Unit(64, 80)
        self.Conv2d_4a_3x3 = Unit(80, 192, 3, padded=False)
        self.Mixed_5b = BlockA(192, pooled=32)
        self.Mixed_5c = BlockA(256, pooled=64)
        self.Mixed_5d = BlockA(288, pooled=64)
        self.Mixed_6a = BlockB(288)
        self.Mixed_6b = BlockC(768, narrow=128)
        self.Mixed_6c = BlockC(768, narrow=160)
        self.Mixed_6d = BlockC(768, narrow=160)
        self.Mixed_6e = BlockC(768, narrow=192)
        self.Mixed_7a = BlockD(768)
        self.Mixed_7b = BlockE(1280, last=False)
        self.Mixed_7c = BlockE(2048, last=True)
        # Not used for features; that a file has it, with 1008 classes, tells the right network from its successors.
        self.fc = nn.Linear(FEATURES, CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(halve(x)))
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(halve(x))))
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))
        return x.mean(dim=(2, 3))


class InceptionFeatures:
    """What published figures are computed on."""

    figure_names = INCEPTION_FIGURES

    def __init__(self, network: Inception, name: str) -> None:
        self.network = network.eval().requires_grad_(False)
        self.name = name

    @torch.no_grad()
    def __call__(self, images: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] to (N, 2048). Larger pictures are not smoothed before they are made smaller: that
        is how the figures are defined."""
        images = images.to(self.network.fc.weight).clamp(-1, 1)
        return self.network(F.interpolate(images, (SIDE, SIDE), mode="bilinear", align_corners=False))


def inception_features(path: Path | str, device: torch.device | str = "cpu") -> InceptionFeatures:
    """The network of a file. Raises CheckpointError with one sentence where that has no or other weights."""
    network = Inception()
    try:
        _load(network, read_state(path))
    except (Malformed, MemoryError) as error:
        raise explain(path, error) from error
    return InceptionFeatures(network.to(device), f"Inception v3 for FID, from {Path(path).name}")


def read_state(path: Path | str) -> dict[str, Tensor]:
    """Names and tensors of a safetensors file, or of a state dict that torch.save wrote. Runs nothing from the file.

    Raises CheckpointError where the file is missing and Malformed where it is none of these.
    """
    data = read_file(path)
    if data[8:9] == b"{":
        return _read_safetensors(data)
    if not is_zip(data) and data[:1] != b"\x80":
        raise Malformed("is neither a safetensors file nor one that torch.save writes")
    if is_zip(data) and b"/constants.pkl" in data:
        raise Malformed("is a TorchScript program, which would have to be run: a file of weights is needed")
    budget = Budget.of(data)
    archive = open_zip(data, budget) if is_zip(data) else open_stream(memoryview(data), budget)
    arrays = Arrays(budget, archive)
    named = mapping(archive.tree).items()
    return {str(name): torch.from_numpy(arrays.array(value, str(name))) for name, value in named}


def _read_safetensors(data: bytes) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        return load(data)
    except SafetensorError as error:
        raise Malformed("is an incomplete or damaged safetensors file") from error


def _load(network: Inception, state: dict[str, Tensor]) -> None:
    """Raises Malformed where names, shapes or numbers are not this network's."""
    own = network.state_dict()
    classes = state.get("fc.weight")
    if classes is None or classes.shape != own["fc.weight"].shape:
        raise Malformed(f"does not hold the Inception network of FID, which has {CLASSES} classes ('fc.weight')")
    counters = {name for name in own if name.endswith(".num_batches_tracked")}  # of training only; some files lack them
    state = {name: value for name, value in state.items() if name not in counters}
    wrong = sorted((own.keys() - counters) ^ state.keys())
    wrong += sorted(name for name in own.keys() & state.keys() if own[name].shape != state[name].shape)
    if wrong:
        raise Malformed(f"does not hold the Inception network of FID: {len(wrong)} tensors differ, first '{wrong[0]}'")
    if not all(torch.isfinite(value).all() for value in state.values()):
        raise Malformed("holds numbers that are not finite")
    network.load_state_dict(state, strict=False)


__all__ = ["CheckpointError", "Inception", "InceptionFeatures", "inception_features", "read_state"]

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paper A's mapping networks: camera, shape, texture and background to the styles of StyleGAN2 (section A.3).

g_v and g_s are MLPs on the camera and on the shape, g_t and g_b CNNs on the texture map and on the picture without its
object (equation 3). The camera writes only those styles of the first layers that follow the viewpoint most; the rest
of these layers stays as it is on average. All other styles are mixtures of what shape, texture and background ask for,
with learned weights that are the same for all pictures, a softmax over the three for each style (equation 4).

The shape goes in as its code: the coordinates of its vertices in the basis of the shapes, which says the same.

Letters: N batch, S total length of the styles, v of them the camera's, c the content's, K shape code, T, B sides of
texture and background.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..render.camera import Cameras
from .inverse_graphics import apparent_size_of
from .network_files import build, config_of
from .storage import read_tensors, save_network

CAMERA_NUMBERS = 5
"""Azimuth, elevation, logarithm of the apparent size, and where the object's centre is seen."""
_HARMONICS = 4
_SIZES = ("shape", "texture", "background")


@dataclass(frozen=True)
class StyleMappingConfig:
    """Sizes of the mapping networks."""

    styles: int = 2240
    """S, that of the generator."""
    view_styles: int = 144
    """v; the paper has 144."""
    content_styles: int = 1664
    """c: all styles of the layers behind those that hold the view."""
    shape_code: int = 48
    """K."""
    texture_size: int = 64
    """T: side of the texture map as g_t sees it."""
    background_size: int = 32
    """B: side of the picture without its object as g_b sees it."""
    hidden: int = 192
    """Width of the MLPs."""
    channels: tuple[int, ...] = (24, 48, 64, 96)
    """Channels of the CNNs after each halving."""


class StyleMapping(nn.Module):
    """Camera, shape, texture and background to styles."""

    mean: Tensor
    deviation: Tensor
    view_index: Tensor
    content_index: Tensor
    camera_mean: Tensor
    camera_scale: Tensor
    camera_low: Tensor
    camera_high: Tensor

    def __init__(self, config: StyleMappingConfig) -> None:
        super().__init__()
        self.config = config
        hidden, content = config.hidden, config.content_styles
        self.view = _perceptron(2 * _HARMONICS + CAMERA_NUMBERS - 1, hidden, config.view_styles)
        self.shape = _perceptron(config.shape_code, hidden, content)
        self.texture = MapEncoder(3, config.texture_size, config.channels, hidden, content)
        self.background = MapEncoder(4, config.background_size, config.channels[:-1], hidden, content)
        self.selection = nn.Parameter(torch.zeros(3, content))
        """Before the softmax over shape, texture and background."""
        self.register_buffer("mean", torch.zeros(config.styles))
        self.register_buffer("deviation", torch.ones(config.styles))
        self.register_buffer("view_index", torch.arange(config.view_styles))
        self.register_buffer("content_index", torch.arange(config.styles - content, config.styles))
        # Elevation, log size and the two shifts are about unit-normal to g_v.
        self.register_buffer("camera_mean", torch.zeros(CAMERA_NUMBERS - 1))
        self.register_buffer("camera_scale", torch.ones(CAMERA_NUMBERS - 1))
        # What cameras beyond those of the training are brought back to: g_v knows nothing of them.
        self.register_buffer("camera_low", torch.full((CAMERA_NUMBERS - 1,), -10.0))
        self.register_buffer("camera_high", torch.full((CAMERA_NUMBERS - 1,), 10.0))

    def forward(self, cameras: Cameras, shape_code: Tensor, texture: Tensor, background: Tensor) -> Tensor:
        """Styles (N, S) as :meth:`..stylegan2.Generator.unflatten` takes them.

        shape_code (N, K); texture (N, 3, T, T) and background (N, 4, B, B) in [0, 1], the latter's fourth channel 1
        where the background is seen and its colours 0 elsewhere.
        """
        codes = torch.stack([self.shape_part(shape_code), self.texture_part(texture), self.background_part(background)])
        content = (self.weights()[:, None] * codes).sum(dim=0)
        return self.assembled(self.view_part(cameras), content)

    def assembled(self, view: Tensor, content: Tensor) -> Tensor:
        """Styles (N, S) of the view's (N, v) and the content's (N, c), both in deviations from the mean."""
        styles = torch.zeros(len(view), self.config.styles, dtype=view.dtype, device=view.device)
        styles = styles.index_copy(1, self.view_index, view).index_copy(1, self.content_index, content)
        return self.mean + self.deviation * styles

    def weights(self) -> Tensor:
        """(3, c): s^m, s^t and s^b, which sum to 1 for every style."""
        return self.selection.softmax(dim=0)

    def entropy(self) -> Tensor:
        """Mean entropy of the selection, in parts of that of no choice at all; equation 5 makes it small."""
        logarithms = self.selection.log_softmax(dim=0)
        return -(logarithms.exp() * logarithms).sum(dim=0).mean() / math.log(3)

    def view_part(self, cameras: Cameras) -> Tensor:
        """z_view (N, v), in deviations from the mean."""
        numbers = camera_numbers(cameras)
        turns = torch.arange(1, _HARMONICS + 1, device=numbers.device) * numbers[:, :1]
        known = torch.minimum(torch.maximum(numbers[:, 1:], self.camera_low), self.camera_high)
        rest = (known - self.camera_mean) / self.camera_scale
        result: Tensor = self.view(torch.cat([turns.sin(), turns.cos(), rest], dim=1))
        return result

    def shape_part(self, shape_code: Tensor) -> Tensor:
        """z_shape (N, c)."""
        result: Tensor = self.shape(shape_code)
        return result

    def texture_part(self, texture: Tensor) -> Tensor:
        """z_txt (N, c)."""
        result: Tensor = self.texture(texture * 2 - 1)
        return result

    def background_part(self, background: Tensor) -> Tensor:
        """z_bck (N, c)."""
        seen = background[:, 3:]
        result: Tensor = self.background(torch.cat([background[:, :3] * 2 - seen, seen], dim=1))
        return result


def _perceptron(inputs: int, hidden: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, hidden), nn.LeakyReLU(0.2),
        nn.Linear(hidden, outputs),
    )  # fmt: skip


class MapEncoder(nn.Module):
    """Maps (N, C, side, side) to codes: convolutions, their mean and their last grid, a perceptron."""

    def __init__(self, inputs: int, side: int, channels: tuple[int, ...], hidden: int, outputs: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for before, after in zip((inputs, *channels), channels, strict=False):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.LeakyReLU(0.2)]
        self.convolutions = nn.Sequential(*layers)
        last = side // 2 ** len(channels)
        self.narrow = nn.Conv2d(channels[-1], 16, 1)
        self.head = _perceptron(channels[-1] + 16 * last * last, hidden, outputs)

    def forward(self, maps: Tensor) -> Tensor:
        grid = self.convolutions(maps)
        result: Tensor = self.head(torch.cat([grid.mean(dim=(2, 3)), self.narrow(grid).flatten(1)], dim=1))
        return result


def camera_numbers(cameras: Cameras) -> Tensor:
    """(N, 5) what g_v sees of cameras: :data:`CAMERA_NUMBERS`."""
    size = apparent_size_of(cameras.field_of_view, cameras.distance)
    return torch.stack([cameras.azimuth, cameras.elevation, size.log(), cameras.shift_x, cameras.shift_y], dim=1)


def without_object(pictures: Tensor, masks: Tensor, size: int) -> Tensor:
    """B: pictures (N, 3, R, R) without their objects' masks (N, R, R), as g_b sees them, (N, 4, size, size).

    The mask is widened by a pixel, so that no edge of the object is left in the background.
    """
    seen = 1 - F.max_pool2d(masks[:, None], 3, 1, 1)
    return reduced(torch.cat([pictures * seen, seen], dim=1), size)


def reduced(maps: Tensor, size: int) -> Tensor:
    """Maps (N, C, R, R) brought to a smaller or larger side by the mean of their pixels."""
    return F.interpolate(maps, size=(size, size), mode="area") if maps.shape[2] >= size else _enlarged(maps, size)


def _enlarged(maps: Tensor, size: int) -> Tensor:
    return F.interpolate(maps, size=(size, size), mode="bilinear", align_corners=False)


def save_style_mapping(path: Path, mapping: StyleMapping) -> None:
    """Writes the weights, large ones in 8 bits, with the config in the metadata."""
    save_network(path, mapping, mapping.config, precision="int8")


def load_style_mapping(path: Path, device: torch.device | str = "cpu") -> StyleMapping:
    """The networks of a file, ready to use. Raises ValueError with one sentence if the file is missing or damaged."""
    tensors, metadata = read_tensors(path)
    config = config_of(path, metadata, StyleMappingConfig)
    mapping = build(path, tensors, lambda: StyleMapping(config), device)
    for index in (mapping.view_index, mapping.content_index):
        if len(index) and not (0 <= int(index.min()) and int(index.max()) < config.styles):
            raise ValueError(f"The weights file {path} is damaged: it names more than {config.styles} styles.")
    return mapping

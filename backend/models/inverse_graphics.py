# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paper A's inverse-graphics network f(I) -> shape, texture, with heads for the camera and the light.

The input is the cut-out photograph, cropped to a square around the object. Shape and texture go through codes that
decode on their own, so that an object can be edited by moving its codes. The paper leaves the network's sizes open;
these are ours.

Letters: N batch, V vertices, S and C lengths of the shape and texture codes, B azimuth bins, T texture side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..render.camera import Cameras
from ..render.template import Template

CROP_MARGIN = 1.25
"""Side of the input crop over the longer side of the object's box, in training as in use."""


@dataclass(frozen=True)
class InverseGraphicsConfig:
    """Sizes of the network."""

    image_size: int = 128
    """Side of the input crop in pixels."""
    widths: tuple[int, ...] = (32, 64, 128, 224, 256)
    """Channels after each halving of the input."""
    shape_code: int = 48
    texture_code: int = 128
    texture_size: int = 128
    """Side of the decoded texture in texels."""
    texture_widths: tuple[int, ...] = (160, 128, 96, 48, 24)
    """Channels of the texture decoder, from 1/16 of the texture's side upwards."""
    azimuth_bins: int = 24
    symmetric: bool = True
    """Whether every object is its own mirror image, left and right, in shape and in texture."""


@dataclass
class Prediction:
    """What the network says of a batch of crops."""

    shape_code: Tensor
    """(N, S)."""
    texture_code: Tensor
    """(N, C)."""
    azimuth_logits: Tensor
    """(N, B): which bin the azimuth is in; bin i is centred at i * 2 pi / B."""
    azimuth_residual: Tensor
    """(N, B): the azimuth minus the bin's centre, in radians, should that bin be the right one."""
    pose: Tensor
    """(N, 6): elevation, roll, log distance, log apparent size, shift_x, shift_y of the crop's camera."""
    light: Tensor
    """(N, 9, 3)."""

    def azimuth(self, rank: int = 0) -> Tensor:
        """(N,) azimuth of the bin that is ``rank``-th in likelihood."""
        bins = self.azimuth_logits.shape[1]
        chosen = self.azimuth_logits.topk(rank + 1, dim=1).indices[:, rank]
        return chosen * (2 * math.pi / bins) + self.azimuth_residual.gather(1, chosen[:, None])[:, 0]

    def cameras(self, azimuth: Tensor | None = None) -> Cameras:
        """The cameras of the crops, with the likeliest azimuth unless another (N,) is given."""
        elevation, roll, log_distance, log_size, shift_x, shift_y = self.pose.unbind(dim=1)
        distance = log_distance.exp().clamp(1.2, 20.0)
        return Cameras(
            azimuth=self.azimuth() if azimuth is None else azimuth,
            elevation=elevation,
            distance=distance,
            roll=roll,
            field_of_view=field_of_view_of(log_size.exp(), distance),
            shift_x=shift_x,
            shift_y=shift_y,
        )


def field_of_view_of(apparent_size: Tensor, distance: Tensor) -> Tensor:
    """The field of view in which one unit of length at ``distance`` spans ``apparent_size`` of the picture's side."""
    return 2 * torch.atan(0.5 / (apparent_size * distance))


def apparent_size_of(field_of_view: Tensor, distance: Tensor) -> Tensor:
    """Inverse of :func:`field_of_view_of`."""
    return 0.5 / (torch.tan(0.5 * field_of_view) * distance)


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut; ``stride`` 2 halves the picture."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.first_norm = nn.BatchNorm2d(outputs)
        self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.second_norm = nn.BatchNorm2d(outputs)
        self.shortcut = (
            nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            if stride != 1 or inputs != outputs
            else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.first_norm(self.first(x)))
        return F.relu(self.second_norm(self.second(y)) + self.shortcut(x))


class Encoder(nn.Module):
    """RGBA crops (N, 4, R, R) to features (N, ``features``).

    The mean and the maximum over the last grid, and a narrow copy of that grid, because the place of a feature in the
    picture matters for the pose.
    """

    def __init__(self, config: InverseGraphicsConfig) -> None:
        super().__init__()
        w = config.widths
        stages: list[nn.Module] = [nn.Conv2d(4, w[0], 5, 2, 2, bias=False), nn.BatchNorm2d(w[0]), nn.ReLU()]
        for inputs, outputs in zip(w, w[1:], strict=False):
            stages += [ResidualBlock(inputs, outputs, 2), ResidualBlock(outputs, outputs)]
        self.stages = nn.Sequential(*stages)
        self.grid = nn.Conv2d(w[-1], 48, 1)
        side = config.image_size // 2 ** len(w)
        self.features = w[-1] * 2 + 48 * side * side

    def forward(self, rgba: Tensor) -> Tensor:
        x = self.stages(rgba)
        return torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3)), self.grid(x).flatten(1)], dim=1)


APPEARANCE_FEATURES = 3 + 4 * 4 * 4


def appearance(rgba: Tensor) -> Tensor:
    """(N, 67) of crops (N, 4, R, R): the logit of the object's mean colour, and the crop in 4 x 4 pixels.

    Given straight to the heads of texture and light: in the trunk, where pose rules, colour drowns.
    """
    mean = rgba[:, :3].sum(dim=(2, 3)) / rgba[:, 3:].sum(dim=(2, 3)).clamp(min=1.0)
    return torch.cat([torch.logit(mean, eps=0.02), 2 * F.adaptive_avg_pool2d(rgba, 4).flatten(1)], dim=1)


class ShapeDecoder(nn.Module):
    """Shape codes to vertices: the template's mean plus a linear basis, left-right symmetric unless told otherwise."""

    mean: Tensor
    mirror: Tensor

    def __init__(self, template: Template, code: int, symmetric: bool = True) -> None:
        super().__init__()
        self.symmetric = symmetric
        # Copies: what is loaded or trained into the network must not reach the template.
        self.register_buffer("mean", torch.tensor(template.vertices))
        self.register_buffer("mirror", torch.tensor(template.mirror, dtype=torch.int64), persistent=False)
        self.basis = nn.Parameter(torch.randn(code, *template.vertices.shape) * 0.01)

    def symmetric_basis(self) -> Tensor:
        """(S, V, 3): the basis averaged with its mirror image; as it is where shapes need not be symmetric."""
        if not self.symmetric:
            return self.basis
        flip = self.basis.new_tensor([-1.0, 1.0, 1.0])
        return 0.5 * (self.basis + self.basis[:, self.mirror] * flip)

    def forward(self, code: Tensor) -> Tensor:
        """(N, S) to vertices (N, V, 3)."""
        return self.mean + self.movements(code)

    def movements(self, change: Tensor) -> Tensor:
        """What a change of the code (N, S) adds to the vertices, (N, V, 3), whatever the code."""
        return torch.einsum("ns,svd->nvd", change, self.symmetric_basis())


class TextureDecoder(nn.Module):
    """Texture codes to albedo atlases (N, 3, T, T) in sRGB.

    Of symmetric ones the left half alone is decoded, and mirrored; of others the whole.
    A linear map paints broadly, convolutions add the detail. The first three numbers of the code are the colour (as a
    logit) that the linear map starts by giving to all of the atlas.
    """

    def __init__(self, config: InverseGraphicsConfig) -> None:
        super().__init__()
        w = config.texture_widths
        self.start_height = config.texture_size // 2 ** (len(w) - 1)
        self.channels = w[0]
        self.symmetric = config.symmetric
        self.start = nn.Linear(config.texture_code, w[0] * self.start_height * self._width(self.start_height))
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
                nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.LeakyReLU(0.2),
                nn.Conv2d(outputs, outputs, 3, 1, 1),
                nn.LeakyReLU(0.2),
            )
            for inputs, outputs in zip(w, w[1:], strict=False)
        )
        self.to_rgb = nn.Conv2d(w[-1], 3, 1)
        self.broad_height = 32
        texels = self.broad_height * self._width(self.broad_height)
        self.broad = nn.Linear(config.texture_code, 3 * texels)
        with torch.no_grad():
            self.broad.weight[:, :3] = torch.eye(3).repeat_interleave(texels, dim=0)

    def _width(self, height: int) -> int:
        """How wide what is decoded is."""
        return height // 2 if self.symmetric else height

    def forward(self, code: Tensor) -> Tensor:
        x = self.start(code).view(-1, self.channels, self.start_height, self._width(self.start_height))
        x = F.leaky_relu(x, 0.2)
        for block in self.blocks:
            x = block(x)
        broad = self.broad(code).view(-1, 3, self.broad_height, self._width(self.broad_height))
        detail = self.to_rgb(x)
        broad = F.interpolate(broad, size=detail.shape[2:], mode="bilinear", align_corners=False)
        decoded = torch.sigmoid(detail + broad)
        return torch.cat([decoded, decoded.flip(3)], dim=3) if self.symmetric else decoded


class InverseGraphics(nn.Module):
    """Encoder, heads and decoders."""

    pose_mean: Tensor
    pose_scale: Tensor
    shape_directions: Tensor
    texture_directions: Tensor

    def __init__(self, config: InverseGraphicsConfig, template: Template) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        features = self.encoder.features
        self.trunk = nn.Sequential(nn.Linear(features, 512), nn.ReLU())
        self.shape_head = nn.Sequential(nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, config.shape_code))
        self.texture_head = nn.Sequential(
            nn.Linear(512 + APPEARANCE_FEATURES, 256), nn.ReLU(), nn.Linear(256, config.texture_code)
        )
        self.camera_head = nn.Sequential(nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 2 * config.azimuth_bins + 6))
        self.light_head = nn.Sequential(nn.Linear(512 + APPEARANCE_FEATURES, 128), nn.ReLU(), nn.Linear(128, 27))
        self.shape_decoder = ShapeDecoder(template, config.shape_code, config.symmetric)
        self.texture_decoder = TextureDecoder(config)
        # Set from the training data, so that every output of the pose head is about unit-normal.
        self.register_buffer("pose_mean", torch.tensor([0.26, 0.0, 1.1, -0.2, 0.0, 0.0]))
        self.register_buffer("pose_scale", torch.tensor([0.17, 0.06, 0.35, 0.2, 0.05, 0.05]))
        # Main directions of the codes over the training data, one standard deviation long: the sliders.
        self.register_buffer("shape_directions", torch.eye(6, config.shape_code))
        self.register_buffer("texture_directions", torch.eye(6, config.texture_code))

    def forward(self, rgba: Tensor) -> Prediction:
        """rgba: crops (N, 4, R, R) with the colour 0 outside the mask."""
        x = self.trunk(self.encoder(rgba * 2 - 1))
        seen = appearance(rgba)
        with_colour = torch.cat([x, seen.to(x.dtype)], dim=1)
        texture_code = self.texture_head(with_colour)
        texture_code = torch.cat([texture_code[:, :3] + seen[:, :3], texture_code[:, 3:]], dim=1)
        bins = self.config.azimuth_bins
        camera = self.camera_head(x)
        half_bin = math.pi / bins
        light = self.light_head(with_colour).view(-1, 9, 3)
        # Around a grey, white-lit world.
        light = light * 0.3 + light.new_tensor([1.6] + [0.0] * 8)[:, None]
        return Prediction(
            shape_code=self.shape_head(x),
            texture_code=texture_code,
            azimuth_logits=camera[:, :bins],
            azimuth_residual=torch.tanh(camera[:, bins : 2 * bins]) * 2 * half_bin,
            pose=camera[:, 2 * bins :] * self.pose_scale + self.pose_mean,
            light=light,
        )

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paper B's generator: G(z) = [shape, texture, background] from StyleGAN2 (Szabó et al. 2019; there StyleGAN).

One synthesis makes a map of six channels, the vertices' positions and the texture's colours; another one makes the
background. What the paper names in a word only is a choice of ours, and a switch each:

- *pyramid*: the position map is the sum of what all resolutions add, each finer one weaker (coarse to fine); without
  it the last resolution makes it alone;
- *size constraint*: the object's centre is the origin, and its root mean square radius is brought into a range;
- *smoothing*: the position map is blurred with a Gaussian before the vertices are taken from it;
- *symmetry* (not in the paper): left and right are mirror images.

Letters: N batch, V vertices, F triangles, L w codes, D length of a w code, R side of the maps, B side of the
background.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..render.shading import sample_texture
from .network_files import build, config_of
from .storage import read_tensors, save_network
from .stylegan2 import Generator, GeneratorConfig, Noise
from .surface_maps import SurfaceConfig, make_surface

SHAPE_CHANNELS = 3


@dataclass(frozen=True)
class ShapeGeneratorConfig:
    """Sizes and switches. Raises ValueError if they do not go together."""

    maps: GeneratorConfig = field(default_factory=GeneratorConfig)
    """Network of the shape and the texture; its ``resolution`` is that of both maps."""
    background: GeneratorConfig = field(default_factory=GeneratorConfig)
    """Network of the background; its ``resolution`` is that of the whole background, not of the frame."""
    background_factor: float = 2.0
    """How much wider and higher than the frame the background is."""
    own_background: bool = True
    """Whether the background has a z of its own, so that it cannot hold what belongs to the object; otherwise both
    come from one z, as in the paper."""
    surface: SurfaceConfig = field(default_factory=SurfaceConfig)
    radius: float = 0.4
    """Radius of the surface before anything is learned, where a frame shows about 1.3."""
    shape_gain: float = 0.2
    """Size in the world of a number of the network's at the coarsest resolution: how fast shapes learn."""
    shape_start: float = 0.25
    """Size of the position map's first weights in that of others: small, so that first shapes are near the start."""
    symmetric: bool = False
    """Whether left and right of shape and texture are one another's mirror images, as a car's are: not in the paper. It
    also ties each object's front to the world's, or to its opposite."""
    pyramid: bool = True
    pyramid_decay: float = 0.7
    """Strength of what a resolution adds to the position map, in that of the resolution before."""
    size_constraint: bool = True
    size: tuple[float, float] = (0.3, 0.5)
    """Least and largest root mean square distance of the surface from its middle; the vertices stand for the area that
    they have at the start."""
    smoothing: float = 1.5
    """Standard deviation in texels of the Gaussian that smooths the position map; 0: none."""

    def __post_init__(self) -> None:
        if self.background_factor < 1 or self.radius <= 0 or self.smoothing < 0 or not 0 < self.pyramid_decay <= 1:
            raise ValueError("A background is as large as the frame at least, a radius above 0, a decay 0 to 1.")
        if not self.own_background and self.maps.z_dim != self.background.z_dim:
            raise ValueError("A background that comes from the object's z needs one of the same length.")
        if len(self.size) != 2 or not 0 < self.size[0] <= self.size[1]:
            raise ValueError(f"The size's limits are above 0, the least first, not {self.size}.")


@dataclass
class Scene:
    """What a generator makes of a batch of codes: all that a picture from any side needs."""

    vertices: Tensor
    """(N, V, 3) in the world."""
    texture: Tensor
    """(N, 3, R, R), about in [-1, 1]."""
    background: Tensor
    """(N, 3, B, B), about in [-1, 1]."""

    def __len__(self) -> int:
        return len(self.vertices)

    def __getitem__(self, index) -> Scene:
        return Scene(self.vertices[index], self.texture[index], self.background[index])

    def repeated(self, times: int) -> Scene:
        """Every scene so many times one after the other, (N * times, ...)."""
        return Scene(*(value.repeat_interleave(times, dim=0) for value in vars(self).values()))


@dataclass(frozen=True)
class SceneMesh:
    """What all scenes of a generator share."""

    triangles: Tensor
    """(F, 3) int64, counter-clockwise from outside."""
    triangle_uv: Tensor
    """(F, 3, 2) place of each corner in the texture, origin bottom left."""
    background_factor: float
    """How much wider and higher than the frame the background is."""


class ShapeGenerator(nn.Module):
    """z to scenes; the mesh's connectivity and its places in the maps never change."""

    start: Tensor
    uv: Tensor
    share: Tensor
    rim: Tensor
    rim_uv: Tensor
    triangles: Tensor
    triangle_uv: Tensor

    def __init__(self, config: ShapeGeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.maps = Generator(replace(config.maps, image_channels=SHAPE_CHANNELS + 3))
        self.background = Generator(config.background)
        with torch.no_grad():
            for block in self.maps.synthesis_blocks():
                block.to_image.weight[:SHAPE_CHANNELS] *= config.shape_start
        surface = make_surface(config.surface)
        for name in ("start", "uv", "share", "rim", "rim_uv", "triangles", "triangle_uv"):
            self.register_buffer(name, torch.from_numpy(getattr(surface, name)), persistent=False)

    @property
    def mesh(self) -> SceneMesh:
        """What all scenes share."""
        return SceneMesh(self.triangles, self.triangle_uv, self.config.background_factor)

    @property
    def z_dim(self) -> int:
        """Length of z: the maps' part, then the background's, if it has one of its own."""
        own = self.config.background.z_dim if self.config.own_background else 0
        return self.config.maps.z_dim + own

    def forward(self, z: Tensor, truncation: float = 1.0, noise: Noise = "const") -> Scene:
        """z (N, Z) to scenes."""
        of_maps = z[:, : self.config.maps.z_dim]
        of_background = z[:, -self.config.background.z_dim :]
        return self.scene(self.maps.map(of_maps, truncation), self.background.map(of_background, truncation), noise)

    def scene(
        self,
        map_codes: Tensor,
        background_codes: Tensor,
        map_noise: Noise | Sequence[Tensor] = "const",
        background_noise: Noise | Sequence[Tensor] = "const",
    ) -> Scene:
        """w or w+ of both networks to scenes."""
        positions, texture = self.position_and_texture(map_codes, map_noise)
        background = self.background.synthesize(self.background.styles(background_codes), background_noise)
        return Scene(self.vertices(positions), texture, background)

    def position_and_texture(self, codes: Tensor, noise: Noise | Sequence[Tensor] = "const") -> tuple[Tensor, Tensor]:
        """w or w+ (N, L, D) to the map of positions relative to the start, in the world (N, 3, R, R), not yet smoothed,
        and the texture (N, 3, R, R)."""
        config = self.config
        levels = list(self.maps.synthesize_levels(self.maps.styles(codes), noise))
        total: Tensor | None = None
        for number, level in enumerate(levels):
            strength = config.shape_gain * config.pyramid_decay**number
            if not config.pyramid:
                strength = config.shape_gain if number == len(levels) - 1 else 0.0
            weights = torch.ones(level.shape[1], device=level.device)
            weights[:SHAPE_CHANNELS] = strength
            level = level * weights[:, None, None]
            total = level if total is None else self.maps.resampler.upsample(total) + level
        assert total is not None
        positions, texture = total[:, :SHAPE_CHANNELS], total[:, SHAPE_CHANNELS:]
        if config.symmetric:
            # Left and right of the chart are -X and +X of the surface.
            positions = (positions + positions.flip(3) * positions.new_tensor([-1.0, 1.0, 1.0])[:, None, None]) / 2
            texture = (texture + texture.flip(3)) / 2
        return positions, texture

    def vertices(self, positions: Tensor) -> Tensor:
        """A map of positions relative to the start (N, 3, R, R) to vertices (N, V, 3) in the world."""
        if self.config.smoothing:
            positions = smoothed(positions, self.config.smoothing)
        moved = self._at(positions, self.uv)
        if len(self.rim_uv):
            # Neighbours across the point behind lie at opposite places of the rim.
            behind = self._at(positions, self.rim_uv).mean(dim=1, keepdim=True)
            moved = torch.lerp(moved, behind.expand_as(moved), self.rim[:, None])
        vertices = self.config.radius * self.start + moved
        return constrained(vertices, *self.config.size, self.share) if self.config.size_constraint else vertices

    def _at(self, maps: Tensor, uv: Tensor) -> Tensor:
        """Values (N, K, C) of maps (N, C, R, R) at places (K, 2)."""
        places = uv.expand(len(maps), 1, -1, -1)
        return sample_texture(maps, places)[:, :, 0].transpose(1, 2)


def constrained(vertices: Tensor, least: float, largest: float, share: Tensor | None = None) -> Tensor:
    """Vertices (N, V, 3) about their mean, scaled where their root mean square distance from it is out of range; of
    both each vertex has its ``share`` (V,), or all the same."""
    share = vertices.new_full(vertices.shape[1:2], 1 / vertices.shape[1]) if share is None else share
    centred = vertices - (vertices * share[:, None]).sum(dim=1, keepdim=True)
    size = root_mean_square_radius(centred, share)[:, None, None]
    return centred * (size.clamp(least, largest) / size)


def root_mean_square_radius(vertices: Tensor, share: Tensor | None = None) -> Tensor:
    """(N,) of vertices (N, V, 3), about the origin; each has its ``share`` (V,), or all the same."""
    squared = vertices.square().sum(dim=2)
    mean = squared.mean(dim=1) if share is None else squared @ share
    return mean.clamp(min=1e-12).sqrt()


def smoothed(maps: Tensor, deviation: float) -> Tensor:
    """Maps (N, C, R, R) convolved with a Gaussian of a standard deviation in texels; border texels go on beyond it."""
    reach = min(max(1, math.ceil(3 * deviation)), maps.shape[-1] - 1)
    line = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=maps.device, dtype=maps.dtype) / deviation) ** 2)
    line = (line / line.sum())[None, None]
    channels = maps.shape[1]
    padded = F.pad(maps, (reach, reach, reach, reach), mode="replicate")
    down = F.conv2d(padded, line[..., None].expand(channels, 1, -1, 1), groups=channels)
    return F.conv2d(down, line[:, :, None].expand(channels, 1, 1, -1), groups=channels)


def save_shape_generator(path: Path, generator: ShapeGenerator, *, half: bool = False) -> None:
    """Writes the weights, in half precision on demand, with the config in the metadata."""
    save_network(path, generator, generator.config, precision="half" if half else "float32")


def load_shape_generator(path: Path, device: torch.device | str = "cpu") -> ShapeGenerator:
    """The generator of a file, ready to use. Raises ValueError with one sentence if the file is missing or damaged."""
    tensors, metadata = read_tensors(path)
    config = config_of(path, metadata, ShapeGeneratorConfig)
    return build(path, tensors, lambda: ShapeGenerator(config), device)

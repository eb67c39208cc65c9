# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN2's generator: z to w by the mapping, w to styles by affine maps, styles to an image by the synthesis.

An image may be asked for at any of these stages. What paper A calls the transformed latent space w*, the outputs of the
affine maps, are the *styles* here: a list with one tensor a modulated layer, in the order of
:meth:`Generator.describe_layers`. The layers "1 to 4" that paper A takes for the view are those with ``w_index`` < 4.

Letters: N batch, L w codes of an image (2 log2 R - 2), D length of a w code, C channels, H, W picture, R resolution,
S total length of the styles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args, overload

import torch
from torch import Tensor, nn

from .network_files import build, config_of
from .storage import read_tensors, save_network
from .stylegan2_layers import (
    EPSILON,
    EqualisedLinear,
    ModulatedConv,
    Resampler,
    ToImage,
    check_pyramid,
    default_channels,
    precision_at,
)

Noise = Literal["const", "random", "none"]
"""The learned pictures of noise, fresh noise, or none of it."""
Styles = list[Tensor]
"""One tensor (N, C) a modulated layer."""
AVERAGE_DECAY = 0.995
"""By which the running average of w forgets, a batch."""


@dataclass(frozen=True)
class GeneratorConfig:
    """Sizes of the generator. Raises ValueError if they do not go together."""

    resolution: int = 64
    """Side of the image in pixels; a power of two."""
    z_dim: int = 256
    w_dim: int = 256
    mapping_layers: int = 8
    mapping_rate: float = 0.01
    """Multiplier of the mapping's learning rate."""
    channel_base: int = 8192
    """Channels times pixels of side; NVIDIA's "config-f" has 32768, "config-e" 16384."""
    channel_max: int = 256
    channels: tuple[int, ...] = ()
    """Channels at 4, 8, ... pixels, where base and maximum do not say it."""
    image_channels: int = 3
    conv_clamp: float | None = None
    """Bound on the size of activations, wanted where some layers are in half precision; 256 in StyleGAN2-ADA."""
    half_from_resolution: int | None = None
    """Layers from this resolution on run in half precision, where the device computes in it."""
    half_type: str = "bfloat16"
    """Which half precision: bfloat16 or float16."""

    def __post_init__(self) -> None:
        if min(self.z_dim, self.w_dim, self.mapping_layers, self.image_channels) < 1:
            raise ValueError("A generator's sizes are positive numbers.")
        check_pyramid(self.resolution, self.channel_table, self.half_type)

    @property
    def channel_table(self) -> tuple[int, ...]:
        """Channels at 4, 8, ..., ``resolution`` pixels."""
        return self.channels or default_channels(self.resolution, self.channel_base, self.channel_max)


class StyleLayer(NamedTuple):
    """A modulated layer, and where its style lies."""

    name: str
    """Such as b16.conv0 or b16.to_image."""
    resolution: int
    """Side of the layer's output in pixels."""
    kind: Literal["conv", "to_image"]
    w_index: int
    """Which of the L codes of w+ drives it."""
    channels: int
    """Length of its style: the channels of its input."""
    start: int
    """Index of the style's first number in the flat style vector."""


class MappingNetwork(nn.Module):
    """z ~ N(0, I) to w, and the running average of w."""

    average: Tensor

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        sizes = [config.z_dim] + [config.w_dim] * config.mapping_layers
        self.layers = nn.Sequential(
            *(
                EqualisedLinear(inputs, outputs, activate=True, rate=config.mapping_rate)
                for inputs, outputs in zip(sizes[:-1], sizes[1:], strict=True)
            )
        )
        self.register_buffer("average", torch.zeros(config.w_dim))

    def forward(self, z: Tensor) -> Tensor:
        """(N, Z) to (N, D). The size of z does not matter, only its direction."""
        return self.layers(z * torch.rsqrt(z.square().mean(dim=1, keepdim=True) + EPSILON))

    @torch.no_grad()
    def track(self, w: Tensor) -> None:
        """Moves the average towards the mean of codes (N, D), as training does with every batch."""
        self.average.lerp_(w.detach().mean(dim=0), 1 - AVERAGE_DECAY)


class SynthesisBlock(nn.Module):
    """One resolution: an up-convolution (not at 4 px), a convolution, and what it adds to the image."""

    def __init__(self, config: GeneratorConfig, level: int) -> None:
        super().__init__()
        self.resolution = 4 << level
        outputs = config.channel_table[level]
        inputs = config.channel_table[level - 1] if level else outputs
        style, clamp = config.w_dim, config.conv_clamp
        self.conv0 = ModulatedConv(inputs, outputs, style, self.resolution, up=True, clamp=clamp) if level else None
        self.conv1 = ModulatedConv(outputs, outputs, style, self.resolution, clamp=clamp)
        self.to_image = ToImage(outputs, config.image_channels, style, clamp=clamp)

    def modulated_layers(self) -> list[tuple[str, ModulatedConv | ToImage]]:
        """Names and layers, in the order in which they run."""
        layers = {"conv0": self.conv0, "conv1": self.conv1, "to_image": self.to_image}
        return [(name, layer) for name, layer in layers.items() if layer is not None]


class Generator(nn.Module):
    """Mapping and synthesis with skips: every resolution adds its image to the last one's, upsampled."""

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__()
        self.config = config
        self.mapping = MappingNetwork(config)
        self.const = nn.Parameter(torch.randn(config.channel_table[0], 4, 4))
        self.blocks = nn.ModuleList(SynthesisBlock(config, level) for level in range(len(config.channel_table)))
        self.resampler = Resampler()
        self.codes = 2 * len(config.channel_table)
        """L, the number of w codes of an image."""
        self._described = self._describe()

    def forward(
        self,
        z: Tensor,
        truncation: float = 1.0,
        cutoff: int | None = None,
        noise: Noise = "random",
        random: torch.Generator | None = None,
    ) -> Tensor:
        """z (N, Z) to images (N, 3, R, R), about in [-1, 1]; see :meth:`map` and :meth:`synthesize`."""
        return self.synthesize(self.styles(self.map(z, truncation, cutoff)), noise, random)

    def map(self, z: Tensor, truncation: float = 1.0, cutoff: int | None = None) -> Tensor:
        """z (N, Z) to w+ (N, L, D), all L codes of a sample alike but for truncation."""
        return self.truncate(self.mapping(z), truncation, cutoff)

    def truncate(self, w: Tensor, truncation: float, cutoff: int | None = None) -> Tensor:
        """w (N, D) or w+ (N, L, D) to w+, moved to average + truncation (w - average).

        Only the first ``cutoff`` codes move where it is given.
        """
        w_plus = self.spread(w)
        if truncation == 1:
            return w_plus
        moved = self.mapping.average.lerp(w_plus[:, :cutoff], truncation)
        return moved if cutoff is None else torch.cat([moved, w_plus[:, cutoff:]], dim=1)

    def spread(self, w: Tensor) -> Tensor:
        """w (N, D), or w+ (N, L, D) unchanged, to w+. Raises ValueError at other shapes."""
        if w.shape[1:] == (self.config.w_dim,):
            return w[:, None].expand(-1, self.codes, -1)
        if w.shape[1:] != (self.codes, self.config.w_dim):
            raise ValueError(
                f"Codes are (N, {self.config.w_dim}) or (N, {self.codes}, {self.config.w_dim}), not {tuple(w.shape)}."
            )
        return w

    def describe_layers(self) -> list[StyleLayer]:
        """The modulated layers, in the order in which they run."""
        return list(self._described)

    def _describe(self) -> list[StyleLayer]:
        described: list[StyleLayer] = []
        w_index = start = 0
        for block in self.synthesis_blocks():
            for name, layer in block.modulated_layers():
                kind: Literal["conv", "to_image"] = "conv" if isinstance(layer, ModulatedConv) else "to_image"
                channels = layer.weight.shape[1]
                name = f"b{block.resolution}.{name}"
                described.append(StyleLayer(name, block.resolution, kind, w_index, channels, start))
                # An image shares the code of the next resolution's first convolution.
                w_index += kind == "conv"
                start += channels
        return described

    def synthesis_blocks(self) -> list[SynthesisBlock]:
        """The blocks, from 4 pixels up."""
        return [block for block in self.blocks if isinstance(block, SynthesisBlock)]

    def styles(self, w: Tensor, overrides: Mapping[str, Tensor] | None = None) -> Styles:
        """w (N, D) or w+ (N, L, D) to styles; ``overrides`` as in :meth:`override`."""
        codes = self.spread(w).unbind(dim=1)
        layers = [layer for block in self.synthesis_blocks() for _, layer in block.modulated_layers()]
        styles = [
            layer.affine(codes[described.w_index]) for layer, described in zip(layers, self._described, strict=True)
        ]
        return self.override(styles, overrides) if overrides else styles

    def override(self, styles: Styles, overrides: Mapping[str, Tensor]) -> Styles:
        """Styles with those of the named layers replaced by (N, C), (1, C) or (C,).

        Raises ValueError at unknown names.
        """
        names = [layer.name for layer in self._described]
        unknown = sorted(set(overrides) - set(names))
        if unknown:
            raise ValueError(f"There is no modulated layer {', '.join(unknown)}; there are {', '.join(names)}.")
        return [
            overrides[name].expand_as(style) if name in overrides else style
            for name, style in zip(names, styles, strict=True)
        ]

    def flatten(self, styles: Styles) -> Tensor:
        """Styles to one vector a sample, (N, S)."""
        return torch.cat(styles, dim=1)

    def unflatten(self, vector: Tensor) -> Styles:
        """Inverse of :meth:`flatten`."""
        return list(vector.split([layer.channels for layer in self._described], dim=1))

    @overload
    def mix(self, first: Tensor, second: Tensor, layers: int) -> Tensor: ...

    @overload
    def mix(self, first: Styles, second: Styles, layers: int) -> Styles: ...

    def mix(self, first: Tensor | Styles, second: Tensor | Styles, layers: int) -> Tensor | Styles:
        """Style mixing: what the codes below ``layers`` drive is from ``first``, the rest from ``second``.

        Both are w or w+ (the result is w+), or both are styles.
        """
        if isinstance(first, Tensor) and isinstance(second, Tensor):
            return torch.cat([self.spread(first)[:, :layers], self.spread(second)[:, layers:]], dim=1)
        return [a if layer.w_index < layers else b for layer, a, b in zip(self._described, first, second, strict=True)]

    def draw_noise(self, samples: int, random: torch.Generator) -> list[Tensor]:
        """Fresh noise for :meth:`synthesize`: (N, 1, R, R) for each 3x3 convolution, on the random generator's device.

        The numbers of a layer depend on the generator's state alone, so that processes can draw those of a whole batch.
        """
        return [
            torch.randn(samples, 1, layer.resolution, layer.resolution, generator=random, device=random.device)
            for layer in self._described
            if layer.kind == "conv"
        ]

    def synthesize(
        self, styles: Styles, noise: Noise | Sequence[Tensor] = "const", random: torch.Generator | None = None
    ) -> Tensor:
        """Styles to images (N, 3, R, R), about in [-1, 1].

        ``noise`` may be given as one (1, 1, R, R) or (N, 1, R, R) for each 3x3 convolution; ``random`` draws where it
        is "random".
        """
        image: Tensor | None = None
        for added in self.synthesize_levels(styles, noise, random):
            image = added if image is None else self.resampler.upsample(image) + added
        assert image is not None
        return image

    def synthesize_levels(
        self, styles: Styles, noise: Noise | Sequence[Tensor] = "const", random: torch.Generator | None = None
    ) -> Iterator[Tensor]:
        """Yields what each resolution adds to the image: (N, 3, 4, 4), (N, 3, 8, 8), ..., (N, 3, R, R).

        Arguments as of :meth:`synthesize`, whose image is their sum, each upsampled.
        """
        if isinstance(noise, str) and noise not in get_args(Noise):
            raise ValueError(f"noise is one of {', '.join(get_args(Noise))}, not {noise!r}.")
        kind, given = (noise, None) if isinstance(noise, str) else ("const", iter(noise))
        config = self.config
        remaining = iter(styles)
        # Laid out with the channels last, in which convolutions and filter are at their fastest.
        x = self.const.expand(len(styles[0]), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        for block in self.synthesis_blocks():
            x = x.to(precision_at(block.resolution, config.half_from_resolution, config.half_type, self.const))
            for _, layer in block.modulated_layers():
                style = next(remaining)
                if isinstance(layer, ModulatedConv):
                    added_noise = noise_for(layer, len(x), kind, random) if given is None else next(given)
                    x = layer(x, style, added_noise)
                else:
                    yield layer(x, style)


def noise_for(conv: ModulatedConv, samples: int, noise: str, random: torch.Generator | None) -> Tensor | None:
    """The noise of a layer, (1, 1, R, R) or (N, 1, R, R)."""
    if noise == "none":
        return None
    if noise == "const":
        return conv.noise[None, None]
    like = conv.noise
    device = like.device if random is None else random.device
    drawn = torch.randn(samples, 1, *like.shape, generator=random, dtype=like.dtype, device=device)
    return drawn.to(like.device)


def save_generator(path: Path, generator: Generator, *, half: bool = False) -> None:
    """Writes the weights, in half precision on demand, with the config in the metadata."""
    save_network(path, generator, generator.config, precision="half" if half else "float32")


def load_generator(path: Path, device: torch.device | str = "cpu") -> Generator:
    """The generator of a file, ready to use. Raises ValueError with one sentence if the file is missing or damaged."""
    tensors, metadata = read_tensors(path)
    config = config_of(path, metadata, GeneratorConfig)
    return build(path, tensors, lambda: Generator(config), device)

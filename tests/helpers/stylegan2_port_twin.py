# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the common PyTorch port computes from its state dicts, in plain torch and float64; and states of small nets.

Nothing of the product is used here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

State = dict[str, Tensor]

CHANNELS = {4: 6, 8: 5, 16: 4}
LINE = torch.tensor([1.0, 3.0, 3.0, 1.0])
KERNEL = torch.outer(LINE, LINE) / 64
RATE = 0.01
"""Multiplier of the mapping's learning rate, which no file says."""


# States


def random_generator(
    seed: int = 0, channels: Mapping[int, int] = CHANNELS, w: int = 7, layers: int = 3, noises: bool = True
) -> State:
    """Every tensor of a generator, in the order of the port's state dict, none without a part in the image."""
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int, scale: float = 1.0) -> Tensor:
        return torch.randn(shape, generator=random) * scale

    state: State = {}
    for layer in range(1, layers + 1):
        state[f"style.{layer}.weight"] = normal(w, w) / RATE
        state[f"style.{layer}.bias"] = normal(w, scale=0.3) / RATE
    state["input.input"] = normal(1, channels[4], 4, 4)

    def modulated(name: str, inputs: int, outputs: int, side: int) -> None:
        state[f"{name}.conv.weight"] = normal(1, outputs, inputs, side, side)
        state[f"{name}.conv.modulation.weight"] = normal(inputs, w)
        state[f"{name}.conv.modulation.bias"] = 1 + normal(inputs, scale=0.3)

    def styled(name: str, inputs: int, outputs: int, up: bool = False) -> None:
        modulated(name, inputs, outputs, 3)
        if up:
            state[f"{name}.conv.blur.kernel"] = KERNEL * 4
        state[f"{name}.noise.weight"] = normal(1, scale=0.3)
        state[f"{name}.activate.bias"] = normal(outputs, scale=0.3)

    def to_rgb(name: str, inputs: int) -> None:
        state[f"{name}.bias"] = normal(1, 3, 1, 1, scale=0.3)
        if name != "to_rgb1":
            state[f"{name}.upsample.kernel"] = KERNEL * 4
        modulated(name, inputs, 3, 1)

    styled("conv1", channels[4], channels[4])
    to_rgb("to_rgb1", channels[4])
    sizes = sorted(channels)[1:]
    for index, size in enumerate(sizes):
        styled(f"convs.{2 * index}", channels[size // 2], channels[size], up=True)
        styled(f"convs.{2 * index + 1}", channels[size], channels[size])
    for index, size in enumerate(sizes):
        to_rgb(f"to_rgbs.{index}", channels[size])
    for index, size in enumerate([4, *(size for size in sizes for _ in range(2))] if noises else []):
        state[f"noises.noise_{index}"] = normal(1, 1, size, size)
    return state


def random_discriminator(seed: int = 1, channels: Mapping[int, int] = CHANNELS) -> State:
    """Every tensor of a discriminator."""
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int, scale: float = 1.0) -> Tensor:
        return torch.randn(shape, generator=random) * scale

    largest = max(channels)
    state: State = {
        "convs.0.0.weight": normal(channels[largest], 3, 1, 1),
        "convs.0.1.bias": normal(channels[largest], scale=0.3),
    }
    for index, size in enumerate(sorted(channels, reverse=True)[:-1], 1):
        inputs, outputs = channels[size], channels[size // 2]
        state[f"convs.{index}.conv1.0.weight"] = normal(inputs, inputs, 3, 3)
        state[f"convs.{index}.conv1.1.bias"] = normal(inputs, scale=0.3)
        state[f"convs.{index}.conv2.0.kernel"] = KERNEL
        state[f"convs.{index}.conv2.1.weight"] = normal(outputs, inputs, 3, 3)
        state[f"convs.{index}.conv2.2.bias"] = normal(outputs, scale=0.3)
        state[f"convs.{index}.skip.0.kernel"] = KERNEL
        state[f"convs.{index}.skip.1.weight"] = normal(outputs, inputs, 1, 1)
    last = channels[4]
    state["final_conv.0.weight"] = normal(last, last + 1, 3, 3)
    state["final_conv.1.bias"] = normal(last, scale=0.3)
    state["final_linear.0.weight"] = normal(last, last * 16)
    state["final_linear.0.bias"] = normal(last, scale=0.3)
    state["final_linear.1.weight"] = normal(1, last)
    state["final_linear.1.bias"] = normal(1, scale=0.3)
    return state


# Operations


def filtered(x: Tensor, kernel: Tensor, before: int, after: int, up: int = 1) -> Tensor:
    """Zeros after each pixel, zeros around it all, then the filter, channel by channel."""
    n, channels, height, width = x.shape
    enlarged = x.new_zeros(n, channels, height * up, width * up)
    enlarged[:, :, ::up, ::up] = x
    around = F.pad(enlarged, (before, after, before, after)).reshape(n * channels, 1, height * up + before + after, -1)
    result = F.conv2d(around, kernel.double().flip(0, 1)[None, None])
    return result.reshape(n, channels, *result.shape[2:])


def activated(x: Tensor, bias: Tensor) -> Tensor:
    """The port's fused bias and leaky ReLU."""
    return F.leaky_relu(x + bias.double().reshape(1, -1, *[1] * (x.dim() - 2)), 0.2) * math.sqrt(2)


def dense(x: Tensor, weight: Tensor, rate: float = 1.0) -> Tensor:
    return x @ (weight.double() * (rate / math.sqrt(weight.shape[1]))).T


def convolved(x: Tensor, weight: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    scale = 1 / math.sqrt(weight[0].numel())
    return F.conv2d(x, weight.double() * scale, stride=stride, padding=padding)


def modulated(state: State, name: str, x: Tensor, w: Tensor, demodulate: bool = True) -> Tensor:
    """One sample after the other; a layer that upsamples is one that has a filter."""
    weight = state[f"{name}.conv.weight"].double()
    weight = weight / math.sqrt(weight[0, 0].numel())
    style = dense(w, state[f"{name}.conv.modulation.weight"]) + state[f"{name}.conv.modulation.bias"].double()
    results = []
    for sample, scale in zip(x, style, strict=True):
        own = weight[0] * scale[None, :, None, None]
        if demodulate:
            own = own * torch.rsqrt(own.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8)
        if f"{name}.conv.blur.kernel" in state:
            large = F.conv_transpose2d(sample[None], own.transpose(0, 1), stride=2)
            results.append(filtered(large, state[f"{name}.conv.blur.kernel"], 1, 1))
        else:
            results.append(F.conv2d(sample[None], own, padding=own.shape[2] // 2))
    return torch.cat(results)


# Networks


def codes(state: State, z: Tensor) -> Tensor:
    """z (N, Z) to w (N, D)."""
    x = z.double() * torch.rsqrt(z.double().square().mean(dim=1, keepdim=True) + 1e-8)
    number = 1
    while f"style.{number}.weight" in state:
        x = activated(dense(x, state[f"style.{number}.weight"], RATE), state[f"style.{number}.bias"] * RATE)
        number += 1
    return x


def images(state: State, z: Tensor, average: Tensor | None = None, psi: float = 1.0) -> Tensor:
    """z (N, Z) to images, with the stored noise."""
    w = codes(state, z)
    if average is not None:
        w = average.double() + psi * (w - average.double())

    def styled(name: str, x: Tensor, number: int) -> Tensor:
        noise = state[f"noises.noise_{number}"].double() * state[f"{name}.noise.weight"].double()
        return activated(modulated(state, name, x, w) + noise, state[f"{name}.activate.bias"])

    def coloured(name: str, x: Tensor) -> Tensor:
        return modulated(state, name, x, w, demodulate=False) + state[f"{name}.bias"].double()

    x = styled("conv1", state["input.input"].double().repeat(len(z), 1, 1, 1), 0)
    image, index = coloured("to_rgb1", x), 0
    while f"to_rgbs.{index}.bias" in state:
        x = styled(f"convs.{2 * index}", x, 2 * index + 1)
        x = styled(f"convs.{2 * index + 1}", x, 2 * index + 2)
        image = filtered(image, state[f"to_rgbs.{index}.upsample.kernel"], 2, 1, up=2)
        image = coloured(f"to_rgbs.{index}", x) + image
        index += 1
    return image


def logits(state: State, pictures: Tensor, group: int = 4) -> Tensor:
    """Images (N, 3, R, R) to (N,)."""
    x = activated(convolved(pictures.double(), state["convs.0.0.weight"]), state["convs.0.1.bias"])
    index = 1
    while f"convs.{index}.skip.1.weight" in state:
        name = f"convs.{index}"
        y = activated(convolved(x, state[f"{name}.conv1.0.weight"], padding=1), state[f"{name}.conv1.1.bias"])
        y = filtered(y, state[f"{name}.conv2.0.kernel"], 2, 2)
        y = activated(convolved(y, state[f"{name}.conv2.1.weight"], stride=2), state[f"{name}.conv2.2.bias"])
        short = filtered(x, state[f"{name}.skip.0.kernel"], 1, 1)
        x = (y + convolved(short, state[f"{name}.skip.1.weight"], stride=2)) / math.sqrt(2)
        index += 1
    n, channels, height, width = x.shape
    group = min(n, group)
    spread = x.reshape(group, -1, 1, channels, height, width)
    spread = torch.sqrt(spread.var(0, unbiased=False) + 1e-8).mean((2, 3, 4), keepdim=True).squeeze(2)
    x = torch.cat([x, spread.repeat(group, 1, height, width)], dim=1)
    x = activated(convolved(x, state["final_conv.0.weight"], padding=1), state["final_conv.1.bias"]).reshape(n, -1)
    x = activated(dense(x, state["final_linear.0.weight"]), state["final_linear.0.bias"])
    return (dense(x, state["final_linear.1.weight"]) + state["final_linear.1.bias"].double())[:, 0]

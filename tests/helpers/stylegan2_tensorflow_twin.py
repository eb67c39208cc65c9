# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What NVIDIA's TensorFlow code computes from its variables, slowly, in NumPy and float64; and variables of small nets.

Nothing of the product is used here. Pictures are (N, C, H, W), kernels (height, width, in, out), matrices (in, out).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Variables = dict[str, np.ndarray]

CHANNELS = {4: 6, 8: 5, 16: 4}
FIR = np.outer([1.0, 3.0, 3.0, 1.0], [1.0, 3.0, 3.0, 1.0]) / 64
EPSILON = 1e-8


# Variables


def random_generator(
    seed: int = 0,
    channels: Mapping[int, int] = CHANNELS,
    z: int = 5,
    w: int = 7,
    layers: int = 3,
    rate: float = 0.01,
) -> Variables:
    """Every variable of a skip generator, none of them without a part in the image."""
    random = np.random.default_rng(seed)
    variables: Variables = {"lod": np.float32(0), "dlatent_avg": random.standard_normal(w)}
    for layer in range(layers):
        variables[f"mapping/Dense{layer}/weight"] = random.standard_normal((w if layer else z, w)) / rate
        variables[f"mapping/Dense{layer}/bias"] = random.standard_normal(w) * 0.3 / rate
    sizes = sorted(channels)
    variables["synthesis/4x4/Const/const"] = random.standard_normal((1, channels[4], 4, 4))
    number = 0
    for size in sizes:
        inputs = channels[size // 2] if size > 4 else channels[4]
        for name in ["Conv"] if size == 4 else ["Conv0_up", "Conv1"]:
            layer = f"synthesis/{size}x{size}/{name}"
            variables[f"{layer}/weight"] = random.standard_normal((3, 3, inputs, channels[size]))
            variables[f"{layer}/bias"] = random.standard_normal(channels[size]) * 0.3
            variables[f"{layer}/noise_strength"] = np.float32(random.standard_normal() * 0.3)
            variables[f"{layer}/mod_weight"] = random.standard_normal((w, inputs))
            variables[f"{layer}/mod_bias"] = random.standard_normal(inputs) * 0.3
            variables[f"synthesis/noise{number}"] = random.standard_normal((1, 1, size, size))
            inputs = channels[size]
            number += 1
        layer = f"synthesis/{size}x{size}/ToRGB"
        variables[f"{layer}/weight"] = random.standard_normal((1, 1, inputs, 3))
        variables[f"{layer}/bias"] = random.standard_normal(3) * 0.3
        variables[f"{layer}/mod_weight"] = random.standard_normal((w, inputs))
        variables[f"{layer}/mod_bias"] = random.standard_normal(inputs) * 0.3
    return {name: np.asarray(value, np.float32) for name, value in variables.items()}


def random_discriminator(seed: int = 1, channels: Mapping[int, int] = CHANNELS, features: int = 1) -> Variables:
    """Every variable of a residual discriminator."""
    random = np.random.default_rng(seed)
    variables: Variables = {}

    def layer(name: str, *shape: int, bias: bool = True) -> None:
        variables[f"{name}/weight"] = random.standard_normal(shape)
        if bias:
            variables[f"{name}/bias"] = random.standard_normal(shape[-1]) * 0.3

    largest = max(channels)
    layer(f"{largest}x{largest}/FromRGB", 1, 1, 3, channels[largest])
    for size in sorted(channels, reverse=True)[:-1]:
        inputs, outputs = channels[size], channels[size // 2]
        layer(f"{size}x{size}/Conv0", 3, 3, inputs, inputs)
        layer(f"{size}x{size}/Conv1_down", 3, 3, inputs, outputs)
        layer(f"{size}x{size}/Skip", 1, 1, inputs, outputs, bias=False)
    layer("4x4/Conv", 3, 3, channels[4] + features, channels[4])
    layer("4x4/Dense0", channels[4] * 16, channels[4])
    layer("Output", channels[4], 1)
    return {name: np.asarray(value, np.float32) for name, value in variables.items()}


# Operations


def scaled(weight: np.ndarray, rate: float = 1.0) -> np.ndarray:
    """The weight that is used, from the one that is stored: all but the last dimension are inputs."""
    return weight.astype(np.float64) * (rate / np.sqrt(np.prod(weight.shape[:-1])))


def activated(x: np.ndarray) -> np.ndarray:
    """Leaky ReLU with its gain."""
    return np.where(x < 0, 0.2 * x, x) * np.sqrt(2)


def with_bias(x: np.ndarray, bias: np.ndarray) -> np.ndarray:
    return x + bias.astype(np.float64).reshape(1, -1, *[1] * (x.ndim - 2))


def padded(x: np.ndarray, before: int, after: int) -> np.ndarray:
    return np.pad(x, ((0, 0), (0, 0), (before, after), (before, after)))


def correlated(x: np.ndarray, kernel: np.ndarray, stride: int = 1) -> np.ndarray:
    """``tf.nn.conv2d`` without padding."""
    height, width = (size - len(kernel) + 1 for size in x.shape[2:])
    result = 0
    for i in range(kernel.shape[0]):
        for j in range(kernel.shape[1]):
            window = x[:, :, i : i + height, j : j + width][:, :, ::stride, ::stride]
            result = result + np.einsum("nihw,io->nohw", window, kernel[i, j])
    return result


def spread(x: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """``tf.nn.conv2d_transpose`` without padding: every pixel leaves a copy of the kernel, ``stride`` pixels apart."""
    n, _, height, width = x.shape
    side = len(kernel)
    result = np.zeros((n, kernel.shape[3], (height - 1) * stride + side, (width - 1) * stride + side))
    for row in range(height):
        for column in range(width):
            copies = np.einsum("ni,hwio->nohw", x[:, :, row, column], kernel)
            top, left = row * stride, column * stride
            result[:, :, top : top + side, left : left + side] += copies
    return result


def filtered(x: np.ndarray, gain: float, before: int, after: int, up: int = 1) -> np.ndarray:
    """Zeros inserted after each pixel, zeros around it all, then the FIR filter, channel by channel."""
    n, channels, height, width = x.shape
    enlarged = np.zeros((n, channels, height * up, width * up))
    enlarged[:, :, ::up, ::up] = x
    each = padded(enlarged, before, after).reshape(n * channels, 1, height * up + before + after, -1)
    result = correlated(each, (FIR * gain)[::-1, ::-1, None, None])
    return result.reshape(n, channels, *result.shape[2:])


def upsampled_convolution(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """The picture enlarged and correlated with the kernel in one: the transpose wants the kernel turned."""
    return filtered(spread(x, kernel[::-1, ::-1], 2), 4.0, 1, 1)


def downsampled_convolution(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    total = 2 + len(kernel) - 1
    return correlated(filtered(x, 1.0, (total + 1) // 2, total // 2), kernel, stride=2)


def modulated(
    x: np.ndarray, code: np.ndarray, layer: Variables, *, up: bool = False, demodulate: bool = True
) -> np.ndarray:
    """One sample after the other, each with weights of its own."""
    kernel = scaled(layer["weight"])
    style = code @ scaled(layer["mod_weight"]) + layer["mod_bias"].astype(np.float64) + 1
    results = []
    for sample, scale in zip(x, style, strict=True):
        own = kernel * scale[None, None, :, None]
        if demodulate:
            own = own / np.sqrt((own**2).sum(axis=(0, 1, 2)) + EPSILON)
        around = padded(sample[None], len(own) // 2, len(own) // 2)
        results.append(upsampled_convolution(sample[None], own) if up else correlated(around, own))
    return np.concatenate(results)


# Networks


def below(variables: Variables, prefix: str) -> Variables:
    return {name[len(prefix) :]: value for name, value in variables.items() if name.startswith(prefix)}


def codes(variables: Variables, z: np.ndarray, rate: float = 0.01) -> np.ndarray:
    """z (N, Z) to w (N, D)."""
    x = z / np.sqrt((z**2).mean(axis=1, keepdims=True) + EPSILON)
    for number in range(sum(name.startswith("mapping/") for name in variables) // 2):
        layer = below(variables, f"mapping/Dense{number}/")
        x = activated(x @ scaled(layer["weight"], rate) + layer["bias"] * rate)
    return x


def images(variables: Variables, z: np.ndarray, psi: float = 1.0, rate: float = 0.01) -> np.ndarray:
    """z (N, Z) to images, with the stored noise."""
    average = variables["dlatent_avg"].astype(np.float64)
    w = average + (codes(variables, z, rate) - average) * psi
    net = below(variables, "synthesis/")
    x = np.repeat(net["4x4/Const/const"].astype(np.float64), len(z), axis=0)
    size, number, image = 4, 0, None
    while f"{size}x{size}/ToRGB/weight" in net:
        for name in ["Conv"] if size == 4 else ["Conv0_up", "Conv1"]:
            layer = below(net, f"{size}x{size}/{name}/")
            x = modulated(x, w, layer, up=name == "Conv0_up")
            x = x + net[f"noise{number}"].astype(np.float64) * layer["noise_strength"]
            x = activated(with_bias(x, layer["bias"]))
            number += 1
        layer = below(net, f"{size}x{size}/ToRGB/")
        added = with_bias(modulated(x, w, layer, demodulate=False), layer["bias"])
        image = added if image is None else filtered(image, 4.0, 2, 1, up=2) + added
        size *= 2
    return image


def deviation(x: np.ndarray, group: int, features: int) -> np.ndarray:
    """(N, C, H, W) to (N, features, H, W): how far samples of a group are apart."""
    n, channels, height, width = x.shape
    group = min(group, n)
    y = x.reshape(group, n // group, features, channels // features, height, width)
    y = np.sqrt(((y - y.mean(axis=0)) ** 2).mean(axis=0) + EPSILON).mean(axis=(2, 3, 4))
    return np.tile(y[:, :, None, None], (group, 1, height, width))


def logits(variables: Variables, pictures: np.ndarray, group: int = 4, features: int = 1) -> np.ndarray:
    """Images (N, 3, R, R) to (N,)."""

    def convolved(x: np.ndarray, name: str) -> np.ndarray:
        kernel = scaled(variables[f"{name}/weight"])
        return activated(with_bias(correlated(padded(x, len(kernel) // 2, len(kernel) // 2), kernel),
                                   variables[f"{name}/bias"]))  # fmt: skip

    size = pictures.shape[2]
    x = convolved(pictures, f"{size}x{size}/FromRGB")
    while size > 4:
        block = below(variables, f"{size}x{size}/")
        short = downsampled_convolution(x, scaled(block["Skip/weight"]))
        x = downsampled_convolution(convolved(x, f"{size}x{size}/Conv0"), scaled(block["Conv1_down/weight"]))
        x = (activated(with_bias(x, block["Conv1_down/bias"])) + short) / np.sqrt(2)
        size //= 2
    if features:
        x = np.concatenate([x, deviation(x, group, features)], axis=1)
    x = convolved(x, "4x4/Conv").reshape(len(x), -1)
    x = activated(x @ scaled(variables["4x4/Dense0/weight"]) + variables["4x4/Dense0/bias"])
    return (x @ scaled(variables["Output/weight"]) + variables["Output/bias"])[:, 0]

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What StyleGAN2's generator and discriminator are made of: layers with an equalised learning rate, modulated
convolutions, and resampling with the filter [1, 3, 3, 1].

All of it is plain torch and can be differentiated twice, as R1 and path-length regularisation need.

Letters: N batch, C, or I and O, channels in and out, H, W picture, R resolution, K side of a kernel.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .precision import computes_in_bfloat16

SLOPE = 0.2
"""Of the leaky ReLU for negative numbers."""
GAIN = math.sqrt(2)
"""After every leaky ReLU, to keep the variance."""
EPSILON = 1e-8
"""Added to means and sums of squares before their square root is taken."""

HALF_TYPES = {"float16": torch.float16, "bfloat16": torch.bfloat16}
"""Number formats that the layers of high resolution may use."""


def default_channels(resolution: int, base: int, maximum: int) -> tuple[int, ...]:
    """Channels at 4, 8, ..., ``resolution`` pixels: ``base`` / pixels, at most ``maximum``, at least 1."""
    return tuple(max(min(base // 2**level, maximum), 1) for level in range(2, resolution.bit_length()))


def check_pyramid(resolution: int, channels: tuple[int, ...], half_type: str) -> None:
    """Raises ValueError unless the resolution is a power of two from 4 on, with channels for each of its levels."""
    if resolution < 4 or resolution & (resolution - 1):
        raise ValueError(f"StyleGAN2's resolution is a power of two from 4 on, not {resolution}.")
    if len(channels) != resolution.bit_length() - 2 or min(channels) < 1:
        raise ValueError(f"The channels {channels} are not one positive number for each of 4, 8, ..., {resolution} px.")
    if half_type not in HALF_TYPES:
        raise ValueError(f"half_type is one of {', '.join(HALF_TYPES)}, not {half_type!r}.")


def precision_at(resolution: int, half_from: int | None, half_type: str, weight: Tensor) -> torch.dtype:
    """The number format of a layer's activations: half only where asked for and where the device computes in it."""
    if half_from is None or resolution < half_from:
        return weight.dtype
    if weight.device.type == "cpu" and (half_type != "bfloat16" or not computes_in_bfloat16(weight.device)):
        return weight.dtype
    return HALF_TYPES[half_type]


def leaky_relu(x: Tensor, clamp: float | None = None) -> Tensor:
    """Leaky ReLU of what has been multiplied by its gain already, which is the same and costs no pass of its own."""
    x = F.leaky_relu(x, SLOPE)
    return x if clamp is None else x.clamp(-clamp, clamp)


class EqualisedLinear(nn.Module):
    """y = x (scale W)^T + rate b with scale = rate / sqrt(I): stored weights start with variance 1 / rate².

    Adam's steps are of one size whatever the layer's width; ``rate`` is the learning rate's multiplier.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        activate: bool = False,
        bias_start: float = 0.0,
        rate: float = 1.0,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias_start / rate))
        self.activate = activate
        self.rate = rate
        self.scale = rate / math.sqrt(inputs)

    def forward(self, x: Tensor) -> Tensor:
        """(..., I) to (..., O)."""
        gain = GAIN if self.activate else 1.0
        y = F.linear(x, self.weight * (self.scale * gain), self.bias * (self.rate * gain))
        return leaky_relu(y) if self.activate else y


class _Correlate(torch.autograd.Function):
    """Each channel correlated with its own constant kernel; (N, C, H, W), (C, 1, K, K).

    Correlating and spreading are each other's gradients. Said in this way, gradients of gradients are as fast as
    gradients; torch's own take the channels one by one there.
    """

    @staticmethod
    def forward(x: Tensor, kernels: Tensor, stride: int, padding: int) -> Tensor:
        return F.conv2d(x, kernels, stride=stride, padding=padding, groups=x.shape[1])

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        _, kernels, *ctx.steps = inputs
        ctx.save_for_backward(kernels)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return _Spread.apply(gradient, *ctx.saved_tensors, *ctx.steps), None, None, None


class _Spread(torch.autograd.Function):
    """The transpose of :class:`_Correlate`."""

    @staticmethod
    def forward(x: Tensor, kernels: Tensor, stride: int, padding: int) -> Tensor:
        if x.dtype != torch.bfloat16 or x.device.type != "cpu":
            return F.conv_transpose2d(x, kernels, stride=stride, padding=padding, groups=x.shape[1])
        # On a CPU torch is ten times slower there than at the same thing said as a correlation between inserted zeros.
        N, C, H, W = x.shape
        K = kernels.shape[2]
        margin = K - 1 - padding
        size = [N, C, (H - 1) * stride + 1 + 2 * margin, (W - 1) * stride + 1 + 2 * margin]
        apart = torch.zeros(size, dtype=x.dtype, device=x.device).contiguous(memory_format=torch.channels_last)
        apart[:, :, margin : size[2] - margin : stride, margin : size[3] - margin : stride] = x
        return F.conv2d(apart, kernels.flip(2, 3), groups=C)

    setup_context = staticmethod(_Correlate.setup_context)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return _Correlate.apply(gradient, *ctx.saved_tensors, *ctx.steps), None, None, None


class Resampler(nn.Module):
    """The separable filter [1, 3, 3, 1] / 8; what lies outside the picture is 0."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("kernel", torch.outer(line, line)[None, None], persistent=False)

    def kernels(self, x: Tensor) -> Tensor:
        """(C, 1, 4, 4): the filter for each channel of x, in its number format."""
        return self.kernel.to(x.dtype).repeat(x.shape[1], 1, 1, 1)

    def blur(self, x: Tensor, padding: int) -> Tensor:
        """(N, C, H, W) to (N, C, H + 2 padding - 3, W + 2 padding - 3)."""
        return _Correlate.apply(x, self.kernels(x), 1, padding)

    def upsample(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, 2H, 2W): zeros inserted after each pixel, then the filter with gain 4."""
        return _Spread.apply(x, self.kernels(x) * 4, 2, 1)

    def downsample(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C, H / 2, W / 2); H and W are even."""
        return _Correlate.apply(x, self.kernels(x), 2, 1)


class EqualisedConv(nn.Module):
    """Convolution of 1x1 or 3x3, optionally to half the size: blurred, then convolved with stride 2."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        size: int,
        *,
        activate: bool = True,
        bias: bool = True,
        down: bool = False,
        gain: float = 1.0,
        clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.resampler = Resampler() if down else None
        self.activate = activate
        self.gain = gain * (GAIN if activate else 1.0)
        self.scale = 1 / math.sqrt(inputs * size * size)
        self.clamp = None if clamp is None else clamp * gain

    def forward(self, x: Tensor) -> Tensor:
        """(N, I, H, W) to (N, O, H, W), or (N, O, H / 2, W / 2)."""
        weight = (self.weight * (self.scale * self.gain)).to(x.dtype)
        bias = None if self.bias is None else (self.bias * self.gain).to(x.dtype)
        padding = weight.shape[2] // 2
        if self.resampler is None:
            y = F.conv2d(x, weight, bias, padding=padding)
        elif padding == 0:
            y = F.conv2d(self.resampler.downsample(x), weight, bias)
        else:
            y = F.conv2d(self.resampler.blur(x, padding=2), weight, bias, stride=2)
        if self.activate:
            return leaky_relu(y, self.clamp)
        return y if self.clamp is None else y.clamp(-self.clamp, self.clamp)


class ModulatedConv(nn.Module):
    """3x3 convolution whose input channels are scaled by a style and whose outputs are brought back to unit variance.

    With w'_oi = s_i w_oi and w''_o = w'_o / sqrt(sum w'_o² + epsilon), y = w'' * x. Here x is scaled instead of w and
    y instead of w', which is equal and leaves one convolution for the whole batch. Bias, noise, leaky ReLU follow.
    """

    noise: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        style: int,
        resolution: int,
        *,
        up: bool = False,
        clamp: float | None = None,
    ) -> None:
        super().__init__()
        self.affine = EqualisedLinear(style, inputs, bias_start=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.register_buffer("noise", torch.randn(resolution, resolution))
        self.resampler = Resampler() if up else None
        self.clamp = clamp

    def forward(self, x: Tensor, style: Tensor, noise: Tensor | None) -> Tensor:
        """x (N, I, H, W), style (N, I), noise (1 or N, 1, R, R) or None; gives (N, O, R, R)."""
        weight: Tensor = self.weight
        if x.dtype in HALF_TYPES.values():
            # The demodulation undoes both, but products of large numbers would overflow before it.
            weight = weight / (weight.abs().amax(dim=(1, 2, 3), keepdim=True) * math.sqrt(weight[0].numel()))
            style = style / style.abs().amax(dim=1, keepdim=True)
        demodulation = torch.rsqrt(F.linear(style.square(), weight.square().sum(dim=(2, 3))) + EPSILON)
        y = self.convolve(x * style.to(x.dtype)[:, :, None, None], weight.to(x.dtype))
        bias = (self.bias * GAIN).to(x.dtype)[:, None, None]
        y = torch.addcmul(bias, y, (demodulation * GAIN).to(x.dtype)[:, :, None, None])
        if noise is not None:
            y = y + (noise * (self.noise_strength * GAIN)).to(x.dtype)
        return leaky_relu(y, self.clamp)

    def convolve(self, x: Tensor, weight: Tensor) -> Tensor:
        """(N, I, H, W) to (N, O, R, R): at twice the size, a transposed convolution and the filter with gain 4."""
        if self.resampler is None:
            return F.conv2d(x, weight, padding=1)
        # The gain goes into the weights, of which there are few.
        return self.resampler.blur(F.conv_transpose2d(x, weight.transpose(0, 1) * 4, stride=2), padding=1)


class ToImage(nn.Module):
    """Modulated 1x1 convolution to an image, without demodulation.

    There are few outputs: here the weights are scaled, and each sample is one product of matrices.
    """

    def __init__(self, inputs: int, outputs: int, style: int, *, clamp: float | None = None) -> None:
        super().__init__()
        self.affine = EqualisedLinear(style, inputs, bias_start=1.0)
        self.weight = nn.Parameter(torch.randn(outputs, inputs, 1, 1))
        self.bias = nn.Parameter(torch.zeros(outputs))
        self.scale = 1 / math.sqrt(inputs)
        self.clamp = clamp

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """x (N, I, H, W), style (N, I); gives (N, O, H, W) in the precision of the weights."""
        weight = (self.weight[:, :, 0, 0] * self.scale) * style[:, None]
        y = torch.bmm(weight.to(x.dtype), x.flatten(2)).unflatten(2, x.shape[2:])
        y = y.to(self.bias.dtype) + self.bias[:, None, None]
        return y if self.clamp is None else y.clamp(-self.clamp, self.clamp)

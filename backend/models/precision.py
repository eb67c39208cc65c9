# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which number formats a device computes in."""

from __future__ import annotations

import functools

import torch


def computes_in_bfloat16(device: torch.device) -> bool:
    """Whether the device has arithmetic for it. A CPU without emulates it, ten times slower than float32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported()
    return device.type == "cpu" and _cpu_computes_in_bfloat16()


@functools.cache
def _cpu_computes_in_bfloat16() -> bool:
    return bool(getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)())

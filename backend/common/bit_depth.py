# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Grey values of more than eight bits, as scanners, cameras and renderers write them, in eight."""

from __future__ import annotations

import numpy as np

INTEGER_PEAKS = (255, 4095, 65535)
"""Whites of pictures in 16 or 32 bits: the smallest that no value is above is the picture's. Some write eight bits into
sixteen, and many cameras twelve."""
BRIGHTEST_FLOAT = 16.0
"""Up to here a float above 1 is a light that is brighter than white, as in a render; from here on 1 is not white."""


def eight_bit(values: np.ndarray) -> np.ndarray:
    """Returns grey values, integers or floats of any size, as uint8 of the same shape.

    Integers below 0 are those of 32 bits without a sign, which some readers wrap. Floats are in [0, 1], brighter ones
    are white, unless they reach so far that 255 or more is meant. What is not finite is black.
    """
    if values.dtype.kind == "f":
        values = np.nan_to_num(values.astype(np.float32), nan=0.0, posinf=0.0, neginf=0.0)
        brightest = float(values.max(initial=0.0))
        full = 1.0 if brightest <= BRIGHTEST_FLOAT else _white(brightest)
        return np.clip(values / full * 255.0 + 0.5, 0, 255).astype(np.uint8)
    wide = values.astype(np.int64)
    wide = np.where(wide < 0, wide + (1 << 32), wide)
    full = _white(float(wide.max(initial=0)))
    return np.clip(wide / full * 255.0 + 0.5, 0, 255).astype(np.uint8)


def _white(brightest: float) -> float:
    return next((float(peak) for peak in INTEGER_PEAKS if brightest <= peak), brightest)

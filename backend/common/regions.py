# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a point of an object's surface is: the regions that markings cut out of it, and what they look like.

Markings are laid over one another in a fixed order, as stickers are; what none covers is paint. NumPy alone.

Letters: M markings, R regions.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from .paints import PAINTS, srgb_of_hsv

REGIONS = (
    "paint", "two_tone", "glass", "trim", "dark", "head_lamp", "tail_lamp", "plate", "chrome", "rubber", "rim",
    "underside", "interior",
)  # fmt: skip
"""In the order of the part maps that ``scripts/render_dataset.py`` writes (there plus one, 0 being the background)."""

LAYERS: tuple[tuple[str, str], ...] = (
    ("two_tone", "two_tone"),
    ("trim", "trim"),
    ("chrome", "chrome"),
    ("dark", "dark"),
    ("grille", "dark"),
    ("glass", "glass"),
    ("head", "head_lamp"),
    ("tail", "tail_lamp"),
    ("plate", "plate"),
    ("arch", "underside"),
    ("opening", "underside"),
    ("rubber", "rubber"),
    ("rim", "rim"),
)
"""Marking and the region that it makes, from the lowest layer up. Markings that stand nowhere here change no region."""


@dataclass(frozen=True)
class Finish:
    """What the eye sees of a region."""

    colour: tuple[float, float, float]
    """sRGB, 0 to 1."""
    roughness: float
    metallic: float = 0.0


@dataclass(frozen=True)
class Palette:
    """A finish for every region."""

    paint: Finish = Finish((0.55, 0.57, 0.60), 0.35, 0.3)
    two_tone: Finish = Finish((0.55, 0.57, 0.60), 0.35, 0.3)
    glass: Finish = Finish((0.10, 0.12, 0.13), 0.05)
    trim: Finish = Finish((0.11, 0.11, 0.11), 0.45)
    dark: Finish = Finish((0.10, 0.10, 0.10), 0.6)
    head_lamp: Finish = Finish((0.71, 0.72, 0.74), 0.12, 0.2)
    tail_lamp: Finish = Finish((0.62, 0.06, 0.06), 0.15)
    plate: Finish = Finish((0.88, 0.88, 0.86), 0.4)
    chrome: Finish = Finish((0.86, 0.87, 0.88), 0.15, 1.0)
    rubber: Finish = Finish((0.11, 0.11, 0.11), 0.85)
    rim: Finish = Finish((0.66, 0.67, 0.69), 0.3, 0.8)
    underside: Finish = Finish((0.05, 0.05, 0.05), 0.9)
    interior: Finish = Finish((0.18, 0.17, 0.16), 0.8)

    def array(self) -> np.ndarray:
        """(R, 5) float32: red, green, blue, roughness and metallic of the regions, in the order of REGIONS."""
        finishes = [getattr(self, name) for name in REGIONS]
        return np.array([[*f.colour, f.roughness, f.metallic] for f in finishes], np.float32)

    @staticmethod
    def of_array(values: np.ndarray) -> Palette:
        """The palette of an array (R, 5). Raises ValueError for another shape."""
        if np.shape(values) != (len(REGIONS), 5):
            raise ValueError(f"A palette has {len(REGIONS)} rows of 5 numbers, not the shape {np.shape(values)}.")
        rows = [[float(number) for number in row] for row in values]
        return Palette(**{n: Finish((r[0], r[1], r[2]), r[3], r[4]) for n, r in zip(REGIONS, rows, strict=True)})


def random_palette(generator: np.random.Generator) -> Palette:
    """A palette with an ordinary paint, and now and then a second one, dark rims, chrome trim or a yellow plate."""
    plain = Palette()
    paint = _random_paint(generator)
    coin = generator.random(5)
    second = Finish(srgb_of_hsv(0.11, 0.06, 0.84), 0.4) if coin[4] < 0.4 else Finish(srgb_of_hsv(0.6, 0.05, 0.13), 0.4)
    rim = Finish(srgb_of_hsv(0.6, 0.04, float(generator.uniform(0.16, 0.34))), 0.35, 0.4)
    return replace(
        plain,
        paint=paint,
        two_tone=second if coin[0] < 0.15 else paint,
        rim=rim if coin[1] < 0.3 else plain.rim,
        trim=plain.chrome if coin[2] < 0.12 else plain.trim,
        plate=replace(plain.plate, colour=(0.88, 0.77, 0.28)) if coin[3] < 0.12 else plain.plate,
    )


def _random_paint(generator: np.random.Generator) -> Finish:
    shares = np.array([paint.share for paint in PAINTS.values()])
    paint = list(PAINTS.values())[generator.choice(len(PAINTS), p=shares / shares.sum())]
    colour = srgb_of_hsv(*(float(generator.uniform(*span)) for span in (paint.hue, paint.saturation, paint.value)))
    return Finish(colour, 0.35, 0.35) if generator.random() < paint.metallic else Finish(colour, 0.35)


def layer_indices(markings: tuple[str, ...]) -> list[tuple[int, int]]:
    """Index of the marking and index of the region of every layer for which there is a marking, from below."""
    return [(markings.index(name), REGIONS.index(region)) for name, region in LAYERS if name in markings]


assert tuple(field.name for field in fields(Palette)) == REGIONS

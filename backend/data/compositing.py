# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendered objects put into other surroundings, as pictures to train the segmenter with.

A renderer's pictures show one object in the middle of an empty place. A photograph shows it anywhere, at any size, cut
off by the frame, between others of its kind, at night, blurred and badly compressed. Every picture made here has
one target, the largest object, whose mask is known exactly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from . import backgrounds
from .panoramas import perspective


@dataclass(frozen=True)
class CompositingConfig:
    """How pictures are made; the numbers are probabilities where nothing else is said."""

    size: int = 128
    smallest: float = 0.18
    """Smallest longer side of the object, in fractions of the picture's side."""
    largest: float = 1.15
    """Largest longer side of the object, in fractions of the picture's side."""
    close_up: float = 0.6
    """Probability of a picture like the segmenter's second look, three quarters of which the object fills."""
    own_background: float = 0.3
    """Probability of the background that the object was rendered before."""
    panorama: float = 0.55
    """Probability of a background from a panorama, where there are panoramas."""
    empty: float = 0.04
    """Probability of a picture without any object."""
    others: float = 0.75
    """Probability of smaller objects of the same kind behind the target."""
    neighbours: float = 0.0
    """Probability of other objects beside and behind the target in its own background."""
    in_front: float = 0.15
    """Share of those neighbours of which one covers a piece of the target."""
    camouflage: float = 0.0
    """Probability that what surrounds the target is about as bright and as coloured as the target."""
    occluder: float = 0.12
    """Probability of something in front of the target."""
    letterbox: float = 0.35
    """Probability of grey bars, as a photo that is not square gets."""
    night: float = 0.15
    """Probability of a picture at night."""
    background_motion: float = 0.12
    """Probability of a background blurred by motion."""
    max_rotation_deg: float = 12.0


LETTERBOX_GREY = 0.5
"""The colour beside a photo that is not square; the segmenter sees it in use as well."""


class Compositor:
    """Makes pictures (S, S, 3) uint8 with masks (S, S) uint8 from rendered views."""

    def __init__(self, rgba: np.ndarray, config: CompositingConfig, panoramas: Sequence[np.ndarray] = ()) -> None:
        """``rgba``: (N, R, R, 4) uint8, the colour of the whole picture with the object's mask as alpha.

        ``panoramas``: real places, (H, 2H, 3) float32 linear each.
        """
        self.config = config
        self.panoramas = panoramas
        self.rgba = rgba
        self.boxes = np.array([_box(view[..., 3]) for view in rgba])
        """(N, 4) left, top, right, bottom."""

    def sample(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """One picture and its mask, all of whose randomness comes from ``rng``."""
        config, size = self.config, self.config.size
        index = int(rng.integers(len(self.rgba)))
        own = rng.random() < config.own_background
        canvas = self._background(rng)
        if rng.random() < config.empty:
            if rng.random() < 0.5:
                canvas = self._emptied(rng, index)
            mask = np.zeros((size, size), dtype=np.float32)
        elif own:
            canvas, mask = self._zoomed(rng, index)
            if rng.random() < config.neighbours:
                canvas, mask = self._among_others(rng, canvas, mask)
        else:
            canvas, mask = self._composed(rng, index, canvas)
        if rng.random() < config.camouflage:
            canvas = _camouflaged(rng, canvas, mask)
        canvas = photographed(rng, canvas, config)
        if rng.random() < config.letterbox:
            _add_bars(rng, canvas, mask)
        return (canvas.clip(0, 1) * 255 + 0.5).astype(np.uint8), (mask.clip(0, 1) * 255 + 0.5).astype(np.uint8)

    def _background(self, rng: np.random.Generator) -> np.ndarray:
        """A photographed place, a drawn one, a rendered one without its object, or one half of each."""
        kind = rng.random()
        if self.panoramas and rng.random() < self.config.panorama:
            canvas = perspective(rng, self.panoramas[int(rng.integers(len(self.panoramas)))], self.config.size)
            if kind < 0.3:
                backgrounds.clutter(rng, canvas, int(rng.integers(0, 6)))
        elif kind < 0.5:
            canvas = backgrounds.place(rng, self.config.size)
        else:
            canvas = self._emptied(rng, int(rng.integers(len(self.rgba))))
            if kind > 0.75:
                horizon = int(self.config.size * rng.uniform(0.2, 0.7))
                canvas[:horizon] = backgrounds.place(rng, self.config.size)[:horizon]
            backgrounds.clutter(rng, canvas, int(rng.integers(0, 6)))
        if rng.random() < self.config.background_motion:
            canvas = _motion_blurred(canvas, int(rng.integers(5, 30)), rng.uniform(-8, 8))
        return canvas

    def _emptied(self, rng: np.random.Generator, index: int) -> np.ndarray:
        """A part of a rendered view, its object filled with what surrounds it."""
        size, view = self.config.size, self.rgba[index]
        keep = 1 - cv2.dilate(view[..., 3], np.ones((7, 7), np.uint8)).astype(np.float32)[..., None] / 255
        picture = view[..., :3].astype(np.float32) / 255
        side = view.shape[0]
        # What is spread this far is smooth: a quarter of the size is enough.
        kept = cv2.resize(np.dstack([picture * keep, keep]), (side // 4, side // 4), interpolation=cv2.INTER_AREA)
        around = cv2.GaussianBlur(kept, (0, 0), side / 40) + 1e-4
        filling = cv2.resize(around[..., :3] / around[..., 3:], (side, side))
        picture = picture * keep + filling * (1 - keep)
        zoom = rng.uniform(1.0, 2.5) * size / view.shape[0]
        slack = view.shape[0] * zoom - size
        shift = -rng.random(2) * slack
        matrix = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
        moved = cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        return np.ascontiguousarray(moved[:, ::-1]) if rng.random() < 0.5 else moved

    def _zoomed(self, rng: np.random.Generator, index: int) -> tuple[np.ndarray, np.ndarray]:
        """A view as it was rendered, with its true shadows and surroundings: mirrored, moved and enlarged."""
        size, view = self.config.size, self.rgba[index]
        if rng.random() < 0.5:
            view = view[:, ::-1]
        zoom = rng.uniform(1.0, 1.5) * size / view.shape[0]
        slack = view.shape[0] * zoom - size
        shift = -rng.random(2) * slack
        matrix = np.array([[zoom, 0, shift[0]], [0, zoom, shift[1]]])
        moved = cv2.warpAffine(view, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
        moved = moved.astype(np.float32) / 255
        return np.ascontiguousarray(moved[..., :3]), np.ascontiguousarray(moved[..., 3])

    def _among_others(
        self, rng: np.random.Generator, canvas: np.ndarray, mask: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The same picture and mask with other objects behind the target, and sometimes one before its edge."""
        left, top, right, bottom = _box((mask * 255).astype(np.uint8))
        extent = float(max(right - left, bottom - top))
        crowded = canvas.copy()
        for _ in range(int(rng.integers(1, 4))):
            self._add_other(rng, crowded, extent, float(bottom))
        canvas = crowded + (canvas - crowded) * mask[..., None]
        if rng.random() < self.config.in_front:
            smaller = extent * rng.uniform(0.4, 0.8)
            # Its middle lies beyond the target's edge, so that the target stays the one to be found.
            x = (
                left - rng.uniform(0.0, 0.35) * smaller
                if rng.random() < 0.5
                else right + rng.uniform(0, 0.35) * smaller
            )
            other, _ = self._placed(
                rng, int(rng.integers(len(self.rgba))), smaller, np.array([x, bottom - rng.uniform(0, 0.3) * smaller])
            )
            colour, alpha = _recoloured(rng, other)
            canvas = canvas + (colour - canvas) * alpha
            mask = mask * (1 - alpha[..., 0])
        return canvas, mask

    def _composed(self, rng: np.random.Generator, index: int, canvas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        config, size = self.config, self.config.size
        if rng.random() < config.close_up:
            extent, wander = rng.uniform(0.55, 0.95), 0.1
        else:
            extent, wander = math.exp(rng.uniform(math.log(config.smallest), math.log(config.largest))), 0.5
        free = max(0.0, 1 - extent) / 2 + 0.12 * extent
        centre = 0.5 + rng.uniform(-1, 1, 2) * min(free, wander)
        target, foot = self._placed(rng, index, extent * size, centre * size)
        if rng.random() < config.others:
            for _ in range(int(rng.integers(1, 5))):
                self._add_other(rng, canvas, extent * size, foot)
        if rng.random() < 0.75:
            _add_shadow(rng, canvas, target[..., 3])
        colour, alpha = _recoloured(rng, target)
        canvas = canvas * (1 - alpha) + colour * alpha
        mask = alpha[..., 0]
        if rng.random() < config.occluder:
            before = canvas.copy()
            backgrounds.clutter(rng, canvas, int(rng.integers(1, 3)))
            visible = (np.abs(canvas - before).max(axis=2) < 1e-6).astype(np.float32)
            mask = mask * visible
        return canvas, mask

    def _add_other(self, rng: np.random.Generator, canvas: np.ndarray, extent: float, foot: float) -> None:
        """Another object behind the target, often touching it, standing a little higher up in the picture; in place."""
        smaller = extent * rng.uniform(0.25, 1.05)
        centre = np.array([rng.uniform(-0.1, 1.1) * canvas.shape[1], foot - smaller * rng.uniform(0.15, 0.5)])
        other, _ = self._placed(rng, int(rng.integers(len(self.rgba))), smaller, centre)
        colour, alpha = _recoloured(rng, other)
        canvas[:] = canvas * (1 - alpha) + colour * alpha

    def _placed(
        self, rng: np.random.Generator, index: int, extent: float, centre: np.ndarray
    ) -> tuple[np.ndarray, float]:
        """An object alone, (S, S, 4) float32 premultiplied, and its foot; its longer side is ``extent`` pixels."""
        size, view = self.config.size, self.rgba[index]
        left, top, right, bottom = self.boxes[index]
        zoom = extent / max(right - left, bottom - top, 1)
        angle = math.radians(rng.normal(0, self.config.max_rotation_deg / 2))
        stretch = math.exp(rng.normal(0, 0.07))
        mirror = -1.0 if rng.random() < 0.5 else 1.0
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        linear = turn @ np.diag([zoom * stretch * mirror, zoom / stretch])
        middle = np.array([(left + right) / 2, (top + bottom) / 2])
        matrix = np.column_stack([linear, centre - linear @ middle]).astype(np.float32)
        alpha = cv2.merge([view[..., 3]] * 3)
        picture = np.dstack([cv2.multiply(view[..., :3], alpha, scale=1 / 255), view[..., 3]])
        if zoom < 0.7:  # or fine detail turns into noise
            picture = cv2.GaussianBlur(picture, (0, 0), 0.4 / zoom)
        moved = cv2.warpAffine(picture, matrix, (size, size), flags=cv2.INTER_LINEAR)
        return moved.astype(np.float32) / 255, float(centre[1] + (bottom - top) * zoom / 2)


def photographed(rng: np.random.Generator, canvas: np.ndarray, config: CompositingConfig) -> np.ndarray:
    """What a camera, its owner and a file format do to a picture (S, S, 3) float32."""
    if rng.random() < config.night:
        canvas = np.clip(canvas, 0, 1) ** rng.uniform(1.1, 1.9) * rng.uniform(0.5, 1.0)
        for _ in range(int(rng.integers(0, 6))):
            _add_glow(rng, canvas)
    canvas = cv2.pow(np.clip(canvas, 1e-4, 1).astype(np.float32), math.exp(rng.normal(-0.08, 0.25)))
    # Saturation, contrast, brightness and a cast are one linear map of the colour.
    saturation, contrast = rng.uniform(0.2, 1.7), math.exp(rng.normal(0.05, 0.25))
    cast = np.exp(rng.normal(0, 0.10, 3))[:, None]
    linear = cast * contrast * (saturation * np.eye(3) + (1 - saturation) / 3)
    shift = cast * (0.45 * (1 - contrast) + rng.normal(0, 0.07))
    canvas = cv2.transform(canvas, np.hstack([linear, shift]))
    if rng.random() < 0.35:
        canvas = cv2.GaussianBlur(canvas, (0, 0), rng.uniform(0.3, 1.8))
    if rng.random() < 0.2:  # sharpening halos
        canvas = canvas + rng.uniform(0.2, 1.2) * (canvas - cv2.GaussianBlur(canvas, (0, 0), 1.2))
    if rng.random() < 0.5:
        noise = rng.standard_normal(canvas.shape, dtype=np.float32)
        canvas = canvas + np.float32(rng.uniform(0.005, 0.06)) * noise
    if rng.random() < 0.3:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 80))]
        coded = cv2.imencode(".jpg", (canvas.clip(0, 1) * 255).astype(np.uint8), quality)[1]
        canvas = cv2.imdecode(coded, cv2.IMREAD_COLOR).astype(np.float32) / 255
    return canvas.astype(np.float32)


def _camouflaged(rng: np.random.Generator, canvas: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The picture with surroundings whose mean colour is moved most of the way to the target's."""
    inside = mask[..., None]
    if not 0.01 < inside.mean() < 0.95:
        return canvas
    own = (canvas * inside).sum(axis=(0, 1)) / inside.sum()
    around = (canvas * (1 - inside)).sum(axis=(0, 1)) / (1 - inside).sum()
    return canvas + (1 - inside) * (own - around).astype(np.float32) * np.float32(rng.uniform(0.6, 1.1))


def _recoloured(rng: np.random.Generator, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Straight colour (S, S, 3) and alpha (S, S, 1) of a premultiplied picture, its light not the background's."""
    alpha = picture[..., 3:]
    colour = picture[..., :3] / np.maximum(alpha, 1e-2)
    if rng.random() < 0.25:
        colour = colour[..., rng.permutation(3)]
    if rng.random() < 0.2:  # glossy and saturated, as no paint of the renders is
        grey = colour.mean(axis=2, keepdims=True)
        colour = grey + (colour - grey) * rng.uniform(1.0, 2.5)
    colour = cv2.pow(np.clip(colour, 1e-4, 1), math.exp(rng.normal(0, 0.25))) * np.float32(rng.uniform(0.75, 1.25))
    return colour, alpha


def _add_shadow(rng: np.random.Generator, canvas: np.ndarray, alpha: np.ndarray) -> None:
    """Darkens the ground below and beside an object; in place."""
    size = canvas.shape[0]
    rows = np.flatnonzero(alpha.max(axis=1) > 0.5)
    if len(rows) == 0:
        return
    height = rows[-1] - rows[0] + 1
    squeeze = rng.uniform(0.08, 0.35)
    # The silhouette pressed flat onto the row of its foot.
    foot = rows[-1] - 0.06 * height
    shear = rng.normal(0, 0.4)
    across = [1, shear * squeeze, -shear * squeeze * foot]
    down = [0, squeeze, foot * (1 - squeeze) + 0.05 * height]
    shadow = cv2.warpAffine(alpha, np.array([across, down]), (size, size))
    shadow = cv2.GaussianBlur(shadow, (0, 0), max(0.6, height * rng.uniform(0.015, 0.08)))
    canvas *= 1 - rng.uniform(0.3, 0.95) * shadow[..., None]


def _add_glow(rng: np.random.Generator, canvas: np.ndarray) -> None:
    """A lamp with its halo; in place."""
    size = canvas.shape[0]
    y, x = np.ogrid[:size, :size]
    centre, radius = rng.uniform(0, size, 2), rng.uniform(1, 9)
    colour = np.array([1.0, rng.uniform(0.7, 1.0), rng.uniform(0.4, 1.0)], dtype=np.float32) * rng.uniform(0.3, 1.3)
    halo = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * radius**2)).astype(np.float32)
    canvas += halo[..., None] * colour


def _motion_blurred(picture: np.ndarray, length: int, angle_deg: float) -> np.ndarray:
    kernel = np.zeros((length, length), dtype=np.float32)
    kernel[length // 2] = 1 / length
    turn = cv2.getRotationMatrix2D((length / 2 - 0.5, length / 2 - 0.5), angle_deg, 1)
    turned = cv2.warpAffine(kernel, turn, (length, length))
    return cv2.filter2D(picture, -1, turned / max(float(turned.sum()), 1e-6), borderType=cv2.BORDER_REFLECT)


def _add_bars(rng: np.random.Generator, canvas: np.ndarray, mask: np.ndarray) -> None:
    """Grey at two opposite edges, or at one, where a crop reaches beyond the photo; in place."""
    size = canvas.shape[0]
    first, second = (int(size * rng.uniform(0, 0.28)) for _ in range(2))
    if rng.random() < 0.5:
        second = first
    elif rng.random() < 0.5:
        second = 0
    rows = rng.random() < 0.7
    for picture, value in ((canvas, LETTERBOX_GREY), (mask, 0.0)):
        turned = picture if rows else picture.swapaxes(0, 1)
        turned[:first] = value
        turned[size - second :] = value


def _box(alpha: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.flatnonzero(alpha.max(axis=1) > 127), np.flatnonzero(alpha.max(axis=0) > 127)
    if len(rows) == 0:
        return 0, 0, alpha.shape[1], alpha.shape[0]
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1

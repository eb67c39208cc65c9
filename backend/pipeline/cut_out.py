# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Separates the object of a photo from everything else.

A picture with transparency says itself what the object is. Otherwise the segmenter looks at the whole photo, then more
closely at what it found, and a guided filter carries the outline to the photo's own resolution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from ..common.records import CutOut, Progress
from ..errors import PhotoError
from ..models.crop import Crop
from ..models.segmenter import Segmenter
from ..weights.bundle import choose_device
from .photo import Photo, load_mask

_NO_OBJECT = "No object was found in {}: supply a mask or a picture with a transparent background."
_PAPER = 128
"""The grey beside the photo where the segmenter looks beyond its edge, as in its training."""

_FINEST = 2048
"""Larger parts of a photo get a mask of this size, enlarged: memory stays bounded, and nobody sees the difference."""


@dataclass(frozen=True)
class CutOutConfig:
    """Sizes in pixels, shares and probabilities by which the object is found."""

    looks: int = 2
    """Number of looks of the segmenter: at the whole photo, then at what it found."""
    view_margin: float = 1.35
    """Side of a closer look over the longer side of the object's box."""
    faint: float = 0.2
    """Probability from which something joined to the object is kept in view."""
    smallest_object: float = 0.0015
    """Share of the photo below which something found is no object."""
    min_confidence: float = 0.75
    """Mean probability inside the outline below which something found is no object."""
    outline_side: int = 320
    """Longer side at most of the picture in which the outline is drawn, before it is carried to the photo's own."""


@dataclass
class _Look:
    """What the segmenter sees of a square of the photo."""

    window: Crop
    probability: np.ndarray
    """(S, S) float32; 0 beyond the photo."""


def cut_out(
    photo: Photo,
    segmenter: Segmenter,
    device: torch.device | str,
    progress: Callable[[Progress], None] | None = None,
    mask_path: str = "",
    config: CutOutConfig | None = None,
) -> CutOut:
    """The mask of the photo's object, from a mask file, the photo's transparency, or the segmenter.

    Args:
        device: Where the segmenter is; its name, also ``auto``, or the device itself.
        progress: Called now and then, with the fraction of the cutting out that is done.
        mask_path: A picture whose alpha or brightness is the mask; it comes before everything else.

    Returns:
        The mask (H, W) uint8 with a soft edge, and where it came from.

    Raises:
        PhotoError: The mask file cannot be used, or no object was found.
    """
    config = config or CutOutConfig()
    device = choose_device(device) if isinstance(device, str) else device

    def report(fraction: float) -> None:
        if progress is not None:
            progress(Progress("Cutting out", fraction))

    height, width = photo.rgb.shape[:2]
    if mask_path:
        return CutOut(load_mask(mask_path, width, height), "file")
    if photo.alpha is not None:
        return CutOut(photo.alpha, "alpha")
    look = _find(photo, segmenter, device, config, report)
    window, rgb = _part(photo.rgb, look.window)
    probability = _resampled(look, window)
    report(0.6)
    coarse = _outline(probability, config)
    mask = np.zeros((height, width), dtype=np.uint8)
    left, top, right, bottom = window
    mask[top:bottom, left:right] = _at_full_resolution(rgb, coarse)
    if not (mask > 127).any():  # a faint object may be lost on the way to the full resolution
        raise PhotoError(_NO_OBJECT.format(photo.name))
    report(1.0)
    return CutOut(mask, "segmenter")


def _find(
    photo: Photo,
    segmenter: Segmenter,
    device: torch.device,
    config: CutOutConfig,
    report: Callable[[float], None],
) -> _Look:
    """The closest look at the object, with all else removed from it. Raises PhotoError where there is none."""
    height, width = photo.rgb.shape[:2]
    longer = float(max(height, width))
    # Small objects are missed in the whole photo; its middle is looked at where that happens.
    for share in (1.0, 0.6, 0.35):
        look = _look(photo.rgb, Crop(width / 2, height / 2, share * longer), segmenter, device)
        chosen = _chosen_component(look, None)
        if chosen is not None and _is_object(look, chosen, photo.rgb, config):
            break
    else:
        raise PhotoError(_NO_OBJECT.format(photo.name))
    for number in range(1, config.looks):
        report(0.5 * number / config.looks)
        closer = _look(photo.rgb, _window_around(look, chosen, config), segmenter, device)
        # The looks err in different places; those from farther away count less, as they see less.
        before = _carried(look, look.probability, closer.window)
        weight = closer.window.side / look.window.side
        closer.probability = (closer.probability + weight * before) / (1 + weight)
        found = _chosen_component(closer, _carried(look, chosen.astype(np.float32), closer.window) > 0.5)
        if found is None or not _is_object(closer, found, photo.rgb, config):
            break
        look, chosen = closer, found
    near = cv2.dilate(chosen.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    return _Look(look.window, np.where(near, look.probability, 0).astype(np.float32))


@torch.no_grad()
def _look(rgb: np.ndarray, window: Crop, segmenter: Segmenter, device: torch.device) -> _Look:
    """Probabilities of a square of the photo, the mean of it and its mirror image."""
    size = segmenter.config.resolution
    (left, top, right, bottom), part = _part(rgb, window)
    shrink = size / window.side
    if shrink < 1:  # averaging, or fine detail turns into noise
        small = (max(1, round((right - left) * shrink)), max(1, round((bottom - top) * shrink)))
        part = cv2.resize(part, small, interpolation=cv2.INTER_AREA)
    to_part_x, to_part_y = part.shape[1] / (right - left), part.shape[0] / (bottom - top)
    step = window.side / size
    first_x = (window.center_x - window.side / 2 + 0.5 * step - left) * to_part_x - 0.5
    first_y = (window.center_y - window.side / 2 + 0.5 * step - top) * to_part_y - 0.5
    matrix = np.array([[step * to_part_x, 0, first_x], [0, step * to_part_y, first_y]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    picture = cv2.warpAffine(part, matrix, (size, size), flags=flags, borderValue=(_PAPER, _PAPER, _PAPER))
    inside = cv2.warpAffine(np.ones(part.shape[:2], np.float32), matrix, (size, size), flags=flags)
    tensor = torch.from_numpy(picture).to(device).permute(2, 0, 1)[None].float() / 255
    both = segmenter(torch.cat([tensor, tensor.flip(3)])).sigmoid()
    probability = (0.5 * (both[0] + both[1].flip(1))).cpu().numpy()
    return _Look(window, probability * (inside > 0.5))


def _part(rgb: np.ndarray, window: Crop) -> tuple[tuple[int, int, int, int], np.ndarray]:
    """The box (left, top, right, bottom) of a window inside the photo, and its pixels."""
    height, width = rgb.shape[:2]
    half = window.side / 2
    left, right = max(0, int(window.center_x - half)), min(width, int(np.ceil(window.center_x + half)))
    top, bottom = max(0, int(window.center_y - half)), min(height, int(np.ceil(window.center_y + half)))
    return (left, top, right, bottom), rgb[top:bottom, left:right]


def _chosen_component(look: _Look, before: np.ndarray | None) -> np.ndarray | None:
    """The part (S, S) bool that is the object: what was found ``before``, else the largest near the middle."""
    count, labels = cv2.connectedComponents((look.probability > 0.5).astype(np.uint8), connectivity=4)
    size = len(labels)
    best, best_score = None, 0.0
    for label in range(1, count):
        part = labels == label
        if before is not None:
            score = float((part & before).sum())
        else:
            rows, columns = np.nonzero(part)
            offset = np.hypot(rows.mean() - size / 2, columns.mean() - size / 2) / size
            score = float(look.probability[part].sum()) * float(np.exp(-4 * offset**2))
        if score > best_score:
            best, best_score = part, score
    return best


def _is_object(look: _Look, chosen: np.ndarray, rgb: np.ndarray, config: CutOutConfig) -> bool:
    scale = look.window.side / len(chosen)
    share = chosen.sum() * scale**2 / (rgb.shape[0] * rgb.shape[1])
    confidence = look.probability[chosen].mean()
    return bool(share > config.smallest_object and confidence > config.min_confidence)


def _window_around(look: _Look, chosen: np.ndarray, config: CutOutConfig) -> Crop:
    """The next window to look at: around what was chosen, and never from farther away."""
    _, labels = cv2.connectedComponents((look.probability > config.faint).astype(np.uint8), connectivity=4)
    whole = np.isin(labels, np.unique(labels[chosen]))  # also what is faint, lest a closer look leaves it out
    rows, columns = np.flatnonzero(whole.any(axis=1)), np.flatnonzero(whole.any(axis=0))
    scale = look.window.side / len(chosen)
    left = look.window.center_x - look.window.side / 2
    top = look.window.center_y - look.window.side / 2
    longer = max(rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]) * scale
    center_x = left + (columns[0] + columns[-1] + 1) / 2 * scale
    center_y = top + (rows[0] + rows[-1] + 1) / 2 * scale
    return Crop(center_x, center_y, min(config.view_margin * longer, look.window.side))


def _carried(look: _Look, values: np.ndarray, window: Crop) -> np.ndarray:
    """Values (S, S) of one look in the pixels of another window."""
    half = window.side / 2
    box = (window.center_x - half, window.center_y - half, window.center_x + half, window.center_y + half)
    return _warped(values, look.window, box, len(values), len(values))


def _resampled(look: _Look, box: tuple[int, int, int, int]) -> np.ndarray:
    """The probability of a look in the photo's pixels of a box (left, top, right, bottom)."""
    left, top, right, bottom = box
    return _warped(look.probability, look.window, box, right - left, bottom - top)


def _warped(
    values: np.ndarray, window: Crop, box: tuple[float, float, float, float], width: int, height: int
) -> np.ndarray:
    """Values (S, S) that fill a window of the photo, as (height, width) values that fill a box of it."""
    left, top, right, bottom = box
    scale = len(values) / window.side
    step_x, step_y = (right - left) / width, (bottom - top) / height
    first_x = (left + 0.5 * step_x - (window.center_x - window.side / 2)) * scale - 0.5
    first_y = (top + 0.5 * step_y - (window.center_y - window.side / 2)) * scale - 0.5
    matrix = np.array([[step_x * scale, 0, first_x], [0, step_y * scale, first_y]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(values, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _outline(probability: np.ndarray, config: CutOutConfig) -> np.ndarray:
    """What is likelier the object than not, at a limited size: (h, w) uint8, 0 or 1, one part without holes."""
    shrink = min(1.0, config.outline_side / max(probability.shape))
    size = (max(8, round(probability.shape[1] * shrink)), max(8, round(probability.shape[0] * shrink)))
    likely = cv2.resize(probability, size, interpolation=cv2.INTER_AREA)
    return _one_part((likely > 0.5).astype(np.uint8))


def _one_part(mask: np.ndarray) -> np.ndarray:
    """The largest part of a mask (H, W) of 0 and 1, thin hairs removed, holes filled."""
    opened = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, statistics, _ = cv2.connectedComponentsWithStats(opened if opened.any() else mask, connectivity=4)
    if count < 2:
        return mask
    largest = 1 + int(np.argmax(statistics[1:, cv2.CC_STAT_AREA]))
    outlines, _ = cv2.findContours((labels == largest).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(np.zeros_like(mask), outlines, -1, (1,), cv2.FILLED)


def _at_full_resolution(rgb: np.ndarray, coarse: np.ndarray) -> np.ndarray:
    """A mask (h, w) of 0 and 1 carried to the size of the picture, along the picture's edges: (H, W) uint8.

    A guided filter (He, Sun and Tang): around each pixel the mask is explained as a linear function of the colour,
    fitted where both are small and evaluated on the large picture.
    """
    height, width = rgb.shape[:2]
    shrink = _FINEST / max(height, width)
    if shrink < 1:
        small = cv2.resize(rgb, (round(width * shrink), round(height * shrink)), interpolation=cv2.INTER_AREA)
        return cv2.resize(_at_full_resolution(small, coarse), (width, height))
    guide = cv2.resize(rgb, coarse.shape[::-1], interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    slope, offset = _guided_coefficients(guide, coarse.astype(np.float32), radius=3, smoothness=2e-4)
    size = (width, height)
    slope, offset = cv2.resize(slope, size), cv2.resize(offset, size)
    filtered = np.einsum("hwc,hwc->hw", slope, rgb.astype(np.float32) / 255) + offset
    # The filter leaves faint traces of texture inside and outside: the edge alone is kept soft.
    soft = np.clip((filtered - 0.5) * 2.5 + 0.5, 0, 1)
    near = cv2.resize(coarse.astype(np.float32), size)
    soft = np.where(near > 0.999, 1.0, np.where(near < 0.001, 0.0, soft))
    whole = _one_part((soft > 0.5).astype(np.uint8))
    spread = cv2.dilate(whole, np.ones((5, 5), np.uint8))
    inner = cv2.erode(whole, np.ones((5, 5), np.uint8))
    return (np.maximum(soft * spread, inner) * 255 + 0.5).astype(np.uint8)


def _guided_coefficients(
    guide: np.ndarray, mask: np.ndarray, radius: int, smoothness: float
) -> tuple[np.ndarray, np.ndarray]:
    """Slopes (h, w, 3) and offsets (h, w) with mask = slope . colour + offset, averaged over windows."""
    size = (2 * radius + 1, 2 * radius + 1)

    def mean(values: np.ndarray) -> np.ndarray:
        return cv2.blur(values, size, borderType=cv2.BORDER_REFLECT)

    colour_mean, mask_mean = mean(guide), mean(mask)
    covariance = mean(guide * mask[..., None]) - colour_mean * mask_mean[..., None]
    pairs = (guide[..., :, None] * guide[..., None, :]).reshape(*mask.shape, 9)
    variance = np.dstack([mean(np.ascontiguousarray(pairs[..., start : start + 3])) for start in (0, 3, 6)])
    variance = variance.reshape(*mask.shape, 3, 3) - colour_mean[..., :, None] * colour_mean[..., None, :]
    slope = np.linalg.solve(variance + smoothness * np.eye(3, dtype=np.float32), covariance[..., None])[..., 0]
    offset = mask_mean - np.einsum("hwc,hwc->hw", slope, colour_mean)
    return mean(slope.astype(np.float32)), mean(offset.astype(np.float32))

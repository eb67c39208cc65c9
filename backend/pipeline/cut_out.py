# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Separates the object of a photo from everything else.

A picture with transparency says itself what the object is. Otherwise the segmenter, which knows the category, looks at
the whole photo, then more closely at what it found there or at what the user pointed at. Where the user has a
salient-object network it looks at the same place, and the two agree on what the object is. A guided filter carries the
outline to the photo's own resolution.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch

from ..common.records import OWN_CUT_OUT, CutOut, Progress
from ..errors import PhotoError
from ..models.crop import Crop
from ..models.salient_objects import CutOutModelError, SalientNetwork, load_found_network, load_salient_network
from ..models.segmenter import Segmenter
from ..weights.bundle import choose_device
from .agreement import AgreementConfig, agreed
from .instances import InstanceConfig, at_point, most_alike, most_central
from .looks import Box, Look, box_around, carried, look_at, part_of, resampled, seen_at
from .outline import at_full_resolution, outline
from .photo import Photo, load_mask

_NO_OBJECT = "No object was found in {}: supply a mask or a picture with a transparent background."
_NOT_THERE = "No object was found at the point {:g}, {:g} of {}: choose a point on the object, or supply a mask."
_OUTSIDE = "The point {:g}, {:g} lies outside of {} ({} x {} pixels): choose a point on the object."

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class CutOutConfig:
    """Sizes in pixels, shares and probabilities by which the object is found."""

    looks: int = 2
    """Number of looks of the segmenter: at the whole photo, then at what it found."""
    view_margin: float = 1.35
    """Side of a closer look over the longer side of the object's box."""
    point_margin: float = 1.5
    """The same where the object is told by a point: its box is a guess where it was cut from a neighbour."""
    point_looks: int = 4
    """Number of closer looks at most, where the object is told by a point, until it lies in the middle of one …"""
    settled: float = 0.08
    """… that is, until the next would move and grow by less than this, in sides of the look."""
    network_margin: float = 1.6
    """The same for a salient-object network, which needs something around the object to see that it stands out."""
    faint: float = 0.2
    """Probability from which something joined to the object is kept in view, and a salient thing may be the object."""
    smallest_object: float = 0.0015
    """Share of the photo, or of the square around the user's point, below which something found is no object."""
    min_confidence: float = 0.75
    """Mean probability inside the outline below which something found is no object."""
    outline_side: int = 320
    """Longer side at most of the picture in which the outline is drawn, before it is carried to the photo's own."""
    fine_outline_side: int = 640
    """The same where a salient-object network sees as much."""
    instances: InstanceConfig = InstanceConfig()
    agreement: AgreementConfig = AgreementConfig()


@dataclass(frozen=True)
class _Task:
    """What all steps need to know."""

    photo: Photo
    segmenter: Segmenter
    device: torch.device
    config: CutOutConfig
    point: tuple[float, float] | None
    """x and y of a place on the object, in the pixels of ``photo.rgb``."""
    report: Callable[[float], None]


def cut_out(
    photo: Photo,
    segmenter: Segmenter,
    device: torch.device | str,
    progress: Callable[[Progress], None] | None = None,
    mask_path: str = "",
    config: CutOutConfig | None = None,
    *,
    cutout_model: str = OWN_CUT_OUT,
    point: Sequence[float] = (),
) -> CutOut:
    """The mask of the photo's object, from a mask file, the photo's transparency, or networks.

    Args:
        device: Where the segmenter is; its name, also ``auto``, or the device itself.
        progress: Called now and then, with the fraction of the cutting out that is done.
        mask_path: A picture whose alpha or brightness is the mask; it comes before everything else.
        cutout_model: ONNX file of a salient-object network; empty: one from where such files are kept, if there is any.
        point: x and y of a place on the object, in pixels of the upright file; empty: the category says what it is.

    Returns:
        The mask (H, W) uint8 with a soft edge, and where it came from.

    Raises:
        PhotoError: The mask file cannot be used, no object was found, or the point is on none.
        CutOutModelError: The model that was named cannot be used.
    """

    def report(fraction: float) -> None:
        if progress is not None:
            progress(Progress("Cutting out", fraction))

    height, width = photo.rgb.shape[:2]
    place = _place(photo, point)
    if mask_path:
        return CutOut(load_mask(mask_path, width, height), "file")
    if photo.alpha is not None:
        return CutOut(photo.alpha, "alpha")
    device = choose_device(device) if isinstance(device, str) else device
    task = _Task(photo, segmenter, device, config or CutOutConfig(), place, report)
    network = _network(cutout_model)
    if network is not None:
        try:
            mask = _cut_out_by_both(task, network)
            return CutOut(mask, network.name, list(network.notes))
        except CutOutModelError as error:
            if cutout_model:
                raise
            _logger.warning("The cut-out model that was found is passed over. %s", error)
    return CutOut(_cut_out_alone(task), "segmenter")


def _place(photo: Photo, point: Sequence[float]) -> tuple[float, float] | None:
    """The user's point in the pixels of ``photo.rgb``; None where there is none. Raises PhotoError."""
    if len(point) == 0:
        return None
    if len(point) != 2 or not all(math.isfinite(value) for value in point):
        raise PhotoError(f"A point on the object of {photo.name} is two numbers, x and y in pixels.")
    height, width = photo.rgb.shape[:2]
    x, y = (float(value) * photo.scale for value in point)
    if not (0 <= x < width and 0 <= y < height):
        size = round(width / photo.scale), round(height / photo.scale)
        raise PhotoError(_OUTSIDE.format(*point, photo.name, *size))
    return x, y


def _network(cutout_model: str) -> SalientNetwork | None:
    """The network to ask beside the segmenter. Raises CutOutModelError where the one that was named is unusable."""
    if cutout_model == OWN_CUT_OUT:
        return None
    return load_salient_network(cutout_model) if cutout_model else load_found_network()


def _cut_out_alone(task: _Task) -> np.ndarray:
    """The mask (H, W) uint8 by the segmenter."""
    look = _find(task)
    window, _ = part_of(task.photo.rgb, look.window)
    probability = resampled(look, window)
    task.report(0.6)
    return _mask(task, window, probability, task.config.outline_side)


def _cut_out_by_both(task: _Task, network: SalientNetwork) -> np.ndarray:
    """The mask (H, W) uint8 that segmenter and salient-object network agree on."""
    config, rgb = task.config, task.photo.rgb
    side = min(max(config.outline_side, network.side), config.fine_outline_side)
    try:
        look = _find(task)
    except PhotoError:
        standing_out = _what_stands_out(task, network)
        if standing_out is None:
            raise
        look = standing_out
    task.report(0.5)
    x, y, longer = box_around(look, look.probability > 0.5)
    window, part = part_of(rgb, Crop(x, y, config.network_margin * longer))
    shrink = min(1.0, side / max(part.shape[:2]))
    size = (max(8, round(part.shape[1] * shrink)), max(8, round(part.shape[0] * shrink)))
    salient = cv2.resize(network(part), size, interpolation=cv2.INTER_LINEAR)
    task.report(0.7)
    return _mask(task, window, agreed(salient, resampled(look, window, size), config.agreement), side)


def _what_stands_out(task: _Task, network: SalientNetwork) -> Look | None:
    """What the network finds in the whole photo, with all else removed from it, where the segmenter is too unsure.

    None where nothing stands out, or what does is surely not of the category.
    """
    height, width = task.photo.rgb.shape[:2]
    look = _look(task, Crop(width / 2, height / 2, float(max(height, width))))
    size = len(look.probability)
    salient = np.zeros((size, size), np.float32)
    rows, columns = (max(1, round(side * size / max(height, width))) for side in (height, width))
    top, left = (size - rows) // 2, (size - columns) // 2
    shown = cv2.resize(network(task.photo.rgb), (columns, rows), interpolation=cv2.INTER_AREA)
    salient[top : top + rows, left : left + columns] = shown
    found = Look(look.window, salient)
    chosen = most_central(salient) if task.point is None else _part_at_point(task, found, task.config.instances.reach)
    if chosen is None or look.probability[chosen].mean() < task.config.faint:
        return None
    return Look(look.window, np.where(chosen, salient, 0).astype(np.float32))


def _mask(task: _Task, window: Box, probability: np.ndarray, side: int) -> np.ndarray:
    """The mask (H, W) uint8 of a probability in a window of the photo. Raises PhotoError where nothing is left."""
    left, top, right, bottom = window
    rgb = task.photo.rgb
    mask = np.zeros(rgb.shape[:2], dtype=np.uint8)
    mask[top:bottom, left:right] = at_full_resolution(rgb[top:bottom, left:right], outline(probability, side))
    if not (mask > 127).any():  # a faint object may be lost on the way to the full resolution
        raise PhotoError(_NO_OBJECT.format(task.photo.name))
    task.report(1.0)
    return mask


def _find(task: _Task) -> Look:
    """The closest look at the object, with all else removed from it. Raises PhotoError where there is none."""
    if task.point is None:
        look, chosen = _first_alone(task)
    else:
        look, chosen = _first_at_point(task)
    look, chosen = (_closer if task.point is None else _followed)(task, look, chosen)
    near = cv2.dilate(chosen.astype(np.uint8), np.ones((9, 9), np.uint8)) > 0
    if task.point is not None:
        near &= chosen | (look.probability < 0.5)  # neighbours that were cut off stay so
    return Look(look.window, np.where(near, look.probability, 0).astype(np.float32))


def _first_alone(task: _Task) -> tuple[Look, np.ndarray]:
    """A look at the largest and most central object, and its part (S, S) bool of it. Raises PhotoError."""
    height, width = task.photo.rgb.shape[:2]
    # Small objects are missed in the whole photo; its middle is looked at where that happens.
    for share in (1.0, 0.6, 0.35):
        look = _look(task, Crop(width / 2, height / 2, share * max(height, width)))
        chosen = most_central(look.probability)
        if chosen is not None and _is_object(task, look, chosen):
            return look, chosen
    raise PhotoError(_NO_OBJECT.format(task.photo.name))


def _closer(task: _Task, look: Look, chosen: np.ndarray) -> tuple[Look, np.ndarray]:
    """A closer look at what was chosen, and its part (S, S) bool of it."""
    config = task.config
    for number in range(1, config.looks):
        task.report(0.5 * number / config.looks)
        closer = _look(task, _window_around(look, chosen, config))
        # The looks err in different places; those from farther away count less, as they see less.
        before = carried(look, look.probability, closer.window)
        weight = closer.window.side / look.window.side
        closer.probability = (closer.probability + weight * before) / (1 + weight)
        found = most_alike(closer.probability, carried(look, chosen.astype(np.float32), closer.window) > 0.5)
        if found is None or not _is_object(task, closer, found):
            break
        look, chosen = closer, found
    return look, chosen


def _followed(task: _Task, look: Look, chosen: np.ndarray) -> tuple[Look, np.ndarray]:
    """A look at the object at a point, and its part (S, S) bool of it.

    A look shows the object in its middle best, and neighbours hardly. So the looks follow what they find until the
    object lies whole in the middle of one.
    """
    config = task.config
    for number in range(config.point_looks):
        task.report(0.5 * (number + 1) / (config.point_looks + 1))
        x, y, longer = box_around(look, chosen)
        window = Crop(x, y, config.point_margin * longer)
        moved = math.hypot(x - look.window.center_x, y - look.window.center_y) / window.side
        if number and moved < config.settled and abs(window.side / look.window.side - 1) < config.settled:
            break
        closer = _look(task, window)
        found = _part_at_point(task, closer, config.instances.reach)
        if found is None or not _is_object(task, closer, found):
            break
        look, chosen = closer, found
    return look, chosen


def _first_at_point(task: _Task) -> tuple[Look, np.ndarray]:
    """The first look that shows an object at the user's point, or at least near it. Raises PhotoError."""
    assert task.point is not None
    height, width = task.photo.rgb.shape[:2]
    longer = float(max(height, width))
    windows = [Crop(width / 2, height / 2, longer), *(Crop(*task.point, share * longer) for share in (0.6, 0.35, 0.2))]
    looks: list[Look] = []
    for reach in (0.0, task.config.instances.reach):  # an object elsewhere is near in the whole photo
        for number, window in enumerate(windows):
            if number == len(looks):
                looks.append(_look(task, window))
            chosen = _part_at_point(task, looks[number], reach)
            if chosen is not None and _is_object(task, looks[number], chosen):
                return looks[number], chosen
    x, y = (value / task.photo.scale for value in task.point)
    raise PhotoError(_NOT_THERE.format(x, y, task.photo.name))


def _part_at_point(task: _Task, look: Look, reach: float) -> np.ndarray | None:
    """The part (S, S) bool of a look that the user's point means; None where there is none within reach."""
    assert task.point is not None
    return at_point(look.probability, *seen_at(look, *task.point), reach, task.config.instances)


def _look(task: _Task, window: Crop) -> Look:
    return look_at(task.photo.rgb, window, task.segmenter, task.device)


def _is_object(task: _Task, look: Look, chosen: np.ndarray) -> bool:
    height, width = task.photo.rgb.shape[:2]
    seen = height * width if task.point is None else min(height * width, look.window.side**2)
    share = chosen.sum() * (look.window.side / len(chosen)) ** 2 / seen
    confidence = look.probability[chosen].mean()
    return bool(share > task.config.smallest_object and confidence > task.config.min_confidence)


def _window_around(look: Look, chosen: np.ndarray, config: CutOutConfig) -> Crop:
    """The next window to look at: around what was chosen, and never from farther away."""
    _, labels = cv2.connectedComponents((look.probability > config.faint).astype(np.uint8), connectivity=4)
    whole = np.isin(labels, np.unique(labels[chosen]))  # also what is faint, lest a closer look leaves it out
    x, y, longer = box_around(look, whole)
    return Crop(x, y, min(config.view_margin * longer, look.window.side))

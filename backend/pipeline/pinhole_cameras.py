# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera that sees known points of an object at known places of a square picture, wrong pairs among them.

OpenCV finds it by random samples for each of several focal lengths; the best is then moved, in the product's own terms
(``render/camera.py``: a camera that looks at the origin, in a picture that may be shifted), until it agrees with as
many pairs as possible and is a likely camera. Focal length and distance are hard to tell apart, so that what is likely
decides where the pairs do not.

Places and focal lengths are in sides of the picture. Letters: P pairs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from ..common.pinhole import project
from ..common.records import Camera

_NO_DISTORTION = np.zeros(4)


@dataclass(frozen=True)
class PinholeConfig:
    """What is searched, and what is likely before a pair is seen."""

    focal_lengths: tuple[float, float, int] = (0.8, 14.0, 10)
    """First, last and number of those that are tried, evenly spread over their logarithm."""
    reach: float = 0.03
    """A pair agrees with a camera that sees the point no farther than this from the place."""
    samples: int = 60
    """Random samples for each focal length, at most."""
    noise: float = 0.012
    """Error of a place that is no mistake."""
    independent: float = 60.0
    """As so many independent pairs count all of them: neighbours err alike."""
    elevation: tuple[float, float] = (math.radians(8), math.radians(12))
    """Mean and deviation."""
    roll: float = math.radians(4)
    """Deviation."""
    distance: tuple[float, float] = (2.4, 0.4)
    """Mean in lengths of the object, and deviation of its logarithm."""
    known_focal: float = 0.04
    """Deviation of the logarithm of a focal length that is known."""
    best: int = 3
    """Focal lengths whose cameras are moved a little before one is chosen."""
    steps: int = 20
    """By which the chosen one is moved, at most."""
    fewest: int = 12
    """Pairs below which no camera is sought."""
    seed: int = 7


@dataclass(frozen=True)
class FoundCamera:
    """A camera, and how well it agrees with the pairs."""

    camera: Camera
    """Of the square picture."""
    agreeing: float
    """Share of the pairs' weight that agrees with it."""


def find_camera(
    points: np.ndarray, places: np.ndarray, weights: np.ndarray, focal: float | None = None,
    config: PinholeConfig = PinholeConfig(),
) -> FoundCamera | None:  # fmt: skip
    """The camera that sees points (P, 3) at places (P, 2), x to the right and y down from the upper left.

    weights: (P,) how much each pair counts; focal: the focal length, where it is known. None where no camera is found.
    """
    if len(points) < config.fewest:
        return None
    first, last, count = config.focal_lengths
    tried = np.geomspace(first, last, count) if focal is None else [focal]
    weights = weights / max(float(weights.sum()), 1e-12)
    starts = []
    for length in tried:
        camera = _sampled(points, places, float(length), config)
        if camera is not None:
            starts.append(_moved(camera, points, places, weights, focal, config, 0))
    if not starts:
        return None
    starts.sort(key=lambda start: start[0])
    moved = [_moved(camera, points, places, weights, focal, config, 4) for _, camera in starts[: config.best]]
    _, camera = min(moved, key=lambda start: start[0])
    _, camera = _moved(camera, points, places, weights, focal, config, config.steps)
    apart = np.linalg.norm(project(camera, points, 1, 1) - places, axis=1)
    return FoundCamera(camera, float(weights[apart < config.reach].sum()))


def _sampled(points: np.ndarray, places: np.ndarray, focal: float, config: PinholeConfig) -> Camera | None:
    """The camera of one focal length that most pairs agree with, by random samples."""
    matrix = np.array([[focal, 0, 0.5], [0, focal, 0.5], [0, 0, 1]])
    points, places = points.astype(np.float64), places.astype(np.float64)
    cv2.setRNGSeed(config.seed)
    try:
        found, turn, shift, agreeing = cv2.solvePnPRansac(
            points, places, matrix, _NO_DISTORTION, iterationsCount=config.samples, reprojectionError=config.reach,
            confidence=0.99, flags=cv2.SOLVEPNP_EPNP,
        )  # fmt: skip
        if not found or agreeing is None or len(agreeing) < config.fewest // 2:
            return None
        chosen = agreeing[:, 0]
        turn, shift = cv2.solvePnPRefineLM(points[chosen], places[chosen], matrix, _NO_DISTORTION, turn, shift)
    except cv2.error:  # points in a plane or a line, for instance
        return None
    return _looking_at_origin(cv2.Rodrigues(turn)[0], shift[:, 0], focal)


def _looking_at_origin(rotation: np.ndarray, shift: np.ndarray, focal: float) -> Camera | None:
    """The product's camera of OpenCV's pose; turned so that it looks at the origin, nearly the same."""
    distance = float(np.linalg.norm(shift))
    if not np.isfinite(rotation).all() or not np.isfinite(distance) or distance < 1e-3 or shift[2] <= 0:
        return None
    place = -rotation.T @ shift
    backward = place / distance
    elevation = math.asin(float(np.clip(backward[2], -1, 1)))
    azimuth = math.atan2(backward[0], -backward[1])
    level = np.array([math.cos(azimuth), math.sin(azimuth), 0.0])
    upright = np.cross(backward, level)
    right = rotation[0] - (rotation[0] @ backward) * backward
    roll = math.atan2(float(right @ upright), float(right @ level))
    x, y = focal * shift[:2] / shift[2]
    # Away from the picture's middle a camera that looks straight there has a longer way to the same plane.
    length = focal * distance / float(shift[2])
    return Camera(azimuth, elevation, distance, roll, 2 * math.atan(0.5 / length), float(x), float(-y))


def _moved(
    camera: Camera, points: np.ndarray, places: np.ndarray, weights: np.ndarray, focal: float | None,
    config: PinholeConfig, steps: int,
) -> tuple[float, Camera]:  # fmt: skip
    """The camera after steps of Levenberg and Marquardt with weights that pass over mistakes, and its cost."""
    numbers = np.array(
        [camera.azimuth, camera.elevation, camera.roll, math.log(camera.distance),
         -math.log(2 * math.tan(0.5 * camera.field_of_view)), camera.shift_x, camera.shift_y]
    )  # fmt: skip

    def residuals(values: np.ndarray) -> np.ndarray:
        of_pairs = (project(_camera(values), points, 1, 1) - places) / config.noise
        return np.concatenate([of_pairs.reshape(-1), _unlikeliness(values, focal, config)])

    def cost(values: np.ndarray) -> float:
        now = residuals(values)
        squares = np.square(now[: 2 * len(points)].reshape(-1, 2)).sum(axis=1)
        # Student's logarithm: a mistake costs little more the farther off it is.
        return float(config.independent * (weights * np.log1p(squares / 4) * 4).sum() + np.square(now[-4:]).sum())

    best, damping = cost(numbers), 1e-2
    for _ in range(steps):
        now = residuals(numbers)
        slope = np.stack([(residuals(numbers + step) - now) / 1e-5 for step in 1e-5 * np.eye(len(numbers))], axis=1)
        squares = np.square(now[: 2 * len(points)].reshape(-1, 2)).sum(axis=1)
        believed = np.repeat(config.independent * weights / (1 + squares / 4), 2)
        weighted = slope * np.concatenate([believed, np.ones(4)])[:, None]
        square = weighted.T @ slope
        while damping < 1e6:
            moved = numbers - np.linalg.solve(square + damping * np.diag(np.diag(square) + 1e-9), weighted.T @ now)
            after = cost(moved) if _is_possible(moved) else math.inf
            if after < best:
                break
            damping *= 5
        else:
            break
        gain, best, numbers, damping = best - after, after, moved, max(damping / 5, 1e-6)
        if gain < 1e-4 * best:
            break
    return best, _camera(numbers)


def _unlikeliness(numbers: np.ndarray, focal: float | None, config: PinholeConfig) -> np.ndarray:
    """(4,) deviations of elevation, roll, distance and focal length in units of theirs."""
    _, elevation, roll, distance, length, _, _ = numbers
    (elevation_mean, elevation_deviation), (distance_mean, distance_deviation) = config.elevation, config.distance
    return np.array(
        [
            (elevation - elevation_mean) / elevation_deviation,
            roll / config.roll,
            (distance - math.log(distance_mean)) / distance_deviation,
            0.0 if focal is None else (length - math.log(focal)) / config.known_focal,
        ]
    )


def _is_possible(numbers: np.ndarray) -> bool:
    """Whether a camera stands outside the object, and is one at all."""
    return bool(np.isfinite(numbers).all() and abs(numbers[1]) < 1.5 and -0.4 < numbers[3] < 4 and -2 < numbers[4] < 5)


def _camera(numbers: np.ndarray) -> Camera:
    azimuth, elevation, roll, distance, length, x, y = numbers.tolist()
    azimuth = (azimuth + math.pi) % (2 * math.pi) - math.pi
    return Camera(azimuth, elevation, math.exp(distance), roll, 2 * math.atan(0.5 * math.exp(-length)), x, y)

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A stage in Blender: photographs go through the worker, and what is looked at are the scenes that a user would get."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import bpy
import numpy as np

import addon
from addon import batch_run, job, preview, scene, session
from addon.wire import records

SILHOUETTE_SAMPLES, SIDE_SAMPLES = 12, 24
"""Samples a pixel: an outline needs few, paint that shines more."""


@contextmanager
def opened() -> Iterator[SceneStage]:
    """Yields the stage while the add-on is registered; the worker ends with it."""
    with addon.registered():
        yield SceneStage()


def reconstruct(request: records.ReconstructRequest) -> records.Reconstruction:
    """Sends a photograph to the worker. Raises one of :data:`job.EXPECTED_ERRORS`."""
    kept: list[Any] = []

    def steps() -> job.Steps:
        kept.append((yield session.request(request)))
        return ""

    job.run_blocking(steps())
    return kept[0]


class SceneStage:
    """A :class:`backend.evaluation.photographs.stage.Stage`."""

    errors: tuple[type[Exception], ...] = (*job.EXPECTED_ERRORS, RuntimeError)

    def reconstruct(self, request: records.ReconstructRequest) -> records.Reconstruction:
        """Makes an object from a photograph."""
        return reconstruct(request)

    @contextmanager
    def show(self, result: records.Reconstruction) -> Iterator[Scene]:
        """Builds the result's scene in an empty file."""
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        target = bpy.context.scene
        built = scene.build(target, result)
        with batch_run.quietly(), preview.render_settings(target):
            yield Scene(target, built)


class Scene:
    """A :class:`backend.evaluation.photographs.stage.Shown`."""

    def __init__(self, target: bpy.types.Scene, built: scene.Built) -> None:
        self._target, self._built = target, built

    def through_own_camera(self, width: int, height: int) -> np.ndarray:
        """Returns what the imported camera sees, (height, width, 4)."""
        self._target.cycles.samples = SILHOUETTE_SAMPLES
        return preview.render(self._target, self._built.camera, width, height)

    def from_side(self, camera: records.Camera, width: int, height: int) -> np.ndarray:
        """Returns what a camera around the object sees, (height, width, 4)."""
        self._target.cycles.samples = SIDE_SAMPLES
        return preview.render_side(self._target, self._built, camera, width, height)

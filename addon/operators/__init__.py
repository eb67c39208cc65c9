# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""One file a capability; each ends with its CLASSES."""

from __future__ import annotations

import bpy

from . import (
    annotate_views,
    assets,
    cancel,
    click_object,
    cut_out,
    environment,
    generate,
    generate_interpolation,
    handle_tools,
    handles,
    image_to_3d,
    match_photo,
    neural_render,
    pictures,
    propose_views,
    repaint,
    shape_keys,
    train_category,
    train_runs,
    use_direction,
    views,
    weights,
)

CLASSES = (
    *image_to_3d.CLASSES,
    *pictures.CLASSES,
    *match_photo.CLASSES,
    *cut_out.CLASSES,
    *click_object.CLASSES,
    *cancel.CLASSES,
    *environment.CLASSES,
    *weights.CLASSES,
    *handles.CLASSES,
    *shape_keys.CLASSES,
    *generate.CLASSES,
    *generate_interpolation.CLASSES,
    *handle_tools.CLASSES,
    *assets.CLASSES,
    *repaint.CLASSES,
    *use_direction.CLASSES,
    *views.CLASSES,
    *annotate_views.CLASSES,
    *propose_views.CLASSES,
    *train_runs.CLASSES,
    *train_category.CLASSES,
    *neural_render.CLASSES,
)


def register() -> None:
    """Registers all operators."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Takes them back."""
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)

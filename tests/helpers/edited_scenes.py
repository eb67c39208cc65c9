# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes as a batch writes them, edited as by ``scripts/edit.py``, and what comes out."""

from __future__ import annotations

import json
from pathlib import Path

import bpy
import numpy as np
from PIL import Image

from addon import batch_edit, proportions, scene
from backend.common import bundle_files
from backend.common.records import GenerateRequest
from backend.pipeline.generate import generate, load_generator
from tests.helpers import toy
from tests.helpers.parts_samples import write_parts_bundle


def write_bundle(folder: Path) -> Path:
    """Writes a bundle with a small template of parts that says it has StyleGAN-R; returns its folder."""
    made = write_parts_bundle(folder)
    (made / bundle_files.STYLE_MAPPING).write_bytes(b"")
    return made


def write_scene(bundle: Path, folder: Path, *seeds: int, surface: bool = False, name: str = "scene.blend") -> Path:
    """Writes a scene file of objects of some seeds, and of one surface, into a folder of its own in ``folder``."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    model = load_generator(str(bundle))
    for seed in seeds:
        result = generate(GenerateRequest(seed=seed, texture_size=64, bundle=str(bundle)), *model)
        scene.build(bpy.context.scene, result)
    if surface:
        scene.build(bpy.context.scene, toy.reconstruction("box"))
    path = folder / "in" / "-".join(map(str, [*seeds, surface])) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(path), copy=True)
    return path


def edit(*words: object) -> int:
    """Runs the command; returns its exit code."""
    return batch_edit.run([str(word) for word in words])


def report(out: Path) -> list[dict]:
    """The records of the objects in a command's report."""
    return json.loads((out / "report.json").read_text())["objects"]


def opened(path: str | Path) -> bpy.types.Object:
    """Opens a scene file; returns its object."""
    bpy.ops.wm.open_mainfile(filepath=str(path))
    return next(one for one in bpy.data.objects if one.unrender.is_unrender)


def code_at(path: Path) -> np.ndarray:
    """The code (K,) of the shape of a scene file's object at its sliders."""
    return proportions.code_of(opened(path))[0]


def picture(path: str | Path) -> np.ndarray:
    """The pixels of a picture file, as they are stored."""
    return np.asarray(Image.open(path))

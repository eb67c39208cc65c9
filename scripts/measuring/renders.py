# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The product measured on rendered objects, whose camera and mesh are known, through the imported Blender scene."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from addon import batch_run, job, looks, pixels, preview, scene
from addon.wire import records
from backend.commands.evaluate import config_of
from backend.commands.outputs import write_report
from backend.evaluation import metrics, voxels
from backend.evaluation.base_colour import base_colour_errors
from backend.evaluation.likeness import psnr, structural_distance
from backend.evaluation.photographs.calibration import mean
from backend.evaluation.photographs.figures import column, median, overlaps, succeeded
from backend.evaluation.photographs.records import Record

from . import scenes

POINTS = 4000
"""Samples of each surface."""
SHEET_ROWS = 24


def run(options: argparse.Namespace, folders: Sequence[Path]) -> int:
    """Measures each object by one view, drawn by the seed, or by its first ones; returns the exit code."""
    rng = np.random.default_rng(options.seed)
    found: list[Record] = []
    sheet: list[np.ndarray] = []
    with scenes.opened():
        for number, folder in enumerate(folders, 1):
            truth = json.loads((folder / "object.json").read_text(encoding="utf-8"))
            views = chosen_views(truth, options.together, rng)
            record: Record = {"object": folder.name, "view": views[0]["file"], "error": None}
            try:
                with_preview = len(sheet) < SHEET_ROWS and options.sheet is not None
                picture = measure(folder, truth, views, options, record, with_preview)
                if picture is not None:
                    sheet.append(picture)
            except job.EXPECTED_ERRORS as error:
                record["error"] = str(error)
            found.append(record)
            print(f"[{number}/{len(folders)}] {line(record)}", flush=True)
    report = {
        "bundle": options.bundle,
        "input": options.input,
        "quality": options.quality,
        "refine": options.refine,
        "together": options.together,
        "summary": summary(found),
        "objects": found,
    }
    write_report(options.report, report)
    if sheet:
        options.sheet.parent.mkdir(parents=True, exist_ok=True)
        pixels.write_png(options.sheet, np.concatenate(sheet))
    print(json.dumps(report["summary"], indent=1))
    return 1 if any(record["error"] for record in found) else 0


def chosen_views(truth: dict[str, Any], together: int, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Returns the views that an object is made from: its first ones, at most so many, or one that is drawn for 0."""
    views = truth["views"]
    drawn = int(rng.integers(len(views)))
    return views[:together] if together else [views[drawn]]


def read_view(path: Path) -> np.ndarray:
    """Returns the pixels (h, w, 4) of a rendered view."""
    image = bpy.data.images.load(str(path))
    image.alpha_mode = "CHANNEL_PACKED"
    rgba = pixels.read(image).copy()
    bpy.data.images.remove(image)
    return rgba


def measure(
    folder: Path, truth: dict[str, Any], views: Sequence[dict[str, Any]], options: argparse.Namespace, record: Record,
    with_preview: bool,
) -> np.ndarray | None:  # fmt: skip
    """Reconstructs an object from views of it and fills in its record; returns the preview picture if one is wanted.

    What is measured is seen through the first view's camera, but for the errors of the further ones.
    """
    view, paths = views[0], [folder / view["file"] for view in views]
    pictures = [read_view(path) for path in paths]
    rgba = pictures[0]
    result = reconstructed(paths, pictures, options)
    if len(result.further) < len(views) - 1:
        raise ValueError(f"Only {1 + len(result.further)} of {len(views)} views could be used.")
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    target = bpy.context.scene
    photo = pixels.to_bytes(rgba[..., :3])
    built = scene.build(target, result, photo, str(folder / view["file"]), 0.0)
    with batch_run.quietly():
        made = preview.make(target, built, result, photo) if with_preview else None
        with preview.render_settings(target):
            overlay = preview.render(target, built.camera, rgba.shape[1], rgba.shape[0])
            in_photo_look = overlay
            if looks.photo_of(built.object) is not None:
                looks.show(built.object, 1.0)
                in_photo_look = preview.render(target, built.camera, rgba.shape[1], rgba.shape[0])
    with np.load(folder / "mesh.npz", allow_pickle=False) as data:
        true_mesh = data["vertices"].astype(np.float64), data["faces"]
    both = (overlay[..., 3] > 0.99) & (rgba[..., 3] > 0.99)
    record |= {
        "psnr_in_mask": psnr(overlay[..., :3], rgba[..., :3], both),
        "psnr_in_mask_photo": psnr(in_photo_look[..., :3], rgba[..., :3], both),
        "structural_distance": structural_distance(overlay[..., :3], rgba[..., :3], both),
        "structural_distance_photo": structural_distance(in_photo_look[..., :3], rgba[..., :3], both),
        "base_colour_errors": base_colour_errors(result, truth.get("base_colours", {})),
        "silhouette_iou_true": metrics.silhouette_iou(overlay[..., 3] > 0.5, rgba[..., 3] > 0.5),
        "silhouette_iou_own_mask": result.silhouette_iou,
        **camera_errors(result.camera, records.Camera(**view["camera"])),
        **shape_errors(result, *true_mesh),
        "further": [
            {"view": other["file"], **camera_errors(found.camera, records.Camera(**other["camera"]))}
            for found, other in zip(result.further, views[1:], strict=True)
        ],
        "seconds": result.timings["total"],
    }
    return made.picture if made is not None else None


def reconstructed(
    paths: Sequence[Path], pictures: Sequence[np.ndarray], options: argparse.Namespace
) -> records.Reconstruction:
    """Sends views of one object to the worker, as files with or without their masks."""
    with tempfile.TemporaryDirectory(prefix="unrender-") as folder:
        if options.input == "photo":
            paths = [Path(folder) / path.name for path in paths]
            for path, rgba in zip(paths, pictures, strict=True):
                pixels.write_png(path, pixels.to_bytes(rgba[..., :3]))
        config = config_of(options)
        return scenes.reconstruct(
            records.ReconstructRequest(
                image_path=str(paths[0].absolute()),
                further_paths=[str(path.absolute()) for path in paths[1:]],
                bundle=config.bundle,
                device=options.device,
                quality=config.quality,
                refine_steps=config.refine,
                cutout_model=config.cutout_model,
            )  # fmt: skip
        )


def camera_errors(found: records.Camera, true: records.Camera) -> dict[str, Any]:
    """Returns how far a camera is from the true one."""
    return {
        "azimuth_error_deg": metrics.angle_error_deg(found.azimuth, true.azimuth),
        "flip": metrics.is_flip(found.azimuth, true.azimuth),
        "elevation_error_deg": metrics.angle_error_deg(found.elevation, true.elevation),
        "distance_ratio": found.distance / true.distance,
    }


def shape_errors(result: records.Reconstruction, vertices: np.ndarray, triangles: np.ndarray) -> dict[str, float]:
    """Returns how far a shape is from the true mesh (V, 3), (F, 3), as both stand in the canonical frame."""
    quads = result.quads
    own = result.vertices.astype(np.float64), np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    surface = metrics.surface_distance(
        metrics.sample_surface(*own, POINTS), metrics.sample_surface(vertices, triangles, POINTS)
    )
    return {
        "chamfer": surface.chamfer,
        "f_score": surface.f_score,
        "solid_iou": voxels.solid_iou(voxels.solid(*own), voxels.solid(vertices, triangles)),
    }


def line(record: Record) -> str:
    """Returns what is printed of an object."""
    if record["error"]:
        return f"{record['object']}: {record['error']}"
    return (
        f"{record['object']}  IoU {record['silhouette_iou_true']:.3f}  azimuth {record['azimuth_error_deg']:5.1f} deg  "
        f"Chamfer {record['chamfer']:.4f}  F {record['f_score']:.3f}  3D IoU {record['solid_iou']:.3f}"
    )


def summary(found: Sequence[Record]) -> dict[str, Any]:
    """Returns means and medians over the objects that gave a result."""
    good = succeeded(found)
    further = [one for record in good for one in record["further"]]
    return {
        "objects": len(found),
        "failed": len(found) - len(good),
        **overlaps(good, "silhouette_iou_true"),
        "azimuth_error_deg_median": median(column(good, "azimuth_error_deg")),
        "azimuth_error_deg_mean": mean(column(good, "azimuth_error_deg")),
        "flips": mean(column(good, "flip")),
        "further_views": len(further),
        "further_azimuth_error_deg_median": median(column(further, "azimuth_error_deg")),
        "further_flips": mean(column(further, "flip")),
        "elevation_error_deg_median": median(column(good, "elevation_error_deg")),
        "chamfer_mean": mean(column(good, "chamfer")),
        "f_score_mean": mean(column(good, "f_score")),
        "solid_iou_mean": mean(column(good, "solid_iou")),
        "seconds_median": median(column(good, "seconds")),
        "psnr_in_mask_mean": mean(column(good, "psnr_in_mask")),
        "psnr_in_mask_photo_mean": mean(column(good, "psnr_in_mask_photo")),
        "structural_distance_mean": mean(column(good, "structural_distance")),
        "structural_distance_photo_mean": mean(column(good, "structural_distance_photo")),
        "base_colour_errors_mean": _means_by_name([record["base_colour_errors"] for record in good]),
    }


def _means_by_name(rows: Sequence[dict[str, float]]) -> dict[str, float | None]:
    """Returns the mean of each number over the rows that have it."""
    names = sorted({name for row in rows for name in row})
    return {name: mean(np.array([row[name] for row in rows if name in row])) for name in names}

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Fit the template with parts to outlines, by code and camera alone, and look at what comes out.

    python scripts/fit_parts.py photos PICTURES --masks MASKS --labels CSV --out DIR     one photograph an object
    python scripts/fit_parts.py renders DATA --out DIR                                    renders with their true meshes

PICTURES holds NAME.jpg, MASKS NAME.png, and the CSV the columns id and azimuth_deg. DATA is a dataset of
render_dataset.py. Both write report.json and sheet.png: the input, the fit, and three other sides.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line
import numpy as np
from PIL import Image
from tqdm import tqdm

from backend.common import files
from backend.common.bundle_files import BUNDLED
from backend.common.regions import Finish, Palette
from backend.data.labelled_files import largest_piece
from backend.data.rendered_views import RenderedViews, cameras_of_crops, load_views
from backend.evaluation.code_sheet import fitted_row
from backend.evaluation.voxels import boxed, solid, solid_iou
from backend.models.crop import crop_around, extract
from backend.models.fit_parts import FitConfig, FittedParts, fit_parts
from backend.weights.parts import PartsModel, load_parts

_SIZE = 128
_PALETTE = Palette(paint=Finish((0.70, 0.08, 0.08), 0.3), two_tone=Finish((0.70, 0.08, 0.08), 0.3))


def fit_photos(options: argparse.Namespace, model: PartsModel) -> tuple[list[dict], list[np.ndarray]]:
    """Fit one code to each photograph whose azimuth is labelled; return records and rows of pictures."""
    with open(options.labels, newline="", encoding="utf-8") as file:
        labels = [row for row in csv.DictReader(file) if row.get("ok", "1") == "1"]
    records, rows = [], []
    for row in tqdm(labels[: options.limit], desc="Fitting", unit="photo"):
        rgb = np.asarray(Image.open(options.input / f"{row['id']}.jpg").convert("RGB"))
        mask = largest_piece(np.asarray(Image.open(options.masks / f"{row['id']}.png").convert("L")))
        rgba = extract(rgb, mask, crop_around(mask), _SIZE)
        start = time.process_time()
        azimuth = math.radians(float(row["azimuth_deg"]))
        fitted = fit_parts(rgba[None, ..., 3], [azimuth], model.space, model.template)
        records.append(record_of(row["id"], fitted, time.process_time() - start) | {"azimuth_given": azimuth})
        rows.append(fitted_row(rgba, fitted.code, fitted.cameras[0], model.space, model.template, _PALETTE))
    return records, rows


def fit_renders(options: argparse.Namespace, model: PartsModel) -> tuple[list[dict], list[np.ndarray]]:
    """Fit a code to every view alone, its azimuth given, and one to all views of an object together."""
    views = load_views(options.input, options.limit)
    records, rows = [], []
    for index in tqdm(range(views.number_of_objects), desc="Fitting", unit="object"):
        truth = solid(*_boxed_mesh(*views.mesh(index)))
        name = json.loads((views.folders[index] / "object.json").read_text(encoding="utf-8")).get("source", "")
        crops, azimuths = _crops_of(views, index)
        single = []
        for view, (rgba, azimuth) in enumerate(zip(crops, azimuths, strict=True)):
            fitted = fit_parts(rgba[None, ..., 3], [azimuth], model.space, model.template)
            single.append(_overlap(truth, fitted, model))
            if view == 0:
                rows.append(fitted_row(rgba, fitted.code, fitted.cameras[0], model.space, model.template, _PALETTE))
        start = time.process_time()
        together = fit_parts(np.stack([rgba[..., 3] for rgba in crops]), azimuths, model.space, model.template)
        record = record_of(name or views.folders[index].name, together, time.process_time() - start)
        together_iou = _overlap(truth, together, model)
        records.append(
            record
            | {
                "solid_iou_single": single,
                "solid_iou_single_mean": float(np.mean(single)),
                "solid_iou_all_views": together_iou,
            }
        )
        args = (crops[0], together.code, together.cameras[0], model.space, model.template, _PALETTE)
        rows.append(fitted_row(*args))
    return records, rows


def _crops_of(views: RenderedViews, index: int) -> tuple[list[np.ndarray], list[float]]:
    """Crops (S, S, 4) around an object's true masks, and the azimuths of their cameras."""
    count = views.number_of_views
    own = slice(index * count, (index + 1) * count)
    crops = []
    for picture in views.rgba[index]:
        mask = picture[..., 3]
        crops.append(extract(picture[..., :3], mask, crop_around(mask), _SIZE))
    seen = cameras_of_crops(views.cameras[own], views.crops[own], views.rgba.shape[2])
    return crops, seen.azimuth.tolist()


def _boxed_mesh(vertices: np.ndarray, triangles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return boxed(vertices), triangles


def _overlap(truth: np.ndarray, fitted: FittedParts, model: PartsModel) -> float:
    """3D intersection over union with a true solid, boxes brought together."""
    vertices = boxed(model.space.vertices(fitted.code))
    return solid_iou(truth, solid(vertices, model.template.triangles))


def record_of(name: str, fitted: FittedParts, seconds: float) -> dict:
    """What the report says of one fit."""
    return {
        "name": name,
        "silhouette_iou": fitted.iou,
        "code_length": float(np.linalg.norm(fitted.code[:-1])),
        "open_top": bool(fitted.code[-1] > 1),
        "cameras": [vars(camera) for camera in fitted.cameras],
        "cpu_seconds": round(seconds, 2),
    }


def main(arguments: list[str]) -> int:
    """Run the program; return its exit code."""
    parser = argparse.ArgumentParser(prog="fit_parts", description="Fit the template with parts to outlines.")
    parser.add_argument("kind", choices=("photos", "renders"))
    parser.add_argument("input", type=Path, help="folder of photographs, or a rendered dataset")
    parser.add_argument("--masks", type=Path, help="folder of masks, for photographs")
    parser.add_argument("--labels", type=Path, help="CSV with the columns id and azimuth_deg, for photographs")
    parser.add_argument("--bundle", type=Path, default=BUNDLED / "car", help="folder of the template and its space")
    parser.add_argument("--out", type=Path, required=True, help="folder of report.json and sheet.png")
    parser.add_argument("--limit", type=int, help="only so many objects")
    options = parser.parse_args(arguments)
    if options.kind == "photos" and (options.masks is None or options.labels is None):
        parser.error("photographs need --masks and --labels.")
    options.out.mkdir(parents=True, exist_ok=True)
    model = load_parts(options.bundle)
    records, rows = (fit_photos if options.kind == "photos" else fit_renders)(options, model)
    overlaps = [iou for record in records for iou in record["silhouette_iou"]]
    summary = {
        "silhouette_iou_mean": float(np.mean(overlaps)),
        "silhouette_iou_median": float(np.median(overlaps)),
        "settings": vars(FitConfig()),
        "objects": records,
    }
    files.write_json(options.out / "report.json", summary)
    rows += [np.full_like(rows[0], 219)] * (len(rows) % 2)
    half = len(rows) // 2
    sheet = np.concatenate([np.concatenate(rows[:half]), np.concatenate(rows[half:])], axis=1)
    Image.fromarray(sheet).save(options.out / "sheet.png", optimize=True)
    for record in records:
        solids = "".join(
            f"  {key} {record[key]:.3f}" for key in ("solid_iou_single_mean", "solid_iou_all_views") if key in record
        )
        print(f"{record['name']}: silhouette IoU {np.mean(record['silhouette_iou']):.3f}{solids}")
    print(f"silhouette IoU: mean {summary['silhouette_iou_mean']:.3f}, median {summary['silhouette_iou_median']:.3f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(command_line.own_arguments(sys.argv)))

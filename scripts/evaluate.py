# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures a bundle on rendered objects with known truth, through the imported Blender scene; or compares networks.

    blender -b -P scripts/evaluate.py -- --bundle NAME --data DIR --report FILE [options]
    python scripts/evaluate.py --bundle NAME --data DIR --report FILE [options]
    python scripts/evaluate.py --bundle car --bundle gan=RUN --data generated=DIR --data renders=DIR --data photos=DIR
        --cameras RUN/cameras.json --report FILE --table TABLE.md --pictures FOLDER

One view of each object, drawn by the seed, is given to the pipeline as a photo. The result is imported as a scene,
Blender renders it through the imported camera, and that silhouette, the camera and the mesh are compared with the
truth. ``--input cut-out`` gives the true mask as alpha, ``--input photo`` the picture alone, which is segmented.

Networks are compared where ``--bundle`` or ``--data`` is repeated or has a label (``LABEL=PATH``), or where one of
``--table``, ``--pictures``, ``--cameras`` and ``--segmenter`` is given. ``--bundle`` may then name a training run's
folder too, and ``--data`` holds a generator's views (scripts/make_gan_views.py), rendered views
(scripts/render_dataset.py) or photographs, which the folder itself tells. Without ``--cameras``, the ``cameras.json``
that a training on a generator's views leaves, those views are compared in the networks' own cameras alone. Networks
are measured on their own, before refinement and without Blender: up to six views of each object, see
backend/evaluation/comparison/table.py for the measures. The exit code is 0, 1 where a photograph could not be used,
and 2 where nothing was compared.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line
import numpy as np

from backend.commands import compare
from backend.commands.outputs import write_picture, write_report

POINTS = 4000
"""Samples of each surface."""


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns the checked command line; leaves the program on a wrong one."""
    parser = argparse.ArgumentParser(
        prog=compare.PROGRAM,
        description="Measures a bundle on rendered objects, or compares several networks on several data.",
        epilog="Networks are compared where --bundle or --data is repeated or labelled, or an option of the comparison "
        "is given.",
    )
    compare.add_options(parser)
    single = parser.add_argument_group("measuring of one bundle")
    single.add_argument("--input", choices=("cut-out", "photo"), default="cut-out", help="with the true mask or not")
    single.add_argument("--refine", type=int, default=-1, metavar="STEPS", help="0: none; default: the usual number")
    single.add_argument("--seed", type=int, default=0, help="draws the view of each object")
    single.add_argument("--sheet", type=Path, help="also write a picture: input, result in place, four sides")
    options = parser.parse_args(arguments)
    options.bundle = options.bundle or ["car"]
    options.compared = compares(options)
    if options.compared:
        for name in ("input", "refine", "sheet", "seed"):
            if getattr(options, name) != parser.get_default(name):
                parser.error(f"--{name} belongs to the measuring of one bundle, not to the comparison of networks")
    else:
        options.bundle, options.data = options.bundle[0], Path(options.data[0])
    return options


def compares(options: argparse.Namespace) -> bool:
    """Returns whether networks are compared, rather than one bundle measured through Blender."""
    labelled = any("=" in text and not Path(text).exists() for text in options.bundle + options.data)
    given = (options.table, options.pictures, options.cameras, options.segmenter)
    return labelled or max(len(options.bundle), len(options.data)) > 1 or any(one is not None for one in given)


def main(arguments: list[str]) -> int:
    """Measures or compares, as the arguments ask; returns the exit code."""
    options = parse(arguments)
    if not options.compared:
        return measure_bundle(options)
    if "bpy" in sys.modules:
        return command_line.run_outside_blender(__file__, arguments, failed=compare.NOTHING_COMPARED)
    return compare.main(arguments)


def measure_bundle(options: argparse.Namespace) -> int:
    """Measures one bundle through the imported scene; returns the exit code."""
    folders = sorted(path.parent for path in options.data.glob("objects/*/object.json"))
    if not folders:
        print(f"evaluate.py: no rendered object lies in {options.data}.", file=sys.stderr)
        return 2
    folders = folders[: options.objects or None]
    import addon
    from addon import job

    rng = np.random.default_rng(options.seed)
    records: list[dict[str, Any]] = []
    sheet: list[np.ndarray] = []
    with addon.registered():
        for number, folder in enumerate(folders, 1):
            truth = json.loads((folder / "object.json").read_text(encoding="utf-8"))
            view = truth["views"][int(rng.integers(len(truth["views"])))]
            record: dict[str, Any] = {"object": folder.name, "view": view["file"], "error": None}
            try:
                picture = measure(folder, view, options, record, len(sheet) < 24 and options.sheet is not None)
                if picture is not None:
                    sheet.append(picture)
            except job.EXPECTED_ERRORS as error:
                record["error"] = str(error)
            records.append(record)
            print(f"[{number}/{len(folders)}] {line(record)}", flush=True)
    report = {"bundle": options.bundle, "input": options.input, "refine": options.refine, "summary": summary(records),
              "objects": records}  # fmt: skip
    write_report(options.report, report)
    if sheet:
        write_picture(options.sheet, np.concatenate(sheet))
    print(json.dumps(report["summary"], indent=1))
    return 1 if any(record["error"] for record in records) else 0


def measure(
    folder: Path, view: dict[str, Any], options: argparse.Namespace, record: dict[str, Any], with_preview: bool
) -> np.ndarray | None:
    """Reconstructs one view and fills in its record; returns the preview picture if one is wanted."""
    import bpy

    from addon import pixels, preview, scene
    from addon.wire import records
    from backend.evaluation import metrics

    image = bpy.data.images.load(str(folder / view["file"]))
    image.alpha_mode = "CHANNEL_PACKED"
    rgba = pixels.read(image).copy()
    bpy.data.images.remove(image)
    result = reconstruct(folder / view["file"], rgba, options)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    target = bpy.context.scene
    photo = pixels.to_bytes(rgba[..., :3])
    built = scene.build(target, result, photo, str(folder / view["file"]), 0.0)
    made = preview.make(target, built, result, photo) if with_preview else None
    with preview.render_settings(target):
        overlay = preview.render(target, built.camera, rgba.shape[1], rgba.shape[0])

    camera = records.Camera(**view["camera"])
    with np.load(folder / "mesh.npz", allow_pickle=False) as data:
        true_points = metrics.sample_surface(data["vertices"].astype(np.float64), data["faces"], POINTS)
    quads = result.quads
    triangles = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
    found_points = metrics.sample_surface(result.vertices.astype(np.float64), triangles, POINTS)
    surface = metrics.surface_distance(found_points, true_points)
    record |= {
        "silhouette_iou": metrics.silhouette_iou(overlay[..., 3] > 0.5, rgba[..., 3] > 0.5),
        "azimuth_error_deg": metrics.angle_error_deg(result.camera.azimuth, camera.azimuth),
        "flip": metrics.is_flip(result.camera.azimuth, camera.azimuth),
        "elevation_error_deg": metrics.angle_error_deg(result.camera.elevation, camera.elevation),
        "distance_ratio": result.camera.distance / camera.distance,
        "chamfer": surface.chamfer,
        "f_score": surface.f_score,
        "seconds": sum(result.timings.values()),
    }
    return made.picture if made is not None else None


def reconstruct(path: Path, rgba: np.ndarray, options: argparse.Namespace) -> Any:
    """Sends a view to the worker, as a file with or without its mask."""
    from addon import job, session
    from addon.wire import records

    with tempfile.TemporaryDirectory(prefix="unrender-") as folder:
        if options.input == "photo":
            path = Path(folder) / "photo.png"
            write_picture(path, (rgba[..., :3] * 255 + 0.5).astype(np.uint8))
        request = records.ReconstructRequest(
            image_path=str(path), bundle=options.bundle, device=options.device, refine_steps=options.refine
        )
        kept: list[Any] = []

        def steps():
            kept.append((yield session.request(request)))
            return ""

        job.run_blocking(steps())
    return kept[0]


def line(record: dict[str, Any]) -> str:
    """Returns what is printed of an object."""
    if record["error"]:
        return f"{record['object']}: {record['error']}"
    return (
        f"{record['object']}  IoU {record['silhouette_iou']:.3f}  azimuth {record['azimuth_error_deg']:5.1f} deg  "
        f"Chamfer {record['chamfer']:.4f}  F {record['f_score']:.3f}"
    )


def summary(records: list[dict[str, Any]]) -> dict[str, float]:
    """Returns means and medians over the objects that gave a result."""
    good = [record for record in records if not record["error"]]
    if not good:
        return {"objects": len(records), "failed": len(records)}

    def column(name: str) -> np.ndarray:
        return np.array([record[name] for record in good], dtype=np.float64)

    return {
        "objects": len(records),
        "failed": len(records) - len(good),
        "silhouette_iou_mean": float(column("silhouette_iou").mean()),
        "silhouette_iou_below_0.8": float((column("silhouette_iou") < 0.8).mean()),
        "azimuth_error_deg_median": float(np.median(column("azimuth_error_deg"))),
        "azimuth_error_deg_mean": float(column("azimuth_error_deg").mean()),
        "flips": float(column("flip").mean()),
        "elevation_error_deg_median": float(np.median(column("elevation_error_deg"))),
        "chamfer_mean": float(column("chamfer").mean()),
        "f_score_mean": float(column("f_score").mean()),
        "seconds_median": float(np.median(column("seconds"))),
    }


if __name__ == "__main__":
    sys.exit(main(command_line.own_arguments(sys.argv)))

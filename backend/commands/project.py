# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the codes with which a StyleGAN2 generator comes nearest to photographs.

    python -m backend.commands.project PHOTO... --generator BUNDLE_OR_FILE --out DIR [options]

For each NAME.jpg it writes NAME/projection.safetensors (codes, noise, and all figures in the metadata) and
NAME/projection.png (photo beside projection), and for all of them report.json. What is transparent in a photo, and
what a mask hides, does not count. A photo that cannot be used is one sentence; the others are projected.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .entry import guarded
from .outputs import write_picture, write_report

if TYPE_CHECKING:
    import numpy as np

    from ..pipeline.projection.projection import Projection, ProjectionConfig

PROGRAM = "project.py"


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns the checked command line; leaves the program on a wrong one."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Projects photographs into a generator's codes.")
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="pictures")
    parser.add_argument(
        "--generator", required=True, help="name or folder of a bundle, a run's folder, or a generator's file"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument("--space", choices=("w", "w+"), default="w+", help="one code for all layers or one for each")
    parser.add_argument("--steps", type=int, help="of the descent; default: the usual number")
    parser.add_argument("--starts", type=int, default=1, help="descents to begin with, of which the best goes on")
    parser.add_argument("--candidates", type=int, help="random pictures among which starts are looked for")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    parser.add_argument("--mask", type=Path, metavar="FILE", help="white where the photo counts; for one photo")
    parser.add_argument(
        "--objects", metavar="BUNDLE", default="car", help="starts are chosen by its network's features; none: by edges"
    )
    parser.add_argument("--vgg", type=Path, metavar="FILE", help="VGG-16 (safetensors) for the perceptual distance")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Projects the photos; returns the exit code, 1 where one could not be used."""
    options = parse(arguments)
    return guarded(PROGRAM, lambda: run(options), stopped=f"{PROGRAM}: stopped; what was finished is kept.")


def run(options: argparse.Namespace) -> int:
    """Projects as the options say. Raises UnrenderError, ValueError or OSError where no photo can be projected."""
    if options.mask is not None and len(options.photos) > 1:
        raise ValueError("A mask belongs to one photo: give one, or let transparency say what counts.")
    projector = Projector(options)
    options.out.mkdir(parents=True, exist_ok=True)
    records = [projector.record(path, folder) for path, folder in folders(options.photos, options.out)]
    write_records(options, records)
    return 1 if any(record["error"] for record in records) else 0


def folders(photos: list[Path], out: Path) -> list[tuple[Path, Path]]:
    """Returns every photo with a folder by its name; photos of one name are numbered."""
    taken: dict[str, int] = {}
    result = []
    for path in photos:
        taken[path.stem] = taken.get(path.stem, 0) + 1
        number = taken[path.stem]
        result.append((path, out / (path.stem if number == 1 else f"{path.stem}_{number}")))
    return result


class Projector:
    """Networks and settings that serve for all photos."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Raises UnrenderError or ValueError with one sentence where something of it cannot be used."""
        from ..models.perceptual import perceptual_features
        from ..pipeline.projection.features import ObjectFeatures
        from ..weights.bundle import choose_device
        from ..weights.run_folder import load_bundle_or_run, load_generator_or_run

        self.options = options
        self.config = config_of(options)
        device = choose_device(options.device)
        self.loaded = load_generator_or_run(options.generator, device)
        self.features = perceptual_features(options.vgg)
        self.search = ObjectFeatures(load_bundle_or_run(options.objects, device)) if options.objects != "none" else None

    def record(self, path: Path, folder: Path) -> dict[str, Any]:
        """Projects one photo, writes its files, and returns what the report says of it."""
        from ..errors import UnrenderError
        from ..pipeline.projection.file import figures, save_projection

        record: dict[str, Any] = {"input": str(path), "outputs": [], "error": None}
        try:
            projection = self.project(path)
            about = {"photo": path.name, "generator": self.loaded.name, "seed": self.options.seed}
            outputs = folder / "projection.safetensors", folder / "projection.png"
            save_projection(outputs[0], projection, about)
            write_picture(outputs[1], side_by_side(projection))
            record |= {"outputs": [str(output) for output in outputs], "box": projection.box, **figures(projection)}
            print(f"{path.name}: distance {projection.distance:.3f} (began at {projection.start_distance:.3f}), "
                  f"colours off by {projection.pixel_error:.3f}, {projection.seconds:.1f} s")  # fmt: skip
        except (UnrenderError, ValueError, OSError) as error:
            record["error"] = str(error)
            print(f"{PROGRAM}: {path.name}: {error}", file=sys.stderr)
        return record

    def project(self, path: Path) -> Projection:
        """Projects one photo, with a progress bar. Raises UnrenderError or ValueError."""
        from tqdm import tqdm

        from ..common.records import Progress
        from ..pipeline.photo import load_mask, load_photo
        from ..pipeline.projection.projection import project

        photo = load_photo(path)
        alpha = photo.alpha
        if self.options.mask is not None:
            alpha = load_mask(self.options.mask, photo.rgb.shape[1], photo.rgb.shape[0])
        with tqdm(
            total=100, desc=path.name, bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
        ) as bar:

            def report(progress: Progress) -> None:
                bar.update(100 * progress.fraction - bar.n)

            return project(
                photo.rgb / 255.0,
                self.loaded,
                self.config,
                mask=None if alpha is None else alpha / 255.0,
                starts=self.options.starts,
                seed=self.options.seed,
                features=self.features,
                search_features=self.search,
                report=report,
            )


def config_of(options: argparse.Namespace) -> ProjectionConfig:
    """Returns the settings that the command line names, and the usual ones. Raises ValueError."""
    from ..pipeline.projection.projection import ProjectionConfig

    named = {"steps": options.steps, "candidates": options.candidates}
    return replace(ProjectionConfig(space=options.space), **{k: v for k, v in named.items() if v is not None})


def side_by_side(projection: Projection) -> np.ndarray:
    """Returns (h, 2 w, 3) uint8: the photo as it was compared, and the projection."""
    import numpy as np

    both = np.concatenate([projection.target, projection.image], axis=1)
    return (both * 255 + 0.5).astype(np.uint8)


def write_records(options: argparse.Namespace, records: list[dict[str, Any]]) -> None:
    """Writes report.json. Raises OSError."""
    settings = {name: getattr(options, name) for name in ("generator", "space", "seed", "starts", "objects")}
    failed = sum(record["error"] is not None for record in records)
    write_report(
        options.out / "report.json", {**settings, "photos": len(records), "failed": failed, "records": records}
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

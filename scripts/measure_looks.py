# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the palette and the light that are read from pictures of objects with parts, in milliseconds a picture.

    python scripts/measure_looks.py --data RENDERS [--cache FOLDER] [--report FILE]

``--data`` holds rendered objects (scripts/render_dataset.py), whose colours are known, or labelled photographs, whose
are not. The first view of each is read and refined once, with the true mask; what it shows of the regions is kept in
the cache, so that a changed estimate of colour or light is measured again at once. Printed are the mean errors of the
palette by region (sRGB, 0 to 1) and how much of the logarithm of brightness over the paint the light explains: found
from every other block of pixels, judged by the others (R2).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line
import numpy as np

from backend.commands.entry import guarded, use_threads
from backend.commands.outputs import write_report
from backend.common.harmonics import spherical_harmonics
from backend.common.records import DEFAULT_BUNDLE, ReconstructRequest
from backend.common.regions import REGIONS

if TYPE_CHECKING:
    from backend.pipeline.parts_paint import SeenRegions
    from backend.weights.parts import PartsReader

PROGRAM = "measure_looks.py"
BLOCK = 8
"""Side in pixels of the blocks that are seen or judged by turns."""
SURE = 0.6
"""Probability from which a pixel counts as paint."""
Picture = tuple[str, np.ndarray, np.ndarray, dict[str, Any]]
"""Name, colours (H, W, 3) and mask (H, W) uint8, and the true sRGB colours by region."""


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns the checked command line; leaves the program on a wrong one."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Measures palettes and lights read from pictures.")
    parser.add_argument("--data", type=Path, required=True, help="rendered objects or labelled photographs")
    parser.add_argument("--bundle", default=DEFAULT_BUNDLE)
    parser.add_argument("--cache", type=Path, help="folder that keeps what was read; default: looks in --data")
    parser.add_argument("--count", type=int, default=0, help="so many of the first; 0: all")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--report", type=Path, help="also write the figures, and each picture's, as JSON")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> int:
    """Measures, and prints the means; returns the exit code."""
    options = parse(arguments)
    return guarded(PROGRAM, lambda: run(options))


def run(options: argparse.Namespace) -> int:
    """Measures as the options say. Raises UnrenderError, ValueError or OSError with one sentence."""
    from backend.weights.bundle import load_bundle

    use_threads(options.threads)
    reader = load_bundle(options.bundle).parts
    if reader is None:
        raise ValueError(f"The bundle '{options.bundle}' has no network for objects with parts; choose another.")
    cache = options.cache or options.data / "looks"
    cache.mkdir(parents=True, exist_ok=True)
    records = []
    for number, picture in enumerate(pictures(options.data)):
        if options.count and number >= options.count:
            break
        records.append({"file": picture[0], **measured(seen(picture, reader, cache), picture[3])})
    if not records:
        raise ValueError(f"{options.data} holds neither rendered objects nor labelled photographs.")
    means = summary(records)
    print("  ".join(f"{name} {value:.3f}" for name, value in means.items()), flush=True)
    if options.report is not None:
        write_report(options.report, {**means, "pictures": records})
    return 0


def pictures(folder: Path) -> Iterator[Picture]:
    """Yields the first view of each rendered object, or labelled photographs. Raises ValueError or OSError."""
    if (folder / "labels.csv").is_file():
        from backend.data.labelled_photographs import read_photographs

        for name, rgb, mask in read_photographs(folder):
            yield PurePosixPath(name).stem, rgb, mask, {}
        return
    from PIL import Image

    for path in sorted(folder.glob("objects/*/object.json")):
        truth = json.loads(path.read_text(encoding="utf-8"))
        with Image.open(path.with_name(truth["views"][0]["file"])) as image:
            rgba = np.asarray(image.convert("RGBA"))
        colours = {name: value for name, value in truth.get("base_colours", {}).items()}
        yield path.parent.name, np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3]), colours


def seen(picture: Picture, reader: PartsReader, cache: Path) -> SeenRegions:
    """Returns what a picture shows of the regions, from the cache where it was read before."""
    from backend.models.crop import crop_around
    from backend.pipeline.course import Course
    from backend.pipeline.parts_paint import SeenRegions, seen_regions
    from backend.pipeline.parts_photo import look_at
    from backend.pipeline.photo import Photo

    name, rgb, mask, _ = picture
    file = cache / f"{name}.npz"
    if file.is_file():
        with np.load(file, allow_pickle=False) as data:
            return SeenRegions(data["colours"], data["normals"], data["drawn"], data["read"])
    course = Course(lambda progress: None, lambda: False)
    request = ReconstructRequest(image_path=name)
    found = look_at(Photo(rgb, None, name), mask, crop_around(mask), request, reader, course)
    regions = seen_regions(found.rgba, found.prediction, found.hypotheses[0], reader)
    np.savez_compressed(file, colours=regions.colours, normals=regions.normals, drawn=regions.drawn, read=regions.read)
    return regions


def measured(regions: SeenRegions, true: dict[str, Any]) -> dict[str, float]:
    """Returns the errors of the palette by region, of those whose true colours are known, and ``light_r2``."""
    from backend.pipeline.parts_look import palette_and_light

    palette, _ = palette_and_light(regions.colours, regions.normals, regions.shares())
    errors = {
        name: float(np.abs(np.array(getattr(palette, name).colour) - colour).mean())
        for name, colour in true.items()
        if name in REGIONS
    }
    return errors | light_explains(regions)


def light_explains(regions: SeenRegions) -> dict[str, float]:
    """Returns ``light_r2``, from blocks of the paint that the light was not found from; empty where paint is rare."""
    from backend.common.colour import LUMINANCE
    from backend.pipeline.parts_colour import decoded
    from backend.pipeline.parts_look import palette_and_light

    shares = regions.shares()
    paint = (shares[REGIONS.index("paint")] > SURE) & (np.linalg.norm(regions.normals, axis=-1) > 0.5)
    row, column = np.indices(paint.shape)
    block = (row // BLOCK + column // BLOCK) % 2
    brightness = np.log((decoded(regions.colours) @ LUMINANCE).clip(1e-3))
    scores = []
    for turn in (0, 1):
        judged = paint & (block != turn)
        if min(judged.sum(), (paint & (block == turn)).sum()) < 60:
            return {}
        _, light = palette_and_light(regions.colours, regions.normals, shares * (block == turn))
        received = spherical_harmonics(regions.normals[judged].astype(np.float64)) @ light[:, 0]
        mean = float(light[0, 0]) * 0.282095
        left = brightness[judged] - np.log(received.clip(0.2 * mean, 5 * mean))
        scores.append(1 - left.var() / max(float(brightness[judged].var()), 1e-6))
    return {"light_r2": float(np.mean(scores))}


def summary(records: list[dict[str, Any]]) -> dict[str, float]:
    """Returns the number of pictures, and the mean of each figure over those that have it."""
    names = list(dict.fromkeys(name for record in records for name in record if name != "file"))
    means = {name: float(np.mean([record[name] for record in records if name in record])) for name in names}
    return {"pictures_measured": len(records), **means}


if __name__ == "__main__":
    sys.exit(main(command_line.own_arguments(sys.argv)))

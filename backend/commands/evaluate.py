# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the product on labelled photographs: directions of view, silhouettes, warnings, confidence, unseen sides.

    python -m backend.commands.evaluate --data FOLDER --report FILE [options]
    python scripts/evaluate.py --data FOLDER --report FILE [options]              through the imported Blender scene

``--data`` is a folder of labelled photographs, see ``backend/data/labelled_files.py``. ``--input cut-out`` gives the
teacher's mask as alpha, ``--input photo`` the picture alone, which the product cuts out itself. The report is written
after every photograph; ``--resume`` goes on with those that have no result yet. Beside it a folder REPORT-pictures
keeps small renders. The exit code is 0, 1 where a photograph gave no result, and 2 where nothing was measured.

This module draws results by our own renderer; ``scripts/evaluate.py`` builds Blender scenes of them, and also measures
on rendered objects and compares networks.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..common.json_files import read_object
from ..common.records import DEFAULT_BUNDLE, OWN_CUT_OUT, QUALITIES
from .entry import guarded
from .outputs import write_picture, write_report

if TYPE_CHECKING:
    from ..evaluation.photographs.config import PhotographsConfig
    from ..evaluation.photographs.measure import Measurer
    from ..evaluation.photographs.records import Record
    from ..evaluation.photographs.stage import Stage

PROGRAM = "evaluate.py"
NOTHING_MEASURED = 2
FORMAT = 1
ROOT = Path(__file__).resolve().parents[2]
SCENE, RASTERISER = "scene", "rasteriser"
OF_PHOTOGRAPHS = ("count", "part", "silhouettes", "views", "no_guard", "inception", "resume")
"""Options that photographs alone have."""


def add_single_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of every measuring of one bundle."""
    single = parser.add_argument_group("measuring of one bundle")
    single.add_argument("--input", choices=("cut-out", "photo"), default="cut-out", help="with the true mask or not")
    single.add_argument("--quality", choices=QUALITIES, default="standard", help="how much work an object is worth")
    single.add_argument(
        "--refine", type=int, default=-1, metavar="STEPS", help="0: none; default: as many as the quality says"
    )
    single.add_argument(
        "--cutout-model",
        default=OWN_CUT_OUT,
        metavar="FILE",
        help="ONNX file of a network that cuts photos out; own: the bundle's segmenter (default)",
    )
    single.add_argument("--seed", type=int, default=0, help="draws views of objects, and random sides of results")
    single.add_argument("--sheet", type=Path, help="also write a picture: input, result in place, other sides")


def add_photographs_options(parser: argparse.ArgumentParser) -> None:
    """Adds the options of labelled photographs."""
    group = parser.add_argument_group("measuring on labelled photographs")
    group.add_argument("--count", type=int, default=0, metavar="N", help="so many, evenly spread; 0: all")
    group.add_argument(
        "--part", choices=("all", "held-out"), default="all", help="those that trainings keep for validation, or all"
    )
    group.add_argument(
        "--silhouettes", choices=(SCENE, RASTERISER), default=SCENE, help="drawn by Blender, or faster by our renderer"
    )
    group.add_argument(
        "--views", choices=("four", "all"), default="four", help="the sheet's sides: four others, or all six"
    )
    group.add_argument(
        "--no-guard", action="store_true", help="leave out the comparison of unseen sides with photographs"
    )
    group.add_argument("--inception", type=Path, metavar="FILE", help="weights of FID's network, for that comparison")
    group.add_argument("--resume", action="store_true", help="keep the report's results and measure the others")


def main(arguments: list[str]) -> int:
    """Measures with our own renderer; returns the exit code."""
    parser = argparse.ArgumentParser(prog=PROGRAM, description="Measures a bundle on labelled photographs.")
    parser.add_argument("--bundle", default=DEFAULT_BUNDLE, metavar="NAME", help="name or folder of the weights")
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="labels.csv, photos, masks")
    parser.add_argument("--report", type=Path, required=True, help="JSON file to write")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    add_single_options(parser)
    add_photographs_options(parser)
    parser.set_defaults(silhouettes=RASTERISER)
    options = parser.parse_args(arguments)
    if options.silhouettes == SCENE:
        parser.error("Blender's scenes are measured by scripts/evaluate.py")
    return run(options, rasteriser_stage)


def rasteriser_stage() -> AbstractContextManager[Stage]:
    """Returns the stage without Blender; loads torch."""
    from ..evaluation.photographs.rasteriser import RasteriserStage

    return nullcontext(RasteriserStage())


def run(options: argparse.Namespace, open_stage: Callable[[], AbstractContextManager[Stage]]) -> int:
    """Measures on the stage that is opened; returns the exit code."""
    stopped = f"{PROGRAM}: stopped; --resume goes on."
    return guarded(PROGRAM, lambda: measure(options, open_stage), failed=NOTHING_MEASURED, stopped=stopped)


def measure(options: argparse.Namespace, open_stage: Callable[[], AbstractContextManager[Stage]]) -> int:
    """Measures all photographs, and writes the report as it goes. Raises ValueError or OSError with one sentence."""
    from ..data.labelled_files import opened, read_labels
    from ..evaluation.photographs import records, sheet
    from ..evaluation.photographs.measure import Measurer, chosen

    labels = chosen(read_labels(options.data), options.part, options.count)
    if not labels:
        raise ValueError(f"{options.data} has no photograph of the part '{options.part}' that is ok.")
    report = new_report(options)
    former = former_records(options.report, report) if options.resume else {}
    with opened(options.data) as read, open_stage() as stage:
        pictures = options.report.absolute().with_name(f"{options.report.stem}-pictures")
        measurer = Measurer(config_of(options), stage, options.device, pictures, not options.no_guard)
        for number, label in enumerate(labels, 1):
            with_row = options.sheet is not None and number <= sheet.ROWS
            record = former.get(label.name)
            if record is None or not measurer.is_done(record, with_row):
                record = measurer.measure(label, read, with_row)
                print(f"[{number}/{len(labels)}] {records.line(record)}", flush=True)
            report["records"].append(record)
            write(options.report, report)
    finish(options, report, measurer)
    return 1 if any(record["error"] for record in report["records"]) else 0


def finish(options: argparse.Namespace, report: dict[str, Any], measurer: Measurer) -> None:
    """Compares unseen sides, writes report and sheet, and prints the figures."""
    if measurer.with_squares:
        report["guard"] = guard(options, report["records"], measurer)
    write(options.report, report)
    if options.sheet is not None:
        write_picture(options.sheet, whole_sheet(report["records"], measurer))
    print(json.dumps(report["summary"], indent=1))


def new_report(options: argparse.Namespace) -> dict[str, Any]:
    """Returns a report without records."""
    return {
        "format": FORMAT,
        "data": str(options.data),
        "part": options.part,
        "settings": config_of(options).report(),
        "guard": None,
        "summary": {},
        "records": [],
    }


def config_of(options: argparse.Namespace) -> PhotographsConfig:
    """Returns the settings of the measuring. Raises FileNotFoundError for a cut-out model that is not there."""
    from ..evaluation.photographs.config import PhotographsConfig

    model = options.cutout_model
    if model != OWN_CUT_OUT:
        if not Path(model).is_file():
            raise FileNotFoundError(f"There is no cut-out model {model}; name an ONNX file, or own.")
        model = str(Path(model).absolute())  # the worker runs in another folder
    return PhotographsConfig(
        bundle=str(Path(options.bundle).absolute()) if Path(options.bundle).is_dir() else options.bundle,
        input=options.input,
        quality=options.quality,
        refine=options.refine,
        cutout_model=model,
        silhouettes=options.silhouettes,
        views=options.views,
        seed=options.seed,
    )


def former_records(path: Path, report: dict[str, Any]) -> dict[str, Record]:
    """Returns the records of a report that was begun, by file; none where there is no report.

    Raises ValueError where that report cannot be read, or was measured otherwise.
    """
    if not path.is_file():
        return {}
    try:
        former = read_object(path)
        settings = former["data"], former["settings"]
        records = {record["file"]: record for record in former["records"]}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no report of photographs; leave out --resume to write it anew.") from error
    if settings != (report["data"], report["settings"]):
        raise ValueError(f"{path} was measured with other data or settings; take those, or leave out --resume.")
    return records


def write(path: Path, report: dict[str, Any]) -> None:
    """Writes the report with the figures of what there is."""
    from ..evaluation.photographs.figures import summary

    measured = {"feed_forward": report["settings"]["feed_forward"], **summary(report["records"])}
    report["summary"] = measured | (report["guard"] or {})
    write_report(path, report)


def guard(options: argparse.Namespace, records: list[Record], measurer: Measurer) -> dict[str, Any]:
    """Returns the figures of :mod:`..evaluation.unseen_sides`, or the sentence that says why there are none."""
    from ..evaluation import unseen_sides

    good = [record["file"] for record in records if not record["error"]]
    names = [measurer.squares(name)[0].name for name in good]
    words = [sys.executable, "-m", "backend.evaluation.unseen_sides", str(measurer.pictures), "--names"]
    words += ["--device", options.device]
    words += ["--inception", str(options.inception.absolute())] if options.inception is not None else []
    if len(names) < unseen_sides.FEWEST:
        return {"frechet_samples": len(names)}
    # Torch never loads in Blender's process, which this one may be.
    done = subprocess.run(words, input=json.dumps(names), cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        sentence = (done.stderr.strip().splitlines() or ["The comparison of unseen sides ended without a word."])[-1]
        print(f"{PROGRAM}: {sentence}", file=sys.stderr)
        return {"frechet_error": sentence}
    return json.loads(done.stdout)


def whole_sheet(records: list[Record], measurer: Measurer) -> Any:
    """Returns the rows of the first photographs below one another."""
    import numpy as np
    from PIL import Image

    from ..evaluation.photographs import sheet
    from ..evaluation.photographs.measure import ROWS
    from ..evaluation.photographs.sides import VIEWS

    rows = []
    for record in records[: sheet.ROWS]:
        if record["error"]:
            rows.append(sheet.empty_row(record, 2 + len(VIEWS[measurer.config.views])))
            continue
        with Image.open(measurer.picture(ROWS, record["file"])) as image:
            rows.append(np.asarray(image.convert("RGB")))
    return sheet.sheet(rows)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

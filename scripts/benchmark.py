# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the product's budgets on this machine.

    python scripts/benchmark.py [--only renderer|parts|pipeline|stylegan2] [--photo FILE] [--repeat N] [--json FILE]
                                [--plot FILE] [--device cpu|cuda] [--threads N] [--quick]

The renderer part draws spheres of many sizes, forward and backward, beside PyTorch3D where that is installed; the
pipeline part starts a worker and sends it a photo; the stylegan2 part makes images and training steps. Whole, it takes
some minutes on two cores; close other programs.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line

ROOT = command_line.ROOT
PARTS = ("renderer", "parts", "pipeline", "stylegan2")
DEFAULT_RUNS = {"renderer": 2, "parts": 12, "pipeline": 3, "stylegan2": 5}


class Parser(argparse.ArgumentParser):
    """Says what is wrong in one sentence."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Print the sentence and leave with code 2."""
        self.exit(2, f"benchmark.py: {message}\n")


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns the checked command line; leaves the program on a wrong one."""
    parser = Parser(prog="benchmark.py", description="Measures the product's budgets on this machine.")
    parser.add_argument("--only", choices=PARTS, help="one part alone")
    parser.add_argument("--photo", type=Path, default=ROOT / "examples" / "car.jpg", help="what the pipeline is given")
    parser.add_argument(
        "--repeat", type=int, metavar="N",
        help="runs of each figure: at least N in the renderer part (default 2), N in the pipeline part (default 3)",
    )  # fmt: skip
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all figures to this file")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="also draw the renderer's: .png, .svg or .pdf")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: as many as torch likes)")
    parser.add_argument("--quick", action="store_true", help="few sizes of spheres, in about a minute")
    options = parser.parse_args(arguments)
    options.parts = [options.only] if options.only else list(PARTS)
    fault = _fault(options)
    if fault:
        parser.error(fault)
    return options


def _fault(options: argparse.Namespace) -> str:
    """Returns what is wrong with the options, in a sentence, or nothing."""
    for name in ("repeat", "threads"):
        value = getattr(options, name)
        if value is not None and value < 1:
            return f"--{name} must be 1 or more, not {value}."
    for path in (options.json, options.plot):
        if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
            return f"cannot write {path}: it must be a file in a folder that exists."
    if "pipeline" in options.parts and not options.photo.is_file():
        return f"there is no picture {options.photo}."
    if options.plot is not None:
        from benchmarks import plot

        if "renderer" not in options.parts:
            return f"--plot draws the renderer's figures, and --only {options.only} measures none."
        if options.plot.suffix.lower() not in plot.FORMATS:
            return f"--plot writes {', '.join(plot.FORMATS)}, and {options.plot.name} is none of them."
        if not plot.is_available():
            return "--plot needs matplotlib, which is not installed: pip install matplotlib."
    if options.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            return "--device cuda: there is no CUDA device that this torch can use."
    return ""


def measure_renderer(options: argparse.Namespace, machine_line: str) -> tuple[dict[str, Any], bool]:
    """Prints the renderer's figures; returns them for JSON, and whether all could be measured."""
    from benchmarks import plot, report, suite
    from benchmarks.renderer import PYTORCH3D, Settings
    from tqdm import tqdm

    from backend.render import pytorch3d_adapter

    with_pytorch3d = pytorch3d_adapter.is_available()
    renderers = (*suite.OURS, PYTORCH3D) if with_pytorch3d else suite.OURS
    settings = Settings(
        options.device, options.threads, options.repeat or DEFAULT_RUNS["renderer"], 0.1 if options.quick else 0.3
    )

    def after_headline(row: suite.Row) -> None:
        tqdm.write(f"\n{report.headline(row, options.device)}\n\n{report.table_head(renderers)}")

    results = suite.run(
        suite.QUICK if options.quick else suite.FULL, settings, with_pytorch3d=with_pytorch3d,
        after_headline=after_headline, after_row=lambda row: tqdm.write(report.table_row(row)),
    )  # fmt: skip
    print(f"\n{report.growth(results, renderers)}")
    if options.plot:
        plot.write(results, options.plot, machine_line)
    failed = [figures for figures in results.everything() if figures.error and figures.renderer != PYTORCH3D]
    for figures in failed:
        print(f"benchmark.py: {figures.renderer}, {figures.size}: {figures.error}", file=sys.stderr)
    return {
        "settings": dataclasses.asdict(settings),
        "budget_ms": suite.BUDGET_MS,
        "headline": [figures.to_json() for figures in results.headline.values()],
        "table": [figures.to_json() for row in results.table for figures in row.values()],
        "growth_power": report.growth_powers(results, renderers),
        "pytorch3d": {"measured": with_pytorch3d, "published_forward_ms_by_vertices_at_256": report.PUBLISHED},
    }, not failed


def measure_parts(options: argparse.Namespace) -> dict[str, float]:
    """Prints the figures of the template with parts beside the box, and returns them."""
    from benchmarks import parts

    figures = parts.measure(options.repeat or DEFAULT_RUNS["parts"])
    print_figures(figures, {})
    return figures


def measure_pipeline(options: argparse.Namespace) -> dict[str, float]:
    """Prints the pipeline's figures and returns them. Raises client.WorkerError."""
    from benchmarks import pipeline

    repeat = options.repeat or DEFAULT_RUNS["pipeline"]
    figures = pipeline.measure(ROOT, options.photo, repeat, options.device, options.threads)
    print_figures(figures, pipeline.BUDGETS)
    return figures


def measure_stylegan2(options: argparse.Namespace) -> dict[str, float]:
    """Prints the generator's figures and returns them."""
    from benchmarks import stylegan2

    figures = stylegan2.measure(options.device, options.threads, options.repeat or DEFAULT_RUNS["stylegan2"])
    print_figures(figures, {})
    return figures


def print_figures(figures: dict[str, float], budgets: dict[str, float]) -> None:
    """Prints figures, one a line, with its budget where there is one."""
    print()
    for name, value in figures.items():
        budget = f"  (budget {budgets[name]:g})" if name in budgets else ""
        print(f"{name:50}{value:9.3f}{budget}")


def main(arguments: list[str]) -> int:
    """Measures, and returns the exit code."""
    options = parse(arguments)
    from benchmarks import machine

    from backend.common import files
    from backend.ipc import client

    report: dict[str, Any] = {"machine": machine.facts(options.device, options.threads)}
    machine_line = machine.describe(report["machine"])
    print(machine_line)
    complete = True
    try:
        if "renderer" in options.parts:
            report["renderer"], complete = measure_renderer(options, machine_line)
        if "parts" in options.parts:
            report["parts"] = measure_parts(options)
        if "pipeline" in options.parts:
            report["pipeline"] = measure_pipeline(options)
        if "stylegan2" in options.parts:
            report["stylegan2"] = measure_stylegan2(options)
        if options.json:
            files.write_json(options.json, report)
    except (client.WorkerError, OSError) as error:
        print(f"benchmark.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("benchmark.py: stopped; nothing was written.", file=sys.stderr)
        return 130
    return 0 if complete else 1


if __name__ == "__main__":
    sys.exit(main(command_line.own_arguments(sys.argv)))

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""``blender --command unrender doctor``: what there is to work with, and what is wrong, each with its remedy."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import bpy
import numpy as np

from . import batch_run, bundle_check, environment, export, places, preferences, session
from .wire import client, json_files, records, variables, version

MODELS = ("birefnet-general-lite", "birefnet-general", "isnet-general-use", "u2net", "u2netp")
"""Cut-out models that are looked for in their usual folder, the best first; the backend has the same list."""
NEEDED = ("numpy", "pillow", "safetensors", "opencv-python-headless", "tqdm")
"""Packages of the backend beside torch, whose versions are told."""
OPTIONAL = ("onnxruntime", "tensorboard", "triton")
ASK = (
    "import importlib.metadata as m, json, sys\n"
    "def v(n):\n    try: return m.version(n)\n    except m.PackageNotFoundError: return ''\n"
    "print(json.dumps({n: v(n) for n in sys.argv[1:]}))"
)
ASK_SECONDS = 60.0
LITTLE_BYTES = 500 * 2**20
"""Free space below which something may soon not be written."""
OK, PROBLEM = "ok", "problem"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    subject: str
    state: str
    """``ok`` or ``problem``."""
    text: str
    remedy: str = ""
    """What to do about a problem, in one sentence."""


def parser() -> batch_run.Parser:
    """Returns the options of the command."""
    result = batch_run.Parser(
        prog="doctor", description="Tells versions, devices, weights and environment, and what is wrong with them."
    )
    result.add_argument("--json", action="store_true", help="one JSON object in place of lines")
    result.add_argument("--python", default="", metavar="PATH", help="interpreter with torch to look at")
    return result


def run(arguments: Sequence[str]) -> int:
    """Runs the command with its arguments; returns the exit code: 1 where something is wrong."""
    try:
        options = parser().parse_args(arguments)
    except SystemExit as stop:
        return int(stop.code or 0)
    preferences.use_interpreter(os.path.abspath(os.path.expanduser(options.python)) if options.python else "")
    try:
        found = list(_findings(options))
    finally:
        preferences.use_interpreter("")
        session.end_worker()
    wrong = [one for one in found if one.state == PROBLEM]
    if options.json:
        print(json.dumps({"ok": not wrong, "findings": [asdict(one) for one in found]}, indent=1), flush=True)
        return 1 if wrong else 0
    for one in found:
        print(f"{'!!' if one.state == PROBLEM else '  '} {one.subject:16} {one.text}", flush=True)
        if one.remedy:
            print(f"   {'':16} -> {one.remedy}", flush=True)
    print("Nothing is wrong." if not wrong else f"{len(wrong)} to mend.", flush=True)
    return 1 if wrong else 0


def _findings(options: argparse.Namespace) -> Iterator[Finding]:
    yield Finding("Unrender", OK, f"{version.VERSION}, in {places.ROOT}")
    yield Finding(
        "Blender", OK, f"{bpy.app.version_string}, Python {platform.python_version()}, NumPy {np.__version__}"
    )
    yield Finding("system", OK, f"{platform.platform()}, {os.cpu_count()} processors")
    yield _online()
    yield from _folders()
    yield from _environment()
    yield from _bundles()


def _online() -> Finding:
    allowed = "allowed" if bpy.app.online_access else "not allowed; nothing but making the environment needs it"
    return Finding("online access", OK, allowed)


def _folders() -> Iterator[Finding]:
    folder = places.user_folder()
    refusal = export.refusal_to_write(folder)
    temporary = Path(tempfile.gettempdir())
    if folder.parent == temporary:  # where there is no other, see places
        remedy = "Give Blender a folder to write to, such as by the variable BLENDER_USER_RESOURCES."
        yield Finding("user folder", PROBLEM, "Blender has none that can be written to", remedy)
    elif refusal:
        yield Finding("user folder", PROBLEM, f"{folder} cannot be written to", "Give it back to its user.")
    else:
        yield Finding("user folder", OK, str(folder))
    for name, place in (("user disk", folder), ("temporary disk", temporary)):
        free = shutil.disk_usage(place).free
        remedy = "" if free >= LITTLE_BYTES else f"Make room on the disk of {place}."
        yield Finding(name, PROBLEM if remedy else OK, f"{_size(free)} free", remedy)


def _environment() -> Iterator[Finding]:
    """The interpreter, whether the worker starts with it, its packages and devices, and the cut-out model."""
    try:
        found = environment.find(preferences.interpreter())
    except environment.NoEnvironment as error:
        yield Finding("interpreter", PROBLEM, "none", f"{error}".rstrip(".") + "; unrender setup makes one.")
        return
    yield Finding("interpreter", OK, f"{found.path} ({found.source})")
    packages = _packages(found.path)
    lacking = [name for name in NEEDED if packages is not None and not packages[name]]
    if packages is None:
        remedy = "Make the environment again with unrender setup, or choose another interpreter."
        yield Finding("packages", PROBLEM, "the interpreter does not answer", remedy)
    else:
        told = ", ".join(f"{name} {has}" for name, has in packages.items() if has) or "none"
        remedy = f"Install {' '.join(lacking)} with {found.path} -m pip install." if lacking else ""
        yield Finding("packages", PROBLEM if lacking else OK, told, remedy)
    yield from _worker()
    yield _cut_out(bool(packages and packages["onnxruntime"]), found.path)


def _worker() -> Iterator[Finding]:
    began = time.perf_counter()
    try:
        ready = batch_run.start_backend()
    except (client.WorkerError, environment.NoEnvironment, OSError) as error:
        remedy = "Make the environment again with unrender setup, or choose another interpreter that has torch."
        yield Finding("backend", PROBLEM, str(error), remedy)
        return
    seconds = time.perf_counter() - began
    torch = f"torch {ready.torch}" if ready.torch else "no torch"
    yield Finding("backend", OK, f"starts in {seconds:.1f} s: Python {ready.python}, {torch}")
    yield Finding("devices", OK, ", ".join(ready.devices))
    wanted = preferences.device()
    if wanted != "auto" and wanted not in ready.devices:
        yield Finding(
            "device", PROBLEM, f"{wanted} is chosen and not available", "Choose Automatic in the preferences."
        )


def _packages(python: Path) -> dict[str, str] | None:
    """Returns the versions of packages beside an interpreter, empty where one is missing; None without an answer."""
    try:
        done = subprocess.run(
            [str(python), "-c", ASK, *NEEDED, *OPTIONAL],
            env=variables.child_environment(places.ROOT),
            cwd=places.user_folder(),
            capture_output=True,
            text=True,
            timeout=ASK_SECONDS,
        )
        told = json_files.parse_object(done.stdout, "What it said")
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return told if set(told) == {*NEEDED, *OPTIONAL} else None


def _cut_out(has_runtime: bool, python: Path) -> Finding:
    chosen = preferences.cutout_model()
    if chosen == records.OWN_CUT_OUT:
        return Finding("cut-out", OK, "the bundle's own segmenter, as the preferences say")
    if chosen and not Path(chosen).is_file():
        return Finding("cut-out", PROBLEM, f"{chosen} is not there", "Choose another model in the preferences.")
    folder = Path(os.environ.get("U2NET_HOME") or "~/.u2net").expanduser()
    found = [path for name in MODELS if (path := folder / f"{name}.onnx").is_file()]
    model = Path(chosen) if chosen else next(iter(found), None)
    if model is None:
        return Finding("cut-out", OK, f"the bundle's own segmenter; no model lies in {folder}")
    if not has_runtime:
        remedy = f"Install it with {python} -m pip install onnxruntime."
        return Finding("cut-out", PROBLEM, f"{model} cannot be used without the package onnxruntime", remedy)
    return Finding("cut-out", OK, str(model))


def _bundles() -> Iterator[Finding]:
    for name, folder in sorted(bundle_check.at_hand().items()):
        found = bundle_check.look_at(name, folder)
        about = ", ".join(filter(None, (found.title, found.category, found.licence, _size(found.size))))
        remedy = "; ".join(found.damage)
        state = PROBLEM if found.damage else OK
        yield Finding(f"weights {name}", state, f"{about}; {folder}", f"{remedy}." if remedy else "")
    usable = places.bundles()
    wanted = preferences.bundle()
    if wanted not in usable:
        has = ", ".join(usable) or "none"
        remedy = "Choose others in the preferences, or put them into the user folder's bundles."
        yield Finding("weights", PROBLEM, f"'{wanted}' is chosen and not there; there are {has}", remedy)


def _size(count: int) -> str:
    if count < 2**30:
        return f"{count / 2**20:.1f} MB"
    return f"{count / 2**30:.1f} GB"

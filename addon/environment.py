# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interpreter that the worker runs with: finding one that has torch.

The extension's own environment lies in its user folder, so it survives upgrades of the extension;
:mod:`.installation` makes it.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import bpy

from . import places
from .wire import bundle_files, client

REQUIREMENTS = (
    "torch>=2.3",
    "numpy>=1.26",
    "pillow>=10.3",
    "safetensors>=0.4.3",
    "opencv-python-headless>=4.9",
    "tqdm>=4.66",
)
"""Packages of the backend: those of pyproject.toml, which does not travel with the extension; a test compares them."""
INTERPRETER_VARIABLE = "UNRENDER_PYTHON"
"""Variable that names the interpreter, where the preferences do not."""
FINISHED_MARK = "unrender-complete"
"""File that is written into an environment when everything is installed; says of what it was made."""


class NoEnvironment(Exception):
    """No environment, or one that cannot be made; the message is one sentence for the user."""


@dataclass(frozen=True)
class Interpreter:
    """A Python that should have torch."""

    path: Path
    source: str
    """Place where it was found, in words for the user."""


def own_folder() -> Path:
    """Returns the folder of the extension's own environment, whether it is there or not."""
    return places.user_folder() / "env"


def interpreter_in(folder: Path) -> Path:
    """Returns the Python of a virtual environment."""
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def find(chosen: str = "") -> Interpreter:
    """Returns the interpreter to use; raises :class:`NoEnvironment` if there is none.

    ``chosen`` is the user's own choice: the path of an interpreter or of a virtual environment.
    """
    for path, source in ((chosen, "chosen in the preferences"), (os.environ.get(INTERPRETER_VARIABLE, ""), "chosen by "
        + INTERPRETER_VARIABLE)):  # fmt: skip
        if path:
            return Interpreter(interpreter_at(Path(path).expanduser()), source)
    if (own_folder() / FINISHED_MARK).exists() and interpreter_in(own_folder()).exists():
        return Interpreter(interpreter_in(own_folder()), "the extension's own environment")
    if interpreter_in(places.ROOT / ".venv").exists():
        return Interpreter(interpreter_in(places.ROOT / ".venv"), "the environment of the checkout")
    if importlib.util.find_spec("torch") is not None and sys.executable:
        # Blender as a Python package beside torch; the worker is another process all the same.
        return Interpreter(Path(sys.executable), "the Python that runs this")
    raise NoEnvironment(
        "There is no backend yet: press Install Backend in the sidebar's tab Unrender or in the add-on's preferences, "
        f"or choose an interpreter that has torch there or in the variable {INTERPRETER_VARIABLE}."
    )


def interpreter_at(path: Path) -> Path:
    """Returns the Python that a user named by its path or its virtual environment's. Raises :class:`NoEnvironment`."""
    if path.is_dir():
        path = interpreter_in(path)
    if not path.exists():
        raise NoEnvironment(f"The chosen interpreter {path} is not there: choose another in the preferences.")
    if bpy.app.binary_path and path.resolve() == Path(bpy.app.binary_path).resolve():
        raise NoEnvironment(f"{path} is Blender and no Python: choose a Python that has torch in the preferences.")
    return path


def worker_command(chosen: str = "") -> client.WorkerCommand:
    """Returns how to start the worker; raises :class:`NoEnvironment` if no interpreter is found."""
    interpreter = find(chosen)
    return client.WorkerCommand(
        arguments=[str(interpreter.path), "-m", "backend.worker", *([] if bpy.app.background else ["--stand-back"])],
        python_path=places.ROOT,
        log_path=places.user_folder() / "logs" / "worker.log",
        variables={bundle_files.FOLDERS_VARIABLE: os.pathsep.join(map(str, places.bundle_folders()))},
    )

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The interpreter that the worker runs with: finding one that has torch, and making one.

The extension's own environment lies in its user folder, so it survives upgrades of the extension. It is made by child
processes, step by step, with their output in a log; nothing here blocks.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import places
from .wire import bundle_files, client, files, records

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
"""Variable that tells the worker in what folders to look for bundles beside its own."""
UNREACHABLE = ("Connection", "Temporary failure", "timed out", "getaddrinfo", "CERTIFICATE_VERIFY_FAILED")
"""Words of pip about a network that failed; after them it says that the package does not exist."""
FINISHED_MARK = "unrender-complete"
"""File that is written into an environment when everything is installed."""


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
            return Interpreter(_interpreter_at(Path(path).expanduser()), source)
    if (own_folder() / FINISHED_MARK).exists() and interpreter_in(own_folder()).exists():
        return Interpreter(interpreter_in(own_folder()), "the extension's own environment")
    if interpreter_in(places.ROOT / ".venv").exists():
        return Interpreter(interpreter_in(places.ROOT / ".venv"), "the environment of the checkout")
    if importlib.util.find_spec("torch") is not None and sys.executable:
        # Blender as a Python package beside torch; the worker is another process all the same.
        return Interpreter(Path(sys.executable), "the Python that runs this")
    raise NoEnvironment(
        "There is no environment for the backend yet: create one in the add-on's preferences, or choose an interpreter "
        f"that has torch there or in the variable {INTERPRETER_VARIABLE}."
    )


def _interpreter_at(path: Path) -> Path:
    if path.is_dir():
        path = interpreter_in(path)
    if not path.exists():
        raise NoEnvironment(f"The chosen interpreter {path} is not there: choose another in the preferences.")
    return path


def worker_command(chosen: str = "") -> client.WorkerCommand:
    """Returns how to start the worker; raises :class:`NoEnvironment` if no interpreter is found."""
    interpreter = find(chosen)
    return client.WorkerCommand(
        arguments=[str(interpreter.path), "-m", "backend.worker"],
        python_path=places.ROOT,
        log_path=places.user_folder() / "logs" / "worker.log",
        variables={bundle_files.FOLDERS_VARIABLE: os.pathsep.join(map(str, places.bundle_folders()))},
    )


class Installation:
    """Makes the extension's own environment: child processes one after the other, looked at by :meth:`poll`."""

    def __init__(self, package_index: str = "", python: str = "", wheels: Path | None = None):
        """``package_index`` is an address (empty: the usual one), ``python`` makes the environment (empty: Blender's).

        ``wheels`` is a folder with all packages, which takes the place of any index: nothing connects to the network.
        """
        folder = own_folder()
        index = ["--index-url", package_index] if package_index else []
        if wheels is not None:
            index = ["--no-index", "--find-links", str(wheels)]
        self._wheels = wheels
        pip = [str(interpreter_in(folder)), "-m", "pip", "--disable-pip-version-check", "--no-input"]
        self._steps: list[tuple[str, float, list[str]]] = [
            ("Making the environment", 0.0, [python or sys.executable, "-m", "venv", "--clear", str(folder)]),
            ("Installing packages", 0.05, [*pip, "install", "--progress-bar", "off", *index, *REQUIREMENTS]),
        ]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._packages = 0
        self.log_path = places.user_folder() / "logs" / "environment.log"
        self.progress = records.Progress("Making the environment", 0.0)
        self.done = False
        self.error: Exception | None = None

    def start(self) -> None:
        """Begins; raises :class:`NoEnvironment` if the log cannot be written."""
        try:
            self.log_path.parent.mkdir(parents=True, exist_ok=True)
            self.log_path.write_bytes(b"")
            (self._folder / FINISHED_MARK).unlink(missing_ok=True)
        except OSError as error:
            raise NoEnvironment(f"The folder {places.user_folder()} cannot be written to ({error}).") from error
        self._next_step()

    def poll(self) -> bool:
        """Looks whether a step has ended and how far the present one is; True if anything changed."""
        if self.done or self._process is None:
            return False
        code = self._process.poll()
        if code is None:
            return self._read_progress()
        self._process = None
        if code != 0:
            self._finish(NoEnvironment(f"{self._reason()} The whole log is {self.log_path}."))
        elif self._steps:
            self._next_step()
        else:
            files.write_text(self._folder / FINISHED_MARK, "complete\n")
            self._finish(None)
        return True

    def cancel(self) -> None:
        """Stops and removes what is there so far."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        shutil.rmtree(self._folder, ignore_errors=True)
        self._finish(client.WorkerCancelled("Cancelled; the unfinished environment was removed."))

    def outcome(self) -> Any:
        """Returns the folder of a finished environment, or raises what went wrong."""
        if self.error is not None:
            raise self.error
        return self._folder

    def _finish(self, error: Exception | None) -> None:
        if not self.done:
            self.done, self.error = True, error

    def _next_step(self) -> None:
        stage, fraction, arguments = self._steps.pop(0)
        self.progress = records.Progress(stage, fraction)
        try:
            with self.log_path.open("ab") as log:
                self._process = subprocess.Popen(
                    arguments,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=client.child_environment(places.user_folder()),
                    creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
                )
        except OSError as error:
            self._finish(NoEnvironment(f"{arguments[0]} cannot be started ({error})."))

    def _read_progress(self) -> bool:
        """Takes the name of the package that is being fetched from pip's output; their number is known roughly."""
        lines = self.log_path.read_text("utf-8", "replace").splitlines()
        fetched = [line.split()[1] for line in lines if line.lstrip().startswith(("Collecting ", "Downloading "))]
        if len(fetched) == self._packages:
            return False
        self._packages = len(fetched)
        name = fetched[-1].rpartition("/")[2].split(">")[0].split("-")[0]
        self.progress = records.Progress(f"Installing {name}", min(0.95, 0.05 + 0.9 * len(fetched) / 40))
        return True

    def _reason(self) -> str:
        """One sentence about a step that failed, from what its output says."""
        output = self.log_path.read_text("utf-8", "replace")
        if "ensurepip" in output:
            return "This Python cannot make environments: install the system's package python3-venv, or choose another."
        if self._wheels is not None and (lacking := re.search(r"No matching distribution found for (\S+)", output)):
            return f"The folder {self._wheels} has no wheel of {lacking[1]} for this Python: put one there."
        if any(sign in output for sign in UNREACHABLE):
            return "The package index cannot be reached: check the connection and try again."
        if "No matching distribution" in output:
            return f"The package index has no torch for Python {sys.version_info.major}.{sys.version_info.minor} here."
        if "No space left" in output:
            return "The disk is full: the environment needs a few gigabytes."
        return "Making the environment failed."

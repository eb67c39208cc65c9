# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes the extension's own environment: first asks how large it will be, then installs, beside the one in use.

A new environment lies in ``env.partial`` until it is complete and only then takes the place of ``env``: whatever fails
or is cancelled leaves the old one as it was. Packages never go into Blender's own Python. What has been fetched whole
stays in pip's cache, so that the next try goes on from there.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import device_builds, environment, pip_output, places
from .child_task import ChildTask, Step
from .environment import NoEnvironment
from .wire import client, files, json_files, records, variables

OPTIONAL = ("onnxruntime>=1.17",)
"""Runs cut-out models of the user's own; pyproject.toml has it as the extra ``cutout``."""
RESOLVING_PIP = "pip>=25.3"
"""Older ones fetch every package whole when they are asked what they would fetch."""
PARTIAL, OLD = "env.partial", "env.old"
LOOK_SECONDS = 1.0
"""Between two looks at the disk while packages are unpacked, of which pip says nothing."""
UNPACKED = 2.5
"""About how many times a package's size its files take on the disk."""
BEGUN, END = 0.03, 0.98
"""Parts of an installation's bar before packages come and when all are there."""
SPARE_BYTES = 200 * pip_output.MEGABYTE


@dataclass(frozen=True)
class Source:
    """What is to be installed, and where it comes from."""

    build: device_builds.Build
    index: str = ""
    """Address that everything comes from, such as a mirror's; empty: the build's for torch, pip's own for the rest."""
    wheels: Path | None = None
    """Folder of wheels in place of any index: nothing connects to the network."""
    python: str = ""
    """Makes the environment; empty: the Python that Blender brings, which stays as it is."""
    cut_out: bool = False
    """Whether onnxruntime comes too."""

    def pip_arguments(self) -> list[list[str]]:
        """Returns the ends of the pip commands that install everything, in order."""
        rest = [*environment.REQUIREMENTS, *(OPTIONAL if self.cut_out else ())]
        if self.wheels is not None:
            return [["--no-index", "--find-links", str(self.wheels), *rest]]
        if self.index:
            return [["--index-url", self.index, *rest]]
        if not self.build.index:
            return [rest]
        torch = [one for one in rest if one.startswith("torch")]
        # Alone from its own index, for a general one has another build under the same name.
        return [["--index-url", self.build.index, *torch], [one for one in rest if one not in torch]]

    def variables(self) -> dict[str, str]:
        """Returns the environment of pip; a folder of wheels is all that it then knows of."""
        result = variables.child_environment(places.user_folder())
        result |= {"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}
        for name in ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT"):
            result.pop(name, None)
        if self.wheels is not None:
            result = {name: value for name, value in result.items() if not name.startswith("PIP_")}
            result["PIP_CONFIG_FILE"] = os.devnull  # it may name links that are not in the folder
        return result

    def described(self) -> dict[str, Any]:
        """Returns what a finished environment remembers, for its repair."""
        return {
            "build": self.build.identifier,
            "index": self.index,
            "wheels": str(self.wheels or ""),
            "python": self.python,
            "cut_out": self.cut_out,
        }


@dataclass(frozen=True)
class Offer:
    """What an index said it would send."""

    source: Source
    bytes: int
    unknown: int = 0
    """Packages whose size nobody said."""
    packages: int = 0

    @property
    def disk_bytes(self) -> int:
        """About what the finished environment takes."""
        return round(self.bytes * (1 + UNPACKED))

    def sentence(self) -> str:
        """Says the size."""
        least = "at least " if self.unknown else ""
        free = shutil.disk_usage(places.user_folder()).free
        return (
            f"{self.packages} packages, {least}{pip_output.size(self.bytes)} to download, about "
            f"{pip_output.size(self.disk_bytes)} on the disk, which has {pip_output.size(free)} free."
        )


_cache_is_damaged = False
"""A package was not as its index says: pip's cache is left alone from then on, or it would come again so."""
offer: Offer | None = None
"""What the last question found, until it is accepted or dismissed."""


def dismiss() -> None:
    """Forgets the offer."""
    global offer
    offer = None


def partial_folder() -> Path:
    """Returns where an environment is made."""
    return places.user_folder() / PARTIAL


def refuse_where_offline(source: Source, online: bool) -> None:
    """Raises NoEnvironment where packages would come from a network that Blender may not use, or a folder has none, or
    the Python that is to make the environment is none."""
    if source.python:
        environment.interpreter_at(Path(source.python))
    if source.wheels is not None:
        if not any(source.wheels.glob("*.whl")):
            raise NoEnvironment(f"There is no wheel in {source.wheels}: name a folder of .whl files.")
    elif not online:
        raise NoEnvironment(
            "Packages come from the network, which Blender may not use: allow Online Access in the System preferences "
            "or start it with --online-mode, or install from a folder of wheels."
        )


def _pip() -> list[str]:
    python = str(environment.interpreter_in(partial_folder()))
    return [python, "-m", "pip", "--disable-pip-version-check", "--no-input"]


def _making(source: Source) -> Step:
    python = str(environment.interpreter_at(Path(source.python))) if source.python else sys.executable
    return Step("Making the environment", 0.0, [python, "-m", "venv", "--clear", str(partial_folder())])


class _PipTask(ChildTask):
    """What the question and the installation share: the log, what failures mean, and the folder's end."""

    def __init__(self, source: Source, steps: Sequence[Step], append: bool = False):
        self.source = source
        log_path = places.user_folder() / "logs" / "environment.log"
        super().__init__(steps, log_path, source.variables(), append)

    def start(self) -> None:
        """Begins; raises :class:`NoEnvironment` if the log cannot be written."""
        try:
            super().start()
        except OSError as error:
            raise NoEnvironment(f"The folder {places.user_folder()} cannot be written to ({error}).") from error

    def failure(self) -> Exception:
        """Says what pip's output means; the unfinished environment goes."""
        global _cache_is_damaged
        _cache_is_damaged = _cache_is_damaged or pip_output.is_damaged(self.printed())
        needed = self.source.build.disk_megabytes * pip_output.MEGABYTE
        source = self.source
        circumstances = pip_output.Circumstances(source.wheels, needed, self._python(), source.index)
        said = pip_output.reason(self.printed(), circumstances)
        discard(partial_folder())
        return NoEnvironment(f"{said} The whole log is {self.log_path}.")

    def cancelled(self) -> Exception:
        """The unfinished environment goes; what pip has in its cache stays."""
        discard(partial_folder())
        return client.WorkerCancelled("Cancelled; packages that came whole are kept for the next time.")

    def _python(self) -> str:
        """Version of the environment's Python, such as "3.13"; empty where there is none yet."""
        with contextlib.suppress(OSError):
            for line in (partial_folder() / "pyvenv.cfg").read_text("utf-8", "replace").splitlines():
                name, _, value = line.partition("=")
                if name.strip() == "version":
                    return ".".join(value.strip().split(".")[:2])
        return ""


class Question(_PipTask):
    """Makes the empty environment and asks the index how much it would send; its outcome is an :class:`Offer`."""

    def __init__(self, source: Source):
        asked = json.dumps(source.pip_arguments())
        python = str(environment.interpreter_in(partial_folder()))
        script = str(Path(__file__).resolve().with_name("download_size.py"))
        steps = [
            _making(source),
            Step("Updating pip (2 MB)", 0.3, [*_pip(), "install", "--upgrade", *_mirror(source), RESOLVING_PIP]),
            Step("Asking for the sizes", 0.5, [python, script, asked]),
        ]
        super().__init__(source, steps)
        self._offer: Offer | None = None

    def complete(self) -> Exception | None:
        """Takes the answer, and looks whether the disk has room for it."""
        from . import download_size  # here: it brings along what connects, with which Blender would start the slower

        lines = [line for line in self.printed().splitlines() if line.startswith(download_size.MARK)]
        if not lines:
            return self.failure()
        told = json.loads(lines[-1][len(download_size.MARK) :])
        self._offer = made = Offer(self.source, told["bytes"], told["unknown"], len(told["names"]))
        free = shutil.disk_usage(places.user_folder()).free
        if free < made.disk_bytes + SPARE_BYTES:
            discard(partial_folder())
            return NoEnvironment(
                f"The disk has {pip_output.size(free)} free, and the environment needs "
                f"{pip_output.size(made.disk_bytes)}: make room, or choose the build CPU, which is the smallest."
            )
        return None

    def result(self) -> Offer | None:
        """Returns the offer."""
        return self._offer


def _mirror(source: Source) -> list[str]:
    return ["--index-url", source.index] if source.index else []


class Installation(_PipTask):
    """Installs into the environment beside, then puts it in its place; its outcome is the folder."""

    def __init__(self, source: Source, expected: Offer | None = None):
        """``expected`` was found by a :class:`Question` whose environment is still there; without it one is made."""
        install = [*_pip(), "install", "--only-binary", ":all:", "--retries", "5"]
        install += ["--no-cache-dir"] if _cache_is_damaged else []
        # Understood by the pip that the question has brought; a folder of wheels has no such step before.
        install += ["--progress-bar", "raw", "--resume-retries", "5"] if expected else ["--progress-bar", "off"]
        steps = [Step("Installing packages", BEGUN, [*install, *arguments]) for arguments in source.pip_arguments()]
        super().__init__(source, steps if expected else [_making(source), *steps], append=bool(expected))
        self._bytes = expected.bytes if expected else _weight(source)
        self._downloads = pip_output.Downloads()
        self._looked = self._free = 0.0
        self._unpacked = self._unpacked_before = 0.0

    def heard(self, text: str) -> bool:
        """Says in megabytes what has come, and how much of it is unpacked."""
        downloads = self._downloads
        downloads.feed(text)
        if downloads.installing:
            return self._look_at_disk()
        if not text or not downloads.name:
            return False
        self._free, self._unpacked_before = 0.0, self._unpacked
        if self.source.wheels is not None:
            return self._proceed(f"Reading {downloads.name}")
        # A size that nobody said, or a package that came twice, shall not say more than all.
        whole = max(self._bytes, downloads.bytes)
        return self._proceed(f"Downloading {downloads.name}, {part_of(downloads.bytes, whole)}")

    def _look_at_disk(self) -> bool:
        """While packages are unpacked, the disk alone tells how far that is."""
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return False
        self._looked = now
        free = float(shutil.disk_usage(places.user_folder()).free)
        self._free = self._free or free
        most = UNPACKED * max(self._bytes, self._downloads.bytes)
        self._unpacked = min(max(self._unpacked_before + self._free - free, self._unpacked), most)
        return self._proceed(f"Unpacking, about {part_of(self._unpacked, most)}")

    def _proceed(self, stage: str) -> bool:
        """Of the bar, most is for what comes and the rest for what is unpacked; all for that, where nothing comes."""
        whole = max(self._bytes, self._downloads.bytes, 1)
        come = 0.0 if self.source.wheels is not None else self._downloads.bytes / whole
        share = 0.1 if self.source.wheels is not None else 0.75
        fraction = BEGUN + (END - BEGUN) * (share * come + (1 - share) * self._unpacked / (UNPACKED * whole))
        reached = max(self.progress.fraction, fraction)
        if (stage, reached) == (self.progress.stage, self.progress.fraction):
            return False
        self.progress = records.Progress(stage, reached)
        return True

    def complete(self) -> Exception | None:
        """Puts the finished environment in its place, and the one that was there away."""
        folder, partial = environment.own_folder(), partial_folder()
        try:
            files.write_json(partial / environment.FINISHED_MARK, self.source.described())
            _move_scripts(partial, folder)
            discard(folder)
            partial.replace(folder)
        except OSError as error:
            return NoEnvironment(
                f"The environment cannot be put in its place ({error}): close other Blenders, then try again."
            )
        return None

    def result(self) -> Path:
        """Returns the folder."""
        return environment.own_folder()


def part_of(count: float, whole: float) -> str:
    """Returns how much of a number of bytes there is, in megabytes."""
    return f"{count / pip_output.MEGABYTE:,.0f} of {whole / pip_output.MEGABYTE:,.0f} MB"


def _weight(source: Source) -> int:
    """Of the wheels in a folder, in bytes: more than is needed where there are several of a kind."""
    return sum(path.stat().st_size for path in source.wheels.glob("*.whl")) if source.wheels is not None else 0


def _move_scripts(partial: Path, folder: Path) -> None:
    """Has the scripts of an environment name the folder that it will lie in; on Windows they are programs."""
    for path in partial.glob("bin/*"):
        if path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        moved = content.replace(os.fsencode(partial), os.fsencode(folder))
        if moved != content:
            path.write_bytes(moved)  # in place: it has to stay executable


def discard(folder: Path) -> None:
    """Takes a folder away at once and has another process remove it: many thousand files last for seconds."""
    if not folder.exists():
        return
    gone = folder.with_name(f"{OLD}-{os.getpid()}-{time.monotonic_ns()}")
    folder.replace(gone)
    command = [sys.executable, "-c", "import shutil, sys; shutil.rmtree(sys.argv[1], True)", str(gone)]
    with contextlib.suppress(OSError):
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
        )


def remembered() -> Source | None:
    """Returns what the environment that is there was made of, for its repair; None where it does not say."""
    try:
        told = json_files.read_object(environment.own_folder() / environment.FINISHED_MARK)
        wheels = Path(told["wheels"]) if told["wheels"] else None
        return Source(
            device_builds.chosen(told["build"]), str(told["index"]), wheels, str(told["python"]), bool(told["cut_out"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The builds of torch for this or that device: which suits this machine, where it comes from, how large it is.

Nothing here connects to the network or starts a program: a driver is told by its files.
"""

from __future__ import annotations

import functools
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

AUTO, CPU, NVIDIA, AMD, APPLE = "AUTO", "CPU", "NVIDIA", "AMD", "APPLE"
INDEX_OF_TORCH = "https://download.pytorch.org/whl"
GENERAL_INDEX = "https://pypi.org/simple"

AMD_TARGETS = frozenset({90000, 90006, 90008, 90010, 90402, 100300, 110000, 110001, 110002, 120000, 120001})
"""The kernel's numbers of the AMD chips that torch's ROCm builds run on; most graphics inside processors are others."""
AMD_NODES = Path("/sys/class/kfd/kfd/topology/nodes")


@dataclass(frozen=True)
class Build:
    """One build of torch."""

    identifier: str
    name: str
    explanation: str
    index: str
    """Address that torch comes from; empty: the general index."""
    download_megabytes: int
    """About what all packages together weigh, in 10^6 bytes: measured on Linux in 2026, or read from package lists."""
    disk_megabytes: int
    """About what the finished environment takes on the disk."""

    @property
    def address(self) -> str:
        """Where torch comes from, to be shown."""
        return self.index or GENERAL_INDEX


def _builds() -> dict[str, Build]:
    if sys.platform == "darwin":
        return {APPLE: Build(APPLE, "Apple", "Processor and graphics of Apple's chips", "", 200, 750)}
    processor = Build(CPU, "CPU", "Runs on every machine", f"{INDEX_OF_TORCH}/cpu", 300, 1200)
    nvidia = Build(
        NVIDIA, "NVIDIA", "A graphics card of NVIDIA: CUDA comes along", f"{INDEX_OF_TORCH}/cu128", 3400, 7500
    )
    builds = {CPU: processor, NVIDIA: nvidia}
    if sys.platform.startswith("linux"):
        builds[AMD] = Build(
            AMD, "AMD", "A graphics card of AMD: ROCm comes along", f"{INDEX_OF_TORCH}/rocm6.4", 4800, 17000
        )
    return builds


BUILDS = _builds()
"""Those that there are for this system, by identifier."""


def choices() -> list[tuple[str, str, str]]:
    """Returns the builds as choices in the interface, the automatic one first."""
    automatic = (AUTO, "Automatic", "The build that suits what is found in this machine")
    return [automatic, *((one.identifier, one.name, one.explanation) for one in BUILDS.values())]


def chosen(identifier: str) -> Build:
    """Returns the build of a name, of whatever case; the detected one for :data:`AUTO`. Raises ValueError."""
    name = identifier.upper()
    if name in ("", AUTO):
        return detected()
    if name not in BUILDS:
        known = ", ".join(["auto", *(one.lower() for one in BUILDS)])
        raise ValueError(f"There is no build '{identifier}' for this system; choose one of {known}.")
    return BUILDS[name]


@functools.cache
def detected() -> Build:
    """Returns the build that suits this machine, by the drivers that are installed."""
    if APPLE in BUILDS:
        return BUILDS[APPLE]
    if _has_nvidia_driver():
        return BUILDS[NVIDIA]
    if AMD in BUILDS and _has_usable_amd_card():
        return BUILDS[AMD]
    return BUILDS[CPU]


def _has_nvidia_driver() -> bool:
    if shutil.which("nvidia-smi"):
        return True
    if sys.platform == "win32":
        return (Path(os.environ.get("SYSTEMROOT", r"C:\Windows")) / "System32" / "nvcuda.dll").exists()
    import ctypes.util  # here, for Blender starts the faster

    return Path("/proc/driver/nvidia/version").exists() or ctypes.util.find_library("cuda") is not None


def _has_usable_amd_card() -> bool:
    for properties in AMD_NODES.glob("*/properties"):
        try:
            pairs = [line.split() for line in properties.read_text("ascii", "replace").splitlines()]
        except OSError:
            continue
        if any(pair[0] == "gfx_target_version" and int(pair[1]) in AMD_TARGETS for pair in pairs if len(pair) == 2):
            return True
    return False

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables that a child process with another Python gets. Standard library alone."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

TORCHRUN_VARIABLES = (
    "RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "ROLE_RANK", "MASTER_ADDR", "MASTER_PORT",
    "TORCHELASTIC_",
)  # fmt: skip
"""What the names of the variables begin with by which processes that train together find one another."""
PYTHON_VARIABLES = (
    "PYTHONHOME",
    "PYTHONPATH",
    "PYTHONSTARTUP",
    "PYTHONEXECUTABLE",
    "PYTHONPLATLIBDIR",
    "__PYVENV_LAUNCHER__",
)
"""Set for Blender's own Python, where they are set, and wrong for any other interpreter."""


def child_environment(python_path: Path, base: Mapping[str, str] | None = None) -> dict[str, str]:
    """Returns the environment for another Python: without what Blender set for its own, in UTF-8, unbuffered.

    Its modules are those of ``python_path`` and of its installation, never those of the folder that it starts in. Its
    threads sleep while they wait for one another, unless ``base`` says otherwise.
    """
    environment = dict(os.environ if base is None else base)
    for name in PYTHON_VARIABLES:
        environment.pop(name, None)
    environment.update(PYTHONPATH=str(python_path), PYTHONUTF8="1", PYTHONUNBUFFERED="1", PYTHONSAFEPATH="1")
    # OpenMP's threads would spin while they wait: beside a busy Blender that takes the cores from the work itself.
    environment.setdefault("OMP_WAIT_POLICY", "passive")
    return environment


def local_environment(python_path: Path) -> dict[str, str]:
    """Returns :func:`child_environment` for what works alone, on this machine: what ``torchrun`` has left in the
    variables of a terminal would have it look for other processes, also on other machines."""
    environment = child_environment(python_path)
    return {name: value for name, value in environment.items() if not name.startswith(TORCHRUN_VARIABLES)}

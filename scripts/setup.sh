#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Makes .venv with everything that the demo and the tests need. Runs once: a stamp remembers what was installed.
#
#   PYTHON               the Python 3.11 to use (default: python3.11, or python3 where that is 3.11)
#   UNRENDER_TORCH_INDEX a package index to take torch from, such as PyTorch's own one with CPU builds; on Linux the
#                        general index serves a build with several gigabytes of CUDA libraries
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

stamp=.venv/unrender-installed

fail() {
    echo "setup: $*" >&2
    exit 1
}

wanted() { # what the installed set depends on
    cat pyproject.toml constraints.txt scripts/setup.sh | sha256sum | cut -d ' ' -f 1
}

install_packages() { # apt-get install "$@", or name the command where that is not allowed
    local command="apt-get install -y --no-install-recommends $*"
    command -v apt-get >/dev/null || fail "these system packages are missing, install what your system calls them: $*"
    local as_root=()
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null && sudo -n true 2>/dev/null || fail "system packages are missing; run: sudo $command"
        as_root=(sudo -n)
    fi
    echo "setup: installing system packages: $*"
    "${as_root[@]}" apt-get update -qq || echo "setup: the list of packages could not be refreshed; trying with the old one" >&2
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive $command -qq >/dev/null || fail "this failed: $command"
}

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3.11 python3 python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "Python 3.11 was not found (the bpy package needs just that one): install it, or name it with PYTHON=/path/to/python3.11"
}

make_environment() {
    [ -x .venv/bin/python ] && return
    local python
    python=$(find_python)
    # Debian and Ubuntu keep the module that makes environments in a package of its own.
    "$python" -c 'import ensurepip, venv' 2>/dev/null || install_packages python3.11-venv
    echo "setup: making .venv"
    "$python" -m venv .venv
}

requirements() { # what pyproject.toml asks for, one a line
    .venv/bin/python - <<'PYTHON'
import tomllib

with open("pyproject.toml", "rb") as file:
    project = tomllib.load(file)["project"]
extras = project["optional-dependencies"]
print(*project["dependencies"], *extras["train"], *extras["cutout"], *extras["dev"], sep="\n")
PYTHON
}

install_python_packages() {
    local pip=(.venv/bin/python -m pip --disable-pip-version-check)
    echo "setup: installing torch"
    "${pip[@]}" install --quiet --constraint constraints.txt ${UNRENDER_TORCH_INDEX:+--index-url "$UNRENDER_TORCH_INDEX"} torch
    echo "setup: installing bpy and the rest"
    "${pip[@]}" install --quiet --constraint constraints.txt --requirement <(requirements)
}

missing_system_packages() { # Debian's names of the shared libraries that bpy needs and this system lacks
    .venv/bin/python - <<'PYTHON'
import ctypes
import sys

PACKAGES = {
    "libEGL.so.1": "libegl1", "libGL.so.1": "libgl1", "libICE.so.6": "libice6", "libSM.so.6": "libsm6",
    "libX11.so.6": "libx11-6", "libXext.so.6": "libxext6", "libXfixes.so.3": "libxfixes3", "libXi.so.6": "libxi6",
    "libXrender.so.1": "libxrender1", "libXt.so.6": "libxt6", "libXxf86vm.so.1": "libxxf86vm1",
    "libgomp.so.1": "libgomp1", "libxkbcommon.so.0": "libxkbcommon0",
}


def is_missing(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return True
    return False


if sys.platform == "linux":
    print(*(package for library, package in PACKAGES.items() if is_missing(library)))
PYTHON
}

install_system_libraries() {
    local packages
    packages=$(missing_system_packages)
    # shellcheck disable=SC2086 # a list of names
    [ -z "$packages" ] || install_packages $packages
    .venv/bin/python -c 'import bpy' || fail "the bpy package is installed but does not load, see above"
}

if [ "$(cat "$stamp" 2>/dev/null)" != "$(wanted)" ]; then
    make_environment
    install_python_packages
    install_system_libraries
    wanted >"$stamp"
    echo "setup: done"
fi

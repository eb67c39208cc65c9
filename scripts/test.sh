#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Sets up and runs all tests: style, types, the tests in Python and in the bpy package, and where a real Blender
# is at hand those that click in its window. Arguments go to pytest instead of the whole suite: test.sh tests/models/test_crop.py
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/setup.sh
python=$PWD/.venv/bin/python
# Threads that spin while they wait for one another make a busy machine many times slower.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}

echo "== style"
"$python" -m ruff check .
"$python" -m ruff format --check .
echo "== types"
"$python" -m mypy
echo "== tests"
if [ $# -gt 0 ]; then
    exec "$python" -m pytest "$@"
fi
# Two processes share the files; each computes with one thread.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
"$python" -m pytest -n 2 --dist loadfile --no-loadscope-reorder --durations=10

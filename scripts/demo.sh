#!/usr/bin/env bash
# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# From a fresh machine to a scene: sets up, then turns one picture of a car into out/demo/.
#
#   bash scripts/demo.sh [PICTURE]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
picture=${1:-examples/car.jpg}
bash scripts/setup.sh

# The batch command gives every picture a folder of its own; the demo has one picture and puts it straight into out/demo.
rm -rf out/demo
mkdir -p out
work=$(mktemp -d out/demo-XXXXXX)
trap 'rm -rf "$work"' EXIT
.venv/bin/python scripts/image_to_3d.py -- "$picture" --out "$work" --report "$work/report.json"
mkdir out/demo
mv "$work"/*/* out/demo/

echo "The scene, the picture of it and the rest are in out/demo:"
ls -1 out/demo

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The zip in a real Blender without a backend: from a repository's index, then the button in the panel."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.blender.test_installation import wheel
from tests.window.test_window import PIXELS_OF_A_PICTURE, ROOT, TOOL, VERSIONS, Blender

pytestmark = pytest.mark.window

SCRIPT = Path(__file__).with_name("install.py")


def test_a_blender_without_a_backend_offers_to_install_it(tmp_path):
    if not TOOL.exists():
        pytest.skip("real-blender is not at hand")
    blender = Blender(VERSIONS[-1], tmp_path / "blender")
    del blender.environment["UNRENDER_PYTHON"]
    subprocess.run([sys.executable, ROOT / "scripts/build_extension.py", "--out", tmp_path / "zip"], check=True)
    ours = json.loads((tmp_path / "zip" / "index.json").read_text("utf-8"))
    (tmp_path / "zip" / "index.json").unlink()
    blender.run("--command", "extension", "server-generate", "--repo-dir", tmp_path / "zip")
    assert json.loads((tmp_path / "zip" / "index.json").read_text("utf-8")) == ours, "as Blender itself writes it"
    (path,) = (tmp_path / "zip").glob("*.zip")
    blender.run("--command", "extension", "install-file", path, "-r", "user_default", "-e")
    (tmp_path / "wheels").mkdir()
    wheel(tmp_path / "wheels", "tqdm")
    out = tmp_path / "out"
    startup = ["--factory-startup", "--window-geometry", *"0 0 1280 800".split()]
    blender.run(*startup, "-P", SCRIPT, "--", out, tmp_path / "wheels", check=False)
    told = json.loads((out / "told.json").read_text())
    assert told.get("finished"), told.get("traceback")
    assert not told["image_to_3d"] and not told["install_offline"]
    assert told["install_online"] and told["install_from_folder"] and told["click"] == ["RUNNING_MODAL"]
    # Debian's Python makes environments only with a package more; others lack torch in the folder.
    assert "python3-venv" in told["error"] or "has no wheel of" in told["error"]
    for name in ("missing", "offer", "failed", "preferences"):
        assert (out / f"{name}.png").stat().st_size > PIXELS_OF_A_PICTURE

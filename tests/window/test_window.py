# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built zip in real Blenders with a window: install, click, drag, cancel, crash; and the command without a window.

They run where ``../shared/tools/real-blender`` has Blender at hand, and leave the user's own Blender settings alone.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.window

ROOT = Path(__file__).resolve().parents[2]
TOOL = ROOT.parent / "shared" / "tools" / "real-blender"
VERSIONS = ("4.3", "5.2")
SECONDS = 280
BUNDLE = ROOT / "backend" / "weights" / "bundles" / "car"
PIXELS_OF_A_PICTURE = 10_000


class Blender:
    """One version with folders of its own for everything it writes."""

    def __init__(self, version, folder):
        self.version = version
        self.folder = folder
        self.environment = dict(
            os.environ,
            HOME=str(folder / "home"),
            BLENDER_USER_RESOURCES=str(folder / "resources"),
            UNRENDER_PYTHON=sys.executable,
        )
        (folder / "home").mkdir(parents=True)

    def run(self, *arguments, verb="run", check=True):
        command = [str(TOOL), verb, self.version, *map(str, arguments)]
        done = subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=SECONDS)
        if check and done.returncode != 0:
            pytest.fail(
                f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            )
        return done


@pytest.fixture(scope="module")
def zip_path(tmp_path_factory):
    folder = tmp_path_factory.mktemp("zip")
    subprocess.run([sys.executable, ROOT / "scripts" / "build_extension.py", "--out", folder], check=True)
    (path,) = folder.glob("*.zip")
    return path


@pytest.fixture(scope="module", params=VERSIONS)
def blender(request, tmp_path_factory, zip_path):
    """A real Blender with the extension installed and enabled."""
    if not TOOL.exists():
        pytest.skip("real-blender is not at hand")
    made = Blender(request.param, tmp_path_factory.mktemp(f"blender-{request.param}"))
    if made.run("python3", "-c", "import numpy", verb="shell", check=False).returncode != 0:
        # Official builds of Blender bring NumPy along; Debian only recommends it.
        install = "DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-numpy"
        made.run("sh", "-c", install, verb="shell")
    done = made.run("--command", "extension", "install-file", zip_path, "-r", "user_default", "-e")
    assert 'Installed "unrender"' in done.stdout and "Exception" not in done.stdout + done.stderr
    return made


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp("photos") / "Käfer 1303.png"
    from PIL import Image

    Image.linear_gradient("L").convert("RGB").resize((300, 200)).save(path)
    return path


def drive(blender, photo, mode):
    out = blender.folder / mode
    out.mkdir()
    startup = [
        "--factory-startup",
        "--addons",
        "bl_ext.user_default.unrender",
        "--window-geometry",
        *"0 0 1500 950".split(),
    ]
    done = blender.run(*startup, "-P", Path(__file__).with_name("drive.py"), "--", out, photo, mode, check=False)
    told = json.loads((out / "told.json").read_text())
    assert "traceback" not in told, told["traceback"]
    assert told["finished"]
    told["printed"] = done.stdout + done.stderr
    return told, out


def test_the_manifest_is_valid(blender, zip_path):
    assert "Success" in blender.run("--command", "extension", "validate", zip_path).stdout


def test_a_click_makes_an_object_and_the_window_stays_alive(blender, photo):
    told, out = drive(blender, photo, "toy")
    assert not told["background"] and told["blender"].startswith(blender.version)
    assert told["click"] == ["RUNNING_MODAL"]
    assert told["error"] == "" and told["is_unrender"] and told["camera_is_the_scenes"]
    assert max(told["dimensions"]) == pytest.approx(4.5, rel=1e-4)
    assert told["slider_returned_in"] < 0.1, "a slider must not wait for its effect"
    assert told["cancel_took"] < 1.5 + told["longest_pause"], "software OpenGL may take a while for one redraw"
    assert "stopped unexpectedly" in told["crash_error"]
    assert told["click_after_crash"] == ["RUNNING_MODAL"] and told["error_after_crash"] == ""
    for name in ("running", "done", "error"):
        assert (out / f"{name}.png").stat().st_size > PIXELS_OF_A_PICTURE


@pytest.fixture(scope="module")
def view_set(tmp_path_factory):
    """Four views of two contents each; the second has no guess."""
    folder = tmp_path_factory.mktemp("views")
    from PIL import Image

    rows = []
    (folder / "candidates").mkdir()
    for number, guess in enumerate((92.0, None, 181.0, 270.0)):
        Image.linear_gradient("L").rotate(90 * number).convert("RGB").resize((128, 64)).save(
            folder / "candidates" / f"{number:03d}.png"
        )
        rows.append({"id": number, "bin": None, "dropped": False, "guess_deg": guess, "elevation_guess_deg": None,
                     "consistency": 0.5, "source": "auto"})  # fmt: skip
    document = {"format": 1, "generator": "car", "split": 4, "resolution": 64, "annotation_seconds": 0.0, "views": rows}
    (folder / "views.json").write_text(json.dumps(document))
    return folder


def test_views_are_annotated_with_keys(blender, view_set, tmp_path):
    own = tmp_path / "set"
    shutil.copytree(view_set, own)
    told, out = drive(blender, own, "views")
    assert told["open"] == ["FINISHED"] and told["click"] == ["RUNNING_MODAL"]
    assert told["choose"] == ["FINISHED"] and told["runs_again"] and not told["still_running"]
    assert "Traceback" not in told["printed"], "the panels draw without an error"
    written = json.loads((own / "views.json").read_text())
    assert [view["bin"] for view in written["views"]] == [3, 11, 9, 11]
    assert {(view["dropped"], view["source"]) for view in written["views"]} == {(False, "person")}
    assert 1 < written["annotation_seconds"] < SECONDS
    for name in ("views", "finished"):
        assert (out / f"{name}.png").stat().st_size > PIXELS_OF_A_PICTURE


@pytest.mark.skipif(not (BUNDLE / "segmenter.safetensors").exists(), reason="the bundle is not there")
def test_a_photo_of_a_car_becomes_an_object(blender):
    photos = sorted((ROOT / "examples").glob("*.jpg"))
    if not photos:
        pytest.skip("no photo of a car is at hand")
    told, _ = drive(blender, photos[0], "real")
    assert told["click"] == ["RUNNING_MODAL"] and told["error"] == ""
    assert told["vertices"] >= 2000


@pytest.mark.skipif(not (BUNDLE / "segmenter.safetensors").exists(), reason="the bundle is not there")
def test_the_command_works_without_a_window(blender):
    photos = sorted((ROOT / "examples").glob("*.jpg"))
    if not photos:
        pytest.skip("no photo of a car is at hand")
    out = blender.folder / "command"
    blender.run(
        "--command", "unrender", "image-to-3d", photos[0], blender.folder / "missing.jpg", "--out", out, check=False
    )
    report = json.loads((out / "report.json").read_text())
    good, missing = report["photos"]
    assert good["error"] is None and missing["error"]
    assert (out / photos[0].stem / "scene.blend").stat().st_size > PIXELS_OF_A_PICTURE
    assert (out / photos[0].stem / f"{photos[0].stem}.glb").exists()

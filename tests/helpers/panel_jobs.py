# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The panel's jobs one after the other in a process of their own, which notes whatever goes towards a network.

    python -m tests.helpers.panel_jobs OUT PHOTO PICTURES      (in the bpy package, from the checkout)

The backend's check, a cut-out, a photo to an object with parts and to one of one surface, sliders, an object from a
seed, the scene matched, an asset, and a training, with the product's own worker and weights. Writes OUT/told.json;
children show what they do to strace alone.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

SOUGHT = ("socket.", "urllib.", "http.client.", "ftplib.", "smtplib.", "webbrowser.")
"""Beginnings of the names of Python's audit events that go towards a network."""
HARMLESS = ("socket.gethostname",)
LONGEST = 400.0

events: list[str] = []


def note(event: str, arguments: tuple[object, ...]) -> None:
    """Python's audit hook."""
    if event.startswith(SOUGHT) and event not in HARMLESS:
        events.append(f"{event} {arguments!r}"[:300])


def jobs(bpy, out: Path, photo: str, pictures: str) -> dict[str, object]:
    """Does them; returns what came of each."""
    from addon import assets, training_watch

    settings, told = bpy.context.scene.unrender, {}
    settings.image_path, settings.quality = photo, "draft"
    told["checked"] = sorted(bpy.ops.unrender.check_environment())
    told["cut_out"] = sorted(bpy.ops.unrender.cut_out())
    told["photo"] = sorted(bpy.ops.unrender.image_to_3d())
    made = bpy.context.view_layer.objects.active
    made.unrender.azimuth += 0.1
    told["matched"] = sorted(bpy.ops.unrender.match_photo())
    told["asset"] = sorted(bpy.ops.unrender.mark_asset())
    told["is_asset"] = assets.marked(made) is not None
    settings.shape = "surface"  # its texture is the worker's
    told["surface"] = sorted(bpy.ops.unrender.image_to_3d())
    bpy.context.view_layer.objects.active.unrender.texture[0] = 1.0
    settings.shape = "parts"
    settings.new_count, settings.texture_size = 1, "256"
    told["seed"] = sorted(bpy.ops.unrender.generate(seed=3))
    told["objects"] = len([one for one in bpy.data.objects if one.unrender.is_unrender])
    training = bpy.context.scene.unrender_training
    training.runs_folder, training.data, training.task, training.preset = str(out), pictures, "stylegan2", "tiny"
    training.settings = (
        "kimg=0.064 log_kimg=0.032 evaluate_kimg=0.064 judge.samples=0 judge.grid=2 images.resolution=32"
    )
    told["training"] = sorted(bpy.ops.unrender.start_training())
    until = time.monotonic() + LONGEST
    while time.monotonic() < until:
        training_watch.look()
        run = training_watch.chosen()
        if run is not None and not run.is_under_way:
            break
        time.sleep(0.2)
    told["run"] = run.state, run.sentence
    return told


def main() -> None:
    """Registers the add-on of the checkout, and does the jobs."""
    out, photo, pictures = sys.argv[1:]
    sys.addaudithook(note)
    import bpy

    import addon

    bpy.ops.wm.read_homefile(use_empty=True)
    addon.register()
    told = {"online": bpy.app.online_access}
    try:
        told |= jobs(bpy, Path(out), photo, pictures)
    finally:
        addon.unregister()
        told["events"] = events
        (Path(out) / "told.json").write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows results in other light: a row for each scene, with its photo and the object under several worlds.

    blender -b -P scripts/relight.py -- OUT/*/scene.blend --sheet relit.png [--worlds city.exr sunset.exr night.exr]
    python scripts/relight.py -- OUT/*/scene.blend --sheet relit.png

Scenes are those of Image to 3D. Worlds are panoramas (.exr, .hdr); without any, three that come with Blender. Under
each world the object is seen from the photo's side, and from the opposite one.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import command_line
import numpy as np

WORLDS = ("city", "sunset", "courtyard")
"""Of the panoramas that come with Blender."""
WIDTH, HEIGHT = 200, 132
OPPOSITE = np.pi + 0.6
"""Radians from the photo's side to the other one that is shown."""


def parse(arguments: list[str]) -> argparse.Namespace:
    """Returns the checked command line; leaves the program on a wrong one."""
    parser = argparse.ArgumentParser(prog="relight.py", description="Shows results in other light.")
    parser.add_argument("scenes", nargs="+", type=Path, metavar="SCENE", help="scene.blend of a result")
    parser.add_argument("--worlds", nargs="+", type=Path, default=[], metavar="FILE", help="panoramas, .exr or .hdr")
    parser.add_argument("--sheet", type=Path, required=True, help="PNG to write")
    options = parser.parse_args(arguments)
    for path in (*options.scenes, *options.worlds):
        if not path.is_file():
            parser.error(f"{path} is no file")
    return options


def main(arguments: list[str]) -> int:
    """Renders all rows, and writes the sheet; returns the exit code."""
    options = parse(arguments)
    import bpy

    import addon
    from addon import batch_run, pixels, scene

    folder = Path(bpy.utils.resource_path("LOCAL")) / "datafiles" / "studiolights" / "world"
    worlds = options.worlds or [folder / f"{name}.exr" for name in WORLDS]
    rows = []
    with addon.registered():
        for number, path in enumerate(options.scenes, 1):
            print(f"[{number}/{len(options.scenes)}] {path}", flush=True)
            with batch_run.quietly():
                bpy.ops.wm.open_mainfile(filepath=str(path.absolute()))
            owners = [one for one in bpy.data.objects if one.get(scene.CAMERA) is not None]
            if not owners:
                print(f"relight.py: {path} holds no object of Image to 3D.", file=sys.stderr)
                return 1
            with batch_run.quietly():
                rows.append(row(bpy.context.scene, owners[0], worlds))
    options.sheet.parent.mkdir(parents=True, exist_ok=True)
    pixels.write_png(options.sheet, pixels.to_bytes(np.concatenate(rows)))
    return 0


def row(target: Any, owner: Any, worlds: list[Path]) -> np.ndarray:
    """Returns a picture (HEIGHT, (1 + 2 worlds) WIDTH, 3) of the photo and the object under each world."""
    import bpy

    from addon import pixels, preview, scene
    from addon.camera import camera_from_numbers

    pose = camera_from_numbers(list(owner[scene.CAMERA]))
    camera = owner.unrender.camera
    photo = pixels.read(camera.data.background_images[0].image)[..., :3]
    tiles = [_fitted(photo)]
    sides = [replace(preview.side_poses(pose)[0], azimuth=pose.azimuth + turn) for turn in (0.0, OPPOSITE)]
    for path in worlds:
        target.world = _world(bpy, path)
        with preview.render_settings(target):
            for side in sides:
                tiles.append(_over_grey(preview.render_from(target, owner, side, WIDTH, HEIGHT)))
    return np.concatenate(tiles, axis=1)


def _world(bpy: Any, path: Path) -> Any:
    world = bpy.data.worlds.new(path.stem)
    if world.node_tree is None:
        world.use_nodes = True
    tree = world.node_tree
    tree.nodes.clear()
    output, background = tree.nodes.new("ShaderNodeOutputWorld"), tree.nodes.new("ShaderNodeBackground")
    panorama = tree.nodes.new("ShaderNodeTexEnvironment")
    panorama.image = bpy.data.images.load(str(path), check_existing=True)
    tree.links.new(panorama.outputs["Color"], background.inputs["Color"])
    tree.links.new(background.outputs["Background"], output.inputs["Surface"])
    return world


def _fitted(photo: np.ndarray) -> np.ndarray:
    """A photo (h, w, 3) in the middle of a grey tile."""
    from addon import pixels

    scale = min(WIDTH / photo.shape[1], HEIGHT / photo.shape[0])
    height, width = (max(1, round(side * scale)) for side in photo.shape[:2])
    tile = np.full((HEIGHT, WIDTH, 3), 0.86, np.float32)
    top, left = (HEIGHT - height) // 2, (WIDTH - width) // 2
    tile[top : top + height, left : left + width] = pixels.resized(photo, height, width)
    return tile


def _over_grey(drawn: np.ndarray) -> np.ndarray:
    """A render (h, w, 4) before the grey of the tiles."""
    return drawn[..., :3] * drawn[..., 3:] + 0.86 * (1 - drawn[..., 3:])


if __name__ == "__main__":
    sys.exit(main(command_line.own_arguments(sys.argv)))

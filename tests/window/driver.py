# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the scripts share that run inside a real Blender: a story in steps, waiting, screenshots, and what is told.

Everything goes through timers, as a user's clicks do: a timer that blocked would freeze the window. A story is a
generator; each of its yields gives the window a turn.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import bpy

ROOT = Path(__file__).resolve().parents[2]
EXTENSION = "bl_ext.user_default.unrender"
TICKS_TO_DRAW = 6
TRIES = 100
LONGEST_STORY = 250.0
"""Seconds after which a script gives up: its test waits for a little longer."""

Story = Iterator[None]

told: dict = {"blender": bpy.app.version_string, "background": bpy.app.background}
"""What the script tells the test: written to OUT/told.json at its end."""


def words() -> list[str]:
    """The script's arguments."""
    return sys.argv[sys.argv.index("--") + 1 :]


def register_checkout() -> None:
    """Registers the add-on of this checkout, so that its weights are found."""
    sys.path.insert(0, str(ROOT))
    import addon

    addon.register()


def module(name: str, package: str = EXTENSION):
    """A module of the add-on: of the installed extension, or with an empty ``package`` of the checkout."""
    return sys.modules[f"{package}.addon.{name}" if package else f"addon.{name}"]


def use_toy_worker(out: Path, mode: str = "", package: str = EXTENSION) -> None:
    """Puts the toy handlers of the tests in the worker's place; UNRENDER_PYTHON names its interpreter."""
    environment, client = module("environment", package), module("wire", package).client
    interpreter = environment.find(os.environ["UNRENDER_PYTHON"]).path
    arguments = [str(interpreter), "-m", "tests.helpers.toy_worker", *([mode] if mode else [])]
    command = client.WorkerCommand(arguments, ROOT, out / "worker.log")
    environment.worker_command = lambda chosen="": command


def window() -> bpy.types.Window:
    return bpy.context.window_manager.windows[0]


def viewports() -> list[bpy.types.Area]:
    """The 3D viewports from left to right."""
    return sorted((area for area in window().screen.areas if area.type == "VIEW_3D"), key=lambda area: area.x)


def viewport() -> bpy.types.Area:
    return viewports()[0]


def region_of(area: bpy.types.Area, kind: str) -> bpy.types.Region:
    return next(region for region in area.regions if region.type == kind)


def in_viewport(area: bpy.types.Area | None = None, kind: str = "WINDOW"):
    """A context in which operators are called as from a viewport, or another region of it."""
    area = area or viewport()
    return bpy.context.temp_override(window=window(), area=area, region=region_of(area, kind))


def click(operator, **arguments) -> list[str]:
    """Calls an operator as its button does."""
    with in_viewport():
        return sorted(operator("INVOKE_DEFAULT", **arguments))


def open_tab(area: bpy.types.Area | None = None) -> Story:
    """The sidebar, with our tab in front: it can be chosen once the sidebar was drawn."""
    area = area or viewport()
    area.spaces.active.show_region_ui = True
    for _ in range(TRIES):
        try:
            region_of(area, "UI").active_panel_category = "Unrender"
            return
        except AttributeError:
            area.tag_redraw()
            yield
    raise TimeoutError("the sidebar has no tab of ours")


def leave_one_viewport() -> Story:
    """One viewport that fills the window; the other areas make room for it."""
    for kind in ("DOPESHEET_EDITOR", "PROPERTIES", "OUTLINER"):
        area = next(area for area in window().screen.areas if area.type == kind)
        with bpy.context.temp_override(window=window(), area=area):
            bpy.ops.screen.area_close()
        yield


def wait(seconds: float) -> Story:
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        yield


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> Story:
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise TimeoutError("waited too long")
        yield


def draw() -> Story:
    """Lets the window show what has changed."""
    for _ in range(TICKS_TO_DRAW):
        for area in window().screen.areas:
            area.tag_redraw()
        yield


def press(key: str) -> None:
    """Presses a key of the real keyboard's."""
    subprocess.run(["xdotool", "key", key], check=True)


def move_mouse(x: float, y: float) -> None:
    """Moves the real mouse; pixels of the virtual screen from its upper left."""
    subprocess.run(["xdotool", "mousemove", str(round(x)), str(round(y))], check=True)


def click_on_screen(x: float, y: float) -> None:
    """As :func:`move_mouse`, then clicks."""
    subprocess.run(["xdotool", "mousemove", str(round(x)), str(round(y)), "click", "1"], check=True)


def screenshot(path: Path, *, whole_screen: bool = False, largest_width: int = 0) -> None:
    """Of the window, on the virtual screen: from a timer, Blender's own operator finds an empty frame.

    ``largest_width`` > 0: reduced to that width, with 256 colours.
    """
    # Blender counts from the screen's lower left corner.
    part = f"{window().width}x{window().height}+{window().x}+{window().y}"
    cut = [] if whole_screen else ["-gravity", "SouthWest", "-crop", part, "+repage"]
    small = ["-resize", f"{largest_width}x>", "+dither", "-strip"] if largest_width else []
    name = f"PNG8:{path}" if largest_width else str(path)
    subprocess.run(["import", "-window", "root", *cut, *small, name], check=True)


def brighten(system: bpy.types.PreferencesSystem) -> None:
    """Lights solid shading by one white lamp above us and from all around, so that paint has its own colour."""
    system.use_studio_light_edit = True
    system.light_ambient = (0.5, 0.5, 0.5)
    for number, lamp in enumerate(system.solid_lights):
        lamp.use = number == 0
        lamp.direction, lamp.smooth = (-0.25, 0.65, 0.72), 0.2
        lamp.diffuse_color, lamp.specular_color = (0.95, 0.95, 0.95), (0.15, 0.15, 0.15)


def tell(story: Story, out: Path, tick: float = 0.1, longest_wait: float = LONGEST_STORY) -> None:
    """Has a story go on with every tick; at its end, or after ``longest_wait`` seconds, writes what was told and quits.

    ``told["longest_pause"]`` is the longest time between two ticks, in seconds.
    """
    out.mkdir(parents=True, exist_ok=True)
    bpy.context.preferences.view.show_splash = False
    told["longest_pause"] = 0.0
    began = last = time.monotonic()

    def step() -> float | None:
        nonlocal last
        now = time.monotonic()
        told["longest_pause"], last = max(told["longest_pause"], now - last), now
        try:
            next(story)
            if now - began < longest_wait:
                return tick
            told["traceback"] = "waited too long"
        except StopIteration:
            told["finished"] = True
        except Exception:
            told["traceback"] = traceback.format_exc()
        if "traceback" in told:
            screenshot(out / "failed.png", whole_screen=True)
        (out / "told.json").write_text(json.dumps(told, indent=1))
        with bpy.context.temp_override(window=window()):
            bpy.ops.wm.quit_blender()
        return None

    bpy.app.timers.register(step, first_interval=1.0, persistent=True)  # a story may open another file

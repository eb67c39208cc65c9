# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mouse and keyboard for stories in a real Blender: finds buttons by what is under the pointer, as an eye would.

Only the X server's own events change anything here. Blender is asked, never told: which button the pointer is over, how
large a region is, whether a window has opened. Positions are pixels of a window from its lower left.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import bpy

from tests.window import driver

STEP = 11
"""Pixels between two rows that are looked at: less than half a button's height."""
COLUMNS = (0.5, 0.8, 0.25, 0.9)
"""Where a row is looked at, in widths of its region."""
WHEEL_UP, WHEEL_DOWN = 4, 5
"""The wheel as buttons of the mouse."""
TO_TOP, A_WHILE = 40, 6
"""Clicks of the wheel."""
MARGIN = 25
"""Pixels at both ends of a region in which a button may be cut off."""
PLACE_OF_NEW = (100, 40)
"""Upper left corner of windows that open, on the screen."""
TOP_BAR = 14
"""Pixels from the window's upper edge to the middle of the menus there, which are no area that could be asked."""
LOOKS = 6
"""How often a region is scrolled on before a button counts as missing."""
LONGEST_WAIT = 60.0

Steps = Generator[None, None, Any]


@dataclass(frozen=True)
class Region:
    """A region of an area of a window, found anew at each look: Blender's own references do not last."""

    area: str
    kind: str
    number: int = 0
    """Of the window that shows it; −1: the newest."""

    def window(self) -> bpy.types.Window:
        return bpy.context.window_manager.windows[self.number]

    def found(self) -> tuple[bpy.types.Area, bpy.types.Region] | None:
        """The area and region; None where the window does not show them."""
        for area in self.window().screen.areas:
            if area.type == self.area:
                return area, next(one for one in area.regions if one.type == self.kind)
        return None


SIDEBAR, VIEWPORT = Region("VIEW_3D", "UI"), Region("VIEW_3D", "WINDOW")


def run(*arguments: object) -> str:
    """Runs xdotool."""
    command = ["xdotool", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def on_screen(window: bpy.types.Window, x: float, y: float) -> tuple[int, int]:
    """Pixels of the screen from its upper left."""
    height = int(run("getdisplaygeometry").split()[1])
    return round(window.x + x), round(height - window.y - y)


def under_pointer(place: Region) -> str:
    """What an operator's button would run, or which property a field shows; empty where there is nothing."""
    found = place.found()
    if found is None:
        return ""
    manager = bpy.context.window_manager
    with bpy.context.temp_override(window=place.window(), area=found[0], region=found[1]):
        if bpy.ops.ui.copy_python_command_button.poll():
            manager.clipboard = ""
            bpy.ops.ui.copy_python_command_button()
            return str(manager.clipboard)
        shown = bpy.context.property
        return f"{type(shown[0]).__name__}.{shown[1]}[{shown[2]}]" if shown else ""


def point(place: Region, x: float, y: float) -> None:
    """Moves the pointer."""
    run("mousemove", *on_screen(place.window(), x, y))


def focus() -> None:
    """Gives the keyboard to the window under the pointer, as a window manager does."""
    there = dict(line.split("=") for line in run("getmouselocation", "--shell").split())["WINDOW"]
    run("windowfocus", there)


def point_at_middle(place: Region) -> Steps:
    """Moves the pointer into a region, left of its middle, where no gizmo is."""
    _, region = place.found()
    point(place, region.x + 0.3 * region.width, region.y + 0.4 * region.height)
    yield from driver.wait(0.3)


def press(key: str, place: Region = VIEWPORT) -> Steps:
    """Presses a key with the pointer over a region."""
    yield from point_at_middle(place)
    focus()
    run("key", key)
    yield from driver.wait(0.5)


def find(place: Region, wanted: str) -> Steps:
    """Returns where a button or field is whose name has a text in it; scrolls through the region for it."""
    for look in range(LOOKS):
        found = yield from look_for(place, wanted)
        if found is not None and (look == 1 or not is_cut_off(place, found[1])):  # 1: nothing is above
            return found
        yield from scroll(place, *((WHEEL_UP, TO_TOP) if look == 0 else (WHEEL_DOWN, A_WHILE)))
    raise TimeoutError(f"no button has {wanted}")


def find_near(place: Region, wanted: str, y: float) -> Steps:
    """Returns where a button is that has just taken the place of another one at a height of ``y``."""
    _, region = place.found()
    x = region.x + 0.5 * region.width
    for _ in range(LOOKS):
        for away in (0, 10, -10, 20, -20, 30, -30, 40, -40, 50, -50):
            point(place, x, y + away)
            yield
            if wanted in under_pointer(place):
                yield from driver.wait(0.15)  # the pointer's last place may have been such a button
                if wanted in under_pointer(place):
                    return x, y + away
    raise TimeoutError(f"no button near {y} has {wanted}")


def choose_from_top_bar(x: float, key: str) -> Steps:
    """Opens the menu at pixels from the main window's left, and presses the key that is underlined in an entry."""
    window = driver.window()
    run("mousemove", *on_screen(window, x, window.height - TOP_BAR))
    yield from driver.wait(0.3)
    focus()
    run("click", 1)
    yield from driver.wait(1.0)
    run("key", key)


def is_cut_off(place: Region, y: float) -> bool:
    """Whether what is there may be scrolled halfway out of a long region."""
    _, region = place.found()
    return region.height > 10 * MARGIN and not region.y + MARGIN < y < region.y + region.height - MARGIN


def look_for(place: Region, wanted: str) -> Steps:
    """As :func:`find`, in what is shown of the region; None where there is no such button."""
    _, region = place.found()
    for column in COLUMNS:
        x = region.x + column * region.width
        for y in range(region.y + region.height - 4, region.y + 3, -STEP):
            point(place, x, y)
            yield
            if wanted in under_pointer(place):
                point(place, x, y - 4)
                yield from driver.wait(0.2)
                return (x, y - 4) if wanted in under_pointer(place) else (x, y)
    return None


def scroll(place: Region, wheel: int, clicks: int) -> Steps:
    """Turns the wheel at the region's top, where a panel is: beside panels it would zoom the viewport behind them."""
    _, region = place.found()
    point(place, region.x + 0.5 * region.width, region.y + region.height - 15)
    yield from driver.wait(0.2)
    run("click", "--repeat", clicks, "--delay", 5, wheel)
    yield from driver.wait(0.5)


def click(place: Region, wanted: str) -> Steps:
    """Clicks a button."""
    x, y = yield from find(place, wanted)
    point(place, x, y)
    yield from driver.wait(0.2)
    run("click", 1)
    yield from driver.wait(0.4)


def type_into(place: Region, wanted: str, text: str) -> Steps:
    """Types a text into a field, in place of what it had."""
    yield from click(place, wanted)
    yield from type_text(text)


def type_text(text: str) -> Steps:
    """Types into the field that the pointer is on, and that was clicked once."""
    focus()
    run("click", "--repeat", 2, "--delay", 60, 1)
    yield from driver.wait(0.4)
    run("key", "ctrl+a")
    run("type", "--delay", 15, text)
    yield from driver.wait(0.3)
    run("key", "Return")
    yield from driver.wait(0.8)


def drag(place: Region, wanted: str, far: float) -> Steps:
    """Drags a slider by pixels to the right."""
    x, y = yield from find(place, wanted)
    left, top = on_screen(place.window(), x, y)
    run("mousemove", left, top, "mousedown", 1)
    yield from driver.wait(0.2)
    for step in range(1, 7):
        run("mousemove", left + round(far * step / 6), top)
        yield
    yield from driver.wait(0.2)
    run("mouseup", 1)
    yield from driver.wait(0.4)


def windows() -> int:
    return len(bpy.context.window_manager.windows)


def until_window(count: int) -> Steps:
    """Waits until there are so many windows, and puts the newest where all of it is seen, as a window manager does."""
    yield from driver.wait_until(lambda: windows() == count, LONGEST_WAIT)
    yield from driver.wait(0.5)
    newest = max(map(int, run("search", "--onlyvisible", "--class", "Blender").split()))
    run("windowmove", newest, *PLACE_OF_NEW)
    yield from driver.wait(1.0)


class MainWindow:
    """Blender's first window on the X server, which has no window manager that raised what is clicked."""

    def __init__(self) -> None:
        self._identifier = run("search", "--onlyvisible", "--class", "Blender").split()[0]

    def to_front(self) -> Steps:
        """Raises it above the others."""
        run("windowraise", self._identifier)
        yield from driver.wait(0.8)


def choose_folder(folder: str) -> Steps:
    """Types a folder into the file browser of the newest window."""
    yield from type_into(Region("FILE_BROWSER", "UI", -1), ".directory", folder + "/")
    yield from point_at_middle(Region("FILE_BROWSER", "WINDOW", -1))
    run("click", 1)  # the field stays open after Return
    yield from driver.wait(1.0)


def choose_file(path: str, before: int) -> Steps:
    """Types a file's path into the file browser that opens as one window more than ``before``, and confirms."""
    yield from until_window(before + 1)
    folder, _, name = path.rpartition("/")
    yield from choose_folder(folder)
    below = Region("FILE_BROWSER", "EXECUTE", -1)
    _, region = below.found()
    point(below, region.x + 0.2 * region.width, region.y + 0.5 * region.height)  # Blender does not say what is there
    yield from driver.wait(0.3)
    run("click", 1)
    yield from driver.wait(0.4)
    yield from type_text(name)
    yield from click(below, "file.execute")
    yield from driver.wait_until(lambda: windows() <= before, LONGEST_WAIT)
    yield from driver.wait(0.5)


def choose_tab(name: str, sidebar: Region = SIDEBAR) -> Steps:
    """Clicks along the sidebar's tabs until one is in front."""
    _, region = sidebar.found()
    for y in range(region.y + region.height - 20, region.y, -20):
        if region.active_panel_category == name:
            return
        point(sidebar, region.x + region.width - 14, y)
        yield from driver.wait(0.1)
        run("click", 1)
        yield from driver.wait(0.4)
        _, region = sidebar.found()
    raise TimeoutError(f"the sidebar has no tab {name}")


def wait_for(condition: Callable[[], bool], seconds: float = LONGEST_WAIT) -> Steps:
    """As :func:`driver.wait_until`, for the end of what was begun with the hands."""
    yield from driver.wait_until(condition, seconds)
    yield from driver.draw()

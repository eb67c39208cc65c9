# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
r"""Runs inside a real Blender: how alive the window stays while a photo becomes an object, and how soon a cancel ends.

    blender --factory-startup --window-geometry 0 0 800 500 -P measure_job.py -- OUT PHOTO [RUNS]

A timer that looks every two milliseconds measures how long Blender's main loop stands still, and counts redraws: the
viewport is asked for a new picture at each look. Told apart are the time while the worker works, and the moment in
which the scene is built. What the same redraws are without a job stands beside. The first run starts the worker, the
second has it warm; a third is cancelled in its middle. UNRENDER_PYTHON names the worker's interpreter. Prints a table;
writes OUT/told.json.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import bpy

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.window import driver  # noqa: E402 - only now is the checkout on the path
from tests.window.driver import told  # noqa: E402

OUT, PHOTO = (Path(text).absolute() for text in driver.words()[:2])
RUNS = int(driver.words()[2]) if len(driver.words()) > 2 else 2
TICK = 0.002
LONGEST_WAIT = 240.0
IDLE_SECONDS = 4.0
BUILDING = 0.995
"""Part of a job from which on its result is put into the scene."""

drawn = 0


def count_drawing():
    global drawn
    drawn += 1


class Watch:
    """Redraws a second and pauses of the main loop, in seconds, from one look to the next."""

    def __init__(self):
        self.began = self.last = time.perf_counter()
        self.first, self.pauses, self.at = drawn, [], ""

    def look(self):
        from addon import session

        now = time.perf_counter()
        self.pauses.append(now - self.last)
        if self.pauses[-1] >= max(self.pauses):
            self.at = f"{session.status.stage}, {now - self.began:.2f} s after the beginning"
        self.last = now
        driver.viewport().tag_redraw()

    def figures(self):
        seconds = max(self.last - self.began, 1e-6)
        return {
            "seconds": round(seconds, 2), "redraws_a_second": round((drawn - self.first) / seconds, 1),
            "longest_pause": round(max(self.pauses, default=0.0), 3),
            "pauses_over_0.2": sum(pause > 0.2 for pause in self.pauses), "longest_at": self.at,
        }  # fmt: skip


def watched(condition, seconds=LONGEST_WAIT):
    """Looks until a condition holds; returns the watch."""
    watch, end = Watch(), time.perf_counter() + seconds
    while not condition():
        if time.perf_counter() > end:
            raise TimeoutError("waited too long")
        yield
        watch.look()
    return watch


def begin():
    """Presses the button."""
    settings = bpy.context.scene.unrender
    settings.image_path = str(PHOTO)
    driver.click(bpy.ops.unrender.image_to_3d)


def run(name):
    """One job to its end, and what the window did meanwhile."""
    from addon import session

    status = session.status
    begin()
    watch = yield from watched(lambda: status.fraction >= BUILDING or not status.running)
    told["jobs"][name] = {"working": watch.figures()}
    watch = yield from watched(lambda: not status.running)
    for _ in range(5):  # the first pictures with the object belong to its coming
        yield
        watch.look()
    told["jobs"][name]["building"] = watch.figures()
    told["jobs"][name]["error"] = status.error


def story():
    """Idle, two jobs, and one that is cancelled."""
    from addon import session

    told["jobs"] = {}
    status = session.status
    yield from driver.leave_one_viewport()
    yield from driver.open_tab()
    bpy.types.SpaceView3D.draw_handler_add(count_drawing, (), "WINDOW", "POST_PIXEL")
    end = time.perf_counter() + IDLE_SECONDS
    watch = yield from watched(lambda: time.perf_counter() > end)
    told["idle"] = watch.figures()
    for number in range(RUNS):
        yield from run("cold" if number == 0 else f"warm {number}")
    begin()
    yield from watched(lambda: status.fraction > 0.3 or not status.running)
    began = time.perf_counter()
    driver.click(bpy.ops.unrender.cancel)
    watch = yield from watched(lambda: not status.running)
    told["cancel"] = {**watch.figures(), "seconds": round(time.perf_counter() - began, 3)}
    print("idle", told["idle"])
    for name, figures in told["jobs"].items():
        print(name, figures)
    print("cancel", told["cancel"], flush=True)


driver.register_checkout()
driver.tell(story(), OUT, tick=TICK, longest_wait=900.0)

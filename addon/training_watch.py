# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows the runs of trainings while Blender is open: a timer, the list in the window manager, pictures of a run.

Nothing here decides anything: the files in the runs' folders do (:mod:`.training_runs`). So undo, another file, and a
Blender that is opened anew find the same list.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import bpy
import bpy.utils.previews
import numpy as np
from bpy.app.handlers import persistent

from . import pixels, places, thumbnails, training_chain, training_figures, training_runs, training_use
from .wire import category_steps

BUSY_SECONDS, IDLE_SECONDS = 0.5, 3.0
"""Time between two looks while a run is under way, and while none is."""
PLOT_WIDTH, PLOT_HEIGHT = 960, 640
"""Size of the plot in an Image Editor, in pixels."""
SMALL_SIDE = 240
"""Side of the plot in the panel."""
IMAGE_OF = "unrender_training"
"""Custom property of the images that show a run: which of its pictures they are."""
PLOT, SHEET = "losses", "samples"


@dataclass
class Watch:
    """What is known of the runs. Never saved."""

    runs: training_runs.Runs | None = None
    chosen: Path | None = None
    """Folder of the run that is chosen in the list."""
    error: str = ""
    series: training_figures.Series = field(default_factory=dict)
    """Figures of the chosen run that its plot shows."""
    sheet: Path | None = None
    """Its newest picture of samples."""
    drawn: object = None
    """What the pictures were made of."""
    log: training_figures.Log | None = None
    steps: tuple[object, list[category_steps.Step]] | None = None
    """Steps of the category that the panel names, and what they were read from."""
    previews: bpy.utils.previews.ImagePreviewCollection | None = None


watch = Watch()
_filling = False


def root(scene: bpy.types.Scene | None = None) -> Path:
    """Returns the folder of runs, whether it is there or not."""
    settings = getattr(scene or bpy.context.scene, "unrender_training", None)
    chosen = settings.runs_folder if settings is not None else ""
    return Path(os.path.abspath(bpy.path.abspath(chosen))) if chosen else places.user_folder() / "runs"


def runs() -> training_runs.Runs:
    """Returns the runs of the present folder, as they were at the last look."""
    folder = root()
    if watch.runs is None or watch.runs.root != folder:
        children = watch.runs.children if watch.runs is not None else {}
        watch.runs = training_runs.Runs(folder)
        watch.runs.children = children
        watch.runs.look()
    return watch.runs


def chosen() -> training_runs.Run | None:
    """Returns the run that is chosen in the list."""
    return runs().find(watch.chosen)


def category_folder(scene: bpy.types.Scene) -> Path | None:
    """Returns the folder of the category that the panel names; None where it has no name."""
    try:
        return training_chain.folder_of(root(scene), scene.unrender_training.category)
    except ValueError:
        return None


def category_run(scene: bpy.types.Scene) -> training_runs.Run | None:
    """Returns the run of that category, once it has begun."""
    return runs().find(category_folder(scene))


def category_steps_of(scene: bpy.types.Scene) -> list[category_steps.Step]:
    """Returns the steps of that category; read again only where their file has changed."""
    folder, run = category_folder(scene), category_run(scene)
    if folder is None:
        return category_steps.fresh()
    try:
        changed = (folder / category_steps.FILE_NAME).stat().st_mtime_ns
    except OSError:
        changed = 0
    key = (folder, changed, run is not None and run.is_under_way)
    if watch.steps is None or watch.steps[0] != key:
        watch.steps = (key, training_chain.steps_of(folder, run))
    return watch.steps[1]


def is_usable(run: training_runs.Run) -> bool:
    """Says whether Image to 3D can use what a run has learned."""
    return training_use.weights_of(run) is not None


def choose(folder: Path) -> None:
    """Chooses a run, and shows the list anew."""
    watch.chosen = folder
    watch.error = ""
    runs().look()
    _fill()


def choose_row() -> None:
    """Takes over which row of the list was clicked."""
    rows = bpy.context.window_manager.unrender_runs
    if not _filling and 0 <= rows.index < len(rows.rows):
        watch.chosen, watch.error = Path(rows.rows[rows.index].folder), ""
        _read_figures()


def look() -> bool:
    """Looks at the runs' files; says whether a run is under way."""
    known = runs()
    if known.look() or len(bpy.context.window_manager.unrender_runs.rows) != len(known.runs):
        _fill()
    else:
        _read_figures()
    return any(run.is_under_way for run in known.runs)


def _fill() -> None:
    """Writes the list into the window manager, which nothing but the interface reads."""
    global _filling
    known, rows = runs(), bpy.context.window_manager.unrender_runs
    _filling = True
    try:
        while len(rows.rows) > len(known.runs):
            rows.rows.remove(len(rows.rows) - 1)
        while len(rows.rows) < len(known.runs):
            rows.rows.add()
        for row, run in zip(rows.rows, known.runs, strict=True):
            row.name, row.folder, row.state = run.name, str(run.folder), run.state
            row.title = title_of(run)
        if known.find(watch.chosen) is None:
            watch.chosen = known.runs[0].folder if known.runs else None
        places_of = [run.folder for run in known.runs]
        rows.index = places_of.index(watch.chosen) if watch.chosen in places_of else 0
    finally:
        _filling = False
    _read_figures()
    redraw()


def redraw() -> None:
    """Has every sidebar drawn again, and not the viewports beside them, which cost much more."""
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            for region in area.regions:
                if area.type == "VIEW_3D" and region.type == "UI":
                    region.tag_redraw()


def title_of(run: training_runs.Run) -> str:
    """Returns the state of a run in a few words: with percentage and time left where it is under way."""
    name = training_runs.STATE_NAMES[run.state]
    if not run.is_under_way:
        return name if not run.steps or run.state == "finished" else f"{name}, {run.fraction:.0%}"
    if not run.steps:
        return name
    left = training_figures.time_text(run.seconds_left)
    return f"{'stopping, ' if run.state == 'stopping' else ''}{run.fraction:.0%}{', ' + left if left else ''}"


def folders_of(run: training_runs.Run) -> list[Path]:
    """Returns the folders that hold a run's log and pictures: of a whole category those of its steps as well."""
    if run.record is None or run.record.task != training_runs.CATEGORY:
        return [run.folder]
    return [run.folder, *sorted(path for path in run.folder.iterdir() if path.is_dir())]


def _read_figures() -> None:
    """Reads log and newest picture of the chosen run, where they have changed, and draws them."""
    run = chosen()
    if run is None:
        watch.series, watch.sheet, watch.drawn = {}, None, None
        return
    folders = folders_of(run)
    logs = [folder / training_figures.LOG for folder in folders if (folder / training_figures.LOG).is_file()]
    log = max(logs, key=lambda path: path.stat().st_mtime_ns, default=None)
    sheet = training_figures.newest_sheet(folders)
    stamps = tuple((path, path.stat().st_mtime_ns) for path in (log, sheet) if path is not None)
    if watch.drawn == (run.folder, stamps):
        return
    watch.drawn, watch.sheet = (run.folder, stamps), sheet
    if log is None or watch.log is None or watch.log.path != log:
        watch.log = training_figures.Log(log.parent) if log is not None else None
    figures = watch.log.look() if watch.log is not None else {}
    watch.series = training_figures.losses_of(figures, len(training_figures.COLOURS))
    if not bpy.app.background:
        _draw_plot()
    for image in images():
        if is_shown(image):
            _write_image(image, image[IMAGE_OF])
    redraw()


def _draw_plot() -> None:
    if watch.previews is None:
        watch.previews = bpy.utils.previews.new()
    if PLOT not in watch.previews:
        watch.previews.new(PLOT)
    picture = training_figures.plot(watch.series, SMALL_SIDE, SMALL_SIDE)
    preview = watch.previews[PLOT]
    preview.image_size = picture.shape[1::-1]
    preview.image_pixels_float.foreach_set((np.ascontiguousarray(picture[::-1], np.float32) / 255).reshape(-1))


def plot_icon() -> int:
    """Returns the number of the icon of the chosen run's plot; 0 where there is none."""
    return watch.previews[PLOT].icon_id if watch.series and watch.previews is not None and PLOT in watch.previews else 0


def sheet_icon() -> int:
    """Returns the number of the icon of the chosen run's newest picture; 0 where there is none."""
    return thumbnails.icon_of(str(watch.sheet)) if watch.sheet is not None else 0


def images() -> list[bpy.types.Image]:
    """Returns the images that show pictures of runs."""
    return [image for image in bpy.data.images if image.get(IMAGE_OF)]


def show(kind: str) -> tuple[bpy.types.Image, bool]:
    """Puts the plot or the newest picture of the chosen run into an image, and that into an open Image Editor.

    Returns the image, and whether an editor shows it. Raises ValueError where there is no such picture yet.
    """
    if (kind == PLOT and not watch.series) or (kind == SHEET and watch.sheet is None):
        raise ValueError("The run has written no figures yet." if kind == PLOT else "The run has no pictures yet.")
    image = next((one for one in images() if one[IMAGE_OF] == kind), None)
    if image is None:
        image = bpy.data.images.new(f"Training {kind}", 8, 8)
        image[IMAGE_OF] = kind
    _write_image(image, kind)
    editors = [
        area.spaces.active
        for window in bpy.context.window_manager.windows
        for area in window.screen.areas
        if area.ui_type == "IMAGE_EDITOR"
    ]
    # One that shows a run's picture already, else an empty one, and only then one with something else in it.
    editors.sort(key=lambda space: 1 if space.image is None else 0 if space.image.get(IMAGE_OF) else 2)
    if editors and editors[0].image != image:
        editors[0].image = image
    return image, bool(editors)


def is_shown(image: bpy.types.Image) -> bool:
    """Says whether an Image Editor shows an image."""
    return any(
        area.ui_type == "IMAGE_EDITOR" and area.spaces.active.image == image
        for window in bpy.context.window_manager.windows
        for area in window.screen.areas
    )


def _write_image(image: bpy.types.Image, kind: str) -> None:
    if kind == PLOT:
        picture = training_figures.plot(watch.series, PLOT_WIDTH, PLOT_HEIGHT)[..., :3]
    elif watch.sheet is not None:
        read = bpy.data.images.load(str(watch.sheet))
        try:
            picture = pixels.to_bytes(pixels.read(read)[..., :3])
        finally:
            bpy.data.images.remove(read)
    else:
        return
    if tuple(image.size) != picture.shape[1::-1]:
        image.scale(picture.shape[1], picture.shape[0])
    pixels.write(image, picture)
    image.pack()


def _tick() -> float:
    """Timer of :func:`look`."""
    return BUSY_SECONDS if look() else IDLE_SECONDS


def follow() -> None:
    """Looks from now on, at once for a run that has just begun."""
    if bpy.app.background:
        return
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    bpy.app.timers.register(_tick, first_interval=BUSY_SECONDS, persistent=True)


@persistent
def _after_load(_path: object, _depsgraph: object = None) -> None:
    """Another file may have another folder of runs, and another window manager."""
    watch.drawn = None
    runs()
    _fill()


def register() -> None:
    """Begins to look."""
    bpy.app.handlers.load_post.append(_after_load)
    follow()


def unregister() -> None:
    """Ends looking. Runs go on, or stop with Blender, as they were asked to."""
    bpy.app.handlers.load_post.remove(_after_load)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    if watch.previews is not None:
        bpy.utils.previews.remove(watch.previews)
    watch.__init__()  # type: ignore[misc]

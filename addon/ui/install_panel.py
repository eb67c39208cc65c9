# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What panel and preferences share about installing the backend. Draw only."""

from __future__ import annotations

import bpy

from .. import device_builds, environment, installation, pip_output, places, preferences, session
from .layout import draw_text

NONE_YET = "There is no backend yet. It comes in a folder of its own; Blender's Python stays as it is."
OFFLINE = (
    "Blender may not go online. Allow Online Access in the System preferences, or name a folder of wheels in the "
    "add-on's preferences."
)


def lacks_backend() -> bool:
    """Says whether nothing is there that the backend could run with; a wrong choice of the user's is no such case."""
    try:
        environment.find(preferences.interpreter())
    except environment.NoEnvironment:
        return not preferences.interpreter()
    return False


def approximate_size(build: device_builds.Build) -> str:
    """Says about how large a build is, before an index is asked."""
    download, disk = (
        pip_output.size(number * pip_output.MEGABYTE) for number in (build.download_megabytes, build.disk_megabytes)
    )
    return f"About {download} to download, {disk} on the disk; you are told the true size before it begins."


def draw_offer(layout: bpy.types.UILayout, offer: installation.Offer, width: int) -> None:
    """Draws the true size, and the choice whether to go on."""
    box = layout.box()
    draw_text(box, offer.sentence(), "INFO", width)
    column = box.column(align=True)  # a sidebar is too narrow for both in a row
    text = f"Download {pip_output.size(offer.bytes)}"
    column.operator("unrender.download_backend", text=text, icon="IMPORT")
    column.operator("unrender.dismiss_backend", icon="X")


def draw_choice(layout: bpy.types.UILayout, width: int) -> None:
    """Draws which build, where it comes from and how large it is."""
    source = preferences.source()
    if source.wheels is not None:
        draw_text(layout, f"Packages come from {source.wheels}; nothing connects to the network.", "FILE_FOLDER", width)
        return
    stored = preferences.stored()
    if stored is not None:
        layout.prop(stored, "build")
    found = f"{source.build.name}, from {source.index or source.build.address}."
    draw_text(layout, f"{found} {approximate_size(source.build)}", "INFO", width)
    if not bpy.app.online_access:
        draw_text(layout, OFFLINE, "INTERNET_OFFLINE", width)


def draw_missing(layout: bpy.types.UILayout, width: int) -> None:
    """Draws the main panel where there is no backend: what is missing, and the button that brings it."""
    if installation.offer is not None:
        draw_offer(layout, installation.offer, width)
        return
    draw_text(layout, NONE_YET, "INFO", width)
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    draw_choice(column, width)
    row = layout.row()
    row.scale_y = 1.6
    row.operator("unrender.install_backend", icon="IMPORT")
    if preferences.stored() is not None:
        text = "Existing Python, Folder of Wheels"
        layout.operator("preferences.addon_show", text=text, icon="PREFERENCES").module = places.EXTENSION


def draw_environment(layout: bpy.types.UILayout, width: int) -> None:
    """Draws, in the preferences, what the backend runs with, what makes or mends it, and what came of that."""
    own = False
    try:
        found = environment.find(preferences.interpreter())
    except environment.NoEnvironment as error:
        if preferences.interpreter():
            draw_text(layout, str(error), "ERROR", width)
        else:
            draw_text(layout, NONE_YET, "INFO", width)
    else:
        own = found.path.is_relative_to(environment.own_folder())
        draw_text(layout, f"{found.path} ({found.source})", "CHECKMARK", width)
        layout.operator("unrender.check_environment", icon="VIEWZOOM")
    status = session.status
    if status.running:
        layout.progress(text=status.text(), factor=status.fraction)
        row = layout.row()
        row.enabled = not status.cancel_requested
        row.operator("unrender.cancel", text="Cancelling" if status.cancel_requested else "Cancel", icon="X")
    elif installation.offer is not None:
        draw_offer(layout, installation.offer, width)
    else:
        draw_choice(layout, width)
        row = layout.row(align=True)
        row.operator("unrender.install_backend", text="Install Anew" if own else "Install Backend", icon="IMPORT")
        if own:
            row.operator("unrender.install_backend", text="Repair", icon="TOOL_SETTINGS").repair = True
    if status.check:
        draw_text(layout, status.check, "CHECKMARK", width)
    if status.error:
        draw_text(layout, status.error, "ERROR", width)

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of the sidebar tab that is about training. Draw only: nothing is computed or changed here."""

from __future__ import annotations

import bpy

from .. import choices, session, view_pictures
from ..annotation import Annotation
from ..operators import annotate_views, views
from ..wire import view_set
from .layout import UnrenderPanel, draw_text, interface_scale

ICON_PIXELS = 20
"""Side of a picture of scale 1 in a panel, at interface scale 1."""
MARGIN_PIXELS = 36
"""Width that the panel's borders take of the sidebar, at interface scale 1."""
SMALLEST_SCALE, LARGEST_SCALE = 2.0, 6.4
"""Scales of a content's picture; the largest shows 128 pixels."""
LEFT_BINS, RIGHT_BINS = (5, 4, 3, 2, 1), (7, 8, 9, 10, 11)
"""Bins at the ring's sides, from the back, above, to the front, below: seen from above, with the viewer below."""
SIDE_PART = 0.37
"""Fraction of the ring's width that each side takes: names there are longer than those in the middle."""
ARROWS_FROM_PIXELS = 330
"""Width of the ring from which its buttons have room for an arrow beside their name."""
BUTTON_HEIGHT = 1.3
GRID_PIXELS = 115
"""Width of a view among all views."""
GRID_CONTENTS = 3
"""Number of contents of each view that are shown among all views."""


def inner_width(context: bpy.types.Context) -> float:
    """Returns what a panel has to draw on, in pixels at interface scale 1."""
    return context.region.width / interface_scale() - MARGIN_PIXELS


class UNRENDER_PT_train(UnrenderPanel, bpy.types.Panel):
    """New categories from pictures alone"""

    bl_idname = "UNRENDER_PT_train"
    bl_label = "Train"
    bl_options = {"DEFAULT_CLOSED"}

    def draw(self, context: bpy.types.Context) -> None:
        """Each step of training has a sub-panel."""


class UNRENDER_PT_views(UnrenderPanel, bpy.types.Panel):
    """From what side each view of an image generator shows its object"""

    bl_idname = "UNRENDER_PT_views"
    bl_parent_id = "UNRENDER_PT_train"
    bl_label = "Views"
    bl_order = 1

    def draw(self, context: bpy.types.Context) -> None:
        """Draws what opens a set, or the set that is open."""
        layout = self.layout
        if views.current is None:
            draw_choice(layout, context.scene.unrender)
        else:
            draw_progress(layout, views.current)
            draw_contents(layout, views.current.view, inner_width(context))
            draw_state(layout, views.current)
            draw_ring(layout, views.current, inner_width(context))
            draw_buttons(layout, views.current, context.region.width)
        for text, icon in ((views.notes.error, "ERROR"), (views.notes.warning, "INFO")):
            if text:
                draw_text(layout.box(), text, icon, context.region.width)


class UNRENDER_PT_all_views(UnrenderPanel, bpy.types.Panel):
    """Every view of the set, to look at together and to go to"""

    bl_idname = "UNRENDER_PT_all_views"
    bl_parent_id = "UNRENDER_PT_views"
    bl_label = "All Views"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only while a set is open."""
        return views.current is not None

    def draw(self, context: bpy.types.Context) -> None:
        """Draws a few contents of each view above the button that goes there."""
        annotation = views.current
        columns = max(1, int(inner_width(context) // GRID_PIXELS))
        grid = self.layout.grid_flow(row_major=True, columns=columns, even_columns=True, align=False)
        for position, view in enumerate(annotation.views.views):
            cell = grid.column(align=True)
            pictures = cell.row(align=True)
            pictures.active = not view.dropped
            for icon in view_pictures.icons_of(view)[:GRID_CONTENTS]:
                pictures.template_icon(icon, scale=GRID_PIXELS / GRID_CONTENTS / ICON_PIXELS - 0.1)
            button = cell.operator(
                "unrender.show_view",
                text=name_of(view),
                icon="CHECKMARK" if view.is_by_person else "BLANK1",
                depress=position == annotation.position,
            )
            button.position = position
        self.layout.operator("unrender.accept_view_guesses", icon="AUTO")


def name_of(view: view_set.View) -> str:
    """Returns what is decided about a view, or guessed."""
    if view.dropped:
        return "dropped"
    if view.likely_bin is None:
        return "?"
    return view_set.BIN_NAMES[view.likely_bin] + ("" if view.is_by_person else " ?")


def draw_choice(layout: bpy.types.UILayout, settings: bpy.types.PropertyGroup) -> None:
    """Draws what opens a view set, and what makes one."""
    layout.prop(settings, "views_folder", text="")
    row = layout.row()
    row.scale_y = BUTTON_HEIGHT
    row.operator("unrender.open_views", icon="FILE_FOLDER")
    column = layout.column()
    column.use_property_split = True
    column.use_property_decorate = False
    column.prop(settings, "views_generator")
    if settings.views_generator == choices.FILE:
        column.prop(settings, "views_generator_file")
    column.prop(settings, "views_count", text="Number")
    status = session.status
    if status.running:
        layout.progress(text=status.stage, factor=status.fraction)
        layout.operator("unrender.cancel", icon="X")
    else:
        layout.operator("unrender.propose_views", icon="VIEWZOOM")


def draw_progress(layout: bpy.types.UILayout, annotation: Annotation) -> None:
    """Draws how much is done, the clock and what starts and stops it."""
    count = len(annotation.views.views)
    clock = annotate_views.clock_text(annotation.seconds)
    row = layout.row(align=True)
    row.progress(text=f"{annotation.decided} of {count}    {clock}", factor=annotation.decided / count)
    row.operator("unrender.close_views", text="", icon="X")
    # One row in any case: what lies below must not move under the mouse.
    row = layout.row()
    row.scale_y = BUTTON_HEIGHT
    if annotation.is_running:
        row.operator("unrender.stop_annotating", text="Stop  (Esc)", icon="PAUSE")
    elif annotation.is_finished:
        row.alignment = "CENTER"
        row.label(text="Every view is decided, and saved", icon="CHECKMARK")
    else:
        row.operator("unrender.annotate_views", icon="PLAY")


def draw_contents(layout: bpy.types.UILayout, view: view_set.View, width: float) -> None:
    """Draws the contents of the view that is shown side by side, as large as the sidebar allows."""
    icons = view_pictures.icons_of(view)
    row = layout.row(align=True)
    row.alignment = "CENTER"
    if not icons:
        row.scale_y = SMALLEST_SCALE
        row.label(text="This view has no picture", icon="INFO")
        return
    scale = min(max(width / len(icons) / ICON_PIXELS, SMALLEST_SCALE), LARGEST_SCALE)
    for icon in icons:
        row.template_icon(icon, scale=scale)


def draw_state(layout: bpy.types.UILayout, annotation: Annotation) -> None:
    """Draws which view this is and what is chosen for it."""
    view = annotation.view
    if annotation.drops:
        chosen = "drop"
    elif annotation.chosen is None:
        chosen = "none"
    else:
        chosen = view_set.BIN_NAMES[annotation.chosen]
    row = layout.row()
    row.alignment = "CENTER"
    row.label(text=f"View {annotation.position + 1}, {'yours' if view.is_by_person else 'guess'}: {chosen}")


def draw_ring(layout: bpy.types.UILayout, annotation: Annotation, width: float) -> None:
    """Draws a button a bin, in a ring as seen from above with the viewer below, each with its key."""
    with_arrows = width >= ARROWS_FROM_PIXELS
    left_part = layout.split(factor=SIDE_PART, align=True)
    left, rest = left_part.column(align=True), left_part.split(factor=1 - SIDE_PART / (1 - SIDE_PART), align=True)
    middle, right = rest.column(align=True), rest.column(align=True)
    for column, numbers in ((left, LEFT_BINS), (right, RIGHT_BINS)):
        for number in numbers:
            draw_bin(column, annotation, number, with_arrows)
    draw_bin(middle, annotation, 6, with_arrows)
    compass = view_pictures.large_compass(None if annotation.drops else annotation.chosen)
    middle.template_icon(compass, scale=3 * BUTTON_HEIGHT)
    draw_bin(middle, annotation, 0, with_arrows)


def draw_bin(layout: bpy.types.UILayout, annotation: Annotation, number: int, with_arrow: bool) -> None:
    """Draws the button of a bin; that of the choice is pressed."""
    row = layout.row(align=True)
    row.scale_y = BUTTON_HEIGHT
    button = row.operator(
        "unrender.choose_view_bin",
        text=f"{annotate_views.BIN_KEYS[number]}  {view_set.BIN_NAMES[number]}",
        icon_value=view_pictures.small_compass(number) if with_arrow else 0,
        depress=annotation.chosen == number and not annotation.drops,
    )
    button.number = number


def draw_buttons(layout: bpy.types.UILayout, annotation: Annotation, width: int) -> None:
    """Draws what else can be done with the view, each with its key; ``width`` is the region's, in pixels."""
    column = layout.column(align=True)
    row = column.row(align=True)
    row.scale_y = BUTTON_HEIGHT
    row.operator("unrender.accept_view", text="Accept  (Enter)", icon="CHECKMARK")
    row.operator("unrender.drop_view", text="Drop  (X)", icon="TRASH", depress=annotation.drops)
    row = column.row(align=True)
    back = row.operator("unrender.show_view", text="Back  (Bksp)", icon="TRIA_LEFT")
    back.position = annotation.position - 1
    row.operator("unrender.undo_view", text="Undo  (Ctrl Z)", icon="LOOP_BACK")
    if annotation.is_running:
        hint = "Choose where it faces as seen from above, you being below. Arrow keys turn the choice; Esc stops."
        draw_text(layout, hint, "INFO", width)


CLASSES = (UNRENDER_PT_train, UNRENDER_PT_views, UNRENDER_PT_all_views)


def register() -> None:
    """Registers the panels."""
    for cls in CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    """Takes them back and closes the set that is open."""
    views.close()
    for cls in reversed(CLASSES):
        bpy.utils.unregister_class(cls)

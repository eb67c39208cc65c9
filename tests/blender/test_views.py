# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Annotation of views inside the bpy package: open, decide through the operators, undo, time, what is in the file."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

bpy = pytest.importorskip("bpy")

import addon
from addon import annotation, pixels, view_pictures
from addon.operators import annotate_views, views
from addon.ui import train_panels
from backend.common import view_set

GUESSES = [350.0, 62.0, None, 179.0]


@pytest.fixture(autouse=True)
def registered():
    bpy.ops.wm.read_homefile(use_empty=True)
    addon.register()
    yield
    addon.unregister()


@pytest.fixture
def clock(monkeypatch):
    """The time in seconds as the only entry of a list, to be set."""
    now = [100.0]
    original = annotation.Annotation.__init__
    monkeypatch.setattr(
        annotation.Annotation, "__init__", lambda self, folder: original(self, folder, clock=lambda: now[0])
    )
    return now


def strip(colours, side=8):
    """Squares of plain colours (H, W, 3) side by side."""
    return np.concatenate([np.full((side, side, 3), colour, np.uint8) for colour in colours], 1)


@pytest.fixture
def folder(tmp_path):
    """A set of four views; the third has no guess."""
    made = tmp_path / "views"
    (made / "candidates").mkdir(parents=True)
    listed = [view_set.View(number, guess_deg=guess, consistency=0.5) for number, guess in enumerate(GUESSES)]
    view_set.write(view_set.ViewSet(made, "car", 4, 64, listed))
    for number in range(4):
        pixels.write_png(made / "candidates" / f"{number:03d}.png", strip([(200, 20 * number, 0), (0, 0, 90)]))
    return made


def open_set(folder):
    assert bpy.ops.unrender.open_views(directory=str(folder)) == {"FINISHED"}
    return views.current


def saved(folder):
    return json.loads((folder / "views.json").read_text("utf-8"))


def bins(folder):
    return [view["bin"] for view in saved(folder)["views"]]


def test_all_views_are_annotated_and_each_is_saved_at_once(folder, clock):
    opened = open_set(folder)
    assert bpy.context.scene.unrender.views_folder.rstrip("/\\") == str(folder)
    assert (opened.position, opened.chosen, opened.decided) == (0, 0, 0), "350 degrees is the front"
    assert bpy.ops.unrender.annotate_views() == {"FINISHED"}
    steps = [
        (bpy.ops.unrender.accept_view, {}),
        (bpy.ops.unrender.choose_view_bin, {"number": 11}),
        (bpy.ops.unrender.drop_view, {}),
        (bpy.ops.unrender.accept_view, {}),
    ]
    for number, (operator, arguments) in enumerate(steps):
        assert opened.position == number
        clock[0] += 1.5
        assert operator(**arguments) == {"FINISHED"}
        written = saved(folder)
        assert [view["source"] for view in written["views"]] == ["person"] * (number + 1) + ["auto"] * (3 - number)
        assert written["annotation_seconds"] == 1.5 * (number + 1)
    assert bins(folder) == [0, 11, None, 6]
    assert [view["dropped"] for view in saved(folder)["views"]] == [False, False, True, False]
    assert opened.is_finished and not opened.is_running, "the clock stops after the last"


def test_the_clock_runs_only_while_somebody_annotates(folder, clock):
    opened = open_set(folder)
    clock[0] += 1000
    assert opened.seconds == 0
    bpy.ops.unrender.annotate_views()
    clock[0] += 2
    assert opened.seconds == 2 and annotate_views.clock_text(opened.seconds) == "0:02"
    assert bpy.ops.unrender.stop_annotating() == {"FINISHED"}
    assert saved(folder)["annotation_seconds"] == 2, "the time of a view that was only looked at is kept as well"
    clock[0] += 1000
    bpy.ops.unrender.annotate_views()
    assert not bpy.ops.unrender.annotate_views.poll(), "it runs already"
    clock[0] += 1000
    bpy.ops.unrender.accept_view()
    assert saved(folder)["annotation_seconds"] == 2 + annotation.LONGEST_PAUSE, "a long pause is no annotation"
    clock[0] += 3
    bpy.ops.unrender.close_views()
    assert views.current is None and saved(folder)["annotation_seconds"] == 5 + annotation.LONGEST_PAUSE


def test_undo_takes_decisions_back_one_by_one(folder):
    opened = open_set(folder)
    before = saved(folder)["views"]
    assert not bpy.ops.unrender.undo_view.poll()
    bpy.ops.unrender.choose_view_bin(number=5)
    bpy.ops.unrender.drop_view()
    bpy.ops.unrender.show_view(position=0)
    bpy.ops.unrender.choose_view_bin(number=7)
    assert bins(folder)[:2] == [7, None]
    bpy.ops.unrender.undo_view()
    assert bins(folder)[0] == 5 and opened.position == 0 and opened.chosen == 5
    bpy.ops.unrender.undo_view()
    assert opened.position == 1 and not saved(folder)["views"][1]["dropped"]
    bpy.ops.unrender.undo_view()
    assert saved(folder)["views"] == before and opened.position == 0
    assert not bpy.ops.unrender.undo_view.poll()


def test_a_set_is_gone_on_with_where_it_was_left(folder):
    open_set(folder)
    bpy.ops.unrender.accept_view()
    bpy.ops.unrender.show_view(position=2)
    bpy.ops.unrender.drop_view()
    views.close()  # as after a crash: nothing was said to anybody
    opened = open_set(folder)
    assert opened.position == 1 and opened.decided == 2
    bpy.ops.unrender.show_view(position=2)
    assert opened.drops
    bpy.ops.unrender.accept_view()
    assert saved(folder)["views"][2]["dropped"], "accepting a dropped view drops it again"
    bpy.ops.unrender.accept_view()
    assert opened.position == 1, "after the last view comes the first that nobody has looked at"


def test_without_a_guess_a_side_has_to_be_chosen(folder):
    opened = open_set(folder)
    bpy.ops.unrender.show_view(position=2)
    before = (folder / "views.json").read_bytes()
    with pytest.raises(RuntimeError, match="choose a side, or drop it"):
        bpy.ops.unrender.accept_view()
    assert "choose a side" in views.notes.error
    assert (folder / "views.json").read_bytes() == before and opened.position == 2
    bpy.ops.unrender.turn_view_bin(arrow="LEFT_ARROW")
    assert views.notes.error == "" and opened.chosen == 0
    bpy.ops.unrender.turn_view_bin(arrow="LEFT_ARROW")
    bpy.ops.unrender.accept_view()
    assert bins(folder)[2] == 1


def test_the_guesses_can_be_taken_without_looking(folder):
    open_set(folder)
    bpy.ops.unrender.choose_view_bin(number=9)
    assert bpy.ops.unrender.accept_view_guesses() == {"FINISHED"}
    assert bins(folder) == [9, 2, None, 6]
    assert [view["source"] for view in saved(folder)["views"]] == ["person", "auto", "auto", "auto"]
    assert "1 views have neither" in views.notes.warning


def test_keys_do_what_the_buttons_say(folder):
    press, opened = annotate_views.press, open_set(folder)
    assert press("EQUAL", False) and bins(folder)[0] == 11
    assert press("Z", True) and bins(folder)[0] is None
    assert not press("Z", False) and not press("X", True), "Blender's own shortcuts stay Blender's"
    assert press("X", False) and saved(folder)["views"][0]["dropped"]
    assert press("BACK_SPACE", False) and opened.position == 0
    for _ in range(2):
        press("BACK_SPACE", False)
    assert opened.position == 0
    assert press("SEVEN", False) and press("NUMPAD_1", False) and bins(folder)[:2] == [6, 0]
    press("RET", False)
    assert "choose a side" in views.notes.error
    assert len(set(annotate_views.BIN_KEYS)) == view_set.NUMBER_OF_BINS
    assert set(annotate_views.BIN_OF_EVENT.values()) == set(range(view_set.NUMBER_OF_BINS))


def test_the_arrows_lead_all_around_the_ring():
    for number in range(view_set.NUMBER_OF_BINS):
        x, y = annotation.place_on_ring(number)
        for arrow, (right, up) in annotation.ARROWS.items():
            beside = annotation.neighbour(number, arrow)
            there_x, there_y = annotation.place_on_ring(beside)
            assert (beside - number) % 12 in (0, 1, 11)
            gain = (there_x - x) * right + (there_y - y) * up
            assert gain > 0.1 if beside != number else x * right + y * up == pytest.approx(1)
    assert annotation.place_on_ring(3) == pytest.approx((-1, 0)), "seen from its left side it faces left"


def test_the_object_faces_where_the_camera_of_the_bin_sees_it():
    """The convention of the ring against the product's cameras: azimuth 90 is on +X, and the front is towards -Y."""
    for number in range(view_set.NUMBER_OF_BINS):
        angle = math.radians(view_set.azimuth_deg_of(number))
        camera = np.array([math.sin(angle), -math.cos(angle), 0.0])
        right = np.cross(-camera, [0, 0, 1.0])
        front = np.array([0, -1.0, 0])
        assert annotation.place_on_ring(number) == pytest.approx((front @ right, front @ -camera), abs=1e-9)


@pytest.mark.parametrize("damage", ["no list", "damaged", "no pictures", "nothing"])
def test_a_bad_set_is_one_sentence_and_the_open_one_stays(folder, tmp_path, damage):
    opened = open_set(folder)
    bad = tmp_path / "bad"
    (bad / "candidates").mkdir(parents=True)
    if damage == "damaged":
        (bad / "views.json").write_text('{"format": 7}')
    elif damage == "no pictures":
        (bad / "views.json").write_bytes((folder / "views.json").read_bytes())
    elif damage == "nothing":
        bad = tmp_path / "missing"
    with pytest.raises(RuntimeError):
        bpy.ops.unrender.open_views(directory=str(bad))
    assert str(bad) in views.notes.error and "\n" not in views.notes.error
    assert views.current is opened and len(view_pictures.icons_of(opened.view)) == 2


def test_views_without_a_picture_are_counted_and_can_be_dropped(folder):
    (folder / "candidates" / "001.png").unlink()
    (folder / "candidates" / "002.png").write_bytes(b"no picture")
    opened = open_set(folder)
    assert views.notes.warning == "2 of 4 views have no picture."
    assert [len(view_pictures.icons_of(view)) for view in opened.views.views] == [2, 0, 0, 2]
    assert not [image for image in bpy.data.images if image.name.startswith("00")], "pictures are no data of the file"


def test_a_list_changed_by_hand_meanwhile_is_not_overwritten(folder):
    opened = open_set(folder)
    (folder / "views.json").write_text("by hand")
    with pytest.raises(RuntimeError, match="changed by another program"):
        bpy.ops.unrender.accept_view()
    assert (folder / "views.json").read_text() == "by hand"
    assert opened.position == 0 and opened.decided == 0 and not opened.can_undo, "what was not written did not happen"

    bpy.ops.unrender.annotate_views()
    with pytest.raises(RuntimeError, match="changed by another program"):
        bpy.ops.unrender.close_views()
    assert views.current is None, "it can be closed all the same"
    assert (folder / "views.json").read_text() == "by hand"


def test_a_set_is_opened_again_while_the_clock_runs(folder, clock):
    open_set(folder)
    bpy.ops.unrender.annotate_views()
    clock[0] += 2
    again = open_set(folder)
    assert not again.is_running and again.seconds == 2
    bpy.ops.unrender.accept_view()
    assert bins(folder)[0] == 0
    changed = saved(folder)
    changed["views"][0]["bin"] = 7
    (folder / "views.json").write_text(json.dumps(changed))
    bpy.ops.unrender.annotate_views()
    clock[0] += 2
    assert open_set(folder).views.views[0].bin == 7


def test_a_strip_is_cut_into_its_contents():
    parts = view_pictures.contents_of(strip([(255, 0, 0), (0, 255, 0), (0, 0, 255)], side=300) / np.float32(255))
    assert [part.shape for part in parts] == [(100, 100, 3)] * 3
    np.testing.assert_array_equal([part.mean((0, 1)) for part in parts], np.eye(3))
    wide = view_pictures.contents_of(np.ones((6, 32, 4)))
    assert len(wide) == 4 and wide[0].shape == (8, 8, 4)
    np.testing.assert_array_equal(wide[0][:, 0, 3], [0, 1, 1, 1, 1, 1, 1, 0])
    assert len(view_pictures.contents_of(np.ones((6, 36, 4)), 3)) == 3
    assert len(view_pictures.contents_of(np.ones((2, 900, 4)))) == view_pictures.MOST_CONTENTS


def test_the_compass_points_to_where_the_object_faces():
    for number in range(view_set.NUMBER_OF_BINS):
        picture = view_pictures.compass(number, 32, with_ring=False)[..., 3]
        rows, columns = np.mgrid[0:32, 0:32] + 0.5
        # The dart is heavier behind than in front.
        x = (columns * picture).sum() / picture.sum() - 16
        y = 16 - (rows * picture).sum() / picture.sum()
        assert np.array(annotation.place_on_ring(number)) @ (x, y) < -0.9 * math.hypot(x, y) < 0
    assert view_pictures.compass(None, 64, with_ring=True)[..., 3].max() == 1


class Layout:
    """Takes note of what is drawn; a row's or a button's properties can be set."""

    def __init__(self, drawn):
        self.__dict__["drawn"] = drawn

    def __getattr__(self, name):
        def note(*arguments, **options):
            self.drawn.append((name, *arguments, *options.values()))
            return Layout(self.drawn)

        return note

    def __setattr__(self, name, value):
        self.drawn.append((name, value))


class Context:
    """What the panels ask of a context; a background run has no region."""

    preferences = bpy.context.preferences

    def __init__(self, width):
        self.region = type("Region", (), {"width": width})
        self.scene, self.window_manager = bpy.context.scene, bpy.context.window_manager


def drawn(panel, width=300):
    """Everything that a panel draws; the names of operators and properties must be known to Blender."""
    entries: list = []
    shown = type("Shown", (), {"layout": Layout(entries)})()
    panel.draw(shown, Context(width))
    for entry in entries:
        if entry[0] == "operator":
            category, name = entry[1].split(".")
            getattr(getattr(bpy.ops, category), name).get_rna_type()
    return entries


def buttons(entries):
    return [entry[2] for entry in entries if entry[0] == "operator" and entry[1] == "unrender.choose_view_bin"]


def test_the_panel_draws_every_state(folder):
    panel = train_panels.UNRENDER_PT_views
    closed = drawn(panel)
    assert ("operator", "unrender.open_views", "FILE_FOLDER") in closed and not buttons(closed)
    assert not train_panels.UNRENDER_PT_all_views.poll(bpy.context)
    opened = open_set(folder)
    for width in (120, 300, 700):
        shown = buttons(drawn(panel, width))
        assert sorted(shown) == sorted(
            f"{key}  {name}" for key, name in zip(annotate_views.BIN_KEYS, view_set.BIN_NAMES, strict=True)
        )
    bpy.ops.unrender.annotate_views()
    assert any("stop_annotating" in str(entry) for entry in drawn(panel))
    bpy.ops.unrender.show_view(position=2)
    with pytest.raises(RuntimeError):
        bpy.ops.unrender.accept_view()
    assert any("There is no guess" in str(entry) for entry in drawn(panel))
    while not opened.is_finished:
        bpy.ops.unrender.drop_view()
    assert any("Every view is decided" in str(entry) for entry in drawn(panel))
    grid = drawn(train_panels.UNRENDER_PT_all_views)
    assert [entry[2] for entry in grid if entry[:2] == ("operator", "unrender.show_view")] == ["dropped"] * 4


def test_the_names_of_all_views_tell_guesses_from_decisions():
    assert train_panels.name_of(view_set.View(0)) == "?"
    assert train_panels.name_of(view_set.View(0, guess_deg=92)) == "left ?"
    assert train_panels.name_of(view_set.View(0, bin=4, guess_deg=92, source="person")) == "left-back"


def test_unregistering_closes_the_set(folder):
    open_set(folder)
    addon.unregister()
    try:
        assert views.current is None and view_pictures._collection is None
        assert [name for name in dir(bpy.types) if name.upper().startswith("UNRENDER")] == []
    finally:
        addon.register()

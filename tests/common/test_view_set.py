# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of views: what is written is read again, damaged lists are one sentence, nothing is ever half written."""

from __future__ import annotations

import json
import math
import os
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.common import view_set

DOCUMENT = {
    "format": 1,
    "generator": "car",
    "split": 4,
    "resolution": 64,
    "annotation_seconds": 1.5,
    "views": [
        {"id": 3, "bin": 2, "dropped": False, "guess_deg": 70.0, "elevation_guess_deg": 5.0, "consistency": 0.9,
         "source": "person"},
        {"id": 0, "bin": None, "dropped": True, "guess_deg": None, "elevation_guess_deg": None, "consistency": -1,
         "source": "auto"},
    ],
}  # fmt: skip


def changed(path, value):
    """The document with one entry replaced, or removed where the value is Ellipsis."""
    document = json.loads(json.dumps(DOCUMENT))
    owner = document
    for name in path[:-1]:
        owner = owner[name]
    if value is ...:
        del owner[path[-1]]
    else:
        owner[path[-1]] = value
    return document


def put(folder, document):
    text = document if isinstance(document, str) else json.dumps(document)
    (folder / "views.json").write_text(text, "utf-8")
    return folder


def test_a_list_is_read_as_it_was_written(tmp_path):
    found = view_set.read(put(tmp_path, {**DOCUMENT, "notes": "von Hand", "views": [
        {**DOCUMENT["views"][0], "elevation_deg": 3}, DOCUMENT["views"][1]]}))  # fmt: skip
    assert (found.generator, found.split, found.resolution, found.annotation_seconds) == ("car", 4, 64, 1.5)
    first, second = found.views
    assert (first.identity, first.bin, first.guess_deg, first.consistency, first.is_by_person) == (3, 2, 70, 0.9, True)
    assert (second.bin, second.likely_bin, second.dropped, second.source) == (None, None, True, "auto")
    assert found.candidate_path(first) == tmp_path / "candidates" / "003.png"
    view_set.write(found)
    again = json.loads((tmp_path / "views.json").read_text("utf-8"))
    assert again.pop("notes") == "von Hand" and again["views"][0].pop("elevation_deg") == 3, "unknown entries are kept"
    assert again == DOCUMENT
    assert os.listdir(tmp_path) == ["views.json"]


numbers = st.floats(-1e9, 1e9)
views = st.lists(
    st.builds(
        view_set.View,
        st.integers(0, 10**6),
        st.none() | st.integers(0, 11),
        st.booleans(),
        st.none() | numbers,
        st.none() | numbers,
        numbers,
        st.sampled_from(view_set.SOURCES),
        st.dictionaries(st.text().map(lambda text: "x" + text), st.text() | st.booleans()),
    ),
    min_size=1,
    unique_by=lambda view: view.identity,
)


@settings(max_examples=25, deadline=None)
@given(views, st.text(), st.integers(0, 10**7).map(lambda thousandths: thousandths / 1000))
def test_every_list_survives_writing_and_reading(tmp_path_factory, views, generator, seconds):
    folder = tmp_path_factory.mktemp("set")
    made = view_set.ViewSet(folder, generator, 4, 64, views, seconds)
    view_set.write(made)
    assert replace(view_set.read(folder), stamp=None) == replace(made, stamp=None)


@given(st.floats(-1e6, 1e6))
def test_a_bin_holds_the_azimuths_within_15_degrees(azimuth):
    number = view_set.bin_of(azimuth)
    assert 0 <= number < 12
    apart = math.remainder(azimuth - view_set.azimuth_deg_of(number), 360)
    assert abs(apart) <= 15 + 1e-6


def test_the_names_say_what_is_seen():
    names = {view_set.bin_of(azimuth): view_set.BIN_NAMES[view_set.bin_of(azimuth)] for azimuth in (0, 90, 180, -90)}
    assert names == {0: "front", 3: "left", 6: "back", 9: "right"}
    mirrored = [name.replace("left", "L").replace("right", "left").replace("L", "right")
                for name in view_set.BIN_NAMES]  # fmt: skip
    assert [mirrored[-number % 12] for number in range(12)] == list(view_set.BIN_NAMES)


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ("", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('{"format": NaN}', "NaN is no number"),
        ("[]", "no object with views"),
        (changed(["format"], 2), "its format is 2, and this version reads format 1"),
        (changed(["format"], True), "its format is True"),
        (changed(["generator"], None), "its generator is None"),
        (changed(["split"], 0), "its split is 0"),
        (changed(["split"], 4.0), "its split is 4.0"),
        (changed(["resolution"], ...), "its resolution is None"),
        (changed(["annotation_seconds"], -1), "should not be negative"),
        (changed(["annotation_seconds"], "60"), "should be a number"),
        (changed(["views"], []), "no list of views"),
        (changed(["views", 1], 7), "view 2 of the list is no object"),
        (changed(["views", 1, "id"], 3), "two views have the id 3"),
        (changed(["views", 1, "id"], ...), "the id of view 2 of the list"),
        (changed(["views", 0, "id"], -1), "the id of view 1 of the list"),
        (changed(["views", 0, "bin"], 12), "the bin of view 3 is 12 and should be from 0 to 11"),
        (changed(["views", 0, "bin"], True), "the bin of view 3 is True"),
        (changed(["views", 0, "dropped"], 1), "the entry dropped of view 3"),
        (changed(["views", 0, "guess_deg"], "left"), "the guess_deg of view 3"),
        (json.dumps(DOCUMENT).replace("70.0", "1e999"), "the guess_deg of view 3 is inf"),
        (changed(["views", 0, "consistency"], None), "the consistency of view 3"),
        (changed(["views", 0, "source"], "nobody"), "the source of view 3 is 'nobody'"),
    ],
)
def test_a_damaged_list_is_one_sentence(tmp_path, document, sentence):
    with pytest.raises(view_set.ViewSetError, match=sentence) as caught:
        view_set.read(put(tmp_path, document))
    message = str(caught.value)
    assert str(tmp_path / "views.json") in message and "\n" not in message and message.endswith(".")


def test_what_is_no_view_set_is_one_sentence(tmp_path):
    with pytest.raises(view_set.ViewSetError, match="is no view set: it has no views.json"):
        view_set.read(tmp_path)
    (tmp_path / "views.json").mkdir()
    with pytest.raises(view_set.ViewSetError, match="cannot be read"):
        view_set.read(tmp_path)
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "views.json").write_bytes(b"\xff" * 10)
    with pytest.raises(view_set.ViewSetError, match="not valid JSON"):
        view_set.read(tmp_path / "set")
    with (tmp_path / "set" / "views.json").open("wb") as file:
        file.truncate(view_set.MAX_BYTES + 1)
    with pytest.raises(view_set.ViewSetError, match="too large"):
        view_set.read(tmp_path / "set")


def test_a_write_that_fails_leaves_the_old_list(tmp_path, monkeypatch):
    found = view_set.read(put(tmp_path, DOCUMENT))
    before = (tmp_path / "views.json").read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    found.annotation_seconds = 99.0
    with pytest.raises(view_set.ViewSetError, match="cannot be written .No space left"):
        view_set.write(found)
    assert (tmp_path / "views.json").read_bytes() == before
    assert os.listdir(tmp_path) == ["views.json"]


def test_a_list_that_somebody_else_changed_is_not_overwritten(tmp_path):
    found = view_set.read(put(tmp_path, DOCUMENT))
    view_set.write(found)
    view_set.write(found)
    (tmp_path / "views.json").write_text("{}")
    os.utime(tmp_path / "views.json", ns=(1, 1))
    with pytest.raises(view_set.ViewSetError, match="changed by another program"):
        view_set.write(found)
    assert (tmp_path / "views.json").read_text() == "{}"


def test_guesses_become_bins_only_where_there_is_no_bin():
    given = [
        view_set.View(0, bin=4, guess_deg=0.0, source="person"),
        view_set.View(1, guess_deg=-31.0),
        view_set.View(2),
    ]
    taken = view_set.with_guesses(given)
    assert [view.bin for view in taken] == [4, 11, None]
    assert [view.source for view in taken] == ["person", "auto", "auto"]

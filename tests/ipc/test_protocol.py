# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The wire: everything that goes in comes out, and anything else is refused with a sentence."""

from __future__ import annotations

import dataclasses
import io
import json
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from backend.common import records
from backend.ipc import protocol
from tests.helpers import toy


def round_trip(body, identity=7):
    stream = io.BytesIO(protocol.encode(protocol.Message(identity, body)))
    message = protocol.read(stream)
    assert protocol.read(stream) is None
    assert message.identity == identity
    return message.body


arrays = st.sampled_from([np.bool_, np.uint8, np.int32, np.int64, np.float32, np.float64]).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
)


@settings(max_examples=60, deadline=None)
@given(arrays, arrays, st.sampled_from(["C", "F"]), st.booleans())
def test_arrays_of_any_shape_and_layout_survive(mask, other, order, swapped):
    sent = np.asarray(mask, order=order)
    if swapped:
        sent = sent.astype(sent.dtype.newbyteorder(">"))
    received = round_trip(records.CutOut(sent, "file"))
    assert received.source == "file"
    assert received.mask.dtype == mask.dtype and received.mask.shape == mask.shape
    assert received.mask.tobytes() == np.ascontiguousarray(mask).tobytes()
    edit = round_trip(records.Edit(mask, other))
    np.testing.assert_array_equal(edit.vertices, mask)
    np.testing.assert_array_equal(edit.texture_change, other)


@settings(max_examples=60, deadline=None)
@given(st.text(), st.integers(), st.floats(allow_nan=False), st.none() | arrays)
def test_fields_of_every_type_survive(text, number, fraction, preview):
    request = round_trip(records.ReconstructRequest(image_path=text, refine_steps=number))
    assert request == records.ReconstructRequest(image_path=text, refine_steps=number)
    progress = round_trip(records.Progress(text, fraction, preview))
    assert (progress.stage, progress.fraction) == (text, fraction)
    if preview is None:
        assert progress.preview is None
    else:
        np.testing.assert_array_equal(progress.preview, preview)


def test_a_path_that_is_not_unicode_survives():
    path = b"photo\xff.jpg".decode("utf-8", "surrogateescape")
    assert round_trip(records.CutOutRequest(path)).image_path == path


def test_a_reconstruction_survives():
    sent = toy.reconstruction("Käfer", width=4, height=3)
    sent.timings, sent.warnings = {"refine": 2.5}, ["The photo is dark."]
    received = round_trip(sent)
    for field in dataclasses.fields(sent):
        expected, actual = getattr(sent, field.name), getattr(received, field.name)
        if isinstance(expected, np.ndarray):
            assert actual.dtype == expected.dtype and actual.shape == expected.shape
        else:
            assert actual == expected


def test_the_parts_of_a_reconstruction_survive():
    sent = toy.parts_reconstruction("Käfer", width=4, height=3)
    received = round_trip(sent)
    assert isinstance(received.parts, records.ObjectParts)
    for field in dataclasses.fields(sent.parts):
        expected, actual = getattr(sent.parts, field.name), getattr(received.parts, field.name)
        if isinstance(expected, np.ndarray):
            assert actual.dtype == expected.dtype
            np.testing.assert_array_equal(actual, expected)
        else:
            assert actual == expected
    np.testing.assert_array_equal(received.vertices, sent.vertices)
    assert round_trip(toy.reconstruction()).parts is None


def test_further_photographs_of_an_object_survive():
    asked = round_trip(records.ReconstructRequest("front.jpg", further_paths=["Käfer.jpg", "rear.png"]))
    assert asked.further_paths == ["Käfer.jpg", "rear.png"]
    camera, mask = records.Camera(2.5, 0.1, 3.0), np.arange(6, dtype=np.uint8).reshape(2, 3)
    sent = toy.parts_reconstruction()
    sent.further = [records.FurtherPhoto(name, f"{name}.jpg", 3, 2, camera, mask, 0.9) for name in ("Käfer", "rear")]
    first, second = round_trip(sent).further
    assert first.camera == camera and first.silhouette_iou == 0.9
    assert (second.name, second.path, second.image_width, second.image_height) == ("rear", "rear.jpg", 3, 2)
    np.testing.assert_array_equal(second.mask, mask)


def test_a_neural_render_and_what_it_is_asked_from_survive():
    camera, background = records.Camera(2.5, 0.1, 3.0, shift_x=0.2), np.arange(16, dtype=np.uint8).reshape(2, 2, 4)
    code, texture = np.linspace(-1, 1, 5, dtype=np.float32), np.arange(12, dtype=np.uint8).reshape(2, 2, 3)
    asked = round_trip(records.NeuralRenderRequest(code, texture, camera, background, "car", "cpu"))
    assert (asked.camera, asked.bundle, asked.device) == (camera, "car", "cpu")
    for sent, received in ((code, asked.shape_code), (texture, asked.texture), (background, asked.background)):
        np.testing.assert_array_equal(received, sent)
    answer = round_trip(records.NeuralRender(texture, background))
    np.testing.assert_array_equal(answer.picture, texture)
    np.testing.assert_array_equal(answer.drawn, background)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda whole: [], "ObjectParts came with other fields"),
        (lambda whole: {"names": []}, "ObjectParts came with other fields"),
        (lambda whole: whole | {"more": 1}, "ObjectParts came with other fields"),
        (lambda whole: whole | {"names": [1]}, "ObjectParts.names holds"),
        (lambda whole: whole | {"names": {}}, "ObjectParts.names holds"),
        (lambda whole: whole | {"palette": 999}, "ObjectParts.palette names an array that did not come"),
        (lambda whole: whole | {"surface": None}, "ObjectParts.surface names an array"),
    ],
)
def test_malformed_parts_are_named(damage, sentence):
    sent = protocol.encode(protocol.Message(1, toy.parts_reconstruction()))
    length = protocol.PREFIX.unpack(sent[: protocol.PREFIX.size])[2]
    header = json.loads(sent[protocol.PREFIX.size :][:length])
    header["fields"]["parts"] = damage(header["fields"]["parts"])
    text = json.dumps(header).encode()
    body = sent[protocol.PREFIX.size + length :]
    with pytest.raises(protocol.ProtocolError, match=sentence):
        protocol.read(io.BytesIO(protocol.PREFIX.pack(protocol.MAGIC, protocol.VERSION, len(text)) + text + body))


def test_the_schema_knows_the_fields_of_nested_records(monkeypatch):
    before = protocol.schema()
    monkeypatch.setattr(protocol, "NESTED_TYPES", (records.Camera,))
    assert protocol.schema() != before


def test_a_nested_record_is_no_message_of_its_own():
    with pytest.raises(protocol.ProtocolError, match="not a message type"):
        protocol.encode(protocol.Message(1, toy.parts_reconstruction().parts))


def test_received_arrays_can_be_written_to():
    round_trip(records.CutOut(np.zeros((2, 2), np.uint8), "file")).mask[0, 0] = 1


frame = protocol.encode(protocol.Message(1, records.CutOut(np.arange(12, dtype=np.uint8).reshape(3, 4), "alpha")))


@pytest.mark.parametrize("length", range(1, len(frame)))
def test_a_frame_cut_short_is_an_error(length):
    with pytest.raises(protocol.ProtocolError, match="ended after"):
        protocol.read(io.BytesIO(frame[:length]))


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=1, max_size=200))
def test_garbage_is_refused(data):
    with pytest.raises(protocol.ProtocolError):
        protocol.read(io.BytesIO(data))


@settings(max_examples=300, deadline=None)
@given(st.integers(0, len(frame) - 1), st.integers(0, 255))
def test_one_wrong_byte_never_gives_more_than_a_protocol_error(position, value):
    damaged = bytearray(frame)
    damaged[position] = value
    try:
        message = protocol.read(io.BytesIO(damaged))
    except protocol.ProtocolError:
        return
    assert type(message.body).__name__ in protocol.MESSAGE_TYPES


def frame_with_header(**header):
    text = json.dumps(
        {"kind": "CutOut", "id": 1, "fields": {"mask": 0, "source": "x", "warnings": []}, "arrays": []} | header
    ).encode()
    return protocol.PREFIX.pack(protocol.MAGIC, protocol.VERSION, len(text)) + text


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ({"kind": "os.system"}, "unknown message type"),
        ({"kind": ["CutOut"]}, "unknown message type"),
        ({"id": "1"}, "malformed"),
        ({"more": 1}, "other entries"),
        ({"fields": {"mask": 0}}, "other fields"),
        ({"fields": {"mask": 0, "source": "x", "warnings": []}}, "did not come"),
        ({"fields": {"mask": -1, "source": "x", "warnings": []}}, "did not come"),
        ({"fields": {"mask": True, "source": "x", "warnings": []}}, "did not come"),
        ({"fields": {"mask": 0, "source": 3, "warnings": []}, "arrays": [["|u1", [0]]]}, "CutOut.source holds"),
        ({"arrays": [["|O8", [1]]]}, "does not describe an array"),
        ({"arrays": [["|u1", [-1]]]}, "not a shape"),
        ({"arrays": [["|u1", [1 << 40]]]}, "announced"),
        ({"arrays": [["|u1", [0]]] * 65}, "more than 64"),
        ({"arrays": 3}, "list"),
    ],
)
def test_a_malformed_header_is_named(header, sentence):
    with pytest.raises(protocol.ProtocolError, match=sentence):
        protocol.read(io.BytesIO(frame_with_header(**header)))


def test_an_oversized_header_is_refused_before_it_is_read():
    prefix = protocol.PREFIX.pack(protocol.MAGIC, protocol.VERSION, 0xFFFFFFFF)
    with pytest.raises(protocol.ProtocolError, match="announced"):
        protocol.read(io.BytesIO(prefix))


def test_another_version_is_named():
    prefix = protocol.PREFIX.pack(protocol.MAGIC, protocol.VERSION + 1, 0)
    with pytest.raises(protocol.ProtocolError, match=f"version {protocol.VERSION + 1}.*version {protocol.VERSION}"):
        protocol.read(io.BytesIO(prefix))


def test_what_cannot_travel_is_refused_by_the_sender():
    with pytest.raises(protocol.ProtocolError, match="not a message type"):
        protocol.encode(protocol.Message(1, object()))
    with pytest.raises(protocol.ProtocolError, match="array type"):
        protocol.encode(protocol.Message(1, records.CutOut(np.array([object()]), "file")))
    with pytest.raises(protocol.ProtocolError, match="PosixPath|WindowsPath"):
        from pathlib import Path

        protocol.encode(protocol.Message(1, records.CutOutRequest(Path("photo.jpg"))))  # type: ignore[arg-type]


def test_the_wire_needs_neither_torch_nor_bpy(root):
    code = (
        "import sys, backend.ipc.client, backend.ipc.protocol\n"
        "print(sorted({'torch', 'bpy', 'cv2', 'PIL', 'scipy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == "[]"

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Salient-object networks: which file is taken, what each kind is shown, and what is said of files that do not fit."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from backend.models import salient_objects as module
from backend.models.salient_objects import (
    BIREFNET,
    ISNET,
    U2NET,
    CutOutModelError,
    SalientNetwork,
    family_of,
    find_models,
    load_found_network,
    load_salient_network,
)
from tests.helpers.onnx_files import finds_red, write_model

pytest.importorskip("onnxruntime")
REAL = Path(__file__).resolve().parents[2] / "runs" / "models" / "u2netp.onnx"


class Recorder:
    """Stands for onnxruntime's session: notes what it is shown and answers a map."""

    def __init__(self, answer: np.ndarray) -> None:
        self.answer = answer
        self.shown = np.zeros(0)

    def run(self, names, inputs):
        self.shown = inputs["picture"]
        return [self.answer]


def shown_by(family, rgb: np.ndarray) -> np.ndarray:
    session = Recorder(np.zeros((1, 1, 4, 4), np.float32))
    SalientNetwork("toy.onnx", family, 4, (), session, "picture", np.float32)(rgb)
    return session.shown


def answered(family, values: list[float]) -> np.ndarray:
    session = Recorder(np.array(values, np.float32).reshape(1, 1, 2, -1))
    return SalientNetwork("toy.onnx", family, 4, (), session, "picture", np.float32)(np.zeros((4, 4, 3), np.uint8))


def test_colours_are_normalised_as_each_kind_learned_them() -> None:
    rgb = np.full((6, 8, 3), (51, 102, 204), np.uint8)
    mean, deviation = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    expected = {
        U2NET: (np.array([51, 102, 204]) / 204 - mean) / deviation,
        ISNET: np.array([0.2, 0.4, 0.8]) - 0.5,
        BIREFNET: (np.array([0.2, 0.4, 0.8]) - mean) / deviation,
    }
    for family, colour in expected.items():
        shown = shown_by(family, rgb)
        assert shown.shape == (1, 3, 4, 4) and shown.dtype == np.float32
        assert np.allclose(shown, colour.reshape(1, 3, 1, 1), atol=1e-5), family.title


def test_a_black_picture_divides_by_nothing() -> None:
    assert np.isfinite(shown_by(U2NET, np.zeros((5, 5, 3), np.uint8))).all()


def test_logits_become_probabilities_without_overflow() -> None:
    with np.errstate(all="raise", under="ignore"):
        found = answered(BIREFNET, [-2000.0, 2000.0, 0.0, 1.0])
    assert np.allclose(found.ravel(), [0, 1, 0.5, 1 / (1 + np.exp(-1))], atol=1e-6)


def test_probabilities_stay_so_and_an_export_without_a_sigmoid_gets_one() -> None:
    assert np.allclose(answered(ISNET, [0.0, 0.25, 1.0, 0.5]).ravel(), [0.0, 0.25, 1.0, 0.5])
    assert np.allclose(answered(ISNET, [-30.0, 30.0, 0.0, 30.0]).ravel(), [0.0, 1.0, 0.5, 1.0], atol=1e-6)


def test_a_faint_object_is_stretched_and_nothing_is_not() -> None:
    assert np.allclose(answered(U2NET, [0.1, 0.7, 0.4, 0.1]).ravel(), [0, 1, 0.5, 0], atol=1e-6)
    assert np.allclose(answered(U2NET, [0.1, 0.2, 0.1, 0.1]).ravel(), [0.1, 0.2, 0.1, 0.1])


@pytest.mark.parametrize(
    "name, family",
    [
        ("birefnet-general-lite", BIREFNET), ("BiRefNet-portrait-epoch_150", BIREFNET), ("isnet-general-use", ISNET),
        ("u2net", U2NET), ("u2netp", U2NET), ("u2net_human_seg", U2NET), ("U2-Net", U2NET), ("RMBG-1.4", ISNET),
        ("bria_rmbg-2.0", BIREFNET), ("model", None),
    ],
)  # fmt: skip
def test_the_file_name_tells_the_kind(name: str, family) -> None:
    assert family_of(name) is family


def test_a_file_is_run_and_answers_a_map_of_its_own_size(tmp_path: Path) -> None:
    network = load_salient_network(write_model(tmp_path / "isnet-toy.onnx", finds_red(), side=32))
    rgb = np.full((60, 90, 3), 90, np.uint8)
    rgb[15:30, 45:] = (220, 20, 20)
    found = network(rgb)
    assert (network.name, network.side, network.notes) == ("isnet-toy.onnx", 32, ())
    assert found.shape == (32, 32) and found.dtype == np.float32
    assert (found[8:16, 16:] > 0.9).all() and (found[17:] < 0.1).all() and (found[:, :15] < 0.1).all()


def test_the_kind_says_the_side_where_the_file_takes_any(tmp_path: Path) -> None:
    assert load_salient_network(write_model(tmp_path / "u2netp.onnx", finds_red(), side="any")).side == 320
    assert load_salient_network(write_model(tmp_path / "birefnet.onnx", finds_red(), side="any")).side == 1024


def test_what_is_assumed_of_an_unknown_kind_is_said(tmp_path: Path) -> None:
    network = load_salient_network(write_model(tmp_path / "mine.onnx", finds_red(), side=48))
    assert network.side == 48 and network.family is ISNET
    assert network.notes == ("The kind of the cut-out model mine.onnx is unknown: it is used as an IS-Net.",)


def test_terms_that_forbid_selling_are_told(tmp_path: Path) -> None:
    network = load_salient_network(write_model(tmp_path / "RMBG-1.4.onnx", finds_red()))
    assert network.notes == ("The cut-out model RMBG-1.4.onnx is for non-commercial use only: see its licence.",)


def test_a_file_is_read_once_and_again_when_it_was_written_anew(tmp_path: Path) -> None:
    path = write_model(tmp_path / "isnet.onnx", finds_red())
    first = load_salient_network(path)
    assert load_salient_network(str(path)) is first
    write_model(path, finds_red(), side=32)
    os.utime(path, ns=(1, 1))
    assert load_salient_network(path).side == 32


def refusal(path: Path) -> str:
    with pytest.raises(CutOutModelError) as error:
        load_salient_network(path)
    return str(error.value)


def test_files_that_are_no_models_are_refused_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "text.onnx").write_text("This is no model.")
    (tmp_path / "empty.onnx").write_bytes(b"")
    assert refusal(tmp_path / "gone.onnx") == "The cut-out model gone.onnx was not found: choose an ONNX file."
    assert refusal(tmp_path) == f"The cut-out model {tmp_path.name} is a folder: choose an ONNX file in it."
    for name in ("text.onnx", "empty.onnx"):
        assert refusal(tmp_path / name) == f"{name} is no ONNX model that can be loaded: download or export it again."


def test_models_of_another_form_are_refused_in_a_sentence(tmp_path: Path) -> None:
    grey = [("Conv", {"weights": np.ones((1, 1, 1, 1), np.float32)})]
    assert "does not take one colour picture" in refusal(write_model(tmp_path / "grey.onnx", grey, channels=1))
    assert "does not take one colour picture" in refusal(write_model(tmp_path / "two.onnx", finds_red(), inputs=2))
    many = write_model(tmp_path / "isnet.onnx", [("Conv", {"weights": np.ones((5, 3, 1, 1), np.float32)})])
    with pytest.raises(CutOutModelError, match="isnet.onnx is no cut-out model: it answers no map"):
        load_salient_network(many)(np.zeros((8, 8, 3), np.uint8))


def test_a_network_that_fails_says_so_in_a_sentence(tmp_path: Path) -> None:
    wrong = [("Reshape", {"shape": np.array([1, 7], np.int64)})]
    network = load_salient_network(write_model(tmp_path / "isnet.onnx", wrong, side="any"))
    with pytest.raises(CutOutModelError, match="isnet.onnx failed, perhaps for lack of memory"):
        network(np.zeros((8, 8, 3), np.uint8))


def test_the_remedy_is_named_where_onnxruntime_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    module._loaded.cache_clear()
    sentence = refusal(write_model(tmp_path / "isnet.onnx", finds_red()))
    assert "needs the package onnxruntime" in sentence and "-m pip install onnxruntime" in sentence


def test_models_are_found_where_they_are_kept_the_best_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("U2NET_HOME", str(tmp_path / "mine"))
    assert find_models() == [] and load_found_network() is None
    for name in ("u2netp", "isnet-general-use", "another"):
        write_model(tmp_path / "mine" / f"{name}.onnx", finds_red())
    assert [path.name for path in find_models()] == ["isnet-general-use.onnx", "u2netp.onnx"]

    monkeypatch.delenv("U2NET_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    write_model(tmp_path / ".u2net" / "u2net.onnx", finds_red())
    assert find_models() == [tmp_path / ".u2net" / "u2net.onnx"]


def test_a_found_model_that_does_not_load_gives_way_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("U2NET_HOME", str(tmp_path))
    (tmp_path / "birefnet-general.onnx").write_text("damaged")
    write_model(tmp_path / "u2net.onnx", finds_red())
    with caplog.at_level(logging.WARNING):
        network = load_found_network()
    assert network is not None and network.name == "u2net.onnx"
    assert "birefnet-general.onnx is no ONNX model" in caplog.text


@pytest.mark.skipif(not REAL.is_file(), reason="runs/models/u2netp.onnx is not there")
def test_a_real_network_finds_what_stands_out() -> None:
    rgb = np.full((300, 400, 3), (150, 160, 170), np.uint8)
    cv2.ellipse(rgb, (220, 160), (90, 60), 0, 0, 360, (200, 30, 30), -1, cv2.LINE_AA)
    truth = np.zeros((300, 400), np.uint8)
    cv2.ellipse(truth, (220, 160), (90, 60), 0, 0, 360, 1, -1)
    found = cv2.resize(load_salient_network(REAL)(rgb), (400, 300)) > 0.5
    assert (found & (truth > 0)).sum() / (found | (truth > 0)).sum() > 0.9

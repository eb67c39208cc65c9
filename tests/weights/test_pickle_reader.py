# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints of StyleGAN2: what is in them is read bit for bit, and other files are named for what they are."""

from __future__ import annotations

import argparse
import io
import pickle
import struct
import subprocess
import sys
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from backend.weights.importers.checkpoint import AdaNetwork, StateDict, TensorFlowNetwork, read_checkpoint
from backend.weights.importers.pickle_reader import interpret, read_pickle
from backend.weights.importers.pickled_arrays import Arrays
from backend.weights.importers.torch_archive import open_stream, open_zip
from backend.weights.importers.untrusted import Budget
from tests.helpers import pickle_samples as samples
from tests.helpers.pickle_samples import (
    called,
    integer,
    named,
    pickled,
    program,
    refusal,
    sequence,
    storage,
    tensor,
    text,
    write,
)


def same(found: np.ndarray, expected: Tensor | np.ndarray) -> bool:
    """Whether two arrays have one type, one shape and the same bits."""
    wanted = np.asarray(expected.detach().numpy() if isinstance(expected, Tensor) else expected)
    native = wanted.astype(wanted.dtype.newbyteorder("="))
    return found.dtype == native.dtype and found.shape == native.shape and found.tobytes() == native.tobytes()


# What is in a checkpoint is read


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_ada_networks_are_read_bit_for_bit(tmp_path: Path, protocol: int) -> None:
    checkpoint = read_checkpoint(write(tmp_path, "ada.pkl", pickled(samples.ada_snapshot(), protocol)))
    assert checkpoint.kind == "ada" and list(checkpoint.networks) == ["G", "D", "G_ema"]
    wanted = {"G": samples.generator_state(0), "D": samples.discriminator_state(), "G_ema": samples.generator_state(2)}
    for role, state in wanted.items():
        network = checkpoint.networks[role]
        assert isinstance(network, AdaNetwork)
        assert network.class_name == ("Discriminator" if role == "D" else "Generator")
        assert network.state.keys() == state.keys()
        assert all(same(network.state[name], value) for name, value in state.items())


def test_ada_networks_come_with_the_arguments_they_were_made_with(tmp_path: Path) -> None:
    network = read_checkpoint(write(tmp_path, "ada.pkl", pickled(samples.ada_snapshot()))).networks["G_ema"]
    assert network.init_kwargs == {
        "c_dim": 0,
        "img_resolution": 8,
        "synthesis_kwargs": {"channel_base": 16384, "conv_clamp": None, "resample_filter": [1, 3, 3, 1]},
    }
    assert type(network.init_kwargs["synthesis_kwargs"]) is dict
    assert network.attributes["z_dim"] == 4 and network.attributes["synthesis.b4.conv1.in_channels"] == 6


def test_state_names_come_in_the_order_of_state_dict(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    state = {f"synthesis.b4.conv1.affine.{name}": value for name, value in module.state_dict().items()}
    network = samples.ada_network("Generator", samples.generator_state())
    part = network._modules["synthesis"]._modules["b4"]._modules["conv1"]._modules["affine"]
    part._modules = {name: child for name, child in module.named_children()}
    # The children must be persistent themselves: torch's own layers are not among the names allowed.
    for name, child in list(part._modules.items()):
        part._modules[name] = samples.PersistentModule("Layer", {}, "", **child.__dict__)
    found = read_checkpoint(write(tmp_path, "ada.pkl", pickled({"G_ema": network}))).networks["G_ema"].state
    prefix = "synthesis.b4.conv1.affine."
    assert [name for name in found if name.startswith(prefix) and name != prefix + "weight"] == list(state)


def test_buffers_that_state_dict_leaves_out_are_left_out(tmp_path: Path) -> None:
    network = samples.ada_network("Generator", samples.generator_state())
    network._modules["mapping"]._non_persistent_buffers_set.add("w_avg")
    found = read_checkpoint(write(tmp_path, "ada.pkl", pickled({"G_ema": network}))).networks["G_ema"].state
    assert found.keys() == samples.generator_state().keys() - {"mapping.w_avg"}


def test_torch_containers_among_the_modules_are_followed(tmp_path: Path) -> None:
    network = samples.ada_network("Generator", samples.generator_state())
    network._modules["mapping"] = nn.ModuleList([nn.Identity()])
    network._modules["mapping"]._buffers["w_avg"] = torch.arange(5)
    found = read_checkpoint(write(tmp_path, "ada.pkl", pickled({"G_ema": network}))).networks["G_ema"].state
    assert same(found["mapping.w_avg"], torch.arange(5))


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_tensorflow_networks_are_read_bit_for_bit(tmp_path: Path, protocol: int) -> None:
    checkpoint = read_checkpoint(write(tmp_path, "car.pkl", pickled(samples.tensorflow_snapshot(), protocol)))
    assert checkpoint.kind == "tensorflow" and list(checkpoint.networks) == ["G", "D", "G_ema"]
    for role, seed in [("G", 3), ("G_ema", 4)]:
        network = checkpoint.networks[role]
        assert isinstance(network, TensorFlowNetwork)
        assert (network.name, network.build_function) == ("G", "G_main")
        assert network.static_kwargs == {"resolution": 8, "label_size": 0, "fmap_base": 16384}
        wanted = {
            f"{part}/{name}" if part else name: value
            for part, variables in samples.tensorflow_variables(seed).items()
            for name, value in variables.items()
        }
        assert network.variables.keys() == wanted.keys()
        assert all(same(network.variables[name], value) for name, value in wanted.items())


@pytest.mark.parametrize("as_zip", [True, False])
def test_state_dicts_of_the_pytorch_port_are_read_bit_for_bit(tmp_path: Path, as_zip: bool) -> None:
    snapshot = {**samples.port_snapshot(), "args": argparse.Namespace(size=256, lr=0.002)}
    path = write(tmp_path, "port.pt", samples.saved(snapshot, as_zip=as_zip))
    checkpoint = read_checkpoint(path)
    assert checkpoint.kind == "state" and list(checkpoint.networks) == ["G", "D", "G_ema"]
    with torch.serialization.safe_globals([argparse.Namespace]):
        loaded = torch.load(path, weights_only=True)
    for role, name in [("G", "g"), ("D", "d"), ("G_ema", "g_ema")]:
        network = checkpoint.networks[role]
        assert isinstance(network, StateDict) and network.tensors.keys() == loaded[name].keys()
        assert all(same(network.tensors[key], value) for key, value in loaded[name].items())
    assert same(checkpoint.networks["G_ema"].latent_avg, loaded["latent_avg"])
    assert checkpoint.networks["D"].latent_avg is None


def test_only_the_networks_asked_for_are_read(tmp_path: Path) -> None:
    path = write(tmp_path, "ada.pkl", pickled(samples.ada_snapshot()))
    assert list(read_checkpoint(path, ("G_ema",)).networks) == ["G_ema"]
    path = write(tmp_path, "only_g.pkl", pickled({"G": samples.ada_snapshot()["G"]}))
    assert "holds none of the networks D, only G" in refusal(path, lambda path: read_checkpoint(path, ("D",)))


BASE = torch.arange(-30, 30)
TENSORS: dict[str, Tensor] = {
    "float16": BASE.to(torch.float16) / 3,
    "float32": BASE.to(torch.float32) / 3,
    "float64": BASE.to(torch.float64) / 3,
    "not numbers": torch.tensor([float("nan"), float("inf"), -0.0, 1e-45]),
    "int8": BASE.to(torch.int8),
    "uint8": BASE.to(torch.uint8),
    "int16": BASE.to(torch.int16),
    "int32": BASE.to(torch.int32),
    "int64": BASE * 2**50,
    "bool": BASE % 3 == 0,
    "no dimensions": torch.tensor(-7.25),
    "no elements": torch.zeros(0, 5),
    "transposed": BASE.reshape(6, 10).T,
    "permuted": BASE.reshape(3, 4, 5).permute(2, 0, 1),
    "every third": BASE[4::3],
    "a window": BASE.reshape(6, 10)[1:4, 2:7],
    "channels last": BASE.reshape(1, 3, 4, 5).contiguous(memory_format=torch.channels_last),
}


def opened(data: bytes) -> tuple[Any, Arrays]:
    """The tree of a file that torch.save wrote, and what makes its arrays."""
    budget = Budget.of(data)
    archive = open_zip(data, budget) if data[:2] == b"PK" else open_stream(memoryview(data), budget)
    return archive.tree, Arrays(budget, archive)


@pytest.mark.parametrize("as_zip", [True, False])
def test_tensors_of_every_type_and_layout_in_archives(as_zip: bool) -> None:
    tree, arrays = opened(samples.saved(TENSORS, as_zip=as_zip))
    for name, value in TENSORS.items():
        assert same(arrays.array(tree[name], name), value), name


@pytest.mark.parametrize("protocol", [2, 4])
def test_tensors_of_every_type_and_layout_in_pickles(protocol: int) -> None:
    data = pickle.dumps(TENSORS, protocol)
    tree, _ = interpret(memoryview(data), Budget.of(data))
    arrays = Arrays(Budget.of(data))
    for name, value in TENSORS.items():
        assert same(arrays.array(tree[name], name), value), name


def test_a_storage_may_be_a_zip_file_of_its_own() -> None:
    value = torch.linspace(0, 1, 12)
    buffer = io.BytesIO()
    torch.save(value.__reduce_ex__(2)[1][0], buffer)
    data = program(tensor(storage(buffer.getvalue()), 0, (3, 4), (4, 1)))
    tree, _ = interpret(memoryview(data), Budget.of(data))
    assert same(Arrays(Budget.of(data)).array(tree, "it"), value.reshape(3, 4))


@pytest.mark.parametrize("as_zip", [True, False])
def test_tensors_that_shared_their_storage_still_do(as_zip: bool) -> None:
    tree, arrays = opened(samples.saved({"all": BASE, "some": BASE[10:20], "other": BASE.clone()}, as_zip=as_zip))
    found = {name: arrays.array(tree[name], name) for name in ("all", "some", "other")}
    found["all"][12] = 99
    assert found["some"][2] == 99 and found["other"][12] != 99


ARRAYS: dict[str, Any] = {
    "float16": np.linspace(-1, 1, 7).astype(np.float16),
    "float64": np.linspace(-1, 1, 7),
    "int64": np.arange(6).reshape(2, 3) << 40,
    "uint8": np.arange(250, 256, dtype=np.uint8),
    "bool": np.array([True, False]),
    "big-endian": np.linspace(-1, 1, 7).astype(">f4"),
    "Fortran": np.asfortranarray(np.arange(24.0).reshape(2, 3, 4)),
    "sliced": np.arange(24.0).reshape(4, 6)[::2, 1::2],
    "no dimensions": np.array(2.5, dtype=np.float32),
    "no elements": np.zeros((3, 0), dtype=np.float32),
    "scalar": np.float32(0.1),
}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("package", ["numpy.core", "numpy._core"])
def test_numpy_arrays_of_every_type_and_layout(protocol: int, package: str) -> None:
    data = pickle.dumps(ARRAYS, protocol)
    own = next(name for name in (b"numpy._core", b"numpy.core") if name + b"." in data)
    if protocol < 4:  # NumPy 1 and 2 say different names; in these protocols a name may change its length
        data = data.replace(own + b".", package.encode() + b".")
    tree, _ = interpret(memoryview(data), Budget.of(data))
    arrays = Arrays(Budget.of(data))
    for name, value in ARRAYS.items():
        assert same(arrays.array(tree[name], name), np.asarray(value)), name


def test_arrays_that_python_2_wrote() -> None:
    """Python 2 pickled the bytes of an array as a text; all 256 values must survive."""
    numbers = np.arange(256, dtype=np.uint8)
    kind = called(named("numpy", "dtype"), text("u1"), integer(0), integer(1))
    kind += sequence(integer(3), text("|"), pickle.NONE, pickle.NONE, pickle.NONE, *[integer(-1)] * 2, integer(0))
    old_text = pickle.BINSTRING + struct.pack("<i", 256) + numbers.tobytes()
    state = sequence(integer(1), sequence(integer(16), integer(16)), kind + pickle.BUILD, pickle.NEWFALSE, old_text)
    make = called(named("numpy.core.multiarray", "_reconstruct"), named("numpy", "ndarray"), sequence(), text("b"))
    data = program(make, state, pickle.BUILD)
    tree, _ = interpret(memoryview(data), Budget.of(data))
    assert same(Arrays(Budget.of(data)).array(tree, "it"), numbers.reshape(16, 16))


def test_the_tree_of_plain_values_is_what_pickle_makes_of_it(tmp_path: Path) -> None:
    shared = [1, 2]
    value = {
        "numbers": [0, -1, 255, 65535, -70000, 2**31, -(2**200), 1.5, float("-inf")],
        "texts": ["", "ä €\U0001f600", "x" * 300, "\ud800"],
        "tuples": ((), (1,), (1, 2), (1, 2, 3), (1, 2, 3, 4)),
        "sets": [{1, "two"}, frozenset({3})],
        "others": [None, True, False, {}, {5: {"six": []}}],
        "shared": (shared, shared),
    }
    for protocol in (4, 5):
        tree = read_pickle(write(tmp_path, "plain.pkl", pickle.dumps(value, protocol)))
        assert tree == value and tree["shared"][0] is tree["shared"][1]


def test_reading_imports_neither_torch_nor_what_the_file_names(tmp_path: Path, root: Path) -> None:
    path = write(tmp_path, "ada.pkl", pickled(samples.ada_snapshot()))
    program_text = (
        "import sys; from backend.weights.importers.checkpoint import read_checkpoint\n"
        f"assert read_checkpoint({str(path)!r}).networks['G_ema'].state\n"
        "assert not {'torch', 'torch_utils', 'dnnlib'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program_text], cwd=root, check=True, timeout=60)


# Files of other kinds


def conditional_generator() -> samples.PersistentModule:
    return samples.ada_network("Generator", samples.generator_state(), {"c_dim": 10})


def style_gan_3() -> samples.PersistentModule:
    state = {"synthesis.input.weight": torch.zeros(4, 4), "synthesis.L0_36_512.weight": torch.zeros(4, 4)}
    return samples.ada_network("Generator", state)


def style_gan_1() -> tuple[samples.Network, ...]:
    variables = samples.tensorflow_variables()
    variables["synthesis"] = {"4x4/Const/StyleMod/weight": np.zeros((4, 4), np.float32)}
    return (samples.tensorflow_generator(variables), *samples.tensorflow_snapshot()[1:])


def compressed() -> bytes:
    buffer = io.BytesIO()
    original = zipfile.ZipFile(io.BytesIO(samples.saved(samples.port_snapshot())))
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as file:
        for name in original.namelist():
            file.writestr(name, original.read(name))
    return buffer.getvalue()


def torch_script() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("archive/data.pkl", pickle.dumps({}, 2))
        file.writestr("archive/constants.pkl", pickle.dumps((), 2))
    return buffer.getvalue()


def office_document() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("word/document.xml", "<document/>")
    return buffer.getvalue()


def tensorflow_with(**changes: Any) -> bytes:
    return pickled(samples.tensorflow_snapshot(**changes))


OTHERS: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "is empty"),
    "a JPEG": (lambda: b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(99), "neither a pickle nor a file that torch.save"),
    "a text": (lambda: b"Here are the weights.\n", "neither a pickle nor a file that torch.save writes"),
    "a web page": (lambda: b"\n<!DOCTYPE html><html></html>", "is a web page"),
    "a pointer": (lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "pointer of Git LFS"),
    "a document": (office_document, "not one that torch.save wrote"),
    "a TorchScript": (torch_script, "TorchScript"),
    "a compressed archive": (compressed, "compressed"),
    "a number": (lambda: pickle.dumps(5), "a dictionary is missing"),
    "a dict of others": (lambda: pickle.dumps({"weights": [1.0]}), "holds no StyleGAN2 generator"),
    "a discriminator": (lambda: pickled({"D": samples.ada_snapshot()["D"]}), "holds no StyleGAN2 generator"),
    "a discriminator alone": (lambda: samples.saved(samples.port_snapshot()["d"]), "holds no StyleGAN2 generator"),
    "two networks": (lambda: pickled(samples.tensorflow_snapshot()[:2]), "does not hold the three networks"),
    "another port": (
        lambda: samples.saved({"g_ema": OrderedDict(weight=torch.zeros(1))}),
        "another architecture",
    ),
    "another network": (
        lambda: pickled({"G_ema": samples.ada_network("TriPlaneGenerator", {"backbone.weight": torch.zeros(1)})}),
        "another architecture ('TriPlaneGenerator')",
    ),
    "StyleGAN3": (lambda: pickled({"G_ema": style_gan_3()}), "StyleGAN3 generator, which is not supported"),
    "StyleGAN1": (lambda: pickled(style_gan_1()), "StyleGAN1 generator, which is not supported"),
    "StyleGAN1 by function": (lambda: tensorflow_with(build_func_name="G_style"), "StyleGAN1"),
    "a conditional network": (lambda: pickled({"G_ema": conditional_generator()}), "conditional (10 classes)"),
    "a conditional TensorFlow network": (
        lambda: tensorflow_with(static_kwargs={"label_size": 3}),
        "conditional (3 classes)",
    ),
}


@pytest.mark.parametrize("name", OTHERS)
def test_files_of_other_kinds_are_named_for_what_they_are(tmp_path: Path, name: str) -> None:
    make, expected = OTHERS[name]
    assert expected in refusal(write(tmp_path, "model.pkl", make()))


def test_missing_files_and_folders(tmp_path: Path) -> None:
    assert "was not found" in refusal(tmp_path / "nowhere.pkl")
    (tmp_path / "folder.pkl").mkdir()
    assert "is a folder" in refusal(tmp_path / "folder.pkl")

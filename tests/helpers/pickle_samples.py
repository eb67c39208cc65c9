# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Checkpoints in the three formats that are read, made from small arrays, and pickles put together opcode by opcode.

The classes that NVIDIA's pickles name are not installed anywhere; stand-ins of the same names, which describe
themselves to pickle as the real ones do, are importable while a sample is written and gone before it is read.
"""

from __future__ import annotations

import io
import pickle
import struct
import sys
import types
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from backend.errors import UnrenderError
from backend.weights.importers.checkpoint import CheckpointError, read_checkpoint

BUFFERS = ("resample_filter", "noise_const", "w_avg")
"""The tensors of StyleGAN2-ADA's networks that are not parameters."""


class EasyDict(dict[str, Any]):
    """A dict whose items are attributes as well."""

    def __getattr__(self, name: str) -> Any:
        if name in self:
            return self[name]
        raise AttributeError(name)


class Network:
    """A network of NVIDIA's TensorFlow code: its state is made when it is pickled."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.network_state = state

    def __getstate__(self) -> dict[str, Any]:
        return self.network_state

    def __setstate__(self, state: dict[str, Any]) -> None:
        exec(state["build_module_src"], {})


def _reconstruct_persistent_obj(meta: dict[str, Any]) -> None:
    """The real one runs the source as this does, so that a sample with a harmful source is a live one."""
    exec(meta["module_src"], {})


class PersistentModule:
    """A module of NVIDIA's PyTorch code: it is pickled as a call with its source, its class's name and its state."""

    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]
    _non_persistent_buffers_set: set[str]

    def __init__(self, class_name: str, init_kwargs: dict[str, Any], source: str, **attributes: Any) -> None:
        self.__dict__.update(nn.Module().__dict__)
        self._meta = (class_name, source)
        self._init_args = ()
        self._init_kwargs = init_kwargs
        self.__dict__.update(attributes)

    def __reduce__(self) -> tuple[Any, ...]:
        class_name, source = self._meta
        state = {name: value for name, value in self.__dict__.items() if name != "_meta"}
        meta = {"type": "class", "version": 6, "module_src": source, "class_name": class_name, "state": state}
        return sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj, (meta,), None


@contextmanager
def stand_ins() -> Iterator[None]:
    """The modules that NVIDIA's pickles name, importable for a while."""
    members: dict[str, list[Any]] = {
        "torch_utils": [],
        "torch_utils.persistence": [_reconstruct_persistent_obj],
        "dnnlib": [],
        "dnnlib.util": [EasyDict],
        "dnnlib.tflib": [],
        "dnnlib.tflib.network": [Network],
    }
    own = [(member, member.__module__) for group in members.values() for member in group]
    try:
        for name, group in members.items():
            sys.modules[name] = types.ModuleType(name)
            for member in group:
                member.__module__ = name
                setattr(sys.modules[name], member.__name__, member)
        yield
    finally:
        for member, module in own:
            member.__module__ = module
        for name in members:
            del sys.modules[name]


def pickled(value: Any, protocol: int = 4) -> bytes:
    """A pickle written while the stand-ins can be imported."""
    with stand_ins():
        return pickle.dumps(value, protocol=protocol)


def unpickled(data: bytes) -> Any:
    """What an ordinary unpickler makes of a pickle, harm included."""
    with stand_ins():
        return pickle.loads(data)


def generator_state(seed: int = 0) -> dict[str, Tensor]:
    """Some of the state of a generator of 8×8 images, under StyleGAN2-ADA's names."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {
        "synthesis.b4.const": (6, 4, 4),
        "synthesis.b4.resample_filter": (4, 4),
        "synthesis.b4.conv1.weight": (6, 6, 3, 3),
        "synthesis.b4.conv1.noise_strength": (),
        "synthesis.b4.conv1.noise_const": (4, 4),
        "synthesis.b4.conv1.affine.weight": (6, 5),
        "synthesis.b4.torgb.weight": (3, 6, 1, 1),
        "synthesis.b8.conv0.weight": (6, 6, 3, 3),
        "mapping.w_avg": (5,),
        "mapping.fc0.weight": (5, 4),
    }
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def discriminator_state(seed: int = 1) -> dict[str, Tensor]:
    """Some of the state of a discriminator, under StyleGAN2-ADA's names."""
    generator = torch.Generator().manual_seed(seed)
    shapes = {"b8.resample_filter": (4, 4), "b8.conv0.weight": (6, 6, 3, 3), "b4.out.weight": (1, 6)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def ada_network(
    class_name: str,
    state: dict[str, Tensor],
    init_kwargs: dict[str, Any] | None = None,
    source: str = "raise RuntimeError('the source was run')\n",
    **attributes: Any,
) -> PersistentModule:
    """A tree of persistent modules that holds ``state``."""
    network = PersistentModule(class_name, EasyDict(init_kwargs or {"c_dim": 0}), source, **attributes)
    for name, value in state.items():
        *path, leaf = name.split(".")
        module = network
        for part in path:
            module = module._modules.setdefault(part, PersistentModule("Part", EasyDict(), source, in_channels=6))
        if leaf in BUFFERS:
            module._buffers[leaf] = value
        else:
            module._parameters[leaf] = nn.Parameter(value, requires_grad=value.is_floating_point())
    return network


def ada_snapshot(**changes: Any) -> dict[str, Any]:
    """What NVIDIA's PyTorch code pickles after some training."""
    init_kwargs = {
        "c_dim": 0,
        "img_resolution": 8,
        "synthesis_kwargs": EasyDict(channel_base=16384, conv_clamp=None, resample_filter=[1, 3, 3, 1]),
    }
    attributes: dict[str, Any] = {
        "img_resolution": 8,
        "z_dim": 4,
        "weight_gain": np.float64(0.5),
        "device": torch.device("cpu"),
    }
    generator = ada_network("Generator", generator_state(0), init_kwargs, **attributes)
    generator._modules["mapping"].__dict__["num_layers"] = 1
    average = ada_network("Generator", generator_state(2), init_kwargs, **attributes)
    return {
        "G": generator,
        "D": ada_network("Discriminator", discriminator_state()),
        "G_ema": average,
        "training_set_kwargs": EasyDict(class_name="training.dataset.ImageFolderDataset", path="cars.zip"),
        "augment_pipe": ada_network("AugmentPipe", {"p": torch.zeros(())}),
        **changes,
    }


def tensorflow_network(name: str, variables: dict[str, Any], components: dict[str, Any], **changes: Any) -> Network:
    """A network of NVIDIA's TensorFlow code."""
    state = {
        "version": 4,
        "name": name,
        "static_kwargs": {"resolution": 8, "label_size": 0, "fmap_base": 16 << 10},
        "components": components,
        "build_module_src": "raise RuntimeError('the source was run')\n",
        "build_func_name": name[0] + "_main",
        "variables": list(variables.items()),
    }
    return Network({**state, **changes})


def tensorflow_variables(seed: int = 3) -> dict[str, dict[str, Any]]:
    """Variables of a generator and its components, by component; the scalars are NumPy's scalars, not arrays."""
    random = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return random.standard_normal(shape).astype(np.float32)

    return {
        "": {"lod": np.float32(0), "dlatent_avg": normal(5)},
        "mapping": {"Dense0/weight": normal(4, 5)},
        "synthesis": {
            "4x4/Const/const": normal(1, 6, 4, 4),
            "4x4/Conv/mod_weight": normal(5, 6),
            "4x4/Conv/noise_strength": np.float32(random.standard_normal()),
        },
    }


def tensorflow_generator(variables: dict[str, dict[str, Any]], **changes: Any) -> Network:
    """A generator with its two components; ``changes`` are made to the state of each."""
    parts = {part: tensorflow_network("G_" + part, variables[part], {}, **changes) for part in ("mapping", "synthesis")}
    return tensorflow_network("G", variables[""], parts, **changes)


def tensorflow_snapshot(seed: int = 3, **changes: Any) -> tuple[Network, Network, Network]:
    """What NVIDIA's TensorFlow code pickles: generator, discriminator, moving average of the generator."""
    output = {"Output/weight": np.random.default_rng(seed).standard_normal((6, 1)).astype(np.float32)}
    return (
        tensorflow_generator(tensorflow_variables(seed), **changes),
        tensorflow_network("D", output, {}),
        tensorflow_generator(tensorflow_variables(seed + 1), **changes),
    )


def port_snapshot() -> dict[str, Any]:
    """What a PyTorch port saves: state dicts, which are OrderedDicts with attributes, beside other things."""
    random = torch.Generator().manual_seed(4)

    def state(*names: str) -> OrderedDict[str, Tensor]:
        tensors = OrderedDict((name, torch.randn(3, 4, generator=random)) for name in names)
        tensors._metadata = OrderedDict({"": {"version": 1}})  # type: ignore[attr-defined]
        return tensors

    return {
        "g": state("conv1.conv.modulation.weight", "style.1.weight"),
        "d": state("final_linear.1.weight"),
        "g_ema": state("conv1.conv.modulation.weight", "style.1.weight"),
        "g_optim": {"state": {0: {"step": 7, "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.002}]},
        "latent_avg": torch.randn(4, generator=random),
    }


def saved(value: Any, *, as_zip: bool = True) -> bytes:
    """What torch.save writes, in the zip format or in the older one."""
    buffer = io.BytesIO()
    with stand_ins():
        torch.save(value, buffer, _use_new_zipfile_serialization=as_zip)
    return buffer.getvalue()


# Pickles put together by hand


def text(value: str) -> bytes:
    """The opcode that pushes a text."""
    data = value.encode()
    return pickle.BINUNICODE + struct.pack("<I", len(data)) + data


def named(module: str, name: str) -> bytes:
    """The opcodes that push a class or function by its name."""
    return text(module) + text(name) + pickle.STACK_GLOBAL


def called(function: bytes, *args: bytes) -> bytes:
    """The opcodes that call what ``function`` pushes."""
    return function + pickle.MARK + b"".join(args) + pickle.TUPLE + pickle.REDUCE


def program(*opcodes: bytes) -> bytes:
    """A pickle of these opcodes."""
    return pickle.PROTO + b"\x04" + b"".join(opcodes) + pickle.STOP


def dictionary(**values: bytes) -> bytes:
    """The opcodes that push a dict."""
    items = b"".join(text(name) + value for name, value in values.items())
    return pickle.EMPTY_DICT + pickle.MARK + items + pickle.SETITEMS


def integer(value: int) -> bytes:
    """The opcode that pushes an integer."""
    data = pickle.encode_long(value)
    return pickle.LONG1 + bytes([len(data)]) + data


def content(data: bytes) -> bytes:
    """The opcode that pushes bytes."""
    return pickle.BINBYTES + struct.pack("<I", len(data)) + data


def sequence(*values: bytes) -> bytes:
    """The opcodes that push a tuple."""
    return pickle.MARK + b"".join(values) + pickle.TUPLE


def tensor(storage: bytes, offset: int, sizes: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    """The opcodes for one of torch's tensors."""
    rebuild = named("torch._utils", "_rebuild_tensor_v2")
    shape, steps = (sequence(*map(integer, values)) for values in (sizes, strides))
    return called(rebuild, storage, integer(offset), shape, steps, pickle.NEWFALSE, pickle.NONE)


def loaded(data: bytes) -> bytes:
    """The opcodes for a storage in an archive of its own, from those of its bytes."""
    return called(named("torch.storage", "_load_from_bytes"), data)


def storage(data: bytes) -> bytes:
    """The opcodes for a storage in an archive of its own, from its bytes."""
    return loaded(content(data))


def saved_storage(numbers: Tensor) -> bytes:
    """The archive of a tensor's storage, as tensors have it that are pickled by themselves."""
    _, (typed_storage, *_) = numbers.__reduce_ex__(2)
    _, (data,) = typed_storage.__reduce__()
    return data


def persistent(state: bytes, class_name: str = "Generator") -> bytes:
    """The opcodes for a module of NVIDIA's PyTorch code, from those of its state."""
    meta = dictionary(type=text("class"), module_src=text(""), class_name=text(class_name), state=state)
    return called(named("torch_utils.persistence", "_reconstruct_persistent_obj"), meta)


def generator_with(**parameters: bytes) -> bytes:
    """An ADA pickle whose generator has these parameters, from their opcodes."""
    return program(dictionary(G_ema=persistent(dictionary(_parameters=dictionary(**parameters)))))


def write(folder: Path, name: str, data: bytes) -> Path:
    """A file of this content."""
    path = folder / name
    path.write_bytes(data)
    return path


# What is said of a file that is refused


def assert_one_sentence(error: UnrenderError, path: Path) -> None:
    message = str(error)
    assert message.startswith(f"The checkpoint {path.name} "), message
    assert message.endswith(".") and "\n" not in message and "Error" not in message and len(message) < 300, message


def refusal(path: Path, read: Callable[[Path], Any] = read_checkpoint) -> str:
    """The one sentence with which a file is refused."""
    with pytest.raises(CheckpointError) as caught:
        read(path)
    assert_one_sentence(caught.value, path)
    return str(caught.value)

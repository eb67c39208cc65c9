# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN2 checkpoints of three families, read without running anything from them.

- ``ada``: NVIDIA's PyTorch pickles (StyleGAN2-ADA's, and StyleGAN2 from StyleGAN3's code), a dict with G, D, G_ema;
- ``tensorflow``: NVIDIA's first pickles, a tuple (G, D, Gs);
- ``state``: the common PyTorch port's ``.pt``, a dict of state dicts g, d, g_ema, or one generator's state dict alone.

Here the names stay as the file has them. Conditional networks and other architectures are refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .pickle_reader import Call, interpret
from .pickled_arrays import MAX_DEPTH, Arrays, mapping
from .torch_archive import MAGIC_NUMBER, is_zip, open_stream, open_zip
from .untrusted import Budget, CheckpointError, Malformed, explain, printable, read_file

Role = Literal["G", "D", "G_ema"]
ROLES: tuple[Role, ...] = ("G", "D", "G_ema")
"""Generator, discriminator, and the generator's moving average, which is the one to make images with."""

_PERSISTENT_OBJECT = "torch_utils.persistence._reconstruct_persistent_obj"
_TENSORFLOW_NETWORK = "dnnlib.tflib.network.Network"


@dataclass
class AdaNetwork:
    """A network of a StyleGAN2-ADA (PyTorch) pickle."""

    class_name: str
    """``Generator`` or ``Discriminator``."""
    init_kwargs: dict[str, Any]
    """Keyword arguments it was made with, plain values; what is not among them had the class's default."""
    attributes: dict[str, Any]
    """Plain attributes of it and of its parts, by dotted name: ``img_resolution``, ``synthesis.b8.architecture``."""
    state: dict[str, np.ndarray]
    """Parameters and buffers by dotted name, for instance ``synthesis.b8.conv0.weight``, in ``state_dict``'s order."""


@dataclass
class TensorFlowNetwork:
    """A network of a StyleGAN2 (TensorFlow) pickle."""

    name: str
    build_function: str
    """For instance ``G_main``."""
    static_kwargs: dict[str, Any]
    variables: dict[str, np.ndarray]
    """By name; those of a component under its role, for instance ``synthesis/4x4/Conv/weight``."""


@dataclass
class StateDict:
    """A network of a PyTorch port's file."""

    tensors: dict[str, np.ndarray]
    latent_avg: np.ndarray | None = None
    """(w_dim,) the mean of the intermediate codes, where the file has it."""


Network = AdaNetwork | TensorFlowNetwork | StateDict


@dataclass
class Checkpoint:
    """The networks of a file."""

    kind: Literal["ada", "tensorflow", "state"]
    networks: dict[Role, Any] = field(default_factory=dict)
    """:class:`AdaNetwork`, :class:`TensorFlowNetwork` or :class:`StateDict`, as ``kind`` says. Holds G_ema or G."""
    names_networks: bool = True
    """Whether the file says which network is which; a generator's state dict alone does not, and is given as G."""


def read_checkpoint(path: Path | str, roles: tuple[Role, ...] = ROLES) -> Checkpoint:
    """The networks of a StyleGAN2 checkpoint that have one of ``roles``; arrays are copies, in memory of their own.

    Takes about the file's size in memory besides the arrays. Raises CheckpointError, with one sentence, where the file
    is missing, damaged, asks for anything but weights, lacks all of the generators asked for, or holds other networks.
    """
    data = read_file(path)
    try:
        return _read(data, roles)
    except (Malformed, MemoryError) as error:
        raise explain(path, error) from error


def _read(data: bytes, roles: tuple[Role, ...]) -> Checkpoint:
    budget = Budget.of(data)
    _check_beginning(data)
    if is_zip(data):
        archive = open_zip(data, budget)
        return _states(archive.tree, Arrays(budget, archive), roles)
    tree, _ = interpret(memoryview(data), budget)
    if type(tree) is int and tree == MAGIC_NUMBER:
        archive = open_stream(memoryview(data), budget)
        return _states(archive.tree, Arrays(budget, archive), roles)
    if type(tree) in (tuple, list):
        return _tensorflow(tree, Arrays(budget), roles)
    return _ada(tree, Arrays(budget), roles)


def _check_beginning(data: bytes) -> None:
    """Names what people take for a checkpoint by mistake, most of it from failed downloads."""
    if not data:
        raise Malformed("is empty")
    if data.lstrip()[:1] == b"<":
        raise Malformed("is a web page, not a file of weights: download it again")
    if data.startswith(b"version https://git-lfs"):
        raise Malformed("is only a pointer of Git LFS: fetch the file itself")
    if data[0] != 0x80 and not is_zip(data):
        raise Malformed("is neither a pickle nor a file that torch.save writes")


def _choose(found: dict[Role, Any], roles: tuple[Role, ...]) -> dict[Role, Any]:
    """Those of the networks found that were asked for. Raises Malformed if no generator is among them."""
    if "G" not in found and "G_ema" not in found:
        raise Malformed("holds no StyleGAN2 generator")
    chosen: dict[Role, Any] = {role: found[role] for role in roles if role in found}
    if not chosen:
        raise Malformed(f"holds none of the networks {', '.join(roles)}, only {', '.join(found)}")
    return chosen


# StyleGAN2-ADA (PyTorch)


def _ada(tree: Any, arrays: Arrays, roles: tuple[Role, ...]) -> Checkpoint:
    items = mapping(tree)
    found: dict[Role, Any] = {role: items[role] for role in ROLES if _is_call(items.get(role), _PERSISTENT_OBJECT)}
    if not found and {"g", "g_ema"} & items.keys():
        raise Malformed("is a pickle of a PyTorch port's networks that torch.save did not write")
    networks: dict[Role, Any] = {role: _ada_network(node, arrays) for role, node in _choose(found, roles).items()}
    return Checkpoint("ada", networks)


def _ada_network(node: Call, arrays: Arrays) -> AdaNetwork:
    class_name, state = _module(node)
    network = AdaNetwork(class_name, arrays.plain(mapping(state.get("_init_kwargs", {}))), {}, {})
    for prefix, module in _modules(state, arrays.budget):
        for key, value in module.items():
            arrays.budget.step()
            if type(key) is str and not key.startswith("_") and not isinstance(value, Call | dict):
                network.attributes[prefix + key] = arrays.plain(value)
        temporary = module.get("_non_persistent_buffers_set")
        for name, value in {**_named(module, "_parameters"), **_named(module, "_buffers")}.items():
            arrays.budget.step()
            if value is not None and not (type(temporary) is set and name in temporary):
                network.state[prefix + name] = arrays.array(value, prefix + name)
    _check_ada(network)
    return network


def _module(node: Any) -> tuple[str, dict[Any, Any]]:
    """Class name and ``__dict__`` of a module: one pickled by NVIDIA's code, or a plain one of torch."""
    if _is_call(node, _PERSISTENT_OBJECT) and len(node.args) == 1:
        meta = mapping(node.args[0])
        class_name = meta.get("class_name")
        if meta.get("type") != "class" or type(class_name) is not str:
            raise Malformed("holds a network in a form that is not understood")
        return class_name, mapping(meta.get("state"))
    if isinstance(node, Call) and node.function.path.startswith("torch.nn.modules."):
        return node.function.path.rpartition(".")[2], mapping(node.state)
    raise Malformed("holds a network with a part that is no network")


def _modules(
    state: dict[Any, Any], budget: Budget, prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, dict[Any, Any]]]:
    """Prefix and ``__dict__`` of a module and of all within it, in ``state_dict``'s order."""
    if depth > MAX_DEPTH:
        raise Malformed("holds a network with too many parts inside one another")
    yield prefix, state
    for name, node in _named(state, "_modules").items():
        budget.step()
        if node is not None:
            yield from _modules(_module(node)[1], budget, f"{prefix}{name}.", depth + 1)


def _named(state: dict[Any, Any], group: str) -> dict[str, Any]:
    items = mapping(state.get(group, {}))
    if any(type(name) is not str for name in items):
        raise Malformed("holds a network with a part that has no name")
    return items


def _check_ada(network: AdaNetwork) -> None:
    if any(name.startswith("synthesis.input.") for name in network.state):
        raise Malformed("holds a StyleGAN3 generator, which is not supported: a StyleGAN2 one is needed")
    _check_architecture(network.state, "synthesis.b4.conv1.affine.weight", "b4.out.weight", network.class_name)
    _check_unconditional(network.init_kwargs.get("c_dim", network.attributes.get("c_dim", 0)))


# StyleGAN2 (TensorFlow)


def _tensorflow(tree: Any, arrays: Arrays, roles: tuple[Role, ...]) -> Checkpoint:
    if len(tree) != 3 or not all(_is_call(node, _TENSORFLOW_NETWORK) for node in tree):
        raise Malformed("does not hold the three networks of a StyleGAN2 checkpoint")
    chosen = _choose({"G": tree[0], "D": tree[1], "G_ema": tree[2]}, roles)
    return Checkpoint("tensorflow", {role: _tensorflow_network(node, arrays) for role, node in chosen.items()})


def _tensorflow_network(node: Call, arrays: Arrays) -> TensorFlowNetwork:
    state = mapping(node.state)
    name, function = state.get("name"), state.get("build_func_name")
    if type(name) is not str or type(function) is not str:
        raise Malformed("holds a network in a form that is not understood")
    static_kwargs = arrays.plain(mapping(state.get("static_kwargs", {})))
    network = TensorFlowNetwork(name, function, static_kwargs, {})
    for prefix, component in _components(state, arrays.budget):
        variables = component.get("variables")
        if not isinstance(variables, list | tuple):
            raise Malformed("holds a network in a form that is not understood")
        for variable in variables:
            if not isinstance(variable, list | tuple) or len(variable) != 2 or type(variable[0]) is not str:
                raise Malformed("holds a network with a variable that has no name")
            network.variables[prefix + variable[0]] = arrays.array(variable[1], prefix + variable[0])
    _check_tensorflow(network)
    return network


def _components(
    state: dict[Any, Any], budget: Budget, prefix: str = "", depth: int = 0
) -> Iterator[tuple[str, dict[Any, Any]]]:
    """Prefix and state of a network and of its components."""
    if depth > MAX_DEPTH:
        raise Malformed("holds a network with too many parts inside one another")
    yield prefix, state
    for name, node in mapping(state.get("components", {})).items():
        budget.step()
        if not _is_call(node, _TENSORFLOW_NETWORK):
            raise Malformed("holds a network with a part that is no network")
        yield from _components(mapping(node.state), budget, f"{prefix}{name}/", depth + 1)


def _check_tensorflow(network: TensorFlowNetwork) -> None:
    if any("/StyleMod/" in name for name in network.variables) or network.build_function in ("G_style", "G_paper"):
        raise Malformed("holds a StyleGAN1 generator, which is not supported: a StyleGAN2 one is needed")
    _check_architecture(network.variables, "synthesis/4x4/Conv/mod_weight", "Output/weight", network.build_function)
    _check_unconditional(network.static_kwargs.get("label_size", 0))


# PyTorch ports

_PORT_GENERATOR = "conv1.conv.modulation.weight"
"""A tensor that every generator of the port has."""


def _states(tree: Any, arrays: Arrays, roles: tuple[Role, ...]) -> Checkpoint:
    items = mapping(tree)
    names: dict[Role, str] = {"G": "g", "D": "d", "G_ema": "g_ema"}
    found: dict[Role, Any] = {role: items[name] for role, name in names.items() if name in items}
    average = items.get("latent_avg")
    alone = not found and _PORT_GENERATOR in items
    if alone:
        found = {"G": {name: value for name, value in items.items() if name != "latent_avg"}}
    latent_avg = None if average is None else arrays.array(average, "latent_avg")
    networks: dict[Role, Any] = {}
    for role, node in _choose(found, roles).items():
        tensors = {str(name): arrays.array(value, str(name)) for name, value in mapping(node).items()}
        _check_architecture(tensors, _PORT_GENERATOR, "final_linear.1.weight", "state dict")
        networks[role] = StateDict(tensors, None if role == "D" else latent_avg)
    return Checkpoint("state", networks, names_networks=not alone)


# All of them


def _is_call(node: Any, path: str) -> bool:
    return isinstance(node, Call) and node.function.path == path


def _check_architecture(state: dict[str, np.ndarray], generator: str, discriminator: str, what: str) -> None:
    """Raises Malformed where a network has neither the weights of a generator nor those of a discriminator."""
    if generator not in state and discriminator not in state:
        raise Malformed(f"holds networks of another architecture ('{printable(what)}'), not of StyleGAN2")


def _check_unconditional(classes: Any) -> None:
    if classes:
        raise Malformed(f"holds networks that are conditional ({printable(classes)} classes), which are not supported")


__all__ = [
    "ROLES",
    "AdaNetwork",
    "Checkpoint",
    "CheckpointError",
    "Network",
    "Role",
    "StateDict",
    "TensorFlowNetwork",
    "read_checkpoint",
]

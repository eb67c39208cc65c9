# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole StyleGAN2 checkpoints of small random networks in each format that is read, written for the tests.

Each comes with what its networks compute: a function from codes z (N, Z) and truncation to images (N, 3, R, R).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from backend.models.stylegan2 import Generator, GeneratorConfig
from backend.weights.importers.stylegan2_import import import_checkpoint
from backend.weights.importers.untrusted import CheckpointError
from tests.helpers import pickle_samples, stylegan2_port_twin, stylegan2_tensorflow_twin

Images = Callable[[Tensor, float], Tensor]
SMALL = {4: 4, 8: 3}
FILTER = torch.outer(stylegan2_port_twin.LINE, stylegan2_port_twin.LINE) / 64


@dataclass
class Sample:
    """A checkpoint file's content and what it should be read as."""

    data: bytes
    images: Images
    z_dim: int


# NVIDIA's TensorFlow pickles


def tensorflow_networks(generator: dict[str, np.ndarray], **static: Any) -> pickle_samples.Network:
    """A generator of NVIDIA's TensorFlow code, with its variables where that code keeps them."""
    parts: dict[str, dict[str, np.ndarray]] = {"": {}, "mapping": {}, "synthesis": {}}
    for name, value in generator.items():
        part, _, rest = name.partition("/")
        parts[part if rest else ""][rest or name] = value
    return pickle_samples.tensorflow_generator(parts, static_kwargs={"label_size": 0, **static})


def tensorflow_sample(seed: int = 0, channels: dict[int, int] | None = None, **static: Any) -> Sample:
    """(G, D, Gs), in which Gs is the generator to find."""
    twin = stylegan2_tensorflow_twin
    channels = channels or twin.CHANNELS
    average = twin.random_generator(seed, channels)
    networks = (
        tensorflow_networks(twin.random_generator(seed + 100, channels), **static),
        pickle_samples.tensorflow_network("D", twin.random_discriminator(seed, channels), {}),
        tensorflow_networks(average, **static),
    )
    return Sample(
        pickle_samples.pickled(networks),
        lambda z, psi: torch.from_numpy(twin.images(average, z.double().numpy(), psi)),
        z_dim=5,
    )


# The PyTorch port's files


def port_sample(seed: int = 0, channels: dict[int, int] | None = None, **changes: Any) -> Sample:
    """The dict that the port saves, with the mean of w, as its converted checkpoints have it."""
    twin = stylegan2_port_twin
    channels = channels or twin.CHANNELS
    state = twin.random_generator(seed, channels)
    average = torch.randn(7, generator=torch.Generator().manual_seed(seed))
    content = {
        "g": twin.random_generator(seed + 100, channels),
        "d": twin.random_discriminator(seed, channels),
        "g_ema": state,
        "g_optim": {"state": {0: {"step": 7, "exp_avg": torch.zeros(3)}}, "param_groups": [{"lr": 0.002}]},
        "latent_avg": average,
        **changes,
    }
    content = {name: value for name, value in content.items() if value is not None}
    return Sample(pickle_samples.saved(content), lambda z, psi: twin.images(state, z, average, psi), z_dim=7)


# NVIDIA's PyTorch pickles

ADA_LAYERS = {"conv0": "conv0", "conv1": "conv1", "to_image": "torgb"}
ADA_TENSORS = {"noise": "noise_const"}


def to_ada(name: str) -> str:
    """The name in StyleGAN2-ADA of a tensor of our generator."""
    if name == "mapping.average":
        return "mapping.w_avg"
    if name == "const":
        return "synthesis.b4.const"
    part, number, layer, *rest = name.split(".")
    if part == "mapping":
        return f"mapping.fc{layer}.{rest[0]}"
    tensor = ".".join(rest)
    return f"synthesis.b{4 << int(number)}.{ADA_LAYERS[layer]}.{ADA_TENSORS.get(tensor, tensor)}"


def ada_state(generator: Generator) -> dict[str, Tensor]:
    """A generator's state under StyleGAN2-ADA's names, with its filters."""
    state = {to_ada(name): value for name, value in generator.state_dict().items()}
    for level in range(1, len(generator.config.channel_table)):
        state[f"synthesis.b{4 << level}.resample_filter"] = FILTER
        state[f"synthesis.b{4 << level}.conv0.resample_filter"] = FILTER
    return state


def random_generator(config: GeneratorConfig, seed: int = 0) -> Generator:
    """One whose every parameter has a part in the image."""
    torch.manual_seed(seed)
    generator = Generator(config)
    with torch.no_grad():
        for name, parameter in generator.named_parameters():
            if name.endswith(("bias", "noise_strength")):
                parameter.add_(torch.randn_like(parameter) * 0.3)
        generator.mapping.average.normal_()
    return generator.eval().requires_grad_(False)


def ada_network(state: dict[str, Tensor], rate: float, clamp: float | None) -> pickle_samples.PersistentModule:
    """NVIDIA's persistent modules around a state; the rate and the clamp stand where NVIDIA's code keeps them."""
    network = pickle_samples.ada_network("Generator", state, {"c_dim": 0, "z_dim": 6}, z_dim=6, img_resolution=16)
    for name, module in network._modules["mapping"]._modules.items():
        module.__dict__.update(bias_gain=rate, activation="lrelu", weight_gain=rate / 2, in_features=len(name))
    for block in network._modules["synthesis"]._modules.values():
        block.__dict__.update(architecture="skip")
        for layer in block._modules.values():
            layer.__dict__.update(conv_clamp=clamp)
            if "noise_strength" in layer._parameters:
                layer.__dict__.update(activation="lrelu")
    return network


def ada_sample(seed: int = 0, rate: float = 0.01, clamp: float | None = None, **changes: Any) -> Sample:
    """The dict that StyleGAN2-ADA saves."""
    config = GeneratorConfig(16, 6, 7, 3, rate, channels=(6, 5, 4), conv_clamp=clamp)
    average = random_generator(config, seed)
    networks = {
        "G": ada_network(ada_state(random_generator(config, seed + 100)), rate, clamp),
        "D": pickle_samples.ada_network("Discriminator", pickle_samples.discriminator_state()),
        "G_ema": ada_network(ada_state(average), rate, clamp),
        "training_set_kwargs": None,
        **changes,
    }
    return Sample(pickle_samples.pickled(networks), lambda z, psi: average(z, psi, noise="const"), z_dim=6)


SAMPLES = {"tensorflow": tensorflow_sample, "state": port_sample, "ada": ada_sample}
"""By kind."""
ENDINGS = {"tensorflow": "pkl", "state": "pt", "ada": "pkl"}


def written(folder: Path, kind: str, name: str = "model", **arguments: Any) -> tuple[Path, Sample]:
    """A checkpoint file and what it computes."""
    sample = SAMPLES[kind](**arguments)
    path = folder / f"{name}.{ENDINGS[kind]}"
    path.write_bytes(sample.data)
    return path, sample


def refused(path: Path, out: Path) -> str:
    """The one sentence with which an import is refused; it writes nothing."""
    with pytest.raises(CheckpointError) as caught:
        import_checkpoint(path, out)
    pickle_samples.assert_one_sentence(caught.value, path)
    assert not out.exists()
    return str(caught.value)

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generators in unusual files: a state dict alone becomes a bundle, and images that are not in colour are refused."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend.models.stylegan2 import Generator, GeneratorConfig, save_generator
from backend.weights.generator_bundle import load_generator_bundle
from backend.weights.importers.stylegan2_import import import_checkpoint, read_generator
from tests.helpers import stylegan2_port_twin, stylegan2_tensorflow_twin
from tests.helpers.pickle_samples import pickled, saved, write
from tests.helpers.stylegan2_checkpoints import SMALL, ada_network, ada_state, refused, tensorflow_networks
from tests.helpers.stylegan2_reference import relative_error

CONFIG = GeneratorConfig(16, 6, 7, 3, 0.01, channels=(6, 5, 4))


@pytest.mark.parametrize("extra", [{}, {"latent_avg": torch.ones(7)}])
def test_a_state_dict_alone_is_taken_for_a_generator(tmp_path: Path, extra: dict[str, torch.Tensor]) -> None:
    twin = stylegan2_port_twin
    state = twin.random_generator(3)
    path = write(tmp_path, "bare.pt", saved(OrderedDict({**state, **extra})))
    found = read_generator(path)
    z = torch.randn(3, 7, generator=torch.Generator().manual_seed(9))
    assert relative_error(found.generator(z, noise="const").double(), twin.images(state, z)) < 1e-5
    assert "does not say whether it is the moving average" in " ".join(found.notes)
    assert ("mean of w" in " ".join(found.notes)) == (not extra)
    assert bool((found.generator.mapping.average == 1).all()) == bool(extra)
    folder = import_checkpoint(path, tmp_path / "out", half=False)
    assert torch.equal(load_generator_bundle(folder).generator(z, noise="const"), found.generator(z, noise="const"))


def test_a_discriminators_state_dict_alone_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "bare.pt", saved(OrderedDict(stylegan2_port_twin.random_discriminator(0))))
    assert "holds no StyleGAN2 generator" in refused(path, tmp_path / "out")


# Images that are not in colour


def in_channels(kind: str, count: int, folder: Path) -> Path:
    """A checkpoint of such a kind whose generator makes images of so many channels."""
    if kind == "own":
        save_generator(folder / "grey.safetensors", Generator(replace(CONFIG, image_channels=count)))
        return folder / "grey.safetensors"
    if kind == "ada":
        generator = Generator(replace(CONFIG, image_channels=count))
        return write(folder, "grey.pkl", pickled({"G_ema": ada_network(ada_state(generator), 0.01, None)}))
    if kind == "tensorflow":
        variables = stylegan2_tensorflow_twin.random_generator(channels=SMALL)
        for name, value in variables.items():
            if "ToRGB/weight" in name or "ToRGB/bias" in name:
                variables[name] = np.resize(value, (*value.shape[:-1], count))
        return write(folder, "grey.pkl", pickled((tensorflow_networks(variables),) * 3))
    state = stylegan2_port_twin.random_generator()
    for name, tensor in state.items():
        if re.fullmatch(r"to_rgb.*(bias|conv\.weight)", name) and "modulation" not in name:
            state[name] = torch.ones(1, count, *tensor.shape[2:])
    return write(folder, "grey.pt", saved(state if kind == "bare" else {"g_ema": state}))


@pytest.mark.parametrize("kind", ["tensorflow", "ada", "state", "bare", "own"])
@pytest.mark.parametrize(("count", "words"), [(1, "1 channel"), (4, "4 channels")])
def test_images_that_are_not_in_colour_are_refused_before_anything_is_written(
    tmp_path: Path, kind: str, count: int, words: str
) -> None:
    sentence = refused(in_channels(kind, count, tmp_path), tmp_path / "out")
    assert sentence.endswith(f"its images have {words} instead of red, green and blue; choose one of colour images.")

# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""StyleGAN2's networks come back from their files."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from backend.models.stylegan2 import load_generator, save_generator
from backend.models.stylegan2_discriminator import (
    Discriminator,
    DiscriminatorConfig,
    load_discriminator,
    save_discriminator,
)
from tests.helpers.stylegan2_reference import relative_error
from tests.helpers.stylegan2_samples import TINY, tiny_codes, tiny_generator


def test_a_generator_comes_back_from_its_file(tmp_path: Path) -> None:
    generator = tiny_generator()
    styles = generator.styles(tiny_codes(generator))
    save_generator(tmp_path / "generator.safetensors", generator)
    again = load_generator(tmp_path / "generator.safetensors")
    assert again.config == TINY
    assert torch.equal(again.synthesize(styles), generator.synthesize(styles))
    assert torch.equal(again.mapping.average, generator.mapping.average)
    save_generator(tmp_path / "half.safetensors", generator, half=True)
    rough = load_generator(tmp_path / "half.safetensors").synthesize(styles)
    assert relative_error(rough, generator.synthesize(styles)) < 0.01


def test_a_discriminator_comes_back_from_its_file(tmp_path: Path) -> None:
    discriminator = Discriminator(DiscriminatorConfig(16, channels=(6, 5, 4)))
    save_discriminator(tmp_path / "discriminator.safetensors", discriminator)
    again = load_discriminator(tmp_path / "discriminator.safetensors")
    pictures = torch.randn(4, 3, 16, 16)
    assert again.config == discriminator.config
    assert torch.equal(again(pictures), discriminator(pictures))


@pytest.mark.parametrize("load", [load_generator, load_discriminator])
def test_a_file_that_cannot_be_used_is_one_sentence(tmp_path: Path, load) -> None:
    with pytest.raises(ValueError, match="cannot be read"):
        load(tmp_path / "nothing.safetensors")
    other = tmp_path / "other.safetensors"
    if load is load_generator:
        save_discriminator(other, Discriminator(DiscriminatorConfig(4, channels=(4,))))
    else:
        save_generator(other, tiny_generator())
    with pytest.raises(ValueError, match="other.safetensors"):
        load(other)

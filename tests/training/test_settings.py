# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Overrides key=value: types follow the preset's value, and what does not fit is named."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from backend.training.settings import changed


@dataclass(frozen=True)
class Inner:
    steps: int = 10
    widths: tuple[int, ...] = (1, 2)


@dataclass(frozen=True)
class Outer:
    rate: float = 0.5
    name: str = ""
    fixed: bool = False
    limit: int | None = None
    min_area: float = 0.1
    loop: Inner = field(default_factory=Inner)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("rate=1e-3", Outer(rate=0.001)),
        ("rate=2", Outer(rate=2.0)),
        ("name=a=b", Outer(name="a=b")),
        ("name=", Outer(name="")),
        ("fixed=True", Outer(fixed=True)),
        ("fixed=0", Outer(fixed=False)),
        ("limit=7", Outer(limit=7)),
        ("min_area=0.3", Outer(min_area=0.3)),
        ("least_area=0.3", Outer(min_area=0.3)),
        ("loop.steps=3", Outer(loop=Inner(steps=3))),
        ("loop.widths=4,5,6", Outer(loop=Inner(widths=(4, 5, 6)))),
    ],
)
def test_a_setting_is_converted_to_the_type_of_the_presets_value(setting: str, expected: Outer) -> None:
    config = changed(Outer(), setting)
    assert config == expected
    assert type(config.rate) is float


def test_the_config_itself_stays_as_it_was() -> None:
    config = Outer()
    changed(config, "loop.steps=3")
    assert config == Outer()


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("rate", "'rate' is not of the form key=value"),
        ("pace=1", "no setting 'pace'.* fixed, limit, loop, min_area, name, rate"),
        ("least_rate=1", "no setting 'least_rate'"),
        ("loop.pace=1", "no setting 'loop.pace'.* steps, widths"),
        ("rate.steps=1", "'rate' has no settings inside"),
        ("loop=3", "'loop' is a group of settings; set one of loop.steps, loop.widths"),
        ("loop.steps=many", "'many' does not fit loop.steps, which is 10 now"),
        ("fixed=perhaps", "'perhaps' does not fit fixed"),
        ("loop.widths=4,x", "'4,x' does not fit loop.widths"),
    ],
)
def test_a_setting_that_does_not_fit_is_named_with_what_would(setting: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        changed(Outer(), setting)

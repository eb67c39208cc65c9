# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backend in the add-on's own process for objects from seeds, whatever weights of the bundle make them."""

from __future__ import annotations

from typing import Any

import pytest

from addon import environment, session
from backend.common import records
from backend.worker import Pipeline
from tests.helpers.backend_here import Answer


def shapes_here(monkeypatch: pytest.MonkeyPatch) -> list[records.GenerateRequest]:
    """Answers requests for objects at once from now on, as the worker would; returns the list of them, which grows."""
    requests: list[records.GenerateRequest] = []
    pipeline = Pipeline()

    def answer(body: records.GenerateRequest, key: str = "", progress: Any = None) -> Answer:
        requests.append(body)
        return Answer(pipeline.generate(body, lambda progress: None, lambda: False))

    monkeypatch.setattr(session, "request", answer)
    monkeypatch.setattr(environment, "worker_command", lambda chosen="": None)
    return requests

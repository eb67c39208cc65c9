# SPDX-FileCopyrightText: 2026 Unrender contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A backend in the add-on's own process, for requests that need no network: objects from codes and seeds."""

from __future__ import annotations

from typing import Any

import pytest

from addon import environment, session
from backend.common import records
from backend.pipeline.generate import generate
from backend.weights.parts import PartsModel


class Answer:
    """A task that has ended."""

    progress = records.Progress("", 1.0)
    done = True

    def __init__(self, result: Any):
        self.result = result

    def poll(self) -> bool:
        """Nothing comes any more."""
        return False

    def cancel(self) -> None:
        """There is nothing to cancel."""

    def outcome(self) -> Any:
        """Returns the result."""
        return self.result


def answer_here(monkeypatch: pytest.MonkeyPatch, model: PartsModel) -> list[records.GenerateRequest]:
    """Answers requests for objects at once from now on; returns the list of them, which grows."""
    requests: list[records.GenerateRequest] = []

    def answer(body: records.GenerateRequest, key: str = "", progress: Any = None) -> Answer:
        requests.append(body)
        return Answer(generate(body, model))

    monkeypatch.setattr(session, "request", answer)
    monkeypatch.setattr(environment, "worker_command", lambda chosen="": None)
    return requests

"""Runs of the tiny study that nothing disturbs: each is done once, and all tests of a process share what it gave."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.project import Ended, Project

if TYPE_CHECKING:
    from benchmark.methods.base import Part


class Shared:
    """A project whose files tests leave as they are."""

    def __init__(self, root: Path):
        self.project = Project(root)
        self._done: dict[Any, tuple[Ended, list[list[Part]]]] = {}

    def run(self, *name: Any, **unlearning: Any) -> Ended:
        """How a run ended; ``name`` is as in `Project.name`, ``unlearning`` as in `Project.unlearning`."""
        return self._both(name, unlearning)[0]

    def loaded(self, *name: Any, **unlearning: Any) -> list[list[Part]]:
        """What each stage of a run loaded for training, in order."""
        return self._both(name, unlearning)[1]

    def _both(self, name: tuple[Any, ...], unlearning: dict[str, Any]) -> tuple[Ended, list[list[Part]]]:
        from benchmark.training import job

        unlearning = {"epochs": 2, **unlearning}  # as many as there are unless something else is said
        key = (name, *sorted(unlearning.items()))
        if key not in self._done:
            stages: list[list[Part]] = []
            make = job.Context

            def recording(**fields: Any) -> job.Context:
                parts, load = [], fields["load"]
                stages.append(parts)
                return make(**fields | {"load": lambda part, draws: parts.append(part) or load(part, draws)})

            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(self.project.root)
                patch.setattr(job, "Context", recording)
                end = self.project.run(self.project.unlearning(**unlearning), self.project.name(*name))
            self._done[key] = end, stages
        return self._done[key]

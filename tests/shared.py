"""Undisturbed runs of the tiny study: each is done once, and all tests of a process share its results."""

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
        self._ended: dict[tuple[Any, ...], Ended] = {}

    def run(self, *name: Any, **unlearning: Any) -> Ended:
        """Return an ended run with what it loaded; arguments are as in `Project.name` and `Project.unlearning`."""
        from benchmark.training import job

        unlearning = {"epochs": 2, **unlearning}  # the study's own number
        key = (name, *sorted(unlearning.items()))
        if key not in self._ended:
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
            end.loaded = stages
            self._ended[key] = end
        return self._ended[key]

"""Undisturbed runs of the tiny study: each is done once, and all tests of a process share its results."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from tests.project import Project


class Shared:
    """A project whose files tests leave as they are."""

    def __init__(self, root: Path):
        self.project = Project(root)
        self._ended: dict[tuple[Any, ...], Any] = {}

    def run(self, *name: Any, **unlearning: Any) -> Any:
        """Return an ended run with what it loaded; arguments are as in `Project.name` and `Project.unlearning`."""
        unlearning = {"epochs": 2, **unlearning}  # the study's own number
        key = (name, *sorted(unlearning.items()))
        if key not in self._ended:
            with contextlib.chdir(self.project.root):
                self._ended[key] = self.project.run(self.project.unlearning(**unlearning), self.project.name(*name))
        return self._ended[key]

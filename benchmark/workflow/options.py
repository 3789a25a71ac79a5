"""What the workflow is told by Snakemake's ``--config``, checked before anything is planned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmark.errors import BadInput, unknown

FIRST_MINUTES = 60
YES, NO = ("yes", "true", "1"), ("no", "false", "0")


@dataclass(frozen=True)
class Options:
    """The study, the time limit of a run where none like it has finished, and whether published results may change."""

    study: str = "quick"
    minutes: int = FIRST_MINUTES
    replace: bool = False

    @classmethod
    def read(cls, config: Mapping[str, object]) -> Options:
        """Return what Snakemake has as ``config``; raise `BadInput` for an unknown key or value."""
        for key in config:
            if key not in cls.__dataclass_fields__:
                raise unknown("key", key, cls.__dataclass_fields__, "--config")
        minutes, replace = str(config.get("minutes", cls.minutes)), str(config.get("replace", cls.replace)).lower()
        if not minutes.isdecimal() or int(minutes) < 1:
            raise BadInput(f"--config minutes={config['minutes']}: accepted is a whole number from 1")
        if replace not in (*YES, *NO):
            raise BadInput(f"--config replace={config['replace']}: accepted are {', '.join((*YES, *NO))}")
        return cls(str(config.get("study", cls.study)), int(minutes), replace in YES)

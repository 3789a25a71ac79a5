"""The study that faults are injected into: seconds from nothing to its end, with a file of every kind on the way."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
NAME = "tiny"
CELL = "digits/convnet/class-8"

STUDY: dict[str, Any] = {
    "seed": 1,
    "trials": 1,
    "precision": "float32",
    "map_samples": 60,
    "plugins": ["slowly.py"],
    "datasets": {
        "digits": {
            "source": "digits",
            "subset": 100,
            "test_subset": 40,
            "augmentation": {"padding": 1, "flip": False, "mean": [0.305], "std": [0.376]},
        }
    },
    "hyperparameters": {
        "*": {
            "training": {"epochs": 2, "batch_size": 32, "lr": 0.1},
            "unlearning": {"epochs": 2, "batch_size": 32, "lr": 0.05},
            "slowly": {"epochs": 6},
        }
    },
    "tables": {
        "table2": {"kind": "unlearning", "cells": [CELL], "methods": ["original", "coun", "slowly"]},
        "table5": {"kind": "predictions", "cells": [CELL], "methods": ["slowly"], "classes": ["8", "1"]},
    },
    "figures": {"figure1": {"kind": "maps", "cells": [CELL], "methods": ["retrain"]}},
}

# A method that takes its time and saves after every step, so that a fault finds it at work and a checkpoint behind it.
SLOWLY = '''
import time

from benchmark.methods.ft import FT
from benchmark.registry import METHODS


@METHODS.register("slowly")
class Slowly(FT):
    """Fine-tune, with a rest after every step."""

    def prepare(self, model):
        from benchmark.training import job

        job.CHECKPOINT_SECONDS = 0.0

    def after_step(self, model):
        time.sleep(0.05)
'''


def build(root: Path) -> None:
    """Write the project into an empty folder: the workflow, the study and its plugin."""
    root.mkdir(parents=True)
    for name in ("rules", "profiles"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copy(ROOT / "Snakefile", root / "Snakefile")
    shutil.copytree(ROOT / "paper_tables" / "reported", root / "paper_tables" / "reported")
    (root / "config").mkdir()
    (root / "config" / f"{NAME}.yaml").write_text(yaml.safe_dump(STUDY, sort_keys=False), encoding="utf-8")
    (root / "slowly.py").write_text(SLOWLY, encoding="utf-8")

"""The study that faults are injected into: it takes seconds and makes a file of every kind."""

import shutil
from pathlib import Path

import yaml

from benchmark.study.reading import merge
from tests.project import ROOT, STUDY, Project

NAME = "tiny"
CELL = "digits/convnet/class-8"
FAULTY = {
    "trials": 1,
    "map_samples": 60,
    "relearning": {"steps": 2},
    "plugins": ["slowly.py"],
    "datasets": {"digits": {"subset": 100, "test_subset": 40}},
    "tables": {
        "table2": {"cells": [CELL], "methods": ["original", "coun", "slowly"]},
        "table4": {"kind": "distances", "cells": [CELL], "methods": ["original"], "classes": ["8", "1"]},
        "table5": {"kind": "predictions", "cells": [CELL], "methods": ["slowly"], "classes": ["8", "1"]},
        "table8": None,
        "again": {"kind": "relearning", "cells": [CELL], "methods": ["retrain"]},
    },
    "figures": {
        "figure1": {"kind": "maps", "cells": [CELL], "methods": ["retrain"]},
        "figure4": {"kind": "theory", "cells": [CELL], "methods": ["retrain"]},
    },
}

# A slow method that saves after every step unless told otherwise, so that a fault finds it at work with a checkpoint
# behind it. It writes down each step, so that a repeated one shows, and its GPU.
SLOWLY = '''
import os
import time

from benchmark.methods.ft import FT
from benchmark.registry import METHODS


@METHODS.register("slowly")
class Slowly(FT):
    """Fine-tune, with a rest after every step."""

    def prepare(self, model):
        from benchmark.training import job

        job.CHECKPOINT_SECONDS = float(os.environ.get("SAVE", 0))

    def loss(self, outputs, batch, epoch):
        with open("steps.txt", "a") as steps:
            print(epoch, batch["retain"].index[0].item(), os.environ.get("CUDA_VISIBLE_DEVICES"), file=steps)
        return super().loss(outputs, batch, epoch)

    def after_step(self, model):
        time.sleep(float(os.environ.get("REST", 0.05)))
'''


def build(root: Path, epochs: int = 6) -> None:
    """Write the workflow, the study and its plugin into an empty folder; the slow method's epochs have three steps."""
    root.mkdir(parents=True, exist_ok=True)
    Project(root).add_workflow()
    shutil.copytree(ROOT / "paper_tables" / "reported", root / "paper_tables" / "reported")
    study = merge(merge(STUDY, FAULTY), {"hyperparameters": {"*": {"slowly": {"epochs": epochs}}}})
    (root / "config" / f"{NAME}.yaml").write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    (root / "slowly.py").write_text(SLOWLY, encoding="utf-8")

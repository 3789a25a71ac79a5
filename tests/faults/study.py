"""The study that faults are injected into: seconds from nothing to its end, with a file of every kind on the way."""

from __future__ import annotations

import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME = "tiny"
CELL = "digits/convnet/class-8"

STUDY = """\
seed: 1
trials: 1
precision: float32
map_samples: 60
plugins: [slowly.py]
datasets:
  digits:
    {source: digits, subset: 100, test_subset: 40, augmentation: {padding: 1, flip: false, mean: [0.305], std: [0.376]}}
hyperparameters:
  "*":
    training: {epochs: 2, batch_size: 32, lr: 0.1}
    unlearning: {epochs: 2, batch_size: 32, lr: 0.05}
    slowly: {epochs: EPOCHS}
tables:
  table2: {kind: unlearning, cells: [CELL], methods: [original, coun, slowly]}
  table5: {kind: predictions, cells: [CELL], methods: [slowly], classes: ["8", "1"]}
figures: {figure1: {kind: maps, cells: [CELL], methods: [retrain]}}
"""

# A method that takes its time, and saves after every step unless told otherwise, so that a fault finds it at work and a
# checkpoint behind it. It notes each step, so that one done twice shows, and which GPU it was given.
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
    for name in ("rules", "profiles", "paper_tables/reported"):
        shutil.copytree(ROOT / name, root / name)
    shutil.copy(ROOT / "Snakefile", root / "Snakefile")
    (root / "config").mkdir()
    study = STUDY.replace("EPOCHS", str(epochs)).replace("CELL", CELL)
    (root / "config" / f"{NAME}.yaml").write_text(study, encoding="utf-8")
    (root / "slowly.py").write_text(SLOWLY, encoding="utf-8")

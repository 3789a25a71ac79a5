"""A study of two cells whose runs were never trained: their files hold random or chosen numbers."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from benchmark import paths
from benchmark.data import store
from benchmark.data.splits import write_split
from benchmark.data.store import FILES
from benchmark.files import sha256, write_json, write_parquet
from benchmark.report.draw import draw_table
from benchmark.report.source import Source
from benchmark.results import frames
from benchmark.results import records as results
from benchmark.study.outputs import DISTANCES, MAPS
from benchmark.study.study import Study
from tests.places import run_folder, split_file

CLASSES = [str(digit) for digit in range(10)]
TRAIN, TEST = 200, 60
# As if the paper had these rows: two methods of table ``gaps``, and one that it does not list.
PRINTED = """\
table,scenario,dataset,arch,method,contrastive,ra_mean,ra_std,ra_gap,ua_mean,ua_std,ua_gap,ta_mean,ta_std,ta_gap,\
mia_mean,mia_std,mia_gap,avg_gap,pflops,implied_epochs
2,random-10,digits,convnet,Retrain,no,99.00,0.20,0.00,5.00,0.30,0.00,94.00,0.10,0.00,10.00,0.50,0.00,0.00,0.00002,182
2,random-10,digits,convnet,FT,no,98.00,0.20,1.00,2.00,0.30,3.00,93.00,0.10,1.00,5.00,0.50,5.00,2.50,0.00001,42
2,random-10,digits,convnet,SSD,no,98.00,0.20,1.00,2.00,0.30,3.00,93.00,0.10,1.00,5.00,0.50,5.00,2.50,0.00001,42
"""
MACHINE = {"precision": "float32", "device": "a processor", "cores": "2", "threads": "1"}
METRICS = ("ra", "ua", "ta", "mia")

STUDY = """
description: A study in miniature
trials: 3
datasets: {digits: {source: digits, augmentation: {mean: [0.3], std: [0.4]}}}
hyperparameters:
  "*": {training: {epochs: 3, lr: 0.1}, unlearning: {epochs: 2}, salun: {lr: 0.03}}
tables:
  gaps:
    {kind: unlearning, caption: "50 % & more, under_scored", cells: [digits/convnet/random-10],
     methods: [original, ft, neggrad-plus, not, coun, coun@tau=0.2]}
  two:
    {kind: unlearning, caption: Two cells, cells: &both [digits/convnet/random-10, digits/convnet/class-8],
     methods: [ft, neggrad-plus, neggrad-plus+cl]}
  taken:
    {kind: predictions, caption: What eights are taken for, cells: [digits/convnet/class-8, digits/convnet/random-10],
     methods: [original, ft, coun], classes: ["8", "1", "3"]}
  far:
    {kind: distances, caption: How far eights lie, cells: [digits/convnet/class-8], methods: [original, retrain, ft],
     classes: ["8", "1", "3"]}
  hyper:
    {kind: hyperparameters, caption: Settings, cells: *both,
     methods: [original, retrain, ft, neggrad-plus+cl, l1-sparse, salun, not, coun]}
figures:
  gain: {kind: improvement, cells: *both, methods: [neggrad-plus, not]}
  map: {kind: maps, cells: [digits/convnet/class-8, digits/convnet/random-10], methods: [retrain]}
  compared: {kind: maps, cells: [digits/convnet/class-8, digits/convnet/random-10], methods: [original, ft]}
  forgotten: {kind: maps, cells: [digits/convnet/random-10], methods: [coun, coun@tau=0.2], show: forget}
  spent: {kind: cost, cells: *both, methods: [ft, not, not+cl], trials: 2}
  removed: {kind: stages, cells: [digits/convnet/sequential-2x10], methods: [ft, coun], trials: 2}
  varied:
    {kind: ablation, cells: [digits/convnet/random-10], methods: [coun@tau=0.2, coun, coun@tau=0.05], trials: 2}
  shaped: {kind: ablation, cells: *both, methods: [coun, coun@cl_transform=CN, not+cl@cl_transform=C], trials: 2}
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """The study, its dataset's facts and its splits; no run is there yet."""
    monkeypatch.chdir(tmp_path)
    return make_study()


def make_study() -> Study:
    """Write the study below the working directory and return it."""
    paths.CONFIG.mkdir()
    paths.study_file("tiny").write_text(STUDY, encoding="utf-8")
    study = Study.load("tiny")
    write_facts(study)
    for scenario, index in {"random-10": np.arange(20), "class-8": np.arange(8, TRAIN, 10)}.items():
        frame = pd.DataFrame({"split": "train", "index": index.astype("int64"), "stage": 1})
        write_split(split_file("tiny", scenario), frame)
    return study


def write_facts(study: Study) -> None:
    """Write what is known of the digits once they are prepared."""
    facts = {"classes": CLASSES, "origin": {}, "shapes": {file: [] for file in FILES}}
    facts["sha256"] = dict.fromkeys(FILES, "")
    write_json(study.dataset_folder("digits") / "provenance.json", facts)


class Drawn:
    """A table of the study, drawn: its caption, the cells of its rows as Markdown has them, and its numbers."""

    def __init__(self, study: Study, name: str, partial: bool = False):
        self.paths = draw_table(study, name, partial)
        tex, csv, md, _ = self.paths
        self.tex, text = tex.read_text(), md.read_text()
        self.caption, lines = text.splitlines()[0], [line for line in text.splitlines() if line.startswith("|")]
        self.rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
        self.data = pd.read_csv(csv, dtype={"predicted_class": str, "centroid_class": str, "column": str})

    def row(self, label: str) -> list[str]:
        """The cells behind a label, in the first row that has it."""
        return next(cells for first, *cells in self.rows if first == label)

    def of(self, *labels: str) -> pd.DataFrame:
        """The numbers by the method, and whatever else tells their rows apart."""
        return self.data.set_index(["method", *labels])


def gap(points: float) -> dict[str, float]:
    """Metrics whose average gap to ``gap(0)`` is so many points."""
    return {"ra": 90.0 - points, "ua": 10.0 + points, "ta": 80.0 - points, "mia": 20.0 + points}


def source(study: Study, name: str, partial: bool = False) -> Source:
    """What a table or figure of the study is drawn from."""
    return Source.of(study, name, frames.of_output(study, name, partial))


def write_run(
    study: Study,
    name: str,
    values: dict[str, float] | None = None,
    status: str = results.FINISHED,
    prediction: Any = None,
    epochs: list[dict[str, float]] | None = None,
) -> None:
    """Write a run's files: the metrics of its last epoch as given, the rest random, seeded by the name.

    ``prediction`` gives the training samples' predictions, (200,); ``epochs`` what the history's rows say instead.
    """
    run = study.run(name)
    folder = run_folder(study, run)
    rng = np.random.default_rng(list(name.encode()))
    ends = {metric: float(rng.uniform(0, 100)) for metric in METRICS} | {"ra": 95.0, "pflops": 2e-5} | (values or {})
    ends |= {"pflops_executed": 1.5 * ends["pflops"], "seconds": 1.0, "cpu_seconds": 1.0}
    columns = {column: [end / 2, end] for column, end in ends.items()}
    history = pd.DataFrame({"epoch": [1, 2], "lr": 0.1, "loss": 1.0, **columns})
    if epochs is not None:
        history = pd.DataFrame([history.iloc[-1].to_dict() | {"stage": 1} | row for row in epochs])
    index = np.concatenate([np.arange(TRAIN), np.arange(TEST)])
    samples = pd.DataFrame({"index": index, "split": ["train"] * TRAIN + ["test"] * TEST, "label": index % 10})
    right = rng.uniform(size=len(index)) < 0.8
    samples["prediction"] = np.where(right, samples["label"], rng.integers(10, size=len(index)))
    samples["loss"] = rng.exponential(0.3, len(index)).astype("float32")
    if prediction is not None:
        samples.loc[: TRAIN - 1, "prediction"] = prediction
    write_parquet(folder / results.SAMPLES, samples)
    write_parquet(folder / results.HISTORY, history)
    record = {
        "slice": run.slice,
        "fingerprint": run.fingerprint,
        "status": status,
        "sha256": {file: sha256(folder / file) for file in (results.SAMPLES, results.HISTORY)},
        "wall_seconds": 90.0,
        "peak_memory_mb": 100.0,
        "stamp": {"commit": "0" * 40, "torch": "2.6.0", **MACHINE},
    }
    write_json(folder / results.RUN, record)


def write_map(study: Study, run: str, scenario: str, seed: int = 0) -> None:
    """Write a run's maps: a cluster a class on a circle, with noise and a rotation of its own."""
    rng = np.random.default_rng(seed)
    label = np.arange(TRAIN) % 10
    angle = label * 2 * np.pi / 10
    centre = np.stack([np.cos(angle), (1 + 0.3 * (label % 3)) * np.sin(angle)], 1)
    turn = np.array([[np.cos(seed), -np.sin(seed)], [np.sin(seed), np.cos(seed)]])
    points = 10 * centre @ turn + rng.normal(size=centre.shape)
    forget = np.arange(TRAIN) < 20 if scenario == "random-10" else label == 8
    wrong = forget & (rng.uniform(size=TRAIN) < 0.3)
    frame = pd.DataFrame(
        {"index": np.arange(TRAIN), "membership": np.where(forget, "forget", "retain"), "label": label}
    )
    frame["prediction"] = np.where(wrong, rng.integers(10, size=TRAIN), label)
    frame[["tsne_x", "tsne_y"]] = points
    frame[["umap_x", "umap_y"]] = points[:, ::-1] / 3 + [0, 5]
    write_derived(study, MAPS, run, scenario, frame)


def write_images(study: Study) -> None:
    """Write the arrays of the study's dataset, and their shapes into its facts."""
    folder = study.dataset_folder("digits")
    shapes = {"train_images": [TRAIN, 8, 8, 1], "train_labels": [TRAIN]}
    shapes |= {"test_images": [1, 8, 8, 1], "test_labels": [1]}
    for file, shape in shapes.items():
        kind = "uint8" if file.endswith("images") else "int64"
        np.save(folder / f"{file}.npy", (np.arange(np.prod(shape)).reshape(shape) % 10).astype(kind))
    write_json(folder / "provenance.json", {**store.facts(folder), "shapes": shapes})


def write_distances(study: Study, run: str, scenario: str, distances: dict[int, dict[int, float]]) -> None:
    """Write how far forget samples of one class lie from the centroids of others, class by class."""
    rows = [(label, centroid, far, 20) for label, by in distances.items() for centroid, far in by.items()]
    frame = pd.DataFrame(rows, columns=["label", "centroid", "distance", "samples"])
    write_derived(study, DISTANCES, run, scenario, frame)


def write_derived(study: Study, what: str, run: str, scenario: str, frame: pd.DataFrame) -> None:
    """Write a file made from a run's features."""
    one = study.derive(what, study.run(run), scenario)
    write_parquet(paths.derived(one.place), frame, one.origin)


def views(far: float, alone: bool, retain: float = 0.0) -> pd.DataFrame:
    """100 retain samples of two classes, whose views are ``retain`` apart, and 100 forget samples, ``far`` apart.

    ``alone``: the forget samples are a class of their own.
    """
    label, forget = np.arange(200) % 2, np.arange(200) >= 100
    label[forget & alone] = 8
    distance = np.where(forget, far, retain)
    columns = {"label": label, "prediction": np.where(forget & (np.arange(200) % 4 == 0), 3, label)}
    columns |= {"max_distance": distance, "mean_distance": distance / 2, "nearest": label}
    constants = {"lipschitz": 1.0, "reach": 0.0, "centre_square": 1.0}
    frame = pd.DataFrame({"index": np.arange(200), "membership": np.where(forget, "forget", "retain"), **columns})
    return frame.assign(**constants, centre_product=np.where(forget & alone, np.nan, 0.25))


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gather without comparing histories with samples: made-up ones do not say the same."""
    monkeypatch.setattr("benchmark.results.gather.check_evaluations", lambda *_: None)


@pytest.fixture
def runs() -> Callable[..., None]:
    """Write every run of an output with random numbers."""

    def write(study: Study, output: str) -> None:
        for run in study.runs_of(output):
            write_run(study, str(run.name))

    return write

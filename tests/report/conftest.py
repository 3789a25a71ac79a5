"""A study of two cells whose runs were never trained: their files hold random or chosen numbers."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from benchmark import paths
from benchmark.data.splits import write_split
from benchmark.files import sha256, write_json, write_parquet
from benchmark.report.draw import build, draw_table
from benchmark.report.source import Source
from benchmark.results import frames
from benchmark.results import records as results
from benchmark.results.gather import collect
from benchmark.study.outputs import DISTANCES, MAPS, RELEARNING, VIEWS
from benchmark.study.study import Study
from tests.places import run_folder, split_file

CLASSES = [str(digit) for digit in range(10)]
TRAIN, TEST = 200, 60
GIVEN = Path(__file__).parent / "given"
STAMP = {"commit": "0" * 40, "torch": "2.6.0", "precision": "float32", "device": "a processor"}
STAMP |= {"cores": "2", "threads": "1"}
SPENT = {"wall_seconds": 90.0, "peak_memory_mb": 100.0, "stamp": STAMP}
METRICS = ("ra", "ua", "ta", "mia")
RANDOM, CLASS, STAGED = (f"digits/convnet/{name}" for name in ("random-10", "class-8", "sequential-2x10"))


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """The study, its dataset's facts and its splits; no run is there yet."""
    monkeypatch.chdir(tmp_path)
    return make_study()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """The same for all tests of a module, as their working directory: one that changes a file takes ``copied`` too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("shared"))
        yield make_study()


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a copy of the working directory."""
    shutil.copytree(".", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def make_study(given: str = "tiny") -> Study:
    """Write one of the given studies below the working directory, with its dataset and its splits, and return it."""
    paths.CONFIG.mkdir()
    shutil.copy(GIVEN / f"{given}.yaml", paths.study_file("tiny"))
    study = Study.load("tiny")
    write_images(study.dataset_folder("digits"))
    write_forget(study, "random-10", np.arange(20))
    write_forget(study, "class-8", np.arange(8, TRAIN, 10))
    return study


def write_images(folder: Path) -> None:
    """Write the arrays of a dataset, and its facts."""
    shapes = {"train_images": [TRAIN, 8, 8, 1], "train_labels": [TRAIN]}
    shapes |= {"test_images": [1, 8, 8, 1], "test_labels": [1]}
    facts = {"classes": CLASSES, "origin": {}, "shapes": shapes, "sha256": dict.fromkeys(shapes, "")}
    write_json(folder / "provenance.json", facts)
    for file, shape in shapes.items():
        kind = "uint8" if file.endswith("images") else "int64"
        np.save(folder / f"{file}.npy", (np.arange(np.prod(shape)).reshape(shape) % 10).astype(kind))


def changed(**changes: Any) -> Study:
    """The study with other settings."""
    data = yaml.safe_load(paths.study_file("tiny").read_text(encoding="utf-8"))
    paths.study_file("tiny").write_text(yaml.safe_dump(data | changes, sort_keys=False), encoding="utf-8")
    return Study.load("tiny")


def altered(name: str, **changes: Any) -> Study:
    """The study as its file has it, but with other settings of a table or figure."""
    study = Study.load("tiny")
    section = study.compared if name in study.compared else getattr(study, study.section_of(name))
    section[name] = study.output(name).model_copy(update=changes)
    return study


def write_forget(study: Study, scenario: str, index: Any, stage: Any = 1, trial: int = 0) -> None:
    """Write the split of a scenario: which training samples are forgotten, and in which stage."""
    frame = pd.DataFrame({"split": "train", "index": np.asarray(index, dtype="int64"), "stage": stage})
    write_split(split_file("tiny", scenario, trial), frame)


class Drawn:
    """A table, drawn or drawn before: its caption, the cells of its rows as Markdown has them, and its numbers."""

    def __init__(self, study: Study, name: str, partial: bool = False, before: list[Path] | None = None):
        self.paths = before or draw_table(study, name, partial)
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


def metrics(*points: float) -> dict[str, float]:
    """RA, UA, TA and MIA by name; of a single number, all four are that."""
    return dict(zip(METRICS, points * (4 if len(points) == 1 else 1), strict=True))


def gap(points: float) -> dict[str, float]:
    """Metrics whose average gap to ``gap(0)`` is so many points."""
    return metrics(90.0 - points, 10.0 + points, 80.0 - points, 20.0 + points)


def source(study: Study, name: str, partial: bool = False) -> Source:
    """What a table or figure of the study is drawn from."""
    return Source.of(study, name, frames.of_output(study, name, partial))


def plot(study: Study, name: str, partial: bool = False) -> Any:
    """A figure, built and laid out."""
    figure = build(source(study, name, partial))
    figure.draw_without_rendering()
    return figure


def write_run(study, name, values=None, status=results.FINISHED, prediction=None, epochs=None) -> None:
    """Write a run's files: the metrics of its last epoch as ``values`` has them, the rest random, seeded by the name.

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
    record = {"slice": run.slice, "fingerprint": run.fingerprint, "status": status, **SPENT}
    record["sha256"] = {file: sha256(folder / file) for file in (results.SAMPLES, results.HISTORY)}
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
    prediction = np.where(wrong, rng.integers(10, size=TRAIN), label)
    frame = pd.DataFrame({"index": np.arange(TRAIN), "label": label, "prediction": prediction})
    frame["membership"] = np.where(forget, "forget", "retain")
    frame[["tsne_x", "tsne_y"]] = points
    frame[["umap_x", "umap_y"]] = points[:, ::-1] / 3 + [0, 5]
    write_derived(study, MAPS, run, scenario, frame)


def write_features(study: Study, *names: str) -> None:
    """Write what is derived from weights for some outputs, by default for all."""
    for seed, one in enumerate([one for name in names for one in study.derived_of(name)] if names else study.derived):
        run = str(one.run.name)
        if one.what == MAPS:
            write_map(study, run, one.scenario, seed)
        elif one.what == DISTANCES:
            write_distances(study, run, {8: {1: 2.0, 3: 3.0, 9: 4.0}})
        elif one.what == RELEARNING:
            frame = pd.DataFrame({"step": [0, 10, 20], "forget_accuracy": [0.0, 40.0 + seed, 90.0]})
            write_derived(study, RELEARNING, run, one.scenario, frame)
        else:
            write_derived(study, VIEWS, run, one.scenario, views(0.3, alone=False))


def write_distances(study: Study, run: str, distances: dict[int, dict[int, float]]) -> None:
    """Write how far forget samples of one class lie from the centroids of others, class by class."""
    rows = [(label, centroid, far, 20) for label, by in distances.items() for centroid, far in by.items()]
    frame = pd.DataFrame(rows, columns=["label", "centroid", "distance", "samples"])
    write_derived(study, DISTANCES, run, "class-8", frame)


def write_derived(study: Study, what: str, run: str, scenario: str, frame: pd.DataFrame) -> None:
    """Write a file made from a run's weights."""
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


def gathered(study: Study) -> None:
    """Gather without comparing histories with samples: made-up ones do not say the same."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("benchmark.results.gather.differing", lambda *_: [])
        collect(study)


def write_runs(study: Study, *outputs: str) -> None:
    """Write every run of some outputs with random numbers."""
    for name in {run.name for run in study.runs(outputs)}:
        write_run(study, str(name))

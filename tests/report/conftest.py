"""A study of two cells with made-up runs: their files hold random or chosen numbers."""

import contextlib
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
from benchmark.files import sha256, write_json, write_parquet
from benchmark.names import FINISHED
from benchmark.report.draw import build, draw_table
from benchmark.report.source import Source
from benchmark.results import frames
from benchmark.results import records as results
from benchmark.study.kinds import DISTANCES, MAPS, RELEARNING, VIEWS
from benchmark.study.study import Study
from tests.pool import made_up_record, run_folder, split_file

CLASSES = [str(digit) for digit in range(10)]
TRAIN, TEST = 200, 60
GIVEN = Path(__file__).parent / "given"
STAMP = {"commit": "0" * 40, "torch": "2.6.0", "precision": "float32", "device": "a processor"}
STAMP |= {"cores": "2", "threads": "1"}
COSTS = {"wall_seconds": 90.0, "peak_memory_mb": 100.0, "stamp": STAMP}
METRICS = ("ra", "ua", "ta", "mia")
RANDOM, CLASS, STAGED = (f"digits/convnet/{name}" for name in ("random-10", "class-8", "sequential-2x10"))


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """The study, its dataset and its splits, without runs."""
    monkeypatch.chdir(tmp_path)
    return make_study()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Study]:
    """One study and working directory for all tests of a module: a test that changes files needs ``copied`` too."""
    with contextlib.chdir(tmp_path_factory.mktemp("shared")):
        yield make_study()


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a copy of the working directory."""
    shutil.copytree(".", tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)


def make_study(template: str = "tiny") -> Study:
    """Write a study of ``given/`` as ``tiny`` below the working directory, with its dataset and splits; return it."""
    paths.CONFIG.mkdir()
    shutil.copy(GIVEN / f"{template}.yaml", paths.study_file("tiny"))
    study = Study.load("tiny")
    write_images(study.dataset_folder("digits"))
    write_forget(study, "random-10", np.arange(20))
    write_forget(study, "class-8", np.arange(8, TRAIN, 10))
    return study


def write_images(folder: Path) -> None:
    """Write a dataset's arrays and provenance."""
    shapes = {"train_images": [TRAIN, 8, 8, 1], "train_labels": [TRAIN]}
    shapes |= {"test_images": [1, 8, 8, 1], "test_labels": [1]}
    record = {"classes": CLASSES, "origin": {}, "shapes": shapes, "sha256": dict.fromkeys(shapes, "")}
    write_json(folder / "provenance.json", record)
    for file, shape in shapes.items():
        kind = "uint8" if file.endswith("images") else "int64"
        np.save(folder / f"{file}.npy", (np.arange(np.prod(shape)).reshape(shape) % 10).astype(kind))


def changed(**changes: Any) -> Study:
    """Change settings in the study's file and return the study."""
    data = yaml.safe_load(paths.study_file("tiny").read_text(encoding="utf-8"))
    paths.study_file("tiny").write_text(yaml.safe_dump(data | changes, sort_keys=False), encoding="utf-8")
    return Study.load("tiny")


def altered(name: str, **changes: Any) -> Study:
    """Return the study with other settings of one table or figure; its file stays as it is."""
    study = Study.load("tiny")
    section = study.versus_tables if name in study.versus_tables else getattr(study, study.section_of(name))
    section[name] = study.output(name).model_copy(update=changes)
    return study


def write_forget(study: Study, scenario: str, index: Any, stage: Any = 1, trial: int = 0) -> None:
    """Write a split: the training samples to forget, and the stage of each."""
    frame = pd.DataFrame({"split": "train", "index": np.asarray(index, dtype="int64"), "stage": stage})
    write_parquet(split_file("tiny", scenario, trial), frame)


class Drawn:
    """A drawn table, drawn now unless ``files`` are given: its caption, its rows in Markdown and its numbers."""

    def __init__(self, study: Study, name: str, partial: bool = False, files: list[Path] | None = None):
        self.paths = files or draw_table(study, name, partial)
        tex, csv, md, _ = self.paths
        self.tex, text = tex.read_text(), md.read_text()
        self.caption, lines = text.splitlines()[0], [line for line in text.splitlines() if line.startswith("|")]
        self.rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
        self.data = pd.read_csv(csv, dtype={"predicted_class": str, "centroid_class": str, "column": str})

    def row(self, label: str) -> list[str]:
        """Return the cells after a label, of the first row that starts with it."""
        return next(cells for first, *cells in self.rows if first == label)

    def by_method(self, *labels: str) -> pd.DataFrame:
        """Return the numbers, indexed by the method and further columns."""
        return self.data.set_index(["method", *labels])


def metrics(*points: float) -> dict[str, float]:
    """Return RA, UA, TA and MIA by name; a single number stands for all four."""
    return dict(zip(METRICS, points * (4 if len(points) == 1 else 1), strict=True))


def at_gap(points: float) -> dict[str, float]:
    """Return metrics whose average gap to ``at_gap(0)`` is ``points``."""
    return metrics(90.0 - points, 10.0 + points, 80.0 - points, 20.0 + points)


def source(study: Study, name: str, partial: bool = False) -> Source:
    """Return what a table or figure is drawn from."""
    return Source.of(study, name, frames.of_output(study, name, partial))


def plot(study: Study, name: str, partial: bool = False) -> Any:
    """Build a figure and lay it out."""
    figure = build(source(study, name, partial))
    figure.draw_without_rendering()
    return figure


def below(figure: Any) -> list[str]:
    """Return the lines below a figure."""
    return [text.get_text() for text in figure.legends[-1].get_texts()]


def write_run(study, name, values=None, status=FINISHED, prediction=None, epochs=None) -> None:
    """Write a run's files: last-epoch metrics from ``values``, the rest random, seeded by the name.

    ``prediction`` gives the training samples' predictions, (200,); ``epochs`` what differs in each row of the history.
    """
    run = study.run(name)
    folder = run_folder(study, run)
    rng = np.random.default_rng(list(name.encode()))
    last = {metric: float(rng.uniform(0, 100)) for metric in METRICS} | {"ra": 95.0, "pflops": 2e-5} | (values or {})
    last |= {"pflops_executed": 1.5 * last["pflops"], "seconds": 1.0, "cpu_seconds": 1.0}
    columns = {column: [end / 2, end] for column, end in last.items()}
    history = pd.DataFrame({"epoch": [1, 2], "lr": 0.1, "loss": 1.0, **columns})
    if epochs is not None:
        history = pd.DataFrame([history.iloc[-1].to_dict() | {"stage": 1} | row for row in epochs])
    index = np.concatenate([np.arange(TRAIN), np.arange(TEST)])
    samples = pd.DataFrame({"index": index, "split": ["train"] * TRAIN + ["test"] * TEST, "label": index % 10})
    correct = rng.uniform(size=len(index)) < 0.8
    samples["prediction"] = np.where(correct, samples["label"], rng.integers(10, size=len(index)))
    samples["loss"] = rng.exponential(0.3, len(index)).astype("float32")
    if prediction is not None:
        samples.loc[: TRAIN - 1, "prediction"] = prediction
    write_parquet(folder / results.SAMPLES, samples)
    write_parquet(folder / results.HISTORY, history)
    record = made_up_record(run, status=status, **COSTS)
    record["sha256"] = {file: sha256(folder / file) for file in (results.SAMPLES, results.HISTORY)}
    write_json(folder / results.RUN, record)


def write_map(study: Study, run: str, scenario: str, seed: int = 0) -> None:
    """Write a run's maps: one noisy cluster per class around the centre, rotated by ``seed``."""
    rng = np.random.default_rng(seed)
    label = np.arange(TRAIN) % 10
    angle = label * 2 * np.pi / 10
    centre = np.stack([np.cos(angle), (1 + 0.3 * (label % 3)) * np.sin(angle)], 1)
    rotation = np.array([[np.cos(seed), -np.sin(seed)], [np.sin(seed), np.cos(seed)]])
    points = 10 * centre @ rotation + rng.normal(size=centre.shape)
    forget = np.arange(TRAIN) < 20 if scenario == "random-10" else label == 8
    wrong = forget & (rng.uniform(size=TRAIN) < 0.3)
    prediction = np.where(wrong, rng.integers(10, size=TRAIN), label)
    frame = pd.DataFrame({"index": np.arange(TRAIN), "label": label, "prediction": prediction})
    frame["membership"] = np.where(forget, "forget", "retain")
    frame[["tsne_x", "tsne_y"]] = points
    frame[["umap_x", "umap_y"]] = points[:, ::-1] / 3 + [0, 5]
    write_derived(study, MAPS, run, scenario, frame)


def write_features(study: Study, *names: str) -> None:
    """Write the files derived from weights for some outputs, by default for all."""
    derived_files = [derived for name in names for derived in study.derived_of(name)] if names else study.derived
    for seed, derived in enumerate(derived_files):
        run = str(derived.run.name)
        if derived.kind == MAPS:
            write_map(study, run, derived.scenario, seed)
        elif derived.kind == DISTANCES:
            write_distances(study, run, {8: {1: 2.0, 3: 3.0, 9: 4.0}})
        elif derived.kind == RELEARNING:
            frame = pd.DataFrame({"step": [0, 10, 20], "forget_accuracy": [0.0, 40.0 + seed, 90.0]})
            write_derived(study, RELEARNING, run, derived.scenario, frame)
        else:
            write_derived(study, VIEWS, run, derived.scenario, views(0.3, alone=False))


def write_distances(study: Study, run: str, distances: dict[int, dict[int, float]]) -> None:
    """Write the distances of forget samples to centroids, by class and by class of the centroid."""
    rows = [(label, *entry, 20) for label, centroids in distances.items() for entry in centroids.items()]
    frame = pd.DataFrame(rows, columns=["label", "centroid", "distance", "samples"])
    write_derived(study, DISTANCES, run, "class-8", frame)


def write_derived(study: Study, kind: str, run: str, scenario: str, frame: pd.DataFrame) -> None:
    """Write a file derived from a run's weights."""
    derived = study.derive(kind, study.run(run), scenario)
    write_parquet(paths.derived(derived.pool_path), frame, derived.origin)


def views(forget_distance: float, alone: bool, retain_distance: float = 0.0) -> pd.DataFrame:
    """Return 100 retain samples of two classes and 100 forget samples, with the distances between their views.

    ``alone``: the forget samples are a class of their own.
    """
    label, forget = np.arange(200) % 2, np.arange(200) >= 100
    label[forget & alone] = 8
    distance = np.where(forget, forget_distance, retain_distance)
    columns = {"label": label, "prediction": np.where(forget & (np.arange(200) % 4 == 0), 3, label)}
    columns |= {"max_distance": distance, "mean_distance": distance / 2, "nearest": label}
    constants = {"lipschitz": 1.0, "reach": 0.0, "centre_square": 1.0}
    frame = pd.DataFrame({"index": np.arange(200), "membership": np.where(forget, "forget", "retain"), **columns})
    return frame.assign(**constants, centre_product=np.where(forget & alone, np.nan, 0.25))


def write_runs(study: Study, *outputs: str) -> None:
    """Write every run of some outputs, with random numbers."""
    for name in {run.name for run in study.runs(outputs)}:
        write_run(study, str(name))

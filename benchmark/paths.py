"""Every path of the project, once. All are relative to the folder that holds the Snakefile."""

from __future__ import annotations

from pathlib import Path

CONFIG = Path("config")
TUNED = CONFIG / "tuned"
# What this machine has: not in git.
LOCAL_DATASETS = CONFIG / "local" / "datasets.yaml"
DATA = Path("data")
RESULTS = Path("results")
TABLES = Path("paper_tables")
FIGURES = Path("figures")
REPORTED = TABLES / "reported"
BENCH = RESULTS / "bench"

# The files of a run; only some runs keep their weights.
RUN, SAMPLES, HISTORY, MODEL = "run.json", "samples.parquet", "history.parquet", "model.safetensors"
# Beside a checkpoint: how far a run under way is.
PROGRESS = "progress.json"
TABLE_SUFFIXES = (".tex", ".csv", ".md", ".html")
FIGURE_SUFFIXES = (".pdf", ".png")


def study_file(study: str) -> Path:
    """The YAML file of a study."""
    return CONFIG / f"{study}.yaml"


def dataset(name: str, provenance: str) -> Path:
    """The folder of one prepared dataset: ``*.npy`` and ``provenance.json``."""
    return DATA / f"{name}-{provenance}"


def split(study: str, dataset: str, scenario: str, trial: int) -> Path:
    """The file that says which samples a scenario forgets."""
    return RESULTS / study / "splits" / dataset / scenario / f"trial-{trial}.parquet"


def run(study: str, name: object) -> Path:
    """The folder of a run's finished outputs."""
    return RESULTS / study / "runs" / str(name)


def work(study: str, name: object) -> Path:
    """The folder of a run's checkpoint while it is under way; gone once the run has finished."""
    return RESULTS / study / "work" / str(name)


def measured(study: str, name: object, scenario: str) -> Path:
    """What was measured of an Original in a scenario; it may be deleted at any time."""
    return RESULTS / study / "measured" / str(name) / f"{scenario}.json"


def log(study: str, name: object) -> Path:
    """The log of one job."""
    return RESULTS / study / "logs" / f"{name}.log"


def usage(study: str, name: object) -> Path:
    """What Snakemake measured of a job: seconds and memory, tab-separated."""
    return RESULTS / study / "usage" / f"{name}.tsv"


def derived(study: str, name: object) -> Path:
    """A file made from one run's features, such as ``maps/digits/convnet/random-10/coun/trial-0``."""
    return RESULTS / study / f"{name}.parquet"


def collected(study: str, what: str) -> Path:
    """A parquet file that gathers ``what`` over all runs of a study, such as ``metrics``."""
    return RESULTS / f"{study}-{what}.parquet"


def journal(study: str) -> Path:
    """Every candidate that ``tune`` has tried for a study, and what came of it: Optuna's journal, a line an event."""
    return RESULTS / f"{study}-tuning.jsonl"


def tuned(name: str) -> Path:
    """The hyperparameters that ``tune`` found for a study, as data that studies include."""
    return TUNED / f"{name}.yaml"


def table(study: str, name: str, suffix: str) -> Path:
    """A table as ``.tex``, ``.csv``, ``.md`` or ``.html``."""
    return TABLES / study / f"{name}{suffix}"


def figure(study: str, name: str, suffix: str) -> Path:
    """A figure as ``.pdf`` or ``.png``."""
    return FIGURES / study / f"{name}{suffix}"


def page(study: str) -> Path:
    """The page of all results of a study."""
    return FIGURES / study / "index.html"

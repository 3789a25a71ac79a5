"""All paths of the project, relative to the folder that holds the Snakefile."""

from __future__ import annotations

from pathlib import Path

CONFIG = Path("config")
TUNED = CONFIG / "tuned"
# Where this machine keeps its images: not in git.
LOCAL_DATASETS = CONFIG / "local" / "datasets.yaml"
DATA = Path("data")
RESULTS = Path("results")
TABLES = Path("paper_tables")
FIGURES = Path("figures")
REPORTED = TABLES / "reported"
LEADERBOARD = TABLES / "leaderboard"
NO_STUDIES = (REPORTED.name, LEADERBOARD.name)  # a study of that name would replace their files
BENCH = RESULTS / "bench"

# The pool: files that belong to no study, each at a path that names all that determines it.
RUNS = RESULTS / "runs"
SPLITS = RESULTS / "splits"
LOGS = RESULTS / "logs"

# The files of a run; only some runs keep their weights.
RUN, SAMPLES, HISTORY, MODEL = "run.json", "samples.parquet", "history.parquet", "model.safetensors"
# Beside a checkpoint: the progress of a run under way.
CHECKPOINT = "checkpoint.pt"
PROGRESS = "progress.json"
# The files that gather results over all runs of a study.
FRAMES = ("metrics", "history", "predictions", "embeddings", "distances", "views", "relearning", "audits", "memorised")
TABLE_SUFFIXES = (".tex", ".csv", ".md", ".html")
FIGURE_SUFFIXES = (".pdf", ".png")
PARTIAL = ".partial"  # suffix of an incomplete output: it never replaces a complete one


def studies() -> list[str]:
    """The names of the studies in ``config/``. Hidden files, which editors leave there, are not studies."""
    return sorted(file.stem for file in CONFIG.glob("[!.]*.yaml") if file.is_file())


def study_file(study: str) -> Path:
    """The YAML file of a study."""
    return CONFIG / f"{study}.yaml"


def tuned(name: str) -> Path:
    """The hyperparameters that ``tune`` found for a study, for studies to include."""
    return TUNED / f"{name}.yaml"


# --- the pool: ``pool_path`` is the attribute of a `benchmark.study.runs.Run`, `Split` or `Derived` -----------------


def dataset(name: str, fingerprint: str) -> Path:
    """The folder of one prepared dataset: ``*.npy`` and ``provenance.json``."""
    return DATA / f"{name}-{fingerprint}"


def split(pool_path: str) -> Path:
    """The file that says which samples a scenario forgets."""
    return SPLITS / f"{pool_path}.parquet"


def run(pool_path: str) -> Path:
    """The folder of a run's finished outputs."""
    return RUNS / pool_path


def derived(pool_path: str) -> Path:
    """A file made from a run's weights: below ``maps``, ``distances``, ``views`` or ``relearning``."""
    return RESULTS / f"{pool_path}.parquet"


def work(pool_path: str) -> Path:
    """The folder of a run's checkpoint while it is under way; removed once the run has finished."""
    return RESULTS / "work" / pool_path


def parked_weights(pool_path: str) -> Path:
    """The file in which a job of the workflow leaves weights, for the rule ``weights`` to move to the run's folder."""
    return RESULTS / "work" / f"{pool_path}.safetensors"


def others(name: str) -> Path:
    """The folder of a pool that `merge` keeps beside this one, laid out like a checkout; no table shows its runs."""
    return RESULTS / "others" / name


def log(name: object) -> Path:
    """The log of one job."""
    return LOGS / f"{name}.log"


# --- what belongs to a study ----------------------------------------------------------------------------------------


def gathered(study: str, frame: str) -> Path:
    """A parquet file that gathers a ``frame``, such as ``metrics``, over all runs of a study."""
    return RESULTS / f"{study}-{frame}.parquet"


def receipt(study: str, name: str, fingerprint: str) -> Path:
    """The receipt of a table, a figure, the page or the gathered results: it exists once they are drawn."""
    return RESULTS / "drawn" / study / f"{name}-{fingerprint}.json"


def journal(study: str) -> Path:
    """Every candidate that ``tune`` has tried for a study, and its result: Optuna's journal, one event per line."""
    return RESULTS / f"{study}-tuning.jsonl"


def tuning_locks(study: str) -> Path:
    """The folder of the locks that the processes of a search share."""
    return RESULTS / "work" / f"{study}-tuning"


def table(study: str, name: str, suffix: str) -> Path:
    """A table as ``.tex``, ``.csv``, ``.md`` or ``.html``."""
    return TABLES / study / f"{name}{suffix}"


def figure(study: str, name: str, suffix: str) -> Path:
    """A figure as ``.pdf`` or ``.png``."""
    return FIGURES / study / f"{name}{suffix}"


def drawn(section: str, study: str, name: str) -> list[Path]:
    """All files of a table or figure of a study; ``section`` is ``tables`` or ``figures``."""
    path, suffixes = (table, TABLE_SUFFIXES) if section == "tables" else (figure, FIGURE_SUFFIXES)
    return [path(study, name, suffix) for suffix in suffixes]


def overview(images: bool = True) -> Path:
    """The page over all studies, with images or without."""
    return FIGURES / f"index{'' if images else '.without-images'}.html"


def page(study: str, partial: bool = False, images: bool = True) -> Path:
    """The page of all results of a study, with images of the dataset or without."""
    return FIGURES / study / f"index{'' if images else '.without-images'}{PARTIAL * partial}.html"

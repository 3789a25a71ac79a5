"""The gathered results of a study, ``results/<study>-*.parquet``, for what is drawn from them alone."""

from __future__ import annotations

import pandas as pd

from benchmark import paths
from benchmark.errors import StaleOutput
from benchmark.files import Damaged, read_parquet
from benchmark.study.study import Study


def read(study: Study, what: str) -> pd.DataFrame:
    """Return a file that `benchmark.results.gather` writes; raise `StaleOutput` if it is missing or damaged."""
    path = paths.collected(study.name, what)
    try:
        return read_parquet(path)
    except FileNotFoundError:
        how = f"run snakemake for study {study.name} first, or 'python -m benchmark collect {study.name}'"
        raise StaleOutput(f"{path} is missing: {how}") from None
    except Damaged as error:
        raise StaleOutput(f"{path} is damaged ({error}): run snakemake again, or take it from git again") from None


def lacking(study: Study, metrics: pd.DataFrame) -> str:
    """Say how many of the runs that the study wants are not the ones that were gathered; nothing if all are."""
    wanted = {run.fingerprint for run in study.runs()}
    missing = len(wanted - set(metrics["fingerprint"]))
    return f"{missing} of the study's {len(wanted)} runs are missing or of another configuration" if missing else ""


def require(study: Study, metrics: pd.DataFrame) -> None:
    """Raise `StaleOutput` if any run that the study wants is not among those that were gathered."""
    if other := lacking(study, metrics):
        raise StaleOutput(f"{paths.collected(study.name, 'metrics')}: {other}: run snakemake again")

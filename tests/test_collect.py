"""What gathering results does where one of them cannot be read; what it writes is tested where it is shown."""

import json

import pandas as pd
import pytest

from benchmark import paths
from benchmark.errors import StaleOutput
from benchmark.files import sha256, write_parquet, write_record
from benchmark.results.gather import gather
from tests.places import run_folder


def test_a_history_of_another_evaluation_than_the_samples_is_refused(project):
    study = project.study({"trials": 1, "tables": {"table2": {"methods": ["ft"]}, "table8": None}})
    for method in ("retrain", "ft"):
        project.run(study, project.name(method))
    assert len(gather(study)["metrics"]) == 3
    folder = run_folder("tiny", project.name("ft"))
    history = pd.read_parquet(folder / paths.HISTORY)
    history.loc[history.index[-1], "ua"] += 1
    rewrite(folder, history)
    with pytest.raises(StaleOutput, match=r"ua is [\d.]+ by samples, [\d.]+ by history: delete"):
        gather(study)
    # One that diverged has no metrics to be compared.
    rewrite(folder, history, status="diverged")
    assert gather(study)["metrics"].set_index("method").loc["ft", "ua"] != history["ua"].iloc[-1]


def rewrite(folder, history, **changes):
    write_parquet(folder / paths.HISTORY, history)
    record = json.loads((folder / paths.RUN).read_text())
    record.pop("digest")
    record["sha256"][paths.HISTORY] = sha256(folder / paths.HISTORY)
    write_record(folder / paths.RUN, record | changes)

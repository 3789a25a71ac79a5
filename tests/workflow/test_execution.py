"""A small study from nothing to its tables and figures, by Snakemake itself."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from benchmark import paths

CELL = "digits/convnet/random-10"

pytestmark = pytest.mark.slow

# "salun@lr=1e+30" diverges; it is shown all the same.
SMALL = {
    "trials": 1,
    "map_samples": 100,
    "hyperparameters": {"*": {"training": {"epochs": 2}, "unlearning": {"epochs": 1}}},
    "tables": {
        "table2": {"kind": "unlearning", "cells": [CELL], "methods": ["original", "ft", "coun", "salun@lr=1e+30"]},
        "table5": {"kind": "predictions", "cells": [CELL], "methods": ["ft"], "classes": ["8", "1"]},
        "table8": None,
        "table9": {"kind": "unlearning", "cells": [CELL], "methods": ["neggrad-plus", "neggrad-plus+cl"]},
        "hyperparameters": {"kind": "hyperparameters", "cells": [CELL], "methods": ["retrain", "coun"]},
    },
    "figures": {
        "figure1": {"kind": "maps", "cells": [CELL], "methods": ["retrain"]},
        "figure4": {"kind": "improvement", "cells": [CELL], "methods": ["neggrad-plus"]},
    },
}


def test_a_study_from_nothing_to_its_tables_and_figures(empty, planned):
    empty.add_workflow()
    study = empty.study(SMALL)
    empty.snakemake("all", "--config", "study=tiny", check=True)

    # Everything is there, and nothing is left over.
    for name in study.tables:
        assert all(paths.table("tiny", name, suffix).stat().st_size > 0 for suffix in paths.TABLE_SUFFIXES)
    for name in study.figures:
        assert all(paths.figure("tiny", name, suffix).stat().st_size > 0 for suffix in paths.FIGURE_SUFFIXES)
    assert list(paths.RESULTS.glob("tiny/work/**/*.pt")) == []
    kept = {
        str(path.parent.relative_to("results/tiny/runs")) for path in paths.RESULTS.glob("tiny/runs/**/*.safetensors")
    }
    assert kept == {"digits/convnet/original/trial-0", f"{CELL}/retrain/trial-0"}

    # The gathered metrics say what the runs' own files say.
    metrics = pd.read_parquet(paths.collected("tiny", "metrics")).set_index("method")
    assert set(metrics.index) == {
        "original",
        "retrain",
        "ft",
        "coun",
        "salun@lr=1e+30",
        "neggrad-plus",
        "neggrad-plus+cl",
    }
    history = pd.read_parquet(paths.run("tiny", f"{CELL}/coun/trial-0") / paths.HISTORY)
    assert (
        metrics.loc["coun", ["ra", "ua", "ta", "mia"]].tolist() == history[["ra", "ua", "ta", "mia"]].iloc[-1].tolist()
    )
    assert metrics.loc["salun@lr=1e+30", "status"] == "diverged" and pd.isna(metrics.loc["salun@lr=1e+30", "ra"])
    assert metrics.loc["retrain", "avg_gap"] == 0
    assert "diverged" in paths.table("tiny", "table2", ".tex").read_text()

    # A second call does nothing; a deleted table is drawn again, to the same.
    assert planned(empty, "all") == {}
    table = paths.table("tiny", "table2", ".tex")
    before = table.read_text()
    table.unlink()
    assert planned(empty, "table2") == {"table": {str(table)}}
    empty.snakemake("table2", "--config", "study=tiny", check=True)
    assert table.read_text() == before and planned(empty, "all") == {}

    # Another lambda trains CoUn again and draws what shows it; the run of the whole study is then up to date.
    record = paths.run("tiny", f"{CELL}/ft/trial-0") / paths.RUN
    untouched = record.read_text(), paths.figure("tiny", "figure1", ".pdf").stat().st_mtime_ns
    empty.study(SMALL, {"hyperparameters": {"*": {"coun": {"lambda": 2}}}})
    empty.snakemake("all", "--config", "study=tiny", check=True)
    told = json.loads((paths.run("tiny", f"{CELL}/coun/trial-0") / paths.RUN).read_text())
    assert told["slice"]["settings"]["lambda"] == 2
    assert (record.read_text(), paths.figure("tiny", "figure1", ".pdf").stat().st_mtime_ns) == untouched
    assert table.read_text() != before and planned(empty, "all") == {}


def test_a_run_that_fails_stops_what_needs_it_and_nothing_else(project, tmp_path, planned):
    plugin = tmp_path / "failing.py"
    plugin.write_text(
        "from benchmark.methods.ft import FT\nfrom benchmark.registry import METHODS\n"
        "@METHODS.register('failing')\nclass Failing(FT):\n"
        "    def loss(self, outputs, batch, epoch):\n        raise RuntimeError('the method has a fault')\n"
    )
    project.add_workflow()
    tables = {
        "table2": {"methods": ["failing"]},
        "table8": {"cells": [CELL], "methods": ["ft"]},
    }
    project.study({"trials": 1, "plugins": [str(plugin)], "tables": tables})
    done = project.snakemake("table2", "table8", "--config", "study=tiny")
    assert done.returncode != 0 and "the method has a fault" in done.stdout + done.stderr
    assert paths.table("tiny", "table8", ".tex").exists() and not paths.table("tiny", "table2", ".tex").exists()
    assert (paths.run("tiny", f"{CELL}/ft/trial-0") / paths.RUN).exists()
    assert not (paths.run("tiny", f"{CELL}/failing/trial-0") / paths.RUN).exists()
    assert "1 failed" in project.command("status", "tiny", check=True).stdout
    # Drawn in part, with a dash for what failed.
    project.command("table", "tiny", "table2", "--partial", check=True)
    assert paths.table("tiny", "table2", ".partial.tex").exists()
    # Mended, it is all that is done again.
    plugin.write_text(
        plugin.read_text().replace(
            "raise RuntimeError('the method has a fault')", "return super().loss(outputs, batch, epoch)"
        )
    )
    assert planned(project, "table2", "table8")["run"] == {f"results/tiny/runs/{CELL}/failing/trial-0/run.json"}

"""What holds for every kind of table and figure, tested on a study that has them all."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.text import Text

from benchmark import paths
from benchmark.errors import StaleOutput
from benchmark.names import DIVERGED, ORIGINAL, RETRAIN
from benchmark.report import facts, latex
from benchmark.report.draw import build, draw_figure, draw_table
from benchmark.report.figures.common import RUN_COLLAPSED
from benchmark.report.page import draw_page
from benchmark.report.tabular import Block, Column, Table
from benchmark.results import frames
from benchmark.results.gather import collect
from benchmark.results.measured import COLLAPSE
from benchmark.results.records import FIRST_COLUMNS
from benchmark.study.kinds import DERIVED, KINDS
from benchmark.study.runs import Run
from benchmark.study.study import Study
from benchmark.workflow.targets import StudyFiles
from tests.project import Project
from tests.report.conftest import GIVEN, RANDOM, STAGED, Drawn, changed, source, write_features, write_forget, write_run
from tests.report.test_rendering import ParsedPage

# All that can be computed again; the gathered results lie beside it.
POOL = (paths.RUNS, paths.SPLITS, *(paths.RESULTS / folder for folder in DERIVED))
SEARCHED = {
    "about": {"hold_out": 10, "left": 3},
    "found": {
        RANDOM: {
            "ft": {
                "candidates": 5,
                "pflops": 0.25,
                "avg_gap": 2.0,
                "avg_gap_of_own_values": 4.5,
                "test_gap": 3.0,
                "oracle_test_gap": 2.5,
                "edges": ["lr high"],
            }
        }
    },
    "hyperparameters": {RANDOM: {"ft": {"lr": 0.1}}},
}
RESULTS_OF_METHODS = ("unlearning", "predictions", "theory", "tuning", "power", "audit", "relearning")
WITHOUT_RESULTS = ("hyperparameters", "search", "metrics", "scale")  # no row holds a method's results in this study


@pytest.fixture(scope="module")
def study(shared) -> Study:
    """A study with a table and a figure of every kind, the paper's numbers, and all that these are drawn from."""
    section = {"cells": [RANDOM], "methods": ["coun", "ft", "not"]}
    kinds = ("theory", "tuning", "power", "audit", "relearning", "metrics", "search")
    tables = {kind: {"kind": kind, **section} for kind in kinds}
    tables |= {kind: {"kind": kind} for kind in ("claims", "verdicts", "effort")}
    tables["scale"] = {"kind": "scale", **section, "studies": ["tiny"]}
    paths.TUNED.mkdir()
    paths.tuned("tiny").write_text(yaml.safe_dump(SEARCHED))
    shutil.copytree(GIVEN / "reported", paths.REPORTED)
    data = yaml.safe_load(paths.study_file("tiny").read_text())
    figures = {name: data["figures"][name] for name in ("gain", "compared", "spent", "removed", "varied")}
    figures = {name: figure | {"cells": figure["cells"][-1:]} for name, figure in figures.items()}
    kinds = ("theory", "audit", "relearning", "memorisation")
    figures |= {f"{kind}-figure": {"kind": kind, **section} for kind in kinds}
    figures["scale-figure"] = tables["scale"]
    figures["predictions-figure"] = {"kind": "predictions", **section, "classes": ["8", "1", "3"]}
    study = changed(tables=data["tables"] | tables, figures=figures, tuned="tiny", resample=["split"], trials=5)
    draws = {"random-10": [1] * 20, "class-8": [1] * 20, "random-20": [1] * 40, "sequential-2x10": [1] * 20 + [2] * 20}
    for (scenario, stages), trial in product(draws.items(), range(study.trials)):
        write_forget(study, scenario, np.arange(len(stages)) + 10 * trial, stages, trial)
    for run in study.runs():
        write_epochs(study, run)
    write_run(study, f"{RANDOM}/not/trial-1", status=DIVERGED)
    write_features(study)
    collect(study)
    return study


def write_epochs(study: Study, run: Run, values: dict[str, float] | None = None) -> None:
    """Write a run, with an epoch for each stage if it has two."""
    staged = [{"epoch": 1, "stage": 1}, {"epoch": 2, "stage": 2}] if str(run.name).startswith(STAGED) else None
    write_run(study, str(run.name), values, epochs=staged)


@pytest.fixture(scope="module")
def drawn(study) -> dict[str, dict[Path, bytes]]:
    """The files of every table and figure, with their contents."""
    assert {table.kind for table in study.tables.values()} == set(KINDS["tables"])
    assert {figure.kind for figure in study.figures.values()} == set(KINDS["figures"])
    return {name: draw(study, name) for name in [*study.tables, *study.versus_tables, *study.figures]}


def draw(study: Study, name: str, partial: bool = False) -> dict[Path, bytes]:
    return content((draw_table if study.section_of(name) == "tables" else draw_figure)(study, name, partial))


def content(files: Iterable[Path]) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in files}


def test_every_table_marks_a_collapsed_run(study, copied) -> None:
    for run in study.runs():
        if run.name.method == "coun":
            write_run(study, str(run.name), {"ra": 50.0})
    collect(study)
    tables = {name: table for name, table in study.tables.items() if "coun" in table.methods}
    tables = {name: table for name, table in tables.items() if table.kind not in WITHOUT_RESULTS}
    assert {table.kind for table in tables.values()} == {*RESULTS_OF_METHODS}
    for name, table in tables.items():
        drawn = Drawn(study, name)
        labels = [row[0] for row in drawn.rows]
        assert "CoUn" not in labels and "retain accuracy more than 20 points below Original’s" in drawn.caption, name
        # A table of power compares the others with CoUn.
        assert ("FT†" if table.kind == "power" else "CoUn†") in labels, name


def test_everything_can_be_drawn_from_the_gathered_files_alone(study, drawn, copied, capsys) -> None:
    page = draw_page(study).read_text(encoding="utf-8")
    for folder in (*POOL, study.dataset_folder("digits")):
        shutil.rmtree(folder)
    reloaded = Study.load("tiny")
    for name, files in drawn.items():
        assert draw(reloaded, name) == files, name
    assert "drawn from results/tiny-metrics.parquet" in capsys.readouterr().out
    results = re.compile(r'<tr data-dataset.*?</tr>|"curves":.*?"maps":', re.S)
    redrawn = draw_page(reloaded).read_text(encoding="utf-8")
    assert results.findall(redrawn) == results.findall(page) != []
    assert '"panels":' in redrawn and '"predictions":[]' in redrawn and '"sprite":null' in redrawn


def test_gathered_files_give_an_output_the_same_rows_as_its_runs(study, copied) -> None:
    names = [
        name for name in study.outputs if study.kind_of(name).shows_results and not study.kind_of(name).from_gathered
    ]
    assert "removed" in names  # which shows Retrain's runs of other cells
    from_runs = {name: shown_rows(study, name) for name in names}
    for folder in POOL:
        shutil.rmtree(folder)
    assert {name: shown_rows(study, name) for name in names} == from_runs


def test_gathered_files_without_features_draw_no_table_of_them(study, copied) -> None:
    gaps = study.tables["gaps"].model_dump()
    collect(changed(tables={"gaps": gaps}, figures={}))
    shutil.rmtree(paths.RUNS)
    relearned = gaps | {"kind": "relearning"}
    study = changed(tables={"gaps": gaps, "relearned": relearned, "claims": {"kind": "claims"}}, figures={})
    with pytest.raises(StaleOutput, match="has not been run: run snakemake"):
        draw_table(study, "relearned")
    with pytest.raises(StaleOutput, match=r"tiny-metrics\.parquet: lacks .*relearning/"):
        draw_table(study, "claims")


def test_what_shows_features_is_made_from_the_runs_too(study) -> None:
    """The runs say which of their models collapsed."""
    of_features = list(filter(study.derived_of, study.outputs))
    assert of_features
    for name in of_features:
        runs = {paths.run(run.pool_path) / paths.RUN for run in study.runs_of(name)}
        assert runs <= {*StudyFiles(study).shown_by(name)}, name


def shown_rows(study: Study, name: str) -> list[set[tuple[Any, ...]]]:
    """Return the runs that have rows in the results of an output, by frame."""
    results = frames.of_output(study, name)
    read_frames = (results.metrics, results.history, results.predictions, results.embeddings)
    return [set(frame.reindex(columns=FIRST_COLUMNS).itertuples(index=False, name=None)) for frame in read_frames]


@pytest.mark.parametrize("kind", [name for name, kind in KINDS["figures"].items() if not kind.of_studies])
def test_every_figure_marks_a_collapsed_run(study, copied, kind) -> None:
    name = [name for name, output in study.figures.items() if output.kind == kind][-1]

    def marks() -> list[str]:
        """Return the texts of the figure that speak of a collapsed run."""
        texts = [text.get_text() for text in build(source(study, name)).findobj(Text)]
        return [text for text in texts if "†" in text or text.startswith("collapsed:")]

    assert not marks()
    run = next(run for run in study.runs_of(name) if run.name.method not in (ORIGINAL, RETRAIN))
    write_epochs(study, run, {"ra": 95.0 - COLLAPSE - 1})
    drawn = marks()
    assert drawn and (kind == "maps" or (RUN_COLLAPSED in drawn and len(drawn) > 1))


def test_missing_results_are_refused_or_give_partial_files_beside_the_complete_ones(study, drawn, copied) -> None:
    for path in [*POOL, *paths.RESULTS.glob("tiny-*")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for name in (name for name in drawn if study.runs_of(name) and study.kind_of(name).shows_results):
        with pytest.raises(StaleOutput):
            draw(study, name)
        for path, written in draw(study, name, partial=True).items():
            assert path.name == f"{name}.partial{path.suffix}" and written
            if path.suffix in (".tex", ".md", ".html"):
                assert f"python -m benchmark table {study.name} {name} --partial" in written.decode()
            assert path.suffix != ".md" or str(path.with_suffix(".csv")) in path.read_text()
        assert content(drawn[name]) == drawn[name]
    for name in ("gaps", "two", "taken", "far"):
        assert set(Drawn(study, name, partial=True).row("FT")) == {"—"}


def test_a_table_has_the_same_rows_in_every_format(study, drawn) -> None:
    for name in ("gaps", "two", "taken", "far", "hyper"):
        table = Drawn(study, name, files=list(drawn[name]))
        page = ParsedPage(table.paths[3].read_text())
        assert not re.search(r"\\[A-Za-z]|\$", table.paths[2].read_text())
        assert len({len(row) for row in table.rows}) == 1
        rows = [[re.sub(r"[*\\]|: ", "", cell) for cell in row] for row in table.rows if not row[0].startswith(":")]
        assert [[cell.replace(": ", "") for cell in row] for row in page.rows] == rows
        methods = [row[0] for row in rows if row[0] in ("FT", "CoUn")]
        assert re.findall("^(FT|CoUn) &", table.tex, re.MULTILINE) == methods


def test_the_search_table_shows_gaps_the_oracle_and_values_at_an_edge(study, drawn) -> None:
    table = Drawn(study, "search", files=list(drawn["search"]))
    assert table.row("FT") == ["5", "0.25", "4.50", "2.00", "3.00", "2.50", "lr 0.1 (high end)"]
    assert len(table.data) == 1
    assert "Low, high end: " in table.caption and "highest tried: " not in table.caption
    assert "3 of its candidates are left" in table.caption and "given up" not in table.caption
    assert "Gap on held-out images: own" in table.rows[0]
    # Captions of results name the images that the search was judged by.
    held_out, by_test = "images held out of their training data", "the test data"
    caption = Drawn(study, "gaps", files=list(drawn["gaps"])).caption
    assert f"{held_out}, by a search of which 3 candidates are left; not for NegGrad+, NoT, CoUn in " in caption
    paths.tuned("tiny").write_text(yaml.safe_dump({**SEARCHED, "about": {}}))
    assert facts.tuned(Study.load("tiny")).endswith(by_test)
    searched = yaml.safe_load(yaml.safe_dump(SEARCHED))
    searched["found"][RANDOM]["ft"]["edges"] = ["lr highest"]
    searched["about"] |= {"candidates": 9, "given_up_half_way": 4}
    paths.tuned("tiny").write_text(yaml.safe_dump(searched))
    table = Drawn(Study.load("tiny"), "search")
    assert table.row("FT")[-1] == "lr 0.1 (highest tried)"
    assert "Lowest or highest tried: " in table.caption and "high end: " not in table.caption
    assert "; 4 of all 9 were abandoned half-way, and have no gap." in table.caption
    paths.tuned("tiny").write_text(yaml.safe_dump(SEARCHED))


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_every_table_compiles(study, drawn) -> None:
    body = "".join(rf"\input{{{path}}}" for files in drawn.values() for path in files if path.suffix == ".tex")
    # And all special characters, in a wrapped column.
    signs = " ".join([*latex.SPECIAL, "words"] * 3)
    columns = [Column("Method"), Column("10 %", wrapped=True)]
    table = Table(columns, [Block([["FT", signs]])], "All.", "", pd.DataFrame())
    body += latex.render(table, "tiny", "signs")
    preamble = (
        r"\documentclass{article}\usepackage[textwidth=5.5in]{geometry}\usepackage{booktabs,tabularx,amssymb,graphicx}"
    )
    preamble += r"\begin{document}"
    Path("all.tex").write_text(preamble + body + r"\end{document}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    latex_run = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=50)
    assert latex_run.returncode == 0, latex_run.stdout[-2000:]
    assert "Overfull \\hbox" not in latex_run.stdout


def test_tables_audits_and_the_page_import_no_torch_and_only_figures_a_plotting_library(study, drawn) -> None:
    code = (
        "import sys; from benchmark.study.study import Study; from benchmark.report.draw import draw_table;"
        "from benchmark.report.page import draw_page; study = Study.load('tiny');"
        "[draw_table(study, name) for name in ('two', 'audit', 'metrics')]; draw_page(study);"
        "print({'torch', 'bokeh', 'matplotlib', 'seaborn', 'umap', 'openTSNE'} & set(sys.modules));"
        "from benchmark.report.draw import draw_figure;"
        "[draw_figure(study, name) for name in ('audit-figure', 'memorisation-figure')];"
        "print({'torch'} & set(sys.modules))"
    )
    assert Project(Path.cwd()).python(code).split("\n") == ["set()", "set()"]

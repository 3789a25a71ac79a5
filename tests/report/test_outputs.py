"""What holds for every kind of table and figure."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.text import Text

from benchmark import paths
from benchmark.data.splits import write_split
from benchmark.errors import BadInput, StaleOutput
from benchmark.names import ORIGINAL, RETRAIN
from benchmark.report import latex
from benchmark.report.draw import build, draw_figure, draw_table
from benchmark.report.page import draw_page
from benchmark.report.summary import COLLAPSED
from benchmark.report.tabular import Block, Column, Table
from benchmark.results.gather import collect
from benchmark.results.measured import COLLAPSE
from benchmark.results.records import DIVERGED
from benchmark.study.outputs import DISTANCES, KINDS, MAPS, VIEWS
from benchmark.study.study import Study
from tests.places import split_file
from tests.report.conftest import (
    PRINTED,
    Drawn,
    source,
    views,
    write_derived,
    write_distances,
    write_images,
    write_map,
    write_run,
)

CELL = "digits/convnet/random-10"
STAGED = "sequential-2x10"
# All that can be made again; what the study gathered of it lies beside.
POOL = (paths.RUNS, paths.SPLITS, *(paths.RESULTS / what for what in (MAPS, DISTANCES, VIEWS)))


@pytest.fixture
def whole(study, unchecked) -> Study:
    """The study with a table and a figure of every kind, one beside the paper's, and all that these are drawn from."""
    data = yaml.safe_load(paths.study_file("tiny").read_text())
    shown = {"cells": [CELL], "methods": ["coun", "ft", "not"]}
    data["tables"] |= {kind: {"kind": kind, **shown} for kind in ("theory", "tuning", "power")}
    data["tables"] |= {kind: {"kind": kind} for kind in ("claims", "verdicts", "effort")}
    data["figures"]["apart"] = {"kind": "theory", **shown}
    data["figures"]["heat"] = {"kind": "predictions", **shown, "classes": ["8", "1", "3"]}
    paths.study_file("tiny").write_text(yaml.safe_dump(data | {"tuned": "tiny"}, sort_keys=False))
    tuned = yaml.safe_dump({"hyperparameters": {CELL: {"ft": {"lr": 0.1}}}})
    for path, text in ((paths.tuned("tiny"), tuned), (paths.REPORTED / "unlearning.csv", PRINTED)):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    study = Study.load("tiny")
    for scenario, stages in {"random-20": [1] * 40, STAGED: [1] * 20 + [2] * 20}.items():
        frame = pd.DataFrame({"split": "train", "index": np.arange(len(stages)), "stage": stages})
        write_split(split_file("tiny", scenario), frame)
    for run in study.runs():
        staged = [{"epoch": 1, "stage": 1}, {"epoch": 2, "stage": 2}] if run.name.scenario == STAGED else None
        write_run(study, str(run.name), epochs=staged)
    write_run(study, f"{CELL}/not/trial-1", status=DIVERGED)
    write_images(study)
    for one in study.derived:
        name = str(one.run.name)
        if one.what == MAPS:
            write_map(study, name, one.scenario)
        elif one.what == DISTANCES:
            write_distances(study, name, one.scenario, {8: {1: 2.0, 3: 3.0, 9: 4.0}})
        else:
            write_derived(study, VIEWS, name, one.scenario, views(0.3, alone=False))
    return study


def draw(study: Study, name: str, partial: bool = False) -> dict[Path, bytes]:
    drawn = (draw_table if study.section_of(name) == "tables" else draw_figure)(study, name, partial)
    return {path: path.read_bytes() for path in drawn}


def test_everything_can_be_drawn_from_the_gathered_files_alone(whole, capsys) -> None:
    collect(whole)
    assert {table.kind for table in whole.tables.values()} == set(KINDS["tables"])
    figures = {figure.kind: name for name, figure in whole.figures.items()}
    assert set(figures) == set(KINDS["figures"])
    before = {name: draw(whole, name) for name in [*whole.tables, *whole.compared, *figures.values()]}
    page = draw_page(whole).read_text(encoding="utf-8")
    for folder in (*POOL, whole.dataset_folder("digits")):
        shutil.rmtree(folder)
    alone = Study.load("tiny")
    for name, files in before.items():
        assert draw(alone, name) == files, name
    assert "drawn from results/tiny-metrics.parquet" in capsys.readouterr().out
    shown = re.compile(r'<tr data-dataset.*?</tr>|"curves":.*?"maps":', re.S)
    later = draw_page(alone).read_text(encoding="utf-8")
    assert shown.findall(later) == shown.findall(page) != []
    assert '"panels":' in later and '"predictions":[]' in later and '"sprite":null' in later


@pytest.mark.parametrize("kind", KINDS["figures"])
def test_a_collapsed_run_appears_in_no_figure_without_its_mark(whole, kind) -> None:
    name = [name for name, output in whole.figures.items() if output.kind == kind][-1]

    def marks() -> list[str]:
        """Return the texts of the figure that speak of a collapsed run."""
        texts = [text.get_text() for text in build(source(whole, name)).findobj(Text)]
        return [text for text in texts if "†" in text or text.startswith("collapsed:")]

    assert not marks()
    run = next(run for run in whole.runs_of(name) if run.name.method not in (ORIGINAL, RETRAIN))
    staged = [{"epoch": 1, "stage": 1}, {"epoch": 2, "stage": 2}] if run.name.scenario == STAGED else None
    write_run(whole, str(run.name), {"ra": 95.0 - COLLAPSE - 1}, epochs=staged)
    drawn = marks()
    assert drawn and (kind == "maps" or (COLLAPSED in drawn and len(drawn) > 1))


def test_what_is_missing_is_waited_for_or_left_out_and_replaces_nothing_whole(whole) -> None:
    shown = [name for name in whole.outputs if whole.runs_of(name) and whole.kind_of(name).results]
    before = draw(whole, "gaps") | draw(whole, "spent")
    for folder in POOL:
        shutil.rmtree(folder)
    for name in shown:
        with pytest.raises(StaleOutput):
            draw(whole, name)
        for path, content in draw(whole, name, partial=True).items():
            assert path.name == f"{name}.partial{path.suffix}" and content
    assert {path: path.read_bytes() for path in before} == before
    for name in ("gaps", "two", "taken", "far"):
        assert set(Drawn(whole, name, partial=True).row("FT")) == {"—"}


def test_unknown_names_are_refused(study) -> None:
    for draw_one, name, message in (
        (draw_table, "gap", "unknown table 'gap'; did you mean 'gaps'"),
        (draw_table, "gain", "unknown table 'gain'"),
        (draw_figure, "gaps", "unknown figure 'gaps'"),
    ):
        with pytest.raises(BadInput, match=message):
            draw_one(study, name)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_every_table_compiles(whole) -> None:
    collect(whole)
    names = [*whole.tables, *whole.compared]
    body = "".join(rf"\input{{{draw_table(whole, name)[0]}}}" for name in names)
    # And all signs, in a column that is wrapped.
    signs = " ".join([*latex.SPECIAL, "words"] * 3)
    table = Table([Column("Method"), Column("10 %", wrapped=True)], [Block([["FT", signs]])], "All.", pd.DataFrame())
    body += latex.render(table, "tiny", "signs")
    preamble = r"\documentclass{article}\usepackage{booktabs,graphicx}\begin{document}"
    Path("all.tex").write_text(preamble + body + r"\end{document}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=50)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull \\hbox" not in done.stdout


def test_a_table_imports_neither_torch_nor_a_plotting_library(study, runs) -> None:
    runs(study, "two")
    script = (
        "import sys; from benchmark.study.study import Study; from benchmark.report.draw import draw_table;"
        "draw_table(Study.load('tiny'), 'two');"
        "print(*{'torch', 'matplotlib', 'seaborn', 'umap', 'openTSNE', 'sklearn'} & set(sys.modules))"
    )
    start = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r}); {script}"
    done = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""

"""Several studies and the paper side by side."""

import contextlib
import shutil
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.text import Text

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.files import write_parquet
from benchmark.metrics.claims.claim import ALL_ELSE_SAME
from benchmark.metrics.evidence import Evidence
from benchmark.metrics.verdicts import verdicts
from benchmark.names import DIVERGED
from benchmark.report.draw import draw_table
from benchmark.report.figures.common import RUN_COLLAPSED
from benchmark.report.recompute import changed_results
from benchmark.report.scales import KEPT
from benchmark.report.style import method_colour
from benchmark.results.frames import of_study
from benchmark.results.gather import collect
from benchmark.study.study import Study
from benchmark.workflow.session import Session
from benchmark.workflow.targets import StudyFiles
from benchmark.workflow.watch import Watch
from tests.report.conftest import GIVEN, Drawn, at_gap, changed, make_study, plot, write_forget, write_run

CELL, ANOTHER = "digits/convnet/random-50", "digits/vit/random-50"
METHODS = ["ft", "neggrad-plus", "coun"]
POINTS = {"original": 0, "retrain": 0, "ft": 3, "neggrad-plus": 2, "coun": 1, "neggrad-plus+cl": 0.5}  # of average gap
PRINTED = {"FT": 2.5, "NegGrad+": 0.5, "CoUn": 1.0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a study that has no runs and shows two others, of which one was run."""
    root = tmp_path_factory.mktemp("scale")
    with contextlib.chdir(root):
        write_studies()
    return root


@pytest.fixture
def study(folder, tmp_path, monkeypatch) -> Study:
    """That study, in a copy of its folder."""
    monkeypatch.chdir(shutil.copytree(folder, tmp_path / "copy"))
    return Study.load("sizes")


def write_studies() -> None:
    """Write the studies, the runs of one, and the numbers of a paper."""
    make_study()
    tables = {"audit": {"kind": "audit", "cells": [CELL], "methods": [*METHODS, "neggrad-plus+cl"]}}
    tiny = changed(trials=5, resample=["original", "split"], tables=tables | {"claims": {"kind": "claims"}}, figures={})
    for trial in range(tiny.trials):
        half = np.flatnonzero(np.random.default_rng(trial).permutation(200) < 100)
        write_forget(tiny, "random-50", half, trial=trial)
    write_all(tiny)
    printed = pd.read_csv(GIVEN / "reported" / "unlearning.csv")
    retrain, ft = (printed[printed["method"] == name] for name in ("Retrain", "FT"))
    equal = {name: retrain[name].item() for name in ("ra_mean", "ta_mean", "mia_mean")}
    # NegGrad+'s printed gap is a slip: that of its means counts.
    rows = [
        ft.assign(method=method, avg_gap=9.0 if method == "NegGrad+" else gap, ua_mean=5 + 4 * gap, **equal)
        for method, gap in PRINTED.items()
    ]
    paths.REPORTED.mkdir(parents=True)
    pd.concat([retrain, *rows]).assign(scenario="random-50").to_csv(paths.REPORTED / "unlearning.csv", index=False)
    paths.study_file("other").write_text(yaml.safe_dump({"datasets": {"digits": {"source": "digits"}}}))
    write_comparison()


def write_comparison(**changes) -> Study:
    """Write the study that shows the others, with changed settings of its table and figure; return it."""
    section = {"kind": "scale", "studies": ["tiny", "other"], "cells": [CELL, ANOTHER], "methods": METHODS} | changes
    content = {"datasets": {}, "tables": {"sizes": section}, "figures": {"ranks": section}}
    paths.study_file("sizes").write_text(yaml.safe_dump(content))
    return Study.load("sizes")


def write_all(tiny: Study, points=POINTS, **values: float) -> None:
    """Write all runs, with gaps of ``points`` and a hundredth more in each trial, FT's with ``values``; gather them."""
    for run in tiny.runs():
        metrics = at_gap(points.get(run.name.method, 20) * (1 + run.name.trial / 100))
        write_run(tiny, str(run.name), metrics | (values if run.name.method == "ft" else {}))
    collect(tiny)


def test_each_study_stands_beside_the_others_and_the_paper(study):
    table = Drawn(study, "sizes")
    scales = ["tiny: Avg. gap", "tiny: Kept", "other: not run yet", "the paper: Avg. gap", "the paper: Kept"]
    assert table.rows[0][1:] == [*scales, "Reproduced at"]
    facts = "tiny: Digits, 200 images, ConvNet, 5 trials; other: not run yet; the paper: Digits, ConvNet, 10 trials."
    assert facts in table.caption
    assert table.row("Retrain: UA (%)")[::3] == ["10.00", "5.00"]
    gaps = {label: table.row(label)[0] for label in ("FT", "NegGrad+", "CoUn")}
    assert gaps == {"FT": "3.06 (3)", "NegGrad+": "2.04 (2)", "CoUn": "**1.02 (1)**"}
    assert [table.row(label)[3] for label in gaps] == ["2.50 (3)", "**0.50 (1)**", "1.00 (2)"]
    assert {table.row(label)[2] for label in gaps} == {"—"}
    # Two of the three pairs of methods are in the paper's order.
    assert table.row("τ with the paper’s ranking")[0] == "0.33"


def test_what_is_kept_is_accuracy_on_forget_data_beyond_test_data_and_retrain(study):
    tiny = Study.load("tiny")
    for run in tiny.runs():
        if run.name.method in METHODS:
            ua = 10 + POINTS[run.name.method] * (1 + run.name.trial / 100)
            write_run(tiny, str(run.name), at_gap(0) | {"ua": ua})
    collect(tiny)
    table = Drawn(study, "sizes")
    # The paper's test accuracies are equal here: what is kept is by how much UA is below Retrain's.
    assert [table.row(label)[4] for label in ("FT", "NegGrad+", "CoUn")] == ["−10.00 (3)", "**−2.00 (1)**", "−4.00 (2)"]
    kept = table.data[(table.data["what"] == KEPT) & (table.data["scale"] == "tiny")].set_index("subject")
    runs = of_study(tiny).metrics.query("scenario == 'random-50'").set_index(["method", "trial"])
    known = 100 - runs["ua"] - runs["ta"]
    for method in METHODS:
        values = known[method] - known["retrain"]
        assert kept.loc[method, "value"] == pytest.approx(values.mean())
        assert kept.loc[method, "low"] < kept.loc[method, "value"] < kept.loc[method, "high"]
    assert list(kept["rank"]) == list(kept["value"].abs().rank()) and kept["leads"][kept["rank"] == 1].all()
    assert table.row("τ with the paper’s ranking")[1] == "0.33"


def test_where_the_paper_has_none_of_the_cells_it_is_not_named(study):
    assert "paper" in Drawn(study, "sizes").caption
    printed = paths.REPORTED / "unlearning.csv"
    pd.read_csv(printed).assign(scenario="random-10").to_csv(printed, index=False)
    table = Drawn(study, "sizes")
    assert "paper" not in table.caption and not any("paper" in entry for row in table.rows for entry in row)


def test_a_claim_names_the_scales_that_reproduce_it(study):
    table = Drawn(study, "sizes")
    best = table.row("CoUn has the lowest average gap")
    assert (best[0], best[3], best[5]) == ("1.02✓", "−0.50✗", "tiny")
    assert table.row("adding CL lowers the average gap: FT")[5] == "tiny, the paper"
    assert "‡" not in table.caption and table.row("…: NegGrad+")[0] == "1.53✓" and table.row("…: NegGrad+")[3] == "—"


def test_adding_cl_to_a_listed_method_is_tested_though_the_pair_is_not_listed(study):
    table = Drawn(write_comparison(methods=["ft"]), "sizes")
    assert table.row("adding CL lowers the average gap: FT")[0] == "2.04✓"
    assert "CoUn" not in [row[0] for row in table.rows]


def test_a_diverged_method_has_no_rank_and_the_best_of_the_others_leads(study):
    write_run(Study.load("tiny"), f"{CELL}/coun/trial-0", at_gap(1), status=DIVERGED)
    collect(Study.load("tiny"))
    table = Drawn(study, "sizes")
    assert [table.row(label)[0] for label in ("CoUn", "NegGrad+", "FT")] == ["—", "**2.04 (1)**", "3.06 (2)"]


def test_a_collapsed_method_has_a_rank_and_does_not_lead(study):
    tiny = Study.load("tiny")
    write_run(tiny, "digits/convnet/original/trial-0", {"ra": 111.5})  # CoUn's is 89
    for method, trial in product(("ft", "neggrad-plus"), range(tiny.trials)):
        write_run(tiny, f"{CELL}/{method}/trial-{trial}", at_gap(POINTS[method] + trial / 100) | {"ra": 95.0})
    collect(tiny)
    table = Drawn(study, "sizes")
    assert (table.row("CoUn")[0], table.row("NegGrad+")[0]) == ("1.02 (1)†", "**2.77 (2)**")
    assert "of the paper the first; a method that collapsed is never bold." in table.caption


def test_a_claim_about_the_term_is_of_the_methods_own_values_and_not_of_a_variant_of_it(study):
    variant = "neggrad-plus@lr=0.02"  # with the learning rate that the method has with the term
    tables = {"audit": {"kind": "audit", "cells": [CELL], "methods": [*METHODS, "neggrad-plus+cl", variant]}}
    hyperparameters = {"*": {"neggrad-plus+cl": {"lr": 0.02}}}
    tiny = changed(trials=5, resample=["original", "split"], tables=tables, figures={}, hyperparameters=hyperparameters)
    write_all(tiny, POINTS | {variant: 0.25})
    tested = verdicts(Evidence(of_study(tiny).metrics, pd.DataFrame(), pd.DataFrame()))
    assert f"`neggrad-plus` with the term, {ALL_ELSE_SAME}" in set(tested["subject"])
    table = Drawn(write_comparison(methods=[*METHODS, variant]), "sizes")
    assert table.row("…: NegGrad+")[0] == "1.53✓‡" and "‡: with the term, other settings differ too" in table.caption
    (also,) = table.data.loc[table.data["subject"] == "neggrad-plus", "also"].replace("", None).dropna()
    assert also == "lr 0.02 for 0.05"


@pytest.mark.parametrize("fate", ["collapsed", "diverged"])
def test_a_method_that_collapsed_or_diverged_leads_by_what_is_kept_neither(study, fate):
    tiny = Study.load("tiny")

    def by_kept() -> pd.DataFrame:
        data = Drawn(study, "sizes").data
        return data[(data["what"] == KEPT) & (data["scale"] == "tiny")].set_index("subject")

    first = by_kept().query("leads").index[0]
    if fate == "collapsed":
        write_run(tiny, "digits/convnet/original/trial-0", {"ra": 100})
        for trial in range(tiny.trials):
            write_run(tiny, f"{CELL}/{first}/trial-{trial}", at_gap(POINTS[first]) | {"ra": 70})
    else:
        write_run(tiny, f"{CELL}/{first}/trial-0", at_gap(POINTS[first]), status=DIVERGED)
    collect(tiny)
    after = by_kept()
    assert after["leads"].any() and first not in after.query("leads").index
    assert (first in after.query("collapsed").index) == (first in after.index) == (fate == "collapsed")


def test_numbers_are_those_of_the_studys_own_tables(study):
    numbers = Drawn(study, "sizes").data.fillna({"subject": ""}).set_index(["scale", "what", "subject"]).loc["tiny"]
    tiny = Study.load("tiny")
    audits = Drawn(tiny, "audit").by_method("audit")["value"]
    for method in METHODS:
        for column, audit in (("avg_gap", "average-gap"), (KEPT, "kept")):
            assert numbers.loc[(column, method), "value"] == pytest.approx(audits[method, audit]), method
    claims = Drawn(tiny, "claims").data.set_index("claim")
    for key in ("best", "term"):
        assert [*numbers.loc[key, "value"]] == pytest.approx([*claims.loc[[key], "value"]])
        assert [*numbers.loc[key, "verdict"]] == [*claims.loc[[key], "verdict"]]


def test_the_table_is_out_of_date_when_another_studys_results_change(study):
    def expected_files() -> list[str]:
        """Return the files of the table that the workflow expects; the receipt's name has the fingerprint."""
        return list(map(str, StudyFiles(Study.load("sizes")).files_of("sizes")))

    before, fingerprint = expected_files(), Study.load("tiny").output_fingerprint("audit")
    assert StudyFiles(study).drawn_from("sizes") == [*study.gathered_by("sizes")] != []
    write_all(Study.load("tiny"), POINTS | {"coun": 1.5})
    assert expected_files()[:-1] == before[:-1] and expected_files()[-1] != before[-1]
    assert Study.load("tiny").output_fingerprint("audit") == fingerprint
    paths.gathered("tiny", "audits").unlink()
    assert Drawn(study, "sizes").rows and len({*before, *expected_files()}) == len(before) + 1


def test_a_study_without_runs_is_complete_once_its_outputs_are_drawn(study):
    files = StudyFiles(study)
    assert files.gathered == files.page == files.pool == []
    assert files.all == [file for name in ("sizes", "ranks") for file in files.files_of(name)]
    assert Watch(study).total([]) == "sizes: no runs of its own"
    done = Session(study).success(SimpleNamespace(finished_jobs=[]))
    assert done.strip() == "Study sizes: 0 runs trained in 0 s. It has no runs of its own."


def test_recomputing_a_study_without_runs_asks_for_no_gathered_files(study):
    draw_table(study, "sizes")
    assert changed_results(study) == []
    table = paths.table("sizes", "sizes", ".csv")
    table.write_text(table.read_text().replace("1", "2", 1))
    assert changed_results(study) == [f"{table}: its results give another table"]


def test_a_study_with_two_cells_of_a_scenario_is_refused(study):
    metrics = pd.read_parquet(paths.gathered("tiny", "metrics"))
    two_cells = pd.concat([metrics, metrics.assign(arch="vit")])
    write_parquet(paths.gathered("tiny", "metrics"), two_cells)
    with pytest.raises(BadInput, match=f"tiny has both {CELL} and {ANOTHER}"):
        draw_table(study, "sizes")


def test_a_study_with_none_of_the_methods_is_still_described(study):
    path = paths.gathered("tiny", "metrics")
    metrics = pd.read_parquet(path)
    write_parquet(path, metrics[metrics["method"] == "original"])
    table = Drawn(study, "sizes")
    assert "tiny: Digits, 200 images, ConvNet; other: not run yet;" in table.caption
    assert {table.row(label)[0] for label in ("FT", "CoUn")} == {"—"}


def test_a_cell_of_no_study_is_refused_unless_a_study_has_yet_to_be_run(study):
    assert draw_table(study, "sizes")
    with pytest.raises(BadInput, match=f"{ANOTHER}: no results: accepted are cells of tiny, and the paper's"):
        draw_table(write_comparison(studies=["tiny"]), "sizes")


def test_the_figure_ranks_methods_and_marks_collapsed_ones(study):
    upper, lower = plot(study, "ranks").axes
    lines = {line.get_color(): list(line.get_ydata()) for line in upper.lines if len(line.get_ydata()) == 3}
    ranks = [[3, None, 3], [2, None, 1], [1, None, 2]]  # no line passes through a scale that was not run
    assert [[None if np.isnan(y) else y for y in lines[method_colour(method)]] for method in METHODS] == ranks
    assert [tick.get_text() for tick in lower.get_xticklabels()] == ["tiny", "other\n(not\nrun yet)", "the paper"]
    write_all(Study.load("tiny"), ra=50.0)
    texts = {text.get_text() for text in plot(study, "ranks").findobj(Text)}
    assert {"†", RUN_COLLAPSED} <= texts
    assert "†" in Drawn(study, "sizes").row("FT")[0]

"""The tables of claims, verdicts, tuning, power and effort."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import yaml

from benchmark import paths
from benchmark.errors import BadInput, StaleOutput
from benchmark.files import write_json
from benchmark.metrics.bootstrap import trials_needed
from benchmark.metrics.verdicts import NOT_REPRODUCED, REPRODUCED, UNDECIDED
from benchmark.names import DIVERGED, Cell
from benchmark.report import facts
from benchmark.report.draw import draw_table
from benchmark.report.tables import effort_table
from benchmark.report.tables.claims_table import is_kept
from benchmark.report.tables.power_table import SIZES
from benchmark.results import frames
from benchmark.results.gather import collect
from benchmark.results.measured import COLLAPSE
from benchmark.study.study import Study
from benchmark.workflow.targets import StudyFiles
from tests.pool import run_folder
from tests.report.conftest import RANDOM, Drawn, changed, metrics, write_run

METHODS = ["ft", "neggrad-plus", "coun"]
SMALL = {"training": {"batch_size": 64}, "unlearning": {"batch_size": 64}}
TABLES = {
    "gaps": {"kind": "unlearning", "cells": [RANDOM], "methods": METHODS},
    "worth": {"kind": "tuning", "cells": [RANDOM], "methods": METHODS},
    "needed": {"kind": "power", "cells": [RANDOM], "methods": ["coun", "ft", "neggrad-plus"]},
    **{name: {"kind": kind} for name, kind in (("claims", "claims"), ("counts", "verdicts"), ("took", "effort"))},
}
# Three trials of Retrain's metrics, and how far each method's lie below them.
RETRAIN = [(98.0, 30.0, 70.0, 43.0), (99.0, 31.0, 71.0, 44.0), (97.0, 29.0, 69.0, 42.0)]
BELOW = {"ft": (8.0, 8.1, 7.9), "ft@lr=0.05": (11.0, 11.0, 11.3)}
BELOW |= {"neggrad-plus": (5.0, 5.2, 4.8), "coun": (2.0, 2.1, 1.9)}


@pytest.fixture(scope="module")
def study(shared) -> Study:
    """A study that is tuned for FT alone, with all its runs, gathered."""
    paths.TUNED.mkdir()
    paths.tuned("tiny").write_text(yaml.safe_dump({"hyperparameters": {RANDOM: {"ft": {"lr": 0.1}}}}))
    study = changed(tables=TABLES, figures={}, tuned="tiny", hyperparameters={"*": SMALL | {"ft": {"lr": 0.05}}})
    write_run(study, "digits/convnet/original/trial-0", {"ra": 100.0})
    for trial, values in enumerate(RETRAIN):
        write_run(study, f"{RANDOM}/retrain/trial-{trial}", metrics(*values))
        for method, points in BELOW.items():
            write_run(study, f"{RANDOM}/{method}/trial-{trial}", metrics(*(value - points[trial] for value in values)))
    collect(study)
    return study


@pytest.fixture(scope="module")
def claims(study) -> Drawn:
    """Its table of claims."""
    return Drawn(study, "claims")


def test_the_gain_of_tuning_is_the_gap_that_it_closes(study):
    worth = Drawn(study, "worth")
    data = worth.by_method()
    assert data.loc["ft", ["own_gap", "tuned_gap", "gain"]].to_numpy(float) == pytest.approx([11.1, 8.0, 3.1])
    assert data.loc["ft", "low"] < 3.1 < data.loc["ft", "high"]
    assert data.loc["ft", "changed"] == "lr 0.05 to 0.1"
    # Tuning left CoUn's values alone.
    assert data.loc["coun", "gain"] == 0.0 and pd.isna(data.loc["coun", "changed"])
    assert (
        worth.row("CoUn")[-1] == "as it was"
        and "tuned on other trials, with their Retrain and the test data" in worth.caption
    )


def test_a_setting_in_a_methods_name_is_none_that_tuning_changed(study, copied):
    variants = {"kind": "tuning", "cells": [RANDOM], "methods": ["ft@momentum=0.5", "coun@tau=0.2"]}
    worth = Drawn(changed(tables={"worth": variants}), "worth", partial=True)
    assert worth.row("FT (momentum=0.5)")[-1] == "lr 0.05 to 0.1"
    assert worth.row("CoUn (τ=0.2)")[-1] == "as it was"


@pytest.mark.parametrize(
    ("diverged", "counts", "named"),
    [
        (["neggrad-plus/trial-2"], [[3, 0], [3, 1]], "NegGrad+ 1."),
        # CoUn, with which FT is compared, diverged in another trial than FT.
        (["coun/trial-0", "ft/trial-1"], [[3, 2], [3, 1]], "FT 2, NegGrad+ 1."),
        (["retrain/trial-1"], [[3, 1], [3, 1]], "FT 1, NegGrad+ 1."),
    ],
)
def test_trials_in_which_a_compared_method_diverged_are_left_out_and_named(study, copied, diverged, counts, named):
    for run in diverged:
        write_run(study, f"{RANDOM}/{run}", {"ra": 10.0}, status=DIVERGED)
    needed = Drawn(study, "needed")
    assert needed.by_method()[["trials", "diverged"]].to_numpy().tolist() == counts
    assert f"Left out, because a method diverged (trials): {named}" in needed.caption
    assert "missing" not in needed.caption


def test_tuning_leaves_out_trials_that_diverged_with_either_value_and_names_missing_ones(study, copied):
    for run in ("ft@lr=0.05/trial-1", "neggrad-plus/trial-2"):
        write_run(study, f"{RANDOM}/{run}", {"ra": 10.0}, status=DIVERGED)
    worth = Drawn(study, "worth")
    assert worth.by_method().loc[["ft", "coun"], ["trials", "diverged"]].to_numpy().tolist() == [[3, 1], [3, 0]]
    assert "Left out, because a method diverged (trials): FT 1, NegGrad+ 1." in worth.caption
    shutil.rmtree(run_folder(study, f"{RANDOM}/retrain/trial-2"))
    paths.gathered("tiny", "metrics").unlink()
    for name in ("worth", "needed"):
        assert "Trials are missing for " in Drawn(study, name, partial=True).caption


def test_gathered_results_have_the_same_limit_of_collapse_as_the_runs(study):
    # All trials start from one Original, whose retain accuracy is 100.
    limits = {("digits", "convnet", trial): 100 - COLLAPSE for trial in range(3)}
    assert frames.gathered(study).collapse_limits == frames.of_study(study).collapse_limits == limits


def test_a_setting_that_is_a_list_or_a_mapping_is_gathered_as_json(study, copied):
    file = run_folder(study, f"{RANDOM}/ft/trial-0") / paths.RUN
    record = json.loads(file.read_text())
    record["slice"]["settings"] |= {"pair": [1, 2], "map": {"a": 1}}
    write_json(file, record)
    collect(study)
    row = frames.gathered(study).metrics.query("method == 'ft' and trial == 0").iloc[0]
    assert (row["setting_pair"], row["setting_map"], row["setting_lr"]) == ("[1, 2]", '{"a": 1}', 0.1)


def test_a_trial_with_an_original_of_its_own_has_its_own_limit_of_collapse(study, copied):
    resampled = changed(resample=["original"], trials=2)
    for run in resampled.runs():
        ra = {"original": (100.0, 85.0)[run.name.trial], "ft": 75.0}.get(run.name.method, 99.0)
        write_run(resampled, str(run.name), {"ra": ra})
    collect(resampled)
    for results in (frames.gathered(resampled), frames.of_study(resampled)):
        ft = results.metrics[results.metrics["method"] == "ft"]
        assert ft.set_index("trial")["collapsed"].to_dict() == {0: True, 1: False}
        assert [results.collapsed(Cell.parse(RANDOM), trial, 75.0) for trial in (0, 1)] == [True, False]


def test_a_search_is_shown_whatever_was_removed_from_its_file(study, copied):
    remaining = {"found": {RANDOM: {"ft": {"candidates": 5}}}, "hyperparameters": {}}
    paths.tuned("tiny").write_text(yaml.safe_dump(remaining))
    searched = changed(tables={"search": {"kind": "search", "cells": [RANDOM], "methods": ["ft"]}})
    assert Drawn(searched, "search").row("FT") == ["5", *["—"] * 5, ""]


def test_trials_left_out_are_counted_over_all_cells():
    data = pd.DataFrame({"method": ["ft", "coun", "ft", "coun"], "diverged": [1, 0, 1, 0]})
    assert facts.left_out(data).endswith("(trials): FT 2")


def test_a_table_of_tuning_shows_untuned_runs_and_needs_tuned_values(study, copied):
    methods = {run.name.method for run in study.runs_of("worth")}
    assert methods == {"retrain", "ft", "ft@lr=0.05", "neggrad-plus", "coun"}
    assert study.untuned.run(f"{RANDOM}/ft/trial-0").settings.lr == 0.05
    with pytest.raises(BadInput, match="the study includes none"):
        changed(tuned=None)


def test_the_trials_that_a_difference_needs_follow_from_its_deviation(study):
    data = Drawn(study, "needed").by_method()
    assert list(data.index) == ["ft", "neggrad-plus"]
    assert data.loc["ft", "difference"] == pytest.approx(6.0)
    # FT's and CoUn's gaps move together: their difference is constant, and two trials suffice.
    assert data.loc["ft", "sd"] == pytest.approx(0.0, abs=1e-6)
    assert data.loc["ft", "for_1"] == 2
    # NegGrad+'s differences to CoUn are 3, 3.1 and 2.9: a standard deviation of 0.1.
    assert data.loc["neggrad-plus", "sd"] == pytest.approx(0.1)
    # Two degrees of freedom: the 20 % quantile of chi-squared is -2 log 0.8.
    assert data.loc["neggrad-plus", "sd_upper"] == pytest.approx(0.1 * np.sqrt(2 / (-2 * np.log(0.8))))
    for size in SIZES:
        for end in ("", "_upper"):
            needed = trials_needed(size, data.loc["neggrad-plus", f"sd{end}"])
            assert data.loc["neggrad-plus", f"for_{size:g}{end}"] == needed
    assert Drawn(study, "needed").row("NegGrad+")[1:] == ["0.10–0.21", "4–8", "3–4", "3", "2–3"]


def test_a_method_that_collapses_after_its_best_epoch_is_marked_in_no_table(study, copied):
    best = changed(report_epoch="best")
    for trial, values in enumerate(RETRAIN):
        epochs = [metrics(*values) | {"epoch": 1}, metrics(40.0) | {"epoch": 2}]
        write_run(best, f"{RANDOM}/ft/trial-{trial}", epochs=epochs)
    for name in ("gaps", "needed"):
        assert Drawn(best, name).row("FT"), name


def test_each_block_shows_its_own_cell(study, copied):
    cells = {"cells": [RANDOM, RANDOM.replace("convnet", "vit")], "methods": ["coun", "ft"]}
    extended = changed(tables={kind: {"kind": kind, **cells} for kind in ("power", "tuning")})
    for kind in extended.tables:
        assert [row[0] for row in Drawn(extended, kind, partial=True).rows].count("FT") == 2


def test_the_csv_has_intervals_beside_standard_deviations(study):
    row = Drawn(study, "gaps").by_method().loc["ft"]
    values = np.array([retrain[0] for retrain in RETRAIN]) - BELOW["ft"]
    reach = 4.302653 * values.std(ddof=1) / np.sqrt(3)
    assert (row["ra_low"], row["ra_high"]) == pytest.approx((values.mean() - reach, values.mean() + reach))
    # The average gap varies with the trial: 8, 8.1, 7.9.
    reach = 4.302653 * 0.1 / np.sqrt(3)
    assert (row["avg_gap_low"], row["avg_gap_high"]) == pytest.approx((8 - reach, 8 + reach))


def test_claims_are_judged_by_the_gathered_results(study, claims):
    assert "All trials share Original and the forget split" in claims.caption
    assert any(row[1].startswith("needs a sequential scenario") and row[-1] == "not tested" for row in claims.rows)
    best = claims.data.set_index("claim").loc["best"]
    assert best["value"] == pytest.approx(3.0) and best["verdict"] == "reproduced"  # NegGrad+ at 5, CoUn at 2
    assert r"**reproduced**\*" in [row[-1] for row in claims.rows]
    assert "In brackets: 95\N{NARROW NO-BREAK SPACE}% interval" in claims.caption


@pytest.mark.parametrize(
    ("verdict", "after", "kept"),
    [
        (REPRODUCED, REPRODUCED, True),
        (NOT_REPRODUCED, NOT_REPRODUCED, True),
        (REPRODUCED, UNDECIDED, False),
        (UNDECIDED, UNDECIDED, False),
    ],
)
def test_a_verdict_that_holms_correction_overturns_has_no_star(verdict, after, kept):
    assert is_kept(SimpleNamespace(verdict=verdict, after_holm=after)) == kept


def test_verdicts_are_counted_by_claim_and_cell(study, claims):
    table = Drawn(study, "counts")
    counts = table.data.set_index("claim")
    assert counts.index.tolist() == claims.data["claim"].drop_duplicates().tolist()  # one cell only
    for claim, tests in claims.data.groupby("claim"):
        for verdict in ("reproduced", "not reproduced", "undecided", "not tested"):
            assert counts.loc[claim, verdict.replace(" ", "_")] == (tests["verdict"] == verdict).sum()
    assert counts.loc["best", "reproduced_after_holm"] == 1
    assert table.row("CoUn has the lowest average gap (Tables 2, 3)") == ["random 10 %", "**1** (1)", "", "", ""]
    assert table.row("CoUn leads at every stage (Figure 6)") == ["—", "", "", "", "1"]


def test_effort_counts_every_run_once(study):
    took = Drawn(study, "took")
    work = took.data.set_index("work")
    assert work["runs"].to_dict() == {"original": 1, "retrain": 3, "unlearning": 12, "all": 16}
    assert work["hours"].to_numpy() == pytest.approx(work["runs"].to_numpy() * 90 / 3600)
    assert set(work["minutes_a_run"]) == {1.5} and set(work["peak_memory_mb"]) == {100.0}
    assert "16 runs took 0.4 hours of wall-clock time" in took.caption and "on 1 thread each." in took.caption
    assert f"each. a processor, 2 cores, float32. torch 2.6.0, commit {'0' * 40}." in took.caption
    assert took.row("Retrain")[0] == "random 10 %"


def test_effort_sums_hours_and_has_the_median_minutes_and_the_peak_memory_of_runs():
    # The last run was interrupted before calls were added up: its clock missed most of its training.
    clocks = {"wall_seconds": [60.0, 90.0, 20.0], "seconds": [30.0, 60.0, 3600.0]}
    names = {"dataset": "d", "arch": "a", "scenario": "random-10", "method": "ft", "trial": range(3)}
    runs = effort_table._runs(pd.DataFrame(names | clocks | {"peak_memory_mb": [100.0, 300.0, 200.0]}))
    assert effort_table._sums(runs) == {"runs": 3, "hours": 3750 / 3600, "minutes_a_run": 1.5, "peak_memory_mb": 300.0}


def test_effort_has_the_hours_of_each_machine():
    stamps = {"device": ["new", "new", "old"], "cores": "2", "precision": "float32"}
    runs = pd.DataFrame({"wall_seconds": [900.0, 900.0, 5400.0], "peak_memory_mb": 1.0} | stamps)
    said = "By machine: 0.5 hours of 2 runs on new, 2 cores, float32; 1.5 hours of 1 run on old, 2 cores, float32"
    assert effort_table._machines(runs) == said


def test_effort_counts_a_variant_of_retrain_as_retrain():
    cell = {"dataset": "d", "arch": "a", "scenario": "random-10"}
    clocks = {"trial": 0, "wall_seconds": 1.0, "seconds": 1.0, "peak_memory_mb": 1.0}
    metrics = pd.DataFrame({"method": ["retrain", "retrain@epochs=2", "ft"]} | cell | clocks)
    assert effort_table._runs(metrics)["work"].tolist() == ["retrain", "retrain", "unlearning"]


def test_effort_names_a_commit_once_though_a_run_was_continued_by_another():
    assert facts.values(pd.DataFrame({"commit": ["b", "a and b", None, "c"]}), "commit") == "a and b and c"


def test_effort_uses_the_labels_of_the_study(study, copied):
    named = changed(labels={"retrain": "Gold"})
    assert Drawn(named, "took").row("Gold")[0] == "random 10 %"
    assert Drawn(changed(labels={}), "took").row("Retrain")[0] == "random 10 %"


def test_a_run_that_was_gathered_under_another_name_is_lacking(study, copied):
    metrics = frames.gathered_frame("tiny", "metrics")
    assert not frames.lacking(study, metrics)
    method = metrics["method"].replace("ft", "ft@lr=0.3")
    assert frames.lacking(study, metrics.assign(method=method)).startswith(f"{(metrics['method'] == 'ft').sum()} of")


def test_results_that_were_gathered_at_another_epoch_are_lacking(study, copied):
    metrics = frames.gathered_frame("tiny", "metrics")
    assert frames.lacking(changed(report_epoch="best"), metrics) == "gathered with another report_epoch than 'best'"
    assert frames.lacking(study, metrics.replace({"report_epoch": {"last": "best"}})).startswith("gathered with")


def test_a_table_refuses_gathered_results_that_lack_runs_and_a_partial_one_says_so(study, copied):
    incomplete = changed(hyperparameters={"*": SMALL | {"ft": {"lr": 0.05}, "coun": {"lambda": 2.0}}})
    for name in ("claims", "counts", "took"):
        with pytest.raises(StaleOutput, match="3 of the study's 16 runs are missing or of another configuration"):
            draw_table(incomplete, name)
        assert draw_table(incomplete, name, partial=True)
    assert "As gathered: 3 of the study’s 16 runs" in Drawn(incomplete, "claims", partial=True).caption
    paths.gathered("tiny", "metrics").unlink()
    with pytest.raises(StaleOutput, match=r"tiny-metrics\.parquet is missing"):
        draw_table(incomplete, "claims")


def test_claims_counts_and_effort_are_drawn_from_the_gathered_results_and_the_pool(study):
    files = StudyFiles(study)
    inputs = [*files.gathered, *files.pool]
    assert files.shown_by("claims") == files.shown_by("counts") == files.shown_by("took") == inputs
    assert files.pool and not set(files.pool) & set(files.gathered)

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from benchmark import paths
from benchmark.errors import BadInput, StaleOutput
from benchmark.files import write_json, write_parquet
from benchmark.report.latex import SPECIAL, Block, Table, aligned, escape, number, render
from benchmark.report.style import METHODS, method_colour, method_label
from benchmark.report.tables.draw import draw_table
from benchmark.report.tables.unlearning import cost_unit
from benchmark.results import records as results
from benchmark.results.gather import collect
from benchmark.study.outputs import KINDS
from benchmark.study.study import Study
from tests.report.conftest import TRAIN, write_distances, write_run

CELL = "digits/convnet/random-10"
LISTED = ["retrain", "ft", "neggrad-plus", "not", "coun", "coun@tau=0.2"]


def row(text: str, label: str) -> list[str]:
    """The cells of the first row whose label is this one, phantoms taken out."""
    plain = re.sub(r"\\phantom\{[^}]*\}", "", text)
    line = next(line for line in plain.splitlines() if line.split(" & ")[0] == label)
    return line.removesuffix(r" \\").split(" & ")


def fill(study, values, status=None):
    """Write the runs of table ``gaps``: three trials a method, its metrics given per trial."""
    write_run(study, "digits/convnet/original/trial-0", {"ra": 100.0})
    for method in LISTED:
        for trial in range(3):
            metrics = values.get(method, [(95.0, 6.0, 90.0, 12.0)] * 3)[trial]
            named = dict(zip(("ra", "ua", "ta", "mia"), metrics, strict=True))
            done = (status or {}).get((method, trial), results.FINISHED)
            write_run(study, f"{CELL}/{method}/trial-{trial}", named, done)


RETRAIN = [(99.0, 5.0, 94.0, 10.0), (100.0, 6.0, 95.0, 11.0), (98.0, 4.0, 93.0, 9.0)]


def test_numbers_equal_a_hand_computation(study) -> None:
    fill(study, {"retrain": RETRAIN, "ft": [(97.0, 2.0, 92.0, 4.0), (98.0, 2.0, 93.0, 5.0), (99.0, 2.0, 94.0, 6.0)]})
    tex, csv, *_ = draw_table(study, "gaps")
    text = tex.read_text()
    assert row(text, "Retrain")[1:6] == [
        r"99.00$\pm$1.00 (0.00)",
        r"5.00$\pm$1.00 (0.00)",
        r"94.00$\pm$1.00 (0.00)",
        r"10.00$\pm$1.00 (0.00)",
        "0.00",
    ]
    # Gaps of FT: 1, 3, 1, 5; their mean 2.5. Of the others: 4, 1, 4, 2; 2.75. Costs: 2e-5 and 3e-5 PFLOPs.
    assert row(text, "FT")[1:] == [
        r"98.00$\pm$1.00 (1.00)",
        r"2.00$\pm$0.00 (3.00)",
        r"93.00$\pm$1.00 (1.00)",
        r"5.00$\pm$1.00 (5.00)",
        r"\textbf{2.50}",
        "20.0",
        "30.0",
    ]
    # One trial of Retrain against the mean of the two others: 0, 1.5, 1.5 in every metric.
    assert "to its other trials: 1.00." in text
    assert "Cost (GFLOPs)" in text
    data = pd.read_csv(csv).set_index("method")
    assert data.loc["ft", ["ra_mean", "ua_sd", "mia_gap", "avg_gap", "trials"]].tolist() == [98.0, 0.0, 5.0, 2.5, 3]
    assert data.loc["coun", "avg_gap"] == pytest.approx(2.75)
    assert data.loc["ft", ["pflops", "pflops_executed", "epoch"]].tolist() == pytest.approx([2e-5, 3e-5, 2])


def test_first_line_names_study_command_and_data(study) -> None:
    fill(study, {"retrain": RETRAIN})
    first = draw_table(study, "gaps")[0].read_text().splitlines()[0]
    assert first.startswith("% Study tiny")
    assert "snakemake --cores all gaps --config study=tiny" in first
    assert "gaps.csv" in first


def test_ties_as_printed_are_all_bold_and_original_never_is(study) -> None:
    fill(study, {"retrain": RETRAIN, "ft": [(97.0, 5.0, 94.0, 10.0)] * 3, "not": [(97.0 - 1e-4, 5.0, 94.0, 10.0)] * 3})
    text = draw_table(study, "gaps")[0].read_text()
    bold = [line.split(" & ")[0] for line in text.splitlines() if r"\textbf" in line]
    assert bold == ["FT", "NoT"]


def test_original_is_a_control(study) -> None:
    fill(study, {"retrain": RETRAIN})
    text = draw_table(study, "gaps")[0].read_text()
    assert "Original is the model before unlearning: a control." in text
    assert r"\pm" not in " ".join(row(text, "Original"))  # one trial has no deviation


def test_diverged_prints_the_word_and_no_number(study) -> None:
    fill(study, {"retrain": RETRAIN}, {("not", 1): results.DIVERGED})
    text = draw_table(study, "gaps")[0].read_text()
    assert row(text, "NoT") == ["NoT", r"\multicolumn{7}{c}{diverged}"]
    assert "Diverged: NoT in 1 of 3 trials." in text


def test_collapsed_has_a_dagger_and_a_note(study) -> None:
    fill(study, {"retrain": RETRAIN, "ft": [(50.0, 50.0, 50.0, 50.0)] * 3})
    text = draw_table(study, "gaps")[0].read_text()
    assert row(text, r"FT$^\dagger$")
    assert r"$^\dagger$\,collapsed" in text


def test_missing_runs_wait_or_become_dashes(study) -> None:
    fill(study, {"retrain": RETRAIN})
    shutil.rmtree(paths.run("tiny", f"{CELL}/not"))
    shutil.rmtree(paths.run("tiny", f"{CELL}/ft/trial-2"))
    with pytest.raises(StaleOutput, match="ft/trial-2"):
        draw_table(study, "gaps")
    assert not paths.table("tiny", "gaps", ".tex").exists()
    text = draw_table(study, "gaps", partial=True)[0].read_text()
    assert row(text, "NoT") == ["NoT", *["---"] * 7]
    assert "Incomplete, with trials missing: FT, NoT." in text


def test_partial_without_retrain_has_means_and_no_gaps(study) -> None:
    fill(study, {"retrain": RETRAIN, "ft": [(98.0, 2.0, 93.0, 5.0)] * 3})
    shutil.rmtree(paths.run("tiny", f"{CELL}/retrain"))
    text = draw_table(study, "gaps", partial=True)[0].read_text()
    assert row(text, "FT")[1:6] == [
        r"98.00$\pm$0.00",
        r"2.00$\pm$0.00",
        r"93.00$\pm$0.00",
        r"5.00$\pm$0.00",
        "---",
    ]
    assert r"\textbf" not in text
    assert "noise floor" not in text


def test_partial_with_nothing_at_all(study) -> None:
    for name in ("gaps", "two", "taken", "far"):
        text = draw_table(study, name, partial=True)[0].read_text()
        assert set(row(text, "FT")[1:]) == {"---"}


def test_methods_of_a_trial_that_started_from_other_originals_are_told_of(study) -> None:
    fill(study, {"retrain": RETRAIN})
    for method, weights in (("ft", "a" * 64), ("coun", "b" * 64)):
        record = paths.run("tiny", f"{CELL}/{method}/trial-0") / paths.RUN
        write_json(record, json.loads(record.read_text()) | {"started_from": weights})
        told = "Not all methods of a trial started from" in draw_table(study, "gaps")[0].read_text()
        assert told == (method == "coun")


def test_best_epoch_is_called_oracle(study, monkeypatch) -> None:
    fill(study, {"retrain": RETRAIN})
    best = study.model_copy(update={"report_epoch": "best"})
    best._name = study.name
    assert "oracle epoch" in draw_table(best, "gaps")[0].read_text()
    # FT's first epoch is nearer to Retrain's last, by the means over trials if not in each.
    near = [(99.0, 5.0, 94.0, 10.0), (101.0, 7.0, 96.0, 12.0), (97.0, 3.0, 92.0, 8.0)]
    for trial, first in enumerate(near):
        rows = [
            dict(zip(("ra", "ua", "ta", "mia"), values, strict=True)) for values in (first, (90.0, 15.0, 85.0, 20.0))
        ]
        write_run(study, f"{CELL}/ft/trial-{trial}", epochs=[row | {"epoch": n} for n, row in enumerate(rows, 1)])
    draw_table(best, "gaps")
    shown = pd.read_csv(paths.table("tiny", "gaps", ".csv")).set_index("method")
    assert (shown.loc["ft", "epoch"], shown.loc["ft", "ra_mean"], shown.loc["ft", "avg_gap"]) == (1, 99.0, 0.0)
    assert shown.loc["retrain", "epoch"] == shown.loc["original", "epoch"] > 1
    # A run may have diverged before the epoch that is best by the others.
    early = dict.fromkeys(("ra", "ua", "ta", "mia"), float("nan")) | {"epoch": 1}
    write_run(study, f"{CELL}/ft/trial-1", status=results.DIVERGED, epochs=[early])
    text = draw_table(best, "gaps")[0].read_text()
    assert "diverged" in "".join(row(text, "FT"))


def test_predictions_are_shares_of_the_first_class(study) -> None:
    eights = np.arange(TRAIN) % 10 == 8
    label = np.arange(TRAIN) % 10

    def as_eights(*predictions: int) -> np.ndarray:
        out = label.copy()
        out[eights] = np.resize(predictions, eights.sum())
        return out

    shown = {"retrain": (1, 1, 3, 8), "ft": (8,), "coun": (1, 1, 1, 8), "original": (8,)}
    for run in study.runs_of("taken"):
        write_run(study, str(run.name), prediction=as_eights(*shown[run.name.method]))
    tex, csv, *_ = draw_table(study, "taken")
    text = tex.read_text()
    assert row(text, "Retrain")[1:] == ["25.00", "50.00", "25.00", "0.00"]
    assert row(text, "FT")[1:] == ["100.00", "0.00", "0.00", "50.00"]
    assert row(text, "CoUn")[1:] == ["25.00", "75.00", "0.00", r"\textbf{16.67}"]
    labels = [line.split(" & ")[0] for line in text.splitlines()]
    assert labels.index("Original") < labels.index("Retrain") < labels.index("FT")
    data = pd.read_csv(csv, dtype={"predicted_class": str})
    one = data.query("scenario == 'class-8' and method == 'coun' and predicted_class == '1'").iloc[0]
    assert (one["percent"], one["percent_sd"], one["trials"]) == (75.0, 0.0, 3)
    assert one["avg_diff"] == pytest.approx(50 / 3)


def test_predictions_of_a_single_trial_are_no_means(study, monkeypatch) -> None:
    told = draw_table(study, "taken", partial=True)[0].read_text()
    assert "Forget samples of class 8, at the last epoch; means over 3 trials." in told
    monkeypatch.setitem(study.tables, "taken", study.output("taken").model_copy(update={"trials": 1}))
    told = draw_table(study, "taken", partial=True)[0].read_text()
    assert "Forget samples of class 8, at the last epoch of one trial." in told


def test_predictions_of_a_diverged_run(study, runs) -> None:
    runs(study, "taken")
    write_run(study, "digits/convnet/class-8/ft/trial-1", status=results.DIVERGED)
    text = draw_table(study, "taken")[0].read_text()
    assert row(text, "FT") == ["FT", r"\multicolumn{4}{c}{diverged}"]


def test_hyperparameters_need_no_results(study) -> None:
    tex, csv, *_ = draw_table(study, "hyper")
    text = tex.read_text()
    caption, rows = text.split("tabular", 1)
    assert "momentum 0.9" in caption and "momentum" not in rows
    assert "In brackets: the range that the paper searched; of lr 0.01 to 0.1." in caption
    assert row(text, "Method") == ["Method", "epochs", "lr", "schedule", "evaluate every", "Further settings"]
    assert row(text, "FT")[1:3] == ["2", "0.05"] and row(text, "FT")[5] == ""
    assert row(text, "SalUn")[2] == "0.03"
    assert row(text, "CoUn")[5] == r"$\lambda$ 1 [0.1, 6], $\tau$ 0.1 [0, 0.3], CL transform CHN"
    assert row(text, "NegGrad+ + CL")[5].startswith(r"$\beta$ 0.99 [0.95, 0.9999], $\lambda$ 1")
    data = pd.read_csv(csv)
    lr = data.query("method == 'salun' and setting == 'lr' and scenario == 'class-8'").iloc[0]
    assert (float(lr["value"]), lr["paper_low"], lr["paper_high"]) == (0.03, 0.01, 0.1)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_every_table_compiles(study, monkeypatch) -> None:
    study = with_every_kind(monkeypatch)
    assert {study.output(name).kind for name in study.tables} == set(KINDS["tables"])
    body = "".join(rf"\input{{{draw_table(study, name)[0]}}}" for name in [*study.tables, *study.compared])
    # And all signs, in a column that is wrapped.
    rows = pd.DataFrame([["FT", " ".join([*map(escape, SPECIAL), "words"] * 3)]], columns=["Method", escape("10 %")])
    body += render(Table([Block(rows)], "All signs.", pd.DataFrame(), wrap=1), "tiny", "signs")
    preamble = r"\documentclass{article}\usepackage{booktabs,graphicx}\begin{document}"
    Path("all.tex").write_text(preamble + body + r"\end{document}")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=50)
    assert done.returncode == 0, done.stdout[-2000:]
    assert "Overfull \\hbox" not in done.stdout


def with_every_kind(monkeypatch) -> Study:
    """The study with a table of every kind, one of them beside the paper's, and all that these are drawn from."""
    from tests.report.test_theory import views
    from tests.report.test_versus import PRINTED

    monkeypatch.setattr(
        "benchmark.results.gather.check_evaluations", lambda *_: None
    )  # made-up samples do not say what histories say
    shown = {"cells": [CELL], "methods": ["coun", "ft", "not"]}
    more = {kind: {"kind": kind, **shown} for kind in ("theory", "tuning", "power")}
    more |= {kind: {"kind": kind} for kind in ("claims", "verdicts", "effort")}
    data = yaml.safe_load(paths.study_file("tiny").read_text())
    data |= {"tables": data["tables"] | more, "figures": {}, "tuned": "tiny"}
    paths.study_file("tiny").write_text(yaml.safe_dump(data, sort_keys=False))
    for path, text in (
        (paths.tuned("tiny"), yaml.safe_dump({"hyperparameters": {CELL: {"ft": {"lr": 0.1}}}})),
        (paths.REPORTED / "unlearning.csv", PRINTED),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    study = Study.load("tiny")
    for run in study.runs():
        write_run(study, str(run.name))
    write_run(study, f"{CELL}/not/trial-1", status=results.DIVERGED)
    for one in study.derived_of("far"):
        write_distances(study, str(one.run.name), one.scenario, {8: {1: 2.0, 3: 3.0, 9: 4.0}})
    for one in study.derived_of("theory"):
        write_parquet(paths.derived("tiny", one), views(0.3, alone=False))
    collect(study)
    return study


def test_unknown_table_is_refused(study) -> None:
    with pytest.raises(BadInput, match="unknown table 'gap'; did you mean 'gaps'"):
        draw_table(study, "gap")
    with pytest.raises(BadInput, match="unknown table 'gain'"):
        draw_table(study, "gain")


def test_long_tables_continue_on_further_pages(study, monkeypatch) -> None:
    monkeypatch.setattr("benchmark.report.latex.ROWS_PER_PAGE", 6)
    text = draw_table(study, "gaps", partial=True)[0].read_text()
    assert text.count(r"\begin{table}") == 2
    assert text.count(r"\caption") == 1
    assert "continued." in text


def test_a_wrapped_column_counts_the_lines_that_it_takes(monkeypatch) -> None:
    monkeypatch.setattr("benchmark.report.latex.ROWS_PER_PAGE", 6)
    rows = pd.DataFrame(
        [[f"M{number}", "ten words " * 5, "1.0"] for number in range(4)], columns=["Method", "What", "Gap"]
    )
    pages = render(Table([Block(rows)], "", pd.DataFrame(), wrap=1), "tiny", "long").split(r"\begin{table}")[1:]
    assert [re.findall("^M[0-9]", page, re.MULTILINE) for page in pages] == [["M0", "M1", "M2"], ["M3"]]
    assert all(r"\begin{tabular}{lp{35mm}r}" in page for page in pages)
    assert rows["What"].iloc[0] == "ten words " * 5


def test_a_table_imports_neither_torch_nor_a_plotting_library(study, runs) -> None:
    runs(study, "two")
    script = (
        "import sys; from benchmark.study.study import Study; from benchmark.report.tables.draw import draw_table;"
        "draw_table(Study.load('tiny'), 'two');"
        "print(*{'torch', 'matplotlib', 'seaborn', 'umap', 'openTSNE', 'sklearn'} & set(sys.modules))"
    )
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {root!r}); {script}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == ""


# --- text -----------------------------------------------------------------------------------------------------------


def test_escaping() -> None:
    assert escape("50 % of a_b & #1 $x$ {y} ~ ^ \\") == (
        r"50~\% of a\_b \& \#1 \$x\$ \{y\} \textasciitilde{} \textasciicircum{} \textbackslash{}"
    )
    assert escape("τ ± 1") == r"$\tau$ $\pm$ 1"
    assert escape("a|b, θ Λ Α") == r"a\textbar{}b, $\theta$ $\Lambda$ A"


def test_numbers() -> None:
    assert [number(value) for value in (1.005, -0.001, -2.5, np.nan)] == ["1.00", "0.00", "$-$2.50", "---"]
    assert aligned([1.0, 22.0, np.nan], "(", ")") == [r"\phantom{0}(1.00)", "(22.00)", r"\phantom{(22.00)}"]
    assert aligned([np.nan]) == [""]


@pytest.mark.parametrize(
    ("pflops", "expected"),
    [
        ([27.37, 6.32], ("PFLOPs", 2)),
        ([27.37, 0.06], ("PFLOPs", 2)),  # Table 7, with SSD
        ([27.37, 0.04], ("TFLOPs", 1)),
        ([2e-5], ("GFLOPs", 1)),
        ([0.0, np.nan], ("PFLOPs", 2)),
    ],
)
def test_cost_unit(pflops, expected) -> None:
    assert cost_unit(np.array(pflops)) == expected


def test_labels_and_colours() -> None:
    assert method_label("coun@tau=0.2") == "CoUn (τ=0.2)"
    assert method_label("neggrad-plus+cl") == "NegGrad+ + CL"
    assert method_label("ft+cl") == "CoUn"
    assert method_label("my-method@batch_size=64") == "my-method (batch=64)"
    assert method_colour("not+cl@tau=0.2") == METHODS["not"][1]
    assert method_colour("my-method") == method_colour("my-method")
    assert len({colour for _, colour in METHODS.values()}) == len(METHODS)

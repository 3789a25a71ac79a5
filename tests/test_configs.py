"""The shipped studies: each is complete, and what it takes from elsewhere has not drifted."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import jsonschema
import pytest

from benchmark import paths
from benchmark.metrics.reported import reported_means
from benchmark.names import RETRAIN, Cell, MethodName
from benchmark.study.reading import parse
from benchmark.study.resolve import plain_values
from benchmark.study.schema import schema
from benchmark.study.study import Study
from benchmark.study.tuning import tuned_cells
from benchmark.workflow.cost import cost, run_cost
from benchmark.workflow.targets import StudyFiles
from tests.project import ROOT, environment

# All that each study shows, so that nothing can get lost.
SMALL = """table1 table2 table3 table4 table5 table7 table8 table9 table10 theory hyperparameters claims power
figure1 figure3 figure4 figure5 figure6 figure7 figure8 figure9 figure10 figure11 figure12 theory-curves predictions"""
MORE = """equal-cost equal-cost-random-10 reasons-random-50 reasons-random-10 reasons-class-truck reasons-batch
verdicts tuning effort reasons-stages"""
AUDIT = "audit metrics gap-and-audit"
PAPER = f"""{SMALL.replace("claims power", "")} table6 {" ".join(f"table{n}-vs-reported" for n in range(1, 11))}"""
SHIPPED = {
    "quick": f"{SMALL} {AUDIT} relearning relearning-curves",
    "cifar10-relearning": "relearning relearning-curves gaps audit",
    "cifar10-small": f"{SMALL} {MORE} {AUDIT} not-forgotten",
    "cifar10-fair": "table2 table3 table9 table10 matched first-random-10 first-random-50 claims verdicts "
    "search hyperparameters audit metrics effort",
    "cifar10": f"table3 values claims verdicts search {AUDIT} power effort hyperparameters",
    "cifar10-whole": f"table2 table3 values claims verdicts {AUDIT} power effort hyperparameters",
    "cifar10-whole-tuned": f"table2 table3 claims verdicts search {AUDIT} power effort hyperparameters",
    "cifar10-schedules": "lengths",
    "cifar10-full-size": "table3 table3-vs-reported",
    "scale": "scale images ranks",
    "cifar10-audit": f"{AUDIT} not-forgotten gaps claims verdicts power effort",
    "cifar10-memorised": f"{AUDIT} gaps effort",
    "cifar10-longer": "table2 table9 first-random-10 claims audit",
    "cifar10-badt": "reductions",
    "cifar10-l1": "duration-10 duration-50 kept-50",
    "cifar10-salun": "order-50 kept-50",
    "rates": "rates-vgg",
    "leaderboard-digits": "every-method",
    **dict.fromkeys(("paper", "paper-smoke", "paper-implied-epochs"), PAPER),
    "paper-block": " ".join(f"{name} {name}-vs-reported" for name in ("start", "table2", "table3", "table7"))
    + " claims",
}

read = cache(Study.load)


@pytest.fixture(autouse=True)
def _at_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_every_shipped_study_exists_with_all_its_outputs_and_has_runs():
    assert {file.stem for file in paths.CONFIG.glob("*.yaml")} == SHIPPED.keys()
    for name, outputs in SHIPPED.items():
        study = read(name)
        assert set(study.outputs) == set(outputs.split()) and bool(study.runs()) == (name != "scale"), name
    assert read("paper").trials == 10 and len(read("quick").runs()) <= 150  # the quick study stays small


@pytest.mark.slow
def test_every_output_is_a_target_of_the_workflow_and_listing_them_needs_no_number_of_cores(empty):
    empty.add_workflow()
    shutil.copytree(ROOT / paths.REPORTED, paths.REPORTED)
    for study, option in (("paper-smoke", "--list-target-rules"), ("quick", "--unlock")):
        command = [sys.executable, "-m", "snakemake", option, "--config", f"study={study}"]
        done = subprocess.run(command, env=environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        targets = {"all", "collect", "page", "tune", *SHIPPED[study].split()}
        assert option == "--unlock" or targets <= set(done.stdout.split()), study


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no git checkout")
def test_git_ignores_all_that_the_quick_study_makes():
    files = StudyFiles(read("quick"))
    outputs = sorted({str(file) for file in [*files.all, *files.dataset_files("digits")]})
    command = ["git", "check-ignore", "--stdin"]
    ignored = subprocess.run(command, input="\n".join(outputs), capture_output=True, text=True)
    assert ignored.stdout.splitlines() == outputs  # so none is tracked: git never ignores a tracked file


def test_the_committed_schema_matches_the_models():
    # To update it: python -m benchmark schema > config/schema.json
    assert (paths.CONFIG / "schema.json").read_text() == schema()


def test_an_editor_that_knows_the_schema_finds_no_fault_in_a_shipped_study():
    validator = jsonschema.Draft202012Validator(json.loads(schema()))
    for name in SHIPPED:
        assert not [*validator.iter_errors(parse(paths.study_file(name)))], name


@pytest.mark.parametrize("name", ["paper", "quick"])
def test_hyperparameters_lie_within_the_ranges_that_the_paper_searched(name):
    for run in read(name).runs():
        for field, info in type(run.settings).model_fields.items():
            if low_high := (info.json_schema_extra or {}).get("paper_range"):
                low, high = low_high
                assert low <= getattr(run.settings, field) <= high, (str(run.name), field)


def test_the_audit_study_continues_the_runs_of_the_fair_one():
    pool_paths = {run.pool_path for run in read("cifar10-fair").runs()}
    first = [run for run in read("cifar10-audit").runs() if run.name.trial < 5]
    assert len(first) == 5 * 9 and all(run.pool_path in pool_paths for run in first)


def test_the_search_of_the_cifar10_study_tries_the_same_learning_rates_for_every_method():
    study = Study.load("cifar10", tuned=False)
    rates = {run.settings.lr for run in study.runs() if run.original and "@" not in run.name.method}
    assert rates == {0.05} and study.tune.budget == 1 + len(study.tune.rates)


def test_memorised_and_typical_images_are_forgotten_as_random_ones_are():
    study = read("cifar10-memorised")
    for run in study.runs():
        if run.original or run.name.method == RETRAIN:
            random = study.run(replace(run.name, scenario="random-10"))
            assert run.settings == random.settings, str(run.name)


def test_in_the_cifar10_study_every_method_has_a_similar_share_of_retrains_computation(monkeypatch):
    monkeypatch.setattr(paths, "LOCAL_DATASETS", Path("nowhere"))
    study = Study.load("cifar10")
    runs = [run for run in study.runs() if run.name.trial == 0 and run.original]
    for run in runs:
        retrain = study.run(replace(run.name, method=RETRAIN))
        assert 0.18 < run_cost(study, run)[1] / run_cost(study, retrain)[1] < 0.3, str(run.name)
    assert cost(study, 0.668).set_index("output").loc["all", "hours"] < 16


def test_one_of_the_schedules_is_a_run_of_the_cifar10_study():
    pool_paths = {run.pool_path for run in read("cifar10").runs()}
    shared = [run.name.method for run in read("cifar10-schedules").runs() if run.pool_path in pool_paths]
    assert shared == ["retrain@epochs=40"] and len(read("cifar10-schedules").runs()) == 4
    assert tuned_cells(read("cifar10-schedules")) == {}  # Retrain has nothing to tune


def test_tables_list_methods_in_the_papers_order():
    printed = reported_means()
    for name, table in read("paper").tables.items():
        rows = printed[printed["table"] == (int(name[5:]) if name[5:].isdigit() else 0)]
        listed = [method for method in table.methods if method in set(rows["method"])]
        assert listed == [method for method in dict.fromkeys(rows["method"]) if method in table.methods], name
    *_, bad_teacher, ssd, scrub, cu, coun = read("paper").tables["table7"].methods
    assert (bad_teacher, ssd, scrub, cu, coun) == ("bad-teacher", "ssd", "scrub", "cu", "coun")  # ours comes last


def test_every_method_of_the_paper_is_tuned_in_every_cell_or_takes_the_values_of_a_tuned_one():
    study = read("paper")
    searched = tuned_cells(study)
    for run in study.runs():
        if run.original:
            cell = Cell(run.name.dataset, run.name.arch, run.name.scenario)
            source = study.tune.reuse.get(cell.scenario, cell.scenario)
            methods = searched[str(Cell(cell.dataset, cell.arch, source))]
            assert MethodName.parse(run.name.method).head in methods, str(run.name)


def test_the_block_plans_only_runs_of_the_paper_in_the_order_of_its_pieces():
    study, paper = read("paper-block"), {run.pool_path for run in read("paper").runs()}
    assert all(run.pool_path in paper for run in study.runs())
    before: set[str] = set()
    pieces = {"start": 2, "table2": 20, "table7": 12, "table3": 21}  # new runs of each: first Original and a Retrain
    for name, count in pieces.items():
        pool_paths = {str(run.pool_path) for run in study.runs([name])}
        assert len(pool_paths - before) == count, name
        before |= pool_paths
    assert len(before) == len(study.runs()) == sum(pieces.values()) and StudyFiles(study).pool


def test_the_longer_study_trains_each_method_for_twice_the_epochs():
    fair, longer = (
        {str(run.name): run for run in read(study).runs() if run.original}
        for study in ("cifar10-fair", "cifar10-longer")
    )
    for name, run in longer.items():
        short = fair[name]
        assert run.settings.epochs == 2 * short.settings.epochs and run.original == short.original, name
        assert getattr(run.settings, "l1_epochs", 0) == 2 * getattr(short.settings, "l1_epochs", 0), name


def test_the_whole_study_has_the_values_of_the_fair_one_and_five_times_fewer_epochs_within_an_eighth():
    fair = {str(run.name): plain_values(run.settings) for run in read("cifar10-fair").runs()}
    for run in read("cifar10-whole").runs():
        varied = dict(MethodName.parse(run.name.method).settings)  # of the two runs that show what values are worth
        own = plain_values(run.settings)
        other = fair[str(run.name).replace(run.name.method, MethodName.parse(run.name.method).head)]
        assert 0.875 <= 5 * own["epochs"] / other["epochs"] <= 1, str(run.name)
        changed = {key for key in own if own[key] != other[key]}
        assert changed - varied.keys() <= {"epochs", "l1_epochs", "evaluate_every"}, str(run.name)


def test_implied_epochs_follow_from_the_printed_costs():
    study = read("paper-implied-epochs")
    printed = reported_means()
    printed = printed[printed["implied_epochs"].notna() & (printed["method"] != "retrain")]
    assert len(printed) > 60
    for row in printed.itertuples():
        run = study.run(study.run_name(Cell(row.dataset, row.arch, row.scenario), row.method, 0))
        assert run.settings.epochs == round(row.implied_epochs), (row.table, str(run.name))


def test_the_smoke_study_has_every_run_of_the_papers_first_trial():
    smoke = read("paper-smoke").runs()
    # Except for the extra lengths of Figure 5.
    names = {run.name for run in read("paper").runs() if run.name.trial == 0}
    assert {run.name for run in smoke} == {name for name in names if "@epochs=" not in name.method}
    for run in smoke:
        # One epoch; a sequential run needs one a stage, and SSD trains none.
        expected = 5 if run.name.scenario.startswith("sequential") else 0 if run.name.method == "ssd" else 1
        assert run.settings.epochs == expected, str(run.name)

"""The file of tuned values that a search writes, and what it says of how they were found."""

from functools import partial
from unittest.mock import ANY

import pytest
import yaml
from optuna.trial import TrialState

from benchmark import paths
from benchmark.errors import BadInput
from benchmark.study.study import Study
from benchmark.tune import search, tuned_file
from benchmark.tune.journal import Journal
from benchmark.tune.tuned_file import write
from tests.project import CELL
from tests.tune.conftest import FT, TUNE, pretend


def test_the_file_says_what_the_chosen_candidate_the_studys_own_and_an_oracle_reach(project):
    project.study(TUNE, FT)
    journal = Journal(Study.load("tiny", tuned=False))
    for number, (gap, test_gap) in enumerate([(6.0, 7.0), (4.0, 5.0), (9.0, 3.0)]):
        _, trial = journal.next()
        history = [{"epoch": 2, "ra": 95.0, "pflops_executed": 1.5, "cpu_seconds": 7200.0}]
        noted = {"history": history, "stamp": {"commit": "0", "device": "none", "precision": "float32"}}
        for key, value in (noted | {"avg_gap": gap, "test_gap": test_gap}).items():
            trial.set_user_attr(key, value)
        if number == 1:
            trial.set_user_attr("values", {"lr": 0.4})
        trial.study.tell(trial.number, gap)
    tuned = yaml.safe_load(write(journal).read_text())
    assert tuned["hyperparameters"] == {CELL: {"ft": {"lr": 0.4}}}
    assert tuned["found"][CELL]["ft"] == {
        "settings": ANY,
        "candidates": 3,
        "pflops": 4.5,
        "avg_gap": 4.0,
        "avg_gap_of_own_values": 6.0,
        "test_gap": 5.0,
        "oracle_test_gap": 3.0,
        "edges": ["lr high"],
    }
    assert (tuned["about"]["core_hours"], tuned["about"]["left"]) == (6.0, 0)


def test_a_learning_rate_beyond_which_none_was_tried_is_marked(project):
    project.study(TUNE, FT)
    for edges in ([], ["lr highest"], ["lr lowest"]):  # after the study's own value, its double and its half
        pretend()  # the latest is the best
        tuned = yaml.safe_load(write(Journal(Study.load("tiny", tuned=False))).read_text())
        assert tuned["found"][CELL]["ft"]["edges"] == edges
    assert tuned_file._end(0.1, [0.05, 0.1, 0.2]) == ""


def test_the_gap_of_own_values_is_unknown_where_the_ranges_leave_them_out(project):
    for highest, known in ((0.4, True), (0.02, False)):  # the study's learning rate is 0.05
        study = project.study(TUNE, FT, {"tune": {"ranges": {"ft": {"lr": [0.001, highest]}}}})
        pretend()
        found = tuned_file.outcomes(Journal(study))[CELL]["ft"]
        assert (found["avg_gap_of_own_values"] is not None) == known and found["avg_gap"] is not None


def test_a_candidate_that_an_earlier_version_gave_up_has_used_its_budget_and_is_never_the_best(project):
    project.study(TUNE, FT)
    pretend()
    journal = Journal(Study.load("tiny", tuned=False))
    pair, trial = journal.next()
    for key in ("history", "stamp"):
        trial.set_user_attr(key, journal.best(pair).user_attrs[key])
    trial.report(0.1, 1)
    trial.study.tell(trial.number, state=TrialState.PRUNED)
    assert journal.remaining() == 1 and journal.best(pair).value == 10.0
    about = yaml.safe_load(write(journal).read_text())["about"]
    assert (about["candidates"], about["given_up_half_way"]) == (2, 1)


def test_without_a_search_there_is_nothing_to_report_and_no_journal_is_begun(project):
    project.study(TUNE)
    with pytest.raises(BadInput, match=r"tiny-tuning\.jsonl: no such file: accepted is the journal of a search"):
        search.report("tiny")
    assert not paths.journal("tiny").exists()


def test_the_values_of_another_search_are_replaced_on_request_alone(project):
    project.study(TUNE)
    pretend(count=6)
    path = write(Journal(Study.load("tiny", tuned=False)))
    before = path.read_text()
    fewer = project.study(TUNE, FT)  # this search looks for FT's values alone
    with pytest.raises(BadInput, match=f"no candidate with the present settings of {CELL}/coun;"):
        search.tune(fewer.name, 1)
    project.study(TUNE, {"tune": {"ranges": {"ft": {"lr": [0.01, 0.2]}}}})  # FT's values alone are of another search
    with pytest.raises(BadInput, match=f"no candidate with the present settings of {CELL}/ft;"):
        search.report("tiny")
    project.study(TUNE, {"tune": {"hold_out": 20}})
    for search_or_report in (partial(search.tune, jobs=1), search.report):
        with pytest.raises(BadInput, match=f"{path} has values of another search: .* has no candidate with"):
            search_or_report("tiny")
    assert path.read_text() == before
    project.study(TUNE, FT)
    search.tune("tiny", 1, replace=True)
    assert yaml.safe_load(path.read_text())["hyperparameters"][CELL].keys() == {"ft"}


def test_without_a_candidate_of_this_configuration_tuned_values_are_left_alone(tiny):
    pretend(count=2)
    path = write(Journal(tiny))
    before = path.read_text()
    paths.journal("tiny").unlink()
    with pytest.raises(BadInput, match="no candidate of this configuration"):
        write(Journal(tiny))
    assert path.read_text() == before


def test_candidates_of_other_images_are_refused_and_named(project, monkeypatch):
    study = project.study(TUNE, FT)
    journal = Journal(Study.load("tiny", tuned=False))
    _, trial = journal.next()
    for key, value in {"history": [], "stamp": {"data": "0" * 16}}.items():
        trial.set_user_attr(key, value)
    trial.study.tell(trial.number, 1.0)
    for search_or_report in (partial(search.tune, jobs=1), search.report):
        with pytest.raises(
            BadInput, match=rf"{CELL}/ft: candidates were trained on other images \(0+\) than there are now"
        ):
            search_or_report(study.name)


def test_names_that_would_become_too_long_are_refused_before_the_search(project):
    searched = {"weight_decay": [1e-5, 1e-3], "momentum": [0.1, 0.95], "final_lr": [1e-5, 1e-4]}
    methods = {"tables": {"table2": {"methods": ["scrub+cl"]}}}
    project.study(TUNE, methods, {"tune": {"ranges": {"*": searched}}})
    with pytest.raises(BadInput, match=r"tune\.ranges\.scrub\+cl: the search in .* would reach .* at most 120"):
        search.tune("tiny", 1)

"""The journal of a search: which values are tried next, and what survives a kill or a change of the study."""

from datetime import timedelta
from types import SimpleNamespace

from benchmark import paths
from benchmark.study.study import Study
from benchmark.tune.journal import Journal
from tests.tune.conftest import FT, TUNE, candidates, pretend


def test_every_method_first_tries_the_studys_own_values_and_then_multiples_of_its_learning_rate(project):
    methods = ["neggrad-plus+cl", "salun", "scrub", "cu", "ft"]
    project.study(TUNE, {"tables": {"table2": {"methods": methods}}})
    pretend(count=3 * len(methods))
    for method, tried in candidates().items():
        own, *others = (values for values, _ in tried)
        rates = [values.pop("lr") for values in (own, *others)]
        assert rates == [rates[0], *(min(rate * rates[0], 0.4) for rate in (2, 0.5))], method
        assert others == [own, own], method
    # One beyond the range counts as its end, and is tried once; raising the budget of a search goes on with new rates.
    project.study(TUNE, FT, {"tune": {"budget": 6, "rates": [2, 0.5, 100, 1000]}})
    pretend()
    assert candidates()["ft"][-1][0] == {"lr": 0.4}
    pretend()
    assert candidates()["ft"][-1][0]["lr"] != 0.4


def test_another_configuration_starts_another_search(project):
    project.study(TUNE)
    pretend(count=6)
    # Gaps are to Retrain, so that another one starts another search too.
    for changed in ({"unlearning": {"epochs": 1}}, {"retrain": {"lr": 0.2}}):
        project.study(TUNE, {"hyperparameters": {"*": changed}})
        assert candidates() == {"ft": [], "coun": []}
    project.study(TUNE)
    assert len(candidates()["ft"]) == 3  # and the first is not lost
    project.study(TUNE, {"tune": {"ranges": {"ft": {"lr": [0.01, 0.2]}}}})
    assert {method: len(trials) for method, trials in candidates().items()} == {"ft": 0, "coun": 3}


def test_candidates_judged_with_another_utility_do_not_count(project):
    pairs = [Journal(project.study(TUNE, {"tune": {"utility": utility}})).pairs for utility in (2.0, 2.0, 3.0)]
    first, again, other = ([pair.name for pair in pair_list] for pair_list in pairs)
    assert first == again and not set(first) & set(other)


def test_a_candidate_that_was_killed_is_tried_again_and_counts_once(tiny):
    pretend(count=2)
    assert {method: len(trials) for method, trials in candidates().items()} == {"ft": 1, "coun": 1}  # in rounds
    journal = Journal(Study.load("tiny", tuned=False))
    pair, trial = journal.next()
    values = journal.values(trial)
    other_pair, _ = journal.next()
    assert {pair.method, other_pair.method} == {"ft", "coun"} and journal.next() is None and journal.remaining() == 4

    reopened = Journal(Study.load("tiny", tuned=False))  # both processes are gone
    assert reopened.next() is None
    reopened.clean()
    repeated, trial = reopened.next()
    assert (repeated.name, reopened.values(trial)) == (pair.name, values)
    assert reopened.remaining() == 4


def test_a_half_written_line_of_the_journal_is_cut_off(tiny):
    pretend(count=2)
    tried = candidates()
    with paths.journal("tiny").open("a") as file:
        file.write('{"op_code": 4, "worker')
    assert candidates() == tried
    pretend()
    assert sum(map(len, candidates().values())) == 3


def test_reading_a_journal_leaves_it_as_it_is(tiny):
    pretend(count=2)
    before = paths.journal("tiny").read_bytes()
    journal = Journal(tiny)
    assert journal.remaining() > 0 and sum(len(journal.ended(pair)) for pair in journal.pairs) == 2
    assert paths.journal("tiny").read_bytes() == before
    paths.journal("tiny").unlink()
    assert not any(Journal(tiny).ended(pair) for pair in journal.pairs) and not paths.journal("tiny").read_bytes()


def test_the_time_left_is_that_of_each_pairs_candidates_so_far(tiny, monkeypatch):
    journal = Journal(tiny)
    assert journal.seconds_left(1) is None
    pretend(3)  # two of one method, one of the other
    journal = Journal(tiny)
    seconds = {"ft": 10.0, "coun": 40.0}
    taken = {pair: [SimpleNamespace(duration=timedelta(seconds=seconds[pair.method]))] for pair in journal.pairs}
    tried = {pair: len(journal.ended(pair)) for pair in journal.pairs}
    monkeypatch.setattr(journal, "ended", lambda pair: taken[pair] * tried[pair])
    left = {pair.method: journal.tune.budget - tried[pair] for pair in journal.pairs}
    assert sorted(left.values()) == [1, 2]
    assert journal.seconds_left(1) == 10 * left["ft"] + 40 * left["coun"]
    assert journal.seconds_left(2) == 40 * left["coun"]  # which run one after another
    assert journal.pairs_left() == 2

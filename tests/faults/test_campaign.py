"""A few faults of the campaign, one of each sort; the campaign itself is run by hand."""

import os

import pytest

from tests.faults import campaign

pytestmark = pytest.mark.slow
SOME = ["kill_job", "kill_everything", "disk_full", "damaged_results", "damaged_arrays", "damaged_checkpoint"]


@pytest.mark.skipif("FAULTS" not in os.environ, reason="kills and restarts workflows for minutes: set FAULTS=1")
def test_after_a_few_faults_nothing_is_lost_and_nothing_wrong_accepted(monkeypatch):
    monkeypatch.setattr(campaign, "FAULTS", [getattr(campaign, name) for name in SOME])
    trials = campaign.campaign(range(len(SOME)), seed=0)
    assert len(trials) == len(SOME)
    assert [(trial.what, trial.problem, trial.wrong) for trial in trials if trial.problem or trial.wrong] == []

"""A few faults of the campaign, one of each sort; the campaign itself is run by hand."""

import pytest

from tests.faults.campaign import campaign

pytestmark = pytest.mark.slow


def test_after_a_few_faults_nothing_is_lost_and_nothing_wrong_accepted():
    kinds = ["SIGKILL to everything", "damaged dataset"]
    trials = campaign(range(len(kinds)), seed=18, kinds=kinds)
    assert [trial.verdict.split()[0] for trial in trials] == ["healed"] * len(kinds), trials

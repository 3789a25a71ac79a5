"""Seven sorts of fault at once. The campaign is run by hand; deletion after a real run is in tests/workflow."""

import pytest

from tests.faults.campaign import campaign
from tests.faults.faults import FAULTS

pytestmark = [pytest.mark.slow, pytest.mark.faults]
# In one copy of a finished study. The last is a kill in the midst of healing the others.
TOGETHER = ["damaged dataset", "lost split", "lost derived", "lost receipt", "lost table", "lost weights"]
TOGETHER += ["SIGKILL to everything"]


def test_after_faults_of_seven_sorts_at_once_nothing_is_lost_and_nothing_wrong_accepted(monkeypatch):
    monkeypatch.setitem(FAULTS, "together", lambda trial: [FAULTS[kind](trial) for kind in TOGETHER])
    (trial,) = campaign([0], seed=3, kinds=["together"])
    assert trial.verdict.startswith("healed"), trial

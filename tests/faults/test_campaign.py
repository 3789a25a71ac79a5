"""Seven kinds of fault at once. The whole campaign is run by hand; tests/workflow covers deletion after a real run."""

import pytest

from tests.faults.campaign import campaign
from tests.faults.faults import FAULTS

pytestmark = [pytest.mark.slow, pytest.mark.ci]
# All hit one copy of a finished study; the last kills the workflow while it heals the others.
TOGETHER = ["damaged dataset", "lost split", "lost derived", "lost receipt", "lost table", "lost weights"]
TOGETHER += ["SIGKILL to everything"]


def test_after_seven_kinds_of_fault_at_once_everything_is_healed(monkeypatch):
    monkeypatch.setitem(FAULTS, "together", lambda case: [FAULTS[kind](case) for kind in TOGETHER])
    (case,) = campaign([0], seed=3, kinds=["together"])
    assert case.verdict.startswith("healed"), case

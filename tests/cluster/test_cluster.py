"""The workflow on a real Slurm, when asked for: it takes minutes, and wants packages that few machines have."""

import os

import pytest

from tests.cluster import __main__ as slurm

pytestmark = pytest.mark.slow


@pytest.mark.skipif("SLURM" not in os.environ, reason="starts a Slurm and runs on it for minutes: set SLURM=1")
def test_on_a_cluster_a_study_gives_the_same_whatever_happens_to_its_jobs():
    assert slurm.lacking() == ""
    seen = slurm.check()
    assert [f"{name}: {end}" for name, end in seen.items() if isinstance(end, Exception)] == []
    assert " TIMEOUT" in str(seen["timeout"]) and " 0 of its steps done twice" in str(seen["timeout"])

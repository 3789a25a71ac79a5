"""What a job imports before its first step, which every job pays for."""

from __future__ import annotations

CODE = """
import sys
from benchmark.study.study import Study
from benchmark.training.job import Job
study = Study.load("tiny")
Job(study, study.run({name!r}), "a test").go()
print("torch._dynamo" in sys.modules)
"""


def test_a_job_that_starts_from_an_original_leaves_the_compiler_alone(project):
    project.study()
    assert project.python(CODE.format(name=project.name("coun"))).splitlines()[-1] == "False"

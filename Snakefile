# The workflow: from a study to its tables and figures. It decides nothing itself; it asks the study what is needed.
#
#   snakemake --cores 8 all                              every table and figure of the quick study
#   snakemake --cores 8 table2 --config study=paper      one table of another study, and only what it needs

import functools
import os
import shlex
import sys

sys.path.insert(0, workflow.basedir)

from benchmark.workflow import resources as needs
from benchmark import paths
from benchmark.errors import BadInput
from benchmark.files import outdate
from benchmark.workflow.options import Options
from benchmark.report import captions
from benchmark.study.study import Study
from benchmark.workflow.targets import Workflow

try:
    options = Options.read(config)
    study = Study.load(options.study)
    files = Workflow(study)
except BadInput as error:
    raise WorkflowError(str(error)) from None

command = f"{shlex.quote(sys.executable)} -m benchmark"

# More jobs than processors only slow one another down: where more cores are asked for than there are, each job takes
# several. What a job computes with is the study's to say, since results may depend on it.
job_threads = max(study.threads, -(-(workflow.resource_settings.cores or 1) // (os.cpu_count() or 1)))
shell.prefix("".join(f"export {name}={study.threads}; " for name in needs.THREADS))

# `--resources gpu=N` asks for GPUs: each job that computes takes one, N at once, and fails where there is none. Unless
# asked, a job takes a GPU where it finds one, and nothing limits how many jobs run at once.
asked = workflow.global_resources.get("gpu")
gpu = 1 if asked and asked.value else 0
if gpu:
    os.environ.setdefault("BENCHMARK_DEVICE", "cuda")


def settled(inputs, whole):
    """What a current output was made from: its age says nothing, and where the output is whole, what is gone may be.

    But not where jobs are forced or single runs are asked for, which may need it again.
    """
    return [ancient(path) for path in inputs if path.exists() or are_asked_for() or not whole]


@functools.cache
def are_asked_for():
    """Whether jobs are forced or single runs are the target."""
    dag = workflow.dag_settings
    return bool(dag.forceall or dag.forcerun or dag.forcetargets) or any("/runs/" in str(one) for one in dag.targets)


def all_there(inputs, outputs):
    """What tables, figures and gathered results are made from.

    Snakemake does not miss a file that is gone while what was made from it is there. So where one is, what was made
    from it is given an age older than the study's file, and the study's file is one of its inputs.
    """
    if all(path.exists() for path in inputs):
        return inputs
    for path in outputs:
        outdate(path)
    return [paths.study_file(study.name), *inputs]


rule all:
    default_target: True
    input:
        [files.files_of(name) for name in study.outputs],
        files.collected,
        paths.page(study.name),


for name in study.outputs:

    rule:
        name:
            name
        input:
            files.files_of(name),


include: "rules/data.smk"
include: "rules/runs.smk"
include: "rules/report.smk"
include: "rules/tune.smk"

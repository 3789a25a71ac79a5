# The workflow: from a study to its tables and figures. It decides nothing itself; it asks the study what is needed.
#
#   snakemake --cores 8 all                              every table and figure of the quick study
#   snakemake --cores 8 table2 --config study=paper      one table of another study, and only what it needs
#
# The place of a file names all that determines it, so what is there is finished, and what is out of date is not there.
# All inputs are ancient(): no age of a file decides anything.

import gc
import os
import shlex
import sys

from snakemake.logging import logger

sys.path.insert(0, workflow.basedir)
gc.set_threshold(100_000)  # a plan is a great many objects, all of which stay: looking for garbage finds none

from benchmark import paths
from benchmark.commands import warm
from benchmark.errors import BadInput
from benchmark.report import captions
from benchmark.study.reading import validated
from benchmark.study.study import Study
from benchmark.workflow import resources, targets
from benchmark.workflow.preflight import check_needed
from benchmark.workflow.session import Session, by_rule
from benchmark.workflow.targets import Workflow

try:
    options = validated(resources.Options, config, "--config")
    study = Study.load(options.study)
    files = Workflow(study)
except BadInput as error:
    raise WorkflowError(str(error)) from None

session = Session(study)
logger.addFilter(session)

# Does what `python -m benchmark` does, but on this machine without its start: see the module's docstring.
command = f"{shlex.quote(sys.executable)} -I -S {shlex.quote(warm.__file__)}"

# More jobs than processors only slow one another down: where more cores are asked for than there are, each job takes
# several. What a job computes with is the study's to say, since results may depend on it.
job_threads = max(study.threads, -(-(workflow.resource_settings.cores or 1) // (os.cpu_count() or 1)))
shell.prefix("".join(f"export {name}={study.threads}; " for name in resources.THREADS))

# `--resources gpu=N` asks for GPUs: each job that computes takes one, N at once, and fails where there is none. Unless
# asked, a job takes a GPU where it finds one, and nothing limits how many jobs run at once.
gpus = workflow.global_resources.get("gpu")
gpu = {"gpu": 1} if gpus and gpus.value else {}
if gpu:
    os.environ.setdefault("BENCHMARK_DEVICE", "cuda")


def old(paths):
    """Inputs whose age says nothing."""
    return [ancient(path) for path in paths]


def lazily(inputs_of, name):
    """The inputs of a named output, looked up when they are wanted, not in every process that reads the workflow."""
    return lambda wildcards: old(inputs_of(name))


# A target also names what its files are made from: Snakemake does not miss an input of a file that is there.
rule all:
    default_target: True
    input:
        old(files.drawn),
        lambda wildcards: old(files.pool),


for name in study.outputs:

    rule:
        name:
            name
        input:
            old(files.files_of(name)),
            lazily(files.shown_by, name),


include: "rules/data.smk"
include: "rules/runs.smk"
include: "rules/report.smk"
include: "rules/tune.smk"


# Snakemake calls these unless it is a dry run or has nothing to do.
onstart:
    jobs = by_rule(workflow.dag.needrun_jobs())
    try:
        check_needed(study, jobs)
    except BadInput as error:
        raise WorkflowError(str(error)) from None
    if sys.platform == "linux" and workflow.local_exec:
        warm.start(jobs, dict.fromkeys(resources.THREADS, str(study.threads)))
    if jobs["run"] and study.precision != "float32":
        shell("{command} check {study.name} --speed | grep '^warning' || true")


onsuccess:
    print(session.success(workflow.dag), flush=True)


onerror:
    print(session.failure(workflow.dag), flush=True)

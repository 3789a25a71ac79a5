# The workflow: from a study to its tables and figures. It decides nothing itself; it asks the study what is needed.
#
#   snakemake --cores 8 all                              every table and figure of the quick study
#   snakemake --cores 8 table2 --config study=paper      one table of another study, and only what it needs
#
# A file's path names all that determines it, so a file that is there is finished, and one that is out of date is not
# there. All inputs are ancient(): the age of a file decides nothing.

import gc
import os
import shlex
import sys

from snakemake.logging import logger
from snakemake.settings.enums import Quietness

sys.path.insert(0, workflow.basedir)
gc.set_threshold(100_000)  # a plan is a great many objects, none of them garbage

from benchmark import paths
from benchmark.commands import job_server
from benchmark.errors import BadInput
from benchmark.report import snakemake_report
from benchmark.study.reading import validated
from benchmark.study.study import Study
from benchmark.workflow import receipts, resources, targets
from benchmark.workflow.preflight import check_needed, check_present, check_unchanged
from benchmark.workflow.session import Errors, Session, by_rule
from benchmark.workflow.targets import StudyFiles

errors = Errors()
if Quietness.ALL in (workflow.output_settings.quiet or ()) and not workflow.output_settings.dryrun:
    logger.addHandler(errors)

try:
    options = validated(resources.Options, config, "--config")
    study = Study.load(options.study)
    if workflow.is_main_process:
        check_present(study)
        check_unchanged(study)
        receipts.settle(study.name)
        receipts.outdate(study)
except BadInput as error:
    sys.exit(f"error: {error}")

files, session = StudyFiles(study), Session(study)
logger.addFilter(session)

# Equals `python -m benchmark`, but on this machine without its start-up time: see the module's docstring.
command = f"{shlex.quote(sys.executable)} -I -S {shlex.quote(job_server.__file__)}"

# More jobs than processors only slow one another down: if more cores are requested than exist, all that exist are used.
cores = min(workflow.resource_settings.cores or 1, os.cpu_count() or 1)
if workflow.resource_settings.cores:
    workflow.global_resources["_cores"] = cores
# The study sets the threads that a job computes with: with others, results differ by rounding.
shell.prefix("".join(f"export {name}={study.threads}; " for name in resources.THREADS))

# `--resources gpu=N` requests GPUs: each job that computes takes one, N at once, and fails without one. Otherwise a job
# uses a GPU if it finds one, and waits if BENCHMARK_JOBS_PER_GPU jobs use it already.
gpus = workflow.global_resources.get("gpu")
gpu = {"gpu": 1} if gpus and gpus.value else {}
if gpu:
    os.environ.setdefault("BENCHMARK_DEVICE", "cuda")


def old(paths):
    """Mark inputs whose age says nothing."""
    return [ancient(path) for path in paths]


def lazily(inputs_of, name):
    """Look up the inputs of an output when they are needed, not in every process that reads the workflow."""
    return lambda wildcards: old(inputs_of(name))


# Targets also list what their files are made from: Snakemake does not notice a missing input of an existing file.
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


# Snakemake calls these unless it is a dry run or there is nothing to do.
onstart:
    jobs = by_rule(workflow.dag.needrun_jobs())
    try:
        check_needed(study, jobs)
    except BadInput as error:
        sys.exit(f"error: {error}")
    logger.removeHandler(errors)
    if sys.platform == "linux" and workflow.local_exec:
        job_server.start(jobs, dict.fromkeys(resources.THREADS, str(study.threads)))
    if jobs["run"] and workflow.local_exec:
        shell("{command} check {study.name} --speed | grep '^warning' || true")
    if jobs["run"] and not gpu and not workflow.local_exec:
        print("warning: no job asks for a GPU; with --resources gpu=N each does, N of them at once", flush=True)


onsuccess:
    print(session.success(workflow.dag), flush=True)


onerror:
    print(session.failure(workflow.dag), flush=True)

# Training and unlearning. One rule serves every run; its twin also keeps the weights, of Original and of what is mapped.


def run_inputs(wildcards):
    """What a run reads. Its parameters hold the fingerprints of all of it, so ages say nothing of a current run.

    What a run that is all there was made from need not be made again: a checkout may hold runs without weights and data.
    """
    inputs = files.inputs_of(wildcards.run)
    if files.is_current(wildcards.run):
        return settled(inputs, files.is_whole(wildcards.run))
    outdate(paths.run(study.name, wildcards.run) / paths.RUN)
    return inputs


RUN_FILES = [paths.RUN, paths.SAMPLES, paths.HISTORY]

for kept in (False, True):

    rule:
        name:
            "run_and_keep" if kept else "run"
        input:
            run_inputs,
        output:
            [paths.run(study.name, "{run}") / file for file in RUN_FILES + [paths.MODEL] * kept],
        log:
            paths.log(study.name, "{run}"),
        benchmark:
            paths.usage(study.name, "{run}")
        wildcard_constraints:
            run=files.run_pattern(kept),
        # First what others wait for: Original, and runs that maps and distances are made from.
        priority: int(kept)
        threads: job_threads
        resources:
            gpu=gpu,
            runtime=lambda wildcards, attempt: needs.minutes(study.name, wildcards.run, attempt, options.minutes),
            mem_mb=lambda wildcards, attempt: needs.memory_mb(study.name, wildcards.run, attempt),
        params:
            fingerprint=lambda wildcards: study.run(wildcards.run).fingerprint,
        shell:
            "{command} run {study.name} {wildcards.run:q} --planned {params.fingerprint} > {log} 2>&1"

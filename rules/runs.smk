# Training and unlearning. One rule serves every run.
#
# Outputs that do not belong to one study alone are update(): Snakemake deletes others before their job begins, even if a
# command by hand, or a job that outlived its Snakemake, has finished them since the plan was made.

limits = {
    "runtime": lambda wildcards, attempt: resources.minutes(files.at(wildcards.run), attempt, options.minutes),
    "mem_mb": lambda wildcards, attempt: resources.memory_mb(files.at(wildcards.run), attempt),
}


# To move parked weights takes no GPU.
gpu_unless_parked = {
    name: lambda wildcards: 0 if os.path.isfile(paths.parked_weights(wildcards.run)) else 1 for name in gpu
}


rule run:
    input:
        lambda wildcards: old(files.inputs_of(wildcards.run)),
    output:
        [update(paths.run("{run}") / file) for file in (paths.RUN, paths.SAMPLES, paths.HISTORY)],
    log:
        paths.log("{run}"),
    wildcard_constraints:
        run=targets.RUN_PATH,
    threads: study.threads
    resources:
        **gpu,
        **limits,
    params:
        run=lambda wildcards: files.at(wildcards.run),
    shell:
        "{command} run {study.name} {params.run.name:q} --planned {params.run.fingerprint} > {log} 2>&1"


# Weights are kept of Originals and of runs with derived files. A run parks them outside its folder, so that they can be
# lost, or left out of a checkout, without the run counting as lost; it is then trained again for them.
rule weights:
    input:
        lambda wildcards: old(files.inputs_of_weights(wildcards.run)),
    output:
        update(paths.run("{run}") / paths.MODEL),
    log:
        paths.log("weights/{run}"),
    wildcard_constraints:
        run=targets.RUN_PATH,
    priority: 1  # other jobs wait for them
    threads: study.threads
    resources:
        **gpu_unless_parked,
        **limits,
    params:
        run=lambda wildcards: files.at(wildcards.run),
        parked=lambda wildcards: paths.parked_weights(wildcards.run),
    shell:
        # In two steps: between two disks, a move is a copy, which may be cut off.
        "if [ -f {params.parked:q} ]; then mv {params.parked:q} {output:q}.part && mv {output:q}.part {output:q}; "
        "else {command} run {study.name} {params.run.name:q} --planned {params.run.fingerprint} --weights > {log} 2>&1; fi"


rule embed:
    input:
        lambda wildcards: old(files.inputs_of_derived(wildcards.derived)),
    output:
        update(paths.derived("{derived}")),
    log:
        paths.log("{derived}"),
    wildcard_constraints:
        derived=targets.DERIVED_PATH,
    threads: study.threads
    resources:
        **gpu,
    params:
        file=lambda wildcards: files.at(wildcards.derived),
    shell:
        "{command} embed {study.name} {params.file.kind} {params.file.run.name:q} {params.file.scenario:q} > {log} 2>&1"

# Datasets as arrays, and what each scenario forgets. On a cluster this is done where the workflow runs, since a node may
# not reach what a dataset is downloaded from.


for name in study.datasets:

    rule:
        name:
            f"prepare_{name}".replace("-", "_")
        output:
            files.dataset_file(name),
        log:
            paths.log(study.name, f"prepare/{name}"),
        localrule: True
        params:
            dataset=name,
        shell:
            "{command} prepare {study.name} {params.dataset} > {log} 2>&1"


rule split:
    input:
        lambda wildcards: files.dataset_file(wildcards.dataset),
    output:
        paths.split(study.name, "{dataset}", "{scenario}", "{trial}"),
    log:
        paths.log(study.name, "split/{dataset}/{scenario}/trial-{trial}"),
    wildcard_constraints:
        dataset=files.dataset_pattern,
        scenario=files.scenario_pattern,
        trial="[0-9]+",
    localrule: True
    params:
        seed=study.seed,
    shell:
        "{command} split {study.name} {wildcards.dataset} {wildcards.scenario:q} {wildcards.trial} > {log} 2>&1"

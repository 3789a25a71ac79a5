# Datasets as arrays, and splits. On a cluster these jobs run beside the workflow: nodes may have no internet access.


for name in study.datasets:

    rule:
        name:
            f"prepare_{name}".replace("-", "_")
        output:
            [update(file) for file in files.dataset_files(name)],  # see rules/runs.smk
        log:
            paths.log(f"prepare/{study.dataset_folder(name).name}"),
        localrule: True
        params:
            dataset=name,
        shell:
            "{command} prepare {study.name} {params.dataset} > {log} 2>&1"


rule split:
    input:
        lambda wildcards: old(files.inputs_of_split(wildcards.split)),
    output:
        update(paths.split("{split}")),
    log:
        paths.log("splits/{split}"),
    wildcard_constraints:
        split=targets.SPLIT_PATH,
    localrule: True
    params:
        draw=lambda wildcards: files.at(wildcards.split),
    shell:
        "{command} split {study.name} {params.draw.dataset} {params.draw.scenario:q} {params.draw.trial} > {log} 2>&1"

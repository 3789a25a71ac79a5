# Maps, tables, figures and the gathered results. None of these trains anything.


rule embed:
    input:
        lambda wildcards: files.embedding_inputs(wildcards.embedding),
    output:
        paths.embedding(study.name, "{embedding}"),
    params:
        samples=study.map_samples,
        run=lambda wildcards: files.embedding(wildcards.embedding)[0].name,
        scenario=lambda wildcards: files.embedding(wildcards.embedding)[1],
    wildcard_constraints:
        embedding=files.embedding_pattern,
    threads: study.threads
    log:
        paths.log(study.name, "embed/{embedding}"),
    shell:
        "{command} embed {study.name} {params.run:q} {params.scenario:q} > {log} 2>&1"


rule table:
    input:
        lambda wildcards: files.shown_by(wildcards.output),
    output:
        [paths.table(study.name, "{output}", suffix) for suffix in paths.TABLE_SUFFIXES],
    params:
        fingerprint=lambda wildcards: study.output_fingerprint(wildcards.output),
    wildcard_constraints:
        output="|".join(study.tables),
    log:
        paths.log(study.name, "report/{output}"),
    shell:
        "{command} table {study.name} {wildcards.output} > {log} 2>&1"


rule figure:
    input:
        lambda wildcards: files.shown_by(wildcards.output),
    output:
        [paths.figure(study.name, "{output}", suffix) for suffix in paths.FIGURE_SUFFIXES],
    params:
        fingerprint=lambda wildcards: study.output_fingerprint(wildcards.output),
    wildcard_constraints:
        output="|".join(study.figures),
    log:
        paths.log(study.name, "report/{output}"),
    shell:
        "{command} figure {study.name} {wildcards.output} > {log} 2>&1"


rule collect:
    input:
        files.gathered,
    output:
        files.collected,
    params:
        fingerprint=[study.output_fingerprint(name) for name in study.outputs],
    log:
        paths.log(study.name, "collect"),
    shell:
        "{command} collect {study.name} > {log} 2>&1"

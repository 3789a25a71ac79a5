# Maps, tables, figures and the gathered results. None of these trains anything. What a reader wants to see is marked
# for `snakemake --report`; what the report says of it comes from the study.

config["captions"] = captions.captions(study)
replace = "--replace" if options.replace else ""


report: "captions/study.rst"


def shown(path, category):
    """Mark a table's or figure's file for the report, if it is one that a reader wants to see there."""
    if path.suffix in (".tex", ".md"):
        return path
    told = lambda wildcards: captions.labels(study, wildcards.output, path.suffix)
    return report(path, caption="captions/output.rst", category=category, labels=told)


def embed_inputs(wildcards):
    """What a derived file is made from. One that is current needs nothing again: a checkout may hold it without weights."""
    inputs, one = files.derived_inputs(wildcards.derived), files.derived(wildcards.derived)
    if files.is_derived_current(one):
        return settled(inputs, whole=True)
    outdate(paths.derived(study.name, one))
    return inputs


rule embed:
    input:
        embed_inputs,
    output:
        paths.derived(study.name, "{derived}"),
    log:
        paths.log(study.name, "embed/{derived}"),
    wildcard_constraints:
        derived=files.derived_pattern,
    threads: job_threads
    resources:
        gpu=gpu,
    params:
        samples=study.map_samples,
        pairs=lambda wildcards: study.view_pairs if files.derived(wildcards.derived).what == "views" else 0,
        what=lambda wildcards: files.derived(wildcards.derived).what,
        run=lambda wildcards: str(files.derived(wildcards.derived).run.name),
        scenario=lambda wildcards: files.derived(wildcards.derived).scenario,
    shell:
        "{command} embed {study.name} {params.what} {params.run:q} {params.scenario:q} > {log} 2>&1"


def output_inputs(wildcards):
    return all_there(files.shown_by(wildcards.output), files.files_of(wildcards.output))


rule table:
    input:
        output_inputs,
    output:
        [shown(paths.table(study.name, "{output}", suffix), "Tables") for suffix in paths.TABLE_SUFFIXES],
    log:
        paths.log(study.name, "report/{output}"),
    wildcard_constraints:
        output="|".join([*study.tables, *study.compared]),
    params:
        fingerprint=lambda wildcards: study.output_fingerprint(wildcards.output),
    shell:
        "{command} table {study.name} {wildcards.output} {replace} > {log} 2>&1"


rule figure:
    input:
        output_inputs,
    output:
        [shown(paths.figure(study.name, "{output}", suffix), "Figures") for suffix in paths.FIGURE_SUFFIXES],
    log:
        paths.log(study.name, "report/{output}"),
    wildcard_constraints:
        output="|".join(study.figures),
    params:
        fingerprint=lambda wildcards: study.output_fingerprint(wildcards.output),
    shell:
        "{command} figure {study.name} {wildcards.output} {replace} > {log} 2>&1"


rule collect:
    input:
        lambda wildcards: all_there(files.gathered, files.collected),
    output:
        files.collected,
    log:
        paths.log(study.name, "collect"),
    params:
        fingerprints=[run.fingerprint for run in study.runs()],
    shell:
        "{command} collect {study.name} {replace} > {log} 2>&1"


rule page:
    input:
        files.collected,
        files.gathered,  # it looks at single runs too, and a checkout that holds the gathered results has none
        [paths.table(study.name, name, ".csv") for name in study.tables if study.output(name).kind == "claims"],
    output:
        report(paths.page(study.name), caption="captions/page.rst", category="Page", labels={"name": "results page"}),
    log:
        paths.log(study.name, "page"),
    params:
        fingerprint=[study.output_fingerprint(name) for name in study.outputs],
    shell:
        "{command} page {study.name} > {log} 2>&1"

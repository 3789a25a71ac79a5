# Tables, figures, the gathered results and the page. None of these rules trains anything. Files for readers are marked
# for `snakemake --report`, which takes their captions from the study. What a study may publish is update(): Snakemake deletes
# other outputs before their job begins, even if the job then refuses to replace them.

config["captions"] = snakemake_report.captions(study)
replace = "--replace" if options.replace else ""


report: "captions/study.rst"


def in_report(name, path):
    """Mark a file of a table or figure for the report, if it is for readers."""
    if path.suffix in (".tex", ".md", ".json"):
        return path
    category = study.section_of(name).capitalize()
    return report(
        path, caption="captions/output.rst", category=category, labels=snakemake_report.labels(study, name, path.suffix)
    )


for name in study.outputs:

    rule:
        name:
            f"draw_{name}"
        input:
            lazily(files.drawn_from, name),
        output:
            [update(in_report(name, path)) for path in files.files_of(name)],
        log:
            paths.log(f"drawn/{study.name}/{name}"),
        params:
            output=name,
            command=study.section_of(name).removesuffix("s"),
        shell:
            "{command} {params.command} {study.name} {params.output} {replace} > {log} 2>&1"


if files.page:  # a study without runs has nothing to gather

    rule collect:
        input:
            lambda wildcards: old(files.pool),
        output:
            [update(path) for path in files.gathered],
        log:
            paths.log(f"drawn/{study.name}/collect"),
        shell:
            "{command} collect {study.name} {replace} > {log} 2>&1"

    rule page:
        input:
            old(files.gathered),
            lambda wildcards: old(files.pool),  # it also reads single runs
            old(paths.table(study.name, name, ".csv") for name in study.tables if study.output(name).kind == "claims"),
        output:
            report(files.page[0], caption="captions/page.rst", category="Page", labels={"name": "results page"}),
            files.page[1],
        log:
            paths.log(f"drawn/{study.name}/page"),
        shell:
            "{command} page {study.name} > {log} 2>&1"

# Tables, figures, the gathered results and the page. None of these trains anything. What a reader wants to see is marked
# for `snakemake --report`; what the report says of it comes from the study.

config["captions"] = captions.captions(study)
replace = "--replace" if options.replace else ""


report: "captions/study.rst"


def shown(name, path):
    """Mark a table's or figure's file for the report, if it is one that a reader wants to see there."""
    if path.suffix in (".tex", ".md", ".json"):
        return path
    category = study.section_of(name).capitalize()
    return report(
        path, caption="captions/output.rst", category=category, labels=captions.labels(study, name, path.suffix)
    )


for name in study.outputs:

    rule:
        name:
            f"draw_{name}"
        input:
            lazily(files.drawn_from, name),
        output:
            [shown(name, path) for path in files.files_of(name)],
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
            files.collected,
        log:
            paths.log(f"drawn/{study.name}/collect"),
        shell:
            "{command} collect {study.name} {replace} > {log} 2>&1"

    rule page:
        input:
            old(files.collected),
            lambda wildcards: old(files.pool),  # it looks at single runs too
            old(paths.table(study.name, name, ".csv") for name in study.tables if study.output(name).kind == "claims"),
        output:
            report(files.page[0], caption="captions/page.rst", category="Page", labels={"name": "results page"}),
            files.page[1],
        log:
            paths.log(f"drawn/{study.name}/page"),
        shell:
            "{command} page {study.name} > {log} 2>&1"

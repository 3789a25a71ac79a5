# The search for hyperparameters: a target of its own, which `all` does not include. It resumes by its own journal.


rule tune:
    threads: workflow.resource_settings.cores
    shell:
        "{command} tune {study.name} --jobs {threads}"

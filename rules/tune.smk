# The search for hyperparameters: a separate target, which `all` does not include. It resumes from its own journal.


rule tune:
    threads: workflow.resource_settings.cores
    params:
        jobs=max(1, (workflow.resource_settings.cores or 1) // job_threads),
    shell:
        "{command} tune {study.name} --jobs {params.jobs}"

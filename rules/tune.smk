# The search for hyperparameters: a separate target, which `all` does not include. It resumes from its own journal.


rule tune:
    threads: cores
    params:
        jobs=max(1, cores // study.threads),
    shell:
        "{command} tune {study.name} --jobs {params.jobs}"

# The search for hyperparameters: a separate target, which `all` does not include. It resumes from its own journal.


rule tune:
    localrule: True  # its processes share a journal, and take the GPUs of one machine
    threads: cores
    params:
        jobs=max(1, cores // study.threads),
        replace=" --replace" * options.replace,
    shell:
        "{command} tune {study.name} --jobs {params.jobs}{params.replace}"

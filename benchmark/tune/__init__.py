"""Tuning: the search for every method's hyperparameters, on trials that no table shows.

`benchmark.study.tuning` says what is trained, `journal` what is searched, what was tried and what comes next,
`candidate` runs one, `tuned_file` writes what came of it, and `search` does it all.
"""

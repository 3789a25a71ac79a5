"""Tuning: the search for every method's hyperparameters, on trials that no table shows.

`benchmark.study.tuning` says what is trained, `ranges` what is searched, `journal` what has been tried and what comes
next. `candidate` runs one candidate, `search` runs them all, and `tuned_file` writes the results.
"""

"""``python -m benchmark bench``: how fast training is, how long until the first batch, how time grows.

Each section is a module that answers one of these questions: ``rows(options)`` measures, ``answer(rows)`` sums the
measurements up in a sentence. ``docs/speed.md`` shows both for every machine.
"""

"""``python -m benchmark bench``: how fast training is, how long until the first batch, how time grows.

A section is a module that answers one of these questions: ``rows(options)`` measures, ``answer(rows)`` is a sentence of
what was measured. ``docs/speed.md`` shows both for every machine.
"""

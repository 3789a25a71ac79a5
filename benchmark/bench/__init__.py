"""``python -m benchmark bench``: how fast this code is, beside a plain reference and the hardware's ceiling.

Each section is a module with a function ``rows(options)``. Ours and the reference take turns in one process, on the
same work; a warm-up is discarded and medians are reported. ``docs/speed.md`` tells what was found.
"""
